// SPDX-License-Identifier: Apache-2.0
// The scheduler's part of checkpoints: one at a time, begun and ended by a view; and the way back to the last one.
#include <algorithm>

#include "core/scheduler.h"
#include "core/text.h"

namespace ps::core {

void Scheduler::TakeCut(NodeId from, const pb::Envelope& e) {
  if (e.has_cut()) {
    if (from.role != Role::kWorker) return hub_.Drop(DropReason::kRole);
    // An answer may be under way while it is asked again: the same question is not another checkpoint.
    if (auto last = cut_answers_.find(from); last != cut_answers_.end() && last->second.incarnation == e.incarnation() && e.cut().token() <= last->second.token) {
      Link* l = hub_.SessionWith(from);
      pb::Envelope again;
      if (l && e.cut().token() == last->second.token && again.ParseFromString(last->second.answer)) hub_.Send(*l, &again);
      return;
    }
    for (auto& a : asked_cuts_)
      if (a.from == from && a.incarnation == e.incarnation() && a.token == e.cut().token()) return;
    if (asked_cuts_.size() < kMaxNodes) asked_cuts_.push_back({from, e.incarnation(), e.cut().token()});
    return;
  }
  auto& c = e.cut_done();
  if (from.role != Role::kServer || c.code() > uint32_t(Code::kInternal)) return hub_.Drop(DropReason::kRole);
  if (!hub_.view.Primary(c.shard(), from.rank)) return hub_.Drop(DropReason::kUnknown);
  if (c.restored()) {
    if (c.code() != 0 && c.lives() > 0 && c.lives() == hub_.view.lives) restore_failed_ = c.text();
  } else if (cut_number_ != 0 && c.token() == cut_number_) {
    if (c.code() != 0) return EndCut({Code(c.code()), c.text()}, 0);
    cut_parts_[c.shard()] = {from.rank, c.round()};
  }
}

// Synchronous: no round may close while the parts are written. Those that the asker belongs to wait for it; the ones before it joined must have closed.
bool Scheduler::Settled(const View& n, NodeId asker) {
  const Round from = n.Find(asker)->from;
  if (n.mode != Mode::kSync || from <= 1) return true;
  for (auto& [id, m] : n.members)
    if (id.role == Role::kWorker && id != asker && m.state == MemberState::kActive && std::max(seen_[id].settled + 1, m.from) < from) return false;
  return true;
}

void Scheduler::CutViews(View& n) {
  if (!restore_failed_.empty()) return Fail(n, Code::kFile, restore_failed_);
  if (cut_number_ != 0) {
    if (!n.Is(asked_cuts_[0].from, asked_cuts_[0].incarnation) || n.members[asked_cuts_[0].from].state != MemberState::kActive)
      EndCut({Code::kNetwork, Join("[ps] ", Text(asked_cuts_[0].from), ", which asked for the checkpoint, was lost")}, 0);
  }
  if (cut_number_ == 0) {
    asked_cuts_.erase(std::remove_if(asked_cuts_.begin(), asked_cuts_.end(), [&](const AskedCut& a) { return !n.Is(a.from, a.incarnation); }), asked_cuts_.end());
    if (asked_cuts_.empty() || n.lives != hub_.view.lives) return;
    if (!Settled(n, asked_cuts_[0].from)) return;
    // Numbers go up over restarts of the scheduler too; a view that could not be logged is no reason to skip one.
    n.cut = hub_.view.cut + 1;
    return;
  }
  for (auto p = cut_parts_.begin(); p != cut_parts_.end();) p = n.Primary(p->first, p->second.first) ? std::next(p) : cut_parts_.erase(p);  // its successor writes it again
  if (n.lives != hub_.view.lives || n.cut_done == cut_number_ || cut_parts_.size() < n.shards.size()) return;
  n.cut_done = cut_number_;
  n.cut_round = 0;
  n.cut_job.clear();
  n.cut_holders.clear();
  for (auto& [shard, part] : cut_parts_) {
    n.cut_holders.push_back(part.first);
    n.cut_round = std::max(n.cut_round, part.second);
  }
}

// After a view is out: a cut that it begins is under way, one that it ends is answered.
void Scheduler::AnswerCuts() {
  const View& v = hub_.view;
  if (cut_number_ != 0 && v.lives != cut_lives_) EndCut({Code::kRolledBack, Join("[ps] the job went back to the checkpoint of round ", v.rolled_to, " while another was made")}, 0);
  if (cut_number_ != 0 && v.cut_done == cut_number_) RecordCut();
  if (cut_number_ == 0 && v.cut > v.cut_done && v.cut > cut_ended_ && !asked_cuts_.empty()) cut_number_ = v.cut, cut_lives_ = v.lives, cut_parts_.clear(), dirty_ = true;
}

void Scheduler::EndCut(Status status, Round round) {
  AskedCut a = asked_cuts_[0];
  asked_cuts_.erase(asked_cuts_.begin());
  cut_ended_ = cut_number_;
  cut_number_ = 0;
  cut_parts_.clear();
  dirty_ = true;
  pb::Envelope e;
  auto* c = e.mutable_cut_done();
  c->set_token(a.token), c->set_round(round), c->set_code(uint32_t(status.code)), c->set_text(status.text);
  cut_answers_[a.from] = {a.incarnation, a.token, e.SerializeAsString()};
  Link* l = hub_.SessionWith(a.from);
  if (l && l->incarnation == a.incarnation) hub_.Send(*l, &e);
}

// A checkpoint is told to be made only when a job that is started again would find it.
void Scheduler::RecordCut() {
  const Round round = hub_.view.cut_round;
  if (hub_.config.cut.empty()) return EndCut({}, round);
  if (recording_) return;
  recording_ = true;
  View v = hub_.view;
  if (v.cut_job.empty()) v.cut_job = hub_.config.job;
  pb::ViewDelta whole;
  v.Write(0, &whole);
  hub_.Start(WriteFile{LastName(), {Buffer::Own(LogRecord(whole))}}, [this, number = cut_number_, round](const WorkDone& done) {
    recording_ = false;
    dirty_ = true;
    if (cut_number_ != number) return;
    Status status = done.status;
    if (!status.ok()) status.text = Join("[ps] the scheduler could not note the checkpoint in ", LastName(), ", where a job that is started again would look for it: ", status.text);
    EndCut(std::move(status), round);
  });
}

void Scheduler::ReadLast() {
  loading_ = true;
  hub_.Start(ReadFile{LastName()}, [this](const WorkDone& done) {
    loading_ = false;
    dirty_ = true;
    Status status = done.status;
    if (status.ok() && !done.results.empty()) status = TakeLast(done.results[0]);
    if (!status.ok()) GiveUp({Code::kFile, Join("[ps] the job cannot begin from its last checkpoint, noted in ", LastName(), ": ", status.text)}, true);
  });
}
Status Scheduler::TakeLast(const Buffer& file) {
  View v;
  if (!ReadLog(file, &v)) return {Code::kFile, Join("it has ", file.size(), " bytes, which are not a whole note of a checkpoint")};
  if (v.cut_done == 0 || v.shards.empty() || v.cut_holders.size() != v.shards.size() || v.cut_job.empty()) return {Code::kFile, "it is a log of views, or of another release, and notes no checkpoint"};
  cut_ended_ = v.cut;
  hub_.settings.shards = uint32_t(v.shards.size());
  last_ = std::move(v);
  return {};
}
// The first view is as if the job had just gone back. The settings come in their order, before any update.
void Scheduler::Resume(View& n) {
  View& v = last_;
  if (n.mode != v.mode)
    return Fail(n, Code::kFile, Join("[ps] the checkpoint noted in ", LastName(), " is of a ", Text(v.mode, v.stale_bound), " job, the workers' stores are ", Text(n.mode, n.stale_bound), ": make stores of that kind"));
  n.settings = v.settings;
  for (auto& s : n.settings) s.changed = n.number;
  n.cut = v.cut, n.cut_done = v.cut_done, n.cut_round = v.cut_round, n.cut_holders = v.cut_holders, n.cut_job = v.cut_job;
  n.lives = v.lives + 1, n.rolled_to = v.cut_round;
  for (auto& [id, m] : n.members) m.from = n.rolled_to + 1;
  back_why_ = "[ps] the job was started again";
  Redeal(n);
}

// The last fresh copy of a shard is gone: everything goes back to the last checkpoint, if the policy says so and there is one.
bool Scheduler::GoBack(View& n, const std::string& why) {
  if (hub_.settings.policy != Policy::kRollback || n.cut_done == 0) return false;
  ++n.lives;
  n.rolled_to = n.cut_round;
  back_why_ = why;
  return true;
}

// Who holds what after a return: each shard is read by who wrote its part; by another server if that one is gone, which may see the same directory.
void Scheduler::Redeal(View& n) {
  std::vector<Rank> servers;
  for (auto& [id, m] : n.members)
    if (id.role == Role::kServer && m.state == MemberState::kActive) servers.push_back(id.rank);
  if (servers.empty()) return Fail(n, Code::kNetwork, Join(back_why_, "; no server is left that could read the checkpoint"));
  for (size_t i = 0; i < n.shards.size(); ++i) {
    Rank holder = i < n.cut_holders.size() ? n.cut_holders[i] : 0;
    if (std::find(servers.begin(), servers.end(), holder) == servers.end()) holder = servers[i % servers.size()];
    n.shards[i].copies = {{holder, n.number, true}};
    n.shards[i].changed = n.number;
  }
  for (auto& [id, m] : n.members) {
    if (id.role != Role::kWorker || m.state != MemberState::kActive) continue;
    // Synchronous: all begin again after the checkpoint. Otherwise each slice may have gone back differently far: sequences begin anew, above all there were.
    m.from = n.mode == Mode::kSync ? std::min<Round>(m.from, n.rolled_to + 1) : (n.lives << 40) + 1;
    m.changed = n.number;
  }
  hub_.Tell(NoticeKind::kRolledBack, hub_.me, n.lives, Join(back_why_, "; the job goes back to the checkpoint of round ", n.rolled_to));
}

}  // namespace ps::core
