// SPDX-License-Identifier: Apache-2.0
// Settings as plain structs. A struct's initializers are the defaults; a Schema names each field once, with its doc, and gives parsing of MXNet's
// string forms, printing, equality, hash and introspection. Operators, layers, optimizers, iterators and all else registered use it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"

namespace flx {

using Ints = std::vector<int64_t>;                      // "(2, 2)", "[2,2]", "2"
using Doubles = std::vector<double>;
using OptInts = std::vector<std::optional<int64_t>>;    // "(None, 3)": slice's begin, end, step

// Choices of an enum field: specialise for the enum with its names in order of value, e.g.
//   template <> struct EnumNames<PoolType> { static constexpr const char* names[] = {"max", "avg"}; };
template <class E> struct EnumNames;

struct Field;
// What a C++ type can do as a setting; one static table per type.
struct FieldType {
  std::string (*type_text)(const Field&);                                   // "int", "tuple of int", "{'max', 'avg'}"
  bool (*parse)(const Field&, void* p, std::string_view text);              // false: not such a value
  void (*print)(const void* p, std::string* out);                           // MXNet's form; reads back to an equal value
  bool (*equal)(const void* a, const void* b);
  bool (*number)(const void* p, double* out);                               // as a double, for ranges and runtime values; false: not a number
  void (*assign)(void* p, double v);                                        // from a double; null where it makes no sense
};
struct Field {
  const char* name = "";
  const char* doc = "";
  const FieldType* type = nullptr;
  size_t offset = 0;
  bool required = false;  // has no default: must be given
  bool runtime = false;   // its value travels with the call and is no part of a plan's signature
  bool ignored = false;   // accepted for MXNet's files, without effect (workspace, cudnn_off ...)
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();  // inclusive; elements of a tuple too
  bool low_open = false, high_open = false;
  void* ptr(void* attrs) const { return static_cast<char*>(attrs) + offset; }
  const void* ptr(const void* attrs) const { return static_cast<const char*>(attrs) + offset; }
};

template <class T> const FieldType* FieldTypeOf();  // attrs_types.h has the definitions

using KeyValue = std::pair<std::string_view, std::string_view>;
using Attrs = std::shared_ptr<const void>;  // an instance of the schema's struct, immutable once made

// What every registered thing's settings are described by. `Schema::Of<T>()` then `.Add(&T::field, "name", "doc")`.
class Schema {
 public:
  template <class T> static Schema Of() {
    Schema s;
    s.make_ = [](const void* from) -> std::shared_ptr<void> {
      return from ? std::make_shared<T>(*static_cast<const T*>(from)) : std::make_shared<T>();
    };
    s.defaults_ = std::make_shared<T>();
    return s;
  }
  Schema() = default;  // no fields: settings-free
  template <class T, class M> Field& Add(M T::*member, const char* name, const char* doc) {
    auto* base = static_cast<const T*>(defaults_.get());
    Field f;
    f.name = name, f.doc = doc, f.type = FieldTypeOf<M>();
    f.offset = static_cast<size_t>(reinterpret_cast<const char*>(&(base->*member)) - reinterpret_cast<const char*>(base));
    fields_.push_back(f);
    return fields_.back();
  }
  // For fields that are known at run time only: `make` copies what it is given, `defaults` is the first such thing; AddField names the places in it.
  static Schema Dynamic(std::shared_ptr<void> (*make)(const void* from), Attrs defaults) {
    Schema s;
    s.make_ = make, s.defaults_ = std::move(defaults);
    return s;
  }
  void AddField(const Field& f) { fields_.push_back(f); }
  const std::vector<Field>& fields() const { return fields_; }
  const Field* Find(std::string_view name) const;
  const Attrs& defaults() const { return defaults_; }
  // A copy of `from` (null: the defaults) that may be changed.
  std::shared_ptr<void> Copy(const void* from = nullptr) const { return make_ ? make_(from ? from : defaults_.get()) : nullptr; }
  // Parses all pairs; unknown names (but `__x__`), bad values, values out of range and missing required fields are errors naming `who`.
  Attrs Parse(std::string_view who, const KeyValue* pairs, size_t n) const;
  void Set(std::string_view who, void* attrs, std::string_view key, std::string_view value) const;
  void CheckRange(std::string_view who, const Field& f, const void* attrs) const;
  std::string Print(const Field& f, const void* attrs) const { std::string s; f.type->print(f.ptr(attrs), &s); return s; }
  std::string RangeText(const Field& f) const;                            // "[0, 1)" or ""
  std::vector<std::pair<std::string, std::string>> PrintAll(const void* attrs, bool only_changed) const;
  bool Equal(const void* a, const void* b) const;
  uint64_t Hash(const void* attrs) const;
  int runtime_count() const;                                              // fields whose value travels with the call, in definition order
  std::shared_ptr<void> WithRuntime(std::string_view who, const void* attrs, const double* values, int n) const;

 private:
  std::vector<Field> fields_;
  std::shared_ptr<void> (*make_)(const void*) = nullptr;
  Attrs defaults_;
};

struct NoAttrs {};

}  // namespace flx

#include "base/attrs_types.h"  // IWYU pragma: export
