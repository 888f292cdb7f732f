// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/thread_pool.h"
#include "op/elementwise/cast.h"
#include "op/elementwise/convert.h"
#include "op/elementwise/driver.h"
#include "op/elementwise/formula.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {
constexpr int64_t kGrain = 32768;
}

void CastElements(const TensorView& x, TensorView& y) {
  if (DeviceWork::Current()) return CopyStrided(x, y);
  const ConvertFn convert = FindConvert(x.dtype, y.dtype);
  auto* from = static_cast<const char*>(x.raw());
  auto* to = static_cast<char*>(y.raw());
  const int64_t a = DTypeSize(x.dtype), b = DTypeSize(y.dtype);
  ParallelFor(x.size(), kGrain, [&](int64_t i, int64_t end) { convert(from + i * a, to + i * b, end - i); });
}

void AddElements(KernelContext& ctx, Views x, TensorView& y) {
  if (x.size() == 1) return CastElements(x[0], y);
  if (DeviceWork::Current()) {
    for (int k = 1; k < x.size(); ++k) {
      TensorView in[] = {k == 1 ? x[0] : y, x[k]};
      RunElementwise(*ctx.op, CpuLoops("add"), ctx, nullptr, in, 2, y);
    }
    return;
  }
  const DType loop_type = LoopType(y.dtype);
  const TileLoops& loops = CpuLoops("add");
  const TileFn add = loop_type == DType::kFloat32 ? loops.f32 : loop_type == DType::kFloat64 ? loops.f64 : loop_type == DType::kInt32 ? loops.i32 : loops.i64;  // sums of uint64 have the same bits
  const bool native = y.dtype == loop_type;
  const ConvertFn load = FindConvert(y.dtype, loop_type), store = FindConvert(loop_type, y.dtype);
  const int64_t size = DTypeSize(y.dtype);
  ParallelFor(y.size(), kGrain, [&](int64_t begin, int64_t end) {
    alignas(64) char sum[kTile * 8], next[kTile * 8];
    for (int64_t i = begin; i < end; i += kTile) {  // a tile of all inputs at a time, so that the sum stays in the cache
      int64_t n = std::min<int64_t>(kTile, end - i);
      load(static_cast<const char*>(x[0].raw()) + i * size, sum, n);
      for (int k = 1; k < x.size(); ++k) {
        const char* p = static_cast<const char*>(x[k].raw()) + i * size;
        if (!native) load(p, next, n);
        const void* in[] = {sum, native ? static_cast<const void*>(p) : next};
        add(in, sum, n, nullptr);
      }
      store(sum, static_cast<char*>(y.raw()) + i * size, n);
    }
  });
}

}  // namespace flx
