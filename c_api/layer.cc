// SPDX-License-Identifier: Apache-2.0
// Layers and parameters.
#include <algorithm>

#include "devices.h"
#include "exec/invoke.h"
#include "guard.h"
#include "pins.h"

using namespace flx;
using namespace flx::capi;

namespace flx::capi {
void NeedRoom(const char* who, const Layer& layer, int ninputs, const flx_ndarray* out_arrays, int32_t capacity, const int32_t* out_narrays) {
  NeedPointer(who, "out_narrays", out_narrays);
  int n = layer.OutputCount(ninputs);
  if (capacity < n) Fail(Status::kArgument, who, "layer ", layer.def.name, " gives ", n, " arrays, `capacity` is ", capacity, ".");
  if (n > 0) NeedPointer(who, "out_arrays", out_arrays);
}
}  // namespace flx::capi

extern "C" {

flx_status flx_layer_create(const char* kind, const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_layer* out_layer) {
  FLX_BEGIN
    NeedText(who, "kind", kind);
    NeedPointer(who, "out_layer", out_layer);
    *out_layer = GiveLayer(Layer::New(kind, OptionList(who, keys, values, npairs), name ? std::string(NeedText(who, "name", name)) : ""));
  FLX_END
}
flx_status flx_layer_add(flx_layer layer, flx_layer child) {
  FLX_BEGIN
    auto l = PinLayer(who, layer), c = PinLayer(who, child, "child");
    l->Add(c.ref());
  FLX_END
}
flx_status flx_layer_child_count(flx_layer layer, int32_t* out_count) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_count", out_count);
    *out_count = int32_t(l->children().size());
  FLX_END
}
flx_status flx_layer_child_at(flx_layer layer, int32_t index, flx_layer* out_layer) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_layer", out_layer);
    auto children = l->children();
    NeedIndex(who, index, int64_t(children.size()), "children");
    *out_layer = GiveLayer(children[size_t(index)]);
  FLX_END
}
flx_status flx_layer_text(flx_layer layer, const char* field, char** out_text) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(l->Text(NeedText(who, "field", field)));
  FLX_END
}
flx_status flx_layer_to_json(flx_layer layer, char** out_text) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(l->ToJson());
  FLX_END
}
flx_status flx_layer_from_json(const char* text, flx_layer* out_layer) {
  FLX_BEGIN
    NeedText(who, "text", text);
    NeedPointer(who, "out_layer", out_layer);
    *out_layer = GiveLayer(Layer::FromJson(text));
  FLX_END
}
flx_status flx_layer_summary(flx_layer layer, const char* const* keys, const char* const* values, int32_t npairs, int32_t columns, char** out_text) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_text", out_text);
    DType dtype = DType::kFloat32;
    auto inputs = InputShapes(who, OptionList(who, keys, values, npairs), &dtype);
    *out_text = GiveText(Summary(*l, inputs, columns, dtype));
  FLX_END
}
flx_status flx_layer_run(flx_layer layer, flx_params params, int32_t mode, const flx_ndarray* arrays, int32_t narrays, flx_ndarray* out_arrays, int32_t capacity,
                         int32_t* out_narrays) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    Ref<Params> p = params ? PinParams(who, params).ref() : Make<Params>();
    NeedMode(who, mode, FLX_RECORD | FLX_TRAIN | FLX_TRACE);
    ArrayList a(who, "arrays", arrays, narrays);
    l->Freeze();
    NeedRoom(who, *l, a.size(), out_arrays, capacity, out_narrays);
    GiveArrays(who, RunLayer(*l, mode, *p, a.refs()), out_arrays, capacity, out_narrays);
  FLX_END
}

flx_status flx_layer_hybridize(flx_layer layer, const char* const* keys, const char* const* values, int32_t npairs) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    Attrs options = ParseSettings(HybridizeOptionsEntry(), OptionList(who, keys, values, npairs));
    auto& o = *static_cast<const HybridizeOptions*>(options.get());
    HybridizeLayer(*l, o.active ? &o : nullptr);
  FLX_END
}
flx_status flx_layer_plan(flx_layer layer, const char* field, char** out_text) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_text", out_text);
    std::string_view f = NeedText(who, "field", field);
    auto fields = CachedGraph::Fields();
    if (std::find(fields.begin(), fields.end(), f) == fields.end()) Fail(Status::kName, who, "a plan has no text `", f, "`.", DidYouMean(f, fields), " It has: ", Join(fields, ", "), ".");
    auto hybrid = l->hybrid();
    if (!hybrid) Fail(Status::kState, who, "the layer is not hybridized. Call flx_layer_hybridize first.");
    *out_text = GiveText(hybrid->Text(f));
  FLX_END
}

flx_status flx_params_create(flx_params* out_params) {
  FLX_BEGIN
    NeedPointer(who, "out_params", out_params);
    *out_params = GiveParams(Make<Params>());
  FLX_END
}
flx_status flx_params_init(flx_layer layer, const char* const* keys, const char* const* values, int32_t npairs, flx_initializer initializer, int64_t seed,
                           flx_params* out_params) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_params", out_params);
    DType dtype = DType::kFloat32;
    const Device* device = nullptr;
    auto inputs = InputShapes(who, OptionList(who, keys, values, npairs), &dtype, &device);
    Ref<Initializer> init;
    if (initializer) init = PinInitializer(who, initializer).ref();
    *out_params = GiveParams(InitParams(*l, inputs, dtype, init.get(), uint64_t(seed), device));
  FLX_END
}
flx_status flx_params_count(flx_params params, int32_t* out_count) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    NeedPointer(who, "out_count", out_count);
    *out_count = p->count();
  FLX_END
}
flx_status flx_params_name(flx_params params, int32_t index, const char** out_name) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    NeedPointer(who, "out_name", out_name);
    NeedIndex(who, index, p->count(), "arrays");
    *out_name = Intern(p->at(index).name);
  FLX_END
}
flx_status flx_params_at(flx_params params, int32_t index, flx_ndarray* out_array) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    NeedPointer(who, "out_array", out_array);
    NeedIndex(who, index, p->count(), "arrays");
    *out_array = GiveArray(p->at(index).array);
  FLX_END
}
flx_status flx_params_get(flx_params params, const char* name, flx_ndarray* out_array) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    NeedPointer(who, "out_array", out_array);
    *out_array = GiveArray(p->Get(NeedText(who, "name", name)));
  FLX_END
}
flx_status flx_params_set(flx_params params, const char* name, flx_ndarray array) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    auto a = PinArray(who, array);
    p->Set(std::string(NeedText(who, "name", name)), a.ref());
  FLX_END
}
flx_status flx_params_attach(flx_params params, const char* grad_req) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    GradReq req = NeedGradReq(who, grad_req);
    for (auto& x : p->all())
      if (!x.aux) AttachGrad(x.array, req);
  FLX_END
}
flx_status flx_params_save(flx_params params, const char* path, const char* format, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    NeedPath(who, path);
    NeedPointer(who, "out_ready", out_ready);
    auto list = p->all();
    for (auto& x : list)
      if (!WaitToRead(*x.array, timeout_ms)) {
        *out_ready = 0;
        return;
      }
    SaveParams(*p, path, format ? std::string(NeedText(who, "format", format)) : "");
    *out_ready = 1;
  FLX_END
}
flx_status flx_params_load(const char* path, const char* device, flx_params* out_params) {
  FLX_BEGIN
    NeedPath(who, path);
    NeedPointer(who, "out_params", out_params);
    const Device* to = ResolveDevice(OptionalText(who, "device", device));
    auto p = LoadParams(path);
    p->MoveTo(to);
    *out_params = GiveParams(p);
  FLX_END
}
flx_status flx_params_move(flx_params params, const char* device) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    p->MoveTo(ResolveDevice(OptionalText(who, "device", device)));
  FLX_END
}
flx_status flx_params_copy(flx_params params, const char* device, flx_params* out_params) {
  FLX_BEGIN
    auto p = PinParams(who, params);
    NeedPointer(who, "out_params", out_params);
    const char* to = OptionalText(who, "device", device);
    *out_params = GiveParams(p->CopyTo(to ? ResolveDevice(to) : p->device()));
  FLX_END
}

}  // extern "C"
