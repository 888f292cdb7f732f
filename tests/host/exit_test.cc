// SPDX-License-Identifier: Apache-2.0
// The process ends while the library is at work: no crash, no hang, the exit code that was given.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "library.h"

namespace {

void End(void (*end)(int), int code, int delay_us, bool elsewhere) {
  Library flx;
  flx.Fit();  // the first ones load and make things
  for (int64_t n : {300, 600}) {
    flx_ndarray a = flx.Random({n, n}, 1);
    flx.Read(flx.Invoke("dot", {a, a}), n * n);
  }
  std::thread([&flx] {
    for (;;) flx.Fit();
  }).detach();
  std::thread([&flx] {  // queued work of seconds, and nobody waits for it
    flx_ndarray a = flx.Random({300, 300}, 1);
    for (int i = 0; i < 2000; ++i) flx.flx_free(flx.Invoke("dot", {a, a}));
  }).detach();
  std::thread([&flx] {  // one that waits in the library for ever
    flx_ndarray a = flx.Random({600, 600}, 1);
    for (;;) flx.flx_free(flx.Invoke("dot", {a, a})), flx.Read(a, 360000);
  }).detach();
  usleep(useconds_t(delay_us));
  if (elsewhere) std::thread([=] { end(code); }).join();
  end(code);
}

TEST(Exit, AtWorkFromAnyThread) {
  struct { void (*end)(int); const char* name; } ways[] = {{std::exit, "exit"}, {std::quick_exit, "quick_exit"}, {_exit, "_exit"}, {std::exit, "exit"}, {std::exit, "exit"}};
  for (int i = 0; i < 50; ++i) {
    SCOPED_TRACE(ways[i % 5].name);
    Alone([&] { End(ways[i % 5].end, 40 + i, i * 397 % 20000, i % 2); }, 40 + i);
    if (HasFailure()) return;
  }
}

// A thread of the host ends while the process does, and destroys what the library keeps per thread; and a finalizer at exit still calls.
TEST(Exit, FinalizersMayStillCall) {
  static Library* flx;
  static flx_ndarray kept;
  Alone([] {
    std::atexit([] {
      flx_ndarray sum = flx->Invoke("broadcast_add", {kept, kept});
      if (flx->Read(sum, 3)[2] != 4) _exit(1);
      flx->flx_free(sum);
      flx->flx_free(kept);
      flx->Fit();
    });
    flx = new Library;
    flx->Fit();
    kept = flx->Full({3}, 2);
    struct AtThreadExit { ~AtThreadExit() { flx->flx_free(flx->Full({3}, 2)); } };
    std::thread([] {
      static thread_local AtThreadExit before;
      (void)&before;
      flx->Fit();
    }).join();
    std::exit(5);
  }, 5);
}

}  // namespace
