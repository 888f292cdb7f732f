// SPDX-License-Identifier: Apache-2.0
// Fuzz targets for the readers; FLEXOR_FUZZ_READER says which. A reader may refuse with an Error of status kFormat and nothing else.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "base/json.h"
#include "graph/draw.h"
#include "graph/infer.h"
#include "graph/json.h"
#include "graph/summary.h"
#include "interop/mxnet_params.h"
#include "interop/safetensors.h"
#include "io/idx.h"
#include "io/iter.h"
#include "io/record.h"

namespace {
using flx::Error;

[[maybe_unused]] void params(std::string_view bytes, const std::string&) {
  auto arrays = flx::ParseMxnetParams(bytes);
  flx::ParseMxnetParams(flx::SerializeMxnetParams(arrays));  // what was read can be written and read
}
[[maybe_unused]] void safetensors(std::string_view bytes, const std::string&) {
  auto text = flx::SerializeSafetensors(flx::ParseSafetensors(bytes));
  if (flx::SerializeSafetensors(flx::ParseSafetensors(text)) != text) std::abort();
}
[[maybe_unused]] void symbol(std::string_view bytes, const std::string& path) {
  auto s = flx::SymbolFromJson(bytes, path);
  auto text = flx::SymbolToJson(*s);
  try {
    if (flx::SymbolToJson(*flx::SymbolFromJson(text, path)) != text) std::abort();
  } catch (const Error& e) {
    std::cerr << "what was written cannot be read: " << e.message() << '\n' << text << '\n';
    std::abort();
  }
  auto shown = [](const flx::Symbol& symbol) {  // tables and pictures never fail
    flx::SymbolSummary(symbol, 80);
    flx::ParseJson(flx::SymbolTable(symbol), "table", {}, {size_t(1) << 30, 16, size_t(1) << 30});
    for (const char* format : {"svg", "dot"}) flx::DrawSymbol(symbol, format);
  };
  shown(*s);
  std::shared_ptr<const flx::Inferred> known;
  try {
    known = flx::Infer(*s, {}, true);
  } catch (const Error& e) {
    if (e.status() == flx::Status::kShape || e.status() == flx::Status::kType || e.status() == flx::Status::kArgument) return;
    throw;
  }
  shown(*flx::Symbol::New(s->outputs, known));
}
[[maybe_unused]] void record(std::string_view bytes, const std::string& path) {
  auto f = flx::RecordFile::Open(path, "read");
  for (std::string r; f->Read(&r);)
    if (r.size() > bytes.size()) std::abort();
  for (int p = 0; p < 3; ++p) {
    f->SetPart(p, 3);
    for (std::string r; f->Read(&r);) {}
  }
}
[[maybe_unused]] void idx(std::string_view, const std::string& path) { flx::ReadIdx(path); }
[[maybe_unused]] void csv(std::string_view, const std::string& path) {
  flx::CreateIter("CSVIter", {{"data_csv", path}, {"data_shape", "(3,)"}, {"batch_size", "2"}})->Next();
}

class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (fd_ < 0 || write(fd_, bytes.data(), bytes.size()) != ssize_t(bytes.size())) std::abort();
  }
  ~MemoryFile() { close(fd_); }
  std::string path() const { return flx::Text("/proc/self/fd/", fd_); }

 private:
  int fd_;
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  MemoryFile file(bytes);
  try {
    FLEXOR_FUZZ_READER(bytes, file.path());
  } catch (const Error& e) {
    if (e.status() == flx::Status::kFormat && !e.file.empty() && e.offset >= -1) return 0;
    std::cerr << flx::StatusName(e.status()) << ": " << e.message() << '\n';
    std::abort();
  }
  return 0;
}
