// SPDX-License-Identifier: Apache-2.0
// Links that others opened to this node. ZeroMQ names a connection by a route, its monitor by a file descriptor; a frame has both. A descriptor is used again
// after a connection's end, but its end is told before, and its reuse after: whoever has read the monitor to its end knows which connection a live one is.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "transport/links.h"
#include "transport/links_internal.h"

namespace ps::net {
namespace {
constexpr int kLastTurns = 64;
uint32_t RouteNumber(const std::string& route) {
  uint32_t number = 0;
  for (size_t i = 1; i < route.size(); ++i) number = number << 8 | uint8_t(route[i]);
  return number;
}
}  // namespace

void Links::read_router_monitor() {
  for (SocketEvent e; router_monitor_.receive(e);) {
    if (e.kind == ZMQ_EVENT_ACCEPTED) {
      Connection& c = connections_[e.value];
      c = Connection();
      c.number = next_connection_++;
      // By then: the handshake, and hello on both halves.
      c.deadline = NowMs() + kOpenFactor * settings_.handshake_ms;
      timed_ = true;
      ++counters_.accepted;
    } else if (e.kind == ZMQ_EVENT_DISCONNECTED) {
      auto it = connections_.find(e.value);
      if (it == connections_.end()) continue;
      if (!it->second.route.empty()) ended_.push_back(std::move(it->second.route));
      connections_.erase(it);
    }
  }
}

// Connections that are gone: first what they said last, then their links' ends.
void Links::bury(std::vector<LinkEvent>& events) {
  if (ended_.empty()) return;
  for (int turn = 0; turn < kLastTurns && read_router(events); ++turn) {}
  std::vector<std::string> routes;
  routes.swap(ended_);
  for (const std::string& route : routes) {
    auto it = callers_.find(route);
    if (it == callers_.end()) continue;
    LinkId link = it->second.link;
    callers_.erase(it);
    if (link) lose_accepted(link, Down::kLost, "the peer closed the connection", events);
  }
}

void Links::lose_accepted(LinkId id, Down why, const std::string& text, std::vector<LinkEvent>& events) {
  if (!joined_.count(id)) return;
  close(id);  // the other half
  LinkEvent event(LinkEvent::kDown, id);
  event.why = why;
  event.text = text;
  events.push_back(std::move(event));
}

// True: there may be more.
bool Links::read_router(std::vector<LinkEvent>& events) {
  for (int turn = 0; turn < kTurn; ++turn) {
    Frame route, first, payload;
    if (!router_.receive(route)) return false;
    if (!route.more() || !router_.receive(first)) continue;
    int frames = 1;
    auto c = connections_.find(first.source_fd());
    auto took = [&](size_t bytes) {
      if (c != connections_.end()) c->second.meter.took(bytes, settings_.keys.set());
    };
    took(first.size());
    if (first.more()) {
      ++frames;
      router_.receive(payload);
      took(payload.size());
      if (payload.more()) frames += router_.drop_rest(took);
    }
    std::string from(route.view());
    auto it = callers_.find(from);
    if (frames == 1 && it == callers_.end()) {
      greet(from, first, events);
    } else if (frames != 2) {
      ++counters_.dropped_frames;
    } else if (it == callers_.end() || !it->second.link) {
      ++counters_.dropped_unknown;  // before hello, or after it was told to close
    } else {
      message(it->second.link, it->second.lane, std::move(first), std::move(payload), events);
    }
  }
  return true;
}

void Links::greet(const std::string& route, Frame& hello, std::vector<LinkEvent>& events) {
  std::string_view text = hello.view();
  std::optional<Key> key = settings_.keys.set() ? Zap::key_of(hello) : Key{};
  if (text == kStatus && key) {
    LinkEvent event(LinkEvent::kStatus, 0);
    event.text = route;
    events.push_back(std::move(event));
    return;
  }
  bool known = text.size() == kHelloSize && text.substr(0, kHello.size()) == kHello && key, same = known && text[kHello.size()] == kVersion;
  uint8_t lane = known ? uint8_t(text[kHello.size() + 1]) : 2;
  if (known && !same) control(route, std::string(kOther) + kVersion);
  if (!same || lane > 1) return void(++counters_.dropped_hello);
  int fd = hello.source_fd();
  read_router_monitor();
  auto c = connections_.find(fd);
  if (c == connections_.end()) return;  // it is gone already
  std::string& last = c->second.route;
  if (!last.empty()) {
    // One of the two is an earlier connection, over before it was noticed. ZeroMQ numbers routes upwards.
    if (int32_t(RouteNumber(route) - RouteNumber(last)) < 0) return;
    ended_.push_back(last);
  }
  last = route;
  Caller& caller = callers_[route];
  caller.fd = fd;
  caller.lane = Lane(lane);
  caller.key = *key;
  caller.nonce = std::string(text.substr(kHello.size() + 2));
  join(route, caller, events);
}

void Links::join(const std::string& route, Caller& caller, std::vector<LinkEvent>& events) {
  for (auto& [other_route, other] : callers_) {
    if (other.link || other.closing || other.lane == caller.lane || other.key != caller.key || other.nonce != caller.nonce) continue;
    int& of_key = links_of_[caller.key];
    if (int(joined_.size()) >= settings_.max_links || (settings_.keys.set() && of_key >= settings_.max_links_per_key)) {
      ++counters_.dropped_hello;  // both halves are cut off at their deadlines
      return;
    }
    ++of_key;
    LinkId id = next_link_;
    next_link_ += 2;
    Joined& link = joined_[id];
    link.key = caller.key;
    link.route[int(caller.lane)] = route;
    link.route[int(other.lane)] = other_route;
    caller.link = other.link = id;
    for (int fd : {caller.fd, other.fd}) {
      auto c = connections_.find(fd);
      if (c != connections_.end()) c->second.deadline = 0, c->second.most = one_message();
    }
    LinkEvent event(LinkEvent::kUp, id);
    event.key = caller.key;
    events.push_back(std::move(event));
    // A half that is gone already is noticed by its monitor.
    control(link.route[0], kReady);
    control(link.route[1], kReady);
    return;
  }
}

void Links::answer(const std::string& route, const std::string& text) { control(route, text); }

bool Links::control(const std::string& route, std::string_view what) { return router_.send(Frame(route), true) && router_.send(Frame(what), false); }

void Links::watch_accepted(int64_t now, std::vector<LinkEvent>& events) {
  std::vector<Victim> victims;
  std::vector<std::pair<uint64_t, int>> strangers;
  bool suspects = false;
  for (auto& [fd, c] : connections_) {
    timed_ |= c.deadline != 0;
    if (c.deadline) strangers.emplace_back(c.number, fd);
    uint64_t read = c.meter.read(fd);
    bool much = c.meter.left(read) > c.most;
    suspects |= much;
    if (much || (c.deadline && now >= c.deadline)) victims.push_back({fd, c.number, read, much});
  }
  if (strangers.size() > kMostStrangers) {  // the oldest: who means it is done in milliseconds
    auto last = strangers.begin() + std::ptrdiff_t(strangers.size() - kMostStrangers);
    std::nth_element(strangers.begin(), last, strangers.end());
    for (auto s = strangers.begin(); s != last; ++s) victims.push_back({s->second, s->first, 0, false});
  }
  if (victims.empty()) return;
  // Once all that is whole has been taken, what had been read before is a part of one message.
  for (int turn = 0; suspects && turn < kLastTurns && read_router(events); ++turn) {}
  auto innocent = [this](const Victim& v) {
    auto c = connections_.find(v.fd);
    return v.endless && (c == connections_.end() || c->second.number != v.number || c->second.meter.left(v.read) <= c->second.most);
  };
  victims.erase(std::remove_if(victims.begin(), victims.end(), innocent), victims.end());
  cut_off(victims);
  bury(events);
}

// Ends connections that overstayed. A duplicate holds the very connection while the monitor is read to its end: if that does not tell of its end, the
// descriptor was not used again before it was duplicated, so no stranger to this is hit.
void Links::cut_off(const std::vector<Victim>& victims) {
  std::vector<int> held;
  for (const Victim& v : victims) held.push_back(fcntl(v.fd, F_DUPFD_CLOEXEC, 3));
  read_router_monitor();
  for (size_t i = 0; i < victims.size(); ++i) {
    auto c = connections_.find(victims[i].fd);
    if (held[i] < 0) continue;
    if (c != connections_.end() && c->second.number == victims[i].number) {
      ++(victims[i].endless ? counters_.endless : counters_.silent);
      linger now{1, 0};  // what it still sends is answered by a reset
      if (victims[i].endless) setsockopt(held[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
      c->second.deadline = 0;
      c->second.most = UINT64_MAX;  // once
      shutdown(held[i], SHUT_RDWR);
    }
    ::close(held[i]);
  }
}

}  // namespace ps::net
