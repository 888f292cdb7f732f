// SPDX-License-Identifier: Apache-2.0
#include "guard.h"
#include "io/iter.h"
#include "pins.h"

using namespace flx;
using namespace flx::capi;

extern "C" {

flx_status flx_fit_start(flx_model model, flx_layer loss, flx_optimizer optimizer, flx_iter train, flx_iter valid, const char* const* keys,
                         const char* const* values, int32_t npairs, flx_task* out_task) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    auto l = PinLayer(who, loss, "loss");
    auto o = PinOptimizer(who, optimizer);
    Pin<Iter> t(train, Kind::kIter, "train", who);
    Ref<Iter> v;
    if (valid) v = Pin<Iter>(valid, Kind::kIter, "valid", who).ref();
    NeedPointer(who, "out_task", out_task);
    *out_task = GiveTask(StartFit(m.ref(), l.ref(), o.ref(), t.ref(), v, OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_evaluate_start(flx_model model, flx_iter data, const char* const* names, int32_t nnames, flx_task* out_task) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    Pin<Iter> d(data, Kind::kIter, "data", who);
    NeedPointer(who, "out_task", out_task);
    *out_task = GiveTask(StartEvaluate(m.ref(), d.ref(), NeedNames(who, "names", names, nnames)));
  FLX_END
}
flx_status flx_predict_start(flx_model model, flx_iter data, flx_task* out_task) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    Pin<Iter> d(data, Kind::kIter, "data", who);
    NeedPointer(who, "out_task", out_task);
    *out_task = GiveTask(StartPredict(m.ref(), d.ref()));
  FLX_END
}

flx_status flx_task_next(flx_task task, int64_t timeout_ms, int32_t* out_event) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedPointer(who, "out_event", out_event);
    Lock lock(t->mutex());
    *out_event = int32_t(t->Next(timeout_ms));
  FLX_END
}
flx_status flx_task_number(flx_task task, const char* field, double* out_value) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedPointer(who, "out_value", out_value);
    Lock lock(t->mutex());
    *out_value = t->Number(NeedText(who, "field", field));
  FLX_END
}
flx_status flx_task_text(flx_task task, const char* field, char** out_text) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedPointer(who, "out_text", out_text);
    Lock lock(t->mutex());
    *out_text = GiveText(t->Text(NeedText(who, "field", field)));
  FLX_END
}
flx_status flx_task_token(flx_task task, int64_t* out_token) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedPointer(who, "out_token", out_token);
    Lock lock(t->mutex());
    *out_token = t->token();
  FLX_END
}
flx_status flx_task_arrays(flx_task task, flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedPointer(who, "out_narrays", out_narrays);
    Lock lock(t->mutex());
    auto arrays = t->arrays();
    if (capacity == 0 && !out_arrays) {
      *out_narrays = int32_t(arrays.size());
      return;
    }
    NeedPointer(who, "out_arrays", out_arrays);
    GiveArrays(who, std::move(arrays), out_arrays, capacity, out_narrays);
  FLX_END
}
flx_status flx_task_reply(flx_task task, const flx_ndarray* arrays, int32_t narrays) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    ArrayList a(who, "arrays", arrays, narrays, true);
    Lock lock(t->mutex());
    t->Reply(a.refs());
  FLX_END
}
flx_status flx_task_fail(flx_task task, const char* message) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedText(who, "message", message);
    Lock lock(t->mutex());
    t->FailHost(message);
  FLX_END
}
flx_status flx_task_stop(flx_task task) {
  FLX_BEGIN
    // not locked: it is for another thread than the one that waits in flx_task_next
    PinTask(who, task)->Stop();
  FLX_END
}
flx_status flx_task_history(flx_task task, flx_ndarray* out_array) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedPointer(who, "out_array", out_array);
    Lock lock(t->mutex());
    *out_array = GiveArray(t->History());
  FLX_END
}
flx_status flx_task_column_count(flx_task task, int32_t* out_count) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedPointer(who, "out_count", out_count);
    Lock lock(t->mutex());
    *out_count = int32_t(t->columns().size());
  FLX_END
}
flx_status flx_task_column_name(flx_task task, int32_t index, const char** out_name) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    NeedPointer(who, "out_name", out_name);
    Lock lock(t->mutex());
    auto columns = t->columns();
    NeedIndex(who, index, int64_t(columns.size()), "columns");
    *out_name = Intern(columns[size_t(index)]);
  FLX_END
}

}  // extern "C"
