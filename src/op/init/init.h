// SPDX-License-Identifier: Apache-2.0
// Attributes and kernel keys of the operators that make arrays from nothing.
#pragma once
#include <optional>
#include <string>

#include "op/op.h"

namespace flx {
struct ShapedAttrs { Ints shape; std::string ctx; DType dtype = DType::kFloat32; };
struct FullAttrs : ShapedAttrs { double value = 0; };
struct ArangeAttrs {
  double start = 0;
  std::optional<double> stop;
  double step = 1;
  int64_t repeat = 1;
  bool infer_range = false;
  std::string ctx;
  DType dtype = DType::kFloat32;
};
struct LinspaceAttrs { double start = 0, stop = 0; int64_t num = 0; bool endpoint = true; std::string ctx; DType dtype = DType::kFloat32; };
struct EyeAttrs { int64_t N = 0, M = 0, k = 0; std::string ctx; DType dtype = DType::kFloat32; };
struct ArangeLikeAttrs { double start = 0, step = 1; int64_t repeat = 1; std::string ctx; std::optional<int64_t> axis; };

template <class A> using MakeFn = void(KernelContext&, const A&, TensorView& y);
template <class A> using LikeFn = void(KernelContext&, const A&, const TensorView& x, TensorView& y);
struct ZerosKernel { using Signature = MakeFn<ShapedAttrs>; static constexpr const char* kName = "_zeros"; };
struct OnesKernel { using Signature = MakeFn<ShapedAttrs>; static constexpr const char* kName = "_ones"; };
struct FullKernel { using Signature = MakeFn<FullAttrs>; static constexpr const char* kName = "_full"; };
struct ArangeKernel { using Signature = MakeFn<ArangeAttrs>; static constexpr const char* kName = "_arange"; };
struct LinspaceKernel { using Signature = MakeFn<LinspaceAttrs>; static constexpr const char* kName = "_linspace"; };
struct EyeKernel { using Signature = MakeFn<EyeAttrs>; static constexpr const char* kName = "_eye"; };
struct ArangeLikeKernel { using Signature = LikeFn<ArangeLikeAttrs>; static constexpr const char* kName = "_contrib_arange_like"; };
struct ZerosLikeKernel { using Signature = LikeFn<NoAttrs>; static constexpr const char* kName = "zeros_like"; };
struct OnesLikeKernel { using Signature = LikeFn<NoAttrs>; static constexpr const char* kName = "ones_like"; };
void AddMakers(KernelList* list);  // init_cpu.cc
}  // namespace flx
