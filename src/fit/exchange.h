// SPDX-License-Identifier: Apache-2.0
// What a fit does with a store: parameters begin with what the first worker gave, and each step's gradients meet there. Of a job it asks for checkpoints, and takes the weights
// again when the job went back to one.
#pragma once
#include "fit/task.h"

namespace flx {

class Exchange {
 public:
  // on_store: the store updates weights; else it sums gradients, and each worker updates its own weights.
  Exchange(Ref<Store> store, bool on_store) : store_(std::move(store)), on_store_(on_store) {}
  bool on_store() const { return on_store_; }
  bool distributed() const { return store_->distributed(); }
  bool synchronous() const { return store_->synchronous(); }
  int rank() const { return store_->rank(); }
  bool Join(const Deadline& d) { return store_->Join(d.left()); }
  void Prepare(Ref<Params> params, Ref<Optimizer> optimizer);  // what has a gradient is exchanged, in layer order; the rest begins the same everywhere
  bool Begin(const Deadline& d);     // all workers have the first one's values; false: time is up
  void Gradients(int64_t samples);   // each becomes that of all workers' samples
  void Weights(int64_t samples);     // the gradients are pushed, the weights pulled
  bool Leave(const Deadline& d);     // false: time is up

  bool Cut(const Deadline& d);       // begins a checkpoint of the job, once the one before it has ended; false: time is up. One that fails is a line of the log
  int64_t CutStep() const;           // the step after which the last complete checkpoint was made, as Step counts
  bool Recover();                    // after Status::kRolledBack: whether the job had gone back. What was under way is given up
  bool begun() const { return begun_; }
  void PullWeights();
  bool Pulled(const Deadline& d);    // false: time is up
  int64_t Step() const;              // in a synchronous job: how many steps of this fit the weights that were pulled have had

 private:
  bool EndCut(const Deadline& d);
  void Send(const std::vector<NDArray>& grads, const std::vector<NDArray>& targets, int64_t samples);
  std::vector<NDArray> Grads() const;
  std::vector<NDArray> Bare() const;  // the weights, without being a step of the tape
  Ref<Store> store_;
  bool on_store_;
  Ref<Params> params_;
  Ref<Optimizer> optimizer_;
  bool given_ = false, pulling_ = false, begun_ = false, cutting_ = false;
  int64_t base_ = 0;                 // the round of the keys when this worker began
  std::vector<NDArray> pulled_;      // under way
  std::vector<std::string> names_;   // of what is trained
  std::vector<NDArray> weights_;
};

}  // namespace flx
