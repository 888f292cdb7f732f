// SPDX-License-Identifier: Apache-2.0
#include "op/matrix/gemm.h"

#include <algorithm>
#include <memory>
#include <type_traits>

#include "base/text.h"
#include "base/thread_pool.h"
#include "device/kernels.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

constexpr int64_t kTiny = 512;         // multiplications below which a call into a library costs more than the product
constexpr int64_t kWork = 1 << 22;     // multiplications worth a block of their own
constexpr int64_t kSplit = 3 << 20;    // ... and worth two
constexpr int64_t kBlocks = 8, kSide = 1024, kLeast = 32;  // blocks of C; the longest and shortest side of one
constexpr int64_t kFewRows = 8, kLeastDepth = 16, kSmallC = 1024;  // of A, and of k, where gemm_rows.cc is the fastest; a C for GemmBlock's small kernels
constexpr int64_t kSmall = 128 * 128, kLong = 2048;               // a C so small is cut along a k so long

struct Product {
  bool ta, tb;
  int64_t m, n, k, lda, ldb, ldc;
  double alpha, beta;
  GemmAfter after;
  void Done(int64_t i, int64_t j, int64_t rows, int64_t columns) const { if (after.run) after.run(after.arg, i, j, rows, columns); }
  void Done() const { Done(0, 0, m, n); }
};

template <class T> void Scale(T* c, const Product& p) {
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) c[i * p.ldc + j] = p.beta == 0 ? T(0) : T(T(p.beta) * c[i * p.ldc + j]);
}
template <class W> W Factor(double v) {
  if constexpr (std::is_integral_v<W>) return W(int64_t(v)); else return W(v);
}
// The plain triple loop, for tiny products and for integers. W is what sums are kept in.
template <class T, class W> void Loops(const Product& p, const T* a, const T* b, T* c, int64_t row0, int64_t row1) {
  int64_t ai = p.ta ? 1 : p.lda, ak = p.ta ? p.lda : 1, bk = p.tb ? 1 : p.ldb, bj = p.tb ? p.ldb : 1;
  constexpr int64_t kStrip = 64;
  W sum[kStrip];
  for (int64_t i = row0; i < row1; ++i)
    for (int64_t j0 = 0; j0 < p.n; j0 += kStrip) {
      int64_t w = std::min(kStrip, p.n - j0);
      std::fill(sum, sum + w, W(0));
      for (int64_t q = 0; q < p.k; ++q) {
        W x = W(a[i * ai + q * ak]);
        const T* row = b + q * bk + j0 * bj;
        for (int64_t j = 0; j < w; ++j) sum[j] += x * W(row[j * bj]);
      }
      for (int64_t j = 0; j < w; ++j) {
        T& to = c[i * p.ldc + j0 + j];
        W v = p.alpha == 1 ? sum[j] : Factor<W>(p.alpha) * sum[j];
        to = T(p.beta == 0 ? v : v + Factor<W>(p.beta) * W(to));
      }
    }
}

template <class T> void Block(const Product& p, const T* a, const T* b, T* c, int64_t i, int64_t j, int64_t q, int64_t m, int64_t n, int64_t k, T beta, int64_t ldc) {
  const T *pa = a + (p.ta ? q * p.lda + i : i * p.lda + q), *pb = b + (p.tb ? j * p.ldb + q : q * p.ldb + j);
  if constexpr (std::is_same_v<T, float>) {
    if (GemmPart(p.ta, p.tb, m, n, k, T(p.alpha), pa, p.lda, pb, p.ldb, beta, c, ldc)) return;
  }
  GemmBlock(p.ta, p.tb, m, n, k, T(p.alpha), pa, p.lda, pb, p.ldb, beta, c, ldc);
}
template <class T> void Floats(const Product& p, const T* a, const T* b, T* c) {
  double work = double(p.m) * double(p.n) * double(p.k);
  const bool small = GemmBlockLikesSmall();
  if (!p.ta && p.tb && p.k >= kLeastDepth && p.m <= (small ? 2 * kFewRows : kFewRows) && !(small && p.m > 1 && p.m * p.n <= kSmallC && work <= 1e6)) {
    const GemmRowsJob<T> job{p.m, p.k, T(p.alpha), T(p.beta), a, p.lda, b, p.ldb, c, p.ldc};
    int64_t grain = std::max<int64_t>(24, int64_t(1 << 18) / p.k / 24 * 24);  // B's rows: a megabyte of float32
    if (p.n <= grain) return GemmRows(job, 0, p.n), p.Done();
    return ParallelFor(p.n, grain, [&](int64_t j, int64_t e) { GemmRows(job, j, e), p.Done(0, j, p.m, e - j); });
  }
  if (work <= kTiny) return Loops<T, T>(p, a, b, c, 0, p.m), p.Done();
  if (work < kSplit) return Block(p, a, b, c, 0, 0, 0, p.m, p.n, p.k, T(p.beta), p.ldc), p.Done();
  // The longer side is halved until there are kBlocks, or a block is work enough, and until none is larger than kSide by kSide: few and large ones,
  // since each packs its share of A and B again.
  int64_t down = 1, across = 1, want = std::max<int64_t>(2, std::min(kBlocks, int64_t(std::min(work / kWork, 1e6))));
  if (p.m * p.n <= kSmall && p.k >= kLong) want = 1;  // cut along k below
  auto side = [](int64_t n, int64_t parts, int64_t unit) { return (n + parts * unit - 1) / (parts * unit) * unit; };
  for (;;) {
    int64_t h = p.m / down, w = p.n / across;
    if (down * across * 2 > want && h <= kSide && w <= kSide) break;
    if (h >= w && h >= 2 * kLeast) down *= 2;
    else if (w >= 2 * kLeast) across *= 2;
    else break;
  }
  int64_t bm = side(p.m, down, 16), bn = side(p.n, across, 64);
  int64_t rows = (p.m + bm - 1) / bm, cols = (p.n + bn - 1) / bn;
  int64_t parts = rows * cols == 1 ? std::min<int64_t>({8, p.k / 1024, int64_t(work / kWork)}) : 1;
  if (parts > 1) {  // a small C and a long k: partial products, added in order
    int64_t size = p.m * p.n;
    std::unique_ptr<T[]> partial(new T[size_t(size * parts)]);
    ParallelFor(parts, 1, [&](int64_t s, int64_t e) {
      for (; s < e; ++s) {
        int64_t q = p.k * s / parts;
        Block(p, a, b, &partial[size_t(s * size)], 0, 0, q, p.m, p.n, p.k * (s + 1) / parts - q, T(0), p.n);
      }
    });
    for (int64_t i = 0; i < p.m; ++i)
      for (int64_t j = 0; j < p.n; ++j) {
        T v = partial[size_t(i * p.n + j)];
        for (int64_t s = 1; s < parts; ++s) v += partial[size_t(s * size + i * p.n + j)];
        T& to = c[i * p.ldc + j];
        to = p.beta == 0 ? v : v + T(p.beta) * to;
      }
    return p.Done();
  }
  ParallelFor(rows * cols, 1, [&](int64_t u, int64_t e) {
    for (; u < e; ++u) {
      int64_t i = u / cols * bm, j = u % cols * bn;
      int64_t h = std::min(bm, p.m - i), w = std::min(bn, p.n - j);
      Block(p, a, b, c + i * p.ldc + j, i, j, 0, h, w, p.k, T(p.beta), p.ldc);
      p.Done(i, j, h, w);
    }
  });
}
template <class T> void Integers(const Product& p, const T* a, const T* b, T* c) {
  int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, p.n * p.k));
  // sums are unsigned, where wrapping around is defined
  ParallelFor(p.m, grain, [&](int64_t r0, int64_t r1) { Loops<T, uint64_t>(p, a, b, c, r0, r1); });
}
template <class T> T From(float v);
template <> Half From<Half>(float v) { return ToHalf(v); }
template <> Bfloat16 From<Bfloat16>(float v) { return ToBfloat16(v); }
template <class T> void Narrow(const Product& p, const T* a, const T* b, T* c) {
  auto widen = [](const T* x, int64_t rows, int64_t cols, int64_t ld) {
    std::unique_ptr<float[]> w(new float[size_t(rows * cols)]);
    ParallelFor(rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, cols)), [&](int64_t r, int64_t e) {
      for (; r < e; ++r) for (int64_t j = 0; j < cols; ++j) w[size_t(r * cols + j)] = ToFloat(x[r * ld + j]);
    });
    return w;
  };
  Product q = p;
  q.after = {};
  q.lda = p.ta ? p.m : p.k, q.ldb = p.tb ? p.k : p.n, q.ldc = p.n;
  auto wa = widen(a, p.ta ? p.k : p.m, q.lda, p.lda), wb = widen(b, p.tb ? p.n : p.k, q.ldb, p.ldb);
  std::unique_ptr<float[]> wc = p.beta == 0 ? std::unique_ptr<float[]>(new float[size_t(p.m * p.n)]) : widen(c, p.m, p.n, p.ldc);
  Floats<float>(q, wa.get(), wb.get(), wc.get());
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) c[i * p.ldc + j] = From<T>(wc[size_t(i * p.n + j)]);
}
}  // namespace

void Gemm(DType t, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const void* a, int64_t lda, const void* b, int64_t ldb, double beta,
          void* c, int64_t ldc, GemmAfter after) {
  if (m <= 0 || n <= 0) return;
  if (DeviceWork::Current()) {
    if (after.run) Fail(Status::kInternal, "gemm", "what follows a product cannot be done by parts on a device.");
    return GemmBatch(t, ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
  }
  Product p{ta, tb, m, n, k, lda, ldb, ldc, alpha, beta, after};
  Dispatch(t, [&](auto zero) {
    using T = decltype(zero);
    auto *pa = static_cast<const T*>(a), *pb = static_cast<const T*>(b);
    auto* pc = static_cast<T*>(c);
    if constexpr (std::is_floating_point_v<T>) {
      if (k <= 0 || alpha == 0) Scale(pc, p), p.Done();
      else Floats<T>(p, pa, pb, pc);
    } else if constexpr (std::is_integral_v<T>) {
      Integers<T>(p, pa, pb, pc), p.Done();
    } else {
      Narrow<T>(p, pa, pb, pc), p.Done();
    }
  });
}


void GemmBatch(DType t, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const void* a, int64_t lda, int64_t step_a, const void* b, int64_t ldb,
               int64_t step_b, double beta, void* c, int64_t ldc, int64_t step_c, int64_t batch) {
  const TensorView in[] = {MakeView(const_cast<void*>(a), t, Shape{1}), MakeView(const_cast<void*>(b), t, Shape{1})}, out = MakeView(c, t, Shape{1});
  const int64_t ints[] = {ta, tb, m, n, k, lda, ldb, ldc, batch, step_a, step_b, step_c};
  const double numbers[] = {alpha, beta};
  DeviceWork::Current()->Call(kDeviceMatmul, DeviceSignature(kDeviceMatmul), {in, 2, &out, 1, ints, 12, numbers, 2});
}

}  // namespace flx
