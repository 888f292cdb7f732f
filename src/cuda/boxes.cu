// SPDX-License-Identifier: Apache-2.0
// Boxes: non-maximum suppression, and the anchors of single-shot detectors. A block for each image where boxes wait for each other.
#include <cstring>

#include "cuda/elements.h"
#include "cuda/math.h"
#include "cuda/together.h"
#include "op/vision/box_formulas.h"

namespace flx::cuda {
namespace {

constexpr BoxFormat kCorners = BoxFormat::kCorner;
template <class I> bool Ints(const flx_device_call* c, int nin, int nout, int numbers, I* to) {
  if (c->nin != nin || c->nout != nout || c->nnumbers != numbers || c->nints != int(sizeof(I) / sizeof(int64_t))) return false;
  std::memcpy(to, c->ints, sizeof *to);
  return true;
}
// All given arrays have the type of out[0], float32 or float64; bit k of `whole`: array k (outputs behind inputs) holds int64.
bool Floats(const flx_device_call* c, uint32_t whole = 0) {
  int32_t type = -1;
  for (int k = 0; k < c->nin + c->nout; ++k) {
    const flx_device_tensor& t = k < c->nin ? c->in[k] : c->out[k - c->nin];
    if (!t.data) continue;
    if (whole >> k & 1) {
      if (DType(t.dtype) != DType::kInt64) return false;
    } else if ((DType(t.dtype) != DType::kFloat32 && DType(t.dtype) != DType::kFloat64) || (type >= 0 && type != t.dtype)) {
      return false;
    } else {
      type = t.dtype;
    }
  }
  return true;
}
template <class F> int32_t ByType(const flx_device_tensor& t, const F& f) { return DType(t.dtype) == DType::kFloat64 ? f(double{}) : f(float{}); }
template <class T> const T* In(const flx_device_call* c, int k) { return static_cast<const T*>(c->in[k].data); }
template <class T> T* Out(const flx_device_call* c, int k) { return static_cast<T*>(c->out[k].data); }

// ---- what blocks do together
// put(i, place) for each i of n: those for which in(i) get the places from 0 on, in order, and the others those behind. How many they are.
template <class Takes, class Put> __device__ int64_t Compact(int64_t n, int64_t* room, const Takes& in, const Put& put) {
  const int64_t part = (n + blockDim.x - 1) / blockDim.x, begin = threadIdx.x * part < n ? threadIdx.x * part : n, end = begin + part < n ? begin + part : n;
  int64_t mine = 0;
  for (int64_t i = begin; i < end; ++i) mine += in(i) ? 1 : 0;
  const int64_t count = Together(mine, room, Plus());
  int64_t place = Preceding(mine, room), other = count + begin - place;
  for (int64_t i = begin; i < end; ++i) put(i, in(i) ? place++ : other++);
  return count;
}
// Of n boxes, best first, those are dropped that overlap a better one that stays. `boxes` is the block's to change once it has met, and again afterwards.
template <class T, class B> __device__ void Suppress(int64_t n, T most, bool drop_equal, bool any_class, const B& boxes) {
  for (int64_t i = 0; i < n; ++i) {
    if (!boxes.Stays(i)) continue;  // all threads see the same: what follows drops later boxes only
    const Corners<T> best = boxes.At(i);
    const T id = boxes.Class(i);
    for (int64_t j = i + 1 + threadIdx.x; j < n; j += blockDim.x) {
      if (!boxes.Stays(j) || !(any_class || boxes.Class(j) == id)) continue;
      const T overlap = Iou(best, boxes.At(j));
      if (overlap > most || (drop_equal && overlap == most)) boxes.Drop(j);
    }
    Meet();
  }
}

// ---- box_nms
template <class T> __global__ void ScoresKernel(NmsInts s, T least, const T* x, T* to) {
  for (int64_t e = Index(); e < s.images * s.n; e += Step()) {
    const T* row = x + e * s.width;
    const bool counts = row[s.score] > least && !(s.id >= 0 && s.background >= 0 && row[s.id] == T(s.background));
    to[e] = counts ? row[s.score] : -std::numeric_limits<T>::infinity();
  }
}
int32_t Scores(flx_device_queue* q, const flx_device_call* c) {
  NmsInts s;
  if (!Ints(c, 1, 1, 2, &s) || !Floats(c)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c->out[0], [&](auto zero) {
    using T = decltype(zero);
    return Launch(q, BlocksFor(s.images * s.n), &ScoresKernel<T>, s, T(c->numbers[1]), In<T>(c, 0), Out<T>(c, 0));
  });
}
template <class T> struct Ranked {
  NmsInts s;
  const T *x, *scores;
  const int64_t* at;
  int64_t* stays;  // as `at`: by rank
  __device__ bool Stays(int64_t k) const { return stays[k] != 0; }
  __device__ Corners<T> At(int64_t k) const { return CornersOf(x + at[k] * s.width + s.coord, BoxFormat(s.in_format)); }
  __device__ T Class(int64_t k) const { return s.id >= 0 ? x[at[k] * s.width + s.id] : T(0); }
  __device__ void Drop(int64_t k) const { stays[k] = 0; }
};
template <class T> __global__ void NmsKernel(Ranked<T> all, T most, int64_t* rows) {
  __shared__ int64_t room[kBlock];
  const NmsInts& s = all.s;
  for (int64_t b = blockIdx.x; b < s.images; b += gridDim.x) {
    const int64_t base = b * s.n, n = s.topk > 0 && s.topk < s.n ? s.topk : s.n;
    const Ranked<T> r = {s, all.x + base * s.width, all.scores + base, all.at + base, all.stays + base};
    for (int64_t k = threadIdx.x; k < s.n; k += blockDim.x) r.stays[k] = k < n && r.scores[r.at[k]] > -std::numeric_limits<T>::infinity();
    Meet();
    Suppress(n, most, false, s.any_class != 0, r);
    Compact(s.n, room, [&](int64_t k) { return r.Stays(k); }, [&](int64_t k, int64_t place) { rows[base + place] = r.Stays(k) ? r.at[k] : -1; });
  }
}
int32_t Nms(flx_device_queue* q, const flx_device_call* c) {
  NmsInts s;
  if (!Ints(c, 3, 1, 2, &s) || !Floats(c, 4 | 8)) return FLX_DEVICE_NO_KERNEL;
  void* stays = nullptr;
  if (int32_t r = c->scratch(c->context, s.images * s.n * int64_t(sizeof(int64_t)), &stays)) return r;
  return ByType(c->in[0], [&](auto zero) {
    using T = decltype(zero);
    const Ranked<T> all = {s, In<T>(c, 0), In<T>(c, 1), In<int64_t>(c, 2), static_cast<int64_t*>(stays)};
    return LaunchBlocks(q, s.images, &NmsKernel<T>, all, T(c->numbers[0]), Out<int64_t>(c, 0));
  });
}
template <class T> __global__ void RowsKernel(NmsInts s, const T* x, const int64_t* rows, T* y) {
  const bool same = s.in_format == s.out_format;
  for (int64_t e = Index(); e < s.images * s.n * s.width; e += Step()) {
    const int64_t place = e / s.width, k = e % s.width, row = rows[place];
    const T* from = x + (place / s.n * s.n + row) * s.width;
    T box[4];
    if (row >= 0 && !same && k >= s.coord && k < s.coord + 4) {
      PutBox(CornersOf(from + s.coord, BoxFormat(s.in_format)), BoxFormat(s.out_format), box);
      y[e] = box[k - s.coord];
    } else {
      y[e] = row >= 0 ? from[k] : T(-1);
    }
  }
}
template <class T> __global__ void RowsGradKernel(NmsInts s, const T* dy, const int64_t* rows, T* dx) {  // rows are named once
  const bool same = s.in_format == s.out_format;
  for (int64_t e = Index(); e < s.images * s.n * s.width; e += Step()) {
    const int64_t place = e / s.width, k = e % s.width, row = rows[place];
    if (row < 0) continue;
    const T* from = dy + place * s.width;
    T box[4], v = from[k];
    if (!same && k >= s.coord && k < s.coord + 4) {
      PutBoxGrad(from + s.coord, BoxFormat(s.out_format), box);
      v = box[k - s.coord];
    }
    dx[(place / s.n * s.n + row) * s.width + k] = v;
  }
}
template <bool kGrad> int32_t Rows(flx_device_queue* q, const flx_device_call* c) {
  NmsInts s;
  if (!Ints(c, 2, 1, 2, &s) || !Floats(c, 2)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c->out[0], [&](auto zero) {
    using T = decltype(zero);
    return Launch(q, BlocksFor(s.images * s.n * s.width), kGrad ? &RowsGradKernel<T> : &RowsKernel<T>, s, In<T>(c, 0), In<int64_t>(c, 1), Out<T>(c, 0));
  });
}

// ---- anchors
constexpr int kKinds = 32;  // boxes of a place that one launch makes
template <class T> struct Kinds { T step[2], offset[2], half[kKinds][2]; int64_t width, count, first, some; bool clip; };
template <class T> __global__ void PriorKernel(Kinds<T> a, int64_t size, T* y) {
  for (int64_t e = Index(); e < size; e += Step()) {
    const int64_t place = e / a.some, k = e % a.some;
    PutAnchor(T(place / a.width), T(place % a.width), a.offset[0], a.offset[1], a.step, a.half[k], a.clip, y + (place * a.count + a.first + k) * 4);
  }
}
int32_t Prior(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 0 || c->nout != 1 || c->nints != 4 || c->nnumbers != 4 + 2 * c->ints[2] || !Floats(c)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c->out[0], [&](auto zero) {
    using T = decltype(zero);
    Kinds<T> a = {};
    a.width = c->ints[1], a.count = c->ints[2], a.clip = c->ints[3] != 0;
    for (int i = 0; i < 2; ++i) a.offset[i] = T(c->numbers[i]), a.step[i] = T(c->numbers[2 + i]);
    int32_t r = FLX_DEVICE_OK;
    for (a.first = 0; a.first < a.count && !r; a.first += kKinds) {
      a.some = a.count - a.first < kKinds ? a.count - a.first : kKinds;
      for (int64_t k = 0; k < a.some; ++k)
        for (int i = 0; i < 2; ++i) a.half[k][i] = T(c->numbers[4 + (a.first + k) * 2 + i]);
      const int64_t size = c->ints[0] * a.width * a.some;
      r = Launch(q, BlocksFor(size), &PriorKernel<T>, a, size, Out<T>(c, 0));
    }
    return r;
  });
}

// ---- what anchors should learn
struct Best { double overlap; int64_t at; };  // the first of the largest
template <class T> struct Match {
  MatchInts s;
  const T *anchors, *label, *cls;
  int64_t *state, *object, *found;
  T *key, *iou, *overlap;  // iou: (images, n, objects)
  T enough, hard;
};
template <class T> __global__ void MatchKernel(Match<T> m) {
  __shared__ Best bests[kBlock];
  __shared__ int64_t room[kBlock];
  const MatchInts& s = m.s;
  for (int64_t b = blockIdx.x; b < s.images; b += gridDim.x) {
    const T *label = m.label + b * s.objects * s.width, *cls = m.cls + b * s.classes * s.n;
    int64_t *state = m.state + b * s.n, *object = m.object + b * s.n, objects = 0, found = 0;
    T *key = m.key + b * s.n, *iou = m.iou + b * s.n * s.objects, *overlap = m.overlap + b * s.n;
    while (objects < s.objects && label[objects * s.width] != T(-1)) ++objects;
    // Anchor i is its thread's alone, so that threads meet only to find the best of all.
    for (int64_t i = threadIdx.x; i < s.n; i += blockDim.x) {
      const Corners<T> c = CornersOf(m.anchors + i * 4, kCorners);
      state[i] = kAnchorIgnored, object[i] = -1, overlap[i] = T(-1);
      for (int64_t k = 0; k < objects; ++k) {
        const T v = iou[i * objects + k] = Iou(c, CornersOf(label + k * s.width + 1, kCorners));
        if (v > overlap[i]) overlap[i] = v, object[i] = k;
      }
    }
    for (int64_t left = objects; left > 0; --left) {  // the best pair of all is matched, then the best of what is left
      T most = T(1e-6);
      Best best = {0, -1};
      for (int64_t i = threadIdx.x; i < s.n; i += blockDim.x) {
        if (state[i] == kAnchorObject || overlap[i] <= most) continue;
        for (int64_t k = 0; k < objects; ++k)
          if (iou[i * objects + k] > most) most = iou[i * objects + k], best = {double(most), i * objects + k};
      }
      best = Together(best, bests, [](const Best& p, const Best& q) { return q.at >= 0 && (p.at < 0 || q.overlap > p.overlap || (q.overlap == p.overlap && q.at < p.at)) ? q : p; });
      if (best.at < 0) break;
      const int64_t anchor = best.at / objects, k = best.at % objects;
      ++found;
      for (int64_t i = threadIdx.x; i < s.n; i += blockDim.x) {
        if (i == anchor) state[i] = kAnchorObject, object[i] = k;
        iou[i * objects + k] = T(-1);  // has its anchor
      }
    }
    int64_t more = 0;
    for (int64_t i = threadIdx.x; i < s.n; i += blockDim.x) {
      if (m.enough > 0 && state[i] != kAnchorObject && overlap[i] > m.enough) state[i] = kAnchorObject, ++more;
      key[i] = std::numeric_limits<T>::infinity();
      if (objects == 0 || state[i] == kAnchorObject) continue;
      if (!s.mines) {
        state[i] = kAnchorBackground;
      } else if (!(overlap[i] >= m.hard)) {  // the probability of background: where it is low, the prediction is wrong
        T top = cls[i], sum = 0;
        for (int64_t k = 1; k < s.classes; ++k) top = cls[k * s.n + i] > top ? cls[k * s.n + i] : top;
        for (int64_t k = 0; k < s.classes; ++k) sum += exp(cls[k * s.n + i] - top);
        key[i] = exp(cls[i] - top) / sum;
      }
    }
    found += Together(more, room, Plus());
    if (threadIdx.x == 0) m.found[b] = found;
  }
}
int32_t MatchBoxes(flx_device_queue* q, const flx_device_call* c) {
  MatchInts s;
  if (!Ints(c, 3, 4, 2, &s) || !Floats(c, 8 | 16 | 32)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c->out[3], [&](auto zero) {
    using T = decltype(zero);
    void* room = nullptr;
    if (int32_t r = c->scratch(c->context, s.images * s.n * (s.objects + 1) * int64_t(sizeof(T)), &room)) return r;
    Match<T> m = {s, In<T>(c, 0), In<T>(c, 1), In<T>(c, 2), Out<int64_t>(c, 0), Out<int64_t>(c, 1), Out<int64_t>(c, 2), Out<T>(c, 3), static_cast<T*>(room), nullptr, 0, 0};
    m.overlap = m.iou + s.images * s.n * s.objects, m.enough = T(c->numbers[0]), m.hard = T(c->numbers[1]);
    return LaunchBlocks(q, s.images, &MatchKernel<T>, m);
  });
}
struct Mine { int64_t images, n, least; };
template <class T> __global__ void MineKernel(Mine s, double ratio, const T* key, const int64_t* at, const int64_t* found, int64_t* state) {
  for (int64_t e = Index(); e < s.images * s.n; e += Step()) {
    const int64_t b = e / s.n, share = int64_t(double(found[b]) * ratio), want = share > s.least ? share : s.least, i = b * s.n + at[e];
    if (e % s.n < want && key[i] < std::numeric_limits<T>::infinity()) state[i] = kAnchorBackground;
  }
}
int32_t MineBackground(flx_device_queue* q, const flx_device_call* c) {
  Mine s;
  if (!Ints(c, 3, 1, 1, &s) || !Floats(c, 2 | 4 | 8)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c->in[0], [&](auto zero) {
    using T = decltype(zero);
    return Launch(q, BlocksFor(s.images * s.n), &MineKernel<T>, s, c->numbers[0], In<T>(c, 0), In<int64_t>(c, 1), In<int64_t>(c, 2), Out<int64_t>(c, 0));
  });
}
struct Variances { double ignored, v[4]; };
template <class T> __global__ void TargetKernel(MatchInts s, Variances v, const T* anchors, const T* label, const int64_t* state, const int64_t* object, T* loc, T* mask, T* cls) {
  for (int64_t e = Index(); e < s.images * s.n; e += Step()) {
    const bool learns = state[e] == kAnchorObject;
    for (int k = 0; k < 4; ++k) mask[e * 4 + k] = T(learns), loc[e * 4 + k] = T(0);
    cls[e] = state[e] == kAnchorBackground ? T(0) : T(v.ignored);
    if (!learns) continue;
    const T* row = label + (e / s.n * s.objects + object[e]) * s.width;
    cls[e] = row[0] + 1;
    EncodeBox(CornersOf(anchors + e % s.n * 4, kCorners), CornersOf(row + 1, kCorners), v.v, loc + e * 4);
  }
}
int32_t Target(flx_device_queue* q, const flx_device_call* c) {
  MatchInts s;
  if (!Ints(c, 4, 3, 5, &s) || !Floats(c, 4 | 8)) return FLX_DEVICE_NO_KERNEL;
  Variances v;
  std::memcpy(&v, c->numbers, sizeof v);
  return ByType(c->out[0], [&](auto zero) {
    using T = decltype(zero);
    return Launch(q, BlocksFor(s.images * s.n), &TargetKernel<T>, s, v, In<T>(c, 0), In<T>(c, 1), In<int64_t>(c, 2), In<int64_t>(c, 3), Out<T>(c, 0), Out<T>(c, 1), Out<T>(c, 2));
  });
}

// ---- boxes from what was learnt
template <class T> __global__ void DetectKernel(DetectInts s, Variances v, const T* cls, const T* loc, const T* anchors, T* rows, T* key) {
  for (int64_t e = Index(); e < s.images * s.n; e += Step()) {
    const int64_t b = e / s.n, i = e % s.n;
    const T* p = cls + b * s.classes * s.n;
    T score = -1, *row = rows + e * 6;
    int64_t id = -1;
    for (int64_t k = 0; k < s.classes; ++k)
      if (k != s.background && p[k * s.n + i] > score) score = p[k * s.n + i], id = k > s.background ? k - 1 : k;
    const bool counts = id >= 0 && !(score < T(v.ignored));
    const Corners<T> box = DecodeBox(CornersOf(anchors + i * 4, kCorners), loc + e * 4, v.v, s.clip != 0);
    row[0] = T(id), row[1] = score, row[2] = box.l, row[3] = box.t, row[4] = box.r, row[5] = box.b;
    key[e] = counts ? score : -std::numeric_limits<T>::infinity();
  }
}
int32_t Detect(flx_device_queue* q, const flx_device_call* c) {
  DetectInts s;
  if (!Ints(c, 3, 2, 5, &s) || !Floats(c)) return FLX_DEVICE_NO_KERNEL;
  Variances v;
  std::memcpy(&v, c->numbers, sizeof v);
  return ByType(c->out[0], [&](auto zero) {
    using T = decltype(zero);
    return Launch(q, BlocksFor(s.images * s.n), &DetectKernel<T>, s, v, In<T>(c, 0), In<T>(c, 1), In<T>(c, 2), Out<T>(c, 0), Out<T>(c, 1));
  });
}
template <class T> struct Found {
  T* rows;  // of an image
  __device__ bool Stays(int64_t k) const { return rows[k * 6] >= 0; }
  __device__ Corners<T> At(int64_t k) const { return CornersOf(rows + k * 6 + 2, kCorners); }
  __device__ T Class(int64_t k) const { return rows[k * 6]; }
  __device__ void Drop(int64_t k) const { rows[k * 6] = T(-1); }
};
template <class T> __global__ void DetectedKernel(DetectInts s, T most, const T* rows, const T* key, const int64_t* at, T* y) {
  __shared__ int64_t room[kBlock];
  for (int64_t b = blockIdx.x; b < s.images; b += gridDim.x) {
    const int64_t base = b * s.n;
    T* to = y + base * 6;
    const auto counts = [&](int64_t i) { return key[base + i] > -std::numeric_limits<T>::infinity(); };
    const auto copy = [&](int64_t i, int64_t place) { for (int k = 0; k < 6; ++k) to[place * 6 + k] = counts(i) ? rows[(base + i) * 6 + k] : T(-1); };
    const int64_t count = Compact(s.n, room, counts, copy);  // in the order of the anchors
    if (!at) continue;
    const int64_t keep = s.topk > 0 && s.topk < count ? s.topk : count;
    Meet();
    for (int64_t k = threadIdx.x; k < count; k += blockDim.x)
      if (k < keep) copy(at[base + k], k); else to[k * 6] = T(-1);
    Meet();
    Suppress(keep, most, true, s.any_class != 0, Found<T>{to});
  }
}
int32_t Detected(flx_device_queue* q, const flx_device_call* c) {
  DetectInts s;
  if (!Ints(c, 3, 1, 1, &s) || !Floats(c, 4)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c->out[0], [&](auto zero) {
    using T = decltype(zero);
    return LaunchBlocks(q, s.images, &DetectedKernel<T>, s, T(c->numbers[0]), In<T>(c, 0), In<T>(c, 1), In<int64_t>(c, 2), Out<T>(c, 0));
  });
}
}  // namespace

void AddBoxKernels(KernelTable* t) {
  t->Add(kDeviceBoxScores, DeviceSignature(kDeviceBoxScores), &Scores);
  t->Add(kDeviceBoxNms, DeviceSignature(kDeviceBoxNms), &Nms);
  t->Add(kDeviceBoxRows, DeviceSignature(kDeviceBoxRows), &Rows<false>);
  t->Add(kDeviceBoxRowsGrad, DeviceSignature(kDeviceBoxRowsGrad), &Rows<true>);
  t->Add(kDeviceBoxPrior, DeviceSignature(kDeviceBoxPrior), &Prior);
  t->Add(kDeviceBoxMatch, DeviceSignature(kDeviceBoxMatch), &MatchBoxes);
  t->Add(kDeviceBoxMine, DeviceSignature(kDeviceBoxMine), &MineBackground);
  t->Add(kDeviceBoxTarget, DeviceSignature(kDeviceBoxTarget), &Target);
  t->Add(kDeviceBoxDetect, DeviceSignature(kDeviceBoxDetect), &Detect);
  t->Add(kDeviceBoxDetected, DeviceSignature(kDeviceBoxDetected), &Detected);
}
}  // namespace flx::cuda
