// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/nn/wide.h"
#include "op/vision/vision.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

template <class T> void Nms(const BoxNmsAttrs& a, const T* x, int64_t n, int64_t width, T* y, int64_t* rows) {
  struct Box { T score; int64_t row; Corners<T> at; T id; bool kept; };
  std::vector<Box> boxes;
  for (int64_t i = 0; i < n; ++i) {
    const T* row = x + i * width;
    T id = a.id_index >= 0 ? row[a.id_index] : T(0);
    if (!(row[a.score_index] > T(a.valid_thresh)) || (a.id_index >= 0 && a.background_id >= 0 && id == T(a.background_id))) continue;
    boxes.push_back({row[a.score_index], i, CornersOf(row + a.coord_start, a.in_format), id, true});
  }
  std::stable_sort(boxes.begin(), boxes.end(), [](const Box& p, const Box& q) { return p.score > q.score; });
  if (a.topk > 0 && int64_t(boxes.size()) > a.topk) boxes.resize(size_t(a.topk));
  bool any = a.force_suppress || a.id_index < 0;
  int64_t kept = 0;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (!boxes[i].kept) continue;
    for (size_t j = i + 1; j < boxes.size(); ++j)
      if (boxes[j].kept && (any || boxes[j].id == boxes[i].id) && Iou(boxes[i].at, boxes[j].at) > T(a.overlap_thresh)) boxes[j].kept = false;
    const T* from = x + boxes[i].row * width;
    T* to = y + kept * width;
    std::copy(from, from + width, to);
    if (a.in_format != a.out_format) PutBox(boxes[i].at, a.out_format, to + a.coord_start);
    rows[kept++] = boxes[i].row;
  }
  std::fill(y + kept * width, y + n * width, T(-1));
  std::fill(rows + kept, rows + n, int64_t(-1));
}

NmsInts IntsOf(const BoxNmsAttrs& a, const Shape& x) {
  const bool any = a.force_suppress || a.id_index < 0;
  return {x.Product(0, x.ndim() - 2), x[x.ndim() - 2], x.back(), a.topk, a.coord_start, a.score_index, a.id_index, a.background_id, any, int64_t(a.in_format), int64_t(a.out_format)};
}
void CallBoxes(DeviceWork* w, const char* kernel, const BoxNmsAttrs& a, const NmsInts& ints, const TensorView* in, int nin, const TensorView& out) {
  const double numbers[] = {a.overlap_thresh, a.valid_thresh};
  w->Call(kernel, DeviceSignature(kernel), {in, nin, &out, 1, &ints.images, int(sizeof ints / sizeof(int64_t)), numbers, 2});
}
void NmsOnDevice(DeviceWork* w, const BoxNmsAttrs& a, const TensorView& x, const TensorView& y, const TensorView& rows) {
  const NmsInts ints = IntsOf(a, x.shape);
  const int64_t all = ints.images * ints.n;
  const SortInts sort = {ints.images, ints.n, 1, ints.n, false};
  const TensorView scores = MakeView(w->Scratch(all * DTypeSize(x.dtype)), x.dtype, Shape{all}), at = MakeView(w->Scratch(all * 8), DType::kInt64, Shape{all});
  const TensorView kept = rows ? rows : MakeView(w->Scratch(all * 8), DType::kInt64, Shape{all}), ranked[] = {x, scores, at}, named[] = {x, kept};
  CallBoxes(w, kDeviceBoxScores, a, ints, &x, 1, scores);
  w->Call(kDeviceSort, DeviceSignature(kDeviceSort), {&scores, 1, &at, 1, &sort.outer, int(sizeof sort / sizeof(int64_t))});
  CallBoxes(w, kDeviceBoxNms, a, ints, ranked, 3, kept);
  CallBoxes(w, kDeviceBoxRows, a, ints, named, 2, y);
}

}  // namespace

void BoxIouCpu(KernelContext& ctx, const BoxIouAttrs& a, const TensorView& lhs, const TensorView& rhs, TensorView& y0) {
  TensorView l = Widen(ctx, lhs), r = Widen(ctx, rhs);
  WideOut y(ctx, y0);
  int64_t n = l.size() / 4, m = r.size() / 4;
  ForFloats(l.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *p = l.data<T>(), *q = r.data<T>();
    T* out = y.data<T>();
    ParallelFor(n, GrainOf(n, 16 * m), [&](int64_t i, int64_t e) {
      for (; i < e; ++i) {
        Corners<T> b = CornersOf(p + i * 4, a.format);
        for (int64_t j = 0; j < m; ++j) out[i * m + j] = Iou(b, CornersOf(q + j * 4, a.format));
      }
    });
  });
  y.Store();
}
void BoxNmsCpu(KernelContext& ctx, const BoxNmsAttrs& a, const TensorView& x0, TensorView& y0, TensorView& rows) {
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0);
  if (DeviceWork* w = DeviceWork::Current()) return NmsOnDevice(w, a, x, y.view, rows), y.Store();
  int64_t width = x.shape.back(), n = x.dim(x.ndim() - 2), batch = x.shape.Product(0, x.ndim() - 2);
  int64_t* to = rows ? rows.data<int64_t>() : ctx.Scratch<int64_t>(batch * n);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    ParallelFor(batch, GrainOf(batch, n * 64), [&](int64_t i, int64_t e) {
      for (; i < e; ++i) Nms(a, x.data<T>() + i * n * width, n, width, y.data<T>() + i * n * width, to + i * n);
    });
  });
  y.Store();
}
void BoxNmsGradCpu(KernelContext& ctx, const BoxNmsAttrs& a, const TensorView& rows, const TensorView& dy0, TensorView& dx0) {
  TensorView dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  int64_t width = dy.shape.back(), n = dy.dim(dy.ndim() - 2), all = rows.size();
  FillStrided(dx.view, 0);
  if (DeviceWork* w = DeviceWork::Current()) {
    const TensorView in[] = {dy, rows};
    return CallBoxes(w, kDeviceBoxRowsGrad, a, IntsOf(a, dy.shape), in, 2, dx.view), dx.Store();
  }
  ForFloats(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < all; ++i) {
      int64_t row = rows.data<int64_t>()[i];
      if (row < 0) continue;
      const T* from = dy.data<T>() + i * width;
      T* to = dx.data<T>() + (i / n * n + row) * width;
      std::copy(from, from + width, to);
      if (a.in_format != a.out_format) PutBoxGrad(from + a.coord_start, a.out_format, to + a.coord_start);
    }
  });
  dx.Store();
}

}  // namespace flx
