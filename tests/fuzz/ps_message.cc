// SPDX-License-Identifier: Apache-2.0
// Fuzz target for what the parameter server reads: batches, envelopes before and after a session stands, views, logs, keys and settings. The first byte says
// which. What was taken can be written, and is read again as the same.
#include <cstdlib>
#include <iostream>
#include <string>

#include "core/scheduler.h"
#include "core/view.h"
#include "tests/hall.h"
#include "transport/batch.h"

namespace {
using namespace ps;        // NOLINT
using namespace ps::core;  // NOLINT

void Must(bool holds, const char* what) {
  if (holds) return;
  std::cerr << what << '\n';
  std::abort();
}

void ReadBatch(std::string_view bytes) {
  size_t index = bytes.empty() ? 0 : std::min<size_t>(uint8_t(bytes[0]) * 8u, bytes.size() - 1);
  std::string head = std::string(net::kBatchWord) + std::string(bytes.substr(bytes.empty() ? 0 : 1, index));
  std::string_view body = bytes.substr(bytes.empty() ? 0 : 1 + index);
  net::BatchReader reader(head, body);
  if (!reader.good(1000)) return;
  net::Batch again;
  size_t all = 0;
  for (std::string_view envelope, payload; reader.next(&envelope, &payload);) {
    Must(envelope.size() <= 1000 && again.fits(envelope.size() + payload.size()), "a message beyond its limits");
    all += envelope.size() + payload.size();
    again.add(envelope, payload);
  }
  Must(all == body.size() && again.index() == head && again.body() == body, "another batch");
}

void ReadView(const std::string& bytes) {
  pb::ViewDelta delta;
  View view;
  if (!delta.ParseFromString(bytes) || !view.Take(delta)) return;
  pb::ViewDelta whole, twice;
  view.Write(0, &whole);
  View again;
  Must(again.Take(whole), "a view that was taken cannot be told");
  again.Write(0, &twice);
  Must(whole.SerializeAsString() == twice.SerializeAsString(), "another view");
  view.Facts();
}

void ReadKey(const std::string& bytes) {
  pb::KeyEntry entry;
  auto key = std::make_shared<KeyInfo>();
  if (!entry.ParseFromString(bytes) || !Read(entry, key.get())) return;
  JobSettings s;
  s.slice_bytes = 4096, s.shards = 3;
  uint64_t count = SliceCount(*key, s), at = 0;
  for (uint64_t i = 0; i < std::min<uint64_t>(count, 100); ++i) {
    Slice slice = SliceAt(key, uint32_t(i), s);
    Must(slice.offset == at && slice.offset + slice.size <= key->bytes && ShardOf(key->name, key->bytes, uint32_t(i), s) < 3, "a slice outside its array");
    at += slice.size;
  }
  Must(count > 100 || at == key->bytes, "slices that do not cover their array");
}

// To each role: as the first message of a session, as its answer, and within one.
void ReadEnvelope(const std::string& bytes) {
  for (Role role : {Role::kScheduler, Role::kServer, Role::kWorker}) {
    Hall hall;
    size_t scheduler = hall.Add(Config(Role::kScheduler), "scheduler"), server = hall.Add(Config(Role::kServer), "server");
    size_t worker = hall.Add(Config(Role::kWorker), "");
    hall.Wait(100 * kMillisecond);
    size_t who = role == Role::kScheduler ? scheduler : role == Role::kServer ? server : worker;
    pb::Envelope e;
    std::string stamped = bytes;
    if (e.ParseFromString(bytes)) {
      e.set_job("0123456789abcdef"), e.set_view(hall.node(who).view_number());
      if (!hall.at(who).links.empty()) e.set_incarnation(hall.node(hall.at(who).links.begin()->second.first).incarnation());
      stamped = e.SerializeAsString();
    }
    hall.Give(who, LinkUp{1000, ""});
    for (const std::string& head : {bytes, stamped})
      for (LinkId link : {LinkId(1000), hall.at(who).links.empty() ? LinkId(1) : hall.at(who).links.begin()->first})
        for (size_t payload : {0, 8}) hall.Give(who, Arrived{link, Lane::kExpress, Buffer::Own(head), core::Bytes(payload, 1)});
    hall.Wait(kSecond);
    hall.node(who).describe();
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  View view;
  pb::Settings settings;
  JobSettings read;
  switch (data[0] % 6) {
    case 0: ReadBatch(bytes); break;
    case 1: ReadView(bytes); break;
    case 2: ReadLog(Buffer::Own(bytes), &view); break;
    case 3: ReadKey(bytes); break;
    case 4:
      if (settings.ParseFromString(bytes) && Read(settings, &read)) Must(read.slice_bytes > 0 && read.shards <= kMaxShards, "settings that cannot be");
      break;
    default: ReadEnvelope(bytes); break;
  }
  return 0;
}
