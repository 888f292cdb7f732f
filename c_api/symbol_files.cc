// SPDX-License-Identifier: Apache-2.0
// Symbols as documents, tables and pictures; as files; as layers.
#include <algorithm>

#include "graph/draw.h"
#include "graph/infer.h"
#include "graph/json.h"
#include "graph/summary.h"
#include "guard.h"
#include "interop/checkpoint.h"
#include "pins.h"
#include "symbols.h"
#include "train/symbol_layer.h"

using namespace flx;
using namespace flx::capi;

extern "C" {

flx_status flx_symbol_to_json(flx_symbol symbol, char** out_text) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(SymbolToJson(*s));
  FLX_END
}
flx_status flx_symbol_from_json(const char* text, flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPointer(who, "out_symbol", out_symbol);
    *out_symbol = GiveSymbol(SymbolFromJson(NeedText(who, "text", text)));
  FLX_END
}
flx_status flx_symbol_save(flx_symbol symbol, const char* path) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    SaveSymbol(*s, std::string(NeedPath(who, path)));
  FLX_END
}
flx_status flx_symbol_load(const char* path, flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPath(who, path);
    NeedPointer(who, "out_symbol", out_symbol);
    *out_symbol = GiveSymbol(LoadSymbol(path));
  FLX_END
}
flx_status flx_symbol_summary(flx_symbol symbol, int32_t columns, char** out_text) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(SymbolSummary(*s, columns));
  FLX_END
}
flx_status flx_symbol_table(flx_symbol symbol, char** out_text) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(SymbolTable(*s));
  FLX_END
}
flx_status flx_symbol_draw(flx_symbol symbol, const char* format, char** out_text) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(DrawSymbol(*s, NeedText(who, "format", format)));
  FLX_END
}
flx_status flx_checkpoint_load(const char* path, int32_t epoch, flx_symbol* out_symbol, flx_params* out_params) {
  FLX_BEGIN
    std::string prefix(NeedPath(who, path));
    NeedPointer(who, "out_symbol", out_symbol);
    NeedPointer(who, "out_params", out_params);
    Checkpoint c = LoadCheckpoint(prefix, epoch);
    auto params = Make<Params>();
    for (auto& a : c.args) params->Set(a.first, a.second);
    for (auto& a : c.aux) params->Set(a.first, a.second, true);
    flx_symbol symbol = GiveSymbol(c.symbol);
    try {
      *out_params = GiveParams(params);
    } catch (...) {
      flx_free(symbol);
      throw;
    }
    *out_symbol = symbol;
  FLX_END
}
flx_status flx_checkpoint_save(flx_symbol symbol, flx_params params, const char* path, int32_t epoch, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    auto p = PinParams(who, params);
    std::string prefix(NeedPath(who, path));
    NeedPointer(who, "out_ready", out_ready);
    Checkpoint c;
    c.symbol = s.ref();
    auto states = s->Names(Part::kAuxiliary);
    for (auto& x : p->all()) {
      if (!WaitToRead(*x.array, timeout_ms)) {
        *out_ready = 0;
        return;
      }
      bool aux = x.aux || std::find(states.begin(), states.end(), x.name) != states.end();
      (aux ? c.aux : c.args).emplace_back(x.name, x.array);
    }
    SaveCheckpoint(c, prefix, epoch);
    *out_ready = 1;
  FLX_END
}

flx_status flx_layer_from_symbol(flx_symbol symbol, const char* name, const char* const* names, int32_t nnames, flx_layer* out_layer) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_layer", out_layer);
    *out_layer = GiveLayer(SymbolLayer(*s, NeedNames(who, "names", names, nnames), name ? std::string(NeedText(who, "name", name)) : ""));
  FLX_END
}
flx_status flx_layer_apply(flx_layer layer, const char* prefix, const flx_symbol* symbols, int32_t nsymbols, flx_symbol* out_symbol) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    std::string p(NeedText(who, "prefix", prefix));
    NeedPointer(who, "out_symbol", out_symbol);
    SymbolList list(who, symbols, nsymbols);
    std::vector<LayerArgument> inputs;
    for (auto& s : list) {
      const Entry& entry = s->Single(who, inputs.size());
      auto known = s->inferred ? s->inferred : Infer(*s, {}, true);
      size_t v = size_t(s->index().outputs[0]);
      DType t = known->dtypes[v];
      inputs.push_back({entry, known->shapes[v], t == DType::kNone ? DType::kFloat32 : t});
    }
    *out_symbol = GiveSymbol(LayerGraph(*l, p, inputs));
  FLX_END
}
flx_status flx_layer_table(flx_layer layer, const char* const* keys, const char* const* values, int32_t npairs, char** out_text) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_text", out_text);
    DType dtype = DType::kFloat32;
    auto inputs = InputShapes(who, OptionList(who, keys, values, npairs), &dtype);
    *out_text = GiveText(LayerTable(*l, inputs, dtype));
  FLX_END
}
flx_status flx_layer_draw(flx_layer layer, const char* const* keys, const char* const* values, int32_t npairs, const char* format, char** out_text) {
  FLX_BEGIN
    auto l = PinLayer(who, layer);
    NeedPointer(who, "out_text", out_text);
    DType dtype = DType::kFloat32;
    auto inputs = InputShapes(who, OptionList(who, keys, values, npairs), &dtype);
    *out_text = GiveText(DrawSymbol(*LayerGraph(*l, inputs, dtype), NeedText(who, "format", format)));
  FLX_END
}

}  // extern "C"
