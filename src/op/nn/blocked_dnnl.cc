// SPDX-License-Identifier: Apache-2.0
// Convolutions between blocked arrays by oneDNN, in float32. Nothing is reordered here: data, weights and results lie as oneDNN's compiled kernels want
// them, and what those do not take is refused. Work is cut by images, and by blocks of output channels where there are few images, from shapes alone:
// the same bits on any number of threads.
#include <array>
#include <cstring>
#include <string_view>

#include "op/nn/blocked.h"
#include "op/nn/blocked_spans.h"
#include "op/nn/dnnl_kept-inl.h"

namespace flx {
namespace {

using namespace dnnl_kept;

constexpr double kPartFlops = 4e6;  // of work that is worth a task
constexpr int64_t kMaxParts = 64, kFewParts = 8;
constexpr int64_t kWeightParts = 8;

using Key = std::array<int64_t, 22>;
struct Primitive {
  dnnl::primitive run;
  Desc x, w, y, bias, scratch;
  bool taken = false;  // by a compiled kernel
};
struct Form {  // of one part
  BlockedPass pass = BlockedPass::kForward;
  int64_t n = 1, c = 0, o = 0, block = 16;
  bool x_blocked = true, bias = false, add = false;
};

Desc DataDesc(const Dims& dims, int64_t block) {
  return Desc(dims, memory::data_type::f32, block == 0 ? memory::format_tag::nchw : block == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c);
}
Desc WeightDesc(const Form& f, const ConvGeometry& g) {
  using Tag = memory::format_tag;
  bool wide = f.block == 16;
  Tag tag = wide ? Tag::OIhw16i16o : Tag::OIhw8i8o;
  if (!f.x_blocked) tag = wide ? Tag::Ohwi16o : Tag::Ohwi8o;
  else if (f.pass == BlockedPass::kGradData) tag = !wide ? Tag::OIhw8o8i : TurnedForGradData({g.o, g.c, g.k[1], g.k[2]}, f.block) ? Tag::IOhw16o16i : Tag::OIhw16o16i;
  return Desc(Dims{f.o, f.c, g.k[1], g.k[2]}, memory::data_type::f32, tag);
}
bool Compiled(const char* implementation) { return std::string_view(implementation).substr(0, 3) == "jit"; }

Primitive Make(const Form& f, const ConvGeometry& g) {
  Primitive p;
  const Window v(g);
  Desc x = DataDesc({f.n, f.c, g.in[1], g.in[2]}, f.x_blocked ? f.block : 0), y = DataDesc({f.n, f.o, g.out[1], g.out[2]}, f.block), w = WeightDesc(f, g);
  p.bias = f.bias ? Desc(Dims{f.o}, memory::data_type::f32, memory::format_tag::a) : Desc();
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  if (f.add) after.append_sum(1);
  auto algorithm = dnnl::algorithm::convolution_direct;
  auto keep = [&](auto made, const auto& d) {
    p.taken = Compiled(d.impl_info_str());
    if (!p.taken) return;
    p.run = made(d), p.scratch = d.scratchpad_desc();
    p.x = x, p.w = w, p.y = y;
  };
  try {
    if (f.pass == BlockedPass::kForward) {
      attr.set_post_ops(after);
      using P = dnnl::convolution_forward;
      auto usage = dnnl::prop_kind::forward_inference;
      keep([](const P::primitive_desc& d) { return P(d); }, f.bias ? MakeDesc<P>(attr, usage, algorithm, x, w, p.bias, y, v.stride, v.dilate, v.left, v.right)
                                                                  : MakeDesc<P>(attr, usage, algorithm, x, w, y, v.stride, v.dilate, v.left, v.right));
      return p;
    }
    Desc any(Dims{f.o, f.c, g.k[1], g.k[2]}, memory::data_type::f32, memory::format_tag::any);
    auto hint = MakeDesc<dnnl::convolution_forward>(attr, dnnl::prop_kind::forward_training, algorithm, x, any, y, v.stride, v.dilate, v.left, v.right);
    if (f.pass == BlockedPass::kGradData) {
      using P = dnnl::convolution_backward_data;
      keep([](const P::primitive_desc& d) { return P(d); }, MakeDesc<P>(hint, attr, algorithm, x, w, y, v.stride, v.dilate, v.left, v.right));
    } else {
      using P = dnnl::convolution_backward_weights;
      keep([](const P::primitive_desc& d) { return P(d); }, MakeDesc<P>(hint, attr, algorithm, x, w, y, v.stride, v.dilate, v.left, v.right));
    }
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) Broken("_blocked_convolution", e);  // no reason to compute otherwise, and other bits
    p.taken = false;
  }
  return p;
}
using Primitives = Kept<Key, Primitive>;
const Primitive& Get(const Form& f, const ConvGeometry& g) {
  Key key{int64_t(f.pass), f.n, f.c, f.o, f.block, int64_t(f.x_blocked) | int64_t(f.bias) << 1 | int64_t(f.add) << 2, g.g};
  size_t at = 7;
  for (auto* v : {g.in, g.out, g.k, g.s, g.d, g.p}) for (int i = 1; i < 3; ++i) key[at++] = v[i];
  return Primitives::OfThread().Get(key, [&] { return Make(f, g); });
}
dnnl::stream& Stream() { return Primitives::OfThread().stream; }

// Images of a part, parts, and blocks of output channels of a part where images alone give too few.
struct Parts {
  int64_t n, images, count, blocks, each, splits;
  Parts(const ConvGeometry& g, int64_t all_blocks, bool may_split) : n(g.n), blocks(all_blocks), each(all_blocks), splits(1) {
    int64_t want = std::clamp<int64_t>(int64_t(std::min(g.Flops() / kPartFlops, double(kMaxParts))), 1, kMaxParts);
    images = (n + std::min(want, n) - 1) / std::min(want, n), count = (n + images - 1) / images;
    if (!may_split || images > 1 || count >= kFewParts || want <= count) return;
    each = (blocks + std::min(want, kFewParts) / count - 1) / std::max<int64_t>(std::min(want, kFewParts) / count, 1);
    splits = (blocks + each - 1) / each;
  }
  int64_t tasks() const { return count * splits; }
  int64_t first(int64_t t) const { return t / splits * images; }
  int64_t size(int64_t t) const { return std::min(images, n - first(t)); }
  int64_t from(int64_t t) const { return t % splits * each; }
  int64_t width(int64_t t) const { return std::min(each, blocks - from(t)); }
};
// Whether oneDNN's compiled kernels take all parts; makes this thread's primitives.
template <class F> bool Taken(const Parts& parts, const ConvGeometry& g, const F& form) {
  DnnlCall call;
  for (int64_t t : {int64_t(0), parts.splits - 1, parts.tasks() - 1})
    if (!Get(form(t), g).taken) return false;
  return true;
}
bool Declines(const ConvGeometry& g, int64_t block) { return !LibraryHasBlocked(block) || g.n == 0 || g.c == 0 || g.g != 1 || g.nd != 2; }

}  // namespace

int64_t BestBlock() {
  static const int64_t best = [] {
    auto isa = dnnl::get_effective_cpu_isa();
    for (auto wide : {dnnl::cpu_isa::avx512_core, dnnl::cpu_isa::avx512_core_vnni, dnnl::cpu_isa::avx512_core_bf16, dnnl::cpu_isa::avx512_core_amx})
      if (isa == wide) return 16;
    for (auto narrow : {dnnl::cpu_isa::avx2, dnnl::cpu_isa::avx2_vnni})
      if (isa == narrow) return 8;
    return 0;
  }();
  return best;
}
bool LibraryHasBlocked(int64_t block) { return block > 0 && block == BestBlock(); }

bool BlockedIsFast(BlockedPass pass, const ConvGeometry& g, int64_t block, bool x_blocked) {
  DnnlRunning running;
  if (!running || Declines(g, block) || g.o % block || (x_blocked && g.c % block) || (!x_blocked && (g.c > 3 || pass == BlockedPass::kGradData))) return false;
  DnnlCall call;
  Form f;
  f.pass = pass, f.c = g.c, f.o = g.o, f.block = block, f.x_blocked = x_blocked;
  return Get(f, g).taken;
}

bool LibraryBlockedConvolution(const BlockedConvCall& c) {
  const ConvGeometry& g = c.g;
  DnnlRunning running;
  if (!running || Declines(g, c.block)) return false;
  Parts parts(g, g.o / c.block, true);
  auto form = [&](int64_t t) {
    Form f;
    f.n = parts.size(t), f.c = g.c, f.o = parts.width(t) * c.block, f.block = c.block;
    f.x_blocked = c.x_blocked, f.bias = c.bias != nullptr, f.add = c.addend != nullptr;
    return f;
  };
  if (!Taken(parts, g, form)) return false;
  const auto& spans = BlockSpansOf<float>();
  ForTasks("_blocked_convolution", parts.tasks(), [&](int64_t t) {
    const Primitive& p = Get(form(t), g);
    int64_t o0 = parts.from(t) * c.block, at = (parts.first(t) * g.o + o0) * g.OutSize();
    float* y = c.y + at;
    if (c.addend && c.addend != c.y) std::memcpy(y, c.addend + at, p.y.get_size());
    Buffer room(p.scratch.get_size());
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, At(p.x, c.x + parts.first(t) * g.c * g.InSize())},
                                         {DNNL_ARG_WEIGHTS, At(p.w, c.w + o0 * g.c * g.KernelSize())},
                                         {DNNL_ARG_DST, At(p.y, y)},
                                         {DNNL_ARG_SCRATCHPAD, At(p.scratch, room.data)}};
    if (c.bias) args.emplace(DNNL_ARG_BIAS, At(p.bias, c.bias + o0));
    p.run.execute(Stream(), args);
    // oneDNN's own relu makes 0 of NaN; the part is still in the cache.
    if (c.relu) spans.add_relu(y, nullptr, true, int64_t(p.y.get_size() / sizeof(float)), y);
  });
  return true;
}

bool LibraryBlockedGradData(const ConvGeometry& g, int64_t block, const float* w, const float* dy, float* dx) {
  DnnlRunning running;
  if (!running || Declines(g, block)) return false;
  Parts parts(g, g.c / block, TurnedForGradData({g.o, g.c, g.k[1], g.k[2]}, block));  // only there a part's weights lie together
  auto form = [&](int64_t t) {
    Form f;
    f.pass = BlockedPass::kGradData, f.n = parts.size(t), f.c = parts.width(t) * block, f.o = g.o, f.block = block;
    return f;
  };
  if (!Taken(parts, g, form)) return false;
  ForTasks("_blocked_convolution_grad_data", parts.tasks(), [&](int64_t t) {
    const Primitive& p = Get(form(t), g);
    int64_t c0 = parts.from(t) * block;
    Buffer room(p.scratch.get_size());
    p.run.execute(Stream(), {{DNNL_ARG_DIFF_DST, At(p.y, dy + parts.first(t) * g.o * g.OutSize())},
                             {DNNL_ARG_WEIGHTS, At(p.w, w + c0 * g.o * g.KernelSize())},
                             {DNNL_ARG_DIFF_SRC, At(p.x, dx + (parts.first(t) * g.c + c0) * g.InSize())},
                             {DNNL_ARG_SCRATCHPAD, At(p.scratch, room.data)}});
  });
  return true;
}

// Cut by output channels, each part going through the whole batch with a copy of its share of dy, or by images with sums for each: whichever moves less.
bool LibraryBlockedGradWeight(KernelContext& ctx, const ConvGeometry& g, int64_t block, bool x_blocked, const float* x, const float* dy, float* dw) {
  DnnlRunning running;
  if (!running || Declines(g, block)) return false;
  const int64_t all = g.o / block, size = g.WeightSize(), places = g.OutSize(), in = g.c * g.InSize();
  const int64_t want = std::clamp<int64_t>(int64_t(g.Flops() / kPartFlops), 1, kWeightParts);
  int64_t each = (all + want - 1) / want, splits = (all + each - 1) / each, images = g.n, count = 1;
  if (want > 1 && (splits == 1 || 2 * want * size < (splits - 1) * g.n * in + 2 * g.n * g.o * places)) {
    each = all, splits = 1;
    images = (g.n + want - 1) / want, count = (g.n + images - 1) / images;
  }
  auto form = [&](int64_t t) {
    Form f;
    f.pass = BlockedPass::kGradWeight, f.n = std::min(images, g.n - t / splits * images), f.c = g.c, f.o = std::min(each, all - t % splits * each) * block;
    f.block = block, f.x_blocked = x_blocked;
    return f;
  };
  {
    DnnlCall call;
    for (int64_t t : {int64_t(0), splits - 1, splits * count - 1})
      if (!Get(form(t), g).taken) return false;
  }
  const PackFor use = x_blocked ? PackFor::kForward : PackFor::kPlainData;
  float* sums = count > 1 ? ctx.Scratch<float>(count * size) : nullptr;
  const Shape weight{g.o, g.c, g.k[1], g.k[2]};
  ForTasks("_blocked_convolution_grad_weight", splits * count, [&](int64_t t) {
    const Form f = form(t);
    const Primitive& p = Get(f, g);
    int64_t n0 = t / splits * images, o0 = t % splits * each * block;
    Buffer room(p.scratch.get_size()), own(splits > 1 ? p.y.get_size() : 0), result(count > 1 ? 0 : p.w.get_size());
    const float* from = dy + n0 * g.o * places;
    if (splits > 1) {
      auto* to = static_cast<float*>(own.data);
      for (int64_t n = 0; n < f.n; ++n) std::memcpy(to + n * f.o * places, from + (n * g.o + o0) * places, size_t(f.o * places) * sizeof(float));
      from = to;
    }
    float* to = count > 1 ? sums + t * size : static_cast<float*>(result.data);
    p.run.execute(Stream(), {{DNNL_ARG_SRC, At(p.x, x + n0 * in)}, {DNNL_ARG_DIFF_DST, At(p.y, from)}, {DNNL_ARG_DIFF_WEIGHTS, At(p.w, to)}, {DNNL_ARG_SCRATCHPAD, At(p.scratch, room.data)}});
    if (count == 1) UnpackRows(to, weight, block, use, f.o, dw + o0 * g.c * g.KernelSize());
  });
  if (count == 1) return true;
  const int64_t per = block * g.c * g.KernelSize();
  ParallelFor(all, 1, [&](int64_t b, int64_t e) {
    for (int64_t k = b; k < e; ++k) {
      float* sum = sums + k * per;
      for (int64_t part = 1; part < count; ++part)
        for (int64_t i = 0; i < per; ++i) sum[i] += sum[part * size + i];
      UnpackRows(sum, weight, block, use, block, dw + k * per);
    }
  });
  return true;
}

}  // namespace flx
