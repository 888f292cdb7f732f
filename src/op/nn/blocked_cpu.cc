// SPDX-License-Identifier: Apache-2.0
// Blocking, packing, and convolutions by the library where it takes them; what it does not take is computed on plain copies.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "op/nn/blocked.h"
#include "op/nn/blocked_spans.h"
#include "op/nn/wide.h"
#include "tensor/tile.h"

namespace flx {
namespace {

using Bytes = uint8_t;
// Calls f(first, count) for pieces of n that a tile takes.
template <class F> void ForTiles(int64_t n, const F& f) {
  for (int64_t i = 0; i < n; i += kTileSide) f(i, std::min(kTileSide, n - i));
}
// Between (n, c, places) and blocks; `size`: bytes of a number.
void Block(const Shape& plain, int64_t block, int size, const Bytes* x, Bytes* y, bool forth) {
  TurnFn turn = TransposeTile(size);
  int64_t places = plain[2] * plain[3], planes = plain[0] * plain[1] / block;
  ParallelFor(planes, GrainOf(planes, places * block), [&](int64_t b, int64_t e) {
    for (int64_t k = b; k < e; ++k) {
      int64_t at = k * places * block * size;
      ForTiles(places, [&](int64_t p, int64_t count) {
        if (forth) turn(x + at + p * size, places, y + at + p * block * size, block, count, block, false);
        else turn(x + at + p * block * size, block, y + at + p * size, places, block, count, false);
      });
    }
  });
}
// Between a plain weight and a packed one, block by block of output and input channels.
class Packer {
 public:
  Packer(const Shape& w, int64_t block, PackFor use, int size)
      : o_(w[0] / block), c_(use == PackFor::kPlainData ? 1 : w[1] / block), k_(w[2] * w[3]), b_(block), cb_(use == PackFor::kPlainData ? w[1] : block), row_(w[1] * k_), size_(size),
        use_(use), turned_(use == PackFor::kGradData && TurnedForGradData(w, block)), turn_(TransposeTile(size)) {}
  int64_t count() const { return o_ * c_; }
  int64_t numbers() const { return k_ * cb_ * b_; }  // of a pair of blocks
  int64_t per_row() const { return c_; }
  void Pack(int64_t pair, const Bytes* w, Bytes* y, std::vector<Bytes>* room) const {
    const Bytes* from = Plain(pair, w);
    Bytes* to = y + Place(pair);
    if (use_ != PackFor::kGradData) return Rows(from, to, true);
    room->resize(size_t(numbers() * size_));
    Rows(from, room->data(), true);
    for (int64_t k = 0; k < k_; ++k) turn_(room->data() + k * b_ * b_ * size_, b_, to + k * b_ * b_ * size_, b_, b_, b_, false);
  }
  void Unpack(int64_t pair, const Bytes* y, Bytes* w, std::vector<Bytes>* room) const {
    Bytes* to = const_cast<Bytes*>(Plain(pair, w));
    Bytes* from = const_cast<Bytes*>(y + Place(pair));
    if (use_ != PackFor::kGradData) return Rows(to, from, false);
    room->resize(size_t(numbers() * size_));
    for (int64_t k = 0; k < k_; ++k) turn_(from + k * b_ * b_ * size_, b_, room->data() + k * b_ * b_ * size_, b_, b_, b_, false);
    Rows(to, room->data(), false);
  }

 private:
  const Bytes* Plain(int64_t pair, const Bytes* w) const { return w + (pair / c_ * b_ * row_ + pair % c_ * cb_ * k_) * size_; }
  int64_t Place(int64_t pair) const { return (turned_ ? pair % c_ * o_ + pair / c_ : pair) * numbers() * size_; }
  // Between a pair's plain rows and (kernel, c, o).
  void Rows(const Bytes* plain, Bytes* packed, bool forth) const {
    auto run = [&](auto zero) {
      using T = decltype(zero);
      auto* p = reinterpret_cast<T*>(const_cast<Bytes*>(plain));
      auto* q = reinterpret_cast<T*>(packed);
      if (forth) BlockSpansOf<T>().pack(p, row_, k_, cb_, b_, q);
      else BlockSpansOf<T>().unpack(q, row_, k_, cb_, b_, p);
    };
    if (size_ == 4) return run(float{});
    if (size_ == 8) return run(double{});
    for (int64_t c = 0; c < cb_; ++c)
      for (int64_t k = 0; k < k_; ++k)
        for (int64_t o = 0; o < b_; ++o) {
          const Bytes* p = plain + (o * row_ + c * k_ + k) * size_;
          Bytes* q = packed + ((k * cb_ + c) * b_ + o) * size_;
          if (forth) std::memcpy(q, p, size_t(size_));
          else std::memcpy(const_cast<Bytes*>(p), q, size_t(size_));
        }
  }
  int64_t o_, c_, k_, b_, cb_, row_;
  int size_;
  PackFor use_;
  bool turned_;
  TurnFn turn_;
};
void PackAll(const Shape& weight, int64_t block, PackFor use, int size, const Bytes* from, Bytes* to, bool forth) {
  Packer p(weight, block, use, size);
  ParallelFor(p.count(), GrainOf(p.count(), p.numbers()), [&](int64_t b, int64_t e) {
    std::vector<Bytes> room;
    for (int64_t i = b; i < e; ++i) forth ? p.Pack(i, from, to, &room) : p.Unpack(i, from, to, &room);
  });
}

const Bytes* BytesOf(const TensorView& v) { return static_cast<const Bytes*>(v.raw()); }
Bytes* BytesOf(TensorView& v) { return static_cast<Bytes*>(v.raw()); }
int SizeOf(const TensorView& v) { return int(DTypeSize(v.dtype)); }
TensorView Room(KernelContext& ctx, const Shape& s, DType t) { return MakeView(ctx.Scratch(s.size() * int64_t(DTypeSize(t))), t, s); }
TensorView Unblocked(KernelContext& ctx, const TensorView& x) {
  TensorView y = Room(ctx, PlainOf(x.shape), x.dtype);
  Block(y.shape, x.shape[4], SizeOf(x), BytesOf(x), BytesOf(y), false);
  return y;
}
void Blocked(const TensorView& plain, TensorView& y) { Block(plain.shape, y.shape[4], SizeOf(plain), BytesOf(plain), BytesOf(y), true); }
TensorView Unpacked(KernelContext& ctx, const TensorView& w, const Shape& weight, PackFor use) {
  TensorView y = Room(ctx, weight, w.dtype);
  PackAll(weight, w.shape[w.shape.ndim() - 1], use, SizeOf(w), BytesOf(w), BytesOf(y), false);
  return y;
}
template <class A> A PlainWindow(const ConvWindow& a) {
  A r;
  static_cast<ConvWindow&>(r) = a;
  r.layout = ConvLayout::kNCHW;
  return r;
}

void Convolve(KernelContext& ctx, const BlockedConvAttrs& a, const TensorView* addend0, const TensorView& x0, const TensorView& w0, const TensorView& bias0, TensorView& y0) {
  bool blocked = x0.shape.ndim() == 5;
  TensorView x = Widen(ctx, x0), w = Widen(ctx, w0), bias = Widen(ctx, bias0), addend = addend0 ? Widen(ctx, *addend0) : TensorView();
  WideOut y(ctx, y0);
  auto plain = PlainWindow<ConvolutionAttrs>(a);
  plain.no_bias = !bias;
  const Shape out = PlainOf(y0.shape), in = blocked ? PlainOf(x.shape) : x.shape;
  if (x.dtype == DType::kFloat32) {
    BlockedConvCall c;
    c.g = GeometryOf(plain, in, out), c.block = y0.shape[4], c.x_blocked = blocked, c.relu = a.relu;
    c.x = x.data<float>(), c.w = w.data<float>(), c.bias = bias ? bias.data<float>() : nullptr, c.addend = addend ? addend.data<float>() : nullptr, c.y = y.data<float>();
    if (LibraryBlockedConvolution(c)) return y.Store();
  }
  const Shape weight{a.num_filter, in[1], a.kernel[0], a.kernel[1]};
  TensorView px = blocked ? Unblocked(ctx, x) : x, pw = Unpacked(ctx, w, weight, blocked ? PackFor::kForward : PackFor::kPlainData), py = Room(ctx, out, x.dtype);
  ConvolutionCpu(ctx, plain, px, pw, bias, py);
  TensorView by = Room(ctx, y0.shape, x.dtype);
  Blocked(py, by);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    BlockSpansOf<T>().add_relu(by.data<T>(), addend ? addend.data<T>() : nullptr, a.relu, by.size(), y.data<T>());
  });
  y.Store();
}

void ToBlockedCpu(KernelContext&, const ToBlockedAttrs&, const TensorView& x, TensorView& y) { Blocked(x, y); }
void FromBlockedCpu(KernelContext&, const NoAttrs&, const TensorView& x, TensorView& y) { Block(y.shape, x.shape[4], SizeOf(x), BytesOf(x), BytesOf(y), false); }
void PackWeightCpu(KernelContext&, const PackAttrs& a, const TensorView& w, TensorView& y) { PackAll(w.shape, a.block, a.use, SizeOf(w), BytesOf(w), BytesOf(y), true); }
void ConvCpu(KernelContext& ctx, const BlockedConvAttrs& a, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y) {
  Convolve(ctx, a, nullptr, x, w, bias, y);
}
void ConvAddCpu(KernelContext& ctx, const BlockedConvAttrs& a, const TensorView& addend, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y) {
  Convolve(ctx, a, &addend, x, w, bias, y);
}
void GradDataCpu(KernelContext& ctx, const BlockedConvGradAttrs& a, const TensorView& w0, const TensorView& dy0, TensorView& dx0) {
  TensorView w = Widen(ctx, w0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  auto plain = PlainWindow<ConvGradAttrs>(a);
  const Shape in = PlainOf(dx0.shape), out = PlainOf(dy0.shape);
  plain.shape = in.vec();
  if (w.dtype == DType::kFloat32 && LibraryBlockedGradData(GeometryOf(plain, in, out), dx0.shape[4], w.data<float>(), dy.data<float>(), dx.data<float>())) return dx.Store();
  TensorView pw = Unpacked(ctx, w, {a.num_filter, in[1], a.kernel[0], a.kernel[1]}, PackFor::kGradData), pdy = Unblocked(ctx, dy), pdx = Room(ctx, in, w.dtype);
  ConvolutionGradDataCpu(ctx, plain, pw, pdy, pdx);
  Blocked(pdx, dx.view);
  dx.Store();
}
void GradWeightCpu(KernelContext& ctx, const BlockedConvGradAttrs& a, const TensorView& x0, const TensorView& dy0, TensorView& dw0) {
  TensorView x = Widen(ctx, x0), dy = Widen(ctx, dy0);
  WideOut dw(ctx, dw0);
  bool blocked = x.shape.ndim() == 5;
  auto plain = PlainWindow<ConvGradAttrs>(a);
  plain.shape = a.shape;
  const Shape in = blocked ? PlainOf(x.shape) : x.shape, out = PlainOf(dy.shape);
  if (x.dtype == DType::kFloat32 &&
      LibraryBlockedGradWeight(ctx, GeometryOf(plain, in, out), dy.shape[4], blocked, x.data<float>(), dy.data<float>(), dw.data<float>()))
    return dw.Store();
  TensorView px = blocked ? Unblocked(ctx, x) : x, pdy = Unblocked(ctx, dy);
  ConvolutionGradWeightCpu(ctx, plain, px, pdy, dw.view);
  dw.Store();
}

// Pooling over two axes of a blocked array; false: not one of the kinds with loops of their own.
bool HasLoops(const PoolWindow& a) { return a.pool_type != PoolType::kLp; }
BlockPlane PlaneOf(const PoolWindow& a, const Shape& x, const Shape& y, int64_t block) {
  PoolGeometry g = PoolGeometryOf(a, x, y);
  BlockPlane p;
  p.b = block;
  for (int i = 0; i < 2; ++i) p.in[i] = g.in[i + 1], p.out[i] = g.out[i + 1], p.k[i] = g.k[i + 1], p.s[i] = g.s[i + 1], p.p[i] = g.p[i + 1];
  return p;
}
template <class T> std::vector<T> Shares(const PoolWindow& a, const BlockPlane& g) {  // what a sum is multiplied by
  std::vector<T> share(size_t(g.out[0] * g.out[1]), T(1));
  if (a.pool_type != PoolType::kAvg) return share;
  bool with_pad = a.count_include_pad.value_or(true);
  auto counted = [&](int axis, int64_t o) {
    int64_t from = o * g.s[axis] - g.p[axis], to = std::min(from + g.k[axis], g.in[axis] + g.p[axis]);
    if (!with_pad) from = std::max<int64_t>(from, 0), to = std::min(to, g.in[axis]);
    return std::max<int64_t>(to - from, 0);
  };
  for (int64_t i = 0; i < g.out[0]; ++i)
    for (int64_t j = 0; j < g.out[1]; ++j) {
      int64_t n = counted(0, i) * counted(1, j);
      share[size_t(i * g.out[1] + j)] = n > 0 ? T(1) / T(n) : T(0);
    }
  return share;
}
void PoolCpu(KernelContext& ctx, const PoolingAttrs& a0, const TensorView& x0, TensorView& y0) {
  PoolingAttrs a = a0;
  a.layout = ConvLayout::kNCHW;
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0);
  const Shape in = PlainOf(x.shape), out = PlainOf(y0.shape);
  if (!HasLoops(a)) {
    TensorView px = Unblocked(ctx, x), py = Room(ctx, out, x.dtype);
    PoolingCpu(ctx, a, px, py);
    Blocked(py, y.view);
    return y.Store();
  }
  BlockPlane g = PlaneOf(a, in, out, x.shape[4]);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto& f = BlockSpansOf<T>();
    auto share = Shares<T>(a, g);
    int64_t planes = x.shape[0] * x.shape[1], from = g.in[0] * g.in[1] * g.b, to = g.out[0] * g.out[1] * g.b;
    ParallelFor(planes, GrainOf(planes, to * g.k[0] * g.k[1]), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        if (a.pool_type == PoolType::kMax) f.max_pool(x.data<T>() + i * from, g, y.data<T>() + i * to);
        else f.sum_pool(x.data<T>() + i * from, g, share.data(), y.data<T>() + i * to);
      }
    });
  });
  y.Store();
}
void PoolGradCpu(KernelContext& ctx, const PoolGradAttrs& a0, const TensorView& dy0, const TensorView& x0, TensorView& dx0) {
  PoolGradAttrs a = a0;
  a.layout = ConvLayout::kNCHW;
  TensorView x = Widen(ctx, x0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  BlockPlane g = PlaneOf(a, PlainOf(dx0.shape), PlainOf(dy0.shape), dx0.shape[4]);
  ForFloats(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto& f = BlockSpansOf<T>();
    auto share = Shares<T>(a, g);
    int64_t planes = dx0.shape[0] * dx0.shape[1], from = g.out[0] * g.out[1] * g.b, to = g.in[0] * g.in[1] * g.b;
    ParallelFor(planes, GrainOf(planes, to), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        T* d = dx.data<T>() + i * to;
        std::fill(d, d + to, T(0));
        if (a.pool_type == PoolType::kMax) f.max_pool_back(dy.data<T>() + i * from, x.data<T>() + i * to, g, d);
        else f.sum_pool_back(dy.data<T>() + i * from, g, share.data(), d);
      }
    });
  });
  dx.Store();
}

}  // namespace

void UnpackRows(const float* packed, const Shape& weight, int64_t block, PackFor use, int64_t count, float* plain) {
  Shape part = weight;
  part[0] = count;
  Packer p(part, block, use, int(sizeof(float)));
  std::vector<Bytes> room;
  for (int64_t i = 0; i < p.count(); ++i) p.Unpack(i, reinterpret_cast<const Bytes*>(packed), reinterpret_cast<Bytes*>(plain), &room);
}

void AddBlockedCpuKernels(KernelList* list) {
  list->push_back(Kernel<ToBlockedKernel>(&ToBlockedCpu));
  list->push_back(Kernel<FromBlockedKernel>(&FromBlockedCpu));
  list->push_back(Kernel<PackWeightKernel>(&PackWeightCpu));
  list->push_back(Kernel<BlockedConvKernel>(&ConvCpu));
  list->push_back(Kernel<BlockedConvAddKernel>(&ConvAddCpu));
  list->push_back(Kernel<BlockedConvGradDataKernel>(&GradDataCpu));
  list->push_back(Kernel<BlockedConvGradWeightKernel>(&GradWeightCpu));
  list->push_back(Kernel<BlockedPoolingKernel>(&PoolCpu));
  list->push_back(Kernel<BlockedPoolingGradKernel>(&PoolGradCpu));
  list->push_back(Kernel<BlockedBatchNormKernel>(&BlockedBatchNormCpu));
  list->push_back(Kernel<BlockedBatchNormGradKernel>(&BlockedBatchNormGradCpu));
}

}  // namespace flx
