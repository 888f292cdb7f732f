// SPDX-License-Identifier: Apache-2.0
#include "train/optimizer.h"

#include "base/text.h"
#include "device/device.h"
#include "exec/autograd.h"

namespace flx {
namespace {

std::vector<OptimizerDef> List() {
  std::vector<OptimizerDef> all;
  AddOperatorOptimizers(&all);
  AddComposedOptimizers(&all);
  return all;
}
bool IsMultiplier(std::string_view key) {
  return key.size() > 8 && (EndsWith(key, ".lr_mult") || EndsWith(key, ".wd_mult"));
}
bool IsNarrow(DType t) { return IsFloat(t) && DTypeSize(t) == 2; }
NDArray CastOf(const NDArray& a, DType t) { return Invoke1("Cast", {a}, {{"dtype", DTypeName(t)}}); }
}  // namespace

const Registry<OptimizerDef>& Optimizers() {
  static const auto& r = *new const Registry<OptimizerDef>("optimizer", List());
  return r;
}

Val ComposedUpdate::Clip(Val v) const {
  return clip ? Op("clip", {v}, {{"a_min", Text(-*clip)}, {"a_max", Text(*clip)}}) : v;
}

Optimizer::Optimizer(const OptimizerDef& d, Attrs s) : LockedObject(Kind::kOptimizer), def(d), settings_(std::move(s)) { Prepare(); }
Ref<Optimizer> Optimizer::New(std::string_view name, const Settings& settings) {
  const OptimizerDef& def = Optimizers().Find(name);
  return Ref<Optimizer>::Take(new Optimizer(def, ParseSettings(def, settings)));
}

// The operator's attributes that are ours, by their names there (ftml_update says clip_grad).
void Optimizer::Prepare() {
  if (!def.rule) return;
  rule_ = def.rule(settings_.get());
  const OpDef& op = FindOp(rule_.op);
  Settings o = rule_.options;
  if (common().clip_gradient) o.emplace_back(op.schema.Find("clip_grad") ? "clip_grad" : "clip_gradient", Text(*common().clip_gradient));
  o.emplace_back("rescale_grad", Text(common().rescale_grad));
  for (const char* required : {"lr", "wd", "t"}) {
    const Field* f = op.schema.Find(required);
    if (f && f->required) o.emplace_back(required, "1");
  }
  call_ = Call::New(rule_.op, o);
  runtime_.clear();
  for (auto& f : op.schema.fields()) {
    if (!f.runtime) continue;
    double v = 0;
    f.type->number(f.ptr(call_->attrs.get()), &v);
    runtime_.emplace_back(f.name, v);
  }
  if (runtime_.size() > 16 || rule_.states > 6) Fail(Status::kInternal, def.name, rule_.op, " takes more than Optimizer::Apply has room for.");
  for (const char* needed : {"lr", "wd", "t"}) {
    const Field* f = op.schema.Find(needed);
    if (f && !f->runtime) Fail(Status::kInternal, def.name, "attribute `", needed, "` of ", rule_.op, " must be a runtime value.");
  }
}

double Optimizer::RateAt(int64_t step) const {
  double base = common().learning_rate;
  return schedule_ ? schedule_->Value(step, base, length_) : base;
}

void Optimizer::Apply(Slot* slot, const NDArray& weight, const NDArray& grad, double lr, double wd) const {
  int64_t t = slot->count;
  if (def.rate) lr = def.rate(settings_.get(), lr, t);
  if (def.compose) {
    EagerBuilder b(kPlain, weight->device());
    ComposedUpdate u{b, b.Add(weight), b.Add(grad), {}, lr, wd, t, common().clip_gradient};
    if (common().rescale_grad != 1) u.g = u.g * common().rescale_grad;
    for (auto& s : slot->states) u.s.push_back(b.Add(s));
    def.compose(settings_.get(), &u);
    for (size_t i = 0; i < u.s.size(); ++i) CopyInto(b.array(u.s[i]), slot->states[i]);
    CopyInto(b.array(u.w), weight);
    return;
  }
  double scalars[16];
  int n = 0;
  for (auto& r : runtime_) scalars[n++] = r.first == "lr" ? lr : r.first == "wd" ? wd : r.first == "t" ? double(t) : r.second;
  Array* in[8] = {weight.get(), grad.get()};
  int nin = 2;
  for (auto& s : slot->states) in[nin++] = s.get();
  Array* target = weight.get();
  InvokeInto(*call_, kPlain, in, nin, scalars, n, &target, 1);
}

void Optimizer::Update(const std::string& name, const NDArray& weight, const NDArray& grad) {
  auto it = slots_.find(name);
  Slot fresh, *slot = it == slots_.end() ? &fresh : &it->second;
  int64_t step = std::max(step_, slot->count + 1);
  Advance(name, slot, weight, grad, step);
  step_ = step;
  if (slot == &fresh) slots_.emplace(name, std::move(fresh));
}
void Optimizer::Advance(const std::string& name, Slot* s, const NDArray& weight, const NDArray& grad, int64_t step) const {
  Slot& slot = *s;
  if (!IsFloat(weight->dtype)) Fail(Status::kType, def.name, "parameter `", name, "` must be of a floating dtype, given ", weight->dtype, ".");
  if (grad->shape != weight->shape)
    Fail(Status::kShape, def.name, "the gradient of `", name, "` must have its shape ", weight->shape, ", given ", grad->shape, ".");
  if (grad->dtype != weight->dtype)
    Fail(Status::kType, def.name, "the gradient of `", name, "` must be of its dtype ", weight->dtype, ", given ", grad->dtype, ".");
  if (grad->device() != weight->device())
    Fail(Status::kDevice, def.name, "the gradient of `", name, "` must be where it is, on ", NameOf(weight->device()), ", given one on ", NameOf(grad->device()), ". Copy it there (flx_ndarray_copy).");
  bool mixed = common().multi_precision && IsNarrow(weight->dtype);
  size_t want = size_t(def.compose ? def.composed_states : rule_.states);
  DType t = mixed ? DType::kFloat32 : weight->dtype;
  for (auto& state : slot.states)
    if (state->shape != weight->shape || state->dtype != t)
      Fail(Status::kShape, def.name, "parameter `", name, "` is now ", Describe(*weight), ", its state from earlier updates is ", Describe(*state), ".");
  for (auto& state : slot.states) state = ArrayOn(state, weight->device());  // they follow a parameter that was moved, or come from a file
  if (slot.master) slot.master = ArrayOn(slot.master, weight->device());
  while (slot.states.size() < want) slot.states.push_back(Array::Filled(weight->shape, t, 0, weight->device()));
  if (mixed && !slot.master) slot.master = CastOf(weight, t);
  auto mult = [&](const char* what) {
    auto it = multipliers_.find(name + what);
    return it == multipliers_.end() ? 1.0 : it->second;
  };
  double lr = RateAt(step) * mult(".lr_mult"), wd = common().wd * mult(".wd_mult");
  ++slot.count;
  if (!mixed) return Apply(&slot, weight, grad, lr, wd);
  Apply(&slot, slot.master, CastOf(grad, t), lr, wd);
  CopyInto(slot.master, weight);
}

void Optimizer::Step(const Params& params) {
  struct Job { Param p; NDArray grad; int64_t count; };
  std::vector<Job> jobs;
  bool any = false;
  for (auto& p : params.all()) {
    NDArray g = GradOf(*p.array);
    if (!g) continue;
    any = true;
    int64_t count = GradCount(*p.array);
    auto it = slots_.find(p.name);
    bool stale = count == 0 || (it != slots_.end() && it->second.seen == count);
    if (stale && common().ignore_stale) continue;
    if (stale)
      Fail(Status::kState, def.name, "the gradient of `", p.name, "` was not renewed since the last step. Go backward before each step, detach what is not "
           "trained, or set ignore_stale=True.");
    jobs.push_back({std::move(p), std::move(g), count});
  }
  if (!any) Fail(Status::kState, def.name, "no parameter has a gradient. Attach gradients, record a forward run, and go backward.");
  for (auto& j : jobs) {
    Update(j.p.name, j.p.array, j.grad);
    slots_[j.p.name].seen = j.count;
  }
}

void Optimizer::Set(std::string_view key, std::string_view value) {
  if (IsMultiplier(key)) {
    double v;
    if (!ParseDouble(value, &v)) Fail(Status::kArgument, def.name, "`", key, "` must be a number, given `", value, "`.");
    multipliers_[std::string(key)] = v;
    return;
  }
  auto changed = def.schema.Copy(settings_.get());
  def.schema.Set(def.name, changed.get(), key, value);
  Attrs before = std::exchange(settings_, changed);
  if (!def.rule) return;
  UpdateRule now = def.rule(settings_.get());
  if (!slots_.empty() && now.states != rule_.states) {
    settings_ = before;
    Fail(Status::kState, def.name, "`", key, "` cannot be set to ", value, " after updates: it would need other states. Make a new optimizer.");
  }
  Prepare();
}
double Optimizer::Get(std::string_view key) const {
  if (key == "step") return double(step_);
  if (key == "rate") return RateAt(step_ + 1);
  if (IsMultiplier(key)) {
    auto it = multipliers_.find(key);
    return it == multipliers_.end() ? 1 : it->second;
  }
  const Field* f = def.schema.Find(key);
  if (!f) {
    std::vector<std::string> names = {"step", "rate"};
    for (auto& x : def.schema.fields()) names.emplace_back(x.name);
    Fail(Status::kName, def.name, "has no setting `", key, "`.", DidYouMean(key, names), " It has: ", Join(names, ", "), ", and <parameter>.lr_mult and .wd_mult.");
  }
  double v;
  return f->type->number(f->ptr(settings_.get()), &v) ? v : std::numeric_limits<double>::quiet_NaN();
}

Optimizer::State Optimizer::Save() const {
  State s;
  s.text["optimizer"] = def.name;
  for (auto& kv : def.schema.PrintAll(settings_.get(), false)) s.text["setting." + kv.first] = kv.second;
  for (auto& kv : multipliers_) s.text["multiplier." + kv.first] = Text(kv.second);
  s.text["step"] = Text(step_), s.text["length"] = Text(length_);
  if (schedule_) {
    s.text["schedule"] = schedule_->def.name;
    for (auto& kv : schedule_->def.schema.PrintAll(schedule_->settings.get(), false)) s.text["schedule." + kv.first] = kv.second;
  }
  for (auto& kv : slots_) {
    s.text["count." + kv.first] = Text(kv.second.count);
    for (size_t i = 0; i < kv.second.states.size(); ++i) s.arrays.emplace_back(Text(kv.first, ":", i), CopyOf(kv.second.states[i]));
    if (kv.second.master) s.arrays.emplace_back(kv.first + ":master", CopyOf(kv.second.master));
  }
  return s;
}

void Optimizer::Load(const State& state) {
  auto text = [&](const std::string& key) {
    auto it = state.text.find(key);
    if (it == state.text.end()) Fail(Status::kFormat, "optimizer state", "`", key, "` is missing.");
    return it->second;
  };
  auto number = [&](const std::string& key, const std::string& value) {
    int64_t n;
    if (!ParseInt(value, &n) || n < 0) Fail(Status::kFormat, "optimizer state", "`", key, "` must be a whole number of at least 0, given `", value, "`.");
    return n;
  };
  if (text("optimizer") != def.name) Fail(Status::kFormat, "optimizer state", "it is of ", text("optimizer"), ", the optimizer is ", def.name, ".");
  std::map<std::string, Slot, std::less<>> slots;
  std::map<std::string, double, std::less<>> multipliers;
  for (auto& kv : state.text) {
    if (kv.first.compare(0, 6, "count.") == 0) slots[kv.first.substr(6)].count = number(kv.first, kv.second);
    if (kv.first.compare(0, 11, "multiplier.") == 0) {
      double v;
      if (!ParseDouble(kv.second, &v)) Fail(Status::kFormat, "optimizer state", "`", kv.first, "` must be a number, given `", kv.second, "`.");
      multipliers[kv.first.substr(11)] = v;
    }
  }
  size_t want = size_t(def.compose ? def.composed_states : rule_.states);
  for (auto& a : state.arrays) {
    size_t colon = a.first.rfind(':');
    auto it = colon == std::string::npos ? slots.end() : slots.find(a.first.substr(0, colon));
    if (it == slots.end()) Fail(Status::kFormat, "optimizer state", "array `", a.first, "` belongs to no parameter.");
    std::string part = a.first.substr(colon + 1);
    if (part == "master") it->second.master = CopyOf(a.second);
    else if (part == Text(it->second.states.size()) && it->second.states.size() < want) it->second.states.push_back(CopyOf(a.second));
    else Fail(Status::kFormat, "optimizer state", "array `", a.first, "` is not expected: ", def.name, " keeps ", want, " for each parameter, in order.");
  }
  for (auto& kv : slots)
    if (kv.second.states.size() != want) Fail(Status::kFormat, "optimizer state", "`", kv.first, "` has ", kv.second.states.size(), " arrays, expected ", want, ".");
  step_ = number("step", text("step")), length_ = number("length", text("length"));
  slots_ = std::move(slots), multipliers_ = std::move(multipliers);
}

Ref<Optimizer> Optimizer::Restore(const State& state) {
  Settings settings, schedule;
  std::string name, schedule_name;
  for (auto& kv : state.text) {
    if (kv.first == "optimizer") name = kv.second;
    else if (kv.first == "schedule") schedule_name = kv.second;
    else if (kv.first.compare(0, 8, "setting.") == 0) settings.emplace_back(kv.first.substr(8), kv.second);
    else if (kv.first.compare(0, 9, "schedule.") == 0) schedule.emplace_back(kv.first.substr(9), kv.second);
  }
  if (name.empty()) Fail(Status::kFormat, "optimizer state", "`optimizer` is missing.");
  auto o = New(name, settings);
  if (!schedule_name.empty()) o->SetSchedule(Schedule::New(schedule_name, schedule));
  o->Load(state);
  return o;
}

}  // namespace flx
