// SPDX-License-Identifier: Apache-2.0
#include "device/program.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/hash.h"
#include "base/log.h"
#include "device/disk_cache.h"

namespace flx {
namespace {

struct Made {
  std::mutex mutex;  // while it is being made
  bool tried = false;
  void* program = nullptr;
};
struct Known {
  std::mutex mutex;
  std::map<std::pair<const Device*, std::string>, std::unique_ptr<Made>> programs;  // by what stands behind the prelude
  std::map<const char*, std::string> preludes;                                      // their hashes, for keys
  std::vector<std::pair<std::string, std::unique_ptr<DiskCache>>> caches;  // by the options they were made with; a thread may still use an older one
  std::atomic<int64_t> compiled{0}, loaded{0}, failed{0};
};
Known& K() {
  static Known* k = new Known;  // never destroyed
  return *k;
}
DiskCache* Cache() {  // null: switched off
  const std::string folder = CacheFolder();
  const int64_t limit = GetInt(Opt::kCacheLimit);
  if (folder == "none") return nullptr;
  std::lock_guard<std::mutex> lock(K().mutex);
  std::string of = Text(folder, "\n", limit);
  for (auto& c : K().caches) if (c.first == of) return c.second.get();
  K().caches.emplace_back(std::move(of), std::make_unique<DiskCache>(folder, limit));
  return K().caches.back().second.get();
}
int32_t Keep(void* to, const void* binary, int64_t bytes) noexcept {
  try {
    static_cast<std::string*>(to)->assign(static_cast<const char*>(binary), size_t(bytes));
    return FLX_DEVICE_OK;
  } catch (...) {
    return FLX_DEVICE_MEMORY;
  }
}
void SayOnce(const std::string& text) { LogOnce(LogLevel::kWarning, text, text); }
std::string PreludeHash(const char* prelude) {
  std::lock_guard<std::mutex> lock(K().mutex);
  std::string& s = K().preludes[prelude];
  if (s.empty()) s = Text(HashBytes(prelude));
  return s;
}
void* Make(const Device* device, const char* prelude, const std::string& text, const char* name) {
  const flx_device_table& t = *device->table;
  auto give_up = [&](int32_t result, const char* what) {
    ++K().failed;
    SayOnce(Text("Fused chains run operator by operator on ", device->name, ": ", device->CallError(result, what).message()));
    return static_cast<void*>(nullptr);
  };
  char compiler[512];
  if (int32_t r = t.compiler(device->index, compiler, sizeof compiler)) return give_up(r, "compiler");
  DiskCache* cache = Cache();
  const std::string key = Text(compiler, "\nprelude ", PreludeHash(prelude), "\n", text);
  std::string binary;
  void* program = nullptr;
  if (cache && cache->Get(key, &binary) && t.program_load(device->index, binary.data(), int64_t(binary.size()), name, &program) == FLX_DEVICE_OK) {
    ++K().loaded;
    return program;
  }
  if (int32_t r = t.compile(device->index, (prelude + text).c_str(), &Keep, &binary)) return give_up(r, "compile");
  if (int32_t r = t.program_load(device->index, binary.data(), int64_t(binary.size()), name, &program)) return give_up(r, "program_load");
  ++K().compiled;
  if (cache) {
    cache->Put(key, binary);
    if (std::string why = cache->why(); !why.empty()) SayOnce(Text("Compiled kernels are not kept for the next process (FLEXOR_CACHE_DIR): ", why, "."));
  }
  return program;
}
}  // namespace

bool Programs::Can(const Device* device) {
  const flx_device_table& t = *device->table;
  if (!t.compiler || !t.compile || !t.program_load || !t.program_launch) return false;
  static WatchedOptions allowed([] { return uint8_t(GetText(Opt::kFusedKernels) != "0"); });
  return allowed.Get();
}
void* Programs::Get(const Device* device, const char* prelude, const std::string& text, const char* name) {
  Made* made;
  {
    std::lock_guard<std::mutex> lock(K().mutex);
    auto& entry = K().programs[{device, text}];
    if (!entry) entry = std::make_unique<Made>();
    made = entry.get();
  }
  std::lock_guard<std::mutex> lock(made->mutex);
  if (!std::exchange(made->tried, true)) made->program = Make(device, prelude, text, name);
  return made->program;
}
Programs::Counts Programs::Counted() { return {K().compiled, K().loaded, K().failed}; }

}  // namespace flx
