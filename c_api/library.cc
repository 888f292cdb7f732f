// SPDX-License-Identifier: Apache-2.0
// Library, errors, handles, devices, memory, random.
#include <dlfcn.h>

#include <cstdlib>

#include "base/config.h"
#include "base/log.h"
#include "devices.h"
#include "engine/engine.h"
#include "exec/core.h"
#include "guard.h"
#include "storage/device_pool.h"
#include "storage/growth.h"
#include "storage/pool.h"
#include "tensor/promised.h"

using namespace flx;
using namespace flx::capi;

namespace {
const Device* Where(const char* who, const char* device) { return ResolveDevice(OptionalText(who, "device", device)); }
std::string LibraryPath() {
  Dl_info info{};
  return dladdr(reinterpret_cast<void*>(&flx_abi_version), &info) && info.dli_fname ? info.dli_fname : "";
}
bool Has(std::string_view f) {
#ifdef FLEXOR_HAVE_OPENBLAS
  if (f == "openblas") return true;
#endif
#ifdef FLEXOR_HAVE_ONEDNN
  if (f == "onednn") return true;
#endif
#ifdef FLEXOR_HAVE_DMLC
  if (f == "dmlc") return true;
#endif
  return f == "cpu";
}
std::string FeatureText() {
  std::string s;
  for (const char* f : {"cpu", "openblas", "onednn", "dmlc", "cuda"}) if (Has(f)) s += Text(s.empty() ? "" : " ", f);
  return s;
}
}  // namespace

extern "C" {

int32_t flx_abi_version(void) { return FLX_ABI_VERSION; }
flx_status flx_abi_require(int32_t abi_version) {
  FLX_BEGIN
    if (abi_version > FLX_ABI_VERSION)
      Fail(Status::kUnsupported, who, "this program needs ABI version ", abi_version, ", the library loaded (", flx_version(), ", ", LibraryPath(), ") has ", FLX_ABI_VERSION,
           ". Install a newer Flexor.");
  FLX_END
}
const char* flx_version(void) { return FLEXOR_VERSION; }
flx_status flx_origin_set(const char* origin) {
  FLX_BEGIN
    SetOrigin(origin ? std::string(NeedText(who, "origin", origin)) : "");
  FLX_END
}
flx_status flx_library_text(const char* field, const char** out_text) {
  FLX_BEGIN
    std::string_view f = NeedText(who, "field", field);
    NeedPointer(who, "out_text", out_text);
    std::string s;
    if (f == "path") s = LibraryPath();
    else if (f == "compiler") s = Text("g++ ", __VERSION__);
    else if (f == "blas") s = Has("openblas") ? "OpenBLAS (private)" : "Flexor";
    else if (f == "features") s = FeatureText();
    else if (f == "license") s = "Apache-2.0";
    else if (f == "build") s = Text("Flexor ", flx_version(), ", ABI ", FLX_ABI_VERSION);
    else Fail(Status::kName, who, "no field is named `", f, "`. There are: path, compiler, blas, features, license, build.");
    *out_text = Intern(s);
  FLX_END
}
flx_status flx_library_has(const char* feature, int32_t* out_has) {
  FLX_BEGIN
    NeedText(who, "feature", feature);
    NeedPointer(who, "out_has", out_has);
    *out_has = Has(feature);
  FLX_END
}
flx_status flx_config_set(const char* key, const char* value) {
  FLX_BEGIN
    SetOption(NeedText(who, "key", key), NeedText(who, "value", value));
  FLX_END
}
flx_status flx_config_get(const char* key, char** out_value) {
  FLX_BEGIN
    NeedPointer(who, "out_value", out_value);
    *out_value = GiveText(GetOption(NeedText(who, "key", key)));
  FLX_END
}
flx_status flx_config_list(char** out_text) {
  FLX_BEGIN
    NeedPointer(who, "out_text", out_text);
    *out_text = GiveText(OptionTable());
  FLX_END
}
flx_status flx_log_configure(const char* const* keys, const char* const* values, int32_t npairs) {
  FLX_BEGIN
    for (auto& o : OptionList(who, keys, values, npairs)) ConfigureLog(o.first, o.second);
  FLX_END
}
flx_status flx_log_next(int32_t* out_level, char** out_text) {
  FLX_BEGIN
    NeedPointer(who, "out_level", out_level);
    NeedPointer(who, "out_text", out_text);
    LogLevel level;
    std::string text;
    if (NextLog(&level, &text)) {
      char* t = GiveText(text);
      *out_level = int32_t(level), *out_text = t;
    } else {
      *out_level = -1, *out_text = nullptr;
    }
  FLX_END
}
void flx_free(void* handle) { FreeHandle(handle); }
void flx_text_free(char* text) { std::free(text); }
flx_status flx_handle_kind(void* handle, const char** out_kind) {
  FLX_BEGIN
    NeedPointer(who, "out_kind", out_kind);
    *out_kind = KindName(KindOf(handle));
  FLX_END
}
flx_status flx_handle_live(const char* kind, int64_t* out_count) {
  FLX_BEGIN
    NeedPointer(who, "out_count", out_count);
    *out_count = CountLive(kind ? KindFromName(NeedText(who, "kind", kind).data()) : Kind::kNone);
  FLX_END
}
flx_status flx_shutdown(int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    NeedPointer(who, "out_ready", out_ready);
    *out_ready = Engine::Get().Shutdown(timeout_ms);
  FLX_END
}

flx_status flx_device_count(const char* kind, int32_t* out_count) {
  FLX_BEGIN
    NeedPointer(who, "out_count", out_count);
    *out_count = CountDevices(NeedText(who, "kind", kind));
  FLX_END
}
flx_status flx_device_properties(const char* device, char** out_text) {
  FLX_BEGIN
    NeedPointer(who, "out_text", out_text);
    const Device* d = Where(who, device);
    *out_text = GiveText((d ? d : DeviceManager::Get().Cpu())->Properties());
  FLX_END
}
flx_status flx_device_synchronize(const char* device, int64_t timeout_ms, int32_t* out_ready) {
  FLX_BEGIN
    NeedPointer(who, "out_ready", out_ready);
    Where(who, device);  // what the host has queued for a device is not issued yet: the engine's wait knows both
    *out_ready = Engine::Get().WaitAll(timeout_ms);
  FLX_END
}
flx_status flx_memory_stat(const char* device, const char* stat, int64_t* out_bytes) {
  FLX_BEGIN
    const Device* d = Where(who, device);
    std::string_view s = NeedText(who, "stat", stat);
    NeedPointer(who, "out_bytes", out_bytes);
    MemoryStats m = d ? DeviceMemoryStats(d) : HostMemoryStats();
    const int64_t fragmentation = m.live + m.cached - m.requested;
    const int64_t* v = s == "live" ? &m.live : s == "cached" ? &m.cached : s == "peak" ? &m.peak : s == "limit" ? &m.limit : s == "total" ? &m.total
                       : s == "fragmentation" ? &fragmentation : nullptr;
    if (!v)
      Fail(Status::kName, who, "no statistic is named `", s, "`.", DidYouMean(s, {"live", "cached", "peak", "limit", "total", "fragmentation"}),
           " There are: live, cached, peak, limit, total, and fragmentation of other devices than the CPU.");
    if (v == &fragmentation && !d) Fail(Status::kUnsupported, who, "the CPU's memory has no statistic `fragmentation`: what its blocks were asked for as is not counted. Ask for `cached`.");
    *out_bytes = *v;
  FLX_END
}
flx_status flx_memory_limit_set(const char* device, int64_t bytes) {
  FLX_BEGIN
    const Device* d = Where(who, device);
    if (bytes < 0) Fail(Status::kArgument, who, "`bytes` must be 0 (no limit) or more, given ", bytes, ".");
    d ? DeviceMemoryLimit(d, bytes) : HostMemoryLimit(bytes);
  FLX_END
}
flx_status flx_memory_peak_reset(const char* device) {
  FLX_BEGIN
    const Device* d = Where(who, device);
    d ? DeviceMemoryPeakReset(d) : HostMemoryPeakReset();
  FLX_END
}
flx_status flx_memory_release_unused(const char* device) {
  FLX_BEGIN
    const Device* d = Where(who, device);
    d ? DeviceMemoryReleaseUnused(d) : HostMemoryReleaseUnused();
  FLX_END
}
int32_t flx_memory_gc_hint(void) {
  // All that arrays hold, since what a handle keeps alive is more than its own array: a loss has a tape, a model its parameters.
  static Growth bytes(int64_t(64) << 20), handles(100000);
  try {
    int64_t held = HostMemoryLive() + Storage::ForeignBytes() + PromisedBytes(), live = AboutLive();
    bool more = bytes.Look(held), many = handles.Look(live);
    if (more) handles.Rest(live);
    if (many) bytes.Rest(held);
    return more || many;
  } catch (...) {  // the pool could not be made
    return 0;
  }
}
flx_status flx_random_seed(int64_t seed, const char* device) {
  FLX_BEGIN
    Where(who, device);  // the stream is one for all devices
    SeedRandom(uint64_t(seed));
  FLX_END
}
flx_status flx_random_save(char** out_bytes, int64_t* out_nbytes) {
  FLX_BEGIN
    NeedPointer(who, "out_bytes", out_bytes);
    NeedPointer(who, "out_nbytes", out_nbytes);
    Ticket t = RandomState();
    GiveBytes(Text("flexor-random 1 ", t.seed, " ", t.ticket), out_bytes, out_nbytes);
  FLX_END
}
flx_status flx_random_load(const void* data, int64_t nbytes) {
  FLX_BEGIN
    NeedBytes(who, data, nbytes);
    std::string_view s(static_cast<const char*>(data), size_t(nbytes));
    auto parts = Split(s.substr(0, 80), ' ');
    Ticket t;
    auto number = [&](const std::string& text, uint64_t* v) {
      *v = 0;
      for (char c : text) {
        if (c < '0' || c > '9' || *v > (~0ull - uint64_t(c - '0')) / 10) return false;
        *v = *v * 10 + uint64_t(c - '0');
      }
      return !text.empty();
    };
    if (nbytes > 80 || parts.size() != 4 || parts[0] != "flexor-random" || parts[1] != "1" || !number(parts[2], &t.seed) || !number(parts[3], &t.ticket))
      Fail(Status::kFormat, who, "expected what flx_random_save gave.");
    SetRandomState(t);
  FLX_END
}

}  // extern "C"
