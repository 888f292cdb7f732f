// SPDX-License-Identifier: Apache-2.0
// The scheduler's decisions: from what was heard, the next view.
#include <algorithm>
#include <utility>

#include "core/scheduler.h"
#include "core/text.h"

namespace ps::core {

void Scheduler::Touch(View& n, NodeId id, MemberState state) {
  n.members[id].state = state;
  n.members[id].changed = n.number;
}
void Scheduler::Fail(View& n, Code code, std::string text) {
  n.failure_code = code;
  n.failure = std::move(text);
}

// Silence says nothing of the others while this process was stopped, or while nobody at all is heard: then it is this node that is cut off, and everybody gets as
// long to come back as silence takes. Nobody at all for `patience`: they are gone.
void Scheduler::Listen() {
  bool stopped = ticked_ > 0 && hub_.now - ticked_ >= hub_.config.beat, open = false;
  Time last = -1;
  for (auto& [id, m] : hub_.view.members) {
    if (m.state == MemberState::kGone || m.state == MemberState::kFinished) continue;
    last = std::max(last, seen_[id].heard);
    open |= seen_[id].closed < 0;
  }
  bool alone = open && hub_.now - last >= hub_.config.silence / 2 && hub_.now - last < hub_.config.patience;
  if (stopped || alone) listens_ = hub_.now;
}

// Silent for three heartbeats; or its connection is closed, and it did not come back at once as a live process would.
bool Scheduler::Lost(NodeId id, const Member&) const {
  auto it = seen_.find(id);
  if (it == seen_.end()) return true;
  if (hub_.now - listens_ < hub_.config.silence) return false;
  const Seen& s = it->second;
  return hub_.now - s.heard >= hub_.config.silence || (s.closed >= 0 && hub_.now - s.closed >= hub_.config.beat / 2);
}

// Whether a shard has no fresh copy but this server's.
bool Scheduler::OnlyCopy(const View& n, Rank server) const {
  for (auto& s : n.shards) {
    bool here = false, elsewhere = false;
    for (auto& c : s.copies) {
      auto* m = n.Find({Role::kServer, c.server});
      if (!c.fresh || !m || m->state != MemberState::kActive) continue;
      if (c.server == server) here = true;
      else if (!Lost({Role::kServer, c.server}, *m)) elsewhere = true;
    }
    if (here && !elsewhere) return true;
  }
  return false;
}

bool Scheduler::Build(View& n) {
  if (n.ended || !n.failure.empty()) return false;
  if (hub_.view.number == 0) return Rendezvous(n);
  Lose(n);
  if (n.failure.empty()) {
    for (auto& [shard, server, since] : synced_)
      for (auto& c : shard < n.shards.size() ? n.shards[shard].copies : std::vector<Copy>{})
        if (c.server == server && c.since == since && !c.fresh) {
          for (auto& mine : n.shards[shard].copies)
            if (mine.server == server) mine.fresh = true;
          n.shards[shard].changed = n.number;
          break;
        }
    Admit(n);
    if (n.lives != hub_.view.lives) Redeal(n);
    CutViews(n);
    Copies(n);
    Activate(n);
    for (auto& s : wanted_settings_)
      if (n.settings.size() < kMaxSettings) n.settings.push_back({s.name, s.text, s.origin, s.token, n.number});
    bool any = false, all = true, live = false;
    for (auto& [id, m] : n.members) {
      if (id.role != Role::kWorker) continue;
      if (m.state == MemberState::kActive && seen_[id].finished) Touch(n, id, MemberState::kFinished);
      any |= m.state == MemberState::kFinished;
      live |= m.state != MemberState::kGone;
      all &= m.state == MemberState::kFinished || m.state == MemberState::kGone;
    }
    if (any && all) n.ended = true;
    if (live) alone_ = -1;
    else if (alone_ < 0) alone_ = hub_.now;
    else if (hub_.now - alone_ >= hub_.config.patience) Fail(n, Code::kNetwork, "[ps] no worker is left");
  }
  // Is it another view than the present one?
  const View& v = hub_.view;
  bool changed = n.ended != v.ended || n.cut != v.cut || n.cut_done != v.cut_done || n.lives != v.lives || n.failure != v.failure || n.settings.size() != v.settings.size() || n.members.size() != v.members.size();
  for (auto& [id, m] : n.members) changed |= m.changed == n.number;
  for (auto& s : n.shards) changed |= s.changed == n.number;
  if (!changed) Settle();
  return changed || jump_;
}

// Forgets what the view has taken up, or no longer concerns it. Not before: a view that could not be logged is none.
void Scheduler::Settle() {
  const View& v = hub_.view;
  AnswerCuts();
  wanted_settings_.erase(std::remove_if(wanted_settings_.begin(), wanted_settings_.end(),
                                        [&](const Setting& w) {
                                          return std::any_of(v.settings.begin(), v.settings.end(), [&](const Setting& s) { return s.origin == w.origin && s.token == w.token; });
                                        }),
                         wanted_settings_.end());
  for (auto s = synced_.begin(); s != synced_.end();) {
    auto [shard, server, since] = *s;
    const Copy* c = v.FindCopy(shard, server);
    s = c && c->since == since && !c->fresh ? std::next(s) : synced_.erase(s);
  }
  for (auto s = suspected_.begin(); s != suspected_.end();) {
    auto [who, whom, view] = *s;
    bool counts = false;
    for (auto& shard : v.shards) {
      if (shard.copies.empty() || shard.copies[0].server != who) continue;
      for (auto& c : shard.copies) counts |= c.server == whom && c.since <= view;
    }
    s = counts ? std::next(s) : suspected_.erase(s);
  }
}

bool Scheduler::Rendezvous(View& n) {
  if (told_view_.number > 0) return false;
  size_t want[] = {hub_.config.servers ? hub_.config.servers : hub_.config.workers, hub_.config.workers};
  const Role roles[] = {Role::kServer, Role::kWorker};
  for (int i = 0; i < 2; ++i) {
    size_t have = 0;
    std::string who;
    for (auto& [id, a] : applicants_)
      if (a.role == roles[i] && std::none_of(applicants_.begin(), applicants_.find(id), [&a = a](auto& o) { return a.wanted >= 0 && o.second.role == a.role && o.second.wanted == a.wanted; }))
        ++have, who += Join(have == 1 ? ": " : ", ", a.member.host, " pid ", a.member.pid);
    if (have >= want[i]) continue;
    if (started_ >= 0 && hub_.now - started_ >= hub_.config.rendezvous) {
      GiveUp({Code::kTimeout, Join("[ps] the rendezvous ended: ", have, " of ", want[i], " ", Name(roles[i]), "s came within ", hub_.config.rendezvous / kSecond, " s", who)});
    }
    return false;
  }
  for (int i = 0; i < 2; ++i) {
    // Those who want a rank first, the others in the order of their coming.
    std::map<Rank, const Applicant*> ranks;
    for (auto& [id, a] : applicants_)
      if (a.role == roles[i] && a.wanted >= 0) ranks.emplace(Rank(a.wanted), &a);
    for (auto& [id, a] : applicants_) {
      if (a.role != roles[i] || a.wanted >= 0) continue;
      Rank r = 0;
      while (ranks.count(r)) ++r;
      if (roles[i] == Role::kServer || r < want[i]) ranks.emplace(r, &a);
    }
    for (auto& [r, a] : ranks) {
      Member m = a->member;
      m.state = MemberState::kActive, m.from = 1, m.changed = n.number;
      n.members[{roles[i], r}] = m;
    }
  }
  for (auto& [id, a] : applicants_)
    if (a.role == Role::kWorker) n.mode = a.mode, n.stale_bound = a.stale_bound;
  std::vector<Rank> servers;
  for (auto& [id, m] : n.members)
    if (id.role == Role::kServer) servers.push_back(id.rank);
  n.shards.resize(hub_.settings.shards);
  for (size_t i = 0; i < n.shards.size(); ++i) {
    n.shards[i].changed = n.number;
    for (size_t k = 0; k <= hub_.settings.replicas && k < servers.size(); ++k) n.shards[i].copies.push_back({servers[(i + k) % servers.size()], n.number, true});
  }
  if (last_.number > 0) Resume(n);
  if (hub_.settings.replicas == 0)
    hub_.Tell(NoticeKind::kNoReplicas, hub_.me, n.number, Join("[ps] no replicas: an acknowledged push is held by one server only, and its loss ends the job (", servers.size() > 1 ? "" : "with two servers or more, ", "FLEXOR_PS_REPLICAS=1 keeps a second copy)"));
  return true;
}

void Scheduler::Lose(View& n) {
  std::vector<NodeId> lost;
  for (auto& [id, m] : n.members) {
    if (m.state == MemberState::kGone || m.state == MemberState::kFinished || !Lost(id, m)) continue;
    lost.push_back(id);
  }
  for (NodeId id : lost) {
    const Seen& s = seen_[id];
    std::string text = Join("[ps] ", n.Person(id), " was lost: ", s.closed >= 0 ? "its connection closed" : Join("silent for ", (hub_.now - s.heard) / kMillisecond, " ms"));
    bool joining = n.members[id].state == MemberState::kJoining;
    if (hub_.settings.policy == Policy::kFail && !joining) {
      Fail(n, Code::kNetwork, text);
      hub_.Tell(NoticeKind::kNodeLost, id, n.number, text);
      return;
    }
    if (id.role == Role::kServer) {
      if (!LoseServer(n, id)) continue;
      if (!n.failure.empty()) return;
    }
    Touch(n, id, MemberState::kGone);
    hub_.Tell(NoticeKind::kNodeLost, id, n.number, text);
  }
  // A primary does not hear its backup, though the scheduler may: it goes on without that copy.
  for (auto& [who, whom, view] : suspected_) {
    for (auto& s : n.shards) {
      if (s.copies.size() < 2 || s.copies[0].server != who) continue;
      auto c = std::find_if(s.copies.begin() + 1, s.copies.end(), [w = whom](const Copy& x) { return x.server == w; });
      if (c == s.copies.end() || c->since > view) continue;
      s.copies.erase(c);
      s.changed = n.number;
    }
  }
  for (auto it = suspects_.begin(); it != suspects_.end();) it = hub_.now - it->second > 10 * hub_.config.beat ? suspects_.erase(it) : std::next(it);
}

// Takes a lost server out of its shards. False: it is waited for, since it has the only fresh copy of one.
bool Scheduler::LoseServer(View& n, NodeId id) {
  if (n.lives != hub_.view.lives) return true;  // all shards are dealt anew
  if (OnlyCopy(n, id.rank) && !FLX_PS_MUTANT(hub_.config, kPromoteStale)) {
    bool replaced = false;  // another process claims its rank: it is dead
    for (auto& [link, a] : applicants_) replaced |= a.role == Role::kServer && a.wanted == int64_t(id.rank);
    if (!replaced && hub_.now - seen_[id].heard < hub_.config.patience) return false;
    std::string why = Join("[ps] ", n.Person(id), " was lost, and with it the only fresh copy of a shard (FLEXOR_PS_REPLICAS=1 keeps a second one)");
    if (!GoBack(n, why)) Fail(n, Code::kNetwork, why);
    return true;
  }
  for (auto& s : n.shards) {
    size_t before = s.copies.size();
    s.copies.erase(std::remove_if(s.copies.begin(), s.copies.end(), [&](const Copy& c) { return c.server == id.rank; }), s.copies.end());
    if (s.copies.size() == before) continue;
    s.changed = n.number;
    // Only a fresh copy takes over: the first of them.
    if (!FLX_PS_MUTANT(hub_.config, kPromoteStale)) std::stable_partition(s.copies.begin(), s.copies.end(), [](const Copy& c) { return c.fresh; });
    else if (!s.copies.empty()) std::reverse(s.copies.begin(), s.copies.end()), s.copies[0].fresh = true;
  }
  return true;
}

// Every shard gets the backups it should have, on the servers with the fewest copies.
void Scheduler::Copies(View& n) {
  std::map<Rank, size_t> load;
  for (auto& [id, m] : n.members)
    if (id.role == Role::kServer && m.state == MemberState::kActive && !Lost(id, m)) load[id.rank] = 0;
  for (auto& s : n.shards)
    for (auto& c : s.copies)
      if (load.count(c.server)) ++load[c.server];
  for (auto& s : n.shards) {
    if (s.copies.empty()) {
      if (FLX_PS_MUTANT(hub_.config, kPromoteStale) && !load.empty()) s.copies.push_back({load.begin()->first, n.number, true}), s.changed = n.number;
      continue;
    }
    while (s.copies.size() <= hub_.settings.replicas) {
      const Rank primary = s.copies[0].server;
      const Rank* best = nullptr;
      for (auto& [r, count] : load) {
        bool has = std::any_of(s.copies.begin(), s.copies.end(), [r = r](const Copy& c) { return c.server == r; });
        auto suspect = suspects_.find({primary, r});
        if (has || (suspect != suspects_.end() && hub_.now - suspect->second <= 10 * hub_.config.beat)) continue;
        if (!best || count < load[*best]) best = &r;
      }
      if (!best) break;
      s.copies.push_back({*best, n.number, false});
      s.changed = n.number;
      ++load[*best];
    }
  }
}

// Those who came after the rendezvous: a rank that is free, or that its former holder has left.
void Scheduler::Admit(View& n) {
  for (auto& [link, a] : applicants_) {
    Rank r = a.wanted >= 0 ? Rank(a.wanted) : 0;
    bool mine = false;
    for (auto& [id, m] : n.members) mine |= id.role == a.role && m.incarnation == a.member.incarnation;
    if (mine) continue;
    auto free = [&n, role = a.role](Rank x) {
      auto* m = n.Find({role, x});
      return !m || m->state == MemberState::kGone;
    };
    if (a.wanted < 0)
      while (!free(r)) ++r;
    if (!free(r) || r >= kMaxNodes) continue;  // its holder is about to be found lost
    Member m = a.member;
    m.state = a.role == Role::kServer ? MemberState::kActive : MemberState::kJoining;
    m.changed = n.number;
    n.members[{a.role, r}] = m;
    if (a.role == Role::kServer) seen_[{a.role, r}].heard = hub_.now, seen_[{a.role, r}].closed = -1;
    hub_.Tell(NoticeKind::kNodeJoined, {a.role, r}, n.number, Join("[ps] ", n.Person({a.role, r}), " joins in view ", n.number));
  }
}

// A joining worker takes part from a round that no shard has reached: every server has said, in the present view, how far it is, and that it holds back.
void Scheduler::Activate(View& n) {
  bool any = false, all = true, servers = false;
  Round top = n.mode == Mode::kSync ? n.rolled_to : n.lives << 40;  // servers that still read a checkpoint cannot say
  uint64_t barrier = 0;
  for (auto& [id, m] : n.members) {
    const Seen& s = seen_[id];
    if (id.role == Role::kWorker) any |= m.state == MemberState::kJoining && m.changed <= hub_.view.number, barrier = std::max({barrier, m.barrier, s.barrier});
    if (id.role != Role::kServer || m.state != MemberState::kActive) continue;
    servers = true;
    all &= m.changed <= hub_.view.number && s.view == hub_.view.number && s.joining;
    top = std::max(top, s.top_round);
  }
  if (!any || !all || !servers) return;
  for (auto& [id, m] : n.members) {
    if (id.role != Role::kWorker || m.state != MemberState::kJoining || m.changed > hub_.view.number) continue;
    m.from = std::max<Round>(top + 2, 1);
    m.barrier = std::max(barrier, released_);
    Touch(n, id, MemberState::kActive);
  }
}

}  // namespace ps::core
