// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "cases.h"
#include "op/rnn/rnn.h"

namespace flx::cases {

namespace {
struct Size { int64_t steps, rows, features, units, layers; bool both = false; };
using Settings = std::vector<std::pair<std::string, std::string>>;

RnnAttrs AttrsOf(const char* mode, const Size& z, const Settings& more) {
  Settings all = more;
  all.insert(all.end(), {{"mode", mode}, {"state_size", Text(z.units)}, {"num_layers", Text(z.layers)}, {"bidirectional", Text(z.both)}});
  std::vector<KeyValue> kv;
  for (auto& s : all) kv.emplace_back(s.first, s.second);
  const OpDef& op = FindOp("RNN");
  return *static_cast<const RnnAttrs*>(op.schema.Parse(op.name, kv.data(), kv.size()).get());
}
// data, parameters, state[, state_cell][, sequence_length]
std::vector<In> Inputs(const RnnAttrs& a, const Size& z, std::vector<double> lengths) {
  RnnSizes s(a, z.steps, z.rows, z.features);
  Shape h{s.L * s.D, s.N, s.R}, c{s.L * s.D, s.N, s.H};
  std::vector<In> in = {Uniform({s.T, s.N, s.C}, -1, 1), Uniform({s.parameters()}, -0.8, 0.8), Uniform(h, -1, 1)};
  if (a.lstm()) in.push_back(Uniform(c, -1, 1));
  if (a.use_sequence_length) in.push_back(Integers({s.N}, std::move(lengths), DType::kInt32));
  return in;
}
Settings With(const char* mode, const Size& z, Settings more) {
  more.insert(more.end(), {{"mode", mode}, {"state_size", Text(z.units)}, {"num_layers", Text(z.layers)}});
  if (z.both) more.emplace_back("bidirectional", "True");
  return more;
}
Case Make(const char* mode, Size z, Settings more, std::vector<double> lengths = {}) {
  RnnAttrs a = AttrsOf(mode, z, more);
  return Case{"RNN", Inputs(a, z, std::move(lengths)), With(mode, z, std::move(more))}.Tolerance(3);
}
// The gradient as an operator: what the forward kernel keeps is left out, so that it is found again.
Case MakeGrad(const char* mode, Size z, Settings more, std::vector<double> lengths = {}) {
  RnnAttrs a = AttrsOf(mode, z, more);
  RnnSizes s(a, z.steps, z.rows, z.features);
  std::vector<In> in = Inputs(a, z, std::move(lengths));
  Shape y{s.T, s.N, s.D * s.R}, mask = s.mask(a.drops());
  in.push_back(Constant(Uniform(y, -1, 1)));
  in.push_back(Constant(Uniform(mask, 0.5, 1.5)));
  in.push_back(Constant(Uniform({0}, 0, 1)));
  in.push_back(Uniform(y, -1, 1));
  in.push_back(Uniform({s.L * s.D, s.N, s.R}, -1, 1));
  if (a.lstm()) in.push_back(Uniform({s.L * s.D, s.N, s.H}, -1, 1));
  return Case{"_rnn_grad", in, With(mode, z, std::move(more))}.Tolerance(3);
}
}  // namespace

void AddRnnCases(std::vector<Case>* c) {
  const Settings states = {{"state_outputs", "True"}}, lengths = {{"state_outputs", "True"}, {"use_sequence_length", "True"}};
  auto also = [](Settings s, const char* name, const char* value) { s.emplace_back(name, value); return s; };
  for (const char* mode : {"rnn_relu", "rnn_tanh", "lstm", "gru"}) {
    c->push_back(Make(mode, {3, 2, 2, 3, 1}, {}).name(mode));
    c->push_back(Make(mode, {2, 2, 2, 2, 2, true}, states).name(mode));
    c->push_back(Make(mode, {3, 3, 1, 2, 1, true}, lengths, {3, 0, 1}).name(mode));
    c->push_back(Make(mode, {9, 5, 2, 2, 1}, states).name(mode).NoSecond());  // enough steps to pack the matrix, rows beyond a block of four
    c->push_back(Make(mode, {0, 2, 2, 2, 1, true}, states).name("no_steps"));
    c->push_back(Make(mode, {2, 0, 2, 2, 2}, states).name("empty_batch"));
    c->push_back(MakeGrad(mode, {2, 2, 2, 2, 2}, {}).name(mode).NoSecond());  // of one plain layer nothing is kept: its output would have to be right
    c->push_back(MakeGrad(mode, {3, 2, 1, 2, 2, true}, lengths, {1, 3}).name(mode).NoSecond());
  }
  c->push_back(Make("lstm", {9, 1, 3, 5, 1, true}, states).name("one_row").NoSecond());
  c->push_back(Make("gru", {2, 2, 2, 2, 3}, also(states, "p", "0.5")).name("dropout"));
  c->push_back(Make("gru", {2, 2, 2, 2, 3}, also(states, "p", "0.5")).predict().name("dropout_predict").NoSecond());
  c->push_back(Make("lstm", {3, 2, 2, 3, 2, true}, also(states, "projection_size", "2")).name("projection"));
  c->push_back(Make("lstm", {3, 2, 2, 4, 1}, also(lengths, "projection_size", "1"), {2, 3}).name("projection_lengths"));
  c->push_back(Make("lstm", {4, 2, 2, 3, 1, true}, also(also(states, "lstm_state_clip_min", "-0.3"), "lstm_state_clip_max", "0.25")).name("clip"));
  c->push_back(MakeGrad("lstm", {2, 2, 2, 2, 2}, also({{"projection_size", "1"}}, "p", "0.3")).name("projection_dropout").NoSecond());
}

}  // namespace flx::cases
