// SPDX-License-Identifier: Apache-2.0
// The properties that hold for every operator. Each returns "" or what is wrong.
#pragma once
#include <string>

#include "cases.h"
#include "op/op.h"

namespace flx::cases {

std::string CheckRuns(const Case& c);            // the call works, and what inference promised is what comes out, also from one input alone
std::string CheckGradient(const Case& c);        // against central differences in float64
std::string CheckSecond(const Case& c);          // the gradient's gradient, with respect to inputs and head gradients
std::string CheckFloat32(const Case& c);         // results and gradients against float64's
std::string CheckHalf(const Case& c);            // float16's and bfloat16's results and gradients against float64's
std::string CheckStrides(const Case& c);         // transposed views give what contiguous arrays give
std::string CheckComposition(const Case& c);     // the kernel against what it stands for
std::string CheckDocs(const OpDef& d);

}  // namespace flx::cases
