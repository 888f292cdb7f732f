// SPDX-License-Identifier: Apache-2.0
#include "op/cost.h"

#include <deque>

namespace flx {
namespace {
constexpr int64_t kMost = INT64_MAX;

bool SumsProducts(const OpDef& op) {
  std::string_view family = op.family;
  return family != "loss" && family != "vision";
}

// Runs a composition on shapes and counts its calls.
class Counting final : public Builder {
 public:
  int64_t count = 0;
  Val Add(const Shape& s, DType t) {
    values_.push_back({s, t});
    return {this, int32_t(values_.size()) - 1};
  }
  void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) override {
    SmallVector<Shape, 8> xs(nin);
    SmallVector<DType, 8> xt(nin);
    SmallVector<Shape, 4> ys(nout);
    SmallVector<DType, 4> yt(nout);
    uint64_t present = 0;
    for (int i = 0; i < nin; ++i) {
      xs[i] = in[i] ? shape(in[i]) : Shape::Unknown(), xt[i] = in[i] ? dtype(in[i]) : DType::kNone;
      present |= i < 64 && in[i] ? 1ull << i : 0;
    }
    for (int i = 0; i < nout; ++i) ys[i] = Shape::Unknown(), yt[i] = DType::kNone;
    InferAll(op, attrs.get(), xs.data(), xt.data(), nin, ys.data(), yt.data(), nout, present);
    count = AddCounts(count, MultiplyAdds(op, attrs, xs.data(), xt.data(), nin));
    for (int i = 0; i < nout; ++i) out[i] = Add(ys[i], yt[i]);
  }
  const Shape& shape(Val v) override { return values_[size_t(v.id)].shape; }
  DType dtype(Val v) override { return values_[size_t(v.id)].dtype; }
  bool training() const override { return false; }

 private:
  struct Value { Shape shape; DType dtype; };
  std::deque<Value> values_;  // shape() gives references, which must last
};
}  // namespace

int64_t CountElements(const Shape& s) {
  int64_t n = 1;
  for (int64_t size : s) {
    if (size == 0) return 0;
    n = TimesCount(n, size);
  }
  return n;
}
int64_t AddCounts(int64_t a, int64_t b) { return a > kMost - b ? kMost : a + b; }
int64_t TimesCount(int64_t a, int64_t b) { return a && b > kMost / a ? kMost : a * b; }

int64_t MultiplyAdds(const OpDef& op, const Attrs& attrs, const Shape* xs, const DType* xt, int nin) {
  for (int i = 0; i < nin; ++i)
    for (int64_t n : xs[i])
      if (n == 0) return 0;
  if (op.run_cost) {
    double n = SumsProducts(op) ? op.run_cost(op.cost_fn, attrs.get(), xs, nin) / 2 : 0;
    return n >= 9e18 ? kMost : n > 0 ? int64_t(n) : 0;
  }
  if (!op.compose_fn || !op.kernel_name.empty()) return 0;
  Counting b;
  std::vector<Val> x;
  for (int i = 0; i < nin; ++i) x.push_back(xs[i].known() ? b.Add(xs[i], xt[i]) : Val{});
  op.run_compose(op.compose_fn, x, attrs.get());
  return b.count;
}

}  // namespace flx
