// SPDX-License-Identifier: Apache-2.0
// Everything is made of views and batch_dot, which takes strided matrices. Gradients are written out, since those of the views would fill zeros.
//   An array (steps, batch, heads * parts * size) is a matrix (steps, size) for each of batch * heads and each part (query, key, value).
#include "op/nn/attention.h"

#include <cmath>

#include "op/matrix/matrix.h"
#include "op/nn/wide.h"

namespace flx {
namespace {

// ---- shapes: each size of each array is a multiple of one of four unknowns
enum Unknown { kQ, kK, kBatch, kSize };  // steps of the queries, of the keys; the batch; the size of one head
struct Multiple { int64_t times; Unknown of; };
struct Array3 { bool input; int i; Multiple size[3]; };
void Solve(Infer& c, std::initializer_list<Array3> arrays) {
  int64_t found[4] = {-1, -1, -1, -1};
  for (auto& a : arrays) {
    const Shape& s = a.input ? c.x(a.i) : c.y(a.i);
    if (!s.rank_known()) continue;
    c.Expect(s.ndim() == 3, a.input ? "input `" : "the result ", a.input ? c.InputName(a.i) + "` " : "", "must have three axes, given shape ", s, ".");
    for (int k = 0; k < 3; ++k) {
      if (s[k] < 0) continue;
      c.Expect(s[k] % a.size[k].times == 0, "axis ", k, " of ", a.input ? "input `" + c.InputName(a.i) + "`" : "the result", " must be a multiple of ", a.size[k].times,
               " with this number of heads, given shape ", s, ".");
      if (found[a.size[k].of] < 0) found[a.size[k].of] = s[k] / a.size[k].times;
    }
  }
  for (auto& a : arrays) {
    Shape s{-1, -1, -1};
    for (int k = 0; k < 3; ++k)
      if (int64_t v = found[a.size[k].of]; v >= 0) c.Expect(!__builtin_mul_overflow(v, a.size[k].times, &s[k]), "size ", v, " times ", a.size[k].times, " is too large.");
    if (a.input) c.set_x(a.i, s);
    else c.set_y(a.i, s);
  }
}
Array3 Packs(bool input, int i, Unknown steps, int64_t parts, const AttentionAttrs& a) { return {input, i, {{1, steps}, {1, kBatch}, {a.heads * parts, kSize}}}; }
Array3 Weights(bool input, int i, Unknown keys, const AttentionAttrs& a) { return {input, i, {{a.heads, kBatch}, {1, kQ}, {1, keys}}}; }

// ---- values
Val Swap(Val x) { return CallWith("transpose", {x}, TransposeAttrs{{1, 0, 2}}); }
// Part `which` of an interleaved array, as (batch * heads, steps, size).
Val Part(Val x, const AttentionAttrs& a, int64_t parts, int64_t which) {
  const Shape s = ShapeOf(x);
  int64_t each = s[1] * a.heads, size = s[2] / (a.heads * parts);
  if (parts > 1) x = CallWith("_slice_from", {ReshapeTo(x, {s[0], each, parts, size})}, SliceFromAttrs{{0, 0, which, 0}, {1, 1, 1, 1}, {s[0], each, 1, size}});
  return Swap(ReshapeTo(x, {s[0], each, size}));
}
// The other way: parts (batch * heads, steps, size) interleaved in an array of the given shape; a part that is no value is zeros.
Val Interleaved(const std::vector<Val>& parts, const Shape& shape) {
  std::vector<Val> in;
  Val zeros;
  for (Val v : parts) if (v) { zeros = v; break; }
  for (Val v : parts) {
    if (!v) v = ZerosLike(zeros);
    const Shape s = ShapeOf(v);
    in.push_back(ReshapeTo(Swap(v), {s[1], s[0], 1, s[2]}));
  }
  return ReshapeTo(in.size() > 1 ? CallWith("Concat", in, ConcatAttrs{int64_t(in.size()), 2}) : in[0], shape);
}
Val Product(Val a, bool ta, Val b, bool tb) { return CallWith("batch_dot", {a, b}, DotAttrs{ta, tb, {}}); }
double Scale(const Shape& x, const AttentionAttrs& a, int64_t parts) {
  int64_t size = x[2] / (a.heads * parts);
  return size > 0 ? 1 / std::sqrt(double(size)) : 1;
}
// The smaller of the factors takes the scale.
Val Scores(Val q, Val k, double scale) { return ShapeOf(q)[1] <= ShapeOf(k)[1] ? Product(q * scale, false, k, true) : Product(q, false, k * scale, true); }
Val Back(Val v, const Shape& shape) { return ReshapeTo(Swap(v), shape); }  // (batch * heads, steps, size) as (steps, batch, heads * size)

double ScoresCost(double steps, const Shape& x, double parts) { return 2.0 * steps * double(x[0]) * double(x[1]) * double(x[2]) / parts; }

Op<AttentionAttrs> Attention(const char* name, const char* doc) {
  Op<AttentionAttrs> o(name);
  o.family("nn").doc(doc).attr(&AttentionAttrs::heads, "heads", "The number of heads.").required().range(1, 1 << 20);
  return o;
}
constexpr const char* kQkv = "(steps, batch, heads * 3 * size): the query, key and value of each head, one behind the other.";
constexpr const char* kKv = "(key steps, batch, heads * 2 * size): the key and value of each head, one behind the other.";

}  // namespace

OpDef SelfAttentionQkOp() {
  return Attention("_contrib_interleaved_matmul_selfatt_qk", "The products of all queries and keys of each head, divided by sqrt(size): the scores of self-attention, before softmax.")
      .example("_contrib_interleaved_matmul_selfatt_qk(queries_keys_values (5, 2, 36), heads=3): (6, 5, 5)")
      .input("queries_keys_values", kQkv)
      .output("output", "(batch * heads, steps, steps).")
      .types(SameFloat)
      .infer([](Infer& c, const AttentionAttrs& a) { Solve(c, {Packs(true, 0, kQ, 3, a), Weights(false, 0, kQ, a)}); })
      .gradient([](Grad& g, const AttentionAttrs& a) {
        if (!g.want(0)) return;
        Val d = g.dy(0) * Scale(g.x_shape(0), a, 3);
        g.dx[0] = Interleaved({Product(d, false, Part(g.x(0), a, 3, 1), false), Product(d, true, Part(g.x(0), a, 3, 0), false), Val{}}, g.x_shape(0));
      })
      .compose([](const std::vector<Val>& x, const AttentionAttrs& a) {
        return std::vector<Val>{Scores(Part(x[0], a, 3, 0), Part(x[0], a, 3, 1), Scale(ShapeOf(x[0]), a, 3))};
      })
      .cost([](const AttentionAttrs&, const Shape* x, int) { return ScoresCost(double(x[0][0]), x[0], 3); });
}
OpDef SelfAttentionValueOp() {
  return Attention("_contrib_interleaved_matmul_selfatt_valatt", "The values of each head, summed with the weights that attention gives them.")
      .example("_contrib_interleaved_matmul_selfatt_valatt(queries_keys_values (5, 2, 36), attention (6, 5, 5), heads=3): (5, 2, 12)")
      .input("queries_keys_values", kQkv)
      .input("attention", "(batch * heads, steps, steps), the weights.")
      .output("output", "(steps, batch, heads * size).")
      .types(SameFloat)
      .infer([](Infer& c, const AttentionAttrs& a) { Solve(c, {Packs(true, 0, kQ, 3, a), Weights(true, 1, kQ, a), Packs(false, 0, kQ, 1, a)}); })
      .gradient([](Grad& g, const AttentionAttrs& a) {
        Val d = Part(g.dy(0), a, 1, 0);
        if (g.want(0)) g.dx[0] = Interleaved({Val{}, Val{}, Product(g.x(1), true, d, false)}, g.x_shape(0));
        if (g.want(1)) g.dx[1] = Product(d, false, Part(g.x(0), a, 3, 2), true);
      })
      .compose([](const std::vector<Val>& x, const AttentionAttrs& a) {
        const Shape s = ShapeOf(x[0]);
        return std::vector<Val>{Back(Product(x[1], false, Part(x[0], a, 3, 2), false), {s[0], s[1], s[2] / 3})};
      })
      .cost([](const AttentionAttrs&, const Shape* x, int) { return ScoresCost(double(x[0][0]), x[0], 3); });
}
OpDef CrossAttentionQkOp() {
  return Attention("_contrib_interleaved_matmul_encdec_qk", "The products of all queries and keys of each head, divided by sqrt(size): the scores of attention of a decoder on an encoder.")
      .example("_contrib_interleaved_matmul_encdec_qk(queries (5, 2, 12), keys_values (7, 2, 24), heads=3): (6, 5, 7)")
      .input("queries", "(query steps, batch, heads * size).")
      .input("keys_values", kKv)
      .output("output", "(batch * heads, query steps, key steps).")
      .types(SameFloat)
      .infer([](Infer& c, const AttentionAttrs& a) { Solve(c, {Packs(true, 0, kQ, 1, a), Packs(true, 1, kK, 2, a), Weights(false, 0, kK, a)}); })
      .gradient([](Grad& g, const AttentionAttrs& a) {
        Val d = g.dy(0) * Scale(g.x_shape(0), a, 1);
        if (g.want(0)) g.dx[0] = Back(Product(d, false, Part(g.x(1), a, 2, 0), false), g.x_shape(0));
        if (g.want(1)) g.dx[1] = Interleaved({Product(d, true, Part(g.x(0), a, 1, 0), false), Val{}}, g.x_shape(1));
      })
      .compose([](const std::vector<Val>& x, const AttentionAttrs& a) {
        return std::vector<Val>{Scores(Part(x[0], a, 1, 0), Part(x[1], a, 2, 0), Scale(ShapeOf(x[0]), a, 1))};
      })
      .cost([](const AttentionAttrs&, const Shape* x, int) { return ScoresCost(double(x[1][0]), x[0], 1); });
}
OpDef CrossAttentionValueOp() {
  return Attention("_contrib_interleaved_matmul_encdec_valatt", "The values of each head, summed with the weights that attention gives them, for queries of another sequence.")
      .example("_contrib_interleaved_matmul_encdec_valatt(keys_values (7, 2, 24), attention (6, 5, 7), heads=3): (5, 2, 12)")
      .input("keys_values", kKv)
      .input("attention", "(batch * heads, query steps, key steps), the weights.")
      .output("output", "(query steps, batch, heads * size).")
      .types(SameFloat)
      .infer([](Infer& c, const AttentionAttrs& a) { Solve(c, {Packs(true, 0, kK, 2, a), Weights(true, 1, kK, a), Packs(false, 0, kQ, 1, a)}); })
      .gradient([](Grad& g, const AttentionAttrs& a) {
        Val d = Part(g.dy(0), a, 1, 0);
        if (g.want(0)) g.dx[0] = Interleaved({Val{}, Product(g.x(1), true, d, false)}, g.x_shape(0));
        if (g.want(1)) g.dx[1] = Product(d, false, Part(g.x(0), a, 2, 1), true);
      })
      .compose([](const std::vector<Val>& x, const AttentionAttrs& a) {
        const Shape s = ShapeOf(x[0]);
        return std::vector<Val>{Back(Product(x[1], false, Part(x[0], a, 2, 1), false), {ShapeOf(x[1])[1], s[1], s[2] / 2})};
      })
      .cost([](const AttentionAttrs&, const Shape* x, int) { return ScoresCost(double(x[1][1]), x[0], 2); });
}
OpDef DivSqrtDimOp() {
  return Op<>("_contrib_div_sqrt_dim")
      .family("nn")
      .doc("data divided by the square root of the size of its last axis: how scores of attention are scaled.")
      .input("data", "At least one axis, float.")
      .output("output", "As data.")
      .types(SameFloat)
      .infer([](Infer& c, const NoAttrs& a) {
        SameShape(c, a);
        c.Expect(!c.x(0).rank_known() || c.x(0).ndim() > 0, "data must have at least one axis, given shape ().");
      })
      .compose([](const std::vector<Val>& x, const NoAttrs&) { return std::vector<Val>{x[0] * (1 / std::sqrt(double(ShapeOf(x[0]).back())))}; });
}

}  // namespace flx
