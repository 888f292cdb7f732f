// SPDX-License-Identifier: Apache-2.0
// Sequential, Residual, Concurrent, Identity: how layers are joined.
#include "train/layer.h"

namespace flx {
namespace {

using Def = LayerDef;

std::vector<Val> Sequential(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  std::vector<Val> y = x;
  auto children = layer.children();
  for (size_t i = 0; i < children.size(); ++i) y = c.RunChild(*children[i], int(i), y);
  return y;
}
int SequentialOutputs(const Layer& layer, int n) {
  for (auto& child : layer.children()) n = child->OutputCount(n);
  return n;
}

std::vector<Val> Identity(LayerContext&, const Layer&, const std::vector<Val>& x) { return {x[0]}; }

Val One(const char* who, const char* what, const std::vector<Val>& v) {
  if (v.size() != 1) Fail(Status::kArgument, who, "expected one ", what, ", given ", v.size(), ".");
  return v[0];
}
std::vector<Val> Residual(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  Val in = One("Residual", "input", x), y = One("Residual", "output of its children", Sequential(c, layer, x));
  if (ShapeOf(y) != ShapeOf(in))
    Fail(Status::kShape, "Residual", "its children must give the shape of their input, ", ShapeOf(in), ", and give ", ShapeOf(y),
         ". Where the shape changes, use Concurrent(combine=add) of the children and of a layer that brings the input to that shape.");
  return {c.Op("elemwise_add", {y, in})};
}

enum class Combine { kConcat, kAdd, kMultiply };
}  // namespace
template <> struct EnumNames<Combine> { static constexpr const char* names[] = {"concat", "add", "multiply"}; };
namespace {
struct ConcurrentSettings { int64_t axis = -1; Combine combine = Combine::kConcat; };
std::vector<Val> Concurrent(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<ConcurrentSettings>();
  auto children = layer.children();
  if (children.empty()) Fail(Status::kState, "Concurrent", "has no children; add some.");
  std::vector<Val> parts;
  for (size_t i = 0; i < children.size(); ++i) parts.push_back(One("Concurrent", "output of each child", c.RunChild(*children[i], int(i), x)));
  if (parts.size() == 1) return parts;
  if (s.combine == Combine::kConcat) {
    int axis = NormalAxis("Concurrent", s.axis, ShapeOf(parts[0]).ndim());
    return {c.Op("Concat", parts, {{"num_args", Text(parts.size())}, {"dim", Text(axis)}})};
  }
  for (size_t i = 1; i < parts.size(); ++i)
    if (ShapeOf(parts[i]) != ShapeOf(parts[0]))
      Fail(Status::kShape, "Concurrent", "the outputs of its children must have one shape, given ", ShapeOf(parts[0]), " by child 0 and ", ShapeOf(parts[i]), " by child ", i, ".");
  Val y = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) y = c.Op(s.combine == Combine::kAdd ? "elemwise_add" : "elemwise_mul", {y, parts[i]});
  return {y};
}
int OneOutput(const Layer&, int) { return 1; }
}  // namespace

void AddContainerLayers(std::vector<Def>* all) {
  all->push_back(Define<Def>("Sequential").alias("HybridSequential").alias("Chain").family("container").doc("Its children one after the other.").example("Sequential")
      .with(&Def::container, true).with(&Def::outputs, &SequentialOutputs).with(&Def::forward, &Sequential));
  all->push_back(Define<Def>("Residual").alias("SkipConnection").family("container")
      .doc("x + f(x), where f is its children one after the other (He and others, 2015). The shape stays.").example("Residual")
      .with(&Def::container, true).with(&Def::outputs, &OneOutput).with(&Def::forward, &Residual));
  all->push_back(Define<Def, ConcurrentSettings>("Concurrent").alias("HybridConcurrent").alias("Parallel").family("container")
      .doc("Each child gets the same input; their outputs become one.").example("Concurrent(axis=1)")
      .attr(&ConcurrentSettings::axis, "axis", "With combine=concat: the axis along which the outputs stand side by side.")
      .attr(&ConcurrentSettings::combine, "combine", "concat: side by side; add, multiply: element by element, all of one shape.")
      .with(&Def::container, true).with(&Def::outputs, &OneOutput).with(&Def::forward, &Concurrent));
  all->push_back(Define<Def>("Identity").family("basic").doc("The input as it is: where Concurrent needs its own input beside what its other children make of it.").example("Identity")
      .with(&Def::any_dtype, true).with(&Def::forward, &Identity));
}

}  // namespace flx
