// SPDX-License-Identifier: Apache-2.0
// Operations on stream devices. One is *issued* to a queue of its device by the calling thread, and is then done for the engine: its variables are
// released at once, and remember instead what the device still does with them, as (stream, ticket). Then
//   - an operation on the same stream needs nothing more: a queue works in order;
//   - one on another stream makes that queue wait for an event, recorded when it is first wanted;
//   - a host operation has its turn when the completion thread has seen the event: no thread of the pool ever waits for a device.
// Work that the device accepted and that failed loses the device: what was being written is poisoned, and so is whatever is issued from then on, and what
// other devices make of it.
#pragma once
#include <mutex>
#include <vector>

#include "device/device.h"
#include "engine/engine.h"

namespace flx {

struct StreamDevice;  // what a device's streams share: spare events, and whether it is lost
class Marker;         // a recorded event

class Stream final : public Object {
 public:
  // A stream of the caller's own; queues nobody uses any more are given out again. One that crosses works on memory of other devices, too; nothing that
  // is issued to it takes memory while it is being issued (DeviceRest waits for it, from wherever memory is given back).
  static Ref<Stream> Make(const Device* device, int priority = 0, bool crosses = false);
  const Device* device() const;
  // for stream.cc:
  bool Done(uint64_t ticket);                // or its device is lost
  const Poison* Lost(uint64_t ticket) const; // once Done: the device was lost before it was done; null: it was done
  Ref<Marker> MarkFor(uint64_t ticket);      // an event at or after it; null: done, or lost
  uint64_t issued();

 private:
  friend class StreamOp;
  friend class StreamUses;
  friend struct Completions;
  friend Ref<Object> UsesOf(const Ref<Stream>& s, uint64_t ticket);
  friend void DeviceRest(const Device* device);
  Stream(StreamDevice* d, flx_device_queue* q, int priority, bool crosses);
  StreamDevice* const dev_;
  flx_device_queue* const queue_;
  const int priority_;
  const bool crosses_;
  const int fork_;                           // of which process
  std::recursive_mutex mutex_;               // held while something is issued, which may have to wait for the device to rest
  uint64_t issued_ = 0;
  std::atomic<uint64_t> done_{0};
  Ref<Marker> last_;
};

// An operation for a stream. Push with IssueOrPush; owned by the engine from then on.
class StreamOp : public Operation {
 public:
  explicit StreamOp(Ref<Stream> s) : stream(std::move(s)) { on_stream = true; }
  // On several devices of one kind at once: a stream of each, and which of them uses a variable.
  struct Place { Var* var; int stream; };
  StreamOp(std::vector<Ref<Stream>> all, std::vector<Place> places);
  virtual void Prepare() {}                         // before anything is looked at: takes the memory of what it uses; throws Error: nothing was issued
  virtual void Issue(flx_device_queue* queue) { (void)queue; }  // hands work to the queue and returns; throws Error: nothing it writes is to be trusted
  virtual void IssueTo(flx_device_queue* const* queues) { Issue(queues[0]); }  // to one of each of its streams
  virtual void Issued(uint64_t ticket) noexcept { (void)ticket; }  // also after Issue threw
  void Execute() final;
  const Ref<Stream> stream;                         // the first, if it has several

 private:
  const std::vector<Ref<Stream>> all_;              // empty: the one
  const std::vector<Place> places_;                 // by address
};
// Issues it here if the host has no business with its variables, else when that is done. Never waits.
void IssueOrPush(StreamOp* op, const VarUse* uses, int n);

// The sole owner of `v` gives memory back that a stream may still use: free(p, bytes) is called when that is done, at once if nothing is under way.
void FreeAfterStreams(Var* v, void (*free)(void* p, size_t bytes), void* p, size_t bytes);
// The sole owner of `v` gives memory back to be used again: what streams still do with it goes along, and is taken up by the next owner, before
// anything uses the memory. Null: nothing is under way.
Ref<Object> DetachStreams(Var* v);
void AttachStreams(Var* v, const Ref<Object>& uses);
Ref<Object> UsesOf(const Ref<Stream>& s, uint64_t ticket);  // as if `ticket` of the stream had written the memory
// Inside Issue: what is issued to `queue`, of stream s, from here on waits for those uses.
void QueueAfterUses(const Ref<Stream>& s, flx_device_queue* queue, const Ref<Object>& uses);
// Waits until the device has done all that was issued to it. It is lost, or well; it never fails.
void DeviceRest(const Device* device);
void FailIfLost(const Device* device);  // with the error that it was lost with
// Whether a stream may still use the variable's memory. Under a grant, or by the sole owner.
bool StreamsBusy(Var* v);

}  // namespace flx
