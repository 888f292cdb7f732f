// SPDX-License-Identifier: Apache-2.0
// Graphs run as their operators called by hand would: values, gradients, states, random numbers; and control flow as the host's own loops.
#include "exec/graph.h"

#include "exec/symbol_gradient.h"
#include "graph/control.h"
#include "graph/infer.h"
#include "helpers.h"

namespace flx {
namespace {

Ref<Symbol> Var(const std::string& name, const Symbol::Texts& texts = {}) { return Symbol::Variable(name, texts); }
Ref<Symbol> Op(const char* op, const std::string& name, const std::vector<Ref<Symbol>>& in, const Symbol::Texts& texts = {}) {
  return Symbol::Compose(FindOp(op), name, in, {}, texts);
}
Ref<Symbol> Out(const Ref<Symbol>& s, int i) { return Symbol::New({s->outputs[size_t(i)]}); }
std::vector<NDArray> RunGraph(const Ref<Symbol>& s, const std::vector<NDArray>& in, int mode = kPlain) {
  GraphRun run(Graph::New(s), mode, in);
  while (!run.Go(1000)) {}
  return run.outputs();
}
NDArray Leaf(std::vector<double> v, Shape s) {
  NDArray a = Of(std::move(v), std::move(s));
  AttachGrad(a, GradReq::kWrite);
  return a;
}
std::vector<double> Grad(const NDArray& a) { return Read(GradOf(*a)); }

TEST(Graph, RunsLikeCallsByHand) {
  auto x = Var("x"), fc = Op("FullyConnected", "fc", {x}, {{"num_hidden", "2"}}), y = Op("tanh", "y", {fc});
  EXPECT_EQ(y->Names(Part::kArgument), (std::vector<std::string>{"x", "fc_weight", "fc_bias"}));
  EXPECT_EQ(y->Names(Part::kOutput), (std::vector<std::string>{"y_output"}));
  auto make = [] { return std::vector<NDArray>{Leaf({1, -2, 0.5}, {1, 3}), Leaf({.1, .2, .3, -.4, .5, -.6}, {2, 3}), Leaf({.01, .02}, {2})}; };
  auto a = make(), b = make();
  NDArray got = RunGraph(y, a, kRecord)[0];
  NDArray want = Invoke1("tanh", {Invoke1("FullyConnected", b, {{"num_hidden", "2"}}, kRecord)}, {}, kRecord);
  EXPECT_EQ(Read(got), Read(want));
  Backward({got}, {}, 0);
  Backward({want}, {}, 0);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(Grad(a[i]), Grad(b[i])) << i;
}

TEST(Graph, KeepsStatesAndOrder) {
  auto bn = Op("BatchNorm", "bn", {Var("x")}, {{"momentum", "0.5"}, {"fix_gamma", "False"}});
  EXPECT_EQ(bn->Names(Part::kArgument), (std::vector<std::string>{"x", "bn_gamma", "bn_beta"}));
  EXPECT_EQ(bn->Names(Part::kAuxiliary), (std::vector<std::string>{"bn_moving_mean", "bn_moving_var"}));
  std::vector<NDArray> in = {Of({1, 2, 3, 6}, {2, 2}), Of({1, 1}), Of({0, 0}), Of({0, 0}), Of({1, 1})};
  RunGraph(bn, in, kTrain);
  EXPECT_EQ(Read(in[3]), (std::vector<double>{1, 2}));
  RunGraph(bn, in, kPlain);
  EXPECT_EQ(Read(in[3]), (std::vector<double>{1, 2}));
  auto drop = Op("Dropout", "d", {Var("x")}, {{"p", "0.5"}});
  NDArray ones = Array::Filled({100}, DType::kFloat64, 1);
  SeedRandom(3);
  auto a = Read(RunGraph(drop, {ones}, kTrain)[0]);
  SeedRandom(3);
  EXPECT_EQ(a, Read(Invoke1("Dropout", {ones}, {{"p", "0.5"}}, kTrain)));
}

TEST(Graph, FindsShapesThatAreOpen) {
  // As MXNet's recurrent cells begin: zeros whose batch is what they are added to.
  auto h = Op("_zeros", "h0", {}, {{"shape", "(-1, 3)"}, {"dtype", "float64"}}), y = Op("elemwise_add", "y", {Var("x"), h});
  for (int64_t n : {2, 5, 2}) EXPECT_EQ(RunGraph(y, {Array::Filled({n, 3}, DType::kFloat64, 4)})[0]->shape, (Shape{n, 3}));
  auto alone = Op("_zeros", "z", {}, {{"shape", "(-1, 3)"}});
  EXPECT_NE(MessageOf([&] { RunGraph(alone, {}); }, Status::kShape).find("node `z`"), std::string::npos);
}

TEST(Graph, MonitorsInternals) {
  auto a = Op("relu", "first", {Var("x")}), b = Op("negative", "second", {a});
  auto g = Graph::New(b, "fir*");
  EXPECT_EQ(g->symbol->Names(Part::kOutput), (std::vector<std::string>{"second_output", "first_output"}));
  GraphRun run(g, kPlain, {Of({-1, 2})});
  ASSERT_TRUE(run.Go(0));
  EXPECT_EQ(Read(run.outputs()[0]), (std::vector<double>{0, -2}));
  EXPECT_EQ(Read(run.outputs()[1]), (std::vector<double>{0, 2}));
  EXPECT_NE(MessageOf([&] { Graph::New(b, "third*"); }, Status::kArgument).find("matches no internal"), std::string::npos);
  EXPECT_EQ(Graph::New(b, "x|*d_output")->symbol->outputs.size(), 2u);
}

TEST(Graph, OutputsAreNew) {
  auto x = Var("x");
  NDArray a = Leaf({1, 2, 3, 4}, {2, 2});
  auto y = RunGraph(Symbol::Group({x, Op("Reshape", "r", {x}, {{"shape", "(4,)"}}), x}), {a}, kRecord);
  double v[] = {9, 9, 9, 9};
  WriteArray(a, v, 32, DType::kFloat64, false);
  for (auto& out : y) EXPECT_EQ(Read(out), (std::vector<double>{1, 2, 3, 4}));
  Backward(y, {}, 0);
  EXPECT_EQ(Grad(a), (std::vector<double>{3, 3, 3, 3}));
}

TEST(Graph, ErrorsNameTheNode) {
  auto s = Op("elemwise_add", "sum1", {Var("a"), Var("b")});
  std::string m = MessageOf([&] { RunGraph(s, {Of({1, 2}), Of({1, 2, 3})}); }, Status::kShape);
  EXPECT_NE(m.find("[node `sum1`]"), std::string::npos) << m;
  m = MessageOf([&] { RunGraph(s, {Of({1, 2})}); }, Status::kArgument);
  EXPECT_NE(m.find("(a, b)"), std::string::npos) << m;
}

// state' = tanh(x W + state); the output is state' doubled
Ref<Symbol> ScanBody(const Ref<Symbol>& w) {
  auto next = Op("tanh", "next", {Op("elemwise_add", "plus", {Op("dot", "dot", {Var("x_i"), w}), Var("s_i")})});
  return Symbol::Group({Op("_mul_scalar", "twice", {next}, {{"scalar", "2"}}), next});
}

TEST(Foreach, EqualsTheHostsLoop) {
  auto w = Var("w");
  auto loop = ComposeForeach("scan", *ScanBody(Op("_mul_scalar", "half", {w}, {{"scalar", "0.5"}})), 1, {"x_i", "s_i"}, {Var("xs"), Var("s0")});
  EXPECT_EQ(loop->Names(Part::kOutput), (std::vector<std::string>{"scan_output0", "scan_output1"}));
  EXPECT_EQ(loop->Names(Part::kArgument), (std::vector<std::string>{"xs", "s0", "w"}));
  auto make = [] { return std::vector<NDArray>{Leaf({.1, .2, .3, .4, .5, .6}, {3, 1, 2}), Leaf({.7, .8}, {1, 2}), Leaf({1, 2, -1, .5}, {2, 2})}; };
  auto a = make(), b = make();
  auto got = RunGraph(loop, a, kRecord);
  NDArray half = Invoke1("_mul_scalar", {b[2]}, {{"scalar", "0.5"}}, kRecord), s = b[1];
  std::vector<NDArray> outs;
  for (int i = 0; i < 3; ++i) {
    NDArray x = Invoke1("Reshape", {Invoke1("slice_axis", {b[0]}, {{"axis", "0"}, {"begin", Text(i)}, {"end", Text(i + 1)}}, kRecord)}, {{"shape", "(1, 2)"}}, kRecord);
    s = Invoke1("tanh", {Invoke1("elemwise_add", {Invoke1("dot", {x, half}, {}, kRecord), s}, {}, kRecord)}, {}, kRecord);
    outs.push_back(Invoke1("_mul_scalar", {s}, {{"scalar", "2"}}, kRecord));
  }
  NDArray stacked = Invoke1("stack", outs, {{"axis", "0"}}, kRecord);
  EXPECT_EQ(Read(got[0]), Read(stacked));
  EXPECT_EQ(Read(got[1]), Read(s));
  Backward(got, {}, 0);
  Backward({stacked, s}, {}, 0);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(Grad(a[i]), Grad(b[i])) << i;
}

TEST(Foreach, NoStepAtAll) {
  auto loop = ComposeForeach("scan", *ScanBody(Var("w")), 1, {"x_i", "s_i"}, {Var("xs"), Var("s0")});
  auto got = RunGraph(loop, {Array::New({0, 1, 2}, DType::kFloat64), Of({.7, .8}, {1, 2}), Of({1, 2, 3, 4}, {2, 2})});
  EXPECT_EQ(got[0]->shape, (Shape{0, 1, 2}));
  EXPECT_EQ(Read(got[1]), (std::vector<double>{.7, .8}));
}

TEST(Foreach, InfersBothWays) {
  auto loop = ComposeForeach("scan", *ScanBody(Var("w")), 1, {"x_i", "s_i"}, {Var("xs"), Var("s0")});
  auto known = Infer(*loop, {{"xs", {{7, 4, 3}, DType::kNone}}, {"s0", {{-1, 5}, DType::kNone}}, {"w", {{3, 5}, DType::kNone}}}, false);
  auto shape = [&](Part p, int i) { return known->shapes[size_t(loop->index().ValueOf(loop->At(p, i)))]; };
  EXPECT_EQ(shape(Part::kOutput, 0), (Shape{7, 4, 5}));
  EXPECT_EQ(shape(Part::kOutput, 1), (Shape{4, 5}));
  EXPECT_EQ(shape(Part::kArgument, 1), (Shape{4, 5}));
}

// while (n < 5 and at most `most` steps): output n^2, n' = n + k
Ref<Symbol> Counting(int64_t most) {
  auto n = Var("n");
  auto test = Op("_lesser_scalar", "less", {n}, {{"scalar", "5"}});
  auto body = Symbol::Group({Op("square", "sq", {n}), Op("elemwise_add", "add", {n, Var("k")})});
  return ComposeWhileLoop("count", *test, *body, 1, most, {"n"}, {Var("n0")});
}
TEST(WhileLoop, EqualsTheHostsLoop) {
  for (int64_t most : {2, 3, 6}) {
    NDArray n0 = Leaf({1}, {1}), k = Leaf({2}, {1});
    auto loop = Counting(most);
    EXPECT_TRUE(Graph::New(loop)->waits());
    auto got = RunGraph(loop, {n0, k}, kRecord);
    std::vector<double> want, zeros(size_t(most), 0);
    double n = 1;
    int steps = 0;
    for (; n < 5 && steps < most; ++steps, n += 2) want.push_back(n * n);
    want.resize(size_t(most), 0);
    EXPECT_EQ(Read(got[0]), want) << most;
    EXPECT_EQ(Read(got[1]), (std::vector<double>{n}));
    EXPECT_EQ(got[0]->shape, (Shape{most, 1}));
    Backward(got, {}, 0);
    // d/dn0 of sum (n0 + i k)^2 over the steps, and of n0 + steps k
    double dn = 1, dk = steps;
    for (int i = 0; i < steps; ++i) dn += 2 * (1 + 2 * i), dk += 2 * (1 + 2 * i) * i;
    EXPECT_EQ(Grad(n0), (std::vector<double>{dn}));
    EXPECT_EQ(Grad(k), (std::vector<double>{dk}));
  }
}
TEST(WhileLoop, NoStepAtAll) {
  auto got = RunGraph(Counting(3), {Of({9}), Of({1})});
  EXPECT_EQ(Read(got[0]), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(Read(got[1]), (std::vector<double>{9}));
}

TEST(WhileLoop, AStateThatBeginsAsAValueTheBodyReadsLeavesThatAlone) {
  // while (n < 20) n = n k, where n begins as k itself
  auto n = Var("n"), k = Var("k");
  auto loop = ComposeWhileLoop("powers", *Op("_lesser_scalar", "less", {n}, {{"scalar", "20"}}), *Op("elemwise_mul", "times", {n, k}), 0, 9, {"n"}, {k});
  EXPECT_EQ(Read(RunGraph(loop, {Of({3})})[0]), (std::vector<double>{27}));
}

TEST(Cond, RunsOneBranch) {
  auto a = Var("a"), b = Var("b"), x = Op("square", "outside", {Var("x")});
  auto pred = Op("_greater_scalar", "positive", {Op("sum", "total", {a})}, {{"scalar", "0"}});
  auto c = ComposeCond("choose", *pred, *Op("elemwise_mul", "times", {a, b}), *Op("elemwise_add", "plus", {a, b}), {"a", "b"}, {Var("u"), x});
  EXPECT_EQ(c->Names(Part::kOutput), (std::vector<std::string>{"choose_output"}));
  for (double sign : {1.0, -1.0}) {
    NDArray u = Leaf({sign, sign * 2}, {2}), v = Leaf({3, 4}, {2});
    auto y = RunGraph(c, {u, v}, kRecord)[0];
    EXPECT_EQ(Read(y), sign > 0 ? (std::vector<double>{9, 32}) : (std::vector<double>{8, 14}));
    Backward({y}, {}, 0);
    EXPECT_EQ(Grad(u), sign > 0 ? (std::vector<double>{9, 16}) : (std::vector<double>{1, 1}));
    EXPECT_EQ(Grad(v), sign > 0 ? (std::vector<double>{6, 16}) : (std::vector<double>{6, 8}));
  }
}
TEST(Cond, ConditionMustBeOneNumber) {
  auto a = Var("a");
  auto c = ComposeCond("choose", *Op("relu", "r", {a}), *Op("negative", "n", {a}), *Op("_copy", "c", {a}), {"a"}, {Var("u")});
  EXPECT_NE(MessageOf([&] { RunGraph(c, {Of({1, 2})}); }, Status::kShape).find("one number"), std::string::npos);
}

TEST(Control, LoopsNestAndCloseOverOuterValues) {
  // for x in xs: s += (sum over y in ys of x * y) ; the inner loop's data come from outside of both
  auto inner_body = Symbol::Group({Op("elemwise_add", "acc", {Op("elemwise_mul", "xy", {Var("x"), Var("y")}), Var("t")})});
  auto inner = ComposeForeach("inner", *inner_body, 0, {"y", "t"}, {Var("ys"), Op("zeros_like", "zero", {Var("x")})});
  auto outer_body = Symbol::Group({Op("elemwise_add", "sum", {Out(inner, 0), Var("s")})});
  auto outer = ComposeForeach("outer", *outer_body, 0, {"x", "s"}, {Var("xs"), Var("s0")});
  NDArray xs = Leaf({1, 2, 3}, {3, 1}), ys = Leaf({10, 20}, {2, 1}), s0 = Leaf({5}, {1});
  std::vector<NDArray> in;
  for (auto& n : outer->Names(Part::kArgument)) in.push_back(n == "xs" ? xs : n == "ys" ? ys : s0);
  auto y = RunGraph(outer, in, kRecord)[0];
  EXPECT_EQ(Read(y), (std::vector<double>{5 + 6 * 30}));
  Backward({y}, {}, 0);
  EXPECT_EQ(Grad(xs), (std::vector<double>{30, 30, 30}));
  EXPECT_EQ(Grad(ys), (std::vector<double>{6, 6}));
}

TEST(Control, RefusesWhatDoesNotFit) {
  auto body = ScanBody(Var("w"));
  EXPECT_NE(MessageOf([&] { ComposeForeach("f", *body, 1, {"x_i", "s_i"}, {Var("xs")}); }, Status::kArgument).find("one symbol for each"), std::string::npos);
  EXPECT_NE(MessageOf([&] { ComposeForeach("f", *body, 2, {"x_i", "s_i", "q"}, {Var("xs"), Var("s"), Var("q")}); }, Status::kArgument).find("does not read"), std::string::npos);
  EXPECT_NE(MessageOf([&] { ComposeForeach("f", *body, 0, {"x_i", "s_i"}, {Var("xs"), Var("s")}); }, Status::kArgument).find("no data"), std::string::npos);
  EXPECT_NE(MessageOf([&] { Invoke("_foreach", {Of({1})}, {{"num_outputs", "1"}, {"num_out_data", "1"}, {"in_data_locs", "(0,)"}, {"in_state_locs", "()"}, {"remain_locs", "()"}}); },
                      Status::kUnsupported).find("your own language"), std::string::npos);
  EXPECT_NE(MessageOf([&] { Op("_cond", "c", {Var("a")}, {{"num_outputs", "1"}, {"cond_input_locs", "(0,)"}, {"then_input_locs", "(0,)"}, {"else_input_locs", "(0,)"}}); },
                      Status::kArgument).find("needs 3 graphs"), std::string::npos);
}

TEST(Symbol, ComposesByPositionAndName) {
  auto d = Var("d"), w = Var("w");
  auto fc = Symbol::Compose(FindOp("FullyConnected"), "fc", {w, d}, {"weight", "data"}, {{"num_hidden", "4"}, {"no_bias", "True"}});
  EXPECT_EQ(fc->Names(Part::kArgument), (std::vector<std::string>{"d", "w"}));
  EXPECT_NE(MessageOf([&] { Symbol::Compose(FindOp("FullyConnected"), "fc", {w}, {"wieght"}, {{"num_hidden", "4"}}); }, Status::kName).find("Did you mean `weight`"), std::string::npos);
  EXPECT_NE(MessageOf([&] { Op("relu", "r", {d, w}); }, Status::kArgument).find("expected 1 input (data), given 2"), std::string::npos);
  EXPECT_NE(MessageOf([&] { Op("relu", "", {d}); }, Status::kArgument).find("needs a name"), std::string::npos);
  auto split = Op("SliceChannel", "parts", {d}, {{"num_outputs", "2"}});
  EXPECT_EQ(split->Names(Part::kOutput), (std::vector<std::string>{"parts_output0", "parts_output1"}));
  EXPECT_NE(MessageOf([&] { Op("relu", "r", {split}); }, Status::kArgument).find("Choose one"), std::string::npos);
  auto moved = Op("relu", "r", {fc})->Substitute({"d"}, {Out(split, 1)});
  EXPECT_EQ(moved->Names(Part::kArgument), (std::vector<std::string>{"d", "w"}));
  EXPECT_EQ(moved->Names(Part::kInternal), (std::vector<std::string>{"d", "parts_output0", "parts_output1", "w", "fc_output", "r_output"}));
}

TEST(Symbol, InferenceErrorsSayWhere) {
  auto fc = Op("FullyConnected", "fc1", {Var("data"), Var("w", {{"shape", "(10, 7)"}})}, {{"num_hidden", "10"}});
  std::string m = MessageOf([&] { Infer(*fc, {{"data", {{2, 8}, DType::kNone}}}, false); }, Status::kShape);
  for (const char* part : {"`fc1` (FullyConnected)", "weight = `w` (10, 7)", "data = `data` (2, 8)", "(10, 8)"}) EXPECT_NE(m.find(part), std::string::npos) << part << "\n" << m;
  m = MessageOf([&] { Infer(*fc, {{"data", {}}}, false); }, Status::kShape);
  EXPECT_NE(m.find("`data`"), std::string::npos) << m;
  m = MessageOf([&] { Infer(*fc, {{"dota", {{2, 7}, DType::kNone}}}, false); }, Status::kName);
  EXPECT_NE(m.find("Did you mean `data`"), std::string::npos) << m;
  EXPECT_NE(MessageOf([&] { Var("x", {{"shape", "(2, x)"}}); }, Status::kArgument).find("(2, x)"), std::string::npos);
}

TEST(Symbol, LongChainsAreFreedWithoutRecursion) {
  Ref<Symbol> s = Var("x");
  for (int i = 0; i < 200000; ++i) s = Op("negative", "n", {s});
  EXPECT_EQ(s->index().size(), 200001);
}

TEST(SymbolGradient, IsWhatTheTapeGives) {
  // GroupNorm and others have a composition only; softmax and dot have gradients of their own.
  auto x = Var("x"), w = Var("w"), b = Var("b");
  auto h = Op("softmax", "soft", {Op("elemwise_add", "plus", {Op("dot", "dot", {x, w}), b})});
  auto y = Symbol::Group({Op("elemwise_mul", "mul", {h, h}), Op("L2Normalization", "norm", {h})});
  auto known = Infer(*y, {{"x", {{2, 3}, DType::kFloat64}}, {"w", {{3, 4}, DType::kFloat64}}, {"b", {{2, 4}, DType::kFloat64}}}, false);
  auto gradient = SymbolGradient(*Symbol::New(y->outputs, known), {"w", "x"});
  std::map<std::string, NDArray> arrays = {{"x", Leaf({.1, .2, .3, -.4, .5, .6}, {2, 3})}, {"w", Leaf({1, 2, 3, 4, -1, -2, -3, .5, .2, .1, .4, .8}, {3, 4})},
                                           {"b", Leaf({0, 1, 0, 1, 0, 1, 0, 1}, {2, 4})}, {"mul_output_head", Of({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4})},
                                           {"norm_output_head", Of({8, 7, 6, 5, 4, 3, 2, 1}, {2, 4})}};
  std::vector<NDArray> in, plain;
  for (auto& n : gradient->Names(Part::kArgument)) in.push_back(arrays.at(n));
  for (auto& n : y->Names(Part::kArgument)) plain.push_back(arrays.at(n));
  auto got = RunGraph(gradient, in);
  Backward(RunGraph(y, plain, kRecord | kTrain), {arrays["mul_output_head"], arrays["norm_output_head"]}, 0);
  auto want_w = Grad(arrays["w"]), want_x = Grad(arrays["x"]), got_w = Read(got[0]), got_x = Read(got[1]);
  ASSERT_EQ(got_w.size(), want_w.size());
  for (size_t i = 0; i < want_w.size(); ++i) EXPECT_NEAR(got_w[i], want_w[i], 1e-12);
  for (size_t i = 0; i < want_x.size(); ++i) EXPECT_NEAR(got_x[i], want_x[i], 1e-12);
  EXPECT_NE(MessageOf([&] { SymbolGradient(*y, {"w"}); }, Status::kState).find("no shapes yet"), std::string::npos);
  EXPECT_NE(MessageOf([&] { SymbolGradient(*Symbol::New(y->outputs, known), {"W"}); }, Status::kName).find("`W`"), std::string::npos);
}
TEST(SymbolGradient, OfWhatDoesNotDependIsZero) {
  auto y = Op("relu", "r", {Op("BlockGrad", "stop", {Var("x")})});
  auto g = SymbolGradient(*Symbol::New(y->outputs, Infer(*y, {{"x", {{3}, DType::kFloat64}}}, false)), {"x"});
  EXPECT_EQ(g->Names(Part::kArgument), (std::vector<std::string>{"x"}));
  EXPECT_EQ(Read(RunGraph(g, {Of({1, 2, 3})})[0]), (std::vector<double>{0, 0, 0}));
}

TEST(HistorySymbol, IsTheComputation) {
  NDArray x = Leaf({1, 2, 3, 4}, {2, 2}), c = Of({10, 20, 30, 40}, {2, 2});
  NDArray y = Invoke1("_mul_scalar", {Invoke1("dot", {x, c}, {}, kRecord)}, {{"scalar", "0.5"}}, kRecord), z = Invoke1("broadcast_add", {y, x}, {}, kRecord);
  auto s = HistorySymbol(z);
  EXPECT_EQ(s->Names(Part::kArgument), (std::vector<std::string>{"x0", "x1"}));
  EXPECT_EQ(Read(RunGraph(s, {x, c})[0]), Read(z));
  EXPECT_NE(MessageOf([&] { HistorySymbol(c); }, Status::kState).find("while recording"), std::string::npos);
}

}  // namespace
}  // namespace flx
