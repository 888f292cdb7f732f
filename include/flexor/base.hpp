// SPDX-License-Identifier: Apache-2.0
// flexor/base.hpp: what the other headers of the C++ API stand on: errors as exceptions, shapes, dtypes, options, handles.
//   The C++ API is header-only over the C ABI (flexor/c_api.h), so that no compiler, standard library or flag of yours can clash with the library's.
//   Include flexor/flexor.hpp for all of it, flexor/op.hpp for the operators as functions, flexor/nn.hpp for layers, optimizers and metrics as classes
//   (these two are made from the registry when the library is built). C++17.
//   Thread safety is the C ABI's: see its rule 11. One object may be used by several threads at once as long as none of them changes or assigns it.
#ifndef FLEXOR_BASE_HPP_
#define FLEXOR_BASE_HPP_
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "flexor/c_api.h"

namespace flexor {

// ---- errors --------------------------------------------------------------------------------------------------------------------------------------
// One class per status of the C ABI, so that `catch (const flexor::ShapeError&)` says what is meant; all are Errors, and std::runtime_errors.
// what() is the library's message: what was expected, what was given, and often how to mend it.
class __attribute__((visibility("default"))) Error : public std::runtime_error {
 public:
  Error(flx_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  flx_status status() const noexcept { return status_; }

 private:
  flx_status status_;
};
#define FLEXOR_ERROR_CLASS(name) \
  class __attribute__((visibility("default"))) name : public Error { using Error::Error; }
FLEXOR_ERROR_CLASS(ArgumentError);
FLEXOR_ERROR_CLASS(TypeError);
FLEXOR_ERROR_CLASS(ShapeError);
FLEXOR_ERROR_CLASS(IndexError);
FLEXOR_ERROR_CLASS(NameError);
FLEXOR_ERROR_CLASS(HandleError);
FLEXOR_ERROR_CLASS(UnsupportedError);
FLEXOR_ERROR_CLASS(MemoryError);
FLEXOR_ERROR_CLASS(FileError);
FLEXOR_ERROR_CLASS(FormatError);
FLEXOR_ERROR_CLASS(DeviceError);
FLEXOR_ERROR_CLASS(NetworkError);
FLEXOR_ERROR_CLASS(HostError);
FLEXOR_ERROR_CLASS(StateError);
FLEXOR_ERROR_CLASS(InternalError);
FLEXOR_ERROR_CLASS(RolledBackError);
#undef FLEXOR_ERROR_CLASS

[[noreturn]] inline void throw_error(flx_status status, const std::string& message) {
  switch (status) {
    case FLX_ERROR_ARGUMENT: throw ArgumentError(status, message);
    case FLX_ERROR_TYPE: throw TypeError(status, message);
    case FLX_ERROR_SHAPE: throw ShapeError(status, message);
    case FLX_ERROR_INDEX: throw IndexError(status, message);
    case FLX_ERROR_NAME: throw NameError(status, message);
    case FLX_ERROR_HANDLE: throw HandleError(status, message);
    case FLX_ERROR_UNSUPPORTED: throw UnsupportedError(status, message);
    case FLX_ERROR_MEMORY: throw MemoryError(status, message);
    case FLX_ERROR_FILE: throw FileError(status, message);
    case FLX_ERROR_FORMAT: throw FormatError(status, message);
    case FLX_ERROR_DEVICE: throw DeviceError(status, message);
    case FLX_ERROR_NETWORK: throw NetworkError(status, message);
    case FLX_ERROR_HOST: throw HostError(status, message);
    case FLX_ERROR_STATE: throw StateError(status, message);
    case FLX_ERROR_INTERNAL: throw InternalError(status, message);
    case FLX_ERROR_ROLLED_BACK: throw RolledBackError(status, message);
    default: throw Error(status, message);  // a status added after this header was written
  }
}
// Turns a status of the C ABI into an exception.
inline void check(flx_status status) {
  if (__builtin_expect(status != FLX_OK, 0)) throw_error(status, flx_last_error());
}
// Refuses, once, a library that is older than this header.
inline void require_library() {
  static const bool done = (check(flx_abi_require(FLX_ABI_VERSION)), true);
  (void)done;
}
inline std::string version() { return flx_version(); }

// ---- dtypes and shapes ---------------------------------------------------------------------------------------------------------------------------
enum class DType : int32_t {
  float32 = FLX_FLOAT32, float64 = FLX_FLOAT64, float16 = FLX_FLOAT16, uint8 = FLX_UINT8, int32 = FLX_INT32, int8 = FLX_INT8, int64 = FLX_INT64,
  boolean = FLX_BOOL, int16 = FLX_INT16, uint16 = FLX_UINT16, uint32 = FLX_UINT32, uint64 = FLX_UINT64, bfloat16 = FLX_BFLOAT16
};
inline const char* dtype_name(DType t) {
  static constexpr const char* kNames[] = {"float32", "float64", "float16", "uint8",  "int32",  "int8",    "int64",
                                           "bool",    "int16",   "uint16",  "uint32", "uint64", "bfloat16"};
  return kNames[static_cast<int32_t>(t)];
}
// The dtype of a C++ number: dtype_of<float>() is DType::float32.
template <class T> constexpr DType dtype_of() {
  static_assert(std::is_arithmetic_v<T>, "an array holds numbers");
  if constexpr (std::is_same_v<T, bool>) return DType::boolean;
  else if constexpr (std::is_floating_point_v<T>) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "float and double only");
    return sizeof(T) == 4 ? DType::float32 : DType::float64;
  } else if constexpr (std::is_signed_v<T>)
    return sizeof(T) == 1 ? DType::int8 : sizeof(T) == 2 ? DType::int16 : sizeof(T) == 4 ? DType::int32 : DType::int64;
  else
    return sizeof(T) == 1 ? DType::uint8 : sizeof(T) == 2 ? DType::uint16 : sizeof(T) == 4 ? DType::uint32 : DType::uint64;
}
// How a block of host memory is laid out.
enum class Order : int32_t { row_major = FLX_ROW_MAJOR, column_major = FLX_COLUMN_MAJOR };

// The sizes of an array, and any other tuple of integers: Shape{2, 3}; one number is a tuple of one; Shape{} is a scalar's.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : sizes_(sizes) {}
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> Shape(T size) : sizes_{static_cast<int64_t>(size)} {}
  explicit Shape(std::vector<int64_t> sizes) : sizes_(std::move(sizes)) {}
  int ndim() const { return static_cast<int>(sizes_.size()); }
  int64_t operator[](int i) const { return sizes_[static_cast<size_t>(i)]; }
  int64_t& operator[](int i) { return sizes_[static_cast<size_t>(i)]; }
  const int64_t* data() const { return sizes_.data(); }
  auto begin() const { return sizes_.begin(); }
  auto end() const { return sizes_.end(); }
  // The number of elements.
  int64_t size() const {
    int64_t n = 1;
    for (int64_t s : sizes_) n *= s;
    return n;
  }
  const std::vector<int64_t>& vector() const { return sizes_; }
  friend bool operator==(const Shape& a, const Shape& b) { return a.sizes_ == b.sizes_; }
  friend bool operator!=(const Shape& a, const Shape& b) { return a.sizes_ != b.sizes_; }

 private:
  std::vector<int64_t> sizes_;
};
using Ints = Shape;

// ---- options: key/value settings in MXNet's string forms -------------------------------------------------------------------------------------------
namespace detail {
inline void append(std::string* s, int64_t v) {
  char b[24];
  s->append(b, std::to_chars(b, b + sizeof b, v).ptr);
}
inline void append(std::string* s, double v) {
  char b[40];
  s->append(b, std::to_chars(b, b + sizeof b, v).ptr);  // shortest text that reads back to the same number, whatever the locale
}
template <class It, class Put> std::string tuple_text(It begin, It end, Put put) {
  std::string s = "(";
  for (It i = begin; i != end; ++i) {
    if (i != begin) s += ", ";
    put(&s, *i);
  }
  return s + (end - begin == 1 ? ",)" : ")");
}
}  // namespace detail
inline std::string to_text(const Shape& s) {
  return detail::tuple_text(s.begin(), s.end(), [](std::string* t, int64_t v) { detail::append(t, v); });
}

// A tuple of integers some of which may be none, or none at all: {std::nullopt, 3}, std::nullopt, 2.
class OptionalInts {
 public:
  OptionalInts(std::nullopt_t) {}
  OptionalInts(std::initializer_list<std::optional<int64_t>> values) : values_(values) {}
  OptionalInts(const Shape& s) : values_(std::in_place, s.begin(), s.end()) {}
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> OptionalInts(T v) : OptionalInts(Shape(v)) {}
  explicit OptionalInts(std::vector<std::optional<int64_t>> values) : values_(std::move(values)) {}
  std::string text() const {
    if (!values_) return "None";
    return detail::tuple_text(values_->begin(), values_->end(), [](std::string* t, const std::optional<int64_t>& v) {
      if (v) detail::append(t, *v);
      else t->append("None");
    });
  }

 private:
  std::optional<std::vector<std::optional<int64_t>>> values_;
};

// The value of an option: a number, truth, text, dtype, shape, or std::nullopt, written as the library reads it.
class OptionValue {
 public:
  OptionValue(const char* text) : text_(text) {}
  OptionValue(std::string text) : text_(std::move(text)) {}
  OptionValue(DType t) : text_(dtype_name(t)) {}
  OptionValue(const Shape& s) : text_(to_text(s)) {}
  OptionValue(const OptionalInts& s) : text_(s.text()) {}
  OptionValue(std::initializer_list<int64_t> s) : text_(to_text(Shape(s))) {}
  OptionValue(const std::vector<double>& v)
      : text_(detail::tuple_text(v.begin(), v.end(), [](std::string* t, double x) { detail::append(t, x); })) {}
  OptionValue(std::nullopt_t) : text_("None") {}
  template <class T> OptionValue(const std::optional<T>& v) : text_(v ? OptionValue(*v).text_ : "None") {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>> OptionValue(T v) {
    if constexpr (std::is_same_v<T, bool>) text_ = v ? "True" : "False";
    else if constexpr (std::is_floating_point_v<T>) detail::append(&text_, static_cast<double>(v));
    else detail::append(&text_, static_cast<int64_t>(v));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Options{{"kernel", {5, 5}}, {"num_filter", 20}, {"no_bias", true}}
class Options {
 public:
  Options() = default;
  Options(std::initializer_list<std::pair<const char*, OptionValue>> pairs) {
    for (auto& p : pairs) set(p.first, p.second);
  }
  Options& set(std::string key, const OptionValue& value) {
    for (auto& p : pairs_)
      if (p.first == key) return p.second = value.text(), *this;
    pairs_.emplace_back(std::move(key), value.text());
    return *this;
  }
  Options& add(const Options& more) {
    for (auto& p : more.pairs_) set(p.first, p.second);
    return *this;
  }
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

namespace detail {
// Options, or names, as the C ABI takes them. Points into what it was made from.
class RawOptions {
 public:
  explicit RawOptions(const Options& o) {
    for (auto& p : o.pairs()) keys_.push_back(p.first.c_str()), values_.push_back(p.second.c_str());
  }
  const char* const* keys() const { return keys_.data(); }
  const char* const* values() const { return values_.data(); }
  int32_t size() const { return static_cast<int32_t>(keys_.size()); }

 private:
  std::vector<const char*> keys_, values_;
};
inline std::vector<const char*> raw_names(const std::vector<std::string>& names) {
  std::vector<const char*> raw;
  for (auto& n : names) raw.push_back(n.c_str());
  return raw;
}

// A handle shared by copies of its C++ object and freed with the last of them.
template <class H> class Shared {
 public:
  H handle() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

 protected:
  Shared() = default;
  explicit Shared(H h) : handle_(h, [](void* p) { flx_free(p); }) {}
  void reset(H h) { handle_.reset(h, [](void* p) { flx_free(p); }); }

 private:
  std::shared_ptr<std::remove_pointer_t<H>> handle_;
};
// Text that the library gave.
inline std::string take_text(char* text) {
  std::unique_ptr<char, void (*)(char*)> owner(text, &flx_text_free);
  return text ? std::string(text) : std::string();
}
inline std::string take_bytes(char* bytes, int64_t nbytes) {
  std::unique_ptr<char, void (*)(char*)> owner(bytes, &flx_text_free);
  return bytes ? std::string(bytes, static_cast<size_t>(nbytes)) : std::string();
}
inline const char* text_or_null(const std::string& s) { return s.empty() ? nullptr : s.c_str(); }
}  // namespace detail

}  // namespace flexor
#endif  // FLEXOR_BASE_HPP_
