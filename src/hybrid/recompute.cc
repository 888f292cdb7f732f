// SPDX-License-Identifier: Apache-2.0
// Cheap values that backward reads are made again there from what is kept anyway, so that they need not live from forward to backward.
//   A value of forward that backward reads is kept if its operator is not cheap, or if not all that it is made of is there in backward: other kept
//   values, values made again, constants, and inputs and results that backward reads in any case (what else is read there, the caller must leave as it
//   was). In a long row of cheap operators every kDeepest-th value is kept: were all made again from the first, all of them would live at once.
#include <algorithm>

#include "hybrid/pass.h"

namespace flx {
namespace {

constexpr int kDeepest = 8;

class Recomputer {
 public:
  explicit Recomputer(Ir* ir) : ir_(*ir) {}
  int64_t Run() {
    auto behind = std::find_if(ir_.nodes.begin(), ir_.nodes.end(), [](const IrNode& n) { return n.backward; });
    if (behind == ir_.nodes.end()) return 0;
    forward_ = size_t(behind - ir_.nodes.begin());
    for (size_t i = forward_; i < ir_.nodes.size(); ++i)
      if (!ir_.nodes[i].backward) return 0;
    writer_ = ir_.Writers(), updated_ = ir_.Updated();
    read_.resize(ir_.values.size());
    for (size_t i = forward_; i < ir_.nodes.size(); ++i)
      for (int32_t v : ir_.nodes[i].in) if (v >= 0) read_[size_t(v)] = true;
    std::vector<bool> held = read_;  // read in backward, or the memory of something that is
    for (size_t i = forward_; i-- > 0;)
      if (const IrNode& n = ir_.nodes[i]; IsView(n) && held[size_t(n.out[0])]) held[size_t(n.in[0])] = true;
    Decide(held);
    return Place();
  }

 private:
  enum State : int8_t { kLost, kHeld, kAgain };  // of a value, in backward
  bool IsView(const IrNode& n) const { return n.op->view_fn && n.out.size() == 1 && n.out[0] >= 0 && !n.in.empty() && n.in[0] >= 0; }
  bool IsCheap(const IrNode& n) const {
    const OpDef& op = *n.op;
    if (op.trait(kEffect)) return false;
    for (size_t k = 0; k < n.out.size(); ++k) if (n.out[k] < 0 || n.updates(int(k))) return false;
    for (int32_t v : n.in) if (v >= 0 && updated_[size_t(v)]) return false;
    return IsView(n) || op.trait(kElementwise) || op.trait(kExpands) || (op.trait(kRandom) && op.trait(kInplace)) || op.trait(kInit);  // the third: dropout
  }
  void Decide(const std::vector<bool>& held) {
    state_.resize(ir_.values.size(), kLost), depth_.resize(ir_.values.size());
    for (int32_t v : ir_.inputs) if (read_[size_t(v)]) state_[size_t(v)] = kHeld;
    for (auto& c : ir_.constants) state_[size_t(c.first)] = kHeld;
    std::vector<bool> kept = ir_.Kept();
    for (size_t i = 0; i < forward_; ++i) {
      const IrNode& n = ir_.nodes[i];
      bool again = IsCheap(n), view = IsView(n);
      int depth = view ? 0 : 1, most = 0;
      for (int32_t v : n.in) {
        if (v < 0) continue;
        again &= state_[size_t(v)] != kLost;
        most = std::max(most, int(depth_[size_t(v)]));
      }
      depth += most;
      if (view && again) again = state_[size_t(n.in[0])] == kAgain;  // of memory that is held anyway it costs nothing to hold
      for (int32_t v : n.out) if (v >= 0 && kept[size_t(v)] && read_[size_t(v)]) again = false;
      if (depth > kDeepest) again = false;
      for (int32_t v : n.out) {
        if (v < 0) continue;
        state_[size_t(v)] = again ? kAgain : held[size_t(v)] ? kHeld : kLost;
        if (again) depth_[size_t(v)] = depth;
      }
    }
  }
  int64_t Place() {
    std::vector<IrNode> nodes(ir_.nodes.begin(), ir_.nodes.begin() + std::ptrdiff_t(forward_));
    std::vector<int32_t> now(ir_.values.size(), -1);  // by value of forward: the one made again
    int64_t made = 0;
    std::vector<std::pair<int32_t, bool>> work;       // writers; whether what they read is there
    for (size_t i = forward_; i < ir_.nodes.size(); ++i) {
      IrNode n = ir_.nodes[i];
      for (int32_t& v : n.in) {
        if (v < 0 || state_[size_t(v)] != kAgain) continue;
        work.push_back({writer_[size_t(v)], false});
        while (!work.empty()) {
          auto [w, ready] = work.back();
          const IrNode& from = ir_.nodes[size_t(w)];
          if (now[size_t(from.out[0])] >= 0) { work.pop_back(); continue; }
          if (!ready) {
            work.back().second = true;
            for (int32_t x : from.in)
              if (x >= 0 && state_[size_t(x)] == kAgain && now[size_t(x)] < 0) work.push_back({writer_[size_t(x)], false});
            continue;
          }
          work.pop_back();
          IrNode copy = from;
          copy.backward = true;
          for (int32_t& x : copy.in) if (x >= 0 && now[size_t(x)] >= 0) x = now[size_t(x)];
          for (int32_t& y : copy.out) {
            const IrValue value = ir_.values[size_t(y)];
            now[size_t(y)] = ir_.NewValue(value.shape, value.dtype);
            y = now[size_t(y)];
          }
          nodes.push_back(std::move(copy));
          ++made;
        }
        v = now[size_t(v)];
      }
      nodes.push_back(std::move(n));
    }
    ir_.nodes = std::move(nodes);
    DropOriginals(now);
    return made;
  }
  // What only backward read is not made in forward any more.
  void DropOriginals(const std::vector<int32_t>& now) {
    std::vector<bool> used = ir_.Kept();
    std::vector<IrNode> nodes;  // from the last to the first
    for (size_t i = ir_.nodes.size(); i-- > 0;) {
      IrNode& n = ir_.nodes[i];
      bool needed = i >= forward_ || n.out.empty();
      for (int32_t v : n.out) needed |= v < 0 || used[size_t(v)] || size_t(v) >= now.size() || now[size_t(v)] < 0;
      if (!needed) continue;
      for (int32_t v : n.in) if (v >= 0) used[size_t(v)] = true;
      nodes.push_back(std::move(n));
    }
    ir_.nodes.assign(std::make_move_iterator(nodes.rbegin()), std::make_move_iterator(nodes.rend()));
  }

  Ir& ir_;
  size_t forward_ = 0;              // where backward begins
  std::vector<int32_t> writer_;
  std::vector<bool> updated_, read_;  // read_: by backward
  std::vector<State> state_;
  std::vector<int> depth_;          // how many operators make it again from what is held
};
}  // namespace

int64_t Recompute(Ir* ir) { return Recomputer(ir).Run(); }

}  // namespace flx
