// SPDX-License-Identifier: Apache-2.0
// RecordIO files (dmlc-core's and MXNet's `.rec`): records of any bytes, each found without reading the others.
//   A record: u32 magic, u32 (part << 29 | length), the bytes, zeros up to a multiple of 4. A record that holds the magic number at a multiple of 4
//   is cut there (part 1 first, 2 middle, 3 last; 0 uncut), so that the magic at a multiple of 4 always begins a part.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ref.h"

namespace flx {

class RecordStream;  // record_stream.h

// Not synchronised; mutex() is for callers that share one (the C ABI locks it for a call). Errors name the file and the byte: kFile when it cannot be opened, read or written, kFormat when it is damaged.
class RecordFile final : public LockedObject {
 public:
  static constexpr int64_t kMaxRecord = (int64_t(1) << 29) - 1;
  // access: read, write (a new file) or append. Paths may be what dmlc-core's streams open, where it is built in.
  static Ref<RecordFile> Open(const std::string& path, std::string_view access);
  ~RecordFile() override;
  bool Read(std::string* out);                    // the next record; false at the end (of the part). After an error it stays before the damaged record.
  int64_t Write(const void* data, int64_t n);     // returns the offset at which the record begins
  int64_t Write(std::string_view record) { return Write(record.data(), int64_t(record.size())); }
  void Seek(int64_t offset);                      // to where a record begins; when reading
  int64_t Tell() const { return at_; }
  // Reads only the records that begin in the part-th of `parts` equal pieces of the file; each record is in exactly one. Goes to the first of them.
  void SetPart(int64_t part, int64_t parts);
  void Close();                                   // reports what could not be written; afterwards only freeing it makes sense
  const std::string& path() const { return path_; }
  std::mutex& mutex() const { return mutex_; }

 private:
  RecordFile(std::string path, bool writing, std::unique_ptr<RecordStream> stream);
  int64_t ReadPart(int64_t at, std::string* out, uint32_t* part);
  int64_t FindRecord(int64_t at);
  void Need(bool writing, const char* what) const;
  std::string path_;
  std::unique_ptr<RecordStream> stream_;
  bool writing_;
  int64_t at_ = 0, stop_ = 0, size_ = 0;  // records that begin at stop_ or later are not read
  mutable std::mutex mutex_;
};

// What MXNet packs before an image: labels and an id, 24 bytes and, for more than one label, 4 bytes for each.
struct PackedRecord {
  float label = 0;            // when `labels` is empty
  std::vector<float> labels;  // any number: written as such, also when there is one
  uint64_t id = 0, id2 = 0;
  std::string_view body;      // unpacked: within the bytes that were given
};
std::string PackRecord(const PackedRecord& r);
PackedRecord UnpackRecord(std::string_view bytes);  // kFormat when it is cut short

// The `.idx` file beside a `.rec`: keys and offsets, one pair a line, in the order of the file.
using RecordIndex = std::vector<std::pair<int64_t, int64_t>>;
RecordIndex ReadRecordIndex(const std::string& path);
void WriteRecordIndex(const std::string& path, const RecordIndex& index);

}  // namespace flx
