// SPDX-License-Identifier: Apache-2.0
// Functions of the host in the engine, its memory in arrays, its log.
#include <algorithm>

#include "base/log.h"
#include "devices.h"
#include "exec/core.h"
#include "exec/tape.h"
#include "native.h"

using namespace flx;
using namespace flx::capi;

namespace {
// ---- flx_engine_push: an operator that nobody can name, whose attributes are the function
struct Pushed {
  Callback callback;
  ~Pushed() { DropLater(callback); }
};
const OpDef& PushOp() {
  static const OpDef* op = [] {
    static KernelSlot slot;
    auto* d = new OpDef;
    d->name = "flx_engine_push", d->variadic = true, d->list_min = 0, d->traits = kEffect | kInternal;
    d->inputs.emplace_back().name = "arrays", d->outputs.emplace_back().name = "targets";
    d->outputs_fn = slot.fn[0] = [] {};  // output 0 stands for all of them
    d->kernel = &slot, d->writer = WriterOf(d->name);
    d->run_count = [](AnyFn, const void*) { return 0; };
    d->run_kernel = [](AnyFn, KernelContext& c, const void* attrs, const TensorView* in, int nin, TensorView* out, int nout) {
      RunNativeKernel(static_cast<const Pushed*>(attrs)->callback, c, attrs, in, nin, out, nout);
    };
    return d;
  }();
  return *op;
}
Lane NeedLane(const char* who, const char* lane) {
  std::string_view l = lane ? lane : "compute";
  if (l == "compute") return Lane::kCompute;
  if (l == "copy") return Lane::kCopy;
  if (l == "io") return Lane::kIo;
  if (l == "comm") return Lane::kComm;
  Fail(Status::kName, who, "no lane is named `", l, "`.", DidYouMean(l, {"compute", "copy", "io", "comm"}), " There are: compute, copy, io, comm.");
}
void NeedOnCpu(const char* who, const ArrayList& list) {
  for (int i = 0; i < list.size(); ++i)
    if (!list[i]->on_cpu()) Fail(Status::kDevice, who, "the arrays must be on the CPU; one is on ", NameOf(list[i]->device()), ". Copy it first (flx_ndarray_copy).");
}

// ---- flx_native_log
struct HostLog final : LogFunction {
  flx_log_fn log;
  void* user;
  flx_drop_fn drop;
  HostLog(flx_log_fn l, void* u, flx_drop_fn d) : log(l), user(u), drop(d) {}
  ~HostLog() override { DropNow({nullptr, user, drop}); }
  void Write(LogLevel level, const char* text) override {
    Engine::Callback no_waiting;
    ErrorScope errors;
    log(int32_t(level), text, user);
  }
};
}  // namespace

extern "C" {

flx_status flx_native_log(flx_log_fn log, void* user, flx_drop_fn drop) {
  FLX_BEGIN
    auto f = log ? std::make_shared<HostLog>(log, user, drop) : nullptr;
    SetLogFunction(f);
    if (!f) DropNow({nullptr, user, drop});
  FLX_END
}

flx_status flx_engine_push(flx_native_fn run, void* user, flx_drop_fn drop, const char* lane, const flx_ndarray* arrays, int32_t narrays,
                           const flx_ndarray* targets, int32_t ntargets, int32_t priority) {
  FLX_BEGIN
    if (!run) NeedPointer(who, "run", nullptr);
    Lane l = NeedLane(who, lane);
    ArrayList in(who, "arrays", arrays, narrays), to(who, "targets", targets, ntargets);
    NeedOnCpu(who, in);
    NeedOnCpu(who, to);
    for (int i = 0; i < to.size(); ++i)
      for (int j = 0; j < i; ++j)
        if (to[i] == to[j]) Fail(Status::kArgument, who, "`targets[", i, "]` is `targets[", j, "]`. Give each target once.");
    auto pushed = std::make_shared<Pushed>();
    auto call = Call::New(PushOp(), pushed);
    KernelRun r;
    r.call = call.get(), r.attrs = pushed.get();
    r.in.reserve(in.size()), r.out.reserve(to.size());
    for (int i = 0; i < in.size(); ++i) r.in.emplace_back(in[i]);
    for (int i = 0; i < to.size(); ++i) r.out.emplace_back(to[i]);
    pushed->callback = {run, user, drop};
    try {
      PushRun(r, l, priority);
    } catch (...) {
      pushed->callback = {};  // nobody has it: it is the caller's still
      throw;
    }
    for (int i = 0; i < to.size(); ++i)
      if (to[i]->node) DropNode(std::exchange(to[i]->node, nullptr));  // its content is no longer what the history made
  FLX_END
}

flx_status flx_ndarray_from_memory(void* data, const int64_t* dims, int32_t ndim, int32_t dtype, const char* device, void* user, flx_drop_fn drop,
                                   flx_ndarray* out_array) {
  FLX_BEGIN
    NeedPointer(who, "out_array", out_array);
    if (ResolveDevice(device)) Fail(Status::kUnsupported, who, "memory of device `", device, "` cannot be taken; the CPU's can.");
    Shape s = NeedShape(who, dims, ndim);
    DType t = NeedDType(who, "dtype", dtype);
    int64_t n = s.CheckedSize(who, DTypeSize(t));
    if (n > 0) NeedPointer(who, "data", data);
    if (reinterpret_cast<uintptr_t>(data) % uintptr_t(DTypeSize(t)))
      Fail(Status::kArgument, who, "`data` must be aligned to ", DTypeSize(t), " bytes for ", t, ". Copy it instead (flx_ndarray_create_from).");
    // The handle first, with no drop yet: whatever fails has taken nothing over.
    struct Owner { void* user; flx_drop_fn drop; bool armed; };
    auto* owner = new Owner{user, drop, false};
    NDArray a;
    try {
      a = Array::NewForeign(data, s, t, [](void* p) {
        std::unique_ptr<Owner> o(static_cast<Owner*>(p));
        if (!o->armed) return;
        DropNow({nullptr, o->user, o->drop});
      }, owner);
    } catch (...) {
      delete owner;
      throw;
    }
    flx_ndarray made = GiveArray(std::move(a));
    owner->armed = true;
    *out_array = made;
  FLX_END
}

}  // extern "C"
