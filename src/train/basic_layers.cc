// SPDX-License-Identifier: Apache-2.0
// Dense, Activation, Dropout, Flatten, Embedding.
#include "train/activation.h"

namespace flx {
namespace {

using Def = LayerDef;

struct DenseSettings {
  int64_t units = 0;
  Act activation = Act::kNone;
  bool use_bias = true, flatten = true;
  int64_t in_units = 0;
  std::string weight_initializer, bias_initializer = "zeros";
};
std::vector<Val> Dense(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<DenseSettings>();
  const Shape in = ShapeOf(x[0]);
  if (in.ndim() < 2 && (s.flatten || in.ndim() < 1))
    Fail(Status::kShape, "Dense", "the input must have a batch axis and at least one more, given shape ", in, ". Reshape it to (batch, features).");
  int64_t features = s.flatten ? in.Product(1, in.ndim()) : in.back();
  if (s.in_units && s.in_units != features)
    Fail(Status::kShape, "Dense", "expected in_units=", s.in_units, " features, the input of shape ", in, " has ", features, ".");
  std::vector<Val> args = {x[0], c.Param("weight", {s.units, features}, s.weight_initializer)};
  if (s.use_bias) args.push_back(c.Param("bias", {s.units}, s.bias_initializer));
  Val y = c.Op("FullyConnected", args, {{"num_hidden", Text(s.units)}, {"no_bias", Text(!s.use_bias)}, {"flatten", Text(s.flatten)}});
  return {Activate(c, y, s.activation)};
}

struct ActivationSettings { Act activation = Act::kNone; };
std::vector<Val> Activation(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  return {Activate(c, x[0], layer.as<ActivationSettings>().activation)};
}

struct DropoutSettings { double rate = 0; Ints axes; };
std::vector<Val> Dropout(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<DropoutSettings>();
  if (s.rate == 0) return {x[0]};
  return {c.Op("Dropout", {x[0]}, {{"p", Text(s.rate)}, {"axes", Text(s.axes)}})};
}

std::vector<Val> Flatten(LayerContext& c, const Layer&, const std::vector<Val>& x) { return {c.Op("Flatten", {x[0]})}; }

struct EmbeddingSettings { int64_t input_dim = 0, output_dim = 0; std::string weight_initializer; };
std::vector<Val> Embedding(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<EmbeddingSettings>();
  Val w = c.Param("weight", {s.input_dim, s.output_dim}, s.weight_initializer);
  return {c.Op("Embedding", {x[0], w}, {{"input_dim", Text(s.input_dim)}, {"output_dim", Text(s.output_dim)}})};
}
}  // namespace

void AddBasicLayers(std::vector<Def>* all) {
  all->push_back(Define<Def, DenseSettings>("Dense").alias("Linear").family("basic")
      .doc("act(x W' + b): every output is connected with every input. Input (batch, ...), output (batch, units).")
      .example("Dense(units=10, activation=relu)")
      .attr(&DenseSettings::units, "units", "Number of outputs.").required().at_least(1)
      .attr(&DenseSettings::activation, "activation", "What is applied to the result.")
      .attr(&DenseSettings::use_bias, "use_bias", "Whether a bias is added.")
      .attr(&DenseSettings::flatten, "flatten", "True: all axes after the first are one. False: only the last axis is multiplied, the others stay.")
      .attr(&DenseSettings::in_units, "in_units", "Number of inputs, to be held against what comes; 0 takes what comes.").at_least(0)
      .attr(&DenseSettings::weight_initializer, "weight_initializer", "How the weight begins; empty: as the network's initializer says.")
      .attr(&DenseSettings::bias_initializer, "bias_initializer", "How the bias begins.")
      .with(&Def::params, std::vector<LayerParam>{{"weight", "(units, inputs)"}, {"bias", "(units,)"}}).with(&Def::forward, &Dense));
  all->push_back(Define<Def, ActivationSettings>("Activation").family("basic").doc("A function applied to every element.").example("Activation(activation=relu)")
      .attr(&ActivationSettings::activation, "activation", "Which function.").required()
      .with(&Def::forward, &Activation));
  all->push_back(Define<Def, DropoutSettings>("Dropout").family("basic")
      .doc("In training, sets elements to zero with probability rate and divides the others by 1 - rate (Srivastava and others, 2014); else changes nothing.")
      .example("Dropout(rate=0.5)")
      .attr(&DropoutSettings::rate, "rate", "The probability of an element to be dropped.").required().range_open(0, false, 1, true)
      .attr(&DropoutSettings::axes, "axes", "Axes along which elements are dropped together.")
      .with(&Def::forward, &Dropout));
  all->push_back(Define<Def>("Flatten").family("basic").doc("Makes all axes after the first into one: (batch, a, b) becomes (batch, a b).").example("Flatten")
      .with(&Def::forward, &Flatten));
  all->push_back(Define<Def, EmbeddingSettings>("Embedding").family("basic").doc("Row i of a table for index i. Input of any shape, output with one more axis.")
      .example("Embedding(input_dim=1000, output_dim=16)")
      .attr(&EmbeddingSettings::input_dim, "input_dim", "Rows of the table: indices are 0 to input_dim - 1.").required().at_least(1)
      .attr(&EmbeddingSettings::output_dim, "output_dim", "Length of a row.").required().at_least(1)
      .attr(&EmbeddingSettings::weight_initializer, "weight_initializer", "How the table begins; empty: as the network's initializer says.")
      .with(&Def::inputs, std::vector<LayerInput>{{"data", "Indices, of any dtype."}}).with(&Def::any_dtype, true)
      .with(&Def::params, std::vector<LayerParam>{{"weight", "(input_dim, output_dim)"}}).with(&Def::forward, &Embedding));
}

}  // namespace flx
