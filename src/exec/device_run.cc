// SPDX-License-Identifier: Apache-2.0
// Operators on stream devices: issued by the calling thread, which never waits for the device.
#include <memory>
#include <optional>
#include <thread>

#include "exec/core.h"
#include "profiler/profiler.h"
#include "tensor/device_array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

struct DeviceRun final : DeviceOp {
  DeviceRun(const Ref<Stream>& s, const KernelRun& r, const std::shared_ptr<std::optional<Error>>& f) : DeviceOp(s), held(r), failed(f) {}
  HeldRun held;
  // What failed in the call's own thread, so that the call can say so itself; a run that is issued later, by another, poisons what it writes and no more.
  const std::shared_ptr<std::optional<Error>> failed;
  const std::thread::id caller = std::this_thread::get_id();
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
      if (std::this_thread::get_id() == caller) *failed = Explained(Engine::CurrentError(), held.run, "");
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
  auto failed = std::make_shared<std::optional<Error>>();
  IssueOrPush(new DeviceRun(StreamOf(run.device, StreamRole::kCompute), run, failed), uses.data(), uses.size());
  if (!*failed) return;
  for (auto* o : run.out)
    if (o)
      if (auto p = o->storage->var.GetPoison()) p->seen.store(true);  // the call itself reports it
  throw **failed;
}

}  // namespace flx
