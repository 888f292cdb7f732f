// SPDX-License-Identifier: Apache-2.0
// What the tasks share: batches split into data and labels, and a bound on how far the host runs ahead of the engine.
#pragma once
#include <deque>

#include "fit/task.h"

namespace flx {

struct Batch {
  std::vector<NDArray> data, labels;
  int64_t rows = 0;
  void MoveTo(const Device* device);  // copies what is elsewhere; null: the CPU
};
bool IsLabelName(std::string_view name);  // label..., or ...label as in softmax_label

// An iterator under a task: locked while it is used, its filling rows cut off.
class BatchSource {
 public:
  explicit BatchSource(Ref<Iter> iter) : iter_(std::move(iter)) {}
  explicit operator bool() const { return bool(iter_); }
  void Begin(int64_t epoch);
  bool Ready(int64_t timeout_ms) const;
  // What the host must be asked before Next; null: nothing.
  std::unique_ptr<HostAsk> Wanted() const;
  bool Next(Batch* batch);           // false: the epoch is over
  int64_t batches() const;           // in an epoch; 0: unknown

 private:
  Ref<Iter> iter_;
};

// Arrays of the last batches: no more than two batches may be under way.
class RunAhead {
 public:
  void Add(NDArray a) { arrays_.push_back(std::move(a)); }
  bool Wait(const Deadline& d) {  // for room for one more; false: time is up
    while (arrays_.size() >= 2) {
      if (!WaitToRead(*arrays_.front(), d.left())) return false;
      arrays_.pop_front();
    }
    return true;
  }
  void Clear() { arrays_.clear(); }

 private:
  std::deque<NDArray> arrays_;
};

// A mean that adds up on the device.
class RunningMean {
 public:
  void Add(const NDArray& values);  // all elements
  bool Read(const Deadline& d, double* mean) const;
  void Reset() { sum_ = nullptr, count_ = 0; }

 private:
  NDArray sum_;
  int64_t count_ = 0;
};

// Labels as metrics see them: one for each output. What a loss takes beside them (sample weights) is its own.
std::vector<NDArray> ScoredLabels(const std::vector<NDArray>& labels, size_t outputs);
// The next value, from *at on, that the host must compute for this batch: null, and *at the number of values, if there is none. The answer moves *at on.
std::unique_ptr<HostAsk> WantedMetric(Metric* metrics, int* at, const Batch& batch, const std::vector<NDArray>& outputs);
Ref<Metric> MakeMetrics(std::string_view names);   // "" gives one without values
std::string NumberText(double v, int digits);      // for a progress line: large and small numbers keep their leading digits

}  // namespace flx
