// SPDX-License-Identifier: Apache-2.0
#include "io/gzip.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "base/error.h"
#include "io/bytes.h"

namespace flx {

InflateReader::InflateReader(const std::string& path) : path_(path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) FailFile(Status::kFile, path, -1, Text("cannot open: ", SystemText(errno), "."));
  if (!S_ISREG(st.st_mode)) FailFile(Status::kFile, path, -1, "cannot open: expected a regular file.");
  int fd = AboveStandard(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  gzFile file = fd < 0 ? nullptr : gzdopen(fd, "rbe");
  if (fd >= 0 && !file) ::close(fd), errno = ENOMEM;
  if (!file) FailFile(Status::kFile, path, -1, Text("cannot open: ", SystemText(errno), "."));
  gzbuffer(file, 1 << 17);
  file_ = file;
  // deflate makes 1032 bytes of one at most
  most_ = gzdirect(file) ? int64_t(st.st_size) : int64_t(st.st_size) < (int64_t(1) << 50) ? int64_t(st.st_size) * 1032 : INT64_MAX;
}
InflateReader::~InflateReader() { gzclose(static_cast<gzFile>(file_)); }

int64_t InflateReader::Read(void* to, int64_t n) {
  auto file = static_cast<gzFile>(file_);
  int64_t done = 0;
  while (done < n) {
    int got = gzread(file, static_cast<char*>(to) + done, unsigned(std::min<int64_t>(n - done, 1 << 30)));
    int code = Z_OK;
    // at the end of a truncated file gzread gives what there was, and only gzerror knows
    if (got <= 0 && (gzerror(file, &code), code != Z_OK)) {
      if (code == Z_ERRNO) FailFile(Status::kFile, path_, -1, Text("cannot read: ", SystemText(errno), "."));
      FailFile(Status::kFormat, path_, gzoffset(file), code == Z_BUF_ERROR ? "the gzip stream is cut short." : "the gzip stream is damaged.");
    }
    if (got <= 0) break;
    done += got, at_ += got;
  }
  return done;
}

bool LineReader::Next(std::string_view* line) {
  size_t seen = begin_;  // no line end before this
  for (;;) {
    auto* p = end_ > seen ? static_cast<char*>(std::memchr(block_.data() + seen, '\n', end_ - seen)) : nullptr;
    if (p || ended_) {
      if (!p && begin_ == end_) return false;
      size_t stop = p ? size_t(p - block_.data()) : end_;
      *line = {block_.data() + begin_, stop - begin_};
      line_at_ = next_at_;
      next_at_ += int64_t(stop - begin_) + (p ? 1 : 0);
      begin_ = stop + (p ? 1 : 0);
      ++number_;
      if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
      return true;
    }
    if (int64_t(end_ - begin_) > longest_) FailFile(Status::kFormat, in_->path(), next_at_, Text("line ", number_ + 1, " has more than ", longest_, " bytes."));
    if (begin_ > 0) {
      std::memmove(block_.data(), block_.data() + begin_, end_ - begin_);
      end_ -= begin_, begin_ = 0;
    }
    seen = end_;
    constexpr size_t kStep = 1 << 18;
    if (block_.size() < end_ + kStep) block_.resize(end_ + kStep);
    auto got = size_t(in_->Read(block_.data() + end_, int64_t(kStep)));
    ended_ = got < kStep;
    end_ += got;
  }
}

}  // namespace flx
