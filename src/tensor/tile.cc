// SPDX-License-Identifier: Apache-2.0
// A tile is gathered into a buffer whose rows do not fall onto each other in the cache, and leaves it by whole vectors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/tile.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "tensor/tile.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
#if HWY_TARGET <= HWY_AVX3
constexpr int kBytes = 64;
#elif HWY_TARGET <= HWY_AVX2
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
template <class T> using D128 = hn::FixedTag<T, 16 / sizeof(T)>;
template <class T> using D256 = hn::FixedTag<T, 32 / sizeof(T)>;
template <class T> using DAll = hn::FixedTag<T, kBytes / sizeof(T)>;

// 16-byte blocks, one from each of rows p, p + step ...
template <class T> HWY_INLINE hn::Vec<DAll<T>> Blocks(const T* p, int64_t step) {
#if HWY_TARGET <= HWY_AVX3
  const D256<T> half;
  return hn::Combine(DAll<T>(), hn::Combine(half, hn::LoadU(D128<T>(), p + 3 * step), hn::LoadU(D128<T>(), p + 2 * step)),
                     hn::Combine(half, hn::LoadU(D128<T>(), p + step), hn::LoadU(D128<T>(), p)));
#elif HWY_TARGET <= HWY_AVX2
  return hn::Combine(DAll<T>(), hn::LoadU(D128<T>(), p + step), hn::LoadU(D128<T>(), p));
#else
  (void)step;
  return hn::LoadU(DAll<T>(), p);
#endif
}
template <class T> HWY_INLINE void Put(hn::Vec<DAll<T>> v, T* to, bool stream) {
  if (stream) hn::Stream(v, DAll<T>(), to);
  else hn::StoreU(v, DAll<T>(), to);
}
// Columns i.. of the rows that a vector spans, turned: as many rows of the result as an element fits a block.
template <class T> HWY_INLINE void Turn(const T* p, int64_t step, T* to, int64_t to_step, bool stream) {
  const DAll<T> d;
  if constexpr (sizeof(T) == 4) {
    auto v0 = Blocks(p, 4 * step), v1 = Blocks(p + step, 4 * step), v2 = Blocks(p + 2 * step, 4 * step), v3 = Blocks(p + 3 * step, 4 * step);
    auto a = hn::InterleaveLower(d, v0, v2), b = hn::InterleaveLower(d, v1, v3), e = hn::InterleaveUpper(d, v0, v2), f = hn::InterleaveUpper(d, v1, v3);
    Put(hn::InterleaveLower(d, a, b), to, stream);
    Put(hn::InterleaveUpper(d, a, b), to + to_step, stream);
    Put(hn::InterleaveLower(d, e, f), to + 2 * to_step, stream);
    Put(hn::InterleaveUpper(d, e, f), to + 3 * to_step, stream);
  } else {
    auto v0 = Blocks(p, 2 * step), v1 = Blocks(p + step, 2 * step);
    Put(hn::InterleaveLower(d, v0, v1), to, stream);
    Put(hn::InterleaveUpper(d, v0, v1), to + to_step, stream);
  }
}
#endif  // HWY_SCALAR
template <class T> void Tile(const void* from, int64_t from_step, void* to0, int64_t to_step, int64_t rows, int64_t columns, bool stream) {
  constexpr int64_t kStep = kTileSide + 16;
  alignas(64) T room[kTileSide * kStep];
  auto* p = static_cast<const T*>(from);
  auto* to = static_cast<T*>(to0);
  const T* source = p;  // rows so short lie in few pages, and do not fall onto each other
  int64_t step = from_step;
  if (from_step > kStep) {
    for (int64_t j = 0; j < columns; ++j) __builtin_memcpy(room + j * kStep, p + j * from_step, size_t(rows) * sizeof(T));
    source = room, step = kStep;
  }
  int64_t i = 0, j = 0;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (sizeof(T) >= 4) {
    constexpr int64_t kEach = 16 / sizeof(T), kLanes = kBytes / sizeof(T);
    bool past = stream && reinterpret_cast<uintptr_t>(to) % kBytes == 0 && to_step * int64_t(sizeof(T)) % kBytes == 0;
    for (; i + kEach <= rows; i += kEach) {
      for (j = 0; j + kLanes <= columns; j += kLanes) Turn(source + j * step + i, step, to + i * to_step + j, to_step, past);
      for (int64_t k = i; k < i + kEach; ++k)
        for (int64_t l = j; l < columns; ++l) to[k * to_step + l] = source[l * step + k];
    }
  }
#else
  (void)stream;
#endif
  for (; i < rows; ++i)
    for (j = 0; j < columns; ++j) to[i * to_step + j] = source[j * step + i];
}
}  // namespace
void CopyPastOf(void* to, const void* from, int64_t bytes) {
  auto* t = static_cast<uint8_t*>(to);
  auto* f = static_cast<const uint8_t*>(from);
#if HWY_TARGET != HWY_SCALAR
  constexpr int64_t kLine = 64;
  const DAll<uint8_t> d;
  int64_t head = int64_t(-reinterpret_cast<uintptr_t>(t) % kLine);
  if (head > bytes) head = bytes;
  __builtin_memcpy(t, f, size_t(head));
  int64_t i = head;
  for (; i + kLine <= bytes; i += kLine)
    for (int64_t k = 0; k < kLine; k += kBytes) hn::Stream(hn::LoadU(d, f + i + k), d, t + i + k);
  __builtin_memcpy(t + i, f + i, size_t(bytes - i));
#else
  __builtin_memcpy(t, f, size_t(bytes));
#endif
}
TurnFn TileOf(int size) { return size == 1 ? &Tile<uint8_t> : size == 2 ? &Tile<uint16_t> : size == 4 ? &Tile<uint32_t> : &Tile<uint64_t>; }
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(TileOf);
TurnFn TransposeTile(int size) { return HWY_DYNAMIC_DISPATCH(TileOf)(size); }
HWY_EXPORT(CopyPastOf);
void CopyPast(void* to, const void* from, int64_t bytes) { HWY_DYNAMIC_DISPATCH(CopyPastOf)(to, from, bytes); }
void FlushPast() { hwy::FlushStream(); }
}  // namespace flx
#endif
