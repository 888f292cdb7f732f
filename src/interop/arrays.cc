// SPDX-License-Identifier: Apache-2.0
#include "interop/arrays.h"

#include <unordered_set>

#include "storage/pool.h"

namespace flx::interop {

bool ByteCount(const Shape& s, DType t, int64_t* bytes) {
  int64_t n = DTypeSize(t);
  bool zero = false;
  for (int64_t d : s) {
    zero |= d == 0;
    if (d && __builtin_mul_overflow(n, d, &n)) return false;  // beside a 0 too: strides and partial products are made of them
  }
  *bytes = zero ? 0 : n;
  return true;
}

NDArray ReadDense(Source& from, int64_t at, const Shape& s, DType t) {
  NDArray a = Array::New(s, t);
  int64_t n = a->bytes();
  if (n == 0) return a;
  auto* p = static_cast<uint8_t*>(a->View().raw());
  from.Read(at, p, n);
  if (t == DType::kBool)
    for (int64_t i = 0; i < n; ++i)
      if (p[i] > 1) FailFile(Status::kFormat, from.name(), at + i, Text("a bool must be 0 or 1, given ", int(p[i]), "."));
  return a;
}

void WriteDense(const NDArray& a, Sink* to) {
  // Read through the engine, so that a write that another thread pushes meanwhile is seen wholly or not at all.
  struct Buffer {
    explicit Buffer(int64_t bytes) : p(HostAlloc(size_t(bytes))), n(bytes) {}
    ~Buffer() { HostFree(p, size_t(n)); }
    void* p;
    int64_t n;
  } buffer(a->bytes());
  ReadArray(*a, buffer.p, buffer.n, a->dtype, false);
  to->Write(buffer.p, buffer.n);
}

void CheckNames(const char* who, const NamedArrays& arrays) {
  std::unordered_set<std::string_view> seen;
  for (auto& [name, array] : arrays)
    if (!seen.insert(name).second) Fail(Status::kArgument, who, "names must differ, given `", name, "` twice.");
}

}  // namespace flx::interop
