// SPDX-License-Identifier: Apache-2.0
#include "core/member.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace ps::core {

void MemberPart::OnWelcome(Link& link, const pb::Welcome& w) {
  if (link.peer.role != Role::kScheduler) return;
  heard_ = hub_.now;
  if (phase == NodePhase::kJoining && hub_.view.number == 0 && !Read(w.settings(), &hub_.settings))
    return Stop(NodePhase::kFailed, {Code::kRefused, "[ps] the scheduler's settings cannot be: use the same release everywhere"});
  if (w.has_view()) hub_.TakeView(w.view());
}

void MemberPart::OnDown(const Link& link, DownReason why, const std::string& text) {
  if (link.peer.role != Role::kScheduler || !link.opened) return;
  down_ = text;
  if (link.connected && !link.up && why == DownReason::kClosed) down_ += " without an answer: is it this job's scheduler (FLEXOR_PS_JOB)?";
}

void MemberPart::OnMessage(Link& link, const pb::Envelope& e, const Buffer& payload) {
  if (link.peer.role == Role::kScheduler) heard_ = hub_.now;
  if (phase != NodePhase::kJoining && phase != NodePhase::kRunning) return;
  if (e.has_view_delta()) {
    hub_.TakeView(e.view_delta());
  } else if (e.has_beat_reply()) {
    if (link.peer.role != Role::kScheduler) return;
    OnMissing(e.beat_reply().missing());
    OnReleased(e.beat_reply().released());
  } else if (e.has_refused() && link.peer.role == Role::kScheduler) {
    if (e.refused().behind() || e.refused().code() > uint32_t(Code::kInternal)) return;
    Code code = Code(e.refused().code());
    if (e.refused().has_view()) hub_.TakeView(e.refused().view());
    if (phase == NodePhase::kJoining || phase == NodePhase::kRunning) Stop(code == Code::kEvicted ? NodePhase::kEvicted : NodePhase::kFailed, {code, e.refused().text()});
  } else {
    Handle(link, e, payload);
  }
}

void MemberPart::OnView(const View& before) {
  if (phase != NodePhase::kJoining && phase != NodePhase::kRunning) return;
  const View& v = hub_.view;
  const Member* m = v.Find(hub_.me);
  bool mine = v.Is(hub_.me, hub_.incarnation) || (FLX_PS_MUTANT(hub_.config, kIgnoreIncarnations) && phase == NodePhase::kRunning);
  if (!mine && before.Is(hub_.me, hub_.incarnation))
    return Stop(NodePhase::kEvicted, {Code::kEvicted, Join("[ps] ", Text(hub_.me), " was taken out of the job in view ", m ? m->changed : v.number, ": it was silent, or its connection broke; start it again to join")});
  if (!v.failure.empty()) return Stop(NodePhase::kFailed, {v.failure_code, v.failure});
  if (v.ended) return Stop(NodePhase::kEnded, {});
  if (!mine) return;
  if (phase == NodePhase::kJoining && m->state != MemberState::kJoining) {
    phase = NodePhase::kRunning;
    hub_.Tell(NoticeKind::kReady, hub_.me, v.number, Join(Text(hub_.me), " runs"));
  }
  Changed(before);
  if (Link* l = SchedulerLink()) {  // it knows then how far this node is
    pb::Envelope e;
    FillBeat(*l, e.mutable_beat());
    l->last_beat = hub_.now;
    hub_.Send(*l, &e);
  }
}

void MemberPart::OnTick() {
  if (phase != NodePhase::kJoining && phase != NodePhase::kRunning) return;
  if (started_ < 0) started_ = heard_ = hub_.now;
  SchedulerLink();
  if (hub_.now - heard_ >= hub_.config.rendezvous)
    Stop(NodePhase::kFailed, {Code::kNetwork, Join("[ps] the scheduler at ", hub_.config.scheduler, " could not be reached for ", hub_.config.rendezvous / kSecond, " s", down_.empty() ? "" : ": ", down_)});
}
Time MemberPart::NextTick() const {
  if (phase != NodePhase::kJoining && phase != NodePhase::kRunning) return INT64_MAX;
  return started_ < 0 ? hub_.now : heard_ + hub_.config.rendezvous;
}

void MemberPart::Stop(NodePhase how, Status why) {
  phase = how;
  failure = std::move(why);
  NoticeKind kind = how == NodePhase::kEnded ? NoticeKind::kEnded : how == NodePhase::kEvicted ? NoticeKind::kEvicted : NoticeKind::kFailed;
  hub_.Tell(kind, hub_.me, hub_.view.number, how == NodePhase::kEnded ? "the job is over" : failure.text);
  Over();
  if (Link* l = SchedulerLink()) {  // a last beat: it has heard
    pb::Envelope e;
    FillBeat(*l, e.mutable_beat());
    hub_.Send(*l, &e);
  }
  std::vector<LinkId> all;
  for (auto& [id, l] : hub_.links) all.push_back(id);
  for (LinkId id : all) hub_.End(id);
  hub_.Quiet();
}

}  // namespace ps::core
