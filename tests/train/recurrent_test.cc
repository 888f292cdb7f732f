// SPDX-License-Identifier: Apache-2.0
// Fused recurrent layers are their cells, run step by step.
#include <gtest/gtest.h>

#include "helpers.h"
#include "exec/autograd.h"
#include "exec/graph.h"
#include "train/symbol_layer.h"

namespace flx {
namespace {

std::vector<Shape> ShapesOf(const Arrays& x) {
  std::vector<Shape> s;
  for (auto& a : x) s.push_back(a->shape);
  return s;
}

struct Kind { const char *fused, *cell; Settings settings; int states; };
const std::vector<Kind>& Kinds() {
  static const auto& all = *new std::vector<Kind>{{"RNN", "RNNCell", {{"activation", "relu"}}, 1}, {"RNN", "RNNCell", {}, 1}, {"LSTM", "LSTMCell", {}, 2}, {"GRU", "GRUCell", {}, 1}};
  return all;
}
Settings With(Settings s, Settings more) {
  s.insert(s.end(), more.begin(), more.end());
  return s;
}
// Outputs, last states, and gradients with respect to all that has one.
void SameAs(const Layer& fused, const Layer& cells, const Shape& data, const Arrays& states, const std::vector<std::pair<std::string, std::string>>& names) {
  SeedRandom(5);
  std::vector<Shape> shapes = {data};
  for (auto& s : states) shapes.push_back(s->shape);
  auto q = InitParams(fused, shapes, DType::kFloat64, nullptr, 3);
  for (auto& p : q->all())
    if (Has(p.name, "bias")) q->Set(p.name, Random(p.array->shape));  // zeros would hide a wrong order
  auto p = Make<Params>();
  for (auto& [cell, whole] : names)
    for (const char* part : {"i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias"}) p->Set(cell + part, CopyOf(q->Get(whole + part)));
  ASSERT_EQ(size_t(q->count()), names.size() * 4);
  Arrays a = {Random(data)}, b = {CopyOf(a[0])};
  for (auto& s : states) a.push_back(s), b.push_back(CopyOf(s));
  for (auto* in : {&a, &b}) for (auto& x : *in) AttachGrad(x, GradReq::kWrite);
  for (auto* set : {p.get(), q.get()}) for (auto& x : set->all()) AttachGrad(x.array, GradReq::kWrite);
  // The fused layer's states are (layers * directions, batch, units), the cells' (batch, units) each.
  Arrays y = Forward(fused, *q, a, kRecord | kTrain), cut = {b[0]};
  int64_t n = states.empty() ? 0 : states[0]->shape[0];
  for (int64_t k = 0; k < n; ++k)
    for (size_t s = 1; s < b.size(); ++s)
      cut.push_back(Invoke1("Reshape", {Invoke1("slice_axis", {b[s]}, {{"axis", "0"}, {"begin", Text(k)}, {"end", Text(k + 1)}}, kRecord)}, {{"shape", "(-3, -2)"}}, kRecord));
  Arrays z = Forward(cells, *p, cut, kRecord | kTrain);
  Near(y[0], z[0]);
  ASSERT_EQ(y.size(), 1 + states.size());
  ASSERT_EQ(z.size(), 1 + states.size() * size_t(n));
  Arrays heads_y = {y[0]}, heads_z = {z[0]}, grads_y = {Random(y[0]->shape)}, grads_z = {grads_y[0]};
  for (size_t s = 0; s < states.size(); ++s) {
    Arrays rows;
    for (int64_t k = 0; k < n; ++k) rows.push_back(z[1 + size_t(k) * states.size() + s]);
    heads_y.push_back(y[1 + s]), heads_z.push_back(Invoke1("stack", rows, {{"axis", "0"}, {"num_args", Text(n)}}, kRecord));
    Near(heads_y.back(), heads_z.back());
    grads_y.push_back(Random(y[1 + s]->shape)), grads_z.push_back(grads_y.back());
  }
  Backward(heads_y, grads_y, kTrain);
  Backward(heads_z, grads_z, kTrain);
  for (size_t i = 0; i < a.size(); ++i) Near(GradOf(*a[i]), GradOf(*b[i]), 1e-11);
  for (auto& [cell, whole] : names)
    for (const char* part : {"i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias"}) {
      SCOPED_TRACE(whole + part);
      Near(GradOf(*q->Get(whole + part)), GradOf(*p->Get(cell + part)), 1e-11);
    }
}

TEST(Recurrent, LayersAreTheirCellsUnrolled) {
  for (auto& k : Kinds()) {
    SCOPED_TRACE(k.fused);
    auto cell = [&] { return Of(k.cell, With(k.settings, {{"units", "3"}})); };
    auto states = [&](int64_t n) {
      Arrays s;
      for (int i = 0; i < k.states; ++i) s.push_back(Random({n, 2, 3}));
      return s;
    };
    for (const char* layout : {"NTC", "TNC"}) {
      Shape data = layout[0] == 'N' ? Shape{2, 4, 5} : Shape{4, 2, 5};
      Settings common = With(k.settings, {{"units", "3"}, {"layout", layout}});
      SameAs(*Of(k.fused, common), *Of("Unroll", {{"layout", layout}}, {cell()}), data, states(1), {{"0.", "l0_"}});
      SameAs(*Of(k.fused, With(common, {{"num_layers", "2"}})), *Of("Unroll", {{"layout", layout}}, {Of("SequentialCell", {}, {cell(), cell()})}), data, states(2),
             {{"0.0.", "l0_"}, {"0.1.", "l1_"}});
      SameAs(*Of(k.fused, With(common, {{"bidirectional", "True"}})), *Of("Unroll", {{"layout", layout}}, {cell(), cell()}), data, states(2), {{"0.", "l0_"}, {"1.", "r0_"}});
      SameAs(*Of(k.fused, With(common, {{"bidirectional", "True"}, {"return_sequences", "False"}})), *Of("Unroll", {{"layout", layout}, {"return_sequences", "False"}}, {cell(), cell()}),
             data, {}, {{"0.", "l0_"}, {"1.", "r0_"}});
    }
  }
}

TEST(Recurrent, ParametersHaveGluonsNamesAndOrder) {
  auto names = [](const Layer& layer, const Shape& in) {
    std::string s;
    for (auto& d : DeclareParams(layer, {in})) s += d.name + Text(d.shape) + " ";
    return s;
  };
  EXPECT_EQ(names(*Of("LSTM", {{"units", "3"}, {"num_layers", "2"}}), {-1, 7, 5}),
            "l0_i2h_weight(12, 5) l0_h2h_weight(12, 3) l0_i2h_bias(12,) l0_h2h_bias(12,) l1_i2h_weight(12, 3) l1_h2h_weight(12, 3) l1_i2h_bias(12,) l1_h2h_bias(12,) ");
  EXPECT_EQ(names(*Of("GRU", {{"units", "2"}, {"bidirectional", "True"}}), {-1, -1, 5}),
            "l0_i2h_weight(6, 5) l0_h2h_weight(6, 2) l0_i2h_bias(6,) l0_h2h_bias(6,) r0_i2h_weight(6, 5) r0_h2h_weight(6, 2) r0_i2h_bias(6,) r0_h2h_bias(6,) ");
  EXPECT_EQ(names(*Of("LSTM", {{"units", "3"}, {"projection_size", "2"}}), {1, 7, 5}),
            "l0_i2h_weight(12, 5) l0_h2h_weight(12, 2) l0_h2r_weight(2, 3) l0_i2h_bias(12,) l0_h2h_bias(12,) ");
  EXPECT_EQ(names(*Of("GRUCell", {{"units", "2"}}), {-1, 5}), "i2h_weight(6, 5) h2h_weight(6, 2) i2h_bias(6,) h2h_bias(6,) ");
  // a cell that runs at every step declares its parameters once, and stands once in the table
  auto unrolled = Of("Unroll", {}, {Of("RNNCell", {{"units", "2"}})});
  EXPECT_EQ(names(*unrolled, {-1, -1, 5}), "0.i2h_weight(2, 5) 0.h2h_weight(2, 2) 0.i2h_bias(2,) 0.h2h_bias(2,) ");
  std::string table = Summary(*unrolled, {{-1, -1, 5}}, 80);
  EXPECT_TRUE(Has(table, "parameters 18, trained 18")) << table;
  EXPECT_EQ(table.find("RNNCell"), table.rfind("RNNCell")) << table;
}

TEST(Recurrent, WhatIsGiven) {
  SeedRandom(2);
  auto shapes = [](const Settings& s, const Arrays& x) {
    auto layer = Of("LSTM", With(s, {{"units", "3"}}));
    auto p = InitParams(*layer, ShapesOf(x), DType::kFloat64, nullptr, 1);
    Arrays y = Forward(*layer, *p, x);
    EXPECT_EQ(int(y.size()), layer->OutputCount(int(x.size())));
    return ShapesOf(y);
  };
  NDArray data = Random({2, 4, 5}), h = Random({2, 2, 3}), length = FromHost(std::vector<double>{4, 2}.data(), 16, DType::kFloat64, false, {2}, DType::kInt32);
  const Settings two = {{"num_layers", "2"}}, lengths = With(two, {{"use_sequence_length", "True"}});
  EXPECT_EQ(shapes({}, {data}), (std::vector<Shape>{{2, 4, 3}}));
  EXPECT_EQ(shapes({{"return_sequences", "False"}, {"bidirectional", "True"}}, {data}), (std::vector<Shape>{{2, 6}}));
  EXPECT_EQ(shapes(two, {data, h, h}), (std::vector<Shape>{{2, 4, 3}, {2, 2, 3}, {2, 2, 3}}));
  EXPECT_EQ(shapes(With(two, {{"return_state", "False"}}), {data, h, h}), (std::vector<Shape>{{2, 4, 3}}));
  EXPECT_EQ(shapes(With(two, {{"return_state", "True"}}), {data}), (std::vector<Shape>{{2, 4, 3}, {2, 2, 3}, {2, 2, 3}}));
  EXPECT_EQ(shapes(lengths, {data, length}), (std::vector<Shape>{{2, 4, 3}}));
  EXPECT_EQ(shapes(lengths, {data, h, h, length}), (std::vector<Shape>{{2, 4, 3}, {2, 2, 3}, {2, 2, 3}}));
  EXPECT_EQ(OutputShapes(*Of("SequentialCell", {}, {Of("LSTMCell", {{"units", "3"}}), Of("Dropout", {{"rate", "0.5"}}), Of("GRUCell", {{"units", "2"}})}), {{7, 4}}),
            (std::vector<Shape>{{7, 2}, {7, 3}, {7, 3}, {7, 2}}));
}

// A row of a batch with lengths is what the row alone gives, cut short.
TEST(Recurrent, LengthsCutRowsShort) {
  SeedRandom(3);
  for (auto& k : Kinds()) {
    Settings s = With(k.settings, {{"units", "3"}, {"num_layers", "2"}, {"bidirectional", "True"}, {"return_state", "True"}});
    auto whole = Of(k.fused, s), cut = Of(k.fused, With(s, {{"use_sequence_length", "True"}}));
    auto p = InitParams(*whole, {{3, 5, 2}}, DType::kFloat64, nullptr, 1);
    NDArray data = Random({3, 5, 2}), lengths = FromHost(std::vector<double>{5, 2, 3}.data(), 24, DType::kFloat64, false, {3}, DType::kInt64);
    Arrays y = Forward(*cut, *p, {data, lengths});
    int row = 0;
    for (int64_t n : {5, 2, 3}) {
      auto part = [&](const NDArray& a, int axis, int64_t from, int64_t to) { return Invoke1("slice_axis", {a}, {{"axis", Text(axis)}, {"begin", Text(from)}, {"end", Text(to)}}); };
      Arrays z = Forward(*whole, *p, {part(part(data, 0, row, row + 1), 1, 0, n)});
      NDArray mine = part(y[0], 0, row, row + 1);
      Near(part(mine, 1, 0, n), z[0]);
      for (double v : Read(part(mine, 1, n, 5))) EXPECT_EQ(v, 0);
      for (size_t i = 1; i < z.size(); ++i) Near(part(y[i], 1, row, row + 1), z[i]);
      ++row;
    }
  }
}

// As a graph: each parameter is one variable, however often a cell asks for it.
TEST(Recurrent, GraphsGiveTheSame) {
  SeedRandom(6);
  std::vector<Ref<Layer>> layers;
  for (auto& k : Kinds()) {
    auto cell = [&] { return Of(k.cell, With(k.settings, {{"units", "3"}})); };
    layers.push_back(Of(k.fused, With(k.settings, {{"units", "3"}, {"num_layers", "2"}, {"bidirectional", "True"}, {"return_state", "True"}})));
    layers.push_back(Of("Unroll", {{"return_state", "True"}}, {Of("SequentialCell", {}, {cell(), Of("ResidualCell", {}, {cell()})}), cell()}));
  }
  for (auto& layer : layers) {
    auto p = InitParams(*layer, {{2, 4, 5}}, DType::kFloat64, nullptr, 1);
    NDArray x = Random({2, 4, 5});
    auto symbol = LayerGraph(*layer, {{2, 4, 5}}, DType::kFloat64);
    Arrays in;
    auto names = symbol->Names(Part::kInput);
    ASSERT_EQ(names.size(), size_t(p->count()) + 1);
    for (auto& n : names) in.push_back(n == "data" ? x : p->Get(n));
    auto graph = Graph::New(symbol);
    GraphRun run(graph, kPlain, in);
    ASSERT_TRUE(run.Go(-1));
    Arrays y = Forward(*layer, *p, {x});
    ASSERT_EQ(y.size(), run.outputs().size());
    for (size_t i = 0; i < y.size(); ++i) Near(run.outputs()[i], y[i]);
  }
}

TEST(Recurrent, DropoutAndTypes) {
  SeedRandom(4);
  auto gru = Of("GRU", {{"units", "8"}, {"num_layers", "2"}, {"dropout", "0.5"}});
  auto p = InitParams(*gru, {{2, 4, 3}}, DType::kFloat32, nullptr, 1);
  NDArray x = Random({2, 4, 3}, DType::kFloat32);
  EXPECT_EQ(Read(Forward(*gru, *p, {x})[0]), Read(Forward(*gru, *p, {x})[0]));
  EXPECT_NE(Read(Forward(*gru, *p, {x}, kTrain)[0]), Read(Forward(*gru, *p, {x}, kTrain)[0]));
  for (DType t : {DType::kFloat16, DType::kBfloat16}) {
    auto narrow = [&](const NDArray& a) { return Invoke1("Cast", {a}, {{"dtype", DTypeName(t)}}); };
    auto q = Make<Params>();
    for (auto& a : p->all()) q->Set(a.name, narrow(a.array));
    NDArray y = Forward(*gru, *q, {narrow(x)})[0];
    EXPECT_EQ(y->dtype, t);
    Near(Invoke1("Cast", {y}, {{"dtype", "float32"}}), Forward(*gru, *p, {x})[0], t == DType::kFloat16 ? 2e-3 : 2e-2);
  }
}

TEST(Recurrent, ErrorsSayWhatIsWanted) {
  auto fails = [](const Ref<Layer>& layer, const std::vector<Shape>& in, Status status) { return MessageOf([&] { DeclareParams(*layer, in); }, status); };
  std::string text = fails(Of("LSTM", {{"units", "3"}}), {{2, 4}}, Status::kShape);
  EXPECT_TRUE(Has(text, "(batch, steps, features)") && Has(text, "(2, 4)")) << text;
  text = fails(Of("LSTM", {{"units", "3"}}), {{2, 4, 5}, {1, 2, 3}}, Status::kArgument);
  EXPECT_TRUE(Has(text, "2 initial states")) << text;
  text = fails(Of("GRU", {{"units", "3"}, {"in_units", "4"}}), {{2, 4, 5}}, Status::kShape);
  EXPECT_TRUE(Has(text, "in_units=4")) << text;
  text = fails(Of("GRU", {{"units", "3"}, {"use_sequence_length", "True"}}), {{2, 4, 5}}, Status::kArgument);
  EXPECT_TRUE(Has(text, "lengths")) << text;
  text = fails(Of("GRU", {{"units", "3"}}), {{2, 4, 5}, {2, 2, 3}}, Status::kShape);
  EXPECT_TRUE(Has(text, "`state`") && Has(text, "(1, 2, 3)")) << text;
  text = fails(Of("LSTMCell", {{"units", "3"}}), {{2, 4, 5}}, Status::kShape);
  EXPECT_TRUE(Has(text, "Unroll")) << text;
  text = fails(Of("LSTMCell", {{"units", "3"}}), {{2, 4}, {2, 4}, {2, 3}}, Status::kShape);
  EXPECT_TRUE(Has(text, "(2, 3)")) << text;
  MessageOf([] { Of("LSTM", {{"units", "3"}, {"state_clip_min", "-1"}}); }, Status::kArgument);
  MessageOf([] { Of("LSTM", {{"units", "0"}}); }, Status::kArgument);
  fails(Of("Unroll", {}), {{2, 4, 5}}, Status::kArgument);
  fails(Of("ResidualCell", {}, {Of("GRUCell", {{"units", "3"}})}), {{2, 4}}, Status::kShape);
  EXPECT_EQ(OutputShapes(*Of("ResidualCell", {}, {Of("GRUCell", {{"units", "4"}})}), {{2, 4}}), (std::vector<Shape>{{2, 4}, {2, 4}}));
}

}  // namespace
}  // namespace flx
