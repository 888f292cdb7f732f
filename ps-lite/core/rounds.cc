// SPDX-License-Identifier: Apache-2.0
// Rounds of a slice at its primary: pushes are kept by worker, the round closes once over the workers of the view, is reduced, applied, held, and committed
// when every copy that counts holds it. Only then is anybody answered.
#include <algorithm>

#include "core/server.h"
#include "core/text.h"

namespace ps::core {

std::vector<Rank> Server::Members(Round round) const {
  std::vector<Rank> ranks;
  for (auto& [id, m] : hub_.view.members)
    if (id.role == Role::kWorker && m.state == MemberState::kActive && m.from <= round) ranks.push_back(id.rank);
  return ranks;
}
// The round that a slice is open for: over whom, and which number, as far as their pushes say. A push is numbered by its worker's step, so a key that is not
// pushed in every step passes over rounds, and so does one whose workers are all gone. Whoever pushed at all is in: numbers may differ by one where a worker
// could not know that a new step had begun, and the highest is the round's. It decides whether a worker that joined belongs to it.
Server::Next Server::NextOf(const Slot& slot) const {
  Next next{slot.held.round + 1, {}, {}};
  Round first = 0;
  for (auto& [id, m] : hub_.view.members)
    if (id.role == Role::kWorker && m.state == MemberState::kActive && (first == 0 || m.from < first)) first = m.from;
  next.round = std::max(next.round, first);
  for (Round known = 0; known < next.round;) {
    known = next.round;
    next.who = Members(known);
    next.missing.clear();
    for (Rank r : next.who) {
      auto p = slot.open.find(r);
      if (p == slot.open.end()) next.missing.push_back(r);
      else next.round = std::max(next.round, p->second.sequence);
    }
  }
  return next;
}
Round Server::LastOf(const Slot&, const State& state, Rank rank) const {
  auto* m = hub_.view.Find({Role::kWorker, rank});
  auto it = state.applied.find(rank);
  Round last = it == state.applied.end() ? 0 : it->second;
  return m && m->from > 0 ? std::max(last, m->from - 1) : last;
}
// What may be told: the held round once it is committed, the one before it until then.
const State* Server::CommittedState(const Slot& slot) const { return slot.committed ? &slot.held : slot.has_base ? &slot.base : nullptr; }

bool Server::Room(const Slot& slot, const OpenPush& p) const {
  if (stored_bytes_ + open_bytes_ + p.bytes.size() <= hub_.config.memory_bytes || open_.empty()) return true;
  // The lowest open round always finds room: it is what everybody waits for.
  return std::make_pair(p.sequence, SlotKey{slot.slice.key->name, slot.slice.index}) <= *open_.begin();
}

void Server::TakePush(Link& link, const pb::Push& in, const Buffer& payload) {
  Slot* slot = FindPrimary(link, in.slice(), in.round(), 0);
  if (!slot) return;
  if (in.bytes() != payload.size() || payload.size() != slot->slice.size)
    return Deny(link, in.slice(), in.round(), 0, Code::kMismatch, Join("[ps] slice ", in.slice().index(), " of \"", in.slice().key(), "\" has ", slot->slice.size, " bytes, the push ", payload.size()));
  Rank rank = link.peer.rank;
  Round last = LastOf(*slot, slot->held, rank);
  Asker asker{link.id, in.round(), in.want_value()};
  if (in.round() <= last) {  // it is in what is held
    hub_.Drop(DropReason::kDuplicate);
    const State* c = CommittedState(*slot);
    if (c && in.round() <= LastOf(*slot, *c, rank) && (!in.want_value() || ClockMet(*slot, *c, in.round()))) return SendValue(link, *slot, *c, in.round(), 0, in.want_value(), in.priority());
    slot->askers[rank] = asker;
    return;
  }
  auto closing = slot->closing.find(rank);
  if (slot->stage != Stage::kOpen && closing != slot->closing.end() && closing->second.sequence == in.round()) {
    hub_.Drop(DropReason::kDuplicate);
    slot->askers[rank] = asker;
    return;
  }
  if (hub_.settings.mode != Mode::kSync && in.round() != last + 1 + (slot->stage != Stage::kOpen && closing != slot->closing.end() ? 1 : 0)) return hub_.Drop(DropReason::kUnknown);
  if (in.samples() > uint64_t(1) << 48) return hub_.Drop(DropReason::kSize);
  SlotKey key{slot->slice.key->name, slot->slice.index};
  auto old = slot->open.find(rank);
  if (old != slot->open.end() && old->second.sequence >= in.round()) {
    hub_.Drop(DropReason::kDuplicate);  // replaces nothing
    if (old->second.sequence == in.round()) slot->askers[rank] = asker;
  } else {
    OpenPush push{in.round(), in.samples(), ++arrivals_, payload};
    if (old != slot->open.end()) DropOpen(key, *slot, old);
    if (!Room(*slot, push)) {
      ++hub_.counters.busy;
      return Deny(link, in.slice(), in.round(), 0, Code::kMemory, "memory", true);
    }
    Hold(int64_t(payload.size()));
    open_.insert({push.sequence, key});
    if (!slot->open.empty()) hub_.counters.waited_for[rank] += hub_.now - slot->last_arrival;
    slot->last_arrival = hub_.now;
    slot->open[rank] = std::move(push);
    slot->askers[rank] = asker;
  }
  ++slot->counted;
  TryClose(*slot);
}

void Server::TryClose(Slot& slot) {
  if (slot.stage != Stage::kOpen || !slot.committed || slot.open.empty()) return;
  if (hub_.settings.mode == Mode::kSync) {
    Next next = NextOf(slot);
    if ((holding_ && next.round > hold_limit_) || next.missing.size() == next.who.size()) return;
    if (FLX_PS_MUTANT(hub_.config, kCountNotKey) ? slot.counted < next.who.size() : !next.missing.empty()) return;
    for (Rank r : next.missing) next.who.erase(std::find(next.who.begin(), next.who.end(), r));  // by a planted mistake
    return Close(slot, next.round, next.who);
  }
  auto first = slot.open.end();
  for (auto p = slot.open.begin(); p != slot.open.end(); ++p) {
    if (p->second.sequence != LastOf(slot, slot.held, p->first) + 1 && !FLX_PS_MUTANT(hub_.config, kCountNotKey)) continue;
    if (first == slot.open.end() || p->second.arrival < first->second.arrival) first = p;
  }
  if (first != slot.open.end()) Close(slot, slot.held.round + 1, {first->first});
}

void Server::Close(Slot& slot, Round round, std::vector<Rank> who) {
  SlotKey key{slot.slice.key->name, slot.slice.index};
  slot.closing.clear();
  slot.counted = 0;
  slot.closed_in = hub_.view.number;
  std::vector<Contribution> in_rank_order;
  for (Rank r : who) {
    auto p = slot.open.find(r);
    in_rank_order.push_back({r, p->second.samples, p->second.bytes});
    slot.closing[r] = p->second;
    Hold(int64_t(p->second.bytes.size()));
    DropOpen(key, slot, p);
  }
  slot.closing_round = round;
  ++hub_.counters.rounds;
  size_t here = 0;  // finished ones too
  for (auto& [id, m] : hub_.view.members) here += id.role == Role::kWorker && m.state != MemberState::kGone;
  if (hub_.settings.mode == Mode::kSync && who.size() < here) ++hub_.counters.ragged_rounds;
  if (in_rank_order.size() == 1) {  // its sum and its mean
    slot.stage = Stage::kReducing;
    slot.work = next_work_++;
    return Reduced(slot, in_rank_order[0].bytes);
  }
  slot.stage = Stage::kReducing;
  slot.work = next_work_++;
  hub_.Start(ReduceWork{slot.slice, std::move(in_rank_order), hub_.settings.aggregate}, [this, key, work = slot.work](const WorkDone& done) {
    Slot* s = Lookup(key, work);
    if (!s || s->stage != Stage::kReducing) return;
    if (!done.status.ok() || done.results.size() != 1) return Failed(*s, done.status);
    Reduced(*s, done.results[0]);
  });
}

void Server::Reduced(Slot& slot, Buffer reduced) {
  slot.stage = Stage::kApplying;
  if (hub_.view.settings.empty()) {
    Stored stored{reduced, {}};
    slot.reduced_settings = 0;
    return Applied(slot, std::move(reduced), std::move(stored));
  }
  slot.reduced_settings = hub_.view.settings.size();
  SlotKey key{slot.slice.key->name, slot.slice.index};
  hub_.Start(ApplyWork{slot.slice, slot.held.stored, reduced}, [this, key, work = slot.work, reduced](const WorkDone& done) {
    Slot* s = Lookup(key, work);
    if (!s || s->stage != Stage::kApplying) return;
    if (!done.status.ok() || done.results.size() != 2) return Failed(*s, done.status);
    Applied(*s, reduced, {done.results[0], done.results[1]});
  });
}

void Server::Failed(Slot& slot, const Status& why) {
  pb::SliceId id;
  id.set_key(slot.slice.key->name), id.set_index(slot.slice.index);
  slot.stage = Stage::kOpen;
  slot.work = 0;
  for (auto& [rank, p] : slot.closing) {
    Hold(-int64_t(p.bytes.size()));
    auto a = slot.askers.find(rank);
    if (a == slot.askers.end()) continue;
    if (Link* l = hub_.Find(a->second.link)) Deny(*l, id, p.sequence, 0, Code::kReducer, Join("[ps] ", Text(hub_.me), ", key \"", id.key(), "\", round ", slot.closing_round, ": ", why.text));
    slot.askers.erase(a);
  }
  slot.closing.clear();
}

// The round is held from here on, and closed for good.
void Server::Applied(Slot& slot, Buffer reduced, Stored stored) {
  slot.base = slot.held;
  slot.has_base = true;
  slot.held.round = slot.closing_round;
  slot.held.stamp = slot.closed_in;
  slot.held.stored = std::move(stored);
  slot.held.contributors.clear();
  for (auto& [rank, p] : slot.closing) {
    slot.held.contributors.push_back(rank);
    slot.held.applied[rank] = p.sequence;
    Hold(-int64_t(p.bytes.size()));
  }
  if (!FLX_PS_MUTANT(hub_.config, kReopenRound)) slot.closing.clear();
  else
    for (auto& [rank, p] : slot.closing) Hold(int64_t(p.bytes.size()));
  slot.reduced = std::move(reduced);
  slot.has_reduced = true;
  slot.committed = false;
  slot.stage = Stage::kOpen;
  slot.work = 0;
  if (FLX_PS_MUTANT(hub_.config, kAcknowledgeEarly)) slot.committed = true, Answer(slot), slot.committed = false;
  Replicate(slot);
  Advance(slot);
}

void Server::Advance(Slot& slot) {
  if (!slot.committed && Agreed(slot)) Commit(slot);
  TryClose(slot);
}

void Server::Commit(Slot& slot) {
  slot.committed = true;
  if (Mine& m = mine_[slot.shard]; m.cut_wanted || m.cut_late) TryCut(slot.shard);
  pb::Envelope e;
  e.mutable_init_done()->mutable_slice()->set_key(slot.slice.key->name);
  e.mutable_init_done()->mutable_slice()->set_index(slot.slice.index);
  for (LinkId id : std::exchange(slot.initers, {}))
    if (Link* l = hub_.Find(id)) hub_.Send(*l, &e);
  Answer(slot);
}

void Server::Answer(Slot& slot) {
  const State& c = slot.held;
  for (auto a = slot.askers.begin(); a != slot.askers.end();) {
    if (a->second.round > LastOf(slot, c, a->first) || (a->second.want_value && !ClockMet(slot, c, a->second.round))) {
      ++a;
      continue;
    }
    if (Link* l = hub_.Find(a->second.link)) SendValue(*l, slot, c, a->second.round, 0, a->second.want_value, 0);
    a = slot.askers.erase(a);
  }
  std::vector<PullAsker> waiting;
  waiting.swap(slot.pulls);
  for (auto& p : waiting) {
    Link* l = hub_.Find(p.link);
    if (!l) continue;
    if (p.at_least <= c.round && ClockMet(slot, c, p.clock)) SendValue(*l, slot, c, 0, p.token, true, p.priority);
    else slot.pulls.push_back(p);
  }
}

// dist_stale: no live worker is more than the bound behind the clock of who asks.
bool Server::ClockMet(const Slot& slot, const State& state, uint64_t clock) const {
  if (hub_.settings.mode != Mode::kStale) return true;
  for (auto& [id, m] : hub_.view.members)
    if (id.role == Role::kWorker && m.state == MemberState::kActive && LastOf(slot, state, id.rank) + hub_.settings.stale_bound < clock) return false;
  return true;
}

void Server::TakePull(Link& link, const pb::Pull& in) {
  Slot* slot = FindPrimary(link, in.slice(), 0, in.token());
  if (!slot) return;
  PullAsker p{link.id, link.peer.rank, in.token(), in.clock(), in.at_least(), in.priority()};
  const State* c = CommittedState(*slot);
  if (c && p.at_least <= c->round && ClockMet(*slot, *c, p.clock)) return SendValue(link, *slot, *c, 0, p.token, true, p.priority);
  for (auto& other : slot->pulls)
    if (other.rank == p.rank) {  // one at a time: a worker's later pull takes the place of its earlier one
      other = p;
      return;
    }
  slot->pulls.push_back(p);
}

void Server::SendValue(Link& link, const Slot& slot, const State& state, Round round, uint64_t token, bool value, int32_t priority) {
  pb::Envelope e;
  auto* v = e.mutable_value();
  v->mutable_slice()->set_key(slot.slice.key->name), v->mutable_slice()->set_index(slot.slice.index);
  v->set_round(round), v->set_token(token), v->set_version(state.round);
  for (Rank r : state.contributors) v->add_contributors(r);
  v->set_bytes(value ? state.stored.value.size() : 0);
  hub_.Send(link, &e, value ? state.stored.value : Buffer(), priority);
}

}  // namespace ps::core
