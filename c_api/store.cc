// SPDX-License-Identifier: Apache-2.0
#include "kvstore/store.h"

#include "base/json.h"
#include "guard.h"
#include "interop/safetensors.h"
#include "pins.h"

using namespace flx;
using namespace flx::capi;

namespace {
double NumberOf(const char* who, const Store& s, std::string_view field) {
  std::vector<std::string> names;
  for (auto& [name, value] : s.Numbers()) {
    if (name == field) return value;
    names.push_back(name);
  }
  Fail(Status::kName, who, "there is no number `", field, "`.", DidYouMean(field, names), " There are: ", Join(names, ", "), ".");
}
}  // namespace

extern "C" {

flx_status flx_store_create(const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_store* out_store) {
  FLX_BEGIN
    NeedText(who, "name", name);
    NeedPointer(who, "out_store", out_store);
    *out_store = GiveStore(Store::New(name, OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_store_join(flx_store store, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPointer(who, "out_ready", out_ready);
    *out_ready = s->Join(timeout_ms);
  FLX_END
}
flx_status flx_store_text(flx_store store, const char* field, char** out_text) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    auto f = NeedText(who, "field", field);
    NeedPointer(who, "out_text", out_text);
    if (f == "kind") *out_text = GiveText(s->def.name);
    else if (f == "role") *out_text = GiveText(RoleName(s->role()));
    else if (f == "view") *out_text = GiveText(s->Describe());
    else if (f == "address") *out_text = GiveText(s->Address());
    else Fail(Status::kName, who, "there is no text `", f, "`.", DidYouMean(f, {"kind", "role", "view", "address"}), " There are: kind, role, view, address.");
  FLX_END
}
flx_status flx_store_number(flx_store store, const char* field, double* out_value) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    auto f = NeedText(who, "field", field);
    NeedPointer(who, "out_value", out_value);
    *out_value = NumberOf(who, *s, f);
  FLX_END
}
flx_status flx_store_stats(flx_store store, char** out_text) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPointer(who, "out_text", out_text);
    std::string json = "{";
    for (auto& [name, value] : s->Numbers()) json += Text(json.size() > 1 ? "," : "", "\"", name, "\":", value);
    *out_text = GiveText(json + "}");
  FLX_END
}
flx_status flx_store_init(flx_store store, const char* const* names, int32_t nnames, const flx_ndarray* arrays, int32_t narrays) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    auto n = NeedNames(who, "names", names, nnames);
    ArrayList a(who, "arrays", arrays, narrays);
    s->Init(n, a.refs());
  FLX_END
}
flx_status flx_store_push(flx_store store, const char* const* names, int32_t nnames, const flx_ndarray* arrays, int32_t narrays, int64_t samples, int32_t priority) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    auto n = NeedNames(who, "names", names, nnames);
    ArrayList a(who, "arrays", arrays, narrays);
    s->Push(n, a.refs(), {samples, priority});
  FLX_END
}
flx_status flx_store_pull(flx_store store, const char* const* names, int32_t nnames, const flx_ndarray* targets, int32_t ntargets, int32_t priority) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    auto n = NeedNames(who, "names", names, nnames);
    ArrayList t(who, "targets", targets, ntargets);
    s->Pull(n, t.refs(), priority);
  FLX_END
}
flx_status flx_store_push_pull(flx_store store, const char* const* names, int32_t nnames, const flx_ndarray* arrays, int32_t narrays, const flx_ndarray* targets,
                               int32_t ntargets, int64_t samples, int32_t priority) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    auto n = NeedNames(who, "names", names, nnames);
    ArrayList a(who, "arrays", arrays, narrays), t(who, "targets", targets, ntargets);
    s->PushPull(n, a.refs(), t.refs(), {samples, priority});
  FLX_END
}
flx_status flx_store_optimizer(flx_store store, flx_optimizer optimizer) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    auto o = PinOptimizer(who, optimizer);
    Lock lock(o->mutex());
    s->SetOptimizer(*o);
  FLX_END
}
flx_status flx_store_set(flx_store store, const char* key, const char* value) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    auto k = NeedText(who, "key", key), v = NeedText(who, "value", value);
    s->Set(k, v);
  FLX_END
}
flx_status flx_store_barrier(flx_store store, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPointer(who, "out_ready", out_ready);
    *out_ready = s->Barrier(timeout_ms);
  FLX_END
}
flx_status flx_store_checkpoint(flx_store store, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPointer(who, "out_ready", out_ready);
    *out_ready = s->Checkpoint(timeout_ms);
  FLX_END
}
flx_status flx_store_recover(flx_store store, int64_t* out_round) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPointer(who, "out_round", out_round);
    *out_round = s->Recover();
  FLX_END
}
flx_status flx_store_finish(flx_store store, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPointer(who, "out_ready", out_ready);
    *out_ready = s->Finish(timeout_ms);
  FLX_END
}
flx_status flx_store_serve(flx_store store, int64_t timeout_ms, int32_t* out_event) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPointer(who, "out_event", out_event);
    *out_event = s->Serve(timeout_ms) ? FLX_DONE : FLX_PENDING;
  FLX_END
}
flx_status flx_store_save(flx_store store, const char* path, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPath(who, path);
    NeedPointer(who, "out_ready", out_ready);
    auto state = s->SaveStates();
    Deadline d(timeout_ms);
    for (auto& a : state.arrays)
      if (!WaitToRead(*a.second, d.left())) {
        *out_ready = 0;
        return;
      }
    SaveSafetensors(path, {std::move(state.arrays), std::move(state.text)});
    *out_ready = 1;
  FLX_END
}
flx_status flx_store_load(flx_store store, const char* path) {
  FLX_BEGIN
    auto s = PinStore(who, store);
    NeedPath(who, path);
    auto f = LoadSafetensors(path);
    s->LoadStates({std::move(f.metadata), std::move(f.arrays)});
  FLX_END
}

flx_status flx_fit_store(flx_task task, flx_store store) {
  FLX_BEGIN
    auto t = PinTask(who, task);
    auto s = PinStore(who, store);
    Lock lock(t->mutex());
    t->SetStore(s.ref());
  FLX_END
}

}  // extern "C"
