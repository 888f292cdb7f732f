// SPDX-License-Identifier: Apache-2.0
#include "op/elementwise/driver.h"

#include <algorithm>
#include <cstring>

#include "base/cache.h"
#include "base/small_vector.h"
#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/elementwise/formula.h"
#include "op/elementwise/operand.h"
#include "tensor/array.h"
#include "tensor/device_work.h"
#include "tensor/tile.h"

namespace flx {
namespace {

void CopyBytes(const void* from, void* to, int64_t bytes) {
  if (from == to) return;
  bool past = PastCaches(2 * bytes);
  ParallelFor(bytes, past ? kPastGrain : kGrain * 8, [&](int64_t b, int64_t e) {
    if (!past) return std::memcpy(static_cast<char*>(to) + b, static_cast<const char*>(from) + b, size_t(e - b)), void();
    CopyPast(static_cast<char*>(to) + b, static_cast<const char*>(from) + b, e - b);
    FlushPast();
  });
}

struct Job {
  TileFn fn;
  const double* scalars;
  const Operand* in;
  int nin;
  const Operand* out;
  int loop_size;
};
template <int kMax> void RunChunk(const Job& job, int64_t begin, int64_t end) {
  alignas(Source) char room[kMax][sizeof(Source)];
  Tile tiles[kMax + 1];
  Source* in[kMax];
  for (int k = 0; k < job.nin; ++k) in[k] = new (room[k]) Source(job.in[k], begin, job.loop_size);
  Target out(*job.out, begin);
  const void* p[kMax];
  while (begin < end) {
    int64_t n = end - begin;
    const int64_t tile = std::min<int64_t>(n, kTile);
    for (int k = 0; k < job.nin; ++k) n = std::min(n, std::max(tile, in[k]->Ready()));
    n = std::min(n, std::max(tile, out.Ready()));
    if (n > tile)  // longer than a tile only if nobody needs one
      for (int k = 0; k < job.nin; ++k) if (in[k]->Ready() < n) n = tile;
    if (out.Ready() < n) n = std::min(n, tile);
    for (int k = 0; k < job.nin; ++k) p[k] = in[k]->Take(n, tiles[k].bytes);
    job.fn(p, out.Place(n, tiles[kMax].bytes), n, job.scalars);
    out.Finish(n, tiles[kMax].bytes);
    begin += n;
  }
}

// Broadcast by strides of 0.
void RunOnDevice(DeviceWork* w, const TileLoops& loops, const double* scalars, const TensorView* in, int nin, TensorView& out) {
  SmallVector<TensorView, 4> from;
  for (int k = 0; k < nin; ++k) {
    TensorView v = in[k];
    const int front = out.ndim() - v.ndim();
    v.shape = out.shape, v.strides = Shape::Filled(out.ndim(), 0);
    for (int i = 0; i < in[k].ndim(); ++i) if (in[k].dim(i) != 1) v.strides[i + front] = in[k].strides[i];
    from.emplace_back(v);
  }
  w->Call(loops.name, DeviceSignature(loops.name, loops.inputs, loops.numbers), {from.data(), nin, &out, 1, nullptr, 0, scalars, loops.numbers});
}
}  // namespace

TileFn LoopOf(const TileLoops& l, DType t) {
  switch (t) {
    case DType::kFloat32: return l.f32;
    case DType::kFloat64: return l.f64;
    case DType::kInt32: return l.i32;
    case DType::kInt64: return l.i64;
    default: return nullptr;
  }
}
DType LoopType(DType t) {
  switch (t) {
    case DType::kFloat32: case DType::kFloat16: case DType::kBfloat16: return DType::kFloat32;
    case DType::kFloat64: return DType::kFloat64;
    case DType::kInt64: case DType::kUint32: case DType::kUint64: return DType::kInt64;
    default: return DType::kInt32;
  }
}

void RunElementwise(const OpDef& op, const TileLoops& loops, KernelContext&, const double* scalars, const TensorView* in, int nin, TensorView& out) {
  const int64_t n = out.size();
  if (n == 0) return;
  if (DeviceWork* w = DeviceWork::Current()) return RunOnDevice(w, loops, scalars, in, nin, out);
  const DType loop_type = LoopType(out.dtype);
  const TileFn fn = LoopFor(loops, out.dtype, loop_type);
  if (!fn) Fail(Status::kType, op.name, "expected floating-point arrays, given ", out.dtype, ". Cast them first (operator Cast).");
  if (nin > kTileInputs) Fail(Status::kInternal, op.name, "an elementwise loop takes at most ", kTileInputs, " inputs.");

  static const TileLoops* const identity = &CpuLoops("identity");
  if (nin == 1 && out.contiguous && in[0].contiguous && in[0].dtype == out.dtype && in[0].shape == out.shape && &loops == identity)
    return CopyBytes(in[0].raw(), out.raw(), out.bytes());
  if (nin == 1 && in[0].dtype == out.dtype && in[0].shape == out.shape && &loops == identity && in[0].raw() != out.raw()) return flx::CopyStrided(in[0], out);
  bool plain = out.contiguous && Native(out.dtype, loop_type);
  for (int k = 0; plain && k < nin; ++k) plain = in[k].contiguous && in[k].dtype == out.dtype && in[k].shape == out.shape;
  if (plain) {
    const char* p[kTileInputs];
    for (int k = 0; k < nin; ++k) p[k] = static_cast<const char*>(in[k].raw());
    char* to = static_cast<char*>(out.raw());
    if (n <= kGrain) return fn(reinterpret_cast<const void* const*>(p), to, n, scalars);
    const int size = DTypeSize(loop_type);
    bool past = PastCaches(out.bytes() * (nin + 1));
    for (int k = 0; k < nin; ++k) past &= p[k] != to;  // in place the lines are there already
    return ParallelFor(n, past ? kPastGrain / size : kGrain, [&](int64_t b, int64_t e) {
      const void* q[kTileInputs];
      if (!past) {
        for (int k = 0; k < nin; ++k) q[k] = p[k] + b * size;
        return fn(q, to + b * size, e - b, scalars);
      }
      alignas(64) char room[kTileBytes];  // results rest in the first cache for a moment
      for (int64_t each = kTileBytes / size; b < e; b += each) {
        int64_t m = std::min(each, e - b);
        for (int k = 0; k < nin; ++k) q[k] = p[k] + b * size;
        fn(q, room, m, scalars);
        for (int k = 0; k < nin; ++k)  // on their way while the result leaves
          for (int64_t c = 0; c < kTileBytes; c += 64) __builtin_prefetch(static_cast<const char*>(q[k]) + kTileBytes + c);
        CopyPast(to + b * size, room, m * size);
      }
      FlushPast();
    });
  }

  Operand from[kTileInputs], to;
  for (int k = 0; k < nin; ++k) {
    from[k].Set(in[k], out.shape);
    from[k].native = Native(in[k].dtype, loop_type);
    from[k].convert = Exact(in[k].dtype, loop_type) ? FindConvert(in[k].dtype, loop_type) : FindTruth(in[k].dtype, loop_type);
  }
  to.Set(out, out.shape);
  to.native = Native(out.dtype, loop_type);
  to.convert = FindConvert(loop_type, out.dtype);
  const Job job{fn, scalars, from, nin, &to, DTypeSize(loop_type)};
  auto run = [&](int64_t b, int64_t e) { nin <= 2 ? RunChunk<2>(job, b, e) : RunChunk<kTileInputs>(job, b, e); };
  if (n <= kGrain) run(0, n);
  else ParallelFor(n, kGrain, run);
}

}  // namespace flx
