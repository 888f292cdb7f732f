// SPDX-License-Identifier: Apache-2.0
// Iterators and record files.
#include "guard.h"
#include "io/iter.h"
#include "io/record.h"

using namespace flx;
using namespace flx::capi;

namespace {
Pin<Iter> PinIter(const char* who, flx_iter i) { return {i, Kind::kIter, "iter", who}; }
Pin<RecordFile> PinRecord(const char* who, flx_record r) { return {r, Kind::kRecord, "record", who}; }
}  // namespace

extern "C" {

flx_status flx_iter_create(const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_iter* out_iter) {
  FLX_BEGIN
    NeedText(who, "name", name);
    NeedPointer(who, "out_iter", out_iter);
    *out_iter = reinterpret_cast<flx_iter>(NewHandle(CreateIter(name, OptionList(who, keys, values, npairs)).Leak()));
  FLX_END
}
flx_status flx_iter_from_arrays(const flx_ndarray* arrays, int32_t narrays, const char* const* names, int32_t nnames, const char* const* keys,
                                const char* const* values, int32_t npairs, flx_iter* out_iter) {
  FLX_BEGIN
    ArrayList a(who, "arrays", arrays, narrays);
    auto n = NeedNames(who, "names", names, nnames);
    NeedPointer(who, "out_iter", out_iter);
    *out_iter = reinterpret_cast<flx_iter>(NewHandle(CreateIter("ArrayIter", OptionList(who, keys, values, npairs), a.refs(), n).Leak()));
  FLX_END
}
flx_status flx_iter_from_host(int64_t token, const char* const* names, int32_t nnames, const char* const* keys, const char* const* values, int32_t npairs,
                              flx_iter* out_iter) {
  FLX_BEGIN
    auto n = NeedNames(who, "names", names, nnames);
    NeedPointer(who, "out_iter", out_iter);
    *out_iter = reinterpret_cast<flx_iter>(NewHandle(HostIterOf(token, n, OptionList(who, keys, values, npairs)).Leak()));
  FLX_END
}
flx_status flx_iter_next(flx_iter iter, int64_t timeout_ms, int32_t* out_event) {
  FLX_BEGIN
    auto i = PinIter(who, iter);
    NeedPointer(who, "out_event", out_event);
    Lock lock(i->mutex());
    *out_event = !i->Ready(timeout_ms) ? FLX_PENDING : i->Next() ? FLX_BATCH : FLX_DONE;
  FLX_END
}
flx_status flx_iter_arrays(flx_iter iter, flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  FLX_BEGIN
    auto i = PinIter(who, iter);
    NeedPointer(who, "out_narrays", out_narrays);
    Lock lock(i->mutex());
    if (i->arrays().empty()) Fail(Status::kState, who, "there is no batch: the iterator stands before the first or after the last. Call flx_iter_next.");
    NeedPointer(who, "out_arrays", out_arrays);
    GiveArrays(who, i->arrays(), out_arrays, capacity, out_narrays);
  FLX_END
}
flx_status flx_iter_name(flx_iter iter, int32_t index, const char** out_name) {
  FLX_BEGIN
    auto i = PinIter(who, iter);
    NeedPointer(who, "out_name", out_name);
    auto& names = i->names();
    if (index < 0 || index >= int32_t(names.size())) Fail(Status::kIndex, who, "`index` must be in [0, ", names.size(), "), given ", index, ".");
    *out_name = names[size_t(index)].c_str();
  FLX_END
}
flx_status flx_iter_pad(flx_iter iter, int32_t* out_pad) {
  FLX_BEGIN
    auto i = PinIter(who, iter);
    NeedPointer(who, "out_pad", out_pad);
    Lock lock(i->mutex());
    *out_pad = int32_t(i->pad());
  FLX_END
}
flx_status flx_iter_size(flx_iter iter, int64_t* out_samples) {
  FLX_BEGIN
    auto i = PinIter(who, iter);
    NeedPointer(who, "out_samples", out_samples);
    Lock lock(i->mutex());
    *out_samples = i->size();
  FLX_END
}
flx_status flx_iter_reset(flx_iter iter) {
  FLX_BEGIN
    auto i = PinIter(who, iter);
    Lock lock(i->mutex());
    i->Reset();
  FLX_END
}

flx_status flx_record_open(const char* path, const char* access, flx_record* out_record) {
  FLX_BEGIN
    NeedPath(who, path);
    NeedPointer(who, "out_record", out_record);
    *out_record = reinterpret_cast<flx_record>(NewHandle(RecordFile::Open(path, NeedText(who, "access", access)).Leak()));
  FLX_END
}
flx_status flx_record_read(flx_record record, char** out_bytes, int64_t* out_nbytes) {
  FLX_BEGIN
    auto r = PinRecord(who, record);
    NeedPointer(who, "out_bytes", out_bytes);
    NeedPointer(who, "out_nbytes", out_nbytes);
    Lock lock(r->mutex());
    std::string bytes;
    if (r->Read(&bytes)) GiveBytes(bytes, out_bytes, out_nbytes);
    else *out_bytes = nullptr, *out_nbytes = 0;
  FLX_END
}
flx_status flx_record_write(flx_record record, const void* data, int64_t nbytes, int64_t* out_offset) {
  FLX_BEGIN
    auto r = PinRecord(who, record);
    NeedBytes(who, data, nbytes);
    NeedPointer(who, "out_offset", out_offset);
    Lock lock(r->mutex());
    *out_offset = r->Write(data, nbytes);
  FLX_END
}
flx_status flx_record_seek(flx_record record, int64_t offset) {
  FLX_BEGIN
    auto r = PinRecord(who, record);
    Lock lock(r->mutex());
    r->Seek(offset);
  FLX_END
}
flx_status flx_record_tell(flx_record record, int64_t* out_offset) {
  FLX_BEGIN
    auto r = PinRecord(who, record);
    NeedPointer(who, "out_offset", out_offset);
    Lock lock(r->mutex());
    *out_offset = r->Tell();
  FLX_END
}

}  // extern "C"
