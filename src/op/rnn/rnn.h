// SPDX-License-Identifier: Apache-2.0
// Recurrent layers as one operator: attributes, sizes, kernel keys. What it computes stands in rnn_compose.cc, which the kernels (rnn_cpu.cc forward,
// rnn_grad_cpu.cc backward) are held against.
//   Words: T steps, N rows (the batch), C features, H units, R outputs of a unit's layer (H, or projection_size), G gates, L layers, D directions.
#pragma once
#include <optional>

#include "op/op.h"

namespace flx {

enum class RnnMode { kRelu, kTanh, kLstm, kGru };
template <> struct EnumNames<RnnMode> { static constexpr const char* names[] = {"rnn_relu", "rnn_tanh", "lstm", "gru"}; };

struct RnnAttrs {
  int64_t state_size = 0, num_layers = 0;
  bool bidirectional = false;
  RnnMode mode = RnnMode::kLstm;
  float p = 0;
  bool state_outputs = false;
  std::optional<int64_t> projection_size;
  std::optional<double> lstm_state_clip_min, lstm_state_clip_max;
  bool lstm_state_clip_nan = false;
  bool use_sequence_length = false;

  bool lstm() const { return mode == RnnMode::kLstm; }
  int64_t gates() const { return lstm() ? 4 : mode == RnnMode::kGru ? 3 : 1; }
  int64_t directions() const { return bidirectional ? 2 : 1; }
  int64_t outputs() const { return projection_size.value_or(state_size); }
  bool clips() const { return lstm() && lstm_state_clip_min && lstm_state_clip_max; }
  bool drops() const { return p > 0 && num_layers > 1; }
};

// Where things lie in `parameters`: all weights first (by layer, then direction: i2h, h2h, with a projection h2r), then all biases (i2h, h2h).
struct RnnSizes {
  int64_t T, N, C, H, R, G, L, D;
  bool projects, keeps_gates, keeps_cells;
  RnnSizes(const RnnAttrs& a, int64_t steps, int64_t rows, int64_t features)
      : T(steps), N(rows), C(features), H(a.state_size), R(a.outputs()), G(a.gates()), L(a.num_layers), D(a.directions()), projects(a.projection_size.has_value()),
        keeps_gates(G > 1), keeps_cells(a.lstm()) {}
  int64_t in(int64_t layer) const { return layer ? D * R : C; }
  int64_t weights(int64_t layer) const { return G * H * (in(layer) + R) + (projects ? R * H : 0); }  // of one direction
  int64_t i2h(int64_t layer, int64_t d) const { return (layer ? D * weights(0) + D * (layer - 1) * weights(1) : 0) + d * weights(layer); }
  int64_t h2h(int64_t layer, int64_t d) const { return i2h(layer, d) + G * H * in(layer); }
  int64_t h2r(int64_t layer, int64_t d) const { return h2h(layer, d) + G * H * R; }
  int64_t i2h_bias(int64_t layer, int64_t d) const { return i2h(L, 0) + (layer * D + d) * 2 * G * H; }
  int64_t h2h_bias(int64_t layer, int64_t d) const { return i2h_bias(layer, d) + G * H; }
  int64_t weights() const { return i2h(L, 0); }
  int64_t parameters() const { return i2h_bias(L, 0); }

  // The hidden output `reserve`, by layer and direction: the gates of all steps (LSTM i f g o; GRU r z n and the hidden half of n), LSTM's cells before they are
  // clipped, its hidden values before they are projected; then the outputs of all layers but the last, which is the operator's.
  int64_t gate_width() const { return keeps_gates ? 4 * H : 0; }
  int64_t per_direction() const { return T * N * (gate_width() + (keeps_cells ? H : 0) + (projects ? H : 0)); }
  int64_t gates_at(int64_t layer, int64_t d) const { return (layer * D + d) * per_direction(); }
  int64_t cells_at(int64_t layer, int64_t d) const { return gates_at(layer, d) + T * N * gate_width(); }
  int64_t hidden_at(int64_t layer, int64_t d) const { return cells_at(layer, d) + T * N * (keeps_cells ? H : 0); }
  int64_t outputs_at(int64_t layer) const { return gates_at(L, 0) + layer * T * N * D * R; }
  int64_t reserve() const { return outputs_at(L - 1); }
  Shape mask(bool drops) const { return {drops ? L - 1 : 0, T, N, D * R}; }
};

struct RnnKernel {
  using Signature = void(KernelContext&, const RnnAttrs&, const TensorView& data, const TensorView& parameters, const TensorView& state, const TensorView& cell,
                         const TensorView& length, TensorView& y, TensorView& state_y, TensorView& cell_y, TensorView& mask, TensorView& reserve);
  static constexpr const char* kName = "RNN";
};
struct RnnGradKernel {
  using Signature = void(KernelContext&, const RnnAttrs&, Views in, OutViews out);
  static constexpr const char* kName = "_rnn_grad";
};
// Ports of _rnn_grad.
enum RnnGradIn { kRnnData, kRnnParameters, kRnnState, kRnnCell, kRnnLength, kRnnY, kRnnMask, kRnnReserve, kRnnDy, kRnnDstate, kRnnDcell, kRnnGradIns };

OpDef RnnOp();
OpDef RnnGradOp();
// rnn_compose.cc: the operator unrolled over elementary ones. x: its inputs by port; mask: of the dropout between layers, empty to draw it here.
//   Gives all outputs; of reserve, which only a kernel understands, zeros.
std::vector<Val> RnnUnrolled(const std::vector<Val>& x, const RnnAttrs& a, Val mask = {});
// x by RnnGradIn; gives the gradients of data, parameters, state, state_cell.
std::vector<Val> RnnGradUnrolled(const std::vector<Val>& x, const RnnAttrs& a);

void RnnCpu(KernelContext& ctx, const RnnAttrs& a, const TensorView& data, const TensorView& parameters, const TensorView& state, const TensorView& cell,
            const TensorView& length, TensorView& y, TensorView& state_y, TensorView& cell_y, TensorView& mask, TensorView& reserve);
void RnnGradCpu(KernelContext& ctx, const RnnAttrs& a, Views in, OutViews out);
void RnnOnDevice(KernelContext& ctx, const RnnAttrs& a, const TensorView& data, const TensorView& parameters, const TensorView& state, const TensorView& cell,
                 const TensorView& length, TensorView& y, TensorView& state_y, TensorView& cell_y, TensorView& mask, TensorView& reserve);
void RnnGradOnDevice(KernelContext& ctx, const RnnAttrs& a, Views in, OutViews out);

}  // namespace flx
