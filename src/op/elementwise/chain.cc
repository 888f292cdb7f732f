// SPDX-License-Identifier: Apache-2.0
// Chains: their order, the places of what steps make, and the operator that runs one.
#include "op/elementwise/chain.h"

#include <algorithm>

#include "op/elementwise/family.h"

namespace flx {
namespace {
constexpr const char* kWho = "_fused";

// Steps in the order in which outputs need them.
struct Order {
  const std::vector<ChainStep>& steps;
  std::vector<int> place;   // by step: where it goes; -1: not yet, -2: being visited
  std::vector<ChainStep> out;
  void Visit(int s) {
    if (s < 0 || s >= int(steps.size())) Fail(Status::kArgument, kWho, "there is no step ", s, ".");
    if (place[size_t(s)] >= 0) return;
    if (place[size_t(s)] == -2) Fail(Status::kArgument, kWho, "a step depends on itself.");
    place[size_t(s)] = -2;
    for (int in : steps[size_t(s)].in) if (in < 0) Visit(~in);
    ChainStep step = steps[size_t(s)];
    for (int& in : step.in) if (in < 0) in = ~place[size_t(~in)];
    place[size_t(s)] = int(out.size());
    out.push_back(std::move(step));
  }
};

void Check(const ChainStep& s) {
  if (!s.op || !CanBeStep(*s.op)) Fail(Status::kArgument, kWho, "expected elementwise operators with loops, given `", s.op ? s.op->name : "none", "`.");
  if (s.in.size() != s.op->inputs.size()) Fail(Status::kArgument, kWho, "`", s.op->name, "` takes ", s.op->inputs.size(), " inputs, given ", s.in.size(), ".");
}

// Which steps follow each other in registers, and the codes for them.
void Segment(const std::vector<ChainStep>& steps, ChainProgram* p) {
  const int n = int(steps.size());
  auto cheap = [&](int s) { return p->steps[size_t(s)].loops->acc32[0] != nullptr; };
  auto place_in = [&](int s) {  // which input of step s is the result before it; -1: none
    auto& in = steps[size_t(s)].in;
    for (size_t k = 0; k < in.size(); ++k) if (in[k] == ~(s - 1)) return int(k);
    return -1;
  };
  std::vector<bool> stored(size_t(n), false);  // someone reads it from memory
  for (int o : p->output_step) stored[size_t(o)] = true;
  for (int s = 0; s < n;) {
    ChainProgram::Segment g{s, s, {}, {}};
    while (cheap(s) && g.last + 1 < n && cheap(g.last + 1) && place_in(g.last + 1) >= 0) ++g.last;
    for (int k = g.first; k <= g.last; ++k) {
      int by_register = k > g.first ? place_in(k) : -1;
      for (size_t i = 0; i < steps[size_t(k)].in.size(); ++i)
        if (int in = steps[size_t(k)].in[i]; in < 0 && int(i) != by_register) stored[size_t(~in)] = true;
    }
    s = g.last + 1;
    p->segments.push_back(std::move(g));
  }
  for (auto& g : p->segments) {
    if (g.first == g.last) continue;
    for (bool wide : {false, true}) {
      const ChainMachine& m = MachineOf(wide);
      auto& code = wide ? g.f64 : g.f32;
      code.push_back({m.load, p->steps[size_t(g.first)].from[0], {}});
      for (int k = g.first; k <= g.last; ++k) {
        const ChainProgram::Step& step = p->steps[size_t(k)];
        int place = k > g.first ? place_in(k) : 0;
        ChainCode c{(wide ? step.loops->acc64 : step.loops->acc32)[place], step.nin > 1 ? step.from[1 - place] : 0, {}};
        std::copy(step.scalars, step.scalars + kChainScalars, c.scalars);
        code.push_back(c);
        if (stored[size_t(k)]) code.push_back({m.store, step.to, {}});
      }
      code.push_back({m.end, 0, {}});
    }
  }
}

std::shared_ptr<const ChainProgram> Prepare(const std::vector<ChainStep>& steps, const std::vector<int>& outputs) {
  auto p = std::make_shared<ChainProgram>();
  std::vector<int> last(steps.size(), -1), place(steps.size(), -1);
  for (size_t s = 0; s < steps.size(); ++s)
    for (int in : steps[s].in) {
      if (in < 0) last[size_t(~in)] = int(s);
      else p->ninputs = std::max(p->ninputs, in + 1);
    }
  if (p->ninputs > kChainInputs || outputs.size() > size_t(kChainOutputs) || steps.size() > size_t(kChainSteps))
    Fail(Status::kArgument, kWho, "a chain has at most ", kChainSteps, " steps, ", kChainInputs, " inputs and ", kChainOutputs, " outputs, given ", steps.size(), ", ", p->ninputs,
         " and ", outputs.size(), ".");
  p->noutputs = int(outputs.size()), p->output_step = outputs;
  p->last_read.assign(size_t(p->ninputs), -1);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (place[size_t(outputs[i])] >= 0) Fail(Status::kArgument, kWho, "a step is given as an output twice.");
    place[size_t(outputs[i])] = p->ninputs + int(i);
  }
  const int slot0 = p->ninputs + p->noutputs;
  std::vector<int> free;
  for (size_t s = 0; s < steps.size(); ++s) {
    ChainProgram::Step step{};
    const OpDef& op = *steps[s].op;
    step.loops = op.kernel->loops, step.nin = int(steps[s].in.size());
    if (op.run_scalars) op.run_scalars(op.scalars_fn, steps[s].attrs.get(), step.scalars);
    for (int k = 0; k < step.nin; ++k) {
      int in = steps[s].in[size_t(k)];
      step.from[k] = in >= 0 ? in : place[size_t(~in)];
      if (in >= 0) p->last_read[size_t(in)] = int(s);
      if (in < 0 && last[size_t(~in)] == int(s) && step.from[k] >= slot0 && std::find(free.begin(), free.end(), step.from[k]) == free.end())
        free.push_back(step.from[k]);  // a loop's result may lie on its input
    }
    if (place[s] < 0) {
      if (free.empty()) free.push_back(slot0 + p->nslots++);
      place[s] = free.back();
      free.pop_back();
    }
    step.to = place[s];
    p->steps.push_back(step);
  }
  Segment(steps, p.get());
  return p;
}

int CountResults(const ChainAttrs& a) { return int(a.chain.outputs().size()); }
void InferChain(Infer& c, const ChainAttrs& a) {
  c.Expect(c.nin == a.chain.ninputs(), "the chain reads ", a.chain.ninputs(), " inputs, given ", c.nin, ".");
  Shape s = c.x(0);
  for (int i = 1; i < c.nin; ++i) s = BroadcastShapes(c, s, c.x(i));
  for (int i = 0; i < c.nout; ++i) c.set_y(i, s);
}
}  // namespace

bool CanBeStep(const OpDef& op) {
  return op.kernel && op.kernel->loops && !op.run_kernel && !op.variadic && !op.outputs_fn && op.outputs.size() == 1 && op.inputs.size() >= 1 &&
         op.inputs.size() <= 3 && op.nscalars <= kChainScalars;
}

Chain::Chain(const std::vector<ChainStep>& steps, const std::vector<int>& outputs) {
  Order order{steps, std::vector<int>(steps.size(), -1), {}};
  for (auto& s : steps) Check(s);
  for (int o : outputs) order.Visit(o), outputs_.push_back(order.place[size_t(o)]);
  if (outputs.empty()) Fail(Status::kArgument, kWho, "a chain needs a result.");
  steps_ = std::move(order.out);
  program_ = Prepare(steps_, outputs_);
}
std::vector<Val> ComposeChain(const Chain& chain, const std::vector<Val>& x) {
  std::vector<Val> made, out;
  for (auto& s : chain.steps()) {
    std::vector<Val> in;
    for (int k : s.in) in.push_back(k >= 0 ? x[size_t(k)] : made[size_t(~k)]);
    made.push_back(Calls(*s.op, s.attrs, in)[0]);
  }
  for (int s : chain.outputs()) out.push_back(made[size_t(s)]);
  return out;
}
bool operator==(const Chain& a, const Chain& b) {
  if (a.steps_.size() != b.steps_.size() || a.outputs_ != b.outputs_) return false;
  for (size_t i = 0; i < a.steps_.size(); ++i) {
    auto &s = a.steps_[i], &t = b.steps_[i];
    if (s.op != t.op || s.in != t.in || !s.op->schema.Equal(s.attrs.get(), t.attrs.get())) return false;
    for (int k = 0; k < kChainScalars; ++k)  // runtime attributes, which schemas do not compare
      if (a.program_->steps[i].scalars[k] != b.program_->steps[i].scalars[k]) return false;
  }
  return true;
}

void AddChainOps(std::vector<OpDef>* ops) {
  ops->push_back(Op<ChainAttrs>("_fused").family("elementwise").traits(kInternal | kElementwise | kStrided)
                     .doc("Elementwise operators run together, tile by tile in the cache: the operators' own results, without a trip to memory between them.")
                     .attr(&ChainAttrs::chain, "chain", "The operators, as in `relu(_plus_scalar(x0, scalar=1))`; x0 is the first input.").required()
                     .input_list("data", "Arrays of one dtype, which broadcast to the results' shape.")
                     .output("output", "The results, in order.").outputs_count(CountResults).infer(InferChain).compose([](const std::vector<Val>& x, const ChainAttrs& a) { return ComposeChain(a.chain, x); }).kernel<ChainKernel>());
}
void AddChainCpuKernels(KernelList* list) { list->push_back(Kernel<ChainKernel>(&ChainCpu).OnDevices()); }

}  // namespace flx
