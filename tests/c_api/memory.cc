// SPDX-License-Identifier: Apache-2.0
// No memory, at every point of a small training run: each call that meets it says FLX_ERROR_MEMORY, touches none of its out-parameters, leaves no handle
// and no array behind, and the same run afterwards gives the same bits.
#include <execinfo.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

extern "C" {
#include "harness.h"
}
#include "faults.h"
#include "small_run.h"

namespace {
std::string g_folder, g_right;
int64_t g_point, g_ended;  // how many runs ended in FLX_ERROR_MEMORY
const char* g_what = "";
bool g_all;

int64_t Live(const char* kind) {
  int64_t n = -1;
  flx_handle_live(kind, &n);
  return n;
}
int64_t LiveBytes() {
  int64_t n = -1;
  flx_memory_stat(nullptr, "live", &n);
  return n;
}
void Settle() {  // all is done, and what failed meanwhile has been told
  int32_t ready = 0;
  while (flx_wait_all(-1, &ready) != FLX_OK) {}
}
void Wrong(const std::string& text) {
  if (wrong_so_far() < 12) std::fprintf(stderr, "%s, allocation %lld: %s\n", g_what, static_cast<long long>(g_point), text.c_str());
  expect(0, __FILE__, __LINE__, "the run to end as it should");
}
// A run that meets the failure. Returns how many allocations it saw.
int64_t RunWithFailure(int64_t n, bool from_there_on, bool any_thread) {
  int64_t handles = Live(nullptr), bytes = LiveBytes(), seen, failed;
  g_point = n;
  {
    Bag bag;
    std::string told;
    flx_memory_release_unused(nullptr);
    faults::Arm(n, from_there_on, any_thread);
    try {
      told = SmallRun(bag, g_folder);
      seen = faults::Disarm(), failed = faults::Failed();
      if (told != g_right) Wrong("no call failed, and the results are others");
    } catch (const Failure& f) {
      failed = faults::Failed();
      ++g_ended;
      if (f.status != FLX_ERROR_MEMORY) Wrong(f.call + " gave status " + std::to_string(f.status) + ": " + f.message);
      if (f.message.empty()) Wrong(f.call + " left no message");
      if (!failed) Wrong(f.call + " failed by itself: " + f.message);
      bag.Clear();  // freeing needs no memory
      seen = faults::Disarm();
    }
  }
  Settle();
  // A worker lets go of an operation's arrays a moment after it says that it is done.
  for (int i = 0; i < 2000 && LiveBytes() != bytes; ++i) usleep(1000);
  if (Live(nullptr) != handles) Wrong("handles are left: " + std::to_string(Live(nullptr) - handles));
  if (LiveBytes() != bytes) Wrong("bytes are left: " + std::to_string(LiveBytes() - bytes));
  return seen;
}
void RunRight() {
  {
    Bag bag;
    try {
      if (SmallRun(bag, g_folder) != g_right) Wrong("the run after it gives other results");
    } catch (const Failure& f) {
      Wrong("the run after it fails: " + f.call + ": " + f.message);
    }
  }
  Settle();
}
int64_t CountAllocations() { return RunWithFailure(INT64_MAX, false, false); }

void EveryPoint(bool from_there_on) {
  flx_config_set("FLEXOR_ENGINE", "naive");
  RunRight(), CountAllocations();  // what is made once and kept is there
  int64_t n = CountAllocations();
  EXPECT(n > 200);
  g_ended = 0;
  for (int64_t k = 1; k <= n; ++k) {
    RunWithFailure(k, from_there_on, false);
    if (g_all || k % 8 == 0) RunRight();
  }
  RunRight();
  EXPECT(g_ended > n / 2);
  std::printf("%lld points; %lld runs ended in FLX_ERROR_MEMORY\n", static_cast<long long>(n), static_cast<long long>(g_ended));
  flx_config_set("FLEXOR_ENGINE", "");
}
void OneFails() { g_what = "one fails", EveryPoint(false); }
void AllFailFromThereOn() { g_what = "all fail from there on", EveryPoint(true); }
void InAnyThread() {
  g_what = "in any thread";
  flx_config_set("FLEXOR_ENGINE", "threaded"), flx_config_set("FLEXOR_NUM_THREADS", "4");
  int64_t n = RunWithFailure(INT64_MAX, false, true);
  std::mt19937 random(7);
  for (int i = 0; i < (g_all ? 5000 : 200); ++i) RunWithFailure(1 + int64_t(random() % uint64_t(n)), i % 4 == 0, true), RunRight();
  flx_config_set("FLEXOR_ENGINE", ""), flx_config_set("FLEXOR_NUM_THREADS", "");
}

// A child in which nothing was used yet. 0: as it should be.
template <class F> int InChild(const F& f) {
  std::fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    alarm(100);
    int result = f();
    std::fflush(nullptr);
    _exit(result);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
// The first use of the library builds its tables. Points spread over that; each in a process of its own.
void FirstUse() {
  g_what = "first use";
  int pipes[2];
  EXPECT(pipe(pipes) == 0);
  EXPECT(InChild([&] {
    setenv("FLEXOR_ENGINE", "naive", 1);
    Bag bag;
    faults::Arm(INT64_MAX, false, false);
    std::string told = SmallRun(bag, g_folder);
    int64_t n = faults::Disarm();
    return write(pipes[1], &n, 8) == 8 && write(pipes[1], told.data(), told.size()) == ssize_t(told.size()) ? 0 : 1;
  }) == 0);
  close(pipes[1]);
  int64_t n = 0;
  EXPECT(read(pipes[0], &n, 8) == 8 && n > 1000);
  char part[4096];
  for (ssize_t got; (got = read(pipes[0], part, sizeof part)) > 0;) g_right.append(part, size_t(got));
  close(pipes[0]);
  EXPECT(g_right.size() > 1000);
  int64_t step = std::max<int64_t>(1, n / (g_all ? 3000 : 60));
  for (int64_t k = 1; k <= n; k += step) {
    int result = InChild([&, wrong = wrong_so_far()] {
      setenv("FLEXOR_ENGINE", "naive", 1);
      RunWithFailure(k, (k / step) % 2 == 1, false);
      RunRight();
      return wrong_so_far() - wrong ? 1 : 0;
    });
    if (result) g_point = k, Wrong("the child's status is " + std::to_string(result));
  }
  std::printf("%lld points, every %lldth\n", static_cast<long long>(n), static_cast<long long>(step));
}
void NoThreads() {
  g_what = "no threads";
  for (int first : {1, 2, 3}) {
    int result = InChild([&] {
      setenv("FLEXOR_ENGINE", "threaded", 1), setenv("FLEXOR_NUM_THREADS", "4", 1);
      faults::FailThreads(first);
      Bag bag;
      try {
        if (SmallRun(bag, g_folder) != g_right) return 2;
      } catch (const Failure& f) {
        std::fprintf(stderr, "no threads from the %d. on: %s: status %d: %s\n", first, f.call.c_str(), int(f.status), f.message.c_str());
        return 3;
      }
      faults::FailThreads(0);
      bag.Clear();
      return SmallRun(bag, g_folder) == g_right ? 0 : 4;
    });
    EXPECT(result == 0);
  }
}
void Crashed(int signal) {
  char text[160];
  int n = std::snprintf(text, sizeof text, "%s, allocation %lld: signal %d\n", g_what, static_cast<long long>(g_point), signal);
  if (write(2, text, size_t(n)) != n) _exit(2);
  void* stack[40];
  backtrace_symbols_fd(stack, backtrace(stack, 40), 2);
  _exit(128 + signal);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: c_memory_test FOLDER\n"), 2;
  g_folder = argv[1], g_all = std::getenv("FLEXOR_TEST_LARGE") != nullptr;
  char in_memory[] = "/dev/shm/flexor-XXXXXX";  // files are written some thousand times, each until it is on the disk
  bool own = mkdtemp(in_memory) != nullptr;
  if (own) g_folder = in_memory;
  for (int s : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) signal(s, Crashed);
  run_test("no memory at the library's first use", FirstUse);  // before anything else uses it
  run_test("threads that do not start", NoThreads);
  run_test("one allocation fails, each in turn", OneFails);
  run_test("all allocations fail from each point on", AllFailFromThereOn);
  run_test("one allocation fails, in any thread", InAnyThread);
  if (own)
    for (auto* name : {"/model.flx", "/p.params", "/run.rec", "/run.csv", ""}) EXPECT(remove((g_folder + name).c_str()) == 0);
  return finish_tests();
}
