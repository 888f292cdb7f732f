// SPDX-License-Identifier: Apache-2.0
// What kernels by oneDNN (2 or 3) share. It is called single-threaded on parts, from our pool's threads; each thread keeps the primitives it made.
#pragma once
#include <algorithm>
#include <dnnl.hpp>
#include <map>

#include "base/error.h"
#include "base/thread_pool.h"
#include "op/matrix/dnnl_exit.h"
#include "op/matrix/dnnl_call.h"
#include "op/nn/convolution.h"
#include "storage/pool.h"

namespace flx::dnnl_kept {

using dnnl::memory;
using Desc = memory::desc;
using Dims = memory::dims;

constexpr size_t kPrimitives = 256;  // of one thread and kind

inline const dnnl::engine& CpuEngine() {
  static const auto* e = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *e;
}
struct Buffer {
  explicit Buffer(size_t n) : bytes(n), data(n ? HostAlloc(n) : nullptr) {}
  ~Buffer() { if (data) HostFree(data, bytes); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  size_t bytes;
  void* data;
};
// What a thread keeps of one kind. On the heap: thread-local memory is scarce for a library that is loaded late.
template <class Key, class P> struct Kept {
  std::map<Key, P> cache;
  dnnl::stream stream{CpuEngine()};
  static Kept& OfThread() {
    struct Owner {
      Kept* kept = nullptr;
      ~Owner() { if (!g_dnnl_ended.load()) delete kept; }
    };
    thread_local Owner owner;
    if (!owner.kept) owner.kept = new Kept;
    return *owner.kept;
  }
  template <class F> P& Get(const Key& key, const F& make) {  // made at first use
    auto it = cache.find(key);
    if (it == cache.end()) {
      if (cache.size() >= kPrimitives) cache.clear();
      it = cache.emplace(key, make()).first;
      DnnlMadeTables();
    }
    return it->second;
  }
};
inline memory At(const Desc& d, const void* p) { return memory(d, CpuEngine(), const_cast<void*>(p)); }

// Version 3 makes primitives without the descriptors between.
template <class P, class... A> typename P::primitive_desc MakeDesc(const dnnl::primitive_attr& attr, const A&... a) {
#if DNNL_VERSION_MAJOR >= 3
  return typename P::primitive_desc(CpuEngine(), a..., attr);
#else
  return typename P::primitive_desc(typename P::desc(a...), attr, CpuEngine());
#endif
}
template <class P, class... A> typename P::primitive_desc MakeDesc(const dnnl::convolution_forward::primitive_desc& hint, const dnnl::primitive_attr& attr, const A&... a) {
#if DNNL_VERSION_MAJOR >= 3
  return typename P::primitive_desc(CpuEngine(), a..., hint, attr);
#else
  return typename P::primitive_desc(typename P::desc(a...), attr, CpuEngine(), hint);
#endif
}
// A convolution's window as oneDNN takes it.
struct Window {
  Dims stride, dilate, left, right;
  explicit Window(const ConvGeometry& g) {
    for (int i = 3 - g.nd; i < 3; ++i) {
      int64_t window = (g.k[i] - 1) * g.d[i] + 1;
      stride.push_back(g.s[i]), dilate.push_back(g.d[i] - 1), left.push_back(g.p[i]);
      right.push_back(std::max<int64_t>((g.out[i] - 1) * g.s[i] + window - g.in[i] - g.p[i], 0));
    }
  }
};

[[noreturn]] inline void Broken(const char* op, const dnnl::error& e) {
  Fail(e.status == dnnl_out_of_memory ? Status::kMemory : Status::kInternal, op, "oneDNN failed: ", e.what(), ".");
}
// body(t) for each part t, on the pool.
template <class F> void ForTasks(const char* op, int64_t n, const F& body) {
  ParallelFor(n, 1, [&](int64_t b, int64_t e) {
    DnnlCall call;
    try {
      for (int64_t t = b; t < e; ++t) body(t);
    } catch (const dnnl::error& error) {
      Broken(op, error);
    }
  });
}

}  // namespace flx::dnnl_kept
