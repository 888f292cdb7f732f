// SPDX-License-Identifier: Apache-2.0
#include "devices.h"
#include "exec/autograd.h"
#include "exec/symbol_gradient.h"
#include "guard.h"

using namespace flx;
using namespace flx::capi;

namespace {
// Nothing for a tape or a trace: a view needs no operator.
bool Plain(const Array& a, int mode) { return !(mode & FLX_TRACE) && (!(mode & FLX_RECORD) || !IsRecorded(a)); }
NDArray View(const Array& a, int mode, const char* op, const std::vector<std::pair<std::string, std::string>>& options) {
  return Invoke1(op, {Ref<Array>(const_cast<Array*>(&a))}, options, mode);
}
int64_t AxisZero(const char* who, const Array& a) {
  if (a.shape.ndim() == 0) Fail(Status::kShape, who, "expected an array of at least one axis, given a scalar.");
  return a.shape[0];
}
}  // namespace

extern "C" {

flx_status flx_ndarray_create(const int64_t* dims, int32_t ndim, int32_t dtype, const char* device, flx_ndarray* out_array) {
  return flx_ndarray_create_full(dims, ndim, dtype, device, 0, out_array);
}
flx_status flx_ndarray_create_full(const int64_t* dims, int32_t ndim, int32_t dtype, const char* device, double value, flx_ndarray* out_array) {
  FLX_BEGIN
    NeedPointer(who, "out_array", out_array);
    const Device* where = ResolveDevice(OptionalText(who, "device", device));
    Shape s = NeedShape(who, dims, ndim);
    DType t = NeedDType(who, "dtype", dtype);
    s.CheckedSize(who, DTypeSize(t));
    *out_array = GiveArray(Array::Filled(s, t, value, where));
  FLX_END
}
flx_status flx_ndarray_create_from(const void* data, int64_t nbytes, int32_t host_dtype, int32_t order, const int64_t* dims, int32_t ndim, int32_t dtype,
                                   const char* device, flx_ndarray* out_array) {
  FLX_BEGIN
    NeedPointer(who, "out_array", out_array);
    const Device* where = ResolveDevice(OptionalText(who, "device", device));
    Shape s = NeedShape(who, dims, ndim);
    DType host = NeedDType(who, "host_dtype", host_dtype), t = NeedDType(who, "dtype", dtype);
    bool column = NeedOrder(who, order);
    int64_t want = s.CheckedSize(who, DTypeSize(host)) * DTypeSize(host);
    s.CheckedSize(who, DTypeSize(t));
    NeedBytes(who, data, nbytes);
    if (nbytes != want) Fail(Status::kArgument, who, "`nbytes` must be ", want, " (", s, " of ", host, "), given ", nbytes, ".");
    *out_array = GiveArray(FromHost(data, nbytes, host, column, s, t, where));
  FLX_END
}
flx_status flx_ndarray_write(flx_ndarray array, const void* data, int64_t nbytes, int32_t host_dtype, int32_t order) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    DType host = NeedDType(who, "host_dtype", host_dtype);
    bool column = NeedOrder(who, order);
    NeedBytes(who, data, nbytes);
    RefuseTraced(*a, "written");
    WriteArray(a.ref(), data, nbytes, host, column);
  FLX_END
}
flx_status flx_ndarray_read(flx_ndarray array, void* buffer, int64_t buffer_nbytes, int32_t host_dtype, int32_t order, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    DType host = NeedDType(who, "host_dtype", host_dtype);
    bool column = NeedOrder(who, order);
    NeedBytes(who, buffer, buffer_nbytes, "buffer");
    NeedPointer(who, "out_ready", out_ready);
    RefuseTraced(*a, "read");
    *out_ready = ReadArray(*a, buffer, buffer_nbytes, host, column, timeout_ms);
  FLX_END
}
flx_status flx_ndarray_item(flx_ndarray array, int64_t timeout_ms, int32_t* out_ready, double* out_value) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_ready", out_ready);
    NeedPointer(who, "out_value", out_value);
    if (a->size() != 1) Fail(Status::kShape, who, "expected an array of one element, given ", Describe(*a), ".");
    RefuseTraced(*a, "read");
    double v;
    bool ready = ReadArray(*a, &v, 8, DType::kFloat64, false, timeout_ms);
    if (ready) *out_value = v;
    *out_ready = ready;
  FLX_END
}
flx_status flx_ndarray_describe(flx_ndarray array, int32_t* out_dtype, int64_t* out_dims, int32_t capacity, int32_t* out_ndim) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_dtype", out_dtype);
    NeedPointer(who, "out_ndim", out_ndim);
    GiveShape(who, a->shape, out_dims, capacity, out_ndim);
    *out_dtype = int32_t(a->dtype);
  FLX_END
}
flx_status flx_ndarray_device(flx_ndarray array, const char** out_device) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_device", out_device);
    *out_device = Intern(NameOf(a->device()));
  FLX_END
}
flx_status flx_ndarray_nbytes(flx_ndarray array, int64_t* out_nbytes) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_nbytes", out_nbytes);
    *out_nbytes = a->bytes();
  FLX_END
}
flx_status flx_ndarray_version(flx_ndarray array, int64_t* out_version) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_version", out_version);
    *out_version = int64_t(a->storage->var.version.load());
  FLX_END
}
flx_status flx_ndarray_text(flx_ndarray array, int64_t timeout_ms, int32_t* out_ready, char** out_text) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_ready", out_ready);
    NeedPointer(who, "out_text", out_text);
    RefuseTraced(*a, "printed");
    bool ready = WaitToRead(*a, timeout_ms);
    if (ready) *out_text = GiveText(ToText(*a));
    *out_ready = ready;
  FLX_END
}
flx_status flx_ndarray_wait(flx_ndarray array, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_ready", out_ready);
    RefuseTraced(*a, "waited for");
    *out_ready = WaitToRead(*a, timeout_ms);
  FLX_END
}
flx_status flx_wait_all(int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    NeedPointer(who, "out_ready", out_ready);
    bool ready = Engine::Get().WaitAll(timeout_ms);
    if (ready)
      if (auto p = Engine::Get().NextUnseen()) throw p->error;
    *out_ready = ready;
  FLX_END
}
flx_status flx_ndarray_copy(flx_ndarray array, const char* device, flx_ndarray* out_array) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_array", out_array);
    const Device* where = device ? ResolveDevice(OptionalText(who, "device", device)) : a->device();
    if (IsTraced(*a) && where != a->device()) Fail(Status::kUnsupported, who, "inside a traced function an array stays on its device. Copy what it is given, or what it returns.");
    *out_array = GiveArray(IsTraced(*a) ? Invoke1("BlockGrad", {a.ref()}, {}, kTrace) : CopyOf(a.ref(), where));
  FLX_END
}
flx_status flx_ndarray_copy_into(flx_ndarray array, flx_ndarray target) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    auto t = PinArray(who, target, "target");
    RefuseTraced(*a, "copied into an array");
    RefuseTraced(*t, "written");
    CopyInto(a.ref(), t.ref());
  FLX_END
}
flx_status flx_ndarray_slice(flx_ndarray array, int64_t start, int64_t stop, int32_t mode, flx_ndarray* out_array) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_array", out_array);
    NeedMode(who, mode, FLX_RECORD | FLX_TRAIN | FLX_TRACE);
    int64_t n = AxisZero(who, *a), b = start < 0 ? start + n : start, e = stop < 0 ? stop + n : stop;
    if (b < 0 || e > n || b > e) Fail(Status::kIndex, who, "expected 0 <= start <= stop <= ", n, " (negative counts from the end), given ", start, " and ", stop, ".");
    bool plain = Plain(*a, mode);
    *out_array = GiveArray(plain ? Array::NewRows(a.ref(), b, e, false)
                                 : View(*a, mode, "slice_axis", {{"axis", "0"}, {"begin", Text(b)}, {"end", Text(e)}}));
  FLX_END
}
flx_status flx_ndarray_at(flx_ndarray array, int64_t index, int32_t mode, flx_ndarray* out_array) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_array", out_array);
    NeedMode(who, mode, FLX_RECORD | FLX_TRAIN | FLX_TRACE);
    int64_t n = AxisZero(who, *a), i = index < 0 ? index + n : index;
    if (i < 0 || i >= n) Fail(Status::kIndex, who, "`index` must be in [", -n, ", ", n, "), given ", index, ".");
    if (Plain(*a, mode)) {
      *out_array = GiveArray(Array::NewRows(a.ref(), i, i + 1, true));
      return;
    }
    NDArray row = View(*a, mode, "slice_axis", {{"axis", "0"}, {"begin", Text(i)}, {"end", Text(i + 1)}});
    *out_array = GiveArray(View(*row, mode, "squeeze", {{"axis", "0"}}));
  FLX_END
}
flx_status flx_ndarray_reshape(flx_ndarray array, const int64_t* dims, int32_t ndim, int32_t mode, flx_ndarray* out_array) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_array", out_array);
    NeedMode(who, mode, FLX_RECORD | FLX_TRAIN | FLX_TRACE);
    Shape s = NeedShape(who, dims, ndim);
    // a scalar has no code of its own in Reshape, whose empty shape means "not given"
    *out_array = GiveArray(ndim == 0 ? View(*a, mode, "_np_reshape_to", {{"shape", "()"}}) : View(*a, mode, "Reshape", {{"shape", Text(s.vec())}}));
  FLX_END
}
flx_status flx_ndarray_alias(flx_ndarray array, flx_ndarray* out_array) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_array", out_array);
    *out_array = GiveArray(a.ref());
  FLX_END
}
flx_status flx_ndarray_detach(flx_ndarray array, flx_ndarray* out_array) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_array", out_array);
    *out_array = GiveArray(IsTraced(*a) ? Invoke1("BlockGrad", {a.ref()}, {}, kTrace) : Detach(a.ref()));
  FLX_END
}

}  // extern "C"
