// SPDX-License-Identifier: Apache-2.0
// What bytes mean to a server: tensors. Sums in rank order, means weighted by samples, steps of a registered optimizer, slice by slice. The same bits on every CPU: elements by
// themselves, no contraction (FlexorOptions.cmake), so that copies on different machines stay equal.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "ps/server.h"
#include "tensor/shape.h"
#include "train/optimizer.h"

namespace flx {

// A key's meta: how pushes are put together, and the shape, as text ("mean (3, 2)").
std::string KeyMeta(ps::Aggregate aggregate, const Shape& shape);
ps::Aggregate AggregateOf(std::string_view meta);

// An optimizer on its way to the servers: name, settings, schedule as text; no states.
std::string PackState(const Optimizer::State& state);
Optimizer::State UnpackState(std::string_view text);  // kFormat errors

// `out` has room for `n` elements of `dtype`. One contribution is given back as it is; with no samples at all each counts alike.
void ReduceInOrder(DType dtype, ps::Aggregate aggregate, const std::vector<ps::Contribution>& in_rank_order, int64_t n, void* out);

class TensorReducer final : public ps::Reducer {
 public:
  static constexpr const char *kOptimizer = "optimizer", *kSetting = "setting";  // names for Configure
  ps::Buffer Reduce(const ps::Slice& slice, const std::vector<ps::Contribution>& in_rank_order, ps::Aggregate aggregate) override;
  ps::Stored Apply(const ps::Slice& slice, const ps::Stored& stored, const ps::Buffer& reduced) override;
  void Configure(const std::string& name, const std::string& text) override;

 private:
  Ref<Optimizer> current();
  std::mutex mutex_;
  Ref<Optimizer> optimizer_;  // never changed once it is here, but replaced: others are at work with it
};

}  // namespace flx
