// SPDX-License-Identifier: Apache-2.0
// Backward: nodes by falling sequence, each gradient rule run on an eager builder.
#include "exec/autograd.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "exec/core.h"
#include "exec/tape.h"

namespace flx {
namespace {

// A kept array with its history, as it was when it was recorded; or an error if it was written since.
NDArray Restore(const Saved& s, const TapeNode& n, const char* port, TapeNode* history, int output, GradSlot* leaf) {
  if (!s.array)
    Fail(Status::kState, n.name(), "its history was let go by an earlier backward. Pass retain (FLX_RETAIN) to the first one to go backward twice.");
  uint64_t now = s.array->storage->var.version.load(std::memory_order_relaxed);
  if (now != s.version)
    Fail(Status::kState, n.name(), "`", port, "` is needed for the gradient but was overwritten by `", s.array->storage->writer(),
         "` after the forward pass. Write into a copy instead.");
  NDArray a = Array::NewView(s.array, s.array->shape, s.array->Strides(), s.array->offset);
  if (history) a->node = history, a->node_output = output, RefNode(history);
  else if (leaf) a->grad = leaf, RefSlot(leaf);
  return a;
}
std::string OutputName(const TapeNode& n, int i) {
  if (!n.call) return Text("output ", i);
  return n.call->op.outputs[n.call->op.outputs_fn ? 0 : size_t(i)].name;
}
std::string InputName(const TapeNode& n, int i) {
  if (!n.call) return Text("input ", i);
  return n.call->op.variadic ? Text(n.call->op.inputs[0].name, "[", i, "]") : std::string(n.call->op.inputs[size_t(i)].name);
}

class RunGrad final : public Grad {
 public:
  RunGrad(TapeNode* n, std::vector<NDArray>* dys, const std::vector<bool>& wanted, int mode) : b(mode), node_(n), dys_(dys), wanted_(wanted) {
    builder = &b, training = n->training;
    dx.resize(size_t(n->inputs.size()));
  }
  EagerBuilder b;
  Val x(int i) override {
    if (!has(i)) return {};
    const Edge& e = node_->edges[i];
    return b.Add(Restore(node_->saved_in[i], *node_, InputName(*node_, i).c_str(), e.node, e.output, e.leaf));
  }
  Val y(int i) override { return b.Add(Restore(node_->saved_out[i], *node_, OutputName(*node_, i).c_str(), node_, i, nullptr)); }
  Val dy(int i) override {
    NDArray& d = (*dys_)[size_t(i)];
    if (!d) d = Array::Filled(node_->outputs[i].shape, node_->outputs[i].dtype, 0);
    return b.Add(d);
  }
  bool has_dy(int i) override { return bool((*dys_)[size_t(i)]); }
  bool want(int i) override { return wanted_[size_t(i)]; }
  bool has(int i) override { return node_->inputs[i].dtype != DType::kNone; }
  const Shape& x_shape(int i) override { return node_->inputs[i].shape; }
  const Shape& y_shape(int i) override { return node_->outputs[i].shape; }
  DType x_type(int i) override { return node_->inputs[i].dtype; }

 private:
  TapeNode* node_;
  std::vector<NDArray>* dys_;
  const std::vector<bool>& wanted_;
};

NDArray Sum(const NDArray& a, const NDArray& b, int mode) {
  static const Ref<Call> add = Call::New("elemwise_add");
  return Invoke(*add, mode, {a, b})[0];
}
}  // namespace

struct BackwardRun::State {
  std::vector<NDArray> heads, targets;
  int mode = 0;
  std::vector<TapeNode*> order;                                     // reachable, rising sequence; each holds a reference
  size_t at = 0;                                                    // order[0..at) is still to do
  std::unordered_set<const TapeNode*> needed;                       // lead to something wanted
  std::unordered_map<const TapeNode*, std::vector<NDArray>> grads;  // of each node's outputs
  std::unordered_map<GradSlot*, NDArray> leaves;
  std::unordered_map<const GradSlot*, bool> want_leaf;              // targets given: only theirs
  TapeNode* host = nullptr;
  std::vector<NDArray> host_inputs;

  ~State() { for (auto* n : order) DropNode(n); }
  int grad_mode() const { return mode & kCreateGraph ? (mode & kTrain) | kRecord : mode & kTrain; }
  bool Wanted(const Edge& e) const {
    if (e.node) return needed.count(e.node) > 0;
    return e.leaf && (targets.empty() || want_leaf.count(e.leaf));
  }
  bool IsTargetNode(const TapeNode* n) const {
    for (auto& t : targets) if (t->node == n) return true;
    return false;
  }
  void Collect() {
    std::unordered_set<TapeNode*> seen;
    std::vector<TapeNode*> stack;
    auto visit = [&](TapeNode* n) { if (n && seen.insert(n).second) stack.push_back(n), order.push_back(n), RefNode(n); };
    for (auto& h : heads) visit(h->node);
    while (!stack.empty()) {
      TapeNode* n = stack.back();
      stack.pop_back();
      for (auto& e : n->edges) visit(e.node);
    }
    std::sort(order.begin(), order.end(), [](TapeNode* a, TapeNode* b) { return a->sequence < b->sequence; });
    for (auto* n : order) {
      bool lead = IsTargetNode(n);
      for (auto& e : n->edges) lead |= Wanted(e);
      if (lead) needed.insert(n);
    }
    at = order.size();
  }
  void Give(const Edge& e, NDArray g) {
    if (e.node) {
      auto& v = grads[e.node];
      if (v.empty()) v.resize(size_t(e.node->outputs.size()));
      NDArray& slot = v[size_t(e.output)];
      slot = slot ? Sum(slot, g, grad_mode()) : std::move(g);
    } else if (e.leaf && (targets.empty() || want_leaf.count(e.leaf))) {
      NDArray& slot = leaves[e.leaf];
      slot = slot ? Sum(slot, g, grad_mode()) : std::move(g);
    }
  }
  void Spread(TapeNode* n, const std::vector<NDArray>& dx, const std::vector<bool>& wanted) {
    for (size_t i = 0; i < dx.size(); ++i) {
      if (!wanted[i]) continue;
      NDArray g = dx[i];
      if (!g) continue;
      const Meta& m = n->inputs[int(i)];
      if (g->shape != m.shape)
        Fail(Status::kInternal, n->name(), "the gradient of `", InputName(*n, int(i)), "` has shape ", g->shape, ", the input ", m.shape, ".");
      if (g->dtype != m.dtype) g = Invoke1("Cast", {g}, {{"dtype", DTypeName(m.dtype)}}, grad_mode());
      Give(n->edges[int(i)], std::move(g));
    }
    if (!(mode & (kRetain | kCreateGraph))) {
      n->saved_in.clear(), n->saved_out.clear();
      n->saved_in.resize(n->inputs.size()), n->saved_out.resize(n->outputs.size());
    }
  }
  std::vector<bool> WantedInputs(TapeNode* n) const {
    std::vector<bool> w(size_t(n->edges.size()));
    for (int i = 0; i < n->edges.size(); ++i) w[size_t(i)] = Wanted(n->edges[i]);
    return w;
  }
  void RunNode(TapeNode* n, std::vector<NDArray> dys) {
    std::vector<bool> wanted = WantedInputs(n);
    std::vector<NDArray> dx(size_t(n->inputs.size()));
    const OpDef& op = n->call->op;
    if (op.gradient_fn) {
      RunGrad g(n, &dys, wanted, grad_mode());
      g.training = n->training;
      op.run_gradient(op.gradient_fn, g, n->attrs.get());
      for (size_t i = 0; i < dx.size(); ++i) if (g.dx[i]) dx[i] = g.b.array(g.dx[i]);
    } else if (op.compose_fn) {
      dx = ThroughComposition(n, dys, wanted);
    } else if (!op.zero_gradient) {
      Fail(Status::kUnsupported, op.name, "is not differentiable. Detach its input (BlockGrad) if the gradient should stop here.");
    }
    Spread(n, dx, wanted);
  }
  // Differentiates what the operator stands for: the composition is run again from the kept inputs, on a tape of its own.
  std::vector<NDArray> ThroughComposition(TapeNode* n, std::vector<NDArray>& dys, const std::vector<bool>& wanted) {
    EagerBuilder b(kRecord | (n->training ? kTrain : 0));
    std::vector<Val> x;
    std::vector<NDArray> leaf(size_t(n->inputs.size())), ask;
    for (int i = 0; i < n->inputs.size(); ++i) {
      if (n->inputs[i].dtype == DType::kNone) { x.push_back({}); continue; }
      const Edge& e = n->edges[i];
      // with create_graph the pieces must hang from the true inputs; otherwise fresh leaves will do
      NDArray a = Restore(n->saved_in[i], *n, InputName(*n, i).c_str(), mode & kCreateGraph ? e.node : nullptr, e.output, mode & kCreateGraph ? e.leaf : nullptr);
      if (wanted[size_t(i)]) {
        if (!HasHistory(*a)) AttachGrad(a, GradReq::kWrite, nullptr);
        leaf[size_t(i)] = a, ask.push_back(a);
      }
      x.push_back(b.Add(a));
    }
    auto y = n->call->op.run_compose(n->call->op.compose_fn, x, n->attrs.get());
    std::vector<NDArray> hs, hg;
    for (size_t i = 0; i < y.size() && i < dys.size(); ++i)
      if (y[i] && dys[i]) hs.push_back(b.array(y[i])), hg.push_back(dys[i]);
    auto g = Gradients(hs, hg, ask, mode);
    std::vector<NDArray> dx(leaf.size());
    size_t k = 0;
    for (size_t i = 0; i < leaf.size(); ++i) if (leaf[i]) dx[i] = g[k++];
    return dx;
  }
  // A leaf that the heads were computed from and that no gradient reached (an operator's is zero) has a gradient of zeros, not an old one.
  void ZeroTheRest() {
    for (auto* n : order)
      for (int i = 0; i < n->edges.size(); ++i) {
        GradSlot* leaf = n->edges[i].leaf;
        if (leaf && leaf->req == GradReq::kWrite && !leaves.count(leaf)) leaves[leaf] = Array::Filled(n->inputs[i].shape, n->inputs[i].dtype, 0);
      }
  }
  void Store() {
    static const Ref<Call> copy = Call::New("_copy"), add = Call::New("elemwise_add");
    static std::atomic<int64_t> stores{0};  // one count for all: a gradient attached anew cannot look like the one before
    for (auto& kv : leaves) {
      GradSlot* s = kv.first;
      Array* to = s->grad.get();
      Array* in[2] = {kv.second.get(), to};
      if (s->req == GradReq::kAdd) {
        Array* sum[2] = {to, kv.second.get()};
        InvokeInto(*add, kPlain, sum, 2, nullptr, 0, &to, 1);
      } else if (to->storage->unique() && to->whole() && kv.second->unique() && kv.second->storage->unique() && kv.second->whole()) {
        to->storage = kv.second->storage;  // nobody else can see either memory
      } else {
        InvokeInto(*copy, kPlain, in, 1, nullptr, 0, &to, 1);
      }
      if (mode & kCreateGraph && kv.second->node) {
        if (to->node) DropNode(to->node);
        to->node = kv.second->node, to->node_output = kv.second->node_output;
        RefNode(to->node);
      }
      s->count.store(stores.fetch_add(1) + 1);
    }
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
    if (!t->node) s.want_leaf[t->grad] = true;
  }
  s.Collect();
  for (size_t i = 0; i < s.heads.size(); ++i) {
    Array& h = *s.heads[i];
    if (!HasHistory(h))
      Fail(Status::kState, "backward", "array ", i, " (", Describe(h), ") has no history: it was not computed while recording from an array with a gradient attached.");
    NDArray g = i < head_grads.size() ? head_grads[i] : nullptr;
    if (g && (g->shape != h.shape || g->dtype != h.dtype))
      Fail(Status::kShape, "backward", "head gradient ", i, " must be like its array, ", Describe(h), ", given ", Describe(*g), ".");
    if (!g) g = Array::Filled(h.shape, h.dtype, 1);
    Edge e;
    e.node = h.node, e.leaf = h.node ? nullptr : h.grad, e.output = h.node_output;
    s.Give(e, g);
  }
}
BackwardRun::~BackwardRun() = default;

bool BackwardRun::Next() {
  State& s = *state_;
  while (s.at > 0) {
    TapeNode* n = s.order[--s.at];
    auto it = s.grads.find(n);
    if (it == s.grads.end() || !s.needed.count(n)) continue;
    std::vector<NDArray> dys = s.IsTargetNode(n) ? it->second : std::move(it->second);
    if (n->token < 0) {
      s.RunNode(n, std::move(dys));
      continue;
    }
    s.host = n;
    s.host_inputs.clear();
    for (int i = 0; i < n->outputs.size(); ++i)
      s.host_inputs.push_back(dys[size_t(i)] ? dys[size_t(i)] : Array::Filled(n->outputs[i].shape, n->outputs[i].dtype, 0));
    for (int i = 0; i < n->inputs.size(); ++i) s.host_inputs.push_back(Restore(n->saved_in[i], *n, InputName(*n, i).c_str(), nullptr, 0, nullptr));
    for (int i = 0; i < n->outputs.size(); ++i) s.host_inputs.push_back(Restore(n->saved_out[i], *n, OutputName(*n, i).c_str(), nullptr, 0, nullptr));
    return true;
  }
  if (s.targets.empty()) {
    s.ZeroTheRest();
    s.Store();
    s.leaves.clear();
  }
  return false;
}
int64_t BackwardRun::token() const { return state_->host ? state_->host->token : -1; }
const std::vector<NDArray>& BackwardRun::inputs() const { return state_->host_inputs; }
void BackwardRun::Reply(const std::vector<NDArray>& grads) {
  State& s = *state_;
  if (!s.host) Fail(Status::kState, "backward", "no host gradient is wanted now.");
  TapeNode* n = std::exchange(s.host, nullptr);
  if (int(grads.size()) != n->inputs.size())
    Fail(Status::kArgument, "backward", "the host function has ", n->inputs.size(), " inputs, gradients given: ", grads.size(), ".");
  s.Spread(n, grads, s.WantedInputs(n));
}
std::vector<NDArray> BackwardRun::Results() const {
  const State& s = *state_;
  std::vector<NDArray> out;
  for (auto& t : s.targets) {
    NDArray g;
    if (t->node) {
      auto it = s.grads.find(t->node);
      if (it != s.grads.end() && !it->second.empty()) g = it->second[size_t(t->node_output)];
    } else {
      auto it = s.leaves.find(t->grad);
      if (it != s.leaves.end()) g = it->second;
    }
    out.push_back(g ? g : Array::Filled(t->shape, t->dtype, 0));
  }
  return out;
}

namespace {
void Drive(BackwardRun* run) {
  if (run->Next())
    Fail(Status::kState, "backward", "a host function (", run->token(), ") is on the tape: start a task (flx_autograd_start) that its caller drives.");
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
