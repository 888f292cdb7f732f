// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "profiler/profiler.h"

namespace flx {

struct TraceEvent {
  std::string phase, name, category, id;
  int64_t tid = 0;
  int64_t begin = 0, ns = 0;  // nanoseconds
  JsonValue args;
  int64_t end() const { return begin + ns; }
};
struct Trace {
  std::string text;
  JsonValue json;
  std::vector<TraceEvent> events;
  std::map<int64_t, std::string> threads;
  int64_t dropped = 0;
  std::vector<TraceEvent> Of(std::string_view phase, std::string_view name = {}) const;
};
// Writes the trace, parses it, and holds it against what viewers need: known phases with what belongs to them, names for all threads, and spans of one
// thread that lie inside each other or apart.
Trace ReadTrace();
JsonValue ReadTable();
ProfileOptions Only(uint32_t kinds);

// Starts the profiler for a test's length.
struct Recording {
  explicit Recording(const ProfileOptions& options = {}) { StartProfile(options); }
  ~Recording() { StopProfile(), ClearProfile(); }
};

}  // namespace flx
