// SPDX-License-Identifier: Apache-2.0
// An Ir made ready to run: kernel calls in order, with places for all their arrays. Immutable; any number of runs may be under way at once.
//   Where a value lies: in the memory of an input, of an output (made for the run; outputs share memory with nothing), in the arena, or it is a constant. What is
//   only a view of another value (a reshape) has its place there and no step.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hybrid/ir.h"

namespace flx {

class PlanGraphs;
enum PlanPart : int { kForward = 1, kBackward = 2 };  // bits: a run may do both

class Plan final : public Object {
 public:
  // reuse: values whose lives do not meet share memory, and a result lies in its dying input where the operator allows that. Without it every value has a
  // place of its own.
  explicit Plan(Ir ir, bool reuse = true);
  ~Plan() override;
  const Ir& ir() const { return ir_; }
  const Device* device() const { return ir_.device; }
  int steps() const { return int(steps_.size()); }
  int64_t arena_bytes() const { return arena_bytes_; }
  int64_t value_bytes() const { return value_bytes_; }  // of what lies in the arena, were nothing reused
  double estimate_us(int parts) const;                  // what a run takes: guessed from shapes, and corrected by what was measured
  void Measured(int parts, double us) const;
  // External arrays: inputs, then outputs.
  bool reads(int parts, int input) const { return (external_parts_[size_t(input)] & parts) != 0; }
  bool uses_output(int parts, int output) const { return (external_parts_[ir_.inputs.size() + size_t(output)] & parts) != 0; }
  bool writes(int part, int output) const { return (size_t(output) < ir_.results ? kForward : kBackward) & part; }
  bool updates(int input) const { return updated_[size_t(input)] != 0; }
  Writer update_writer(int input) const { return updated_[size_t(input)]; }
  Writer writer(int output) const { return writers_[size_t(output)]; }
  PlanGraphs& graphs() const { return *graphs_; }       // on a device
  std::string Print() const;                            // steps with the places of their arrays

  // What one run works with: taken from the plan and given back. Its arena lives from the first part that runs to the end of the last, or until FreeArena;
  // on a device it is the caller's (UseArena), and Execute, inside a DeviceWork, issues the steps.
  struct State;
  State* Take() const;
  void Give(State* s) const noexcept;                   // with its arena, if it has one
  void FreeArena(State* s) const noexcept;
  void UseArena(State* s, void* arena) const noexcept;
  void* SaveArena(const State* s) const;                // a copy, for RestoreArena, which frees it
  void RestoreArena(State* s, void* saved) const noexcept;
  // bases: first bytes of the external arrays (null: not used). `first`: the first of the run's tickets. Throws what kernels throw, with the node's name.
  void Execute(State* s, int parts, void* const* bases, Ticket first) const;

 private:
  struct Step {
    enum Kind : int8_t { kLoop, kElementwise, kKernel } kind = kKernel;
    const IrNode* node = nullptr;
    TileFn loop = nullptr;                       // kLoop: over n elements
    int64_t n = 0;
    double scalars[8] = {};
    int32_t in = 0, nin = 0, out = 0, nout = 0;  // places in the list of views
  };
  class Maker;
  void RunStep(const Step& s, State* state, Ticket first) const;
  void ExecuteProfiled(State* s, int32_t from, int32_t to, Ticket first) const;
  const Ir ir_;
  std::vector<std::unique_ptr<const IrNode>> copies_;              // that the plan put in
  std::vector<Step> steps_;
  int32_t forward_steps_ = 0;
  std::vector<TensorView> views_;                                  // by step and port; without addresses, but for constants
  struct Bind { int32_t view; int64_t offset; };
  std::vector<Bind> arena_binds_;
  std::vector<std::vector<Bind>> external_binds_;
  std::vector<uint8_t> external_parts_;                            // by external: in which parts it is used
  std::vector<Writer> updated_, writers_;                          // by input (0: not updated); by output
  int64_t arena_bytes_ = 0, value_bytes_ = 0;
  double guess_us_[2] = {0, 0};
  mutable std::atomic<float> ratio_[4] = {};
  mutable std::mutex mutex_;
  mutable std::vector<State*> free_;
  std::unique_ptr<PlanGraphs> graphs_;                             // on a device
};

}  // namespace flx
