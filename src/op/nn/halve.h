// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace flx {
// Max pooling of a plane by two in both directions: y[r][i] is the maximum of x[2r][2i], x[2r][2i + 1], x[2r + 1][2i], x[2r + 1][2i + 1], for rows of
// n results from rows of w elements; NaN stays.
void HalvePlane(const float* x, int64_t rows, int64_t n, int64_t w, float* y);
void HalvePlane(const double* x, int64_t rows, int64_t n, int64_t w, double* y);
// Its gradient: dy[r][i] goes to the first of the four that is the maximum, the others get 0. A last odd column is not written.
void HalvePlaneBack(const float* x, const float* dy, int64_t rows, int64_t n, int64_t w, float* dx);
void HalvePlaneBack(const double* x, const double* dy, int64_t rows, int64_t n, int64_t w, double* dx);
}  // namespace flx
