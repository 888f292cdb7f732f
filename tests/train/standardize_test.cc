// SPDX-License-Identifier: Apache-2.0
// The layer Standardize: (x - mean) / deviation along its axis, whatever runs it. How a fit finds the states: tests/fit/standardize_test.cc.
#include "graph/draw.h"
#include "helpers.h"
#include "train/hybrid_layer.h"
#include "train/symbol_layer.h"

namespace flx {
namespace {

NDArray Of(const Shape& s, const std::vector<double>& v, DType t) { return FromHost(v.data(), int64_t(v.size()) * 8, DType::kFloat64, false, s, t); }
Ref<Params> States(DType t, const std::string& path = "") {
  auto p = Make<Params>();
  p->Set(path + "mean", Of({3}, {1, -2, 10}, t), true);
  p->Set(path + "deviation", Of({3}, {2, 0.5, 1}, t), true);
  return p;
}
// By the definition; `inner`: elements behind the axis.
std::vector<double> Expected(const std::vector<double>& x, int64_t inner) {
  const double mean[] = {1, -2, 10}, deviation[] = {2, 0.5, 1};
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) {
    size_t f = i / size_t(inner) % 3;
    y.push_back((x[i] - mean[f]) / deviation[f]);
  }
  return y;
}

TEST(Standardize, AlongEveryAxisAndDtype) {
  struct Case { Shape shape; const char* axis; int64_t inner; };
  for (const Case& c : {Case{{4, 3}, "1", 1}, Case{{4, 3}, "-1", 1}, Case{{2, 3, 2, 2}, "1", 4}, Case{{2, 5, 3}, "-1", 1}, Case{{2, 2, 3, 5}, "2", 5}, Case{{0, 3}, "1", 1}})
    for (DType t : {DType::kFloat64, DType::kFloat32, DType::kFloat16, DType::kBfloat16}) {
      std::vector<double> v;
      for (int64_t i = 0; i < c.shape.size(); ++i) v.push_back(double(i % 17) / 4);  // exact in every dtype
      auto layer = Layer::New("Standardize", {{"axis", c.axis}});
      auto x = Of(c.shape, v, t);
      auto y = Forward(*layer, *States(t == DType::kFloat64 ? t : DType::kFloat32), {x})[0];
      EXPECT_EQ(y->dtype, t);
      EXPECT_EQ(y->shape, c.shape);
      auto got = Read(y), want = Expected(v, c.inner);
      for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], t == DType::kBfloat16 ? 0.07 : t == DType::kFloat16 ? 0.01 : 1e-6) << Text(c.shape, " ", t, " ", i);
    }
}

TEST(Standardize, StatesBeginAsIdentityAndAreNotTrained) {
  auto layer = Layer::New("Standardize");
  auto decls = DeclareParams(*layer, {{-1, 3}});
  ASSERT_EQ(decls.size(), 2u);
  for (auto& d : decls) EXPECT_TRUE(d.aux && !d.trainable && d.shape == Shape{3} && d.dtype == DType::kFloat32) << d.name;
  EXPECT_EQ(DeclareParams(*layer, {{-1, 3}}, DType::kFloat16)[0].dtype, DType::kFloat32);
  auto x = Random({4, 3}, DType::kFloat32);
  for (int mode : {kPlain, kTrain}) Near(Forward(*layer, *InitParams(*layer, {{-1, 3}}, DType::kFloat32, nullptr, 1), {x}, mode)[0], x, 0);
}

TEST(Standardize, PlansGraphsTablesAndPictures) {
  auto net = Layer::New("Sequential");
  net->Add(Layer::New("Standardize"));
  net->Add(Layer::New("Dense", {{"units", "2"}, {"activation", "relu"}}));
  auto params = InitParams(*net, {{-1, 3}}, DType::kFloat32, nullptr, 1);
  for (auto& p : States(DType::kFloat32, "0.")->all()) params->Set(p.name, p.array, true);
  auto x = Random({5, 3}, DType::kFloat32);
  HybridLayer planned(net->Copy(), nullptr, HybridOptions{});
  Near(planned.Run(kPlain, *params, {x})[0], Forward(*net, *params, {x})[0], 1e-6);
  EXPECT_EQ(Layer::FromJson(net->ToJson())->ToJson(), net->ToJson());
  EXPECT_EQ(Layer::New("Standardize", {{"axis", "-1"}})->ToJson(), "{\"kind\":\"Standardize\",\"settings\":{\"axis\":\"-1\"}}");
  std::string table = Summary(*net, {{-1, 3}}, 80);
  EXPECT_TRUE(Has(table, "Standardize") && Has(table, "parameters 14, trained 8")) << table;
  auto graph = LayerGraph(*net, {{4, 3}}, DType::kFloat32);
  EXPECT_TRUE(Has(DrawSymbol(*graph, "svg"), "<svg"));
}

TEST(Standardize, WrongInputsAreNamed) {
  std::string text = MessageOf([] { DeclareParams(*Layer::New("Standardize"), {{7}}); }, Status::kShape);
  EXPECT_TRUE(Has(text, "Standardize") && Has(text, "(7,)")) << text;
  text = MessageOf([] { DeclareParams(*Layer::New("Standardize", {{"axis", "0"}}), {{7, 3}}); }, Status::kArgument);
  EXPECT_TRUE(Has(text, "batch")) << text;
  MessageOf([] { DeclareParams(*Layer::New("Standardize", {{"axis", "3"}}), {{7, 3}}); }, Status::kShape);
  text = MessageOf([] { Forward(*Layer::New("Standardize"), *States(DType::kFloat32), {Array::Filled({2, 3}, DType::kInt64, 1)}); }, Status::kType);
  EXPECT_TRUE(Has(text, "Cast")) << text;
}

}  // namespace
}  // namespace flx
