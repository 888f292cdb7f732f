// SPDX-License-Identifier: Apache-2.0
// A server's sessions, views and requests. rounds.cc closes rounds, copies.cc keeps the backups.
#include "core/server.h"

#include <algorithm>

#include "core/text.h"

namespace ps::core {
namespace {
constexpr size_t kMaxFailures = 16;
}  // namespace

bool Server::OnHello(Link& link, const pb::Envelope& e, pb::Welcome*, pb::Refused* refusal) {
  auto& h = e.hello();
  NodeId id{Role(h.role()), h.rank_wanted() - 1};
  bool known = h.rank_wanted() > 0 && (FLX_PS_MUTANT(hub_.config, kIgnoreIncarnations) ? hub_.view.Alive(id) : hub_.view.Is(id, e.incarnation()));
  if (!Running() || (!known && e.view() > hub_.view.number)) {
    hub_.AskView();
    refusal->set_behind(true);
    return false;
  }
  if (!known) {
    refusal->set_code(uint32_t(Code::kRefused));
    refusal->set_text(Join("[ps] the view does not hold this life of ", Text(id)));
    if (e.view() < hub_.view.number) hub_.view.Write(0, refusal->mutable_view());
    return false;
  }
  if (hub_.view.Find(id)->key != link.key) {
    refusal->set_code(uint32_t(Code::kRefused));
    refusal->set_text(Join("[ps] another key than that of ", Text(id)));
    return false;
  }
  link.peer = id;
  return true;
}

void Server::OnUp(Link& link) {
  if (link.opened && link.peer.role == Role::kScheduler)
    for (auto& [what, bytes] : cut_said_) {
      pb::Envelope e;
      if (e.ParseFromString(bytes)) hub_.Send(link, &e);
    }
  if (!link.opened || link.peer.role != Role::kServer) return;
  for (auto& [shard, m] : mine_) {
    auto b = m.backups.find(link.peer.rank);
    if (!m.primary || b == m.backups.end()) continue;
    b->second.away = -1;
    for (auto& [key, slot] : slots_)
      if (slot.shard == shard) slot.tracks[link.peer.rank].in_flight = false, Offer(slot, link.peer.rank, b->second);
  }
}

void Server::OnDown(const Link& link, DownReason reason, const std::string& text) {
  MemberPart::OnDown(link, reason, text);
  if (link.opened && link.peer.role == Role::kServer) {
    for (auto& [shard, m] : mine_)
      if (auto b = m.backups.find(link.peer.rank); b != m.backups.end() && b->second.away < 0) b->second.away = hub_.now;
    for (auto& [key, slot] : slots_)
      if (auto t = slot.tracks.find(link.peer.rank); t != slot.tracks.end()) t->second.in_flight = false;
  } else if (!link.opened) {
    for (auto& [key, slot] : slots_) {
      slot.pulls.erase(std::remove_if(slot.pulls.begin(), slot.pulls.end(), [&](const PullAsker& p) { return p.link == link.id; }), slot.pulls.end());
      slot.initers.erase(std::remove(slot.initers.begin(), slot.initers.end(), link.id), slot.initers.end());
    }
  }
}

void Server::OnTick() {
  MemberPart::OnTick();
  if (!Running()) return;
  if (!again_.empty() && hub_.now >= again_at_) {
    for (Rank rank : std::exchange(again_, {}))
      for (auto& [key, slot] : slots_) {
        Mine& m = mine_[slot.shard];
        if (auto b = m.backups.find(rank); m.primary && b != m.backups.end()) Offer(slot, rank, b->second);
      }
  }
  for (auto& [shard, m] : mine_) {
    if (!m.primary) continue;
    for (auto& [rank, b] : m.backups) {
      if (hub_.Reach({Role::kServer, rank})) {
        b.away = -1;
        continue;
      }
      if (b.away < 0) b.away = hub_.now;
      if (hub_.now - b.away < hub_.config.silence || hub_.now - said_ < hub_.config.beat) continue;
      // The scheduler may hear it all the same: it is asked for a view without this copy.
      said_ = hub_.now;
      if (Link* l = SchedulerLink()) {
        pb::Envelope e;
        auto* s = e.mutable_suspect();
        s->set_role(uint32_t(Role::kServer)), s->set_rank(rank), s->set_why("no session");
        if (auto* member = hub_.view.Find({Role::kServer, rank})) s->set_incarnation(member->incarnation);
        hub_.Send(*l, &e);
      }
    }
  }
}
Time Server::NextTick() const {
  Time next = MemberPart::NextTick();
  if (!Running()) return next;
  if (!again_.empty()) next = std::min(next, again_at_);
  for (auto& [shard, m] : mine_)
    for (auto& [rank, b] : m.backups)
      if (m.primary && b.away >= 0) next = std::min(next, std::max(b.away + hub_.config.silence, said_ + hub_.config.beat));
  return next;
}
void Server::OnCall(const Call& c) { hub_.Complete(c.id, {Code::kState, "[ps] a server takes no calls"}); }

void Server::FillBeat(const Link& link, pb::Beat* b) {
  if (link.peer.role != Role::kScheduler) return;
  Round top = 0;
  for (auto& [key, slot] : slots_) {
    top = std::max(top, slot.stage != Stage::kOpen ? slot.closing_round : slot.held.round);
    if (hub_.settings.mode != Mode::kSync)  // a sequence of its own for each worker
      for (auto& [rank, sequence] : slot.held.applied) top = std::max(top, sequence);
  }
  b->set_top_round(top);
  b->set_joining(holding_);
  b->set_held_bytes(hub_.counters.held_bytes);
  b->set_settings(configured_);
  for (auto& [number, text] : refused_settings_) {
    auto* f = b->add_failed();
    f->set_number(number), f->set_text(text);
  }
  for (auto& [shard, m] : mine_)
    for (auto& [rank, backup] : m.backups) {
      auto* c = hub_.view.FindCopy(shard, rank);
      if (!m.primary || !backup.counts || !c || c->fresh) continue;
      auto* s = b->add_synced();
      s->set_shard(shard), s->set_server(rank), s->set_since(FLX_PS_MUTANT(hub_.config, kTrustOldCopy) ? c->since : backup.since);
    }
}

void Server::Erase(uint32_t shard) {
  for (auto it = slots_.begin(); it != slots_.end();) {
    if (it->second.shard != shard) {
      ++it;
      continue;
    }
    for (auto& [rank, p] : it->second.open) open_.erase({p.sequence, it->first}), Hold(-int64_t(p.bytes.size()));
    for (auto& [rank, p] : it->second.closing) Hold(-int64_t(p.bytes.size()));
    stored_bytes_ -= std::min<uint64_t>(stored_bytes_, it->second.slice.size);
    it = slots_.erase(it);
  }
}
void Server::Hold(int64_t bytes) {
  open_bytes_ = uint64_t(int64_t(open_bytes_) + bytes);
  hub_.counters.held_bytes = open_bytes_;
  hub_.counters.held_peak = std::max(hub_.counters.held_peak, open_bytes_);
}

std::map<Rank, OpenPush>::iterator Server::DropOpen(const SlotKey& key, Slot& slot, std::map<Rank, OpenPush>::iterator p) {
  Round sequence = p->second.sequence;
  Hold(-int64_t(p->second.bytes.size()));
  auto next = slot.open.erase(p);
  bool other = false;
  for (auto& [rank, o] : slot.open) other |= o.sequence == sequence;
  if (!other) open_.erase({sequence, key});
  return next;
}

void Server::Over() {
  for (auto& [shard, m] : mine_) Erase(shard);
  mine_.clear();
}

// Optimizers and the like, in the view's order, before any update that follows.
void Server::Configure() {
  while (configuring_ < hub_.view.settings.size()) {
    auto& s = hub_.view.settings[configuring_++];
    hub_.Start(ConfigureWork{s.name, s.text}, [this, number = configuring_](const WorkDone& done) {
      configured_ = std::max(configured_, number);
      if (!done.status.ok()) {
        if (refused_settings_.size() < kMaxFailures) refused_settings_[number] = Join("[ps] ", Text(hub_.me), ": ", done.status.text.substr(0, 2000));
        hub_.Tell(NoticeKind::kWaiting, hub_.me, number, Join("[ps] a setting was not taken: ", done.status.text));
      }
      if (phase == NodePhase::kRunning)
        if (Link* l = SchedulerLink()) {
          pb::Envelope e;
          FillBeat(*l, e.mutable_beat());
          hub_.Send(*l, &e);
        }
    });
  }
}

void Server::Changed(const View& before) {
  const View& v = hub_.view;
  Configure();
  bool joining = false;
  for (auto& [id, m] : v.members) joining |= id.role == Role::kWorker && m.state == MemberState::kJoining;
  if (joining && (!holding_ || v.lives != lives_)) {  // after a return what was closed before it counts no more
    Round top = v.lives != lives_ ? v.rolled_to : 0;
    for (auto& [key, slot] : slots_)
      if (v.lives == lives_) top = std::max(top, slot.stage != Stage::kOpen ? slot.closing_round : slot.held.round);
    hold_limit_ = top + 1;
  }
  holding_ = joining;
  for (auto c = cut_said_.begin(); c != cut_said_.end();) c = v.lives != lives_ || (!c->first.second && v.cut <= v.cut_done) ? cut_said_.erase(c) : std::next(c);
  if (v.lives != lives_) {  // everything is as the cut says
    for (auto& [shard, m] : mine_) Erase(shard);
    mine_.clear();
  }

  for (uint32_t i = 0; i < v.shards.size(); ++i) {
    const Copy* c = v.FindCopy(i, hub_.me.rank);
    auto it = mine_.find(i);
    if (it != mine_.end() && (!c || it->second.since != c->since)) Erase(i), mine_.erase(it);
    if (!c) continue;
    bool was = mine_.count(i) && mine_[i].primary, is = v.Primary(i, hub_.me.rank);
    Mine& m = mine_[i];
    bool is_new = m.since != c->since;
    m.since = c->since;
    m.primary = is;
    if (is && v.lives != lives_) m.loading = true;
    if (is_new) m.cut = v.cut_done;
    if (!is) continue;
    std::map<Rank, Backup> old;
    old.swap(m.backups);
    for (auto& copy : v.shards[i].copies) {
      if (copy.server == hub_.me.rank) continue;
      auto known = old.find(copy.server);
      bool same = known != old.end() && (known->second.since == copy.since || FLX_PS_MUTANT(hub_.config, kTrustOldCopy));
      Backup& b = m.backups[copy.server];
      if (same) b = known->second;
      b.since = copy.since;
      b.counts |= copy.fresh;
      for (auto& [key, slot] : slots_) {
        if (slot.shard != i) continue;
        Track& t = slot.tracks[copy.server];
        t.in_flight = false;
        if (!same) t = {}, t.full = !copy.fresh;
        if (!same && !copy.fresh) b.missing.insert(key);
      }
      if (!same && !copy.fresh && b.missing.empty() && !m.loading) b.counts = true;  // nothing to bring
    }
    for (auto& [key, slot] : slots_) {
      if (slot.shard != i) continue;
      for (auto t = slot.tracks.begin(); t != slot.tracks.end();)
        t = m.backups.count(t->first) || FLX_PS_MUTANT(hub_.config, kTrustOldCopy) ? std::next(t) : slot.tracks.erase(t);
      if (!was) {  // promoted: what it holds counts once the other copies hold it too
        slot.committed = false;
        slot.has_base = false, slot.base = {};  // what is held may have been told already: nothing older may be
        slot.stage = Stage::kOpen, slot.work = 0, slot.closing.clear();
        slot.has_reduced = false;
        slot.parts.clear();
      }
      if (FLX_PS_MUTANT(hub_.config, kReopenRound) && was && slot.has_base && !slot.committed && !slot.closing.empty()) {
        slot.held = slot.base, slot.has_base = false, slot.committed = true;
        for (auto& [rank, p] : slot.closing) slot.open[rank] = p;
        slot.stage = Stage::kOpen, slot.work = 0;
      }
      for (auto p = slot.open.begin(); p != slot.open.end();) {
        NodeId w{Role::kWorker, p->first};
        auto* now = v.Find(w);
        auto* then = before.Find(w);
        if (now && then && now->incarnation == then->incarnation && now->state == MemberState::kActive) {
          ++p;
          continue;
        }
        p = DropOpen(key, slot, p);
      }
    }
  }
  if (v.lives != lives_) {
    lives_ = v.lives;
    for (auto& [shard, m] : mine_)
      if (m.loading) ReadCut(shard);
  }
  BeginCut();
  if (v.cut_done > before.cut_done) RemoveOldCuts(before.cut_done);
  std::vector<SlotKey> all;
  for (auto& [key, slot] : slots_)
    if (mine_[slot.shard].primary) all.push_back(key);
  for (auto& key : all)
    if (auto s = slots_.find(key); s != slots_.end()) Replicate(s->second), Advance(s->second);
}

void Server::Handle(Link& link, const pb::Envelope& e, const Buffer& payload) {
  if (!Running()) return hub_.Drop(DropReason::kSession);
  if (e.has_beat()) {
    pb::Envelope answer;
    answer.mutable_beat_reply();
    hub_.Send(link, &answer);
  } else if (e.has_init()) {
    TakeInit(link, e.init(), payload);
  } else if (e.has_push()) {
    TakePush(link, e.push(), payload);
  } else if (e.has_pull()) {
    TakePull(link, e.pull());
  } else if (e.has_why()) {
    TakeWhy(link, e.why());
  } else if (e.has_propose()) {
    TakePropose(link, e.propose(), payload);
  } else if (e.has_agreed()) {
    TakeAgreed(link, e.agreed());
  } else if (e.has_refused() && e.refused().behind()) {
    // A backup that has not seen this view yet: it is asked again.
    for (auto& [key, slot] : slots_)
      if (auto t = slot.tracks.find(link.peer.rank); t != slot.tracks.end()) t->second.in_flight = false;
    again_.insert(link.peer.rank);
    again_at_ = hub_.now + 10 * kMillisecond;
  } else if (e.has_bye()) {
    hub_.End(link.id);
  } else {
    hub_.Drop(DropReason::kUnknown);
  }
}

Slot* Server::FindSlot(const pb::SliceId& id) {
  auto it = slots_.find({id.key(), id.index()});
  return it == slots_.end() ? nullptr : &it->second;
}
Slot* Server::Lookup(const SlotKey& key, uint64_t work) {
  auto it = slots_.find(key);
  return it == slots_.end() || it->second.work != work ? nullptr : &it->second;
}
void Server::Deny(Link& link, const pb::SliceId& id, Round round, uint64_t token, Code code, std::string text, bool again) {
  pb::Envelope e;
  auto* d = e.mutable_denied();
  *d->mutable_slice() = id;
  d->set_round(round), d->set_token(token), d->set_code(uint32_t(code)), d->set_text(std::move(text)), d->set_again(again);
  hub_.Send(link, &e);
}
Slot* Server::FindPrimary(Link& link, const pb::SliceId& id, Round round, uint64_t token) {
  Slot* slot = FindSlot(id);
  if (!slot) {
    for (auto& [shard, m] : mine_)
      if (m.loading) {
        Deny(link, id, round, token, Code::kState, "a checkpoint is being read", true);
        return nullptr;
      }
    Deny(link, id, round, token, Code::kUnknownKey, Join("[ps] no worker has initialised the key \"", id.key().substr(0, kMaxKeyName), "\": call init first"));
    return nullptr;
  }
  if (!mine_[slot->shard].primary) {  // the view is the same: this is no honest peer's
    hub_.Drop(DropReason::kUnknown);
    return nullptr;
  }
  auto* m = hub_.view.Find(link.peer);
  if (!m || m->state != MemberState::kActive) {
    Deny(link, id, round, token, Code::kState, Join("[ps] ", Text(link.peer), " takes no part in the job: it is ", m ? Name(m->state) : "gone"));
    return nullptr;
  }
  return slot;
}

void Server::TakeInit(Link& link, const pb::Init& in, const Buffer& payload) {
  auto key = std::make_shared<KeyInfo>();
  if (!Read(in.key(), key.get()) || in.index() >= SliceCount(*key, hub_.settings)) return hub_.Drop(DropReason::kSize);
  uint32_t shard = ShardOf(key->name, key->bytes, in.index(), hub_.settings);
  auto m = mine_.find(shard);
  if (m == mine_.end() || !m->second.primary) return hub_.Drop(DropReason::kUnknown);
  pb::SliceId id;
  id.set_key(key->name), id.set_index(in.index());
  if (m->second.loading) return Deny(link, id, 0, 0, Code::kState, "a checkpoint is being read", true);
  auto at = slots_.find({key->name, in.index()});
  if (at != slots_.end()) {
    Slot& slot = at->second;
    const KeyInfo& have = *slot.slice.key;
    if (!(have == *key))
      return Deny(link, id, 0, 0, Code::kMismatch, Join("[ps] the key \"", key->name, "\" has ", have.bytes, " bytes of items of ", have.item_bytes, ", dtype ", have.dtype, " and meta ", have.meta, "; this init says ", key->bytes, ", ", key->item_bytes, ", ", key->dtype, ", ", key->meta));
    if (!CommittedState(slot)) {
      if (std::find(slot.initers.begin(), slot.initers.end(), link.id) == slot.initers.end()) slot.initers.push_back(link.id);
      return;
    }
    pb::Envelope e;
    *e.mutable_init_done()->mutable_slice() = id;
    return hub_.Send(link, &e);
  }
  Slice slice = SliceAt(key, in.index(), hub_.settings);
  if (payload.size() != slice.size) return hub_.Drop(DropReason::kSize);
  if (stored_bytes_ + open_bytes_ + slice.size + 512 > hub_.config.memory_bytes)
    return Deny(link, id, 0, 0, Code::kMemory, Join("[ps] ", Text(hub_.me), " holds ", stored_bytes_, " bytes of ", hub_.config.memory_bytes, " (FLEXOR_PS_MEMORY): the key \"", key->name, "\" does not fit"));
  Slot& slot = slots_[{key->name, in.index()}];
  slot.slice = slice;
  slot.shard = shard;
  stored_bytes_ += slice.size;
  slot.held.stamp = hub_.view.number;
  slot.held.stored.value = payload;
  slot.initers.push_back(link.id);
  for (auto& [rank, b] : m->second.backups) {
    slot.tracks[rank].full = true;
    if (!b.counts) b.missing.insert({key->name, in.index()});
  }
  Replicate(slot);
  Advance(slot);
}

void Server::TakeWhy(Link& link, const pb::Why& in) {
  Slot* slot = FindSlot(in.slice());
  const Next next = slot ? NextOf(*slot) : Next();
  pb::Envelope e;
  e.mutable_because()->set_call(in.call());
  std::string text;
  if (!slot) {
    text = "for an init of the key";
  } else if (slot->stage != Stage::kOpen) {
    text = "for its reduction";
  } else if (!slot->committed) {
    for (auto& [rank, b] : mine_[slot->shard].backups)
      if (b.counts && !(slot->tracks[rank].known && slot->tracks[rank].stamp == slot->held.stamp && slot->tracks[rank].round == slot->held.round))
        text += Join(text.empty() ? "for the copy of " : ", ", hub_.view.Person({Role::kServer, rank}));
  } else {
    for (Rank r : next.missing) text += Join(text.empty() ? "for " : ", ", hub_.view.Person({Role::kWorker, r}));
    if (holding_ && next.round > hold_limit_) text += "for a worker to join";
  }
  e.mutable_because()->set_text(Join(text, " at ", hub_.view.Person(hub_.me), ", key \"", in.slice().key().substr(0, kMaxKeyName), "\", round ", slot ? next.round : in.round()));
  hub_.Send(link, &e);
}

std::vector<SliceFacts> Server::Facts() const {
  std::vector<SliceFacts> all;
  for (auto& [key, slot] : slots_) {
    const State* c = CommittedState(slot);
    auto& f = all.emplace_back();
    f.key = key.first, f.index = key.second, f.shard = slot.shard;
    f.safe = c != nullptr, f.committed = c ? c->round : 0, f.held = slot.held.round, f.value = slot.held.stored;
    if (c) f.committed_value = c->stored, f.committed_contributors = c->contributors;
    f.contributors = slot.held.contributors, f.applied = slot.held.applied;
  }
  return all;
}
void Server::Count(TableSizes* t) const {
  t->slices = slots_.size();
  t->asking = open_.size();
  t->members += again_.size() + cut_said_.size() + refused_settings_.size();
  for (auto& [key, s] : slots_) {
    t->asking += s.closing.size() + s.open.size() + s.askers.size() + s.pulls.size() + s.initers.size();
    t->members = std::max(t->members, s.tracks.size() + s.held.applied.size() + s.base.applied.size());
  }
}
std::string Server::Describe() const {
  std::string s = Join(hub_.view.Person(hub_.me), ", view ", hub_.view.number, ", ", slots_.size(), " slices, ", stored_bytes_, " bytes stored, ", open_bytes_, " bytes of open rounds\n");
  for (auto& [round, key] : open_) {
    auto& slot = slots_.at(key);
    if (slot.stage != Stage::kOpen || !slot.committed || hub_.settings.mode != Mode::kSync) continue;
    const Next next = NextOf(slot);
    s += Join("\"", key.first, "\"[", key.second, "] round ", next.round, " waits for");
    for (Rank r : next.missing) s += Join(" ", hub_.view.Person({Role::kWorker, r}));
    s += "\n";
    break;  // the first says it
  }
  return s;
}

}  // namespace ps::core
