// SPDX-License-Identifier: Apache-2.0
// Compiled for the machine it is built on, with OpenMP.
#include "kernels_peers.h"

#include <omp.h>
#include <sys/mman.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <unordered_map>
#if defined(__SSE2__)
#include <immintrin.h>
#endif
#ifdef PEERS_OPENBLAS
#include <dlfcn.h>
#endif
#ifdef PEERS_ONEDNN
#include <dnnl.hpp>
#endif

namespace peers {
namespace {
const int g_threads = omp_get_num_procs();

using V = float __attribute__((vector_size(64), may_alias));
constexpr size_t kV = sizeof(V) / sizeof(float);

// A whole cache line past the caches.
inline void Stream(float* to, V v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, reinterpret_cast<const __m512&>(v));
#elif defined(__AVX__)
  _mm256_stream_ps(to, reinterpret_cast<const __m256*>(&v)[0]);
  _mm256_stream_ps(to + 8, reinterpret_cast<const __m256*>(&v)[1]);
#else
  *reinterpret_cast<V*>(to) = v;
#endif
}
inline void Fence() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}
// body(first, last) in each thread, borders at whole cache lines; n is a multiple of the line.
template <class F> void Split(size_t n, const F& body) {
#pragma omp parallel num_threads(g_threads)
  {
    size_t t = size_t(omp_get_thread_num()), all = size_t(omp_get_num_threads()), lines = n / kV;
    body(lines * t / all * kV, lines * (t + 1) / all * kV);
  }
}
inline V Load(const float* p) { return *reinterpret_cast<const V*>(p); }
}  // namespace

float* Room(size_t n) {
  size_t bytes = (n * sizeof(float) + (size_t(2) << 20) - 1) >> 21 << 21;
  void* p = std::aligned_alloc(size_t(2) << 20, bytes);
  if (!p) std::abort();
#ifdef MADV_HUGEPAGE
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
  auto* f = static_cast<float*>(p);
  uint32_t s = 1;
  for (size_t i = 0; i < n; ++i) s = s * 1664525u + 1013904223u, f[i] = float(int32_t(s)) * (1.f / 2147483648.f);
  return f;  // kept until the program ends
}

// ---- matrix products ---------------------------------------------------------------------------------------------------------------------
#ifdef PEERS_OPENBLAS
namespace {
using Sgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
Sgemm OpenBlas() {  // null: it was not found
  static const Sgemm sgemm = [] {
    void* library = dlopen(PEERS_OPENBLAS, RTLD_NOW | RTLD_LOCAL);
    auto threads = library ? reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads")) : nullptr;
    if (threads) threads(g_threads);
    return threads ? reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm")) : nullptr;
  }();
  return sgemm;
}
}  // namespace
Run SgemmOpenBlas(int64_t n) {
  const Sgemm sgemm = OpenBlas();
  if (!sgemm) return {};
  float *a = Room(size_t(n * n)), *b = Room(size_t(n * n)), *c = Room(size_t(n * n));
  int m = int(n);
  return [=] { sgemm(101, 111, 111, m, m, m, 1.f, a, m, b, m, 0.f, c, m); };
}
Run DenseOpenBlas(int64_t rows, int64_t in, int64_t out) {
  const Sgemm sgemm = OpenBlas();
  if (!sgemm) return {};
  float *a = Room(size_t(rows * in)), *b = Room(size_t(out * in)), *c = Room(size_t(rows * out));
  int m = int(rows), k = int(in), n = int(out);
  return [=] { sgemm(101, 111, 112, m, n, k, 1.f, a, k, b, k, 0.f, c, n); };
}
#else
Run SgemmOpenBlas(int64_t) { return {}; }
Run DenseOpenBlas(int64_t, int64_t, int64_t) { return {}; }
#endif

#ifdef PEERS_ONEDNN
Run SgemmOneDnn(int64_t n) {
  float *a = Room(size_t(n * n)), *b = Room(size_t(n * n)), *c = Room(size_t(n * n));
  return [=] { dnnl_sgemm('N', 'N', n, n, n, 1.f, a, n, b, n, 0.f, c, n); };
}
Run DenseOneDnn(int64_t rows, int64_t in, int64_t out) {
  float *a = Room(size_t(rows * in)), *b = Room(size_t(out * in)), *c = Room(size_t(rows * out));
  return [=] { dnnl_sgemm('N', 'T', rows, out, in, 1.f, a, in, b, in, 0.f, c, out); };
}
Run ConvOneDnn(const Conv& c) {
  using namespace dnnl;
  using F = memory::format_tag;
  static engine cpu(engine::kind::cpu, 0);
  static stream queue(cpu);
  int64_t out = (c.side + 2 * c.pad - c.kernel) / c.stride + 1;
  auto any = [](const memory::dims& d) { return memory::desc(d, memory::data_type::f32, F::any); };
  memory::dims weights = {c.filters, c.channels / c.groups, c.kernel, c.kernel};
  if (c.groups > 1) weights = {c.groups, c.filters / c.groups, c.channels / c.groups, c.kernel, c.kernel};
  auto x = any({c.batch, c.channels, c.side, c.side}), w = any(weights), y = any({c.batch, c.filters, out, out});
#if DNNL_VERSION_MAJOR >= 3
  convolution_forward::primitive_desc pd(cpu, prop_kind::forward_inference, algorithm::convolution_direct, x, w, y, {c.stride, c.stride}, {c.pad, c.pad}, {c.pad, c.pad});
#else
  convolution_forward::primitive_desc pd({prop_kind::forward_inference, algorithm::convolution_direct, x, w, y, {c.stride, c.stride}, {c.pad, c.pad}, {c.pad, c.pad}}, cpu);
#endif
  auto make = [](const memory::desc& d) { return memory(d, cpu, Room(d.get_size() / sizeof(float))); };
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, make(pd.src_desc())}, {DNNL_ARG_WEIGHTS, make(pd.weights_desc())}, {DNNL_ARG_DST, make(pd.dst_desc())}};
  convolution_forward convolution(pd);
  return [=] {
    convolution.execute(queue, arguments);
    queue.wait();
  };
}
Run LstmOneDnn(int64_t steps, int64_t rows, int64_t units) {
  using namespace dnnl;
  using F = memory::format_tag;
  static engine cpu(engine::kind::cpu, 0);
  static stream queue(cpu);
  auto desc = [](const memory::dims& d, F f) { return memory::desc(d, memory::data_type::f32, f); };
  auto x = desc({steps, rows, units}, F::tnc), y = x, h = desc({1, 1, rows, units}, F::ldnc), w = desc({1, 1, units, 4, units}, F::any), b = desc({1, 1, 4, units}, F::ldgo);
  constexpr auto kind = prop_kind::forward_inference;
  constexpr auto way = rnn_direction::unidirectional_left2right;
#if DNNL_VERSION_MAJOR >= 3
  lstm_forward::primitive_desc pd(cpu, kind, way, x, h, h, w, w, b, y, h, h);
#else
  lstm_forward::primitive_desc pd({kind, way, x, h, h, w, w, b, y, h, h}, cpu);
#endif
  auto make = [](const memory::desc& d) { return memory(d, cpu, Room(d.get_size() / sizeof(float))); };
  std::unordered_map<int, memory> arguments{
      {DNNL_ARG_SRC_LAYER, make(x)},  {DNNL_ARG_SRC_ITER, make(h)}, {DNNL_ARG_SRC_ITER_C, make(h)}, {DNNL_ARG_WEIGHTS_LAYER, make(pd.weights_layer_desc())},
      {DNNL_ARG_WEIGHTS_ITER, make(pd.weights_iter_desc())},        {DNNL_ARG_BIAS, make(b)},       {DNNL_ARG_DST_LAYER, make(y)},
      {DNNL_ARG_DST_ITER, make(h)},   {DNNL_ARG_DST_ITER_C, make(h)}};
  lstm_forward lstm(pd);
  return [=] {
    lstm.execute(queue, arguments);
    queue.wait();
  };
}
#else
Run LstmOneDnn(int64_t, int64_t, int64_t) { return {}; }
Run SgemmOneDnn(int64_t) { return {}; }
Run DenseOneDnn(int64_t, int64_t, int64_t) { return {}; }
Run ConvOneDnn(const Conv&) { return {}; }
#endif

// ---- loops ---------------------------------------------------------------------------------------------------------------------------------
Run CopyStream(size_t n) {
  float *x = Room(n), *y = Room(n);
  return [=] {
    Split(n, [=](size_t b, size_t e) {
      for (size_t i = b; i < e; i += kV) Stream(y + i, Load(x + i));
      Fence();
    });
  };
}
Run WriteStream(size_t n) {
  float* y = Room(n);
  return [=] {
    Split(n, [=](size_t b, size_t e) {
      V v{};
      for (size_t i = b; i < e; i += kV) Stream(y + i, v);
      Fence();
    });
  };
}
Run ReadStream(size_t n) {
  float *x = Room(n), *sums = Room(64);
  return [=] {
    Split(n, [=](size_t b, size_t e) {
      V s[4] = {};
      size_t i = b;
      for (; i + 4 * kV <= e; i += 4 * kV)
        for (size_t k = 0; k < 4; ++k) s[k] += Load(x + i + k * kV);
      for (; i < e; i += kV) s[0] += Load(x + i);
      V all = (s[0] + s[1]) + (s[2] + s[3]);
#pragma omp critical
      sums[0] += all[0] + all[1] + all[2] + all[3];
    });
  };
}
Run AddStream(size_t n) {
  float *a = Room(n), *b = Room(n), *y = Room(n);
  return [=] {
    Split(n, [=](size_t f, size_t l) {
      for (size_t i = f; i < l; i += kV) Stream(y + i, Load(a + i) + Load(b + i));
      Fence();
    });
  };
}
Run ChainStream(size_t n) {
  float *x = Room(n), *y = Room(n);
  return [=] {
    Split(n, [=](size_t f, size_t l) {
      for (size_t i = f; i < l; i += kV) {
        V v = (Load(x + i) * 1.5f + 0.25f);
        v = v > 0 ? v : V{};
        v = v * v - 0.5f;
        Stream(y + i, v > 2.f ? V{} + 2.f : v);
      }
      Fence();
    });
  };
}
Run SumRows(int64_t rows, int64_t columns) {
  float *x = Room(size_t(rows * columns)), *sums = Room(size_t(columns * g_threads));
  return [=] {  // each thread: a block of rows into sums of its own
#pragma omp parallel num_threads(g_threads)
    {
      int64_t t = omp_get_thread_num(), all = omp_get_num_threads();
      float* __restrict out = sums + t * columns;
      for (int64_t j = 0; j < columns; ++j) out[j] = 0;
      for (int64_t i = rows * t / all; i + 4 <= rows * (t + 1) / all; i += 4) {
        const float *a = x + i * columns, *b = a + columns, *c = b + columns, *d = c + columns;
        for (int64_t j = 0; j < columns; ++j) out[j] += (a[j] + b[j]) + (c[j] + d[j]);
      }
    }
    for (int t = 1; t < g_threads; ++t)
      for (int64_t j = 0; j < columns; ++j) sums[j] += sums[t * columns + j];
  };
}
Run ArgmaxRows(int64_t rows, int64_t columns) {
  float* x = Room(size_t(rows * columns));
  auto* found = reinterpret_cast<int32_t*>(Room(size_t(columns)));
  return [=] {
#pragma omp parallel for num_threads(g_threads)
    for (int64_t j0 = 0; j0 < columns; j0 += 256) {
      float best[256];
      int32_t at[256] = {};
      for (int64_t j = 0; j < 256; ++j) best[j] = x[j0 + j];
      for (int64_t i = 1; i < rows; ++i) {
        const float* p = x + i * columns + j0;
        for (int64_t j = 0; j < 256; ++j) {
          bool up = p[j] > best[j];
          at[j] = up ? int32_t(i) : at[j];
          best[j] = up ? p[j] : best[j];
        }
      }
      for (int64_t j = 0; j < 256; ++j) found[j0 + j] = at[j];
    }
  };
}
Run Transpose(int64_t n) {
  float *x = Room(size_t(n * n)), *y = Room(size_t(n * n));
  return [=] {
#pragma omp parallel for collapse(2) num_threads(g_threads)
    for (int64_t i = 0; i < n; i += 64)
      for (int64_t j = 0; j < n; j += 64) {
        alignas(64) float t[64][64 + 16];
        for (int64_t u = 0; u < 64; ++u)
          for (int64_t v = 0; v < 64; ++v) t[u][v] = x[(j + u) * n + i + v];
        for (int64_t u = 0; u < 64; ++u)
          for (int64_t v = 0; v < 64; ++v) y[(i + u) * n + j + v] = t[v][u];
      }
  };
}
Run NormalStd(size_t n) {
  float* y = Room(n);
  return [=] {
    Split(n, [=](size_t b, size_t e) {
      std::mt19937 words{uint32_t(b)};
      std::normal_distribution<float> normal;
      for (size_t i = b; i < e; ++i) y[i] = normal(words);
    });
  };
}

}  // namespace peers
