// SPDX-License-Identifier: Apache-2.0
#include "hybrid/plan_call.h"

#include <algorithm>
#include <chrono>

#include "base/reword.h"
#include "exec/core.h"
#include "profiler/profiler.h"

namespace flx {
namespace {

struct Run {
  const Plan* plan = nullptr;
  int parts = 0;
  Ticket first;
  PlanState* state = nullptr;
  bool again = false;
  double estimate = 0;
  SmallVector<Array*, 24> arrays;  // by external; null: not used
  void Execute() const {
    ProfileScope scope(ProfileKind::kOperator, state ? parts & kBackward ? "graph backward" : "graph forward" : parts & kBackward ? "graph step" : "graph");
    SmallVector<void*, 24> bases(arrays.size());
    for (int i = 0; i < arrays.size(); ++i) bases[i] = arrays[i] ? static_cast<char*>(arrays[i]->storage->Ensure()) + arrays[i]->offset : nullptr;
    if (estimate < 5) return Go(bases.data());
    auto start = std::chrono::steady_clock::now();
    Go(bases.data());
    plan->Measured(parts, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }

 private:
  void Go(void* const* bases) const {
    if (!state) {
      struct Taken {
        const Plan* plan;
        Plan::State* s;
        ~Taken() { plan->Give(s); }
      } taken{plan, plan->Take()};
      return plan->Execute(taken.s, parts, bases, first);
    }
    void* saved = again ? plan->SaveArena(state->state) : nullptr;
    struct Back {
      const Run& run;
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
void Collect(const Run& run, const bool* there, Uses* uses) {  // without what is fresh
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
struct QueuedPlan final : Operation {
  Run run;
  Ref<const Plan> plan;
  Ref<PlanState> state;
  std::string origin;
  ~QueuedPlan() override { for (auto* a : run.arrays) if (a) a->Unref(); }
  void Execute() override { run.Execute(); }
  void Describe(Error* e) const override { *e = Explained(*e, origin); }
};
void RunHere(const Run& run, const Uses& uses) {
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
  Run run;
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
  if (Engine::Get().MayInline(run.estimate) && Engine::TryAcquire(uses.data(), uses.size())) {
    Engine::CountInline();
    return RunHere(run, uses);
  }
  for (int o = 0; o < outputs; ++o)
    if (run.arrays[inputs + o] && p.writes(parts, o) && !(there && there[o])) uses.emplace_back(VarUse{&run.arrays[inputs + o]->storage->var, Access::kWrite});
  auto op = std::make_unique<QueuedPlan>();
  op->run.plan = run.plan, op->run.parts = parts, op->run.first = first, op->run.state = run.state, op->run.again = again, op->run.estimate = run.estimate;
  op->plan = plan, op->state = state, op->origin = Origin();
  op->run.arrays.reserve(run.arrays.size());
  for (auto* a : run.arrays) {
    op->run.arrays.emplace_back(a);
    if (a) a->AddRef();
  }
  op->cost_us = float(run.estimate);
  Engine::Get().Push(op.release(), uses.data(), uses.size());
}

}  // namespace flx
