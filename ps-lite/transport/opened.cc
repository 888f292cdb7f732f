// SPDX-License-Identifier: Apache-2.0
// Links that this node opened.
#include <sys/random.h>

#include <cerrno>

#include "ps/exception.h"
#include "transport/links.h"
#include "transport/links_internal.h"

namespace ps::net {
namespace {
std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t have = 0; have < size;) {
    ssize_t n = getrandom(&bytes[have], size - have, 0);
    if (n > 0) have += size_t(n);
    else if (errno != EINTR) throw Error(Code::kInternal, "[ps] the system gives no random bytes");
  }
  return bytes;
}
std::string HostOf(const std::string& address) {
  size_t begin = address.rfind("tcp://", 0) == 0 ? 6 : 0, end = address.rfind(':');
  return end == address.npos || end < begin ? "" : address.substr(begin, end - begin);
}
}  // namespace

void Links::make_wire(Wire& wire, const Opened& link) {
  wire.socket = Socket(*context_, ZMQ_DEALER);
  Socket& s = wire.socket;
  common_options(s);
  s.set(ZMQ_RECONNECT_IVL, -1);
  s.set(ZMQ_CONNECT_TIMEOUT, int(settings_.handshake_ms));
  if (link.address.find('[') != std::string::npos) s.set(ZMQ_IPV6, 1);
  if (settings_.keys.set()) {
    s.set(ZMQ_CURVE_SERVERKEY, Bytes(link.expect));
    s.set(ZMQ_CURVE_PUBLICKEY, Bytes(settings_.keys.public_key));
    s.set(ZMQ_CURVE_SECRETKEY, Bytes(settings_.keys.secret_key));
  }
  wire.monitor = Monitor(*context_, s);
  if (zmq_connect(s.get(), ("tcp://" + link.address).c_str()) != 0) ZmqFailed(link.address + " cannot be reached");
}

void Links::open(LinkId id, const std::string& address, const Key& expect) {
  auto [it, fresh] = opened_.try_emplace(id);
  if (!fresh) throw Error(Code::kInternal, "[ps] link " + std::to_string(id) + " is open already");
  Opened& link = it->second;
  link.expect = expect;
  link.address = address.rfind("tcp://", 0) == 0 ? address.substr(6) : address;
  link.deadline = NowMs() + kOpenFactor * settings_.handshake_ms;
  timed_ = true;
  ++counters_.opened;
  try {
    NeedKeys(HostOf(link.address), settings_.keys);
    if (settings_.keys.set() && expect == Key{}) throw Error(Code::kRefused, "[ps] " + address + ": a link with keys needs the peer's public key, and none was given");
    std::string nonce = RandomBytes(kNonce);
    for (int lane = 0; lane < 2; ++lane) {
      make_wire(link.wire[lane], link);
      link.wire[lane].socket.send(Frame(std::string(kHello) + kVersion + char(lane) + nonce), false);
    }
  } catch (...) {
    close(id);
    throw;
  }
}

void Links::close(LinkId id) {
  flush(id);
  if (IsOpened(id)) {
    auto it = opened_.find(id);
    if (it == opened_.end()) return;
    for (Wire& w : it->second.wire) w.monitor.stop(w.socket);
    opened_.erase(it);
    return;
  }
  auto it = joined_.find(id);
  if (it == joined_.end()) return;
  // A ROUTER cannot hang up on one of its peers: it is asked to, and cut off if it does not.
  Joined link = std::move(it->second);
  joined_.erase(it);
  if (--links_of_[link.key] == 0) links_of_.erase(link.key);
  for (const std::string& route : link.route) {
    auto it_caller = callers_.find(route);
    if (it_caller == callers_.end()) continue;  // gone already
    Caller& caller = it_caller->second;
    caller.closing = true;
    caller.link = 0;
    auto c = connections_.find(caller.fd);
    if (c != connections_.end() && c->second.route == route) c->second.deadline = NowMs() + kCloseMs, timed_ = true;
    control(route, kClose);
  }
}

void Links::lose_opened(LinkId id, Down why, std::string text, std::vector<LinkEvent>& events) {
  for (Wire& w : opened_[id].wire)
    if (w.socket) w.socket.set(ZMQ_LINGER, 0);  // nobody is there to have the rest
  close(id);
  LinkEvent event(LinkEvent::kDown, id);
  event.why = why;
  event.text = text;
  events.push_back(std::move(event));
}

void Links::read_opened(LinkId id, Opened& link, std::vector<LinkEvent>& events) {
  // What arrived before the end counts: first both sockets, then both monitors.
  for (Lane lane : {Lane::kExpress, Lane::kBulk})
    if (!read_wire(id, link, lane, events)) return;
  for (Wire& w : link.wire) {
    for (SocketEvent e; w.monitor.receive(e);) {
      switch (e.kind) {
        case ZMQ_EVENT_CONNECTED: w.fd = e.value; break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
          return lose_opened(id, Down::kStranger, link.address + " refused this node's key: it is not in the scheduler's list (FLEXOR_PS_ALLOW), or not yet", events);
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
          return lose_opened(id, Down::kStranger, link.address + " does not speak as expected: one side has keys and the other has not, or it is no node of Flexor's", events);
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
          return lose_opened(id, Down::kStranger, link.address + " ended the handshake: " + (settings_.keys.set() ? "is " + KeyText(link.expect) + " its public key?" : "it may want keys, and this node has none (FLEXOR_PS_KEY_FILE)"), events);
        case ZMQ_EVENT_DISCONNECTED: {
          // Its last messages may have come since we looked.
          for (Lane lane : {Lane::kExpress, Lane::kBulk}) {
            size_t before;
            do {
              before = events.size();
              if (!read_wire(id, link, lane, events)) return;
            } while (events.size() != before);
          }
          return lose_opened(id, link.up ? Down::kLost : Down::kStranger, link.address + (link.up ? " closed the connection" : " ended the connection before it was up"), events);
        }
        case ZMQ_EVENT_CLOSED:
          return lose_opened(id, Down::kUnreachable, link.address + ": nobody listens there", events);
        default: break;
      }
    }
  }
}

void Links::watch_opened(int64_t now, std::vector<LinkEvent>& events) {
  struct Suspect { LinkId id; Lane lane; uint64_t read; };
  std::vector<LinkId> late;
  std::vector<Suspect> suspects;
  for (auto& [id, link] : opened_) {
    timed_ |= !link.up;
    if (!link.up && now >= link.deadline) late.push_back(id);
    for (Lane lane : {Lane::kExpress, Lane::kBulk}) {
      Wire& w = link.wire[int(lane)];
      uint64_t read = w.meter.read(w.fd);
      if (link.up && w.meter.left(read) > one_message()) suspects.push_back({id, lane, read});
    }
  }
  for (LinkId id : late)
    lose_opened(id, Down::kUnreachable, opened_[id].address + " did not answer within " + std::to_string(kOpenFactor * settings_.handshake_ms / 1000) + " s", events);
  for (const Suspect& s : suspects) {
    auto it = opened_.find(s.id);
    Wire* w = it == opened_.end() ? nullptr : &it->second.wire[int(s.lane)];
    bool there = w != nullptr;
    for (size_t before = events.size() + 1; there && w->meter.left(s.read) > one_message() && before != events.size();) {
      before = events.size();
      there = read_wire(s.id, it->second, s.lane, events);
    }
    if (!there || w->meter.left(s.read) <= one_message()) continue;
    ++counters_.endless;
    lose_opened(s.id, Down::kProtocol, it->second.address + " sent a message without end", events);
  }
}

// False: the link is gone.
bool Links::read_wire(LinkId id, Opened& link, Lane lane, std::vector<LinkEvent>& events) {
  Wire& w = link.wire[int(lane)];
  for (int turn = 0; turn < kTurn && !held_back(link, w); ++turn) {
    Frame first;
    if (!w.socket.receive(first)) break;
    w.meter.took(first.size(), settings_.keys.set());
    if (!first.more()) {
      if (first.view() == kReady && !w.ready) {
        w.ready = true;
        if (!link.up && link.wire[0].ready && link.wire[1].ready) {
          link.up = true;
          LinkEvent event(LinkEvent::kUp, id);
          event.key = link.expect;
          events.push_back(std::move(event));
        }
      } else if (first.view() == kClose) {
        lose_opened(id, Down::kClosed, link.address + " closed the link", events);
        return false;
      } else if (first.size() == kOther.size() + 1 && first.view().substr(0, kOther.size()) == kOther) {
        std::string versions = std::to_string(int(uint8_t(first.view().back()))) + ", this node " + std::to_string(int(kVersion));
        lose_opened(id, Down::kStranger, link.address + " speaks version " + versions + ": use the same release everywhere", events);
        return false;
      } else {
        ++counters_.dropped_frames;
      }
      continue;
    }
    Frame payload;
    w.socket.receive(payload);
    w.meter.took(payload.size(), settings_.keys.set());
    if (payload.more()) {
      w.socket.drop_rest([&](size_t bytes) { w.meter.took(bytes, settings_.keys.set()); });
      ++counters_.dropped_frames;
    } else if (!link.up) {
      ++counters_.dropped_frames;  // a message before `ready`
    } else {
      message(id, lane, std::move(first), std::move(payload), events);
    }
  }
  return true;
}

}  // namespace ps::net
