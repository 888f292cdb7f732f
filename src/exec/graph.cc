// SPDX-License-Identifier: Apache-2.0
#include "exec/graph.h"

#include "base/reword.h"
#include "exec/autograd.h"
#include "exec/core.h"
#include "exec/loop.h"
#include "op/control/host.h"

namespace flx {
namespace {
// `*`, `?` and `|`; going back to the last star only, so that no pattern takes long.
bool MatchOne(std::string_view p, std::string_view s) {
  size_t i = 0, k = 0, star = p.npos, from = 0;
  while (k < s.size()) {
    if (i < p.size() && (p[i] == '?' || (p[i] == s[k] && p[i] != '*'))) ++i, ++k;
    else if (i < p.size() && p[i] == '*') star = i++, from = k;
    else if (star != p.npos) i = star + 1, k = ++from;
    else return false;
  }
  while (i < p.size() && p[i] == '*') ++i;
  return i == p.size();
}
bool Matches(std::string_view pattern, std::string_view s) {
  for (auto& p : Split(pattern, '|'))
    if (MatchOne(Trim(p), s)) return true;
  return false;
}
}  // namespace

Ref<Graph> Graph::New(const Ref<Symbol>& symbol, std::string_view monitor) {
  if (monitor.empty()) return Ref<Graph>::Take(new Graph(symbol));
  std::vector<Entry> all = symbol->outputs;
  for (int i = 0, n = symbol->Count(Part::kInternal); i < n; ++i) {
    Entry e = symbol->At(Part::kInternal, i);
    if (!e.node->variable() && Matches(monitor, symbol->Name(Part::kInternal, i))) all.push_back(std::move(e));
  }
  if (all.size() == symbol->outputs.size())
    Fail(Status::kArgument, "graph", "`monitor` = `", monitor, "` matches no internal output of the symbol. Names are such as `", symbol->Name(Part::kInternal, symbol->Count(Part::kInternal) - 1), "`; `*` stands for any text.");
  return Ref<Graph>::Take(new Graph(Symbol::New(std::move(all))));
}

std::vector<NDArray> Graph::InOrder(const std::vector<NDArray>& arrays) const {
  const GraphIndex& g = program_.index;
  size_t nargs = g.arguments.size();
  if (arrays.size() != nargs + g.auxiliaries.size()) {
    const Symbol& s = *symbol;
    Fail(Status::kArgument, "graph", "expected ", nargs, " arguments (", Join(s.Names(Part::kArgument), ", "), ") and ", g.auxiliaries.size(), " auxiliary states",
         g.auxiliaries.empty() ? "" : " (", Join(s.Names(Part::kAuxiliary), ", "), g.auxiliaries.empty() ? "" : ")", ", given ", arrays.size(), " arrays.");
  }
  std::vector<NDArray> inputs;
  size_t arg = 0, aux = nargs;
  for (int i : g.inputs_order) inputs.push_back(arrays[arg < nargs && g.arguments[arg] == i ? arg++ : aux++]);
  return inputs;
}
GraphRun::GraphRun(Ref<const Graph> graph, int mode, const std::vector<NDArray>& arrays) : graph_(std::move(graph)), mode_(mode), device_(arrays.empty() ? nullptr : arrays[0]->device()) {
  for (auto& a : arrays) inputs_.push_back(a->storage);
  Enter(graph_->program(), graph_->InOrder(arrays));
}
GraphRun::~GraphRun() = default;

void GraphRun::Enter(const Program& p, std::vector<NDArray> inputs) {
  auto f = std::make_unique<Frame>();
  f->program = &p;
  f->values.resize(size_t(p.index.values()));
  for (size_t i = 0; i < inputs.size(); ++i) f->values[size_t(p.index.first_value[size_t(p.index.inputs_order[i])])] = std::move(inputs[i]);
  f->shaped = p.CallsFor(f->values);
  frames_.push_back(std::move(f));
}


void GraphRun::RunStep(Frame* f) {
  const Program::Step& s = f->program->steps[f->at];
  const Call& call = s.call ? *s.call : *(*f->shaped)[size_t(s.shaped)];
  SmallVector<Array*, 8> in;
  for (int k = 0; k < s.ninputs; ++k) in.emplace_back(f->values[size_t(s.inputs[k])].get());
  SmallVector<NDArray, 4> out(call.noutputs);
  try {
    InvokeAll(call, mode_, in.data(), in.size(), nullptr, 0, out.data(), nullptr, device_);
  } catch (const Error& e) {
    FailInNode(e, s.node->name, s.node->kind());
  }
  for (int k = 0; k < call.noutputs; ++k) f->values[size_t(s.first + k)] = std::move(out[k]);
}

void GraphRun::Ask(Frame* f) {
  const Program::Step& s = f->program->steps[f->at];
  if (mode_ & kTrace) FailHostHere(*s.node->op);
  auto a = std::make_unique<Asked>();
  try {
    a->token = TokenOf(*static_cast<const HostAttrs*>(s.settings->attrs.get()));
  } catch (const Error& e) {
    FailInNode(e, s.node->name, s.node->kind());
  }
  for (int k = 0; k < s.ninputs; ++k) a->inputs.push_back(Detach(f->values[size_t(s.inputs[k])]));
  asked_ = std::move(a);
}
void GraphRun::Reply(const std::vector<NDArray>& given) {
  if (!asked_) Fail(Status::kState, "forward", "no host function is wanted now.");
  Frame* f = frames_.back().get();
  const Program::Step& s = f->program->steps[f->at];
  const Call& call = *s.call;
  const std::string who = HostLabel(asked_->token);
  if (int(given.size()) != call.noutputs)
    Fail(Status::kArgument, "forward", who, " gives ", call.noutputs, call.noutputs == 1 ? " output" : " outputs", " (attribute `outputs` of node `", s.node->name, "`), the reply has ", given.size(), " arrays.");
  SmallVector<Shape, 8> shapes;
  SmallVector<DType, 8> types;
  for (auto& a : asked_->inputs) shapes.emplace_back(a->shape), types.emplace_back(a->dtype);
  Inference want;
  want.Run(call, call.attrs.get(), shapes.data(), types.data(), shapes.size());
  std::vector<NDArray> in, out;
  for (int i = 0; i < call.noutputs; ++i) {
    const NDArray& y = given[size_t(i)];
    if (!y) Fail(Status::kArgument, "forward", who, ": output ", i, " of the reply is null, expected ", want.yt[i], " ", want.ys[i], ".");
    if (y->shape != want.ys[i])
      Fail(Status::kShape, "forward", who, ": output ", i, " must be of shape ", want.ys[i], " (attribute `shapes` of node `", s.node->name, "`), given ", Describe(*y), ".");
    if (y->dtype != want.yt[i]) Fail(Status::kType, "forward", who, ": output ", i, " must be ", want.yt[i], " as its first input is, given ", Describe(*y), ".");
    if (!y->on_cpu()) Fail(Status::kDevice, "forward", who, ": output ", i, " must be on the CPU.");
    out.push_back(Detach(y));  // what the host did to make it is the host's
  }
  bool record = false;
  for (int k = 0; k < s.ninputs; ++k) {
    in.push_back(f->values[size_t(s.inputs[k])]);
    record |= (mode_ & kRecord) && IsRecorded(*in.back());
  }
  if (record) RecordHost(asked_->token, in, out);
  for (int k = 0; k < call.noutputs; ++k) f->values[size_t(s.first + k)] = std::move(out[size_t(k)]);
  asked_ = nullptr;
  Leave(f);
}
void GraphRun::Leave(Frame* f) {
  for (int32_t v : f->program->steps[f->at].last) f->values[size_t(v)] = nullptr;
  ++f->at;
}

void GraphRun::Finish(Frame* f, std::vector<NDArray> results) {
  const Program::Step& s = f->program->steps[f->at];
  for (size_t k = 0; k < results.size(); ++k) f->values[size_t(s.first) + k] = std::move(results[k]);
  f->loop = nullptr;
}

bool GraphRun::Go(int64_t timeout_ms) {
  if (done_) return true;
  if (asked_) return false;
  while (!frames_.empty()) {
    Frame* f = frames_.back().get();
    const Program& p = *f->program;
    if (f->at == p.steps.size()) {
      results_.clear();
      for (int32_t v : p.index.outputs) results_.push_back(f->values[size_t(v)]);
      frames_.pop_back();
      continue;
    }
    const Program::Step& s = p.steps[f->at];
    if (s.host) {
      Ask(f);
      return false;
    }
    if (s.control == Control::kNone) {
      RunStep(f);
    } else {
      if (!f->loop) f->loop = std::make_unique<Loop>();
      try {
        if (!GoLoop(f, timeout_ms)) return false;
      } catch (const Error& e) {
        FailInNode(e, s.node->name, s.node->kind());
      }
      if (f->loop) continue;  // a sub-graph was entered
    }
    Leave(f);
  }
  outputs_ = std::move(results_);
  static const auto& copy = Forever(Call::New("_copy"));
  for (auto& y : outputs_)  // a variable, or a view of one: what the caller writes next must not change it
    for (auto& x : inputs_)
      if (y->storage == x) {
        y = Invoke(*copy, mode_, {y})[0];
        break;
      }
  inputs_.clear();
  return done_ = true;
}

}  // namespace flx
