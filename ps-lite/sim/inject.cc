// SPDX-License-Identifier: Apache-2.0
// World's part that makes faults happen.
#include <algorithm>

#include "ps.pb.h"
#include "sim/checker.h"
#include "sim/world.h"

namespace ps::sim {
namespace {
constexpr Time kNewsOfLoss = 6 * kSecond;  // until both sides know of a session that has ended
}  // namespace

void World::strike(uint64_t index) {
  const Fault& f = scenario_.faults[index];
  Process& p = *processes_[f.a];
  note("FAULT " + Text(f));
  const Time until = now_ + f.length;
  // Whom others may not hear for a while, and take for dead.
  const auto disturb = [this](uint32_t number, Time end) { processes_[number]->disturbed_until = std::max(processes_[number]->disturbed_until, end); };
  switch (f.kind) {
    case FaultKind::kKill:
    case FaultKind::kDiskCrash:
    case FaultKind::kStranger:
    case FaultKind::kReplay: break;
    case FaultKind::kCutSession: disturb(f.a, now_ + kNewsOfLoss), disturb(f.b, now_ + kNewsOfLoss); break;
    case FaultKind::kPartition:
    case FaultKind::kOneWay:
    case FaultKind::kHold: disturb(f.b, until + kNewsOfLoss); [[fallthrough]];
    default: disturb(f.a, until + kNewsOfLoss); break;
  }
  switch (f.kind) {
    case FaultKind::kKill: {
      std::vector<uint32_t> victims = {f.a};
      if (scenario_.together && f.a != 0) victims.push_back(f.a < scenario_.first_worker() ? f.a + scenario_.workers : f.a - scenario_.workers);
      for (uint32_t number : victims) {
        Process& victim = *processes_[number];
        if (!victim.alive) continue;
        if (f.variant % 4 == kWithoutDisk) victim.disk.files.clear();
        kill(number, f.variant & 8);
        victim.gone = f.variant % 4 == kNever;
        if (!victim.gone) post(EventKind::kStart, until, number, victim.life);
      }
      return;
    }
    case FaultKind::kFreeze: p.frozen_until = std::max(p.frozen_until, until); return;
    case FaultKind::kSlow:
      p.slow_until = std::max(p.slow_until, until);
      p.service = (1 + f.variant % 100) * kMillisecond;
      return;
    case FaultKind::kCutSession:
      for (uint32_t id = 0; id < sessions_.size(); ++id) {
        Session& s = sessions_[id];
        const bool between = (s.end[0].process == f.a && s.end[1].process == f.b) || (s.end[0].process == f.b && s.end[1].process == f.a);
        if (!between || s.lost || !s.end[0].up || !s.end[1].up) continue;
        lose(id);
        for (uint32_t end = 0; end < 2; ++end) tell_down(id, end, fault_rng_.skewed(0, 5 * kSecond), DownReason::kLost);
      }
      return;
    case FaultKind::kPartition: weather_.cut(f.b, f.a, until); [[fallthrough]];
    case FaultKind::kOneWay: weather_.cut(f.a, f.b, until); return;
    case FaultKind::kIsolate:
      for (uint32_t other = 0; other < count(); ++other)
        if (other != f.a) {
          weather_.cut(f.a, other, until);
          weather_.cut(other, f.a, until);
        }
      return;
    case FaultKind::kDiskCrash:
      p.disk.crash_armed = true;
      p.disk.crash = static_cast<CrashPoint>(f.variant / 4 % 3);
      return post(EventKind::kFaultEnd, until, 0, 0, index);
    case FaultKind::kDiskFull: p.disk.full = true; return post(EventKind::kFaultEnd, until, 0, 0, index);
    case FaultKind::kStarve: p.starve_until = std::max(p.starve_until, until); return;
    case FaultKind::kStranger: return stranger(p, f.variant);
    case FaultKind::kReplay: return replay(p, f.variant);
    case FaultKind::kHold: weather_.hold(f.a, f.b, until); return;
  }
}

void World::lift(uint64_t index) {
  const Fault& f = scenario_.faults[index];
  processes_[f.a]->disk.crash_armed = false;
  processes_[f.a]->disk.full = false;
}

void World::inject(Process& p, LinkId link, Buffer head, Buffer payload, bool strict) {
  if (p.frozen_until > now_ || p.busy_until > now_ || !p.inbox.empty()) return;  // it would be taken later, among others
  if (strict) checker_->stranger_comes(p);
  accept_input(p, Arrived{link, Lane::kExpress, std::move(head), std::move(payload)});
}

// A message that an honest peer would not have sent on this link.
void World::stranger(Process& p, uint32_t variant) {
  if (!p.alive || p.links.empty() || heard_.empty()) return;
  auto link = p.links.begin();
  std::advance(link, static_cast<ptrdiff_t>((variant >> 4) % p.links.size()));
  const auto& [heard, payload] = heard_[(variant >> 3) % heard_.size()];
  flexor::ps::Envelope e;
  if (!e.ParseFromArray(heard.data(), static_cast<int>(heard.size()))) return;
  if (e.has_hello()) return;  // that is how anybody comes: whoever holds a key may
  std::string head = heard.text();
  switch (variant % 6) {
    case 0: e.set_job("another job     "); head = e.SerializeAsString(); break;
    case 1: e.set_incarnation(e.incarnation() + 1 + variant % 7); head = e.SerializeAsString(); break;
    case 2: head = head.substr(0, head.size() / 2) + "\xff\xff\xff\xff"; break;
    case 3:
      for (char& c : head) c = static_cast<char>(fault_rng_.next());
      break;
    case 4: {  // its own sender, known and of this life, tells what is not its to tell: a view that ends the job
      const Process* other = peer(p, link->first);
      if (other == nullptr || !other->alive || other->role == Role::kScheduler) return;
      const std::string job = e.job();
      e.Clear();
      e.set_job(job), e.set_view(view_of(p)), e.set_incarnation(other->node->incarnation());
      e.mutable_view_delta()->set_from(view_of(p)), e.mutable_view_delta()->set_to(view_of(p) + 1), e.mutable_view_delta()->set_ended(true);
      return inject(p, link->first, Buffer::Own(e.SerializeAsString()), Buffer(), true);
    }
    default: head.clear(); break;
  }
  inject(p, link->first, Buffer::Own(head), payload, true);
}

// A message of an earlier session, once more, on another: only its sender's own present life may make it count, and that but once.
void World::replay(Process& p, uint32_t variant) {
  if (!p.alive || p.links.empty() || heard_.empty()) return;
  auto link = p.links.begin();
  std::advance(link, static_cast<ptrdiff_t>((variant >> 4) % p.links.size()));
  const auto& [head, payload] = heard_[(variant >> 3) % heard_.size()];
  flexor::ps::Envelope e;
  if (!e.ParseFromArray(head.data(), static_cast<int>(head.size()))) return;
  if (e.has_hello()) return;
  const Session& s = sessions_[link->second];
  const End& other = s.end[0].process == p.number && s.end[0].link == link->first ? s.end[1] : s.end[0];
  // On the session of the very life that said it, it is no stranger's, also when that life has ended and nobody has noticed.
  inject(p, link->first, head, payload, !checker_->is_life(e.incarnation(), other.process, other.life));
}

}  // namespace ps::sim
