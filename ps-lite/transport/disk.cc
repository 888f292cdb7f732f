// SPDX-License-Identifier: Apache-2.0
#include "transport/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "transport/threads.h"

namespace ps {
namespace {
constexpr uint64_t kMostBytes = uint64_t(1) << 40;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Status Wrong(const std::string& name, const char* doing) { return {Code::kFile, "[ps] " + name + " " + doing + ": " + std::strerror(errno)}; }

bool WriteAll(int fd, const Buffer& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    done += size_t(n);
  }
  return true;
}

bool SyncFolder(const std::string& name) {
  size_t slash = name.rfind('/');
  Fd folder(open(slash == name.npos ? "." : slash == 0 ? "/" : name.substr(0, slash).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.get() >= 0 && fsync(folder.get()) == 0;
}

Status Read(const core::ReadFile& work, std::vector<Buffer>& results) {
  Fd file(open(work.name.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return errno == ENOENT ? Status() : Wrong(work.name, "cannot be opened");
  struct stat about;
  if (fstat(file.get(), &about) != 0) return Wrong(work.name, "cannot be read");
  if (!S_ISREG(about.st_mode) || uint64_t(about.st_size) > kMostBytes) return {Code::kFile, "[ps] " + work.name + " is no file of this job's"};
  std::string bytes(size_t(about.st_size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    ssize_t n = read(file.get(), &bytes[have], bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Wrong(work.name, "cannot be read");
    if (n == 0) break;
    have += size_t(n);
  }
  bytes.resize(have);
  results.push_back(Buffer::Own(std::move(bytes)));
  return {};
}

Status Append(const core::AppendFile& work) {
  struct stat about;
  bool fresh = stat(work.name.c_str(), &about) != 0;
  Fd file(open(work.name.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return Wrong(work.name, "cannot be opened");
  off_t before = lseek(file.get(), 0, SEEK_END);
  if (!WriteAll(file.get(), work.bytes) || fdatasync(file.get()) != 0) {
    Status wrong = Wrong(work.name, "cannot be written");
    if (before >= 0 && ftruncate(file.get(), before) != 0) wrong.text += "; its end is torn";
    return wrong;
  }
  if (fresh && !SyncFolder(work.name)) return Wrong(work.name, "cannot be flushed");
  return {};
}

Status Write(const core::WriteFile& work) {
  std::string draft = work.name + ".new";
  {
    Fd file(open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return Wrong(draft, "cannot be opened");
    for (const Buffer& part : work.parts)
      if (!WriteAll(file.get(), part)) {
        Status wrong = Wrong(draft, "cannot be written");
        unlink(draft.c_str());
        return wrong;
      }
    if (fsync(file.get()) != 0) return Wrong(draft, "cannot be flushed");
  }
  if (rename(draft.c_str(), work.name.c_str()) != 0) return Wrong(work.name, "cannot take its new contents");
  if (!SyncFolder(work.name)) return Wrong(work.name, "cannot be flushed");
  return {};
}
}  // namespace

core::WorkDone DoFile(const core::Work& work) {
  core::WorkDone done{work.ticket, {}, {}};
  try {
    if (auto* w = std::get_if<core::ReadFile>(&work.request)) done.status = Read(*w, done.results);
    else if (auto* w = std::get_if<core::AppendFile>(&work.request)) done.status = Append(*w);
    else if (auto* w = std::get_if<core::WriteFile>(&work.request)) done.status = Write(*w);
    else if (auto* w = std::get_if<core::RemoveFile>(&work.request)) done.status = unlink(w->name.c_str()) == 0 || errno == ENOENT ? Status() : Wrong(w->name, "cannot be removed");
    else done.status = {Code::kInternal, "[ps] no file's work"};
  } catch (const std::bad_alloc&) {
    done.status = {Code::kMemory, "[ps] no memory to read a file"};
  }
  return done;
}

Disk::~Disk() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Disk::run(std::function<void()> job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!thread_.joinable())
      thread_ = StartThread("ps-disk", [this] {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
          changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
          if (jobs_.empty()) return;
          auto job = std::move(jobs_.front());
          jobs_.pop_front();
          lock.unlock();
          job();
          job = nullptr;
          lock.lock();
        }
      });
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

}  // namespace ps
