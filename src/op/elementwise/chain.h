// SPDX-License-Identifier: Apache-2.0
// Chains: elementwise operators that run together, tile by tile, each tile staying in the first cache from the first step to the last. The internal
// operator `_fused` runs one; passes make them. A step is an operator with loops (op.h, TileLoops); its result has the chain's shape and dtype, which
// all inputs broadcast to. Results have the bits that the operators give one by one, for every dtype.
//   As text: "relu(_plus_scalar(x0, scalar=1))". What is used more than once, or is a result besides, has a name of its own, and results stand in
//   order: "t0 = exp(x0); broadcast_mul(t0, x1); t0".
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "op/elementwise/chain_machine.h"
#include "op/op.h"

namespace flx {

constexpr int kChainSteps = 32, kChainInputs = 12, kChainOutputs = 8, kChainScalars = 4;

struct ChainStep {
  const OpDef* op = nullptr;
  Attrs attrs;           // of op's schema
  std::vector<int> in;   // by port: k >= 0 is input k of the chain, ~k the result of step k
};

// What the kernel reads, made once.
struct ChainProgram {
  struct Step {
    const TileLoops* loops;
    int nin;
    int from[3];         // places: inputs first, then outputs, then slots
    int to;
    double scalars[kChainScalars];
  };
  // Steps [first, last] of which each works on the result of the one before, as codes of the machine; empty: a single step, or one without such a form.
  struct Segment { int first, last; std::vector<ChainCode> f32, f64; };
  std::vector<Step> steps;
  std::vector<Segment> segments;
  int ninputs = 0, noutputs = 0, nslots = 0;
  std::vector<int> output_step;           // by output
  std::vector<int> last_read;             // by input: the last step that reads it
  struct Compiled;                        // for devices (chain_device.cc): a list that only grows
  mutable std::atomic<Compiled*> compiled{nullptr};
  ChainProgram() = default;
  ~ChainProgram();
};

class Chain {
 public:
  Chain() = default;
  // `outputs`: the steps whose results are wanted, each once. Steps are put in the order in which the outputs need them; what none needs is dropped.
  Chain(const std::vector<ChainStep>& steps, const std::vector<int>& outputs);
  const std::vector<ChainStep>& steps() const { return steps_; }
  const std::vector<int>& outputs() const { return outputs_; }
  int ninputs() const { return program_ ? program_->ninputs : 0; }
  const ChainProgram& program() const { return *program_; }
  std::string Print() const;
  static bool Parse(std::string_view text, Chain* to);   // false: not a chain
  friend bool operator==(const Chain& a, const Chain& b);

 private:
  std::vector<ChainStep> steps_;
  std::vector<int> outputs_;
  std::shared_ptr<const ChainProgram> program_;
};
bool CanBeStep(const OpDef& op);   // it has loops of its own, and one output

namespace attrs_detail {
template <> struct Traits<Chain> {
  static std::string Type(const Field&) { return "chain of operators"; }
  static bool Parse(const Field&, Chain* p, std::string_view s) { return Chain::Parse(s, p); }
  static void Print(const Chain& v, std::string* o) { o->append(v.Print()); }
  static bool Number(const Chain&, double*) { return false; }
};
}  // namespace attrs_detail

struct ChainAttrs { Chain chain; };
struct ChainKernel {
  using Signature = void(KernelContext&, const ChainAttrs&, Views x, OutViews y);
  static constexpr const char* kName = "_fused";
};
void CheckLoops(const char* who, const Chain& chain, DType t);  // every step has loops for it, or an error says which has none
void ChainCpu(KernelContext& ctx, const ChainAttrs& a, Views x, OutViews y);
// An output may lie in the memory of an input of the same shape and strides.
void RunChain(const char* who, const Chain& chain, Views x, OutViews y);
std::vector<Val> ComposeChain(const Chain& chain, const std::vector<Val>& x);  // the operators themselves

}  // namespace flx
