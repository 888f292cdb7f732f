// SPDX-License-Identifier: Apache-2.0
// Operators on stream devices: issued by the calling thread, which never waits for the device.
#include "exec/core.h"
#include "profiler/profiler.h"
#include "tensor/device_array.h"

namespace flx {
namespace {

struct DeviceRun final : CalledOp {
  DeviceRun(const Ref<Stream>& s, const KernelRun& r) : CalledOp(s), held(r) {}
  HeldRun held;
  const char* Name() const override { return held.run.call->op.name; }
  void TakeMemory() override { held.run.TakeMemory(); }
  void Work() override {
    ProfileScope scope(ProfileKind::kOperator, Name());
    if (scope.active()) {
      for (auto* a : held.run.in) if (a) scope.facts().Array(false, a->dtype, a->shape.data(), a->shape.ndim());
      for (auto* a : held.run.out) if (a) scope.facts().Array(true, a->dtype, a->shape.data(), a->shape.ndim());
    }
    held.run.Execute();
  }
  Error Explain(const Error& e) const override { return Explained(e, held.run, ""); }
  void Describe(Error* e) const override { *e = Explained(*e, held.run, held.origin); }
};
}  // namespace

void IssueCalled(CalledOp* op, const VarUse* uses, int n) {
  auto failed = op->failed_;
  IssueOrPush(op, uses, n);
  if (!*failed) return;
  for (int i = 0; i < n; ++i)
    if (uses[i].access != Access::kRead)
      if (auto p = uses[i].var->GetPoison()) p->seen.store(true);  // the call itself reports it
  throw **failed;
}

void IssueRun(const KernelRun& run) {
  SmallVector<VarUse, 12> uses;
  AddUses(run, &uses);
  Engine::RefuseMapped(run.call->op.name, uses.data(), uses.size());
  for (auto* o : run.out) if (o) o->storage->NoteWriter(run.call->op.writer);
  for (int i = 0; i < run.out.size() && i < 64; ++i)
    if (run.fresh >> i & 1) uses.emplace_back(VarUse{&run.out[i]->storage->var, Access::kWrite});
  IssueCalled(new DeviceRun(StreamOf(run.device, StreamRole::kCompute), run), uses.data(), uses.size());
}

}  // namespace flx
