// SPDX-License-Identifier: Apache-2.0
// The setting types: bool, int, int64, float, double, string, dtype, enums, optionals and tuples of them. Included by attrs.h only.
#pragma once
#include <cmath>

#include "base/attrs.h"
#include "base/text.h"

namespace flx {
namespace attrs_detail {

bool ParseItems(std::string_view text, std::vector<std::string_view>* items);  // (1, 2) [1, 2] 1 () with a trailing comma or not

template <class T, class = void> struct Traits;

template <> struct Traits<bool> {
  static std::string Type(const Field&) { return "boolean"; }
  static bool Parse(const Field&, bool* p, std::string_view s) { return ParseBool(s, p); }
  static void Print(const bool& v, std::string* o) { o->append(v ? "True" : "False"); }
  static bool Number(const bool& v, double* o) { return *o = v, true; }
  static void Assign(bool* p, double v) { *p = v != 0; }
};
template <class T> struct Traits<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
  static std::string Type(const Field&) { return sizeof(T) == 8 ? "long" : "int"; }
  static bool Parse(const Field&, T* p, std::string_view s) {
    int64_t v;
    double d;
    if (!ParseInt(s, &v)) {
      // "1.0" is how some front ends write an int; "1.5" is a mistake
      if (!ParseDouble(s, &d) || std::abs(d) >= 9e18 || d != std::floor(d)) return false;
      v = int64_t(d);
    }
    if (v < int64_t(std::numeric_limits<T>::lowest()) || (sizeof(T) < 8 && v > int64_t(std::numeric_limits<T>::max()))) return false;
    *p = T(v);
    return true;
  }
  static void Print(const T& v, std::string* o) { AppendInt(o, int64_t(v)); }
  static bool Number(const T& v, double* o) { return *o = double(v), true; }
  static void Assign(T* p, double v) { *p = T(v); }
};
template <class T> struct Traits<T, std::enable_if_t<std::is_floating_point_v<T>>> {
  static std::string Type(const Field&) { return sizeof(T) == 8 ? "double" : "float"; }
  static bool Parse(const Field&, T* p, std::string_view s) {
    double v;
    bool b;
    if (!ParseDouble(s, &v)) {
      if (!ParseBool(s, &b)) return false;
      v = b;
    }
    *p = T(v);
    return true;
  }
  static void Print(const T& v, std::string* o) { Append(o, v); }
  static bool Number(const T& v, double* o) { return *o = double(v), true; }
  static void Assign(T* p, double v) { *p = T(v); }
};
template <> struct Traits<std::string> {
  static std::string Type(const Field&) { return "string"; }
  static bool Parse(const Field&, std::string* p, std::string_view s) { return p->assign(s), true; }
  static void Print(const std::string& v, std::string* o) { o->append(v); }
  static bool Number(const std::string&, double*) { return false; }
};
template <> struct Traits<DType> {
  static std::string Type(const Field&) { return "dtype"; }
  static bool Parse(const Field&, DType* p, std::string_view s) {
    if (s == "None" || s == "-1") return *p = DType::kNone, true;
    int64_t n;
    if (ParseInt(s, &n) && n >= 0 && n < kDTypeCount) return *p = DType(n), true;
    return DTypeFromName(Trim(s), p);
  }
  static void Print(const DType& v, std::string* o) { o->append(v == DType::kNone ? "None" : DTypeName(v)); }
  static bool Number(const DType&, double*) { return false; }
};
template <class E> struct Traits<E, std::enable_if_t<std::is_enum_v<E> && !std::is_same_v<E, DType>>> {
  static constexpr size_t kCount = sizeof EnumNames<E>::names / sizeof *EnumNames<E>::names;
  static std::string Type(const Field&) {
    std::string s = "{";
    for (size_t i = 0; i < kCount; ++i) s += Text(i ? ", '" : "'", EnumNames<E>::names[i], "'");
    return s + "}";
  }
  static bool Parse(const Field&, E* p, std::string_view s) {
    for (size_t i = 0; i < kCount; ++i)
      if (s == EnumNames<E>::names[i]) return *p = E(i), true;
    return false;
  }
  static void Print(const E& v, std::string* o) { o->append(EnumNames<E>::names[size_t(v)]); }
  static bool Number(const E&, double*) { return false; }
};
template <class T> struct Traits<std::optional<T>> {
  static std::string Type(const Field& f) { return Traits<T>::Type(f) + " or None"; }
  static bool Parse(const Field& f, std::optional<T>* p, std::string_view s) {
    if (Trim(s) == "None" || Trim(s).empty()) return p->reset(), true;
    T v{};
    if (!Traits<T>::Parse(f, &v, s)) return false;
    *p = std::move(v);
    return true;
  }
  static void Print(const std::optional<T>& v, std::string* o) { if (v) Traits<T>::Print(*v, o); else o->append("None"); }
  static bool Number(const std::optional<T>& v, double* o) { return v && Traits<T>::Number(*v, o); }
};
template <class T> struct Traits<std::vector<T>> {
  static std::string Type(const Field& f) { return "tuple of " + Traits<T>::Type(f); }
  static bool Parse(const Field& f, std::vector<T>* p, std::string_view s) {
    std::vector<std::string_view> items;
    if (!ParseItems(s, &items)) return false;
    std::vector<T> v(items.size());
    for (size_t i = 0; i < items.size(); ++i)
      if (!Traits<T>::Parse(f, &v[i], items[i])) return false;
    *p = std::move(v);
    return true;
  }
  static void Print(const std::vector<T>& v, std::string* o) {
    o->push_back('(');
    for (size_t i = 0; i < v.size(); ++i) { if (i) o->append(", "); Traits<T>::Print(v[i], o); }
    o->append(v.size() == 1 ? ",)" : ")");
  }
  static bool Number(const std::vector<T>&, double*) { return false; }
};
template <class T, class = void> struct CanAssign : std::false_type {};
template <class T> struct CanAssign<T, std::void_t<decltype(&Traits<T>::Assign)>> : std::true_type {};
template <class T> bool Same(const T& a, const T& b) { return a == b; }

}  // namespace attrs_detail

template <class T> const FieldType* FieldTypeOf() {
  using namespace attrs_detail;
  static const FieldType type = [] {
    FieldType t{};
    t.type_text = &Traits<T>::Type;
    t.parse = [](const Field& f, void* p, std::string_view s) { return Traits<T>::Parse(f, static_cast<T*>(p), s); };
    t.print = [](const void* p, std::string* o) { Traits<T>::Print(*static_cast<const T*>(p), o); };
    t.equal = [](const void* a, const void* b) { return Same(*static_cast<const T*>(a), *static_cast<const T*>(b)); };
    t.number = [](const void* p, double* o) { return Traits<T>::Number(*static_cast<const T*>(p), o); };
    if constexpr (CanAssign<T>::value) t.assign = [](void* p, double v) { Traits<T>::Assign(static_cast<T*>(p), v); };
    return t;
  }();
  return &type;
}

}  // namespace flx
