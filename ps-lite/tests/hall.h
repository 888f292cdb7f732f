// SPDX-License-Identifier: Apache-2.0
// Nodes joined by hand, a message at a time, in virtual time: for tests of the core that need no faults by chance (the simulator has those), and for fuzzing.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/node.h"

namespace ps::core {

class Sum : public Reducer {  // of bytes
 public:
  Buffer Reduce(const Slice&, const std::vector<Contribution>& all, Aggregate) override {
    std::string s(all[0].bytes.size(), 0);
    for (auto& c : all)
      for (size_t i = 0; i < s.size(); ++i) s[i] = char(s[i] + c.bytes.data()[i]);
    return Buffer::Own(s);
  }
  Stored Apply(const Slice&, const Stored& stored, const Buffer& reduced) override { return {reduced, stored.state}; }
  void Configure(const std::string& name, const std::string&) override {
    if (name == "unknown") throw std::runtime_error("no optimizer of this name");
  }
};

inline NodeConfig Config(Role role) {
  NodeConfig c;
  c.role = role;
  c.job = "0123456789abcdef";
  c.scheduler = "scheduler";
  c.host = "alpha";
  c.pid = 7;
  return c;
}
inline KeyInfo Key(const std::string& name, uint64_t bytes) {
  KeyInfo k;
  k.name = name, k.bytes = bytes;
  return k;
}
inline Buffer Bytes(size_t n, char c) { return Buffer::Own(std::string(n, c)); }

class Hall {
 public:
  struct Seat {
    std::unique_ptr<Node> node;
    NodeConfig config;
    std::map<LinkId, std::pair<size_t, LinkId>> links;  // to whom, and its number there
    LinkId next = 2;
    uint64_t life = 0;
    std::vector<Complete> ended;
    std::vector<Notice> notices;
    bool deaf = false;  // takes nothing any more
  };
  struct Waiting {
    size_t who;
    uint64_t life;
    Input input;
  };
  size_t Add(NodeConfig c, const std::string& address) {
    c.address = address;
    seats_.emplace_back();
    seats_.back().config = c;
    Start(seats_.size() - 1);
    Drain();
    return seats_.size() - 1;
  }
  // The process dies, and another takes its place; files stay.
  void Restart(size_t who) {
    while (!seats_[who].links.empty()) Break(who, seats_[who].links.begin()->first);
    Start(who);
  }
  // The connection is lost; both are told.
  void Break(size_t who, LinkId link, DownReason reason = DownReason::kLost) {
    auto at = seats_[who].links.find(link);
    if (at == seats_[who].links.end()) return;
    auto [other, there] = at->second;
    seats_[who].links.erase(at);
    seats_[other].links.erase(there);
    Post(who, LinkDown{link, reason, "broken"});
    Post(other, LinkDown{there, reason, "broken"});
  }
  void Post(size_t who, Input in) { waiting_.push_back({who, seats_[who].life, std::move(in)}); }
  // One of those who wait, not always the first.
  void Deliver(size_t index) {
    Waiting w = std::move(waiting_[index]);
    waiting_.erase(waiting_.begin() + std::ptrdiff_t(index));
    Seat& s = seats_[w.who];
    if (s.deaf || w.life != s.life) return;
    std::vector<Output> out;
    s.node->step(now_, w.input, out);
    if (look) look(w.who, w.input, out);
    for (auto& o : out) Take(w.who, o);
  }
  void Give(size_t who, Input in) {  // and all that follows from it
    Post(who, std::move(in));
    Drain();
  }
  void Drain() {
    while (!waiting_.empty()) Deliver(0);
  }
  void Pass(Time time) { now_ += time; }
  void Wait(Time time) {
    for (Time end = now_ + time; now_ < end;) {
      Pass(50 * kMillisecond);
      for (size_t i = 0; i < seats_.size(); ++i)
        if (seats_[i].node->next_tick() <= now_) Give(i, Tick{});
    }
  }
  Complete Call(size_t who, Request request, Time limit = 5 * kSecond, uint64_t lives = kNewest) {
    CallId id = Begin(who, std::move(request), limit, lives);
    for (Time waited = 0; waited <= limit + kSecond; waited += 50 * kMillisecond) {
      if (auto* c = Ended(who, id)) return *c;
      Wait(50 * kMillisecond);
    }
    return {id, {Code::kInternal, "the call did not end"}, {}};
  }
  CallId Begin(size_t who, Request request, Time limit = 5 * kSecond, uint64_t lives = kNewest) {
    CallId id = ++calls_;
    Give(who, core::Call{id, std::move(request), now_ + limit, lives});
    return id;
  }
  const Complete* Ended(size_t who, CallId id) {
    for (auto& c : seats_[who].ended)
      if (c.id == id) return &c;
    return nullptr;
  }
  Seat& at(size_t i) { return seats_[i]; }
  size_t size() const { return seats_.size(); }
  Node& node(size_t i) { return *seats_[i].node; }
  uint64_t drops(size_t i, DropReason r) { return node(i).counters().drops[size_t(r)]; }
  Time now() const { return now_; }
  std::deque<Waiting>& waiting() { return waiting_; }
  std::map<std::string, std::string> files;
  std::function<void(size_t who, const Input&, const std::vector<Output>&)> look;  // after each step
  size_t failing = 0;  // so many works fail

 private:
  void Start(size_t who) {
    Seat& s = seats_[who];
    ++s.life;
    s.next = 2;
    s.node = std::make_unique<Node>(s.config, (who + 1) + (s.life - 1) * 1000);
    Post(who, Tick{});
  }
  void Take(size_t at, Output& o) {
    Seat& me = seats_[at];
    if (auto* open = std::get_if<Open>(&o)) {
      size_t other = seats_.size();
      for (size_t i = 0; i < seats_.size(); ++i)
        if (seats_[i].config.address == open->address && !seats_[i].deaf) other = i;
      if (other == seats_.size()) return Post(at, LinkDown{open->link, DownReason::kUnreachable, "nobody listens"});
      LinkId there = seats_[other].next;
      seats_[other].next += 2;
      me.links[open->link] = {other, there};
      seats_[other].links[there] = {at, open->link};
      Post(other, LinkUp{there, ""});
      Post(at, LinkUp{open->link, ""});
    } else if (auto* send = std::get_if<Send>(&o)) {
      auto link = me.links.find(send->link);
      if (link != me.links.end()) Post(link->second.first, Arrived{link->second.second, send->lane, Buffer::Own(send->head), send->payload});
      Post(at, core::Released{send->ticket});
    } else if (auto* close = std::get_if<Close>(&o)) {
      auto link = me.links.find(close->link);
      if (link == me.links.end()) return;
      auto [other, there] = link->second;
      me.links.erase(link);
      seats_[other].links.erase(there);
      Post(other, LinkDown{there, DownReason::kClosed, ""});
    } else if (auto* work = std::get_if<Work>(&o)) {
      Post(at, Do(*work));
    } else if (auto* c = std::get_if<Complete>(&o)) {
      me.ended.push_back(*c);
    } else if (auto* n = std::get_if<Notice>(&o)) {
      me.notices.push_back(*n);
    }
  }
  WorkDone Do(const Work& work) {
    WorkDone done{work.ticket, {}, {}};
    if (failing > 0) {
      --failing;
      done.status = {Code::kFile, "it was to fail"};
    } else if (auto* r = std::get_if<ReadFile>(&work.request)) {
      if (files.count(r->name)) done.results.push_back(Buffer::Own(files[r->name]));
    } else if (auto* a = std::get_if<AppendFile>(&work.request)) {
      files[a->name] += a->bytes.text();
    } else if (auto* w = std::get_if<WriteFile>(&work.request)) {
      files[w->name].clear();
      for (auto& p : w->parts) files[w->name] += p.text();
    } else if (auto* f = std::get_if<RemoveFile>(&work.request)) {
      files.erase(f->name);
    } else {
      done = RunWork(sum_, work);
    }
    return done;
  }
  std::deque<Seat> seats_;
  std::deque<Waiting> waiting_;
  Sum sum_;
  Time now_ = 0;
  CallId calls_ = 0;
};

}  // namespace ps::core
