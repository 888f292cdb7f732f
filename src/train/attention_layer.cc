// SPDX-License-Identifier: Apache-2.0
// MultiHeadAttention.
#include <cmath>

#include "train/layer.h"

namespace flx {
namespace {

using Def = LayerDef;

struct AttentionSettings {
  int64_t heads = 0, units = 0;
  bool causal = false;
  double dropout = 0;
  bool use_bias = true;
  std::string weight_initializer, bias_initializer = "zeros";
};

class Attention {
 public:
  Attention(LayerContext& c, const AttentionSettings& s) : c_(c), s_(s) {}
  std::vector<Val> operator()(Val x, Val memory) {
    const Shape in = ShapeOf(x);
    if (in.ndim() != 3) Fail(Status::kShape, kWho, "the input must be sequences (batch, steps, features), given shape ", in, ".");
    const int64_t features = in[2], units = s_.units ? s_.units : features;
    if (units % s_.heads) Fail(Status::kShape, kWho, "the number of units (", units, ") must be a multiple of `heads` (", s_.heads, ").");
    if (memory && (ShapeOf(memory).ndim() != 3 || ShapeOf(memory)[2] != features))
      Fail(Status::kShape, kWho, "the memory must be (batch, key steps, features) with ", features, " features like the input, given shape ", ShapeOf(memory), ".");
    Val w = c_.Param("in_weight", {3 * units, features}, s_.weight_initializer), b;
    if (s_.use_bias) b = c_.Param("in_bias", {3 * units}, s_.bias_initializer);
    std::vector<Val> qkv;
    if (!memory) {  // one product for all three
      qkv = Split(Product(x, w, b, 3 * units), 3);
    } else {
      qkv = {Product(x, Rows(w, 0, units), b ? Rows(b, 0, units) : b, units)};
      for (Val v : Split(Product(memory, Rows(w, units, 3 * units), b ? Rows(b, units, 3 * units) : b, 2 * units), 2)) qkv.push_back(v);
    }
    for (Val& v : qkv) v = Heads(v);
    Val scores = c_.Op("batch_dot", {qkv[0], qkv[1]}, {{"transpose_b", "True"}});
    const double scale = std::sqrt(double(units / s_.heads));
    if (s_.causal) scores = Causal(scores);
    scores = c_.Op("softmax", {scores}, {{"axis", "-1"}, {"temperature", Text(scale)}});
    if (s_.dropout > 0) scores = c_.Op("Dropout", {scores}, {{"p", Text(s_.dropout)}});
    Val y = c_.Op("transpose", {c_.Op("batch_dot", {scores, qkv[2]})}, {{"axes", "(0, 2, 1, 3)"}});
    y = c_.Op("Reshape", {y}, {{"shape", "(0, 0, -3)"}});
    w = c_.Param("out_weight", {features, units}, s_.weight_initializer);
    return {Product(y, w, s_.use_bias ? c_.Param("out_bias", {features}, s_.bias_initializer) : Val(), features)};
  }

 private:
  static constexpr const char* kWho = "MultiHeadAttention";
  Val Product(Val x, Val w, Val b, int64_t n) {
    std::vector<Val> args = {x, w};
    if (b) args.push_back(b);
    return c_.Op("FullyConnected", args, {{"num_hidden", Text(n)}, {"no_bias", Text(!b)}, {"flatten", "False"}});
  }
  Val Rows(Val v, int64_t from, int64_t to) { return c_.Op("slice_axis", {v}, {{"axis", "0"}, {"begin", Text(from)}, {"end", Text(to)}}); }
  std::vector<Val> Split(Val v, int64_t n) {
    const OpDef& op = FindOp("SliceChannel");
    std::string count = Text(n);
    KeyValue kv[] = {{"num_outputs", count}, {"axis", "2"}};
    return Calls(op, op.schema.Parse(op.name, kv, 2), {v}, &c_.builder);
  }
  // (batch, steps, units) to (batch, heads, steps, size)
  Val Heads(Val v) { return c_.Op("transpose", {c_.Op("Reshape", {v}, {{"shape", Text("(0, 0, ", s_.heads, ", -1)")}})}, {{"axes", "(0, 2, 1, 3)"}}); }
  // What a query must not see, keys behind its own place, gets the lowest score there is. Places are counted in float32: 16 bits cannot count so far.
  Val Causal(Val scores) {
    const DType t = TypeOf(scores);
    auto places = [&](const char* axis, const char* shape) {
      Val like = t == DType::kFloat32 || t == DType::kFloat64 ? scores : c_.Op("Cast", {scores}, {{"dtype", "float32"}});
      return c_.Op("Reshape", {c_.Op("_contrib_arange_like", {like}, {{"axis", axis}})}, {{"shape", shape}});
    };
    Val hidden = c_.Op("broadcast_greater", {places("3", "(1, 1, 1, -1)"), places("2", "(1, 1, -1, 1)")});
    Val low = c_.Op("_mul_scalar", {hidden}, {{"scalar", t == DType::kFloat16 ? "-60000" : "-1e30"}});
    if (t != TypeOf(low)) low = c_.Op("Cast", {low}, {{"dtype", DTypeName(t)}});
    return c_.Op("broadcast_add", {scores, low});
  }
  LayerContext& c_;
  const AttentionSettings& s_;
};
std::vector<Val> Forward(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  return Attention(c, layer.as<AttentionSettings>())(x[0], x.size() > 1 ? x[1] : Val());
}
}  // namespace

void AddAttentionLayer(std::vector<Def>* all) {
  using S = AttentionSettings;
  all->push_back(Define<Def, S>("MultiHeadAttention").alias("MultiheadAttention").family("attention")
      .doc("softmax(q k' / sqrt(size)) v for each of several heads, side by side, then a linear map back (Vaswani and others, 2017); q, k and v are linear maps of the input, "
           "or k and v of a memory. (batch, steps, features) to the same shape.")
      .example("MultiHeadAttention(heads=4)")
      .attr(&S::heads, "heads", "Number of heads.").required().range(1, 1 << 20)
      .attr(&S::units, "units", "Sizes of all heads together; 0: as many as the input has features.").range(0, 1e9)
      .attr(&S::causal, "causal", "A step sees itself and the steps before it, not those behind.")
      .attr(&S::dropout, "dropout", "In training, the probability that a weight of the average is dropped.").range_open(0, false, 1, true)
      .attr(&S::use_bias, "use_bias", "Whether the linear maps add a bias.")
      .attr(&S::weight_initializer, "weight_initializer", "How the weights begin; empty: as the network's initializer says.")
      .attr(&S::bias_initializer, "bias_initializer", "How the biases begin.")
      .with(&Def::inputs, std::vector<LayerInput>{{"data", "(batch, steps, features): where the queries come from, and keys and values if there is no memory."},
                                                  {"memory", "(batch, key steps, features): where keys and values come from.", true}})
      .with(&Def::params, std::vector<LayerParam>{{"in_weight", "(3 * units, features): of queries, keys and values, one behind the other."}, {"in_bias", "(3 * units,)."},
                                                  {"out_weight", "(features, units)."}, {"out_bias", "(features,)."}})
      .with(&Def::forward, &Forward));
}

}  // namespace flx
