// SPDX-License-Identifier: Apache-2.0
#include "base/cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "base/descriptor.h"

namespace flx {

// The kernel's word: sysconf() multiplies by the cores of the whole machine where this one is virtual (320 MiB instead of 32, seen).
int64_t CacheBytes() {
  static const int64_t bytes = [] {
    int64_t most = 0;
    for (char index = '0'; index < '5'; ++index) {
      char path[] = "/sys/devices/system/cpu/cpu0/cache/index0/size", text[32];
      path[sizeof path - 7] = index;
      int fd = AboveStandard(::open(path, O_RDONLY | O_CLOEXEC));
      if (fd < 0) continue;
      ssize_t n = ::read(fd, text, sizeof text);
      ::close(fd);
      if (n <= 0) continue;
      int64_t size = 0;
      auto [end, error] = std::from_chars(text, text + n, size);
      if (error != std::errc() || end == text + n) continue;
      size *= *end == 'K' ? 1 << 10 : *end == 'M' ? 1 << 20 : 1;
      if (size > most) most = size;
    }
    return most > 0 ? most : int64_t(32) << 20;
  }();
  return bytes;
}

}  // namespace flx
