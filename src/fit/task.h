// SPDX-License-Identifier: Apache-2.0
// Work that its caller drives: each Next goes on until there is news or the time is up. The C ABI's flx_task is this class; its mutex is held by the
// ABI for the length of a call (but for Stop, which any thread may call).
//   Where the host's own code is wanted (a function's outputs or gradient, a batch, a metric's value), the work asks and stops: Next says kHost, again and
//   again, until a reply, a failure, or Stop. A wrong reply is an error of Reply, and the answer is wanted still. A stopped task asks nothing more; what it
//   was at, a batch or a run, is given up.
#pragma once
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/ref.h"
#include "fit/files.h"
#include "fit/model.h"
#include "io/iter.h"
#include "kvstore/store.h"
#include "tensor/array.h"
#include "train/all.h"

namespace flx {

enum class Event : int32_t { kDone = 0, kPending = 1, kBatch = 2, kEpoch = 3, kHost = 4 };  // the ABI's numbers

class Deadline {
 public:
  explicit Deadline(int64_t timeout_ms) : limit_(timeout_ms), end_(DeadlineAfter(timeout_ms)) {}
  int64_t left() const {  // as a timeout: -1 without limit
    if (limit_ < 0) return -1;
    return std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count());
  }
  bool over() const { return limit_ >= 0 && Clock::now() >= end_; }

 private:
  using Clock = std::chrono::steady_clock;
  int64_t limit_;
  Clock::time_point end_;
};

// What the host is asked for.
struct HostAsk {
  const char* what = "";         // forward, backward, batch or metric
  int64_t token = -1;
  std::vector<NDArray> arrays;   // for the function to read
  std::function<void(const std::vector<NDArray>&)> answer;  // throws what is wrong with a reply
  bool first = false;            // of a batch: it begins an epoch
};

class Task : public LockedObject {
 public:
  Task() : LockedObject(Kind::kTask) {}
  Event Next(int64_t timeout_ms);                          // <0: no limit. Throws what went wrong in the work, and again if called again.
  virtual double Number(std::string_view field) const;     // NaN if there is none (yet); first, and what the task has
  virtual std::string Text(std::string_view field) const;  // progress, host, label; a name error for others
  int64_t token() const { return ask_ ? ask_->token : -1; }  // of the host function wanted
  std::vector<NDArray> arrays() const { return ask_ ? ask_->arrays : Results(); }  // a host function's inputs at kHost; the results when done
  void Reply(const std::vector<NDArray>& arrays);          // state error unless a host function is wanted
  void FailHost(const std::string& message);
  virtual NDArray History() const;                         // float64, epochs x columns; state error where there is none
  virtual std::vector<std::string> columns() const { return {}; }
  virtual void SetStore(Ref<Store> store);                 // before the first Next; an argument error where nothing is fitted
  void Stop() { stop_.store(true, std::memory_order_relaxed); }

 protected:
  virtual Event Go(const Deadline& d) = 0;                 // kHost is Ask's
  virtual void Broken() {}                                 // it threw: what it holds of others is let go
  virtual std::vector<NDArray> Results() const { return {}; }
  Event Ask(HostAsk ask);
  bool stopped() const { return stop_.load(std::memory_order_relaxed); }

 private:
  void NeedAsk() const;
  std::unique_ptr<HostAsk> ask_;
  std::exception_ptr error_;
  std::atomic<bool> stop_{false};
};

// options: docs/fit.md has the table.
const Registered& FitOptionsEntry();  // names, docs, ranges
Ref<Task> StartFit(Ref<Model> model, Ref<Layer> loss, Ref<Optimizer> optimizer, Ref<Iter> train, Ref<Iter> valid, const Settings& options);
Ref<Task> StartEvaluate(Ref<Model> model, Ref<Iter> data, const std::vector<std::string>& metrics);
Ref<Task> StartPredict(Ref<Model> model, Ref<Iter> data);

}  // namespace flx
