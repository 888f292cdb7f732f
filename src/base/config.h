// SPDX-License-Identifier: Apache-2.0
// The one table of options: environment variables, flx_config_* and docs/options.md are made from it.
// A new option is a name in Opt and a row in config.cc (the compiler checks that both are there, in the same order).
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flx {

enum class Opt : int {
  kEngine, kEngineInlineUs, kNumThreads, kMemoryLimit, kMemoryCacheLimit, kDeviceMemoryLimit, kCudaTf32, kDeterministic, kCudnn, kCudnnAutotune, kSeed, kLogLevel, kLogSink, kProfile, kOrigin, kTestDevice, kCacheFolder, kCacheLimit,
  kFusedKernels, kCudaGraphs,
  kPsRole, kPsRootHost, kPsRootPort, kPsWorkers, kPsServers, kPsInterface, kPsHost, kPsRank, kPsJob, kPsStaleBound, kPsPolicy, kPsReplicas, kPsSlice, kPsBigArray, kPsMemory, kPsTimeout,
  kPsRendezvous, kPsHeartbeat, kPsPatience, kPsLog, kPsCheckpoint, kPsResume, kPsKeyFile, kPsKey, kPsSchedulerKey, kPsAllow, kCount
};
struct OptionInfo {
  const char *name, *alias, *type, *default_value, *doc;  // alias: a name of MXNet's or DMLC's that users have set already, or ""
};
const OptionInfo& Info(Opt o);
// Reads: what flx_config_set gave, else the environment at first use (FLEXOR_X, then its alias), else the default.
// A value in the environment that is no value of the option is logged as a warning, and the default holds.
std::string GetText(Opt o);
int64_t GetInt(Opt o);     // options of type int and bytes
double GetDouble(Opt o);   // of type number too
// By name (FLEXOR_X or its alias). Unknown names and values of the wrong type are errors. An empty value: back to the environment or default.
void SetOption(std::string_view name, std::string_view value);
std::string GetOption(std::string_view name);
std::string CacheFolder();                // FLEXOR_CACHE_DIR, or the user's; "": none is known, "none": switched off
std::string OptionTable();                // aligned text: name, type, value, default, meaning
uint64_t OptionGeneration();              // counts changes, so that a reader may cache
// A few bits made of options, for what is asked at every call: read anew when an option has changed.
class WatchedOptions {
 public:
  explicit constexpr WatchedOptions(uint8_t (*read)()) : read_(read) {}
  uint8_t Get() {
    const uint64_t now = OptionGeneration();
    uint64_t seen = seen_.load(std::memory_order_relaxed);
    if (seen >> 8 != now) seen_.store(seen = now << 8 | read_(), std::memory_order_relaxed);
    return uint8_t(seen);
  }

 private:
  uint8_t (*const read_)();
  std::atomic<uint64_t> seen_{0};  // the generation, and below it the bits
};
// Called after each change, in the thread that made it, with no lock held. For rooms that keep a value where their hot path finds it.
void OnOptionChange(void (*hook)(Opt changed));

}  // namespace flx
