// SPDX-License-Identifier: Apache-2.0
// RecordFile's bytes by system calls, for builds without dmlc-core.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "base/error.h"
#include "io/bytes.h"
#include "io/record_stream.h"

namespace flx {
namespace {

constexpr int64_t kBlock = 1 << 16;

class PlainStream final : public RecordStream {
 public:
  PlainStream(const std::string& path, RecordAccess access) : path_(path) {
    int how = access == RecordAccess::kRead ? O_RDONLY : O_WRONLY | O_CREAT | (access == RecordAccess::kAppend ? O_APPEND : O_TRUNC);
    fd_ = AboveStandard(::open(path.c_str(), how | O_CLOEXEC, 0666));
    if (fd_ < 0) FailSystem("cannot open");
    struct stat st;
    if (::fstat(fd_, &st) != 0 || S_ISDIR(st.st_mode)) {
      ::close(fd_);
      FailFile(Status::kFile, path_, -1, "cannot open: expected a file, given a folder.");
    }
    size_ = st.st_size;
  }
  ~PlainStream() override {
    try {
      Flush();
    } catch (const Error&) {}  // who wants to know has called Close
    ::close(fd_);
  }
  int64_t size() const override { return size_; }
  int64_t Read(int64_t at, void* to, int64_t n) override {
    int64_t got = 0;
    for (auto* p = static_cast<char*>(to); got < n;) {
      int64_t have = at + got - block_at_;
      if (have < 0 || have >= int64_t(buffer_.size())) {
        if (n - got >= kBlock) {  // large records go past the block
          int64_t part = ReadFile(at + got, p + got, n - got);
          if (part == 0) break;
          got += part;
          continue;
        }
        block_at_ = at + got, have = 0;
        buffer_.resize(size_t(kBlock));
        buffer_.resize(size_t(ReadFile(block_at_, buffer_.data(), kBlock)));
        if (buffer_.empty()) break;
      }
      int64_t part = std::min(n - got, int64_t(buffer_.size()) - have);
      std::memcpy(p + got, buffer_.data() + have, size_t(part));
      got += part;
    }
    return got;
  }
  int64_t WriteRecord(const void* data, int64_t n) override {
    auto* p = static_cast<const char*>(data);
    int64_t begin = 0, taken = 0;
    bool cut = false;
    for (int64_t i = 0; i + 4 <= n; i += 4) {
      if (std::memcmp(p + i, &kRecordMagic, 4) != 0) continue;
      taken += WritePart(cut ? 2 : 1, p + begin, i - begin);
      begin = i + 4, cut = true;
    }
    return taken + WritePart(cut ? 3 : 0, p + begin, n - begin);
  }
  void Flush() override {
    if (!dirty_) return;
    std::string bytes = std::move(buffer_);  // after a failure it is not tried again
    buffer_.clear(), dirty_ = false;
    WriteFile(bytes.data(), int64_t(bytes.size()));
  }

 private:
  int64_t WritePart(uint32_t part, const char* p, int64_t n) {
    uint32_t head[2] = {kRecordMagic, part << 29 | uint32_t(n)}, zero = 0;
    int64_t pad = -n & 3;
    Put(reinterpret_cast<const char*>(head), 8), Put(p, n), Put(reinterpret_cast<const char*>(&zero), pad);
    return 8 + n + pad;
  }
  void Put(const char* p, int64_t n) {
    if (int64_t(buffer_.size()) + n > kBlock) Flush();
    if (n >= kBlock) return WriteFile(p, n);
    buffer_.append(p, size_t(n));
    dirty_ = true;
  }
  void WriteFile(const char* p, int64_t n) {
    while (n > 0) {
      ssize_t put = ::write(fd_, p, size_t(n));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) FailSystem("cannot write");
      p += put, n -= put;
    }
  }
  int64_t ReadFile(int64_t at, char* p, int64_t n) {
    for (;;) {
      ssize_t got = ::pread(fd_, p, size_t(n), at);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) FailSystem("cannot read");
      return got;
    }
  }
  [[noreturn]] void FailSystem(const char* what) const {
    int e = errno;
    FailFile(Status::kFile, path_, -1, Text(what, ": ", SystemText(e), "."));
  }
  std::string path_, buffer_;  // read: the bytes from block_at_; written: what is not in the file yet
  int64_t size_ = 0, block_at_ = 0;
  int fd_ = -1;
  bool dirty_ = false;
};

}  // namespace

std::unique_ptr<RecordStream> OpenRecordStream(const std::string& path, RecordAccess access) { return std::make_unique<PlainStream>(path, access); }

}  // namespace flx
