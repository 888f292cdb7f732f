// SPDX-License-Identifier: Apache-2.0
// Operations on stream devices. One is *issued* to a queue of its device by the calling thread, and is then done for the engine: its variables are
// released at once, and remember instead what the device still does with them, as (stream, ticket). Then
//   - an operation on the same stream needs nothing more: a queue works in order;
//   - one on another stream makes that queue wait for an event, recorded when it is first wanted;
//   - a host operation has its turn when the completion thread has seen the event: no thread of the pool ever waits for a device.
// Work that the device accepted and that failed loses the device: what was being written is poisoned, and so is whatever is issued from then on.
#pragma once
#include <mutex>

#include "device/device.h"
#include "engine/engine.h"

namespace flx {

struct StreamDevice;  // what a device's streams share: spare events, and whether it is lost
class Marker;         // a recorded event

class Stream final : public Object {
 public:
  static Ref<Stream> Make(const Device* device, int priority = 0);  // a stream of the caller's own; queues nobody uses any more are given out again
  const Device* device() const;
  // for stream.cc:
  bool Done(uint64_t ticket);                // or its device is lost
  Ref<Marker> MarkFor(uint64_t ticket);      // an event at or after it; null: done, or lost
  uint64_t issued();

 private:
  friend class StreamOp;
  friend class StreamUses;
  friend struct Completions;
  Stream(StreamDevice* d, flx_device_queue* q, int priority);
  StreamDevice* const dev_;
  flx_device_queue* const queue_;
  const int priority_;
  const int fork_;                           // of which process
  std::mutex mutex_;                         // held while something is issued
  uint64_t issued_ = 0;
  std::atomic<uint64_t> done_{0};
  Ref<Marker> last_;
};

// An operation for a stream. Push with IssueOrPush; owned by the engine from then on.
class StreamOp : public Operation {
 public:
  explicit StreamOp(Ref<Stream> s) : stream(std::move(s)) { on_stream = true; }
  virtual void Issue(flx_device_queue* queue) = 0;  // hands work to the queue and returns; throws Error: nothing it writes is to be trusted
  void Execute() final;
  const Ref<Stream> stream;
};
// Issues it here if the host has no business with its variables, else when that is done. Never waits.
void IssueOrPush(StreamOp* op, const VarUse* uses, int n);

// The sole owner of `v` gives memory back that a stream may still use: free(p, bytes) is called when that is done, at once if nothing is under way.
void FreeAfterStreams(Var* v, void (*free)(void* p, size_t bytes), void* p, size_t bytes);
// Whether a stream may still use the variable's memory. Under a grant, or by the sole owner.
bool StreamsBusy(Var* v);

}  // namespace flx
