// SPDX-License-Identifier: Apache-2.0
#include "transport/meter.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

namespace ps::net {

uint64_t Meter::read(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  int unread = 0;
  if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) return 0;
  if (ioctl(fd, FIONREAD, &unread) != 0 || unread < 0) return 0;
  uint64_t came = info.tcpi_bytes_received, read = came > uint64_t(unread) ? came - uint64_t(unread) : 0;
  taken_ = std::min(taken_, came);
  return read;
}

}  // namespace ps::net
