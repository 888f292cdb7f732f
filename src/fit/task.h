// SPDX-License-Identifier: Apache-2.0
// Work that its caller drives: each Next goes on until there is news or the time is up. The C ABI's flx_task is this class; its mutex is held by the
// ABI for the length of a call (but for Stop, which any thread may call).
#pragma once
#include <atomic>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/ref.h"
#include "fit/files.h"
#include "fit/model.h"
#include "io/iter.h"
#include "tensor/array.h"
#include "train/all.h"

namespace flx {

enum class Event : int32_t { kDone = 0, kPending = 1, kBatch = 2, kEpoch = 3, kHost = 4 };  // the ABI's numbers

class Task : public LockedObject {
 public:
  Task() : LockedObject(Kind::kTask) {}
  virtual Event Next(int64_t timeout_ms) = 0;              // <0: no limit. Throws what went wrong in the work, and again if called again.
  virtual double Number(std::string_view field) const = 0; // NaN if there is none (yet)
  virtual std::string Text(std::string_view field) const;  // progress; a name error for others
  virtual int64_t token() const { return -1; }             // of the host function wanted
  virtual std::vector<NDArray> arrays() const { return {}; }  // a host function's inputs at kHost; the results when done
  virtual void Reply(const std::vector<NDArray>& arrays);  // state error unless a host function is wanted
  virtual void FailHost(std::string message);
  virtual NDArray History() const;                         // float64, epochs x columns; state error where there is none
  virtual std::vector<std::string> columns() const { return {}; }
  void Stop() { stop_.store(true, std::memory_order_relaxed); }

 protected:
  bool stopped() const { return stop_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> stop_{false};
};

// options: docs/fit.md has the table.
const Registered& FitOptionsEntry();  // names, docs, ranges
Ref<Task> StartFit(Ref<Model> model, Ref<Layer> loss, Ref<Optimizer> optimizer, Ref<Iter> train, Ref<Iter> valid, const Settings& options);
Ref<Task> StartEvaluate(Ref<Model> model, Ref<Iter> data, const std::vector<std::string>& metrics);
Ref<Task> StartPredict(Ref<Model> model, Ref<Iter> data);

}  // namespace flx
