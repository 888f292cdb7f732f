// SPDX-License-Identifier: Apache-2.0
// Inside exec: inference for a call, and the one function that runs an operator.
#pragma once
#include <memory>
#include <optional>
#include <thread>

#include "base/small_vector.h"
#include "exec/invoke.h"
#include "tensor/device_work.h"

namespace flx {

// Shapes and dtypes of a call's ports. Everything must be known afterwards, or the error says what is not.
struct Inference {
  SmallVector<Shape, 8> xs;
  SmallVector<DType, 8> xt;
  SmallVector<Shape, 4> ys;
  SmallVector<DType, 4> yt;
  void Run(const Call& call, const void* attrs, const Shape* given, const DType* types, int nin);
};

// out: all outputs, hidden ones too; those without memory (updates) stay null. targets: where visible outputs go, or null.
void InvokeAll(const Call& call, int mode, Array* const* in, int nin, const double* scalars, int nscalars, NDArray* out, Array* const* targets,
               const Device* device = nullptr);

// In mode kTrace: runs it, and makes nodes for all results.
void InvokeTraced(const Call& call, Array* const* in, int nin, const double* scalars, int nscalars, NDArray* out, Array* const* targets, const Device* device);

// One run of a kernel: arrays by port, ready to be executed now or later.
struct KernelRun {
  const Call* call = nullptr;
  const void* attrs = nullptr;
  bool training = false;
  const Device* device = nullptr;  // null: the CPU
  Ticket ticket;
  SmallVector<Array*, 8> in;       // by port; null: absent
  SmallVector<Array*, 4> out;      // null: not wanted; may share memory with an input
  uint64_t fresh = 0;              // bit i: output i was made for this run, nobody else can see it (of the first 64)
  void TakeMemory() const;         // of all of it; Execute does what is left
  void Execute() const;            // memory is taken here; throws what the kernel throws
  double EstimateUs() const;       // bytes and arithmetic from shapes, corrected by what this call measured
};
// A run that outlives its call: it holds its arrays, and a copy of runtime values, which may lie in the caller's frame.
struct HeldRun {
  explicit HeldRun(const KernelRun& run);
  ~HeldRun();
  KernelRun run;
  Ref<const Call> call;
  Attrs attrs;
  std::string origin;

 private:
  HeldRun() = default;  // whole before it takes references: without memory for more, it gives those back
};
Error Explained(const Error& e, const KernelRun& run, const std::string& origin);  // with the operator's name, shapes, and where it was pushed
constexpr double kBytesPerUs = 8000, kFlopsPerUs = 20000;  // one core of 2020 and later; decides only where an operation runs
// What most small calls are: an elementwise loop (call.tile) on small contiguous arrays of one shape and dtype, run here at once. False: nothing was
// done, take the long way.
bool RunSmallTile(const Call& call, const void* attrs, Array* const* in, int nin, NDArray* out);
void AddUses(const KernelRun& run, SmallVector<VarUse, 12>* uses);  // of inputs, and of outputs that are not fresh
// Runs it inline if it may, else queues it. `uses` are the storages' variables, each once.
void RunOrPush(const KernelRun& run);
// The same on a device: issues it here if the host has no business with its arrays, else when that is done. What fails here fails the call.
void IssueRun(const KernelRun& run);
// Whether an operator runs on a device (null: the CPU) as it is; without a kernel there it runs what it is composed of, or is only a view.
bool HasKernel(const OpDef& op, const Device* device);
[[noreturn]] void FailNoKernel(const OpDef& op, const Device& device);
// Work on a device that a call issues: what fails while its own thread does so fails the call, with Explain's text. Work that is issued later, by another
// thread, poisons what it writes and no more.
class CalledOp : public DeviceOp {
 public:
  using DeviceOp::DeviceOp;
  void Prepare() final { Noting([&] { TakeMemory(); }); }

 private:
  friend void IssueCalled(CalledOp* op, const VarUse* uses, int n);
  void Run() final { Noting([&] { Work(); }); }
  virtual void TakeMemory() = 0;
  virtual void Work() = 0;
  virtual Error Explain(const Error& e) const = 0;
  template <class F> void Noting(const F& f) {
    try {
      f();
    } catch (...) {
      if (std::this_thread::get_id() == caller_) *failed_ = Explain(Engine::CurrentError());
      throw;
    }
  }
  const std::shared_ptr<std::optional<Error>> failed_ = std::make_shared<std::optional<Error>>();
  const std::thread::id caller_ = std::this_thread::get_id();
};
void IssueCalled(CalledOp* op, const VarUse* uses, int n);
// Queues it whatever it costs.
void PushRun(const KernelRun& run, Lane lane, int32_t priority);

const std::string& Origin();       // this thread's source line, for errors of what it pushes
void SetOrigin(std::string origin);

}  // namespace flx
