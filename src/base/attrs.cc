// SPDX-License-Identifier: Apache-2.0
#include "base/attrs.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/text.h"

namespace flx {

namespace attrs_detail {
bool ParseItems(std::string_view s, std::vector<std::string_view>* items) {
  s = Trim(s);
  if (s.empty()) return false;
  if (s.front() == '(' || s.front() == '[') {
    if (s.size() < 2 || s.back() != (s.front() == '(' ? ')' : ']')) return false;
    s = Trim(s.substr(1, s.size() - 2));
    if (s.empty()) return true;
    if (s.back() == ',') s = Trim(s.substr(0, s.size() - 1));
  }
  for (size_t begin = 0;;) {
    size_t end = s.find(',', begin);
    std::string_view item = Trim(s.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (item.empty()) return false;
    items->push_back(item);
    if (end == std::string_view::npos) return true;
    begin = end + 1;
  }
}
}  // namespace attrs_detail

const Field* Schema::Find(std::string_view name) const {
  for (auto& f : fields_)
    if (name == f.name) return &f;
  return nullptr;
}

namespace {
bool Bounded(const Field& f) { return f.low > -std::numeric_limits<double>::infinity() || f.high < std::numeric_limits<double>::infinity(); }
}  // namespace
std::string Schema::RangeText(const Field& f) const {
  bool low = f.low > -std::numeric_limits<double>::infinity(), high = f.high < std::numeric_limits<double>::infinity();
  if (!Bounded(f)) return "";
  return Text(low && !f.low_open ? "[" : "(", f.low, ", ", f.high, high && !f.high_open ? "]" : ")");
}

void Schema::CheckRange(std::string_view who, const Field& f, const void* attrs) const {
  auto check = [&](double v) {
    // written so that nan is out of range
    bool ok = (f.low_open ? v > f.low : v >= f.low) && (f.high_open ? v < f.high : v <= f.high);
    if (!ok) Fail(Status::kArgument, who, "attribute `", f.name, "` must be in ", RangeText(f), ", given ", Print(f, attrs), ".");
  };
  if (!Bounded(f)) return;
  double v;
  if (f.type->number(f.ptr(attrs), &v)) check(v);
  else if (f.type == FieldTypeOf<Ints>()) for (auto e : *static_cast<const Ints*>(f.ptr(attrs))) check(double(e));
  else if (f.type == FieldTypeOf<Doubles>()) for (auto e : *static_cast<const Doubles*>(f.ptr(attrs))) check(e);
}

namespace {
// A type as errors say it, in words that any language's user knows; listings keep MXNet's. `given`: the value that was refused.
std::string InWords(std::string type, std::string_view given = {}) {
  const std::string none = " or None";
  if (type.size() > none.size() && type.compare(type.size() - none.size(), none.size(), none) == 0) return InWords(type.substr(0, type.size() - none.size()), given) + none;
  if (type.compare(0, 9, "tuple of ") == 0) return InWords(type.substr(9)) + (type.compare(9, 4, "long") == 0 || type.compare(9, 3, "int") == 0 ? " or several, as in (2, 3)" : " or several, as in (0.1, 0.2)");
  if (type[0] == '{') {  // {'a', 'b'}
    type.erase(std::remove(type.begin(), type.end(), '\''), type.end());
    return "one of " + type.substr(1, type.size() - 2);
  }
  double v;
  if (type == "int" || type == "long") {
    const int bits = type == "int" ? 32 : 64;
    return ParseDouble(given, &v) && std::fabs(v) >= std::ldexp(1.0, bits - 1) ? Text("an integer that fits in ", bits, " bits") : "an integer";
  }
  if (type == "float" || type == "double") return "a number";
  if (type == "boolean") return "true or false";
  if (type == "dtype") return "a dtype, such as float32";
  return type == "string" ? "text" : type;
}
}  // namespace

void Schema::Set(std::string_view who, void* attrs, std::string_view key, std::string_view value) const {
  const Field* f = Find(key);
  if (!f) {
    if (key.size() > 4 && key.substr(0, 2) == "__" && EndsWith(key, "__")) return;  // hidden keys of MXNet's files
    std::vector<std::string> names;
    for (auto& x : fields_) names.emplace_back(x.name);
    Fail(Status::kName, who, "no attribute is named `", key, "`.", DidYouMean(key, names), names.empty() ? " It has none." : " It has: ",
         Join(names, ", "), names.empty() ? "" : ".");
  }
  if (!f->type->parse(*f, f->ptr(attrs), value))
    Fail(Status::kArgument, who, "attribute `", key, "` must be ", InWords(f->type->type_text(*f), value), ", given `", value, "`.");
  CheckRange(who, *f, attrs);
}

Attrs Schema::Parse(std::string_view who, const KeyValue* pairs, size_t n) const {
  if (n == 0) {
    for (auto& f : fields_)
      if (f.required) Fail(Status::kArgument, who, "attribute `", f.name, "` (", InWords(f.type->type_text(f)), ") must be given.");
    return defaults_;
  }
  std::shared_ptr<void> a = Copy();
  for (size_t i = 0; i < n; ++i) Set(who, a.get(), pairs[i].first, pairs[i].second);
  for (auto& f : fields_) {
    if (!f.required) continue;
    bool given = false;
    for (size_t i = 0; i < n; ++i) given |= pairs[i].first == f.name;
    if (!given) Fail(Status::kArgument, who, "attribute `", f.name, "` (", InWords(f.type->type_text(f)), ") must be given.");
  }
  return a;
}

std::vector<std::pair<std::string, std::string>> Schema::PrintAll(const void* attrs, bool only_changed) const {
  std::vector<std::pair<std::string, std::string>> out;
  for (auto& f : fields_)
    if (!only_changed || f.required || !f.type->equal(f.ptr(attrs), f.ptr(defaults_.get()))) out.emplace_back(f.name, Print(f, attrs));
  return out;
}

bool Schema::Equal(const void* a, const void* b) const {
  for (auto& f : fields_)
    if (!f.runtime && !f.type->equal(f.ptr(a), f.ptr(b))) return false;
  return true;
}

uint64_t Schema::Hash(const void* attrs) const {
  uint64_t h = kHashBasis;
  std::string s;
  for (auto& f : fields_) {
    if (f.runtime) continue;
    s.clear();
    f.type->print(f.ptr(attrs), &s);
    s.push_back('\0');
    h = HashBytes(s, h);
  }
  return h;
}

int Schema::runtime_count() const {
  int n = 0;
  for (auto& f : fields_) n += f.runtime;
  return n;
}

std::shared_ptr<void> Schema::WithRuntime(std::string_view who, const void* attrs, const double* values, int n) const {
  if (n != runtime_count()) Fail(Status::kArgument, who, "expected ", runtime_count(), " runtime values, given ", n, ".");
  std::shared_ptr<void> a = Copy(attrs);
  for (auto& f : fields_) {
    if (!f.runtime) continue;
    f.type->assign(f.ptr(a.get()), *values++);
    CheckRange(who, f, a.get());
  }
  return a;
}

}  // namespace flx
