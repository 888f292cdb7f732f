// SPDX-License-Identifier: Apache-2.0
// What a fit does with a store: parameters begin with what the first worker gave, and each step's gradients meet there.
#pragma once
#include "fit/task.h"

namespace flx {

class Exchange {
 public:
  // on_store: the store updates weights; else it sums gradients, and each worker updates its own weights.
  Exchange(Ref<Store> store, bool on_store) : store_(std::move(store)), on_store_(on_store) {}
  bool on_store() const { return on_store_; }
  int rank() const { return store_->rank(); }
  bool Join(const Deadline& d) { return store_->Join(d.left()); }
  void Prepare(Ref<Params> params, Ref<Optimizer> optimizer);  // what has a gradient is exchanged, in layer order; the rest begins the same everywhere
  bool Begin(const Deadline& d);     // all workers have the first one's values; false: time is up
  void Gradients(int64_t samples);   // each becomes that of all workers' samples
  void Weights(int64_t samples);     // the gradients are pushed, the weights pulled
  bool Leave(const Deadline& d);     // false: time is up

 private:
  void Send(const std::vector<NDArray>& targets, int64_t samples);
  Ref<Store> store_;
  bool on_store_;
  Ref<Params> params_;
  Ref<Optimizer> optimizer_;
  bool given_ = false, begun_ = false;
  std::vector<std::string> names_;   // of what is trained
  std::vector<NDArray> weights_;
};

}  // namespace flx
