// SPDX-License-Identifier: Apache-2.0
// Metrics. Updates add up in small arrays, by operators: nothing waits. The numbers are read when a value is asked for.
#pragma once
#include "base/ref.h"
#include "base/registry.h"
#include "exec/invoke.h"

namespace flx {

// One (prediction, label) pair at work. Add() adds to sum number i, from an array of one element or a number known at once.
class MetricUpdate {
 public:
  MetricUpdate(Builder& builder, Val p, Val l, int nsums) : b(builder), pred(p), label(l), arrays(size_t(nsums)), numbers(size_t(nsums)) {}
  Builder& b;
  Val pred, label;  // label: empty for metrics that need none
  void Add(int i, Val v) { arrays[size_t(i)] = flx::Add(arrays[size_t(i)], CastTo(v, DType::kFloat64)); }
  void Add(int i, double v) { numbers[size_t(i)] += v; }
  Val Op(const char* op, const std::vector<Val>& in, const flx::Options& o = {}) const { return CallOp(op, in, o, &b); }
  std::vector<Val> arrays;
  std::vector<double> numbers;
};
struct MetricDef : Registered {
  const char* value_name = nullptr;                          // as in a history's column
  std::string (*value_name_of)(const void* settings) = nullptr;  // where it depends on the settings
  bool needs_label = true, composite = false, host = false;  // host: a task asks the host for its values (Metric::asks)
  int sums = 2, digits = 4;                                  // digits: after the point, in a progress line
  void (*update)(const void* settings, MetricUpdate* u) = nullptr;
  double (*value)(const void* settings, const double* sums) = nullptr;
};
const Registry<MetricDef>& Metrics();

class Metric final : public LockedObject {
 public:
  static Ref<Metric> New(std::string_view name, const Settings& settings = {});
  static Ref<Metric> Parse(std::string_view text);  // "TopKAccuracy(top_k=5)"
  // but_host: those that the host computes are left out; else one of them is kUnsupported.
  void Update(const std::vector<NDArray>& labels, const std::vector<NDArray>& preds, bool but_host = false);
  int count() const { return int(parts_.size()); }
  // The host's function that computes value i of a batch; -1: none.
  int64_t asks(int i) const;
  void Give(int i, const NDArray& mean, int64_t rows);  // its answer, one number: the mean over a batch of so many rows
  std::vector<std::string> names() const;  // of the values
  int digits(int i) const { return part(i).def->digits; }
  // False: time is up (<0: no limit, 0: poll). Nan before the first update.
  bool Value(int i, int64_t timeout_ms, double* value) const;
  void Reset();

 private:
  struct Part {
    const MetricDef* def;
    Attrs settings;
    std::string name;
    std::vector<NDArray> arrays;   // float64 scalars; null: nothing was added
    std::vector<double> numbers;
  };
  Metric() : LockedObject(Kind::kMetric) {}
  void AddPart(std::string_view name, const Settings& settings);
  const Part& part(int i) const;
  std::vector<Part> parts_;
};

}  // namespace flx
