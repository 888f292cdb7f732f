// SPDX-License-Identifier: Apache-2.0
// Running a plan's steps.
#include <cstring>

#include "base/reword.h"
#include "hybrid/plan.h"
#include "hybrid/plan_graph.h"
#include "op/elementwise/driver.h"
#include "profiler/profiler.h"
#include "storage/pool.h"
#include "tensor/device_work.h"

namespace flx {

struct Plan::State {
  std::vector<TensorView> views;
  std::vector<void*> bound;   // by external: what its views hold now
  char* arena = nullptr;      // of the run under way
  char* arena_bound = nullptr;
};

Plan::~Plan() {
  for (State* s : free_) delete s;
}
Plan::State* Plan::Take() const {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!free_.empty()) {
      State* s = free_.back();
      free_.pop_back();
      return s;
    }
    free_.reserve(free_.capacity() + 1);  // giving back needs no memory
  }
  auto s = std::make_unique<State>();
  s->views = views_;
  s->bound.resize(external_binds_.size());
  return s.release();
}
void Plan::Give(State* s) const noexcept {
  FreeArena(s);
  std::lock_guard<std::mutex> lock(mutex_);
  if (free_.size() < free_.capacity()) free_.push_back(s);
  else delete s;
}
void Plan::FreeArena(State* s) const noexcept {
  char* arena = std::exchange(s->arena, nullptr);
  if (arena && !ir_.device) HostFree(arena, size_t(arena_bytes_));
}
void Plan::UseArena(State* s, void* arena) const noexcept { s->arena = static_cast<char*>(arena); }
void* Plan::SaveArena(const State* s) const {
  if (!s->arena) return nullptr;
  void* copy = HostAlloc(size_t(arena_bytes_));
  std::memcpy(copy, s->arena, size_t(arena_bytes_));
  return copy;
}
void Plan::RestoreArena(State* s, void* saved) const noexcept {
  if (!saved) return;
  FreeArena(s);
  s->arena = static_cast<char*>(saved);
}

void Plan::Execute(State* s, int parts, void* const* bases, Ticket first) const {
  if (!s->arena && arena_bytes_ && !ir_.device) s->arena = static_cast<char*>(HostAlloc(size_t(arena_bytes_)));
  if (s->arena != s->arena_bound) {
    for (auto& b : arena_binds_) s->views[size_t(b.view)].base = s->arena, s->views[size_t(b.view)].offset = b.offset;
    s->arena_bound = s->arena;
  }
  for (size_t e = 0; e < external_binds_.size(); ++e) {
    if (bases[e] == s->bound[e] || !bases[e]) continue;
    for (auto& b : external_binds_[e]) s->views[size_t(b.view)].base = bases[e], s->views[size_t(b.view)].offset = b.offset;
    s->bound[e] = bases[e];
  }
  auto n = int32_t(steps_.size());
  int32_t i = parts & kForward ? 0 : forward_steps_, end = parts & kBackward ? n : forward_steps_;
  if (Profiling(ProfileKind::kPlanned)) return ExecuteProfiled(s, i, end, first);
  for (; i < end; ++i) RunStep(steps_[size_t(i)], s, first);
}
__attribute__((noinline, cold)) void Plan::ExecuteProfiled(State* s, int32_t from, int32_t to, Ticket first) const {
  for (int32_t i = from; i < to; ++i) {
    const Step& step = steps_[size_t(i)];
    ProfileScope scope(ProfileKind::kPlanned, step.node->op->name);
    for (int32_t k = 0; scope.active() && k < step.nin + step.nout; ++k) {
      bool output = k >= step.nin;
      const TensorView& v = s->views[size_t(output ? step.out + k - step.nin : step.in + k)];
      if (v) scope.facts().Array(output, v.dtype, v.shape.data(), v.shape.ndim());
    }
    RunStep(step, s, first);
  }
}

void Plan::RunStep(const Step& s, State* state, Ticket first) const {
  const TensorView* in = state->views.data() + s.in;
  TensorView* out = state->views.data() + s.out;
  if (s.kind == Step::kLoop) {
    const void* x[3];
    for (int32_t i = 0; i < s.nin; ++i) x[i] = in[i].raw();
    return s.loop(x, out->raw(), s.n, s.scalars);
  }
  const OpDef& op = *s.node->op;
  KernelContext c;
  c.training = ir_.training, c.op = &op;
  if (ir_.device) DeviceWork::Current()->NextStep(op.name);
  if (s.node->ticket >= 0) c.random = {first.seed, first.ticket + uint64_t(s.node->ticket)};
  try {
    if (s.kind == Step::kElementwise) RunElementwise(op, *op.kernel->loops, c, s.scalars, in, s.nin, *out);
    else op.run_kernel(op.kernel->fn[ir_.device ? kOnDevice : 0], c, s.node->attrs.get(), in, s.nin, out, s.nout);
  } catch (const Error& e) {
    FailInNode(e, s.node->name, op.name);
  }
}

double Plan::estimate_us(int parts) const {
  double us = (parts & kForward ? guess_us_[0] : 0) + (parts & kBackward ? guess_us_[1] : 0);
  float ratio = ratio_[parts].load(std::memory_order_relaxed);
  return ratio > 0 ? us * double(ratio) : us;
}
void Plan::Measured(int parts, double us) const {
  double guess = (parts & kForward ? guess_us_[0] : 0) + (parts & kBackward ? guess_us_[1] : 0);
  float seen = float(std::min(50.0, std::max(0.02, us / std::max(guess, 1e-3)))), had = ratio_[parts].load(std::memory_order_relaxed);
  ratio_[parts].store(had > 0 ? 0.75f * had + 0.25f * seen : seen, std::memory_order_relaxed);
}

std::string Plan::Print() const {
  std::string text;
  auto place = [&](int32_t view) {
    for (auto& b : arena_binds_) if (b.view == view) return Text("arena+", b.offset);
    for (size_t e = 0; e < external_binds_.size(); ++e)
      for (auto& b : external_binds_[e])
        if (b.view == view) return e < ir_.inputs.size() ? Text("input ", e) : Text("output ", e - ir_.inputs.size());
    return std::string(views_[size_t(view)] ? "constant" : "-");
  };
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (int32_t(i) == forward_steps_) text += "backward:\n";
    const Step& s = steps_[i];
    std::vector<std::string> in, out;
    for (int32_t k = 0; k < s.nin; ++k) in.push_back(place(s.in + k));
    for (int32_t k = 0; k < s.nout; ++k) out.push_back(place(s.out + k));
    text += Text(s.node->op->name, " (", Join(in, ", "), ") -> (", Join(out, ", "), ")", s.node->name == s.node->op->name ? "" : Text("  [", s.node->name, "]"), "\n");
  }
  return text + Text("arena: ", arena_bytes_, " bytes, without reuse ", value_bytes_, "\n",
                     graphs_ ? graphs_->Print() : "");
}

}  // namespace flx
