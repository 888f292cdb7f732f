// SPDX-License-Identifier: Apache-2.0
// Control flow, interpreted in place: a sub-graph is entered as a frame, and its results are taken when it ends. What the steps do is recorded like
// any other operation, so gradients go through loops by the tape.
#include "exec/loop.h"
#include "graph/infer.h"

namespace flx {
namespace {

NDArray One(const char* op, const std::vector<NDArray>& in, const std::vector<std::pair<std::string, std::string>>& options, int mode) {
  return Invoke1(op, in, options, mode);
}
NDArray Stack(const std::vector<NDArray>& parts, int mode) { return One("stack", parts, {{"axis", "0"}, {"num_args", Text(parts.size())}}, mode); }

bool IsTrue(const NDArray& a, const OpDef& op, int64_t timeout_ms, bool* value) {
  if (a->size() != 1) Fail(Status::kShape, op.name, "the condition must be one number, given ", Describe(*a), ".");
  double v;
  if (!ReadArray(*a, &v, 8, DType::kFloat64, false, timeout_ms)) return false;
  return *value = v != 0, true;
}

// Shapes and dtypes of a node's outputs from its inputs, where no step was run that would tell.
std::vector<NDArray> Empty(const Program::Step& s, const std::vector<NDArray>& values, int64_t count, const Device* device) {
  std::vector<Shape> xs, ys(size_t(s.node->CountOutputs(*s.settings)), Shape::Unknown());
  std::vector<DType> xt, yt(ys.size(), DType::kNone);
  for (int k = 0; k < s.ninputs; ++k) {
    const NDArray& a = values[size_t(s.inputs[k])];
    xs.push_back(a->shape), xt.push_back(a->dtype);
  }
  InferControl(*s.node, *s.settings, xs.data(), xt.data(), ys.data(), yt.data());
  std::vector<NDArray> out;
  for (int64_t i = 0; i < count; ++i) {
    if (!ys[size_t(i)].known() || yt[size_t(i)] == DType::kNone)
      Fail(Status::kShape, s.node->kind(), "runs no step here, and the shape of its output ", i, " does not follow from its inputs. Let it run a step at least.");
    out.push_back(Array::Filled(ys[size_t(i)], yt[size_t(i)], 0, device));
  }
  return out;
}
}  // namespace

bool GraphRun::GoLoop(Frame* f, int64_t timeout_ms) {
  switch (f->program->steps[f->at].control) {
    case Control::kForeach: return GoForeach(f);
    case Control::kWhileLoop: return GoWhile(f, timeout_ms);
    case Control::kCond: return GoCond(f, timeout_ms);
    case Control::kNone: break;
  }
  return true;
}

bool GraphRun::GoForeach(Frame* f) {
  const Program::Step& s = f->program->steps[f->at];
  auto& a = *static_cast<const ForeachAttrs*>(s.settings->attrs.get());
  Loop& l = *f->loop;
  // The node's inputs: data, states, what remains.
  const size_t data = a.in_data_locs.size(), states = a.in_state_locs.size();
  auto input = [&](size_t i) -> const NDArray& { return f->values[size_t(s.inputs[i])]; };
  if (l.phase == Loop::kStart) {
    l.steps = -1;
    for (size_t k = 0; k < data; ++k) {
      const NDArray& x = input(k);
      if (x->shape.ndim() < 1) Fail(Status::kShape, s.node->kind(), "data must have an axis to go along, given ", Describe(*x), ".");
      if (l.steps >= 0 && x->shape[0] != l.steps) Fail(Status::kShape, s.node->kind(), "data inputs must be of equal length along axis 0, given ", l.steps, " and ", x->shape[0], ".");
      l.steps = x->shape[0];
    }
    if (l.steps < 0) Fail(Status::kArgument, s.node->kind(), "expected at least one data input to go along, given none. A loop without data is a _while_loop.");
    for (size_t k = 0; k < data; ++k)
      l.cut.push_back(l.steps ? Invoke("SliceChannel", {input(k)}, {{"num_outputs", Text(l.steps)}, {"axis", "0"}, {"squeeze_axis", "1"}}, mode_) : std::vector<NDArray>());
    for (size_t k = 0; k < states; ++k) l.variables.push_back(input(data + k));
    l.collected.resize(size_t(a.num_out_data));
    l.phase = Loop::kStepped;
  } else {
    for (size_t i = 0; i < l.collected.size(); ++i) l.collected[i].push_back(results_[i]);
    for (size_t i = 0; i < l.variables.size(); ++i) l.variables[i] = results_[l.collected.size() + i];
    ++l.step;
  }
  if (l.step < l.steps) {
    std::vector<NDArray> in(static_cast<size_t>(s.ninputs));
    for (size_t k = 0; k < data; ++k) in[size_t(a.in_data_locs[k])] = std::move(l.cut[k][size_t(l.step)]);
    for (size_t k = 0; k < states; ++k) in[size_t(a.in_state_locs[k])] = l.variables[k];
    for (size_t k = 0; k < a.remain_locs.size(); ++k) in[size_t(a.remain_locs[k])] = input(data + states + k);
    Enter(*s.graphs[0], std::move(in));
    return true;
  }
  std::vector<NDArray> out;
  if (l.steps == 0) out = Empty(s, f->values, a.num_out_data, device_);
  else for (auto& parts : l.collected) out.push_back(Stack(parts, mode_));
  for (auto& v : l.variables) out.push_back(std::move(v));
  Finish(f, std::move(out));
  return true;
}

bool GraphRun::GoWhile(Frame* f, int64_t timeout_ms) {
  const Program::Step& s = f->program->steps[f->at];
  auto& a = *static_cast<const WhileLoopAttrs*>(s.settings->attrs.get());
  Loop& l = *f->loop;
  // The node's input i as it is in this step: a variable, or what was given.
  auto now = [&](int64_t i) -> const NDArray& {
    for (size_t k = 0; k < a.func_var_locs.size(); ++k)
      if (a.func_input_locs[size_t(a.func_var_locs[k])] == i) return l.variables[k];
    return f->values[size_t(s.inputs[i])];
  };
  auto gather = [&](const Ints& locs) {
    std::vector<NDArray> in;
    for (int64_t i : locs) in.push_back(now(i));
    return in;
  };
  bool go = false;
  switch (l.phase) {
    case Loop::kStart:
      for (int64_t k : a.func_var_locs) l.variables.push_back(f->values[size_t(s.inputs[a.func_input_locs[size_t(k)]])]);
      l.collected.resize(size_t(a.num_out_data));
      break;
    case Loop::kTested:
      l.condition = results_[0];
      l.phase = Loop::kReading;
      [[fallthrough]];
    case Loop::kReading:
      if (!IsTrue(l.condition, *s.node->op, timeout_ms, &go)) return false;
      l.condition = nullptr;
      if (!go) l.steps = l.step;
      break;
    case Loop::kStepped:
      for (size_t i = 0; i < l.collected.size(); ++i) l.collected[i].push_back(results_[i]);
      for (size_t i = 0; i < l.variables.size(); ++i) l.variables[i] = results_[l.collected.size() + i];
      ++l.step;
      break;
  }
  if (go) {
    l.phase = Loop::kStepped;
    Enter(*s.graphs[1], gather(a.func_input_locs));
    return true;
  }
  if (l.phase != Loop::kReading && l.step < a.max_iterations) {
    l.phase = Loop::kTested;
    Enter(*s.graphs[0], gather(a.cond_input_locs));
    return true;
  }
  std::vector<NDArray> out;
  if (l.step == 0) out = Empty(s, f->values, a.num_out_data, device_);
  else
    for (auto& parts : l.collected) {
      NDArray y = Stack(parts, mode_);
      if (l.step < a.max_iterations) {
        Shape rest = y->shape;
        rest[0] = a.max_iterations - l.step;
        y = One("Concat", {y, Array::Filled(rest, y->dtype, 0, device_)}, {{"dim", "0"}, {"num_args", "2"}}, mode_);
      }
      out.push_back(std::move(y));
    }
  for (auto& v : l.variables) out.push_back(std::move(v));
  Finish(f, std::move(out));
  return true;
}

bool GraphRun::GoCond(Frame* f, int64_t timeout_ms) {
  const Program::Step& s = f->program->steps[f->at];
  auto& a = *static_cast<const CondAttrs*>(s.settings->attrs.get());
  Loop& l = *f->loop;
  auto enter = [&](int which, const Ints& locs) {
    std::vector<NDArray> in;
    for (int64_t i : locs) in.push_back(f->values[size_t(s.inputs[i])]);
    Enter(*s.graphs[size_t(which)], std::move(in));
  };
  bool holds = false;
  switch (l.phase) {
    case Loop::kStart:
      l.phase = Loop::kTested;
      enter(0, a.cond_input_locs);
      return true;
    case Loop::kTested:
      l.condition = results_[0];
      l.phase = Loop::kReading;
      [[fallthrough]];
    case Loop::kReading:
      if (!IsTrue(l.condition, *s.node->op, timeout_ms, &holds)) return false;
      l.condition = nullptr;
      l.phase = Loop::kStepped;
      if (holds) enter(1, a.then_input_locs);
      else enter(2, a.else_input_locs);
      return true;
    case Loop::kStepped: Finish(f, std::move(results_)); results_.clear(); break;
  }
  return true;
}

}  // namespace flx
