// SPDX-License-Identifier: Apache-2.0
// One step of a recurrent layer: (data, states) to (output, states), and what is made of cells. A cell has as many states as outputs behind the first.
#include "train/activation.h"
#include "train/recurrent.h"

namespace flx {
namespace {

using Def = LayerDef;

struct CellSettings {
  int64_t units = 0, in_units = 0;
  std::string i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer = "zeros", h2h_bias_initializer = "zeros";
};
struct RnnCellSettings : CellSettings { Act activation = Act::kTanh; };

struct Step {  // the two products, gates side by side, and the states before
  Val in, hidden, h, c;
  int64_t units;
  Val gate(LayerContext& c0, Val v, int64_t k) const { return c0.Op("slice_axis", {v}, {{"axis", "1"}, {"begin", Text(k * units)}, {"end", Text((k + 1) * units)}}); }
};
Step Begin(LayerContext& c, const Layer& layer, const std::vector<Val>& x, int64_t gates, size_t states) {
  auto& s = layer.as<CellSettings>();
  const Shape in = ShapeOf(x[0]);
  if (in.ndim() != 2) Fail(Status::kShape, layer.def.name, "the input must be one step (batch, features), given shape ", in, ". LSTM, GRU, RNN and Unroll take sequences.");
  if (s.in_units && s.in_units != in[1]) Fail(Status::kShape, layer.def.name, "expected in_units=", s.in_units, " features, the input of shape ", in, " has ", in[1], ".");
  if (x.size() != 1 && x.size() != 1 + states) Fail(Status::kArgument, layer.def.name, "expected ", states, " states behind the data, or none, given ", x.size() - 1, ".");
  Step step;
  step.units = s.units;
  for (size_t i = 0; i < states; ++i) {
    Shape want{in[0], s.units};
    Val v = x.size() > 1 ? x[i + 1] : ZeroState(c, want, TypeOf(x[0]));
    if (ShapeOf(v) != want) Fail(Status::kShape, layer.def.name, "a state must have shape ", want, ", given ", ShapeOf(v), ".");
    (i ? step.c : step.h) = v;
  }
  int64_t n = gates * s.units;
  auto product = [&](Val v, Val weight, Val bias) { return c.Op("FullyConnected", {v, weight, bias}, {{"num_hidden", Text(n)}, {"flatten", "False"}}); };
  Val wi = c.Param("i2h_weight", {n, in[1]}, s.i2h_weight_initializer), wh = c.Param("h2h_weight", {n, s.units}, s.h2h_weight_initializer);
  Val bi = c.Param("i2h_bias", {n}, s.i2h_bias_initializer), bh = c.Param("h2h_bias", {n}, s.h2h_bias_initializer);
  step.in = product(x[0], wi, bi), step.hidden = product(step.h, wh, bh);
  return step;
}
std::vector<Val> RnnCell(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  Step s = Begin(c, layer, x, 1, 1);
  Val h = Activate(c, s.in + s.hidden, layer.as<RnnCellSettings>().activation);
  return {h, h};
}
std::vector<Val> LstmCell(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  Step s = Begin(c, layer, x, 4, 2);
  Val sum = s.in + s.hidden;
  auto gate = [&](int64_t k, const char* f) { return c.Op(f, {s.gate(c, sum, k)}); };
  Val cell = gate(1, "sigmoid") * s.c + gate(0, "sigmoid") * gate(2, "tanh"), h = gate(3, "sigmoid") * c.Op("tanh", {cell});
  return {h, h, cell};
}
std::vector<Val> GruCell(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  Step s = Begin(c, layer, x, 3, 1);
  auto sum = [&](int64_t k) { return c.Op("sigmoid", {s.gate(c, s.in, k) + s.gate(c, s.hidden, k)}); };
  Val r = sum(0), z = sum(1), n = c.Op("tanh", {s.gate(c, s.in, 2) + r * s.gate(c, s.hidden, 2)}), h = n + z * (s.h - n);
  return {h, h};
}
int TwoOutputs(const Layer&, int) { return 2; }
int ThreeOutputs(const Layer&, int) { return 3; }

// ---- made of cells ----------------------------------------------------------------------------------------------------------------------------
int StatesOf(const Layer& cell) { return cell.OutputCount(1) - 1; }
int StatesOfAll(const Layer& layer, int) {
  int n = 1;
  for (auto& child : layer.children()) n += StatesOf(*child);
  return n;
}
void CheckStates(const Layer& layer, size_t given) {
  size_t n = size_t(StatesOfAll(layer, 1)) - 1;
  if (given != 0 && given != n) Fail(Status::kArgument, layer.def.name, "its cells have ", n, " states, which are given all or not at all; given ", given, ".");
}
// Its inputs: data and this child's states, of all states from `at` on.
std::vector<Val> InputsOf(const Layer& cell, Val data, const std::vector<Val>& states, size_t at) {
  std::vector<Val> in = {data};
  if (!states.empty()) in.insert(in.end(), states.begin() + std::ptrdiff_t(at), states.begin() + std::ptrdiff_t(at) + StatesOf(cell));
  return in;
}
std::vector<Val> SequentialCell(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  CheckStates(layer, x.size() - 1);
  std::vector<Val> states(x.begin() + 1, x.end()), y = {x[0]};
  auto children = layer.children();
  size_t at = 0;
  for (size_t i = 0; i < children.size(); ++i) {
    auto out = c.RunChild(*children[i], int(i), InputsOf(*children[i], y[0], states, at));
    y[0] = out[0], at += size_t(StatesOf(*children[i]));
    y.insert(y.end(), out.begin() + 1, out.end());
  }
  return y;
}
Ref<Layer> OnlyChild(const Layer& layer) {
  auto children = layer.children();
  if (children.size() != 1) Fail(Status::kArgument, layer.def.name, "holds one cell, given ", children.size(), ".");
  return children[0];
}
std::vector<Val> ResidualCell(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto y = c.RunChild(*OnlyChild(layer), 0, x);
  if (ShapeOf(y[0]) != ShapeOf(x[0]))
    Fail(Status::kShape, layer.def.name, "the cell's output must have the data's shape ", ShapeOf(x[0]), " to be added to it, and has ", ShapeOf(y[0]), ".");
  y[0] = y[0] + x[0];
  return y;
}

struct UnrollSettings {
  SequenceLayout layout = SequenceLayout::kNtc;
  bool return_sequences = true;
  std::optional<bool> return_state;
};
int UnrollOutputs(const Layer& layer, int ninputs) { return layer.as<UnrollSettings>().return_state.value_or(ninputs > 1) ? StatesOfAll(layer, 1) : 1; }
std::vector<Val> Unroll(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<UnrollSettings>();
  const Shape in = ShapeOf(x[0]);
  CheckSequence(layer, in, s.layout);
  auto children = layer.children();
  if (children.empty() || children.size() > 2) Fail(Status::kArgument, layer.def.name, "holds one cell, or two of which the second reads backwards, given ", children.size(), ".");
  CheckStates(layer, x.size() - 1);
  Val data = StepsFirst(c, x[0], s.layout);
  int64_t steps = ShapeOf(data)[0];
  if (steps == 0) Fail(Status::kShape, layer.def.name, "the sequences have no steps, given shape ", in, ".");
  std::vector<Val> first(x.begin() + 1, x.end()), sides, last;
  LayerContext::Sharing share(&c);
  size_t at = 0;
  for (size_t d = 0; d < children.size(); ++d) {
    std::vector<Val> y, outputs(static_cast<size_t>(steps)), states(InputsOf(*children[d], data, first, at));
    states.erase(states.begin());
    for (int64_t k = 0; k < steps; ++k) {
      int64_t t = d ? steps - 1 - k : k;
      Val now = c.Op("slice_axis", {data}, {{"axis", "0"}, {"begin", Text(t)}, {"end", Text(t + 1)}});
      y = c.RunChild(*children[d], int(d), InputsOf(*children[d], ReshapeTo(now, {in[s.layout == SequenceLayout::kNtc ? 0 : 1], in[2]}), states, 0));
      states.assign(y.begin() + 1, y.end());
      outputs[size_t(t)] = y[0];
    }
    Val side = s.return_sequences ? c.Op("stack", outputs, {{"axis", s.layout == SequenceLayout::kNtc ? "1" : "0"}, {"num_args", Text(steps)}}) : y[0];
    sides.push_back(side);
    last.insert(last.end(), states.begin(), states.end()), at += states.size();
  }
  std::vector<Val> out = {sides.size() == 1 ? sides[0] : c.Op("Concat", sides, {{"num_args", "2"}, {"dim", "-1"}})};
  if (s.return_state.value_or(x.size() > 1)) out.insert(out.end(), last.begin(), last.end());
  return out;
}

template <class S> Define<Def, S> Cell(const char* name, bool cell_state) {
  Define<Def, S> d(name);
  std::vector<LayerInput> in = {{"data", "(batch, features)."}, {"state", "(batch, units): h before this step; without: zeros.", true}};
  if (cell_state) in.push_back({"state_cell", "(batch, units): the cell before this step.", true});
  d.family("recurrent")
      .attr(&S::units, "units", "Number of units.").required().range(1, 1e9)
      .attr(&S::in_units, "in_units", "Number of features, to be held against what comes; 0 takes what comes.").at_least(0)
      .attr(&S::i2h_weight_initializer, "i2h_weight_initializer", "How the inputs' weight begins; empty: as the network's initializer says.")
      .attr(&S::h2h_weight_initializer, "h2h_weight_initializer", "How the state's weight begins; empty: as the network's initializer says.")
      .attr(&S::i2h_bias_initializer, "i2h_bias_initializer", "How the inputs' bias begins.")
      .attr(&S::h2h_bias_initializer, "h2h_bias_initializer", "How the state's bias begins.")
      .with(&Def::inputs, std::move(in))
      .with(&Def::params, std::vector<LayerParam>{{"i2h_weight", "(gates * units, features)."}, {"h2h_weight", "(gates * units, units)."}, {"i2h_bias", "(gates * units,)."},
                                                  {"h2h_bias", "(gates * units,)."}})
      .with(&Def::outputs, cell_state ? &ThreeOutputs : &TwoOutputs);
  return d;
}
}  // namespace

void AddRecurrentCells(std::vector<Def>* all) {
  all->push_back(Cell<RnnCellSettings>("RNNCell", false).example("RNNCell(units=100)")
      .doc("One step of RNN: (data, h) to (h', h'), with h' = f(W x + b + R h + c) (Elman, 1990).")
      .attr(&RnnCellSettings::activation, "activation", "The function f of each unit.").with(&Def::forward, &RnnCell));
  all->push_back(Cell<CellSettings>("LSTMCell", true).example("LSTMCell(units=100)")
      .doc("One step of LSTM: (data, h, cell) to (h', h', cell') (Hochreiter and Schmidhuber, 1997); the formulas and the order of the gates are LSTM's.").with(&Def::forward, &LstmCell));
  all->push_back(Cell<CellSettings>("GRUCell", false).example("GRUCell(units=100)")
      .doc("One step of GRU: (data, h) to (h', h') (Cho and others, 2014); the formulas and the order of the gates are GRU's.").with(&Def::forward, &GruCell));
  all->push_back(Define<Def>("SequentialCell").alias("SequentialRNNCell").alias("HybridSequentialRNNCell").alias("StackedRNNCells").family("container").example("SequentialCell")
      .doc("Cells one after the other as one cell, with the states of all. A layer without states (Dropout, Dense) may stand between them.")
      .with(&Def::container, true).with(&Def::outputs, &StatesOfAll).with(&Def::forward, &SequentialCell));
  all->push_back(Define<Def>("ResidualCell").family("container").example("ResidualCell")
      .doc("A cell whose data is added to its output (Wu and others, 2016). Holds one cell.")
      .with(&Def::container, true).with(&Def::outputs, &StatesOfAll).with(&Def::forward, &ResidualCell));
  all->push_back(Define<Def, UnrollSettings>("Unroll").family("container").example("Unroll(return_sequences=False)")
      .doc("A cell run over the steps of sequences: (data, states) to (outputs, states). With two cells the second reads backwards, and outputs are joined along the features.")
      .attr(&UnrollSettings::layout, "layout", kSequenceLayoutDoc)
      .attr(&UnrollSettings::return_sequences, "return_sequences", kReturnSequencesDoc)
      .attr(&UnrollSettings::return_state, "return_state", kReturnStateDoc)
      .with(&Def::container, true).with(&Def::outputs, &UnrollOutputs).with(&Def::forward, &Unroll));
}

}  // namespace flx
