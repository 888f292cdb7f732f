// SPDX-License-Identifier: Apache-2.0
// Memory shared with the host and with other libraries.
#include "exec/symbol_gradient.h"
#include "guard.h"
#include "interop/dlpack.h"
#include "tensor/mapping.h"

using namespace flx;
using namespace flx::capi;

namespace {
template <class Managed> void Lend(const char* who, flx_ndarray array, int64_t timeout_ms, int32_t* out_ready, int64_t* out_address) {
  auto a = PinArray(who, array);
  NeedPointer(who, "out_ready", out_ready);
  NeedPointer(who, "out_address", out_address);
  RefuseTraced(*a, "shared");
  auto* m = ToDlpack<Managed>(a.ref(), a->node != nullptr, timeout_ms);
  if (m) *out_address = reinterpret_cast<int64_t>(m);
  *out_ready = m != nullptr;
}
template <class Managed> void Borrow(const char* who, int64_t address, flx_ndarray* out_array) {
  NeedPointer(who, "out_array", out_array);
  // what can be seen of it: not more is known of an address
  if (address < 4096 || address % int64_t(alignof(Managed))) Fail(Status::kArgument, who, "`address` must be that of a DLPack tensor, given ", address, ".");
  DlpackImport import(reinterpret_cast<Managed*>(address));
  flx_ndarray made = GiveArray(import.array);
  import.Take();  // nothing can fail any more
  *out_array = made;
}
}  // namespace

extern "C" {

flx_status flx_ndarray_map(flx_ndarray array, int32_t writable, int64_t timeout_ms, int32_t* out_ready, flx_mapping* out_mapping) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_ready", out_ready);
    NeedPointer(who, "out_mapping", out_mapping);
    if (writable != 0 && writable != 1) Fail(Status::kArgument, who, "`writable` must be 0 or 1, given ", writable, ".");
    RefuseTraced(*a, "mapped");
    auto m = Mapping::New(a.ref(), writable, timeout_ms);
    bool ready = bool(m);
    if (ready) *out_mapping = reinterpret_cast<flx_mapping>(NewHandle(m.Leak()));
    *out_ready = ready;
  FLX_END
}
flx_status flx_mapping_address(flx_mapping mapping, int64_t* out_address, int64_t* out_nbytes) {
  FLX_BEGIN
    Pin<Mapping> m(mapping, Kind::kMapping, "mapping", who);
    NeedPointer(who, "out_address", out_address);
    NeedPointer(who, "out_nbytes", out_nbytes);
    *out_address = reinterpret_cast<int64_t>(m->data()), *out_nbytes = m->bytes();
  FLX_END
}
flx_status flx_ndarray_to_dlpack(flx_ndarray array, int64_t timeout_ms, int32_t* out_ready, int64_t* out_address) {
  FLX_BEGIN
    Lend<DLManagedTensorVersioned>(who, array, timeout_ms, out_ready, out_address);
  FLX_END
}
flx_status flx_ndarray_to_dlpack_legacy(flx_ndarray array, int64_t timeout_ms, int32_t* out_ready, int64_t* out_address) {
  FLX_BEGIN
    Lend<DLManagedTensor>(who, array, timeout_ms, out_ready, out_address);
  FLX_END
}
flx_status flx_ndarray_from_dlpack(int64_t address, flx_ndarray* out_array) {
  FLX_BEGIN
    Borrow<DLManagedTensorVersioned>(who, address, out_array);
  FLX_END
}
flx_status flx_ndarray_from_dlpack_legacy(int64_t address, flx_ndarray* out_array) {
  FLX_BEGIN
    Borrow<DLManagedTensor>(who, address, out_array);
  FLX_END
}
flx_status flx_dlpack_collect(int64_t* out_count) {
  if (out_count && !DlpackWaits()) {
    *out_count = 0;
    return FLX_OK;
  }
  FLX_BEGIN
    NeedPointer(who, "out_count", out_count);
    *out_count = CollectDlpack();
  FLX_END
}

}  // extern "C"
