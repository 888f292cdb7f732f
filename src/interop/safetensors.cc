// SPDX-License-Identifier: Apache-2.0
#include "interop/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"

namespace flx {
namespace {

using nlohmann::json;
constexpr const char* kWho = "safetensors";
constexpr const char* kMetadata = "__metadata__";
constexpr int64_t kMaxHeader = 100'000'000;  // what other readers take
constexpr int64_t kAlign = 64;

struct Name { const char* name; DType type; };
constexpr Name kTypes[] = {{"F32", DType::kFloat32}, {"F64", DType::kFloat64},   {"F16", DType::kFloat16}, {"BF16", DType::kBfloat16}, {"U8", DType::kUint8},
                           {"I8", DType::kInt8},     {"I16", DType::kInt16},     {"U16", DType::kUint16},  {"I32", DType::kInt32},     {"U32", DType::kUint32},
                           {"I64", DType::kInt64},   {"U64", DType::kUint64},    {"BOOL", DType::kBool}};
static_assert(sizeof kTypes / sizeof *kTypes == kDTypeCount, "every dtype has a name");

// ---- reading --------------------------------------------------------------------------------------------------------------------------

struct Entry {
  std::string name;
  DType dtype = DType::kNone;
  Shape shape;
  int64_t begin = -1, end = -1;  // within the data
  int64_t at = 0;                // where in the file its description ends
};

// Takes the header's events as they are parsed; every departure from the form is refused at once, so nothing is kept of a hostile header.
class Header : public nlohmann::json_sax<json> {
 public:
  Header(const std::string& file, std::string_view text) : file_(file), begin_(text.data()), furthest_(text.data()) {}
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  const char** furthest() { return &furthest_; }
  int64_t at() const { return 8 + (furthest_ - begin_); }
  template <class... A> [[noreturn]] void FailAt(int64_t at, const A&... a) const { FailFile(Status::kFormat, file_, at, Text("in the header: ", Text(a...))); }

  bool start_object(size_t) override {
    switch (where_) {
      case kStart: where_ = kTop; break;
      case kEntry: where_ = kFields; break;
      case kMeta: where_ = kPairs; break;
      default: Unexpected("an object");
    }
    return true;
  }
  bool key(string_t& k) override {
    if (where_ == kTop) {
      if (!names_.insert(k).second) FailAt(at(), "`", k, "` occurs twice.");
      if (k == kMetadata) return where_ = kMeta, true;
      entries.emplace_back();
      entries.back().name = k;
      seen_ = 0;
      where_ = kEntry;
    } else if (where_ == kPairs) {
      if (!metadata.emplace(k, "").second) FailAt(at(), "the metadata `", k, "` occurs twice.");
      pair_ = &metadata[k];
    } else if (where_ == kFields) {
      int bit = k == "dtype" ? 1 : k == "shape" ? 2 : k == "data_offsets" ? 4 : 0;
      if (!bit) FailAt(at(), "tensor `", name(), "` has the unknown field `", k, "`; expected dtype, shape and data_offsets.");
      if (seen_ & bit) FailAt(at(), "tensor `", name(), "` has `", k, "` twice.");
      seen_ |= bit;
      where_ = bit == 1 ? kDtype : bit == 2 ? kShape : kOffsets;
    }
    return true;
  }
  bool string(string_t& v) override {
    if (where_ == kPairs && pair_) return *pair_ = std::move(v), true;
    if (where_ != kDtype) Unexpected("a string");
    for (auto& t : kTypes)
      if (v == t.name) entries.back().dtype = t.type;
    if (entries.back().dtype == DType::kNone) {
      std::vector<std::string> names;
      for (auto& t : kTypes) names.emplace_back(t.name);
      FailAt(at(), "tensor `", name(), "` has the dtype `", v, "`; expected one of ", Join(names, ", "), ".");
    }
    return where_ = kFields, true;
  }
  bool start_array(size_t) override {
    if (where_ != kShape && where_ != kOffsets) Unexpected("an array");
    return where_ = where_ == kShape ? kSizes : kBounds, numbers_ = 0, true;
  }
  bool number_unsigned(number_unsigned_t v) override {
    if (where_ != kSizes && where_ != kBounds) Unexpected("a number");
    if (v > uint64_t(std::numeric_limits<int64_t>::max())) FailAt(at(), "tensor `", name(), "` has the number ", v, ", more than 63 bits can hold.");
    auto& e = entries.back();
    if (where_ == kSizes) {
      if (e.shape.ndim() == kMaxNdim) FailAt(at(), "tensor `", name(), "` has more than ", kMaxNdim, " axes.");
      e.shape.push_back(int64_t(v));
    } else {
      if (numbers_ == 2) FailAt(at(), "tensor `", name(), "` must have two data_offsets.");
      (numbers_ == 0 ? e.begin : e.end) = int64_t(v);
    }
    return ++numbers_, true;
  }
  bool end_array() override {
    if (where_ == kBounds && numbers_ != 2) FailAt(at(), "tensor `", name(), "` must have two data_offsets, given ", numbers_, ".");
    return where_ = kFields, true;
  }
  bool end_object() override {
    if (where_ == kFields) {
      if (seen_ != 7) FailAt(at(), "tensor `", name(), "` must have dtype, shape and data_offsets.");
      entries.back().at = at();
    }
    return where_ = where_ == kTop ? kDone : kTop, pair_ = nullptr, true;
  }
  bool null() override { Unexpected("null"); }
  bool boolean(bool) override { Unexpected("a boolean"); }
  bool number_integer(number_integer_t v) override { FailAt(at(), "expected sizes and offsets of 0 or more, given ", v, "."); }
  bool number_float(number_float_t, const string_t& s) override { FailAt(at(), "expected a whole number, given ", s, "."); }
  bool binary(binary_t&) override { Unexpected("binary data"); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) override {
    std::string_view text = e.what();
    auto colon = text.find("column ");  // what stands before is the parser's own numbering
    if (colon != text.npos) colon = text.find(": ", colon);
    FailAt(at(), "not JSON: ", colon == text.npos ? text : text.substr(colon + 2), ".");
  }

 private:
  enum Where { kStart, kTop, kEntry, kFields, kDtype, kShape, kSizes, kOffsets, kBounds, kMeta, kPairs, kDone };
  const std::string& name() const { return entries.back().name; }
  [[noreturn]] void Unexpected(const char* given) const {
    static constexpr const char* kWanted[] = {"an object", "a name", "an object with dtype, shape and data_offsets", "a field", "a dtype", "an array of sizes",
                                              "a size", "an array of two offsets", "an offset", "an object of texts", "a text", "the end"};
    FailAt(at(), "expected ", kWanted[where_], ", given ", given, ".");
  }
  std::string file_;
  const char *begin_, *furthest_;
  Where where_ = kStart;
  std::unordered_set<std::string> names_;
  std::string* pair_ = nullptr;
  int seen_ = 0, numbers_ = 0;
};

void CheckEntries(const Header& header, const std::string& file, int64_t data_begin, int64_t data_size) {
  std::vector<const Entry*> order;
  for (auto& e : header.entries) {
    int64_t bytes;
    if (e.begin > e.end || e.end > data_size)
      header.FailAt(e.at, "tensor `", e.name, "` has the data_offsets ", "[", e.begin, ", ", e.end, "], but the data has ", data_size, " bytes.");
    if (!interop::ByteCount(e.shape, e.dtype, &bytes) || bytes != e.end - e.begin)
      header.FailAt(e.at, "tensor `", e.name, "` of ", e.dtype, " ", e.shape, " does not take the ", e.end - e.begin, " bytes of its data_offsets.");
    order.push_back(&e);
  }
  std::stable_sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
  int64_t done = 0;
  for (auto* e : order) {
    if (e->begin != done)
      header.FailAt(e->at, "tensor `", e->name, "` begins at ", e->begin, " of the data, expected ", done, ": tensors may neither overlap nor leave gaps.");
    done = e->end;
  }
  if (done != data_size)
    FailFile(Status::kFormat, file, data_begin + done, Text("the tensors end here, but ", data_size - done, " more bytes follow."));
}

Safetensors Read(Source& source) {
  FieldReader in(source);
  auto length = in.Get<uint64_t>("the header's length");
  if (length > uint64_t(kMaxHeader)) in.FailAt(0, "the header's length is ", length, "; at most ", kMaxHeader, " bytes are taken.");
  in.Need(length, "the header");
  std::string text(size_t(length), '\0');
  in.Get(text.data(), int64_t(length), "the header");
  if (text.empty() || text[0] != '{') in.FailAt(8, "the header must begin with `{`.");

  Header header(source.name(), text);
  CountedText first{text.data(), header.furthest()}, last{text.data() + text.size(), header.furthest()};
  json::sax_parse(first, last, &header);
  CheckEntries(header, source.name(), in.at(), in.left());

  Safetensors file;
  file.metadata = std::move(header.metadata);
  for (auto& e : header.entries) file.arrays.emplace_back(std::move(e.name), interop::ReadDense(source, in.at() + e.begin, e.shape, e.dtype));
  return file;
}

// ---- writing ------------------------------------------------------------------------------------------------------------------------------

std::string Quoted(const std::string& s) {
  if (!IsUtf8(s)) Fail(Status::kArgument, kWho, "names and metadata must be UTF-8, given `", s, "`.");
  std::string quoted;
  AppendQuoted(&quoted, s);
  return quoted;
}
const char* TypeName(DType t) {
  for (auto& n : kTypes)
    if (n.type == t) return n.name;
  Fail(Status::kType, kWho, "expected an array of a known dtype.");
}

void Write(const Safetensors& file, Sink* out) {
  interop::CheckNames(kWho, file.arrays);
  std::string text = "{";
  if (!file.metadata.empty()) {
    text += Text(Quoted(kMetadata), ":{");
    for (auto& [key, value] : file.metadata) text += Text(Quoted(key), ":", Quoted(value), ",");
    text.back() = '}';
    text += ',';
  }
  int64_t at = 0;
  for (auto& [name, a] : file.arrays) {
    if (name == kMetadata) Fail(Status::kArgument, kWho, "an array cannot be named `", kMetadata, "`.");
    if (!a) Fail(Status::kArgument, kWho, "array `", name, "` is null.");
    text += Text(Quoted(name), ":{\"dtype\":\"", TypeName(a->dtype), "\",\"shape\":[");
    for (int i = 0; i < a->shape.ndim(); ++i) text += Text(i ? "," : "", a->shape[i]);
    text += Text("],\"data_offsets\":[", at, ",", at + a->bytes(), "]},");
    at += a->bytes();
  }
  if (text.size() > 1) text.pop_back();
  text += '}';
  text.resize(text.size() + size_t((kAlign - int64_t(8 + text.size()) % kAlign) % kAlign), ' ');
  if (int64_t(text.size()) > kMaxHeader) Fail(Status::kArgument, kWho, "the header would take ", text.size(), " bytes; at most ", kMaxHeader, " can be read.");
  out->Put(uint64_t(text.size()));
  out->Write(text.data(), int64_t(text.size()));
  for (auto& [name, a] : file.arrays) interop::WriteDense(a, out);
}

}  // namespace

Safetensors LoadSafetensors(const std::string& path) {
  auto source = OpenFile(path);
  return Read(*source);
}
Safetensors ParseSafetensors(std::string_view bytes, const std::string& name) {
  MemorySource source(bytes, name);
  return Read(source);
}
void SaveSafetensors(const std::string& path, const Safetensors& file) {
  FileSink out(path);
  Write(file, &out);
  out.Commit();
}
std::string SerializeSafetensors(const Safetensors& file) {
  StringSink out;
  Write(file, &out);
  return std::move(out.bytes);
}

}  // namespace flx
