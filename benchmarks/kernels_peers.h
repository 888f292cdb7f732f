// SPDX-License-Identifier: Apache-2.0
// The raw peers of kernels_bench: libraries called directly and loops written by hand, a thread on each core, as Flexor's pool has. They read and write
// memory that is there already; what they leave out (handles, new results, checks) is what Flexor is measured with.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

namespace peers {

using Run = std::function<void()>;

// 64-byte aligned, in huge pages where the system gives them, filled with numbers between -1 and 1.
float* Room(size_t n);

// C = A B, n by n. Empty where the library was not found when this was built.
Run SgemmOpenBlas(int64_t n);
Run SgemmOneDnn(int64_t n);
// A dense layer's product: rows of `in` features by the transpose of (out, in).
Run DenseOpenBlas(int64_t rows, int64_t in, int64_t out);
Run DenseOneDnn(int64_t rows, int64_t in, int64_t out);

// 2-d convolutions in the layouts that oneDNN likes best; reorders are outside.
struct Conv { int64_t batch, channels, filters, side, kernel, stride, pad, groups; };
Run ConvOneDnn(const Conv& c);

// One LSTM layer over `steps` steps of `rows` rows of `units` features, its weights in the library's layout.
Run LstmOneDnn(int64_t steps, int64_t rows, int64_t units);

// Loops; sizes in floats.
Run CopyStream(size_t n);    // reads n, writes n past the caches
Run ReadStream(size_t n);    // reads n
Run WriteStream(size_t n);   // writes n past the caches
Run AddStream(size_t n);     // reads 2 n, writes n past the caches
Run ChainStream(size_t n);   // min(max(1.5 x + 0.25, 0)^2 - 0.5, 2): reads n, writes n past the caches
Run SumRows(int64_t rows, int64_t columns);     // over axis 0
Run ArgmaxRows(int64_t rows, int64_t columns);  // over axis 0
Run Transpose(int64_t n);                       // 64 x 64 tiles through a small buffer
Run NormalStd(size_t n);                        // std::normal_distribution over std::mt19937

}  // namespace peers
