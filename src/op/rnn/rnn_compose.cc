// SPDX-License-Identifier: Apache-2.0
// What RNN and its gradient stand for: the recurrence unrolled over elementary operators, step by step, and that differentiated.
#include "op/differentiate.h"
#include "op/matrix/matrix.h"
#include "op/nn/fully_connected.h"
#include "op/nn/wide.h"
#include "op/rnn/rnn.h"

namespace flx {
namespace {

Val Join(const std::vector<Val>& parts, int axis) {
  return parts.size() == 1 ? parts[0] : CallWith("Concat", parts, ConcatAttrs{int64_t(parts.size()), axis});
}
Val Made(const char* op, const Shape& s, DType t, Builder* b) { return CallOp(op, {}, {{"shape", Text(s)}, {"dtype", DTypeName(t)}}, b); }
Val Product(Val x, Val weight, Val bias = {}) {
  FullyConnectedAttrs a;
  a.num_hidden = ShapeOf(weight)[0], a.flatten = false, a.no_bias = !bias;
  return bias ? CallWith("FullyConnected", {x, weight, bias}, a) : CallWith("FullyConnected", {x, weight}, a);
}
Val Sigmoid(Val x) { return CallOp("sigmoid", {x}); }
Val Tanh(Val x) { return CallOp("tanh", {x}); }

struct Cell { Val h, c; };

class Unrolled {
 public:
  Unrolled(const std::vector<Val>& x, const RnnAttrs& attrs, Val mask)
      : a_(attrs), data_type_(TypeOf(x[0])), type_(WideType(data_type_)), data_(CastTo(x[0], type_)), parameters_(CastTo(x[1], type_)), state_(CastTo(x[2], type_)),
        cell_(x[3] ? CastTo(x[3], type_) : Val{}), mask_(mask), s_(attrs, ShapeOf(data_)[0], ShapeOf(data_)[1], ShapeOf(data_)[2]) {
    for (int64_t t = 0; x[4] && t < s_.T; ++t)
      inside_.push_back(ReshapeTo(CallOp("_greater_scalar", {CastTo(x[4], type_)}, {{"scalar", Text(t)}}), {s_.N, 1}));
    if (inside_.empty()) return;
    std::vector<Val> steps;  // what lies behind a row's length counts for nothing, even if it is no number
    for (Val v : inside_) steps.push_back(BroadcastTo(ReshapeTo(v, {1, s_.N, 1}), {1, s_.N, s_.C}));
    data_ = Choose(Join(steps, 0), data_, ZerosLike(data_));
  }
  std::vector<Val> Run() {
    Builder* b = data_.b;
    Shape mask = s_.mask(a_.drops());
    if (!a_.drops()) mask_ = Made("_zeros", mask, type_, b);
    else if (!mask_) mask_ = Made("_ones", mask, type_, b), mask_ = b->training() ? CallsVal("Dropout", mask_, {{"p", Text(a_.p)}}, 1) : mask_;
    Val x = data_;
    std::vector<Val> h, c;
    for (int64_t l = 0; l < s_.L; ++l) {
      if (l && a_.drops()) x = x * ReshapeTo(PartOf(mask_, 0, l - 1, 1), {s_.T, s_.N, s_.D * s_.R});
      std::vector<Val> sides;
      for (int64_t d = 0; d < s_.D; ++d) {
        Cell last;
        sides.push_back(Layer(x, l, d, &last));
        h.push_back(ReshapeTo(last.h, {1, s_.N, s_.R}));
        if (last.c) c.push_back(ReshapeTo(last.c, {1, s_.N, s_.H}));
      }
      x = Join(sides, 2);
    }
    return {CastTo(x, data_type_), CastTo(Join(h, 0), data_type_), c.empty() ? Made("_zeros", {0}, data_type_, b) : CastTo(Join(c, 0), data_type_), mask_,
            Made("_zeros", {s_.reserve()}, type_, b)};
  }

 private:
  static Val CallsVal(const char* name, Val x, const Options& options, size_t output) {
    const OpDef& op = FindOp(name);
    std::vector<KeyValue> kv;
    for (auto& o : options) kv.emplace_back(o.first, o.second);
    return Calls(op, op.schema.Parse(op.name, kv.data(), kv.size()), {x})[output];
  }
  static Val Choose(Val condition, Val yes, Val no) { return CallOp("where", {BroadcastTo(condition, ShapeOf(yes)), yes, no}); }
  Val Weight(int64_t at, int64_t rows, int64_t columns) { return ReshapeTo(PartOf(parameters_, 0, at, rows * columns), {rows, columns}); }
  Val Layer(Val x, int64_t l, int64_t d, Cell* last) {
    int64_t gh = s_.G * s_.H;
    Val in = Product(x, Weight(s_.i2h(l, d), gh, s_.in(l)), PartOf(parameters_, 0, s_.i2h_bias(l, d), gh));
    Val h2h = Weight(s_.h2h(l, d), gh, s_.R), bias = PartOf(parameters_, 0, s_.h2h_bias(l, d), gh);
    Val project = s_.projects ? Weight(s_.h2r(l, d), s_.R, s_.H) : Val{};
    *last = {ReshapeTo(PartOf(state_, 0, l * s_.D + d, 1), {s_.N, s_.R}), {}};
    if (a_.lstm()) last->c = ReshapeTo(PartOf(cell_, 0, l * s_.D + d, 1), {s_.N, s_.H});
    std::vector<Val> steps(size_t(s_.T));
    for (int64_t k = 0; k < s_.T; ++k) {
      int64_t t = d ? s_.T - 1 - k : k;
      Cell next = Step(ReshapeTo(PartOf(in, 0, t, 1), {s_.N, gh}), Product(last->h, h2h, bias), *last);
      if (project) next.h = Product(next.h, project);
      Val y = next.h;
      if (!inside_.empty()) {
        Val v = inside_[size_t(t)];
        y = Choose(v, next.h, ZerosLike(next.h)), next.h = Choose(v, next.h, last->h);
        if (next.c) next.c = Choose(v, next.c, last->c);
      }
      *last = next, steps[size_t(t)] = ReshapeTo(y, {1, s_.N, s_.R});
    }
    return steps.empty() ? Made("_zeros", {0, s_.N, s_.R}, type_, x.b) : Join(steps, 0);
  }
  Cell Step(Val x, Val h, const Cell& old) {  // x, h: (N, G H), the two products
    auto gate = [&](Val v, int64_t k) { return PartOf(v, 1, k * s_.H, s_.H); };
    switch (a_.mode) {
      case RnnMode::kRelu: return {CallOp("relu", {x + h}), {}};
      case RnnMode::kTanh: return {Tanh(x + h), {}};
      case RnnMode::kGru: {
        Val r = Sigmoid(gate(x, 0) + gate(h, 0)), z = Sigmoid(gate(x, 1) + gate(h, 1)), n = Tanh(gate(x, 2) + r * gate(h, 2));
        return {n + z * (old.h - n), {}};
      }
      case RnnMode::kLstm: break;
    }
    Val s = x + h, c = Sigmoid(gate(s, 1)) * old.c + Sigmoid(gate(s, 0)) * Tanh(gate(s, 2));
    if (a_.clips()) {
      Options range = {{"a_min", Text(*a_.lstm_state_clip_min)}, {"a_max", Text(*a_.lstm_state_clip_max)}};
      Val clipped = CallOp("clip", {c}, range);
      c = a_.lstm_state_clip_nan ? Choose(CallOp("_equal", {c, c}), clipped, OnesLike(c) * *a_.lstm_state_clip_min) : clipped;
    }
    return {Sigmoid(gate(s, 3)) * Tanh(c), c};
  }

  const RnnAttrs& a_;
  DType data_type_, type_;
  Val data_, parameters_, state_, cell_, mask_;
  RnnSizes s_;
  std::vector<Val> inside_;  // by step, with lengths only: (N, 1), 1 where the step is one of the row's
};

}  // namespace

std::vector<Val> RnnUnrolled(const std::vector<Val>& x, const RnnAttrs& a, Val mask) { return Unrolled(x, a, mask).Run(); }

std::vector<Val> RnnGradUnrolled(const std::vector<Val>& x, const RnnAttrs& a) {
  std::vector<Val> in = {x[kRnnData], x[kRnnParameters], x[kRnnState], x[kRnnCell], x[kRnnLength], x[kRnnMask]};
  auto dx = GradientsOf([&](const std::vector<Val>& v) { return RnnUnrolled({v[0], v[1], v[2], v[3], v[4]}, a, a.drops() ? v[5] : Val{}); }, in,
                        {x[kRnnDy], x[kRnnDstate], x[kRnnDcell]}, {true, true, true, bool(x[kRnnCell]), false, false});
  dx.resize(4);
  for (size_t i = 0; i < 3; ++i) if (!dx[i]) dx[i] = ZerosLike(x[i]);
  if (!dx[3]) dx[3] = a.lstm() ? ZerosLike(x[kRnnCell]) : Made("_zeros", {0}, TypeOf(x[0]), x[0].b);
  return dx;
}

}  // namespace flx
