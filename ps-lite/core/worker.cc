// SPDX-License-Identifier: Apache-2.0
// A worker's calls as a user makes them, their limits, and what concerns the whole job: barriers, settings, checkpoints, finish. worker_keys.cc has the keys.
#include "core/worker.h"

#include <algorithm>

#include "core/text.h"

namespace ps::core {
namespace {
constexpr uint64_t kMaxStep = uint64_t(1) << 40;
}  // namespace

const char* Worker::Name(What w) {
  switch (w) {
    case What::kInit: return "init";
    case What::kPush: return "push";
    case What::kPull: return "pull";
    case What::kPushPull: return "pushpull";
    case What::kBarrier: return "barrier";
    case What::kFinish: return "finish";
    case What::kConfigure: return "configure";
    case What::kCheckpoint: return "checkpoint";
  }
  return "?";
}
std::string Worker::Text(const Job& j) const {
  if (j.what == What::kBarrier) return Join("barrier ", j.number);
  std::string s = Name(j.what);
  if (!j.key.empty()) s += Join(" of \"", j.key, "\"");
  if (j.pushes() && j.begun) s += Join(", round ", j.round);
  return s;
}

bool Worker::OnHello(Link&, const pb::Envelope&, pb::Welcome*, pb::Refused* refusal) {
  refusal->set_code(uint32_t(Code::kRefused));
  refusal->set_text("[ps] a worker is not to be connected to");
  return false;
}

void Worker::Refuse(CallId id, Code code, std::string text) { hub_.Complete(id, {code, Join("[ps] ", std::move(text))}); }

void Worker::EndOld(CallId id) {
  Reply reply;
  reply.round = hub_.view.rolled_to;
  hub_.Complete(id, {Code::kRolledBack, Join("[ps] the job went back to the checkpoint of round ", reply.round, ": what was pushed after it does not count")}, std::move(reply));
}

// Made by somebody who did not know of a return to a checkpoint: its values belong to a round that has been undone. Inits and
// settings are the same in every life.
bool Worker::Outlived(const Call& c) const {
  if (!Running() || c.lives >= hub_.view.lives || FLX_PS_MUTANT(hub_.config, kTakeOldCalls)) return false;
  return !std::holds_alternative<Init>(c.request) && !std::holds_alternative<Configure>(c.request);
}

void Worker::OnCall(const Call& c) {
  if (phase != NodePhase::kJoining && phase != NodePhase::kRunning) {
    if (phase == NodePhase::kEnded) return Refuse(c.id, Code::kState, "the job is over: no call counts any more");
    return hub_.Complete(c.id, failure);
  }
  if (finishing_) return Refuse(c.id, Code::kState, Join(core::Text(hub_.me), " has called finish: no call counts any more"));
  if (key_of_.count(c.id) || wholes_.count(c.id)) return;  // the driver's mistake
  if (Outlived(c)) return EndOld(c.id);
  Job j;
  j.id = c.id;
  j.order = ++orders_;
  j.deadline = c.deadline > 0 ? c.deadline : INT64_MAX;
  j.asked = j.began = hub_.now;
  const std::string* name = nullptr;
  if (auto* r = std::get_if<Init>(&c.request)) {
    j.what = What::kInit, j.value = r->value, name = &r->key.name;
    pb::KeyEntry entry;
    KeyInfo read;
    Write(r->key, &entry);
    if (!Read(entry, &read))
      return Refuse(c.id, Code::kArgument, Join("a key has a name of 1 to ", kMaxKeyName, " bytes, meta of at most ", kMaxKeyMeta, ", and whole items; \"", r->key.name.substr(0, kMaxKeyName), "\" has ", r->key.bytes, " bytes of items of ", r->key.item_bytes));
    if (r->value.size() != r->key.bytes) return Refuse(c.id, Code::kArgument, Join("init of \"", r->key.name, "\": the key has ", r->key.bytes, " bytes, the value ", r->value.size()));
    Key& key = keys_[r->key.name];
    if (!key.info) key.info = std::make_shared<const KeyInfo>(r->key);
    else if (!(*key.info == r->key))
      return Refuse(c.id, Code::kMismatch, Join("the key \"", r->key.name, "\" has ", key.info->bytes, " bytes of dtype ", key.info->dtype, "; this init says ", r->key.bytes, " of ", r->key.dtype));
  } else if (auto* push = std::get_if<Push>(&c.request)) {
    j.what = What::kPush, j.value = push->value, j.samples = push->samples, j.priority = push->priority, j.step = push->step, name = &push->key;
  } else if (auto* both = std::get_if<PushPull>(&c.request)) {
    j.what = What::kPushPull, j.value = both->value, j.samples = both->samples, j.priority = both->priority, j.step = both->step, name = &both->key;
  } else if (auto* pull = std::get_if<Pull>(&c.request)) {
    j.what = What::kPull, j.priority = pull->priority, name = &pull->key;
  }
  if (name) {
    j.key = *name;
    auto at = keys_.find(*name);
    if (at == keys_.end() || !at->second.info) return Refuse(c.id, Code::kUnknownKey, Join(core::Text(hub_.me), " has not called init for the key \"", name->substr(0, kMaxKeyName), "\""));
    Key& key = at->second;
    if (j.pushes() && j.value.size() != key.info->bytes)
      return Refuse(c.id, Code::kMismatch, Join(Name(j.what), " of \"", *name, "\": the key has ", key.info->bytes, " bytes, the value ", j.value.size()));
    if (j.step > kMaxStep) return Refuse(c.id, Code::kArgument, Join(Name(j.what), " of \"", *name, "\": steps are numbered up to 2^40, not ", j.step));
    if (j.pushes() && (j.samples == 0 || j.samples > uint64_t(1) << 48)) return Refuse(c.id, Code::kArgument, Join(Name(j.what), " of \"", *name, "\": a push names from 1 to 2^48 samples, not ", j.samples));
    return Enter(std::move(j), key);
  }
  if (std::holds_alternative<Barrier>(c.request)) j.what = What::kBarrier;
  else if (std::holds_alternative<Finish>(c.request)) j.what = What::kFinish, finishing_ = true;
  else if (auto* s = std::get_if<Configure>(&c.request)) {
    j.what = What::kConfigure, j.name = s->name, j.text = s->text;
    if (s->name.size() + s->text.size() >= kMaxSettingBytes) return Refuse(c.id, Code::kArgument, Join("a setting has less than ", kMaxSettingBytes, " bytes, this one ", s->name.size() + s->text.size()));
  } else {
    j.what = What::kCheckpoint;
  }
  EnterWhole(std::move(j));
}

void Worker::EnterWhole(Job job) {
  CallId id = job.id;
  Job& j = wholes_[id] = std::move(job);
  Alarm(j);
  Advance();
}

Worker::Job* Worker::Find(CallId id) {
  if (auto w = wholes_.find(id); w != wholes_.end()) return &w->second;
  auto k = key_of_.find(id);
  if (k == key_of_.end()) return nullptr;
  for (Job& j : keys_[k->second].jobs)
    if (j.id == id) return &j;
  return nullptr;
}

void Worker::Alarm(Job& j) {
  Time at = j.told ? INT64_MAX : std::min(j.deadline, j.asked + hub_.config.waiting_notice);
  for (auto& p : j.parts)
    if (!p.done && p.again > 0) at = std::min(at, p.again);
  if (at == j.alarm) return;
  alarms_.erase({j.alarm, j.id});
  j.alarm = at;
  if (at < INT64_MAX) alarms_.insert({at, j.id});
}

void Worker::OnTick() {
  MemberPart::OnTick();
  while (!alarms_.empty() && alarms_.begin()->first <= hub_.now) {
    CallId id = alarms_.begin()->second;
    alarms_.erase(alarms_.begin());
    if (Job* j = Find(id)) j->alarm = INT64_MAX, Ring(*j);
  }
}
Time Worker::NextTick() const { return std::min(MemberPart::NextTick(), alarms_.empty() ? INT64_MAX : alarms_.begin()->first); }

void Worker::Ring(Job& j) {
  if (!j.told && hub_.now >= j.deadline) {
    Status late{Code::kTimeout, Limit(j)};
    if (j.key.empty() && !(j.begun && j.what == What::kCheckpoint)) return EndWhole(j.id, std::move(late));
    // A part of the push may count: it goes on, and later pushes of the key wait for it. So does a checkpoint, or it would not be one of one round.
    if (j.begun && (j.pushes() || j.what == What::kCheckpoint)) {
      j.told = true;
      hub_.Complete(j.id, std::move(late));
      return Alarm(j);
    }
    Key& key = keys_[j.key];
    if (key.jobs.front().id == j.id) return End(key, std::move(late), false);
    CallId id = j.id;
    hub_.Complete(id, std::move(late));
    key_of_.erase(id);
    key.jobs.erase(std::find_if(key.jobs.begin(), key.jobs.end(), [id](const Job& x) { return x.id == id; }));
    return Advance();
  }
  for (auto& p : j.parts)
    if (!p.done && p.again > 0 && hub_.now >= p.again) SendPart(j, p);
  if (!j.told && hub_.now - j.asked >= hub_.config.waiting_notice) {
    bool first = j.asked == j.began;
    j.asked = hub_.now;
    for (auto& p : j.parts) {
      if (p.done) continue;
      Link* l = hub_.Find(p.link);
      if (!l || !l->up) continue;
      pb::Envelope e;
      auto* w = e.mutable_why();
      w->mutable_slice()->set_key(j.key), w->mutable_slice()->set_index(p.slice.index);
      w->set_round(j.round), w->set_call(j.id);
      hub_.Send(*l, &e);
      first = false;  // its answer is the notice
      break;
    }
    if (first) hub_.Tell(NoticeKind::kWaiting, hub_.me, j.round, Join("[ps] ", Text(j), " waits ", Limit(j)));
  }
  Alarm(j);
}

// Whom a call waits for, as far as this node knows.
std::string Worker::Limit(const Job& j) const {
  std::string s = hub_.now >= j.deadline ? Join("[ps] ", core::Text(hub_.me), ", ", Text(j), ": the call's limit has passed; it waited ") : std::string();
  const Key* key = nullptr;
  if (auto k = keys_.find(j.key); !j.key.empty() && k != keys_.end()) key = &k->second;
  if (phase == NodePhase::kJoining) return Join(s, "for the rendezvous at the scheduler, ", hub_.config.scheduler, down_text().empty() ? "" : ": ", down_text());
  if (!key) {
    const Member* m = hub_.view.Find(hub_.me);
    const uint64_t before = m && m->barrier > hub_.view.LifeBase() ? m->barrier - hub_.view.LifeBase() : 0;
    if (j.what == What::kBarrier)
      return Join(s, "for ", missing_.empty() ? "every worker" : missing_, " to enter it, as the scheduler at ", hub_.config.scheduler, " knows",
                  before == 0 ? "" : Join("; this worker joined when the others had entered ", before, " of their barriers, and this is the next one"));
    if (!j.begun) return Join(s, "for calls of ", core::Text(hub_.me), " before it");
    return Join(s, "for the scheduler at ", hub_.config.scheduler, down_text().empty() ? "" : ": ", down_text());
  }
  if (!j.begun) return Join(s, "for ", key->jobs.front().id == j.id ? "a checkpoint" : Join("an earlier ", Text(key->jobs.front())), " of ", core::Text(hub_.me));
  if (!j.why.empty()) return s + j.why;
  for (auto& p : j.parts) {
    if (p.done) continue;
    NodeId server{Role::kServer, 0};
    if (p.shard >= hub_.view.shards.size() || hub_.view.shards[p.shard].copies.empty()) return Join(s, "for a server of shard ", p.shard);
    server.rank = hub_.view.shards[p.shard].copies[0].server;
    return Join(s, "for ", hub_.view.Person(server), p.link ? ", whose answer is not there" : ", which cannot be reached");
  }
  return s;
}

// ---- the whole job

bool Worker::Before(uint64_t order, bool pushes_only) const {
  for (auto& name : busy_)
    for (auto& j : keys_.at(name).jobs)
      if (j.order < order && (!pushes_only || j.pushes())) return true;
  return false;
}

// Barriers, settings and checkpoints go as soon as they may; finish when nothing else is left.
void Worker::Advance() {
  if (!Running()) return;
  if (!numbered_) {
    if (const Member* m = hub_.view.Find(hub_.me)) barrier_ = std::max(m->barrier, hub_.view.LifeBase()), numbered_ = true;
  }
  std::vector<std::pair<uint64_t, CallId>> in_order;
  for (auto& [id, j] : wholes_)
    if (!j.begun) in_order.push_back({j.order, id});
  std::sort(in_order.begin(), in_order.end());
  for (auto& [order, id] : in_order) {
    auto at = wholes_.find(id);
    if (at == wholes_.end()) continue;
    Job& j = at->second;
    if (j.what == What::kFinish && (Before(order, false) || wholes_.size() > 1)) continue;
    if (j.what == What::kCheckpoint && Before(order, true)) continue;
    j.begun = true;
    j.asked = j.began = hub_.now;
    if (j.what == What::kBarrier) j.number = ++barrier_;
    else if (j.what == What::kFinish) finish_said_ = true;
    else j.number = ++tokens_;
    if (Link* l = SchedulerLink()) SendWhole(j, *l);
    Alarm(j);
  }
  OnReleased(released_);
}

void Worker::SendWhole(Job& j, Link& scheduler) {
  pb::Envelope e;
  if (j.what == What::kBarrier) e.mutable_barrier()->set_number(j.number);
  else if (j.what == What::kFinish) e.mutable_finish();
  else if (j.what == What::kCheckpoint) e.mutable_cut()->set_token(j.number);
  else e.mutable_configure()->set_name(j.name), e.mutable_configure()->set_text(j.text), e.mutable_configure()->set_token(j.number);
  hub_.Send(scheduler, &e);
}

void Worker::EndWhole(CallId id, Status status, Reply reply) {
  auto at = wholes_.find(id);
  if (at == wholes_.end()) return;
  bool checkpoint = at->second.what == What::kCheckpoint, told = at->second.told;
  alarms_.erase({at->second.alarm, id});
  wholes_.erase(at);
  if (!told) hub_.Complete(id, std::move(status), std::move(reply));
  if (checkpoint) BeginAll();
  Advance();
}

void Worker::OnReleased(uint64_t number) {
  released_ = std::max(released_, number);
  std::vector<std::pair<uint64_t, CallId>> through;
  for (auto& [id, j] : wholes_)
    if (j.what == What::kBarrier && j.begun && j.number <= released_) through.push_back({j.number, id});
  std::sort(through.begin(), through.end());
  for (auto& [n, id] : through) {
    Reply reply;
    reply.round = n;
    EndWhole(id, {}, std::move(reply));
  }
}

void Worker::FillBeat(const Link& link, pb::Beat* b) {
  if (link.peer.role != Role::kScheduler) return;
  b->set_barrier(barrier_);
  b->set_finished(finish_said_);
  b->set_settled(Settled());
  const Job* oldest = nullptr;
  for (auto& [id, j] : wholes_)
    if (j.begun && (!oldest || j.order < oldest->order)) oldest = &j;
  for (auto& name : busy_)
    if (auto& j = keys_.at(name).jobs.front(); j.begun && (!oldest || j.order < oldest->order)) oldest = &j;
  if (oldest) b->set_waiting(Join(Text(*oldest), " waits ", Limit(*oldest)));
}

std::string Worker::Describe() const {
  std::string s = Join(hub_.view.Person(hub_.me), ", view ", hub_.view.number, ", ", key_of_.size() + wholes_.size(), " calls under way\n");
  for (auto& [id, j] : wholes_) s += Join(Text(j), " waits ", Limit(j), "\n");
  for (auto& name : busy_) s += Join(Text(keys_.at(name).jobs.front()), " waits ", Limit(keys_.at(name).jobs.front()), "\n");
  return s;
}

}  // namespace ps::core
