// SPDX-License-Identifier: Apache-2.0
// The beginning of the text of kernels compiled at run time (op/elementwise/chain_source.h): what the formulas use of the standard library. NVRTC brings
// none and knows mathematics by global names only; the user's machine need not have the headers. Where the C++ compiler stands in for NVRTC (the
// emulated device of the tests), its own library is there.
#ifdef __CUDACC_RTC__
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
namespace std {
class string;
class string_view;
using ::int16_t; using ::int32_t; using ::int64_t; using ::int8_t; using ::uint16_t; using ::uint32_t; using ::uint64_t; using ::uint8_t;
using ::memcpy;
using ::acos; using ::acosh; using ::asin; using ::asinh; using ::atan; using ::atanh; using ::cbrt; using ::ceil; using ::copysign; using ::cos; using ::cosh; using ::erf; using ::erfc; using ::exp;
using ::expm1; using ::fabs; using ::floor; using ::fmod; using ::hypot; using ::log; using ::log10; using ::log1p; using ::log2; using ::pow; using ::sin; using ::sinh; using ::sqrt; using ::tan;
using ::tanh; using ::tgamma; using ::trunc;

template <class A, class B> inline constexpr bool is_same_v = false;
template <class A> inline constexpr bool is_same_v<A, A> = true;
template <class T> inline constexpr bool is_floating_point_v = is_same_v<T, float> || is_same_v<T, double>;
template <class T> inline constexpr bool is_signed_v = T(-1) < T(0);
template <class T> inline constexpr bool is_integral_v =
    is_same_v<T, bool> || is_same_v<T, int8_t> || is_same_v<T, int16_t> || is_same_v<T, int32_t> || is_same_v<T, int64_t> || is_same_v<T, uint8_t> || is_same_v<T, uint16_t> ||
    is_same_v<T, uint32_t> || is_same_v<T, uint64_t>;
template <class T> struct make_unsigned { using type = T; };
template <> struct make_unsigned<int8_t> { using type = uint8_t; };
template <> struct make_unsigned<int16_t> { using type = uint16_t; };
template <> struct make_unsigned<int32_t> { using type = uint32_t; };
template <> struct make_unsigned<int64_t> { using type = uint64_t; };
template <class T> using make_unsigned_t = typename make_unsigned<T>::type;

// Of integers; of floats, what special functions need.
template <class T> struct numeric_limits {
  static constexpr T max() { return is_signed_v<T> ? T(make_unsigned_t<T>(-1) >> 1) : T(-1); }
  static constexpr T min() { return is_signed_v<T> ? T(-max() - 1) : T(0); }
  static constexpr T lowest() { return min(); }
};
template <> struct numeric_limits<bool> {
  static constexpr bool max() { return true; }
  static constexpr bool min() { return false; }
  static constexpr bool lowest() { return false; }
};
template <> struct numeric_limits<double> {
  static constexpr double quiet_NaN() { return __builtin_bit_cast(double, 0x7ff8000000000000ull); }
  static constexpr double infinity() { return __builtin_bit_cast(double, 0x7ff0000000000000ull); }
};
}  // namespace std
#else
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#define __global__
#define __device__
#define __grid_constant__
#endif
