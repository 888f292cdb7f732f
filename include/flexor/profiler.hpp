// SPDX-License-Identifier: Apache-2.0
// flexor/profiler.hpp: what ran when, and how long: spans, counters and marks, as a trace for Perfetto and as a table.
#ifndef FLEXOR_PROFILER_HPP_
#define FLEXOR_PROFILER_HPP_
#include <string>
#include <utility>

#include "flexor/base.hpp"

namespace flexor {

namespace profiler {
// Options: operators, planned, passes, waits, copies, memory (true), api (false), capacity ("64M"), keep (false). See flx_profiler_start.
inline void start(const Options& options = {}) {
  require_library();
  detail::RawOptions raw(options);
  check(flx_profiler_start(raw.keys(), raw.values(), raw.size()));
}
inline void stop() { check(flx_profiler_stop()); }
// Forgets what is recorded.
inline void clear() { check(flx_profiler_clear()); }
inline bool running() {
  int32_t is = 0;
  check(flx_profiler_running(&is));
  return is != 0;
}
// Writes the trace, for Perfetto (ui.perfetto.dev) or chrome://tracing.
inline void save(const std::string& path) { check(flx_profiler_save(path.c_str())); }
// sort: name, count, total, self, mean, min, max or share.
inline std::string summary(const std::string& sort = "share", int columns = 100) {
  char* text = nullptr;
  check(flx_profiler_summary(sort.c_str(), columns, &text));
  return detail::take_text(text);
}
// The same as JSON.
inline std::string table() {
  char* text = nullptr;
  check(flx_profiler_table(&text));
  return detail::take_text(text);
}
inline void counter(const std::string& name, double value) { check(flx_profiler_counter(name.c_str(), value)); }
inline void mark(const std::string& name) { check(flx_profiler_mark(name.c_str())); }
}  // namespace profiler

// A stretch of time with a name, from here to the end of the scope, or to end().
class Span {
 public:
  explicit Span(const std::string& name, const std::string& category = "user") {
    require_library();
    check(flx_span_begin(name.c_str(), category.c_str(), &span_));
  }
  Span(Span&& o) noexcept : span_(std::exchange(o.span_, nullptr)) {}
  Span& operator=(Span&& o) noexcept {
    std::swap(span_, o.span_);
    o.end();
    return *this;
  }
  ~Span() { end(); }
  void end() noexcept { flx_free(std::exchange(span_, nullptr)); }

 private:
  flx_span span_ = nullptr;
};

}  // namespace flexor
#endif  // FLEXOR_PROFILER_HPP_
