// SPDX-License-Identifier: Apache-2.0
// Log records go to stderr, a file, a buffer the host reads (flx_log_next), or nowhere. Never printf'd as a format.
// Options FLEXOR_LOG_LEVEL and FLEXOR_LOG_SINK, read at the first record.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/text.h"

namespace flx {
enum class LogLevel : int { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3, kNone = 4 };
const char* LogLevelName(LogLevel level);  // "warning"
void WriteLog(LogLevel level, std::string text) noexcept;  // one record; whole lines are written by one call, so that threads do not mix
bool LogEnabled(LogLevel level);
void LogOnce(LogLevel level, const std::string& key, const std::string& text);  // the first with this key in the process
template <class... A> void Log(LogLevel level, const A&... a) { if (LogEnabled(level)) WriteLog(level, Text(a...)); }
void ConfigureLog(std::string_view key, std::string_view value);  // level = debug|info|warning|error|none; sink = stderr|buffer|none|<file path>
bool NextLog(LogLevel* level, std::string* text);                 // oldest buffered record; false: none. The buffer keeps the last 1,000.
// A function of the host that takes the records in place of the sink; null: the sink again. It is called in whatever thread logs, by several at once,
// and deleted when it was replaced and no call is running. What it logs itself goes to the sink.
struct LogFunction {
  virtual ~LogFunction() = default;
  virtual void Write(LogLevel level, const char* text) = 0;
};
void SetLogFunction(std::shared_ptr<LogFunction> f);
}  // namespace flx
