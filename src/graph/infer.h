// SPDX-License-Identifier: Apache-2.0
// Shapes and dtypes of a whole graph, in both directions: each operator's rule is asked until nothing new is learnt.
#pragma once
#include <map>

#include "graph/symbol.h"

namespace flx {

// What is known of a variable: a shape with -1 for unknown sizes (or unknown altogether), a dtype or kNone.
struct Known { Shape shape = Shape::Unknown(); DType dtype = DType::kNone; };
// Adds to what is known; false if the two contradict each other.
bool Learn(Known* have, const Shape& shape, DType dtype);

// given: by variable's name; beside it counts what variables say of themselves (`__shape__`, `__dtype__`).
// Not partial: dtypes that nothing tells are float32, and shapes that stay unknown are an error with their names.
// An error names the node, its operator, its inputs and what was found and wanted.
std::shared_ptr<const Inferred> Infer(const Symbol& symbol, const std::map<std::string, Known>& given, bool partial);
// The same for variables by number (index().inputs_order); nothing is filled in. For graphs inside graphs, and for runs.
// Returns whether anything was learnt; `*io` holds all values and is added to. guess: where nothing more follows, operators may take what is usual.
bool InferMore(const Symbol& symbol, Inferred* io, bool guess = true);
Inferred NothingKnown(const GraphIndex& g);

// What a variable says of itself; an error names it.
Known SaidOf(const Node& variable);
void CheckVariable(const std::string& name, const AttrDict& texts);

// graph/infer_control.cc: a node of control flow, from what is known of its values.
// Whether its attributes fit its graphs and inputs; checked when a node is made and when an attribute is set.
void CheckControl(const Node& node, const NodeSettings& s);
void InferControl(const Node& node, const NodeSettings& s, Shape* xs, DType* xt, Shape* ys, DType* yt, bool guess = true);

}  // namespace flx
