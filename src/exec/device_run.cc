// SPDX-License-Identifier: Apache-2.0
// Operators on stream devices: issued by the calling thread, which never waits for the device.
#include <memory>
#include <optional>

#include "exec/core.h"
#include "profiler/profiler.h"
#include "tensor/device_array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

// Where a call keeps what failed in its own thread, so that it can say so itself; a run that is issued later poisons what it writes and no more.
thread_local std::optional<Error>* t_failed = nullptr;

struct DeviceRun final : DeviceOp {
  DeviceRun(const Ref<Stream>& s, const KernelRun& r) : DeviceOp(s), held(r) {}
  HeldRun held;
  const char* Name() const override { return held.run.call->op.name; }
  void Prepare() override { Noting([&] { held.run.TakeMemory(); }); }
  void Run() override {
    ProfileScope scope(ProfileKind::kOperator, Name());
    if (scope.active()) {
      for (auto* a : held.run.in) if (a) scope.facts().Array(false, a->dtype, a->shape.data(), a->shape.ndim());
      for (auto* a : held.run.out) if (a) scope.facts().Array(true, a->dtype, a->shape.data(), a->shape.ndim());
    }
    Noting([&] { held.run.Execute(); });
  }
  void Describe(Error* e) const override { *e = Explained(*e, held.run, held.origin); }

 private:
  template <class F> void Noting(const F& f) {
    try {
      f();
    } catch (...) {
      if (t_failed) *t_failed = Explained(Engine::CurrentError(), held.run, "");
      throw;
    }
  }
};
}  // namespace

void IssueRun(const KernelRun& run) {
  SmallVector<VarUse, 12> uses;
  AddUses(run, &uses);
  Engine::RefuseMapped(run.call->op.name, uses.data(), uses.size());
  for (auto* o : run.out) if (o) o->storage->NoteWriter(run.call->op.writer);
  for (int i = 0; i < run.out.size() && i < 64; ++i)
    if (run.fresh >> i & 1) uses.emplace_back(VarUse{&run.out[i]->storage->var, Access::kWrite});
  std::optional<Error> failed;
  struct Slot {
    std::optional<Error>* outer;
    explicit Slot(std::optional<Error>* s) : outer(std::exchange(t_failed, s)) {}
    ~Slot() { t_failed = outer; }
  } slot(&failed);
  IssueOrPush(new DeviceRun(StreamOf(run.device, StreamRole::kCompute), run), uses.data(), uses.size());
  if (!failed) return;
  for (auto* o : run.out)
    if (o)
      if (auto p = o->storage->var.GetPoison()) p->seen.store(true);  // the call itself reports it
  throw *failed;
}

}  // namespace flx
