// SPDX-License-Identifier: Apache-2.0
// Symbols, graphs and executors as C++ programs use them.
#include <gtest/gtest.h>

#include <cmath>
#include <flexor/flexor.hpp>

namespace flexor {
namespace {

Symbol Mlp() {
  Symbol x = variable("data");
  Symbol h = compose("Activation", {compose("FullyConnected", {x}, {{"num_hidden", 8}}, "fc1")}, {{"act_type", "relu"}}, "act1");
  return compose("SoftmaxOutput", {compose("FullyConnected", {h}, {{"num_hidden", 3}}, "fc2")}, {}, "softmax");
}

TEST(Symbols, ListTheirParts) {
  Symbol s = Mlp();
  EXPECT_EQ(s.arguments(), (std::vector<std::string>{"data", "fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias", "softmax_label"}));
  EXPECT_EQ(s.outputs(), (std::vector<std::string>{"softmax_output"}));
  EXPECT_EQ(s.internal("fc1_output").outputs(), (std::vector<std::string>{"fc1_output"}));
  EXPECT_THROW(s.internal("fc9_output"), NameError);
  Symbol known = s.infer({{"data", {16, 5}}});
  EXPECT_EQ(*known.shape(Part::argument, 0), (Shape{16, 5}));
  EXPECT_EQ(*known.shape(Part::argument, 1), (Shape{8, 5}));
  EXPECT_EQ(*known.shape(Part::output, 0), (Shape{16, 3}));
  EXPECT_EQ(*known.dtype(Part::output, 0), DType::float32);
  EXPECT_FALSE(s.infer({}, true).shape(Part::argument, 0));
  EXPECT_THROW(s.shape(Part::output, 0), StateError);
  EXPECT_THROW(s.infer({{"data", {16, 5}}, {"fc1_weight", {8, 4}}}), ShapeError);
}

TEST(Symbols, NamesByScope) {
  Symbol a = variable("a"), plain = compose("relu", {a}), named;
  EXPECT_EQ(plain.outputs()[0].rfind("relu", 0), 0u);
  {
    NameScope outer("net_");
    NameScope inner("stage1_");
    EXPECT_EQ(compose("FullyConnected", {a}, {{"num_hidden", 2}}).arguments()[1], "net_stage1_fullyconnected0_weight");
    EXPECT_EQ((a + a).outputs()[0], "net_stage1_broadcast_add0_output");
    EXPECT_EQ(compose("relu", {a}, {}, "mine").outputs()[0], "net_stage1_mine_output");
  }
  EXPECT_EQ(compose("relu", {a}, {}, "mine").outputs()[0], "mine_output");
}

TEST(Symbols, CarryAttributes) {
  Symbol w = variable("w", {{"shape", {3, 2}}, {"lr_mult", 2.0}, {"init", "Zero"}});
  EXPECT_EQ(*w.attr("lr_mult"), "2");
  EXPECT_EQ(*w.attr("__shape__"), "(3, 2)");
  EXPECT_FALSE(w.attr("wd_mult"));
  Symbol fc = compose("FullyConnected", NamedSymbols{{"data", variable("x")}, {"weight", w}}, {{"num_hidden", 3}, {"no_bias", true}}, "fc");
  EXPECT_EQ(fc.attrs()["fc"]["num_hidden"], "3");
  EXPECT_EQ(fc.attrs()["w"]["lr_mult"], "2");
  fc.set_attr("ctx_group", "left");
  EXPECT_EQ(fc.attrs()["fc"]["__ctx_group__"], "left");
  EXPECT_THROW(fc.set_attr("num_hidden", "many"), ArgumentError);
  EXPECT_THROW(fc.set_attr("no_bias", false), ArgumentError);
  fc.set_attr("num_hidden", 4);
  EXPECT_THROW(fc.infer({{"x", {1, 2}}}), ShapeError);
}

// Cross entropy of four samples of the classes 0, 1, 2, 0.
double LossOf(const NDArray& probabilities) {
  float p[12];
  probabilities.copy_to(p, 12);
  return -(std::log(p[0]) + std::log(p[4]) + std::log(p[8]) + std::log(p[9]));
}
TEST(Executors, TrainAndSpeakOfGradients) {
  Executor run = Executor::simple_bind(Mlp(), {{"data", {4, 5}}}, GradReq::write, {{"data", GradReq::null}, {"softmax_label", GradReq::null}});
  EXPECT_FALSE(run.grad("data"));
  seed(1);
  Initializer xavier("Xavier");
  for (auto& a : run.args())
    if (a.first.find("weight") != std::string::npos) xavier.fill(a.first, 7, a.second);
  NDArray x(std::vector<float>(20, 0.5f), {4, 5}), label = array({0, 1, 2, 0});
  x.write(std::vector<float>{1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0});
  double first = 0, last = 0;
  for (int i = 0; i < 200; ++i) {
    auto& y = run.forward(true, {{"data", x}, {"softmax_label", label}});
    (i ? last : first) = LossOf(y[0]);
    run.backward();
    for (auto& a : run.args())
      if (NDArray g = a.second.grad()) NDArray(a.second) -= g * 0.3;
  }
  EXPECT_LT(last, 0.1 * first);
}

TEST(Symbols, GradientsAndHistories) {
  Symbol x = variable("x"), g = (x * x).infer({{"x", {3}}}).gradient({"x"});
  Executor run = Executor::simple_bind(g, {{"x", {3}}});
  for (auto& name : g.arguments()) run.arg(name).write(name == "x" ? std::vector<float>{1, 2, 3} : std::vector<float>{1, 10, 100});
  EXPECT_EQ(run.forward()[0].to_vector<float>(), (std::vector<float>{2, 40, 600}));
  NDArray a = array({1, 2}), y;
  a.attach_grad();
  {
    autograd::Record record;
    y = (a + 1.0) * a;
  }
  EXPECT_EQ(Executor::bind(history(y), {{"x0", a}}, {}, GradReq::null).forward()[0].to_vector<float>(), (std::vector<float>{2, 6}));
}

TEST(Executors, AddNullAndReshape) {
  Symbol x = variable("x"), y = x * x + variable("b");
  Executor run = Executor::simple_bind(y, {{"x", {2}}, {"b", {2}}}, GradReq::add, {{"b", GradReq::null}});
  run.arg("x").write(std::vector<float>{3, 4});
  for (int i = 0; i < 2; ++i) run.forward(true), run.backward({array({1, 10})});
  EXPECT_EQ(run.grad("x").to_vector<float>(), (std::vector<float>{12, 160}));
  EXPECT_FALSE(run.grad("b"));
  Executor wide = run.reshape({{"x", {3}}, {"b", {3}}});
  EXPECT_EQ(wide.forward()[0].shape(), (Shape{3}));
  EXPECT_THROW(wide.backward(), StateError);
  Executor same = run.reshape({{"x", {2}}, {"b", {2}}});
  EXPECT_EQ(same.arg("x").to_vector<float>(), (std::vector<float>{3, 4}));
  NDArray mine = array({1, 2});
  Executor own = Executor::bind(y, {{"x", mine}, {"b", array({10, 20})}});
  mine.write(std::vector<float>{3, 4});
  EXPECT_EQ(own.forward(true)[0].to_vector<float>(), (std::vector<float>{19, 36}));
  own.backward();
  EXPECT_EQ(mine.grad().to_vector<float>(), (std::vector<float>{6, 8}));
  EXPECT_THROW(run.arg("y"), NameError);
  EXPECT_THROW(Executor::simple_bind(x + variable("x"), {{"x", {2}}}), ArgumentError);
}

TEST(Executors, MonitorAndStoppedGradients) {
  Symbol x = variable("x"), stop = compose("BlockGrad", {x * 3.0}, {}, "stop"), y = group({stop, x * 2.0});
  Executor run = Executor::simple_bind(y, {{"x", {1}}}, GradReq::write, {}, {{"monitor", "*scalar*"}});
  EXPECT_EQ(run.output_names().size(), 4u);
  run.arg("x").write(std::vector<float>{5});
  auto& out = run.forward(true);
  EXPECT_EQ(out[0].item(), 15);
  EXPECT_EQ(out[1].item(), 10);
  run.backward();
  EXPECT_EQ(run.grad("x").item(), 2);
}

TEST(Graphs, ControlFlow) {
  Symbol w = variable("w");
  Step scan = foreach([&](const std::vector<Symbol>& x, const std::vector<Symbol>& s) {
    Symbol next = x[0] * w + s[0];
    return Step{{next * 2.0}, {next}};
  }, {variable("xs")}, {variable("s0")});
  Executor run = Executor::simple_bind(group({scan.outputs[0], scan.states[0]}), {{"xs", {3, 1}}, {"s0", {1}}, {"w", {1}}});
  run.arg("xs").write(std::vector<float>{1, 2, 3});
  run.arg("w").write(std::vector<float>{10});
  auto& y = run.forward(true);
  EXPECT_EQ(y[0].to_vector<float>(), (std::vector<float>{20, 60, 120}));
  run.backward();
  EXPECT_EQ(run.grad("w").item(), 2 * (1 + 3 + 6) + 6);
  Step loop = while_loop([](const std::vector<Symbol>& v) { return v[0] < 100; }, [](const std::vector<Symbol>& v) { return Step{{}, {v[0] * 3.0}}; }, {variable("n")}, 50);
  Executor count = Executor::simple_bind(loop.states[0], {{"n", {1}}});
  count.arg("n").write(std::vector<float>{1});
  EXPECT_EQ(count.forward()[0].item(), 243);
  Graph g(loop.states[0]);
  EXPECT_EQ(g.text("waits"), "1");
  flx_ndarray in = count.arg("n").handle(), out = nullptr;
  int32_t n = 0;
  EXPECT_EQ(flx_graph_run(g.handle(), 0, &in, 1, &out, 1, &n), FLX_ERROR_UNSUPPORTED);
  Symbol c = cond([](const std::vector<Symbol>& v) { return compose("sum", {v[0]}) > 0; }, [](const std::vector<Symbol>& v) { return v[0] * 2.0; },
                  [](const std::vector<Symbol>& v) { return -v[0]; }, {variable("a")});
  Executor either = Executor::simple_bind(c, {{"a", {2}}});
  either.arg("a").write(std::vector<float>{-3, 1});
  EXPECT_EQ(either.forward()[0].to_vector<float>(), (std::vector<float>{3, -1}));
}

TEST(Layers, BecomeSymbolsAndBack) {
  Layer net = Layer("Sequential");
  net.add(Layer("Dense", {{"units", 4}, {"activation", "tanh"}})).add(Layer("Dense", {{"units", 2}}));
  Params params = Params::init(net, {{"data", {3, 5}}}, 1);
  Symbol s = to_symbol(net, {variable("data", {{"shape", {3, 5}}})}, "net_");
  EXPECT_EQ(s.arguments(), (std::vector<std::string>{"data", "net_0.weight", "net_0.bias", "net_1.weight", "net_1.bias"}));
  NDArray x = invoke("_random_normal", {}, {{"shape", {3, 5}}})[0];
  Executor run = Executor::simple_bind(s, {});
  for (auto& name : params.names()) params.get(name).copy_into(run.arg("net_" + name));
  EXPECT_EQ(run.forward(false, {{"data", x}})[0].to_vector<float>(), Model(net, params)(x).to_vector<float>());
  EXPECT_THROW(to_symbol(net, {variable("data")}), ShapeError);
}

// Layers whose settings say what parameters they have are saved and loaded like any other, dots in a symbol's names or not.
TEST(Layers, GraphsOfLayersAreFiles) {
  for (auto* kind : {"LSTM", "GRU"}) {
    Layer l(kind, {{"units", 4}, {"num_layers", 2}, {"bidirectional", true}, {"return_sequences", false}});
    Symbol s = to_symbol(l, {variable("data", {{"shape", {2, 5, 6}}})}), read = Symbol::from_json(s.to_json());
    Executor a = Executor::simple_bind(s, {}, GradReq::null), b = Executor::simple_bind(read, {}, GradReq::null);
    for (auto& x : a.args()) {
      seed(5);
      NDArray v = invoke("_random_uniform", {}, {{"shape", x.second.shape()}, {"low", -1.0}})[0];
      v.copy_into(a.arg(x.first)), v.copy_into(b.arg(x.first));
    }
    EXPECT_EQ(a.forward()[0].to_vector<float>(), b.forward()[0].to_vector<float>());
  }
  Symbol x = variable("x");
  EXPECT_THROW(compose("tanh", {x}).infer({{"x", {3}}}).gradient({"x"}).to_json(), UnsupportedError);
}
TEST(Layers, OfAnyParametersAreSaved) {
  Symbol w = variable("block.0.weight"), s = compose("FullyConnected", NamedSymbols{{"data", variable("x")}, {"weight", w}}, {{"num_hidden", 3}, {"no_bias", true}}, "fc");
  Layer bn = to_layer(compose("BatchNorm", {s}, {}, "bn"), {"x"}), net("Sequential");
  net.add(Layer("LSTM", {{"units", 4}, {"bidirectional", true}, {"return_sequences", false}})).add(bn).add(Layer("Operator", {{"op", "LeakyReLU"}, {"attrs", "act_type=prelu"}}));
  Params params = Params::init(net, {{"data", {2, 5, 6}}}, 3);
  EXPECT_TRUE(params.get("1.block.0.weight"));
  EXPECT_TRUE(params.get("1.bn_moving_var"));
  Model model(net, params), again = Model::from_bytes(model.to_bytes());
  NDArray x = invoke("_random_normal", {}, {{"shape", {2, 5, 6}}})[0];
  EXPECT_EQ(again(x).to_vector<float>(), model(x).to_vector<float>());
  EXPECT_EQ(again.to_bytes(), model.to_bytes());
}

}  // namespace
}  // namespace flexor
