// SPDX-License-Identifier: Apache-2.0
// RNN, LSTM and GRU: whole sequences by one operator.
#include "train/recurrent.h"

namespace flx {
namespace {

using Def = LayerDef;

struct RecurrentSettings {
  int64_t units = 0, num_layers = 1;
  bool bidirectional = false;
  double dropout = 0;
  SequenceLayout layout = SequenceLayout::kNtc;
  bool return_sequences = true;
  std::optional<bool> return_state;
  bool use_sequence_length = false;
  int64_t in_units = 0;
  std::string i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer = "zeros", h2h_bias_initializer = "zeros";
};
struct RnnSettings : RecurrentSettings { RecurrentActivation activation = RecurrentActivation::kTanh; };
struct LstmSettings : RecurrentSettings {
  std::optional<int64_t> projection_size;
  std::optional<double> state_clip_min, state_clip_max;
  std::string h2r_weight_initializer;
};

struct Kind {
  const char* mode;
  int64_t gates, states, outputs;
  std::string h2r_initializer;
  Options more;
  bool projects = false;
};
Kind KindOf(const RnnSettings& s) { return {s.activation == RecurrentActivation::kRelu ? "rnn_relu" : "rnn_tanh", 1, 1, s.units, "", {}}; }
Kind KindOf(const LstmSettings& s) {
  Kind k{"lstm", 4, 2, s.projection_size.value_or(s.units), s.h2r_weight_initializer, {}, s.projection_size.has_value()};
  if (s.projection_size) k.more.emplace_back("projection_size", Text(*s.projection_size));
  if (s.state_clip_min) k.more.emplace_back("lstm_state_clip_min", Text(*s.state_clip_min));
  if (s.state_clip_max) k.more.emplace_back("lstm_state_clip_max", Text(*s.state_clip_max));
  return k;
}
Kind KindOf(const RecurrentSettings& s) { return {"gru", 3, 1, s.units, "", {}}; }

std::string ParamPrefix(int64_t layer, int64_t direction) { return Text(direction ? "r" : "l", layer, "_"); }
template <class S> std::vector<OwnParam> Own(const Layer& layer) {
  auto& s = layer.as<S>();
  std::vector<OwnParam> own;
  for (int64_t l = 0; l < s.num_layers; ++l)
    for (int64_t d = 0; d < (s.bidirectional ? 2 : 1); ++d)
      for (const char* name : {"i2h_weight", "h2h_weight", "h2r_weight", "i2h_bias", "h2h_bias"})
        if (KindOf(s).projects || std::string_view(name) != "h2r_weight") own.push_back({ParamPrefix(l, d) + name});
  return own;
}
// All parameters as the operator takes them: the weights, then the biases.
Val Parameters(LayerContext& c, const RecurrentSettings& s, const Kind& k, int64_t features) {
  std::vector<Val> weights, biases;
  int64_t gates = k.gates * s.units, sides = s.bidirectional ? 2 : 1;
  for (int64_t l = 0; l < s.num_layers; ++l)
    for (int64_t d = 0; d < sides; ++d) {
      std::string prefix = ParamPrefix(l, d);
      auto ask = [&](const char* name, const Shape& shape, const std::string& init) { return ReshapeTo(c.Param((prefix + name).c_str(), shape, init), {shape.size()}); };
      weights.push_back(ask("i2h_weight", {gates, l ? sides * k.outputs : features}, s.i2h_weight_initializer));
      weights.push_back(ask("h2h_weight", {gates, k.outputs}, s.h2h_weight_initializer));
      if (k.projects) weights.push_back(ask("h2r_weight", {k.outputs, s.units}, k.h2r_initializer));
      biases.push_back(ask("i2h_bias", {gates}, s.i2h_bias_initializer));
      biases.push_back(ask("h2h_bias", {gates}, s.h2h_bias_initializer));
    }
  weights.insert(weights.end(), biases.begin(), biases.end());
  return c.Op("Concat", weights, {{"num_args", Text(weights.size())}, {"dim", "0"}});
}
// (layers * directions, batch, n): the last layer's, side by side.
Val LastOutputs(LayerContext& c, const RecurrentSettings& s, Val state) {
  const Shape in = ShapeOf(state);
  int64_t sides = s.bidirectional ? 2 : 1, all = in[0];
  Val top = c.Op("slice_axis", {state}, {{"axis", "0"}, {"begin", Text(all - sides)}, {"end", Text(all)}});
  if (sides == 2) top = c.Op("SwapAxis", {top}, {{"dim1", "0"}, {"dim2", "1"}});
  return ReshapeTo(top, {in[1], sides * in[2]});
}
bool ReturnsState(const RecurrentSettings& s, int64_t states, int ninputs) { return s.return_state.value_or(ninputs >= 1 + states + s.use_sequence_length); }

template <class S> std::vector<Val> Recurrent(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<S>();
  const Kind k = KindOf(s);
  const Shape in = ShapeOf(x[0]);
  CheckSequence(layer, in, s.layout);
  int64_t rows = in[s.layout == SequenceLayout::kNtc ? 0 : 1], features = in[2], directions = s.bidirectional ? 2 : 1;
  if (s.in_units && s.in_units != features) Fail(Status::kShape, layer.def.name, "expected in_units=", s.in_units, " features, the input of shape ", in, " has ", features, ".");
  size_t states = x.size() - 1 - size_t(s.use_sequence_length);
  if (x.size() == 1 && s.use_sequence_length) Fail(Status::kArgument, layer.def.name, "with use_sequence_length the last input is the rows' lengths, given only data.");
  if (states != 0 && states != size_t(k.states))
    Fail(Status::kArgument, layer.def.name, "expected ", k.states == 2 ? "2 initial states (h and cell)" : "1 initial state", " or none behind the data", s.use_sequence_length ?
         ", and then the rows' lengths" : "", ", given ", x.size() - 1, " inputs more.", s.use_sequence_length ? "" : " Lengths want use_sequence_length=True.");
  std::vector<Val> args = {StepsFirst(c, x[0], s.layout), Parameters(c, s, k, features)};
  for (int64_t i = 0; i < k.states; ++i)
    args.push_back(states ? x[size_t(i) + 1] : ZeroState(c, {s.num_layers * directions, rows, i ? s.units : k.outputs}, TypeOf(x[0])));
  if (s.use_sequence_length) args.push_back(x.back());
  Options o = {{"state_size", Text(s.units)}, {"num_layers", Text(s.num_layers)}, {"mode", k.mode}, {"bidirectional", Text(s.bidirectional)}, {"p", Text(s.dropout)},
               {"state_outputs", "True"}, {"use_sequence_length", Text(s.use_sequence_length)}};
  o.insert(o.end(), k.more.begin(), k.more.end());
  std::vector<KeyValue> kv;
  for (auto& pair : o) kv.emplace_back(pair.first, pair.second);
  const OpDef& op = FindOp("RNN");
  auto all = Calls(op, op.schema.Parse(op.name, kv.data(), kv.size()), args, &c.builder);
  std::vector<Val> y = {s.return_sequences ? StepsFirst(c, all[0], s.layout) : LastOutputs(c, s, all[1])};
  if (ReturnsState(s, k.states, int(x.size()))) y.insert(y.end(), all.begin() + 1, all.begin() + 1 + k.states);
  return y;
}
template <class S> int Outputs(const Layer& layer, int ninputs) {
  auto& s = layer.as<S>();
  int states = int(KindOf(s).states);
  return 1 + (ReturnsState(s, states, ninputs) ? states : 0);
}

void CheckLstm(const void* p) {
  auto& s = *static_cast<const LstmSettings*>(p);
  if (bool(s.state_clip_min) != bool(s.state_clip_max)) Fail(Status::kArgument, "LSTM", "`state_clip_min` and `state_clip_max` go together, given one of them.");
  if (s.projection_size && *s.projection_size < 1) Fail(Status::kArgument, "LSTM", "`projection_size` must be at least 1, given ", *s.projection_size, ".");
}

template <class S> Define<Def, S> Shared(const char* name) {
  Define<Def, S> d(name);
  d.family("recurrent")
      .attr(&S::units, "units", "Number of units of a layer.").required().range(1, 1e9)
      .attr(&S::num_layers, "num_layers", "Number of layers, each fed with the outputs of the one below.").range(1, 1e6)
      .attr(&S::bidirectional, "bidirectional", "Each layer also reads the sequences backwards; its outputs stand behind the forward ones.")
      .attr(&S::dropout, "dropout", "In training, the probability that an output of a layer is dropped on its way to the next one.").range_open(0, false, 1, true)
      .attr(&S::layout, "layout", kSequenceLayoutDoc)
      .attr(&S::return_sequences, "return_sequences", kReturnSequencesDoc)
      .attr(&S::return_state, "return_state", kReturnStateDoc)
      .attr(&S::use_sequence_length, "use_sequence_length", "The last input is the length of each row: outputs behind it are 0, the last state is that at the row's end, and "
            "the backward direction begins there.")
      .attr(&S::in_units, "in_units", "Number of features, to be held against what comes; 0 takes what comes.").at_least(0)
      .attr(&S::i2h_weight_initializer, "i2h_weight_initializer", "How the inputs' weights begin; empty: as the network's initializer says.")
      .attr(&S::h2h_weight_initializer, "h2h_weight_initializer", "How the states' weights begin; empty: as the network's initializer says.")
      .attr(&S::i2h_bias_initializer, "i2h_bias_initializer", "How the inputs' biases begin.")
      .attr(&S::h2h_bias_initializer, "h2h_bias_initializer", "How the states' biases begin.")
      .with(&Def::own, &Own<S>).with(&Def::forward, &Recurrent<S>).with(&Def::outputs, &Outputs<S>);
  return d;
}
std::vector<LayerInput> Inputs(bool cell) {
  std::vector<LayerInput> in = {{"data", "(batch, steps, features), or as layout says."}, {"state", "(layers * directions, batch, units): h before the first step; without: zeros.", true}};
  if (cell) in.push_back({"state_cell", "(layers * directions, batch, units): the cell before the first step.", true});
  in.push_back({"sequence_length", "(batch,): how many steps of each row count; with use_sequence_length, whether states are given or not.", true});
  return in;
}
std::vector<LayerParam> Params(bool projection) {
  std::vector<LayerParam> p = {{"l0_i2h_weight", "(gates * units, features) of layer 0; l1_ and so on for the others, r0_ for those backwards."},
                               {"l0_h2h_weight", "(gates * units, units)."}, {"l0_i2h_bias", "(gates * units,)."}, {"l0_h2h_bias", "(gates * units,)."}};
  if (projection) p.push_back({"l0_h2r_weight", "(projection_size, units), with projection_size."});
  return p;
}
}  // namespace

void AddRecurrentLayers(std::vector<Def>* all) {
  all->push_back(Shared<RnnSettings>("RNN").alias("SimpleRNN").example("RNN(units=100)")
      .doc("Recurrent layers of plain units (Elman, 1990): h' = f(W x + b + R h + c), step by step, with W and b of i2h and R and c of h2h.")
      .attr(&RnnSettings::activation, "activation", "The function f of each unit.")
      .with(&Def::inputs, Inputs(false)).with(&Def::params, Params(false)));
  all->push_back(Shared<LstmSettings>("LSTM").example("LSTM(units=100, num_layers=2)")
      .doc("Long short-term memory (Hochreiter and Schmidhuber, 1997; with the forget gate of Gers and others, 2000): i, f, o = sigmoid and g = tanh of the four parts of "
           "W x + b + R h + c, in the order i f g o; cell' = f cell + i g; h' = o tanh(cell').")
      .attr(&LstmSettings::projection_size, "projection_size", "Multiply h' by a matrix down to so many outputs (Sak and others, 2014).")
      .attr(&LstmSettings::state_clip_min, "state_clip_min", "Cell states are held above this, at each step.")
      .attr(&LstmSettings::state_clip_max, "state_clip_max", "Cell states are held below this, at each step.")
      .attr(&LstmSettings::h2r_weight_initializer, "h2r_weight_initializer", "How the projection begins; empty: as the network's initializer says.")
      .with(&Def::inputs, Inputs(true)).with(&Def::params, Params(true)).with(&Def::check, &CheckLstm));
  all->push_back(Shared<RecurrentSettings>("GRU").example("GRU(units=100, bidirectional=True)")
      .doc("Gated recurrent units (Cho and others, 2014): r, z = sigmoid(W x + b + R h + c) and n = tanh(W x + b + r (R h + c)), parts in the order r z n; "
           "h' = (1 - z) n + z h.")
      .with(&Def::inputs, Inputs(false)).with(&Def::params, Params(false)));
}

}  // namespace flx
