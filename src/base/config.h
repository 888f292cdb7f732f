// SPDX-License-Identifier: Apache-2.0
// The one table of options: environment variables, flx_config_* and docs/options.md are made from it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flx {

enum class Opt : int {
  kEngine, kEngineInlineUs, kNumThreads, kMemoryLimit, kMemoryCacheLimit, kSeed, kLogLevel, kLogSink, kTestDevice, kCount
};
struct OptionInfo {
  const char *name, *alias, *type, *default_value, *doc;  // alias: a name of MXNet's or DMLC's that users have set already, or ""
};
const OptionInfo& Info(Opt o);
// Reads: what flx_config_set gave, else the environment at first use, else the default.
std::string GetText(Opt o);
int64_t GetInt(Opt o);
double GetDouble(Opt o);
// By name (FLEXOR_X or its alias). Unknown names and values of the wrong type are errors.
void SetOption(std::string_view name, std::string_view value);
std::string GetOption(std::string_view name);
std::string OptionTable();                // aligned text: name, type, value, default, meaning
uint64_t OptionGeneration();              // counts changes, so that a reader may cache
}  // namespace flx
