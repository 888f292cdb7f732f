// SPDX-License-Identifier: Apache-2.0
// Arrays shared with other libraries by DLPack (dmlc/dlpack, ABI 1.x and the one before it), as addresses of its structs.
#pragma once
#include "tensor/array.h"

namespace flx {

// DLPack's structs, field for field; their names are its own.
struct DLDevice { int32_t device_type, device_id; };
struct DLDataType { uint8_t code, bits; uint16_t lanes; };
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape, *strides;  // strides in elements; null: row-major without gaps
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor*);
};
struct DLPackVersion { uint32_t major, minor; };
struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor dl_tensor;
};
constexpr int32_t kDLCPU = 1, kDLCUDAHost = 3;
constexpr uint8_t kDLInt = 0, kDLUInt = 1, kDLFloat = 2, kDLBfloat = 4, kDLBool = 6;
constexpr uint64_t kDLReadOnly = 1;

// Shares the memory; `Managed` is one of the two above. The deleter may run in any thread, at any time. Null: the time is up.
template <class Managed> Managed* ToDlpack(const NDArray& a, bool read_only, int64_t timeout_ms);
extern template DLManagedTensor* ToDlpack(const NDArray&, bool, int64_t);
extern template DLManagedTensorVersioned* ToDlpack(const NDArray&, bool, int64_t);

// An array over a producer's memory. Until Take is called the tensor is still the caller's, whatever becomes of the array.
struct Imported;
class DlpackImport {
 public:
  explicit DlpackImport(DLManagedTensor* t);
  explicit DlpackImport(DLManagedTensorVersioned* t);
  ~DlpackImport();
  DlpackImport(const DlpackImport&) = delete;
  DlpackImport& operator=(const DlpackImport&) = delete;
  void Take() noexcept;
  NDArray array;

 private:
  void Read(const DLTensor& t, bool read_only, void* managed, void (*drop)(void*));
  Imported* owner_ = nullptr;
  void (*drop_)(void*) = nullptr;
  bool copied_ = false;  // nothing of the array is the producer's
};

bool DlpackWaits();       // whether there is a tensor that nothing uses any more
int64_t CollectDlpack();  // calls their deleters, here. How many

}  // namespace flx
