// SPDX-License-Identifier: Apache-2.0
// Networks as symbols, for the tests of tables and pictures.
#pragma once
#include "base/random.h"
#include "graph/control.h"
#include "graph/infer.h"

namespace flx {

using Texts = Symbol::Texts;
inline Ref<Symbol> Node1(const char* op, const std::string& name, const std::vector<Ref<Symbol>>& in, const Texts& texts = {}) {
  return Symbol::Compose(FindOp(op), name, in, {}, texts);
}
inline Ref<Symbol> Inferred1(const Ref<Symbol>& s, const std::map<std::string, Known>& given) { return Symbol::New(s->outputs, Infer(*s, given, false)); }

inline Ref<Symbol> LeNetSymbol() {
  auto x = Symbol::Variable("data");
  x = Node1("Convolution", "conv1", {x}, {{"kernel", "(5, 5)"}, {"num_filter", "20"}});
  x = Node1("Activation", "tanh1", {x}, {{"act_type", "tanh"}});
  x = Node1("Pooling", "pool1", {x}, {{"pool_type", "max"}, {"kernel", "(2, 2)"}, {"stride", "(2, 2)"}});
  x = Node1("Convolution", "conv2", {x}, {{"kernel", "(5, 5)"}, {"num_filter", "50"}});
  x = Node1("Activation", "tanh2", {x}, {{"act_type", "tanh"}});
  x = Node1("Pooling", "pool2", {x}, {{"pool_type", "max"}, {"kernel", "(2, 2)"}, {"stride", "(2, 2)"}});
  x = Node1("Flatten", "flatten", {x});
  x = Node1("FullyConnected", "fc1", {x}, {{"num_hidden", "500"}});
  x = Node1("Activation", "tanh3", {x}, {{"act_type", "tanh"}});
  x = Node1("FullyConnected", "fc2", {x}, {{"num_hidden", "10"}});
  return Node1("SoftmaxOutput", "softmax", {x});
}

inline Ref<Symbol> ResidualSymbol(int blocks) {
  auto norm = [](const std::string& name, Ref<Symbol> x) {
    return Node1("Activation", name + "_relu", {Symbol::New({Node1("BatchNorm", name + "_bn", {x})->outputs[0]})}, {{"act_type", "relu"}});
  };
  auto conv = [](const std::string& name, Ref<Symbol> x, const char* kernel, int filters, int stride) {
    std::string s = Text("(", stride, ", ", stride, ")");
    return Node1("Convolution", name, {x}, {{"kernel", kernel}, {"num_filter", Text(filters)}, {"stride", s}, {"pad", kernel[1] == '3' ? "(1, 1)" : "(0, 0)"}, {"no_bias", "True"}});
  };
  auto x = conv("conv0", Symbol::Variable("data"), "(3, 3)", 16, 1);
  for (int b = 0; b < blocks; ++b) {
    std::string name = Text("stage", b);
    int filters = 16 << (b / 3), stride = b && b % 3 == 0 ? 2 : 1;
    auto a = norm(name + "_a", x);
    auto y = conv(name + "_conv2", norm(name + "_b", conv(name + "_conv1", a, "(3, 3)", filters, stride)), "(3, 3)", filters, 1);
    auto around = stride == 2 ? conv(name + "_sc", a, "(1, 1)", filters, stride) : x;
    x = Node1("elemwise_add", name + "_plus", {y, around});
  }
  x = Node1("Pooling", "pool", {norm("last", x)}, {{"global_pool", "True"}, {"pool_type", "avg"}, {"kernel", "(1, 1)"}});
  return Node1("SoftmaxOutput", "softmax", {Node1("FullyConnected", "fc", {Node1("Flatten", "flatten", {x})}, {{"num_hidden", "10"}})});
}

// Weights are shared by all steps.
inline Ref<Symbol> LstmSymbol(int steps, int hidden) {
  auto var = [](const char* name) { return Symbol::Variable(name); };
  auto wx = var("lstm_i2h_weight"), bx = var("lstm_i2h_bias"), wh = var("lstm_h2h_weight"), bh = var("lstm_h2h_bias"), h = var("begin_h"), c = var("begin_c");
  auto x = Node1("SliceChannel", "cut", {var("data")}, {{"num_outputs", Text(steps)}, {"axis", "1"}, {"squeeze_axis", "True"}});
  std::vector<Ref<Symbol>> all;
  for (int t = 0; t < steps; ++t) {
    std::string n = Text("t", t, "_");
    Texts units = {{"num_hidden", Text(4 * hidden)}};
    auto gates = Node1("elemwise_add", n + "gates", {Node1("FullyConnected", n + "i2h", {Symbol::New({x->outputs[size_t(t)]}), wx, bx}, units),
                                                     Node1("FullyConnected", n + "h2h", {h, wh, bh}, units)});
    auto part = Node1("SliceChannel", n + "split", {gates}, {{"num_outputs", "4"}, {"axis", "1"}});
    auto gate = [&](int k, const char* act) { return Node1("Activation", Text(n, "gate", k), {Symbol::New({part->outputs[size_t(k)]})}, {{"act_type", act}}); };
    auto in = gate(0, "sigmoid"), forget = gate(1, "sigmoid"), next = gate(2, "tanh"), out = gate(3, "sigmoid");
    c = Node1("elemwise_add", n + "c", {Node1("elemwise_mul", n + "keep", {forget, c}), Node1("elemwise_mul", n + "write", {in, next})});
    h = Node1("elemwise_mul", n + "h", {out, Node1("Activation", n + "tanh", {c}, {{"act_type", "tanh"}})});
    all.push_back(h);
  }
  return Node1("Concat", "all", all, {{"dim", "1"}});
}

// Each node reads the one before it and one or two that were made at any time.
inline Ref<Symbol> RandomSymbol(int nodes, uint32_t seed) {
  auto next = [&](uint32_t below) { return (seed = seed * 1664525u + 1013904223u) / 65536u % below; };
  std::vector<Ref<Symbol>> made = {Symbol::Variable("data")};
  while (int(made.size()) <= nodes) {
    std::vector<Ref<Symbol>> in = {made.back()};
    for (uint32_t more = next(3); more; --more) in.push_back(made[next(uint32_t(made.size()))]);
    if (next(40) == 0) in.push_back(Symbol::Variable(Text("extra", made.size())));
    made.push_back(Node1("add_n", Text("n", made.size()), in));
  }
  return made.back();
}

// A loop over (5, 2, 3) with a dense layer in it, whose result is a state.
inline Ref<Symbol> LoopSymbol() {
  auto x = Symbol::Variable("x"), h = Symbol::Variable("h");
  auto both = Node1("elemwise_add", "both", {x, h});
  auto y = Node1("Activation", "act", {Node1("FullyConnected", "fc", {both}, {{"num_hidden", "3"}})}, {{"act_type", "tanh"}});
  auto body = Symbol::Group({y, y});
  return ComposeForeach("loop", *body, 1, {"x", "h"}, {Symbol::Variable("data"), Symbol::Variable("begin")});
}

}  // namespace flx
