// SPDX-License-Identifier: Apache-2.0
// Programs that a device's module compiles at run time, from CUDA C++. Each is made once in a process and stays; its binary is kept in the user's cache
// folder (FLEXOR_CACHE_DIR) for the next process. Where there is no compiler, nobody is told more than once.
#pragma once
#include <string>

#include "device/device.h"

namespace flx {

class Programs {
 public:
  static bool Can(const Device* device);  // its module compiles, and FLEXOR_FUSED_KERNELS does not forbid it
  // The function `name` of prelude + text; null: it cannot be made, and a warning says why, once for each reason. The prelude is a text that stays.
  static void* Get(const Device* device, const char* prelude, const std::string& text, const char* name);
  struct Counts { int64_t compiled = 0, loaded = 0, failed = 0; };  // loaded: from the cache folder
  static Counts Counted();
};

}  // namespace flx
