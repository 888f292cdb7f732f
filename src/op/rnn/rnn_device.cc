// SPDX-License-Identifier: Apache-2.0
// Recurrent layers on a device: products of all steps, and for each step a product and a kernel (src/cuda/rnn.cu). What is kept, and where, is as on the CPU.
#include "device/kernels.h"
#include "op/elementwise/driver.h"
#include "op/elementwise/formula.h"
#include "op/matrix/gemm.h"
#include "op/nn/dropout.h"
#include "op/nn/wide.h"
#include "op/reduce/driver.h"
#include "op/rnn/rnn.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

// A place in the device's memory, counted in elements.
struct Place {
  char* p = nullptr;
  int64_t size = 0;
  Place operator+(int64_t n) const { return {p ? p + n * size : nullptr, size}; }
  explicit operator bool() const { return p != nullptr; }
};
class OnDevice {
 public:
  OnDevice(KernelContext& ctx, const RnnAttrs& a, const RnnSizes& s, DType t, const TensorView& length)
      : ctx_(ctx), w_(DeviceWork::Current()), a_(a), s_(s), t_(t), width_(s.keeps_gates ? s.gate_width() : s.H), gh_(s.G * s.H), all_(s.T * s.N) {
    if (!length) return;
    TensorView exact = MakeView(ctx.Scratch<double>(s.N), DType::kFloat64, Shape{s.N});  // a part of a step is one
    CopyStrided(length, exact);
    RunElementwise(*ctx.op, CpuLoops("ceil"), ctx, nullptr, &exact, 1, exact);
    length_ = MakeView(ctx.Scratch<int64_t>(s.N), DType::kInt64, Shape{s.N});
    CopyStrided(exact, length_);
  }
  Place At(const TensorView& v) const { return {v ? static_cast<char*>(v.raw()) : nullptr, DTypeSize(t_)}; }
  Place Room(int64_t n) const { return {static_cast<char*>(ctx_.Scratch(std::max<int64_t>(1, n) * DTypeSize(t_))), DTypeSize(t_)}; }
  TensorView View(Place p, const Shape& s = {1}) const { return MakeView(p.p, t_, s); }  // null for none

  struct Given { Place x, w, h0, c0, mask; };
  // y, reserve, and the states after the last step, which may be null.
  void Forward(const Given& v, Place y, Place hn, Place cn, Place reserve) {
    const Place sums = s_.keeps_gates ? Place{} : Room(all_ * width_);  // of a layer's inputs, where no gates are kept
    const Place product = Room(s_.N * gh_), projected = s_.projects ? Room(s_.N * s_.R) : Place{}, dropped = DroppedRoom();
    for (int64_t l = 0; l < s_.L; ++l) {
      const Place in = l ? LayerInput(v, l, reserve, dropped) : v.x, out = l + 1 < s_.L ? reserve + s_.outputs_at(l) : y;
      for (int64_t d = 0; d < s_.D; ++d) {
        const int64_t state = l * s_.D + d;
        const Place x = s_.keeps_gates ? reserve + s_.gates_at(l, d) : sums, cells = s_.keeps_cells ? reserve + s_.cells_at(l, d) : Place{};
        const Place hidden = s_.projects ? reserve + s_.hidden_at(l, d) : Place{}, h = hn ? hn + state * s_.N * s_.R : Room(s_.N * s_.R);
        const Place c = !s_.keeps_cells ? Place{} : cn ? cn + state * s_.N * s_.H : Room(s_.N * s_.H);
        Product(true, all_, gh_, s_.in(l), in, s_.in(l), v.w + s_.i2h(l, d), s_.in(l), x, width_);
        Copy(v.h0 + state * s_.N * s_.R, s_.N * s_.R, h);
        if (c) Copy(v.c0 + state * s_.N * s_.H, s_.N * s_.H, c);
        for (int64_t k = 0; k < s_.T; ++k) {
          RnnStepInts ints = Ints(d);
          ints.t = d ? s_.T - 1 - k : k;
          Product(true, s_.N, gh_, s_.R, h, s_.R, v.w + s_.h2h(l, d), s_.R, product, gh_);
          Call(kDeviceRnnStep, ints, {product, v.w + s_.i2h_bias(l, d), v.w + s_.h2h_bias(l, d)}, {x + ints.t * s_.N * width_, cells, hidden, h, c, out});
          if (!s_.projects) continue;
          Product(true, s_.N, s_.R, s_.H, hidden + ints.t * s_.N * s_.H, s_.H, v.w + s_.h2r(l, d), s_.H, projected, s_.R);
          Call(kDeviceRnnPut, ints, {projected}, {h, out});
        }
      }
    }
  }

  struct Gradients { Place dy, dhn, dcn, dx, dw, dh0, dc0; };
  void Backward(const Given& given, Place y, Place reserve, const Gradients& g) {
    Given v = given;
    if (length_) {  // what lies behind a row's length counts for nothing, even if it is no number
      const SequenceInts ints = {s_.T, s_.N, s_.C, true, kSequenceMask};
      const double zero = 0;
      v.x = Room(all_ * s_.C);
      const TensorView in[] = {View(given.x, {all_ * s_.C}), length_}, to = View(v.x, {all_ * s_.C});
      w_->Call(kDeviceSequence, DeviceSignature(kDeviceSequence), {in, 2, &to, 1, &ints.steps, int(sizeof ints / sizeof(int64_t)), &zero, 1});
    }
    const int64_t n = all_ * s_.D * s_.R;
    const bool gru = a_.mode == RnnMode::kGru;
    const Place dropped = DroppedRoom(), dx = Room(all_ * gh_), dh = gru ? Room(all_ * gh_) : Place{}, before = Room(all_ * s_.R), step = Room(s_.N * s_.R);
    const Place dproj = s_.projects ? Room(all_ * s_.R) : Place{}, unit = s_.projects ? Room(s_.N * s_.H) : Place{}, both = gru ? dh : dx;
    Place dout = g.dy, below = s_.L > 1 ? Room(n) : Place{}, above = s_.L > 2 ? Room(n) : Place{};
    for (int64_t l = s_.L; l-- > 0;) {
      const Place in = l ? LayerInput(v, l, reserve, dropped) : v.x, out = l + 1 < s_.L ? reserve + s_.outputs_at(l) : y, din = l ? below : g.dx;
      for (int64_t d = 0; d < s_.D; ++d) {
        const int64_t state = l * s_.D + d;
        const Place run = g.dh0 + state * s_.N * s_.R, run_c = s_.keeps_cells ? g.dc0 + state * s_.N * s_.H : Place{};
        const Place h0 = v.h0 + state * s_.N * s_.R, c0 = s_.keeps_cells ? v.c0 + state * s_.N * s_.H : Place{}, cells = s_.keeps_cells ? reserve + s_.cells_at(l, d) : Place{};
        Copy(g.dhn + state * s_.N * s_.R, s_.N * s_.R, run);
        if (run_c) Copy(g.dcn + state * s_.N * s_.H, s_.N * s_.H, run_c);
        RnnStepInts ints = Ints(d);
        for (int64_t k = s_.T; k-- > 0;) {
          ints.later = ints.t, ints.t = d ? s_.T - 1 - k : k, ints.earlier = k == 0 ? -1 : d ? ints.t + 1 : ints.t - 1;
          const int64_t at = ints.t * s_.N;
          const Place gates = s_.keeps_gates ? reserve + s_.gates_at(l, d) + at * width_ : Place{}, proj = dproj + at * s_.R;
          const auto back = [&](RnnPart part) {
            ints.part = part;
            Call(kDeviceRnnBack, ints, {gates ? gates : out, cells, out, h0, c0, dout, step, unit}, {dx + at * gh_, dh + at * gh_, before + at * s_.R, proj, run, run_c});
          };
          if (!s_.projects) {
            back(kRnnBoth);
          } else {
            back(kRnnOutputs);
            Product(false, s_.N, s_.H, s_.R, proj, s_.R, v.w + s_.h2r(l, d), s_.H, unit, s_.H);
            back(kRnnUnits);
          }
          Product(false, s_.N, s_.R, gh_, both + at * gh_, gh_, v.w + s_.h2h(l, d), s_.R, step, s_.R);
        }
        ints.later = ints.t, ints.t = ints.earlier = -1, ints.part = kRnnOutputs;  // what the last product brings
        Call(kDeviceRnnBack, ints, {out, cells, out, h0, c0, dout, step, unit}, {dx, dh, before, dproj, run, run_c});
        // The layer's parameters, and its input, to which the second direction adds.
        const int64_t width = s_.in(l);
        ProductOf(gh_, width, all_, dx, gh_, in, width, g.dw + s_.i2h(l, d));
        ProductOf(gh_, s_.R, all_, both, gh_, before, s_.R, g.dw + s_.h2h(l, d));
        if (s_.projects) ProductOf(s_.R, s_.H, all_, dproj, s_.R, reserve + s_.hidden_at(l, d), s_.H, g.dw + s_.h2r(l, d));
        ColumnSums(dx, g.dw + s_.i2h_bias(l, d));
        ColumnSums(both, g.dw + s_.h2h_bias(l, d));
        Product(false, all_, width, gh_, dx, gh_, v.w + s_.i2h(l, d), width, din, width, d ? 1 : 0);
      }
      if (l && a_.drops()) Multiply(din, v.mask + (l - 1) * n, din);
      dout = din, std::swap(below, above);
    }
  }

 private:
  RnnStepInts Ints(int64_t d) const {
    const RnnWay mode = a_.lstm() ? kRnnLstm : a_.mode == RnnMode::kGru ? kRnnGru : a_.mode == RnnMode::kRelu ? kRnnRelu : kRnnTanh;
    return {mode, s_.N, s_.H, s_.R, s_.G, s_.D, d, -1, -1, -1, kRnnBoth, a_.clips(), a_.lstm_state_clip_nan};
  }
  void Call(const char* kernel, const RnnStepInts& ints, std::initializer_list<Place> in, std::initializer_list<Place> out) {
    SmallVector<TensorView, 10> from, to;
    for (Place p : in) from.emplace_back(View(p));
    from.emplace_back(length_);
    for (Place p : out) to.emplace_back(View(p));
    const double clip[] = {a_.clips() ? *a_.lstm_state_clip_min : 0, a_.clips() ? *a_.lstm_state_clip_max : 0};
    w_->Call(kernel, DeviceSignature(kernel), {from.data(), from.size(), to.data(), to.size(), &ints.mode, int(sizeof ints / sizeof(int64_t)), clip, 2});
  }
  void Product(bool transposed, int64_t m, int64_t n, int64_t k, Place x, int64_t ldx, Place y, int64_t ldy, Place to, int64_t ld, double beta = 0) const {
    Gemm(t_, false, transposed, m, n, k, 1, x.p, ldx, y.p, ldy, beta, to.p, ld);
  }
  void ProductOf(int64_t m, int64_t n, int64_t k, Place x, int64_t ldx, Place y, int64_t ldy, Place to) const {  // of x's transpose
    Gemm(t_, true, false, m, n, k, 1, x.p, ldx, y.p, ldy, 0, to.p, n);
  }
  void ColumnSums(Place x, Place to) const {
    ReduceSpec spec;
    spec.axes = 1;
    Reduce(spec, View(x, {all_, gh_}), View(to, {gh_}));
  }
  void Copy(Place from, int64_t n, Place to) const { if (n) CopyStrided(View(from, {n}), View(to, {n})); }
  void Multiply(Place a, Place b, Place to) {
    const Shape n{all_ * s_.D * s_.R};
    const TensorView in[] = {View(a, n), View(b, n)};
    TensorView out = View(to, n);
    RunElementwise(*ctx_.op, CpuLoops("mul"), ctx_, nullptr, in, 2, out);
  }
  Place DroppedRoom() const { return a_.drops() ? Room(all_ * s_.D * s_.R) : Place{}; }
  Place LayerInput(const Given& v, int64_t l, Place reserve, Place dropped) {
    const Place below = reserve + s_.outputs_at(l - 1);
    if (!a_.drops()) return below;
    return Multiply(below, v.mask + (l - 1) * all_ * s_.D * s_.R, dropped), dropped;
  }

  KernelContext& ctx_;
  DeviceWork* w_;
  const RnnAttrs& a_;
  const RnnSizes& s_;
  const DType t_;
  const int64_t width_, gh_, all_;
  TensorView length_;
};

}  // namespace

void RnnOnDevice(KernelContext& ctx, const RnnAttrs& a, const TensorView& data, const TensorView& parameters, const TensorView& state, const TensorView& cell,
                 const TensorView& length, TensorView& y0, TensorView& state_y, TensorView& cell_y, TensorView& mask0, TensorView& reserve) {
  const RnnSizes s(a, data.dim(0), data.dim(1), data.dim(2));
  const TensorView x = Widen(ctx, data), w = Widen(ctx, parameters), h = Widen(ctx, state), c = Widen(ctx, cell);
  TensorView mask = mask0;
  WideOut y(ctx, y0), hn(ctx, state_y), cn(ctx, cell_y);
  OnDevice rnn(ctx, a, s, x.dtype, length);
  if (a.drops()) {
    if (!mask) mask = MakeView(ctx.Scratch(s.mask(true).size() * DTypeSize(x.dtype)), x.dtype, s.mask(true));
    if (ctx.training) DropoutMask(ctx, a.p, mask);
    else FillStrided(mask, 1);
  }
  rnn.Forward({rnn.At(x), rnn.At(w), rnn.At(h), rnn.At(c), rnn.At(mask)}, rnn.At(y.view), rnn.At(hn.view), a.lstm() ? rnn.At(cn.view) : Place{},
              reserve ? rnn.At(reserve) : rnn.Room(s.reserve()));
  y.Store();
  if (state_y) hn.Store();
  if (cell_y && a.lstm()) cn.Store();
}
void RnnGradOnDevice(KernelContext& ctx, const RnnAttrs& a, Views in, OutViews out) {
  const Shape& shape = in[kRnnData].shape;
  const RnnSizes s(a, shape[0], shape[1], shape[2]);
  TensorView x[kRnnGradIns];
  for (int i = 0; i < kRnnGradIns; ++i) x[i] = i == kRnnLength ? in[i] : Widen(ctx, in[i]);
  const WideOut dx(ctx, out[0]), dw(ctx, out[1]), dh0(ctx, out[2]), dc0(ctx, out[3]);
  OnDevice rnn(ctx, a, s, x[kRnnData].dtype, x[kRnnLength]);
  const auto at = [&](int i) { return rnn.At(x[i]); };
  const OnDevice::Given v{at(kRnnData), at(kRnnParameters), at(kRnnState), at(kRnnCell), at(kRnnMask)};
  Place y = at(kRnnY), reserve = at(kRnnReserve);
  if (x[kRnnReserve].size() < s.reserve()) {  // not kept
    y = rnn.Room(s.T * s.N * s.D * s.R), reserve = rnn.Room(s.reserve());
    rnn.Forward(v, y, {}, {}, reserve);
  }
  const auto result = [&](const WideOut& o, int64_t n) { return o.view ? rnn.At(o.view) : rnn.Room(n); };
  rnn.Backward(v, y, reserve, {at(kRnnDy), at(kRnnDstate), at(kRnnDcell), result(dx, s.T * s.N * s.C), result(dw, s.parameters()), result(dh0, s.L * s.D * s.N * s.R),
                               a.lstm() ? result(dc0, s.L * s.D * s.N * s.H) : Place{}});
  for (const WideOut* o : {&dx, &dw, &dh0, &dc0}) if (o->view) o->Store();
}

}  // namespace flx
