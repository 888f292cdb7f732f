// SPDX-License-Identifier: Apache-2.0
// The profiler: sessions, files, tables, and what the host records itself.
#include "profiler/profiler.h"

#include <unistd.h>

#include <cstdlib>
#include <new>

#include "base/config.h"
#include "base/log.h"
#include "engine/engine.h"
#include "guard.h"
#include "io/bytes.h"

using namespace flx;
using namespace flx::capi;

namespace {
class SpanObject final : public Object {
 public:
  SpanObject(std::string_view name, const char* category) : Object(Kind::kSpan), active_(Profiling(ProfileKind::kUser)) {
    if (!active_) return;
    facts_.Name(name);
    if (category) facts_.Category(category);
    span_.Begin();
  }

 private:
  ~SpanObject() override {
    if (active_) span_.End(ProfileKind::kUser, nullptr, &facts_);
  }
  const bool active_;
  ProfileSpan span_;
  ProfileFacts facts_;
};

void SaveTrace(const std::string& path) {
  FileSink file(path);
  WriteTrace([&](std::string_view piece) { file.Write(piece.data(), int64_t(piece.size())); });
  file.Commit();
}

// ---- a profile of the whole process: FLEXOR_PROFILE
struct ProcessProfile { std::string path; pid_t process = 0; };
ProcessProfile& OfProcess() {
  static auto* p = new ProcessProfile;  // never destroyed
  return *p;
}
// What fails here must not reach the host: it is logged, if there is memory for that.
template <class F> void OrLog(F&& f) noexcept try {
  try {
    f();
  } catch (...) {
    Log(LogLevel::kError, "FLEXOR_PROFILE: ", Engine::CurrentError().message());
  }
} catch (...) {
}
void SaveAtExit() {
  HostCall call;
  if (OfProcess().process != ::getpid()) return;  // a child of fork
  OrLog([] {
    StopProfile();
    SaveTrace(OfProcess().path);
  });
}
void BeginProcessProfile() {
  std::string path = GetText(Opt::kProfile);
  if (path.empty() || path == "0") return;
  if (path == "1") path = "profile.json";
  if (path[0] != '/')  // the process may go elsewhere meanwhile
    if (char* here = ::getcwd(nullptr, 0)) path = Text(here, "/", path), std::free(here);
  OfProcess() = {path, ::getpid()};
  StartProfile({});
  std::atexit(&SaveAtExit);
}
}  // namespace

namespace flx::capi {

struct OpenCall { ProfileSpan span; const char* name; };
void CallSpan::Begin(const char* who) noexcept {
  static_assert(sizeof(OpenCall) <= sizeof room_);
  if (g_profile.kinds.fetch_and(~kProfileUndecided, std::memory_order_relaxed) & kProfileUndecided) OrLog(&BeginProcessProfile);
  active_ = Profiling(ProfileKind::kApi);
  if (!active_) return;
  auto* open = new (room_) OpenCall{{}, who};
  open->span.Begin();
}
void CallSpan::End() noexcept {
  auto* open = std::launder(reinterpret_cast<OpenCall*>(room_));
  open->span.End(ProfileKind::kApi, open->name, nullptr);
}

}  // namespace flx::capi

extern "C" {

flx_status flx_profiler_start(const char* const* keys, const char* const* values, int32_t npairs) {
  FLX_BEGIN
    ProfileOptions options;
    for (auto& o : OptionList(who, keys, values, npairs)) options.Set(who, o.first, o.second);
    StartProfile(options);
  FLX_END
}
flx_status flx_profiler_stop(void) {
  FLX_BEGIN
    StopProfile();
  FLX_END
}
flx_status flx_profiler_clear(void) {
  FLX_BEGIN
    ClearProfile();
  FLX_END
}
flx_status flx_profiler_running(int32_t* out_running) {
  FLX_BEGIN
    NeedPointer(who, "out_running", out_running);
    *out_running = ProfileRunning();
  FLX_END
}
flx_status flx_profiler_save(const char* path) {
  FLX_BEGIN
    SaveTrace(std::string(NeedPath(who, path)));
  FLX_END
}
flx_status flx_profiler_summary(const char* sort, int32_t columns, char** out_text) {
  FLX_BEGIN
    const char* by = OptionalText(who, "sort", sort);
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(ProfileText(who, by ? by : "", columns));
  FLX_END
}
flx_status flx_profiler_table(char** out_text) {
  FLX_BEGIN
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(ProfileJson());
  FLX_END
}
flx_status flx_profiler_counter(const char* name, double value) {
  FLX_BEGIN
    ProfileCounter(NeedText(who, "name", name), value);
  FLX_END
}
flx_status flx_profiler_mark(const char* name) {
  FLX_BEGIN
    ProfileMark(NeedText(who, "name", name));
  FLX_END
}
flx_status flx_span_begin(const char* name, const char* category, flx_span* out_span) {
  FLX_BEGIN
    std::string_view n = NeedText(who, "name", name);
    const char* c = OptionalText(who, "category", category);
    NeedPointer(who, "out_span", out_span);
    *out_span = Give<flx_span>(Ref<SpanObject>::Take(new SpanObject(n, c)));
  FLX_END
}

}  // extern "C"
