// SPDX-License-Identifier: Apache-2.0
// Running a kernel: views, contiguous copies where a kernel wants them, aliasing, inline or queued, poison.
#include <chrono>

#include "base/reword.h"
#include "device/device.h"
#include "exec/core.h"
#include "exec/tape.h"
#include "op/elementwise/driver.h"
#include "profiler/profiler.h"

namespace flx {
namespace {

thread_local std::string t_origin;

bool SameMemory(const Array& a, const Array& b) {  // the same elements in the same places
  return a.storage == b.storage && a.offset == b.offset && a.dtype == b.dtype && a.shape == b.shape && a.contiguous == b.contiguous &&
         (a.contiguous || a.Strides() == b.Strides());
}
TensorView Temporary(KernelContext* c, const TensorView& like) { return MakeView(c->Scratch(like.bytes()), like.dtype, like.shape); }

// One elementwise loop over contiguous small arrays of one shape and dtype: no view is made. Large ones are the driver's, which knows about threads and
// caches.
bool RunPlainTile(const KernelRun& r, const double* scalars) {
  const OpDef& op = r.call->op;
  Array& y = *r.out[0];
  constexpr int64_t kSmall = 1 << 15;
  const int64_t n = y.size();
  TileFn f = LoopOf(*op.kernel->loops, y.dtype);
  if (n > kSmall || !f || !y.contiguous || r.out.size() != 1 || r.in.size() > 3) return false;
  const void* ptr[3];
  for (int i = 0; i < r.in.size(); ++i) {
    Array* a = r.in[i];
    if (!a || !a->contiguous || a->dtype != y.dtype || a->shape != y.shape) return false;
    ptr[i] = static_cast<char*>(a->storage->Ensure()) + a->offset;
    if (a->storage == y.storage && a->offset != y.offset) return false;  // may overlap
  }
  char* out = static_cast<char*>(y.storage->Ensure()) + y.offset;
  if (n) f(ptr, out, n, scalars);
  return true;
}
}  // namespace

const std::string& Origin() { return t_origin; }
void SetOrigin(std::string origin) { t_origin = std::move(origin); }

void KernelRun::Execute() const {
  const OpDef& op = call->op;
  bool tile = op.kernel && op.kernel->loops, must = op.trait(kEffect), any = false;
  double scalars[8] = {};
  if (tile && op.run_scalars) op.run_scalars(op.scalars_fn, attrs, scalars);
  if (tile && !op.run_kernel && !device && RunPlainTile(*this, scalars)) return;

  for (int i = 0; i < out.size(); ++i) {
    if (!out[i]) continue;
    any |= out[i]->size() > 0;
    must |= op.outputs[op.outputs_fn ? 0 : size_t(i)].updates >= 0;
    out[i]->storage->Ensure();
  }
  if (!any && !must) return;
  KernelContext c;
  c.training = training, c.random = ticket, c.op = &op;
  bool strided = op.trait(kStrided);
  SmallVector<TensorView, 8> vin(in.size());
  SmallVector<TensorView, 4> vout(out.size()), back(out.size());
  for (int i = 0; i < in.size(); ++i) {
    if (!in[i]) continue;
    vin[i] = in[i]->View();
    if (!strided && !vin[i].contiguous) {
      TensorView t = Temporary(&c, vin[i]);
      CopyStrided(vin[i], t);
      vin[i] = t;
    }
  }
  for (int i = 0; i < out.size(); ++i) {
    if (!out[i]) continue;
    vout[i] = out[i]->View();
    bool aside = !strided && !vout[i].contiguous;
    int updates = op.outputs[op.outputs_fn ? 0 : size_t(i)].updates;
    for (int j = 0; j < in.size() && !aside; ++j) {
      if (!in[j] || in[j]->storage != out[i]->storage || j == updates) continue;
      // Overlap is fine only where element k of the result depends on element k of that very memory.
      aside = !(op.trait(kElementwise) && SameMemory(*in[j], *out[i])) && !(op.trait(kInplace) && j == 0 && SameMemory(*in[j], *out[i]));
    }
    for (int j = 0; j < i && !aside; ++j) aside = out[j] && out[j]->storage == out[i]->storage && !SameMemory(*out[j], *out[i]) && updates < 0;
    if (aside) {
      back[i] = vout[i];
      vout[i] = Temporary(&c, vout[i]);
      if (updates >= 0) CopyStrided(back[i], vout[i]);
    }
  }
  if (tile && !op.run_kernel) {
    RunElementwise(op, *op.kernel->loops, c, scalars, vin.data(), vin.size(), vout[0]);
  } else {
    AnyFn fn = op.kernel ? op.kernel->fn[device ? kOnDevice : 0] : nullptr;
    if (!op.run_kernel || !fn)
      Fail(Status::kUnsupported, op.name, "there is no kernel for ", device ? device->name : "the CPU", op.kernel ? Text(" (`", op.kernel_name, "`)") : std::string(), ".");
    op.run_kernel(fn, c, attrs, vin.data(), vin.size(), vout.data(), vout.size());
  }
  for (int i = 0; i < out.size(); ++i) if (back[i]) CopyStrided(vout[i], back[i]);
}

void KernelRun::TakeMemory() const {
  for (auto* a : in) if (a) a->storage->Ensure();
  for (auto* a : out) if (a) a->storage->Ensure();
}

namespace {
std::string Explain(const KernelRun& run, const std::string& origin) {
  std::string s = " Inputs:";
  for (auto* a : run.in) if (a) s += Text(" ", Describe(*a), ";");
  if (run.in.empty()) s += " none;";
  s.back() = '.';
  if (!origin.empty()) s += Text(" Queued by ", origin, ".");
  return s;
}
}  // namespace
Error Explained(const Error& e, const KernelRun& run, const std::string& origin) {
  std::string_view m = e.message();
  // who failed is the operator, also where a room below it gave the text ("[memory] ...")
  if (m.substr(0, 1) == "[" && m.find("] ") != m.npos) m.remove_prefix(m.find("] ") + 2);
  Error out = Reworded(e, Text("[", run.call->op.name, "] ", m, Explain(run, origin)));
  out.op = run.call->op.name, out.origin = origin;
  return out;
}

HeldRun::HeldRun(const KernelRun& r) : HeldRun() {
  call = Ref<const Call>(r.call), origin = t_origin;
  run.call = r.call, run.training = r.training, run.device = r.device, run.ticket = r.ticket, run.fresh = r.fresh;
  // the place before the reference: the list may have no memory to grow
  for (auto* a : r.in) { run.in.emplace_back(a); if (a) a->AddRef(); }
  for (auto* o : r.out) { run.out.emplace_back(o); if (o) o->AddRef(); }
  if (r.attrs == r.call->attrs.get()) attrs = r.call->attrs;
  else attrs = r.call->op.schema.Copy(r.attrs);
  run.attrs = attrs.get();
}
HeldRun::~HeldRun() {
  for (auto* a : run.in) if (a) a->Unref();
  for (auto* a : run.out) if (a) a->Unref();
}

double KernelRun::EstimateUs() const {
  double bytes = 0;
  for (auto* a : in) if (a) bytes += double(a->bytes());
  for (auto* a : out) if (a) bytes += double(a->bytes());
  double us = bytes / kBytesPerUs;
  if (call->op.run_cost) {
    SmallVector<Shape, 8> shapes(in.size());
    for (int i = 0; i < in.size(); ++i) if (in[i]) shapes[i] = in[i]->shape;
    us += call->op.run_cost(call->op.cost_fn, attrs, shapes.data(), shapes.size()) / kFlopsPerUs;
  }
  float ratio = call->measured_ratio.load(std::memory_order_relaxed);
  return ratio > 0 ? us * double(ratio) : us;
}

namespace {
void Merge(SmallVector<VarUse, 12>* uses, Var* v, Access a) {
  for (auto& u : *uses)
    if (u.var == v) {
      if (u.access != a) u.access = Access::kUpdate;  // read and written: what was there matters
      return;
    }
  uses->emplace_back(VarUse{v, a});
}
void Measure(const Call& call, double estimate, double us) {
  // an average over a few runs, kept within sane bounds: one cold run must not move everything to the queue
  float seen = float(std::min(50.0, std::max(0.05, us / estimate))), had = call.measured_ratio.load(std::memory_order_relaxed);
  call.measured_ratio.store(had > 0 ? 0.75f * had + 0.25f * seen : seen, std::memory_order_relaxed);
}
struct Timer {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  double us() const { return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count(); }
};
void ExecuteUnprofiled(const KernelRun& run, double estimate) {
  if (estimate < 5) return run.Execute();
  Timer t;
  run.Execute();
  float had = run.call->measured_ratio.load(std::memory_order_relaxed);
  Measure(*run.call, had > 0 ? estimate / double(had) : estimate, t.us());
}
void AddFact(ProfileScope* scope, bool output, const Array* a) {
  if (a) scope->facts().Array(output, a->dtype, a->shape.data(), a->shape.ndim());
}
__attribute__((noinline, cold)) void ExecuteProfiled(const KernelRun& run, double estimate, bool queued) {
  ProfileScope scope(ProfileKind::kOperator, run.call->op.name);
  if (scope.active()) {
    for (auto* a : run.in) AddFact(&scope, false, a);
    for (auto* a : run.out) AddFact(&scope, true, a);
    if (queued) scope.facts().Number("queued", 1);
  }
  ExecuteUnprofiled(run, estimate);
}
inline void ExecuteMeasured(const KernelRun& run, double estimate, bool queued) {
  if (Profiling(ProfileKind::kOperator)) return ExecuteProfiled(run, estimate, queued);
  ExecuteUnprofiled(run, estimate);
}

struct QueuedRun final : Operation {
  explicit QueuedRun(const KernelRun& r, double us) : held(r), estimate(us) {}
  HeldRun held;
  double estimate;
  void Execute() override { ExecuteMeasured(held.run, estimate, true); }
  void Describe(Error* e) const override { *e = Explained(*e, held.run, held.origin); }
};

// Small runs need no estimate: nothing is cheaper than to run them here.
bool Tiny(const KernelRun& run) {
  if (run.call->op.run_cost) return false;
  constexpr int64_t kBytes = 16 << 10;
  int64_t bytes = 0;
  for (auto* a : run.in) if (a) bytes += a->bytes();
  for (auto* a : run.out) if (a) bytes += a->bytes();
  return bytes < kBytes;
}
// Runs it here, under the grant of `uses`. What it would have written in place has no value after a failure; fresh outputs are simply dropped.
void RunHere(const KernelRun& run, const SmallVector<VarUse, 12>& uses, double estimate) {
  struct Grant {
    const SmallVector<VarUse, 12>& u;
    ~Grant() { Engine::Release(u.data(), u.size()); }
  } grant{uses};
  try {
    if (auto p = Engine::FirstPoison(uses.data(), uses.size())) {
      p->seen.store(true);  // the call itself reports it
      throw p->error;
    }
    ExecuteMeasured(run, estimate, false);
  } catch (...) {
    Error e = Explained(Engine::CurrentError(), run, "");
    auto p = Ref<const Poison>::Take(new Poison(e));
    p->seen.store(true);
    Engine::PoisonWrites(uses.data(), uses.size(), p);
    throw e;
  }
  Engine::ClearWrites(uses.data(), uses.size());
}

inline bool SmallTile(const Call& call, const void* attrs, Array* const* in, int nin, NDArray* out) {
  constexpr int64_t kBytes = 8 << 10;
  const Array& a = *in[0];
  if (!a.contiguous || !a.on_cpu()) return false;
  TileFn f = LoopOf(*call.tile, a.dtype);
  int64_t n = a.size();
  if (!f || n > kBytes / DTypeSize(a.dtype)) return false;
  for (int i = 1; i < nin; ++i)
    if (in[i]->dtype != a.dtype || !in[i]->contiguous || !in[i]->on_cpu() || in[i]->shape != a.shape) return false;
  if (!Engine::Get().MayInline(0)) return false;
  NDArray y = Array::NewLike(a);
  void* to = y->storage->Ensure();
  const void* from[3];
  for (int i = 0; i < nin; ++i) from[i] = static_cast<char*>(in[i]->storage->Ensure()) + in[i]->offset;
  const OpDef& op = call.op;
  double scalars[8];
  if (op.run_scalars) op.run_scalars(op.scalars_fn, attrs, scalars);

  int held = 0;  // the same array twice is held twice: readers are counted
  bool free = true;
  while (free && held < nin && (free = Engine::TryAcquire(&in[held]->storage->var, Access::kRead))) free = !in[held++]->storage->var.poisoned();
  if (free) {
    Engine::CountInline();
    if (n) f(from, to, n, scalars);
  }
  for (int i = 0; i < held; ++i) Engine::Release(&in[i]->storage->var, Access::kRead);
  if (!free) return false;  // queued behind others, or poisoned: the long way knows what to do
  y->storage->NoteFirstWriter(op.writer);
  *out = std::move(y);
  return true;
}
__attribute__((noinline, cold)) bool SmallTileProfiled(const Call& call, const void* attrs, Array* const* in, int nin, NDArray* out) {
  ProfileScope scope(ProfileKind::kOperator, call.op.name);
  bool done = SmallTile(call, attrs, in, nin, out);
  if (!done) scope.Cancel();
  else if (scope.active()) {
    for (int i = 0; i < nin; ++i) AddFact(&scope, false, in[i]);
    AddFact(&scope, true, out->get());
  }
  return done;
}
}  // namespace

bool RunSmallTile(const Call& call, const void* attrs, Array* const* in, int nin, NDArray* out) {
  if (Profiling(ProfileKind::kOperator)) return SmallTileProfiled(call, attrs, in, nin, out);
  return SmallTile(call, attrs, in, nin, out);
}

void AddUses(const KernelRun& run, SmallVector<VarUse, 12>* uses) {
  for (auto* a : run.in) if (a) Merge(uses, &a->storage->var, Access::kRead);
  for (int i = 0; i < run.out.size(); ++i)
    if (run.out[i] && !(i < 64 && run.fresh >> i & 1)) Merge(uses, &run.out[i]->storage->var, run.out[i]->whole() ? Access::kWrite : Access::kUpdate);
}
static void Queue(const KernelRun& run, SmallVector<VarUse, 12>* uses, double estimate, Lane lane, int32_t priority) {
  for (int i = 0; i < run.out.size() && i < 64; ++i)
    if (run.fresh >> i & 1) uses->emplace_back(VarUse{&run.out[i]->storage->var, Access::kWrite});
  auto op = std::make_unique<QueuedRun>(run, estimate);
  op->cost_us = float(estimate), op->lane = lane, op->priority = priority;
  Engine::Get().Push(op.release(), uses->data(), uses->size());
}

void PushRun(const KernelRun& run, Lane lane, int32_t priority) {
  SmallVector<VarUse, 12> uses;
  AddUses(run, &uses);
  Engine::RefuseMapped(run.call->op.name, uses.data(), uses.size());
  for (auto* o : run.out) if (o) o->storage->NoteWriter(run.call->op.writer);
  Queue(run, &uses, run.EstimateUs(), lane, priority);
}
void RunOrPush(const KernelRun& run) {
  if (__builtin_expect(run.device != nullptr, 0)) return IssueRun(run);
  SmallVector<VarUse, 12> uses;
  AddUses(run, &uses);
  Engine::RefuseMapped(run.call->op.name, uses.data(), uses.size());
  for (auto* o : run.out) if (o) o->storage->NoteWriter(run.call->op.writer);
  double estimate = Tiny(run) ? 0 : run.EstimateUs();
  // A fresh output needs no grant for a run here: nobody can see it before the call returns.
  if (Engine::Get().MayInline(estimate) && Engine::TryAcquire(uses.data(), uses.size())) {
    Engine::CountInline();
    return RunHere(run, uses, estimate);
  }
  Queue(run, &uses, estimate, Lane::kCompute, 0);
}

}  // namespace flx
