// SPDX-License-Identifier: Apache-2.0
// Operator `_host`: in graphs, and in layers that are fitted, measured and run.
#include "host_helpers.h"

using namespace host_tests;

namespace {
const Function kIdentity = [](const std::string& what, const Arrays& in) { return what == "forward" ? Arrays{in[0]} : Arrays{in[0]}; };  // backward: dy stands first
// clip(x, 0, 1), by hand.
Arrays Clip01(const std::string& what, const Arrays& in) {
  if (what == "forward") {
    auto v = in[0].to_vector<float>();
    for (float& x : v) x = std::min(1.0f, std::max(0.0f, x));
    return {NDArray(v, in[0].shape())};
  }
  auto dy = in[0].to_vector<float>(), x = in[1].to_vector<float>();
  for (size_t i = 0; i < dy.size(); ++i) dy[i] = x[i] >= 0 && x[i] <= 1 ? dy[i] : 0;
  return {NDArray(dy, in[0].shape())};
}
// middle: what stands between two Dense.
Layer Net(const Layer& middle) { return nn::Sequential{nn::Dense(16).activation("tanh"), nn::BatchNorm(), nn::Dropout(0.2), middle, nn::Dense(3)}; }
struct Fitted { std::map<std::string, std::vector<float>> bits; std::vector<double> history; Model model; };
Fitted Fit(Host* host, const Layer& net, const Options& more = {}) {
  Model model(net);
  Optimizer adam = optimizer::Adam(0.02);
  Options options = {{"epochs", 3}, {"seed", 5}, {"metrics", "accuracy"}, {"hybridize", false}};
  for (auto& o : more.pairs()) options.set(o.first, o.second);
  Task t = start_fit(model, nn::SoftmaxCrossEntropyLoss(), adam, array_iter(points(100, 1), 16), array_iter(points(41, 2), 16), options);
  EXPECT_EQ(host->drive(t), 3);
  auto history = t.history().to_vector<double>();
  for (size_t i = t.columns().size() - 1; i < history.size(); i += t.columns().size()) history[i] = 0;  // seconds
  return {bits(model), history, model};
}

TEST(HostOp, IdentityChangesNoBit) {
  Host host;
  host.functions[11] = kIdentity;
  Fitted plain = Fit(&host, Net(symbol_layer(compose("identity", {variable("data")}))));
  EXPECT_TRUE(host.asked.empty());
  Fitted hosted = Fit(&host, Net(host_layer(11, "same")));
  EXPECT_EQ(host.asked["backward"], 3 * 7);
  EXPECT_EQ(host.asked["forward"], 3 * (7 + 3));
  EXPECT_EQ(host.labels[0], "host operation `same`");
  EXPECT_EQ(plain.history, hosted.history);
  EXPECT_EQ(values(plain.bits), values(hosted.bits));
  // in parts of a millisecond too: the host's answers may come in any call
  Model model(Net(host_layer(11, "same")));
  Optimizer adam = optimizer::Adam(0.02);
  Task t = start_fit(model, nn::SoftmaxCrossEntropyLoss(), adam, array_iter(points(100, 1), 16), array_iter(points(41, 2), 16), {{"epochs", 3}, {"seed", 5}, {"metrics", "accuracy"}});
  EXPECT_EQ(host.drive(t, 0), 3);
  EXPECT_EQ(values(bits(model)), values(hosted.bits));
}

TEST(HostOp, OwnGradientIsTheBuiltInOnes) {
  Host host;
  host.functions[12] = Clip01;
  Fitted by_hand = Fit(&host, Net(host_layer(12, "clip01")));
  Fitted built_in = Fit(&host, Net(symbol_layer(compose("clip", {variable("data")}, {{"a_min", 0}, {"a_max", 1}}))));
  EXPECT_EQ(values(by_hand.bits), values(built_in.bits));
  EXPECT_EQ(by_hand.history, built_in.history);
}

TEST(HostOp, EvaluateAndPredictAskToo) {
  Host host;
  host.functions[13] = Clip01;
  Fitted f = Fit(&host, Net(host_layer(13, "clip01")));
  Layer plain = Net(symbol_layer(compose("clip", {variable("data")}, {{"a_min", 0}, {"a_max", 1}})));
  Params same;
  for (auto& name : f.model.params().names()) same.set(name, f.model.params().get(name));
  Model reference(plain, same);
  Points p = points(50, 9);
  flx_task h = nullptr;
  check(flx_predict_start(f.model.handle(), array_iter(p, 16).handle(), &h));
  Task predicting = Task::adopt(h);
  host.drive(predicting);
  ASSERT_EQ(predicting.arrays().size(), 1u);
  std::vector<float> expected;
  Iter batches = array_iter(p, 16);
  while (batches.next())
    for (float v : reference(batches.arrays()[0]).to_vector<float>()) expected.push_back(v);
  EXPECT_EQ(predicting.arrays()[0].to_vector<float>(), expected);
  const char* names[] = {"accuracy"};
  check(flx_evaluate_start(f.model.handle(), array_iter(p, 16).handle(), names, 1, &h));
  Task measuring = Task::adopt(h);
  host.drive(measuring);
  EXPECT_EQ(measuring.number("accuracy"), evaluate(reference, array_iter(p, 16), {"accuracy"})["accuracy"]);
}

TEST(HostOp, OtherCallsSayWhichTaskRunsIt) {
  Layer layer = host_layer(14, "lone");
  NDArray x(std::vector<float>{1, 2}, Shape{1, 2});
  std::string message;
  auto refused = [&](auto f) {
    EXPECT_EQ(failure(f, &message), FLX_ERROR_UNSUPPORTED) << message;
    EXPECT_NE(message.find("flx_fit_start"), std::string::npos) << message;
  };
  refused([&] { layer.run(Params(), {x}); });
  refused([&] { Model(nn::Sequential{layer}).run({x}); });
  refused([&] { invoke("_host", {x}, host_attrs(14, "lone")); });
  layer.hybridize();
  refused([&] { layer.run(Params(), {x}); });
  Graph graph(compose("_host", {variable("data")}, host_attrs(14, "lone")));
  EXPECT_EQ(graph.text("waits"), "1");
  flx_ndarray in = x.handle(), out = nullptr;
  int32_t n = 0;
  EXPECT_EQ(flx_graph_run(graph.handle(), 0, &in, 1, &out, 1, &n), FLX_ERROR_UNSUPPORTED);
  EXPECT_NE(std::string(flx_last_error()).find("flx_graph_start"), std::string::npos) << flx_last_error();
  EXPECT_EQ(failure([&] { graph.run({x}); }, &message), FLX_ERROR_HOST) << message;
}

Task Start(const Graph& graph, const Arrays& arrays, int32_t mode) {
  auto raw = detail::raw_arrays(arrays);
  flx_task t = nullptr;
  check(flx_graph_start(graph.handle(), mode, raw.data(), int32_t(raw.size()), &t));
  return Task::adopt(t);
}
// y = host(x, w) of two outputs: x * w, and the sums of its rows.
Graph Product(const std::string& shapes) {
  Options o = host_attrs(15, "product");
  o.set("outputs", 2).set("shapes", shapes);
  Symbol x = variable("x"), w = variable("w");
  return Graph(compose("_host", {x * 2.0, w}, o, "product"));
}
NDArray Matrix(std::vector<float> v, int64_t columns = 2) { return NDArray(v, Shape{int64_t(v.size()) / columns, columns}); }

TEST(HostOp, GraphsStopAtItAndItsGradientIsAskedFor) {
  Graph graph = Product("[(None, 2), (None,)]");
  NDArray x = Matrix({1, 2, 3, 4}), w = Matrix({5, 6, 7, 8});
  x.attach_grad(), w.attach_grad();
  Task t = Start(graph, {x, w}, FLX_RECORD | FLX_TRAIN);
  EXPECT_EQ(token(t), -1);
  EXPECT_EQ(text(t, "host"), "");
  ASSERT_EQ(t.next(), Event::host);
  ASSERT_EQ(t.next(0), Event::host);  // as often as it is asked
  EXPECT_EQ(token(t), 15);
  EXPECT_EQ(text(t, "host"), "forward");
  auto in = t.arrays();
  ASSERT_EQ(in.size(), 2u);
  EXPECT_EQ(in[0].to_vector<float>(), (std::vector<float>{2, 4, 6, 8}));
  reply(t, {in[0] * in[1], (in[0] * in[1]).sum(1)});
  ASSERT_EQ(t.next(), Event::done);
  auto out = t.arrays();
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[1].to_vector<float>(), (std::vector<float>{34, 106}));
  flx_ndarray heads[] = {out[0].handle(), out[1].handle()};
  flx_task h = nullptr;
  check(flx_autograd_start(heads, 2, nullptr, 0, nullptr, 0, FLX_TRAIN, &h));
  Task back = Task::adopt(h);
  ASSERT_EQ(back.next(), Event::host);
  EXPECT_EQ(text(back, "host"), "backward");
  auto seen = back.arrays();
  ASSERT_EQ(seen.size(), 6u);  // dy, dy, x, w, y, y
  EXPECT_EQ(seen[5].to_vector<float>(), out[1].to_vector<float>());
  std::string message;
  EXPECT_EQ(failure([&] { reply(back, {seen[3]}); }, &message), FLX_ERROR_ARGUMENT);
  EXPECT_NE(message.find("`product`"), std::string::npos) << message;
  EXPECT_EQ(failure([&] { reply(back, {seen[1], NDArray()}); }, &message), FLX_ERROR_SHAPE);
  EXPECT_NE(message.find("`product`"), std::string::npos) << message;
  ASSERT_EQ(back.next(), Event::host);   // asked still
  reply(back, {seen[3] + seen[3], NDArray()});  // null: no gradient for w
  ASSERT_EQ(back.next(), Event::done);
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{20, 24, 28, 32}));
  EXPECT_EQ(w.grad().to_vector<float>(), (std::vector<float>{0, 0, 0, 0}));
}

TEST(HostOp, AWrongReplyIsAnErrorAndMayBeMended) {
  Graph graph = Product("[(None, 2), (None,)]");
  NDArray x = Matrix({1, 2, 3, 4}), sums(std::vector<float>{1, 2});
  Task t = Start(graph, {x, x}, 0);
  std::string message;
  EXPECT_EQ(failure([&] { reply(t, {x, sums}); }, &message), FLX_ERROR_STATE) << message;  // before it was asked
  ASSERT_EQ(t.next(), Event::host);
  auto wrong = [&](const Arrays& arrays, flx_status status) {
    EXPECT_EQ(failure([&] { reply(t, arrays); }, &message), status) << message;
    EXPECT_NE(message.find("host operation `product`"), std::string::npos) << message;
  };
  wrong({x}, FLX_ERROR_ARGUMENT);
  wrong({x, NDArray()}, FLX_ERROR_ARGUMENT);
  wrong({x, x}, FLX_ERROR_SHAPE);
  wrong({NDArray(std::vector<int32_t>{1, 2, 3, 4}, Shape{2, 2}), sums}, FLX_ERROR_TYPE);
  ASSERT_EQ(t.next(), Event::host);
  reply(t, {x, sums});
  EXPECT_EQ(failure([&] { reply(t, {x, sums}); }), FLX_ERROR_STATE);
  ASSERT_EQ(t.next(), Event::done);
  // outputs share no memory with what was given
  EXPECT_EQ(t.arrays()[1].to_vector<float>(), sums.to_vector<float>());
}

TEST(HostOp, ShapesOfItsOutputs) {
  auto shape = [](const char* shapes, int outputs = 1) {
    Options o = host_attrs(16, "shaped");
    o.set("shapes", shapes).set("outputs", outputs);
    return compose("_host", {variable("x")}, o).infer({{"x", {4, 3}}}).shape(Part::output, outputs - 1);
  };
  EXPECT_EQ(shape(""), (Shape{4, 3}));
  EXPECT_EQ(shape("(None, 10)"), (Shape{4, 10}));
  EXPECT_EQ(shape("[(-1, 2), (7,)]", 2), (Shape{7}));
  EXPECT_EQ(shape("((2,), (None,))", 2), (Shape{4}));
  EXPECT_EQ(shape("(2,), (None, 5)", 2), (Shape{4, 5}));
  std::string message;
  EXPECT_EQ(failure([&] { shape("(2, 3)", 2); }, &message), FLX_ERROR_ARGUMENT) << message;
  EXPECT_EQ(failure([&] { shape("(2, None)"); }, &message), FLX_ERROR_ARGUMENT) << message;
  EXPECT_EQ(failure([&] { shape("(a)"); }, &message), FLX_ERROR_ARGUMENT) << message;
}

TEST(HostOp, ALabelOutlivesTheToken) {
  drain_tokens();
  std::string json, bytes;
  int64_t dead = -1;
  {
    Layer layer = host_layer(17, "kept", "(None, 3)");
    Model model(nn::Sequential{nn::Dense(2), layer}, Params::init(nn::Dense(2), {{"data", {4, 2}}}, 1));
    json = layer.to_json();
    EXPECT_EQ(json.find("token"), std::string::npos) << json;
    EXPECT_EQ(layer.to_json(), host_layer(18, "kept", "(None, 3)").to_json());  // the function's number stands in no file
    check(flx_token_next(&dead));
    EXPECT_EQ(dead, 18);
    check(flx_token_next(&dead));
    EXPECT_EQ(dead, -1);
    Layer again = Layer::from_json(json);
    Host host;
    host.functions[17] = [](const std::string&, const Arrays& in) { return Arrays{NDArray(std::vector<float>(size_t(in[0].shape()[0] * 3), 1.0f), Shape{in[0].shape()[0], 3})}; };
    flx_task h = nullptr;
    check(flx_predict_start(Model(again).handle(), array_iter(points(4, 1), 4).handle(), &h));
    Task t = Task::adopt(h);
    host.drive(t);  // found by its label
    EXPECT_EQ(t.arrays()[0].shape(), (Shape{4, 3}));
  }
  check(flx_token_next(&dead));
  EXPECT_EQ(dead, 17);
  // as in another process
  flx_task h = nullptr;
  check(flx_predict_start(Model(Layer::from_json(json)).handle(), array_iter(points(4, 1), 4).handle(), &h));
  Task t = Task::adopt(h);
  std::string message;
  EXPECT_EQ(failure([&] { t.next(); }, &message), FLX_ERROR_STATE);
  EXPECT_NE(message.find("host operation `kept` must be registered"), std::string::npos) << message;
  // two of one label
  Layer a = host_layer(17, "kept"), b = host_layer(18, "kept");
  check(flx_predict_start(Model(Layer::from_json(json)).handle(), array_iter(points(4, 1), 4).handle(), &h));
  Task two = Task::adopt(h);
  EXPECT_EQ(failure([&] { two.next(); }, &message), FLX_ERROR_STATE);
  EXPECT_NE(message.find("two host operations"), std::string::npos) << message;
}

TEST(HostOp, SummaryAndPictureShowIt) {
  Layer net = nn::Sequential{nn::Dense(2), host_layer(19, "seen", "(None, 7)")};
  EXPECT_NE(net.summary({{"data", {4, 3}}}).find("(4, 7)"), std::string::npos) << net.summary({{"data", {4, 3}}});
  const Options shapes = {{"data", {4, 3}}};
  detail::RawOptions o(shapes);
  char* dot = nullptr;
  check(flx_layer_draw(net.handle(), o.keys(), o.values(), o.size(), "dot", &dot));
  EXPECT_NE(detail::take_text(dot).find("_host"), std::string::npos);
}

TEST(HostOp, InALoopItIsAskedForEachStep) {
  Step loop = foreach([](const std::vector<Symbol>& item, const std::vector<Symbol>& states) {
    Symbol y = compose("_host", {item[0] + states[0]}, host_attrs(20, "step"));
    return Step{{y}, {y}};
  }, {variable("x")}, {variable("s")});
  Graph graph(loop.states[0]);
  NDArray x = Matrix({1, 2, 3, 4, 5, 6}), s(std::vector<float>{0, 0});
  x.attach_grad();
  Host host;
  host.functions[20] = [](const std::string&, const Arrays& in) { return Arrays{in[0] * 2.0}; };  // forward and backward
  Task t = Start(graph, {x, s}, FLX_RECORD);
  host.drive(t);
  EXPECT_EQ(host.asked["forward"], 3);
  NDArray y = t.arrays()[0];
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{2 * 5 + 4 * 3 + 8 * 1, 2 * 6 + 4 * 4 + 8 * 2}));
  flx_ndarray head = y.handle();
  flx_task h = nullptr;
  check(flx_autograd_start(&head, 1, nullptr, 0, nullptr, 0, 0, &h));
  Task back = Task::adopt(h);
  host.drive(back);
  EXPECT_EQ(host.asked["backward"], 3);
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{8, 8, 4, 4, 2, 2}));
}
}  // namespace
