// SPDX-License-Identifier: Apache-2.0
// Batches and metrics that the host gives to tasks; failing, stopping, and time.
#include <time.h>

#include <chrono>
#include <thread>

#include "host_helpers.h"

using namespace host_tests;

namespace {
Layer Mlp() { return nn::Sequential{nn::Dense(8).activation("tanh"), nn::Dense(3)}; }
NDArray Rows(const NDArray& a, int64_t from, int64_t to) {
  flx_ndarray part = nullptr;
  check(flx_ndarray_slice(a.handle(), from, to, 0, &part));
  return NDArray::adopt(part);
}
// The batches of array_iter, by the host: an epoch ends with an empty reply.
Function Batches(const Points& p, int64_t batch, std::vector<int>* firsts, const Task* const* task) {
  NDArray x = x_of(p), y = y_of(p);
  int64_t n = int64_t(p.y.size()), at = 0;
  return [=](const std::string& what, const Arrays& in) mutable {
    EXPECT_EQ(what, "batch");
    EXPECT_TRUE(in.empty());
    if (firsts) firsts->push_back(int((*task)->number("first")));
    if (at == n) return at = 0, Arrays();
    int64_t from = at;
    at = std::min(n, at + batch);
    return Arrays{Rows(x, from, at), Rows(y, from, at)};
  };
}
struct Work {
  Points train = points(70, 1), valid = points(33, 2);
  Model model{Mlp()};
  Optimizer adam = optimizer::Adam(0.02);
  Options options = {{"epochs", 2}, {"seed", 3}, {"metrics", "accuracy"}};
  Task start(const Iter& t, const Iter& v, const std::string& metrics = "accuracy") {
    Options o = options;
    o.set("metrics", metrics);
    return start_fit(model, nn::SoftmaxCrossEntropyLoss(), adam, t, v, o);
  }
};
std::vector<double> History(const Task& t) {
  auto h = t.history().to_vector<double>();
  for (size_t i = t.columns().size() - 1; i < h.size(); i += t.columns().size()) h[i] = 0;  // seconds
  return h;
}

TEST(HostIter, GivesTheBitsOfTheSameArrays) {
  Work a, b;
  Task plain = a.start(array_iter(a.train, 16), array_iter(a.valid, 16));
  plain.run();
  const Task* asking = nullptr;
  std::vector<int> firsts;
  Host host;
  host.functions[31] = Batches(b.train, 16, &firsts, &asking);
  host.functions[32] = Batches(b.valid, 16, nullptr, &asking);
  Task hosted = b.start(host_iter(31, {"data", "label"}), host_iter(32, {"data", "softmax_label"}, {{"batch_size", 16}, {"size", 33}}));
  asking = &hosted;
  EXPECT_TRUE(std::isnan(hosted.number("batches")));
  EXPECT_EQ(host.drive(hosted), 2);
  EXPECT_EQ(History(plain), History(hosted));
  EXPECT_EQ(values(bits(a.model)), values(bits(b.model)));
  EXPECT_EQ(firsts, (std::vector<int>{1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}));  // five batches and the end, twice

  host.functions[33] = Batches(b.valid, 10, nullptr, &asking);
  const char* metric = "accuracy";
  flx_task h = nullptr;
  check(flx_evaluate_start(b.model.handle(), host_iter(33, {}).handle(), &metric, 1, &h));
  Task measuring = Task::adopt(h);
  host.drive(measuring);
  EXPECT_EQ(measuring.number("accuracy"), evaluate(a.model, array_iter(a.valid, 10), {"accuracy"})["accuracy"]);
  Iter only_data = host_iter(34, {"data"});
  host.functions[34] = [rest = 3](const std::string&, const Arrays&) mutable { return --rest ? Arrays{NDArray(std::vector<float>(size_t(rest) * 2, 0.5f), Shape{rest, 2})} : Arrays(); };
  check(flx_predict_start(b.model.handle(), only_data.handle(), &h));
  Task predicting = Task::adopt(h);
  host.drive(predicting);
  EXPECT_EQ(predicting.arrays()[0].shape(), (Shape{3, 3}));  // batches of 2 and 1 rows
}

TEST(HostIter, WrongBatchesNameTheIterator) {
  Work w;
  Task t = w.start(host_iter(35, {"data", "label"}, {{"label", "my loader"}}), Iter());
  ASSERT_EQ(t.next(), Event::host);
  EXPECT_EQ(text(t, "host"), "batch");
  EXPECT_EQ(t.number("first"), 1);
  NDArray x = x_of(w.train), y = y_of(w.train);
  std::string message;
  auto wrong = [&](const Arrays& arrays, flx_status status) {
    EXPECT_EQ(failure([&] { reply(t, arrays); }, &message), status) << message;
    EXPECT_NE(message.find("my loader"), std::string::npos) << message;
    ASSERT_EQ(t.next(), Event::host);
  };
  wrong({x}, FLX_ERROR_ARGUMENT);
  wrong({x, NDArray()}, FLX_ERROR_ARGUMENT);
  wrong({x, Rows(y, 0, 5)}, FLX_ERROR_SHAPE);
  wrong({Rows(x, 0, 0), Rows(y, 0, 0)}, FLX_ERROR_SHAPE);
  reply(t, {});
  EXPECT_EQ(failure([&] { t.next(); }, &message), FLX_ERROR_ARGUMENT);
  EXPECT_NE(message.find("has no batch"), std::string::npos) << message;
  int32_t event = 0;
  Iter it = host_iter(36, {"data"});
  EXPECT_EQ(flx_iter_next(it.handle(), 0, &event), FLX_ERROR_UNSUPPORTED);
  EXPECT_NE(std::string(flx_last_error()).find("flx_fit_start"), std::string::npos) << flx_last_error();
  EXPECT_EQ(it.size(), -1);
  EXPECT_EQ(it.name(0), "data");
  flx_iter made = nullptr;
  EXPECT_EQ(flx_iter_from_host(-1, nullptr, 0, nullptr, nullptr, 0, &made), FLX_ERROR_ARGUMENT);
  it.reset();
}

TEST(HostIter, AnEpochWithoutBatchesSaysWhich) {
  Work w;
  Task t = w.start(host_iter(37, {"data", "label"}), Iter());
  Host host;
  host.functions[37] = [&, n = 0](const std::string&, const Arrays&) mutable { return n++ == 0 ? Arrays{x_of(w.train), y_of(w.train)} : Arrays(); };
  std::string message;
  EXPECT_EQ(failure([&] { host.drive(t); }, &message), FLX_ERROR_ARGUMENT);
  EXPECT_NE(message.find("in epoch 2"), std::string::npos) << message;
}

// Accuracy, by the host.
Arrays HostAccuracy(const std::string&, const Arrays& in) {
  EXPECT_EQ(in.size(), 2u);
  auto scores = in[0].to_vector<float>();
  auto labels = in[1].to_vector<int64_t>();
  double right = 0;
  for (size_t i = 0; i < labels.size(); ++i) right += std::max_element(&scores[3 * i], &scores[3 * i] + 3) - &scores[3 * i] == labels[i];
  return {NDArray(std::vector<double>{right / double(labels.size())})};
}

TEST(HostMetric, IsTheCoresWhereItComputesTheSame) {
  Work w;
  Host host;
  host.functions[41] = HostAccuracy;
  const Task* asking = nullptr;
  host.functions[42] = Batches(w.train, 16, nullptr, &asking);
  Task t = w.start(host_iter(42, {}), array_iter(w.valid, 16), "accuracy, Host(token=41, name=mine)");
  EXPECT_EQ(t.columns(), (std::vector<std::string>{"epoch", "loss", "accuracy", "mine", "valid.loss", "valid.accuracy", "valid.mine", "seconds"}));
  EXPECT_EQ(host.drive(t), 2);
  EXPECT_EQ(host.asked["metric"], 2 * (5 + 3));
  auto h = t.history().to_vector<double>();
  for (size_t row = 0; row < 2; ++row) {
    EXPECT_NEAR(h[row * 8 + 2], h[row * 8 + 3], 1e-12);
    EXPECT_NEAR(h[row * 8 + 5], h[row * 8 + 6], 1e-12);
  }
  EXPECT_EQ(t.number("valid.mine"), h[14]);
  const char* names[] = {"Host(token=41, name=mine)", "accuracy"};
  flx_task m = nullptr;
  check(flx_evaluate_start(w.model.handle(), array_iter(w.valid, 10).handle(), names, 2, &m));
  Task measuring = Task::adopt(m);
  host.drive(measuring);
  EXPECT_NEAR(measuring.number("mine"), measuring.number("accuracy"), 1e-12);
}

TEST(HostMetric, OnlyATaskAsks) {
  Metric m("Host", {{"token", 43}, {"name", "mine"}});
  std::string message;
  NDArray x(std::vector<float>{1}), y(std::vector<float>{1});
  EXPECT_EQ(m.name(0), "mine");
  EXPECT_EQ(failure([&] { m.update({x}, {y}); }, &message), FLX_ERROR_UNSUPPORTED);
  EXPECT_NE(message.find("flx_evaluate_start"), std::string::npos) << message;
  Work w;
  Task t = w.start(array_iter(w.train, 16), Iter(), "Host(token=43, name=mine)");
  ASSERT_EQ(t.next(), Event::host);
  EXPECT_EQ(failure([&] { reply(t, {}); }, &message), FLX_ERROR_ARGUMENT);
  EXPECT_NE(message.find("`mine`"), std::string::npos) << message;
  EXPECT_EQ(failure([&] { reply(t, {NDArray(std::vector<float>{1, 2})}); }, &message), FLX_ERROR_SHAPE);
  EXPECT_NE(message.find("`mine`"), std::string::npos) << message;
}

TEST(HostTask, SampleWeightsAreNoLabelsOfMetrics) {
  Work w;
  NDArray weights(std::vector<float>(70, 0.5f), Shape{70, 1});
  Iter it = Iter::from_arrays({x_of(w.train), y_of(w.train), weights}, {"data", "label", "weight_label"}, {{"batch_size", 16}});
  Host host;
  host.functions[44] = HostAccuracy;
  Task t = w.start(it, Iter(), "accuracy, Host(token=44, name=mine)");
  EXPECT_EQ(host.drive(t), 2);
}

TEST(HostTask, AFailureIsReportedAndTheModelIsUsable) {
  Work w;
  w.model = Model(nn::Sequential{nn::Dense(4), host_layer(45, "broken"), nn::Dense(3)});
  for (const char* when : {"forward", "backward"}) {
    Task t = w.start(array_iter(w.train, 16), Iter());
    while (t.next() == Event::host && text(t, "host") != when) reply(t, {t.arrays()[0]});
    check(flx_task_fail(t.handle(), "division by zero"));
    EXPECT_EQ(token(t), -1);
    std::string message;
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(failure([&] { t.next(); }, &message), FLX_ERROR_HOST);
      EXPECT_NE(message.find("division by zero"), std::string::npos) << message;
    }
    EXPECT_EQ(failure([&] { reply(t, {}); }), FLX_ERROR_STATE);
    EXPECT_EQ(failure([&] { check(flx_task_fail(t.handle(), "again")); }), FLX_ERROR_STATE);
    for (auto& name : w.model.params().names()) EXPECT_FALSE(w.model.params().get(name).grad()) << name;
  }
  Host host;
  host.functions[45] = [](const std::string&, const Arrays& in) { return Arrays{in[0]}; };
  Task t = w.start(array_iter(w.train, 16), Iter());
  EXPECT_EQ(host.drive(t), 2);
}

TEST(HostTask, StopsWhileAnAnswerIsAwaited) {
  Work w;
  w.model = Model(nn::Sequential{nn::Dense(4), host_layer(46, "slow"), nn::Dense(3)});
  Task t = w.start(array_iter(w.train, 16), Iter());
  int asked = 0;
  while (t.next() == Event::host && ++asked < 4) reply(t, {t.arrays()[0]});  // two whole steps, and a forward pass
  auto before = bits(w.model);
  t.stop();
  EXPECT_EQ(t.next(0), Event::done);
  EXPECT_EQ(token(t), -1);
  EXPECT_EQ(failure([&] { reply(t, {}); }), FLX_ERROR_STATE);
  EXPECT_EQ(values(before), values(bits(w.model)));
  for (auto& name : w.model.params().names()) EXPECT_FALSE(w.model.params().get(name).grad()) << name;
  // while a batch, a metric, a prediction, a graph's node and a gradient are awaited
  Task batch = w.start(host_iter(47, {}), Iter());
  ASSERT_EQ(batch.next(), Event::host);
  batch.stop();
  EXPECT_EQ(batch.next(), Event::done);
  flx_task h = nullptr;
  check(flx_predict_start(w.model.handle(), array_iter(w.valid, 16).handle(), &h));
  Task predicting = Task::adopt(h);
  ASSERT_EQ(predicting.next(), Event::host);
  reply(predicting, {predicting.arrays()[0]});
  ASSERT_EQ(predicting.next(), Event::host);
  predicting.stop();
  ASSERT_EQ(predicting.next(), Event::done);
  EXPECT_EQ(predicting.arrays()[0].shape()[0], 16);  // what there was
  Graph graph(compose("_host", {variable("x")}, host_attrs(48, "node")));
  NDArray x(std::vector<float>{1, 2});
  flx_ndarray raw = x.handle();
  check(flx_graph_start(graph.handle(), 0, &raw, 1, &h));
  Task node = Task::adopt(h);
  ASSERT_EQ(node.next(), Event::host);
  node.stop();
  EXPECT_EQ(node.next(), Event::done);
  EXPECT_TRUE(node.arrays().empty());
}

// Another thread stops it, or answers: the task is locked for each call.
TEST(HostTask, ThreadsMayShareIt) {
  Work w;
  w.options.set("epochs", 100000);
  w.model = Model(nn::Sequential{nn::Dense(4), host_layer(49, "shared"), nn::Dense(3)});
  Task t = w.start(array_iter(w.train, 16), Iter());
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) token(t), text(t, "host"), t.number("loss"), std::this_thread::sleep_for(std::chrono::milliseconds(1));
    t.stop();
  });
  Host host;
  host.functions[49] = [](const std::string&, const Arrays& in) { return Arrays{in[0]}; };
  for (;;) {
    Event e = t.next(10);
    if (e == Event::done) break;
    // it may be stopped between the question and the answer: then nothing is wanted any more
    if (e == Event::host) host.answer(t);
  }
  other.join();
  EXPECT_GT(host.asked["forward"], 0);
}

double Cpu(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}
// What a host does so that its user's interrupt is seen: next(10) comes back in time also while one step takes long. Who waits helps the engine, but only with what fits into
// its time: so no call may take a great part of a step. In processor time, since other programs may run.
TEST(HostTask, NextReturnsWhileALongStepRuns) {
  for (bool hybridize : {true, false}) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const int64_t n = 512, rows = 2048;
#else
    const int64_t n = 512, rows = 8192;
#endif
    Layer net = nn::Sequential{nn::Dense(n), nn::Dense(n), nn::Dense(n), nn::Dense(n)};
    Model model(net);
    Iter it = Iter::from_arrays({NDArray(std::vector<float>(size_t(rows * n)), Shape{rows, n}), NDArray(std::vector<float>(size_t(rows)), Shape{rows})}, {"data", "label"}, {{"batch_size", rows}});
    Optimizer sgd = optimizer::SGD(0.1);
    Task t = start_fit(model, nn::SoftmaxCrossEntropyLoss(), sgd, it, {}, {{"epochs", 1000}, {"seed", 1}, {"hybridize", hybridize}});
    while (t.next(10) != Event::epoch) {}  // plans, first values
    const double begin = Cpu(CLOCK_PROCESS_CPUTIME_ID);
    int pending = 0;
    double worst = 0;
    for (Event e = Event::pending; e != Event::epoch; pending += e == Event::pending) {
      const double from = Cpu(CLOCK_THREAD_CPUTIME_ID);
      e = t.next(10);
      worst = std::max(worst, Cpu(CLOCK_THREAD_CPUTIME_ID) - from);
    }
    const double step = Cpu(CLOCK_PROCESS_CPUTIME_ID) - begin;
    RecordProperty(hybridize ? "planned" : "imperative", "step " + std::to_string(step) + " s, worst call " + std::to_string(worst) + " s, " + std::to_string(pending) + " times pending");
    EXPECT_GE(pending, 2) << hybridize;
    EXPECT_LT(worst, step / 2) << hybridize;
    while (t.next(10) != Event::pending) {}
    t.stop();  // in the midst of a step
    int epochs = 0;
    for (Event e = Event::pending; e != Event::done; e = t.next(10)) epochs += e == Event::epoch;
    EXPECT_LE(epochs, 1) << hybridize;  // this batch, which is an epoch here, and no other
  }
}
}  // namespace
