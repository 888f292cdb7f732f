// SPDX-License-Identifier: Apache-2.0
#include "tensor/mapping.h"

#include "base/text.h"

namespace flx {

Ref<Mapping> Mapping::New(const NDArray& array, bool writable, int64_t timeout_ms) {
  const Array& a = *array;
  if (!a.on_cpu()) Fail(Status::kDevice, "map", "only memory of the CPU can be mapped. Copy the array first (flx_ndarray_copy).");
  if (!a.contiguous) Fail(Status::kUnsupported, "map", "expected an array without gaps in row-major order, given a strided view, ", Describe(a), ". Copy it first (flx_ndarray_copy).");
  static const Writer writer = WriterOf("map");
  VarUse use{&a.storage->var, writable ? Access::kUpdate : Access::kRead};
  if (!AcquireForHost(use, timeout_ms)) return nullptr;
  struct Grant {
    VarUse* use;
    ~Grant() { if (use) Engine::Release(use, 1); }
  } grant{&use};
  ThrowIfPoisoned(a);
  a.storage->Ensure();
  auto m = Ref<Mapping>::Take(new Mapping(array, use));
  Engine::Map(use.var);
  grant.use = nullptr;  // the mapping's from here on
  if (writable) a.storage->NoteWriter(writer);
  return m;
}

}  // namespace flx
