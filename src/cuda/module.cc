// SPDX-License-Identifier: Apache-2.0
// The two functions that the module shows.
#include <charconv>
#include <cstring>

#include "cuda/kernel_table.h"
#include "cuda/runtime.h"

namespace {
char g_refusal[160];  // of a library that this module cannot serve
void Append(const char* text) { std::strncat(g_refusal, text, sizeof g_refusal - std::strlen(g_refusal) - 1); }
void AppendNumber(int32_t n) {
  char digits[16];
  *std::to_chars(digits, digits + sizeof digits - 1, n).ptr = 0;
  Append(digits);
}
}  // namespace

extern "C" __attribute__((visibility("default"))) const flx_device_table* flx_device_module(int32_t version) {
  if (version != FLX_DEVICE_TABLE_VERSION) {
    g_refusal[0] = 0;
    Append("libflexor_cuda.so of Flexor " FLEXOR_VERSION " has device tables of version ");
    AppendNumber(FLX_DEVICE_TABLE_VERSION);
    Append(", the library asks for version ");
    AppendNumber(version);
    Append("; install both from one build");
    return nullptr;
  }
  static const flx_device_table table = [] {
    flx_device_table t = {};
    flx::cuda::FillDeviceTable(&t);
    static flx::cuda::KernelTable kernels = {};
    flx::cuda::AddAllKernels(&kernels);
    t.kernels = kernels.items, t.kernel_count = kernels.count;
    return t;
  }();
  return &table;
}
extern "C" __attribute__((visibility("default"))) const char* flx_device_module_error(void) { return g_refusal; }
