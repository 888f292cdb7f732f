// SPDX-License-Identifier: Apache-2.0
#include "io/record.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "io/bytes.h"
#include "io/gzip.h"
#include "io/record_stream.h"

namespace flx {

RecordFile::RecordFile(std::string path, bool writing, std::unique_ptr<RecordStream> stream)
    : LockedObject(Kind::kRecord), path_(std::move(path)), stream_(std::move(stream)), writing_(writing) {
  stop_ = size_ = stream_->size();
  if (writing) at_ = size_;
}
RecordFile::~RecordFile() = default;

Ref<RecordFile> RecordFile::Open(const std::string& path, std::string_view access) {
  bool read = access == "read" || access == "r", append = access == "append" || access == "a";
  if (!read && !append && access != "write" && access != "w")
    Fail(Status::kArgument, "record", "access must be read, write or append, given `", access, "`.");
  auto stream = OpenRecordStream(path, read ? RecordAccess::kRead : append ? RecordAccess::kAppend : RecordAccess::kWrite);
  // Records begin at multiples of 4; after half a record nobody would find the next.
  if (append && stream->size() % 4) FailFile(Status::kFormat, path, stream->size(), "the last record is cut short; nothing can be appended.");
  return Ref<RecordFile>::Take(new RecordFile(path, !read, std::move(stream)));
}

void RecordFile::Need(bool writing, const char* what) const {
  if (!stream_) Fail(Status::kState, "record", path_, " is closed.");
  if (writing != writing_) Fail(Status::kState, "record", path_, " is open for ", writing_ ? "writing" : "reading", "; ", what, " needs the other.");
}

// One part of a record at `at`, appended to out; returns where the next begins.
int64_t RecordFile::ReadPart(int64_t at, std::string* out, uint32_t* part) {
  uint32_t head[2];
  if (stream_->Read(at, head, 8) != 8) FailFile(Status::kFormat, path_, at, "the record's head is cut short.");
  if (head[0] != kRecordMagic) FailFile(Status::kFormat, path_, at, Text("expected a record's magic number ", kRecordMagic, ", given ", head[0], "."));
  *part = head[1] >> 29;
  int64_t n = head[1] & kMaxRecord, padded = (n + 3) / 4 * 4, left = size_ - at - 8;
  if (*part > 3) FailFile(Status::kFormat, path_, at + 4, Text("a record's part must be 0 to 3, given ", *part, "."));
  if (padded > left) FailFile(Status::kFormat, path_, at + 4, Text("the record needs ", padded, " bytes, but ", left, " are left."));
  size_t old = out->size();
  out->resize(old + size_t(n));
  if (stream_->Read(at + 8, out->data() + old, n) != n) FailFile(Status::kFormat, path_, at + 8, "the file became shorter while it was read.");
  return at + 8 + padded;
}

bool RecordFile::Read(std::string* out) {
  Need(false, "Read");
  out->clear();
  if (at_ >= stop_) return false;
  uint32_t part;
  int64_t next = ReadPart(at_, out, &part);
  if (part > 1) FailFile(Status::kFormat, path_, at_ + 4, Text("a record must begin with part 0 or 1, given ", part, "."));
  while (part == 1 || part == 2) {
    if (next >= size_) FailFile(Status::kFormat, path_, next, "the record has no last part.");
    out->append(reinterpret_cast<const char*>(&kRecordMagic), 4);  // it was cut out here
    int64_t at = next;
    next = ReadPart(at, out, &part);
    if (part < 2) FailFile(Status::kFormat, path_, at + 4, Text("expected a record's next part (2 or 3), given ", part, "."));
  }
  at_ = next;
  return true;
}

int64_t RecordFile::Write(const void* data, int64_t n) {
  Need(true, "Write");
  if (n < 0 || n > kMaxRecord) Fail(Status::kArgument, "record", "a record may have at most ", kMaxRecord, " bytes, given ", n, ". Cut it into several.");
  int64_t begin = at_;
  at_ += stream_->WriteRecord(data, n);
  return begin;
}

void RecordFile::Seek(int64_t offset) {
  Need(false, "Seek");
  if (offset < 0 || offset > size_) Fail(Status::kIndex, "record", "the offset must be in [0, ", size_, "], given ", offset, ".");
  at_ = offset;
}

// The first record that begins at `at` (a multiple of 4) or later; size_ when there is none.
int64_t RecordFile::FindRecord(int64_t at) {
  std::vector<uint32_t> words(1 << 14);
  while (at + 8 <= size_) {
    auto n = stream_->Read(at, words.data(), int64_t(words.size() * 4)) / 4;
    for (int64_t i = 0; i + 1 < n; ++i)
      if (words[size_t(i)] == kRecordMagic && words[size_t(i) + 1] >> 29 <= 1) return at + i * 4;
    if (n < 2) break;
    at += (n - 1) * 4;  // the last word may be a magic number whose head goes on in the next block
  }
  return size_;
}

void RecordFile::SetPart(int64_t part, int64_t parts) {
  Need(false, "SetPart");
  if (parts < 1 || part < 0 || part >= parts) Fail(Status::kArgument, "record", "part must be in [0, parts), given part ", part, " of ", parts, ".");
  auto border = [&](int64_t p) {
    auto exact = static_cast<int64_t>(static_cast<__int128>(size_) * p / parts);
    return p == parts ? size_ : exact / 4 * 4;
  };
  int64_t begin = border(part);
  at_ = begin == 0 ? 0 : FindRecord(begin);
  stop_ = border(part + 1);
}

void RecordFile::Close() {
  if (!stream_) return;
  auto stream = std::move(stream_);
  if (writing_) stream->Flush();
}

std::string PackRecord(const PackedRecord& r) {
  StringSink out;
  out.Put(uint32_t(r.labels.size())), out.Put(r.labels.empty() ? r.label : 0.0f), out.Put(r.id), out.Put(r.id2);
  out.Write(r.labels.data(), int64_t(r.labels.size() * 4));
  out.Write(r.body.data(), int64_t(r.body.size()));
  return std::move(out.bytes);
}
PackedRecord UnpackRecord(std::string_view bytes) {
  MemorySource source(bytes, "packed record");
  FieldReader in(source);
  PackedRecord r;
  auto n = in.Get<uint32_t>("the number of labels");
  r.label = in.Get<float>("the label"), r.id = in.Get<uint64_t>("the id"), r.id2 = in.Get<uint64_t>("the second id");
  in.Need(uint64_t(n) * 4, "the labels");
  r.labels.resize(n);
  in.Get(r.labels.data(), int64_t(n) * 4, "the labels");
  r.body = bytes.substr(size_t(in.at()));
  return r;
}

RecordIndex ReadRecordIndex(const std::string& path) {
  InflateReader in(path);
  LineReader lines(&in, 4096);
  RecordIndex index;
  std::string_view line;
  while (lines.Next(&line)) {
    if (Trim(line).empty()) continue;
    auto tab = line.find('\t');
    int64_t key, offset;
    if (tab == line.npos || !ParseInt(line.substr(0, tab), &key) || !ParseInt(line.substr(tab + 1), &offset) || offset < 0)
      FailFile(Status::kFormat, path, lines.line_at(), Text("line ", lines.line_number(), ": expected a key, a tab and an offset, given `", line.substr(0, 40), "`."));
    index.emplace_back(key, offset);
  }
  return index;
}
void WriteRecordIndex(const std::string& path, const RecordIndex& index) {
  std::string text;
  for (auto& [key, offset] : index) text += Text(key, '\t', offset, '\n');
  FileSink out(path);
  out.Write(text.data(), int64_t(text.size()));
  out.Commit();
}

}  // namespace flx
