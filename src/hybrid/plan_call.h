// SPDX-License-Identifier: Apache-2.0
// A plan's run as one operation of the engine.
#pragma once
#include "hybrid/plan.h"

namespace flx {

// What a run leaves for its backward part. Its variable orders the two.
class PlanState final : public Object {
 public:
  explicit PlanState(Ref<const Plan> p)
      : Object(Kind::kNone), plan(std::move(p)), state(plan->Take()), arena(plan->device() && plan->arena_bytes() ? Storage::New(plan->arena_bytes(), plan->device()) : nullptr) {}
  ~PlanState() override { plan->Give(state), var.Reset(); }
  const Ref<const Plan> plan;
  Plan::State* const state;
  Ref<Storage> arena;              // on a device, if the plan needs one
  Var var;
};

// Runs `parts` at once or queues it. in, out: by the plan's inputs and outputs; null where the parts do not use it. Outputs that the parts write are fresh (nobody else
// can see them yet), or `there`, by output (null: all are fresh): whole arrays that are overwritten. state: kept between parts; null: of this run only. again: the state is as it was afterwards, for another backward.
void RunPlan(const Ref<const Plan>& plan, int parts, Array* const* in, Array* const* out, Ticket first, const Ref<PlanState>& state = nullptr, bool again = false,
             const bool* there = nullptr);

}  // namespace flx
