// SPDX-License-Identifier: Apache-2.0
// Checkpoints at a server: the part of each shard that it is primary of, written from buffers that nobody changes, and read back when the job goes back.
// Synchronous: the worker that asked pushes nothing meanwhile, so that no round can close, and every slice is at the same one.
#include <algorithm>

#include "core/checksum.h"
#include "core/server.h"
#include "core/text.h"

namespace ps::core {
namespace {
constexpr char kMark[] = "FLXPSCUT";
constexpr size_t kMarkBytes = 8, kFront = kMarkBytes + 8;
}  // namespace

std::string Server::CutName(uint32_t shard, uint64_t number) const { return Join(hub_.config.cut, ".", shard, ".", number); }

std::vector<uint32_t> Server::Loading() const {
  std::vector<uint32_t> shards;
  for (auto& [shard, m] : mine_)
    if (m.loading) shards.push_back(shard);
  return shards;
}

void Server::BeginCut() {
  const View& v = hub_.view;
  for (auto& [shard, m] : mine_) {
    if (!m.primary || m.loading || v.cut <= v.cut_done || m.cut >= v.cut) continue;
    m.cut = v.cut;
    if (hub_.config.cut.empty()) {
      SayCut(shard, v.cut, 0, {Code::kFile, Join("[ps] ", Text(hub_.me), " has no place for checkpoints (FLEXOR_PS_CHECKPOINT)")}, false);
    } else {
      m.cut_wanted = true;
    }
  }
  std::vector<uint32_t> wanted;
  for (auto& [shard, m] : mine_)
    if (m.cut_wanted && m.primary) wanted.push_back(shard);
  for (uint32_t shard : wanted) TryCut(shard);
}

// As soon as every slice has a committed state, and no round is half done.
void Server::TryCut(uint32_t shard) {
  Mine& m = mine_[shard];
  for (auto& [key, slot] : slots_) {
    if (slot.shard != shard) continue;
    if (hub_.settings.mode == Mode::kSync ? !slot.committed || slot.stage != Stage::kOpen || NextRound(slot) <= hub_.view.cut_least : CommittedState(slot) == nullptr) return;
  }
  if (FLX_PS_MUTANT(hub_.config, kCutLate) && m.cut_wanted && !m.cut_late) {
    m.cut_late = true, m.cut_wanted = false;
    Round round = 0;
    for (auto& [key, slot] : slots_)
      if (slot.shard == shard) round = std::max(round, slot.held.round);
    return SayCut(shard, m.cut, round, {}, false);
  }
  m.cut_wanted = m.cut_late = false;
  WriteCut(shard);
}

void Server::WriteCut(uint32_t shard) {
  Mine& m = mine_[shard];
  pb::CutHead head;
  std::vector<Buffer> parts(1);
  Round round = 0;
  for (auto& [key, slot] : slots_) {
    if (slot.shard != shard) continue;
    const State& s = *CommittedState(slot);
    auto* out = head.add_slices();
    Write(*slot.slice.key, out->mutable_key());
    out->set_index(slot.slice.index);
    out->set_round(s.round);
    for (auto& [rank, sequence] : s.applied) {
      auto* a = out->add_applied();
      a->set_rank(rank), a->set_sequence(sequence);
    }
    for (Rank r : s.contributors) out->add_contributors(r);
    out->set_value_bytes(s.stored.value.size());
    out->set_state_bytes(s.stored.state.size());
    if (!s.stored.value.empty()) parts.push_back(s.stored.value);
    if (!s.stored.state.empty()) parts.push_back(s.stored.state);
    round = std::max(round, s.round);
  }
  head.set_job(hub_.config.job), head.set_number(m.cut), head.set_shard(shard), head.set_round(round);
  std::string body = head.SerializeAsString(), front(kMark, kMarkBytes);
  Write32(front, uint32_t(body.size()));
  Write32(front, Checksum(reinterpret_cast<const uint8_t*>(body.data()), body.size()));
  parts[0] = Buffer::Own(front + body);
  hub_.Start(WriteFile{CutName(shard, m.cut), std::move(parts)}, [this, shard, number = m.cut, round](const WorkDone& done) {
    if (!Running() || number <= hub_.view.cut_done) return;
    Status status = done.status;
    if (!status.ok()) status.text = Join("[ps] ", Text(hub_.me), " could not write its part of the checkpoint, ", CutName(shard, number), ": ", status.text);
    SayCut(shard, number, round, status, false);
  });
}

void Server::SayCut(uint32_t shard, uint64_t number, Round round, const Status& status, bool restored) {
  pb::Envelope e;
  auto* c = e.mutable_cut_done();
  c->set_round(round), c->set_shard(shard), c->set_code(uint32_t(status.code)), c->set_text(status.text), c->set_token(number), c->set_restored(restored), c->set_lives(lives_);
  cut_said_[{shard, restored}] = e.SerializeAsString();
  if (Link* l = SchedulerLink()) hub_.Send(*l, &e);
}

void Server::ReadCut(uint32_t shard) {
  uint64_t number = hub_.view.cut_done;
  hub_.Start(ReadFile{CutName(shard, number)}, [this, shard, number, lives = lives_, since = mine_[shard].since](const WorkDone& done) {
    auto m = mine_.find(shard);
    if (!Running() || lives != lives_ || m == mine_.end() || m->second.since != since || !m->second.loading) return;
    Status status = done.status;
    Round round = 0;
    if (status.ok()) status = done.results.empty() ? Status{Code::kFile, "there is no such file"} : LoadCut(shard, done.results[0], &round);
    if (!status.ok()) {
      Erase(shard);
      return SayCut(shard, number, round, {Code::kFile, Join("[ps] ", Text(hub_.me), " cannot go back to its part of the checkpoint, ", CutName(shard, number), ": ", status.text)}, true);
    }
    m->second.loading = false;
    std::vector<SlotKey> all;
    for (auto& [key, slot] : slots_) {
      if (slot.shard != shard) continue;
      all.push_back(key);
      for (auto& [rank, b] : m->second.backups) slot.tracks[rank].full = true, b.missing.insert(key);
    }
    for (auto& [rank, b] : m->second.backups)
      if (b.missing.empty()) b.counts = true;
    BeginCut();
    for (auto& key : all)
      if (auto s = slots_.find(key); s != slots_.end()) Replicate(s->second), Advance(s->second);
  });
}

// Nothing in the file is believed before it is checked: it may be torn, or another job's.
Status Server::LoadCut(uint32_t shard, const Buffer& file, Round* round) {
  auto bad = [](std::string text) { return Status{Code::kFile, std::move(text)}; };
  if (file.size() < kFront || std::memcmp(file.data(), kMark, kMarkBytes) != 0) return bad("it is no part of a checkpoint");
  size_t size = Read32(file.data() + kMarkBytes);
  if (size > file.size() - kFront) return bad("it is cut short");
  if (Checksum(file.data() + kFront, size) != Read32(file.data() + kMarkBytes + 4)) return bad("its head is damaged");
  pb::CutHead head;
  if (!head.ParseFromArray(file.data() + kFront, int(size))) return bad("its head cannot be read");
  if (head.job() != hub_.config.job || head.shard() != shard || head.number() != hub_.view.cut_done) return bad("it belongs to another job, shard or checkpoint");
  uint64_t at = kFront + size, left = file.size() - at;
  for (auto& s : head.slices()) {
    auto key = std::make_shared<KeyInfo>();
    if (!Read(s.key(), key.get()) || s.index() >= SliceCount(*key, hub_.settings) || ShardOf(key->name, key->bytes, s.index(), hub_.settings) != shard)
      return bad("it was written with other settings (slice size, shards)");
    Slice slice = SliceAt(key, s.index(), hub_.settings);
    if (s.value_bytes() != slice.size || s.value_bytes() > left || s.state_bytes() > left - s.value_bytes()) return bad("it is cut short");
    Slot& slot = slots_[{key->name, s.index()}];
    slot = {};
    slot.slice = slice, slot.shard = shard;
    slot.held.round = s.round(), slot.held.stamp = hub_.view.number;
    slot.held.stored.value = file.Part(at, s.value_bytes());
    if (s.state_bytes() > 0) slot.held.stored.state = file.Part(at + s.value_bytes(), s.state_bytes());
    for (auto& a : s.applied()) slot.held.applied[a.rank()] = a.sequence();
    for (Rank r : s.contributors()) slot.held.contributors.push_back(r);
    at += s.value_bytes() + s.state_bytes(), left -= s.value_bytes() + s.state_bytes();
    stored_bytes_ += slice.size;
    *round = std::max<Round>(*round, s.round());
  }
  return left == 0 ? Status{} : bad("it is longer than its head says");
}

}  // namespace ps::core
