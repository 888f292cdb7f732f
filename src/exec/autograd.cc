// SPDX-License-Identifier: Apache-2.0
// Backward: nodes by falling sequence, each gradient rule run on an eager builder.
#include "exec/autograd.h"

#include <algorithm>

#include "exec/core.h"
#include "exec/pointer_map.h"
#include "exec/tape.h"

namespace flx {
namespace {

using Grads = SmallVector<NDArray, 2>;  // of a node's outputs, or inputs

std::string OutputName(const TapeNode& n, int i) {
  if (!n.call) return Text("output ", i);
  return n.call->op.outputs[n.call->op.outputs_fn ? 0 : size_t(i)].name;
}
std::string InputName(const TapeNode& n, int i) {
  if (!n.call) return Text("input ", i);
  return n.call->op.variadic ? Text(n.call->op.inputs[0].name, "[", i, "]") : std::string(n.call->op.inputs[size_t(i)].name);
}

// A kept array (with its history, if that is given), as it was when it was recorded; or an error if it was written since.
NDArray Restore(const Saved& s, const TapeNode& n, bool input, int i, TapeNode* history = nullptr, int output = 0, GradSlot* leaf = nullptr) {
  if (!s.array)
    Fail(Status::kState, n.name(), "its history was let go by an earlier backward. Pass retain (FLX_RETAIN) to the first one to go backward twice.");
  if (s.array->storage->var.version.load(std::memory_order_relaxed) != s.version)
    Fail(Status::kState, n.name(), "`", input ? InputName(n, i) : OutputName(n, i), "` is needed for the gradient but was overwritten by `",
         s.array->storage->writer(), "` after the forward pass. Write into a copy instead.");
  if (!history && !leaf) return s.array;
  return WithHistory(s.array, {history, leaf, output});
}

class RunGrad final : public Grad {
 public:
  RunGrad(TapeNode* n, Grads* dys, const bool* wanted, int mode) : b(mode, n->device), node_(n), dys_(dys), wanted_(wanted), history_((mode & kRecord) != 0) {
    builder = &b, training = n->training;
    dx.resize(n->inputs.size());
  }
  EagerBuilder b;
  Val x(int i) override {
    if (!has(i)) return {};
    const Edge& e = node_->edges[i];
    return b.Add(history_ ? Restore(node_->saved_in[i], *node_, true, i, e.node, e.output, e.leaf) : Restore(node_->saved_in[i], *node_, true, i));
  }
  Val y(int i) override { return b.Add(Restore(node_->saved_out[i], *node_, false, i, history_ ? node_ : nullptr, i)); }
  Val dy(int i) override {
    NDArray& d = (*dys_)[i];
    if (!d) d = Array::Filled(node_->outputs[i].shape, node_->outputs[i].dtype, 0, node_->device);
    return b.Add(d);
  }
  bool has_dy(int i) override { return bool((*dys_)[i]); }
  bool want(int i) override { return wanted_[i]; }
  bool has(int i) override { return node_->inputs[i].dtype != DType::kNone; }
  const Shape& x_shape(int i) override { return node_->inputs[i].shape; }
  const Shape& y_shape(int i) override { return node_->outputs[i].shape; }
  DType x_type(int i) override { return node_->inputs[i].dtype; }
  DType y_type(int i) override { return node_->outputs[i].dtype; }

 private:
  TapeNode* node_;
  Grads* dys_;
  const bool* wanted_;
  bool history_;  // only a backward pass that is recorded itself asks where kept arrays came from
};

NDArray Sum(const NDArray& a, const NDArray& b, int mode) {
  static const auto& add = Forever(Call::New("elemwise_add"));
  Array* in[2] = {a.get(), b.get()};
  NDArray out;
  Invoke(*add, mode, in, 2, nullptr, 0, &out, 1);
  return out;
}
void StoreInto(GradSlot* s, const NDArray& g, int mode) {
  static const auto &copy = Forever(Call::New("_copy")), &add = Forever(Call::New("elemwise_add"));
  static std::atomic<int64_t> stores{0};  // one count for all: a gradient attached anew cannot look like the one before
  Array* to = s->grad.get();
  Array* in[2] = {g.get(), to};
  if (g == s->grad) {
    // it was computed there
  } else if (s->req == GradReq::kAdd) {
    Array* sum[2] = {to, g.get()};
    InvokeInto(*add, kPlain, sum, 2, nullptr, 0, &to, 1);
  } else if (to->storage->unique() && to->whole() && g->unique() && g->storage->unique() && g->whole()) {
    to->storage = g->storage;  // nobody else can see either memory
  } else {
    InvokeInto(*copy, kPlain, in, 1, nullptr, 0, &to, 1);
  }
  if (mode & kCreateGraph && g->node) {
    if (to->node) DropNode(to->node);
    to->node = g->node, to->node_output = g->node_output;
    RefNode(to->node);
  }
  s->count.store(stores.fetch_add(1) + 1);
}
}  // namespace

namespace {
Array* GradTargetOf(const GradSlot* s) {
  return s && s->req == GradReq::kWrite && s->grad->whole() && !HasHistory(*s->grad) ? s->grad.get() : nullptr;
}
}  // namespace
Array* GradTarget(const Array& a) { return GradTargetOf(a.grad); }
void StoreGrad(const Array& a, NDArray g) {
  if (!a.grad || a.grad->req == GradReq::kNull) Fail(Status::kState, "backward", "the array has no gradient attached.");
  StoreInto(a.grad, g, kPlain);
}

struct BackwardRun::State {
  struct Place {
    explicit Place(TapeNode* n) : node(n) {}
    TapeNode* node;            // holds a reference
    bool needed = false;       // leads to something wanted
    bool target = false;       // a target's own node: its gradients are asked for at the end
    Grads grads;               // of its outputs, as far as they have come
    SmallVector<bool, 4> wanted;  // by input: whether anybody wants its gradient
  };
  struct Leaf { GradSlot* slot; NDArray grad; };
  std::vector<NDArray> heads, targets;
  int mode = 0;
  std::vector<std::unique_ptr<Place>> order;  // reachable, rising sequence
  size_t at = 0;                              // order[0..at) is still to do
  PointerMap places;                          // node -> its place in `order`
  std::vector<Leaf> leaves;
  PointerMap leaf_places, target_leaves, giver_places;
  std::vector<int32_t> givers;                // how many edges lead to a leaf; made when somebody asks
  TapeNode* host = nullptr;
  Place* host_place = nullptr;
  std::vector<NDArray> host_inputs;

  ~State() { for (auto& p : order) DropNode(p->node); }
  int grad_mode() const { return mode & kCreateGraph ? (mode & kTrain) | kRecord : mode & kTrain; }
  Place* PlaceOf(const TapeNode* n) {
    int i = places.Find(n);
    return i < 0 ? nullptr : order[size_t(i)].get();
  }
  bool WantedLeaf(const GradSlot* leaf) const {  // targets given: only theirs
    return targets.empty() || target_leaves.Find(leaf) >= 0;
  }
  bool Wanted(const Edge& e) {
    if (e.node) return PlaceOf(e.node)->needed;
    return e.leaf && WantedLeaf(e.leaf);
  }
  void Visit(TapeNode* n) {
    auto fresh = int32_t(order.size());
    if (!n || places.FindOrAdd(n, fresh) != fresh) return;
    order.push_back(std::make_unique<Place>(n));
    RefNode(n);
  }
  void Collect() {
    order.reserve(16);
    for (auto& h : heads) Visit(h->node);
    for (size_t i = 0; i < order.size(); ++i)
      for (auto& e : order[i]->node->edges) Visit(e.node);
    std::stable_sort(order.begin(), order.end(), [](auto& a, auto& b) { return a->node->sequence < b->node->sequence; });
    for (size_t i = 0; i < order.size(); ++i) places.Set(order[i]->node, int32_t(i));
    for (auto& t : targets)
      if (Place* p = t->node ? PlaceOf(t->node) : nullptr) p->target = true;
    for (auto& p : order) {
      p->needed = p->target;
      for (auto& e : p->node->edges) p->needed |= p->wanted.emplace_back(Wanted(e));
    }
    at = order.size();
  }
  void Give(const Edge& e, NDArray g) {
    if (e.node) {
      Place* p = PlaceOf(e.node);
      if (p->grads.empty()) p->grads.resize(e.node->outputs.size());
      NDArray& slot = p->grads[e.output];
      slot = slot ? Sum(slot, g, grad_mode()) : std::move(g);
    } else if (e.leaf && WantedLeaf(e.leaf)) {
      auto fresh = int32_t(leaves.size());
      int32_t i = leaf_places.FindOrAdd(e.leaf, fresh);
      if (i == fresh) return leaves.push_back({e.leaf, std::move(g)});
      NDArray& slot = leaves[size_t(i)].grad;
      slot = Sum(slot, g, grad_mode());
    }
  }
  // dx: one per input of the node
  void Spread(const Place& p, const NDArray* dx) {
    TapeNode* n = p.node;
    for (int i = 0; i < n->inputs.size(); ++i) {
      if (!p.wanted[i] || !dx[i]) continue;
      NDArray g = dx[i];
      const Meta& m = n->inputs[i];
      if (g->shape != m.shape)
        Fail(Status::kInternal, n->name(), "the gradient of `", InputName(*n, i), "` has shape ", g->shape, ", the input ", m.shape, ".");
      if (g->dtype != m.dtype) g = Invoke1("Cast", {g}, {{"dtype", DTypeName(m.dtype)}}, grad_mode());
      Give(n->edges[i], std::move(g));
    }
    if (!(mode & (kRetain | kCreateGraph))) {
      for (auto& s : n->saved_in) s.array = nullptr;
      for (auto& s : n->saved_out) s.array = nullptr;
      if (n->function) n->function->Release();
    }
  }
  // The gradient that goes to this leaf is all there will be.
  bool OnlyGiver(const GradSlot* leaf) {
    if (!leaf || !targets.empty() || mode & kCreateGraph) return false;
    if (givers.empty()) {
      givers.resize(1);
      for (auto& h : heads)
        if (!h->node) ++givers[size_t(GiverOf(h->grad))];
      for (auto& p : order)
        for (auto& e : p->node->edges)
          if (e.leaf) ++givers[size_t(GiverOf(e.leaf))];
    }
    return givers[size_t(GiverOf(leaf))] == 1;
  }
  int32_t GiverOf(const GradSlot* leaf) {
    int32_t at = giver_places.FindOrAdd(leaf, int32_t(givers.size()));
    if (size_t(at) == givers.size()) givers.push_back(0);
    return at;
  }
  void RunNode(const Place& p, Grads* dys) {
    TapeNode* n = p.node;
    SmallVector<NDArray, 4> dx(n->inputs.size());
    if (n->function) {
      dys->resize(n->outputs.size());
      SmallVector<Array*, 8> into(n->inputs.size());
      for (int i = 0; i < n->inputs.size(); ++i)
        if (p.wanted[i] && OnlyGiver(n->edges[i].leaf)) into[i] = GradTargetOf(n->edges[i].leaf);
      n->function->Backward(*n, dys->data(), p.wanted.data(), grad_mode() | (mode & kRetain), into.data(), dx.data());
      return Spread(p, dx.data());
    }
    const OpDef& op = n->call->op;
    if (op.gradient_fn) {
      RunGrad g(n, dys, p.wanted.data(), grad_mode());
      g.training = n->training;
      op.run_gradient(op.gradient_fn, g, n->settings().get());
      for (int i = 0; i < dx.size(); ++i) if (g.dx[i]) dx[i] = g.b.array(g.dx[i]);
    } else if (op.compose_fn) {
      ThroughComposition(p, *dys, dx.data());
    } else if (!op.zero_gradient) {
      Fail(Status::kUnsupported, op.name, "is not differentiable. Detach its input (BlockGrad) if the gradient should stop here.");
    }
    Spread(p, dx.data());
  }
  // Differentiates what the operator stands for: the composition is run again from the kept inputs, on a tape of its own.
  void ThroughComposition(const Place& p, const Grads& dys, NDArray* dx) {
    TapeNode* n = p.node;
    EagerBuilder b(kRecord | (n->training ? kTrain : 0), n->device);
    std::vector<Val> x;
    std::vector<NDArray> leaf(size_t(n->inputs.size())), ask;
    for (int i = 0; i < n->inputs.size(); ++i) {
      if (n->inputs[i].dtype == DType::kNone) { x.push_back({}); continue; }
      const Edge& e = n->edges[i];
      // with create_graph the pieces must hang from the true inputs; otherwise fresh leaves will do
      bool graph = (mode & kCreateGraph) != 0;
      NDArray a = Restore(n->saved_in[i], *n, true, i, graph ? e.node : nullptr, e.output, graph ? e.leaf : nullptr);
      if (p.wanted[i]) {
        if (!HasHistory(*a)) a = Detach(a), AttachGrad(a, GradReq::kWrite, nullptr);
        leaf[size_t(i)] = a, ask.push_back(a);
      }
      x.push_back(b.Add(a));
    }
    auto y = n->call->op.run_compose(n->call->op.compose_fn, x, n->settings().get());
    std::vector<NDArray> hs, hg;
    for (int i = 0; i < int(y.size()) && i < dys.size(); ++i)
      if (y[size_t(i)] && dys[i]) hs.push_back(b.array(y[size_t(i)])), hg.push_back(dys[i]);
    auto g = Gradients(hs, hg, ask, mode);
    size_t k = 0;
    for (size_t i = 0; i < leaf.size(); ++i) if (leaf[i]) dx[i] = g[k++];
  }
  // A leaf that the heads were computed from and that no gradient reached (an operator's is zero) has a gradient of zeros, not an old one.
  void ZeroTheRest() {
    for (auto& p : order)
      for (int i = 0; i < p->node->edges.size(); ++i) {
        GradSlot* leaf = p->node->edges[i].leaf;
        auto fresh = int32_t(leaves.size());
        if (leaf && leaf->req == GradReq::kWrite && leaf_places.FindOrAdd(leaf, fresh) == fresh)
          leaves.push_back({leaf, Array::Filled(p->node->inputs[i].shape, p->node->inputs[i].dtype, 0, p->node->device)});
      }
  }
  void Store() {
    for (auto& [slot, g] : leaves) StoreInto(slot, g, mode);
  }
};

BackwardRun::BackwardRun(std::vector<NDArray> heads, std::vector<NDArray> head_grads, std::vector<NDArray> targets, int mode) : state_(new State) {
  State& s = *state_;
  s.heads = std::move(heads), s.targets = std::move(targets), s.mode = mode;
  if (s.heads.empty()) Fail(Status::kArgument, "backward", "expected at least one array to go backward from, given none.");
  if (!head_grads.empty() && head_grads.size() != s.heads.size())
    Fail(Status::kArgument, "backward", "expected ", s.heads.size(), " head gradients, given ", head_grads.size(), ".");
  for (auto& t : s.targets) {
    if (!HasHistory(*t)) Fail(Status::kState, "backward", "a target was not recorded: attach a gradient to it before it is used.");
    if (!t->node) s.target_leaves.FindOrAdd(t->grad, 0);
  }
  s.Collect();
  for (size_t i = 0; i < s.heads.size(); ++i) {
    Array& h = *s.heads[i];
    if (!HasHistory(h))
      Fail(Status::kState, "backward", "array ", i, " (", Describe(h), ") has no history: it was not computed while recording from an array with a gradient attached.");
    if (h.node && h.node->traced)
      Fail(Status::kUnsupported, h.node->name(), "its result was made while a function is traced; a traced function cannot go backward itself. Go backward from what it returns.");
    NDArray g = i < head_grads.size() ? head_grads[i] : nullptr;
    if (g && (g->shape != h.shape || g->dtype != h.dtype))
      Fail(Status::kShape, "backward", "head gradient ", i, " must be like its array, ", Describe(h), ", given ", Describe(*g), ".");
    if (!g) g = Array::Filled(h.shape, h.dtype, 1, h.device());
    Edge e;
    e.node = h.node, e.leaf = h.node ? nullptr : h.grad, e.output = h.node_output;
    s.Give(e, g);
  }
}
BackwardRun::~BackwardRun() = default;

bool BackwardRun::Next() {
  State& s = *state_;
  while (s.at > 0) {
    State::Place& p = *s.order[--s.at];
    TapeNode* n = p.node;
    if (p.grads.empty() || !p.needed) continue;
    if (n->token.get() < 0) {
      s.RunNode(p, &p.grads);
      if (!p.target) p.grads.clear();
      continue;
    }
    Grads& dys = p.grads;
    s.host = n, s.host_place = &p;
    s.host_inputs.clear();
    for (int i = 0; i < n->outputs.size(); ++i)
      s.host_inputs.push_back(dys[i] ? dys[i] : Array::Filled(n->outputs[i].shape, n->outputs[i].dtype, 0, n->device));
    for (int i = 0; i < n->inputs.size(); ++i) s.host_inputs.push_back(Restore(n->saved_in[i], *n, true, i));
    for (int i = 0; i < n->outputs.size(); ++i) s.host_inputs.push_back(Restore(n->saved_out[i], *n, false, i));
    return true;
  }
  if (s.targets.empty()) {
    s.ZeroTheRest();
    s.Store();
    s.leaves.clear();
  }
  return false;
}
int64_t BackwardRun::token() const { return state_->host ? state_->host->token.get() : -1; }
const std::vector<NDArray>& BackwardRun::inputs() const { return state_->host_inputs; }
void BackwardRun::Reply(const std::vector<NDArray>& grads) {
  State& s = *state_;
  if (!s.host) Fail(Status::kState, "backward", "no host gradient is wanted now.");
  TapeNode* n = s.host;
  const std::string who = HostLabel(n->token.get());
  if (int(grads.size()) != n->inputs.size())
    Fail(Status::kArgument, "backward", who, " has ", n->inputs.size(), n->inputs.size() == 1 ? " input" : " inputs", ", gradients given: ", grads.size(), ". One for each, or null for zero.");
  for (int i = 0; i < n->inputs.size(); ++i) {
    const NDArray& g = grads[size_t(i)];
    const Meta& m = n->inputs[i];
    if (g && g->shape != m.shape) Fail(Status::kShape, "backward", who, ": the gradient of input ", i, " must have the input's shape ", m.shape, ", given ", Describe(*g), ".");
    if (g && IsFloat(m.dtype) && !IsFloat(g->dtype)) Fail(Status::kType, "backward", who, ": the gradient of input ", i, " must be ", m.dtype, " as the input is, given ", Describe(*g), ".");
  }
  s.host = nullptr;
  s.Spread(*s.host_place, grads.data());
}
std::vector<NDArray> BackwardRun::Results() const {
  State& s = *state_;
  std::vector<NDArray> out;
  for (auto& t : s.targets) {
    NDArray g;
    if (t->node) {
      const State::Place* p = s.PlaceOf(t->node);
      if (p && !p->grads.empty()) g = p->grads[t->node_output];
    } else if (int i = s.leaf_places.Find(t->grad); i >= 0) {
      g = s.leaves[size_t(i)].grad;
    }
    out.push_back(g ? g : Array::Filled(t->shape, t->dtype, 0, t->device()));
  }
  return out;
}

namespace {
void Drive(BackwardRun* run) {
  if (run->Next())
    Fail(Status::kState, "backward", HostLabel(run->token()), " is on the tape: start a task (flx_autograd_start) that its caller drives.");
}
}  // namespace
void Backward(const std::vector<NDArray>& heads, const std::vector<NDArray>& head_grads, int mode) {
  BackwardRun run(heads, head_grads, {}, mode);
  Drive(&run);
}
std::vector<NDArray> Gradients(const std::vector<NDArray>& heads, const std::vector<NDArray>& head_grads, const std::vector<NDArray>& targets, int mode) {
  if (targets.empty()) return {};
  BackwardRun run(heads, head_grads, targets, mode);
  Drive(&run);
  return run.Results();
}

}  // namespace flx
