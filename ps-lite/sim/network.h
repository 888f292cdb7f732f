// SPDX-License-Identifier: Apache-2.0
// The virtual network. A link is one session: its messages arrive in order lane by lane, or the session is over; nothing crosses from one session to the next.
// What is late, lost or cut off is the faults' to say.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/node.h"
#include "sim/rng.h"

namespace ps::sim {
using namespace ps::core;  // NOLINT: the simulator speaks of nothing else

struct Frame {
  Lane lane = Lane::kExpress;
  Buffer head, payload;
  Time due = 0;
  SendTicket ticket = 0;  // 0: told already that the bytes are not needed
};
struct Flow {  // one direction of one lane
  std::deque<Frame> frames;
  Time last = 0;      // nothing given later is due earlier
  bool armed = false; // an event for its first frame is under way
};
struct End {
  uint32_t process = 0, life = 0;
  LinkId link = 0;
  bool up = false;      // it has been told so, and not yet the opposite
  bool closed = false;  // by itself
};
struct Session {
  End end[2];
  Flow flow[2][2];  // from end 0 or 1, by lane
  bool lost = false;  // nothing is delivered any more
  std::string address;  // whom the opener wants
  Time opened = 0;
};

// What the network does with two processes at a time: who cannot reach whom, until when; and who is slow to.
class Weather {
 public:
  void cut(uint32_t from, uint32_t to, Time until) { set(cut_, from, to, until); }
  void hold(uint32_t from, uint32_t to, Time until) { set(hold_, from, to, until); }
  bool passes(uint32_t from, uint32_t to, Time now) const { return until(cut_, from, to) <= now; }
  bool held(uint32_t from, uint32_t to, Time now) const { return until(hold_, from, to) > now; }
  Time cut_until(uint32_t from, uint32_t to) const { return until(cut_, from, to); }
  void calm() { cut_.clear(), hold_.clear(); }

 private:
  using Pairs = std::map<std::pair<uint32_t, uint32_t>, Time>;
  static void set(Pairs& pairs, uint32_t from, uint32_t to, Time until) {
    Time& at = pairs[{from, to}];
    if (at < until) at = until;
  }
  static Time until(const Pairs& pairs, uint32_t from, uint32_t to) {
    const auto at = pairs.find({from, to});
    return at == pairs.end() ? 0 : at->second;
  }
  Pairs cut_, hold_;
};

}  // namespace ps::sim
