// SPDX-License-Identifier: Apache-2.0
// The library's own threads.
#pragma once
#include <csignal>
#include <thread>
#include <utility>

namespace flx {

// Blocks all signals of the calling thread while it lives; threads started meanwhile inherit that, so that the host's handlers only ever run on
// the host's threads.
class BlockSignals {
 public:
  BlockSignals();
  ~BlockSignals();
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t before_;
};
// Names it, as ps and gdb show it (up to 15 characters), sets the default floating-point mode (a thread inherits that of whoever started it) and says that it is ours.
void BeginThread(const char* name);

// `fn` runs when the process begins to exit, before any static object is destroyed, whichever library's: at the end of the main thread's own objects. Only a
// process whose main thread has started one of our threads comes by there; others need a handler of atexit besides. At most eight.
void AtExitBegin(void (*fn)());
void WatchExit();  // by StartThread

// A thread of the engine, the pool or a device. std::system_error if the system has no more.
template <class F> std::thread StartThread(const char* name, F f) {
  WatchExit();
  BlockSignals block;
  return std::thread([name, f = std::move(f)]() mutable { BeginThread(name); f(); });
}

}  // namespace flx
