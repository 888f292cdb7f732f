// SPDX-License-Identifier: Apache-2.0
// Stores of a job whose nodes are all in this process: each has its own sockets and threads, as if it had a process of its own.
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"
#include "profiler/profiler.h"

namespace flx {
namespace {

using namespace kvstore_tests;

TEST(DistStore, KnowsWhoIsThere) {
  Job job(3, 2);
  EXPECT_EQ(job.scheduler->role(), StoreRole::kScheduler);
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(job.workers[size_t(r)]->rank(), r);
    EXPECT_EQ(job.workers[size_t(r)]->workers(), 3);
    EXPECT_EQ(job.workers[size_t(r)]->servers(), 2);
  }
  EXPECT_TRUE(job.workers[0]->distributed() && job.workers[0]->synchronous());
  EXPECT_FALSE(job.workers[0]->Describe().empty());
  EXPECT_FALSE(job.servers[0]->Serve(0)) << "the job goes on";
  EXPECT_EQ(ErrorOf([&] { job.servers[0]->Barrier(0); }).status(), Status::kState);
  job.Finish();
  EXPECT_EQ(ErrorOf([&] { job.workers[0]->Barrier(0); }).status(), Status::kState);
}

TEST(DistStore, SumsOfAllWorkersInRankOrder) {
  Job job(3, 2);
  const int64_t n = 700'000;  // several slices, on both servers
  for (auto& w : job.workers) w->Init({"a", "big"}, {Of({1, 2}), Array::Filled({n}, DType::kFloat32, 5)});
  std::vector<NDArray> got, big;
  for (size_t r = 0; r < 3; ++r) got.push_back(Of({0, 0})), big.push_back(Array::Filled({n}, DType::kFloat32, 0));
  for (size_t r = 0; r < 3; ++r) job.workers[r]->Pull({"a", "big"}, {got[r], big[r]}, 0);
  for (auto& g : got) EXPECT_EQ(Floats(g), (Values{1, 2}));
  for (auto& b : big) EXPECT_EQ(Floats(b), Values(size_t(n), 5));
  // Pushed by the last first; 1e8 - 1e8 + 1 only in rank order.
  const Values first = {1e8f, -1e8f, 1};
  for (size_t r = 3; r-- > 0;) {
    job.workers[r]->Push({"a"}, {Of({first[r], float(r)})}, {});
    job.workers[r]->PushPull({"big"}, {Array::Filled({n}, DType::kFloat32, float(r + 1))}, {big[r]}, {1, 5});
    job.workers[r]->Pull({"a", "a"}, {got[r], got[r]}, 0);
  }
  for (auto& g : got) EXPECT_EQ(Floats(g), (Values{1, 3}));
  for (auto& b : big) EXPECT_EQ(Floats(b), Values(size_t(n), 6));
  // A worker's own arrays are summed before they are sent; a target that is no whole array; what is pushed may change at once.
  NDArray x = Of({1, 1}), whole = Of({9, 9, 9, 9}), column = Array::NewView(whole, {2}, {2}, 4);
  for (auto& w : job.workers) w->Push({"a", "a"}, {x, x}, {});
  CopyInto(Of({100, 100}), x);
  job.workers[0]->Pull({"a"}, {column}, 0);
  EXPECT_EQ(Floats(whole), (Values{9, 6, 9, 6}));
  job.workers[2]->PushPull({"a"}, {column}, {got[2]}, {});
  for (size_t r : {0, 1}) job.workers[r]->PushPull({"a"}, {column}, {got[r]}, {});
  for (auto& g : got) EXPECT_EQ(Floats(g), (Values{18, 18}));
  job.Finish();
}

TEST(DistStore, MeansWeighBySamples) {
  Job job(2, 1, {{"aggregate", "mean"}});
  NDArray a = Of({0}), b = Of({0});
  for (auto& w : job.workers) w->Init({"g"}, {Of({0})});
  job.workers[0]->PushPull({"g"}, {Of({1})}, {a}, {3, 0});
  job.workers[1]->PushPull({"g"}, {Of({5})}, {b}, {1, 0});
  EXPECT_EQ(Floats(a), (Values{2}));
  EXPECT_EQ(Floats(b), (Values{2}));
  // One leaves, the other goes on alone.
  job.workers[0]->Finish(20000);
  job.workers[1]->PushPull({"g"}, {Of({7})}, {b}, {1, 0});
  EXPECT_EQ(Floats(b), (Values{7}));
  job.Finish();
}

TEST(DistStore, OptimizersOnTheServersGiveTheLocalBits) {
  Job job(2, 2);
  auto adam = Optimizer::New("Adam", {{"learning_rate", "0.1"}, {"wd", "0.01"}});
  adam->SetSchedule(Schedule::New("Factor", {{"step", "2"}, {"factor", "0.5"}}));
  auto local = Store::New("local", {});
  local->Init({"w"}, {Of({1, 2, -3})});
  local->SetOptimizer(*adam);
  for (auto& w : job.workers) w->Init({"w"}, {Of({1, 2, -3})}), w->SetOptimizer(*adam);
  job.Barrier();
  NDArray want = Of({0, 0, 0}), got = Of({0, 0, 0}), other = Of({0, 0, 0});
  for (int i = 1; i <= 5; ++i) {
    Values g = {0.1f * float(i), -1, 3}, h = {0.3f, 0.7f * float(i), 1};
    if (i == 4) {
      local->Set("learning_rate", "0.03");
      for (auto& w : job.workers) w->Set("learning_rate", "0.03");
      job.Barrier();
    }
    local->Push({"w", "w"}, {Of(g), Of(h)}, {});
    job.workers[0]->PushPull({"w"}, {Of(g)}, {got}, {});
    job.workers[1]->PushPull({"w"}, {Of(h)}, {other}, {});
    local->Pull({"w"}, {want}, 0);
    EXPECT_EQ(Floats(got), Floats(want)) << i;
    EXPECT_EQ(Floats(other), Floats(want)) << i;
  }
  EXPECT_EQ(ErrorOf([&] { job.workers[0]->SaveStates(); }).status(), Status::kUnsupported);
  job.Finish();
}

TEST(DistStore, AsyncAppliesEachPushOnce) {
  Job job(2, 1, {}, "dist_async");
  EXPECT_FALSE(job.workers[0]->synchronous());
  for (auto& w : job.workers) w->Init({"w"}, {Of({10})}), w->SetOptimizer(*Optimizer::New("SGD", {{"learning_rate", "1"}}));
  job.Barrier();
  for (int i = 0; i < 4; ++i) job.workers[0]->Push({"w"}, {Of({1})}, {});
  job.workers[1]->Push({"w"}, {Of({0.5f})}, {});
  job.Barrier();
  NDArray got = Of({0});
  job.workers[1]->Pull({"w"}, {got}, 0);
  EXPECT_EQ(Floats(got), (Values{5.5f}));
  job.Finish();
}

TEST(DistStore, FitsOfOneWorkerGiveTheBitsOfAFitWithoutOne) {
  std::string want = FitBits(nullptr, 0, 1, {});
  for (const char* on_store : {"False", "True"}) {
    Job job(1, 2);
    EXPECT_EQ(FitBits(job.workers[0], 0, 1, {{"update_on_store", on_store}}), want) << on_store;
    job.Finish();
  }
}

TEST(DistStore, WorkersOfAFitHaveTheSameBits) {
  for (int servers : {2, 0}) {
    Job job(3, servers);
    std::string bits[3];
    std::vector<std::thread> threads;
    for (int r = 0; r < 3; ++r) threads.emplace_back([&, r] { bits[r] = FitBits(job.workers[size_t(r)], r, 3, {{"seed", Text(r)}}); });
    for (auto& t : threads) t.join();
    EXPECT_EQ(bits[0], bits[1]) << servers;
    EXPECT_EQ(bits[0], bits[2]) << servers;
    job.Finish();
  }
}

TEST(DistStore, WhatIsWrongIsTold) {
  Error e = ErrorOf([] { Store::New("dist_sync", {}); });
  EXPECT_EQ(e.status(), Status::kState);
  EXPECT_TRUE(Has(e, "DMLC_ROLE") && Has(e, "flexor-launch")) << e.message();
  auto made = [](Settings s) { return [s] { Store::New("dist_sync", s); }; };
  e = ErrorOf(made({{"role", "boss"}}));
  EXPECT_TRUE(Has(e, "worker, server or scheduler")) << e.message();
  e = ErrorOf(made({{"role", "worker"}}));
  EXPECT_TRUE(Has(e, "DMLC_PS_ROOT_PORT")) << e.message();
  e = ErrorOf(made({{"role", "server"}, {"root_port", "9"}, {"num_server", "0"}}));
  EXPECT_TRUE(Has(e, "DMLC_NUM_SERVER")) << e.message();
  e = ErrorOf(made({{"role", "worker"}, {"root_port", "9"}, {"aggregate", "max"}}));
  EXPECT_TRUE(Has(e, "sum or mean")) << e.message();
  e = ErrorOf(made({{"role", "scheduler"}, {"root_port", "0"}, {"num_worker", "0"}}));
  EXPECT_TRUE(Has(e, "DMLC_NUM_WORKER")) << e.message();
  e = ErrorOf(made({{"role", "scheduler"}, {"root_port", "0"}, {"num_worker", "1"}, {"root_uri", "192.0.2.1"}}));
  EXPECT_TRUE(Has(e, "key")) << e.message();  // not on loopback
}

TEST(DistStore, MistakesInAJob) {
  Job job(2, 1);
  auto &a = job.workers[0], &b = job.workers[1];
  NDArray got = Of({0, 0}), other = Of({0, 0});
  EXPECT_EQ(ErrorOf([&] { a->Push({"w"}, {got}, {}); }).status(), Status::kState);
  a->Init({"w", "v"}, {Of({1, 2}), Of({0, 0})});
  a->Pull({"w"}, {got}, 0);
  EXPECT_EQ(Floats(got), (Values{1, 2}));
  b->Init({"w"}, {Of({1, 2, 3})});  // another shape than the first worker's
  NDArray three = Of({0, 0, 0});
  b->Pull({"w"}, {three}, 0);
  Error e = ErrorOf([&] { WaitToRead(*three); });
  EXPECT_EQ(e.status(), Status::kShape);
  EXPECT_TRUE(Has(e, "`w`")) << e.message();
  // A forked child may not use it, and does its parent no harm.
  pid_t child = fork();
  if (child == 0) {
    try {
      a->Pull({"w"}, {other}, 0);
    } catch (const Error& failed) {
      _exit(failed.status() == Status::kState && Has(failed, "fork") ? 0 : 1);
    }
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  a->Pull({"w"}, {other}, 0);
  EXPECT_EQ(Floats(other), (Values{1, 2}));
  // What waits for another worker when the store goes: an error, not a hang.
  a->PushPull({"v"}, {Of({1, 1})}, {other}, {});
  job.workers.erase(job.workers.begin());
  e = ErrorOf([&] { WaitToRead(*other); });
  EXPECT_TRUE(e.status() == Status::kState || e.status() == Status::kNetwork) << e.message();
  while (auto p = Engine::Get().NextUnseen()) {}
}

TEST(DistStore, TracesShowCallsAndCounters) {
  Job job(2, 1);
  StartProfile({});
  NDArray a = Of({0}), b = Of({0});
  for (auto& w : job.workers) w->Init({"g"}, {Of({0})});
  job.workers[0]->PushPull({"g"}, {Of({1})}, {a}, {});
  job.workers[1]->PushPull({"g"}, {Of({5})}, {b}, {});
  EXPECT_EQ(Floats(a), Floats(b));
  StopProfile();
  std::string trace;
  WriteTrace([&](std::string_view part) { trace += part; });
  ClearProfile();
  for (const char* text : {"push_pull of key `g`", "network", "bytes_out"}) EXPECT_NE(trace.find(text), std::string::npos) << text;
  job.Finish();
}

TEST(DistStore, WorkersOfAnotherKindAreRefused) {
  auto node = [](const char* kind, const char* role, const std::string& port) {
    return Store::New(kind, {{"root_uri", "127.0.0.1"}, {"num_worker", "2"}, {"num_server", "1"}, {"role", role}, {"root_port", port}});
  };
  auto scheduler = node("dist_sync", "scheduler", "0");
  std::string address = scheduler->Address(), port = address.substr(address.rfind(':') + 1);
  auto server = node("dist_sync", "server", port), first = node("dist_async", "worker", port);
  EXPECT_FALSE(first->Join(300)) << "the other worker is not there";
  auto second = node("dist_sync", "worker", port);
  Error e = ErrorOf([&] {
    for (int i = 0; i < 200; ++i) second->Join(100);
  });
  EXPECT_EQ(e.status(), Status::kNetwork);
  EXPECT_TRUE(Has(e, "async") && Has(e, "sync")) << e.message();
}

TEST(DistStore, NobodyThere) {
  SetOption("FLEXOR_PS_RENDEZVOUS", "0.5");
  auto alone = Store::New("dist_sync", {{"role", "worker"}, {"root_port", "1"}, {"num_worker", "1"}, {"num_server", "1"}});
  Error e = ErrorOf([&] {
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!alone->Join(100) && std::chrono::steady_clock::now() < limit) {}
  });
  EXPECT_EQ(e.status(), Status::kNetwork);
  EXPECT_TRUE(Has(e, "127.0.0.1:1")) << e.message();
  SetOption("FLEXOR_PS_RENDEZVOUS", "");
}

}  // namespace
}  // namespace flx
