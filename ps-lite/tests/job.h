// SPDX-License-Identifier: Apache-2.0
// A whole job in one process, over loopback.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ps/node.h"
#include "ps/worker.h"
#include "tests/sum_reducer.h"
#include "transport/address.h"

namespace ps {

// One worker as its user sees it: every call waits.
class User {
 public:
  explicit User(Node& node) : node(node), worker(node) {}
  Status Init(const KeyInfo& key, const Numbers& value) {
    return worker.Wait([&](Done d) { worker.Init(key, ToBuffer(value), std::move(d)); });
  }
  Status Push(const std::string& key, const Numbers& value, uint64_t samples = 1) {
    return worker.Wait([&](Done d) { worker.Push(key, ToBuffer(value), samples, 0, std::move(d)); });
  }
  Status Pull(const std::string& key, Numbers& value) {
    return Take(value, [&](Done d) { worker.Pull(key, 0, std::move(d)); });
  }
  Status PushPull(const std::string& key, const Numbers& given, Numbers& value) {
    return Take(value, [&](Done d) { worker.PushPull(key, ToBuffer(given), 1, 0, std::move(d)); });
  }
  Status Barrier() {
    return worker.Wait([&](Done d) { worker.Barrier(std::move(d)); });
  }
  Status Configure(const std::string& name, const std::string& text) {
    return worker.Wait([&](Done d) { worker.Configure(name, text, std::move(d)); });
  }
  Status Finish() {
    return worker.Wait([&](Done d) { worker.Finish(std::move(d)); });
  }
  Node& node;
  Worker worker;
  Reply reply;

 private:
  Status Take(Numbers& value, const std::function<void(Done)>& call) {
    Status s = worker.Wait(call, &reply);
    value.clear();
    for (const Piece& p : reply.pieces) {
      Numbers part = ToNumbers(p.bytes);
      EXPECT_EQ(p.offset, value.size() * 8);
      value.insert(value.end(), part.begin(), part.end());
    }
    return s;
  }
};

struct Job {
  Settings base;
  std::shared_ptr<Executor> pool = MakePool(2);
  std::unique_ptr<Node> scheduler;
  std::vector<std::unique_ptr<Node>> servers, workers;
  std::vector<std::unique_ptr<User>> users;
  std::vector<Settings> of_server, of_worker;  // to change before Start: keys, ranks

  Job(uint32_t n_workers, uint32_t n_servers) : of_server(n_servers), of_worker(n_workers) {
    base.workers = n_workers;
    base.servers = n_servers;
    base.rendezvous_ms = 30'000;
    base.timeout_ms = 30'000;
    base.beat_ms = 3000;  // nobody here is silent, however busy the machine
    base.job = "test";
  }
  Settings Of(Role role, const Settings* own = nullptr) const {
    Settings s = base;
    s.role = role;
    if (scheduler) {
      net::SplitAddress(scheduler->Address(), s.root_host, s.root_port);
    }
    if (own) {
      s.rank = own->rank;
      s.key_secret = own->key_secret;
      s.scheduler_key = own->scheduler_key;
    }
    return s;
  }
  void StartScheduler(const Settings* own = nullptr) {
    Settings s = Of(Role::kScheduler);
    if (own) {
      s.key_secret = own->key_secret;
      s.allow_text = own->allow_text;
    }
    scheduler = Node::Start(s, nullptr, pool);
  }
  std::unique_ptr<Node> Server(const Settings* own = nullptr) { return Node::Start(Of(Role::kServer, own), std::make_shared<SumReducer>(), pool); }
  std::unique_ptr<Node> Worker(const Settings* own = nullptr) { return Node::Start(Of(Role::kWorker, own), base.servers ? nullptr : std::make_shared<SumReducer>(), pool); }
  void StartOthers() {
    for (Settings& s : of_server) servers.push_back(Server(&s));
    for (Settings& s : of_worker) workers.push_back(Worker(&s));
  }
  bool Ready() {
    for (auto* list : {&servers, &workers})
      for (auto& n : *list) {
        Status s = n->WaitReady(30'000);
        EXPECT_TRUE(s.ok()) << s.text;
        if (!s.ok()) return false;
      }
    Status s = scheduler->WaitReady(30'000);
    EXPECT_TRUE(s.ok()) << s.text;
    users.resize(workers.size());
    for (auto& w : workers) {
      EXPECT_LT(w->rank(), workers.size());
      if (w->rank() < users.size()) users[w->rank()] = std::make_unique<User>(*w);
    }
    for (auto& u : users)
      if (!u) return false;
    return s.ok();
  }
  bool Start() {
    StartScheduler();
    StartOthers();
    return Ready();
  }
  // body(user, rank) in a thread for each worker.
  template <class F> void Each(F&& body) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < users.size(); ++i) threads.emplace_back([&, i] { body(*users[i], i); });
    for (std::thread& t : threads) t.join();
  }
  void FinishAll() {
    Each([](User& u, size_t) {
      Status s = u.Finish();
      EXPECT_TRUE(s.ok()) << s.text;
    });
    std::vector<Node*> rest{scheduler.get()};
    for (auto& s : servers) rest.push_back(s.get());
    for (Node* n : rest) {
      Status s = n->WaitEnd(10'000);
      EXPECT_TRUE(s.ok()) << s.text;
    }
  }
};
#define OK_(expression)                        \
  do {                                         \
    ::ps::Status status_ = (expression);       \
    EXPECT_TRUE(status_.ok()) << status_.text; \
  } while (0)

}  // namespace ps
