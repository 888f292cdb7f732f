// SPDX-License-Identifier: Apache-2.0
// Binaries by key in a folder that any number of processes share. A file is written under a name of its own and renamed, and carries its key and a
// checksum: whatever is there is whole and meant, or is not there. Nothing here fails: a folder that cannot be used loses the cache, and why() says why.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace flx {

class DiskCache {
 public:
  // limit: bytes of all files; what was used longest ago goes first. 0: no limit.
  DiskCache(std::string folder, int64_t limit) : folder_(std::move(folder)), limit_(limit) {}
  bool Get(std::string_view key, std::string* value);  // a file that is not what it should be is removed
  void Put(std::string_view key, std::string_view value);
  const std::string& folder() const { return folder_; }
  std::string why() const;

 private:
  bool Ready();
  void Lose(std::string_view what);
  std::string PathOf(std::string_view key) const;
  void Trim();
  const std::string folder_;
  const int64_t limit_;
  mutable std::mutex mutex_;
  bool tried_ = false, usable_ = false;
  std::string why_;
};

}  // namespace flx
