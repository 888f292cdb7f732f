// SPDX-License-Identifier: Apache-2.0
#include "train/hybrid_layer.h"

#include <gtest/gtest.h>

#include "exec/autograd.h"

namespace flx {
namespace {

std::vector<double> Read(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
NDArray Uniform(const Shape& s) { return Invoke1("_random_uniform", {}, {{"shape", Text(s)}, {"low", "-1"}, {"high", "1"}}); }

struct Net {
  Ref<Layer> net = Layer::New("Sequential"), loss = Layer::New("L2Loss");
  Ref<Params> params;
  NDArray x, y;
  explicit Net(bool tied, GradReq req = GradReq::kWrite) {
    for (int i = 0; i < 3; ++i) net->Add(Layer::New("Dense", {{"units", "4"}, {"activation", "tanh"}}));
    params = InitParams(*net, {Shape{6, 4}}, DType::kFloat32, nullptr, 3);
    if (tied) params->Set("2.weight", params->Get("0.weight"));
    for (auto& p : params->all())
      if (!GradOf(*p.array)) AttachGrad(p.array, req);
    SeedRandom(4);
    x = Uniform({6, 4}), y = Uniform({6, 4});
  }
  std::vector<double> ByTape() {
    auto out = RunLayer(*net, kRecord | kTrain, *params, {x});
    Params none;
    NDArray l = RunLayer(*loss, kRecord | kTrain, none, {out[0], y})[0];
    Backward({l}, {Array::Filled(l->shape, l->dtype, 1.0 / double(l->size()))}, 0);
    return Read(l);
  }
  std::vector<std::vector<double>> Gradients() {
    std::vector<std::vector<double>> all;
    for (auto& p : params->all()) all.push_back(Read(GradOf(*p.array)));
    return all;
  }
};

TEST(HybridLayer, AStepIsTheTapes) {
  for (bool tied : {false, true})
    for (GradReq req : {GradReq::kWrite, GradReq::kAdd})
      for (bool views : {false, true}) {  // a gradient of its own memory, or a view of other memory
        Net a(tied, req), b(tied, req);
        HybridOptions o;
        o.passes = "none";
        HybridLayer hybrid(b.net, b.loss, o);
        for (Net* s : {&a, &b})
          if (views) {
            NDArray w = s->params->Get("0.weight"), room = Array::Filled({2, 4, 4}, DType::kFloat32, 0);
            AttachGrad(w, req, Array::NewRows(room, 1, 2, true));
          }
        for (int step = 0; step < 3; ++step) {
          auto loss = a.ByTape();
          auto got = hybrid.Step(*b.params, {b.x, b.y}, 1);
          EXPECT_EQ(Read(got[0]), loss);
          EXPECT_EQ(b.Gradients(), a.Gradients()) << tied << views << step;
        }
      }
}
TEST(HybridLayer, GradientsAreWrittenWhereTheyAreAttached) {
  Net s(false);
  HybridLayer hybrid(s.net, s.loss, {});
  NDArray grad = GradOf(*s.params->Get("1.weight"));
  const void* memory = grad->storage->data();
  hybrid.Step(*s.params, {s.x, s.y}, 1);
  WaitToRead(*grad);
  EXPECT_EQ(grad->storage->data(), memory);
  EXPECT_NE(Read(grad), std::vector<double>(16, 0.0));
}
TEST(HybridLayer, KeepsNoLayerThatKeepsIt) {
  auto net = Layer::New("Dense", {{"units", "4"}});
  HybridOptions o;
  HybridizeLayer(*net, &o);
  auto params = InitParams(*net, {Shape{6, 4}}, DType::kFloat32, nullptr, 3);
  NDArray x = Uniform({6, 4});
  AttachGrad(x, GradReq::kWrite);
  auto y = RunLayer(*net, kRecord, *params, {x});
  EXPECT_TRUE(net->unique());
  net = nullptr;
  Backward(y, {}, 0);  // the history outlives the layer
}
TEST(HybridLayer, NamesAMissingParameter) {
  auto net = Layer::New("Dense", {{"units", "4"}});
  HybridLayer hybrid(net, nullptr, {});
  Params none;
  try {
    hybrid.Run(kPlain, none, {Uniform({6, 4})});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kState);
    EXPECT_NE(e.message().find("`weight`"), std::string::npos) << e.message();
  }
}

}  // namespace
}  // namespace flx
