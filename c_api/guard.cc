// SPDX-License-Identifier: Apache-2.0
#include "guard.h"

#include <cstdlib>
#include <new>
#include <set>
#include <system_error>

#include "base/utf8.h"

namespace flx::capi {
namespace {
// Static thread-local memory is scarce where a host opens the library late (glibc keeps some 1,600 bytes for all that do): a pointer, not the texts.
struct Own {
  LastError* error = nullptr;
  const char* fixed = nullptr;  // where there was no memory for the rest
  ~Own() { delete std::exchange(error, nullptr); }
};
Own& ThisThread() {
  static thread_local Own own;
  return own;
}
thread_local LastError* t_scope = nullptr;
// What was given may be of any length and bytes; a message is UTF-8, and short enough for a log.
std::string Shown(const std::string& s) {
  constexpr size_t kMost = 4000, kHead = 2800, kTail = 1000;
  if (s.size() <= kMost) return ToUtf8(s);
  return ToUtf8(Text(std::string_view(s).substr(0, kHead), " ... ", s.size() - kHead - kTail, " more ... ", std::string_view(s).substr(s.size() - kTail)));
}
LastError* Last() noexcept {  // null: out of memory
  if (t_scope) return t_scope;
  Own& own = ThisThread();
  if (!own.error) own.error = new (std::nothrow) LastError;
  return own.error;
}
}  // namespace

ErrorScope::ErrorScope() : outer_(std::exchange(t_scope, &error)) {}
ErrorScope::~ErrorScope() { t_scope = outer_; }

flx_status SetErrorText(Status s, const char* text) noexcept {
  if (LastError* l = Last()) l->fixed = text, l->failed = true;
  else ThisThread().fixed = text;
  return flx_status(s);
}
flx_status SetError(const Error& e) noexcept {
  LastError* last = Last();
  if (!last) return SetErrorText(e.status(), "[memory] out of memory while the error was being described");
  LastError& l = *last;
  try {
    l.message = Shown(e.message()), l.kind = StatusName(e.status()), l.op = Shown(e.op), l.node = Shown(e.node), l.origin = Shown(e.origin);
    l.hint = Shown(e.hint), l.file = e.file;
    l.offset = e.offset < 0 ? "" : Text(e.offset);
    l.fixed = nullptr, l.failed = true;
  } catch (...) {
    return SetErrorText(e.status(), "[memory] out of memory while the error was being described");
  }
  return flx_status(e.status());
}
flx_status HandleException() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return SetError(e);
  } catch (const std::bad_alloc&) {
    return SetErrorText(Status::kMemory, "[memory] out of memory");
  } catch (const std::system_error& e) {
    bool none = e.code() == std::errc::resource_unavailable_try_again || e.code() == std::errc::not_enough_memory;
    return SetErrorText(none ? Status::kMemory : Status::kInternal, none ? "[memory] the system gives no more threads or memory" : "[library] the system refused a thread or a lock");
  } catch (const std::exception& e) {
    try {
      return SetError(Error(Status::kInternal, Text("an unexpected error inside the library: ", e.what())));
    } catch (...) {
      return SetErrorText(Status::kMemory, "[memory] out of memory");
    }
  } catch (...) {
    return SetErrorText(Status::kInternal, "an unknown exception inside the library");
  }
}

Shape NeedShape(const char* who, const int64_t* dims, int32_t ndim) {
  if (ndim < 0 || ndim > FLX_MAX_NDIM) Fail(Status::kArgument, who, "`ndim` must be in [0, ", int(FLX_MAX_NDIM), "], given ", ndim, ".");
  if (ndim > 0) NeedPointer(who, "dims", dims);
  return {dims, ndim};
}
DType NeedDType(const char* who, const char* arg, int32_t dtype) {
  if (dtype < 0 || dtype >= kDTypeCount) Fail(Status::kType, who, "`", arg, "` must be the number of a dtype (0 to ", kDTypeCount - 1, ": ", DTypeNames(), "), given ", dtype, ".");
  return DType(dtype);
}
bool NeedOrder(const char* who, int32_t order) {
  if (order != FLX_ROW_MAJOR && order != FLX_COLUMN_MAJOR) Fail(Status::kArgument, who, "`order` must be 0 (row-major) or 1 (column-major), given ", order, ".");
  return order == FLX_COLUMN_MAJOR;
}
int NeedMode(const char* who, int32_t mode, int allowed) {
  if (mode & ~allowed) Fail(Status::kArgument, who, "`mode` may hold the bits ", allowed, " here, given ", mode, ".");
  return mode;
}
GradReq NeedGradReq(const char* who, const char* grad_req) {
  std::string_view r = NeedText(who, "grad_req", grad_req);
  if (r == "write") return GradReq::kWrite;
  if (r == "add") return GradReq::kAdd;
  if (r == "null") return GradReq::kNull;
  Fail(Status::kArgument, who, "`grad_req` must be write, add or null, given `", r, "`.", DidYouMean(r, {"write", "add", "null"}));
}
void NeedBytes(const char* who, const void* data, int64_t nbytes, const char* arg) {
  if (nbytes < 0) Fail(Status::kArgument, who, "the bytes of `", arg, "` must be 0 or more, given ", nbytes, ".");
  if (nbytes > 0 && !data) Fail(Status::kArgument, who, "`", arg, "` must not be null when ", nbytes, " bytes are given.");
}
std::string_view NeedText(const char* who, const char* arg, const char* s) {
  NeedPointer(who, arg, s);
  if (!IsUtf8(s)) Fail(Status::kArgument, who, "`", arg, "` must be UTF-8, given `", s, "`.");
  return s;
}
const char* OptionalText(const char* who, const char* arg, const char* s) {
  if (s) NeedText(who, arg, s);
  return s;
}
std::string_view NeedPath(const char* who, const char* s) {
  NeedPointer(who, "path", s);
  return s;
}
namespace {
void NeedEntry(const char* who, const char* arg, const char* s, int32_t i) {
  if (!s) Fail(Status::kArgument, who, "`", arg, "[", i, "]` must not be null.");
  if (!IsUtf8(s)) Fail(Status::kArgument, who, "`", arg, "[", i, "]` must be UTF-8, given `", s, "`.");
}
}  // namespace
OptionList::OptionList(const char* who, const char* const* keys, const char* const* values, int32_t npairs) {
  if (npairs < 0 || npairs > FLX_MAX_COUNT) Fail(Status::kArgument, who, "`npairs`, the count of `keys` and `values`, must be in [0, ", int64_t(FLX_MAX_COUNT), "], given ", npairs, ".");
  NeedCount(who, "keys", keys, npairs);
  NeedCount(who, "values", values, npairs);
  for (int32_t i = 0; i < npairs; ++i) {
    NeedEntry(who, "keys", keys[i], i), NeedEntry(who, "values", values[i], i);
    emplace_back(keys[i], values[i]);
  }
}
std::vector<std::string> NeedNames(const char* who, const char* arg, const char* const* names, int32_t n) {
  NeedCount(who, arg, names, n);
  std::vector<std::string> out;
  for (int32_t i = 0; i < n; ++i) {
    NeedEntry(who, arg, names[i], i);
    out.emplace_back(names[i]);
  }
  return out;
}

ArrayList::ArrayList(const char* who, const char* arg, const flx_ndarray* arrays, int32_t n, bool null_ok) {
  NeedCount(who, arg, arrays, n);
  slots_.reserve(n), raw_.reserve(n);
  for (int32_t i = 0; i < n; ++i) {
    Slot* s = PinSlot(arrays[i], Kind::kNDArray);
    if (!s && !(null_ok && !arrays[i])) {
      for (auto* x : slots_) if (x) UnpinSlot(x);
      slots_.clear();
      FailHandle(who, Text(arg, "[", i, "]").c_str(), arrays[i], Kind::kNDArray);
    }
    slots_.emplace_back(s), raw_.emplace_back(s ? static_cast<Array*>(s->object) : nullptr);
  }
}
ArrayList::~ArrayList() { for (auto* s : slots_) if (s) UnpinSlot(s); }
std::vector<NDArray> ArrayList::refs() const {
  std::vector<NDArray> v;
  for (auto* a : raw_) v.emplace_back(a);
  return v;
}

void GiveArrays(const char* who, std::vector<NDArray> arrays, flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  if (capacity < int32_t(arrays.size())) Fail(Status::kArgument, who, "there are ", arrays.size(), " arrays, `capacity` is ", capacity, ".");
  SmallVector<flx_ndarray, 8> made;
  made.reserve(int(arrays.size()));
  try {
    for (auto& a : arrays) made.emplace_back(GiveArray(std::move(a)));
  } catch (...) {
    for (auto h : made) FreeHandle(h);
    throw;
  }
  for (int i = 0; i < made.size(); ++i) out_arrays[i] = made[i];
  *out_narrays = made.size();
}
char* GiveText(std::string_view s) {
  auto* p = static_cast<char*>(std::malloc(s.size() + 1));
  if (!p) throw std::bad_alloc();
  std::memcpy(p, s.data(), s.size());
  p[s.size()] = 0;
  return p;
}
const char* Intern(std::string_view s) {
  static auto* mutex = new std::mutex;
  static auto* texts = new std::set<std::string, std::less<>>;
  std::lock_guard<std::mutex> lock(*mutex);
  auto it = texts->find(s);
  return (it != texts->end() ? it : texts->emplace(s).first)->c_str();
}
void GiveBytes(std::string_view s, char** out_bytes, int64_t* out_nbytes) {
  char* p = GiveText(s);
  *out_bytes = p, *out_nbytes = int64_t(s.size());
}
void GiveShape(const char* who, const Shape& s, int64_t* out_dims, int32_t capacity, int32_t* out_ndim) {
  if (capacity < s.ndim()) Fail(Status::kArgument, who, "the shape has ", s.ndim(), " axes, `capacity` is ", capacity, ".");
  if (s.ndim() > 0) NeedPointer(who, "out_dims", out_dims);
  for (int i = 0; i < s.ndim(); ++i) out_dims[i] = s[i];
  *out_ndim = s.ndim();
}

}  // namespace flx::capi

using namespace flx;

extern "C" const char* flx_last_error(void) {
  auto* l = capi::Last();
  if (!l) return capi::ThisThread().fixed ? capi::ThisThread().fixed : "";
  return l->fixed ? l->fixed : l->message.c_str();
}
extern "C" const char* flx_last_error_field(const char* field) {
  auto* last = capi::Last();
  if (!field || !last || last->fixed) return "";
  auto& l = *last;
  std::string_view f = field;
  const std::string* s = f == "kind" ? &l.kind : f == "operator" ? &l.op : f == "node" ? &l.node : f == "origin" ? &l.origin
                       : f == "hint" ? &l.hint : f == "file" ? &l.file : f == "offset" ? &l.offset : nullptr;
  return s ? s->c_str() : "";
}
