// SPDX-License-Identifier: Apache-2.0
// Pins and gifts of the kinds that train and fit make; and their common arguments.
#pragma once
#include "fit/task.h"
#include "guard.h"
#include "hybrid/planned_graph.h"
#include "kvstore/store.h"
#include "train/all.h"

namespace flx::capi {

#define FLX_KIND(Class, type, kind, arg)                                                                            \
  inline Pin<Class> Pin##Class(const char* who, type h, const char* name = arg) { return {h, Kind::kind, name, who}; } \
  inline type Give##Class(Ref<Class> r) { return reinterpret_cast<type>(NewHandle(r.Leak())); }
FLX_KIND(Symbol, flx_symbol, kSymbol, "symbol")
FLX_KIND(PlannedGraph, flx_graph, kGraph, "graph")
FLX_KIND(Layer, flx_layer, kLayer, "layer")
FLX_KIND(Params, flx_params, kParams, "params")
FLX_KIND(Model, flx_model, kModel, "model")
FLX_KIND(Optimizer, flx_optimizer, kOptimizer, "optimizer")
FLX_KIND(Schedule, flx_schedule, kSchedule, "schedule")
FLX_KIND(Initializer, flx_initializer, kInitializer, "initializer")
FLX_KIND(Metric, flx_metric, kMetric, "metric")
FLX_KIND(Store, flx_store, kStore, "store")
FLX_KIND(Task, flx_task, kTask, "task")
#undef FLX_KIND

inline void NeedIndex(const char* who, int64_t index, int64_t n, const char* what) {
  if (index < 0 || index >= n) Fail(Status::kIndex, who, "`index` must be in [0, ", n, "), the number of ", what, ", given ", index, ".");
}
// Options data = "(64, 1, 28, 28)" ..., in the order given, and dtype.
std::vector<Shape> InputShapes(const char* who, const OptionList& options, DType* dtype, const Device** device = nullptr);  // device: the option is taken
// Room for what the layer gives, told before it runs: running may change its states.
void NeedRoom(const char* who, const Layer& layer, int ninputs, const flx_ndarray* out_arrays, int32_t capacity, const int32_t* out_narrays);

}  // namespace flx::capi
