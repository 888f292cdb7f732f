// SPDX-License-Identifier: Apache-2.0
#include "device/disk_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/text.h"

namespace flx {
namespace {

constexpr char kMagic[] = "flexor cache 1\n";  // then: bytes of key and value, key, value, a hash of all that
constexpr size_t kMagicSize = sizeof kMagic - 1, kHead = kMagicSize + 16;
constexpr char kSuffix[] = ".flxcache", kNewPrefix[] = ".new-";
constexpr int64_t kMostBytes = int64_t(1) << 30;  // of a file

void AppendWord(std::string* s, uint64_t word) { s->append(reinterpret_cast<const char*>(&word), 8); }
uint64_t WordAt(const std::string& s, size_t at) {
  uint64_t word;
  std::memcpy(&word, s.data() + at, 8);
  return word;
}
std::string Hex(uint64_t n) {
  std::string s;
  for (int shift = 60; shift >= 0; shift -= 4) s += "0123456789abcdef"[n >> shift & 15];
  return s;
}
class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() { if (fd_ >= 0) close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  explicit operator bool() const { return fd_ >= 0; }
  bool ReadAll(std::string* to) const {
    struct stat s;
    if (fstat(fd_, &s) || !S_ISREG(s.st_mode) || s.st_size > kMostBytes) return false;
    to->resize(size_t(s.st_size));
    for (size_t done = 0; done < to->size();) {
      const ssize_t n = read(fd_, to->data() + done, to->size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      done += size_t(n);
    }
    return true;
  }
  bool WriteAll(const std::string& from) const {
    for (size_t done = 0; done < from.size();) {
      const ssize_t n = write(fd_, from.data() + done, from.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      done += size_t(n);
    }
    return true;
  }
  void Touch() const { futimens(fd_, nullptr); }

 private:
  const int fd_;
};
bool MakeFolders(const std::string& path) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0700) && errno != EEXIST) return false;
    if (at != std::string::npos) ++at;
  }
  return true;
}
}  // namespace

std::string DiskCache::why() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return why_;
}
void DiskCache::Lose(std::string_view what) {
  std::lock_guard<std::mutex> lock(mutex_);
  usable_ = false;
  if (why_.empty()) why_ = Text(folder_, ": ", what);
}
// What lies there is run: so nobody else may write into it.
bool DiskCache::Ready() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (std::exchange(tried_, true)) return usable_;
  struct stat s;
  if (folder_.empty()) why_ = "no folder is known for it";
  else if (!MakeFolders(folder_) || stat(folder_.c_str(), &s)) why_ = Text(folder_, ": ", std::strerror(errno));
  else if (!S_ISDIR(s.st_mode)) why_ = Text(folder_, ": this is no folder");
  else if (s.st_uid != geteuid() || (s.st_mode & 022)) why_ = Text(folder_, ": others may write there, and what lies there would be run");
  else usable_ = true;
  return usable_;
}
std::string DiskCache::PathOf(std::string_view key) const { return Text(folder_, "/", Hex(HashBytes(key)), Hex(HashBytes(key, 0x9e3779b97f4a7c15ull)), kSuffix); }

bool DiskCache::Get(std::string_view key, std::string* value) {
  if (!Ready()) return false;
  const std::string path = PathOf(key);
  std::string all;
  File f(path, O_RDONLY);
  if (!f) return false;
  const bool whole = f.ReadAll(&all) && all.size() >= kHead + 8 && all.compare(0, kMagicSize, kMagic) == 0 && WordAt(all, kMagicSize) <= all.size() &&
                     WordAt(all, kMagicSize + 8) <= all.size() && WordAt(all, kMagicSize) + WordAt(all, kMagicSize + 8) + kHead + 8 == all.size() &&
                     HashBytes(std::string_view(all).substr(0, all.size() - 8)) == WordAt(all, all.size() - 8);
  if (!whole) {
    unlink(path.c_str());
    return false;
  }
  const size_t n = size_t(WordAt(all, kMagicSize));
  if (std::string_view(all).substr(kHead, n) != key) return false;  // two keys of one hash: the other's stays
  f.Touch();
  *value = all.substr(kHead + n, all.size() - 8 - kHead - n);
  return true;
}
void DiskCache::Put(std::string_view key, std::string_view value) {
  if (!Ready()) return;
  std::string all(kMagic, kMagicSize);
  AppendWord(&all, key.size()), AppendWord(&all, value.size());
  all += key, all += value;
  AppendWord(&all, HashBytes(all));
  static std::atomic<uint64_t> count{0};
  const std::string fresh = Text(folder_, "/", kNewPrefix, int64_t(getpid()), "-", count++, "-", Hex(reinterpret_cast<uintptr_t>(this)));
  bool written;
  {
    File f(fresh, O_WRONLY | O_CREAT | O_EXCL, 0600);
    written = f && f.WriteAll(all);
  }
  if (!written || rename(fresh.c_str(), PathOf(key).c_str())) {
    const int error = errno;
    unlink(fresh.c_str());
    return Lose(std::strerror(error));
  }
  Trim();
}
void DiskCache::Trim() {
  struct Found { std::string path; int64_t bytes; timespec used; };
  std::vector<Found> all;
  int64_t bytes = 0;
  DIR* folder = opendir(folder_.c_str());
  if (!folder) return;
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  while (dirent* e = readdir(folder)) {
    const std::string_view name = e->d_name;
    const bool left = name.rfind(kNewPrefix, 0) == 0;  // by a process that ended while it wrote
    if (!left && !EndsWith(name, kSuffix)) continue;
    const std::string path = Text(folder_, "/", name);
    struct stat s;
    if (stat(path.c_str(), &s)) continue;
    if (left) {
      if (now.tv_sec - s.st_mtim.tv_sec > 3600) unlink(path.c_str());
      continue;
    }
    all.push_back({path, int64_t(s.st_size), s.st_mtim}), bytes += s.st_size;
  }
  closedir(folder);
  if (limit_ <= 0 || bytes <= limit_) return;
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
    return a.used.tv_sec != b.used.tv_sec ? a.used.tv_sec < b.used.tv_sec : a.used.tv_nsec < b.used.tv_nsec;
  });
  for (auto& f : all) {
    if (bytes <= limit_) break;
    if (unlink(f.path.c_str()) == 0 || errno == ENOENT) bytes -= f.bytes;
  }
}

}  // namespace flx
