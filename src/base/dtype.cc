// SPDX-License-Identifier: Apache-2.0
#include "base/dtype.h"

namespace flx {
namespace {
constexpr const char* kNames[kDTypeCount] = {"float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32", "uint64", "bfloat16"};
}  // namespace
const char* DTypeName(DType t) { return t >= DType::kFloat32 && int(t) < kDTypeCount ? kNames[int(t)] : "unknown"; }
bool DTypeFromName(std::string_view name, DType* out) {
  for (int i = 0; i < kDTypeCount; ++i)
    if (name == kNames[i]) return *out = DType(i), true;
  return false;
}
std::string DTypeNames() {
  std::string s;
  for (int i = 0; i < kDTypeCount; ++i) { if (i) s += ", "; s += kNames[i]; }
  return s;
}
void Append(std::string* s, DType t) { s->append(DTypeName(t)); }
}  // namespace flx
