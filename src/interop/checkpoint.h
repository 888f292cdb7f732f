// SPDX-License-Identifier: Apache-2.0
// Whole models in files, as MXNet keeps them: `PREFIX-symbol.json` and, for each epoch, `PREFIX-0007.params`, whose names are `arg:fc1_weight` for
// arguments and `aux:bn_moving_mean` for auxiliary states.
#pragma once
#include <string>

#include "graph/symbol.h"
#include "interop/arrays.h"

namespace flx {

// Errors of these name the file; what is wrong inside one is of status kFormat, with the byte where that can be said.
Ref<Symbol> LoadSymbol(const std::string& path);
void SaveSymbol(const Symbol& symbol, const std::string& path);  // wholly or not at all

struct Checkpoint {
  Ref<Symbol> symbol;
  NamedArrays args, aux;  // without the prefixes, in the file's order
};
std::string CheckpointPath(const std::string& prefix, int epoch);  // "PREFIX-0007.params"
Checkpoint LoadCheckpoint(const std::string& prefix, int epoch);
void SaveCheckpoint(const Checkpoint& checkpoint, const std::string& prefix, int epoch);  // waits for the arrays

// How the names of a file of parameters are meant. Gluon knows its own files by the dots, too.
enum class ParamNames {
  kNone,        // a list
  kPrefixed,    // `arg:fc1_weight`, `aux:bn_moving_mean`: a checkpoint
  kFull,        // `fc1_weight`
  kStructural,  // `features.1.gamma`: places in a Gluon block, which no symbol knows
};
ParamNames NamesOf(const NamedArrays& arrays);
// Into arguments and auxiliary states, the prefixes taken off. Without prefixes the symbol tells which is which (null: an error).
// kFormat errors with `file` for lists, structural names, names that occur twice and arrays that are none.
void SplitParams(NamedArrays arrays, const Symbol* symbol, const std::string& file, NamedArrays* args, NamedArrays* aux);

}  // namespace flx
