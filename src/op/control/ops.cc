// SPDX-License-Identifier: Apache-2.0
#include "op/control/control.h"

#include "op/families.h"

namespace flx {
namespace {
constexpr const char* kNames[] = {"", "_foreach", "_while_loop", "_cond"};

template <class A> Op<A> Loop(Control kind, int subgraphs, const char* doc) {
  Op<A> o(kNames[int(kind)]);
  o.family("control").doc(doc).subgraphs(subgraphs);
  o.input_list("data", "What the sub-graphs read.", "num_args", 0).output("output", "The results.");
  o.outputs_count([](const A& a) { return a.num_outputs; });
  o.types([](Infer&, const A&) {});  // the sub-graphs tell
  o.attr(&A::num_outputs, "num_outputs", "How many results the node has.").required().range(1, 65536);
  return o;
}
}  // namespace

Control ControlOf(const OpDef& op) {
  for (int i = 1; i <= 3; ++i)
    if (op.subgraphs && std::string_view(op.name) == kNames[i]) return Control(i);
  return Control::kNone;
}

void AddControlOps(std::vector<OpDef>* ops) {
  using F = ForeachAttrs;
  ops->push_back(Loop<F>(Control::kForeach, 1, "Runs a sub-graph for each element along axis 0 of its data, with states from step to step. Results are the steps' outputs, "
                                               "stacked, then the last states.")
      .attr(&F::num_out_data, "num_out_data", "How many outputs of a step are stacked.").required().range(0, 65536)
      .attr(&F::in_state_locs, "in_state_locs", "Which of the graph's inputs are states.").required()
      .attr(&F::in_data_locs, "in_data_locs", "Which of the graph's inputs are cut along axis 0.").required()
      .attr(&F::remain_locs, "remain_locs", "Which of the graph's inputs stay as they are.").required());
  using W = WhileLoopAttrs;
  ops->push_back(Loop<W>(Control::kWhileLoop, 2, "Runs a sub-graph while another gives true, at most max_iterations times. Results are the steps' outputs, stacked and filled up "
                                                 "with zeros to max_iterations, then the last variables.")
      .attr(&W::num_out_data, "num_out_data", "How many outputs of a step are stacked.").required().range(0, 65536)
      .attr(&W::max_iterations, "max_iterations", "The most steps.").required().range(1, 9e15)
      .attr(&W::cond_input_locs, "cond_input_locs", "The inputs that the condition reads.").required()
      .attr(&W::func_input_locs, "func_input_locs", "The inputs that a step reads.").required()
      .attr(&W::func_var_locs, "func_var_locs", "Which of a step's inputs are the loop's variables.").required());
  using C = CondAttrs;
  ops->push_back(Loop<C>(Control::kCond, 3, "Runs one of two sub-graphs, as a third one says.")
      .attr(&C::cond_input_locs, "cond_input_locs", "The inputs that the condition reads.").required()
      .attr(&C::then_input_locs, "then_input_locs", "The inputs of what runs if it holds.").required()
      .attr(&C::else_input_locs, "else_input_locs", "The inputs of what runs if it does not.").required());
}
}  // namespace flx
