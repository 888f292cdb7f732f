// SPDX-License-Identifier: Apache-2.0
#include "io/idx.h"

#include "base/thread_pool.h"
#include "io/bytes.h"
#include "io/gzip.h"

namespace flx {
namespace {

DType IdxType(uint8_t code) {
  switch (code) {
    case 0x08: return DType::kUint8;
    case 0x09: return DType::kInt8;
    case 0x0B: return DType::kInt16;
    case 0x0C: return DType::kInt32;
    case 0x0D: return DType::kFloat32;
    case 0x0E: return DType::kFloat64;
    default: return DType::kNone;
  }
}
uint16_t Swapped(uint16_t v) { return __builtin_bswap16(v); }
uint32_t Swapped(uint32_t v) { return __builtin_bswap32(v); }
uint64_t Swapped(uint64_t v) { return __builtin_bswap64(v); }
template <class U> void SwapAll(void* p, int64_t n) {
  auto* words = static_cast<U*>(p);
  ParallelFor(n, 1 << 18, [&](int64_t begin, int64_t end) { for (int64_t i = begin; i < end; ++i) words[i] = Swapped(words[i]); });
}

}  // namespace

NDArray ReadIdx(const std::string& path) {
  InflateReader in(path);
  auto get = [&](void* to, int64_t n, const char* what) {
    int64_t at = in.at(), got = in.Read(to, n);
    if (got < n) FailFile(Status::kFormat, path, at, Text(what, " needs ", n, " bytes, but ", got, " are left."));
  };
  uint8_t head[4];
  get(head, 4, "the IDX head");
  DType type = IdxType(head[2]);
  if (head[0] || head[1] || type == DType::kNone)
    FailFile(Status::kFormat, path, 0, Text("not an IDX file: expected 0 0 and a type of 8, 9, 11, 12, 13 or 14, given ", int(head[0]), " ", int(head[1]), " ", int(head[2]), "."));
  if (head[3] > kMaxNdim) FailFile(Status::kFormat, path, 3, Text("an array has at most ", kMaxNdim, " axes, given ", int(head[3]), "."));
  Shape shape = Shape::Filled(head[3], 0);
  int64_t bytes = DTypeSize(type);
  bool fits = true, none = false;
  for (int i = 0; i < shape.ndim(); ++i) {
    uint32_t size;
    get(&size, 4, "a size");
    shape[i] = Swapped(size);
    none |= shape[i] == 0;
    fits = fits && (shape[i] == 0 || !__builtin_mul_overflow(bytes, shape[i], &bytes));
  }
  if (none) bytes = 0;
  if (!fits || bytes > in.most() - in.at())
    FailFile(Status::kFormat, path, in.at(), Text("an array of ", type, " ", shape, " needs more bytes than the file can hold."));
  NDArray a = Array::New(shape, type);
  void* data = a->View().raw();
  get(data, bytes, "the array");
  char more;
  // reading on also makes zlib check the stream's sum
  if (in.Read(&more, 1)) FailFile(Status::kFormat, path, in.at() - 1, Text("expected the end after an array of ", type, " ", shape, ", given more bytes."));
  int64_t n = bytes / DTypeSize(type);
  switch (DTypeSize(type)) {
    case 2: SwapAll<uint16_t>(data, n); break;
    case 4: SwapAll<uint32_t>(data, n); break;
    case 8: SwapAll<uint64_t>(data, n); break;
    default: break;
  }
  return a;
}

}  // namespace flx
