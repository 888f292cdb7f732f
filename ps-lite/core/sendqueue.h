// SPDX-License-Identifier: Apache-2.0
// What waits to be sent on one link. Payloads wait here, by priority, and only a window of bytes is with the transport (rate x 5 ms); the receiver's credit
// bounds what is under way to it. Messages without a payload go at once.
#pragma once
#include <map>
#include <string>

#include "core/node.h"

namespace ps::core {

struct Parcel {
  std::string head;
  Buffer payload;
  Lane lane = Lane::kExpress;
};

class SendQueue {
 public:
  void Put(int32_t priority, Parcel parcel);
  // The next one that may go, or false.
  bool Take(Time now, Parcel* parcel);
  void Returned(Time now, uint64_t bytes);  // by the transport
  void Grant(uint64_t bytes);               // by the receiver
  void Clear();                             // what has not gone yet
  uint64_t queued_bytes() const { return queued_; }
  uint64_t in_flight() const { return in_flight_; }
  uint64_t window() const { return window_; }

 private:
  static constexpr uint64_t kLeast = 256 << 10, kMost = 64 << 20;
  std::map<std::pair<int64_t, uint64_t>, Parcel> waiting_;  // larger priority first, then in order
  uint64_t next_ = 0, queued_ = 0, in_flight_ = 0, window_ = 1 << 20, credit_ = 0, granted_ = 0;
  Time busy_since_ = 0;
  uint64_t returned_ = 0;
};

}  // namespace ps::core
