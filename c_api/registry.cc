// SPDX-License-Identifier: Apache-2.0
#include "registry.h"

#include <algorithm>
#include <mutex>

#include "fit/task.h"
#include "guard.h"
#include "hybrid/pass.h"
#include "hybrid/planned_graph.h"
#include "io/iter.h"
#include "kvstore/store.h"
#include "op/op.h"
#include "train/all.h"

namespace flx::capi {
namespace {

std::string Commas(const std::vector<const char*>& v) {
  std::string s;
  for (auto* a : v) s += Text(s.empty() ? "" : ",", a);
  return s;
}
void AddAttrs(EntryInfo* e, const Schema& schema) {
  for (auto& f : schema.fields()) {
    if (f.ignored) {
      e->attrs.push_back({f.name, f.type->type_text(f), schema.Print(f, schema.defaults().get()), schema.RangeText(f), Text(f.doc, " Accepted for MXNet's programs; without effect."), false, f.required});
      continue;
    }
    e->attrs.push_back({f.name, f.type->type_text(f), f.required ? "" : schema.Print(f, schema.defaults().get()), schema.RangeText(f), f.doc, f.runtime, f.required});
  }
}
const EntryInfo* OfOperator(const OpDef* d) {
  auto* e = new EntryInfo{d->name, Commas(d->aliases), d->family, d->doc, d->example, d->since, {}, {}, {}};
  for (auto& p : d->inputs) e->inputs.push_back({p.name, p.doc, d->variadic ? "list" : p.aux ? "auxiliary" : p.when ? "optional" : "required"});
  AddAttrs(e, d->schema);
  int visible = 0;
  for (auto& o : d->outputs) visible += !o.hidden;
  e->traits = {{"differentiable", d->differentiable()}, {"random", d->trait(kRandom)}, {"variadic", d->variadic}, {"loss", d->trait(kLoss)},
               {"inputs", int(d->inputs.size())}, {"outputs", d->outputs_fn || d->visible_fn ? -1 : visible}};
  return e;
}
// One entry an operator, and a list for each state of the registry that somebody asked about.
const EntryList& Operators() {
  struct All { std::mutex mutex; std::map<const OpDef*, const EntryInfo*> made; std::map<const void*, EntryList> lists; };
  static auto* all = new All;
  std::lock_guard<std::mutex> lock(all->mutex);
  auto& ops = AllOps();
  auto at = all->lists.find(&ops);
  if (at != all->lists.end()) return at->second;
  EntryList list;
  for (const OpDef* d : ops) {
    if (d->trait(kInternal)) continue;
    const EntryInfo*& e = all->made[d];
    list.push_back(e ? e : e = OfOperator(d));
  }
  return all->lists.emplace(&ops, std::move(list)).first->second;
}
template <class E> EntryList FromRegistered(const std::vector<E>& registered) {
  EntryList all;
  for (const E& d : registered) {
    auto* e = new EntryInfo{d.name, Commas(d.aliases), d.family, d.doc, d.example, d.since, {}, {}, {}};
    AddAttrs(e, d.schema);
    if constexpr (std::is_same_v<E, LayerDef>) {
      for (auto& i : d.inputs) e->inputs.push_back({i.name, i.doc, i.optional ? "optional" : "required"});
      e->traits = {{"loss", d.loss}, {"inputs", int(d.inputs.size())}};
    }
    all.push_back(e);
  }
  std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->name < b->name; });
  return all;
}
// Settings of functions that make nothing by name; each is called after its function.
std::vector<Registered> OptionSets() {
  std::vector<Registered> all = {FitOptionsEntry(), HybridizeOptionsEntry(), GraphOptionsEntry(), HostIterOptions(), Iters().Find("ArrayIter")};
  all.back().name = "arrays", all.back().aliases.clear(), all.back().example = "";
  return all;
}
}  // namespace

const EntryList& EntriesOf(const char* who, std::string_view registry) {
  static const auto* others = new std::map<std::string, EntryList, std::less<>>{{"layer", FromRegistered(Layers().all())},
                                                                                {"optimizer", FromRegistered(Optimizers().all())},
                                                                                {"schedule", FromRegistered(Schedules().all())},
                                                                                {"initializer", FromRegistered(Initializers().all())},
                                                                                {"metric", FromRegistered(Metrics().all())},
                                                                                {"iter", FromRegistered(Iters().all())},
                                                                                {"pass", FromRegistered(Passes().all())},
                                                                                {"store", FromRegistered(Stores().all())},
                                                                                {"options", FromRegistered(OptionSets())}};
  if (registry == "operator") return Operators();
  auto it = others->find(registry);
  if (it != others->end()) return it->second;
  std::vector<std::string> names{"operator"};
  for (auto& kv : *others) names.push_back(kv.first);
  std::sort(names.begin(), names.end());
  Fail(Status::kName, who, "no registry is named `", registry, "`.", DidYouMean(registry, names), " There are: ", Join(names, ", "), ".");
}

}  // namespace flx::capi

using namespace flx;
using namespace flx::capi;

namespace {
Pin<RegistryEntry> PinEntry(const char* who, flx_entry e) { return {e, Kind::kEntry, "entry", who}; }
template <class T> const T& At(const char* who, const std::vector<T>& v, int32_t index, const char* what) {
  if (index < 0 || index >= int32_t(v.size())) Fail(Status::kIndex, who, "`index` must be in [0, ", v.size(), "), the number of ", what, ", given ", index, ".");
  return v[size_t(index)];
}
[[noreturn]] void NoField(const char* who, std::string_view field, const char* there) {
  Fail(Status::kName, who, "no field is named `", field, "`.", DidYouMean(field, Split(there, ',')), " There are: ", there, ".");
}
bool HasAlias(const EntryInfo& e, std::string_view name) {
  for (auto& a : Split(e.aliases, ',')) if (a == name) return true;
  return false;
}
}  // namespace

extern "C" {

flx_status flx_registry_count(const char* registry, int32_t* out_count) {
  FLX_BEGIN
    NeedPointer(who, "out_count", out_count);
    *out_count = int32_t(EntriesOf(who, NeedText(who, "registry", registry)).size());
  FLX_END
}
flx_status flx_registry_at(const char* registry, int32_t index, flx_entry* out_entry) {
  FLX_BEGIN
    NeedPointer(who, "out_entry", out_entry);
    auto& all = EntriesOf(who, NeedText(who, "registry", registry));
    *out_entry = reinterpret_cast<flx_entry>(NewHandle(new RegistryEntry(At(who, all, index, "entries"))));
  FLX_END
}
flx_status flx_registry_find(const char* registry, const char* name, flx_entry* out_entry) {
  FLX_BEGIN
    NeedPointer(who, "out_entry", out_entry);
    auto& all = EntriesOf(who, NeedText(who, "registry", registry));
    std::string_view n = NeedText(who, "name", name);
    const EntryInfo* found = nullptr;
    for (auto* e : all) if (e->name == n) found = e;
    for (auto* e : all) if (!found && HasAlias(*e, n)) found = e;
    if (!found) {
      std::vector<std::string> names;
      for (auto* e : all) {
        names.push_back(e->name);
        for (auto& a : Split(e->aliases, ',')) if (!a.empty()) names.push_back(a);
      }
      Fail(Status::kName, who, "no ", registry, " is named `", n, "`.", DidYouMean(n, names));
    }
    *out_entry = reinterpret_cast<flx_entry>(NewHandle(new RegistryEntry(found)));
  FLX_END
}
flx_status flx_entry_text(flx_entry entry, const char* field, const char** out_text) {
  FLX_BEGIN
    auto e = PinEntry(who, entry);
    std::string_view f = NeedText(who, "field", field);
    NeedPointer(who, "out_text", out_text);
    const EntryInfo& i = *e->info;
    const std::string* s = f == "name" ? &i.name : f == "aliases" ? &i.aliases : f == "family" ? &i.family : f == "doc" ? &i.doc : f == "example" ? &i.example : f == "since" ? &i.since : nullptr;
    if (!s) NoField(who, f, "name,aliases,family,doc,example,since");
    *out_text = s->c_str();
  FLX_END
}
flx_status flx_entry_trait(flx_entry entry, const char* field, int32_t* out_value) {
  FLX_BEGIN
    auto e = PinEntry(who, entry);
    std::string_view f = NeedText(who, "field", field);
    NeedPointer(who, "out_value", out_value);
    static constexpr const char* kTraits = "differentiable,random,variadic,loss,inputs,outputs";
    auto names = Split(kTraits, ',');
    if (std::find(names.begin(), names.end(), f) == names.end()) NoField(who, f, kTraits);
    auto it = e->info->traits.find(std::string(f));
    *out_value = it == e->info->traits.end() ? 0 : it->second;
  FLX_END
}
flx_status flx_entry_input_count(flx_entry entry, int32_t* out_count) {
  FLX_BEGIN
    auto e = PinEntry(who, entry);
    NeedPointer(who, "out_count", out_count);
    *out_count = int32_t(e->info->inputs.size());
  FLX_END
}
flx_status flx_entry_input_text(flx_entry entry, int32_t index, const char* field, const char** out_text) {
  FLX_BEGIN
    auto e = PinEntry(who, entry);
    std::string_view f = NeedText(who, "field", field);
    NeedPointer(who, "out_text", out_text);
    auto& i = At(who, e->info->inputs, index, "inputs");
    const std::string* s = f == "name" ? &i.name : f == "doc" ? &i.doc : f == "kind" ? &i.kind : nullptr;
    if (!s) NoField(who, f, "name,doc,kind");
    *out_text = s->c_str();
  FLX_END
}
flx_status flx_entry_attr_count(flx_entry entry, int32_t* out_count) {
  FLX_BEGIN
    auto e = PinEntry(who, entry);
    NeedPointer(who, "out_count", out_count);
    *out_count = int32_t(e->info->attrs.size());
  FLX_END
}
flx_status flx_entry_attr_text(flx_entry entry, int32_t index, const char* field, const char** out_text) {
  FLX_BEGIN
    auto e = PinEntry(who, entry);
    std::string_view f = NeedText(who, "field", field);
    NeedPointer(who, "out_text", out_text);
    auto& a = At(who, e->info->attrs, index, "attributes");
    if (f == "runtime" || f == "required") {
      *out_text = (f == "runtime" ? a.runtime : a.required) ? "1" : "0";
      return;
    }
    const std::string* s = f == "name" ? &a.name : f == "type" ? &a.type : f == "default" ? &a.default_value : f == "range" ? &a.range : f == "doc" ? &a.doc : nullptr;
    if (!s) NoField(who, f, "name,type,default,range,doc,required,runtime");
    *out_text = s->c_str();
  FLX_END
}

}  // extern "C"
