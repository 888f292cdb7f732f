// SPDX-License-Identifier: Apache-2.0
#include "op/elementwise/driver.h"

#include <algorithm>
#include <cstring>

#include "base/cache.h"
#include "base/thread_pool.h"
#include "op/elementwise/convert.h"
#include "op/elementwise/formula.h"
#include "tensor/array.h"
#include "tensor/tile.h"

namespace flx {
namespace {

constexpr int64_t kGrain = 32768;  // elements per chunk of a parallel loop
constexpr int64_t kPastGrain = 4 << 20;  // bytes of a chunk that is written past the caches
constexpr int64_t kRoom = 2048;    // bytes of a result that is written past the caches

TileFn LoopFor(const TileLoops& l, DType dtype, DType loop_type) {
  if (dtype == DType::kUint64) return l.u64;  // the same bits as int64, in another order
  return loop_type == DType::kFloat32 ? l.f32 : loop_type == DType::kFloat64 ? l.f64 : loop_type == DType::kInt32 ? l.i32 : l.i64;
}
bool Native(DType t, DType loop_type) { return t == loop_type || (t == DType::kUint64 && loop_type == DType::kInt64); }
bool Exact(DType from, DType loop_type) {
  if (loop_type == DType::kFloat64) return true;
  if (loop_type == DType::kFloat32) return LoopType(from) == DType::kFloat32 || DTypeSize(from) < 3;
  return !IsFloat(from) && (loop_type == DType::kInt64 || LoopType(from) == DType::kInt32);
}

// One array, seen along the output's elements in row-major order: its own dimensions, merged as far as its strides allow.
struct Operand {
  char* base = nullptr;
  int size = 0;                // bytes of an element
  int nd = 0;
  bool native = false;         // an element is one of the loops'
  ConvertFn convert = nullptr;
  int64_t dims[kMaxNdim], strides[kMaxNdim];  // strides in bytes

  void Set(const TensorView& v, const Shape& to) {
    base = static_cast<char*>(v.raw());
    size = DTypeSize(v.dtype);
    int lead = to.ndim() - v.ndim();
    for (int i = 0; i < to.ndim(); ++i) {
      if (to[i] == 1) continue;
      int64_t s = i < lead || v.shape[i - lead] == 1 ? 0 : v.strides[i - lead] * size;
      if (nd > 0 && strides[nd - 1] == s * to[i]) {
        dims[nd - 1] *= to[i], strides[nd - 1] = s;
      } else {
        dims[nd] = to[i], strides[nd] = s, ++nd;
      }
    }
    if (nd == 0) dims[0] = 1, strides[0] = size, nd = 1;
  }
};

// A place in an operand, advanced run by run along its innermost dimension.
class Cursor {
 public:
  Cursor(const Operand& o, int64_t at) : o_(o) {
    p_ = o.base;
    for (int i = o.nd - 1; i >= 0; --i) {
      index_[i] = at % o.dims[i], at /= o.dims[i];
      p_ += index_[i] * o.strides[i];
    }
  }
  char* p() const { return p_; }
  int64_t run() const { return o_.dims[o_.nd - 1] - index_[o_.nd - 1]; }
  int64_t stride() const { return o_.strides[o_.nd - 1]; }
  void Advance(int64_t n) {  // no further than run()
    int k = o_.nd - 1;
    index_[k] += n, p_ += n * o_.strides[k];
    while (index_[k] == o_.dims[k] && k > 0) {
      p_ += o_.strides[k - 1] - o_.dims[k] * o_.strides[k];
      index_[k] = 0, ++index_[--k];
    }
  }

 private:
  const Operand& o_;
  char* p_;
  int64_t index_[kMaxNdim];
};

template <class T> void CopyStrided(const char* from, int64_t from_stride, char* to, int64_t to_stride, int64_t n) {
  for (int64_t i = 0; i < n; ++i, from += from_stride, to += to_stride) std::memcpy(to, from, sizeof(T));
}
void CopyRun(const char* from, int64_t from_stride, char* to, int64_t to_stride, int64_t n, int size) {
  if (from_stride == size && to_stride == size) std::memcpy(to, from, size_t(n * size));
  else if (size == 4) CopyStrided<uint32_t>(from, from_stride, to, to_stride, n);
  else if (size == 8) CopyStrided<uint64_t>(from, from_stride, to, to_stride, n);
  else if (size == 2) CopyStrided<uint16_t>(from, from_stride, to, to_stride, n);
  else CopyStrided<uint8_t>(from, from_stride, to, to_stride, n);
}

struct alignas(64) Tile { char bytes[kTile * 8]; };

// Input elements for the loop: the array's own where they lie ready, else a tile.
class Source {
 public:
  Source(const Operand& o, int64_t at) : o_(o), c_(o, at) {}
  int64_t Ready() const { return o_.native && c_.stride() == o_.size ? c_.run() : 0; }
  const void* Take(int64_t n, Tile* buffer) {
    if (Ready() >= n) {
      const void* p = c_.p();
      c_.Advance(n);
      return p;
    }
    if (c_.stride() == 0 && c_.run() >= n) {  // one element for the whole tile: made once, kept as long as it serves
      if (held_ != c_.p()) {
        char one[8];
        if (o_.native) std::memcpy(one, c_.p(), size_t(o_.size));
        else o_.convert(c_.p(), one, 1);
        CopyRun(one, 0, buffer->bytes, loop_size_, kTile, loop_size_);
        held_ = c_.p();
      }
      c_.Advance(n);
      return buffer->bytes;
    }
    held_ = nullptr;
    if (!o_.native && c_.stride() == o_.size && c_.run() >= n) {
      o_.convert(c_.p(), buffer->bytes, n);
      c_.Advance(n);
      return buffer->bytes;
    }
    Tile raw;
    char* to = o_.native ? buffer->bytes : raw.bytes;
    for (int64_t done = 0; done < n;) {
      int64_t m = std::min(c_.run(), n - done);
      CopyRun(c_.p(), c_.stride(), to + done * o_.size, o_.size, m, o_.size);
      c_.Advance(m), done += m;
    }
    if (!o_.native) o_.convert(raw.bytes, buffer->bytes, n);
    return buffer->bytes;
  }
  void set_loop_size(int s) { loop_size_ = s; }

 private:
  const Operand& o_;
  Cursor c_;
  const char* held_ = nullptr;
  int loop_size_ = 4;
};
class Target {
 public:
  Target(const Operand& o, int64_t at) : o_(o), c_(o, at) {}
  int64_t Ready() const { return o_.native && c_.stride() == o_.size ? c_.run() : 0; }
  void* Place(int64_t n, Tile* buffer) { return Ready() >= n ? static_cast<void*>(c_.p()) : buffer->bytes; }
  void Finish(int64_t n, Tile* buffer) {
    if (Ready() >= n) return c_.Advance(n);
    if (!o_.native && c_.stride() == o_.size && c_.run() >= n) {
      o_.convert(buffer->bytes, c_.p(), n);
      return c_.Advance(n);
    }
    Tile raw;
    if (!o_.native) o_.convert(buffer->bytes, raw.bytes, n);
    const char* from = o_.native ? buffer->bytes : raw.bytes;
    for (int64_t done = 0; done < n;) {
      int64_t m = std::min(c_.run(), n - done);
      CopyRun(from + done * o_.size, o_.size, c_.p(), c_.stride(), m, o_.size);
      c_.Advance(m), done += m;
    }
  }

 private:
  const Operand& o_;
  Cursor c_;
};

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
  for (int k = 0; k < job.nin; ++k) (in[k] = new (room[k]) Source(job.in[k], begin))->set_loop_size(job.loop_size);
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
    for (int k = 0; k < job.nin; ++k) p[k] = in[k]->Take(n, &tiles[k]);
    job.fn(p, out.Place(n, &tiles[kMax]), n, job.scalars);
    out.Finish(n, &tiles[kMax]);
    begin += n;
  }
}

}  // namespace

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
      alignas(64) char room[kRoom];  // results rest in the first cache for a moment
      for (int64_t each = kRoom / size; b < e; b += each) {
        int64_t m = std::min(each, e - b);
        for (int k = 0; k < nin; ++k) q[k] = p[k] + b * size;
        fn(q, room, m, scalars);
        for (int k = 0; k < nin; ++k)  // on their way while the result leaves
          for (int64_t c = 0; c < kRoom; c += 64) __builtin_prefetch(static_cast<const char*>(q[k]) + kRoom + c);
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
