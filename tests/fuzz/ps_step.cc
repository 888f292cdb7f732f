// SPDX-License-Identifier: Apache-2.0
// Fuzz target for Node::step of the parameter server: the input is a program of deliveries in any order, lost and doubled messages, forged and mutilated ones,
// garbage, broken links, dead nodes, failing disks, time, and calls of users. A node may refuse whatever it likes; it may not die, answer for ever, end a call
// twice or never, go back to an older view, or hold more than its limit.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <set>

#include "ps.pb.h"
#include "tests/hall.h"

namespace {
using namespace ps;        // NOLINT
using namespace ps::core;  // NOLINT
namespace pb = flexor::ps;
constexpr size_t kMostOutputs = 4000, kMostSteps = 60000;  // of one step; of one input
constexpr uint64_t kMemory = 4096;

[[noreturn]] void Broken(const std::string& what) {
  std::cerr << what << '\n';
  std::abort();
}

class Program {
 public:
  Program(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool more() const { return size_ > 0; }
  uint8_t one() { return size_ == 0 ? uint8_t(0) : (--size_, *data_++); }
  size_t below(size_t n) { return n == 0 ? 0 : (n > 256 ? size_t(one()) << 8 | one() : one()) % n; }
  std::string some() {
    std::string s;
    for (size_t n = one() % 64; n > 0 && more(); --n) s += char(one());
    return s;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

class Fuzzed {
 public:
  explicit Fuzzed(Program& in) : in_(in) {
    hall_.look = [this](size_t who, const Input&, const std::vector<Output>& out) { Look(who, out); };
    uint8_t shape = in.one(), more = in.one();
    NodeConfig base;
    base.settings.mode = Mode(shape % 3);
    base.settings.stale_bound = 1;
    base.settings.policy = Policy(shape / 3 % 3);
    base.settings.slice_bytes = 16;
    base.settings.bigarray_bound = 40;
    base.workers = 1 + shape / 9 % 2;
    base.servers = 1 + shape / 18 % 2;
    base.settings.replicas = shape / 36 % 2 && base.servers > 1;
    auto add = [&](Role role, const std::string& address) {
      NodeConfig c = Config(role);
      c.settings = base.settings, c.workers = base.workers, c.servers = base.servers;
      c.memory_bytes = kMemory, c.credit_bytes = more & 1 ? 64 : 4096, c.patience = 2 * kSecond;
      if (role == Role::kScheduler && more & 2) c.log = "log";
      if (role == Role::kServer && more & 4) c.cut = "cut";
      views_.push_back(0);
      calls_.emplace_back();
      hall_.Add(c, address);
    };
    add(Role::kScheduler, "scheduler");
    for (uint32_t i = 0; i < base.servers; ++i) add(Role::kServer, "server" + std::to_string(i));
    for (uint32_t i = 0; i < base.workers; ++i) add(Role::kWorker, "");
    workers_from_ = 1 + base.servers;
    if (!(more & 8)) Settle(kSecond);  // else the rendezvous is part of the program
  }

  void Run() {
    while (in_.more() && steps_ < kMostSteps) Operation(in_.one());
    // What was asked ends, whatever happened.
    hall_.failing = 0;
    Settle(7 * kSecond);  // longer than any call's limit
    for (size_t who = 0; who < hall_.size(); ++who)
      for (CallId id : calls_[who]) Broken("call " + std::to_string(id) + " never ended: " + hall_.node(who).describe());
    hall_.look = nullptr;
  }

 private:
  size_t Someone() { return in_.below(hall_.size()); }
  LinkId SomeLink(size_t who) {
    auto& links = hall_.at(who).links;
    if (links.empty()) return in_.one();
    return std::next(links.begin(), std::ptrdiff_t(in_.below(links.size())))->first;
  }
  // All that is due within the time; the order is that of coming.
  void Settle(Time time) {
    for (Time end = hall_.now() + time; hall_.now() < end;) {
      Time next = end;
      for (size_t i = 0; i < hall_.size(); ++i) next = std::min(next, hall_.node(i).next_tick());
      hall_.Pass(std::max(next - hall_.now(), kMillisecond));
      for (size_t i = 0; i < hall_.size(); ++i)
        if (hall_.node(i).next_tick() <= hall_.now()) hall_.Post(i, Tick{});
      for (size_t n = 0; !hall_.waiting().empty(); ++n) {
        if (n > kMostSteps) Broken("messages without end");
        hall_.Deliver(0);
      }
    }
  }
  void Look(size_t who, const std::vector<Output>& out) {
    ++steps_;
    Node& node = hall_.node(who);
    if (out.size() > kMostOutputs) Broken("a step with " + std::to_string(out.size()) + " outputs");
    if (node.view_number() < views_[who]) Broken("back to an older view");
    views_[who] = node.view_number();
    if (node.counters().held_bytes > kMemory) Broken("more is held than the limit");
    for (auto& o : out)
      if (auto* c = std::get_if<Complete>(&o)) {
        if (calls_[who].erase(c->id) == 0) Broken("a call ends twice, or was never made");
        if (!c->status.ok() && c->status.text.empty()) Broken("an error without a text");
      }
  }
  void Ask(size_t who) {
    const std::string name(1, char('a' + in_.below(3)));
    const size_t sizes[] = {8, 40, 0, 100};
    size_t size = sizes[(size_t(name[0]) + in_.below(8) / 7) % 4];  // seldom another than the key's
    Buffer value = core::Bytes(size, char(in_.one()));
    Request r;
    switch (in_.below(9)) {
      case 0: r = Init{Key(name, size), value}; break;
      case 1: r = Push{name, value, in_.one(), int32_t(in_.one())}; break;
      case 2: r = Pull{name}; break;
      case 3: r = Barrier{}; break;
      case 4: r = in_.one() % 8 ? Request(Pull{name}) : Request(Finish{}); break;
      case 5: r = Configure{in_.one() % 4 ? "sgd" : "unknown", in_.some()}; break;
      case 6: r = Checkpoint{}; break;
      default: r = PushPull{name, value, 1}; break;
    }
    CallId id = ++next_;
    calls_[who].insert(id);
    hall_.Post(who, core::Call{id, std::move(r), hall_.now() + Time(1 + in_.below(5)) * kSecond, in_.one() % 8 ? kNewest : in_.one() % 2u});
  }
  // A message that was said, or a new one, with this session's names and what the input makes of it.
  void Forge(size_t who) {
    LinkId link = SomeLink(who);
    pb::Envelope e;
    if (!said_.empty() && in_.one() % 2) e.ParseFromString(said_[in_.below(said_.size())]);
    uint8_t how = in_.one();
    if (how & 1) e.MergeFromString(in_.some());
    e.set_job(how & 2 && how & 4 ? "another job....." : "0123456789abcdef");
    e.set_view(hall_.node(who).view_number() + (how & 8 ? uint64_t(in_.one() % 3) - 1 : 0));
    auto at = hall_.at(who).links.find(link);
    if (at != hall_.at(who).links.end() && !(how & 16)) e.set_incarnation(hall_.node(at->second.first).incarnation());
    std::string head = e.SerializeAsString();
    if (how & 32 && !head.empty()) head[in_.below(head.size())] = char(in_.one());
    hall_.Post(who, Arrived{link, Lane(how >> 6 & 1), Buffer::Own(head), how & 128 ? Buffer::Own(in_.some()) : core::Bytes(in_.below(4) * 8, 1)});
  }
  void Operation(uint8_t what) {
    auto& waiting = hall_.waiting();
    switch (what % 16) {
      case 0:
      case 1: return Ask(workers_from_ + in_.below(hall_.size() - workers_from_));
      case 2: return Forge(Someone());
      case 3: {
        size_t who = Someone();
        return hall_.Post(who, Arrived{SomeLink(who), Lane::kExpress, Buffer::Own(in_.some()), Buffer::Own(in_.some())});
      }
      case 4: {
        size_t who = Someone();
        return hall_.Break(who, SomeLink(who), DownReason(in_.below(4)));
      }
      case 5:
        if (!waiting.empty())  // lost, also if it is the end of a work or a ticket
          if (auto at = waiting.begin() + std::ptrdiff_t(in_.below(waiting.size())); !std::holds_alternative<core::Call>(at->input)) waiting.erase(at);
        return;
      case 6:
        if (!waiting.empty())
          if (auto& w = waiting[in_.below(waiting.size())]; std::holds_alternative<Arrived>(w.input)) {
            said_.push_back(std::get<Arrived>(w.input).head.text());
            hall_.Post(w.who, w.input);  // twice
          }
        return;
      case 7: return Settle(Time(1 + in_.below(4)) * 50 * kMillisecond);
      case 8: return Settle(Time(1 + in_.below(5)) * kSecond);
      case 9: hall_.failing = in_.below(4); return;
      case 10: {
        size_t who = Someone();
        calls_[who].clear();  // with their maker
        views_[who] = 0;
        return hall_.Restart(who);
      }
      case 11:
        if (auto file = hall_.files.begin(); file != hall_.files.end() && !file->second.empty()) {
          std::advance(file, std::ptrdiff_t(in_.below(hall_.files.size())));
          if (!file->second.empty()) file->second[in_.below(file->second.size())] ^= char(1 << in_.below(8));
        }
        return;
      case 12: {
        size_t who = Someone();
        if (in_.one() % 2) return hall_.Post(who, LinkUp{in_.one(), in_.one() % 2 ? std::string(32, 'k') : ""});
        return in_.one() % 2 ? hall_.Post(who, core::Released{in_.below(1000)}) : hall_.Post(who, WorkDone{in_.below(50), {Code(in_.below(4)), "by chance"}, {core::Bytes(in_.below(20), 3)}});
      }
      default:  // some of what waits; seldom not the first
        for (size_t n = 1 + in_.below(16), other = what % 16 == 15 ? in_.one() : 0; n > 0 && !waiting.empty(); --n) hall_.Deliver(other % waiting.size());
    }
  }
  Program& in_;
  Hall hall_;
  size_t workers_from_ = 0, steps_ = 0;
  CallId next_ = 0;
  std::vector<uint64_t> views_;
  std::vector<std::set<CallId>> calls_;  // under way
  std::vector<std::string> said_;
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Program in(data, size);
  Fuzzed(in).Run();
  return 0;
}
