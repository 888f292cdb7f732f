// SPDX-License-Identifier: Apache-2.0
#include "op/elementwise/operand.h"

#include <algorithm>

#include "op/elementwise/driver.h"

namespace flx {
namespace {
template <class T> void CopyStrided(const char* from, int64_t from_stride, char* to, int64_t to_stride, int64_t n) {
  for (int64_t i = 0; i < n; ++i, from += from_stride, to += to_stride) std::memcpy(to, from, sizeof(T));
}
}  // namespace

TileFn LoopFor(const TileLoops& l, DType dtype, DType loop_type) {
  if (dtype == DType::kUint64) return l.u64;  // the same bits as int64, in another order
  return loop_type == DType::kFloat32 ? l.f32 : loop_type == DType::kFloat64 ? l.f64 : loop_type == DType::kInt32 ? l.i32 : l.i64;
}
bool Exact(DType from, DType loop_type) {
  if (loop_type == DType::kFloat64) return true;
  if (loop_type == DType::kFloat32) return LoopType(from) == DType::kFloat32 || DTypeSize(from) < 3;
  return !IsFloat(from) && (loop_type == DType::kInt64 || LoopType(from) == DType::kInt32);
}

void Operand::Set(const TensorView& v, const Shape& to) {
  base = static_cast<char*>(v.raw());
  size = DTypeSize(v.dtype);
  int lead = to.ndim() - v.ndim();
  for (int i = 0; i < to.ndim(); ++i) {
    if (to[i] == 1) continue;
    int64_t s = i < lead || v.shape[i - lead] == 1 ? 0 : v.strides[i - lead] * size;
    if (nd > 0 && strides[nd - 1] == s * to[i]) {
      dims[nd - 1] *= to[i], strides[nd - 1] = s;
    } else {
      dims[nd] = to[i], strides[nd] = s, ++nd;
    }
  }
  if (nd == 0) dims[0] = 1, strides[0] = size, nd = 1;
}

void CopyRun(const char* from, int64_t from_stride, char* to, int64_t to_stride, int64_t n, int size) {
  if (from_stride == size && to_stride == size) std::memcpy(to, from, size_t(n * size));
  else if (from_stride == 0 && to_stride == size) FillRun(from, to, n, size);
  else if (size == 4) CopyStrided<uint32_t>(from, from_stride, to, to_stride, n);
  else if (size == 8) CopyStrided<uint64_t>(from, from_stride, to, to_stride, n);
  else if (size == 2) CopyStrided<uint16_t>(from, from_stride, to, to_stride, n);
  else CopyStrided<uint8_t>(from, from_stride, to, to_stride, n);
}
void FillRun(const char* one, char* to, int64_t n, int size) {
  int64_t bytes = n * size, done = std::min<int64_t>(bytes, 64);
  for (int64_t i = 0; i < done; i += size) std::memcpy(to + i, one, size_t(size));
  for (int64_t m; done < bytes; done += m) std::memcpy(to + done, to, size_t(m = std::min(done, bytes - done)));  // what is there, again
}

const void* Source::Gather(int64_t n, char* buffer) {
  if (c_.stride() == 0 && c_.run() >= n) {  // one element for the whole tile: made once, kept as long as it serves
    if (held_ != c_.p()) {
      char one[8];
      if (o_.native) std::memcpy(one, c_.p(), size_t(o_.size));
      else o_.convert(c_.p(), one, 1);
      FillRun(one, buffer, std::min<int64_t>(kTileBytes / loop_size_, c_.run()), loop_size_);
      held_ = c_.p();
    }
    c_.Advance(n);
    return buffer;
  }
  held_ = nullptr;
  if (!o_.native && c_.stride() == o_.size && c_.run() >= n) {
    o_.convert(c_.p(), buffer, n);
    c_.Advance(n);
    return buffer;
  }
  Tile raw;
  char* to = o_.native ? buffer : raw.bytes;
  for (int64_t done = 0; done < n;) {
    int64_t m = std::min(c_.run(), n - done);
    CopyRun(c_.p(), c_.stride(), to + done * o_.size, o_.size, m, o_.size);
    c_.Advance(m), done += m;
  }
  if (!o_.native) o_.convert(raw.bytes, buffer, n);
  return buffer;
}

void Target::Scatter(int64_t n, const char* buffer) {
  if (!o_.native && c_.stride() == o_.size && c_.run() >= n) {
    o_.convert(buffer, c_.p(), n);
    return c_.Advance(n);
  }
  Tile raw;
  if (!o_.native) o_.convert(buffer, raw.bytes, n);
  const char* from = o_.native ? buffer : raw.bytes;
  for (int64_t done = 0; done < n;) {
    int64_t m = std::min(c_.run(), n - done);
    CopyRun(from + done * o_.size, o_.size, c_.p(), c_.stride(), m, o_.size);
    c_.Advance(m), done += m;
  }
}

}  // namespace flx
