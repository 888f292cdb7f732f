// SPDX-License-Identifier: Apache-2.0
// The gates of one unit, forward and backward, for devices; the CPU's are vectors of these (rnn_gates.cc). Gates are i f g o (LSTM), or r z n and the
// hidden half of n (GRU).
#pragma once
#include <cmath>

#include "base/host_device.h"

namespace flx {

template <class T> FLX_HD T GateSigmoid(T x) {  // never overflows: e <= 1
  const T e = std::exp(x < 0 ? x : -x);
  return (x < 0 ? e : T(1)) / (T(1) + e);
}
template <class T> struct CellClip {  // of LSTM's cells
  bool on, nan_too;
  T low, high;
  FLX_HD T operator()(T c) const {
    if (!on) return c;
    return c < low || (nan_too && c != c) ? low : c > high ? high : c;
  }
  FLX_HD bool Flows(T raw) const { return !on || (raw >= low && raw <= high); }
};
// sum(k): what goes into gate k.
template <class T, class Sum> FLX_HD T LstmUnit(const Sum& sum, const CellClip<T>& clip, T before, T* gates, T* raw, T* cell) {
  gates[0] = GateSigmoid(sum(0)), gates[1] = GateSigmoid(sum(1)), gates[2] = std::tanh(sum(2)), gates[3] = GateSigmoid(sum(3));
  *raw = gates[1] * before + gates[0] * gates[2];
  *cell = clip(*raw);
  return gates[3] * std::tanh(*cell);
}
// in: the sums, of which the third is without the hidden half.
template <class T> FLX_HD T GruUnit(const T* in, T hidden, T before, T* gates) {
  gates[0] = GateSigmoid(in[0]), gates[1] = GateSigmoid(in[1]), gates[2] = std::tanh(in[2] + gates[0] * hidden), gates[3] = hidden;
  return gates[2] + gates[1] * (before - gates[2]);
}
template <class T> FLX_HD T RnnUnit(T sum, bool relu) { return relu ? (sum <= 0 ? T(0) : sum) : std::tanh(sum); }

// d: the gradient of the output; dcell: of the cell, from later steps, and then for earlier ones. dsum: of the gates' sums.
template <class T> FLX_HD void LstmUnitBack(const T* gates, T raw, T before, const CellClip<T>& clip, T d, T* dcell, T* dsum) {
  const T i = gates[0], f = gates[1], g = gates[2], o = gates[3], t = std::tanh(clip(raw)), all = *dcell + d * o * (T(1) - t * t), dc = clip.Flows(raw) ? all : T(0);
  *dcell = dc * f;
  dsum[0] = dc * g * i * (T(1) - i), dsum[1] = dc * before * f * (T(1) - f), dsum[2] = dc * i * (T(1) - g * g), dsum[3] = d * t * o * (T(1) - o);
}
// dsum: of the input's sums; dhidden: of the hidden half of the third.
template <class T> FLX_HD void GruUnitBack(const T* gates, T before, T d, T* dsum, T* dhidden, T* dbefore) {
  const T r = gates[0], z = gates[1], n = gates[2], hidden = gates[3];
  dsum[2] = d * (T(1) - z) * (T(1) - n * n), dsum[0] = dsum[2] * hidden * r * (T(1) - r), dsum[1] = d * (before - n) * z * (T(1) - z);
  *dhidden = dsum[2] * r, *dbefore = d * z;
}
template <class T> FLX_HD T RnnUnitBack(T y, T d, bool relu) { return relu ? (y > 0 ? d : T(0)) : d * (T(1) - y * y); }

}  // namespace flx
