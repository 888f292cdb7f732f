// SPDX-License-Identifier: Apache-2.0
// Plain and gzip-compressed files, read alike; and their lines.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flx {

// Told by content, not by name. Offsets are of the uncompressed bytes, but for damage to the compression itself.
class InflateReader {
 public:
  explicit InflateReader(const std::string& path);
  InflateReader(const InflateReader&) = delete;
  InflateReader& operator=(const InflateReader&) = delete;
  ~InflateReader();
  int64_t Read(void* to, int64_t n);             // fewer than n only at the end; a damaged or truncated gzip stream is an error
  int64_t at() const { return at_; }
  int64_t most() const { return most_; }         // there cannot be more bytes than this
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  void* file_ = nullptr;  // gzFile
  int64_t at_ = 0, most_ = 0;
};

// Lines without their \n or \r\n; the last may have none. A line longer than `longest` bytes is an error, so that a file without line ends takes no memory.
class LineReader {
 public:
  LineReader(InflateReader* in, int64_t longest) : in_(in), longest_(longest) {}
  bool Next(std::string_view* line);             // valid until the next call
  int64_t line_number() const { return number_; }  // from 1
  int64_t line_at() const { return line_at_; }     // byte

 private:
  InflateReader* in_;
  int64_t longest_, number_ = 0, line_at_ = 0, next_at_ = 0;
  std::vector<char> block_;
  size_t begin_ = 0, end_ = 0;
  bool ended_ = false;
};

}  // namespace flx
