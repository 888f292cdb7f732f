// SPDX-License-Identifier: Apache-2.0
#include "devices.h"
#include "guard.h"
#include "pins.h"

using namespace flx;
using namespace flx::capi;

namespace {
bool HasParams(const Layer& layer) {
  if (!layer.def.params.empty()) return true;
  for (auto& child : layer.children()) if (HasParams(*child)) return true;
  return false;
}
// Whether all parameters are there to be written; false: time is up.
bool ParamsReady(const char* who, const Model& m, int64_t timeout_ms) {
  auto params = m.params();
  if (!params || (!params->count() && HasParams(*m.layer()))) Fail(Status::kState, who, "the model has no parameters yet. Fit it, or give it some (flx_params_init).");
  for (auto& p : params->all()) if (!WaitToRead(*p.array, timeout_ms)) return false;
  return true;
}
}  // namespace

extern "C" {

flx_status flx_model_create(flx_layer layer, flx_params params, flx_model* out_model) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_model", out_model);
    Ref<Params> p;
    if (params) p = PinParams(who, params).ref();
    *out_model = GiveModel(Make<Model>(l.ref(), p));
  FLX_END
}
flx_status flx_model_layer(flx_model model, flx_layer* out_layer) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    NeedPointer(who, "out_layer", out_layer);
    *out_layer = GiveLayer(m->layer());
  FLX_END
}
flx_status flx_model_params(flx_model model, flx_params* out_params) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    NeedPointer(who, "out_params", out_params);
    *out_params = GiveParams(m->params());
  FLX_END
}
flx_status flx_model_meta_set(flx_model model, const char* key, const char* value) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    std::string k(NeedText(who, "key", key));
    if (value) m->SetMeta(k, std::string(NeedText(who, "value", value)));
    else m->RemoveMeta(k);
  FLX_END
}
flx_status flx_model_meta_get(flx_model model, const char* key, char** out_value) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    NeedText(who, "key", key);
    NeedPointer(who, "out_value", out_value);
    auto meta = m->meta();
    auto it = meta.find(key);
    *out_value = it == meta.end() ? nullptr : GiveText(it->second);
  FLX_END
}
flx_status flx_model_meta_count(flx_model model, int32_t* out_count) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    NeedPointer(who, "out_count", out_count);
    *out_count = int32_t(m->meta().size());
  FLX_END
}
flx_status flx_model_meta_key(flx_model model, int32_t index, char** out_key) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    NeedPointer(who, "out_key", out_key);
    auto meta = m->meta();
    NeedIndex(who, index, int64_t(meta.size()), "metadata");
    *out_key = GiveText(std::next(meta.begin(), index)->first);
  FLX_END
}
flx_status flx_model_run(flx_model model, int32_t mode, const flx_ndarray* arrays, int32_t narrays, flx_ndarray* out_arrays, int32_t capacity,
                         int32_t* out_narrays) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    NeedMode(who, mode, FLX_RECORD | FLX_TRAIN | FLX_TRACE);
    ArrayList a(who, "arrays", arrays, narrays);
    NeedRoom(who, *m->layer(), a.size(), out_arrays, capacity, out_narrays);
    GiveArrays(who, m->Run(mode, a.refs()), out_arrays, capacity, out_narrays);
  FLX_END
}
flx_status flx_model_save(flx_model model, const char* path, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    NeedPath(who, path);
    NeedPointer(who, "out_ready", out_ready);
    bool ready = ParamsReady(who, *m, timeout_ms);
    if (ready) m->Save(path);
    *out_ready = ready;
  FLX_END
}
flx_status flx_model_load(const char* path, const char* device, flx_model* out_model) {
  FLX_BEGIN
    NeedPath(who, path);
    NeedPointer(who, "out_model", out_model);
    const Device* to = ResolveDevice(OptionalText(who, "device", device));
    auto m = Model::Load(path);
    m->params()->MoveTo(to);
    *out_model = GiveModel(m);
  FLX_END
}
flx_status flx_model_to_bytes(flx_model model, int64_t timeout_ms, int32_t* out_ready, char** out_bytes, int64_t* out_nbytes) {
  FLX_BEGIN
    auto m = PinModel(who, model);
    NeedPointer(who, "out_ready", out_ready);
    NeedPointer(who, "out_bytes", out_bytes);
    NeedPointer(who, "out_nbytes", out_nbytes);
    bool ready = ParamsReady(who, *m, timeout_ms);
    if (ready) GiveBytes(m->ToBytes(), out_bytes, out_nbytes);
    *out_ready = ready;
  FLX_END
}
flx_status flx_model_from_bytes(const void* data, int64_t nbytes, const char* device, flx_model* out_model) {
  FLX_BEGIN
    NeedBytes(who, data, nbytes);
    NeedPointer(who, "out_model", out_model);
    const Device* to = ResolveDevice(OptionalText(who, "device", device));
    auto m = Model::FromBytes({static_cast<const char*>(data), size_t(nbytes)});
    m->params()->MoveTo(to);
    *out_model = GiveModel(m);
  FLX_END
}

}  // extern "C"
