// SPDX-License-Identifier: Apache-2.0
// Convolutions by oneDNN, in float32, on parts of the batch, or of the channels where the batch is small, by
// our pool's threads. Parts follow from the shapes alone, and partial sums are added in their order: the same bits on any number of threads.
// Each thread keeps the primitives it made; arrays in oneDNN's own blocked formats live for one call only.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/cache.h"
#include "op/nn/convolution.h"
#include "op/nn/dnnl_kept-inl.h"
#include "op/nn/wide.h"
#include "tensor/tile.h"

namespace flx {
namespace {

using namespace dnnl_kept;

constexpr double kPartFlops = 4e6;           // of work that is worth a task
constexpr int64_t kMaxParts = 64, kWeightParts = 8, kWeightBytes = 32 << 20;
constexpr int64_t kFewParts = 4;             // with fewer, channels are split too
constexpr int64_t kChannelBlock = 16;

enum class Pass : int64_t { kForward, kGradData, kGradWeight };
using Key = std::array<int64_t, 27>;
// One primitive: arrays as the user has them, as it wants them, and what leads from one to the other.
struct Primitive {
  dnnl::primitive run;
  Desc x, w, y, user_x, user_w, user_y, bias, scratch;
  dnnl::primitive to_x, to_w, to_y, from;    // reorders; empty where the formats agree. from: of the result
  int64_t block_x = 0, block_y = 0;          // channels that lie side by side in x and y, where our own tiles reorder them
};

// Dense or channels-last strides of (n, c, spatial...) inside an array with `channels` channels.
Desc UserDesc(const ConvGeometry& g, int64_t n, int64_t c, const int64_t* size, int64_t channels) {
  int nd = g.nd, skip = 3 - nd;
  Dims dims{n, c}, strides(size_t(nd) + 2);
  for (int i = 0; i < nd; ++i) dims.push_back(size[skip + i]);
  int64_t step = g.last ? channels : 1;
  for (int i = nd - 1; i >= 0; --i) strides[size_t(i) + 2] = step, step *= size[skip + i];
  strides[1] = g.last ? 1 : step;
  strides[0] = g.last ? step : step * channels;
  return Desc(dims, memory::data_type::f32, strides);
}
Desc UserWeight(const ConvGeometry& g, int64_t o, int64_t c, int64_t all_c) {  // (o, c, kernel...) or (g, o/g, c/g, kernel...)
  int nd = g.nd, skip = 3 - nd;
  Dims dims, strides;
  int64_t per = all_c * g.KernelSize();
  if (g.g > 1) dims.push_back(g.g), strides.push_back(o / g.g * per), o /= g.g;
  dims.push_back(o), strides.push_back(per);
  dims.push_back(c), strides.push_back(g.last ? 1 : g.KernelSize());
  int64_t step = g.last ? all_c : 1;
  size_t at = dims.size();
  for (int i = 0; i < nd; ++i) dims.push_back(g.k[skip + i]), strides.push_back(0);
  for (int i = nd - 1; i >= 0; --i) strides[at + size_t(i)] = step, step *= g.k[skip + i];
  return Desc(dims, memory::data_type::f32, strides);
}
Desc AnyOf(const Desc& d) {
#if DNNL_VERSION_MAJOR >= 3
  return Desc(d.get_dims(), memory::data_type::f32, memory::format_tag::any);
#else
  return Desc(d.dims(), memory::data_type::f32, memory::format_tag::any);
#endif
}
dnnl::primitive Reorder(const Desc& from, const Desc& to) {
  if (from == to) return {};
  return dnnl::reorder(dnnl::reorder::primitive_desc(CpuEngine(), from, CpuEngine(), to));
}
// 16 or 8 where the format is blocks of so many channels, and there are whole ones; else 0.
int64_t BlockOf(const ConvGeometry& g, int64_t n, int64_t c, const int64_t* size, const Desc& format) {
  if (g.last) return 0;
  using Tag = memory::format_tag;
  static constexpr Tag kTags[2][3] = {{Tag::aBc16b, Tag::aBcd16b, Tag::aBcde16b}, {Tag::aBc8b, Tag::aBcd8b, Tag::aBcde8b}};
  Dims dims{n, c};
  for (int i = 3 - g.nd; i < 3; ++i) dims.push_back(size[i]);
  for (int k = 0; k < 2; ++k)
    if (c % (16 >> k) == 0 && format == Desc(dims, memory::data_type::f32, kTags[k][g.nd - 1])) return 16 >> k;
  return 0;
}
// Between channels apart, as the user has them, and blocks of them: n images of c channels, `all` channels in the user's array.
void ToBlocks(const float* user, float* blocks, int64_t n, int64_t c, int64_t all, int64_t places, int64_t block) {
  TurnFn turn = TransposeTile(int(sizeof(float)));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < c; k += block, blocks += places * block)
      for (int64_t p = 0; p < places; p += kTileSide)
        turn(user + (i * all + k) * places + p, places, blocks + p * block, block, std::min(kTileSide, places - p), block, false);
}
void FromBlocks(const float* blocks, float* user, int64_t n, int64_t c, int64_t all, int64_t places, int64_t block, bool past) {
  TurnFn turn = TransposeTile(int(sizeof(float)));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < c; k += block, blocks += places * block)
      for (int64_t p = 0; p < places; p += kTileSide)
        turn(blocks + p * block, block, user + (i * all + k) * places + p, places, block, std::min(kTileSide, places - p), past);
  if (past) FlushPast();
}

// n, c and o are those of the part; g has the whole arrays' numbers.
Primitive Make(Pass pass, const ConvGeometry& g, int64_t n, int64_t c, int64_t o, bool bias) {
  Primitive p;
  const Window v(g);
  p.user_x = UserDesc(g, n, c, g.in, g.c), p.user_y = UserDesc(g, n, o, g.out, g.o);
  p.user_w = UserWeight(g, o, g.g > 1 ? c / g.g : c, g.c / g.g);
  p.bias = bias ? Desc(Dims{o}, memory::data_type::f32, memory::format_tag::a) : Desc();
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  Desc x = AnyOf(p.user_x), w = AnyOf(p.user_w), y = AnyOf(p.user_y);
  // Left to itself oneDNN pads channels to blocks of 16 in backward; with channels last it does not (measured: 20 and 50 channels a quarter faster).
  if (pass != Pass::kForward && g.g == 1 && g.c >= kChannelBlock / 2 && (g.c % kChannelBlock || g.o % kChannelBlock)) {
    ConvGeometry last = g;
    last.last = true;
    x = UserDesc(last, n, c, g.in, c), y = UserDesc(last, n, o, g.out, o);
  }
  auto algorithm = dnnl::algorithm::convolution_direct;
  auto usage = pass == Pass::kForward ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training;
  auto forward = bias ? MakeDesc<dnnl::convolution_forward>(attr, usage, algorithm, x, w, p.bias, y, v.stride, v.dilate, v.left, v.right)
                      : MakeDesc<dnnl::convolution_forward>(attr, usage, algorithm, x, w, y, v.stride, v.dilate, v.left, v.right);
  if (pass == Pass::kForward) {
    p.run = dnnl::convolution_forward(forward);
    p.x = forward.src_desc(), p.w = forward.weights_desc(), p.y = forward.dst_desc(), p.scratch = forward.scratchpad_desc();
    p.to_x = Reorder(p.user_x, p.x), p.to_w = Reorder(p.user_w, p.w), p.from = Reorder(p.y, p.user_y);
  } else if (pass == Pass::kGradData) {
    auto d = MakeDesc<dnnl::convolution_backward_data>(forward, attr, algorithm, x, w, y, v.stride, v.dilate, v.left, v.right);
    p.run = dnnl::convolution_backward_data(d);
    p.x = d.diff_src_desc(), p.w = d.weights_desc(), p.y = d.diff_dst_desc(), p.scratch = d.scratchpad_desc();
    p.to_w = Reorder(p.user_w, p.w), p.to_y = Reorder(p.user_y, p.y), p.from = Reorder(p.x, p.user_x);
  } else {
    auto d = MakeDesc<dnnl::convolution_backward_weights>(forward, attr, algorithm, x, w, y, v.stride, v.dilate, v.left, v.right);
    p.run = dnnl::convolution_backward_weights(d);
    p.x = d.src_desc(), p.w = d.diff_weights_desc(), p.y = d.diff_dst_desc(), p.scratch = d.scratchpad_desc();
    p.to_x = Reorder(p.user_x, p.x), p.to_y = Reorder(p.user_y, p.y), p.from = Reorder(p.w, p.user_w);
  }
  p.block_x = BlockOf(g, n, c, g.in, p.x), p.block_y = BlockOf(g, n, o, g.out, p.y);
  return p;
}
using Primitives = Kept<Key, Primitive>;
// This thread's primitive for a part, made at first use.
const Primitive& Get(Pass pass, const ConvGeometry& g, int64_t n, int64_t c, int64_t o, bool bias) {
  Key key{int64_t(pass), g.nd, g.last, g.g, g.c, g.o, n, c, o, bias};
  size_t at = 10;
  for (auto* v : {g.in, g.out, g.k, g.s, g.d}) for (int i = 0; i < 3; ++i) key[at++] = v[i];
  key[at] = g.p[0], key[at + 1] = g.p[1] << 32 | g.p[2];
  return Primitives::OfThread().Get(key, [&] { return Make(pass, g, n, c, o, bias); });
}

dnnl::stream& Stream() { return Primitives::OfThread().stream; }
void RunReorder(const dnnl::primitive& r, const Desc& from, const void* a, const Desc& to, const void* b) {
  r.execute(Stream(), {{DNNL_ARG_FROM, At(from, a)}, {DNNL_ARG_TO, At(to, b)}});
}
// `p` in the primitive's format: itself, or a copy in `room`.
const void* Ready(const dnnl::primitive& r, const Desc& user, const Desc& want, const void* p, const Buffer& room) {
  if (!r) return p;
  RunReorder(r, user, p, want, room.data);
  return room.data;
}
// ... of x with c channels out of all, or of y: by our tiles where they can.
const void* ReadyData(const dnnl::primitive& r, const Desc& user, const Desc& want, int64_t block, const float* p, const Buffer& room, int64_t n, int64_t c, int64_t all, int64_t places) {
  if (!r || !block) return Ready(r, user, want, p, room);
  ToBlocks(p, static_cast<float*>(room.data), n, c, all, places, block);
  return room.data;
}
void PutData(const dnnl::primitive& r, const Desc& user, const Desc& have, int64_t block, const void* from, float* p, int64_t n, int64_t c, int64_t all, int64_t places, int64_t in_all) {
  if (!r) return;
  if (block) FromBlocks(static_cast<const float*>(from), p, n, c, all, places, block, PastCaches(in_all * int64_t(sizeof(float))));
  else RunReorder(r, have, from, user, p);
}
size_t RoomOf(const dnnl::primitive& r, const Desc& d) { return r ? d.get_size() : 0; }

// What our own kernel does better (measured), or oneDNN not at all: nothing to do; one channel, or windows of one element, where the matrix of columns
// is small or is data itself; and the gradient of few channels, which oneDNN pads to a block.
bool Declines(Pass pass, const ConvGeometry& g) {
  if (g.n == 0 || g.c == 0) return true;
  if (g.last || g.g > 1) return false;
  bool element = g.KernelSize() == 1 && g.InSize() == g.OutSize();
  for (int i = 0; i < 3; ++i) element &= g.s[i] == 1 && g.p[i] == 0;
  return element || g.c == 1 || (pass == Pass::kGradData && g.c < 4);
}
// How one call is cut: by images, and by channels where there are few images.
struct Parts {
  int64_t n, images, count;        // whole batch, images of a part, parts
  int64_t all, channels, splits;   // channels that are split, of a part, parts
  Parts(const ConvGeometry& g, int64_t split_channels, int64_t most) : n(g.n), all(split_channels), channels(split_channels), splits(1) {
    int64_t want = int64_t(std::min(g.Flops() / kPartFlops, double(kMaxParts)));
    int64_t by_n = std::clamp<int64_t>(want, 1, std::min(n, most));
    images = (n + by_n - 1) / by_n, count = (n + images - 1) / images;
    if (count < kFewParts && want > count && g.g == 1 && all >= 2 * kChannelBlock) {
      int64_t s = std::min(want / count, std::min<int64_t>(all / kChannelBlock, 16));
      channels = ((all + s - 1) / s + kChannelBlock - 1) / kChannelBlock * kChannelBlock;
      splits = (all + channels - 1) / channels;
    }
  }
  int64_t tasks() const { return count * splits; }
  int64_t first(int64_t t) const { return t / splits * images; }
  int64_t size(int64_t t) const { return std::min(images, n - first(t)); }
  int64_t from(int64_t t) const { return t % splits * channels; }
  int64_t width(int64_t t) const { return std::min(channels, all - from(t)); }
};
// Where channel c of image n begins.
int64_t Begin(const ConvGeometry& g, int64_t n, int64_t c, int64_t channels, int64_t places) { return n * channels * places + (g.last ? c : c * places); }

// Makes the primitives that this call needs, so that what oneDNN has no implementation for is known before anything runs.
bool Prepare(Pass pass, const ConvGeometry& g, const Parts& parts, bool bias) {
  DnnlCall call;
  try {
    for (int64_t t : {int64_t(0), parts.splits - 1, parts.tasks() - 1}) {
      int64_t c = pass == Pass::kGradData && parts.splits > 1 ? parts.width(t) : g.c, o = pass != Pass::kGradData && parts.splits > 1 ? parts.width(t) : g.o;
      Get(pass, g, parts.size(t), c, o, bias);
    }
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) Broken("Convolution", e);  // no reason to compute otherwise, and other bits
    return false;
  }
  return true;
}
// Weights in the primitive's format, one copy for each split, shared by the parts of the batch.
struct SharedWeights {
  SharedWeights(KernelContext& ctx, const Parts& parts) : desc(size_t(parts.splits)), data(size_t(parts.splits)), ctx_(ctx) {}
  void Add(int64_t split, const Primitive& p, const float* w) {
    desc[size_t(split)] = p.w;
    data[size_t(split)] = w;
    if (!p.to_w) return;
    void* room = ctx_.Scratch(int64_t(p.w.get_size()));
    RunReorder(p.to_w, p.user_w, w, p.w, room);
    data[size_t(split)] = room;
  }
  std::vector<Desc> desc;
  std::vector<const void*> data;

 private:
  KernelContext& ctx_;
};

}  // namespace

bool LibraryConvolution(KernelContext& ctx, const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y) {
  DnnlRunning running;
  if (!running || Declines(Pass::kForward, g)) return false;
  Parts parts(g, g.o, kMaxParts);
  if (!Prepare(Pass::kForward, g, parts, bias != nullptr)) return false;
  int64_t per = g.c / g.g * g.KernelSize();
  SharedWeights shared(ctx, parts);
  {
    DnnlCall call;
    for (int64_t s = 0; s < parts.splits; ++s) shared.Add(s, Get(Pass::kForward, g, parts.size(0), g.c, parts.width(s), bias != nullptr), w + parts.from(s) * per);
  }
  ForTasks("Convolution", parts.tasks(), [&](int64_t t) {
    int64_t n0 = parts.first(t), o0 = parts.from(t);
    size_t split = size_t(t % parts.splits);
    const Primitive& p = Get(Pass::kForward, g, parts.size(t), g.c, parts.width(t), bias != nullptr);
    bool own = !(p.w == shared.desc[split]);  // the last, smaller part of the batch may want another format
    Buffer rx(RoomOf(p.to_x, p.x)), rw(own ? RoomOf(p.to_w, p.w) : 0), ry(RoomOf(p.from, p.y)), rs(p.scratch.get_size());
    const void* px = ReadyData(p.to_x, p.user_x, p.x, p.block_x, x + n0 * g.c * g.InSize(), rx, parts.size(t), g.c, g.c, g.InSize());
    const void* pw = own ? Ready(p.to_w, p.user_w, p.w, w + o0 * per, rw) : shared.data[split];
    float* to = y + Begin(g, n0, o0, g.o, g.OutSize());
    void* py = p.from ? ry.data : to;
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, At(p.x, px)}, {DNNL_ARG_WEIGHTS, At(p.w, pw)}, {DNNL_ARG_DST, At(p.y, py)}, {DNNL_ARG_SCRATCHPAD, At(p.scratch, rs.data)}};
    if (bias) args.emplace(DNNL_ARG_BIAS, At(p.bias, bias + o0));
    p.run.execute(Stream(), args);
    PutData(p.from, p.user_y, p.y, p.block_y, py, to, parts.size(t), parts.width(t), g.o, g.OutSize(), g.n * (g.c * g.InSize() + g.o * g.OutSize()));
  });
  return true;
}

bool LibraryConvolutionGradData(KernelContext& ctx, const ConvGeometry& g, const float* w, const float* dy, float* dx) {
  DnnlRunning running;
  if (!running || Declines(Pass::kGradData, g)) return false;
  Parts parts(g, g.c, kMaxParts);
  if (!Prepare(Pass::kGradData, g, parts, false)) return false;
  auto weight = [&](int64_t c0) { return w + (g.last ? c0 : c0 * g.KernelSize()); };
  SharedWeights shared(ctx, parts);
  {
    DnnlCall call;
    for (int64_t s = 0; s < parts.splits; ++s) shared.Add(s, Get(Pass::kGradData, g, parts.size(0), parts.width(s), g.o, false), weight(parts.from(s)));
  }
  ForTasks("Convolution", parts.tasks(), [&](int64_t t) {
    int64_t n0 = parts.first(t), c0 = parts.from(t);
    size_t split = size_t(t % parts.splits);
    const Primitive& p = Get(Pass::kGradData, g, parts.size(t), parts.width(t), g.o, false);
    bool own = !(p.w == shared.desc[split]);
    Buffer rx(RoomOf(p.from, p.x)), rw(own ? RoomOf(p.to_w, p.w) : 0), ry(RoomOf(p.to_y, p.y)), rs(p.scratch.get_size());
    const void* py = ReadyData(p.to_y, p.user_y, p.y, p.block_y, dy + n0 * g.o * g.OutSize(), ry, parts.size(t), g.o, g.o, g.OutSize());
    const void* pw = own ? Ready(p.to_w, p.user_w, p.w, weight(c0), rw) : shared.data[split];
    float* to = dx + Begin(g, n0, c0, g.c, g.InSize());
    void* px = p.from ? rx.data : to;
    p.run.execute(Stream(), {{DNNL_ARG_DIFF_DST, At(p.y, py)}, {DNNL_ARG_WEIGHTS, At(p.w, pw)}, {DNNL_ARG_DIFF_SRC, At(p.x, px)}, {DNNL_ARG_SCRATCHPAD, At(p.scratch, rs.data)}});
    PutData(p.from, p.user_x, p.x, p.block_x, px, to, parts.size(t), parts.width(t), g.c, g.InSize(), g.n * (g.c * g.InSize() + g.o * g.OutSize()));
  });
  return true;
}

bool LibraryConvolutionGradWeight(KernelContext& ctx, const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  DnnlRunning running;
  if (!running || Declines(Pass::kGradWeight, g)) return false;
  int64_t size = g.WeightSize(), per = g.c / g.g * g.KernelSize();
  Parts parts(g, g.o, std::clamp<int64_t>(kWeightBytes / std::max<int64_t>(size * 4, 1), 1, kWeightParts));
  if (!Prepare(Pass::kGradWeight, g, parts, false)) return false;
  float* sums = parts.count > 1 ? ctx.Scratch<float>(parts.count * size) : dw;
  ForTasks("Convolution", parts.tasks(), [&](int64_t t) {
    int64_t n0 = parts.first(t), o0 = parts.from(t);
    const Primitive& p = Get(Pass::kGradWeight, g, parts.size(t), g.c, parts.width(t), false);
    Buffer rx(RoomOf(p.to_x, p.x)), rw(RoomOf(p.from, p.w)), ry(RoomOf(p.to_y, p.y)), rs(p.scratch.get_size());
    const void* px = ReadyData(p.to_x, p.user_x, p.x, p.block_x, x + n0 * g.c * g.InSize(), rx, parts.size(t), g.c, g.c, g.InSize());
    const void* py = ReadyData(p.to_y, p.user_y, p.y, p.block_y, dy + Begin(g, n0, o0, g.o, g.OutSize()), ry, parts.size(t), parts.width(t), g.o, g.OutSize());
    float* to = sums + t / parts.splits * size + o0 * per;
    void* pw = p.from ? rw.data : to;
    p.run.execute(Stream(), {{DNNL_ARG_SRC, At(p.x, px)}, {DNNL_ARG_DIFF_DST, At(p.y, py)}, {DNNL_ARG_DIFF_WEIGHTS, At(p.w, pw)}, {DNNL_ARG_SCRATCHPAD, At(p.scratch, rs.data)}});
    if (p.from) RunReorder(p.from, p.w, pw, p.user_w, to);
  });
  if (parts.count > 1)
    ParallelFor(size, 4096, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        float s = sums[i];
        for (int64_t part = 1; part < parts.count; ++part) s += sums[part * size + i];
        dw[i] = s;
      }
    });
  return true;
}

}  // namespace flx
