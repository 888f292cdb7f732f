// SPDX-License-Identifier: Apache-2.0
#include "checks.h"

#include <algorithm>
#include <cmath>

#include "exec/autograd.h"
#include "setup.h"

namespace flx::cases {
namespace {

Vector Weights(size_t n, uint64_t seed) { return Draw(int64_t(n), -1, 1, 1000 + seed); }
double Dot(const Vector& a, const Vector& b) {
  double s = 0;
  for (size_t i = 0; i < a.size(); ++i) s += a[i] * b[i];
  return s;
}

// The outputs weighted: what is differentiated.
double Value(const Setup& s, const Point& p) {
  auto outs = s.Run(s.Inputs(p, DType::kFloat64), kPlain);
  double sum = 0;
  for (size_t k = 0; k < outs.size(); ++k)
    if (IsFloat(outs[k]->dtype)) sum += Dot(ToVector(*outs[k]), Weights(size_t(outs[k]->size()), k));
  return sum;
}

struct First {
  std::vector<NDArray> x, heads, head_grads, targets, grads;  // targets: the differentiable inputs
};
First Differentiate(const Setup& s, const Point& p, DType t, int extra, const Point* weights = nullptr) {
  First f;
  f.x = s.Inputs(p, t);
  for (size_t i = 0; i < f.x.size(); ++i)
    if (s.Differentiable(i)) AttachGrad(f.x[i], GradReq::kWrite), f.targets.push_back(f.x[i]);
  auto outs = s.Run(f.x, kRecord);
  for (size_t k = 0, h = 0; k < outs.size(); ++k) {
    if (!IsFloat(outs[k]->dtype)) continue;
    f.heads.push_back(outs[k]);
    f.head_grads.push_back(ToArray(weights ? (*weights)[h] : Weights(size_t(outs[k]->size()), k), outs[k]->shape, outs[k]->dtype));
    if (extra & kCreateGraph) AttachGrad(f.head_grads.back(), GradReq::kWrite);
    ++h;
  }
  if (f.heads.empty())  // no output that a gradient could come from
    for (auto& t : f.targets) f.grads.push_back(Array::Filled(t->shape, t->dtype, 0));
  else
    f.grads = Gradients(f.heads, f.head_grads, f.targets, extra | (s.c.train ? kTrain : kPlain));
  return f;
}

// f at point p moved along coordinate j of input i, both ways.
template <class F> double Slope(Point p, size_t i, size_t j, const F& f) {
  double x = p[i][j], h = 1e-6 * std::max(1.0, std::abs(x));
  p[i][j] = x + h;
  double up = f(p), step = p[i][j];
  p[i][j] = x - h;
  return (up - f(p)) / (step - p[i][j]);
}
std::string Report(const Setup& s, const char* what, size_t i, size_t j, double got, double want) {
  return Text(what, " with respect to input ", i, s.call->op.variadic ? "" : Text(" (", s.call->op.inputs[std::min(i, s.call->op.inputs.size() - 1)].name, ")"), ", element ", j, ": ",
              got, ", central differences give ", want, ".\n");
}
bool Near(double a, double b, double tolerance, double scale) {
  if (std::isnan(a) && std::isnan(b)) return true;
  return a == b || std::abs(a - b) <= tolerance * std::max({1.0, std::abs(a), std::abs(b), scale});
}
double Largest(const Vector& v) {
  double m = 0;
  for (double x : v) if (std::isfinite(x)) m = std::max(m, std::abs(x));
  return m;
}
std::string CompareAll(const std::string& what, const Vector& a, const Vector& b, double tolerance) {
  if (a.size() != b.size()) return Text(what, ": ", a.size(), " elements against ", b.size(), ".\n");
  double scale = Largest(b);
  for (size_t i = 0; i < a.size(); ++i)
    if (!Near(a[i], b[i], tolerance, scale)) return Text(what, ", element ", i, ": ", a[i], " against ", b[i], ".\n");
  return "";
}

}  // namespace

std::string CheckRuns(const Case& c) {
  Setup s(c);
  auto& op = s.call->op;
  auto in = s.Inputs(Start(c), DType::kFloat64);
  auto outs = s.Run(in, kPlain);
  for (auto& o : outs) WaitToRead(*o);
  if (int(outs.size()) != s.call->nvisible) return Text(outs.size(), " outputs instead of ", s.call->nvisible, ".\n");
  if (op.trait(kDynamic)) return "";
  // Inference again: all inputs known, then only the first; what it finds must never contradict the real shapes.
  std::string text;
  size_t ports = op.variadic ? in.size() : op.inputs.size();
  for (bool all : {true, false}) {
    std::vector<Shape> xs(ports, Shape::Unknown()), ys(size_t(s.call->noutputs), Shape::Unknown()), real(ports, Shape::Unknown());
    std::vector<DType> xt(ports, DType::kNone), yt(size_t(s.call->noutputs), DType::kNone);
    for (size_t port = 0, k = 0; port < ports; ++port) {
      if (!op.variadic && !(s.call->present >> port & 1)) continue;
      real[port] = in[k]->shape;
      if (all || k == 0) xs[port] = in[k]->shape;
      xt[port] = in[k]->dtype;
      ++k;
    }
    InferAll(op, s.call->attrs.get(), xs.data(), xt.data(), int(ports), ys.data(), yt.data(), s.call->noutputs, s.call->present);
    for (size_t port = 0; port < ports; ++port)
      if (xs[port].known() && real[port].known() && xs[port] != real[port] && (all || !c.other_shapes))
        text += Text("inference from ", all ? "all inputs" : "input 0 alone", " finds ", xs[port], " for input ", port, ", which is ", real[port], ".\n");
    for (size_t k = 0, v = 0; k < ys.size(); ++k) {
      if (k < op.outputs.size() && op.outputs[k].hidden && !op.outputs_fn && !op.visible_fn) continue;
      if (v >= outs.size()) break;
      const Array& y = *outs[v++];
      if (all && (!ys[k].known() || yt[k] == DType::kNone)) text += Text("inference leaves output ", k, " unknown.\n");
      bool contradicts = yt[k] != DType::kNone && yt[k] != y.dtype;
      if (ys[k].known() && ys[k] != y.shape && all) contradicts = true;
      if (contradicts) text += Text("inference promises ", yt[k], " ", ys[k], " for output ", k, ", which is ", Describe(y), ".\n");
    }
  }
  return text;
}

std::string CheckGradient(const Case& c) {
  Setup s(c);
  Point p = Start(c);
  First f = Differentiate(s, p, DType::kFloat64, kPlain);
  std::string text;
  for (size_t i = 0, t = 0; i < p.size(); ++i) {
    if (!s.Differentiable(i)) continue;
    if (f.grads[t]->shape != f.x[i]->shape) return Text("the gradient of input ", i, " has shape ", f.grads[t]->shape, ", the input ", f.x[i]->shape, ".\n");
    Vector g = ToVector(*f.grads[t++]);
    double scale = Largest(g);
    for (size_t j = 0; j < g.size() && text.size() < 600; ++j) {
      double want = Slope(p, i, j, [&](const Point& q) { return Value(s, q); });
      if (!Near(g[j], want, 2e-6 * c.tolerance, scale)) text += Report(s, "gradient", i, j, g[j], want);
    }
  }
  return text;
}

std::string CheckSecond(const Case& c) {
  Setup s(c);
  Point p = Start(c), heads;
  {
    First f = Differentiate(s, p, DType::kFloat64, kPlain);
    for (auto& h : f.head_grads) heads.push_back(ToVector(*h));
  }
  // The gradients weighted, as a function of the inputs and of the head gradients.
  auto value = [&](const Point& x, const Point& w) {
    First f = Differentiate(s, x, DType::kFloat64, kPlain, &w);
    double sum = 0;
    for (size_t k = 0; k < f.grads.size(); ++k) sum += Dot(ToVector(*f.grads[k]), Weights(size_t(f.grads[k]->size()), 50 + k));
    return sum;
  };
  First f = Differentiate(s, p, DType::kFloat64, kCreateGraph, &heads);
  std::vector<NDArray> recorded, weights, targets = f.targets;
  targets.insert(targets.end(), f.head_grads.begin(), f.head_grads.end());
  for (size_t k = 0; k < f.grads.size(); ++k)
    if (IsRecorded(*f.grads[k])) {
      recorded.push_back(f.grads[k]);
      weights.push_back(ToArray(Weights(size_t(f.grads[k]->size()), 50 + k), f.grads[k]->shape, f.grads[k]->dtype));
    }
  std::vector<Vector> second;
  if (recorded.empty()) for (auto& t : targets) second.emplace_back(size_t(t->size()), 0.0);
  else for (auto& g : Gradients(recorded, weights, targets, c.train ? kTrain : kPlain)) second.push_back(ToVector(*g));
  std::string text;
  size_t t = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (!s.Differentiable(i)) continue;
    double scale = Largest(second[t]);
    for (size_t j = 0; j < p[i].size() && text.size() < 600; ++j) {
      double want = Slope(p, i, j, [&](const Point& q) { return value(q, heads); });
      if (!Near(second[t][j], want, 5e-6 * c.tolerance, scale)) text += Report(s, "second derivative", i, j, second[t][j], want);
    }
    ++t;
  }
  for (size_t h = 0; h < heads.size(); ++h, ++t)
    for (size_t j = 0; j < heads[h].size() && text.size() < 600; ++j) {
      double want = Slope(heads, h, j, [&](const Point& w) { return value(p, w); });
      if (!Near(second[t][j], want, 5e-6 * c.tolerance, Largest(second[t]))) text += Text("derivative of the gradient by head gradient ", h, ", element ", j, ": ", second[t][j], ", central differences give ", want, ".\n");
    }
  return text;
}

std::string CheckFloat32(const Case& c) {
  Setup s(c);
  Point p = Start(c);
  auto narrow = s.Run(s.Inputs(p, DType::kFloat32), kPlain), wide = s.Run(s.Inputs(p, DType::kFloat64), kPlain);
  std::string text;
  for (size_t k = 0; k < wide.size(); ++k) text += CompareAll(Text("float32 against float64, output ", k), ToVector(*narrow[k]), ToVector(*wide[k]), 1e-5 * c.tolerance);
  if (!text.empty() || c.no_gradient || !s.call->op.differentiable()) return text;
  First a = Differentiate(s, p, DType::kFloat32, kPlain), b = Differentiate(s, p, DType::kFloat64, kPlain);
  for (size_t k = 0; k < b.grads.size(); ++k)
    text += CompareAll(Text("float32 against float64, gradient ", k), ToVector(*a.grads[k]), ToVector(*b.grads[k]), 2e-5 * c.tolerance);
  return text;
}

std::string CheckHalf(const Case& c) {
  Setup s(c);
  Point p = Start(c);
  std::string text;
  for (DType t : {DType::kFloat16, DType::kBfloat16}) {
    for (size_t i = 0; i < p.size(); ++i)  // values that the narrow type holds exactly
      if (c.inputs[i].is_float()) p[i] = ToVector(*ToArray(p[i], c.inputs[i].shape, t));
    auto narrow = s.Run(s.Inputs(p, t), kPlain), wide = s.Run(s.Inputs(p, DType::kFloat64), kPlain);
    for (size_t k = 0; k < wide.size(); ++k)
      text += CompareAll(Text(t, " against float64, output ", k), ToVector(*narrow[k]), ToVector(*wide[k]), (t == DType::kFloat16 ? 4e-3 : 3e-2) * c.tolerance);
    if (!text.empty() || c.no_gradient || !s.call->op.differentiable() || s.call->op.trait(kLoss)) continue;
    First a = Differentiate(s, p, t, kPlain), b = Differentiate(s, p, DType::kFloat64, kPlain);
    for (size_t k = 0; k < b.grads.size(); ++k)
      text += CompareAll(Text(t, " against float64, gradient ", k), ToVector(*a.grads[k]), ToVector(*b.grads[k]), (t == DType::kFloat16 ? 1e-2 : 8e-2) * c.tolerance);
  }
  return text;
}

std::string CheckStrides(const Case& c) {
  Setup s(c);
  Point p = Start(c);
  auto plain = s.Run(s.Inputs(p, DType::kFloat64), kPlain), strided = s.Run(s.Inputs(p, DType::kFloat64, true), kPlain);
  std::string text;
  for (size_t k = 0; k < plain.size(); ++k) {
    if (plain[k]->shape != strided[k]->shape) return Text("strided inputs give shape ", strided[k]->shape, ", contiguous ones ", plain[k]->shape, ".\n");
    text += CompareAll(Text("strided against contiguous inputs, output ", k), ToVector(*strided[k]), ToVector(*plain[k]), 1e-12);
  }
  return text;
}

std::string CheckComposition(const Case& c) {
  Setup s(c);
  auto& op = s.call->op;
  Point p = Start(c);
  auto kernel = s.Run(s.Inputs(p, DType::kFloat64), kPlain);
  EagerBuilder builder(c.train ? kTrain : kPlain);
  std::vector<Val> vals;
  auto in = s.Inputs(p, DType::kFloat64);
  size_t k = 0, ports = op.variadic ? in.size() : op.inputs.size();
  for (size_t port = 0; port < ports; ++port) vals.push_back(op.variadic || (s.call->present >> port & 1) ? builder.Add(in[k++]) : Val{});
  SeedRandom(17);
  auto made = op.run_compose(op.compose_fn, vals, s.call->attrs.get());
  std::string text;
  for (size_t i = 0; i < kernel.size() && i < made.size(); ++i)
    text += CompareAll(Text("composition against kernel, output ", i), ToVector(*builder.array(made[i])), ToVector(*kernel[i]), op.trait(kExpands) ? 0 : 1e-9 * c.tolerance);
  return text;
}

std::string CheckDocs(const OpDef& d) {
  std::string text;
  auto sentence = [&](const char* what, const char* name, const char* doc) {
    std::string_view s = doc;
    if (s.size() < 8 || (s.back() != '.' && s.back() != ')' && s.back() != ':')) text += Text(what, " `", name, "` needs a sentence, it has: \"", s, "\".\n");
  };
  sentence("operator", d.name, d.doc);
  for (auto& p : d.inputs) sentence("input", p.name, p.doc);
  for (auto& f : d.schema.fields()) sentence("attribute", f.name, f.doc);
  if (!*d.family) text += "the operator has no family.\n";
  return text;
}

}  // namespace flx::cases
