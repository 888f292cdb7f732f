// SPDX-License-Identifier: Apache-2.0
#include "hybrid/plan_call.h"

#include <algorithm>
#include <chrono>

#include "base/reword.h"
#include "exec/core.h"
#include "hybrid/plan_graph.h"
#include "profiler/profiler.h"
#include "tensor/device_array.h"

namespace flx {
namespace {

struct PlanRun {  // on the CPU, or on a device: Issue
  const Plan* plan = nullptr;
  int parts = 0;
  Ticket first;
  PlanState* state = nullptr;
  bool again = false;
  double estimate = 0;
  SmallVector<Array*, 24> arrays;  // by external; null: not used
  void Execute() const {
    ProfileScope scope(ProfileKind::kOperator, Name());
    Bases bases(arrays.size());
    Ensure(&bases);
    if (estimate < 5) return Go(bases.data());
    auto start = std::chrono::steady_clock::now();
    Go(bases.data());
    plan->Measured(parts, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  void TakeMemory(Storage* arena) const {
    for (auto* a : arrays) if (a) a->storage->Ensure();
    if (arena) arena->Ensure();
  }
  // Inside a DeviceWork: all its steps, into one queue.
  void Issue(Storage* arena) const {
    ProfileScope scope(ProfileKind::kOperator, Name());
    Bases bases(arrays.size());
    Ensure(&bases);
    void* memory = arena ? arena->Ensure() : nullptr;
    if (memory && again) {  // on a copy: the arena stays as it is
      void* copy = DeviceWork::Current()->Scratch(arena->bytes());
      CopyStrided(MakeView(memory, DType::kUint8, {arena->bytes()}), MakeView(copy, DType::kUint8, {arena->bytes()}));
      memory = copy;
    }
    if (state) return ExecuteIn(state->state, memory, bases.data());
    Taken taken{plan, plan->Take()};
    ExecuteIn(taken.s, memory, bases.data());
  }
  const char* Name() const { return state ? parts & kBackward ? "graph backward" : "graph forward" : parts & kBackward ? "graph step" : "graph"; }

 private:
  using Bases = SmallVector<void*, 24>;
  struct Taken {
    const Plan* plan;
    Plan::State* s;
    ~Taken() { plan->Give(s); }
  };
  void Ensure(Bases* bases) const {
    for (int i = 0; i < arrays.size(); ++i) (*bases)[i] = arrays[i] ? static_cast<char*>(arrays[i]->storage->Ensure()) + arrays[i]->offset : nullptr;
  }
  void ExecuteIn(Plan::State* s, void* arena, void* const* bases) const {
    plan->UseArena(s, arena);
    auto issue = [&] { plan->Execute(s, parts, bases, first); };
    if (again) return issue();  // its arena is a copy, each time another one
    plan->graphs().Run(parts, arena, bases, arrays.size(), first, issue);
  }
  void Go(void* const* bases) const {
    if (!state) {
      Taken taken{plan, plan->Take()};
      return plan->Execute(taken.s, parts, bases, first);
    }
    void* saved = again ? plan->SaveArena(state->state) : nullptr;
    struct Back {
      const PlanRun& run;
      void* saved;
      ~Back() {
        if (saved) run.plan->RestoreArena(run.state->state, saved);
        else if (run.parts & kBackward && !run.again) run.plan->FreeArena(run.state->state);
      }
    } back{*this, saved};
    plan->Execute(state->state, parts, bases, first);
  }
};
using Uses = SmallVector<VarUse, 24>;
void Collect(const PlanRun& run, const bool* there, Uses* uses) {  // without what is fresh
  const Plan& p = *run.plan;
  int inputs = int(p.ir().inputs.size());
  for (int i = 0; i < run.arrays.size(); ++i) {
    bool written = i >= inputs && p.writes(run.parts, i - inputs);
    if (!run.arrays[i] || (written && !(there && there[i - inputs]))) continue;
    bool update = i < inputs && p.updates(i);
    uses->emplace_back(VarUse{&run.arrays[i]->storage->var, written ? Access::kWrite : update ? Access::kUpdate : Access::kRead});
  }
  if (run.state) uses->emplace_back(VarUse{&run.state->var, Access::kUpdate});
  if (uses->size() < 2) return;
  std::sort(uses->begin(), uses->end(), [](const VarUse& a, const VarUse& b) { return a.var < b.var || (a.var == b.var && a.access > b.access); });
  int n = 1;
  for (int i = 1; i < uses->size(); ++i)
    if ((*uses)[i].var != (*uses)[n - 1].var) (*uses)[n++] = (*uses)[i];
  uses->resize(n);
}
Error Explained(const Error& e, const std::string& origin) {
  if (origin.empty()) return e;
  Error out = Reworded(e, Text(e.message(), " Queued by ", origin, "."));
  out.origin = origin;
  return out;
}
// A run that outlives its call, with all that it needs.
struct HeldPlan {
  HeldPlan(const PlanRun& r, Ref<const Plan> p, Ref<PlanState> s) : plan(std::move(p)), state(std::move(s)), origin(Origin()) {
    run.plan = r.plan, run.parts = r.parts, run.first = r.first, run.state = r.state, run.again = r.again, run.estimate = r.estimate;
    run.arrays.reserve(r.arrays.size());
    for (auto* a : r.arrays) {
      run.arrays.emplace_back(a);
      if (a) a->AddRef();
    }
  }
  ~HeldPlan() { for (auto* a : run.arrays) if (a) a->Unref(); }
  HeldPlan(const HeldPlan&) = delete;
  HeldPlan& operator=(const HeldPlan&) = delete;
  PlanRun run;
  const Ref<const Plan> plan;
  const Ref<PlanState> state;
  const std::string origin;
};
struct QueuedPlan final : Operation {
  QueuedPlan(const PlanRun& r, const Ref<const Plan>& p, const Ref<PlanState>& s) : held(r, p, s) {}
  const HeldPlan held;
  void Execute() override { held.run.Execute(); }
  void Describe(Error* e) const override { *e = Explained(*e, held.origin); }
};
struct DevicePlan final : CalledOp {
  DevicePlan(const PlanRun& r, const Ref<const Plan>& p, const Ref<PlanState>& s, Ref<Storage> a)
      : CalledOp(StreamOf(p->device(), StreamRole::kCompute)), held(r, p, s), arena(std::move(a)) {}
  const HeldPlan held;
  const Ref<Storage> arena;  // null: the plan needs none
  const char* Name() const override { return held.run.Name(); }
  void TakeMemory() override { held.run.TakeMemory(arena.get()); }
  void Work() override { held.run.Issue(arena.get()); }
  Error Explain(const Error& e) const override { return e; }
  void Describe(Error* e) const override { *e = Explained(*e, held.origin); }
};
void RunHere(const PlanRun& run, const Uses& uses) {
  struct Grant {
    const Uses& u;
    ~Grant() { Engine::Release(u.data(), u.size()); }
  } grant{uses};
  try {
    if (auto p = Engine::FirstPoison(uses.data(), uses.size())) {
      p->seen.store(true);
      throw p->error;
    }
    run.Execute();
  } catch (...) {
    Error e = Engine::CurrentError();
    auto p = Ref<const Poison>::Take(new Poison(e));
    p->seen.store(true);
    Engine::PoisonWrites(uses.data(), uses.size(), p);
    throw e;
  }
  Engine::ClearWrites(uses.data(), uses.size());
}
}  // namespace

void RunPlan(const Ref<const Plan>& plan, int parts, Array* const* in, Array* const* out, Ticket first, const Ref<PlanState>& state, bool again, const bool* there) {
  const Plan& p = *plan;
  PlanRun run;
  run.plan = plan.get(), run.parts = parts, run.first = first, run.state = state.get(), run.again = again, run.estimate = p.estimate_us(parts);
  int inputs = int(p.ir().inputs.size()), outputs = int(p.ir().outputs.size());
  run.arrays.reserve(inputs + outputs);
  for (int i = 0; i < inputs; ++i) run.arrays.emplace_back(p.reads(parts, i) ? in[i] : nullptr);
  for (int o = 0; o < outputs; ++o) run.arrays.emplace_back(p.uses_output(parts, o) ? out[o] : nullptr);
  Uses uses;
  Collect(run, there, &uses);
  Engine::RefuseMapped("hybridize", uses.data(), uses.size());
  for (int i = 0; i < inputs; ++i)
    if (run.arrays[i] && p.updates(i)) run.arrays[i]->storage->NoteWriter(p.update_writer(i));
  for (int o = 0; o < outputs; ++o)
    if (run.arrays[inputs + o] && p.writes(parts, o)) {
      Storage& s = *run.arrays[inputs + o]->storage;
      if (there && there[o]) s.NoteWriter(p.writer(o));
      else s.NoteFirstWriter(p.writer(o));
    }
  if (!p.device() && Engine::Get().MayInline(run.estimate) && Engine::TryAcquire(uses.data(), uses.size())) {
    Engine::CountInline();
    return RunHere(run, uses);
  }
  for (int o = 0; o < outputs; ++o)
    if (run.arrays[inputs + o] && p.writes(parts, o) && !(there && there[o])) uses.emplace_back(VarUse{&run.arrays[inputs + o]->storage->var, Access::kWrite});
  if (p.device()) {
    // what a run works in is the storage's: the next owner of its memory inherits what the device still does with it
    Ref<Storage> arena = state ? state->arena : p.arena_bytes() ? Storage::New(p.arena_bytes(), p.device()) : nullptr;
    if (arena) uses.emplace_back(VarUse{&arena->var, parts & kForward ? Access::kWrite : Access::kUpdate});
    for (auto& c : p.ir().constants) uses.emplace_back(VarUse{&c.second->storage->var, Access::kRead});
    if (state && parts & kBackward && !again) state->arena = nullptr;  // this run's from here on
    return IssueCalled(new DevicePlan(run, plan, state, arena), uses.data(), uses.size());  // which looks at the arena's variable after the operation is gone
  }
  auto op = std::make_unique<QueuedPlan>(run, plan, state);
  op->cost_us = float(run.estimate);
  Engine::Get().Push(op.release(), uses.data(), uses.size());
}

}  // namespace flx
