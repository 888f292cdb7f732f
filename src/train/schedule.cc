// SPDX-License-Identifier: Apache-2.0
#include "train/schedule.h"

#include <cmath>

namespace flx {
namespace {

using Def = ScheduleDef;

struct FactorSettings : ScheduleSettings { int64_t step = 1; double factor = 1, stop_factor_lr = 1e-8; };
double FactorValue(const void* p, double base, int64_t step, int64_t) {
  auto& s = *static_cast<const FactorSettings*>(p);
  if (step < 1) return base;
  double lr = base * std::pow(s.factor, double((step - 1) / s.step));
  return step > s.step && lr < s.stop_factor_lr ? s.stop_factor_lr : lr;
}

struct MultiFactorSettings : ScheduleSettings { Ints step; double factor = 1; };
double MultiFactorValue(const void* p, double base, int64_t step, int64_t) {
  auto& s = *static_cast<const MultiFactorSettings*>(p);
  for (int64_t at : s.step)
    if (step > at) base *= s.factor;
  return base;
}
void CheckMultiFactor(const void* p) {
  auto& s = *static_cast<const MultiFactorSettings*>(p);
  for (size_t i = 0; i < s.step.size(); ++i)
    if (s.step[i] < 1 || (i && s.step[i] <= s.step[i - 1]))
      Fail(Status::kArgument, "MultiFactor", "setting `step` must be growing steps of at least 1, given ", s.step, ".");
}

struct DecaySettings : ScheduleSettings { std::optional<int64_t> max_update; double final_lr = 0; };
struct PolySettings : DecaySettings { double pwr = 2; };
// How far the decay has come: 0 at its beginning, 1 at its end and after.
double Progress(const char* who, const DecaySettings& s, int64_t step, int64_t length) {
  int64_t last = s.max_update ? *s.max_update : length;
  if (last <= 0) Fail(Status::kArgument, who, "setting `max_update`, the number of steps, must be given outside of a fit, which knows how many it will make.");
  if (step >= last) return 1;
  return double(step - s.warmup_steps) / double(last - s.warmup_steps);
}
void CheckDecay(const void* p) {
  auto& s = *static_cast<const DecaySettings*>(p);
  if (s.max_update && *s.max_update <= s.warmup_steps)
    Fail(Status::kArgument, "schedule", "`max_update` (", *s.max_update, ") must be above `warmup_steps` (", s.warmup_steps, ").");
}
double PolyValue(const void* p, double base, int64_t step, int64_t length) {
  auto& s = *static_cast<const PolySettings*>(p);
  return s.final_lr + (base - s.final_lr) * std::pow(1 - Progress("Poly", s, step, length), s.pwr);
}
double CosineValue(const void* p, double base, int64_t step, int64_t length) {
  auto& s = *static_cast<const DecaySettings*>(p);
  double t = Progress("Cosine", s, step, length);
  return t >= 1 ? s.final_lr : s.final_lr + (base - s.final_lr) * (1 + std::cos(3.14159265358979323846 * t)) / 2;
}

template <class S> Define<Def, S> New(const char* name) {
  Define<Def, S> d(name);
  d.family("schedule")
      .attr(&S::base_lr, "base_lr", "The rate before any decay. None: the optimizer's learning_rate (0.01 without an optimizer).").at_least(0)
      .attr(&S::warmup_steps, "warmup_steps", "Steps of warm-up at the beginning, counted as part of the schedule.").at_least(0)
      .attr(&S::warmup_begin_lr, "warmup_begin_lr", "The rate at step 0 of a linear warm-up, or during a constant one.").at_least(0)
      .attr(&S::warmup_mode, "warmup_mode", "linear: from warmup_begin_lr to base_lr in equal steps; constant: warmup_begin_lr until the warm-up ends.");
  return d;
}
template <class S> Define<Def, S>& Decay(Define<Def, S>& d) {
  return d.attr(&S::max_update, "max_update", "The step at which final_lr is reached. None: the last step of the fit.").at_least(1)
      .attr(&S::final_lr, "final_lr", "The rate at max_update and after it.").at_least(0)
      .with(&Def::check, &CheckDecay);
}

std::vector<Def> List() {
  std::vector<Def> all;
  all.push_back(New<FactorSettings>("Factor").alias("FactorScheduler")
      .doc("base_lr * factor^floor((t - 1) / step) at step t, and not below stop_factor_lr once it decays.")
      .example("Factor(step=1000, factor=0.5)")
      .attr(&FactorSettings::step, "step", "Updates between two decays.").required().at_least(1)
      .attr(&FactorSettings::factor, "factor", "What the rate is multiplied by at each decay.").range_open(0, true, 1, false)
      .attr(&FactorSettings::stop_factor_lr, "stop_factor_lr", "The rate never decays below this.").at_least(0)
      .with(&Def::value, &FactorValue));
  all.push_back(New<MultiFactorSettings>("MultiFactor").alias("MultiFactorScheduler")
      .doc("base_lr multiplied by factor once for each of the given steps that has been passed.")
      .example("MultiFactor(step=(1000, 2000), factor=0.1)")
      .attr(&MultiFactorSettings::step, "step", "The steps after which the rate decays, growing.").required()
      .attr(&MultiFactorSettings::factor, "factor", "What the rate is multiplied by at each decay.").range_open(0, true, 1, false)
      .with(&Def::value, &MultiFactorValue).with(&Def::check, &CheckMultiFactor));
  auto poly = New<PolySettings>("Poly");
  all.push_back(Decay(poly).alias("PolyScheduler").alias("polynomial")
      .doc("final_lr + (base_lr - final_lr) * (1 - p)^pwr, where p grows from 0 after the warm-up to 1 at max_update.")
      .example("Poly(max_update=10000, pwr=2)")
      .attr(&PolySettings::pwr, "pwr", "The power of the polynomial.").at_least(0)
      .with(&Def::value, &PolyValue));
  auto cosine = New<DecaySettings>("Cosine");
  all.push_back(Decay(cosine).alias("CosineScheduler")
      .doc("final_lr + (base_lr - final_lr) * (1 + cos(pi p)) / 2, where p grows from 0 after the warm-up to 1 at max_update (Loshchilov and Hutter, 2017, without restarts).")
      .example("Cosine(warmup_steps=100)")
      .with(&Def::value, &CosineValue));
  return all;
}
}  // namespace

const Registry<ScheduleDef>& Schedules() {
  static const auto& r = *new const Registry<ScheduleDef>("schedule", List());
  return r;
}

Ref<Schedule> Schedule::New(std::string_view name, const Settings& settings) {
  const ScheduleDef& def = Schedules().Find(name);
  Attrs a = ParseSettings(def, settings);
  if (def.check) def.check(a.get());
  return Ref<Schedule>::Take(new Schedule(def, std::move(a)));
}

double Schedule::Value(int64_t step, double base, int64_t length) const {
  auto& s = *static_cast<const ScheduleSettings*>(settings.get());
  if (step < 0) Fail(Status::kArgument, def.name, "a step must be 0 or more, given ", step, ".");
  if (s.base_lr) base = *s.base_lr;
  if (step >= s.warmup_steps) return def.value(settings.get(), base, step, length);
  if (s.warmup_mode == ScheduleSettings::Warmup::kConstant) return s.warmup_begin_lr;
  return s.warmup_begin_lr + (base - s.warmup_begin_lr) * double(step) / double(s.warmup_steps);
}

}  // namespace flx
