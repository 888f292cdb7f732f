// SPDX-License-Identifier: Apache-2.0
#include "exec/program.h"

#include <algorithm>

#include "graph/infer.h"

namespace flx {
namespace {
constexpr size_t kKept = 8;
}  // namespace

bool ShapeOpen(const OpDef& op, const void* attrs) {
  if (!op.trait(kInit) && !op.inputs.empty()) return false;
  const Field* f = op.schema.Find("shape");
  if (!f || f->type != FieldTypeOf<Ints>()) return false;
  auto& shape = *static_cast<const Ints*>(f->ptr(attrs));
  return std::any_of(shape.begin(), shape.end(), [](int64_t n) { return n < 0; });
}
Attrs WithShape(const OpDef& op, const Attrs& attrs, const Shape& found) {
  if (!ShapeOpen(op, attrs.get())) return attrs;
  auto own = op.schema.Copy(attrs.get());
  *static_cast<Ints*>(op.schema.Find("shape")->ptr(own.get())) = found.vec();
  return own;
}

Program::Program(Ref<Symbol> s) : symbol(std::move(s)), index(symbol->index()) {
  std::vector<int32_t> last(size_t(index.values()), -1);
  for (int i = 0; i < index.size(); ++i) {
    Node* n = index.nodes[size_t(i)];
    if (n->variable()) continue;
    Step step;
    step.node = n, step.settings = n->settings(), step.control = ControlOf(*n->op);
    step.first = index.first_value[size_t(i)], step.inputs = index.inputs(i), step.ninputs = index.input_count(i);
    step.host = n->op->trait(kHost);
    waits |= step.host;
    if (step.control != Control::kNone) {
      waits |= step.control != Control::kForeach;
      for (auto& g : n->subgraphs) {
        step.graphs.push_back(std::make_unique<const Program>(g));
        waits |= step.graphs.back()->waits;
      }
    } else if (ShapeOpen(*n->op, step.settings->attrs.get())) {
      step.shaped = int32_t(shaped_.size());
      shaped_.push_back(int32_t(steps.size()));
    } else {
      step.call = Call::New(*n->op, step.settings->attrs);
    }
    for (int k = 0; k < step.ninputs; ++k) last[size_t(step.inputs[k])] = int32_t(steps.size());
    steps.push_back(std::move(step));
  }
  for (int32_t v : index.outputs) last[size_t(v)] = -1;
  for (int v = 0; v < index.values(); ++v)
    if (last[size_t(v)] >= 0) steps[size_t(last[size_t(v)])].last.push_back(v);
}
Program::~Program() = default;

std::shared_ptr<const Program::Shaped> Program::CallsFor(const std::vector<NDArray>& values) const {
  if (shaped_.empty()) return nullptr;
  Kept fresh;
  for (int i : index.inputs_order) {
    const NDArray& a = values[size_t(index.first_value[size_t(i)])];
    fresh.shapes.push_back(a->shape), fresh.dtypes.push_back(a->dtype);
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& k : kept_)
      if (k.shapes == fresh.shapes && k.dtypes == fresh.dtypes) return k.calls;
  }
  Inferred known = NothingKnown(index);
  for (size_t i = 0; i < index.inputs_order.size(); ++i) {
    size_t v = size_t(index.first_value[size_t(index.inputs_order[i])]);
    known.shapes[v] = fresh.shapes[i], known.dtypes[v] = fresh.dtypes[i];
  }
  InferMore(*symbol, &known);
  auto calls = std::make_shared<Shaped>();
  for (int32_t at : shaped_) {
    const Step& s = steps[size_t(at)];
    const Shape& shape = known.shapes[size_t(s.first)];
    if (!shape.known())
      Fail(Status::kShape, s.node->kind(), "the shape of node `", s.node->name, "` does not follow from where it is used (found: ", shape, "). Give its `shape` without unknown sizes.");
    calls->push_back(Call::New(*s.node->op, WithShape(*s.node->op, s.settings->attrs, shape)));
  }
  fresh.calls = calls;
  std::lock_guard<std::mutex> lock(mutex_);
  if (kept_.size() == kKept) kept_.erase(kept_.begin());
  kept_.push_back(std::move(fresh));
  return calls;
}

}  // namespace flx
