// SPDX-License-Identifier: Apache-2.0
// RecordFile's bytes by dmlc-core's streams, its writer doing the framing.
#include <dmlc/filesystem.h>
#include <dmlc/io.h>
#include <dmlc/recordio.h>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/text.h"
#include "io/record_stream.h"

namespace flx {
namespace {

// dmlc-core reports by an exception whose text begins with the time and ends with a stack trace; what lies between is for people.
template <class F> auto Guarded(const std::string& path, const F& f) {
  try {
    return f();
  } catch (const dmlc::Error& e) {
    std::string_view text = e.what();
    text = Trim(text.substr(0, text.find("\nStack trace")));
    if (!text.empty() && text.front() == '[' && text.find("] ") != text.npos) text.remove_prefix(text.find("] ") + 2);
    FailFile(Status::kFile, path, -1, Text(text, "."));
  }
}

// Counts what dmlc-core's writer puts into a stream that cannot always tell.
class Counted final : public dmlc::Stream {
 public:
  explicit Counted(std::unique_ptr<dmlc::Stream> to) : to_(std::move(to)) {}
  size_t Read(void* p, size_t n) override { return to_->Read(p, n); }
  void Write(const void* p, size_t n) override { to_->Write(p, n), count += int64_t(n); }
  void Flush() {
    // Streams have no flush, and a failure on closing would be lost; seeking to where one is writes out what is held back.
    if (auto* s = dynamic_cast<dmlc::SeekStream*>(to_.get())) s->Seek(s->Tell());
  }
  int64_t count = 0;

 private:
  std::unique_ptr<dmlc::Stream> to_;
};

class DmlcStream final : public RecordStream {
 public:
  // dmlc-core takes these two names for the process's own streams.
  DmlcStream(const std::string& path, RecordAccess access) : path_(path == "stdin" || path == "stdout" ? "./" + path : path) {
    HoldStandard hold;
    Guarded(path_, [&] {
      if (access != RecordAccess::kWrite) Measure(access == RecordAccess::kRead);
      if (access == RecordAccess::kRead) {
        from_.reset(dmlc::SeekStream::CreateForRead(path_.c_str()));
      } else {
        to_ = std::make_unique<Counted>(std::unique_ptr<dmlc::Stream>(dmlc::Stream::Create(path_.c_str(), access == RecordAccess::kAppend ? "a" : "w")));
        writer_ = std::make_unique<dmlc::RecordIOWriter>(to_.get());
      }
    });
  }
  int64_t size() const override { return size_; }
  int64_t Read(int64_t at, void* to, int64_t n) override {
    return Guarded(path_, [&] {
      if (at != at_) from_->Seek(size_t(at));
      int64_t got = 0;
      for (size_t part; got < n && (part = from_->Read(static_cast<char*>(to) + got, size_t(n - got))) > 0;) got += int64_t(part);
      at_ = at + got;
      return got;
    });
  }
  int64_t WriteRecord(const void* data, int64_t n) override {
    return Guarded(path_, [&] {
      int64_t before = to_->count;
      writer_->WriteRecord(data, size_t(n));
      return to_->count - before;
    });
  }
  void Flush() override { Guarded(path_, [&] { to_->Flush(); }); }

 private:
  void Measure(bool must_exist) {
    dmlc::io::URI uri(path_.c_str());
    // GetInstance's result is dmlc-core's own
    auto* files = dmlc::io::FileSystem::GetInstance(uri);
    if (!must_exist) {
      std::unique_ptr<dmlc::SeekStream> there(files->OpenForRead(uri, true));
      if (!there) return;  // appending to nothing begins a file
    }
    auto info = files->GetPathInfo(uri);
    if (info.type == dmlc::io::kDirectory) FailFile(Status::kFile, path_, -1, "cannot open: expected a file, given a folder.");
    size_ = int64_t(info.size);
  }
  std::string path_;
  std::unique_ptr<dmlc::SeekStream> from_;
  std::unique_ptr<Counted> to_;
  std::unique_ptr<dmlc::RecordIOWriter> writer_;
  int64_t size_ = 0, at_ = 0;
};

}  // namespace

std::unique_ptr<RecordStream> OpenRecordStream(const std::string& path, RecordAccess access) { return std::make_unique<DmlcStream>(path, access); }

}  // namespace flx
