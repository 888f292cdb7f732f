// SPDX-License-Identifier: Apache-2.0
#include "op/rnn/rnn.h"

#include <algorithm>
#include <cmath>

#include "op/nn/wide.h"

namespace flx {
namespace {

bool IsLstm(const RnnAttrs& a) { return a.lstm(); }

// Floats of one dtype; lengths of any; what only kernels read is as wide as they compute.
void RnnTypes(Infer& c, const RnnAttrs&) {
  DType t = DType::kNone;
  for (int i : {0, 1, 2, 3}) if (t == DType::kNone && c.has(i)) t = c.x_type(i);
  for (int i : {0, 1, 2}) if (t == DType::kNone) t = c.y_type(i);
  for (int i : {0, 1, 2, 3}) c.set_x_type(i, t);
  c.guess_x_type(4, t);
  NeedFloat(c, 0);
  for (int i : {0, 1, 2}) c.set_y_type(i, t);
  for (int i : {3, 4}) c.set_y_type(i, WideType(t));
}
void CheckAttrs(const Infer& c, const RnnAttrs& a) {
  c.Expect(!a.projection_size || a.lstm(), "projection_size is for mode=lstm only, given mode=", EnumNames<RnnMode>::names[size_t(a.mode)], ".");
  c.Expect(!a.projection_size || *a.projection_size > 0, "projection_size must be at least 1, given ", a.projection_size.value_or(0), ".");
  c.Expect(bool(a.lstm_state_clip_min) == bool(a.lstm_state_clip_max), "lstm_state_clip_min and lstm_state_clip_max go together, given one of them.");
  c.Expect(!a.clips() || *a.lstm_state_clip_min <= *a.lstm_state_clip_max, "lstm_state_clip_min (", a.lstm_state_clip_min.value_or(0), ") must not be above lstm_state_clip_max (",
           a.lstm_state_clip_max.value_or(0), ").");
}
int64_t Known(const Shape& s, int axis, int ndim) { return s.rank_known() && s.ndim() == ndim ? s[axis] : -1; }
// So large that their products could not be counted? Unknown sizes are -1.
void CheckSizes(const Infer& c, const RnnAttrs& a, int64_t steps, int64_t rows, int64_t features) {
  double H = double(a.state_size), R = double(a.outputs()), D = double(a.directions()), each = D * double(a.num_layers), in = std::max(D * R, double(features));
  double parameters = each * (double(a.gates()) * H * (in + R + 2) + R * H), kept = each * std::abs(double(steps) * double(rows)) * (6 * H + R);
  c.Expect(std::max(parameters, kept) < 0x1p56, "state_size ", a.state_size, ", num_layers ", a.num_layers, " and data of (", steps, ", ", rows, ", ", features,
           ") need more memory than any machine has.");
}
// Every size that one array knows, all learn; the features follow from the number of parameters, and that from them.
void InferRnn(Infer& c, const RnnAttrs& a) {
  CheckAttrs(c, a);
  if (c.x(0).rank_known()) c.Expect(c.x(0).ndim() == 3, "input `data` must be (steps, batch, features), given ", c.x(0), ".");
  int64_t rows = -1, steps = -1, features = Known(c.x(0), 2, 3), LD = a.num_layers * a.directions();
  auto learn = [](int64_t* n, int64_t seen) { if (*n < 0) *n = seen; };
  learn(&steps, Known(c.x(0), 0, 3)), learn(&steps, Known(c.y(0), 0, 3));
  learn(&rows, Known(c.x(0), 1, 3)), learn(&rows, Known(c.y(0), 1, 3));
  for (int i : {2, 3}) if (c.has(i)) learn(&rows, Known(c.x(i), 1, 3));
  if (c.has(4)) learn(&rows, Known(c.x(4), 0, 1));
  CheckSizes(c, a, steps, rows, features);
  if (int64_t n = Known(c.x(1), 0, 1); n >= 0 && features < 0) {
    int64_t each = a.directions() * a.gates() * a.state_size, rest = n - RnnSizes(a, 0, 0, 0).parameters();
    c.Expect(rest >= 0 && rest % each == 0, "input `parameters` has ", n, " elements, which no number of features explains (", RnnSizes(a, 0, 0, 0).parameters(),
             " and ", each, " for each feature).");
    features = rest / each;
  }
  c.set_x(0, {steps, rows, features});
  c.set_x(1, features < 0 ? Shape{-1} : Shape{RnnSizes(a, 0, 0, features).parameters()});
  c.set_x(2, {LD, rows, a.outputs()});
  c.set_x(3, {LD, rows, a.state_size});
  c.set_x(4, {rows});
  c.set_y(0, {steps, rows, a.directions() * a.outputs()});
  c.set_y(1, {LD, rows, a.outputs()});
  c.set_y(2, a.lstm() ? Shape{LD, rows, a.state_size} : Shape{0});
  c.set_y(3, RnnSizes(a, steps, rows, 0).mask(a.drops()));
  c.set_y(4, {steps < 0 || rows < 0 ? -1 : RnnSizes(a, steps, rows, 0).reserve()});
}
Op<RnnAttrs> WithAttrs(const char* name) {
  return Op<RnnAttrs>(name)
      .family("rnn")
      .attr(&RnnAttrs::state_size, "state_size", "Number of units of a layer.").required().range(1, 1e9)
      .attr(&RnnAttrs::num_layers, "num_layers", "Number of layers, each fed with the outputs of the one below.").required().range(1, 1e6)
      .attr(&RnnAttrs::bidirectional, "bidirectional", "Each layer also reads the sequence backwards; its outputs stand behind the forward ones.")
      .attr(&RnnAttrs::mode, "mode", "The kind of cell.").required()
      .attr(&RnnAttrs::p, "p", "In training, the probability that an output of a layer is dropped on its way to the next one.").range_open(0, false, 1, true)
      .attr(&RnnAttrs::state_outputs, "state_outputs", "Give also the states after the last step.")
      .attr(&RnnAttrs::projection_size, "projection_size", "lstm: multiply the hidden values by a matrix down to so many outputs (Sak and others, 2014).")
      .attr(&RnnAttrs::lstm_state_clip_min, "lstm_state_clip_min", "lstm: cell states are held above this, at each step.")
      .attr(&RnnAttrs::lstm_state_clip_max, "lstm_state_clip_max", "lstm: cell states are held below this, at each step.")
      .attr(&RnnAttrs::lstm_state_clip_nan, "lstm_state_clip_nan", "lstm, with clipping: a cell state that is NaN becomes lstm_state_clip_min.")
      .attr(&RnnAttrs::use_sequence_length, "use_sequence_length", "Take the length of each row as an input. Outputs behind it are 0, the last state is that at the "
            "row's end, and the backward direction begins there.");
}

}  // namespace

OpDef RnnOp() {
  return WithAttrs("RNN")
      .alias("rnn")
      .alias("_npx_rnn")
      .doc("Recurrent layers over whole sequences. With x the input, h the last output, W and b of `i2h`, R and c of `h2h`: "
           "rnn_tanh and rnn_relu: h' = f(W x + b + R h + c) (Elman, 1990). "
           "lstm: i, f, o = sigmoid and g = tanh of the four parts of W x + b + R h + c in the order i f g o; cell' = f cell + i g; h' = o tanh(cell') (Hochreiter and "
           "Schmidhuber, 1997). gru: r, z = sigmoid(W x + b + R h + c), n = tanh(W x + b + r (R h + c)), parts in the order r z n; h' = (1 - z) n + z h (Cho and others, 2014).")
      .example("RNN(data (35, 32, 200), parameters (321600,), state (1, 32, 200), state_cell (1, 32, 200), state_size=200, num_layers=1, mode=lstm): (35, 32, 200)")
      .traits(kRandom)
      .input("data", "(steps, batch, features).")
      .input("parameters", "One vector: all weights, by layer and direction i2h (gates * units, inputs), h2h (gates * units, outputs) and with a projection h2r (outputs, "
             "units); then all biases, i2h and h2h.")
      .input("state", "(layers * directions, batch, outputs): h before the first step.")
      .input_when<IsLstm>("state_cell", "(layers * directions, batch, units): the cell before the first step.")
      .input_when<&RnnAttrs::use_sequence_length>("sequence_length", "(batch,): how many steps of each row count.")
      .output("output", "(steps, batch, directions * outputs) of the last layer.")
      .output("state_output", "As state, after the last step.")
      .output("statecell_output", "As state_cell, after the last step.")
      .hidden("mask", "(layers - 1, steps, batch, directions * outputs): what the dropout multiplied with.")
      .hidden("reserve", "What backward needs of the kernel.")
      .visible_count([](const RnnAttrs& a) { return !a.state_outputs ? 1 : a.lstm() ? 3 : 2; })
      .types(RnnTypes)
      .infer(InferRnn)
      .gradient([](Grad& g, const RnnAttrs& a) {
        bool any = false, flows = false;
        for (int i = 0; i < 4; ++i) any |= g.has(i) && g.want(i);
        for (int i = 0; i < 3; ++i) flows |= g.has_dy(i);
        if (!any || !flows) return;
        Val none;
        auto d = CallsWith("_rnn_grad", {g.x(0), g.x(1), g.x(2), a.lstm() ? g.x(3) : none, g.has(4) ? g.x(4) : none, g.y(0), g.y(3), g.y(4), g.dy(0), g.dy(1),
                                         a.lstm() ? g.dy(2) : none}, a);
        for (int i = 0; i < 4; ++i) if (g.has(i) && g.want(i)) g.dx[i] = d[size_t(i)];
      })
      .compose([](const std::vector<Val>& x, const RnnAttrs& a) { return RnnUnrolled(x, a); })
      .cost([](const RnnAttrs& a, const Shape* x, int) {
        RnnSizes s(a, x[0][0], x[0][1], x[0][2]);
        return 2.0 * double(s.T * s.N) * double(s.weights());
      })
      .kernel<RnnKernel>();
}

OpDef RnnGradOp() {
  return WithAttrs("_rnn_grad")
      .doc("Gradients of RNN for data, parameters and states.")
      .traits(kInternal)
      .input("data", "RNN's data.")
      .input("parameters", "RNN's parameters.")
      .input("state", "RNN's state.")
      .input_when<IsLstm>("state_cell", "RNN's state_cell.")
      .input_when<&RnnAttrs::use_sequence_length>("sequence_length", "RNN's sequence_length.")
      .input("output", "RNN's output.")
      .input("mask", "RNN's mask.")
      .input("reserve", "RNN's reserve, or an array without elements: it is then found again.")
      .input("dy", "Gradient of the output.")
      .input("dstate", "Gradient of state_output.")
      .input_when<IsLstm>("dcell", "Gradient of statecell_output.")
      .output("ddata", "Gradient of data.")
      .output("dparameters", "Gradient of parameters.")
      .output("dstate_in", "Gradient of state.")
      .output("dcell_in", "Gradient of state_cell.")
      .visible_count([](const RnnAttrs& a) { return a.lstm() ? 4 : 3; })
      .types([](Infer& c, const RnnAttrs&) { for (int i = 0; i < 4; ++i) c.set_y_type(i, c.x_type(kRnnData)); })
      .infer([](Infer& c, const RnnAttrs& a) {
        if (!c.known(kRnnData)) return;
        const Shape& x = c.x(kRnnData);
        RnnSizes s(a, x[0], x[1], x[2]);
        c.set_x(kRnnDy, {s.T, s.N, s.D * s.R});
        c.set_x(kRnnY, c.x(kRnnDy));
        c.set_x(kRnnMask, s.mask(a.drops()));
        c.set_x(kRnnParameters, {s.parameters()});
        for (int i : {kRnnState, kRnnDstate}) c.set_x(i, {s.L * s.D, s.N, s.R});
        for (int i : {kRnnCell, kRnnDcell}) c.set_x(i, {s.L * s.D, s.N, s.H});
        c.set_x(kRnnLength, {s.N});
        c.set_x(kRnnReserve, {-1});
        if (c.known(kRnnReserve))
          c.Expect(c.x(kRnnReserve)[0] == 0 || c.x(kRnnReserve)[0] == s.reserve(), "input `reserve` must have ", s.reserve(), " elements or none, given ", c.x(kRnnReserve), ".");
        for (int i = 0; i < 3; ++i) c.set_y(i, c.x(i));
        c.set_y(3, a.lstm() ? c.x(kRnnCell) : Shape{0});
      })
      .compose(RnnGradUnrolled)
      .cost([](const RnnAttrs& a, const Shape* x, int) {
        RnnSizes s(a, x[0][0], x[0][1], x[0][2]);
        return 4.0 * double(s.T * s.N) * double(s.weights());
      })
      .kernel<RnnGradKernel>();
}

}  // namespace flx
