// SPDX-License-Identifier: Apache-2.0
// MXNet's `.params` files: arrays, with names or without. Read: versions 0 to 3, sparse arrays as dense ones. Written: what MXNet 1.9.1 writes,
// version 2, or version 3 for all when an array has no axes or a size of 0 (there 0 would mean "unknown").
#pragma once
#include <string>
#include <string_view>

#include "interop/arrays.h"

namespace flx {

// Errors name the file and the byte: kFile when it cannot be read, kFormat when it is not such a file. Arrays are on the CPU.
NamedArrays LoadMxnetParams(const std::string& path);
NamedArrays ParseMxnetParams(std::string_view bytes, const std::string& name = "params");
// All names empty: a list. Names must differ otherwise. They wait for the arrays. The same arrays give the same bytes.
void SaveMxnetParams(const std::string& path, const NamedArrays& arrays);
std::string SerializeMxnetParams(const NamedArrays& arrays);

}  // namespace flx
