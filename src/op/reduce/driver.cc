// SPDX-License-Identifier: Apache-2.0
#include "op/reduce/driver.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <type_traits>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/elementwise/convert_simd.h"
#include "op/reduce/inner.h"
#include "op/reduce/loops.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

constexpr int64_t kTile = 2048;     // elements of a run between two merges into the total
constexpr int64_t kColumns = 2048;  // outputs that are reduced side by side
constexpr int64_t kBlockRows = 64;  // rows between two merges into the totals
constexpr int64_t kPart = 65536;    // elements of a part of one long reduction
constexpr int64_t kGrain = 32768;   // elements worth a chunk of a parallel loop

#include "op/reduce/formulas.h"

// n elements as type C: in place where they already are that, else converted into `buffer`.
template <class C> const C* Load(const TensorView& x, int64_t offset, int64_t stride, int64_t n, C* buffer) {
  if (x.dtype == kDTypeOf<C> && stride == 1) return x.data<C>() + offset;
  if constexpr (std::is_same_v<C, float>) {
    if (x.dtype == DType::kFloat16 && stride == 1) return HalfToFloat(x.data<Half>() + offset, buffer, n), buffer;
  }
  Dispatch(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* p = x.data<T>() + offset;
    for (int64_t i = 0; i < n; ++i) {
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, Bfloat16>) buffer[i] = C(ToFloat(p[i * stride]));
      else buffer[i] = C(p[i * stride]);
    }
  });
  return buffer;
}

template <class T, class W> T Narrow(W v) {
  if constexpr (std::is_same_v<T, Half>) return ToHalf(float(v));
  else if constexpr (std::is_same_v<T, Bfloat16>) return ToBfloat16(float(v));
  else if constexpr (std::is_same_v<T, bool>) return v != W(0);
  else if constexpr (std::is_floating_point_v<W> && std::is_integral_v<T>) {
    if (!(v == v)) return T(0);
    if (v <= W(std::numeric_limits<T>::lowest())) return std::numeric_limits<T>::lowest();
    if (v >= W(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return T(v);
  } else return T(v);
}
template <class W> void Store(const TensorView& y, int64_t at, int64_t stride, const W* total, int64_t n, const ReduceSpec& spec, int64_t count) {
  Dispatch(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* p = y.data<T>() + at;
    constexpr bool whole = std::is_integral_v<W>;
    for (int64_t i = 0; i < n; ++i) {
      W v = total[i];
      if (spec.mean) {
        if (whole && IsFloat(y.dtype)) { p[i * stride] = Narrow<T>(double(v) / double(count)); continue; }
        v = whole && count == 0 ? W(0) : v / W(count);
      }
      if (spec.root) v = W(std::sqrt(double(v)));
      p[i * stride] = Narrow<T>(v);
    }
  });
}

// What both walks share: totals of up to kColumns outputs at a time, in `parts` parts that are merged in order at the end.
template <class F, class C> class Reducer {
  using W = WideOf<C>;

 public:
  Reducer(const ReduceSpec& spec, const TensorView& x, const TensorView& y) : spec_(spec), x_(x), y_(y), loops_(Inner<C>(spec.kind)) {}

  void Run() {
    LoopList kept, reduced;
    int last = -1;  // which list the axis before belongs to: only neighbours may merge
    for (int i = 0; i < x_.ndim(); ++i) {
      bool r = spec_.axes >> i & 1;
      if (x_.dim(i) == 1) continue;
      (r ? reduced : kept).Add(x_.dim(i), x_.strides[i], last == int(r));
      last = int(r);
    }
    count_ = reduced.size();
    if (count_ == 0) return Constant(kept.size());
    // The loop over the closest elements is the inner one, unless it is very short beside a long one.
    int in_r = Closest(reduced), in_k = Closest(kept);
    bool columns = in_k >= 0;
    if (in_k >= 0 && in_r >= 0) {
      const AxisLoop &k = kept.loop[in_k], &r = reduced.loop[in_r];
      columns = std::abs(k.stride) < std::abs(r.stride) ? k.size >= 8 || r.size <= k.size : r.size < 32 && k.size >= 32;
    }
    if (columns) Columns(kept, reduced, in_k);
    else Rows(kept, reduced, in_r);
  }

 private:
  static int Closest(const LoopList& l) {
    int best = -1;
    for (int i = l.count - 1; i >= 0; --i)
      if (best < 0 || std::abs(l.loop[i].stride) < std::abs(l.loop[best].stride)) best = i;
    return best;
  }
  void Constant(int64_t outputs) {
    W v = F::template Empty<W>();
    if constexpr (std::is_integral_v<W> && (std::is_same_v<F, Max> || std::is_same_v<F, Min>))
      Dispatch(y_.dtype, [&](auto zero) {  // the extreme of the array's own dtype
        using T = decltype(zero);
        if constexpr (std::is_integral_v<T>) v = W(std::is_same_v<F, Max> ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max());
      });
    v = Initial(v);
    for (int64_t i = 0; i < outputs; ++i) Store(y_, i, 1, &v, 1, spec_, 0);
  }
  W Initial(W v) const { return spec_.initial ? F::Merge(v, Narrow<W>(*spec_.initial)) : v; }
  void Finish(int64_t at, int64_t stride, W* total, int64_t n) const {
    if (spec_.initial) for (int64_t i = 0; i < n; ++i) total[i] = Initial(total[i]);
    Store(y_, at, stride, total, n, spec_, count_);
  }
  // unit(u, part, total) fills the totals of output group u from part `part`; place(u, &at, &stride) says where it lies; returns how many.
  template <class Place, class Unit> void Each(int64_t units, int64_t parts, int64_t cost, const Place& place, const Unit& unit) {
    int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cost / parts));
    if (parts == 1) {
      ParallelFor(units, grain, [&](int64_t b, int64_t e) {
        W total[kColumns];
        for (int64_t u = b, at, stride; u < e; ++u) {
          int64_t n = place(u, &at, &stride);
          unit(u, 0, total);
          Finish(at, stride, total, n);
        }
      });
      return;
    }
    std::unique_ptr<W[]> partial(new W[size_t(units * parts * kColumns)]);
    ParallelFor(units * parts, grain, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) unit(i / parts, i % parts, &partial[size_t(i * kColumns)]);
    });
    for (int64_t u = 0, at, stride; u < units; ++u) {
      int64_t n = place(u, &at, &stride);
      W* total = &partial[size_t(u * parts * kColumns)];
      for (int64_t p = 1; p < parts; ++p)
        for (int64_t i = 0; i < n; ++i) total[i] = F::Merge(total[i], total[p * kColumns + i]);
      Finish(at, stride, total, n);
    }
  }

  void Rows(const LoopList& kept, LoopList reduced, int inner) {
    AxisLoop in = inner >= 0 ? reduced.Take(inner) : AxisLoop{};
    int64_t outputs = kept.size(), outer = reduced.size(), per_run = (in.size + kTile - 1) / kTile, blocks = outer * per_run;
    // few outputs and long reductions: cut each reduction too
    int64_t parts = outputs >= 64 ? 1 : std::max<int64_t>(1, std::min(blocks, count_ / kPart));
    int64_t group = parts > 1 ? 1 : std::min<int64_t>(kColumns, std::max<int64_t>(1, kGrain / count_));
    int64_t units = (outputs + group - 1) / group;
    Each(units, parts, group * count_,
         [&](int64_t u, int64_t* at, int64_t* stride) { *at = u * group, *stride = 1; return std::min(group, outputs - u * group); },
         [&](int64_t u, int64_t part, W* total) {
           int64_t n = std::min(group, outputs - u * group), b0 = blocks * part / parts, b1 = blocks * (part + 1) / parts;
           C buffer[kTile];
           Walker k(kept, u * group);
           for (int64_t i = 0; i < n; ++i, k.Next()) {
             W t = F::template Empty<W>();
             Walker r(reduced, b0 / per_run);
             int64_t tile = b0 % per_run;
             for (int64_t b = b0; b < b1; ++b) {
               int64_t from = tile * kTile, len = std::min(kTile, in.size - from);
               t = F::Merge(t, loops_.run(Load<C>(x_, k.offset + r.offset + from * in.stride, in.stride, len, buffer), len));
               if (++tile == per_run) tile = 0, r.Next();
             }
             total[i] = t;
           }
         });
  }

  void Columns(LoopList kept, const LoopList& reduced, int inner) {
    int64_t out_stride = 1;
    for (int i = inner + 1; i < kept.count; ++i) out_stride *= kept.loop[i].size;
    AxisLoop in = kept.Take(inner);
    int64_t outer = kept.size(), tiles = (in.size + kColumns - 1) / kColumns, rows = count_, units = outer * tiles;
    int64_t width = std::min(in.size, kColumns), blocks = (rows + kBlockRows - 1) / kBlockRows;
    int64_t parts = units >= 64 ? 1 : std::max<int64_t>(1, std::min(blocks, rows * width / kPart));
    Each(units, parts, width * rows,
         [&](int64_t u, int64_t* at, int64_t* stride) {
           int64_t o = u / tiles, col = u % tiles * kColumns;
           *at = o / out_stride * out_stride * in.size + o % out_stride + col * out_stride;
           *stride = out_stride;
           return std::min(kColumns, in.size - col);
         },
         [&](int64_t u, int64_t part, W* total) {
           int64_t col = u % tiles * kColumns, n = std::min(kColumns, in.size - col);
           int64_t r0 = blocks * part / parts * kBlockRows, r1 = std::min(rows, blocks * (part + 1) / parts * kBlockRows);
           C acc[kColumns], buffer[kUnroll][kColumns];
           const C* some[kUnroll];
           for (int64_t i = 0; i < n; ++i) total[i] = F::template Empty<W>();
           int64_t base = Walker(kept, u / tiles).offset + col * in.stride;
           Walker r(reduced, r0);
           for (int64_t row = r0; row < r1;) {
             for (int64_t i = 0; i < n; ++i) acc[i] = F::template Empty<C>();
             for (int64_t e = std::min(r1, row + kBlockRows); row < e;) {
               int k = 0;
               for (; k < kUnroll && row < e; ++k, ++row, r.Next()) some[k] = Load<C>(x_, base + r.offset, in.stride, n, buffer[k]);
               loops_.columns(acc, some, k, n);
             }
             for (int64_t i = 0; i < n; ++i) total[i] = F::Merge(total[i], W(acc[i]));
           }
         });
  }

  const ReduceSpec& spec_;
  const TensorView& x_;
  const TensorView& y_;
  const InnerLoops<C>& loops_;
  int64_t count_ = 0;
};

template <class C> void RunKind(const ReduceSpec& spec, const TensorView& x, const TensorView& y) {
  switch (spec.kind) {
    case ReduceKind::kSum: return Reducer<Sum, C>(spec, x, y).Run();
    case ReduceKind::kNanSum: return Reducer<NanSum, C>(spec, x, y).Run();
    case ReduceKind::kProd: return Reducer<Prod, C>(spec, x, y).Run();
    case ReduceKind::kNanProd: return Reducer<NanProd, C>(spec, x, y).Run();
    case ReduceKind::kMax: return Reducer<Max, C>(spec, x, y).Run();
    case ReduceKind::kMin: return Reducer<Min, C>(spec, x, y).Run();
    case ReduceKind::kAbsSum: return Reducer<AbsSum, C>(spec, x, y).Run();
    case ReduceKind::kSquareSum: return Reducer<SquareSum, C>(spec, x, y).Run();
  }
}
}  // namespace

void Reduce(const ReduceSpec& spec, const TensorView& x, const TensorView& y) {
  if (y.size() == 0) return;
  if (DeviceWork* w = DeviceWork::Current()) {
    const int64_t ints[] = {int64_t(spec.kind), int64_t(spec.axes), spec.mean * kReduceMean + spec.root * kReduceRoot + spec.initial.has_value() * kReduceInitial};
    const double initial = spec.initial.value_or(0);
    return w->Call(kDeviceReduce, DeviceSignature(kDeviceReduce), {&x, 1, &y, 1, ints, 3, &initial, 1});
  }
  if (!y.contiguous) {
    std::unique_ptr<char[]> memory(new char[size_t(y.bytes())]);
    TensorView whole = MakeView(memory.get(), y.dtype, y.shape);
    Reduce(spec, x, whole);
    return CopyStrided(whole, y);
  }
  // Sums of squares and of magnitudes would overflow float32 long before their root does.
  bool wide = spec.kind == ReduceKind::kSquareSum || spec.kind == ReduceKind::kAbsSum || y.dtype == DType::kFloat64;
  if (x.dtype == DType::kFloat64 || (wide && IsFloat(x.dtype)) || spec.root) RunKind<double>(spec, x, y);
  else if (IsFloat(x.dtype)) RunKind<float>(spec, x, y);
  else if (x.dtype == DType::kUint64) RunKind<uint64_t>(spec, x, y);
  else RunKind<int64_t>(spec, x, y);
}

namespace {
// The extreme along `along`, for columns of kept elements side by side, or for one run of elements at a time.
template <class C> class Arg {
 public:
  Arg(bool max, const TensorView& x, int axis, const TensorView& y) : max_(max), x_(x), y_(y), loops_(ArgInner<C>(max)) {
    if (axis < 0) x_.shape = Shape{x.size()}, x_.strides = Shape{1}, axis = 0;  // the flat array, which is contiguous
    along_ = {x_.dim(axis), x_.strides[axis]};
    for (int i = 0; i < x_.ndim(); ++i) if (i != axis) kept_.Add(x_.dim(i), x_.strides[i], false);
  }
  void Run() {
    runs_ = along_.stride == 1 && x_.dtype == kDTypeOf<C> && (kept_.count == 0 || along_.size >= 16);
    AxisLoop in = !runs_ && kept_.count ? kept_.Take(kept_.count - 1) : AxisLoop{1, 1};
    int64_t width = std::min(in.size, kColumns), tiles = (in.size + kColumns - 1) / kColumns, units = kept_.size() * tiles, cost = std::max<int64_t>(1, width * along_.size);
    // few outputs and long reductions: each is cut too, and the parts' extremes are compared in their order
    int64_t parts = units >= 64 ? 1 : std::max<int64_t>(1, std::min(along_.size, cost / kPart));
    parts = std::max(parts, along_.size >> 30);  // rows are counted in 32 bits
    int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cost / parts));
    if (parts == 1) {
      return ParallelFor(units, grain, [&](int64_t b, int64_t e) {
        C best[kColumns];
        int64_t at[kColumns];
        for (int64_t u = b; u < e; ++u) {
          int64_t col = u % tiles * kColumns, n = std::min(width, in.size - col);
          Part(Walker(kept_, u / tiles).offset + col * in.stride, in.stride, n, 0, along_.size, best, at);
          Store<int64_t>(y_, u / tiles * in.size + col, 1, at, n, ReduceSpec{}, 1);
        }
      });
    }
    std::unique_ptr<C[]> best(new C[size_t(units * parts * width)]);
    std::unique_ptr<int64_t[]> at(new int64_t[size_t(units * parts * width)]);
    ParallelFor(units * parts, grain, [&](int64_t b, int64_t e) {
      for (; b < e; ++b) {
        int64_t u = b / parts, part = b % parts, col = u % tiles * kColumns;
        Part(Walker(kept_, u / tiles).offset + col * in.stride, in.stride, std::min(width, in.size - col), along_.size * part / parts, along_.size * (part + 1) / parts,
             &best[size_t(b * width)], &at[size_t(b * width)]);
      }
    });
    for (int64_t u = 0; u < units; ++u) {
      int64_t col = u % tiles * kColumns, n = std::min(width, in.size - col);
      C* v = &best[size_t(u * parts * width)];
      int64_t* index = &at[size_t(u * parts * width)];
      for (int64_t p = 1; p < parts; ++p)
        for (int64_t i = 0; i < n; ++i) {
          C w = v[p * width + i];
          if ((max_ ? w > v[i] : w < v[i]) || (w != w && v[i] == v[i])) v[i] = w, index[i] = index[p * width + i];
        }
      Store<int64_t>(y_, u / tiles * in.size + col, 1, index, n, ReduceSpec{}, 1);
    }
  }

 private:
  void Part(int64_t base, int64_t stride, int64_t n, int64_t r0, int64_t r1, C* best, int64_t* at) {
    if (runs_) return *at = r0 + loops_.run(x_.template data<C>() + base + r0, r1 - r0, best), void();
    if (x_.dtype == kDTypeOf<C> && stride == 1) {
      IndexOf<C> rows[kColumns];
      loops_.columns(x_.template data<C>() + base + r0 * along_.stride, along_.stride, r1 - r0, n, best, rows);
      for (int64_t i = 0; i < n; ++i) at[i] = r0 + rows[i];
      return;
    }
    C buffer[kColumns];
    for (int64_t r = r0; r < r1; ++r) {
      const C* p = Load<C>(x_, base + r * along_.stride, stride, n, buffer);
      for (int64_t i = 0; i < n; ++i)
        if (r == r0 || (max_ ? p[i] > best[i] : p[i] < best[i]) || (p[i] != p[i] && best[i] == best[i])) best[i] = p[i], at[i] = r;
    }
  }
  const bool max_;
  TensorView x_;
  const TensorView& y_;
  const ArgLoops<C>& loops_;
  AxisLoop along_;
  LoopList kept_;
  bool runs_ = false;
};
}  // namespace

void ArgReduce(bool max, const TensorView& x, int axis, const TensorView& y) {
  if (DeviceWork* w = DeviceWork::Current()) {
    const int64_t ints[] = {max, axis};
    return w->Call(kDeviceArgReduce, DeviceSignature(kDeviceArgReduce), {&x, 1, &y, 1, ints, 2});
  }
  auto go = [&](auto zero) {
    using C = decltype(zero);
    Arg<C>(max, x, axis, y).Run();
  };
  if (x.dtype == DType::kFloat64) go(double{});
  else if (IsFloat(x.dtype)) go(float{});
  else if (x.dtype == DType::kUint64) go(uint64_t{});
  else go(int64_t{});
}

}  // namespace flx
