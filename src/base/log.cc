// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>

#include "base/config.h"
#include "base/descriptor.h"
#include "base/fork.h"

namespace flx {
namespace {
constexpr const char* kNames[] = {"debug", "info", "warning", "error", "none"};
constexpr size_t kKept = 1000;
constexpr int kNowhere = -1, kToBuffer = -2, kUnknown = -3;

struct State {
  std::mutex mutex;
  std::deque<std::pair<LogLevel, std::string>> buffer;
  int sink = kUnknown;             // a file descriptor, or one of the above
  std::string path;                // of the open file
  std::atomic<int> level{-1};      // -1: not read yet
  std::shared_ptr<LogFunction> function;
};
thread_local bool t_in_function = false;
void Changed(Opt o);
State& S() {
  static State* s = [] {
    AddForkHooks(ForkStage::kLog, {[] { S().mutex.lock(); }, [] { S().mutex.unlock(); }, [] { S().mutex.unlock(); }});
    OnOptionChange(&Changed);
    return new State;
  }();
  return *s;
}
void Changed(Opt o) {
  if (o == Opt::kLogLevel) S().level.store(-1, std::memory_order_release);
  if (o == Opt::kLogSink) {
    std::lock_guard<std::mutex> lock(S().mutex);
    if (S().sink > 2) ::close(S().sink);
    S().sink = kUnknown;
  }
}
int OpenFile(const std::string& path) { return AboveStandard(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)); }
void WriteAll(int fd, const std::string& s) {
  for (size_t done = 0; done < s.size();) {
    ssize_t n = ::write(fd, s.data() + done, s.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nowhere left to say so
    done += size_t(n);
  }
}
}  // namespace

const char* LogLevelName(LogLevel level) { return kNames[int(level) >= 0 && int(level) <= 4 ? int(level) : 4]; }

bool LogEnabled(LogLevel level) {
  int least = S().level.load(std::memory_order_acquire);
  if (least < 0) {
    std::string name = GetText(Opt::kLogLevel);
    for (least = 0; least < 4 && name != kNames[least];) ++least;
    S().level.store(least, std::memory_order_release);
  }
  return int(level) >= least && level != LogLevel::kNone;
}

// Whether a function of the host took the record.
static bool WriteToFunction(LogLevel level, const std::string& text) {
  if (t_in_function) return false;
  std::shared_ptr<LogFunction> f;  // keeps it while it runs; no lock is held then
  {
    std::lock_guard<std::mutex> lock(S().mutex);
    f = S().function;
  }
  if (!f) return false;
  struct Inside { Inside() { t_in_function = true; } ~Inside() { t_in_function = false; } } inside;
  f->Write(level, text.c_str());
  return true;
}
void SetLogFunction(std::shared_ptr<LogFunction> f) {
  std::lock_guard<std::mutex> lock(S().mutex);
  S().function.swap(f);
}  // the lock is let go before the old one is: parameters outlive the body

void WriteLog(LogLevel level, std::string text) noexcept try {
  if (WriteToFunction(level, text)) return;
  std::string sink = GetText(Opt::kLogSink);  // before the mutex: reading it may log
  std::lock_guard<std::mutex> lock(S().mutex);
  if (S().sink == kUnknown) {
    S().sink = sink == "stderr" ? 2 : sink == "buffer" ? kToBuffer : sink == "none" ? kNowhere : OpenFile(sink);
    if (S().sink < 0 && S().sink != kToBuffer && sink != "none") {
      WriteAll(2, Text("flexor: warning: the log file ", sink, " cannot be opened (", std::strerror(errno), "); logging here\n"));
      S().sink = 2;
    }
  }
  if (S().sink == kToBuffer) {
    S().buffer.emplace_back(level, std::move(text));
    if (S().buffer.size() > kKept) S().buffer.pop_front();
  } else if (S().sink >= 0) {
    WriteAll(S().sink, Text("flexor: ", LogLevelName(level), ": ", text, "\n"));
  }
} catch (...) {
  // No memory for a record: the program's work is worth more than its log.
}

void LogOnce(LogLevel level, const std::string& key, const std::string& text) {
  static auto* mutex = new std::mutex;  // never destroyed: other threads may log at exit
  static auto* known = new std::set<std::string>;
  {
    std::lock_guard<std::mutex> lock(*mutex);
    if (!known->insert(key).second) return;
  }
  Log(level, text);
}

void ConfigureLog(std::string_view key, std::string_view value) {
  if (key == "level") {
    SetOption(Info(Opt::kLogLevel).name, value);
  } else if (key == "sink") {
    std::string v(value);
    if (!v.empty() && v != "stderr" && v != "buffer" && v != "none") {
      int fd = OpenFile(v);
      if (fd < 0) FailFile(Status::kFile, value, -1, Text("the log file cannot be opened: ", std::strerror(errno)));
      ::close(fd);
    }
    SetOption(Info(Opt::kLogSink).name, value);
  } else {
    Fail(Status::kName, "log", "expected `level` or `sink`, given `", key, "`.");
  }
}

bool NextLog(LogLevel* level, std::string* text) {
  std::lock_guard<std::mutex> lock(S().mutex);
  if (S().buffer.empty()) return false;
  *level = S().buffer.front().first;
  *text = std::move(S().buffer.front().second);
  S().buffer.pop_front();
  return true;
}

}  // namespace flx
