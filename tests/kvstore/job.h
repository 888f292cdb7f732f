// SPDX-License-Identifier: Apache-2.0
// A job whose nodes are all in the test's process: each has its own sockets and threads, as if it had a process of its own.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "base/config.h"
#include "helpers.h"
#include "store_helpers.h"

namespace flx::kvstore_tests {

// All of a job. What waits for several nodes is polled, one after the other.
struct Job {
  std::vector<Ref<Store>> workers, servers;
  Ref<Store> scheduler;
  std::function<Ref<Store>(const char* role, const std::string& port, const Settings& own)> node;
  std::string port;
  Job(int nworkers, int nservers, const Settings& more = {}, const char* kind = "dist_sync", const Settings& ofworkers = {}, const char* heartbeat = "10") {
    Settings s = {{"root_uri", "127.0.0.1"}, {"num_worker", Text(nworkers)}, {"num_server", Text(nservers)}};
    s.insert(s.end(), more.begin(), more.end());
    SetOption("FLEXOR_PS_HEARTBEAT", heartbeat);  // 10: a busy machine is not silence
    node = [s, kind](const char* role, const std::string& port, const Settings& own) {
      Settings all = s;
      all.emplace_back("role", role), all.emplace_back("root_port", port);
      all.insert(all.end(), own.begin(), own.end());
      return Store::New(kind, all);
    };
    scheduler = node("scheduler", "0", {});
    std::string address = scheduler->Address();
    port = address.substr(address.rfind(':') + 1);
    for (int i = 0; i < nservers; ++i) AddServer();
    for (int i = 0; i < nworkers; ++i) workers.push_back(node("worker", port, ofworkers));
    All([](Store& w) { return w.Join(1); });
    std::sort(workers.begin(), workers.end(), [](auto& a, auto& b) { return a->rank() < b->rank(); });
  }
  template <class F> void All(F done) {
    std::vector<Ref<Store>> waiting = workers;
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!waiting.empty() && std::chrono::steady_clock::now() < limit)
      for (size_t i = waiting.size(); i-- > 0;)
        if (done(*waiting[i])) waiting.erase(waiting.begin() + int64_t(i));
    ASSERT_TRUE(waiting.empty()) << waiting[0]->Describe();
  }
  const Ref<Store>& AddServer() {
    servers.push_back(node("server", port, {}));
    return servers.back();
  }
  void Barrier() {
    All([](Store& w) { return w.Barrier(1); });
  }
  void Finish() {
    All([](Store& w) { return w.Finish(1); });
    for (auto& s : servers) EXPECT_TRUE(s->Serve(20000));
    EXPECT_TRUE(scheduler->Serve(20000));
  }
};

// `seen`: each event but kPending, before the fit goes on. noisy: with dropout and batch normalization.
inline Ref<Params> FitParams(Ref<Store> store, int part, int parts, const Settings& more, bool noisy = false, const std::function<void(Task&, Event)>& seen = {}) {
  fit_tests::Data d = fit_tests::Spirals(96, 1), mine;
  for (int64_t i = part; i < d.n; i += parts) mine.x.insert(mine.x.end(), {d.x[size_t(2 * i)], d.x[size_t(2 * i + 1)]}), mine.y.push_back(d.y[size_t(i)]), ++mine.n;
  Settings options = {{"epochs", "3"}, {"seed", "5"}};
  options.insert(options.end(), more.begin(), more.end());
  auto model = Make<Model>(fit_tests::Mlp(noisy), nullptr);
  auto task = StartFit(model, fit_tests::CrossEntropy(), Optimizer::New("Adam", {{"learning_rate", "0.02"}}), fit_tests::IterOf(mine, {{"batch_size", Text(32 / parts)}}), nullptr, options);
  if (store) task->SetStore(store);
  for (Event e = Event::kPending; e != Event::kDone;) {
    e = task->Next(1);
    if (seen && e != Event::kPending) seen(*task, e);
  }
  return model->params();
}
inline std::string FitBits(Ref<Store> store, int part, int parts, const Settings& more, bool noisy = false, const std::function<void(Task&, Event)>& seen = {}) {
  return fit_tests::Bits(*FitParams(std::move(store), part, parts, more, noisy, seen));
}

}  // namespace flx::kvstore_tests
