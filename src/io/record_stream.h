// SPDX-License-Identifier: Apache-2.0
// The bytes under a RecordFile: dmlc-core's streams (record_dmlc.cc) or stdio's (record_plain.cc), whichever is built. Records are read by our own
// code in both: dmlc-core's reader takes up to 512 MiB on a damaged length's word, and ends in a message without the place.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace flx {

constexpr uint32_t kRecordMagic = 0xced7230a;

class RecordStream {
 public:
  virtual ~RecordStream() = default;
  virtual int64_t size() const = 0;                             // when it was opened
  virtual int64_t Read(int64_t at, void* to, int64_t n) = 0;    // fewer than n only at the end
  virtual int64_t WriteRecord(const void* data, int64_t n) = 0; // frames it; returns the bytes it took
  virtual void Flush() = 0;
};
enum class RecordAccess { kRead, kWrite, kAppend };
std::unique_ptr<RecordStream> OpenRecordStream(const std::string& path, RecordAccess access);

}  // namespace flx
