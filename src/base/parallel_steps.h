// SPDX-License-Identifier: Apache-2.0
// Short steps that follow each other, each in a few parts: a loop over them costs one ParallelFor, not one for each step.
#pragma once
#include <cstdint>

namespace flx {

using StepBody = void (*)(void* arg, int64_t step, int64_t part);
constexpr int64_t kMaxStepParts = 16;
// Runs body(step, part) for all parts of step 0, then for all of step 1 and so on; a step sees all that the steps before it wrote. A thread keeps to its
// part where it can, so that what the part reads stays in its cache; parts that nobody takes are done by whoever is there, so that one thread is enough.
// At most kMaxStepParts parts. A body must not throw, and waits for nothing.
void ParallelSteps(int64_t steps, int64_t parts, StepBody body, void* arg);
template <class F> void ParallelSteps(int64_t steps, int64_t parts, const F& f) {
  ParallelSteps(steps, parts, [](void* q, int64_t step, int64_t part) { (*static_cast<const F*>(q))(step, part); }, const_cast<F*>(&f));
}

}  // namespace flx
