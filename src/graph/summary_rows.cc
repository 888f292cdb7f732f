// SPDX-License-Identifier: Apache-2.0
#include "graph/summary_rows.h"

#include <algorithm>

#include "base/table.h"
#include "base/text.h"
#include "base/utf8.h"

namespace flx {
namespace {
std::string ShapesText(const std::vector<SummaryOutput>& outputs) {
  std::string s;
  for (auto& o : outputs) {
    if (!o.shape.rank_known()) continue;
    std::vector<std::string> sizes;
    for (int64_t n : o.shape) sizes.push_back(n < 0 ? "None" : Text(n));
    s += Text(s.empty() ? "(" : ", (", Join(sizes, ", "), o.shape.ndim() == 1 ? ",)" : ")");
  }
  return s;
}
std::string CountText(const Count& n) { return n ? GroupedText(*n) : std::string(); }

// {"a":1,"b":[...]}: members are added in any order and written sorted.
class JsonObject {
 public:
  void Add(std::string key, std::string json) { members_.emplace_back(std::move(key), std::move(json)); }
  std::string Written() {
    std::sort(members_.begin(), members_.end());
    std::string s = "{";
    for (auto& m : members_) s += s.size() > 1 ? "," : "", AppendQuoted(&s, m.first), s += ":" + m.second;
    return s + "}";
  }

 private:
  std::vector<std::pair<std::string, std::string>> members_;
};
std::string Quoted(std::string_view text) {
  std::string s;
  AppendQuoted(&s, ToUtf8(text));
  return s;
}
std::string Json(const Count& n) { return n ? Text(*n) : "null"; }
template <class T, class F> std::string List(const std::vector<T>& items, F each) {
  std::string s = "[";
  for (auto& i : items) s += (s.size() > 1 ? "," : "") + each(i);
  return s + "]";
}
std::string Json(const SummaryOutput& out) {
  JsonObject o;
  o.Add("name", Quoted(out.name));
  o.Add("dtype", out.dtype == DType::kNone ? "null" : Quoted(DTypeName(out.dtype)));
  o.Add("shape", out.shape.rank_known() ? List(out.shape.vec(), [](int64_t n) { return n < 0 ? std::string("null") : Text(n); }) : "null");
  return o.Written();
}
std::string Json(const SummaryRow& row) {
  JsonObject o;
  for (auto& m : row.members) o.Add(m.first, Quoted(m.second));
  if (row.inputs) o.Add("inputs", List(*row.inputs, [](const std::string& n) { return Quoted(n); }));
  o.Add("outputs", List(row.outputs, [](const SummaryOutput& out) { return Json(out); }));
  o.Add("parameters", Json(row.parameters)), o.Add("bytes", Json(row.bytes)), o.Add("multiply_adds", Json(row.multiply_adds));
  if (row.steps) o.Add("steps", Json(*row.steps));
  return o.Written();
}
}  // namespace

std::string SummaryText(const SummaryTable& table, int columns) {
  int width = columns > 0 ? std::max(columns, 30) : 80;
  std::vector<TableColumn> titles = {{"layer", false, 12, 0}, {"output shape", false, 10, 1}, {"parameters", true, 0, 0},
                                     {"bytes", true, 0, 3},   {"multiply-adds", true, 0, 2}, {"inputs", false, 8, 4}};
  std::vector<std::vector<std::string>> rows;
  for (auto& r : table.rows) {
    auto count = [&](const Count& n) { return r.blank ? std::string() : CountText(n); };
    rows.push_back({std::string(size_t(2 * r.depth), ' ') + r.title, ShapesText(r.outputs), count(r.parameters), count(r.bytes), count(r.multiply_adds),
                    r.inputs ? Join(*r.inputs, ", ") : std::string()});
  }
  std::string text = TableText(titles, rows, width);
  // The totals: as many facts to a line as there is room for.
  std::vector<std::string> facts;
  if (table.parameters) facts.push_back("parameters " + GroupedText(*table.parameters));
  if (table.trained) facts.push_back("trained " + GroupedText(*table.trained));
  if (table.bytes) facts.push_back("bytes " + GroupedText(*table.bytes));
  if (table.multiply_adds) facts.push_back("multiply-adds " + GroupedText(*table.multiply_adds));
  std::string line;
  for (auto& f : facts) {
    if (!line.empty() && int(line.size() + 3 + f.size()) > width) text += line + "\n", line.clear();
    line += (line.empty() ? "" : ", ") + f;
  }
  return line.empty() ? text : text + line + "\n";
}

std::string SummaryJson(const SummaryTable& table) {
  JsonObject totals, o;
  totals.Add("parameters", Json(table.parameters)), totals.Add("trained", Json(table.trained));
  totals.Add("bytes", Json(table.bytes)), totals.Add("multiply_adds", Json(table.multiply_adds));
  o.Add("rows", List(table.rows, [](const SummaryRow& r) { return Json(r); }));
  o.Add("totals", totals.Written());
  return o.Written();
}

}  // namespace flx
