// SPDX-License-Identifier: Apache-2.0
#include "hybrid/cached_graph.h"

#include <algorithm>

#include "device/device.h"
#include "exec/core.h"
#include "exec/tape.h"
#include "exec/trace.h"
#include "graph/draw.h"
#include "hybrid/ir_symbol.h"
#include "profiler/profiler.h"

namespace flx {

struct CachedGraph::Signature {
  int mode = 0;  // kTrain; kRecord: with gradients
  const Device* device = nullptr;
  std::vector<Shape> shapes;
  std::vector<DType> dtypes;
  std::vector<Shape> strides;   // empty where contiguous; the list is empty if all are
  std::vector<bool> wanted;     // empty: none
  bool step = false;            // forward and backward in one run
  bool Matches(int m, const std::vector<NDArray>& in) const {
    if (mode != m || shapes.size() != in.size() || (!in.empty() && in[0]->device() != device)) return false;
    for (size_t i = 0; i < in.size(); ++i) {
      if (in[i]->dtype != dtypes[i] || in[i]->shape != shapes[i]) return false;
      bool dense = strides.empty() || strides[i].ndim() == 0;
      if (in[i]->contiguous != dense || (!dense && in[i]->Strides() != strides[i])) return false;
    }
    return true;
  }
};
struct CachedGraph::Planned {
  Signature signature;
  Ref<const Plan> plan;
  std::unique_ptr<Prologue> prologue;
  std::vector<PassReport> reports;
  double trace_us = 0, plan_us = 0;
};

CachedGraph::CachedGraph(std::string name, TraceFunction f, std::vector<bool> fixed, HybridOptions options)
    : Object(Kind::kNone), name_(std::move(name)), trace_(std::move(f)), fixed_(std::move(fixed)), options_(std::move(options)), passes_(options_.passes) {}
CachedGraph::~CachedGraph() = default;

std::shared_ptr<const CachedGraph::Planned> CachedGraph::Prepare(Signature s) const {
  auto us = [start = std::chrono::steady_clock::now()]() mutable {
    auto now = std::chrono::steady_clock::now();
    double t = std::chrono::duration<double, std::micro>(now - start).count();
    start = now;
    return t;
  };
  ProfileScope scope(ProfileKind::kPass, "plan");
  if (scope.active()) scope.facts().Name(flx::Text("plan ", name_));
  std::vector<TraceInput> inputs;
  bool gradient = std::find(s.wanted.begin(), s.wanted.end(), true) != s.wanted.end(), training = (s.mode & kTrain) != 0;
  for (size_t i = 0; i < s.shapes.size(); ++i)
    inputs.push_back({s.shapes[i], s.dtypes[i], i < fixed_.size() && fixed_[i] && !gradient && !training, gradient && s.wanted[i]});
  auto step = [&](const std::vector<Val>& y) {
    int64_t n = ShapeOf(y[0]).size();
    if (n == 0) return std::vector<Val>();
    return std::vector<Val>{CallOp("_full", {}, {{"shape", flx::Text(ShapeOf(y[0]))}, {"dtype", DTypeName(TypeOf(y[0]))}, {"value", flx::Text(1.0 / double(n))}}, y[0].b)};
  };
  Ir ir = !gradient ? TraceForward(trace_, inputs, training, s.device) : !s.step ? TraceGradient(trace_, inputs, training, s.device) : TraceStep(trace_, inputs, step, training, s.device);
  ++traced_;
  if (!s.strides.empty()) ir.strides = s.strides, ir.strides.resize(ir.inputs.size());
  auto p = std::make_shared<Planned>();
  p->trace_us = us();
  p->reports = RunPasses(&ir, passes_, options_.print);
  p->prologue = Prologue::Cut(&ir, &kept_);
  p->plan = Make<Plan>(std::move(ir), options_.memory);
  p->plan_us = us();
  p->signature = std::move(s);
  std::lock_guard<std::mutex> lock(mutex_);
  planned_.insert(planned_.begin(), p);
  if (planned_.size() > size_t(options_.plans)) planned_.pop_back();
  return p;
}

// A target that is also read must wait until all is read: it is no target then.
template <class List> static bool Apart(const Array* target, const List& inputs) {
  for (auto& a : inputs) if (a && a->storage == target->storage) return false;
  return true;
}

// ---- what stands on the tape for a run
class CachedGraph::Function final : public TapeFunction {
 public:
  Function(Ref<const CachedGraph> graph, std::shared_ptr<const Planned> planned, Ref<PlanState> state, Ticket first, const std::vector<NDArray>& in,
           const std::vector<NDArray>& out)
      : graph_(std::move(graph)), planned_(std::move(planned)), state_(std::move(state)), first_(first) {
    const Plan& p = *planned_->plan;
    for (size_t i = 0; i < in.size(); ++i) in_.push_back({Detach(in[i]), in[i]->storage->var.version.load(std::memory_order_relaxed)});
    for (size_t o = 0; o < out.size(); ++o)
      out_.push_back({p.uses_output(kBackward, int(o)) ? Detach(out[o]) : nullptr, out[o]->storage->var.version.load(std::memory_order_relaxed)});
  }
  const char* name() const override { return graph_->name_.c_str(); }
  void Release() override { state_ = nullptr, in_.clear(), out_.clear(); }
  std::vector<Entry> Compose(const TapeNode& node, const std::vector<Entry>& in, const std::string& prefix) const override {
    TraceBuilder b(prefix, node.training);
    std::vector<Val> x;
    for (size_t i = 0; i < in.size(); ++i) x.push_back(b.Add(in[i], node.inputs[int(i)].shape, node.inputs[int(i)].dtype));
    std::vector<Entry> out;
    for (Val v : graph_->trace_(b, x)) out.push_back(b.entry(v));
    return out;
  }
  void Backward(const TapeNode& node, const NDArray* dys, const bool* wanted, int mode, Array* const* into, NDArray* dx) override {
    if (in_.empty()) Fail(Status::kState, name(), "its history was let go by an earlier backward. Pass retain (FLX_RETAIN) to the first one to go backward twice.");
    if (mode & kRecord) return Recorded(node, dys, wanted, mode, dx);
    const Plan& p = *planned_->plan;
    const Signature& s = planned_->signature;
    size_t inputs = in_.size(), results = out_.size();
    std::vector<NDArray> heads;
    SmallVector<Array*, 24> in(int(p.ir().inputs.size())), out(int(p.ir().outputs.size()));
    for (size_t i = 0; i < inputs; ++i) {
      if (p.reads(kBackward, int(i))) Check(in_[i], "input", i);
      in[int(i)] = in_[i].array.get();
    }
    size_t at = inputs;
    for (size_t r = 0; r < results; ++r) {
      out[int(r)] = out_[r].array.get();
      if (out_[r].array) Check(out_[r], "output", r);
      if (!IsFloat(node.outputs[int(r)].dtype)) continue;
      NDArray head = dys[r] ? dys[r] : Array::Filled(node.outputs[int(r)].shape, node.outputs[int(r)].dtype, 0, s.device);
      if (!head->contiguous) head = CopyOf(head);
      in[int(at++)] = head.get();
      heads.push_back(std::move(head));
    }
    std::vector<NDArray> grads(p.ir().outputs.size());
    SmallVector<bool, 24> there(int(grads.size()));
    for (size_t i = 0, o = results; i < inputs; ++i) {
      if (!s.wanted[i]) continue;
      const IrValue& v = p.ir().values[size_t(p.ir().outputs[o])];
      there[int(o)] = into[i] && Apart(into[i], in);
      grads[o] = there[int(o)] ? Ref<Array>(into[i]) : Array::New(v.shape, v.dtype, s.device);
      out[int(o)] = grads[o].get();
      if (wanted[i]) dx[i] = grads[o];
      ++o;
    }
    RunPlan(planned_->plan, kBackward, in.data(), out.data(), first_, state_, (mode & kRetain) != 0, there.data());
  }

 private:
  void Check(const Saved& s, const char* what, size_t i) const {
    if (s.array->storage->var.version.load(std::memory_order_relaxed) != s.version)
      Fail(Status::kState, name(), what, " ", i, " is needed for the gradient but was overwritten by `", s.array->storage->writer(), "` after the forward pass. Write into a copy instead.");
  }
  // The backward pass is to be differentiated itself: the function is run again, operator by operator, on the tape.
  void Recorded(const TapeNode& node, const NDArray* dys, const bool* wanted, int mode, NDArray* dx) {
    Ticket tickets{first_.seed, first_.ticket - 1};
    TicketScope scope(&tickets);
    EagerBuilder b(kRecord | (planned_->signature.mode & kTrain), planned_->signature.device);
    std::vector<Val> x;
    std::vector<NDArray> ask;
    for (size_t i = 0; i < in_.size(); ++i) {
      bool updated = planned_->plan->updates(int(i));
      if (!updated) Check(in_[i], "input", i);
      NDArray a = updated ? CopyOf(in_[i].array) : WithHistory(in_[i].array, node.edges[int(i)]);
      if (wanted[i]) ask.push_back(a);
      x.push_back(b.Add(std::move(a)));
    }
    auto y = graph_->trace_(b, x);
    std::vector<NDArray> heads, head_grads;
    for (size_t r = 0; r < y.size(); ++r)
      if (dys[r]) heads.push_back(b.array(y[r])), head_grads.push_back(dys[r]);
    auto g = Gradients(heads, head_grads, ask, kCreateGraph | (mode & kTrain));
    for (size_t i = 0, k = 0; i < in_.size(); ++i) if (wanted[i]) dx[i] = g[k++];
  }
  const Ref<const CachedGraph> graph_;
  const std::shared_ptr<const Planned> planned_;
  Ref<PlanState> state_;
  const Ticket first_;
  std::vector<Saved> in_, out_;
};

std::vector<NDArray> CachedGraph::Imperatively(int mode, const std::vector<NDArray>& in) const {
  EagerBuilder b(mode, in.empty() ? nullptr : in[0]->device());
  std::vector<Val> x;
  for (auto& a : in) x.push_back(b.Add(a));
  std::vector<NDArray> out;
  for (Val v : trace_(b, x)) {
    out.push_back(b.array(v));
    for (auto& a : in)
      if (a->storage == out.back()->storage) {
        static const auto& copy = Forever(Call::New("_copy"));
        out.back() = Invoke(*copy, mode, {out.back()})[0];
        break;
      }
  }
  return out;
}

namespace {
void CheckPlaces(const std::string& name, const std::vector<NDArray>& in) {
  for (size_t i = 1; i < in.size(); ++i)
    if (in[i]->device() != in[0]->device())
      Fail(Status::kDevice, name, "expected all inputs on one device; input 0 is on ", NameOf(in[0]->device()), ", given input ", i, " on ", NameOf(in[i]->device()), ". Copy one of them (flx_ndarray_copy).");
}
// An array that the run changes must not be given again as another input: what reads it would see the change or not, as memory happens to be planned.
void Separate(const Plan& p, std::vector<NDArray>* in) {
  for (size_t i = 0; i < in->size(); ++i)
    for (size_t k = 0; p.updates(int(i)) && k < in->size(); ++k)
      if (k != i && (*in)[k]->storage == (*in)[i]->storage) {
        if (p.updates(int(k))) Fail(Status::kArgument, "graph", "inputs ", i, " and ", k, " are both changed by the run and share memory. Give two arrays.");
        (*in)[k] = CopyOf((*in)[k]);
      }
}
}  // namespace

// The plan of this signature: one that is kept, which comes to the front, or a new one.
std::shared_ptr<const CachedGraph::Planned> CachedGraph::PlannedFor(const std::vector<NDArray>& in, int kind, bool step, const std::vector<bool>& wanted) const {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = planned_.begin(); it != planned_.end(); ++it) {
      const Signature& s = (*it)->signature;
      if (s.step != step || s.wanted != wanted || !s.Matches(kind, in)) continue;
      if (it != planned_.begin()) std::rotate(planned_.begin(), it, it + 1);
      return planned_.front();
    }
  }
  Signature s;
  s.mode = kind, s.wanted = wanted, s.step = step, s.device = in.empty() ? nullptr : in[0]->device();
  bool dense = true;
  for (auto& a : in) s.shapes.push_back(a->shape), s.dtypes.push_back(a->dtype), s.strides.push_back(a->contiguous ? Shape() : a->Strides()), dense &= a->contiguous;
  if (dense) s.strides.clear();
  return Prepare(std::move(s));
}

std::vector<NDArray> CachedGraph::Run(int mode, const std::vector<NDArray>& in) const {
  CheckPlaces(name_, in);
  if (mode & kTrace || imperative_.load(std::memory_order_relaxed)) return Imperatively(mode, in);
  bool record = false;
  if (mode & kRecord)
    for (auto& a : in) record |= HasHistory(*a);
  int kind = (mode & kTrain) | (record ? kRecord : 0);
  std::vector<bool> wanted;
  for (size_t i = 0; record && i < in.size(); ++i) wanted.push_back(HasHistory(*in[i]) && IsFloat(in[i]->dtype));
  std::shared_ptr<const Planned> planned;
  try {
    planned = PlannedFor(in, kind, false, wanted);
  } catch (const Error& e) {
    if (!options_.fallback || e.status() != Status::kUnsupported) throw;
    imperative_.store(true, std::memory_order_relaxed);
    return Imperatively(mode, in);
  }
  const Plan& p = *planned->plan;
  const std::vector<NDArray>* given = &in;
  std::vector<NDArray> separate;
  for (size_t i = 0; i < in.size() && given == &in; ++i)
    if (p.updates(int(i))) separate = in, Separate(p, &separate), given = &separate;
  SmallVector<Array*, 16> raw;
  raw.reserve(int(p.ir().inputs.size()));
  for (auto& a : *given) raw.emplace_back(a.get());
  Prologue::Values before;
  if (planned->prologue) {
    before = planned->prologue->Get(given->data(), &kept_);
    for (auto& a : *before) raw.emplace_back(a.get());
  }
  raw.resize(int(p.ir().inputs.size()));  // heads come with backward
  std::vector<NDArray> out(p.ir().results);
  SmallVector<Array*, 8> to(int(p.ir().outputs.size()));
  for (size_t o = 0; o < out.size(); ++o) {
    const IrValue& v = p.ir().values[size_t(p.ir().outputs[o])];
    out[o] = Array::New(v.shape, v.dtype, p.device());
    to[int(o)] = out[o].get();
  }
  Ticket first;
  if (p.ir().tickets) first = NextTickets(p.ir().tickets);
  Ref<PlanState> state;
  if (record) state = Make<PlanState>(planned->plan);
  RunPlan(planned->plan, kForward, raw.data(), to.data(), first, state);
  if (record) {
    auto f = Make<Function>(Ref<const CachedGraph>(this), planned, state, first, *given, out);
    RecordFunction(Ref<TapeFunction>(f.get()), mode, raw.data(), int(in.size()), out.data(), int(out.size()));
  }
  return out;
}

std::vector<NDArray> CachedGraph::Step(const std::vector<NDArray>& in, const std::vector<bool>& wanted, const std::vector<Array*>& into) const {
  CheckPlaces(name_, in);
  auto planned = PlannedFor(in, kTrain | kRecord, true, wanted);
  const Plan& p = *planned->plan;
  std::vector<NDArray> given = in;
  Separate(p, &given);
  SmallVector<Array*, 24> raw, to;
  for (auto& a : given) raw.emplace_back(a.get());
  std::vector<NDArray> out;
  SmallVector<bool, 24> there;
  size_t at = 0;  // the input whose gradient comes next
  for (size_t o = 0; o < p.ir().outputs.size(); ++o) {
    const IrValue& v = p.ir().values[size_t(p.ir().outputs[o])];
    Array* target = nullptr;
    if (o >= p.ir().results) {
      while (!wanted[at]) ++at;
      target = at < into.size() ? into[at] : nullptr;
      ++at;
    }
    there.emplace_back(target && Apart(target, given));
    out.push_back(there[int(o)] ? Ref<Array>(target) : Array::New(v.shape, v.dtype, p.device()));
    to.emplace_back(out.back().get());
  }
  Ticket first;
  if (p.ir().tickets) first = NextTickets(p.ir().tickets);
  RunPlan(planned->plan, kForward | kBackward, raw.data(), to.data(), first, nullptr, false, there.data());
  return out;
}

std::vector<std::string> CachedGraph::Fields() { return {"graph", "plan", "passes", "print", "memory", "signatures", "prologue", "svg", "dot"}; }
std::string CachedGraph::Text(std::string_view field) const {
  std::vector<std::shared_ptr<const Planned>> all;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    all = planned_;
  }
  if (field == "signatures") {
    std::string text = flx::Text("traced: ", traced_.load(), ", kept: ", all.size(), imperative_.load() ? ", runs imperatively" : "", "\n");
    for (auto& p : all) {
      std::vector<std::string> in;
      for (size_t i = 0; i < p->signature.shapes.size(); ++i) in.push_back(flx::Text(p->signature.dtypes[i], " ", p->signature.shapes[i]));
      text += flx::Text(p->signature.mode & kTrain ? "training" : "inference", p->signature.mode & kRecord ? " with gradients" : "", ": ", Join(in, ", "), "\n");
    }
    return text;
  }
  if (all.empty()) return {};
  const Planned& p = *all[0];
  if (field == "graph") return p.plan->ir().Print();
  if (field == "svg" || field == "dot") return DrawSymbol(*IrSymbol(p.plan->ir()), field);
  if (field == "plan") return p.plan->Print();
  if (field == "prologue") return p.prologue ? p.prologue->Print() : std::string();
  if (field == "memory")
    return flx::Text("arena ", p.plan->arena_bytes(), " bytes (", p.plan->value_bytes(), " without reuse), kept between runs ", kept_.bytes(), " bytes\n");
  std::string text;
  if (field == "passes") {
    for (auto& r : p.reports) text += flx::Text(r.pass->name, ": ", r.changes, r.changes == 1 ? " change, " : " changes, ", FixedText(r.us, 0), " us\n");
    return text + flx::Text("steps: ", p.plan->steps(), ", traced in ", FixedText(p.trace_us, 0), " us, planned in ", FixedText(p.plan_us, 0), " us\n");
  }
  if (field == "print") {
    for (auto& r : p.reports) text += flx::Text("==== before ", r.pass->name, "\n", r.before, "==== after ", r.pass->name, " (", r.changes, ")\n", r.after);
    return text;
  }
  Fail(Status::kName, name_, "has no text `", field, "`.", DidYouMean(field, Fields()), " It has: ", Join(Fields(), ", "), ".");
}

}  // namespace flx
