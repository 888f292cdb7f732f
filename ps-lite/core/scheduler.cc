// SPDX-License-Identifier: Apache-2.0
#include "core/scheduler.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace ps::core {
namespace {
constexpr Rank kNoRank = ~Rank(0);
constexpr uint64_t kRecords = 1000;  // of the log, then it is written anew
}  // namespace

Scheduler::Scheduler(Hub& hub) : hub_(hub) {
  hub_.settings.shards = hub_.settings.shards ? hub_.settings.shards : std::max<uint32_t>(hub_.config.servers ? hub_.config.servers : hub_.config.workers, 1);
}

bool Scheduler::OnHello(Link& link, const pb::Envelope& e, pb::Welcome* welcome, pb::Refused* refusal) {
  auto& h = e.hello();
  Role role = Role(h.role());
  auto refuse = [&](Code code, std::string text) {
    refusal->set_code(uint32_t(code));
    refusal->set_text(std::move(text));
    return false;
  };
  if (!hub_.config.allowed.empty()) {
    auto it = hub_.config.allowed.find(link.key);
    if (it == hub_.config.allowed.end()) return refuse(Code::kRefused, "[ps] the scheduler's list does not hold this key");
    if (std::find(it->second.begin(), it->second.end(), role) == it->second.end())
      return refuse(Code::kRefused, Join("[ps] the scheduler's list does not allow this key to be a ", Name(role)));
  }
  bool failed = phase == NodePhase::kFailed || gave_up_ >= 0;
  if (loading_ || failed) {
    refusal->set_behind(!failed);
    if (failed && told_failure_.size() < kMaxNodes) told_failure_.insert(e.incarnation());
    return refuse(failed ? failure.code : Code::kState, failure.text);
  }
  View& view = hub_.view;
  link.peer = {role, kNoRank};
  for (auto& [id, m] : view.members) {
    if (m.incarnation != e.incarnation() || id.role != role) continue;
    if (m.state == MemberState::kGone) {
      view.Write(0, refusal->mutable_view());
      return refuse(Code::kEvicted, Join("[ps] ", Text(id), " was taken out of the job in view ", m.changed, ": it was silent, or its connection broke; start it again to join"));
    }
    if (m.key != link.key) return refuse(Code::kRefused, Join("[ps] another key than that of ", Text(id)));
    link.peer = id;
  }
  if (link.peer.rank == kNoRank) {
    if (view.ended || !view.failure.empty()) {
      view.Write(0, refusal->mutable_view());
      return refuse(view.failure.empty() ? Code::kState : view.failure_code, view.failure.empty() ? "[ps] the job is over" : view.failure);
    }
    if (h.slice_bytes() != hub_.settings.slice_bytes)  // it would refuse the others' frames
      return refuse(Code::kRefused, Join("[ps] slices of this ", Name(role), " have ", h.slice_bytes(), " bytes (FLEXOR_PS_SLICE), those of the scheduler ", hub_.settings.slice_bytes, ": give all processes the same"));
    if (h.workers() != 0 && (h.workers() != hub_.config.workers || h.servers() != hub_.config.servers))
      return refuse(Code::kRefused, Join("[ps] this ", Name(role), " is for a job of ", h.workers(), " workers and ", h.servers(), " servers (DMLC_NUM_WORKER, DMLC_NUM_SERVER), the scheduler's is of ", hub_.config.workers, " and ", hub_.config.servers, ": give all processes the same"));
    int64_t wanted = int64_t(h.rank_wanted()) - 1;
    if (role == Role::kWorker) {  // all want the same
      std::string wish = Text(Mode(h.mode()), h.stale_bound()), other = view.number > 0 ? Text(view.mode, view.stale_bound) : "";
      for (auto& [id, a] : applicants_)
        if (a.role == Role::kWorker && a.member.incarnation != e.incarnation()) other = Text(a.mode, a.stale_bound);
      if (!other.empty() && other != wish) return refuse(Code::kRefused, Join("[ps] this worker's store is ", wish, ", that of the workers before it ", other, ": all workers create the same"));
    }
    if (view.number > 0 && h.has_view() && h.view().to() > 0) {  // it was told of another course of this job, which this scheduler does not know
      view.Write(0, refusal->mutable_view());
      return refuse(Code::kEvicted, Join("[ps] this ", Name(role), " belongs to view ", h.view().to(), ", of which the scheduler has no record: start it again to join"));
    }
    for (auto it = applicants_.begin(); it != applicants_.end();) it = it->second.member.incarnation == e.incarnation() ? applicants_.erase(it) : std::next(it);
    if (applicants_.size() >= kMaxNodes) return refuse(Code::kMemory, "[ps] too many nodes want to join");
    Applicant a{role, wanted, {}, hub_.now};
    a.mode = Mode(h.mode()), a.stale_bound = h.stale_bound();
    a.member.incarnation = e.incarnation();
    a.member.address = h.address(), a.member.host = h.host(), a.member.pid = h.pid(), a.member.key = link.key;
    applicants_[link.id] = a;
    if (view.number == 0 && h.has_view() && h.view().from() == 0) {  // a survivor of a scheduler whose log is lost
      View v;
      if (v.Take(h.view())) {
        for (auto& [id, m] : v.members)
          if (id.role == role && m.incarnation == e.incarnation() && m.state != MemberState::kGone) told_[id] = e.incarnation();
        if (v.number > told_view_.number) told_view_ = std::move(v);
      }
    }
  }
  Write(hub_.settings, welcome->mutable_settings());
  if (view.number > 0) view.Write(0, welcome->mutable_view());
  link.view_sent = view.number;
  dirty_ = true;
  return true;
}

// Two processes with one rank: the later one waits, since the other may be dead and not yet known to be; it is refused once that one was heard after it.
void Scheduler::RefuseDoubles() {
  if (logging_) return;  // the view that is being written may hold them
  for (auto a = applicants_.begin(); a != applicants_.end();) {
    Time heard = -1;
    std::string first;
    if (a->second.wanted >= 0) {
      NodeId id{a->second.role, Rank(a->second.wanted)};
      const Member* m = hub_.view.Find(id);
      if (m && m->state != MemberState::kGone && m->incarnation != a->second.member.incarnation) heard = seen_[id].heard, first = hub_.view.Person(id);
      for (auto& [link, other] : applicants_)
        if (link < a->first && other.role == id.role && other.wanted == a->second.wanted)
          if (Link* l = hub_.Find(link)) heard = std::max(heard, l->last_in), first = Join("another that waits, of host ", other.member.host, ", pid ", other.member.pid);
    }
    if (heard <= a->second.since + hub_.config.beat) {
      ++a;
      continue;
    }
    if (Link* l = hub_.Find(a->first)) {
      pb::Envelope e;
      e.mutable_refused()->set_code(uint32_t(Code::kRefused));
      e.mutable_refused()->set_text(Join("[ps] two processes want to be ", Text(NodeId{a->second.role, Rank(a->second.wanted)}), "; the first is ", first));
      hub_.Send(*l, &e);
    }
    hub_.End(a->first);
    a = applicants_.erase(a);
  }
}

void Scheduler::OnUp(Link& link) {
  if (link.peer.rank == kNoRank) return;
  Seen& s = seen_[link.peer];
  s.heard = hub_.now, s.closed = -1;
}

void Scheduler::OnDown(const Link& link, DownReason, const std::string&) {
  dirty_ = true;
  applicants_.erase(link.id);
  if (!link.up || link.peer.rank == kNoRank || hub_.SessionWith(link.peer)) return;
  // A connection that ended counts at once, unless it was only silent: then its silence counts.
  if (hub_.now - link.last_in < hub_.config.silence) seen_[link.peer].closed = hub_.now;
}

void Scheduler::OnMessage(Link& link, const pb::Envelope& e, const Buffer&) {
  if (e.has_beat()) {
    pb::Envelope answer;
    answer.mutable_beat_reply()->set_released(released_);
    if (link.peer.role == Role::kWorker && e.beat().barrier() > released_) answer.mutable_beat_reply()->set_missing(Missing(e.beat().barrier()));
    hub_.Send(link, &answer);
  }
  if (e.has_bye()) {
    if (link.peer.rank != kNoRank) seen_[link.peer].closed = hub_.now;
    applicants_.erase(link.id);
    hub_.End(link.id);  // the link is no more
    dirty_ = true;
    return;
  }
  if (link.peer.rank == kNoRank || !hub_.view.Is(link.peer, link.incarnation)) return;
  Seen& s = seen_[link.peer];
  s.heard = hub_.now, s.closed = -1;
  NodeId id = link.peer;
  if (e.has_beat()) {
    auto& b = e.beat();
    if (e.view() >= s.view) s.view = e.view(), s.top_round = b.top_round(), s.joining = b.joining(), s.settings = std::max<uint64_t>(s.settings, b.settings());
    s.barrier = std::max<uint64_t>(s.barrier, b.barrier());
    if (e.view() == hub_.view.number) s.settled = b.settled();
    s.finished |= b.finished();
    s.waiting = b.waiting().substr(0, 1000);
    for (auto& f : b.failed())
      if (s.failed.size() < 64) s.failed[f.number()] = f.text().substr(0, 4000);
    if (id.role == Role::kServer)
      for (auto& y : b.synced())
        if (hub_.view.Primary(y.shard(), id.rank)) synced_.insert({y.shard(), y.server(), y.since()});
    dirty_ = true;
  } else if (e.has_barrier() && id.role == Role::kWorker) {
    s.barrier = std::max<uint64_t>(s.barrier, e.barrier().number());
    ++s.barrier_calls;
    ReleaseBarriers();
  } else if (e.has_finish()) {
    s.finished = true, dirty_ = true;
  } else if (e.has_suspect()) {
    if (e.suspect().role() == uint32_t(Role::kServer) && hub_.view.Is({Role::kServer, e.suspect().rank()}, e.suspect().incarnation()))
      suspects_[{id.rank, e.suspect().rank()}] = hub_.now, suspected_.insert({id.rank, e.suspect().rank(), e.view()});
    dirty_ = true;
  } else if (e.has_cut() || e.has_cut_done()) {
    TakeCut(id, e);
    dirty_ = true;
  } else if (e.has_configure()) {
    auto& c = e.configure();
    asked_.erase(std::remove_if(asked_.begin(), asked_.end(), [&](const Asked& a) { return a.from == id && a.token == c.token(); }), asked_.end());
    asked_.push_back({id, e.incarnation(), c.token()});
    bool known = id.rank != 0;  // only the first worker's count
    for (auto& x : hub_.view.settings) known |= x.origin == e.incarnation() && x.token == c.token();
    for (auto& x : wanted_settings_) known |= x.origin == e.incarnation() && x.token == c.token();
    if (!known && c.name().size() + c.text().size() < kMaxSettingBytes && wanted_settings_.size() < kMaxSettings)
      wanted_settings_.push_back({c.name(), c.text(), e.incarnation(), c.token(), 0});
    dirty_ = true;
  }
}

void Scheduler::OnCall(const Call& c) { hub_.Complete(c.id, {Code::kState, "[ps] a scheduler takes no calls"}); }

void Scheduler::OnTick() {
  if (started_ < 0) {
    started_ = hub_.now;
    if (!hub_.config.log.empty()) {
      loading_ = true;
      hub_.Start(ReadFile{hub_.config.log}, [this](const WorkDone& done) {
        loading_ = false;
        if (done.status.ok()) Load(done.results.empty() ? Buffer() : done.results[0]);
        else phase = NodePhase::kFailed, failure = done.status;
        if (done.status.ok() && hub_.view.number == 0 && hub_.config.resume) ReadLast();
        dirty_ = true;
      });
    } else if (hub_.config.resume) {
      ReadLast();
    }
  }
  dirty_ = true;
}
Time Scheduler::NextTick() const {
  if (started_ < 0) return hub_.now;
  return phase == NodePhase::kFailed || phase == NodePhase::kEnded ? INT64_MAX : ticked_ + hub_.config.beat / 4;
}

void Scheduler::Load(const Buffer& log) {
  View v;
  if (!ReadLog(log, &v)) {
    if (log.size() > 0) records_ = kRecords - 1;  // a torn first record: the next write replaces it
    return;
  }
  hub_.view = std::move(v);
  cut_ended_ = hub_.view.cut;
  hub_.settings.shards = uint32_t(hub_.view.shards.size());
  for (auto& [id, m] : hub_.view.members) seen_[id].heard = hub_.now;
  // A torn tail goes, so that what is appended can be read.
  pb::ViewDelta whole;
  hub_.view.Write(0, &whole);
  logging_ = true;
  hub_.Start(WriteFile{hub_.config.log, {Buffer::Own(LogRecord(whole))}}, [this](const WorkDone& done) {
    logging_ = false;
    phase = NodePhase::kRunning;
    if (!done.status.ok()) LogFailed(done.status);
    dirty_ = true;
  });
}

// Half a record may stand there: the next attempt writes the whole file.
void Scheduler::LogFailed(const Status& why) {
  records_ = kRecords - 1;
  log_again_ = hub_.now + kSecond;
  hub_.Tell(NoticeKind::kWaiting, hub_.me, hub_.view.number, Join("[ps] the log ", hub_.config.log, " cannot be written (", why.text, "): membership waits"));
}

// Before there is a view: nobody can go on. It stays until they have heard it and hung up, a heartbeat at most; or until all that the job is for have come and heard it.
void Scheduler::GiveUp(Status why, bool wait_for_all) {
  failure = std::move(why);
  tell_all_ = wait_for_all;
  gave_up_ = hub_.now;
  std::vector<LinkId> all;
  for (auto& [id, l] : hub_.links) all.push_back(id);
  for (LinkId id : all) {
    pb::Envelope e;
    e.mutable_refused()->set_code(uint32_t(failure.code));
    e.mutable_refused()->set_text(failure.text);
    if (Link* l = hub_.Find(id); l && l->up) hub_.Send(*l, &e), told_failure_.insert(l->incarnation);
  }
}

void Scheduler::Adopt() {
  auto came = [this](NodeId id, uint64_t incarnation) {  // with its view, or before it had heard of one
    return told_.count(id) > 0 || std::any_of(applicants_.begin(), applicants_.end(), [&](auto& a) { return a.second.role == id.role && a.second.member.incarnation == incarnation; });
  };
  for (auto& [id, m] : told_view_.members)
    if (id.role == Role::kServer && m.state == MemberState::kActive && !came(id, m.incarnation)) {  // it may have seen a newer view
      if (hub_.now - started_ >= hub_.config.rendezvous)
        GiveUp({Code::kNetwork, Join("[ps] the scheduler was started again without its log, and ", told_view_.Person(id), ", which may know a later view than the others, did not come within ", hub_.config.rendezvous / kSecond, " s")});
      return;
    }
  if (hub_.now - started_ < hub_.config.silence) return;
  hub_.view = std::move(told_view_);
  cut_ended_ = hub_.view.cut;
  told_view_ = {};
  hub_.settings.shards = uint32_t(hub_.view.shards.size());
  jump_ = true;
  phase = NodePhase::kRunning;
  for (auto& [id, m] : hub_.view.members) seen_[id].heard = hub_.now;
  for (auto& [id, l] : hub_.links)
    for (auto& [node, m] : hub_.view.members)
      if (l.up && m.incarnation == l.incarnation && l.peer.role == node.role) l.peer = node, applicants_.erase(id);
}

void Scheduler::Reconcile() {
  const size_t expected = hub_.config.workers + (hub_.config.servers ? hub_.config.servers : hub_.config.workers);
  const bool wait = tell_all_ && told_failure_.size() < expected && hub_.now - started_ < hub_.config.rendezvous;
  if (gave_up_ >= 0 && !wait && (hub_.links.empty() || hub_.now - gave_up_ >= hub_.config.beat)) phase = NodePhase::kFailed;
  Listen();
  for (int i = 0; i < 8 && dirty_ && !logging_ && !loading_ && gave_up_ < 0 && phase != NodePhase::kFailed && phase != NodePhase::kEnded; ++i) {
    dirty_ = false;
    if (hub_.view.number == 0 && told_view_.number > 0) Adopt();
    if (hub_.now < log_again_) break;
    View n = hub_.view;
    n.number += jump_ ? uint64_t(1) << 20 : 1;
    if (Build(n)) Publish(std::move(n));
  }
  ticked_ = hub_.now;
  RefuseDoubles();
  ReleaseBarriers();
  AnswerSettings();
  if (phase == NodePhase::kRunning && (hub_.view.ended || !hub_.view.failure.empty())) {
    bool all = true;  // have heard it
    for (auto& [id, m] : hub_.view.members)
      if (m.state != MemberState::kGone && !Lost(id, m)) all &= seen_[id].view >= hub_.view.number;
    if (all) {
      phase = hub_.view.failure.empty() ? NodePhase::kEnded : NodePhase::kFailed;
      failure = hub_.view.failure.empty() ? Status{} : Status{hub_.view.failure_code, hub_.view.failure};
    }
  }
}

void Scheduler::Publish(View n) {
  pb::ViewDelta delta;
  n.Write(hub_.view.number, &delta);
  auto publish = [this](View v) {
    View before = std::move(hub_.view);
    hub_.view = std::move(v);
    jump_ = false;
    phase = NodePhase::kRunning;
    for (auto& [id, m] : hub_.view.members) {
      const Member* old = before.Find(id);
      if (hub_.view.lives != before.lives) seen_[id].settled = 0;
      if (old && old->incarnation == m.incarnation) continue;
      seen_[id] = {};
      seen_[id].heard = hub_.now;
    }
    hub_.Installed(before);
    Announce();
    Settle();
    dirty_ = true;
  };
  if (hub_.config.log.empty()) return publish(std::move(n));
  logging_ = true;
  WorkRequest write;
  if (++records_ % kRecords == 0) {
    pb::ViewDelta whole;
    n.Write(0, &whole);
    write = WriteFile{hub_.config.log, {Buffer::Own(LogRecord(whole))}};
  } else {
    write = AppendFile{hub_.config.log, Buffer::Own(LogRecord(delta))};
  }
  hub_.Start(std::move(write), [this, publish, n = std::move(n)](const WorkDone& done) {
    logging_ = false;
    if (done.status.ok()) return publish(n);
    LogFailed(done.status);
    dirty_ = true;
  });
}

void Scheduler::TellView(Link& link) {
  if (link.view_sent >= hub_.view.number) return;
  pb::Envelope e;
  hub_.view.Write(link.view_sent, e.mutable_view_delta());
  link.view_sent = hub_.view.number;
  hub_.Send(link, &e);
}

void Scheduler::Announce() {
  std::vector<LinkId> gone;
  for (auto& [id, l] : hub_.links) {
    if (!l.up) continue;
    if (l.peer.rank == kNoRank)
      for (auto& [node, m] : hub_.view.members)
        if (node.role == l.peer.role && m.incarnation == l.incarnation && m.state != MemberState::kGone) {
          l.peer = node;
          applicants_.erase(id);
          seen_[node].heard = hub_.now;
        }
    TellView(l);
    if (l.peer.rank != kNoRank && !hub_.view.Is(l.peer, l.incarnation)) gone.push_back(id);
  }
  for (LinkId id : gone) hub_.End(id);
}

void Scheduler::ReleaseBarriers() {
  uint64_t least = UINT64_MAX, most = 0;
  uint64_t members = 0, calls = 0;
  for (auto& [id, m] : hub_.view.members) {
    if (id.role != Role::kWorker) continue;
    uint64_t entered = std::max(m.barrier, seen_[id].barrier);
    most = std::max(most, entered);
    if (m.state == MemberState::kActive) least = std::min(least, entered), ++members;
    calls += seen_[id].barrier_calls;
  }
  uint64_t now = least == UINT64_MAX ? most : least;
  if (FLX_PS_MUTANT(hub_.config, kBarrierByCount) && members) now = calls / members;
  if (now <= std::max(released_, hub_.view.LifeBase())) return;  // those of an earlier life are waited for by nobody who has heard of this one
  released_ = now;
  for (auto& [id, l] : hub_.links) {
    if (!l.up || l.peer.role != Role::kWorker) continue;
    pb::Envelope e;
    e.mutable_released()->set_number(released_);
    hub_.Send(l, &e);
  }
}

std::string Scheduler::Missing(uint64_t barrier) const {
  std::string who;
  for (auto& [id, m] : hub_.view.members) {
    auto s = seen_.find(id);
    if (id.role != Role::kWorker || m.state != MemberState::kActive || std::max(m.barrier, s == seen_.end() ? 0 : s->second.barrier) >= barrier) continue;
    if (who.size() > 500) return who + " and others";
    who += Join(who.empty() ? "" : ", ", hub_.view.Person(id));
  }
  return who;
}

void Scheduler::AnswerSettings() {
  for (auto it = asked_.begin(); it != asked_.end();) {
    bool answered = !hub_.view.Is(it->from, it->incarnation), have = it->from.rank != 0;
    size_t index = 0;
    for (size_t i = 0; i < hub_.view.settings.size(); ++i)
      if (hub_.view.settings[i].origin == it->incarnation && hub_.view.settings[i].token == it->token) have = true, index = i + 1;
    if (have && !answered) {
      for (auto& [id, m] : hub_.view.members)
        if (id.role == Role::kServer && m.state == MemberState::kActive) have &= seen_[id].settings >= index;
      Link* l = hub_.SessionWith(it->from);
      if (have && l) {
        pb::Envelope e;
        e.mutable_configure_done()->set_token(it->token);
        for (auto& [id, seen] : seen_)
          if (auto f = seen.failed.find(index); index > 0 && id.role == Role::kServer && f != seen.failed.end())
            e.mutable_configure_done()->set_code(uint32_t(Code::kReducer)), e.mutable_configure_done()->set_text(f->second);
        hub_.Send(*l, &e);
        answered = true;
      }
    }
    it = answered ? asked_.erase(it) : std::next(it);
  }
}

std::string Scheduler::Describe() const {
  std::string s;
  const View& v = hub_.view;
  if (v.number == 0) {
    size_t workers = 0, servers = 0;
    for (auto& [id, a] : applicants_) ++(a.role == Role::kWorker ? workers : servers);
    return Join("waiting for the rendezvous: ", workers, " of ", hub_.config.workers, " workers, ", servers, " of ", hub_.config.servers ? hub_.config.servers : hub_.config.workers, " servers\n");
  }
  s = Join("view ", v.number, v.ended ? ", ended" : "", v.failure.empty() ? "" : ", failed: ", v.failure, "\n");
  for (auto& [id, m] : v.members) {
    auto it = seen_.find(id);
    s += Join(v.Person(id), ": ", Name(m.state), it != seen_.end() && !it->second.waiting.empty() ? ", " : "", it != seen_.end() ? it->second.waiting : "", "\n");
  }
  for (size_t i = 0; i < v.shards.size(); ++i) {
    s += Join("shard ", i, ":");
    for (auto& c : v.shards[i].copies) s += Join(" ", c.server, c.fresh ? "" : " (not yet fresh)");
    s += "\n";
  }
  return s;
}

}  // namespace ps::core
