// SPDX-License-Identifier: Apache-2.0
// Learning-rate schedules: pure functions of the step, so that a resumed training and a second look at step 7 give what the first one gave.
// Steps count from 1 at an optimizer's first update, as MXNet's do; step 0 is before it.
#pragma once
#include <optional>

#include "base/ref.h"
#include "base/registry.h"

namespace flx {

// Settings that all schedules have.
struct ScheduleSettings {
  std::optional<double> base_lr;
  int64_t warmup_steps = 0;
  double warmup_begin_lr = 0;
  enum class Warmup { kLinear, kConstant } warmup_mode = Warmup::kLinear;
};
template <> struct EnumNames<ScheduleSettings::Warmup> { static constexpr const char* names[] = {"linear", "constant"}; };

struct ScheduleDef : Registered {
  // The rate at `step`, warm-up left aside. `length`: the steps of the whole training if the settings do not say; 0: unknown.
  double (*value)(const void* settings, double base, int64_t step, int64_t length) = nullptr;
  void (*check)(const void* settings) = nullptr;  // what single ranges cannot say
};
const Registry<ScheduleDef>& Schedules();

class Schedule final : public Object {
 public:
  static Ref<Schedule> New(std::string_view name, const Settings& settings = {});
  const ScheduleDef& def;
  const Attrs settings;
  // base: the optimizer's learning rate, used where base_lr is not given; length: the steps of the training, used where max_update is not given.
  double Value(int64_t step, double base = 0.01, int64_t length = 0) const;

 private:
  Schedule(const ScheduleDef& d, Attrs s) : Object(Kind::kSchedule), def(d), settings(std::move(s)) {}
};

}  // namespace flx
