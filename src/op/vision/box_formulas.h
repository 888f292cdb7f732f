// SPDX-License-Identifier: Apache-2.0
// The geometry of boxes, for all devices.
#pragma once
#include <cmath>

#include "base/host_device.h"

namespace flx {

enum class BoxFormat { kCorner, kCenter };  // (xmin, ymin, xmax, ymax), or (x, y, width, height) around the centre

template <class T> struct Corners { T l, t, r, b; };
template <class T> FLX_HD Corners<T> CornersOf(const T* p, BoxFormat f) {
  if (f == BoxFormat::kCorner) return {p[0], p[1], p[2], p[3]};
  return {p[0] - p[2] / 2, p[1] - p[3] / 2, p[0] + p[2] / 2, p[1] + p[3] / 2};
}
template <class T> FLX_HD void PutBox(const Corners<T>& b, BoxFormat f, T* c) {
  if (f == BoxFormat::kCorner) c[0] = b.l, c[1] = b.t, c[2] = b.r, c[3] = b.b;
  else c[0] = (b.l + b.r) / 2, c[1] = (b.t + b.b) / 2, c[2] = b.r - b.l, c[3] = b.b - b.t;
}
// The gradient c of a box given in one format, from the gradient d of the same box in the other, `to`.
template <class T> FLX_HD void PutBoxGrad(const T* d, BoxFormat to, T* c) {
  for (int k = 0; k < 2; ++k) {  // each of x and y by itself
    if (to == BoxFormat::kCorner) c[k] = d[k] + d[k + 2], c[k + 2] = (d[k + 2] - d[k]) / 2;
    else c[k] = d[k] / 2 - d[k + 2], c[k + 2] = d[k] / 2 + d[k + 2];
  }
}
template <class T> FLX_HD T Side(T from, T to) { return to > from ? to - from : T(0); }
// What two boxes share, of what they cover together; 0 for boxes without area.
template <class T> FLX_HD T Iou(const Corners<T>& a, const Corners<T>& b) {
  T inter = Side(a.l > b.l ? a.l : b.l, a.r < b.r ? a.r : b.r) * Side(a.t > b.t ? a.t : b.t, a.b < b.b ? a.b : b.b);
  T all = Side(a.l, a.r) * Side(a.t, a.b) + Side(b.l, b.r) * Side(b.t, b.b) - inter;
  return all > 0 ? inter / all : T(0);
}
template <class T> FLX_HD T InUnit(T v) { return v < T(0) ? T(0) : v > T(1) ? T(1) : v; }

// An anchor at row r and column q of a feature map: step (y, x), half (width, height).
template <class T> FLX_HD void PutAnchor(T r, T q, T offset_y, T offset_x, const T* step, const T* half, bool clip, T* to) {
  const T y = (r + offset_y) * step[0], x = (q + offset_x) * step[1], c[] = {x - half[0], y - half[1], x + half[0], y + half[1]};
  for (int i = 0; i < 4; ++i) to[i] = clip ? InUnit(c[i]) : c[i];
}
// What an anchor p should learn of a true box g, and the box that it then means.
template <class T> FLX_HD void EncodeBox(const Corners<T>& p, const Corners<T>& g, const double* variances, T* to) {
  const T w = p.r - p.l, h = p.b - p.t;
  to[0] = ((g.l + g.r) / 2 - (p.l + p.r) / 2) / w / T(variances[0]);
  to[1] = ((g.t + g.b) / 2 - (p.t + p.b) / 2) / h / T(variances[1]);
  to[2] = std::log((g.r - g.l) / w) / T(variances[2]);
  to[3] = std::log((g.b - g.t) / h) / T(variances[3]);
}
template <class T> FLX_HD Corners<T> DecodeBox(const Corners<T>& p, const T* d, const double* variances, bool clip) {
  const T w = p.r - p.l, h = p.b - p.t;
  const T x = d[0] * T(variances[0]) * w + (p.l + p.r) / 2, y = d[1] * T(variances[1]) * h + (p.t + p.b) / 2;
  const T half_w = std::exp(d[2] * T(variances[2])) * w / 2, half_h = std::exp(d[3] * T(variances[3])) * h / 2;
  const Corners<T> c = {x - half_w, y - half_h, x + half_w, y + half_h};
  return clip ? Corners<T>{InUnit(c.l), InUnit(c.t), InUnit(c.r), InUnit(c.b)} : c;
}

}  // namespace flx
