// SPDX-License-Identifier: Apache-2.0
// Optimizers, schedules, initializers, metrics.
#include "devices.h"
#include "guard.h"
#include "pins.h"

namespace flx::capi {
std::vector<Shape> InputShapes(const char* who, const OptionList& options, DType* dtype, const Device** device) {
  std::vector<Shape> shapes;
  for (auto& o : options) {
    if (device && o.first == "device") {
      *device = ResolveDevice(o.second.c_str());
    } else if (o.first != "dtype") {
      shapes.push_back(ParseShape("input shape", o.second));
    } else if (!DTypeFromName(o.second, dtype) || !IsFloat(*dtype)) {
      Fail(Status::kType, who, "`dtype` must be float32, float64, float16 or bfloat16, given `", o.second, "`.");
    }
  }
  if (shapes.empty()) Fail(Status::kArgument, who, "the input's shape must be given, as data = \"(64, 1, 28, 28)\".");
  return shapes;
}
}  // namespace flx::capi

using namespace flx;
using namespace flx::capi;

extern "C" {

flx_status flx_optimizer_create(const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_optimizer* out_optimizer) {
  FLX_BEGIN
    NeedText(who, "name", name);
    NeedPointer(who, "out_optimizer", out_optimizer);
    *out_optimizer = GiveOptimizer(Optimizer::New(name, OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_optimizer_step(flx_optimizer optimizer, flx_params params) {
  FLX_BEGIN
    auto o = PinOptimizer(who, optimizer);
    auto p = PinParams(who, params);
    Lock lock(o->mutex());
    o->Step(*p);
  FLX_END
}
flx_status flx_optimizer_update(flx_optimizer optimizer, const char* name, flx_ndarray weight, flx_ndarray grad) {
  FLX_BEGIN
    auto o = PinOptimizer(who, optimizer);
    auto w = PinArray(who, weight, "weight"), g = PinArray(who, grad, "grad");
    NeedText(who, "name", name);
    Lock lock(o->mutex());
    o->Update(name, w.ref(), g.ref());
  FLX_END
}
flx_status flx_optimizer_set(flx_optimizer optimizer, const char* key, const char* value) {
  FLX_BEGIN
    auto o = PinOptimizer(who, optimizer);
    Lock lock(o->mutex());
    o->Set(NeedText(who, "key", key), NeedText(who, "value", value));
  FLX_END
}
flx_status flx_optimizer_get(flx_optimizer optimizer, const char* key, double* out_value) {
  FLX_BEGIN
    auto o = PinOptimizer(who, optimizer);
    NeedPointer(who, "out_value", out_value);
    Lock lock(o->mutex());
    *out_value = o->Get(NeedText(who, "key", key));
  FLX_END
}
flx_status flx_optimizer_schedule(flx_optimizer optimizer, flx_schedule schedule) {
  FLX_BEGIN
    auto o = PinOptimizer(who, optimizer);
    Ref<Schedule> s;
    if (schedule) s = PinSchedule(who, schedule).ref();
    Lock lock(o->mutex());
    o->SetSchedule(s);
  FLX_END
}
flx_status flx_optimizer_to_bytes(flx_optimizer optimizer, int64_t timeout_ms, int32_t* out_ready, char** out_bytes, int64_t* out_nbytes) {
  FLX_BEGIN
    auto o = PinOptimizer(who, optimizer);
    NeedPointer(who, "out_ready", out_ready);
    NeedPointer(who, "out_bytes", out_bytes);
    NeedPointer(who, "out_nbytes", out_nbytes);
    Lock lock(o->mutex());
    auto state = o->Save();
    for (auto& a : state.arrays)
      if (!WaitToRead(*a.second, timeout_ms)) {
        *out_ready = 0;
        return;
      }
    GiveBytes(OptimizerToBytes(*o), out_bytes, out_nbytes);
    *out_ready = 1;
  FLX_END
}
flx_status flx_optimizer_from_bytes(const void* data, int64_t nbytes, flx_optimizer* out_optimizer) {
  FLX_BEGIN
    NeedBytes(who, data, nbytes);
    NeedPointer(who, "out_optimizer", out_optimizer);
    *out_optimizer = GiveOptimizer(OptimizerFromBytes({static_cast<const char*>(data), size_t(nbytes)}));
  FLX_END
}

flx_status flx_schedule_create(const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_schedule* out_schedule) {
  FLX_BEGIN
    NeedText(who, "name", name);
    NeedPointer(who, "out_schedule", out_schedule);
    *out_schedule = GiveSchedule(Schedule::New(name, OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_schedule_value(flx_schedule schedule, int64_t step, double* out_value) {
  FLX_BEGIN
    auto s = PinSchedule(who, schedule);
    NeedPointer(who, "out_value", out_value);
    if (step < 0) Fail(Status::kArgument, who, "`step` must be 0 or more, given ", step, ".");
    *out_value = s->Value(step);
  FLX_END
}

flx_status flx_initializer_create(const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_initializer* out_initializer) {
  FLX_BEGIN
    NeedText(who, "name", name);
    NeedPointer(who, "out_initializer", out_initializer);
    *out_initializer = GiveInitializer(Initializer::New(name, OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_initializer_fill(flx_initializer initializer, const char* name, int64_t seed, flx_ndarray array) {
  FLX_BEGIN
    auto i = PinInitializer(who, initializer);
    auto a = PinArray(who, array);
    i->Fill(std::string(NeedText(who, "name", name)), uint64_t(seed), a.ref());
  FLX_END
}

flx_status flx_metric_create(const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_metric* out_metric) {
  FLX_BEGIN
    NeedText(who, "name", name);
    NeedPointer(who, "out_metric", out_metric);
    *out_metric = GiveMetric(Metric::New(name, OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_metric_update(flx_metric metric, const flx_ndarray* arrays, int32_t narrays, const flx_ndarray* targets, int32_t ntargets) {
  FLX_BEGIN
    auto m = PinMetric(who, metric);
    ArrayList a(who, "arrays", arrays, narrays), t(who, "targets", targets, ntargets);
    Lock lock(m->mutex());
    m->Update(t.refs(), a.refs());
  FLX_END
}
flx_status flx_metric_value(flx_metric metric, int32_t index, int64_t timeout_ms, int32_t* out_ready, double* out_value) {
  FLX_BEGIN
    auto m = PinMetric(who, metric);
    NeedPointer(who, "out_ready", out_ready);
    NeedPointer(who, "out_value", out_value);
    Lock lock(m->mutex());
    NeedIndex(who, index, int64_t(m->names().size()), "values");
    double v = 0;
    bool ready = m->Value(index, timeout_ms, &v);
    if (ready) *out_value = v;
    *out_ready = ready;
  FLX_END
}
flx_status flx_metric_count(flx_metric metric, int32_t* out_count) {
  FLX_BEGIN
    auto m = PinMetric(who, metric);
    NeedPointer(who, "out_count", out_count);
    Lock lock(m->mutex());
    *out_count = int32_t(m->names().size());
  FLX_END
}
flx_status flx_metric_name(flx_metric metric, int32_t index, const char** out_name) {
  FLX_BEGIN
    auto m = PinMetric(who, metric);
    NeedPointer(who, "out_name", out_name);
    Lock lock(m->mutex());
    NeedIndex(who, index, int64_t(m->names().size()), "values");
    *out_name = Intern(m->names()[size_t(index)]);
  FLX_END
}
flx_status flx_metric_reset(flx_metric metric) {
  FLX_BEGIN
    auto m = PinMetric(who, metric);
    Lock lock(m->mutex());
    m->Reset();
  FLX_END
}

}  // extern "C"
