// SPDX-License-Identifier: Apache-2.0
// World's part that carries messages.
#include <algorithm>

#include "sim/checker.h"
#include "sim/world.h"

namespace ps::sim {
namespace {
constexpr Time kConnectLimit = 5 * kSecond;   // an attempt to reach somebody who does not answer
constexpr Time kSendLimit = 15 * kSecond;     // what nobody acknowledges for so long ends the session
constexpr uint32_t kExpressAndBulk = 2;
}  // namespace

// "p3" or "p3.2": the process, and its life where every start listens somewhere else.
int64_t World::resolve(const std::string& address) const {
  for (const auto& p : processes_)
    if (p->alive && p->address == address) return p->number;
  return -1;
}

void World::open(Process& p, const Open& o) {
  const auto id = static_cast<uint32_t>(sessions_.size());
  sessions_.emplace_back();
  Session& s = sessions_.back();
  s.end[0].process = p.number, s.end[0].life = p.life, s.end[0].link = o.link;
  s.address = o.address;
  if (!p.links.emplace(o.link, id).second) return fail(13, p.name() + " opens link " + std::to_string(o.link) + " a second time");
  s.opened = now_;
  post(EventKind::kConnect, now_ + net_rng_.skewed(20 * kMicrosecond, scenario_.net_delay_us * kMicrosecond), 0, 0, id, 0);
}

void World::connect(uint32_t id, uint64_t attempt) {
  Session& s = sessions_[id];
  Process& from = *processes_[s.end[0].process];
  if (s.end[0].closed || !from.alive || from.life != s.end[0].life) return;
  const int64_t found = resolve(s.address);
  if (found < 0) return tell_down(id, 0, net_rng_.skewed(20 * kMicrosecond, 10 * kMillisecond), DownReason::kUnreachable);
  Process& to = *processes_[static_cast<size_t>(found)];
  const bool answers = weather_.passes(from.number, to.number, now_) && weather_.passes(to.number, from.number, now_) && to.frozen_until <= now_;
  if (!answers) {
    if (now_ - s.opened > kConnectLimit) return tell_down(id, 0, 0, DownReason::kUnreachable);
    return post(EventKind::kConnect, now_ + 200 * kMillisecond, 0, 0, id, attempt + 1);
  }
  s.end[1].process = to.number, s.end[1].life = to.life, s.end[1].link = to.next_link, s.end[1].up = true;
  to.next_link += 2;
  to.links.emplace(s.end[1].link, id);
  s.end[0].up = true;
  feed(to.number, to.life, now_, LinkUp{s.end[1].link, PeerKey()});
  const Time later = now_ + net_rng_.skewed(10 * kMicrosecond, scenario_.net_delay_us * kMicrosecond);
  for (uint32_t lane = 0; lane < kExpressAndBulk; ++lane) s.flow[1][lane].last = later;  // what it sends arrives after the opener knows
  feed(from.number, from.life, later, LinkUp{s.end[0].link, PeerKey()});
}

void World::release(const End& end, SendTicket ticket) {
  if (ticket == 0) return;
  const Process& p = *processes_[end.process];
  if (!p.alive || p.life != end.life) return;
  feed(end.process, end.life, std::max(p.starve_until, now_) + net_rng_.skewed(kMicrosecond, 100 * kMicrosecond), Released{ticket});
}

void World::send(Process& p, Send& send) {
  const auto link = p.links.find(send.link);
  if (link == p.links.end()) return release(End{p.number, p.life, 0, false, false}, send.ticket);
  Session& s = sessions_[link->second];
  const uint32_t me = s.end[0].process == p.number && s.end[0].link == send.link ? 0 : 1;
  const End& other = s.end[1 - me];
  if (s.lost || s.end[me].closed || !s.end[me].up) return release(s.end[me], send.ticket);
  Frame frame;
  frame.lane = send.lane;
  frame.head = Buffer::Own(std::move(send.head));
  frame.payload = std::move(send.payload);
  frame.ticket = send.ticket;
  if (net_rng_.chance(600)) {  // often the bytes are in the kernel long before they arrive
    release(s.end[me], frame.ticket);
    frame.ticket = 0;
  }
  const auto lane = static_cast<uint32_t>(send.lane);
  Flow& flow = s.flow[me][lane];
  Time delay = net_rng_.skewed(5 * kMicrosecond, scenario_.net_delay_us * kMicrosecond);
  if (weather_.held(p.number, other.process, now_)) delay += net_rng_.skewed(10 * kMillisecond, 6 * kSecond);
  frame.due = flow.last = std::max(flow.last, now_ + delay);
  flow.frames.push_back(std::move(frame));
  arm(link->second, me, lane);
}

void World::arm(uint32_t session, uint32_t from, uint32_t lane) {
  Flow& f = sessions_[session].flow[from][lane];
  if (f.armed || f.frames.empty()) return;
  f.armed = true;
  post(EventKind::kFlow, f.frames.front().due, 0, 0, session, from * 2 + lane);
}

void World::flow(uint32_t session, uint32_t from, uint32_t lane) {
  Session& s = sessions_[session];
  Flow& f = s.flow[from][lane];
  f.armed = false;
  if (f.frames.empty()) return;
  const End& to = s.end[1 - from];
  if (!weather_.passes(s.end[from].process, to.process, now_)) {
    // It waits for the way to be open again, unless that takes so long that the session ends.
    const Time open_at = weather_.cut_until(s.end[from].process, to.process);
    if (open_at - f.frames.front().due > kSendLimit) {
      lose(session);
      tell_down(session, from, kSendLimit, DownReason::kLost);
      return tell_down(session, 1 - from, kSendLimit + kSecond, DownReason::kLost);
    }
    f.armed = true;
    return post(EventKind::kFlow, open_at + net_rng_.skewed(10 * kMicrosecond, scenario_.net_delay_us * kMicrosecond), 0, 0, session, from * 2 + lane);
  }
  Frame frame = std::move(f.frames.front());
  f.frames.pop_front();
  release(s.end[from], frame.ticket);
  Process& p = *processes_[to.process];
  if (p.alive && p.life == to.life && to.up && !to.closed && !s.lost) {
    if (heard_.size() < 64 || fault_rng_.chance(50)) {
      if (heard_.size() >= 64) heard_.pop_front();
      heard_.emplace_back(frame.head, frame.payload);
    }
    accept_input(p, Arrived{to.link, frame.lane, std::move(frame.head), std::move(frame.payload)});
  }
  arm(session, from, lane);
}

void World::lose(uint32_t session) {
  Session& s = sessions_[session];
  s.lost = true;
  for (uint32_t from = 0; from < 2; ++from)
    for (Flow& f : s.flow[from]) {
      for (const Frame& frame : f.frames) release(s.end[from], frame.ticket);
      f.frames.clear();
    }
}

void World::close(Process& p, LinkId link, bool drop) {
  const auto at = p.links.find(link);
  if (at == p.links.end()) return;
  const uint32_t id = at->second;
  Session& s = sessions_[id];
  const uint32_t me = s.end[0].process == p.number && s.end[0].link == link ? 0 : 1;
  s.end[me].closed = true, s.end[me].up = false;
  p.links.erase(at);
  if (!s.end[1 - me].up) return;
  Time after = net_rng_.skewed(20 * kMicrosecond, scenario_.net_delay_us * kMicrosecond);
  if (drop) {
    lose(id);
  } else {  // what was sent before arrives, then the end of the session does
    for (const Flow& f : s.flow[me]) after = std::max(after, f.last - now_ + kMicrosecond);
  }
  tell_down(id, 1 - me, after, DownReason::kClosed);
}

void World::tell_down(uint32_t session, uint32_t end, Time after, DownReason reason) {
  post(EventKind::kDown, now_ + after, 0, 0, session, end | static_cast<uint64_t>(reason) << 1);
}

void World::down(uint32_t session, uint32_t end, DownReason reason) {
  Session& s = sessions_[session];
  End& e = s.end[end];
  if (e.closed) return;
  Process& p = *processes_[e.process];
  if (!p.alive || p.life != e.life) return;
  // The news needs a way too; a closed connection's is lost with the way, and silence says it later.
  const End& other = s.end[1 - end];
  if (reason == DownReason::kClosed && !weather_.passes(other.process, e.process, now_))
    return tell_down(session, end, std::min(weather_.cut_until(other.process, e.process) - now_ + kMillisecond, kSendLimit), reason);
  e.closed = true, e.up = false;
  p.links.erase(e.link);
  lose(session);
  LinkDown news;
  news.link = e.link, news.reason = reason;
  accept_input(p, std::move(news));
}

const Process* World::peer(const Process& p, LinkId link) const {
  const auto at = p.links.find(link);
  if (at == p.links.end()) return nullptr;
  const Session& s = sessions_[at->second];
  const End& other = s.end[0].process == p.number && s.end[0].link == link ? s.end[1] : s.end[0];
  return other.life == 0 ? nullptr : processes_[other.process].get();
}

}  // namespace ps::sim
