// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/nn/wide.h"
#include "op/vision/vision.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

// The distance of places (y, x), and half of the width and height of each box at a place.
template <class T> struct Anchors { T step[2]; std::vector<T> halves; };
template <class T> Anchors<T> AnchorsOf(const MultiBoxPriorAttrs& a, int64_t height, int64_t width) {
  const bool given = a.steps[0] > 0 && a.steps[1] > 0;
  Anchors<T> p{{T(given ? a.steps[0] : 1.0 / double(height)), T(given ? a.steps[1] : 1.0 / double(width))}, {}};
  const T squeeze = T(height) / T(width);  // a size is a part of the height
  const auto box = [&](double size, double ratio) {
    const T root = T(std::sqrt(ratio));
    p.halves.push_back(T(size) * squeeze * root / 2), p.halves.push_back(T(size) / root / 2);
  };
  for (double size : a.sizes) box(size, a.ratios[0]);
  for (size_t k = 1; k < a.ratios.size(); ++k) box(a.sizes[0], a.ratios[k]);
  return p;
}
template <class T> void Prior(const MultiBoxPriorAttrs& a, int64_t height, int64_t width, T* out) {
  const Anchors<T> p = AnchorsOf<T>(a, height, width);
  for (int64_t r = 0; r < height; ++r)
    for (int64_t q = 0; q < width; ++q)
      for (size_t k = 0; k < p.halves.size(); k += 2, out += 4) PutAnchor(T(r), T(q), T(a.offsets[0]), T(a.offsets[1]), p.step, &p.halves[k], a.clip, out);
}

// One image: which true box each anchor learns.
template <class T> class Matcher {
 public:
  Matcher(const MultiBoxTargetAttrs& a, const T* anchors, int64_t n, const T* label, int64_t most, int64_t width) : a_(a), anchors_(anchors), n_(n), label_(label), width_(width) {
    while (objects_ < most && label[objects_ * width] != T(-1)) ++objects_;
    state_.assign(size_t(n), kIgnored), object_.assign(size_t(n), -1), overlap_.assign(size_t(n), T(-1));
    if (!objects_) return;
    iou_.resize(size_t(n * objects_));
    for (int64_t i = 0; i < n; ++i) {
      Corners<T> c = CornersOf(anchors + i * 4, BoxFormat::kCorner);
      for (int64_t k = 0; k < objects_; ++k) {
        T v = iou_[size_t(i * objects_ + k)] = Iou(c, CornersOf(label + k * width + 1, BoxFormat::kCorner));
        if (v > overlap_[size_t(i)]) overlap_[size_t(i)] = v, object_[size_t(i)] = k;
      }
    }
    TakeBest();
    for (int64_t i = 0; i < n && a.overlap_threshold > 0; ++i)
      if (state_[size_t(i)] != kObject && overlap_[size_t(i)] > T(a.overlap_threshold)) state_[size_t(i)] = kObject, ++found_;
  }
  // cls: the scores (classes, anchors) of this image.
  void ChooseBackground(const T* cls, int64_t classes) {
    if (!objects_) return;
    if (!(a_.negative_mining_ratio > 0)) {
      for (auto& s : state_) if (s != kObject) s = kBackground;
      return;
    }
    int64_t want = std::max(int64_t(double(found_) * a_.negative_mining_ratio), a_.minimum_negative_samples);
    std::vector<std::pair<T, int64_t>> hard;  // the probability of background: where it is low, the prediction is wrong
    for (int64_t i = 0; i < n_; ++i) {
      if (state_[size_t(i)] == kObject || overlap_[size_t(i)] >= T(a_.negative_mining_thresh)) continue;
      T most = cls[i], sum = 0;
      for (int64_t k = 1; k < classes; ++k) most = std::max(most, cls[k * n_ + i]);
      for (int64_t k = 0; k < classes; ++k) sum += std::exp(cls[k * n_ + i] - most);
      hard.emplace_back(std::exp(cls[i] - most) / sum, i);
    }
    std::stable_sort(hard.begin(), hard.end(), [](auto& p, auto& q) { return p.first < q.first; });
    for (int64_t k = 0; k < std::min<int64_t>(want, int64_t(hard.size())); ++k) state_[size_t(hard[size_t(k)].second)] = kBackground;
  }
  void Write(T* loc, T* mask, T* cls) const {
    for (int64_t i = 0; i < n_; ++i) {
      bool object = state_[size_t(i)] == kObject;
      std::fill(mask + i * 4, mask + i * 4 + 4, T(object));
      std::fill(loc + i * 4, loc + i * 4 + 4, T(0));
      cls[i] = state_[size_t(i)] == kBackground ? T(0) : T(a_.ignore_label);
      if (!object) continue;
      const T* row = label_ + object_[size_t(i)] * width_;
      cls[i] = row[0] + 1;
      EncodeBox(CornersOf(anchors_ + i * 4, BoxFormat::kCorner), CornersOf(row + 1, BoxFormat::kCorner), a_.variances.data(), loc + i * 4);
    }
  }

 private:
  enum State : char { kIgnored, kBackground, kObject };
  // The best pair of all is matched, then the best of what is left, until each object has its anchor or overlaps none.
  void TakeBest() {
    std::vector<char> done(size_t(objects_), 0);
    for (int64_t left = objects_; left > 0; --left) {
      T most = T(1e-6);
      int64_t anchor = -1, object = -1;
      for (int64_t i = 0; i < n_; ++i) {
        if (state_[size_t(i)] == kObject || overlap_[size_t(i)] <= most) continue;
        for (int64_t k = 0; k < objects_; ++k)
          if (!done[size_t(k)] && iou_[size_t(i * objects_ + k)] > most) most = iou_[size_t(i * objects_ + k)], anchor = i, object = k;
      }
      if (anchor < 0) return;
      done[size_t(object)] = 1, state_[size_t(anchor)] = kObject, object_[size_t(anchor)] = object, overlap_[size_t(anchor)] = most, ++found_;
    }
  }
  const MultiBoxTargetAttrs& a_;
  const T* anchors_;
  int64_t n_;
  const T* label_;
  int64_t width_, objects_ = 0, found_ = 0;
  std::vector<State> state_;
  std::vector<int64_t> object_;
  std::vector<T> overlap_, iou_;
};

template <class T> void Detect(const MultiBoxDetectionAttrs& a, const T* cls, const T* loc, const T* anchors, int64_t classes, int64_t n, T* out) {
  std::vector<T> found;  // rows of 6
  for (int64_t i = 0; i < n; ++i) {
    T score = -1;
    int64_t id = -1;
    for (int64_t k = 0; k < classes; ++k)
      if (k != a.background_id && cls[k * n + i] > score) score = cls[k * n + i], id = k > a.background_id ? k - 1 : k;
    if (id < 0 || score < T(a.threshold)) continue;
    const Corners<T> c = DecodeBox(CornersOf(anchors + i * 4, BoxFormat::kCorner), loc + i * 4, a.variances.data(), a.clip);
    for (T v : {T(id), score, c.l, c.t, c.r, c.b}) found.push_back(v);
  }
  int64_t count = int64_t(found.size()) / 6;
  std::copy(found.begin(), found.end(), out);
  std::fill(out + count * 6, out + n * 6, T(-1));
  if (!(a.nms_threshold > 0 && a.nms_threshold <= 1)) return;
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) order[size_t(i)] = i;
  std::stable_sort(order.begin(), order.end(), [&](int64_t p, int64_t q) { return found[size_t(p * 6 + 1)] > found[size_t(q * 6 + 1)]; });
  int64_t keep = a.nms_topk > 0 ? std::min(a.nms_topk, count) : count;
  for (int64_t i = 0; i < keep; ++i) std::copy_n(found.begin() + order[size_t(i)] * 6, 6, out + i * 6);
  for (int64_t i = keep; i < count; ++i) out[i * 6] = -1;
  for (int64_t i = 0; i < keep; ++i) {
    const T* p = out + i * 6;
    if (p[0] < 0) continue;
    Corners<T> best = CornersOf(p + 2, BoxFormat::kCorner);
    for (int64_t j = i + 1; j < keep; ++j) {
      T* q = out + j * 6;
      if (q[0] >= 0 && (a.force_suppress || q[0] == p[0]) && Iou(best, CornersOf(q + 2, BoxFormat::kCorner)) >= T(a.nms_threshold)) q[0] = -1;
    }
  }
}

// ---- the same by a device's kernels
template <class I> void CallBoxes(DeviceWork* w, const char* kernel, const TensorView* in, int nin, const TensorView* out, int nout, const I& ints, const double* numbers, int n) {
  int64_t whole[sizeof(I) / sizeof(int64_t)];
  std::memcpy(whole, &ints, sizeof ints);
  w->Call(kernel, DeviceSignature(kernel), {in, nin, out, nout, whole, int(sizeof ints / sizeof(int64_t)), numbers, n});
}
TensorView Room(DeviceWork* w, DType t, const Shape& s) { return MakeView(w->Scratch(s.size() * DTypeSize(t)), t, s); }
// The places of each image's keys in order.
TensorView PlacesOf(DeviceWork* w, const TensorView& key, int64_t images, int64_t n, bool ascend) {
  const TensorView at = Room(w, DType::kInt64, key.shape);
  CallBoxes(w, kDeviceSort, &key, 1, &at, 1, SortInts{images, n, 1, n, ascend}, nullptr, 0);
  return at;
}
void PriorOnDevice(DeviceWork* w, const MultiBoxPriorAttrs& a, int64_t height, int64_t width, const TensorView& y) {
  ForFloats(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Anchors<T> p = AnchorsOf<T>(a, height, width);
    std::vector<double> numbers{a.offsets[0], a.offsets[1], p.step[0], p.step[1]};
    numbers.insert(numbers.end(), p.halves.begin(), p.halves.end());
    struct { int64_t height, width, count, clip; } const ints = {height, width, int64_t(p.halves.size() / 2), a.clip};
    CallBoxes(w, kDeviceBoxPrior, nullptr, 0, &y, 1, ints, numbers.data(), int(numbers.size()));
  });
}
void TargetOnDevice(DeviceWork* w, const MultiBoxTargetAttrs& a, const TensorView& anchor, const TensorView& label, const TensorView& pred, const TensorView& loc,
                    const TensorView& mask, const TensorView& cls) {
  const bool mines = a.negative_mining_ratio > 0;
  const MatchInts ints = {label.dim(0), anchor.dim(1), label.dim(1), label.dim(2), pred.dim(1), mines};
  const Shape each{ints.images, ints.n};
  const TensorView state = Room(w, DType::kInt64, each), object = Room(w, DType::kInt64, each), found = Room(w, DType::kInt64, Shape{ints.images}), key = Room(w, anchor.dtype, each);
  const TensorView given[] = {anchor, label, pred}, matched[] = {state, object, found, key}, learn[] = {anchor, label, state, object}, out[] = {loc, mask, cls};
  const double overlaps[] = {a.overlap_threshold, a.negative_mining_thresh}, values[] = {a.ignore_label, a.variances[0], a.variances[1], a.variances[2], a.variances[3]};
  CallBoxes(w, kDeviceBoxMatch, given, 3, matched, 4, ints, overlaps, 2);
  if (mines) {
    const TensorView in[] = {key, PlacesOf(w, key, ints.images, ints.n, true), found};
    struct { int64_t images, n, least; } const wanted = {ints.images, ints.n, a.minimum_negative_samples};
    CallBoxes(w, kDeviceBoxMine, in, 3, &state, 1, wanted, &a.negative_mining_ratio, 1);
  }
  CallBoxes(w, kDeviceBoxTarget, learn, 4, out, 3, ints, values, 5);
}
void DetectOnDevice(DeviceWork* w, const MultiBoxDetectionAttrs& a, const TensorView& cls, const TensorView& loc, const TensorView& anchor, const TensorView& y) {
  const DetectInts ints = {cls.dim(0), anchor.dim(1), cls.dim(1), a.background_id, a.clip, a.nms_topk, a.force_suppress};
  const TensorView given[] = {cls, loc, anchor}, found[] = {Room(w, cls.dtype, y.shape), Room(w, cls.dtype, Shape{ints.images, ints.n})};
  const double values[] = {a.threshold, a.variances[0], a.variances[1], a.variances[2], a.variances[3]};
  CallBoxes(w, kDeviceBoxDetect, given, 3, found, 2, ints, values, 5);
  const bool drops = a.nms_threshold > 0 && a.nms_threshold <= 1;
  const TensorView in[] = {found[0], found[1], drops ? PlacesOf(w, found[1], ints.images, ints.n, false) : TensorView{}};
  CallBoxes(w, kDeviceBoxDetected, in, 3, &y, 1, ints, &a.nms_threshold, 1);
}

}  // namespace

void MultiBoxPriorCpu(KernelContext& ctx, const MultiBoxPriorAttrs& a, const TensorView& x, TensorView& y0) {
  WideOut y(ctx, y0);
  if (DeviceWork* w = DeviceWork::Current()) return PriorOnDevice(w, a, x.dim(2), x.dim(3), y.view), y.Store();
  ForFloats(y.view.dtype, [&](auto zero) {
    using T = decltype(zero);
    Prior(a, x.dim(2), x.dim(3), y.data<T>());
  });
  y.Store();
}
void MultiBoxTargetCpu(KernelContext& ctx, const MultiBoxTargetAttrs& a, const TensorView& anchor0, const TensorView& label0, const TensorView& cls_pred0, TensorView& loc0,
                       TensorView& mask0, TensorView& cls0) {
  TensorView anchor = Widen(ctx, anchor0), label = Widen(ctx, label0), pred = Widen(ctx, cls_pred0);
  WideOut loc(ctx, loc0), mask(ctx, mask0), cls(ctx, cls0);
  if (DeviceWork* w = DeviceWork::Current()) {
    TargetOnDevice(w, a, anchor, label, pred, loc.view, mask.view, cls.view);
    return loc.Store(), mask.Store(), cls.Store();
  }
  int64_t n = anchor.dim(1), objects = label.dim(1), width = label.dim(2), classes = pred.dim(1), batch = label.dim(0);
  ForFloats(anchor.dtype, [&](auto zero) {
    using T = decltype(zero);
    ParallelFor(batch, 1, [&](int64_t i, int64_t e) {
      for (; i < e; ++i) {
        Matcher<T> m(a, anchor.data<T>(), n, label.data<T>() + i * objects * width, objects, width);
        m.ChooseBackground(pred.data<T>() + i * classes * n, classes);
        m.Write(loc.data<T>() + i * n * 4, mask.data<T>() + i * n * 4, cls.data<T>() + i * n);
      }
    });
  });
  loc.Store();
  mask.Store();
  cls.Store();
}
void MultiBoxDetectionCpu(KernelContext& ctx, const MultiBoxDetectionAttrs& a, const TensorView& cls_prob0, const TensorView& loc_pred0, const TensorView& anchor0, TensorView& y0) {
  TensorView cls = Widen(ctx, cls_prob0), loc = Widen(ctx, loc_pred0), anchor = Widen(ctx, anchor0);
  WideOut y(ctx, y0);
  if (DeviceWork* w = DeviceWork::Current()) return DetectOnDevice(w, a, cls, loc, anchor, y.view), y.Store();
  int64_t n = anchor.dim(1), classes = cls.dim(1), batch = cls.dim(0);
  ForFloats(cls.dtype, [&](auto zero) {
    using T = decltype(zero);
    ParallelFor(batch, GrainOf(batch, n * classes * 4), [&](int64_t i, int64_t e) {
      for (; i < e; ++i) Detect(a, cls.data<T>() + i * classes * n, loc.data<T>() + i * n * 4, anchor.data<T>(), classes, n, y.data<T>() + i * n * 6);
    });
  });
  y.Store();
}

}  // namespace flx
