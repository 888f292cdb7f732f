// SPDX-License-Identifier: Apache-2.0
// Attributes and kernel keys of the operators on sequences of unequal length, padded to one.
#pragma once
#include "op/op.h"

namespace flx {

struct SequenceAttrs {
  bool use_sequence_length = false;
  int64_t axis = 0;
};
struct SequenceMaskAttrs : SequenceAttrs { double value = 0; };
struct SequenceIntoAttrs : SequenceAttrs { Ints shape; };  // _sequence_last_grad: the shape of SequenceLast's data
template <class A> struct SequenceKey { using Signature = void(KernelContext&, const A&, const TensorView& x, const TensorView& length, TensorView& y); };
struct SequenceMaskKernel : SequenceKey<SequenceMaskAttrs> { static constexpr const char* kName = "SequenceMask"; };
struct SequenceLastKernel : SequenceKey<SequenceAttrs> { static constexpr const char* kName = "SequenceLast"; };
struct SequenceLastGradKernel : SequenceKey<SequenceIntoAttrs> { static constexpr const char* kName = "_sequence_last_grad"; };
struct SequenceReverseKernel : SequenceKey<SequenceAttrs> { static constexpr const char* kName = "SequenceReverse"; };
void SequenceMaskCpu(KernelContext& ctx, const SequenceMaskAttrs& a, const TensorView& x, const TensorView& length, TensorView& y);
void SequenceLastCpu(KernelContext& ctx, const SequenceAttrs& a, const TensorView& x, const TensorView& length, TensorView& y);
void SequenceLastGradCpu(KernelContext& ctx, const SequenceIntoAttrs& a, const TensorView& dy, const TensorView& length, TensorView& dx);
void SequenceReverseCpu(KernelContext& ctx, const SequenceAttrs& a, const TensorView& x, const TensorView& length, TensorView& y);

}  // namespace flx
