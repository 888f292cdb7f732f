// SPDX-License-Identifier: Apache-2.0
// Recording: nodes, what they keep, and letting go of them.
#include "exec/tape.h"

#include <mutex>

#include "base/free_list.h"
#include "exec/core.h"

namespace flx {
namespace {
// Above every input's number, and rising within a thread: along every path it grows, and no two threads share a counter.
uint64_t NextSequence(const TapeNode& n) {
  static thread_local uint64_t last = 0;
  for (auto& e : n.edges) if (e.node && e.node->sequence > last) last = e.node->sequence;
  return ++last;
}
struct NodePool {
  static TapeNode*& Next(TapeNode* n) { return n->next; }
  static TapeNode* Construct(void* p) { return new (p) TapeNode; }
  static void Delete(TapeNode* n) { n->~TapeNode(); }
  using List = FreeList<TapeNode, &NodePool::Next>;
  static void Put(TapeNode* n) {  // as it was when constructed
    n->call = nullptr, n->attrs = nullptr, n->function = nullptr, n->token = {}, n->device = nullptr, n->training = n->traced = false;
    n->edges.clear(), n->inputs.clear(), n->outputs.clear(), n->saved_in.clear(), n->saved_out.clear();
    List::Put(n, &Delete);
  }
};

NDArray Bare(Array* a) {  // the same elements without history
  return Array::NewAlias(Ref<Array>(a));
}
// A gradient with history (create graph) leads back to the slot it lies in. When the array goes whose gradient it is, that circle is opened.
void DropOwned(Array* a, GradSlot* s) {
  if (s->owner == a && s->grad && s->grad->node) DropNode(std::exchange(s->grad->node, nullptr));
  DropSlot(s);
}
struct Hooks {
  Hooks() { g_array_hooks = {&DropNode, &DropOwned}; }
};
void InstallHooks() { static Hooks h; (void)h; }

// Runs a gradient rule on shapes alone and notes what it reads.
class TraceGrad final : public Grad {
 public:
  TraceGrad(const Call& call, const Attrs& attrs, bool train, Array* const* in, int nin, const NDArray* out, int nout)
      : shapes_(train), call_(call), in_(in), out_(out) {
    builder = &shapes_, training = train;
    dx.resize(size_t(nin));
    saves.in.resize(size_t(nin)), saves.out.resize(size_t(nout));
    if (call.op.gradient_fn) {
      call.op.run_gradient(call.op.gradient_fn, *this, attrs.get());
    } else if (call.op.compose_fn) {
      for (int i = 0; i < nin; ++i) saves.in[size_t(i)] = in[i] != nullptr;
    }
  }
  SaveSet saves;
  Val x(int i) override {
    if (!in_[i]) return {};
    saves.in[size_t(i)] = true;
    return shapes_.Add(in_[i]->shape, in_[i]->dtype);
  }
  Val y(int i) override {
    if (!out_[i]) Fail(Status::kInternal, call_.op.name, "the gradient reads output ", i, ", which has no memory of its own.");
    saves.out[size_t(i)] = true;
    return shapes_.Add(out_[i]->shape, out_[i]->dtype);
  }
  Val dy(int i) override { return shapes_.Add(out_[i]->shape, out_[i]->dtype); }
  bool has_dy(int i) override { return bool(out_[i]); }
  bool want(int i) override { return in_[i] && HasHistory(*in_[i]); }
  bool has(int i) override { return in_[i] != nullptr; }
  const Shape& x_shape(int i) override { return in_[i]->shape; }
  const Shape& y_shape(int i) override { return out_[i]->shape; }
  DType x_type(int i) override { return in_[i]->dtype; }
  DType y_type(int i) override { return out_[i]->dtype; }

 private:
  ShapeBuilder shapes_;
  const Call& call_;
  Array* const* in_;
  const NDArray* out_;
};
}  // namespace

TapeNode* TapeNode::New() {
  TapeNode* n = NodePool::List::Get(&NodePool::Construct);
  n->refs.store(1, std::memory_order_relaxed), n->next = nullptr;
  return n;
}
void RefNode(TapeNode* n) { n->refs.fetch_add(1, std::memory_order_relaxed); }
void RefSlot(GradSlot* s) { s->refs.fetch_add(1, std::memory_order_relaxed); }
void DropSlot(GradSlot* s) { if (s->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete s; }
void DropNode(TapeNode* n) {
  // a long chain must not recurse: dead nodes wait on a list; one that dies inside (a kept array's) joins the list of the outermost call
  static thread_local TapeNode* work = nullptr;
  static thread_local bool busy = false;
  if (n->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  n->next = work, work = n;
  if (busy) return;
  busy = true;
  while (TapeNode* d = work) {
    work = d->next;
    for (auto& e : d->edges) {
      if (e.node && e.node->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) e.node->next = work, work = e.node;
      if (e.leaf) DropSlot(e.leaf);
    }
    NodePool::Put(d);
  }
  busy = false;
}
namespace {
std::mutex g_saves_mutex;
uint64_t SignatureOf(bool training, Array* const* in, int nin) {
  uint64_t h = training ? 0x9E3779B97F4A7C15ull : 1469598103934665603ull;
  auto mix = [&](uint64_t v) { h = (h ^ v) * 1099511628211ull; };
  for (int i = 0; i < nin; ++i) {
    if (!in[i]) { mix(77); continue; }
    mix(uint64_t(in[i]->dtype) << 8 | uint64_t(in[i]->shape.ndim()) << 1 | uint64_t(HasHistory(*in[i])));
    for (int64_t d : in[i]->shape) mix(uint64_t(d));
  }
  return h;
}
}  // namespace

const SaveSet& FindSaves(const Call& call, const Attrs& attrs, bool training, Array* const* in, int nin, const NDArray* out, int nout) {
  uint64_t key = SignatureOf(training, in, nin);
  const SaveSet* s = call.saves.load(std::memory_order_acquire);
  if (s && s->key == key) return *s;
  for (; s; s = s->older) if (s->key == key) return *s;
  TraceGrad trace(call, attrs, training, in, nin, out, nout);
  auto* fresh = new SaveSet(std::move(trace.saves));
  fresh->key = key;
  std::lock_guard<std::mutex> lock(g_saves_mutex);
  fresh->older = call.saves.load(std::memory_order_relaxed);
  call.saves.store(fresh, std::memory_order_release);
  return *fresh;
}

namespace {
void AddEdge(TapeNode* n, Array* a) {
  Edge e;
  if (a && a->node) {
    e.node = a->node, e.output = a->node_output;
    RefNode(e.node);
  } else if (a && a->grad && a->grad->req != GradReq::kNull) {
    e.leaf = a->grad;
    RefSlot(e.leaf);
  }
  n->edges.emplace_back(e);
}
void Own(TapeNode* n, Array* out, int i) {  // the array's history is now n
  if (out->node) DropNode(out->node);
  out->node = n, out->node_output = i;
  RefNode(n);
}
}  // namespace

void Record(const Call& call, const Attrs& attrs, int mode, Array* const* in, int nin, const uint64_t* versions, const NDArray* out, int nout) {
  InstallHooks();
  auto* n = TapeNode::New();
  struct Guard { TapeNode* n; ~Guard() { DropNode(n); } } guard{n};  // its references are the outputs'
  n->call = Ref<const Call>(&call), n->training = (mode & kTrain) != 0;
  if (attrs != call.attrs) n->attrs = attrs;
  n->inputs.reserve(nin), n->edges.reserve(nin);
  for (int i = 0; i < nin; ++i) {
    n->inputs.emplace_back(in[i] ? Meta{in[i]->shape, in[i]->dtype} : Meta{});
    if (in[i]) n->device = in[i]->device();
    AddEdge(n, in[i]);
  }
  n->sequence = NextSequence(*n);
  for (int i = 0; i < nout; ++i) n->outputs.emplace_back(out[i] ? Meta{out[i]->shape, out[i]->dtype} : Meta{});
  n->saved_in.resize(nin), n->saved_out.resize(nout);
  if (!call.op.zero_gradient) {  // a gradient that is zero reads nothing
    const SaveSet& s = FindSaves(call, attrs, n->training, in, nin, out, nout);
    for (int i = 0; i < nin; ++i) if (s.in[size_t(i)]) n->saved_in[i] = {Bare(in[i]), versions[i]};
    for (int i = 0; i < nout; ++i)
      if (s.out[size_t(i)]) n->saved_out[i] = {Bare(out[i].get()), out[i]->storage->var.version.load(std::memory_order_relaxed)};
  }
  for (int i = 0; i < nout; ++i) if (out[i] && IsFloat(out[i]->dtype)) Own(n, out[i].get(), i);
}

void RecordFunction(Ref<TapeFunction> function, int mode, Array* const* in, int nin, const NDArray* out, int nout) {
  InstallHooks();
  auto* n = TapeNode::New();
  struct Guard { TapeNode* n; ~Guard() { DropNode(n); } } guard{n};
  n->function = std::move(function), n->training = (mode & kTrain) != 0;
  n->inputs.reserve(nin), n->edges.reserve(nin);
  for (int i = 0; i < nin; ++i) {
    n->inputs.emplace_back(Meta{in[i]->shape, in[i]->dtype});
    AddEdge(n, in[i]);
  }
  n->sequence = NextSequence(*n);
  for (int i = 0; i < nout; ++i) n->outputs.emplace_back(Meta{out[i]->shape, out[i]->dtype});
  for (int i = 0; i < nout; ++i) if (IsFloat(out[i]->dtype)) Own(n, out[i].get(), i);
}
void RecordTraced(const Call& call, const Attrs& attrs, Array* const* in, int nin, const NDArray* out, int nout) {
  InstallHooks();
  auto* n = TapeNode::New();
  struct Guard { TapeNode* n; ~Guard() { DropNode(n); } } guard{n};
  n->call = Ref<const Call>(&call), n->traced = true;
  if (attrs != call.attrs) n->attrs = attrs;
  n->saved_in.resize(nin);
  for (int i = 0; i < nin; ++i) {
    n->inputs.emplace_back(in[i] ? Meta{in[i]->shape, in[i]->dtype} : Meta{});
    bool traced = in[i] && in[i]->node && in[i]->node->traced;
    if (traced) AddEdge(n, in[i]);
    else n->edges.emplace_back(Edge{});
    if (in[i] && !traced) n->saved_in[i].array = Ref<Array>(in[i]);  // the array itself: it may be one of the function's inputs
  }
  n->sequence = NextSequence(*n);
  for (int i = 0; i < nout; ++i) n->outputs.emplace_back(out[i] ? Meta{out[i]->shape, out[i]->dtype} : Meta{});
  for (int i = 0; i < nout; ++i) if (out[i]) Own(n, out[i].get(), i);
}
NDArray WithHistory(const NDArray& a, const Edge& e) {
  NDArray b = Array::NewAlias(a);
  if (e.node) b->node = e.node, b->node_output = e.output, RefNode(e.node);
  else if (e.leaf) b->grad = e.leaf, RefSlot(e.leaf);
  return b;
}

void RecordHost(int64_t token, const std::vector<NDArray>& inputs, const std::vector<NDArray>& outputs) {
  InstallHooks();
  auto* n = TapeNode::New();
  struct Guard { TapeNode* n; ~Guard() { DropNode(n); } } guard{n};
  n->token = HostToken(token);
  for (auto& a : inputs) {
    n->inputs.emplace_back(Meta{a->shape, a->dtype});
    n->device = a->device();
    AddEdge(n, a.get());
    n->saved_in.emplace_back(Saved{Bare(a.get()), a->storage->var.version.load()});
  }
  n->sequence = NextSequence(*n);
  for (auto& a : outputs) {
    n->outputs.emplace_back(Meta{a->shape, a->dtype});
    n->saved_out.emplace_back(Saved{Bare(a.get()), a->storage->var.version.load()});
  }
  for (size_t i = 0; i < outputs.size(); ++i)
    if (IsFloat(outputs[i]->dtype)) Own(n, outputs[i].get(), int(i));
}

void AttachGrad(const NDArray& a, GradReq req, const NDArray& grad) {
  InstallHooks();
  if (req != GradReq::kNull && !IsFloat(a->dtype))
    Fail(Status::kType, "attach", "gradients need a floating dtype, given ", a->dtype, ". Cast the array first.");
  if (grad && (grad->shape != a->shape || grad->dtype != a->dtype))
    Fail(Status::kShape, "attach", "the gradient must be like the array, ", Describe(*a), ", given ", Describe(*grad), ".");
  if (grad && grad->device() != a->device())
    Fail(Status::kDevice, "attach", "the gradient must be on the array's device. Copy it there (flx_ndarray_copy), or give none to have it made.");
  // Memory of its own; and not an array whose own gradient leads back here, which nobody could ever free.
  for (const Array* g = grad.get(); g; g = g->grad ? g->grad->grad.get() : nullptr)
    if (g == a.get() || g->storage == a->storage)
      Fail(Status::kArgument, "attach", "the gradient must have memory of its own, given ", grad == a ? "the array itself" : g == grad.get() ? "its memory" :
           "an array whose own gradient leads back to this one", ". Give a new array, or none to have it made.");
  if (a->node) DropNode(std::exchange(a->node, nullptr));
  if (a->grad) DropSlot(std::exchange(a->grad, nullptr));
  if (req == GradReq::kNull) return;
  auto* s = new GradSlot;
  s->req = req, s->owner = a.get();
  s->grad = grad ? grad : Array::Filled(a->shape, a->dtype, 0, a->device());
  a->grad = s;
}
NDArray GradOf(const Array& a) { return a.grad && a.grad->req != GradReq::kNull ? a.grad->grad : nullptr; }
int64_t GradCount(const Array& a) { return a.grad ? a.grad->count.load() : 0; }
bool IsRecorded(const Array& a) { return HasHistory(a); }
NDArray Detach(const NDArray& a) { return Bare(a.get()); }

}  // namespace flx
