// SPDX-License-Identifier: Apache-2.0
// A worker's calls of keys: cut into slices, sent to the primaries of the view, and put together again.
#include <algorithm>

#include "core/text.h"
#include "core/worker.h"

namespace ps::core {
namespace {
constexpr Time kSoon = 10 * kMillisecond, kBusy = 50 * kMillisecond;
constexpr CallId kOwn = CallId(1) << 63;  // calls of this node's own
}  // namespace

void Worker::Enter(Job job, Key& key) {
  key_of_[job.id] = job.key;
  busy_.insert(job.key);
  key.jobs.push_back(std::move(job));
  Job& j = key.jobs.back();
  Alarm(j);
  if (j.pushes()) unnumbered_[j.order] = j.key;
  NumberPushes();
  Begin(key);
}

// While a checkpoint is made, this worker pushes nothing: with one contribution missing, no synchronous round can close, so that every shard writes the same.
bool Worker::MayBegin(const Job& j) const {
  if (!j.pushes()) return true;
  for (auto& [id, w] : wholes_)
    if (w.what == What::kCheckpoint && w.order < j.order) return false;
  return true;
}

void Worker::Begin(Key& key) {
  while (Running() && !key.jobs.empty()) {
    Job& j = key.jobs.front();
    if (j.begun || !MayBegin(j)) return;
    if (j.pushes() && key.unsure) {
      AskRound(key);
      continue;
    }
    if (j.pushes() && j.round == 0 && hub_.settings.mode == Mode::kSync && key.ready) return;  // a push before it has no number yet
    j.begun = true;
    j.asked = j.began = hub_.now;
    if (j.what != What::kInit && !key.ready) {
      End(key, {Code::kUnknownKey, Join("[ps] ", core::Text(hub_.me), ": no init of the key \"", j.key, "\" has ended well")}, false);
      continue;
    }
    if (j.pushes()) {
      if (hub_.settings.mode != Mode::kSync) j.round = key.pushed = RoundFor(key, 0);
    } else {
      j.round = key.acknowledged;
      j.token = ++tokens_;
    }
    uint64_t count = SliceCount(*key.info, hub_.settings);
    j.parts.resize(count);
    j.left = count;
    for (uint32_t i = 0; i < count; ++i) {
      j.parts[i].slice = SliceAt(key.info, i, hub_.settings);
      j.parts[i].shard = ShardOf(key.info->name, key.info->bytes, i, hub_.settings);
    }
    for (auto& p : j.parts) SendPart(j, p);
    Alarm(j);
    return;
  }
}
// Synchronous: the number of the step that a push belongs to. The caller may say it; else a key's next push belongs to the step of this worker's last push, or, if
// that had one of the key, to the next. So keys that are pushed differently often have the rounds of the same step under the same number, with every worker, and
// a worker that joins from a step on belongs to the right rounds of all of them.
Round Worker::RoundFor(const Key& key, uint64_t step) {
  const Member* m = hub_.view.Find(hub_.me);
  const Round before = m && m->from > 0 ? m->from - 1 : 0;
  Round round = std::max(key.pushed, before) + 1;
  if (hub_.settings.mode != Mode::kSync || FLX_PS_MUTANT(hub_.config, kCountPushes)) return round;
  step_ = std::max({step_, before, round, step});
  return step_;
}
// In the order of the calls, which is that of the program; the order in which they begin depends on who answers first.
void Worker::NumberPushes() {
  if (!Running()) return;
  if (hub_.settings.mode != Mode::kSync) unnumbered_.clear();
  while (!unnumbered_.empty()) {
    auto [order, name] = *unnumbered_.begin();
    Key& key = keys_[name];
    auto j = std::find_if(key.jobs.begin(), key.jobs.end(), [order = order](const Job& x) { return x.order == order && x.pushes(); });
    if (j != key.jobs.end()) {
      if (key.unsure) return;  // asked for when its turn has come
      j->round = key.pushed = RoundFor(key, j->step);
    }
    unnumbered_.erase(order);
  }
}
// How far this worker is with its steps: of this one nothing is under way, and nothing to come. It may still push keys of its last step, unless it waits for others.
Round Worker::Settled() const {
  const Member* m = hub_.view.Find(hub_.me);
  bool waits = false;
  for (auto& [id, w] : wholes_) waits |= w.begun && w.what != What::kConfigure;
  const Round before = std::max<Round>(step_, 1) - 1;
  Round settled = waits ? step_ : before;
  for (auto& name : busy_)
    for (auto& j : keys_.at(name).jobs)
      if (j.pushes()) settled = std::min(settled, j.round > 0 ? j.round - 1 : before);
  return std::max(settled, m && m->from > 0 ? m->from - 1 : 0);
}
// Keys may be pushed differently often: the round that the checkpoint has of this one is learnt by a pull. Nobody can be ahead, since rounds wait for this worker.
void Worker::AskRound(Key& key) {
  Job ask;
  ask.id = kOwn | ++asked_;
  ask.what = What::kPull, ask.order = key.jobs.front().order, ask.key = key.info->name;
  ask.deadline = INT64_MAX, ask.told = true;  // there is nobody to tell
  key_of_[ask.id] = ask.key;
  key.jobs.push_front(std::move(ask));
}
void Worker::BeginAll() {
  std::vector<std::string> names(busy_.begin(), busy_.end());
  for (auto& name : names) Begin(keys_[name]);
}

void Worker::SendPart(Job& j, Piecemeal& p) {
  p.link = 0, p.again = 0;
  const View& v = hub_.view;
  if (p.done || p.shard >= v.shards.size() || v.shards[p.shard].copies.empty()) return;
  Link* l = hub_.Reach({Role::kServer, v.shards[p.shard].copies[0].server});
  if (!l) return;  // OnUp
  p.link = l->id;
  pb::Envelope e;
  pb::SliceId* id = nullptr;
  if (j.what == What::kInit) {
    Write(*p.slice.key, e.mutable_init()->mutable_key());
    e.mutable_init()->set_index(p.slice.index);
    return hub_.Send(*l, &e, j.value.Part(p.slice.offset, p.slice.size), j.priority);
  }
  if (j.what == What::kPull) {
    auto* m = e.mutable_pull();
    id = m->mutable_slice();
    m->set_at_least(hub_.settings.mode == Mode::kSync ? j.round : 0), m->set_token(j.token), m->set_priority(j.priority), m->set_clock(keys_[j.key].pushed);
    id->set_key(j.key), id->set_index(p.slice.index);
    return hub_.Send(*l, &e);
  }
  auto* m = e.mutable_push();
  id = m->mutable_slice();
  id->set_key(j.key), id->set_index(p.slice.index);
  m->set_round(j.round), m->set_samples(j.samples), m->set_want_value(j.what == What::kPushPull), m->set_bytes(p.slice.size), m->set_priority(j.priority);
  hub_.Send(*l, &e, j.value.Part(p.slice.offset, p.slice.size), j.priority);
}

// Under a new view everything that is not answered is asked again: what was sent under the older one may have been refused.
void Worker::Resend(LinkId only) {
  std::vector<std::string> names(busy_.begin(), busy_.end());
  for (auto& name : names) {
    Job& j = keys_[name].jobs.front();
    if (!j.begun) continue;
    for (auto& p : j.parts)
      if (!p.done && (only == 0 || p.link == only)) SendPart(j, p);
    Alarm(j);
  }
}

void Worker::OnUp(Link& link) {
  if (!link.opened) return;
  if (link.peer.role == Role::kScheduler) {
    for (auto& [id, j] : wholes_)
      if (j.begun) SendWhole(j, link);
    return;
  }
  for (auto& name : busy_) {
    Job& j = keys_[name].jobs.front();
    if (!j.begun) continue;
    for (auto& p : j.parts)
      if (!p.done && p.link != link.id && hub_.view.Primary(p.shard, link.peer.rank)) SendPart(j, p);
    Alarm(j);
  }
}
void Worker::OnDown(const Link& link, DownReason reason, const std::string& text) {
  MemberPart::OnDown(link, reason, text);
  for (auto& name : busy_)
    for (auto& p : keys_[name].jobs.front().parts)
      if (p.link == link.id) p.link = 0;
}

// The job went back to a checkpoint: calls under way count no more, except inits. Nor do barriers: who waits in one would not push what the others wait for, who are
// before it again.
void Worker::GoBack() {
  for (auto w = wholes_.begin(); w != wholes_.end();) {
    if (w->second.what != What::kBarrier || FLX_PS_MUTANT(hub_.config, kKeepBarriers)) {
      ++w;
      continue;
    }
    alarms_.erase({w->second.alarm, w->first});
    EndOld(w->first);
    w = wholes_.erase(w);
  }
  if (numbered_) barrier_ = std::max(barrier_, hub_.view.LifeBase());
  step_ = hub_.view.rolled_to;
  unnumbered_.clear();
  for (auto& [name, key] : keys_) {
    std::deque<Job> stay;
    for (auto& j : key.jobs) {
      if (j.what == What::kInit) {
        stay.push_back(std::move(j));
        continue;
      }
      alarms_.erase({j.alarm, j.id});
      key_of_.erase(j.id);
      if (!j.told) EndOld(j.id);
    }
    key.jobs = std::move(stay);
    if (key.jobs.empty()) busy_.erase(name);
    key.unsure = hub_.settings.mode == Mode::kSync;
    key.acknowledged = 0;
  }
}

void Worker::Changed(const View& before) {
  if (hub_.view.lives != before.lives && before.Is(hub_.me, hub_.incarnation)) {  // who joins after it has nothing to go back from
    hub_.Tell(NoticeKind::kRolledBack, hub_.me, hub_.view.lives, Join("[ps] the job went back to the checkpoint of round ", hub_.view.rolled_to));
    GoBack();
  }
  const Member* m = hub_.view.Find(hub_.me);
  if (m && m->state == MemberState::kFinished) {
    std::vector<CallId> done;
    for (auto& [id, j] : wholes_)
      if (j.what == What::kFinish) done.push_back(id);
    for (CallId id : done) EndWhole(id, {});
  }
  if (Link* l = SchedulerLink())  // it may have begun anew, and asked who is who
    for (auto& [id, j] : wholes_)
      if (j.begun) SendWhole(j, *l);
  Resend(0);
  NumberPushes();
  BeginAll();
  Advance();
}

void Worker::Over() {
  Status status = phase == NodePhase::kEnded ? Status{Code::kState, "[ps] the job is over"} : failure;
  std::map<CallId, bool> open;  // whether it is a finish
  for (auto& [id, j] : wholes_)
    if (!j.told) open[id] = j.what == What::kFinish;
  for (auto& [name, key] : keys_) {
    for (auto& j : key.jobs)
      if (!j.told) open[j.id] = false;
    key.jobs.clear();
  }
  wholes_.clear(), alarms_.clear(), key_of_.clear(), busy_.clear(), unnumbered_.clear();
  for (auto& [id, finish] : open) hub_.Complete(id, finish && phase == NodePhase::kEnded ? Status{} : status);
}

void Worker::Handle(Link& link, const pb::Envelope& e, const Buffer& payload) {
  if (e.has_value()) {
    TakeValue(e.value(), payload);
  } else if (e.has_init_done()) {
    TakeInitDone(e.init_done());
  } else if (e.has_denied()) {
    TakeDenied(e.denied());
  } else if (e.has_released()) {
    OnReleased(e.released().number());
  } else if (e.has_configure_done() || (e.has_cut_done() && link.peer.role == Role::kScheduler)) {
    bool cut = e.has_cut_done();
    uint64_t token = cut ? e.cut_done().token() : e.configure_done().token();
    uint32_t code = cut ? e.cut_done().code() : e.configure_done().code();
    if (code > uint32_t(Code::kInternal)) return hub_.Drop(DropReason::kSize);
    for (auto& [id, j] : wholes_) {
      if (!j.begun || j.number != token || j.what != (cut ? What::kCheckpoint : What::kConfigure)) continue;
      Reply reply;
      reply.round = cut ? e.cut_done().round() : 0;
      return EndWhole(id, {Code(code), cut ? e.cut_done().text() : e.configure_done().text()}, std::move(reply));
    }
    hub_.Drop(DropReason::kDuplicate);
  } else if (e.has_because()) {
    Job* j = Find(e.because().call());
    if (!j || j->told || j->key.empty()) return hub_.Drop(DropReason::kUnknown);
    j->why = e.because().text().substr(0, 2000);
    hub_.Tell(NoticeKind::kWaiting, hub_.me, j->round, Join("[ps] ", Text(*j), " waits ", j->why));
  } else if (e.has_refused()) {  // the server has not seen this view yet
    for (auto& name : busy_) {
      Job& j = keys_[name].jobs.front();
      for (auto& p : j.parts)
        if (!p.done && p.link == link.id && p.again == 0) p.again = hub_.now + kSoon;
      Alarm(j);
    }
  } else if (e.has_bye()) {
    hub_.End(link.id);
  } else {
    hub_.Drop(DropReason::kUnknown);
  }
}

// The call that an answer belongs to, if it is still under way.
Worker::Job* Worker::Current(const std::string& key, bool push, Round round, uint64_t token) {
  auto k = keys_.find(key);
  if (k == keys_.end() || k->second.jobs.empty()) return nullptr;
  Job& j = k->second.jobs.front();
  if (!j.begun || j.pushes() != push || (push ? j.round != round : j.token != token)) return nullptr;
  return &j;
}

void Worker::TakeValue(const pb::Value& v, const Buffer& payload) {
  Job* j = Current(v.slice().key(), v.token() == 0, v.round(), v.token());
  if (!j || j->what == What::kInit || v.slice().index() >= j->parts.size()) return hub_.Drop(DropReason::kUnknown);
  Piecemeal& p = j->parts[v.slice().index()];
  if (p.done) return hub_.Drop(DropReason::kDuplicate);
  uint64_t want = j->what == What::kPush ? 0 : p.slice.size;
  if (payload.size() != want || v.contributors_size() > int(kMaxNodes)) return hub_.Drop(DropReason::kSize);
  p.bytes = payload;
  p.version = v.version();
  p.contributors.assign(v.contributors().begin(), v.contributors().end());
  PartDone(*j, p);
}

void Worker::TakeInitDone(const pb::InitDone& d) {
  auto k = keys_.find(d.slice().key());
  if (k == keys_.end() || k->second.jobs.empty()) return hub_.Drop(DropReason::kUnknown);
  Job& j = k->second.jobs.front();
  if (!j.begun || j.what != What::kInit || d.slice().index() >= j.parts.size() || j.parts[d.slice().index()].done) return hub_.Drop(DropReason::kDuplicate);
  PartDone(j, j.parts[d.slice().index()]);
}

void Worker::PartDone(Job& j, Piecemeal& p) {
  p.done = true, p.again = 0;
  if (--j.left == 0) End(keys_[j.key], {}, true);
}

void Worker::TakeDenied(const pb::Denied& d) {
  if (d.code() > uint32_t(Code::kInternal)) return hub_.Drop(DropReason::kSize);
  auto k = keys_.find(d.slice().key());
  if (k == keys_.end() || k->second.jobs.empty()) return hub_.Drop(DropReason::kUnknown);
  Job& j = k->second.jobs.front();
  bool mine = j.begun && (j.pushes() ? d.token() == 0 && d.round() == j.round : j.what == What::kPull ? d.token() == j.token : d.token() == 0 && d.round() == 0);
  if (!mine || d.slice().index() >= j.parts.size() || j.parts[d.slice().index()].done) return hub_.Drop(DropReason::kUnknown);
  if (d.again()) {
    ++hub_.counters.retries;
    j.parts[d.slice().index()].again = hub_.now + kBusy;
    return Alarm(j);
  }
  End(k->second, {Code(d.code()), d.text().empty() ? "[ps] a server denied it without a reason" : d.text()}, false);
}

// The first job of a key ends; the next begins.
void Worker::End(Key& key, Status status, bool keep_round) {
  Job j = std::move(key.jobs.front());
  key.jobs.pop_front();
  alarms_.erase({j.alarm, j.id});
  key_of_.erase(j.id);
  if (key.jobs.empty()) busy_.erase(j.key);
  Reply reply;
  if (j.id & kOwn) {
    key.unsure = false;
    key.pushed = 0;
    for (auto& p : j.parts) key.pushed = std::max(key.pushed, p.version);
  } else if (status.ok()) {
    if (j.what == What::kInit) key.ready = true;
    if (j.pushes()) key.acknowledged = std::max(key.acknowledged, j.round);
    if (j.pushes() && hub_.settings.mode == Mode::kSync)
      for (auto& p : j.parts) key.pushed = std::max(key.pushed, p.version);
    reply.round = j.parts.empty() ? 0 : j.parts[0].version;
    if (!j.parts.empty()) reply.contributors = j.parts[0].contributors;
    if (j.what == What::kPull || j.what == What::kPushPull)
      for (auto& p : j.parts) reply.pieces.push_back({p.slice.offset, p.bytes});
  } else {
    if (j.pushes() && j.begun && !keep_round && key.pushed == j.round && hub_.settings.mode != Mode::kSync) --key.pushed;
    if (j.what == What::kInit && !key.ready && key.jobs.empty()) key.info = nullptr;
  }
  if (!j.told) hub_.Complete(j.id, std::move(status), std::move(reply));
  if (j.id & kOwn) NumberPushes(), BeginAll();
  else Begin(key);
  Advance();
}

}  // namespace ps::core
