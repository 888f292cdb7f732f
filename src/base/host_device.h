// SPDX-License-Identifier: Apache-2.0
// Marks functions that a device's compiler compiles for both sides.
#pragma once
#ifdef __CUDACC__
#define FLX_HD __host__ __device__
#else
#define FLX_HD
#endif
