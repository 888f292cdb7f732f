// SPDX-License-Identifier: Apache-2.0
// Element types, by MXNet's numbers, and the two 16-bit floats as storage types (arithmetic is done in float32).
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/host_device.h"

namespace flx {

enum class DType : int8_t {
  kNone = -1,  // not known yet
  kFloat32 = 0, kFloat64 = 1, kFloat16 = 2, kUint8 = 3, kInt32 = 4, kInt8 = 5, kInt64 = 6, kBool = 7, kInt16 = 8,
  kUint16 = 9, kUint32 = 10, kUint64 = 11, kBfloat16 = 12
};
constexpr int kDTypeCount = 13;
const char* DTypeName(DType t);          // "float32"; "unknown" for kNone
bool DTypeFromName(std::string_view name, DType* out);
std::string DTypeNames();                // "float32, float64, ...": for messages; only those an array can have
constexpr bool IsFloat(DType t) { return t == DType::kFloat32 || t == DType::kFloat64 || t == DType::kFloat16 || t == DType::kBfloat16; }
constexpr bool IsSupported(DType t) { return t >= DType::kFloat32 && t <= DType::kBfloat16; }
inline constexpr int8_t kDTypeSizes[kDTypeCount] = {4, 8, 2, 1, 4, 1, 8, 1, 2, 2, 4, 8, 2};
constexpr int DTypeSize(DType t) { return IsSupported(t) ? kDTypeSizes[int(t)] : 0; }  // bytes
void Append(std::string* s, DType t);

struct Half { uint16_t bits; };       // IEEE binary16
struct Bfloat16 { uint16_t bits; };   // upper half of a binary32

FLX_HD inline float ToFloat(Bfloat16 h) {
  uint32_t u = uint32_t(h.bits) << 16;
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}
FLX_HD inline Bfloat16 ToBfloat16(float f) {  // round to nearest, ties to even
  uint32_t u;
  std::memcpy(&u, &f, 4);
  if ((u & 0x7fffffff) > 0x7f800000) return {uint16_t(u >> 16 | 0x40)};
  return {uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}
// binary16 by integer arithmetic: without F16C the compiler's own conversion is a library call of 15 ns, and loops over it are not vectorised.
FLX_HD inline float ToFloat(Half h) {
  uint32_t mag = uint32_t(h.bits & 0x7fff) << 13, sign = uint32_t(h.bits & 0x8000) << 16, u;
  float f;
  std::memcpy(&f, &mag, 4);
  f *= 0x1p112f;  // moves the exponent's bias; exact, subnormals too
  std::memcpy(&u, &f, 4);
  u = mag >= 0x0f800000 ? mag | 0x7f800000 | (mag > 0x0f800000 ? 0x400000 : 0) : u;
  u |= sign;
  std::memcpy(&f, &u, 4);
  return f;
}
FLX_HD inline Half ToHalf(float f) {  // round to nearest, ties to even
  uint32_t u;
  std::memcpy(&u, &f, 4);
  uint32_t sign = u >> 16 & 0x8000;
  u &= 0x7fffffff;
  if (u > 0x7f800000) return {uint16_t(sign | 0x7e00 | (u >> 13 & 0x3ff))};
  if (u >= 0x477ff000) return {uint16_t(sign | 0x7c00)};  // 65520 and more
  if (u < 0x38800000) {  // subnormal: adding 0.5 rounds at its last place
    std::memcpy(&f, &u, 4);
    f += 0.5f;
    std::memcpy(&u, &f, 4);
    return {uint16_t(sign | (u - 0x3f000000))};
  }
  return {uint16_t(sign | ((u + 0xfff + (u >> 13 & 1) - 0x38000000) >> 13))};
}

template <class T> constexpr DType kDTypeOf = DType::kNone;
template <> inline constexpr DType kDTypeOf<float> = DType::kFloat32;
template <> inline constexpr DType kDTypeOf<double> = DType::kFloat64;
template <> inline constexpr DType kDTypeOf<Half> = DType::kFloat16;
template <> inline constexpr DType kDTypeOf<Bfloat16> = DType::kBfloat16;
template <> inline constexpr DType kDTypeOf<uint8_t> = DType::kUint8;
template <> inline constexpr DType kDTypeOf<int8_t> = DType::kInt8;
template <> inline constexpr DType kDTypeOf<int16_t> = DType::kInt16;
template <> inline constexpr DType kDTypeOf<int32_t> = DType::kInt32;
template <> inline constexpr DType kDTypeOf<int64_t> = DType::kInt64;
template <> inline constexpr DType kDTypeOf<uint16_t> = DType::kUint16;
template <> inline constexpr DType kDTypeOf<uint32_t> = DType::kUint32;
template <> inline constexpr DType kDTypeOf<uint64_t> = DType::kUint64;
template <> inline constexpr DType kDTypeOf<bool> = DType::kBool;

// One element as double and back (16-bit floats through float32; floats to integers truncate toward zero and saturate, NaN is 0).
template <class T> FLX_HD inline double LoadAs(T v) { return static_cast<double>(v); }
FLX_HD inline double LoadAs(Half v) { return ToFloat(v); }
FLX_HD inline double LoadAs(Bfloat16 v) { return ToFloat(v); }

// Calls f with a value of the C++ type of t: Dispatch(t, [&](auto zero) { using T = decltype(zero); ... });
template <class F> FLX_HD decltype(auto) Dispatch(DType t, F&& f) {
  switch (t) {
    case DType::kFloat64: return f(double{});
    case DType::kFloat16: return f(Half{});
    case DType::kUint8: return f(uint8_t{});
    case DType::kInt32: return f(int32_t{});
    case DType::kInt8: return f(int8_t{});
    case DType::kInt64: return f(int64_t{});
    case DType::kBool: return f(bool{});
    case DType::kInt16: return f(int16_t{});
    case DType::kUint16: return f(uint16_t{});
    case DType::kUint32: return f(uint32_t{});
    case DType::kUint64: return f(uint64_t{});
    case DType::kBfloat16: return f(Bfloat16{});
    default: return f(float{});
  }
}

}  // namespace flx
