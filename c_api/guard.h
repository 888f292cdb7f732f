// SPDX-License-Identifier: Apache-2.0
// What every ABI function begins with: no exception leaves, arguments are checked before anything is read, the error is kept for this thread.
#pragma once
#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/host_call.h"
#include "base/small_vector.h"
#include "exec/autograd.h"
#include "flexor/c_api.h"
#include "handle.h"
#include "profiler/profiler.h"
#include "tensor/array.h"

namespace flx::capi {

// What flx_last_error says. The message must survive allocation failure: a fixed text then stands in.
struct LastError {
  std::string message, kind, op, node, origin, hint, file, offset;
  const char* fixed = nullptr;
  bool failed = false;
};
// Errors of a callback of the host's, kept apart from those of the thread it happens to run on.
class ErrorScope {
 public:
  ErrorScope();
  ~ErrorScope();
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
  LastError error;

 private:
  LastError* outer_;
};
flx_status SetError(const Error& e) noexcept;
flx_status SetErrorText(Status s, const char* text) noexcept;
flx_status HandleException() noexcept;  // inside a catch block: turns whatever flies into a status

// The call as a span, if calls are profiled. The first call of the process finds out whether the environment wants a profile (profiler.cc).
class CallSpan {
 public:
  explicit CallSpan(const char* who) noexcept : active_(g_profile.kinds.load(std::memory_order_relaxed) & (ProfileBit(ProfileKind::kApi) | kProfileUndecided)) {
    if (__builtin_expect(active_, 0)) Begin(who);
  }
  ~CallSpan() {
    if (__builtin_expect(active_, 0)) End();
  }
  CallSpan(const CallSpan&) = delete;
  CallSpan& operator=(const CallSpan&) = delete;

 private:
  __attribute__((cold)) void Begin(const char* who) noexcept;
  __attribute__((cold)) void End() noexcept;
  uint32_t active_;
  alignas(8) unsigned char room_[sizeof(ProfileSpan) + 8];  // made only if it is wanted
};

template <class F> flx_status Guard(const char* who, F&& f) noexcept {
  HostCall call;
  CallSpan span(who);
  try {
    f();
    return FLX_OK;
  } catch (...) {
    return HandleException();
  }
}
// `FLX_BEGIN ... FLX_END` around a body: `who` is the function's name.
#define FLX_BEGIN            \
  const char* who = __func__; \
  return ::flx::capi::Guard(who, [&] {
#define FLX_END \
  });

// The lock of a kind that is locked for the call (rule 11). A fork does not wait for whoever waits here.
class Lock {
 public:
  explicit Lock(std::mutex& m) : mutex_(m) {
    if (mutex_.try_lock()) return;
    HostAway away;
    mutex_.lock();
  }
  ~Lock() { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::mutex& mutex_;
};

// ---- arguments ---------------------------------------------------------------------------------------------------------------------
inline void NeedPointer(const char* who, const char* arg, const void* p) {
  if (!p) Fail(Status::kArgument, who, "`", arg, "` must not be null.");
}
inline void NeedCount(const char* who, const char* arg, const void* p, int64_t n) {
  if (n < 0 || n > FLX_MAX_COUNT) Fail(Status::kArgument, who, "the count of `", arg, "` must be in [0, ", int64_t(FLX_MAX_COUNT), "], given ", n, ".");
  if (n > 0 && !p) Fail(Status::kArgument, who, "`", arg, "` must not be null when its count is ", n, ".");
}
std::string_view NeedText(const char* who, const char* arg, const char* s);      // not null, and UTF-8
const char* OptionalText(const char* who, const char* arg, const char* s);       // null, or UTF-8
std::string_view NeedPath(const char* who, const char* s);                       // not null; any bytes may name a file
Shape NeedShape(const char* who, const int64_t* dims, int32_t ndim);
DType NeedDType(const char* who, const char* arg, int32_t dtype);
bool NeedOrder(const char* who, int32_t order);  // true: column-major
int NeedMode(const char* who, int32_t mode, int allowed);
void NeedBytes(const char* who, const void* data, int64_t nbytes, const char* arg = "data");
GradReq NeedGradReq(const char* who, const char* grad_req);

struct OptionList : std::vector<std::pair<std::string, std::string>> {
  OptionList(const char* who, const char* const* keys, const char* const* values, int32_t npairs);
};
std::vector<std::string> NeedNames(const char* who, const char* arg, const char* const* names, int32_t n);

// Pinned arrays of an argument group.
class ArrayList {
 public:
  ArrayList(const char* who, const char* arg, const flx_ndarray* arrays, int32_t n, bool null_ok = false);
  ~ArrayList();
  ArrayList(const ArrayList&) = delete;
  ArrayList& operator=(const ArrayList&) = delete;
  int size() const { return raw_.size(); }
  Array* const* data() const { return raw_.data(); }
  Array* operator[](int i) const { return raw_[i]; }
  std::vector<NDArray> refs() const;

 private:
  SmallVector<Slot*, 8> slots_;
  SmallVector<Array*, 8> raw_;
};
inline Pin<Array> PinArray(const char* who, flx_ndarray a, const char* arg = "array") { return {a, Kind::kNDArray, arg, who}; }

// ---- results -----------------------------------------------------------------------------------------------------------------------
template <class H, class T> H Give(Ref<T> r) { return static_cast<H>(static_cast<void*>(reinterpret_cast<typename std::remove_pointer<H>::type*>(NewHandle(r.Leak())))); }
inline flx_ndarray GiveArray(NDArray a) { return reinterpret_cast<flx_ndarray>(NewHandle(a.Leak())); }
// All or nothing: on failure none is made and nothing is written.
void GiveArrays(const char* who, std::vector<NDArray> arrays, flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays);
char* GiveText(std::string_view s);              // for flx_text_free
const char* Intern(std::string_view s);          // kept for ever: for texts borrowed from static things
void GiveBytes(std::string_view s, char** out_bytes, int64_t* out_nbytes);
void GiveShape(const char* who, const Shape& s, int64_t* out_dims, int32_t capacity, int32_t* out_ndim);

}  // namespace flx::capi
