// SPDX-License-Identifier: Apache-2.0
// A virtual cluster: processes with clocks that drift, a network, disks, users who make calls, and faults. One seed gives one run, every time.
// The nodes are the real ones (core/node.h); everything around them is here, so whatever they were told or said is known.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "core/node.h"
#include "sim/disk.h"
#include "sim/network.h"
#include "sim/rng.h"
#include "sim/scenario.h"
#include "sim/values.h"

namespace ps::sim {

class Checker;
class User;

struct Process {
  Role role = Role::kNone;
  uint32_t number = 0, index = 0;  // among all; among those of its role
  uint32_t life = 0;               // counts its starts; 0: never yet
  bool alive = false;
  bool gone = false;               // will not be started again
  bool done = false;               // it ended as it should
  std::string address;
  std::unique_ptr<Node> node;
  std::unique_ptr<User> user;
  Time origin = 0, born = 0;       // its clock showed `origin` at the world's `born`
  Time disturbed_until = 0;        // by a fault that it lives through
  Time frozen_until = 0, slow_until = 0, service = 0, busy_until = 0, starve_until = 0;
  std::deque<Input> inbox;         // what waits while it is frozen or slow
  bool pump_armed = false;
  bool leaving = false;            // its program has seen that the node is at its end
  Time tick_at = -1;               // the world's time of the tick that is arranged
  std::map<LinkId, uint32_t> links;  // sessions
  LinkId next_link = 2;
  Disk disk;
  std::map<std::string, Time> file_busy;  // writes of one file keep their order
  Time setting_done = 0, last_work = 0, last_call = 0;   // work given out after a setting runs after it, a setting after the work before it
  int64_t rank = -1;               // the one it had in an earlier life
  std::string name() const;
};

constexpr uint64_t kSliceBytes = 64;    // small, so that arrays have several slices
constexpr uint64_t kSpreadBytes = 128;  // arrays from here on are spread over the shards
constexpr Time kEndOfTime = 400 * kSecond;  // after the last fault: every call has had its limit by then

enum class EventKind : uint8_t { kInput, kTick, kPump, kConnect, kFlow, kDown, kWork, kFault, kFaultEnd, kStart, kKill, kUser };
struct Event {
  Time at = 0;
  uint64_t tie = 0, order = 0;
  EventKind kind = EventKind::kTick;
  uint32_t process = 0, life = 0;
  uint64_t x = 0, y = 0;
  friend bool operator<(const Event& a, const Event& b) {  // the queue's top is the largest: the earliest
    if (a.at != b.at) return a.at > b.at;
    return a.tie != b.tie ? a.tie > b.tie : a.order > b.order;
  }
};

struct Options {
  Mutant mutant = Mutant::kNone;
  uint64_t network_seed = 0;      // other delays for the same job, for the order of arrival
  bool trace = false;             // keep the last steps as text
  size_t trace_lines = 50;
  uint64_t max_steps = 400000;
  bool cuts = true;               // checkpoints are made
  uint32_t kinds = ~0u;           // which kinds of faults happen, a bit each
};

struct Violation {
  uint32_t invariant = 0;  // docs/ps-protocol.md; 0: none
  std::string text;
};

class World {
 public:
  World(Scenario scenario, Options options);
  ~World();
  void run();  // until everybody is done, the time is up, or an invariant does not hold

  // What users and the checker need.
  Time now() const { return now_; }
  Time local(const Process& process, Time at) const;
  Time local(const Process& process) const { return local(process, now_); }
  Process& process(uint32_t number) { return *processes_[number]; }
  uint32_t count() const { return static_cast<uint32_t>(processes_.size()); }
  const Scenario& scenario() const { return scenario_; }
  Values& values() { return values_; }
  Checker& checker() { return *checker_; }
  const Process* peer(const Process& process, LinkId link) const;  // at the other end, if there is one
  uint64_t view_of(const Process& process) const { return process.node ? process.node->view_number() : 0; }
  Rng& user_rng() { return user_rng_; }
  void call(uint32_t process, CallId id, Request request, Time limit, uint64_t lives);  // an input of its own, soon
  void wake(uint32_t process, Time after, uint64_t what);               // User::woken then
  void leave_soon(uint32_t process, bool done, Time restart_after);     // the process ends by itself; restart_after < 0: for good
  void fail(uint32_t invariant, const std::string& text);
  bool failed() const { return violation_.invariant != 0; }
  const Violation& violation() const { return violation_; }
  Buffer lend(std::string bytes, uint64_t* id);  // a user's array, whose release is watched
  bool returned(uint64_t id) const { return (*lent_)[id] != 0; }
  bool calm() const { return now_ >= scenario_.quiet_at; }
  void note(const std::string& line);  // into the trace
  bool tracing() const { return options_.trace; }

  uint64_t hash() const { return hash_; }
  uint64_t steps() const { return steps_; }
  const std::deque<std::string>& trace() const { return trace_; }
  bool ended() const { return ended_; }  // everybody is gone, as it should be
  void finish();                         // takes everything apart and counts what was not given back

 private:
  // world.cc: time, processes, steps
  void post(EventKind kind, Time at, uint32_t process, uint32_t life, uint64_t x = 0, uint64_t y = 0);
  void feed(uint32_t process, uint32_t life, Time at, Input input);
  void dispatch(const Event& event);
  void accept_input(Process& p, Input input);
  void pump(Process& p);
  void step(Process& p, const Input& input);
  void obey(Process& p, std::vector<Output>& outputs);
  void arm_faults(uint64_t view);
  void arrange_tick(Process& p);
  void start(uint32_t number);
  void kill(uint32_t number, bool silent);
  void leave(uint32_t number, bool done, Time restart_after);
  NodeConfig config(const Process& p);
  bool over() const;
  // network.cc
  void open(Process& p, const Open& open);
  void connect(uint32_t session, uint64_t attempt);
  void close(Process& p, LinkId link, bool drop);
  void send(Process& p, Send& send);
  void flow(uint32_t session, uint32_t from, uint32_t lane);
  void arm(uint32_t session, uint32_t from, uint32_t lane);
  void tell_down(uint32_t session, uint32_t end, Time after, DownReason reason);
  void down(uint32_t session, uint32_t end, DownReason reason);
  void lose(uint32_t session);  // what is under way is lost, and who sent it has its bytes back
  void release(const End& end, SendTicket ticket);
  int64_t resolve(const std::string& address) const;
  // work.cc
  void give_work(Process& p, const Work& work);
  void do_work(Process& p, uint64_t slot);
  WorkDone reduce(const Process& p, const Work& work);
  Disk& disk_of(Process& p, const std::string& name);
  Status write(Process& p, const std::string& name, const std::string& bytes, bool append, bool* died);
  // inject.cc: faults
  void strike(uint64_t index);
  void lift(uint64_t index);
  void stranger(Process& p, uint32_t variant);
  void replay(Process& p, uint32_t variant);
  void inject(Process& p, LinkId link, Buffer head, Buffer payload, bool strict);

  Scenario scenario_;
  Options options_;
  Time now_ = 0;
  uint64_t order_ = 0, steps_ = 0, hash_ = 0;
  Rng tie_rng_, net_rng_, work_rng_, user_rng_, life_rng_, fault_rng_;
  std::priority_queue<Event> queue_;
  std::vector<Input> inputs_;        // of events under way
  std::vector<uint64_t> free_inputs_;
  std::vector<Work> works_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<Session> sessions_;
  Weather weather_;
  Disk common_;
  Values values_;
  std::unique_ptr<Checker> checker_;
  std::shared_ptr<std::vector<uint8_t>> lent_ = std::make_shared<std::vector<uint8_t>>();  // how often each array was given back
  std::deque<std::string> trace_;
  std::deque<std::pair<Buffer, Buffer>> heard_;  // some messages of the past, for replays
  Violation violation_;
  std::vector<Output> outputs_;
  uint64_t armed_view_ = 0;  // the faults that wait for a view up to this one are under way
  bool ended_ = false;
};

}  // namespace ps::sim
