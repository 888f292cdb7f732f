// SPDX-License-Identifier: Apache-2.0
// Convolutions and their gradients: by cuDNN where it is found and has a way, else by products of matrices. The windows are laid out as the columns of a
// matrix, some images or some places of one at a time, and each group's columns are multiplied with its weights. 16-bit floats are computed in float32.
// A gradient is gathered by the element that it belongs to, and parts are added in their order: the same bits at every run.
#include <cstring>

#include "cuda/cudnn.h"
#include "cuda/elements.h"
#include "cuda/matmul.h"

namespace flx::cuda {
namespace {

// A part of the columns. With channels first they are (image, group, element of the window, place), with channels last (image, group, place, element).
struct Columns {
  ConvolutionInts g;
  const void* x;  // or what the columns are added up into
  void* col;
  int32_t x_type, col_type;
  int64_t image0, images, place0, places;
};
FLX_HD inline int64_t OutPlaces(const ConvolutionInts& g) { return g.out[0] * g.out[1] * g.out[2]; }
FLX_HD inline int64_t InPlaces(const ConvolutionInts& g) { return g.in[0] * g.in[1] * g.in[2]; }
FLX_HD inline int64_t WindowSize(const ConvolutionInts& g) { return g.k[0] * g.k[1] * g.k[2]; }
FLX_HD inline int64_t Elements(const ConvolutionInts& g) { return g.c / g.g * WindowSize(g); }  // of a window, all channels of a group

template <class C> __global__ void ToColumnsKernel(Columns j) {
  const ConvolutionInts& g = j.g;
  const uint32_t elements = uint32_t(Elements(g)), places = uint32_t(j.places), window = uint32_t(WindowSize(g)), per_group = uint32_t(g.c / g.g);
  const int64_t count = j.images * g.g * elements * places;
  for (int64_t e = Index(); e < count; e += Step()) {
    uint32_t r = uint32_t(e), place, element;  // a part of the columns is small enough
    if (g.last) element = r % elements, r /= elements, place = r % places, r /= places;
    else place = r % places, r /= places, element = r % elements, r /= elements;
    const uint32_t group = r % uint32_t(g.g), image = r / uint32_t(g.g);
    const uint32_t channel = group * per_group + (g.last ? element % per_group : element / window);
    uint32_t tap = g.last ? element / per_group : element % window, out = uint32_t(j.place0) + place;
    int64_t at[3];
    bool inside = true;
    for (int a = 2; a >= 0; --a) {
      const uint32_t k = uint32_t(g.k[a]), size = uint32_t(g.out[a]);
      at[a] = int64_t(out % size) * g.s[a] - g.p[a] + int64_t(tap % k) * g.d[a];
      out /= size, tap /= k, inside &= at[a] >= 0 && at[a] < g.in[a];
    }
    C v = C(0);
    if (inside) {
      const int64_t in_plane = (at[0] * g.in[1] + at[1]) * g.in[2] + at[2], n = j.image0 + image;
      v = Load<C>(j.x, j.x_type, g.last ? (n * InPlaces(g) + in_plane) * g.c + channel : (n * g.c + channel) * InPlaces(g) + in_plane);
    }
    Store<C>(j.col, j.col_type, e, v);
  }
}
// The other way: each element of x gets the sum of the places of the columns that it stands in; `add`: and what it has.
template <class C> __global__ void FromColumnsKernel(Columns j, bool add) {
  const ConvolutionInts& g = j.g;
  const int64_t elements = Elements(g), window = WindowSize(g), per_group = g.c / g.g, plane = InPlaces(g), count = j.images * g.c * plane;
  for (int64_t e = Index(); e < count; e += Step()) {
    const int64_t image = e / (g.c * plane), channel = g.last ? e % g.c : e / plane % g.c;
    int64_t r = g.last ? e / g.c % plane : e % plane, at[3];
    for (int a = 2; a >= 0; --a) at[a] = r % g.in[a] + g.p[a], r /= g.in[a];
    const int64_t group = channel / per_group, own = channel % per_group;
    C sum = C(0);
    int64_t tap = 0;
    for (int64_t k0 = 0; k0 < g.k[0]; ++k0) {
      for (int64_t k1 = 0; k1 < g.k[1]; ++k1) {
        for (int64_t k2 = 0; k2 < g.k[2]; ++k2, ++tap) {
          const int64_t from[3] = {at[0] - k0 * g.d[0], at[1] - k1 * g.d[1], at[2] - k2 * g.d[2]};
          int64_t place = 0;
          bool inside = true;
          for (int a = 0; a < 3; ++a) {
            const int64_t o = from[a] / g.s[a];
            inside &= from[a] >= 0 && o * g.s[a] == from[a] && o < g.out[a];
            place = place * g.out[a] + o;
          }
          place -= j.place0;
          if (!inside || place < 0 || place >= j.places) continue;
          const int64_t element = g.last ? tap * per_group + own : own * window + tap, first = (image * g.g + group) * elements * j.places;
          sum = sum + Load<C>(j.col, j.col_type, first + (g.last ? place * elements + element : element * j.places + place));
        }
      }
    }
    const int64_t to = j.image0 * g.c * plane + e;
    if (add) sum = sum + Load<C>(j.x, j.x_type, to);
    Store<C>(const_cast<void*>(j.x), j.x_type, to, sum);
  }
}
// y = x + bias, converted: bias (or null) along the middle of (outer, channels, inner).
struct Ending { const void *x, *bias; void* y; int32_t x_type, bias_type, y_type; int64_t size, channels, inner; };
template <class C> __global__ void EndingKernel(Ending j) {
  for (int64_t i = Index(); i < j.size; i += Step()) {
    C v = j.x ? Load<C>(j.x, j.x_type, i) : C(0);
    if (j.bias) v = v + Load<C>(j.bias, j.bias_type, i / j.inner % j.channels);
    Store<C>(j.y, j.y_type, i, v);
  }
}

// What each launch does with the type that a call is computed in.
#define FLX_LAUNCH_AS(t, q, n, kernel, ...) \
  ((t) == DType::kFloat64 ? Launch(q, BlocksFor(n), &kernel<double>, __VA_ARGS__) \
   : IsFloat(t)           ? Launch(q, BlocksFor(n), &kernel<float>, __VA_ARGS__) \
                          : Launch(q, BlocksFor(n), &kernel<int64_t>, __VA_ARGS__))

// One matrix for each image and group.
struct Matrix { const void* p; int64_t ld, image, group; };

class Convolution {
 public:
  Convolution(flx_device_queue* q, const flx_device_call* c, const ConvolutionInts& g, int32_t dtype) : q_(q), c_(c), g_(g), dtype_(dtype) {
    const DType t = DType(dtype);
    wide_ = t == DType::kFloat16 || t == DType::kBfloat16 ? DType::kFloat32 : t;
    size_ = DTypeSize(wide_);
    elements_ = Elements(g), out_ = OutPlaces(g), group_out_ = g.o / g.g;
    plain_ = true;
    for (int a = 0; a < 3; ++a) plain_ &= g.k[a] == 1 && g.s[a] == 1 && g.p[a] == 0 && g.in[a] == g.out[a];
    plain_ &= wide_ == t;  // x is the matrix of columns itself
    const int64_t place = g.g * elements_ * size_ + (g.c == 0);
    images_ = plain_ ? g.n : kColumnBytes / (place * out_ > 0 ? place * out_ : 1);
    if (images_ > g.n) images_ = g.n;
    places_ = out_;
    if (images_ < 1) images_ = 1, places_ = kColumnBytes / place > 1 ? kColumnBytes / place : 1;
  }
  // Columns are counted in 32 bits.
  bool Fits() const { return plain_ || (images_ * g_.g * elements_ * places_ <= 0x7fffffff && out_ <= 0x7fffffff); }

  int32_t Forward(const flx_device_tensor& x, const flx_device_tensor& w, const flx_device_tensor& bias, const flx_device_tensor& y) {
    const bool narrow = wide_ != DType(dtype_);
    const void* weight = nullptr;
    void* sums = nullptr;
    int32_t r = Wide(w, g_.o * elements_, &weight);
    if (!r && narrow) r = c_->scratch(c_->context, images_ * g_.o * out_ * size_, &sums);
    if (!r && !plain_) r = MakeColumns();
    for (int64_t n0 = 0; n0 < g_.n && !r; n0 += images_) {
      const int64_t n = Least(images_, g_.n - n0), first = n0 * g_.o * out_, size = n * g_.o * out_;
      char* to = static_cast<char*>(y.data) + first * DTypeSize(DType(dtype_));
      if (!narrow) sums = to;
      for (int64_t p0 = 0; p0 < out_ && !r; p0 += places_) {
        const int64_t p = Least(places_, out_ - p0);
        r = ToColumns(x, n0, n, p0, p);
        if (!r) r = Multiply(Weights(weight), ColumnsOf(x.data, n0, p), Places(sums, 0, p0), kTimes, n, g_.g, p, 0);
      }
      if (r || (!narrow && !bias.data)) continue;
      const Ending e = {sums, bias.data, to, int32_t(wide_), bias.dtype, y.dtype, size, g_.o, g_.last ? 1 : out_};
      r = FLX_LAUNCH_AS(wide_, q_, size, EndingKernel, e);
    }
    return r;
  }
  int32_t GradData(const flx_device_tensor& w, const flx_device_tensor& dy, const flx_device_tensor& dx) {
    const void *weight = nullptr, *slope = nullptr;
    void* sums = dx.data;
    const int64_t size = g_.n * g_.c * InPlaces(g_);
    const bool apart = wide_ != DType(dtype_) && places_ < out_;  // parts of a 16-bit element are added in float32
    int32_t r = Wide(w, g_.o * elements_, &weight);
    if (!r) r = Wide(dy, g_.n * g_.o * out_, &slope);
    if (!r && !plain_) r = MakeColumns();
    if (!r && apart) r = c_->scratch(c_->context, size * size_, &sums);
    if (!r && out_ == 0) r = Zero(dx, size);
    for (int64_t n0 = 0; n0 < g_.n && !r; n0 += images_) {
      const int64_t n = Least(images_, g_.n - n0);
      for (int64_t p0 = 0; p0 < out_ && !r; p0 += places_) {
        const int64_t p = Least(places_, out_ - p0);
        r = Multiply(Weights(weight), ColumnsOf(dx.data, n0, p), Places(slope, n0, p0), kBack, n, g_.g, p, 0);
        if (r || plain_) continue;
        const Columns j = {g_, sums, columns_, apart ? int32_t(wide_) : dtype_, int32_t(wide_), n0, n, p0, p};
        r = FLX_LAUNCH_AS(wide_, q_, n * g_.c * InPlaces(g_), FromColumnsKernel, j, p0 > 0);
      }
    }
    return !r && apart ? Narrow(sums, dx, size) : r;
  }
  int32_t GradWeight(const flx_device_tensor& x, const flx_device_tensor& dy, const flx_device_tensor& dw) {
    const void* slope = nullptr;
    void* sums = dw.data;
    const int64_t size = g_.o * elements_;
    const bool narrow = wide_ != DType(dtype_);
    int32_t r = Wide(dy, g_.n * g_.o * out_, &slope);
    if (!r && !plain_) r = MakeColumns();
    if (!r && narrow) r = c_->scratch(c_->context, size * size_, &sums);
    if (!r && g_.n * out_ == 0) return Zero(dw, size);
    for (int64_t n0 = 0; n0 < g_.n && !r; n0 += images_) {
      const int64_t n = Least(images_, g_.n - n0);
      for (int64_t p0 = 0; p0 < out_ && !r; p0 += places_) {
        const int64_t p = Least(places_, out_ - p0);
        r = ToColumns(x, n0, n, p0, p);
        for (int64_t i = 0; i < n && !r; ++i) {  // one after another: they add to the same sums
          Matrix col = ColumnsOf(x.data, n0, p), places = Places(slope, n0 + i, p0);
          col.p = static_cast<const char*>(col.p) + i * col.image * size_;
          r = Multiply(Weights(sums), col, places, kCorrelate, 1, g_.g, p, n0 + p0 + i > 0 ? 1 : 0);
        }
      }
    }
    return !r && narrow ? Narrow(sums, dw, size) : r;
  }

 private:
  enum Way { kTimes, kBack, kCorrelate };  // which of weights, columns and places is made of the two others
  static int64_t Least(int64_t a, int64_t b) { return a < b ? a : b; }
  int32_t MakeColumns() { return c_->scratch(c_->context, images_ * g_.g * elements_ * places_ * size_, &columns_); }
  // An array as it is, or a copy of it in float32.
  int32_t Wide(const flx_device_tensor& t, int64_t size, const void** out) {
    *out = t.data;
    if (wide_ == DType(t.dtype)) return FLX_DEVICE_OK;
    void* copy = nullptr;
    if (int32_t r = c_->scratch(c_->context, size * size_, &copy)) return r;
    *out = copy;
    const Ending e = {t.data, nullptr, copy, t.dtype, 0, int32_t(wide_), size, 1, 1};
    return Launch(q_, BlocksFor(size), &EndingKernel<float>, e);
  }
  int32_t Narrow(const void* sums, const flx_device_tensor& to, int64_t size) {
    const Ending e = {sums, nullptr, to.data, int32_t(wide_), 0, to.dtype, size, 1, 1};
    return Launch(q_, BlocksFor(size), &EndingKernel<float>, e);
  }
  int32_t Zero(const flx_device_tensor& to, int64_t size) {
    const Ending e = {nullptr, nullptr, to.data, 0, 0, to.dtype, size, 1, 1};
    return FLX_LAUNCH_AS(wide_, q_, size, EndingKernel, e);
  }
  int32_t ToColumns(const flx_device_tensor& x, int64_t n0, int64_t n, int64_t p0, int64_t p) {
    if (plain_) return FLX_DEVICE_OK;
    const Columns j = {g_, x.data, columns_, x.dtype, int32_t(wide_), n0, n, p0, p};
    return FLX_LAUNCH_AS(wide_, q_, n * g_.g * elements_ * p, ToColumnsKernel, j);
  }
  Matrix Weights(const void* w) const { return {w, elements_, 0, group_out_ * elements_}; }  // (channels out of a group, elements)
  // (elements, places), or (places, elements) with channels last.
  Matrix ColumnsOf(const void* x, int64_t n0, int64_t p) const {
    if (!plain_) return {columns_, g_.last ? elements_ : p, g_.g * elements_ * p, elements_ * p};
    const int64_t image = g_.c * out_;
    return {static_cast<const char*>(x) + n0 * image * size_, g_.last ? g_.c : out_, image, g_.last ? elements_ : elements_ * out_};
  }
  // (channels out of a group, places), or (places, channels) with channels last.
  Matrix Places(const void* y, int64_t n0, int64_t p0) const {
    const int64_t image = g_.o * out_, first = n0 * image + (g_.last ? p0 * g_.o : p0);
    return {static_cast<const char*>(y) + first * size_, g_.last ? g_.o : out_, image, g_.last ? group_out_ : group_out_ * out_};
  }
  int32_t Multiply(const Matrix& w, const Matrix& col, const Matrix& y, Way way, int64_t images, int64_t groups, int64_t p, double beta) {
    const bool last = g_.last != 0;
    // Each is a product of the two others, one of which is turned; with channels last columns and places stand the other way round.
    const Matrix *a, *b, *c;
    Product t = {};
    if (way == kTimes) {
      a = last ? &col : &w, b = last ? &w : &col, c = &y;
      t.trans_b = last, t.m = last ? p : group_out_, t.n = last ? group_out_ : p, t.k = elements_;
    } else if (way == kBack) {
      a = last ? &y : &w, b = last ? &w : &y, c = &col;
      t.trans_a = !last, t.m = last ? p : elements_, t.n = last ? elements_ : p, t.k = group_out_;
    } else {
      a = &y, b = &col, c = &w;
      t.trans_a = last, t.trans_b = !last, t.m = group_out_, t.n = elements_, t.k = p;
    }
    t.dtype = int32_t(wide_), t.lda = a->ld, t.ldb = b->ld, t.ldc = c->ld, t.alpha = 1, t.beta = beta;
    // As many as possible in one call.
    const bool by_image = images >= groups;
    t.batch = by_image ? images : groups;
    t.step_a = by_image ? a->image : a->group, t.step_b = by_image ? b->image : b->group, t.step_c = by_image ? c->image : c->group;
    for (int64_t i = 0; i < (by_image ? groups : images); ++i) {
      auto at = [&](const Matrix* m) { return static_cast<const char*>(m->p) + i * (by_image ? m->group : m->image) * size_; };
      t.a = at(a), t.b = at(b), t.c = const_cast<char*>(at(c));
      if (int32_t r = RunProduct(q_, t, c_)) return r;
    }
    return FLX_DEVICE_OK;
  }

  flx_device_queue* q_;
  const flx_device_call* c_;
  const ConvolutionInts g_;
  int32_t dtype_;
  DType wide_;
  bool plain_;
  int64_t size_, elements_, out_, group_out_, images_, places_;  // images and places of one part
  void* columns_ = nullptr;
};

template <ConvPass kPass> int32_t Run(flx_device_queue* q, const flx_device_call* c) {
  constexpr bool kForward = kPass == ConvPass::kForward;
  ConvolutionInts g;
  if (c->nin != (kForward ? 3 : 2) || c->nout != 1 || c->nints != int(sizeof g / sizeof(int64_t))) return FLX_DEVICE_NO_KERNEL;
  std::memcpy(&g, c->ints, sizeof g);
  const flx_device_tensor &a = c->in[0], &b = c->in[1], &to = c->out[0], none = {};
  const DType t = DType(to.dtype);
  if (a.dtype != to.dtype || b.dtype != to.dtype || (!IsFloat(t) && t != DType::kInt32 && t != DType::kInt64)) return FLX_DEVICE_NO_KERNEL;
  ConvArrays arrays = {a.data, b.data, to.data, to.dtype};
  if (kPass == ConvPass::kGradData) arrays = {to.data, a.data, b.data, to.dtype};
  if (kPass == ConvPass::kGradWeight) arrays = {a.data, to.data, b.data, to.dtype};
  const flx_device_tensor& bias = kForward ? c->in[2] : none;
  if (IsFloat(t) && g.n * g.c * InPlaces(g) * g.o * OutPlaces(g) > 0) {
    int32_t r = CudnnConvolution(q, kPass, g, arrays, c);
    if (!r && bias.data) {
      const int64_t size = g.n * g.o * OutPlaces(g);
      const Ending e = {to.data, bias.data, to.data, to.dtype, bias.dtype, to.dtype, size, g.o, g.last ? 1 : OutPlaces(g)};
      r = FLX_LAUNCH_AS(t, q, size, EndingKernel, e);
    }
    if (r != FLX_DEVICE_NO_KERNEL) return r;
  }
  Convolution own(q, c, g, to.dtype);
  if (!own.Fits()) return FLX_DEVICE_NO_KERNEL;
  if constexpr (kForward) return own.Forward(a, b, bias, to);
  else if constexpr (kPass == ConvPass::kGradData) return own.GradData(a, b, to);
  else return own.GradWeight(a, b, to);
}
}  // namespace

void AddConvolutionKernels(KernelTable* t) {
  t->Add(kDeviceConvolution, DeviceSignature(kDeviceConvolution), &Run<ConvPass::kForward>);
  t->Add(kDeviceConvolutionGradData, DeviceSignature(kDeviceConvolutionGradData), &Run<ConvPass::kGradData>);
  t->Add(kDeviceConvolutionGradWeight, DeviceSignature(kDeviceConvolutionGradWeight), &Run<ConvPass::kGradWeight>);
}
}  // namespace flx::cuda
