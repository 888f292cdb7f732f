// SPDX-License-Identifier: Apache-2.0
// Arrays for a case: what the checks of an operator, imperative and planned, begin with.
#pragma once
#include "base/text.h"
#include "cases.h"
#include "exec/invoke.h"

namespace flx::cases {

using Vector = std::vector<double>;
using Point = std::vector<Vector>;  // the values of all inputs

struct Numbers {  // a small generator, the same everywhere
  uint64_t state;
  double Next() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return double(state >> 11) * 0x1p-53;
  }
};

inline Vector Draw(int64_t n, double low, double high, uint64_t seed) {
  Numbers g{seed * 7919 + 12345};
  for (int i = 0; i < 4; ++i) g.Next();
  Vector v(size_t(n), 0);
  for (auto& x : v) x = low + (high - low) * g.Next();
  return v;
}

inline Point Start(const Case& c) {
  Point p;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    auto& in = c.inputs[i];
    p.push_back(in.values.empty() ? Draw(in.shape.size(), in.low, in.high, i + 1) : in.values);
    if (int64_t(p.back().size()) != in.shape.size()) Fail(Status::kInternal, c.op, "case `", c.what, "`: input ", i, " has ", p.back().size(), " values for shape ", in.shape);
    // Values that float32 holds exactly, so that both precisions see the same problem.
    if (in.is_float()) for (auto& x : p.back()) x = double(float(x));
  }
  return p;
}

inline NDArray ToArray(const Vector& v, const Shape& s, DType t) { return FromHost(v.data(), int64_t(v.size() * 8), DType::kFloat64, false, s, t); }
inline Vector ToVector(const Array& a) {
  Vector v(size_t(a.size()), 0);
  if (a.size()) ReadArray(a, v.data(), int64_t(v.size() * 8), DType::kFloat64, false);
  return v;
}
// The same elements in memory of the opposite order, seen through strides.
inline NDArray Strided(const Vector& v, const Shape& s, DType t) {
  int n = s.ndim();
  Shape memory = s, strides = s;
  for (int i = 0; i < n; ++i) memory[i] = s[n - 1 - i];
  Shape reversed = ContiguousStrides(memory);
  for (int i = 0; i < n; ++i) strides[i] = reversed[n - 1 - i];
  Vector turned(v.size(), 0);
  for (int64_t k = 0; k < s.size(); ++k) {  // element k of the logical order goes to its place in memory
    int64_t rest = k, at = 0;
    for (int i = n - 1; i >= 0; --i) at += rest % s[i] * strides[i], rest /= s[i];
    turned[size_t(at)] = v[size_t(k)];
  }
  return Array::NewView(ToArray(turned, memory, t), s, strides, 0);
}

struct Setup {
  Ref<Call> call;
  const Case& c;
  explicit Setup(const Case& k) : call(Call::New(k.op, k.attrs)), c(k) {}
  DType TypeOf(const In& in, DType t) const { return in.is_float() ? t : in.dtype; }
  std::vector<NDArray> Inputs(const Point& p, DType t, bool strided = false) const {
    std::vector<NDArray> v;
    for (size_t i = 0; i < p.size(); ++i)
      v.push_back(strided ? Strided(p[i], c.inputs[i].shape, TypeOf(c.inputs[i], t)) : ToArray(p[i], c.inputs[i].shape, TypeOf(c.inputs[i], t)));
    return v;
  }
  std::vector<NDArray> Run(const std::vector<NDArray>& in, int mode) const {
    SeedRandom(17);  // the same draw each time
    return Invoke(*call, mode | (c.train ? kTrain : kPlain), in);
  }
  bool Differentiable(size_t i) const { return c.inputs[i].is_float() && c.inputs[i].differentiate; }
};

}  // namespace flx::cases
