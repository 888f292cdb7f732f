// SPDX-License-Identifier: Apache-2.0
#include "fit/standardize.h"

#include <cmath>

namespace flx {
namespace {
NDArray Scaled(const NDArray& a, double by) { return Invoke1("_mul_scalar", {a}, {{"scalar", Text(by)}}); }
}  // namespace

Standardizing::Standardizing(const Model& model) { Find(*model.layer(), *model.params(), "", true); }
void Standardizing::Find(const Layer& layer, const Params& params, const std::string& path, bool sees_data) {
  std::string_view kind = layer.def.name;
  if (kind == "Standardize" && !(params.Get(path + "mean") && params.Get(path + "deviation"))) {
    if (!sees_data)
      Fail(Status::kState, "fit", "layer `", path.substr(0, path.size() - 1), "` (Standardize) is not the first on the data, so a fit cannot find its mean and deviation. Put it first, set ",
           path, "mean and ", path, "deviation before, or use BatchNorm here.");
    One one;
    one.path = path;
    ParseInt(layer.Text("axis"), &one.axis);
    layers_.push_back(std::move(one));
  }
  bool all = kind == "Concurrent", first = all || kind == "Sequential" || kind == "Residual";
  auto children = layer.children();
  for (size_t i = 0; i < children.size(); ++i) Find(*children[i], params, path + Text(i, "."), sees_data && (all || (first && i == 0)));
}

NDArray Standardizing::Add(const Model& model, const Batch& batch) {
  const NDArray& x = batch.data[0];
  if (!std::exchange(checked_, true)) {  // what does not fit is told before the pass, not after it
    std::vector<Shape> shapes;
    for (auto& a : batch.data) shapes.push_back(a->shape);
    DeclareParams(*model.layer(), shapes, x->dtype);
  }
  NDArray last;
  for (auto& l : layers_) {
    const Shape& s = x->shape;
    const int axis = NormalAxis("Standardize", l.axis, s.ndim());
    const Shape flat{s.Product(0, axis), s[axis], s.Product(axis + 1, s.ndim())};
    const int64_t n = flat[0] * flat[2];
    if (n == 0 || flat[1] == 0) continue;
    l.dtype = x->dtype == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
    NDArray wide = Invoke1("Cast", {Invoke1("_np_reshape_to", {x}, {{"shape", Text(flat)}})}, {{"dtype", "float64"}});
    if (!l.shift) l.shift = CopyOf(Invoke1("slice", {wide}, {{"begin", "(0, 0, 0)"}, {"end", Text(Shape{1, flat[1], 1})}}));
    if (l.shift->shape[1] != flat[1]) Fail(Status::kShape, "fit", "a batch has ", flat[1], " features along axis ", axis, ", batches before it had ", l.shift->shape[1], ".");
    // Chan, Golub and LeVeque (1979): moments of the batch around its own mean, then of both together
    const Settings both = {{"axis", "(0, 2)"}, {"keepdims", "True"}};
    NDArray d = Invoke1("broadcast_sub", {wide, l.shift});
    NDArray mean = Scaled(Invoke1("_np_sum", {d}, both), 1.0 / double(n));
    NDArray squares = Invoke1("_np_sum", {Invoke1("square", {Invoke1("broadcast_sub", {d, mean})})}, both);
    if (!l.mean) {
      l.mean = mean, l.squares = squares;
    } else {
      const double share = double(n) / double(l.count + n);
      NDArray delta = Invoke1("elemwise_sub", {mean, l.mean});
      l.mean = Invoke1("elemwise_add", {l.mean, Scaled(delta, share)});
      l.squares = Invoke1("elemwise_add", {Invoke1("elemwise_add", {l.squares, squares}), Scaled(Invoke1("square", {delta}), double(l.count) * share)});
    }
    l.count += n;
    last = l.squares;
  }
  return last;
}

bool Standardizing::Finish(Params* params, const Deadline& d) {
  while (!layers_.empty()) {
    One& l = layers_.back();
    if (l.shift) {
      const int64_t n = l.shift->size();
      std::vector<double> mean(static_cast<size_t>(n)), squares(mean), shift(mean);
      auto read = [&](const NDArray& a, std::vector<double>* v) { return ReadArray(*a, v->data(), n * 8, DType::kFloat64, false, d.left()); };
      if (!read(l.shift, &shift) || !read(l.mean, &mean) || !read(l.squares, &squares)) return false;
      for (size_t i = 0; i < mean.size(); ++i) {
        mean[i] += shift[i], squares[i] = std::sqrt(squares[i] / double(l.count));
        if (!std::isfinite(mean[i]) || !std::isfinite(squares[i]))
          Fail(Status::kArgument, "fit", "feature ", i, " of the training data cannot be standardized: it holds NaN or infinite values, or its sum does. Replace them.");
        if (l.dtype == DType::kFloat32 ? float(squares[i]) == 0 : squares[i] == 0) squares[i] = 1;
      }
      for (const char* name : {"mean", "deviation"}) {
        if (params->Get(l.path + name)) continue;  // the one that was there stays
        auto& v = *name == 'm' ? mean : squares;
        params->Set(l.path + name, FromHost(v.data(), n * 8, DType::kFloat64, false, {n}, l.dtype), true);
      }
    }
    layers_.pop_back();
  }
  return true;
}

}  // namespace flx
