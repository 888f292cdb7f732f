// SPDX-License-Identifier: Apache-2.0
// Where bytes come from and go to: files and memory, by one interface, so that every format is read and written from both.
//   Rule for all readers: a length found in the bytes is held against the bytes that are there before any memory is taken for it.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace flx {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file formats are little-endian and are read in place");

std::string SystemText(int error_number);  // "No such file or directory"

class Source {
 public:
  Source(std::string name, int64_t size) : name_(std::move(name)), size_(size) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;
  const std::string& name() const { return name_; }  // for messages
  int64_t size() const { return size_; }
  virtual void Read(int64_t at, void* to, int64_t n) = 0;  // exactly n bytes, which the caller knows to be there

 private:
  std::string name_;
  int64_t size_;
};
class MemorySource final : public Source {
 public:
  MemorySource(std::string_view bytes, std::string name) : Source(std::move(name), int64_t(bytes.size())), bytes_(bytes) {}
  void Read(int64_t at, void* to, int64_t n) override { if (n) std::memcpy(to, bytes_.data() + at, size_t(n)); }

 private:
  std::string_view bytes_;
};
// A file; what is not a regular file (a pipe) is read into memory first. Status kFile when it cannot be opened or read.
std::unique_ptr<Source> OpenFile(const std::string& path);

// Reads fields one after the other; every failure names the file and the byte.
class FieldReader {
 public:
  explicit FieldReader(Source& s) : source_(s) {}
  int64_t at() const { return at_; }
  int64_t left() const { return source_.size() - at_; }
  void Need(uint64_t n, std::string_view what) const;  // n more bytes must be there
  void Skip(int64_t n, std::string_view what) { Need(uint64_t(n), what), at_ += n; }
  void Get(void* to, int64_t n, std::string_view what) { Need(uint64_t(n), what), source_.Read(at_, to, n), at_ += n; }
  template <class T> T Get(std::string_view what) {
    T v;
    Get(&v, int64_t(sizeof v), what);
    return v;
  }
  template <class... A> [[noreturn]] void FailAt(int64_t at, const A&... a) const { FailFile(Status::kFormat, source_.name(), at, Text(a...)); }

 private:
  Source& source_;
  int64_t at_ = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Write(const void* data, int64_t n) = 0;
  template <class T> void Put(T v) { Write(&v, int64_t(sizeof v)); }
};
class StringSink final : public Sink {
 public:
  void Write(const void* data, int64_t n) override { bytes.append(static_cast<const char*>(data), size_t(n)); }
  std::string bytes;
};
// Writes beside `path` and takes its place on Commit, so that a crash leaves the old file. Without Commit nothing has changed.
// What is no regular file (a device, a pipe) is written directly. Status kFile on failure.
class FileSink final : public Sink {
 public:
  explicit FileSink(const std::string& path);
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  ~FileSink() override;
  void Write(const void* data, int64_t n) override;
  void Commit();

 private:
  void Flush();
  std::string path_, temporary_;  // temporary_ is empty when writing directly
  std::string buffer_;
  int fd_ = -1;
};

}  // namespace flx
