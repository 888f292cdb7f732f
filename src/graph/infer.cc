// SPDX-License-Identifier: Apache-2.0
#include "graph/infer.h"

#include "base/small_vector.h"

namespace flx {
namespace {

struct Ports {  // a node's values by the operator's ports
  SmallVector<Shape, 8> xs;
  SmallVector<DType, 8> xt;
  SmallVector<Shape, 4> ys;
  SmallVector<DType, 4> yt;
};

std::string Describe(const Shape& s, DType t) { return t == DType::kNone ? Text(s) : Text(t, " ", s); }

// The same error, with the node it is about and what was known of its inputs and outputs.
[[noreturn]] void FailAt(const Error& e, const Node& n, const NodeSettings& s, const GraphIndex& g, int i, const Inferred& known) {
  if (e.status() == Status::kMemory || !e.node.empty()) throw e;
  std::string text = Text(e.message(), " Node `", n.name, "` (", n.kind(), ")");
  const char* between = " of ";
  for (int k = 0; k < int(n.inputs.size()); ++k) {
    const Entry& in = n.inputs[size_t(k)];
    int v = g.inputs(i)[k];
    text += Text(between, InputName(n, s, k), " = `", OutputName(*in.node, *in.node->settings(), in.output), "` ", Describe(known.shapes[size_t(v)], known.dtypes[size_t(v)]));
    between = ", ";
  }
  int y = g.first_value[size_t(i)];
  if (known.shapes[size_t(y)].rank_known()) text += Text("; its output is wanted as ", Describe(known.shapes[size_t(y)], known.dtypes[size_t(y)]));
  Error out(e.status(), text + ".");
  out.op = n.kind(), out.node = n.name, out.hint = e.hint;
  throw out;
}

bool Put(Shape* have, const Shape& found) {
  if (*have == found) return false;
  *have = found;
  return true;
}
// Rules may multiply and add sizes freely, as long as no array has more elements than this; none has room.
constexpr int64_t kMostElements = int64_t(1) << 48;
void CheckElements(std::string_view who, const Shape& s) {
  int64_t n = 1;
  for (int64_t d : s)
    if (d > 0 && (__builtin_mul_overflow(n, d, &n) || n > kMostElements)) Fail(Status::kShape, who, "an array of shape ", s, " would have more elements than any memory.");
}
// One node; true if something was learnt.
bool InferNode(const GraphIndex& g, int i, Inferred* io, bool guess) {
  Node& n = *g.nodes[size_t(i)];
  if (n.variable()) return false;
  auto s = n.settings();
  const OpDef& op = *n.op;
  const int32_t* in = g.inputs(i);
  int nin = g.input_count(i), first = g.first_value[size_t(i)], nout = g.first_value[size_t(i) + 1] - first;
  int ports = op.variadic ? nin : int(op.inputs.size());
  Ports p;
  p.xs.resize(ports), p.xt.resize(ports), p.ys.resize(nout), p.yt.resize(nout);
  uint64_t present = 0;
  for (int k = 0; k < ports; ++k) p.xs[k] = Shape::Unknown(), p.xt[k] = DType::kNone;
  for (int k = 0; k < nin; ++k) {
    int port = n.PortOf(k, *s);
    present |= port < 64 ? 1ull << port : 0;
    p.xs[port] = io->shapes[size_t(in[k])], p.xt[port] = io->dtypes[size_t(in[k])];
  }
  for (int k = 0; k < nout; ++k) p.ys[k] = io->shapes[size_t(first + k)], p.yt[k] = io->dtypes[size_t(first + k)];
  bool learnt = false;
  auto put = [&](int value, const Shape& shape, DType t) {  // one value may be several inputs, of which each learns its own
    Known k{io->shapes[size_t(value)], io->dtypes[size_t(value)]};
    if (!Learn(&k, shape, t)) Fail(Status::kShape, op.name, "one array is given as inputs that differ: ", Describe(k.shape, k.dtype), " and ", Describe(shape, t), ".");
    learnt |= Put(&io->shapes[size_t(value)], k.shape);
    if (io->dtypes[size_t(value)] != k.dtype) io->dtypes[size_t(value)] = k.dtype, learnt = true;
  };
  try {
    if (op.subgraphs) InferControl(n, *s, p.xs.data(), p.xt.data(), p.ys.data(), p.yt.data(), guess);
    else InferAll(op, s->attrs.get(), p.xs.data(), p.xt.data(), ports, p.ys.data(), p.yt.data(), nout, present, guess);
    for (int k = 0; k < ports; ++k) CheckElements(op.name, p.xs[k]);
    for (int k = 0; k < nout; ++k) CheckElements(op.name, p.ys[k]);
    for (int k = 0; k < nin; ++k) {
      int port = n.PortOf(k, *s);
      put(in[k], p.xs[port], p.xt[port]);
    }
    for (int k = 0; k < nout; ++k) put(first + k, p.ys[k], p.yt[k]);
  } catch (const Error& e) {
    FailAt(e, n, *s, g, i, *io);
  }
  return learnt;
}

// What two places say of one variable, or an error naming it.
void Merge(const std::string& name, Known* have, const Known& more) {
  Known was = *have;
  if (Learn(have, more.shape, more.dtype)) return;
  if (more.dtype != DType::kNone && was.dtype != DType::kNone && was.dtype != more.dtype)
    Fail(Status::kType, "symbol", "variable `", name, "` says that it is ", more.dtype, ", given ", was.dtype, ".");
  Fail(Status::kShape, "symbol", "variable `", name, "` says that its shape is ", more.shape, ", given ", was.shape, ".");
}

Known Said(const std::string& name, const AttrDict& texts) {
  Known k;
  if (auto it = texts.find("__shape__"); it != texts.end()) k.shape = ParseShape(Text("variable ", name), it->second);
  if (auto it = texts.find("__dtype__"); it != texts.end()) {
    int64_t number;
    bool ok = ParseInt(it->second, &number) ? number >= -1 && number < kDTypeCount : it->second == "None" || DTypeFromName(it->second, &k.dtype);
    if (!ok) Fail(Status::kType, Text("variable ", name), "`dtype` must be a dtype's name or MXNet's number, given `", it->second, "`.");
    if (ParseInt(it->second, &number) && number >= 0) k.dtype = DType(number);
  }
  return k;
}
}  // namespace

bool Learn(Known* have, const Shape& shape, DType dtype) {
  if (!have->shape.rank_known()) {
    have->shape = shape;
  } else if (shape.rank_known()) {
    if (shape.ndim() != have->shape.ndim()) return false;
    for (int i = 0; i < shape.ndim(); ++i) {
      if (have->shape[i] < 0) have->shape[i] = shape[i];
      else if (shape[i] >= 0 && shape[i] != have->shape[i]) return false;
    }
  }
  if (have->dtype == DType::kNone) have->dtype = dtype;
  return dtype == DType::kNone || dtype == have->dtype;
}

Known SaidOf(const Node& variable) { return Said(variable.name, variable.settings()->texts); }
void CheckVariable(const std::string& name, const AttrDict& texts) { Said(name, texts); }

Inferred NothingKnown(const GraphIndex& g) { return {std::vector<Shape>(size_t(g.values()), Shape::Unknown()), std::vector<DType>(size_t(g.values()), DType::kNone)}; }

bool InferMore(const Symbol& symbol, Inferred* io, bool guess) {
  const GraphIndex& g = symbol.index();
  bool any = false;
  // Forwards and backwards in turn, first without guesses. Each round learns at least one size or dtype, and most graphs need two.
  for (bool guesses : {false, true}) {
    for (bool learnt = guess || !guesses, forward = true; learnt; forward = !forward) {
      learnt = false;
      for (int k = 0; k < g.size(); ++k) learnt |= InferNode(g, forward ? k : g.size() - 1 - k, io, guesses);
      any |= learnt;
    }
  }
  return any;
}

std::shared_ptr<const Inferred> Infer(const Symbol& symbol, const std::map<std::string, Known>& given, bool partial) {
  const GraphIndex& g = symbol.index();
  auto io = std::make_shared<Inferred>(NothingKnown(g));
  size_t used = 0;
  std::map<std::string, const Node*> seen;
  for (int i : g.inputs_order) {
    const Node& n = *g.nodes[size_t(i)];
    Known k;
    if (auto it = given.find(n.name); it != given.end()) k = it->second, used += seen.emplace(n.name, &n).second;
    Merge(n.name, &k, SaidOf(n));
    CheckElements(Text("variable ", n.name), k.shape);
    int v = g.first_value[size_t(i)];
    io->shapes[size_t(v)] = k.shape, io->dtypes[size_t(v)] = k.dtype;
  }
  if (used < given.size())
    for (auto& k : given)
      if (!seen.count(k.first)) Fail(Status::kName, "infer", "no variable is named `", k.first, "`.", DidYouMean(k.first, symbol.Names(Part::kInput)));
  InferMore(symbol, io.get());
  if (partial) return io;
  bool filled = false;
  for (int i : g.inputs_order) {
    DType& t = io->dtypes[size_t(g.first_value[size_t(i)])];
    if (t == DType::kNone) t = DType::kFloat32, filled = true;
  }
  if (filled) InferMore(symbol, io.get());
  std::vector<std::string> missing;
  auto unknown = [&](int v) { return !io->shapes[size_t(v)].known() || io->dtypes[size_t(v)] == DType::kNone; };
  for (int i : g.inputs_order)
    if (int v = g.first_value[size_t(i)]; unknown(v)) missing.push_back(Text("`", g.nodes[size_t(i)]->name, "` ", io->shapes[size_t(v)]));
  if (!missing.empty())
    Fail(Status::kShape, "infer", "the shapes of ", missing.size() == 1 ? "this variable do" : "these variables do", " not follow from those given: ", Join(missing, ", "), ". Give them too.");
  for (int i = 0; i < g.size(); ++i)
    for (int k = 0, m = g.nodes[size_t(i)]->CountVisible(*g.nodes[size_t(i)]->settings()); k < m; ++k)
      if (int v = g.first_value[size_t(i)] + k; unknown(v))
        Fail(Status::kShape, g.nodes[size_t(i)]->kind(), "the ", io->shapes[size_t(v)].known() ? "dtype" : "shape", " of node `", g.nodes[size_t(i)]->name,
             "` does not follow from its inputs and attributes (found: ", io->shapes[size_t(v)], ").");
  return io;
}

}  // namespace flx
