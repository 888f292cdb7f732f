// SPDX-License-Identifier: Apache-2.0
// A function that was traced once for each signature and runs as a plan since. Any number of threads may run it at once.
//   A signature is the shapes, dtypes and strides of its inputs, the mode, and which gradients are wanted; the last few plans are kept. What only depends on
//   fixed inputs is shared by all of them.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hybrid/pass.h"
#include "hybrid/plan_call.h"
#include "hybrid/prologue.h"
#include "hybrid/trace.h"

namespace flx {

struct HybridOptions {
  std::string passes;        // see PassSet
  bool memory = true;        // values share memory whose lives do not meet
  int64_t plans = 8;         // how many are kept
  bool fallback = false;     // what cannot be traced runs imperatively
  bool print = false;        // keep the graph before and after each pass
};
template <class D> D& AddHybridOptions(D& d) {  // to whatever has settings derived from them
  using H = HybridOptions;
  return d.attr(&H::passes, "passes", "Which passes run: empty for the defaults, `none`, names (`fuse, merge`: these alone), or names with a sign (`-fuse`: the defaults without it).")
      .attr(&H::memory, "memory", "Values whose lives do not meet share memory, and results lie in dying inputs.")
      .attr(&H::plans, "plans", "How many plans are kept, one for each signature: shapes, dtypes, mode, wanted gradients.").at_least(1)
      .attr(&H::fallback, "fallback", "What cannot be traced runs imperatively, instead of an error that names the operator.")
      .attr(&H::print, "print", "Keep the graph as text before and after each pass.");
}

class CachedGraph final : public Object {
 public:
  // fixed: by input, whether it changes seldom (a parameter). Inputs beyond the list are not.
  CachedGraph(std::string name, TraceFunction f, std::vector<bool> fixed, HybridOptions options = {});
  ~CachedGraph() override;
  // mode: kRecord, kTrain. Results share no memory with the inputs.
  std::vector<NDArray> Run(int mode, const std::vector<NDArray>& in) const;
  // A training step: the results, then the gradients of the mean of the first one with respect to the inputs that are `wanted`. Nothing is recorded.
  // into: by input, an array that its gradient is written into, or null; it shares memory with no input.
  std::vector<NDArray> Step(const std::vector<NDArray>& in, const std::vector<bool>& wanted, const std::vector<Array*>& into = {}) const;
  // For the last plan run: `graph` (after the passes), `plan` (steps and places), `passes` (what each did), `print` (the graph before and after each pass),
  // `memory`, `signatures`, `prologue`; `svg` and `dot`, a picture of the graph. Before the first run only `signatures` says something.
  std::string Text(std::string_view field) const;
  static std::vector<std::string> Fields();
  const std::string& name() const { return name_; }

 private:
  struct Planned;
  struct Signature;
  class Function;
  std::shared_ptr<const Planned> PlannedFor(const std::vector<NDArray>& in, int kind, bool step, const std::vector<bool>& wanted) const;
  std::shared_ptr<const Planned> Prepare(Signature s) const;
  std::vector<NDArray> Imperatively(int mode, const std::vector<NDArray>& in) const;
  const std::string name_;
  const TraceFunction trace_;
  const std::vector<bool> fixed_;
  const HybridOptions options_;
  const PassSet passes_;
  mutable KeptValues kept_;
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<const Planned>> planned_;  // the one used last in front
  mutable std::atomic<bool> imperative_{false};                   // a trace failed, and fallback is on
  mutable std::atomic<int64_t> traced_{0};
};

}  // namespace flx
