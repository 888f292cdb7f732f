// SPDX-License-Identifier: Apache-2.0
// The layer Operator: any operator in a network, with parameters or without, saved and loaded; one that is missing is named.
#include "flexor/nn.hpp"
#include "native_helpers.h"

using namespace flexor;
using namespace native;

namespace {
Params Init(const Layer& layer, const char* shape) {
  const char *key = "data";
  flx_params p = nullptr;
  check(flx_params_init(layer.handle(), &key, &shape, 1, nullptr, 1, &p));
  return Params::adopt(p);
}
}  // namespace

TEST(OperatorLayer, RunsOperatorsWithoutParameters) {
  Layer layer("Operator", {{"op", "clip"}, {"attrs", "a_min=-1, a_max=2"}});
  Params none = Init(layer, "(2, 3)");
  EXPECT_EQ(none.names().size(), 0u);
  EXPECT_EQ(layer.run(none, {array({-5, 0, 5})})[0].to_vector<float>(), (std::vector<float>{-1, 0, 2}));
  EXPECT_EQ(Layer("Lambda", {{"op", "relu"}}).run(none, {array({-5, 5})})[0].to_vector<float>(), (std::vector<float>{0, 5}));
}

// Shapes come from the operator's own rule, or from the settings; auxiliary states begin and behave as the operator says.
TEST(OperatorLayer, DeclaresTheOperatorsParameters) {
  Layer dense("Operator", {{"op", "FullyConnected"}, {"attrs", "num_hidden=4"}});
  Params p = Init(dense, "(2, 3)");
  EXPECT_EQ(p.names(), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_EQ(p.get("weight").shape(), Shape({4, 3}));
  Layer norm("Operator", {{"op", "BatchNorm"}, {"attrs", "fix_gamma=False, momentum=0.5"}});
  Params q = Init(norm, "(2, 3)");
  EXPECT_EQ(q.get("moving_var").to_vector<float>(), (std::vector<float>{1, 1, 1}));
  {
    autograd::TrainMode training;
    norm.run(q, {array({{1, 2, 3}, {3, 4, 5}})});
  }
  EXPECT_EQ(q.get("moving_mean").to_vector<float>(), (std::vector<float>{1, 1.5, 2}));

  Op("test_scale", 2).shape(SameShape).kernel([](flx_context c, void*) -> flx_status {
    Input x = InputOf(c, 0), k = InputOf(c, 1);
    for (int64_t i = 0; i < x.size(); ++i) OutputOf<float>(c, 0)[i] = x.as<float>()[i] * k.as<float>()[i % k.size()];
    return FLX_OK;
  }).put();
  Layer scale("Operator", {{"op", "test_scale"}, {"params", "data1=(None,)"}, {"initializer", "Constant(value=3)"}});
  Params r = Init(scale, "(2, 3)");
  EXPECT_EQ(scale.run(r, {array({{1, 2, 3}})})[0].to_vector<float>(), (std::vector<float>{3, 6, 9}));
  EXPECT_HAS(MessageOf([] { Init(Layer("Operator", {{"op", "test_scale"}}), "(2, 3)"); }), "Give it, as in params=\"data1=(None,)\"");
  EXPECT_HAS(MessageOf([] { Layer("Operator", {{"op", "test_scale"}, {"params", "data7=(1,)"}}); }), "has no input `data7`");
}

TEST(OperatorLayer, RefusesWhatCannotBe) {
  EXPECT_HAS(MessageOf([] { Layer("Operator", {{"op", "no_such_plugin_op"}}); }), "no operator is named `no_such_plugin_op`. If a plugin brings it, load the plugin first (flx_plugin_load)");
  EXPECT_HAS(MessageOf([] { Layer("Operator", {{"op", "rellu"}}); }), "Did you mean `relu`?");
  EXPECT_HAS(MessageOf([] { Layer("Operator", {{"op", "relu"}, {"attrs", "slope=1"}}); }), "no attribute is named `slope`");
  EXPECT_HAS(MessageOf([] { Layer("Operator", {{"op", "clip"}, {"attrs", "a_min"}}); }), "`attrs` reads `name=value");
  EXPECT_HAS(MessageOf([] { Layer("Operator", {{"op", "_zeros"}}); }), "cannot be a layer");
  EXPECT_HAS(MessageOf([] { Layer("Operator"); }), "`op`");
}

TEST(OperatorLayer, TrainsSavesAndLoads) {
  Op("test_cube").attr("scale", "double", "1").shape(SameShape).kernel([](flx_context c, void*) -> flx_status {
    Input x = InputOf(c, 0);
    double k = 0;
    check(flx_context_number(c, "scale", &k));
    for (int64_t i = 0; i < x.size(); ++i) OutputOf<float>(c, 0)[i] = float(k) * x.as<float>()[i] * x.as<float>()[i] * x.as<float>()[i];
    return FLX_OK;
  }).gradient([](flx_context c, void*) -> flx_status {
    int64_t x = 0, dy = 0, slope = 0;
    double k = 0;
    check(flx_context_number(c, "scale", &k));
    check(flx_gradient_input(c, 0, &x));
    check(flx_gradient_head(c, 0, &dy));
    check(flx_gradient_scalar(c, "_mul_scalar", CallOn(c, "square", {x}), 3 * k, &slope));
    return flx_gradient_set(c, 0, CallOn(c, "broadcast_mul", {dy, slope}));
  }).put();
  Layer net = nn::Sequential{nn::Dense(4), Layer("Operator", {{"op", "test_cube"}, {"attrs", "scale=0.5"}}, "cube"), nn::Dense(1)};
  NDArray x = array({{0, 0}, {0, 1}, {1, 0}, {1, 1}}), y = array({0, 1, 1, 0});
  Model model(net);
  Iter batches = Iter::from_arrays({x, y}, {"data", "label"}, {{"batch_size", 4}});
  fit(model, nn::L2Loss(), optimizer::Adam(0.05), batches, {}, {{"epochs", 300}, {"seed", 1}});
  auto out = model(x).to_vector<float>();
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(out[i], i == 1 || i == 2, 0.1);
  Model back = Model::from_bytes(model.to_bytes());
  EXPECT_EQ(back(x).to_vector<float>(), out);
  // In a process that lacks the operator, the model says what is missing.
  std::string bytes = model.to_bytes();
  for (size_t at; (at = bytes.find("test_cube")) != std::string::npos;) bytes.replace(at, 9, "test_cone");
  std::string m = MessageOf([&] { Model::from_bytes(bytes); });
  EXPECT_HAS(m, "no operator is named `test_cone`");
  EXPECT_HAS(m, "flx_plugin_load");
}
