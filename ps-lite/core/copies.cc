// SPDX-License-Identifier: Apache-2.0
// Copies of a shard. A primary knows of each backup what it holds of each slice, and offers what is missing: a question whether it is there already, the
// reduced update, or the whole. A copy counts from when it holds every slice; nothing is committed without those that count.
#include <algorithm>

#include "core/server.h"
#include "core/text.h"

namespace ps::core {
namespace {
constexpr size_t kWholesAtOnce = 32;  // under way to a copy that does not count yet
}  // namespace

bool Server::Agreed(const Slot& slot) const {
  auto m = mine_.find(slot.shard);
  if (m == mine_.end()) return false;
  for (auto& [rank, b] : m->second.backups) {
    if (!b.counts) continue;
    auto t = slot.tracks.find(rank);
    if (t == slot.tracks.end() || !t->second.known || t->second.round != slot.held.round || t->second.stamp != slot.held.stamp) return false;
  }
  return true;
}

void Server::Replicate(Slot& slot) {
  for (auto& [rank, b] : mine_[slot.shard].backups) Offer(slot, rank, b);
}

void Server::Offer(Slot& slot, Rank rank, Backup& b) {
  Track& t = slot.tracks[rank];
  if (t.known && t.round == slot.held.round && t.stamp == slot.held.stamp) return;
  SlotKey key{slot.slice.key->name, slot.slice.index};
  if (!b.counts) b.missing.insert(key);
  if (t.in_flight) return;
  if (!b.counts) {
    size_t flying = 0;
    for (auto& k : b.missing)
      if (auto s = slots_.find(k); s != slots_.end() && s->second.tracks[rank].in_flight) ++flying;
    if (flying >= kWholesAtOnce) return;
  }
  Link* l = hub_.Reach({Role::kServer, rank});
  if (!l) return;
  t.in_flight = true;
  pb::Envelope e;
  auto* p = e.mutable_propose();
  p->set_shard(slot.shard), p->set_since(b.since), p->set_round(slot.held.round), p->set_stamp(slot.held.stamp);
  p->mutable_slice()->set_key(key.first), p->mutable_slice()->set_index(key.second);
  if (!t.known && !t.full) {
    p->set_kind(pb::PROBE);
    return hub_.Send(*l, &e);
  }
  for (Rank r : slot.held.contributors) {
    auto* c = p->add_contributors();
    c->set_rank(r), c->set_sequence(slot.held.applied[r]);
  }
  if (t.known && slot.has_reduced && slot.has_base && t.round == slot.base.round && t.stamp == slot.base.stamp && slot.reduced_settings == hub_.view.settings.size()) {
    p->set_kind(pb::DELTA);
    p->set_stamp_before(slot.base.stamp), p->set_round_before(slot.base.round);
    return hub_.Send(*l, &e, slot.reduced);
  }
  p->set_kind(pb::FULL);
  Write(*slot.slice.key, p->mutable_key());
  if (!FLX_PS_MUTANT(hub_.config, kForgetDedup))
    for (auto& [r, sequence] : slot.held.applied) {
      auto* a = p->add_applied();
      a->set_rank(r), a->set_sequence(sequence);
    }
  const Stored& s = slot.held.stored;
  uint64_t total = s.value.size() + s.state.size(), most = std::max<uint64_t>(hub_.settings.slice_bytes, 4096);
  p->set_value_bytes(s.value.size());
  p->set_total_bytes(total);
  // Value and state in parts of at most a slice, all on one lane: they arrive in order.
  for (uint64_t at = 0; at == 0 || at < total;) {
    bool in_value = at < s.value.size();
    uint64_t left = in_value ? s.value.size() - at : total - at, size = std::min(left, most);
    p->set_offset(at);
    Buffer part = size == 0 ? Buffer() : in_value ? s.value.Part(at, size) : s.state.Part(at - s.value.size(), size);
    pb::Envelope copy = e;
    hub_.Send(*l, &copy, part, 0, true);
    if (size == 0) break;
    at += size;
  }
}

void Server::SayAgreed(Link& link, const pb::Propose& in, bool missing) {
  pb::Envelope e;
  auto* a = e.mutable_agreed();
  a->set_shard(in.shard()), a->set_since(in.since()), a->set_round(in.round()), a->set_stamp(in.stamp()), a->set_missing(missing);
  *a->mutable_slice() = in.slice();
  hub_.Send(link, &e);
}

void Server::TakePropose(Link& link, const pb::Propose& in, const Buffer& payload) {
  auto m = mine_.find(in.shard());
  if (m == mine_.end() || m->second.primary || (!FLX_PS_MUTANT(hub_.config, kIgnoreViews) && !hub_.view.Primary(in.shard(), link.peer.rank))) return hub_.Drop(DropReason::kUnknown);
  if (m->second.since != in.since() && !FLX_PS_MUTANT(hub_.config, kTrustOldCopy)) return hub_.Drop(DropReason::kUnknown);
  SlotKey key{in.slice().key(), in.slice().index()};
  auto at = slots_.find(key);
  Slot* slot = at == slots_.end() ? nullptr : &at->second;
  if (slot && slot->shard != in.shard()) return hub_.Drop(DropReason::kUnknown);
  bool holds = slot && slot->held.round == in.round() && slot->held.stamp == in.stamp();
  bool held_before = slot && slot->has_base && slot->base.round == in.round() && slot->base.stamp == in.stamp();
  if (in.kind() == pb::PROBE) return SayAgreed(link, in, !holds && !held_before);
  if (in.contributors_size() > int(kMaxNodes) || in.applied_size() > int(kMaxNodes)) return hub_.Drop(DropReason::kSize);
  if (in.kind() == pb::DELTA) {
    if (holds) return SayAgreed(link, in, false);
    if (!slot) return SayAgreed(link, in, true);
    if (payload.size() > 2 * slot->slice.size + 4096) return hub_.Drop(DropReason::kSize);
    if (slot->work && slot->work_round == in.round() && slot->work_stamp == in.stamp()) return;  // under way: its end answers
    if (slot->held.round == in.round_before() && slot->held.stamp == in.stamp_before()) return BackupApply(*slot, in, slot->held, payload, link.id);
    if (slot->has_base && slot->base.round == in.round_before() && slot->base.stamp == in.stamp_before()) return BackupApply(*slot, in, slot->base, payload, link.id);
    return SayAgreed(link, in, true);
  }
  if (in.kind() != pb::FULL) return hub_.Drop(DropReason::kUnknown);
  auto info = std::make_shared<KeyInfo>();
  if (!Read(in.key(), info.get()) || info->name != key.first || key.second >= SliceCount(*info, hub_.settings) || ShardOf(info->name, info->bytes, key.second, hub_.settings) != in.shard())
    return hub_.Drop(DropReason::kSize);
  Slice slice = SliceAt(info, key.second, hub_.settings);
  uint64_t most = 64 * (slice.size + 4096);
  if (in.total_bytes() > most || in.value_bytes() != slice.size || in.value_bytes() > in.total_bytes() || payload.size() > in.total_bytes() || in.offset() > in.total_bytes() - payload.size())
    return hub_.Drop(DropReason::kSize);
  if (!slot) {
    slot = &slots_[key];
    slot->slice = slice;
    slot->shard = in.shard();
    slot->held.stamp = 0;  // nothing yet
    stored_bytes_ += slice.size;
  }
  if (in.offset() == 0) slot->parts.clear(), slot->parts_round = in.round(), slot->parts_stamp = in.stamp();
  if (slot->parts_round != in.round() || slot->parts_stamp != in.stamp() || slot->parts.size() != in.offset()) return;  // a part of something given up
  slot->parts.append(reinterpret_cast<const char*>(payload.data()), payload.size());
  if (slot->parts.size() < in.total_bytes()) return;
  Buffer all = Buffer::Own(std::move(slot->parts));
  slot->parts = {};
  slot->work = 0;
  slot->has_base = false;
  slot->base = {};
  State& s = slot->held;
  s = {};
  s.round = in.round(), s.stamp = in.stamp();
  s.stored.value = all.Part(0, in.value_bytes());
  if (in.total_bytes() > in.value_bytes()) s.stored.state = all.Part(in.value_bytes(), in.total_bytes() - in.value_bytes());
  for (auto& a : in.applied()) s.applied[a.rank()] = a.sequence();
  for (auto& c : in.contributors()) s.contributors.push_back(c.rank());
  SayAgreed(link, in, false);
}

// The backup's own application of the reduced update: elementwise and without contraction, so the same bytes as the primary's.
void Server::BackupApply(Slot& slot, const pb::Propose& in, const State& from, const Buffer& reduced, LinkId link) {
  State next;
  next.round = in.round(), next.stamp = in.stamp();
  next.applied = from.applied;
  for (auto& c : in.contributors()) next.contributors.push_back(c.rank()), next.applied[c.rank()] = c.sequence();
  State base = from;
  slot.work = next_work_++;
  slot.work_round = in.round(), slot.work_stamp = in.stamp();
  SlotKey key{slot.slice.key->name, slot.slice.index};
  auto finish = [this, key, work = slot.work, base, next, in, link](const Status& status, Stored stored) mutable {
    Slot* s = Lookup(key, work);
    if (!s) return;
    s->work = 0;
    Link* l = hub_.Find(link);
    if (!status.ok()) {
      if (l) SayAgreed(*l, in, true);
      return;
    }
    s->base = std::move(base);
    s->has_base = true;
    s->held = std::move(next);
    s->held.stored = std::move(stored);
    if (l) SayAgreed(*l, in, false);
  };
  if (hub_.view.settings.empty()) return finish({}, {reduced, {}});
  hub_.Start(ApplyWork{slot.slice, base.stored, reduced}, [finish](const WorkDone& done) mutable {
    if (done.status.ok() && done.results.size() == 2) finish({}, {done.results[0], done.results[1]});
    else finish(done.status.ok() ? Status{Code::kInternal, "no result"} : done.status, {});
  });
}

void Server::TakeAgreed(Link& link, const pb::Agreed& in) {
  auto m = mine_.find(in.shard());
  if (m == mine_.end() || !m->second.primary) return hub_.Drop(DropReason::kUnknown);
  Rank rank = link.peer.rank;
  auto b = m->second.backups.find(rank);
  Slot* slot = FindSlot(in.slice());
  if (b == m->second.backups.end() || b->second.since != in.since() || !slot || slot->shard != in.shard()) return hub_.Drop(DropReason::kUnknown);
  Track& t = slot->tracks[rank];
  t.in_flight = false;
  if (in.missing()) {
    t.known = false, t.full = true;
  } else if (in.round() <= slot->held.round) {
    t.known = true, t.full = false, t.round = in.round(), t.stamp = in.stamp();
  }
  Backup& backup = b->second;
  bool same = t.known && t.round == slot->held.round && t.stamp == slot->held.stamp;
  SlotKey key{in.slice().key(), in.slice().index()};
  if (!same) Offer(*slot, rank, backup);
  if (!backup.counts) {
    bool committed_there = t.known && (same || (!slot->committed && slot->has_base && t.round == slot->base.round && t.stamp == slot->base.stamp));
    if (committed_there) backup.missing.erase(key);
    // More of what it lacks.
    for (auto& k : backup.missing) {
      auto s = slots_.find(k);
      if (s != slots_.end() && !s->second.tracks[rank].in_flight) {
        Offer(s->second, rank, backup);
        break;
      }
    }
    if (backup.missing.empty()) {
      backup.counts = true;
      if (Link* l = SchedulerLink()) {
        pb::Envelope e;
        FillBeat(*l, e.mutable_beat());
        hub_.Send(*l, &e);
      }
    }
  }
  Advance(*slot);
}

}  // namespace ps::core
