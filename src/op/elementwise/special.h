// SPDX-License-Identifier: Apache-2.0
// Special functions that the standard library lacks, in double.
#pragma once

namespace flx {
double ErfinvOf(double x);    // erf's inverse: NaN outside [-1, 1], infinite at the ends
double DigammaOf(double x);   // the derivative of log gamma; NaN at 0 and the negative integers
double TrigammaOf(double x);  // its derivative
double GammaOf(double x);     // NaN at the negative integers
double LogGammaOf(double x);  // log |gamma(x)|, without lgamma's global sign
}  // namespace flx
