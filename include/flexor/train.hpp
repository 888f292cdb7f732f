// SPDX-License-Identifier: Apache-2.0
// flexor/train.hpp: optimizers, schedules, metrics, sources of batches; fitting, evaluating, predicting. flexor/nn.hpp has a class for each that is
// registered.
//
//   Optimizer adam("Adam", {{"learning_rate", 0.001}});
//   fit(model, loss, adam, train, valid, {{"epochs", 10}, {"metrics", "accuracy"}}, [](Task& t) { std::cout << t.progress() << "\n"; });
//   double accuracy = evaluate(model, test, {"accuracy"})["accuracy"];
#ifndef FLEXOR_TRAIN_HPP_
#define FLEXOR_TRAIN_HPP_
#include <map>

#include "flexor/model.hpp"

namespace flexor {

// The learning rate by step (updates so far).
class Schedule : public detail::Shared<flx_schedule> {
 public:
  Schedule() = default;
  explicit Schedule(const std::string& name, const Options& settings = {}) {
    require_library();
    detail::RawOptions o(settings);
    flx_schedule h = nullptr;
    check(flx_schedule_create(name.c_str(), o.keys(), o.values(), o.size(), &h));
    reset(h);
  }
  double value(int64_t step) const {
    double v = 0;
    check(flx_schedule_value(handle(), step, &v));
    return v;
  }
};

// An update rule with its state.
class Optimizer : public detail::Shared<flx_optimizer> {
 public:
  Optimizer() = default;
  explicit Optimizer(const std::string& name, const Options& settings = {}) {
    require_library();
    detail::RawOptions o(settings);
    flx_optimizer h = nullptr;
    check(flx_optimizer_create(name.c_str(), o.keys(), o.values(), o.size(), &h));
    reset(h);
  }
  static Optimizer from_bytes(const std::string& bytes) {
    require_library();
    flx_optimizer h = nullptr;
    check(flx_optimizer_from_bytes(bytes.data(), static_cast<int64_t>(bytes.size()), &h));
    Optimizer o;
    o.reset(h);
    return o;
  }
  // Its state, to go on from exactly.
  std::string to_bytes() const {
    int32_t ready = 0;
    char* b = nullptr;
    int64_t n = 0;
    check(flx_optimizer_to_bytes(handle(), -1, &ready, &b, &n));
    return detail::take_bytes(b, n);
  }
  // Updates every parameter that has a gradient attached.
  void step(const Params& params) { check(flx_optimizer_step(handle(), params.handle())); }
  // Updates one array; its state is kept under `name`.
  void update(const std::string& name, NDArray& weight, const NDArray& grad) { check(flx_optimizer_update(handle(), name.c_str(), weight.handle(), grad.handle())); }
  void set(const std::string& key, const OptionValue& value) { check(flx_optimizer_set(handle(), key.c_str(), value.text().c_str())); }
  double get(const std::string& key) const {
    double v = 0;
    check(flx_optimizer_get(handle(), key.c_str(), &v));
    return v;
  }
  Optimizer& schedule(const Schedule& s) {
    check(flx_optimizer_schedule(handle(), s.handle()));
    return *this;
  }
};

// A quality measure, accumulated.
class Metric : public detail::Shared<flx_metric> {
 public:
  Metric() = default;
  explicit Metric(const std::string& name, const Options& settings = {}) {
    require_library();
    detail::RawOptions o(settings);
    flx_metric h = nullptr;
    check(flx_metric_create(name.c_str(), o.keys(), o.values(), o.size(), &h));
    reset(h);
  }
  void update(const std::vector<NDArray>& predictions, const std::vector<NDArray>& labels) {
    auto p = detail::raw_arrays(predictions), l = detail::raw_arrays(labels);
    check(flx_metric_update(handle(), p.data(), static_cast<int32_t>(p.size()), l.data(), static_cast<int32_t>(l.size())));
  }
  // Waits. NaN if nothing was added.
  double value(int index = 0) const {
    double v = 0;
    int32_t ready = 0;
    check(flx_metric_value(handle(), index, -1, &ready, &v));
    return v;
  }
  int count() const {
    int32_t n = 0;
    check(flx_metric_count(handle(), &n));
    return n;
  }
  std::string name(int index = 0) const {
    const char* s = "";
    check(flx_metric_name(handle(), index, &s));
    return s;
  }
  void clear() { check(flx_metric_reset(handle())); }
};

// A source of batches: `while (it.next()) use(it.arrays());`, then `it.reset()` for the next epoch.
class Iter : public detail::Shared<flx_iter> {
 public:
  Iter() = default;  // none: nothing to validate on
  explicit Iter(const std::string& name, const Options& settings = {}) {
    require_library();
    detail::RawOptions o(settings);
    flx_iter h = nullptr;
    check(flx_iter_create(name.c_str(), o.keys(), o.values(), o.size(), &h));
    reset_handle(h);
  }
  // Arrays of equal first size, called `names`; settings: batch_size, shuffle, seed, last = keep, drop or pad.
  static Iter from_arrays(const std::vector<NDArray>& arrays, const std::vector<std::string>& names, const Options& settings = {}) {
    require_library();
    auto a = detail::raw_arrays(arrays);
    auto n = detail::raw_names(names);
    detail::RawOptions o(settings);
    flx_iter h = nullptr;
    check(flx_iter_from_arrays(a.data(), static_cast<int32_t>(a.size()), n.data(), static_cast<int32_t>(n.size()), o.keys(), o.values(), o.size(), &h));
    Iter it;
    it.reset_handle(h);
    return it;
  }
  // Goes on to the next batch; false at the end of the epoch.
  bool next() {
    int32_t event = FLX_PENDING;
    while (event == FLX_PENDING) check(flx_iter_next(handle(), -1, &event));
    return event == FLX_BATCH;
  }
  std::vector<NDArray> arrays() const {
    return detail::collect([&](flx_ndarray* out, int32_t capacity, int32_t* n) { return flx_iter_arrays(handle(), out, capacity, n); });
  }
  std::string name(int index) const {
    const char* s = "";
    check(flx_iter_name(handle(), index, &s));
    return s;
  }
  // Rows at the end of the batch that are only filling.
  int pad() const {
    int32_t n = 0;
    check(flx_iter_pad(handle(), &n));
    return n;
  }
  // Samples of one epoch; -1 if unknown.
  int64_t size() const {
    int64_t n = 0;
    check(flx_iter_size(handle(), &n));
    return n;
  }
  void reset() { check(flx_iter_reset(handle())); }

 private:
  void reset_handle(flx_iter h) { detail::Shared<flx_iter>::reset(h); }
};

// A RecordIO file.
class RecordFile : public detail::Shared<flx_record> {
 public:
  // access: read, write or append.
  RecordFile(const std::string& path, const std::string& access) {
    require_library();
    flx_record h = nullptr;
    check(flx_record_open(path.c_str(), access.c_str(), &h));
    reset(h);
  }
  // Nothing at the end.
  std::optional<std::string> read() {
    char* b = nullptr;
    int64_t n = 0;
    check(flx_record_read(handle(), &b, &n));
    if (!b) return std::nullopt;
    return detail::take_bytes(b, n);
  }
  // Where the record begins.
  int64_t write(const std::string& bytes) {
    int64_t offset = 0;
    check(flx_record_write(handle(), bytes.data(), static_cast<int64_t>(bytes.size()), &offset));
    return offset;
  }
  void seek(int64_t offset) { check(flx_record_seek(handle(), offset)); }
  int64_t tell() const {
    int64_t offset = 0;
    check(flx_record_tell(handle(), &offset));
    return offset;
  }
};

// ---- tasks: work that its caller drives, event by event ----------------------------------------------------------------------------------------------
enum class Event : int32_t { done = FLX_DONE, pending = FLX_PENDING, batch = FLX_BATCH, epoch = FLX_EPOCH, host = FLX_HOST };

class Task : public detail::Shared<flx_task> {
 public:
  static Task adopt(flx_task handle) {
    Task t;
    t.reset(handle);
    return t;
  }
  // Goes on until there is news, or the time is up (pending).
  Event next(int64_t timeout_ms = -1) {
    int32_t event = 0;
    check(flx_task_next(handle(), timeout_ms, &event));
    return static_cast<Event>(event);
  }
  // epoch, epochs, batch, loss, seconds, samples_per_second, or a column of the history; NaN if there is none (yet).
  double number(const std::string& field) const {
    double v = 0;
    check(flx_task_number(handle(), field.c_str(), &v));
    return v;
  }
  // The line that a terminal shows.
  std::string progress() const {
    char* t = nullptr;
    check(flx_task_text(handle(), "progress", &t));
    return detail::take_text(t);
  }
  std::vector<NDArray> arrays() const {
    return detail::collect([&](flx_ndarray* out, int32_t capacity, int32_t* n) { return flx_task_arrays(handle(), out, capacity, n); });
  }
  // Finishes this batch, keeps the model usable, and is then done.
  void stop() { check(flx_task_stop(handle())); }
  // Epochs x columns.
  NDArray history() const {
    flx_ndarray a = nullptr;
    check(flx_task_history(handle(), &a));
    return NDArray::adopt(a);
  }
  std::vector<std::string> columns() const {
    int32_t n = 0;
    check(flx_task_column_count(handle(), &n));
    std::vector<std::string> names;
    for (int32_t i = 0; i < n; ++i) {
      const char* s = "";
      check(flx_task_column_name(handle(), i, &s));
      names.emplace_back(s);
    }
    return names;
  }
  // Drives it to its end; `on_epoch` is told after each epoch and may call stop().
  template <class F> Task& run(F on_epoch) {
    for (;;) {
      Event e = next();
      if (e == Event::done) return *this;
      if (e == Event::host) {
        check(flx_task_fail(handle(), "the task wants a host function, and nobody answers for it here."));
        continue;
      }
      if (e == Event::epoch) on_epoch(*this);
    }
  }
  Task& run() {
    return run([](Task&) {});
  }
};

// Begins to fit: drive the task by next(), or let fit() do it.
inline Task start_fit(const Model& model, const Layer& loss, const Optimizer& optimizer, const Iter& train, const Iter& valid = {}, const Options& options = {}) {
  detail::RawOptions o(options);
  flx_task t = nullptr;
  check(flx_fit_start(model.handle(), loss.handle(), optimizer.handle(), train.handle(), valid.handle(), o.keys(), o.values(), o.size(), &t));
  return Task::adopt(t);
}
// Fits `model` by `loss` and `optimizer` to the batches of `train`, and returns the task with its history. Options: epochs, metrics, seed, patience ...
template <class F>
Task fit(const Model& model, const Layer& loss, const Optimizer& optimizer, const Iter& train, const Iter& valid, const Options& options, F on_epoch) {
  return start_fit(model, loss, optimizer, train, valid, options).run(on_epoch);
}
inline Task fit(const Model& model, const Layer& loss, const Optimizer& optimizer, const Iter& train, const Iter& valid = {}, const Options& options = {}) {
  return start_fit(model, loss, optimizer, train, valid, options).run();
}
// The values of `metrics` on the batches of `data`, by name.
inline std::map<std::string, double> evaluate(const Model& model, const Iter& data, const std::vector<std::string>& metrics) {
  auto names = detail::raw_names(metrics);
  flx_task h = nullptr;
  check(flx_evaluate_start(model.handle(), data.handle(), names.data(), static_cast<int32_t>(names.size()), &h));
  Task t = Task::adopt(h);
  t.run();
  std::map<std::string, double> values;
  for (auto& m : metrics) values[m] = t.number(m);
  return values;
}
// What `model` gives for the batches of `data`, put together, filling removed.
inline Outputs predict(const Model& model, const Iter& data) {
  flx_task h = nullptr;
  check(flx_predict_start(model.handle(), data.handle(), &h));
  Task t = Task::adopt(h);
  t.run();
  return t.arrays();
}

}  // namespace flexor
#endif  // FLEXOR_TRAIN_HPP_
