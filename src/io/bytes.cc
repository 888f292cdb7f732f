// SPDX-License-Identifier: Apache-2.0
#include "io/bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

#include "base/descriptor.h"

namespace flx {
namespace {

constexpr int64_t kMaxTransfer = int64_t(1) << 30;  // one read or write system call moves less than 2 GiB

[[noreturn]] void FailSystem(const std::string& path, int64_t at, std::string_view what) {
  int e = errno;
  FailFile(Status::kFile, path, at, Text(what, ": ", SystemText(e), "."));
}

class FileSource final : public Source {
 public:
  FileSource(std::string path, int64_t size, int fd) : Source(std::move(path), size), fd_(fd) {}
  ~FileSource() override { ::close(fd_); }
  void Read(int64_t at, void* to, int64_t n) override {
    for (auto* p = static_cast<char*>(to); n > 0;) {
      ssize_t got = ::pread(fd_, p, size_t(std::min(n, kMaxTransfer)), at);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) FailSystem(name(), at, "cannot read");
      if (got == 0) FailFile(Status::kFormat, name(), at, "the file became shorter while it was read.");
      p += got, at += got, n -= got;
    }
  }

 private:
  int fd_;
};
class OwnedSource final : public Source {
 public:
  OwnedSource(std::string path, std::string bytes) : Source(std::move(path), int64_t(bytes.size())), bytes_(std::move(bytes)) {}
  void Read(int64_t at, void* to, int64_t n) override { if (n) std::memcpy(to, bytes_.data() + at, size_t(n)); }

 private:
  std::string bytes_;
};
std::string ReadAll(const std::string& path, int fd) {
  std::string all;
  std::vector<char> block(1 << 16);
  for (;;) {
    ssize_t got = ::read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) FailSystem(path, int64_t(all.size()), "cannot read");
    if (got == 0) return all;
    all.append(block.data(), size_t(got));
  }
}

}  // namespace

std::string SystemText(int error_number) { return std::generic_category().message(error_number); }

std::unique_ptr<Source> OpenFile(const std::string& path) {
  int fd = AboveStandard(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd < 0) FailSystem(path, -1, "cannot open");
  struct stat st;
  if (::fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
    ::close(fd);
    FailFile(Status::kFile, path, -1, "cannot open: expected a file, given a folder.");
  }
  if (S_ISREG(st.st_mode)) return std::make_unique<FileSource>(path, int64_t(st.st_size), fd);
  struct Closer { int fd; ~Closer() { ::close(fd); } } closer{fd};
  return std::make_unique<OwnedSource>(path, ReadAll(path, fd));
}

void FieldReader::Need(uint64_t n, std::string_view what) const {
  if (n > uint64_t(left())) FailAt(at_, what, " needs ", n, n == 1 ? " byte, but " : " bytes, but ", left(), left() == 1 ? " is left." : " are left.");
}

FileSink::FileSink(const std::string& path) : path_(path) {
  // A symbolic link stays one: its target is what is replaced.
  if (char* real = ::realpath(path.c_str(), nullptr)) path_ = real, std::free(real);
  struct stat st;
  bool exists = ::stat(path_.c_str(), &st) == 0;
  if (exists && S_ISDIR(st.st_mode)) FailFile(Status::kFile, path, -1, "cannot write: expected a file, given a folder.");
  if (exists && !S_ISREG(st.st_mode)) {
    fd_ = AboveStandard(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  } else {
    static std::atomic<uint32_t> count{0};
    for (int attempt = 0; attempt < 100 && fd_ < 0; ++attempt) {
      temporary_ = Text(path_, ".tmp-", int64_t(::getpid()), "-", count.fetch_add(1));
      fd_ = AboveStandard(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
      if (fd_ < 0 && errno != EEXIST) break;
    }
    if (fd_ >= 0 && exists && ::fchmod(fd_, st.st_mode & 07777) != 0) {}  // keeping the mode is a courtesy
  }
  if (fd_ < 0) FailSystem(path, -1, "cannot write");
}
FileSink::~FileSink() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}
void FileSink::Flush() {
  const char* p = buffer_.data();
  for (int64_t n = int64_t(buffer_.size()); n > 0;) {
    ssize_t put = ::write(fd_, p, size_t(std::min(n, kMaxTransfer)));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) FailSystem(path_, -1, "cannot write");
    p += put, n -= put;
  }
  buffer_.clear();
}
void FileSink::Write(const void* data, int64_t n) {
  constexpr int64_t kBuffer = 1 << 16;
  auto* p = static_cast<const char*>(data);
  while (n > 0) {
    int64_t part = std::min(n, kBuffer - int64_t(buffer_.size()));
    buffer_.append(p, size_t(part));
    p += part, n -= part;
    if (int64_t(buffer_.size()) == kBuffer) Flush();
  }
}
void FileSink::Commit() {
  Flush();
  // Without the sync a power cut could leave the new name with no bytes behind it.
  if (!temporary_.empty() && ::fsync(fd_) != 0) FailSystem(path_, -1, "cannot write");
  int fd = std::exchange(fd_, -1);
  bool closed = ::close(fd) == 0;
  if (temporary_.empty()) {
    if (!closed) FailSystem(path_, -1, "cannot write");
  } else if (!closed || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    int e = errno;
    ::unlink(temporary_.c_str());
    errno = e;
    FailSystem(path_, -1, "cannot write");
  }
}

}  // namespace flx
