// SPDX-License-Identifier: Apache-2.0
#include "random_graph.h"

#include <random>

namespace flx {
namespace {
constexpr int64_t kMostElements = 600;
constexpr double kMostAbsolute = 50;

struct Value {
  Ref<Symbol> symbol;
  Shape shape;
  double bound = 1;   // no element is larger
  bool read = false;
};

class Maker {
 public:
  Maker(uint64_t seed, int operators) : random_(seed), want_(operators) {}

  RandomGraph Make() {
    using Step = bool (Maker::*)();
    static constexpr Step steps[] = {&Maker::Unary, &Maker::Unary,  &Maker::Scalar, &Maker::Binary, &Maker::Binary, &Maker::Broadcast, &Maker::Lists,
                                     &Maker::Split, &Maker::Reduce, &Maker::Shapes, &Maker::Shapes, &Maker::Layer,  &Maker::Layer,     &Maker::Norm,
                                     &Maker::Image, &Maker::Matrix, &Maker::Fresh};
    NewVariable(RandomShape(1 + Below(4)));
    while (made_.operators < want_) (this->*steps[Below(std::size(steps))])();
    std::vector<Ref<Symbol>> out;
    for (auto& v : values_)
      if (!v.read) out.push_back(v.symbol);
    made_.symbol = Symbol::Group(out);
    // Texts of no operator's: keys that are stored under other names, and what JSON must escape.
    const GraphIndex& g = made_.symbol->index();
    for (Node* n : g.nodes) {
      if (Below(4)) continue;
      static const char* const keys[] = {"lr_mult", "__mood__", "ctx_group"};
      std::string value = Below(2) ? Text(double(Below(100)) / 8) : "a \"b\" \\ \n\t\x01 \xc3\xbc";
      n->SetText(keys[Below(3)], &value);
    }
    return std::move(made_);
  }

 private:
  size_t Below(size_t n) { return size_t(random_() % n); }
  template <size_t N> const char* One(const char* const (&names)[N]) { return names[Below(N)]; }
  Shape RandomShape(size_t ndim) {
    Shape s;
    for (size_t i = 0; i < ndim; ++i) s.push_back(int64_t(1 + Below(4)));
    return s;
  }
  size_t NewVariable(const Shape& s) {
    std::string name = Text("v", made_.variables.size());
    Symbol::Texts texts;
    if (Below(3) == 0) texts.emplace_back("shape", Text(s));
    values_.push_back({Symbol::Variable(name, texts), s});
    made_.variables[name] = s;
    return values_.size() - 1;
  }
  // A value that fits, or a new variable of a shape that does.
  template <class F> size_t Pick(F&& fits, const Shape& otherwise) {
    std::vector<size_t> found;
    for (size_t i = 0; i < values_.size(); ++i)
      if (fits(values_[i].shape)) found.push_back(i);
    if (found.empty() || Below(8) == 0) return NewVariable(otherwise);
    size_t near = found.size() > 6 && Below(3) ? found.size() - 6 : 0;  // mostly late ones, so that graphs grow deep
    return found[near + Below(found.size() - near)];
  }
  size_t Any() {
    size_t n = 1 + Below(4);
    return Pick([](const Shape&) { return true; }, RandomShape(n));
  }
  size_t Ranked(int low, int high) {
    return Pick([&](const Shape& s) { return s.ndim() >= low && s.ndim() <= high; }, RandomShape(size_t(low) + Below(size_t(high - low + 1))));
  }
  size_t Same(size_t as) {
    Shape s = values_[as].shape;
    return Pick([&](const Shape& t) { return t == s; }, s);
  }
  double BoundOf(const std::vector<size_t>& in, double (*join)(double, double)) {
    double b = values_[in[0]].bound;
    for (size_t i = 1; i < in.size(); ++i) b = join(b, values_[in[i]].bound);
    return b;
  }
  static double Larger(double a, double b) { return std::max(a, b); }
  static double Plus(double a, double b) { return a + b; }
  static double Times(double a, double b) { return a * b; }

  // Composes it and learns the shapes of what it makes and of the variables that stand for what is missing. False: too large, left out.
  bool Add(const char* name, const std::vector<size_t>& in, const Symbol::Texts& texts, double bound) {
    const OpDef& op = FindOp(name);
    std::vector<Ref<Symbol>> symbols;
    for (size_t i : in) symbols.push_back(values_[i].symbol);
    auto out = Symbol::Compose(op, Text("n", made_.operators, "_", name), symbols, {}, texts);
    const Node& node = *out->outputs[0].node;
    auto s = node.settings();
    int ports = op.variadic ? int(node.inputs.size()) : int(op.inputs.size());
    std::vector<Shape> xs(size_t(std::max(ports, 1)), Shape::Unknown()), ys(size_t(node.CountOutputs(*s)), Shape::Unknown());
    std::vector<DType> xt(xs.size(), DType::kFloat32), yt(ys.size(), DType::kNone);
    uint64_t present = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      int port = node.PortOf(int(i), *s);
      if (!op.variadic) present |= uint64_t(1) << port;
      if (i < in.size()) xs[size_t(port)] = values_[in[i]].shape;
    }
    InferAll(op, s->attrs.get(), xs.data(), xt.data(), ports, ys.data(), yt.data(), int(ys.size()), present);
    for (int k = 0; k < node.CountVisible(*s); ++k)
      if (!ys[size_t(k)].known() || ys[size_t(k)].size() > kMostElements) return false;
    for (size_t i = in.size(); i < node.inputs.size(); ++i) {
      const Shape& x = xs[size_t(node.PortOf(int(i), *s))];
      if (!x.known()) Fail(Status::kInternal, name, "the shape of `", node.inputs[i].node->name, "` does not follow.");
      made_.variables[node.inputs[i].node->name] = x;
    }
    for (size_t i : in) values_[i].read = true;
    for (int k = 0; k < node.CountVisible(*s); ++k)
      values_.push_back({Symbol::New({{out->outputs[0].node, k}}), ys[size_t(k)], bound});
    ++made_.operators;
    size_t last = values_.size() - 1;
    if (bound > kMostAbsolute) Add(One({"tanh", "sigmoid", "softsign"}), {last}, {}, 1);
    return true;
  }

  bool Unary() {
    size_t x = Any();
    double b = values_[x].bound;
    switch (Below(8)) {
      case 0: return Add("Activation", {x}, {{"act_type", One({"relu", "sigmoid", "tanh", "softsign", "softrelu"})}}, b + 1);
      case 1: return Add("LeakyReLU", {x}, {{"act_type", One({"leaky", "elu"})}, {"slope", "0.25"}}, b + 1);
      case 2: return Add("clip", {x}, {{"a_min", "-0.75"}, {"a_max", "0.5"}}, 0.75);
      case 3: return Add("BlockGrad", {x}, {}, b);
      case 4: return Add("square", {x}, {}, b * b);
      case 5: return Add("Dropout", {x}, {{"p", "0.0"}}, b);
      default: return Add(One({"relu", "sigmoid", "tanh", "abs", "negative", "sin", "cos", "arctan", "_copy", "ones_like"}), {x}, {}, std::max(2.0, b));
    }
  }
  bool Scalar() {
    size_t x = Any();
    double k = double(1 + Below(8)) / 4;
    return Add(One({"_plus_scalar", "_minus_scalar", "_rminus_scalar", "_mul_scalar", "_maximum_scalar", "_minimum_scalar"}), {x}, {{"scalar", Text(k)}},
               values_[x].bound * std::max(k, 1.0) + k);
  }
  bool Binary() {
    size_t x = Any(), y = Same(x);
    if (Below(3) == 0) return Add("elemwise_mul", {x, y}, {}, BoundOf({x, y}, Times));
    return Add(One({"elemwise_add", "elemwise_sub"}), {x, y}, {}, BoundOf({x, y}, Plus));
  }
  bool Broadcast() {
    size_t x = Any();
    Shape s = values_[x].shape;
    for (int i = 0; i < s.ndim(); ++i)
      if (Below(2)) s[i] = 1;
    size_t y = Pick([&](const Shape& t) { return t == s; }, s);
    if (Below(2)) std::swap(x, y);
    if (Below(3) == 0) return Add("broadcast_mul", {x, y}, {}, BoundOf({x, y}, Times));
    return Add(One({"broadcast_add", "broadcast_sub", "broadcast_maximum", "broadcast_minimum"}), {x, y}, {}, BoundOf({x, y}, Plus));
  }
  bool Lists() {
    std::vector<size_t> in{Any()};
    for (size_t n = Below(4); n > 0; --n) in.push_back(Same(in[0]));
    int ndim = values_[in[0]].shape.ndim();
    switch (Below(3)) {
      case 0: return Add("add_n", in, {}, BoundOf(in, Plus));
      case 1: return Add("stack", in, {{"axis", Text(Below(size_t(ndim) + 1))}}, BoundOf(in, Larger));
      default: return Add("Concat", in, {{"dim", Text(Below(size_t(ndim)))}}, BoundOf(in, Larger));
    }
  }
  bool Split() {
    size_t x = Ranked(1, 4);
    Shape s = values_[x].shape;
    size_t axis = Below(size_t(s.ndim()));
    int64_t n = s[int(axis)];
    if (n < 2) return false;
    return Add("SliceChannel", {x}, {{"num_outputs", Text(n)}, {"axis", Text(axis)}, {"squeeze_axis", s.ndim() > 1 && Below(2) ? "True" : "False"}}, values_[x].bound);
  }
  bool Reduce() {
    size_t x = Any();
    Shape s = values_[x].shape;
    size_t axis = Below(size_t(s.ndim()));
    const char* op = One({"sum", "mean", "max", "min"});
    double b = values_[x].bound * (op[0] == 's' ? double(s[int(axis)]) : 1);
    return Add(op, {x}, {{"axis", Text(axis)}, {"keepdims", Below(2) ? "True" : "False"}}, b);
  }
  bool Shapes() {
    size_t x = Any();
    Shape s = values_[x].shape;
    double b = values_[x].bound;
    size_t axis = Below(size_t(s.ndim()));
    switch (Below(6)) {
      case 0: return Add("transpose", {x}, {}, b);
      case 1: return Add("Reshape", {x}, {{"shape", Below(2) ? "(-1,)" : "(0, -1)"}}, b);
      case 2: return Add("Flatten", {x}, {}, b);
      case 3: return s.ndim() < 4 && Add("expand_dims", {x}, {{"axis", Text(axis)}}, b);
      case 4: return Add("SwapAxis", {x}, {{"dim1", "0"}, {"dim2", Text(axis)}}, b);
      default: return Add("slice_axis", {x}, {{"axis", Text(axis)}, {"begin", "0"}, {"end", Text(1 + Below(size_t(s[int(axis)])))}}, b);
    }
  }
  bool Layer() {
    size_t x = Ranked(2, 4);
    double b = values_[x].bound * double(values_[x].shape.size()) + 1;
    return Add("FullyConnected", {x}, {{"num_hidden", Text(1 + Below(5))}, {"no_bias", Below(2) ? "True" : "False"}}, b);
  }
  bool Norm() {
    size_t x = Ranked(2, 4);
    switch (Below(4)) {  // of n numbers none is further from their mean than sqrt(n) deviations
      case 0: return Add("BatchNorm", {x}, {{"fix_gamma", Below(2) ? "True" : "False"}, {"eps", "0.01"}}, 60);
      case 1: return Add("LayerNorm", {x}, {}, 30);
      case 2: return Add("softmax", {x}, {{"axis", Text(Below(2))}}, 1);
      default: return Add("L2Normalization", {x}, {}, 1);
    }
  }
  bool Image() {
    size_t x = Ranked(4, 4);
    double b = values_[x].bound;
    if (Below(2)) return Add("Pooling", {x}, {{"kernel", "(2, 2)"}, {"pad", "(1, 1)"}, {"pool_type", One({"max", "avg"})}}, b);
    return Add("Convolution", {x}, {{"kernel", "(3, 3)"}, {"pad", "(1, 1)"}, {"num_filter", Text(1 + Below(3))}}, b * double(values_[x].shape[1]) * 9 + 1);
  }
  bool Matrix() {
    bool batch = Below(2);
    size_t x = Ranked(batch ? 3 : 2, batch ? 3 : 2);
    double k = double(values_[x].shape.back());
    size_t y = Same(x);
    return Add(batch ? "batch_dot" : "dot", {x, y}, {{"transpose_b", "True"}}, BoundOf({x, y}, Times) * k);
  }
  bool Fresh() {
    if (Below(2)) return NewVariable(RandomShape(1 + Below(4))), true;
    Shape s = RandomShape(1 + Below(3));
    return Add(One({"_ones", "_zeros"}), {}, {{"shape", Text(s)}}, 1);
  }

  std::mt19937_64 random_;
  int want_;
  RandomGraph made_;
  std::vector<Value> values_;
};
}  // namespace

RandomGraph MakeRandomGraph(uint64_t seed, int operators) { return Maker(seed, operators).Make(); }

}  // namespace flx
