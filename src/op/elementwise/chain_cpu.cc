// SPDX-License-Identifier: Apache-2.0
// The kernel of chains. Nothing is allocated and nothing is decided within a tile but where its pointers are.
#include <algorithm>
#include <new>

#include "base/cache.h"
#include "base/thread_pool.h"
#include "op/elementwise/chain_device.h"
#include "op/elementwise/driver.h"
#include "op/elementwise/operand.h"
#include "tensor/tile.h"

namespace flx {
namespace {

enum class Feed : uint8_t {
  kDirect,   // the array's own memory
  kHeld,     // one element for all: a tile of it, made once
  kPattern,  // a short sequence again and again (a vector along the last axis): laid out once, read at any offset
  kSource,   // gathered, tile by tile
};
enum class Sink : uint8_t {
  kDirect,
  kLate,     // into a tile first: it lies in the memory of an input that a later step reads
  kPast,     // past the caches, for arrays that they would not hold
  kTarget,   // scattered or converted
  kNone,     // not wanted
};

struct Job {
  explicit Job(const ChainProgram& program) : p(program) {}
  const ChainProgram& p;
  TileFn fn[kChainSteps];
  Feed feed[kChainInputs];
  const char* from[kChainInputs];
  int64_t period[kChainInputs];
  Sink sink[kChainOutputs];
  char* to[kChainOutputs];
  int size = 0;          // bytes of a loop's element
  int64_t tile = 0;      // elements
  int64_t block = 0;     // of the machine; 0: not of a type that it has
  bool wide = false, past = false;
  ConvertFn narrow = nullptr, widen = nullptr;  // a dtype that loops lack is rounded to after every step
  alignas(Operand) char room[kChainInputs + kChainOutputs][sizeof(Operand)];  // of those that are not direct
  Operand& operand(int i) { return *reinterpret_cast<Operand*>(room[i]); }
  const Operand& operand(int i) const { return *reinterpret_cast<const Operand*>(room[i]); }
};

struct Tiles {
  alignas(64) char in[kChainInputs][2 * kTileBytes], out[kChainOutputs][kTileBytes], slot[kChainSteps][kTileBytes];
  alignas(Source) char source[kChainInputs][sizeof(Source)];
  alignas(Target) char target[kChainOutputs][sizeof(Target)];
};

// The first elements of a tile or pattern, `n` of them, repeating what is there.
void Repeat(char* to, int64_t have, int64_t n) {
  for (int64_t m; have < n; have += m) std::memcpy(to + have, to, size_t(m = std::min(have, n - have)));
}

// Elements [from, n) of a tile through steps [first, last].
void RunSteps(const Job& job, int first, int last, char* const* at, int64_t from, int64_t n) {
  const int64_t skip = from * job.size;
  for (int s = first; s <= last; ++s) {
    const ChainProgram::Step& step = job.p.steps[size_t(s)];
    const void* in[3] = {at[step.from[0]] + skip, at[step.from[1]] + skip, at[step.from[2]] + skip};
    char* to = at[step.to] + skip;
    job.fn[s](in, to, n - from, step.scalars);
    if (!job.narrow) continue;
    Tile raw;
    job.narrow(to, raw.bytes, n - from);
    job.widen(raw.bytes, to, n - from);
  }
}
void RunChunk(const Job& job, int64_t begin, int64_t end) {
  const ChainProgram& p = job.p;
  const int size = job.size, nin = p.ninputs, nout = p.noutputs;
  Tiles t;
  char* at[kChainInputs + kChainOutputs + kChainSteps];
  Source* source[kChainInputs];
  Target* target[kChainOutputs];
  int64_t offset[kChainInputs];  // into patterns
  bool sources = false;
  for (int i = 0; i < nin; ++i) {
    if (job.feed[i] == Feed::kDirect) continue;
    source[i] = new (t.source[i]) Source(job.operand(i), job.feed[i] == Feed::kSource ? begin : 0, size);
    sources |= job.feed[i] == Feed::kSource;
    at[i] = t.in[i];
    if (job.feed[i] == Feed::kSource) continue;
    int64_t period = job.period[i], most = std::min(job.tile, end - begin) + period - 1;
    const void* made = source[i]->Take(std::min(period, job.tile), t.in[i]);
    if (made != t.in[i]) std::memcpy(t.in[i], made, size_t(period * size));
    Repeat(t.in[i], period * size, most * size);
    offset[i] = begin % period;
  }
  for (int o = 0; o < nout; ++o) {
    if (job.sink[o] == Sink::kTarget) target[o] = new (t.target[o]) Target(job.operand(kChainInputs + o), begin);
    at[nin + o] = t.out[o];
  }
  for (int s = 0; s < p.nslots; ++s) at[nin + nout + s] = t.slot[s];

  for (int64_t n; begin < end; begin += n) {
    n = std::min(job.tile, end - begin);
    if (sources)  // a tile ends with a long run of one element, which then is laid out once
      for (int i = 0; i < nin; ++i)
        if (job.feed[i] == Feed::kSource && source[i]->Repeats() >= 64) n = std::min(n, source[i]->Repeats());
    for (int i = 0; i < nin; ++i) {
      switch (job.feed[i]) {
        case Feed::kDirect: at[i] = const_cast<char*>(job.from[i]) + begin * size; break;
        case Feed::kHeld: break;
        case Feed::kPattern:
          at[i] = t.in[i] + offset[i] * size;
          offset[i] = (offset[i] + n) % job.period[i];
          break;
        case Feed::kSource: at[i] = static_cast<char*>(const_cast<void*>(source[i]->Take(n, t.in[i])));
      }
    }
    for (int o = 0; o < nout; ++o) if (job.sink[o] == Sink::kDirect) at[nin + o] = job.to[o] + begin * size;
    if (job.past)  // on their way while this tile is worked on
      for (int i = 0; i < nin; ++i)
        if (job.feed[i] == Feed::kDirect)
          for (int64_t c = 0; c < kTileBytes; c += 64) __builtin_prefetch(at[i] + kTileBytes + c);
    for (auto& g : p.segments) {
      const std::vector<ChainCode>& code = job.wide ? g.f64 : g.f32;
      int64_t done = 0;
      if (job.block && !code.empty() && n >= job.block) RunCode(code.data(), at, done = n / job.block * job.block);
      if (done < n) RunSteps(job, g.first, g.last, at, done, n);
    }
    for (int o = 0; o < nout; ++o) {
      if (job.sink[o] == Sink::kPast) CopyPast(job.to[o] + begin * size, t.out[o], n * size);
      else if (job.sink[o] == Sink::kLate) std::memcpy(job.to[o] + begin * size, t.out[o], size_t(n * size));
      else if (job.sink[o] == Sink::kTarget) target[o]->Scatter(n, t.out[o]);
    }
  }
  if (job.past) FlushPast();
}

Operand& MakeOperand(Job* job, int i, const TensorView& v, const Shape& shape, DType loop_type, bool load) {
  Operand& o = *new (job->room[i]) Operand;
  o.Set(v, shape);
  o.native = Native(v.dtype, loop_type);
  o.convert = load ? FindConvert(v.dtype, loop_type) : FindConvert(loop_type, v.dtype);
  return o;
}
void SetFeed(Job* job, int i, const TensorView& x, const Shape& shape, DType loop_type) {
  job->from[i] = static_cast<const char*>(x.raw());
  job->feed[i] = Feed::kDirect;
  const bool native = Native(x.dtype, loop_type);
  if (native && x.contiguous && x.shape == shape) return;
  const Operand& o = MakeOperand(job, i, x, shape, loop_type, true);
  if (native && o.nd == 1 && o.strides[0] == o.size) return;
  job->feed[i] = Feed::kSource;
  int64_t inner = 1;
  for (int d = 1; d < o.nd; ++d) inner *= o.dims[d];
  if (o.strides[0] != 0 || inner > job->tile) return;
  job->feed[i] = o.nd == 1 ? Feed::kHeld : Feed::kPattern, job->period[i] = inner;
}
// Small arrays of one shape: one tile of each, all in their own memory. False: not such ones.
bool RunSmall(const ChainProgram& p, DType dtype, DType loop_type, Views x, OutViews y) {
  const Shape& shape = x[0].shape;
  const int64_t n = shape.size();
  const int size = DTypeSize(loop_type);
  if (n * size > kTileBytes || !Native(dtype, loop_type)) return false;
  char* at[kChainInputs + kChainOutputs + kChainSteps];
  for (int i = 0; i < x.size(); ++i) {
    if (!x[i].contiguous || x[i].shape != shape) return false;
    at[i] = static_cast<char*>(x[i].raw());
  }
  for (int o = 0; o < y.size(); ++o) {
    if (!y[o] || !y[o].contiguous || y[o].shape != shape) return false;
    char* to = at[p.ninputs + o] = static_cast<char*>(y[o].raw());
    for (int i = 0; i < x.size(); ++i) if (to == at[i] && p.last_read[size_t(i)] > p.output_step[size_t(o)]) return false;
  }
  alignas(64) char slot[kChainSteps][kTileBytes];
  for (int s = 0; s < p.nslots; ++s) at[p.ninputs + p.noutputs + s] = slot[s];
  const bool wide = dtype == DType::kFloat64, machine = wide || dtype == DType::kFloat32;
  const int64_t block = machine ? MachineOf(wide).block : 0;
  // Fewer elements than the machine takes at a time: copies that are long enough, whose spare elements repeat one. Each step then waits for registers,
  // not for the store before it.
  constexpr int64_t kRoom = 256;
  alignas(64) char room[kChainInputs + kChainOutputs][kRoom];
  const bool padded = n < block && block * size <= kRoom && p.steps.size() > 2;
  if (padded) {
    for (int i = 0; i < p.ninputs; ++i) {
      uint64_t one = 0;
      if (size == 8) std::memcpy(&one, at[i], 8);
      else one = *reinterpret_cast<const uint32_t*>(at[i]) * uint64_t(0x100000001);
      for (int64_t k = 0; k < kRoom; k += 8) std::memcpy(room[i] + k, &one, 8);
      if (n > 1) std::memcpy(room[i], at[i], size_t(n * size));
      at[i] = room[i];
    }
    for (int o = 0; o < p.noutputs; ++o) at[p.ninputs + o] = room[kChainInputs + o];
  }
  for (auto& g : p.segments) {
    const std::vector<ChainCode>& code = wide ? g.f64 : g.f32;
    int64_t done = 0;
    if (machine && !code.empty() && (padded || n >= block)) RunCode(code.data(), at, done = padded ? block : n / block * block);
    if (done >= n) continue;
    for (int s = g.first; s <= g.last; ++s) {
      const ChainProgram::Step& step = p.steps[size_t(s)];
      const int64_t skip = done * size;
      const void* in[3] = {at[step.from[0]] + skip, at[step.from[1]] + skip, at[step.from[2]] + skip};
      const TileFn fn = LoopFor(*step.loops, dtype, loop_type);
      if (!fn) return false;  // the long way says what is wrong
      fn(in, at[step.to] + skip, (padded ? block : n) - done, step.scalars);
    }
  }
  for (int o = 0; padded && o < p.noutputs; ++o) std::memcpy(y[o].raw(), room[kChainInputs + o], size_t(n * size));
  return true;
}
}  // namespace

void CheckLoops(const char* who, const Chain& chain, DType t) {
  for (auto& s : chain.steps())
    if (!LoopFor(*s.op->kernel->loops, t, LoopType(t))) Fail(Status::kType, who, "`", s.op->name, "` expects floating-point arrays, given ", t, ". Cast them first (operator Cast).");
}
void ChainCpu(KernelContext& ctx, const ChainAttrs& a, Views x, OutViews y) {
  const char* who = ctx.op ? ctx.op->name : "_fused";
  if (DeviceWork* w = DeviceWork::Current()) return RunChainOnDevice(who, w, a.chain, x, y);
  RunChain(who, a.chain, x, y);
}
void RunChain(const char* who, const Chain& chain, Views x, OutViews y) {
  const DType dtype = x[0].dtype, loop_type = LoopType(dtype);
  if (RunSmall(chain.program(), dtype, loop_type, x, y)) return;
  const Shape* shape = nullptr;
  for (int o = 0; o < y.size(); ++o) if (y[o]) shape = &y[o].shape;
  if (!shape) return;
  const int64_t n = shape->size();
  const ChainProgram& p = chain.program();
  Job job(p);
  job.size = DTypeSize(loop_type), job.tile = kTileBytes / job.size;
  CheckLoops(who, chain, dtype);
  for (size_t s = 0; s < p.steps.size(); ++s) job.fn[s] = LoopFor(*p.steps[s].loops, dtype, loop_type);
  if (dtype == DType::kFloat32 || dtype == DType::kFloat64) job.wide = dtype == DType::kFloat64, job.block = MachineOf(job.wide).block;
  if (!Native(dtype, loop_type)) job.narrow = FindConvert(loop_type, dtype), job.widen = FindConvert(dtype, loop_type);
  int64_t bytes = 0;
  for (int i = 0; i < x.size(); ++i) SetFeed(&job, i, x[i], *shape, loop_type), bytes += x[i].bytes();
  for (int o = 0; o < y.size(); ++o) bytes += y[o] ? y[o].bytes() : 0;
  const bool past = PastCaches(bytes);
  for (int o = 0; o < y.size(); ++o) {
    job.sink[o] = Sink::kNone;
    if (!y[o]) continue;
    job.to[o] = static_cast<char*>(y[o].raw());
    if (!y[o].contiguous || job.narrow) {
      MakeOperand(&job, kChainInputs + o, y[o], *shape, loop_type, false);
      job.sink[o] = Sink::kTarget;
      continue;
    }
    job.sink[o] = past ? Sink::kPast : Sink::kDirect;
    for (int i = 0; i < x.size(); ++i)
      if (x[i].raw() == y[o].raw()) job.sink[o] = p.last_read[size_t(i)] > p.output_step[size_t(o)] ? Sink::kLate : Sink::kDirect;
    job.past |= job.sink[o] == Sink::kPast;
  }
  const int64_t grain = job.past ? kPastGrain / job.size : std::max<int64_t>(kGrain / 4, 2 * kGrain / (int64_t(p.steps.size()) + 1)) / job.tile * job.tile;
  if (n <= grain) return RunChunk(job, 0, n);
  ParallelFor(n, grain, [&](int64_t b, int64_t e) { RunChunk(job, b, e); });
}

}  // namespace flx
