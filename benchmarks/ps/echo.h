// SPDX-License-Identifier: Apache-2.0
// What the parameter server is measured beside: a frame there and one of its size back, between two processes, over plain TCP and over ZeroMQ.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace bench {

// A process of its own, which ends with its owner.
class Child {
 public:
  // body(to_parent): runs in the child, which then ends; what it writes to the descriptor is the parent's hear().
  explicit Child(const std::function<void(int to_parent)>& body);
  ~Child();
  std::string hear();  // one line

 private:
  pid_t pid_ = -1;
  int from_ = -1;
};

class Echo {
 public:
  virtual ~Echo() = default;
  virtual bool turn(const uint8_t* send, uint8_t* take, size_t size) = 0;  // there and back again, into `take`
};
std::unique_ptr<Echo> TcpEcho();
std::unique_ptr<Echo> ZmqEcho(bool keys);  // DEALER and ROUTER; with keys: CURVE

}  // namespace bench
