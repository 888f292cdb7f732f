// SPDX-License-Identifier: Apache-2.0
// Optimizers: a rule, its settings, and for each parameter (by name) its states and how often it was updated.
//   Rules: gradients are those of a mean loss, so rescale_grad is 1. Weights change in place. Steps count from 1; a schedule is asked at that count.
#pragma once
#include <map>
#include <optional>

#include "exec/invoke.h"
#include "train/params.h"
#include "train/schedule.h"

namespace flx {

struct OptimizerSettings {
  double learning_rate = 0.01, wd = 0, rescale_grad = 1;
  std::optional<double> clip_gradient;
  bool ignore_stale = false, multi_precision = false;
};

// A rule made of one update operator: weight, grad, states... in its order; `options` are its attributes but lr, wd, t and the common ones.
struct UpdateRule {
  const char* op;
  int states = 0;
  Settings options;
};
// A rule made of ordinary operators on values.
struct ComposedUpdate {
  Builder& b;
  Val w, g;               // g is scaled, and clipped unless the rule asks for it later
  std::vector<Val> s;     // states; the rule replaces w and s
  double lr, wd;
  int64_t t;
  std::optional<double> clip;
  Val Clip(Val v) const;
  Val Op(const char* op, const std::vector<Val>& in, const flx::Options& o = {}) const { return CallOp(op, in, o, &b); }
};
struct OptimizerDef : Registered {
  UpdateRule (*rule)(const void* settings) = nullptr;
  double (*rate)(const void* settings, double lr, int64_t t) = nullptr;  // a correction of the rate that depends on the step
  void (*compose)(const void* settings, ComposedUpdate* u) = nullptr;    // in place of `rule`
  int composed_states = 0;
};
const Registry<OptimizerDef>& Optimizers();
void AddOperatorOptimizers(std::vector<OptimizerDef>* all);
void AddComposedOptimizers(std::vector<OptimizerDef>* all);

class Optimizer final : public LockedObject {
 public:
  static Ref<Optimizer> New(std::string_view name, const Settings& settings = {});
  const OptimizerDef& def;
  // One step for one parameter. `name` tells whose states they are.
  void Update(const std::string& name, const NDArray& weight, const NDArray& grad);
  // One parameter's part.
  struct Slot {
    int64_t count = 0, seen = -1;      // updates; how often the gradient had been stored at the last
    std::vector<NDArray> states;
    NDArray master;                    // the weight in float32, with multi_precision
  };
  // The same with a slot of the caller's, whose count says which step it is. Several threads may call it at once, with slots of their own.
  void UpdateSlot(const std::string& name, Slot* slot, const NDArray& weight, const NDArray& grad) const { Advance(name, slot, weight, grad, slot->count + 1); }
  // One step for every parameter with a gradient attached. One whose gradient was not renewed since the last step is an error, or with ignore_stale
  // left alone.
  void Step(const Params& params);
  // A setting of the optimizer, or `<parameter>.lr_mult`, `<parameter>.wd_mult`.
  void Set(std::string_view key, std::string_view value);
  double Get(std::string_view key) const;  // also `step`: updates made so far, and `rate`: the next step's learning rate
  void SetSchedule(Ref<Schedule> s) { schedule_ = std::move(s); }
  void CountStep(int64_t steps = 1) { step_ += steps; }  // made elsewhere: schedules go on; or undone there, if below 0
  // How many steps the training will have, for schedules that end with it. 0: unknown.
  void SetLength(int64_t steps) { length_ = steps; }
  // All there is to go on from: what a file or another process needs.
  struct State {
    std::map<std::string, std::string> text;
    std::vector<std::pair<std::string, NDArray>> arrays;
  };
  State Save() const;
  static Ref<Optimizer> Restore(const State& state);
  // The counts, states and multipliers of `state`; the settings stay. The optimizer must be of the same kind.
  void Load(const State& state);

 private:
  Optimizer(const OptimizerDef& d, Attrs s);
  void Prepare();
  const OptimizerSettings& common() const { return *static_cast<const OptimizerSettings*>(settings_.get()); }
  double RateAt(int64_t step) const;
  void Advance(const std::string& name, Slot* slot, const NDArray& weight, const NDArray& grad, int64_t step) const;
  void Apply(Slot* slot, const NDArray& weight, const NDArray& grad, double lr, double wd) const;

  Attrs settings_;
  UpdateRule rule_{};
  Ref<Call> call_;                                  // of the rule, with all but the runtime values
  std::vector<std::pair<std::string, double>> runtime_;  // the operator's runtime attributes, with their values as prepared
  Ref<Schedule> schedule_;
  int64_t length_ = 0, step_ = 0;
  std::map<std::string, Slot, std::less<>> slots_;
  std::map<std::string, double, std::less<>> multipliers_;  // "0.weight.lr_mult"
};

}  // namespace flx
