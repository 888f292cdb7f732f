// SPDX-License-Identifier: Apache-2.0
// Drives one core::Node: a thread that owns the links, gives the node its inputs in order and does what it puts out. Work goes to the executor, files to a
// thread of their own; both come back through the inbox.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/node.h"
#include "ps/node.h"
#include "ps/worker.h"
#include "transport/disk.h"
#include "transport/inbox.h"
#include "transport/links.h"

namespace ps {

class Driver {
 public:
  Driver(const Settings& settings, std::shared_ptr<Reducer> reducer, std::shared_ptr<Executor> executor, OnNotice notice);
  ~Driver();  // close() was called, or this is a forked child
  void call(core::Request request, uint64_t returns, Done done);  // returns to a checkpoint that the caller has heard of; kNewest: those that a call has told of
  Status wait(bool end, int64_t timeout_ms);
  void close();
  Status here() const;  // kState in a forked child
  // Runs `look` in the network thread and waits for it; false: the node is closed.
  bool ask(const std::function<void(const core::Node&, const net::Links&)>& look) const;

  State state() const { return state_.load(std::memory_order_acquire); }
  Status failure() const;
  const std::string& address() const { return address_; }
  Rank rank() const { return rank_; }
  uint32_t workers() const { return workers_; }
  uint32_t servers() const { return servers_; }
  Role role() const { return role_; }
  Progress progress() const;
  int64_t timeout_ms() const { return timeout_ms_; }
  std::string last_description() const;

 private:
  static constexpr core::WorkTicket kNoWork = ~core::WorkTicket(0);
  void run();
  void turn();
  void step(const core::Input& input);
  void settle();  // inputs that came of outputs
  void perform(core::Output& output);
  void send(core::Send& send);
  void open(const core::Open& open);
  void start(core::Work work);
  void ended(core::WorkTicket ticket);
  void launch(core::Work work);
  void link_event(net::LinkEvent& event);
  void batch(net::LinkEvent& event);
  void notice(Event event, const std::string& text, NodeId node = {}, uint64_t number = 0);
  void allow();
  void publish();
  void note_view();  // before anybody hears of an answer that was given under it
  void finish();

  const Role role_;
  const int64_t timeout_ms_;
  const int pid_;
  std::string address_;
  std::shared_ptr<Reducer> reducer_;
  std::shared_ptr<Executor> executor_;
  OnNotice on_notice_;
  std::shared_ptr<Inbox> inbox_;  // shared with frames and work that may end after the driver
  std::unique_ptr<net::Links> links_;
  std::unique_ptr<core::Node> node_;
  std::unique_ptr<Disk> disk_;

  // The network thread's own.
  bool keys_ = false;
  std::set<net::Key> always_allowed_;
  std::deque<core::Input> local_;
  std::vector<core::Output> out_;
  std::map<core::CallId, Done> calls_;
  core::CallId next_call_ = 1;
  uint64_t ready_lives_ = core::kNewest;  // when the node began to run
  size_t working_ = 0;            // works that have been given out and have not come back
  core::WorkTicket configuring_ = kNoWork;  // a ConfigureWork, which runs alone
  std::deque<core::Work> waiting_;
  std::string link_trouble_;      // why the last link was not had, for the error of a rendezvous that fails
  bool stopping_ = false;
  uint64_t view_ = 0;             // the last one that was noted

  // Seen from outside.
  std::atomic<State> state_{State::kJoining};
  std::atomic<Rank> rank_{0};
  std::atomic<uint32_t> workers_{0}, servers_{0};
  std::atomic<uint64_t> lives_{core::kNewest};  // returns to a checkpoint that the user was told of, by a call that ended so
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Status failure_;
  Progress progress_;
  std::string description_;
  bool over_ = false;  // the network thread has ended
  bool broken_ = false;
  std::thread thread_;
};

}  // namespace ps
