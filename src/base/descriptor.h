// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace flx {

// `fd`, or a copy of it above 2 in its place. In a host that has closed its standard streams a new file would get their numbers, and whoever prints
// would write into it.
inline int AboveStandard(int fd) noexcept {
  if (fd < 0 || fd > 2) return fd;
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3), error = errno;
  ::close(fd);
  errno = error;
  return copy;
}

// Keeps the numbers 0 to 2 from files that other libraries open meanwhile.
class HoldStandard {
 public:
  HoldStandard() noexcept {
    for (int fd = 0; fd <= 2; ++fd)
      if (::fcntl(fd, F_GETFD) < 0) held_[fd] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  ~HoldStandard() {
    int error = errno;
    for (int fd : held_) if (fd >= 0) ::close(fd);
    errno = error;
  }
  HoldStandard(const HoldStandard&) = delete;
  HoldStandard& operator=(const HoldStandard&) = delete;

 private:
  int held_[3] = {-1, -1, -1};
};

}  // namespace flx
