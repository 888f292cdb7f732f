// SPDX-License-Identifier: Apache-2.0
// 16-bit floats are computed in float32: kernels take float32 or float64 memory, and these hand it over, converting only where the array is narrow.
#pragma once
#include "op/op.h"
#include "tensor/array.h"

namespace flx {

inline DType WideType(DType t) { return t == DType::kFloat16 || t == DType::kBfloat16 ? DType::kFloat32 : t; }

// The input itself, or a float32 copy of it.
inline TensorView Widen(KernelContext& ctx, const TensorView& v) {
  if (!v || WideType(v.dtype) == v.dtype) return v;
  TensorView w = MakeView(ctx.Scratch(v.size() * 4), DType::kFloat32, v.shape);
  CopyStrided(v, w);
  return w;
}
// Memory for an output: its own, or float32 scratch that Store() converts into it. Null stays null.
class WideOut {
 public:
  WideOut(KernelContext& ctx, TensorView& v) : view(v), to_(v) {
    if (v && WideType(v.dtype) != v.dtype) view = MakeView(ctx.Scratch(v.size() * 4), DType::kFloat32, v.shape);
  }
  void Store() const { if (view.base != to_.base) CopyStrided(view, to_); }
  template <class T> T* data() const { return view.base ? view.template data<T>() : nullptr; }
  TensorView view;

 private:
  TensorView to_;
};
// Calls f(float{}) or f(double{}).
template <class F> void ForFloats(DType t, const F& f) {
  if (t == DType::kFloat64) f(double{});
  else f(float{});
}
// The dtype rule of operators on floats: input i must be one, if it is known.
inline void NeedFloat(const Infer& c, int i) {
  DType t = c.x_type(i);
  if (t != DType::kNone && !IsFloat(t))
    c.FailType("input `", c.InputName(i), "` must be float32, float64, float16 or bfloat16, given ", t, ". Cast it first (operator Cast).");
}
// All inputs and outputs share one float dtype.
template <class A> void SameFloat(Infer& c, const A&) {
  DType t = DType::kNone;
  for (int i = 0; i < c.nin && t == DType::kNone; ++i) if (c.has(i)) t = c.x_type(i);
  for (int i = 0; i < c.nout && t == DType::kNone; ++i) t = c.y_type(i);
  for (int i = 0; i < c.nin; ++i) c.set_x_type(i, t);
  for (int i = 0; i < c.nout; ++i) c.set_y_type(i, t);
  if (c.nin) NeedFloat(c, 0);
}
// The same, for operators that also multiply integers (exactly, wrapping around).
template <class A> void SameNumber(Infer& c, const A&) {
  DType t = DType::kNone;
  for (int i = 0; i < c.nin && t == DType::kNone; ++i) if (c.has(i)) t = c.x_type(i);
  for (int i = 0; i < c.nout && t == DType::kNone; ++i) t = c.y_type(i);
  for (int i = 0; i < c.nin; ++i) c.set_x_type(i, t);
  for (int i = 0; i < c.nout; ++i) c.set_y_type(i, t);
  if (t != DType::kNone && !IsFloat(t) && t != DType::kInt32 && t != DType::kInt64)
    c.FailType("the inputs must be float32, float64, float16, bfloat16, int32 or int64, given ", t, ". Cast them first (operator Cast).");
}
// How many of `n` items of `work` elements each make a chunk worth a thread: by shape only.
inline int64_t GrainOf(int64_t n, int64_t work, int64_t chunk = 16384) {
  int64_t g = work > 0 ? (chunk + work - 1) / work : n;
  return g < 1 ? 1 : g > n && n > 0 ? n : g;
}

}  // namespace flx
