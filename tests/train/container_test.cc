// SPDX-License-Identifier: Apache-2.0
// Containers beside Sequential, and attention, held against what they are by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "helpers.h"
#include "exec/autograd.h"
#include "exec/graph.h"
#include "train/symbol_layer.h"

namespace flx {
namespace {

Ref<Layer> Dense(const char* units) { return Of("Dense", {{"units", units}}); }
Ref<Params> Double(const Layer& layer, const std::vector<Shape>& in) {
  auto p = InitParams(layer, in, DType::kFloat64, nullptr, 3);
  for (auto& a : p->all())
    if (Has(a.name, "bias")) p->Set(a.name, Random(a.array->shape));
  return p;
}

TEST(Containers, ResidualAddsItsInput) {
  SeedRandom(1);
  auto net = Of("Residual", {}, {Dense("3"), Dense("4")});
  auto p = Double(*net, {{2, 4}});
  NDArray x = Random({2, 4});
  auto plain = Of("Sequential", {}, {Dense("3"), Dense("4")});
  Near(Forward(*net, *p, {x})[0], Invoke1("elemwise_add", {Forward(*plain, *p, {x})[0], x}));
  std::string text = MessageOf([&] { OutputShapes(*Of("Residual", {}, {Dense("3")}), {{2, 4}}); }, Status::kShape);
  EXPECT_TRUE(Has(text, "(2, 4)") && Has(text, "(2, 3)") && Has(text, "Concurrent")) << text;
  EXPECT_EQ(Layer::FromJson(net->ToJson())->ToJson(), net->ToJson());
}

TEST(Containers, ConcurrentJoinsWhatItsChildrenGive) {
  SeedRandom(1);
  NDArray x = Random({2, 4});
  auto p = Double(*Of("Concurrent", {}, {Dense("4"), Dense("4")}), {{2, 4}});
  NDArray a = Forward(*Of("Concurrent", {}, {Dense("4")}), *p, {x})[0];
  auto with = [&](const char* combine) { return Forward(*Of("Concurrent", {{"combine", combine}}, {Dense("4"), Of("Identity", {})}), *p, {x})[0]; };
  Near(with("add"), Invoke1("elemwise_add", {a, x}));
  Near(with("multiply"), Invoke1("elemwise_mul", {a, x}));
  Near(with("concat"), Invoke1("Concat", {a, x}, {{"num_args", "2"}, {"dim", "1"}}));
  EXPECT_EQ(OutputShapes(*Of("Concurrent", {{"axis", "0"}}, {Dense("4"), Dense("4"), Of("Identity", {})}), {{2, 4}}), std::vector<Shape>{Shape({6, 4})});
  std::string text = MessageOf([&] { OutputShapes(*Of("Concurrent", {{"combine", "add"}}, {Dense("3"), Of("Identity", {})}), {{2, 4}}); }, Status::kShape);
  EXPECT_TRUE(Has(text, "child 1") && Has(text, "(2, 3)")) << text;
  MessageOf([&] { OutputShapes(*Of("Concurrent", {}), {{2, 4}}); }, Status::kState);
  MessageOf([&] { OutputShapes(*Of("Concurrent", {{"axis", "2"}}, {Dense("4"), Dense("4")}), {{2, 4}}); }, Status::kShape);
}

// softmax(q k' / sqrt(size)) v by plain loops.
std::vector<double> ByHand(const Params& p, const NDArray& x, const NDArray& memory, int64_t heads, bool causal) {
  const int64_t n = x->shape[0], q = x->shape[1], f = x->shape[2], k = memory->shape[1];
  auto wi = Read(p.Get("in_weight")), bi = Read(p.Get("in_bias")), wo = Read(p.Get("out_weight")), bo = Read(p.Get("out_bias")), xs = Read(x), ms = Read(memory);
  const int64_t units = int64_t(bi.size()) / 3, size = units / heads;
  auto mapped = [&](const std::vector<double>& in, int64_t row, int64_t out) {  // one unit of the three maps, for one row of (batch * steps)
    double s = bi[size_t(out)];
    for (int64_t i = 0; i < f; ++i) s += wi[size_t(out * f + i)] * in[size_t(row * f + i)];
    return s;
  };
  std::vector<double> y(size_t(n * q * f));
  for (int64_t b = 0; b < n; ++b)
    for (int64_t t = 0; t < q; ++t) {
      std::vector<double> seen(static_cast<size_t>(units));
      for (int64_t h = 0; h < heads; ++h) {
        std::vector<double> weight(static_cast<size_t>(k));
        double sum = 0;
        for (int64_t s = 0; s < k; ++s) {
          double dot = 0;
          for (int64_t i = h * size; i < (h + 1) * size; ++i) dot += mapped(xs, b * q + t, i) * mapped(ms, b * k + s, units + i);
          weight[size_t(s)] = causal && s > t ? 0 : std::exp(dot / std::sqrt(double(size)));
          sum += weight[size_t(s)];
        }
        for (int64_t s = 0; s < k; ++s)
          for (int64_t i = h * size; i < (h + 1) * size; ++i) seen[size_t(i)] += weight[size_t(s)] / sum * mapped(ms, b * k + s, 2 * units + i);
      }
      for (int64_t o = 0; o < f; ++o) {
        double v = bo[size_t(o)];
        for (int64_t i = 0; i < units; ++i) v += wo[size_t(o * units + i)] * seen[size_t(i)];
        y[size_t((b * q + t) * f + o)] = v;
      }
    }
  return y;
}

TEST(Attention, IsWhatItSays) {
  SeedRandom(2);
  NDArray x = Random({2, 5, 6}), memory = Random({2, 3, 6});
  struct Case { const char *causal, *units; bool memory; };
  for (auto [causal, units, crossed] : {Case{"False", "0", false}, Case{"True", "0", false}, Case{"False", "4", false}, Case{"False", "0", true}, Case{"True", "8", true}}) {
    SCOPED_TRACE(Text("causal ", causal, " units ", units, " memory ", crossed));
    auto layer = Of("MultiHeadAttention", {{"heads", "2"}, {"causal", causal}, {"units", units}});
    const Arrays in = crossed ? Arrays{x, memory} : Arrays{x};
    auto p = Double(*layer, crossed ? std::vector<Shape>{x->shape, memory->shape} : std::vector<Shape>{x->shape});
    auto want = ByHand(*p, x, crossed ? memory : x, 2, causal[0] == 'T');
    NDArray y = Forward(*layer, *p, in)[0];
    ASSERT_EQ(y->shape, x->shape);
    auto got = Read(y);
    for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-12) << i;
  }
}

// Gradients are those of the operators; that they reach every parameter and both inputs is this layer's.
TEST(Attention, GradientsReachEverything) {
  SeedRandom(2);
  auto layer = Of("MultiHeadAttention", {{"heads", "2"}});
  Arrays in = {Random({2, 4, 6}), Random({2, 3, 6})};
  auto p = Double(*layer, {{2, 4, 6}, {2, 3, 6}});
  for (auto& a : in) AttachGrad(a, GradReq::kWrite);
  for (auto& a : p->all()) AttachGrad(a.array, GradReq::kWrite);
  NDArray y = Forward(*layer, *p, in, kRecord | kTrain)[0], head = Random(y->shape);
  Backward({y}, {head}, kTrain);
  auto loss = [&] {
    auto v = Read(Forward(*layer, *p, in)[0]), w = Read(head);
    double s = 0;
    for (size_t i = 0; i < v.size(); ++i) s += v[i] * w[i];
    return s;
  };
  std::vector<NDArray> all = in;
  for (auto& a : p->all()) all.push_back(a.array);
  for (auto& a : all) {
    auto v = Read(a), g = Read(GradOf(*a));
    const size_t i = v.size() / 2;
    const double was = v[i], h = 1e-6;
    auto at = [&](double value) {
      v[i] = value;
      WriteArray(a, v.data(), a->size() * 8, DType::kFloat64, false);
      return loss();
    };
    double slope = (at(was + h) - at(was - h)) / (2 * h);
    at(was);
    EXPECT_NEAR(g[i], slope, 1e-7);
  }
}

TEST(Attention, TypesDropoutGraphsAndErrors) {
  SeedRandom(3);
  auto layer = Of("MultiHeadAttention", {{"heads", "3"}, {"causal", "True"}, {"dropout", "0.5"}, {"use_bias", "False"}});
  auto p = InitParams(*layer, {{2, 4, 6}}, DType::kFloat32, nullptr, 3);
  EXPECT_EQ(p->count(), 2);
  NDArray x = Random({2, 4, 6}, DType::kFloat32), y = Forward(*layer, *p, {x})[0];
  EXPECT_NE(Read(Forward(*layer, *p, {x}, kTrain)[0]), Read(Forward(*layer, *p, {x}, kTrain)[0]));
  for (DType t : {DType::kFloat16, DType::kBfloat16}) {
    auto narrow = [&](const NDArray& a) { return Invoke1("Cast", {a}, {{"dtype", DTypeName(t)}}); };
    auto q = Make<Params>();
    for (auto& a : p->all()) q->Set(a.name, narrow(a.array));
    Near(Invoke1("Cast", {Forward(*layer, *q, {narrow(x)})[0]}, {{"dtype", "float32"}}), y, t == DType::kFloat16 ? 4e-3 : 4e-2);
  }
  auto symbol = LayerGraph(*layer, {{2, 4, 6}}, DType::kFloat32);
  Arrays in;
  for (auto& n : symbol->Names(Part::kInput)) in.push_back(n == "data" ? x : p->Get(n));
  GraphRun run(Graph::New(symbol), kPlain, in);
  ASSERT_TRUE(run.Go(-1));
  Near(run.outputs()[0], y);
  auto fails = [](const Settings& s, const std::vector<Shape>& shapes) { return MessageOf([&] { OutputShapes(*Of("MultiHeadAttention", s), shapes); }, Status::kShape); };
  std::string text = fails({{"heads", "4"}}, {{2, 4, 6}});
  EXPECT_TRUE(Has(text, "(6)") && Has(text, "`heads` (4)")) << text;
  fails({{"heads", "2"}}, {{2, 6}});
  fails({{"heads", "2"}}, {{2, 4, 6}, {2, 4, 5}});
}

}  // namespace
}  // namespace flx
