// SPDX-License-Identifier: Apache-2.0
// Elementwise nodes of one shape and dtype that read each other become chains (op/elementwise/chain.h).
//   A group of nodes runs in the place of one of them: the first ones move down to it, if none but they read their results before it, or the last one
//   moves up to it, if all that it reads is there already. Values that others read are further outputs. A node that reads what some node updates in
//   place does not move across that. What depends on fixed inputs only stays apart from what does not: it is computed once (prologue.h).
#include <algorithm>
#include <set>

#include "exec/core.h"
#include "hybrid/pass.h"
#include "op/elementwise/chain.h"

namespace flx {
namespace {

constexpr int kMostSteps = 24;

// A node whose kernel gives the bits of its composition, and whose composition is one operator with loops: that one in its place.
bool Expand(Ir* ir, IrNode* n, const std::vector<bool>& used) {
  if (!n->op->trait(kExpands)) return false;
  for (size_t k = 1; k < n->out.size(); ++k) if (n->out[k] >= 0 && used[size_t(n->out[k])]) return false;
  std::vector<IrNode> nodes = std::move(ir->nodes);
  ir->nodes.clear();
  const size_t values = ir->values.size();
  const int32_t tickets = ir->tickets;
  IrBuilder b(ir);
  std::vector<Val> x;
  for (int32_t v : n->in) x.push_back(v >= 0 ? b.Wrap(v) : Val{});
  auto y = n->op->run_compose(n->op->compose_fn, x, n->attrs.get());
  std::vector<IrNode> made = std::move(ir->nodes);
  ir->nodes = std::move(nodes);
  const bool one = !y.empty() && made.size() == 1 && CanBeStep(*made[0].op) && HasKernel(*made[0].op, ir->device) && ir->tickets == tickets && made[0].out[0] == y[0].id;
  if (one) n->op = made[0].op, n->attrs = made[0].attrs, n->in = made[0].in, n->out.resize(1), n->ticket = -1;
  ir->values.resize(values);
  return one;
}

class Fuser {
 public:
  explicit Fuser(Ir* ir) : ir_(*ir) {}
  int64_t Run() {
    ExpandAll();
    writer_ = ir_.Writers(), readers_ = ir_.Readers(), kept_ = ir_.Kept();
    const int n = int(ir_.nodes.size());
    std::vector<bool> fixed(ir_.values.size());  // by value
    for (size_t i = 0; i < ir_.inputs.size(); ++i) fixed[size_t(ir_.inputs[i])] = ir_.fixed[i];
    for (auto& c : ir_.constants) fixed[size_t(c.first)] = true;
    for (auto& node : ir_.nodes) {
      bool all = node.ticket < 0;
      for (int32_t v : node.in) all &= v < 0 || fixed[size_t(v)];
      fixed_.push_back(all);
      for (int32_t v : node.out) if (v >= 0) fixed[size_t(v)] = all;
    }
    group_.resize(size_t(n)), groups_.resize(size_t(n));
    for (int i = 0; i < n; ++i) {
      group_[size_t(i)] = i, groups_[size_t(i)] = {{i}, i};
      auto& node = ir_.nodes[size_t(i)];
      for (size_t k = 0; k < node.out.size(); ++k) if (node.out[k] >= 0 && node.updates(int(k))) updates_.push_back({i, node.out[k]});
    }
    for (bool up : {false, true})  // down first, which needs fewer outputs
      for (int i = 0; i < n; ++i) {
        if (!Fits(ir_.nodes[size_t(i)])) continue;
        for (int32_t v : ir_.nodes[size_t(i)].in)
          if (int w = writer_[size_t(v)]; w >= 0 && Fits(ir_.nodes[size_t(w)]) && group_[size_t(w)] != group_[size_t(i)]) Join(group_[size_t(w)], group_[size_t(i)], up);
      }
    return Replace();
  }

 private:
  struct Group { std::vector<int> nodes; int at; };  // at: the place of one of the nodes, where all run
  struct Update { int at; int32_t value; };
  const IrValue& Out(const IrNode& n) const { return ir_.values[size_t(n.out[0])]; }

  void ExpandAll() {
    std::vector<bool> used = ir_.Kept();
    for (auto& n : ir_.nodes) for (int32_t v : n.in) if (v >= 0) used[size_t(v)] = true;
    for (size_t i = 0; i < ir_.nodes.size(); ++i) {
      IrNode n = ir_.nodes[i];
      if (Expand(&ir_, &n, used)) ir_.nodes[i] = std::move(n);
    }
  }
  bool Fits(const IrNode& n) const {
    if (!CanBeStep(*n.op) || n.ticket >= 0 || n.op->trait(kEffect) || n.op->trait(kRandom) || n.out[0] < 0) return false;
    if (!kept_[size_t(n.out[0])] && readers_[size_t(n.out[0])].empty()) return false;
    const DType t = Out(n).dtype;
    for (int32_t v : n.in) if (v < 0 || ir_.values[size_t(v)].dtype != t) return false;
    return Out(n).shape.size() > 0;
  }
  int At(int node) const { return groups_[size_t(group_[size_t(node)])].at; }
  // What the nodes of a and b read and give as one.
  struct Edges { std::set<int32_t> in, out; };
  Edges EdgesOf(const std::vector<int>& nodes) const {
    std::set<int> inside(nodes.begin(), nodes.end());
    Edges e;
    for (int i : nodes) {
      for (int32_t v : ir_.nodes[size_t(i)].in) if (!inside.count(writer_[size_t(v)])) e.in.insert(v);
      int32_t y = ir_.nodes[size_t(i)].out[0];
      bool outside = kept_[size_t(y)];
      for (int r : readers_[size_t(y)]) outside |= !inside.count(r);
      if (outside) e.out.insert(y);
    }
    return e;
  }
  // An update between two places of what these nodes read.
  bool Crosses(const std::vector<int>& nodes, int from, int to) const {
    for (auto& u : updates_)
      if (u.at > from && u.at < to)
        for (int i : nodes) for (int32_t v : ir_.nodes[size_t(i)].in) if (v == u.value) return true;
    return false;
  }
  void Join(int a, int b, bool upwards) {
    Group &ga = groups_[size_t(a)], &gb = groups_[size_t(b)];
    const IrNode &na = ir_.nodes[size_t(ga.nodes[0])], &nb = ir_.nodes[size_t(gb.nodes[0])];
    if (Out(na).shape != Out(nb).shape || Out(na).dtype != Out(nb).dtype || na.backward != nb.backward || fixed_[size_t(ga.nodes[0])] != fixed_[size_t(gb.nodes[0])]) return;
    std::vector<int> all = ga.nodes;
    all.insert(all.end(), gb.nodes.begin(), gb.nodes.end());
    if (int(all.size()) > kMostSteps) return;
    Edges e = EdgesOf(all);
    if (int(e.in.size()) > kChainInputs || int(e.out.size()) > kChainOutputs) return;
    const Group &first = ga.at < gb.at ? ga : gb, &last = ga.at < gb.at ? gb : ga;
    std::set<int> inside(all.begin(), all.end());
    bool down = !Crosses(first.nodes, first.at, last.at), up = upwards && !Crosses(last.nodes, first.at, last.at);
    for (int i : first.nodes)
      for (int r : readers_[size_t(ir_.nodes[size_t(i)].out[0])]) down &= inside.count(r) || At(r) > last.at;
    for (int i : last.nodes)
      for (int32_t v : ir_.nodes[size_t(i)].in) {
        int w = writer_[size_t(v)];
        up &= w < 0 || inside.count(w) || At(w) < first.at;
      }
    if (!down && !up) return;
    const int at = down ? last.at : first.at;
    for (int i : gb.nodes) group_[size_t(i)] = a;
    std::sort(all.begin(), all.end());
    ga = {std::move(all), at}, gb.nodes.clear();
  }
  int64_t Replace() {
    std::vector<std::vector<IrNode>> now(ir_.nodes.size());
    int64_t fused = 0;
    for (auto& g : groups_) {
      if (g.nodes.empty()) continue;
      if (g.nodes.size() == 1) now[size_t(g.at)].push_back(ir_.nodes[size_t(g.at)]);
      else now[size_t(g.at)].push_back(Fused(g)), fused += int64_t(g.nodes.size());
    }
    ir_.nodes.clear();
    for (auto& list : now) for (auto& n : list) ir_.nodes.push_back(std::move(n));
    return fused;
  }
  IrNode Fused(const Group& g) {
    Edges e = EdgesOf(g.nodes);
    std::vector<int32_t> in;      // in the order in which steps read them
    std::vector<int> outputs;
    std::vector<ChainStep> steps;
    std::map<int32_t, int> made;  // value -> step
    IrNode n;
    for (int i : g.nodes) {
      const IrNode& node = ir_.nodes[size_t(i)];
      ChainStep s{node.op, node.attrs, {}};
      for (int32_t v : node.in) {
        if (auto it = made.find(v); it != made.end()) { s.in.push_back(~it->second); continue; }
        auto place = std::find(in.begin(), in.end(), v);
        s.in.push_back(int(place - in.begin()));
        if (place == in.end()) in.push_back(v);
      }
      made[node.out[0]] = int(steps.size());
      if (e.out.count(node.out[0])) outputs.push_back(int(steps.size())), n.out.push_back(node.out[0]);
      steps.push_back(std::move(s));
      n.name += Text(n.name.empty() ? "" : "+", node.name);
    }
    auto attrs = std::make_shared<ChainAttrs>();
    attrs->chain = Chain(steps, outputs);
    n.op = &FindOp("_fused"), n.attrs = std::move(attrs), n.in = std::move(in), n.backward = ir_.nodes[size_t(g.nodes[0])].backward;
    return n;
  }

  Ir& ir_;
  std::vector<int32_t> writer_;
  std::vector<std::vector<int32_t>> readers_;
  std::vector<bool> kept_;
  std::vector<bool> fixed_;  // by node: it depends on fixed inputs only
  std::vector<int> group_;  // by node
  std::vector<Group> groups_;
  std::vector<Update> updates_;
};
}  // namespace

int64_t FuseElementwise(Ir* ir) { return HasKernel(FindOp("_fused"), ir->device) ? Fuser(ir).Run() : 0; }

}  // namespace flx
