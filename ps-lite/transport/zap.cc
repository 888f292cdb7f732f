// SPDX-License-Identifier: Apache-2.0
#include "transport/zap.h"

#include <cstring>
#include <vector>

#include "transport/keys.h"

namespace ps::net {

Zap::Zap(Context& context) : socket_(context, ZMQ_REP) {
  socket_.set(ZMQ_LINGER, 0);
  if (zmq_bind(socket_.get(), "inproc://zeromq.zap.01") != 0) ZmqFailed("no ZAP handler");
}

void Zap::answer() {
  // A question (RFC 27): version, id, domain, address, routing id, mechanism, credentials.
  for (std::vector<Frame> q;; q.clear()) {
    for (Frame frame; socket_.receive(frame);) {
      bool more = frame.more();
      if (q.size() < 16) q.push_back(std::move(frame));
      if (!more) break;
    }
    if (q.empty()) return;
    bool good = false;
    Key key{};
    if (q.size() == 7 && q[0].view() == "1.0" && q[2].view() == kDomain && q[5].view() == "CURVE" && q[6].size() == key.size()) {
      std::memcpy(key.data(), q[6].view().data(), key.size());
      good = allowed_.count(key) != 0;
    }
    refused_ += !good;
    socket_.send(Frame("1.0"), true);
    socket_.send(Frame(q.size() > 1 ? q[1].view() : std::string_view()), true);
    socket_.send(Frame(good ? "200" : "400"), true);
    socket_.send(Frame(good ? "" : "unknown key"), true);
    socket_.send(Frame(good ? KeyText(key) : std::string()), true);
    socket_.send(Frame(std::string_view()), false);
  }
}

std::optional<Key> Zap::key_of(const Frame& frame) {
  std::string user = frame.user();
  if (user.size() != 64) return {};
  return ParseKey(user, "user");
}

}  // namespace ps::net
