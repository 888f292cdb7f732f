// SPDX-License-Identifier: Apache-2.0
// Who may connect: ZeroMQ asks here, in the process, for each connection whose CURVE handshake proved a key. What is answered names the key, and
// the frames of that connection carry it from then on: nobody's identity comes from what he sends.
#pragma once
#include <cstdint>
#include <optional>
#include <set>

#include "transport/keys.h"
#include "transport/zmq.h"

namespace ps::net {

class Zap {
 public:
  explicit Zap(Context& context);  // before any socket is bound
  void set(std::set<Key> keys) { allowed_ = std::move(keys); }
  void answer();  // whatever is waiting
  uint64_t refused() const { return refused_; }
  void* get() const { return socket_.get(); }
  void leak() { socket_.leak(); }
  static constexpr const char* kDomain = "flexor";
  static std::optional<Key> key_of(const Frame& frame);  // the key that the frame's connection proved

 private:
  Socket socket_;
  std::set<Key> allowed_;
  uint64_t refused_ = 0;
};

}  // namespace ps::net
