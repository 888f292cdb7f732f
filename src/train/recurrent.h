// SPDX-License-Identifier: Apache-2.0
// What the fused recurrent layers and the cells share.
#pragma once
#include "train/layer.h"

namespace flx {

enum class SequenceLayout { kNtc, kTnc };
template <> struct EnumNames<SequenceLayout> { static constexpr const char* names[] = {"NTC", "TNC"}; };
enum class RecurrentActivation { kTanh, kRelu };
template <> struct EnumNames<RecurrentActivation> { static constexpr const char* names[] = {"tanh", "relu"}; };

inline constexpr const char* kSequenceLayoutDoc = "NTC: the batch is the first axis, then the steps; TNC: the steps are the first. States are as they are either way.";
inline constexpr const char* kReturnSequencesDoc = "True: the outputs of all steps. False: those of the last one (backwards: of the first), (batch, units).";
inline constexpr const char* kReturnStateDoc = "Whether the last states are given, too, behind the outputs. None: if initial ones were given.";

// The layout's axes exchanged, where the batch comes first: (batch, steps, ...) to (steps, batch, ...) and back.
inline Val StepsFirst(LayerContext& c, Val x, SequenceLayout layout) { return layout == SequenceLayout::kTnc ? x : c.Op("SwapAxis", {x}, {{"dim1", "0"}, {"dim2", "1"}}); }
inline Val ZeroState(LayerContext& c, const Shape& s, DType t) { return c.Op("_zeros", {}, {{"shape", Text(s)}, {"dtype", DTypeName(t)}}); }
inline void CheckSequence(const Layer& layer, const Shape& s, SequenceLayout layout) {
  if (s.ndim() != 3)
    Fail(Status::kShape, layer.def.name, "the input must be sequences (", layout == SequenceLayout::kNtc ? "batch, steps" : "steps, batch", ", features), given shape ", s, ".");
}

}  // namespace flx
