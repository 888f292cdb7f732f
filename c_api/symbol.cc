// SPDX-License-Identifier: Apache-2.0
// Symbols: composing, listing, attributes, inference.
#include "exec/symbol_gradient.h"
#include "graph/control.h"
#include "graph/infer.h"
#include "graph/texts.h"
#include "guard.h"
#include "pins.h"
#include "symbols.h"

using namespace flx;
using namespace flx::capi;

namespace flx::capi {
SymbolList::SymbolList(const char* who, const flx_symbol* symbols, int32_t n) {
  NeedCount(who, "symbols", symbols, n);
  for (int32_t i = 0; i < n; ++i) push_back(PinSymbol(who, symbols[i], "symbols").ref());
}
Part NeedPart(const char* who, int32_t part) {
  if (part < FLX_ARGUMENT || part > FLX_INPUT)
    Fail(Status::kArgument, who, "`part` must be FLX_ARGUMENT (0), FLX_AUXILIARY, FLX_OUTPUT, FLX_INTERNAL or FLX_INPUT (4), given ", part, ".");
  return Part(part);
}
}  // namespace flx::capi

namespace {
Ref<Node> FirstNode(const Symbol& s) { return s.outputs[0].node; }
// data = "(64, 1, 28, 28)", data.dtype = "float16"
std::map<std::string, Known> GivenOf(const char* who, const OptionList& options) {
  std::map<std::string, Known> given;
  for (auto& o : options) {
    constexpr std::string_view kEnd = ".dtype";
    if (o.first.size() > kEnd.size() && o.first.compare(o.first.size() - kEnd.size(), kEnd.size(), kEnd) == 0) {
      Known& k = given[o.first.substr(0, o.first.size() - kEnd.size())];
      if (!DTypeFromName(o.second, &k.dtype)) Fail(Status::kType, who, "`", o.first, "` must be a dtype's name, given `", o.second, "`.");
    } else {
      given[o.first].shape = ParseShape(who, o.second);
    }
  }
  return given;
}
}  // namespace

extern "C" {

flx_status flx_symbol_variable(const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPointer(who, "out_symbol", out_symbol);
    *out_symbol = GiveSymbol(Symbol::Variable(std::string(NeedText(who, "name", name)), OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_symbol_compose(const char* op, const char* name, const flx_symbol* symbols, int32_t nsymbols, const char* const* names, int32_t nnames,
                              const char* const* keys, const char* const* values, int32_t npairs, flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPointer(who, "out_symbol", out_symbol);
    SymbolList in(who, symbols, nsymbols);
    const OpDef& def = FindOp(NeedText(who, "op", op));
    *out_symbol = GiveSymbol(Symbol::Compose(def, std::string(NeedText(who, "name", name)), in, NeedNames(who, "names", names, nnames), OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_symbol_foreach(const char* name, flx_symbol body, int32_t outputs, const char* const* names, int32_t nnames, const flx_symbol* symbols, int32_t nsymbols,
                              flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPointer(who, "out_symbol", out_symbol);
    auto b = PinSymbol(who, body, "body");
    SymbolList with(who, symbols, nsymbols);
    *out_symbol = GiveSymbol(ComposeForeach(std::string(NeedText(who, "name", name)), *b, outputs, NeedNames(who, "names", names, nnames), with));
  FLX_END
}
flx_status flx_symbol_while_loop(const char* name, flx_symbol condition, flx_symbol body, int32_t outputs, int64_t max_iterations, const char* const* names, int32_t nnames,
                                 const flx_symbol* symbols, int32_t nsymbols, flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPointer(who, "out_symbol", out_symbol);
    auto c = PinSymbol(who, condition, "condition"), b = PinSymbol(who, body, "body");
    SymbolList with(who, symbols, nsymbols);
    *out_symbol = GiveSymbol(ComposeWhileLoop(std::string(NeedText(who, "name", name)), *c, *b, outputs, max_iterations, NeedNames(who, "names", names, nnames), with));
  FLX_END
}
flx_status flx_symbol_cond(const char* name, flx_symbol condition, flx_symbol yes, flx_symbol no, const char* const* names, int32_t nnames, const flx_symbol* symbols,
                           int32_t nsymbols, flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPointer(who, "out_symbol", out_symbol);
    auto c = PinSymbol(who, condition, "condition"), y = PinSymbol(who, yes, "yes"), n = PinSymbol(who, no, "no");
    SymbolList with(who, symbols, nsymbols);
    *out_symbol = GiveSymbol(ComposeCond(std::string(NeedText(who, "name", name)), *c, *y, *n, NeedNames(who, "names", names, nnames), with));
  FLX_END
}
flx_status flx_symbol_substitute(flx_symbol symbol, const flx_symbol* symbols, int32_t nsymbols, const char* const* names, int32_t nnames, flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPointer(who, "out_symbol", out_symbol);
    auto s = PinSymbol(who, symbol);
    SymbolList with(who, symbols, nsymbols);
    *out_symbol = GiveSymbol(s->Substitute(NeedNames(who, "names", names, nnames), with));
  FLX_END
}
flx_status flx_symbol_group(const flx_symbol* symbols, int32_t nsymbols, flx_symbol* out_symbol) {
  FLX_BEGIN
    NeedPointer(who, "out_symbol", out_symbol);
    *out_symbol = GiveSymbol(Symbol::Group(SymbolList(who, symbols, nsymbols)));
  FLX_END
}
flx_status flx_symbol_at(flx_symbol symbol, int32_t part, int32_t index, flx_symbol* out_symbol) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_symbol", out_symbol);
    *out_symbol = GiveSymbol(Symbol::New({s->At(NeedPart(who, part), index)}));
  FLX_END
}
flx_status flx_symbol_count(flx_symbol symbol, int32_t part, int32_t* out_count) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_count", out_count);
    *out_count = s->Count(NeedPart(who, part));
  FLX_END
}
flx_status flx_symbol_name(flx_symbol symbol, int32_t part, int32_t index, const char** out_name) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_name", out_name);
    *out_name = s->Name(NeedPart(who, part), index).c_str();
  FLX_END
}
flx_status flx_symbol_attr_get(flx_symbol symbol, const char* key, char** out_value) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    std::string k(NeedText(who, "key", key));
    NeedPointer(who, "out_value", out_value);
    auto settings = FirstNode(*s)->settings();
    const std::string* v = FindText(*settings, k);
    *out_value = v ? GiveText(*v) : nullptr;
  FLX_END
}
flx_status flx_symbol_attr_set(flx_symbol symbol, const char* key, const char* value) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    std::string k(NeedText(who, "key", key)), v(NeedText(who, "value", value));
    FirstNode(*s)->SetText(k, &v);
  FLX_END
}
flx_status flx_symbol_attr_count(flx_symbol symbol, int32_t* out_count) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_count", out_count);
    *out_count = int32_t(s->AllTexts().size());
  FLX_END
}
flx_status flx_symbol_attr_at(flx_symbol symbol, int32_t index, const char** out_node, const char** out_key, const char** out_value) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_node", out_node);
    NeedPointer(who, "out_key", out_key);
    NeedPointer(who, "out_value", out_value);
    auto& list = s->AllTexts();
    NeedIndex(who, index, int64_t(list.size()), "attributes");
    const NodeText& t = list[size_t(index)];
    *out_node = t.node.c_str(), *out_key = t.key.c_str(), *out_value = t.value.c_str();
  FLX_END
}
flx_status flx_symbol_infer(flx_symbol symbol, const char* const* keys, const char* const* values, int32_t npairs, int32_t partial, flx_symbol* out_symbol) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_symbol", out_symbol);
    auto found = Infer(*s, GivenOf(who, OptionList(who, keys, values, npairs)), partial != 0);
    *out_symbol = GiveSymbol(Symbol::New(s->outputs, std::move(found)));
  FLX_END
}
flx_status flx_symbol_shape(flx_symbol symbol, int32_t part, int32_t index, int32_t* out_dtype, int32_t* out_known, int64_t* out_dims, int32_t capacity, int32_t* out_ndim) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_dtype", out_dtype);
    NeedPointer(who, "out_known", out_known);
    NeedPointer(who, "out_ndim", out_ndim);
    Entry e = s->At(NeedPart(who, part), index);
    if (!s->inferred) Fail(Status::kState, who, "the symbol knows no shapes yet. Ask the one that flx_symbol_infer gives.");
    size_t v = size_t(s->index().ValueOf(e));
    const Shape& shape = s->inferred->shapes[v];
    GiveShape(who, shape.rank_known() ? shape : Shape(), out_dims, capacity, out_ndim);
    *out_dtype = s->inferred->dtypes[v] == DType::kNone ? -1 : int32_t(s->inferred->dtypes[v]);
    *out_known = shape.known() ? 2 : shape.rank_known() ? 1 : 0;
  FLX_END
}

flx_status flx_symbol_gradient(flx_symbol symbol, const char* const* names, int32_t nnames, flx_symbol* out_symbol) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_symbol", out_symbol);
    *out_symbol = GiveSymbol(SymbolGradient(*s, NeedNames(who, "names", names, nnames)));
  FLX_END
}
flx_status flx_autograd_symbol(flx_ndarray array, flx_symbol* out_symbol) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_symbol", out_symbol);
    *out_symbol = GiveSymbol(HistorySymbol(a.ref()));
  FLX_END
}

}  // extern "C"
