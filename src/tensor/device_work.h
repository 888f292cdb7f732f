// SPDX-License-Identifier: Apache-2.0
// How kernels reach a device. While an operation is being issued to a stream, its thread has a DeviceWork; what all kernels are made of (CopyStrided,
// FillStrided, elementwise loops, reductions, matrix products, scratch memory) then calls the device's kernels instead of computing. So a kernel that is
// made of those, and looks at no element itself, serves every device (KernelEntry::OnDevices).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "device/device.h"
#include "device/device_call.h"
#include "engine/stream.h"
#include "tensor/view.h"

namespace flx {

// An operation on a device that is made of kernels.
class DeviceOp : public StreamOp {
 public:
  using StreamOp::StreamOp;

 private:
  friend class DeviceWork;
  virtual const char* Name() const = 0;
  virtual void Run() = 0;                       // inside a DeviceWork
  void Issue(flx_device_queue* queue) final;
  void Issued(uint64_t ticket) noexcept final;  // scratch memory goes back to the pool, with the ticket of what still uses it
  friend class DeviceScratch;
  struct Block { void* p; size_t bytes; bool idle; };
  static void FreeBlocks(std::vector<Block>* blocks, const Device* device, const Ref<Stream>& stream, uint64_t ticket) noexcept;  // what the ticket's work may still use
  std::vector<Block> scratch_;
  std::vector<std::shared_ptr<class DeviceScratch>> kept_;  // of others, that it uses
};

// Scratch memory of what is issued more than once: a graph's. It goes back to the pool with the ticket of the last operation that used it.
class DeviceScratch {
 public:
  ~DeviceScratch();

 private:
  friend class DeviceOp;
  friend class DeviceWork;
  std::vector<DeviceOp::Block> blocks_;
  const Device* device_ = nullptr;
  Ref<Stream> stream_;
  uint64_t ticket_ = 0;  // written under the stream's lock
};

uint32_t CallFlags();  // FLX_CALL_..., as the options have it now

class DeviceWork {
 public:
  static DeviceWork* Current() { return t_current_; }  // null: kernels compute
  const Device* device() const { return op_.stream->device(); }
  flx_device_queue* queue() const { return queue_; }
  void* Scratch(int64_t bytes);                 // of the device, until what this operation issues is done, or until NextStep
  // An operation that calls several kernels, one after another: what was scratch memory may be the next one's, behind this one in the queue.
  void NextStep(const char* name);              // who errors say has no kernel
  // For what records (hybrid/plan_graph.h): what the operation has taken so far; all of that, made to outlive it; and scratch memory that it uses.
  std::vector<size_t> ScratchSizes() const;
  std::shared_ptr<DeviceScratch> KeepScratch();
  void Use(std::shared_ptr<DeviceScratch> scratch);
  // While it lives nothing is allocated: Scratch serves from what is there, or fails. parameters: null, or memory of the device; what is recorded takes from
  // it, when it runs, the ticket that `first` stands for now (SetParameters).
  class Recording {
   public:
    Recording(DeviceWork* w, Ticket first, const void* parameters) : w_(w) { w_->recording_ = true, w_->first_ = first, w_->parameters_ = parameters; }
    ~Recording() { w_->recording_ = false, w_->parameters_ = nullptr; }
    Recording(const Recording&) = delete;

   private:
    DeviceWork* const w_;
  };
  struct Given {
    const TensorView* in = nullptr;
    int nin = 0;
    const TensorView* out = nullptr;
    int nout = 0;
    const int64_t* ints = nullptr;
    int nints = 0;
    const double* numbers = nullptr;
    int nnumbers = 0;
    Ticket ticket = {};
  };
  static constexpr int64_t kParameterBytes = 16;
  void SetParameters(void* at, Ticket first);   // in the queue: for what is issued behind it
  // Calls a kernel of the module (device/kernels.h). One that is missing, or refuses these dtypes, is an error that says how to go on without it.
  void Call(const char* kernel, uint64_t signature, const Given& g);
  [[noreturn]] void Refuse(const std::string& what) const;  // the operator has no kernel here for `what`

 private:
  friend class DeviceOp;
  DeviceWork(DeviceOp& op, flx_device_queue* queue) : op_(op), queue_(queue), outer_(t_current_), name_(op.Name()) { t_current_ = this; }
  ~DeviceWork() { t_current_ = outer_; }
  DeviceWork(const DeviceWork&) = delete;
  DeviceOp& op_;
  flx_device_queue* queue_;
  DeviceWork* outer_;
  const char* name_;
  bool recording_ = false;
  Ticket first_;
  const void* parameters_ = nullptr;
  static __thread DeviceWork* t_current_ __attribute__((tls_model("initial-exec")));
};

}  // namespace flx
