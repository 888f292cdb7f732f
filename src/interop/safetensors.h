// SPDX-License-Identifier: Apache-2.0
// safetensors: a 64-bit length, a JSON header of that length, then the tensors' bytes. A `.flx` model is one such file.
//   What we write: tensors in the given order, without gaps (the format allows none); the data begins at a multiple of 64 bytes, the header being
//   filled with spaces; `__metadata__` comes first with its keys sorted; no space elsewhere; UTF-8 as it is. The same arrays give the same bytes.
//   What we read: any such file. The tensors must cover the data exactly, in any order, and names must differ.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "interop/arrays.h"

namespace flx {

struct Safetensors {
  NamedArrays arrays;                           // in the header's order
  std::map<std::string, std::string> metadata;  // by key, in the order of its bytes
};

// Errors name the file and the byte: kFile when it cannot be read, kFormat when it is not such a file. Arrays are on the CPU.
Safetensors LoadSafetensors(const std::string& path);
Safetensors ParseSafetensors(std::string_view bytes, const std::string& name = "safetensors");
// They wait for the arrays. Names must differ and be UTF-8; `__metadata__` is taken.
void SaveSafetensors(const std::string& path, const Safetensors& file);
std::string SerializeSafetensors(const Safetensors& file);

}  // namespace flx
