// SPDX-License-Identifier: Apache-2.0
// Control flow inside graphs. A node of these operators holds graphs of its own (OpDef::subgraphs); src/graph infers them, src/exec runs them in place.
// Attributes are MXNet's.
#pragma once
#include "op/op.h"

namespace flx {

// One sub-graph; its outputs are num_out_data results of a step, then the new states. The node's inputs are data, states and what remains, in this order;
// the locs say which inputs of the sub-graph they are.
struct ForeachAttrs { int num_outputs = 0, num_out_data = 0; Ints in_state_locs, in_data_locs, remain_locs; };
// Here the locs are indices into the node's inputs, one for each input of a sub-graph.
// Two: the condition, and the step, whose outputs are num_out_data results, then the new variables. func_var_locs index the step's inputs.
struct WhileLoopAttrs { int num_outputs = 0, num_out_data = 0; int64_t max_iterations = 0; Ints cond_input_locs, func_input_locs, func_var_locs; };
// Three: the condition, what runs if it holds, what runs if it does not.
struct CondAttrs { int num_outputs = 0; Ints cond_input_locs, then_input_locs, else_input_locs; };

enum class Control { kNone, kForeach, kWhileLoop, kCond };
Control ControlOf(const OpDef& op);

}  // namespace flx
