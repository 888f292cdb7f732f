// SPDX-License-Identifier: Apache-2.0
#include "golden.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/text.h"

namespace flx::golden {
namespace {

[[noreturn]] void Bad(const std::string& what) { Fail(Status::kFormat, "golden", what); }

std::string Plain(std::string_view s) {  // \t \n \\ to what they stand for
  std::string o;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '\\' && i + 1 < s.size()) {
      char c = s[++i];
      o += c == 't' ? '\t' : c == 'n' ? '\n' : c;
    } else {
      o += s[i];
    }
  }
  return o;
}

Shape ParseShape(const std::string& text) {
  Shape s;
  if (text == "-") return s;
  for (auto& part : Split(text, ',')) {
    int64_t v;
    if (!ParseInt(part, &v)) Bad(Text("`", text, "` is not a shape."));
    s.push_back(v);
  }
  return s;
}

int64_t Number(const Line& line, const char* key) {
  int64_t v;
  if (!ParseInt(line.get(key), &v)) Bad(Text("field ", key, " is not a number: ", line.get(key)));
  return v;
}

double Real(const Line& line, const char* key) {
  double v = 0;
  if (line.has(key) && !ParseDouble(line.get(key), &v)) Bad(Text("field ", key, " is not a number: ", line.get(key)));
  return v;
}

}  // namespace

bool Line::has(std::string_view key) const {
  for (auto& f : fields) if (f.first == key) return true;
  return false;
}
const std::string& Line::get(std::string_view key) const {
  for (auto& f : fields) if (f.first == key) return f.second;
  Bad(Text("line `", word, "` has no field ", key, "."));
}
const Line* Case::Find(std::string_view word) const {
  for (auto& l : lines) if (l.word == word) return &l;
  return nullptr;
}
std::string Case::note() const {
  std::string s;
  for (auto& l : lines) if (l.word == "note") s += (s.empty() ? "" : "; ") + l.get("text");
  return s;
}

std::vector<Case> Folder::Read(const std::string& family) {
  std::ifstream in(path_ + "/" + family + ".cases");
  if (!in) Bad(Text(path_, "/", family, ".cases cannot be read."));
  std::vector<Case> cases;
  bool open = false;
  for (std::string row; std::getline(in, row);) {
    if (row.empty()) { open = false; continue; }
    if (!open) cases.emplace_back(), cases.back().family = family, open = true;
    Line line;
    auto parts = Split(row, '\t');
    line.word = parts[0];
    for (size_t i = 1; i < parts.size(); ++i) {
      auto eq = parts[i].find('=');
      if (eq == std::string::npos) Bad(Text(family, ": a field without `=`: ", parts[i]));
      line.fields.emplace_back(parts[i].substr(0, eq), Plain(std::string_view(parts[i]).substr(eq + 1)));
    }
    cases.back().lines.push_back(std::move(line));
  }
  return cases;
}

Stored Folder::Load(const Case& c, const Line& line) {
  auto it = bins_.find(c.family);
  if (it == bins_.end()) {
    std::ifstream in(path_ + "/" + c.family + ".bin", std::ios::binary);
    if (!in) Bad(Text(path_, "/", c.family, ".bin cannot be read."));
    it = bins_.emplace(c.family, std::string(std::istreambuf_iterator<char>(in), {})).first;
  }
  const std::string& bin = it->second;
  auto take = [&](int64_t at, int64_t bytes) {
    if (at < 0 || at + bytes > int64_t(bin.size())) Bad(Text(c.id(), ": bytes ", at, " to ", at + bytes, " lie outside ", c.family, ".bin."));
    return bin.substr(size_t(at), size_t(bytes));
  };
  Stored s;
  if (!DTypeFromName(line.get("dtype"), &s.dtype)) Bad(Text("unknown dtype ", line.get("dtype")));
  s.shape = ParseShape(line.get("shape"));
  s.rtol = Real(line, "rtol"), s.atol = Real(line, "atol");
  int64_t width = DTypeSize(s.dtype);
  if (!line.has("stype")) {
    s.bytes = take(Number(line, "at"), s.shape.size() * width);
    return s;
  }
  // Sparse: the dense value is put together.
  s.sparse = true;
  s.bytes.assign(size_t(s.shape.size() * width), '\0');
  auto ints = [&](const char* at, const char* shape) {
    std::string raw = take(Number(line, at), ParseShape(line.get(shape)).size() * 8);
    std::vector<int64_t> v(raw.size() / 8);
    if (!v.empty()) std::memcpy(v.data(), raw.data(), raw.size());
    return v;
  };
  std::string data = take(Number(line, "at"), ParseShape(line.get("data_shape")).size() * width);
  auto indices = ints("indices_at", "indices_shape");
  if (line.get("stype") == "row_sparse") {
    int64_t row = s.shape.Product(1, s.shape.ndim()) * width;
    for (size_t i = 0; i < indices.size(); ++i) std::memcpy(&s.bytes[size_t(indices[i] * row)], &data[i * size_t(row)], size_t(row));
  } else {
    auto starts = ints("indptr_at", "indptr_shape");
    for (size_t r = 0; r + 1 < starts.size(); ++r)
      for (int64_t k = starts[r]; k < starts[r + 1]; ++k)
        std::memcpy(&s.bytes[size_t((int64_t(r) * s.shape[1] + indices[size_t(k)]) * width)], &data[size_t(k * width)], size_t(width));
  }
  return s;
}

std::string Compare(const std::string& what, const Stored& want, DType dtype, const Shape& shape, const void* got) {
  if (dtype != want.dtype) return Text(what, " has dtype ", dtype, ", MXNet's has ", want.dtype, ".\n");
  if (shape != want.shape) return Text(what, " has shape ", shape, ", MXNet's has ", want.shape, ".\n");
  int64_t wrong = 0, first = -1;
  double worst = 0, a0 = 0, b0 = 0;
  Dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    auto *g = static_cast<const T*>(got), *w = reinterpret_cast<const T*>(want.bytes.data());
    for (int64_t i = 0; i < shape.size(); ++i) {
      if (std::memcmp(&g[i], &w[i], sizeof(T)) == 0) continue;
      double a = double(LoadAs(g[i])), b = double(LoadAs(w[i]));
      if (std::isnan(a) && std::isnan(b)) continue;
      bool ok = std::isfinite(a) && std::isfinite(b) && std::abs(a - b) <= want.atol + want.rtol * std::abs(b);
      // Two int64 may differ and be one double: bytes have the last word there.
      if (ok || (a == b && !std::is_same_v<T, int64_t>)) continue;
      if (wrong++ == 0) first = i, a0 = a, b0 = b;
      worst = std::max(worst, std::abs(a - b));
    }
  });
  if (!wrong) return "";
  return Text(what, ": ", wrong, " of ", shape.size(), " elements differ, first at ", first, ": ", a0, ", MXNet has ", b0, "; largest difference ", worst,
              ", allowed ", want.atol, " + ", want.rtol, " * |value|.\n");
}

}  // namespace flx::golden
