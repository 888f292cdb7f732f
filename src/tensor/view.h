// SPDX-License-Identifier: Apache-2.0
// What a kernel sees of an array: where, which type, which sizes and strides. Trivially copyable, owns nothing.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "tensor/shape.h"

namespace flx {

struct TensorView {
  void* base = nullptr;        // the storage's memory; null: an optional input not given, or a hidden output not wanted
  int64_t offset = 0;          // bytes
  DType dtype = DType::kFloat32;
  bool contiguous = true;      // row-major without gaps
  Shape shape;
  Shape strides;               // in elements; valid also when contiguous

  template <class T> T* data() const { return reinterpret_cast<T*>(static_cast<char*>(base) + offset); }
  void* raw() const { return static_cast<char*>(base) + offset; }
  explicit operator bool() const { return base != nullptr; }
  int ndim() const { return shape.ndim(); }
  int64_t dim(int i) const { return shape[i]; }
  int64_t size() const { return shape.size(); }
  int64_t bytes() const { return size() * DTypeSize(dtype); }
};
inline TensorView MakeView(void* base, DType t, Shape s, int64_t offset = 0) {
  TensorView v;
  v.base = base, v.dtype = t, v.offset = offset, v.strides = ContiguousStrides(s), v.shape = std::move(s);
  return v;
}

}  // namespace flx
