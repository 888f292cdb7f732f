// SPDX-License-Identifier: Apache-2.0
#include "base/dtype.h"

namespace flx {
namespace {
struct Row { const char* name; int size; };
constexpr Row kRows[kDTypeCount] = {{"float32", 4}, {"float64", 8}, {"float16", 2}, {"uint8", 1},  {"int32", 4},  {"int8", 1},    {"int64", 8},
                                    {"bool", 1},    {"int16", 2},   {"uint16", 2},  {"uint32", 4}, {"uint64", 8}, {"bfloat16", 2}};
}  // namespace
int DTypeSize(DType t) { return IsSupported(t) ? kRows[int(t)].size : 0; }
const char* DTypeName(DType t) { return t >= DType::kFloat32 && int(t) < kDTypeCount ? kRows[int(t)].name : "unknown"; }
bool DTypeFromName(std::string_view name, DType* out) {
  for (int i = 0; i < kDTypeCount; ++i)
    if (name == kRows[i].name) return *out = DType(i), true;
  return false;
}
std::string DTypeNames() {
  std::string s;
  for (int i = 0; i < kDTypeCount; ++i) { if (i) s += ", "; s += kRows[i].name; }
  return s;
}
void Append(std::string* s, DType t) { s->append(DTypeName(t)); }
}  // namespace flx
