// SPDX-License-Identifier: Apache-2.0
// Making a plan: where each value lies, which steps there are, which of them share memory.
#include "hybrid/plan.h"

#include <algorithm>

#include "exec/core.h"
#include "hybrid/arena.h"
#include "hybrid/plan_graph.h"
#include "op/elementwise/driver.h"

namespace flx {
namespace {
bool Dense(const Shape& shape, const Shape& strides) {  // as Array::NewView sees it
  uint64_t expect = 1;
  bool dense = true;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    dense &= shape[i] == 1 || strides[i] == int64_t(expect);
    expect *= uint64_t(shape[i]);
  }
  return dense || expect == 0;
}
}  // namespace

class Plan::Maker {
 public:
  Maker(Plan* plan, bool reuse) : p_(*plan), ir_(plan->ir_), reuse_(reuse), places_(plan->ir_.values.size()) {}
  void Make() {
    for (size_t i = 0; i < ir_.inputs.size(); ++i) {
      Place& at = Own(ir_.inputs[i], Place::kExternal, int32_t(i));
      if (i < ir_.strides.size() && ir_.strides[i].ndim() == at.view.ndim() && at.view.ndim() > 0)
        at.view.strides = ir_.strides[i], at.view.contiguous = Dense(at.view.shape, at.view.strides);
    }
    for (auto& c : ir_.constants) Own(c.first, Place::kConstant, 0).view = c.second->View();
    FindViews();
    PlaceOutputs();
    bool behind = false;
    for (auto& n : ir_.nodes) {
      if (n.backward && !behind) FinishOutputs(0, ir_.results), behind = true, p_.forward_steps_ = int32_t(p_.steps_.size());
      if (IsView(n)) continue;
      AddStep(n);
    }
    if (!behind) FinishOutputs(0, ir_.results), p_.forward_steps_ = int32_t(p_.steps_.size());
    FinishOutputs(ir_.results, ir_.outputs.size());
    PlaceArena();
    Notes();
  }

 private:
  struct Place {
    enum Kind : int8_t { kNone, kExternal, kArena, kConstant } kind = kNone;
    bool alias = false;    // a view of another value's memory
    int32_t root = -1;     // whose memory it is; an external's number
    TensorView view;       // over the root's first byte
  };
  struct Use { int32_t view, root; };  // a view in the arena
  bool IsView(const IrNode& n) const { return n.op->view_fn && n.out.size() == 1 && n.out[0] >= 0 && places_[size_t(n.out[0])].alias; }
  Place& Own(int32_t v, Place::Kind kind, int32_t root) {
    Place& at = places_[size_t(v)];
    at.kind = kind, at.root = root;
    at.view = MakeView(nullptr, ir_.values[size_t(v)].dtype, ir_.values[size_t(v)].shape);
    return at;
  }
  // Values that are views of others have no step. Where the memory is decided later, the view is of a root that has no kind yet.
  void FindViews() {
    for (auto& n : ir_.nodes) {
      for (size_t k = 0; k < n.out.size(); ++k) {
        int32_t v = n.out[k];
        if (v < 0 || n.updates(int(k))) continue;
        if (places_[size_t(v)].kind == Place::kNone) Own(v, Place::kArena, v);
      }
      if (!n.op->view_fn || n.out.size() != 1 || n.in.empty() || n.in[0] < 0) continue;
      const Place& x = places_[size_t(n.in[0])];
      ViewSpec spec;
      if (!n.op->run_view(n.op->view_fn, n.attrs.get(), x.view.shape, x.view.strides, &spec)) continue;
      Place at = x;
      at.alias = true;
      at.view.shape = spec.shape, at.view.strides = spec.strides;
      at.view.offset += spec.offset * DTypeSize(x.view.dtype);
      at.view.contiguous = Dense(spec.shape, spec.strides);
      places_[size_t(n.out[0])] = at;
    }
  }
  // An output's value is made where the caller will find it, if nothing speaks against it.
  void PlaceOutputs() {
    in_place_.resize(ir_.outputs.size());
    for (size_t o = 0; o < ir_.outputs.size(); ++o) {
      const Place& at = places_[size_t(ir_.outputs[o])];
      if (at.kind != Place::kArena || !at.view.contiguous || at.view.offset) continue;
      int32_t root = at.root;
      const IrValue& r = ir_.values[size_t(root)];
      if (r.dtype != at.view.dtype || r.shape.size() != at.view.shape.size()) continue;
      bool late = o >= ir_.results;  // a gradient whose value forward made would have to be there then
      if (late && !MadeBackward(root)) continue;
      int32_t external = int32_t(ir_.inputs.size() + o);
      for (auto& p : places_)
        if (p.kind == Place::kArena && p.root == root) p.kind = Place::kExternal, p.root = external;
      in_place_[o] = true;
    }
  }
  bool MadeBackward(int32_t v) {
    if (writers_.empty()) writers_ = ir_.Writers();
    int32_t w = writers_[size_t(v)];
    return w >= 0 && ir_.nodes[size_t(w)].backward;
  }
  void FinishOutputs(size_t from, size_t to) {
    static const OpDef& copy = FindOp("_copy");
    for (size_t o = from; o < to; ++o) {
      if (in_place_[o]) continue;
      auto n = std::make_unique<IrNode>();
      n->op = &copy, n->attrs = copy.schema.defaults(), n->name = "output", n->in = {ir_.outputs[o]}, n->out = {-2 - int32_t(o)};
      AddStep(*n);
      p_.copies_.push_back(std::move(n));
    }
  }

  // ---- steps
  int32_t AddView(const Place& at, int32_t step) {
    auto i = int32_t(p_.views_.size());
    p_.views_.push_back(at.view);
    if (at.kind == Place::kExternal) {
      if (size_t(at.root) >= binds_.size()) binds_.resize(size_t(at.root) + 1);
      binds_[size_t(at.root)].push_back({i, at.view.offset});
      externals_.push_back({at.root, step});
    } else if (at.kind == Place::kArena) {
      arena_.push_back({i, at.root});
      Life(at.root, step);
    }
    return i;
  }
  void Life(int32_t root, int32_t step) {
    if (size_t(root) >= life_.size()) life_.resize(size_t(root) + 1, {-1, -1});
    auto& l = life_[size_t(root)];
    if (l.first < 0) l.first = step;
    l.second = step;
  }
  Place OutPlace(const IrNode& n, size_t k) {
    int32_t v = n.out[k];
    if (v >= 0) return places_[size_t(v)];
    Place at;
    if (v == -1) return at;
    size_t o = size_t(-2 - v);  // a copy into an output
    const IrValue& value = ir_.values[size_t(ir_.outputs[o])];
    at.kind = Place::kExternal, at.root = int32_t(ir_.inputs.size() + o), at.view = MakeView(nullptr, value.dtype, value.shape);
    return at;
  }
  // A contiguous copy for a kernel that cannot do without.
  Place Contiguous(const Place& x, const IrNode& user) {
    static const OpDef& copy = FindOp("_copy");
    auto v = int32_t(places_.size());
    Place at;
    at.kind = Place::kArena, at.root = v, at.view = MakeView(nullptr, x.view.dtype, x.view.shape);
    places_.push_back(at);
    auto n = std::make_unique<IrNode>();
    n->op = &copy, n->attrs = copy.schema.defaults(), n->name = user.name, n->backward = user.backward;
    auto step = int32_t(p_.steps_.size());
    Step s;
    s.kind = Step::kElementwise, s.node = n.get();
    s.in = AddView(x, step), s.nin = 1, s.out = AddView(at, step), s.nout = 1;
    p_.steps_.push_back(s);
    p_.copies_.push_back(std::move(n));
    return at;
  }
  void AddStep(const IrNode& n) {
    const OpDef& op = *n.op;
    std::vector<Place> in, out;
    bool any = false, must = op.trait(kEffect);
    for (size_t k = 0; k < n.out.size(); ++k) {
      out.push_back(OutPlace(n, k));
      must |= op.outputs[op.outputs_fn ? 0 : k].updates >= 0 && n.out[k] >= 0;
      any |= out.back().kind != Place::kNone && out.back().view.size() > 0;
    }
    if (!any && !must) return;
    for (int32_t v : n.in) {
      Place at = v < 0 ? Place() : places_[size_t(v)];
      if (at.kind != Place::kNone && !op.trait(kStrided) && !at.view.contiguous) at = Contiguous(at, n);
      in.push_back(std::move(at));
    }
    auto step = int32_t(p_.steps_.size());
    Step s;
    s.node = &n, s.nin = int32_t(in.size()), s.nout = int32_t(out.size());
    const TileLoops* loops = op.kernel && !op.run_kernel ? op.kernel->loops : nullptr;
    if (loops) {
      s.kind = Step::kElementwise;
      if (op.run_scalars) op.run_scalars(op.scalars_fn, n.attrs.get(), s.scalars);
      const TensorView& y = out[0].view;
      constexpr int64_t kSmall = 1 << 15;  // larger ones are the driver's, which knows about threads and caches
      bool plain = !ir_.device && in.size() <= 3 && y.contiguous && y.size() <= kSmall && LoopOf(*loops, y.dtype);
      for (auto& x : in) plain &= x.kind != Place::kNone && x.view.contiguous && x.view.dtype == y.dtype && x.view.shape == y.shape;
      if (plain) s.kind = Step::kLoop, s.loop = LoopOf(*loops, y.dtype), s.n = y.size();
    } else if (!HasKernel(op, ir_.device)) {
      if (ir_.device) FailNoKernel(op, *ir_.device);
      Fail(Status::kUnsupported, op.name, "there is no kernel for the CPU", op.kernel ? Text(" (`", op.kernel_name, "`)") : std::string(), ".");
    }
    s.in = int32_t(p_.views_.size());
    for (auto& x : in) AddView(x, step);
    s.out = int32_t(p_.views_.size());
    for (auto& y : out) AddView(y, step);
    p_.steps_.push_back(s);
    if (reuse_ && out.size() == 1 && out[0].kind == Place::kArena) inplace_.push_back({step, out[0].root});
    Guess(s, n.backward);
  }
  void Guess(const Step& s, bool backward) {
    double bytes = 0;
    for (int i = 0; i < s.nin + s.nout; ++i) bytes += double(p_.views_[size_t((i < s.nin ? s.in : s.out - s.nin) + i)].bytes());
    double us = 0.03 + bytes / kBytesPerUs;
    if (s.node->op->run_cost) {
      std::vector<Shape> shapes;
      for (int i = 0; i < s.nin; ++i) shapes.push_back(p_.views_[size_t(s.in + i)].shape);
      us += s.node->op->run_cost(s.node->op->cost_fn, s.node->attrs.get(), shapes.data(), s.nin) / kFlopsPerUs;
    }
    p_.guess_us_[backward] += us;
  }

  // ---- memory
  // The result may lie where an input lies that nobody reads any more.
  int32_t DyingInput(const Step& s, int32_t step) {
    const OpDef& op = *s.node->op;
    const TensorView& y = p_.views_[size_t(s.out)];
    for (int i = 0; i < s.nin; ++i) {
      if (!op.trait(kElementwise) && !(op.trait(kInplace) && i == 0)) continue;
      int32_t root = ArenaRoot(s.in + i);
      const TensorView& x = p_.views_[size_t(s.in + i)];
      if (root < 0 || life_[size_t(root)].second != step || !x.contiguous || x.offset || x.dtype != y.dtype || x.shape != y.shape) continue;
      if (RootBytes(root) != x.bytes()) continue;
      bool alone = true;
      for (int k = 0; k < s.nin; ++k) {
        if (k == i || ArenaRoot(s.in + k) != root) continue;
        const TensorView& o = p_.views_[size_t(s.in + k)];
        alone &= op.trait(kElementwise) && o.contiguous && !o.offset && o.shape == x.shape && o.dtype == x.dtype;
      }
      if (alone) return root;
    }
    return -1;
  }
  int32_t ArenaRoot(int32_t view) {
    auto it = std::lower_bound(arena_.begin(), arena_.end(), view, [](const Use& u, int32_t v) { return u.view < v; });
    return it != arena_.end() && it->view == view ? it->root : -1;
  }
  int64_t RootBytes(int32_t root) { return root < int32_t(ir_.values.size()) ? ir_.values[size_t(root)].shape.size() * DTypeSize(ir_.values[size_t(root)].dtype) : places_[size_t(root)].view.bytes(); }
  void PlaceArena() {
    std::vector<int32_t> block(places_.size(), -1);
    std::vector<ArenaBlock> blocks;
    std::vector<int32_t> source(p_.steps_.size(), -1);
    for (auto& i : inplace_) source[size_t(i.view)] = i.root;
    auto begin = [&](int32_t root) {
      if (block[size_t(root)] >= 0) return;
      block[size_t(root)] = int32_t(blocks.size());
      auto& l = life_[size_t(root)];
      blocks.push_back({RootBytes(root), reuse_ ? l.first : 0, reuse_ ? l.second : int32_t(p_.steps_.size()), 0});
      p_.value_bytes_ += blocks.back().bytes;
    };
    size_t at = 0;  // arena_ is in the order of steps
    for (auto& s : p_.steps_) {
      auto step = int32_t(&s - p_.steps_.data());
      int32_t result = source[size_t(step)];
      if (result >= 0 && block[size_t(result)] < 0) {
        int32_t dying = DyingInput(s, step);
        if (dying >= 0 && block[size_t(dying)] >= 0) {
          block[size_t(result)] = block[size_t(dying)];
          auto& b = blocks[size_t(block[size_t(dying)])];
          b.last = std::max(b.last, life_[size_t(result)].second);
          p_.value_bytes_ += RootBytes(result);
        }
      }
      for (; at < arena_.size() && arena_[at].view < s.out + s.nout; ++at) begin(arena_[at].root);
    }
    p_.arena_bytes_ = PlaceBlocks(&blocks);
    for (auto& u : arena_) p_.arena_binds_.push_back({u.view, p_.views_[size_t(u.view)].offset + blocks[size_t(block[size_t(u.root)])].offset});
  }
  void Notes() {
    size_t n = ir_.inputs.size() + ir_.outputs.size();
    binds_.resize(n);
    p_.external_binds_ = std::move(binds_);
    p_.external_parts_.assign(n, 0);
    for (auto& e : externals_) p_.external_parts_[size_t(e.first)] |= e.second < p_.forward_steps_ ? kForward : kBackward;
    for (size_t o = 0; o < ir_.outputs.size(); ++o) p_.external_parts_[ir_.inputs.size() + o] |= o < ir_.results ? kForward : kBackward;  // also where it is empty
    p_.updated_.resize(ir_.inputs.size());
    p_.writers_.resize(ir_.outputs.size());
    auto writers = ir_.Writers();
    for (size_t o = 0; o < ir_.outputs.size(); ++o)
      if (int32_t w = writers[size_t(ir_.outputs[o])]; w >= 0) p_.writers_[o] = ir_.nodes[size_t(w)].op->writer;
    for (auto& node : ir_.nodes)
      for (size_t k = 0; k < node.out.size(); ++k)
        if (node.out[k] >= 0 && node.updates(int(k)))
          for (size_t i = 0; i < ir_.inputs.size(); ++i)
            if (ir_.inputs[i] == node.out[k]) p_.updated_[i] = node.op->writer;
  }

  Plan& p_;
  const Ir& ir_;
  const bool reuse_;
  std::vector<Place> places_;
  std::vector<bool> in_place_;                        // by output: its value is made there
  std::vector<int32_t> writers_;
  std::vector<std::vector<Bind>> binds_;
  std::vector<std::pair<int32_t, int32_t>> externals_;  // which, in which step
  std::vector<Use> arena_, inplace_;                  // inplace_: step and result that might lie in an input
  std::vector<std::pair<int32_t, int32_t>> life_;     // by root
};

Plan::Plan(Ir ir, bool reuse) : Object(Kind::kNone), ir_(std::move(ir)) {
  Maker(this, reuse).Make();
  if (ir_.device) graphs_ = std::make_unique<PlanGraphs>(*this);
}

}  // namespace flx
