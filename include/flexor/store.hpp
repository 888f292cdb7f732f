// SPDX-License-Identifier: Apache-2.0
// flexor/store.hpp: arrays by key, of this process or of a job of several.
//   int main() {
//     flexor::Store store("dist_sync");                       // flexor-launch -n 4 -s 2 ./train
//     if (store.role() != "worker") return store.serve(), 0;
//     ... fit(model, loss, adam, my_share, valid, {{"epochs", 10}}, store);
#ifndef FLEXOR_STORE_HPP_
#define FLEXOR_STORE_HPP_
#include <string>
#include <vector>

#include "flexor/base.hpp"
#include "flexor/ndarray.hpp"
#include "flexor/train.hpp"

namespace flexor {

class Store : public detail::Shared<flx_store> {
 public:
  // local, dist_sync, dist_async or dist_stale; of a job, a worker waits here until everybody is there (docs/distributed.md).
  explicit Store(const std::string& kind = "local", const Options& settings = {}) {
    require_library();
    detail::RawOptions o(settings);
    flx_store h = nullptr;
    check(flx_store_create(kind.c_str(), o.keys(), o.values(), o.size(), &h));
    reset(h);
    if (role() == "worker") wait([&](int32_t* ready) { return flx_store_join(handle(), -1, ready); });
  }
  std::string kind() const { return text("kind"); }
  std::string role() const { return text("role"); }  // worker, server or scheduler
  std::string view() const { return text("view"); }  // for people: who belongs to the job, and who waits for whom
  int rank() const { return static_cast<int>(number("rank")); }
  int workers() const { return static_cast<int>(number("workers")); }
  double number(const std::string& field) const {
    double v = 0;
    check(flx_store_number(handle(), field.c_str(), &v));
    return v;
  }
  std::string text(const std::string& field) const {
    char* t = nullptr;
    check(flx_store_text(handle(), field.c_str(), &t));
    return detail::take_text(t);
  }
  // One array for each key. A key that is there already keeps its value.
  void init(const std::vector<std::string>& keys, const std::vector<NDArray>& values) const {
    auto n = detail::raw_names(keys);
    auto a = detail::raw_arrays(values);
    check(flx_store_init(handle(), n.data(), count(n), a.data(), count(a)));
  }
  // Arrays of a key that is named several times are summed. Nothing waits here, nor in pull.
  void push(const std::vector<std::string>& keys, const std::vector<NDArray>& values, int64_t samples = 1, int priority = 0) const {
    auto n = detail::raw_names(keys);
    auto a = detail::raw_arrays(values);
    check(flx_store_push(handle(), n.data(), count(n), a.data(), count(a), samples, priority));
  }
  void pull(const std::vector<std::string>& keys, const std::vector<NDArray>& targets, int priority = 0) const {
    auto n = detail::raw_names(keys);
    auto t = detail::raw_arrays(targets);
    check(flx_store_pull(handle(), n.data(), count(n), t.data(), count(t), priority));
  }
  void push_pull(const std::vector<std::string>& keys, const std::vector<NDArray>& values, const std::vector<NDArray>& targets, int64_t samples = 1, int priority = 0) const {
    auto n = detail::raw_names(keys);
    auto a = detail::raw_arrays(values), t = detail::raw_arrays(targets);
    check(flx_store_push_pull(handle(), n.data(), count(n), a.data(), count(a), t.data(), count(t), samples, priority));
  }
  // What is pushed from now on is a gradient, and the store updates its values. In a job every worker calls it, and then barrier().
  void set_optimizer(const Optimizer& optimizer) const { check(flx_store_optimizer(handle(), optimizer.handle())); }
  void set(const std::string& setting, const std::string& value) const { check(flx_store_set(handle(), setting.c_str(), value.c_str())); }
  // Until every worker has come here.
  void barrier() const {
    wait([&](int32_t* ready) { return flx_store_barrier(handle(), -1, ready); });
  }
  // The servers write what they hold to their disks, as of what this worker has pushed so far (FLEXOR_PS_CHECKPOINT). Its round.
  int64_t checkpoint() const {
    wait([&](int32_t* ready) { return flx_store_checkpoint(handle(), -1, ready); });
    return static_cast<int64_t>(number("checkpoint_round"));
  }
  // After a RolledBackError: calls count again, and what is pulled is the checkpoint's. Its round; -1: the job did not go back.
  int64_t recover() const {
    int64_t round = -1;
    check(flx_store_recover(handle(), &round));
    return round;
  }
  // Leaves the job in good order; a fit does it at its end.
  void finish() const {
    wait([&](int32_t* ready) { return flx_store_finish(handle(), -1, ready); });
  }
  // What a server or scheduler does, until the job is over; a worker has nothing to serve.
  void serve() const {
    int32_t event = FLX_PENDING;
    while (event != FLX_DONE) check(flx_store_serve(handle(), -1, &event));
  }

 private:
  template <class T> static int32_t count(const T& list) { return static_cast<int32_t>(list.size()); }
  template <class F> static void wait(F call) {
    int32_t ready = 0;
    while (!ready) check(call(&ready));
  }
};

// Fits as one of the workers of `store`: `train` gives its share of the batches, and each step is that of all workers' batches together.
template <class F>
Task fit(const Model& model, const Layer& loss, const Optimizer& optimizer, const Iter& train, const Iter& valid, const Options& options, const Store& store, F on_epoch) {
  Task t = start_fit(model, loss, optimizer, train, valid, options);
  check(flx_fit_store(t.handle(), store.handle()));
  return t.run(on_epoch);
}
inline Task fit(const Model& model, const Layer& loss, const Optimizer& optimizer, const Iter& train, const Iter& valid, const Options& options, const Store& store) {
  return fit(model, loss, optimizer, train, valid, options, store, [](Task&) {});
}

}  // namespace flexor
#endif  // FLEXOR_STORE_HPP_
