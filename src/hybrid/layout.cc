// SPDX-License-Identifier: Apache-2.0
// Convolutions in blocked layouts (op/nn/blocked.h), and what lies between them. One walk through the graph, in its order: a value may exist plain, blocked
// or both, and the other form is made where a node first asks for it. A node goes over where that saves borders: convolutions that a library computes in
// blocks, and pooling, batch norms, elementwise operators and their gradients where their data is blocked already, or where what they give will be.
#include <algorithm>

#include "hybrid/pass.h"
#include "op/nn/blocked.h"
#include "op/matrix/matrix.h"

namespace flx {
namespace {

enum class Kind { kOther, kConv, kConvGradData, kConvGradWeight, kPool, kPoolGrad, kNorm, kNormGrad, kElementwise, kConcat, kSumTo };

template <class A> const A& AttrsOf(const IrNode& n) { return *static_cast<const A*>(n.attrs.get()); }
template <class A> Attrs Make(A a) { return std::make_shared<const A>(std::move(a)); }

class Layout {
 public:
  explicit Layout(Ir* ir) : ir_(*ir), block_(BestBlock()) {}
  int64_t Run() {
    if (!block_) return 0;
    updated_ = ir_.Updated();
    FindWanted();
    if (!worth_) return 0;
    std::vector<IrNode> old;
    old.swap(ir_.nodes);
    bool behind = false;
    for (auto& n : old) {
      if (n.backward && !behind) {
        behind = true;
        for (size_t i = 0; i < ir_.results; ++i) Plain(ir_.outputs[i], false);
      }
      if (Convert(n)) { ++changes_; continue; }
      for (int32_t v : n.in) Plain(v, n.backward);
      ir_.nodes.push_back(std::move(n));
    }
    for (int32_t v : ir_.outputs) Plain(v, behind);
    return changes_;
  }

 private:
  const Shape& shape(int32_t v) const { return ir_.values[size_t(v)].shape; }
  DType dtype(int32_t v) const { return ir_.values[size_t(v)].dtype; }
  // What may be blocked at all: float32 (n, c, h, w) of whole blocks.
  bool Fits(int32_t v) const { return v >= 0 && shape(v).ndim() == 4 && shape(v)[1] > 0 && shape(v)[1] % block_ == 0 && dtype(v) == DType::kFloat32 && shape(v).size() > 0; }
  bool IsBlocked(int32_t v) const { return v >= 0 && size_t(v) < blocked_.size() && blocked_[size_t(v)] >= 0; }
  static bool TwoAxes(const ConvWindow& a) { return a.kernel.size() == 2 && a.num_group == 1 && !a.ChannelsLast(); }
  static bool Single(const IrNode& n) {
    for (size_t k = 1; k < n.out.size(); ++k) if (n.out[k] >= 0) return false;
    return !n.out.empty() && n.out[0] >= 0;
  }

  Kind KindOf(const IrNode& n) const {
    std::string_view op = n.op->name;
    if (n.ticket >= 0 || n.op->trait(kEffect) || n.out.empty() || n.out[0] < 0) return Kind::kOther;
    if (op == "Convolution") return ConvTaken(BlockedPass::kForward, AttrsOf<ConvolutionAttrs>(n), n.in[0], n.out[0]) ? Kind::kConv : Kind::kOther;
    if (op == "_convolution_grad_data") return ConvTaken(BlockedPass::kGradData, AttrsOf<ConvGradAttrs>(n), n.out[0], n.in[1]) ? Kind::kConvGradData : Kind::kOther;
    if (op == "_convolution_grad_weight") return ConvTaken(BlockedPass::kGradWeight, AttrsOf<ConvGradAttrs>(n), n.in[0], n.in[1]) ? Kind::kConvGradWeight : Kind::kOther;
    if (op == "Pooling") return Fits(n.in[0]) && Fits(n.out[0]) && !AttrsOf<PoolingAttrs>(n).ChannelsLast() ? Kind::kPool : Kind::kOther;
    if (op == "_pooling_grad") return Fits(n.in[0]) && Fits(n.out[0]) && !AttrsOf<PoolGradAttrs>(n).ChannelsLast() ? Kind::kPoolGrad : Kind::kOther;
    auto channels = [&](int axis) { return Fits(n.in[0]) && (axis == 1 || axis == -3); };
    if (op == "BatchNorm") return channels(AttrsOf<BatchNormAttrs>(n).axis) ? Kind::kNorm : Kind::kOther;
    if (op == "_batch_norm_grad") return channels(AttrsOf<BatchNormGradAttrs>(n).axis) ? Kind::kNormGrad : Kind::kOther;
    if (op == "Concat") {
      bool ok = AttrsOf<ConcatAttrs>(n).dim == 1 || AttrsOf<ConcatAttrs>(n).dim == -3;
      for (int32_t v : n.in) ok &= Fits(v);
      return ok ? Kind::kConcat : Kind::kOther;
    }
    if (op == "_sum_to") {  // a bias's gradient
      const Shape to(AttrsOf<ToShapeAttrs>(n).shape);
      return Fits(n.in[0]) && to.ndim() == 4 && to[0] == 1 && to[1] == shape(n.in[0])[1] && to[2] == 1 && to[3] == 1 ? Kind::kSumTo : Kind::kOther;
    }
    bool each = n.op->trait(kElementwise) || op == "Activation" || op == "add_n";
    if (!each || !Single(n) || n.out.size() != 1 || n.updates(0) || shape(n.out[0]).ndim() != 4 || shape(n.out[0])[1] % block_ != 0 || shape(n.out[0]).size() == 0) return Kind::kOther;
    bool any = false;
    for (int32_t v : n.in) {
      if (v < 0 || shape(v).ndim() > 4) return Kind::kOther;
      any |= Whole(n, v);
    }
    return any ? Kind::kElementwise : Kind::kOther;
  }
  bool Whole(const IrNode& n, int32_t v) const { return shape(v) == shape(n.out[0]) && Fits(v); }
  bool ConvTaken(BlockedPass pass, const ConvWindow& a, int32_t x, int32_t y) const {
    if (!TwoAxes(a) || !Fits(y) || shape(x).ndim() != 4 || dtype(x) != DType::kFloat32) return false;
    return BlockedIsFast(pass, GeometryOf(a, shape(x), shape(y)), block_, Fits(x));
  }
  static bool OneElement(const ConvWindow& a) { return a.kernel[0] == 1 && a.kernel[1] == 1; }

  // From the last node to the first: which values somebody will read in blocks.
  void FindWanted() {
    wanted_.assign(ir_.values.size(), false);
    for (auto it = ir_.nodes.rbegin(); it != ir_.nodes.rend(); ++it) {
      const IrNode& n = *it;
      Kind k = KindOf(n);
      auto want = [&](int32_t v) { if (Fits(v)) wanted_[size_t(v)] = true; };
      bool out = !n.out.empty() && n.out[0] >= 0 && wanted_[size_t(n.out[0])];
      switch (k) {
        case Kind::kConv: want(n.in[0]), worth_ = true; break;
        case Kind::kConvGradData: want(n.in[1]), worth_ = true; break;
        case Kind::kConvGradWeight: want(n.in[0]), want(n.in[1]), worth_ = true; break;
        case Kind::kPool: case Kind::kNorm: case Kind::kPoolGrad: case Kind::kNormGrad: case Kind::kElementwise: case Kind::kConcat:
          if (out) for (int32_t v : n.in) want(v);
          break;
        default: break;
      }
    }
  }

  // ---- the two forms of a value ------------------------------------------------------------------------------------------------------
  int32_t Append(const char* op, Attrs attrs, std::vector<int32_t> in, const Shape& s, DType t, bool backward) {
    IrNode n;
    n.op = &FindOp(op), n.attrs = std::move(attrs), n.in = std::move(in), n.name = op, n.backward = backward;
    n.out = {ir_.NewValue(s, t)};
    ir_.nodes.push_back(std::move(n));
    return ir_.nodes.back().out[0];
  }
  int32_t Reshaped(int32_t v, const Shape& s, bool backward) {
    if (shape(v) == s) return v;
    ToShapeAttrs a;
    a.shape = s.vec();
    return Append("_np_reshape_to", Make(a), {v}, s, dtype(v), backward);
  }
  static bool Flat(const Shape& plain) { return plain[2] == 1 && plain[3] == 1; }  // both forms are the same memory
  int32_t Blocked(int32_t v, bool backward) {
    if (IsBlocked(v)) return blocked_[size_t(v)];
    const Shape to = BlockedOf(shape(v), block_);
    int32_t b = Flat(shape(v)) ? Reshaped(v, to, backward) : Append("_to_blocked", Make(ToBlockedAttrs{block_}), {v}, to, dtype(v), backward);
    if (!updated_[size_t(v)]) Remember(v, b);
    return b;
  }
  void Remember(int32_t v, int32_t b) {
    if (blocked_.size() <= size_t(v)) blocked_.resize(size_t(v) + 1, -1);
    blocked_[size_t(v)] = b;
  }
  // The value of a converted node: it exists in blocks, and plain once somebody asks.
  int32_t Result(int32_t v) {
    int32_t b = ir_.NewValue(BlockedOf(shape(v), block_), dtype(v));
    Remember(v, b);
    if (missing_.size() <= size_t(v)) missing_.resize(size_t(v) + 1, false);
    missing_[size_t(v)] = true;
    return b;
  }
  void Plain(int32_t v, bool backward) {
    if (v < 0 || size_t(v) >= missing_.size() || !missing_[size_t(v)]) return;
    missing_[size_t(v)] = false;
    IrNode n;
    ToShapeAttrs a;
    a.shape = shape(v).vec();
    bool flat = Flat(shape(v));
    n.op = &FindOp(flat ? "_np_reshape_to" : "_from_blocked"), n.attrs = flat ? Make(a) : n.op->schema.defaults();
    n.in = {blocked_[size_t(v)]}, n.out = {v}, n.name = n.op->name, n.backward = backward;
    ir_.nodes.push_back(std::move(n));
  }
  // An input that is broadcast to the shape of the result: the same for blocked arrays.
  int32_t Broadcast(int32_t v, bool backward) {
    Plain(v, backward);
    Shape s = shape(v);
    if (s.size() == 1) return v;
    while (s.ndim() < 4) s.Insert(0, 1);
    if (s[1] == 1) return Reshaped(v, {s[0], 1, s[2], s[3], 1}, backward);
    if (s[2] == 1 && s[3] == 1) return Reshaped(v, {s[0], s[1] / block_, 1, 1, block_}, backward);
    int32_t p = Reshaped(v, s, backward);
    return Append("_to_blocked", Make(ToBlockedAttrs{block_}), {p}, BlockedOf(s, block_), dtype(v), backward);
  }
  int32_t Packed(int32_t w, PackFor use, bool backward) {
    Plain(w, backward);
    auto key = std::make_pair(w, use);
    auto it = packed_.find(key);
    if (it != packed_.end()) return it->second;
    int32_t p = Append("_pack_conv_weight", Make(PackAttrs{block_, use}), {w}, PackedOf(shape(w), block_, use), dtype(w), backward);
    if (!updated_[size_t(w)]) packed_.emplace(key, p);
    return p;
  }

  // ---- nodes -------------------------------------------------------------------------------------------------------------------------
  void Put(IrNode& n, const char* op, Attrs attrs, std::vector<int32_t> in) {
    n.op = &FindOp(op), n.attrs = std::move(attrs), n.in = std::move(in);
    ir_.nodes.push_back(std::move(n));
  }
  template <class B> static B WindowOf(const ConvWindow& a) {
    B b;
    static_cast<ConvWindow&>(b) = a;
    b.layout.reset();
    return b;
  }
  bool Convert(IrNode& n) {
    const bool back = n.backward;
    bool out = !n.out.empty() && n.out[0] >= 0 && size_t(n.out[0]) < wanted_.size() && wanted_[size_t(n.out[0])];
    switch (KindOf(n)) {
      case Kind::kOther: return false;
      case Kind::kConv: {
        const auto& a = AttrsOf<ConvolutionAttrs>(n);
        bool blocked = Fits(n.in[0]);
        // Alone, a window of one element is a plain matrix product, and one channel is quick as it is.
        if ((OneElement(a) || !blocked) && !IsBlocked(n.in[0]) && !out) return false;
        auto b = WindowOf<BlockedConvAttrs>(a);
        b.no_bias = a.no_bias;
        int32_t w = Packed(n.in[1], blocked ? PackFor::kForward : PackFor::kPlainData, back);
        if (!blocked) Plain(n.in[0], back);
        std::vector<int32_t> in{blocked ? Blocked(n.in[0], back) : n.in[0], w, a.no_bias ? -1 : n.in[2]};
        if (!a.no_bias) Plain(n.in[2], back);
        n.out[0] = Result(n.out[0]);
        Put(n, "_blocked_convolution", Make(b), in);
        return true;
      }
      case Kind::kConvGradData: {
        const auto& a = AttrsOf<ConvGradAttrs>(n);
        if (OneElement(a) && !IsBlocked(n.in[1]) && !out) return false;
        auto b = WindowOf<BlockedConvGradAttrs>(a);
        b.shape = BlockedOf(Shape(a.shape), block_).vec();
        std::vector<int32_t> in{Packed(n.in[0], PackFor::kGradData, back), Blocked(n.in[1], back)};
        n.out[0] = Result(n.out[0]);
        Put(n, "_blocked_convolution_grad_data", Make(b), in);
        return true;
      }
      case Kind::kConvGradWeight: {
        const auto& a = AttrsOf<ConvGradAttrs>(n);
        bool blocked = Fits(n.in[0]);
        if ((OneElement(a) || !blocked) && !IsBlocked(n.in[1])) return false;
        auto b = WindowOf<BlockedConvGradAttrs>(a);
        b.shape = a.shape;
        if (!blocked) Plain(n.in[0], back);
        std::vector<int32_t> in{blocked ? Blocked(n.in[0], back) : n.in[0], Blocked(n.in[1], back)};
        Put(n, "_blocked_convolution_grad_weight", Make(b), in);
        return true;
      }
      case Kind::kPool: {
        if (!IsBlocked(n.in[0])) return false;
        auto a = AttrsOf<PoolingAttrs>(n);
        a.layout.reset();
        std::vector<int32_t> in{Blocked(n.in[0], back)};
        n.out[0] = Result(n.out[0]);
        Put(n, "_blocked_pooling", Make(a), in);
        return true;
      }
      case Kind::kPoolGrad: {
        auto a = AttrsOf<PoolGradAttrs>(n);
        bool data = a.pool_type == PoolType::kMax;
        if (!(data ? IsBlocked(n.in[1]) : IsBlocked(n.in[0]) || out)) return false;
        a.layout.reset(), a.shape = BlockedOf(Shape(a.shape), block_).vec();
        std::vector<int32_t> in{Blocked(n.in[0], back), data ? Blocked(n.in[1], back) : -1};
        n.out[0] = Result(n.out[0]);
        Put(n, "_blocked_pooling_grad", Make(a), in);
        return true;
      }
      case Kind::kNorm: {
        if (!IsBlocked(n.in[0])) return false;
        auto a = AttrsOf<BatchNormAttrs>(n);
        a.axis = 1;
        std::vector<int32_t> in = n.in;
        for (size_t i = 1; i < in.size(); ++i) Plain(in[i], back);
        in[0] = Blocked(n.in[0], back);
        n.out[0] = Result(n.out[0]);
        Put(n, "_blocked_batch_norm", Make(a), in);
        return true;
      }
      case Kind::kNormGrad: {
        if (!IsBlocked(n.in[0])) return false;
        auto a = AttrsOf<BatchNormGradAttrs>(n);
        a.axis = 1;
        std::vector<int32_t> in = n.in;
        for (size_t i = 1; i < 4; ++i) Plain(in[i], back);
        in[0] = Blocked(n.in[0], back), in[4] = Blocked(n.in[4], back);
        n.out[0] = Result(n.out[0]);
        Put(n, "_blocked_batch_norm_grad", Make(a), in);
        return true;
      }
      case Kind::kElementwise: {
        int whole = 0, blocked = 0;
        for (int32_t v : n.in) if (Whole(n, v)) ++whole, blocked += IsBlocked(v);
        if (!blocked || (blocked < whole && !out)) return false;
        std::vector<int32_t> in;
        for (int32_t v : n.in) in.push_back(Whole(n, v) ? Blocked(v, back) : Broadcast(v, back));
        n.out[0] = Result(n.out[0]);
        Put(n, n.op->name, n.attrs, in);
        return true;
      }
      case Kind::kConcat: {
        int blocked = 0;
        for (int32_t v : n.in) blocked += IsBlocked(v);
        if (!blocked || (size_t(blocked) < n.in.size() && !out)) return false;
        auto a = AttrsOf<ConcatAttrs>(n);
        a.dim = 1;
        std::vector<int32_t> in;
        for (int32_t v : n.in) in.push_back(Blocked(v, back));
        n.out[0] = Result(n.out[0]);
        Put(n, "Concat", Make(a), in);
        return true;
      }
      case Kind::kSumTo: {
        if (!IsBlocked(n.in[0])) return false;
        const Shape to{1, shape(n.in[0])[1] / block_, 1, 1, block_};
        ToShapeAttrs sum, plain;
        sum.shape = to.vec(), plain.shape = shape(n.out[0]).vec();
        int32_t s = Append("_sum_to", Make(sum), {Blocked(n.in[0], back)}, to, dtype(n.out[0]), back);
        Put(n, "_np_reshape_to", Make(plain), {s});
        return true;
      }
    }
    return false;
  }

  Ir& ir_;
  const int64_t block_;
  bool worth_ = false;
  int64_t changes_ = 0;
  std::vector<bool> updated_, wanted_, missing_;  // by value; missing: it exists in blocks only
  std::vector<int32_t> blocked_;                  // by value: its blocked form, or -1
  std::map<std::pair<int32_t, PackFor>, int32_t> packed_;
};

}  // namespace

int64_t BlockLayouts(Ir* ir) { return Layout(ir).Run(); }

}  // namespace flx
