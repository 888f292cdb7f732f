// SPDX-License-Identifier: Apache-2.0
// Registries of things made by name and settings: layers, losses, optimizers, schedules, initializers, metrics, iterators. An entry is a value, made
// by Define<Entry, Settings> and handed over in an explicit list, so that every language can list what there is and static linking drops nothing.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/attrs.h"

namespace flx {

struct Registered {
  const char* name = nullptr;
  std::vector<const char*> aliases;
  const char *family = "", *doc = "", *example = "", *since = "0.1.0";
  Schema schema;
};

// The builder: `Define<LayerDef, DenseSettings>("Dense").doc("...").attr(&DenseSettings::units, "units", "...").required()`.
template <class Entry, class A = NoAttrs> class Define {
  Entry d_;
 public:
  explicit Define(const char* name) { d_.name = name, d_.schema = Schema::Of<A>(); }
  Define& alias(const char* a) { d_.aliases.push_back(a); return *this; }
  Define& family(const char* f) { d_.family = f; return *this; }
  Define& doc(const char* s) { d_.doc = s; return *this; }
  Define& example(const char* s) { d_.example = s; return *this; }
  Define& since(const char* s) { d_.since = s; return *this; }
  // The default is the struct's own initializer. range(), required() and ignored() are about the last one added.
  template <class B, class T> Define& attr(T B::*m, const char* name, const char* doc) {
    static_assert(std::is_base_of_v<B, A> || std::is_same_v<B, A>);
    d_.schema.Add(static_cast<T A::*>(m), name, doc);
    return *this;
  }
  Define& range(double low, double high) { auto& f = last(); f.low = low, f.high = high; return *this; }
  Define& at_least(double low) { last().low = low; return *this; }
  Define& above(double low) { auto& f = last(); f.low = low, f.low_open = true; return *this; }
  Define& range_open(double low, bool low_open, double high, bool high_open) {
    auto& f = last(); f.low = low, f.high = high, f.low_open = low_open, f.high_open = high_open; return *this;
  }
  Define& required() { last().required = true; return *this; }
  Define& ignored() { last().ignored = true; return *this; }
  // Whatever else the entry has: with(&LayerDef::forward, &DenseForward).
  template <class M, class V> Define& with(M Entry::*m, V&& value) { d_.*m = std::forward<V>(value); return *this; }
  operator Entry() { return std::move(d_); }

 private:
  Field& last() { return const_cast<Field&>(d_.schema.fields().back()); }
};

// Spelling does not count: capitals, '-' and '_' are no difference ("adam", "top_k_accuracy").
std::string PlainName(std::string_view name);

template <class Entry> class Registry {
 public:
  // `what` stands in messages: "layer", "optimizer".
  Registry(const char* what, std::vector<Entry> entries) : what_(what), entries_(std::move(entries)) {
    for (auto& e : entries_) {
      Put(e.name, e);
      for (const char* a : e.aliases) Put(a, e);
    }
  }
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  const std::vector<Entry>& all() const { return entries_; }
  const Entry* FindOrNull(std::string_view name_or_alias) const {
    auto it = by_name_.find(PlainName(name_or_alias));
    return it == by_name_.end() ? nullptr : it->second;
  }
  const Entry& Find(std::string_view name_or_alias) const {
    if (const Entry* e = FindOrNull(name_or_alias)) return *e;
    std::vector<std::string> names;
    for (auto& e : entries_) {
      names.emplace_back(e.name);
      for (const char* a : e.aliases) names.emplace_back(a);
    }
    std::string listed;
    for (auto& e : entries_) listed += Text(listed.empty() ? "" : ", ", e.name);
    Fail(Status::kName, what_, "no ", what_, " is named `", name_or_alias, "`.", DidYouMean(name_or_alias, names), " There are: ", listed, ".");
  }

 private:
  void Put(const char* name, const Entry& e) {
    auto at = by_name_.emplace(PlainName(name), &e).first;
    if (at->second != &e) Fail(Status::kInternal, what_, "two entries are named `", name, "`: ", at->second->name, " and ", e.name, ".");
  }
  const char* what_;
  std::vector<Entry> entries_;
  std::map<std::string, const Entry*> by_name_;
};

// Settings by pairs of strings, as they come from the C ABI and from files.
using Settings = std::vector<std::pair<std::string, std::string>>;
inline Attrs ParseSettings(const Registered& entry, const Settings& settings) {
  std::vector<KeyValue> kv(settings.begin(), settings.end());
  return entry.schema.Parse(entry.name, kv.data(), kv.size());
}
// "Normal(sigma=0.02)" or "Normal": a name and its settings. False: not of that form.
bool ParseNamed(std::string_view text, std::string* name, Settings* settings);
// "a, b(k=1, l=(2, 3)), c" at the commas that separate; blank parts are left out.
std::vector<std::string> SplitNamed(std::string_view text);
std::string PrintNamed(const Registered& entry, const void* attrs);  // the same, settings that differ from their defaults only

}  // namespace flx
