// SPDX-License-Identifier: Apache-2.0
#include "core/table.h"

namespace ps::core {
namespace {
constexpr uint8_t W = Mask(Role::kWorker), S = Mask(Role::kServer), M = Mask(Role::kScheduler);
using E = pb::Envelope;
constexpr Rule kRules[] = {
    {E::kBye, W | S | M, W | S | M, Bound::kNo, false},
    {E::kRefused, S | M, W | S, Bound::kNo, false},
    {E::kBeat, W | S, S | M, Bound::kNo, false},
    {E::kBeatReply, S | M, W | S, Bound::kNo, false},
    {E::kViewDelta, M, W | S, Bound::kNo, false},
    {E::kSuspect, S, M, Bound::kNo, false},
    {E::kInit, W, S, Bound::kRequest, true},
    {E::kInitDone, S, W, Bound::kAnswer, false},
    {E::kPush, W, S, Bound::kRequest, true},
    {E::kPull, W, S, Bound::kRequest, false},
    {E::kValue, S, W, Bound::kAnswer, true},
    {E::kDenied, S, W, Bound::kAnswer, false},
    {E::kWhy, W, S, Bound::kNo, false},
    {E::kBecause, S, W, Bound::kNo, false},
    {E::kCredit, S, W | S, Bound::kNo, false},
    {E::kPropose, S, S, Bound::kRequest, true},
    {E::kAgreed, S, S, Bound::kAnswer, false},
    {E::kBarrier, W, M, Bound::kNo, false},
    {E::kReleased, M, W, Bound::kNo, false},
    {E::kFinish, W, M, Bound::kNo, false},
    {E::kConfigure, W, M, Bound::kNo, false},
    {E::kConfigureDone, M, W, Bound::kNo, false},
    {E::kCut, W, M, Bound::kNo, false},
    {E::kCutDone, S | M, W | M, Bound::kNo, false},
};
}  // namespace

const Rule* RuleOf(Kind kind) {
  for (auto& r : kRules)
    if (r.kind == kind) return &r;
  return nullptr;
}

}  // namespace ps::core
