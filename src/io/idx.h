// SPDX-License-Identifier: Apache-2.0
// IDX files, as MNIST's are: 0 0 type ndim, then ndim big-endian u32 sizes, then the elements, big-endian. Plain or gzip-compressed.
#pragma once
#include <string>

#include "tensor/array.h"

namespace flx {

// uint8, int8, int16, int32, float32 or float64, as the file says. kFile when it cannot be read, kFormat (with the byte) when it is damaged.
NDArray ReadIdx(const std::string& path);

}  // namespace flx
