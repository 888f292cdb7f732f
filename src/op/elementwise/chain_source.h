// SPDX-License-Identifier: Apache-2.0
// A chain as the source of one kernel in CUDA C++, to be compiled at run time. The text before it (ChainPrelude) is made at build time of the very headers
// that the devices' other kernels are made of: the formulas (*_formulas.h), their mathematics (cuda/math.h), conversions (base/convert.h).
#pragma once
#include <cstring>
#include <string>

#include "base/dtype.h"
#include "op/elementwise/chain.h"

namespace flx {

// What a chain's kernel is compiled for, besides the chain: everything else is its argument.
struct ChainForm {
  DType dtype = DType::kFloat32;
  int8_t axes = 1;                   // of the arrays' common shape, merged as far as all strides allow
  bool wide = false;                 // 2^31 elements or more
  // How each array lies (inputs, then outputs). Contiguous: as the common shape; rows: its last axis is contiguous, others are any; columns: its last axis is
  // one element again and again; one: a single element; strided: anything else, which rules out vectors; none: an output that is not wanted.
  enum Place : char { kNone = '-', kContiguous = 'c', kRows = 'r', kColumns = 'b', kOne = 'o', kStrided = 's' };
  char place[kChainInputs + kChainOutputs] = {};
  bool vectors() const { return !std::memchr(place, kStrided, sizeof place); }
  friend bool operator==(const ChainForm& a, const ChainForm& b) {
    return a.dtype == b.dtype && a.axes == b.axes && a.wide == b.wide && std::memcmp(a.place, b.place, sizeof a.place) == 0;
  }
};
int ChainVectorLength(DType t);      // elements of a vector
int ChainNumbers(const Chain& c);    // runtime numbers of all its steps, in their order

const char* ChainPrelude();
std::string ChainKernelText(const Chain& c, const ChainForm& form, const std::string& name);  // to stand behind the prelude
const std::string& ChainFormula(const char* kernel);  // the formula's type, by the name its list gives it; empty: there is none

}  // namespace flx
