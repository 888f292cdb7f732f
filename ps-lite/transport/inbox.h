// SPDX-License-Identifier: Apache-2.0
// What other threads have for the network thread: put() from anywhere, an eventfd that becomes readable, take() by the network thread alone.
#pragma once
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <mutex>
#include <variant>
#include <vector>

#include "core/node.h"
#include "ps/exception.h"

namespace ps {

class Inbox {
 public:
  using Item = std::variant<core::Input, std::function<void()>>;  // an input for the node, or something to run in the network thread
  Inbox() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw Error(Code::kMemory, std::string("[ps] no eventfd: ") + std::strerror(errno));
  }
  ~Inbox() { close(fd_); }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  int fd() const { return fd_; }

  bool put(Item item) {  // false: nobody takes any more
    bool first;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (closed_) return false;
      first = items_.empty();
      items_.push_back(std::move(item));
    }
    if (first) wake();
    return true;
  }
  void take(std::vector<Item>& into) {
    uint64_t count;
    while (read(fd_, &count, sizeof count) < 0 && errno == EINTR) {}
    std::lock_guard<std::mutex> lock(mutex_);
    into.swap(items_);
  }
  void close_for_good() {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
  }

 private:
  void wake() {
    uint64_t one = 1;
    while (write(fd_, &one, sizeof one) < 0 && errno == EINTR) {}
  }
  int fd_;
  std::mutex mutex_;
  std::vector<Item> items_;
  bool closed_ = false;
};

}  // namespace ps
