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
    if (hub_.settings.mode == Mode::kSync ? !slot.committed || slot.stage != Stage::kOpen : CommittedState(slot) == nullptr) return;
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
  auto head = std::make_shared<pb::CutHead>();
  std::vector<Buffer> parts;  // of each slice its value and state
  Round round = 0;
  for (auto& [key, slot] : slots_) {
    if (slot.shard != shard) continue;
    const State& s = *CommittedState(slot);
    auto* out = head->add_slices();
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
    parts.push_back(s.stored.value);
    parts.push_back(s.stored.state);
    round = std::max(round, s.round);
  }
  uint64_t number = mine_[shard].cut;
  head->set_job(hub_.config.job), head->set_number(number), head->set_shard(shard), head->set_round(round);
  auto written = [this, shard, number, round, lives = lives_](const WorkDone& done) {
    if (done.status.ok()) parts_.insert({shard, number});
    if (!Running() || number <= hub_.view.cut_done || lives != lives_) return;
    Status status = done.status;
    if (!status.ok()) status.text = Join("[ps] ", Text(hub_.me), " could not write its part of the checkpoint, ", CutName(shard, number), ": ", status.text);
    SayCut(shard, number, round, status, false);
  };
  hub_.Start(ChecksumWork{parts}, [this, shard, number, head, parts, written](const WorkDone& done) mutable {
    if (!done.status.ok()) return written(done);
    if (done.results.size() != 1 || done.results[0].size() != 4 * parts.size()) return written({0, {Code::kInternal, "its checksums could not be had"}, {}});
    const uint8_t* sum = done.results[0].data();
    for (int i = 0; i < head->slices_size(); ++i, sum += 8) {
      head->mutable_slices(i)->set_value_sum(Read32(sum));
      head->mutable_slices(i)->set_state_sum(Read32(sum + 4));
    }
    std::string body = head->SerializeAsString(), front(kMark, kMarkBytes);
    Write32(front, uint32_t(body.size()));
    Write32(front, Checksum(reinterpret_cast<const uint8_t*>(body.data()), body.size()));
    parts.insert(parts.begin(), Buffer::Own(front + body));
    hub_.Start(WriteFile{CutName(shard, number), std::move(parts)}, std::move(written));
  });
}

// Nobody goes back beyond the last complete checkpoint; the one before it stays until the scheduler has surely noted where a restarted job is to begin.
void Server::RemoveOldCuts(uint64_t below) {
  for (auto p = parts_.begin(); p != parts_.end();) {
    if (p->second >= below) {
      ++p;
      continue;
    }
    hub_.Start(RemoveFile{CutName(p->first, p->second)}, [](const WorkDone&) {});
    p = parts_.erase(p);
  }
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
  // Null: it no longer matters.
  auto reading = [this, shard, lives = lives_, since = mine_[shard].since]() -> Mine* {
    auto m = mine_.find(shard);
    return !Running() || lives != lives_ || m == mine_.end() || m->second.since != since || !m->second.loading ? nullptr : &m->second;
  };
  auto failed = [this, shard, number](const Status& why) {
    SayCut(shard, number, 0, {Code::kFile, Join("[ps] ", Text(hub_.me), " cannot go back to its part of the checkpoint, ", CutName(shard, number), ": ", why.text)}, true);
  };
  hub_.Start(ReadFile{CutName(shard, number)}, [this, shard, number, reading, failed](const WorkDone& done) {
    if (!reading()) return;
    auto part = std::make_shared<CutPart>();
    Status status = done.status;
    if (status.ok()) status = done.results.empty() ? Status{Code::kFile, "there is no such file"} : LoadCut(shard, done.results[0], part.get());
    if (!status.ok()) return failed(status);
    hub_.Start(ChecksumWork{part->bytes}, [this, shard, number, reading, failed, part](const WorkDone& sums) {
      Mine* m = reading();
      if (!m) return;
      Status checked = part->Check(sums);
      if (!checked.ok()) return failed(checked);
      parts_.insert({shard, number}), parts_.insert({shard, number - 1});  // that one may be there
      Restore(shard, *m, *part);
    });
  });
}

Status Server::CutPart::Check(const WorkDone& done) const {
  if (!done.status.ok()) return done.status;
  if (done.results.size() != 1 || done.results[0].size() != 4 * bytes.size()) return {Code::kInternal, "its checksums could not be had"};
  for (size_t i = 0; i < bytes.size(); ++i)
    if (Read32(done.results[0].data() + 4 * i) != sums[i])
      return {Code::kFile, Join("the ", i % 2 ? "optimizer's state" : "value", " of slice ", slots[i / 2].first.second, " of \"", slots[i / 2].first.first, "\" is damaged: its checksum is another than the head's")};
  return {};
}

void Server::Restore(uint32_t shard, Mine& m, CutPart& part) {
  m.loading = false;
  for (auto& [key, read] : part.slots) {
    if (slots_.count(key)) continue;  // twice in the head
    Slot& slot = slots_[key] = std::move(read);
    slot.held.stamp = hub_.view.number;
    stored_bytes_ += slot.slice.size;
    for (auto& [rank, b] : m.backups) slot.tracks[rank].full = true, b.missing.insert(key);
  }
  for (auto& [rank, b] : m.backups)
    if (b.missing.empty()) b.counts = true;
  BeginCut();
  for (auto& [key, read] : part.slots)
    if (auto s = slots_.find(key); s != slots_.end() && s->second.shard == shard) Replicate(s->second), Advance(s->second);
}

// Nothing in the file is believed before it is checked: it may be torn, or another job's.
Status Server::LoadCut(uint32_t shard, const Buffer& file, CutPart* part) {
  auto bad = [](std::string text) { return Status{Code::kFile, std::move(text)}; };
  if (file.size() < kFront || std::memcmp(file.data(), kMark, kMarkBytes) != 0) return bad(Join("it has ", file.size(), " bytes and does not begin with ", kMark, ": it is no part of a checkpoint"));
  size_t size = Read32(file.data() + kMarkBytes);
  if (size > file.size() - kFront) return bad(Join("it is cut short: it has ", file.size(), " bytes, with its head it should have ", kFront + size, " or more"));
  if (Checksum(file.data() + kFront, size) != Read32(file.data() + kMarkBytes + 4)) return bad(Join("its head is damaged: the sum of its ", size, " bytes is not the one that stands before it"));
  pb::CutHead head;
  if (!head.ParseFromArray(file.data() + kFront, int(size))) return bad("its head cannot be read");
  const std::string& job = hub_.view.cut_job.empty() ? hub_.config.job : hub_.view.cut_job;
  if (head.job() != job || head.shard() != shard || head.number() != hub_.view.cut_done) return bad(Join("it is shard ", head.shard(), " of checkpoint ", head.number(), head.job() == job ? "" : " of another job", "; shard ", shard, " of checkpoint ", hub_.view.cut_done, " of this job is wanted"));
  uint64_t at = kFront + size, left = file.size() - at;
  for (auto& s : head.slices()) {
    auto key = std::make_shared<KeyInfo>();
    if (!Read(s.key(), key.get()) || s.index() >= SliceCount(*key, hub_.settings) || ShardOf(key->name, key->bytes, s.index(), hub_.settings) != shard)
      return bad("it was written with other settings (slice size, shards)");
    Slice slice = SliceAt(key, s.index(), hub_.settings);
    if (s.value_bytes() != slice.size || s.value_bytes() > left || s.state_bytes() > left - s.value_bytes())
      return bad(Join("it is cut short: ", left, " bytes are left for slice ", s.index(), " of key \"", key->name, "\", which has ", s.value_bytes(), " and ", s.state_bytes(), " of its optimizer"));
    Slot& slot = part->slots.emplace_back(SlotKey{key->name, s.index()}, Slot()).second;
    slot.slice = slice, slot.shard = shard;
    slot.held.round = s.round();
    slot.held.stored.value = file.Part(at, s.value_bytes());
    if (s.state_bytes() > 0) slot.held.stored.state = file.Part(at + s.value_bytes(), s.state_bytes());
    part->bytes.push_back(slot.held.stored.value), part->bytes.push_back(slot.held.stored.state);
    part->sums.push_back(s.value_sum()), part->sums.push_back(s.state_sum());
    for (auto& a : s.applied()) slot.held.applied[a.rank()] = a.sequence();
    for (Rank r : s.contributors()) slot.held.contributors.push_back(r);
    at += s.value_bytes() + s.state_bytes(), left -= s.value_bytes() + s.state_bytes();
  }
  return left == 0 ? Status{} : bad(Join("it is ", left, " bytes longer than its head says"));
}

}  // namespace ps::core
