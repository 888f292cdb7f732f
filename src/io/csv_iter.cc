// SPDX-License-Identifier: Apache-2.0
// CSVIter: batches of the lines of CSV files.
#include <charconv>
#include <cstring>

#include "base/text.h"
#include "io/bytes.h"
#include "io/gzip.h"
#include "io/iters.h"
#include "io/rows.h"

namespace flx {
namespace {

struct CsvAttrs {
  std::string data_csv;
  Ints data_shape;
  std::string label_csv = "NULL";
  Ints label_shape = {1};
  int64_t batch_size = 1;
  bool round_batch = true;
  DType dtype = DType::kFloat32;
};
constexpr const char* kWho = "CSVIter";
constexpr int64_t kMaxColumns = int64_t(1) << 28, kMaxNumber = 256;

template <class T> bool ParseNumber(std::string_view s, T* out) {
  auto r = std::from_chars(s.data(), s.data() + s.size(), *out);
  if (r.ec == std::errc() && r.ptr == s.data() + s.size()) return true;
  // signs, blanks and numbers beyond the range are rare
  if constexpr (std::is_floating_point_v<T>) {
    double d;
    return ParseDouble(s, &d) ? (*out = T(d), true) : false;
  } else {
    int64_t v;
    if (!ParseInt(s, &v) || v < std::numeric_limits<T>::lowest() || v > std::numeric_limits<T>::max()) return false;
    return *out = T(v), true;
  }
}

template <class T> NDArray ReadCsv(const std::string& path, int64_t columns) {
  InflateReader in(path);
  LineReader lines(&in, columns * kMaxNumber);
  std::vector<T> values;
  std::string_view line;
  int64_t rows = 0;
  while (lines.Next(&line)) {
    if (Trim(line).empty()) continue;
    const char *p = line.data(), *end = p + line.size();
    int64_t column = 0;
    for (bool more = true; more; ++column) {
      auto* comma = static_cast<const char*>(std::memchr(p, ',', size_t(end - p)));
      std::string_view text(p, size_t((comma ? comma : end) - p));
      auto fail = [&](std::string what) {
        FailFile(Status::kFormat, path, lines.line_at() + (p - line.data()), Text("line ", lines.line_number(), ", column ", column + 1, ": ", what));
      };
      if (column == columns) fail(Text("expected ", columns, columns == 1 ? " number" : " numbers", " in the line, given more."));
      T value;
      if (!ParseNumber(text, &value))
        fail(Text("expected ", std::is_floating_point_v<T> ? "a number" : "a whole number", ", given `", text.substr(0, 40), "`.",
                  rows == 0 && lines.line_number() == 1 ? " Column names must not stand in the file." : ""));
      values.push_back(value);
      more = comma != nullptr;
      if (!more && column + 1 < columns) fail(Text("expected ", columns, " numbers in the line, given ", column + 1, "."));
      if (more) p = comma + 1;
    }
    ++rows;
  }
  return Array::NewFrom(values.data(), {rows, columns}, kDTypeOf<T>);
}

RowField Field(const char* name, const std::string& path, const Ints& shape, DType t) {
  RowField f;
  f.name = name, f.row = Shape(shape);
  int64_t columns = f.row.CheckedSize(kWho, 1);
  if (columns < 1 || columns > kMaxColumns) Fail(Status::kShape, kWho, "a sample must have 1 to ", kMaxColumns, " numbers, given ", name, "_shape ", f.row, ".");
  switch (t) {
    case DType::kFloat32: f.from = ReadCsv<float>(path, columns); break;
    case DType::kFloat64: f.from = ReadCsv<double>(path, columns); break;
    case DType::kInt32: f.from = ReadCsv<int32_t>(path, columns); break;
    case DType::kInt64: f.from = ReadCsv<int64_t>(path, columns); break;
    default: Fail(Status::kType, kWho, "dtype must be float32, float64, int32 or int64, given ", t, ".");
  }
  return f;
}

Ref<Iter> Create(const Attrs& attrs, const std::vector<NDArray>&, const std::vector<std::string>&) {
  auto& a = *static_cast<const CsvAttrs*>(attrs.get());
  std::vector<RowField> fields = {Field("data", a.data_csv, a.data_shape, a.dtype)};
  if (a.label_csv != "NULL" && !a.label_csv.empty()) {
    fields.push_back(Field("label", a.label_csv, a.label_shape, a.dtype));
    int64_t n = fields[0].from->shape[0], m = fields[1].from->shape[0];
    if (n != m) FailFile(Status::kFormat, a.label_csv, -1, Text("expected a line for each of the ", n, " of ", a.data_csv, ", given ", m, "."));
  }
  RowPlan plan;
  plan.batch_size = a.batch_size, plan.last = a.round_batch ? LastBatch::kPad : LastBatch::kKeep;
  return MakeRowIter(kWho, std::move(fields), plan);
}

}  // namespace

IterDef CsvIterDef() {
  using A = CsvAttrs;
  return Define<IterDef, A>("CSVIter")
      .family("iter")
      .doc(
          "Batches of the lines of CSV files, one sample a line, its numbers separated by commas; empty lines are skipped, and the files may be "
          "gzip-compressed. `data` is (batch, *data_shape) and `label`, if there is a file of labels, (batch, *label_shape): label_shape () gives (batch,). The "
          "files are read whole when the iterator is made. A line that does not parse is an error with file, line and column.")
      .attr(&A::data_csv, "data_csv", "File of the data.").required()
      .attr(&A::data_shape, "data_shape", "Shape of one sample; a line has as many numbers.").required()
      .attr(&A::label_csv, "label_csv", "File of the labels; NULL: none.")
      .attr(&A::label_shape, "label_shape", "Shape of one label.")
      .attr(&A::batch_size, "batch_size", "Samples in a batch.").at_least(1)
      .attr(&A::round_batch, "round_batch", "Whether a last batch that is not full is filled with the first samples (pad says how many; the next epoch begins at the first again); else it is smaller.")
      .attr(&A::dtype, "dtype", "Type of the numbers: float32, float64, int32 or int64.")
      .example("CSVIter(data_csv=x.csv, data_shape=(3,), label_csv=y.csv, batch_size=32)")
      .with(&IterDef::create, &Create);
}

}  // namespace flx
