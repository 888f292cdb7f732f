// SPDX-License-Identifier: Apache-2.0
#include "base/cache.h"

#include <unistd.h>

#include <initializer_list>

namespace flx {

int64_t CacheBytes() {
  static const int64_t bytes = [] {
    int64_t most = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    for (int name : {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE})
      if (int64_t n = sysconf(name); n > most) most = n;
#endif
    return most > 0 ? most : int64_t(32) << 20;
  }();
  return bytes;
}

}  // namespace flx
