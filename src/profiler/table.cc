// SPDX-License-Identifier: Apache-2.0
// What is recorded, added up by name: as a table for people and as JSON.
//   A span's own time is its time without that of spans inside it in the same thread. Shares are of all spans' own time, so that they add up to one.
#include <algorithm>
#include <map>

#include "base/table.h"
#include "base/text.h"
#include "base/utf8.h"
#include "profiler/internals.h"

namespace flx {
namespace {
struct SpanRow {
  std::string name, kind;
  int64_t count = 0, total = 0, self = 0, least = INT64_MAX, most = 0;  // nanoseconds
  double share = 0;
  double mean() const { return double(total) / double(count); }
};
struct CounterRow {
  std::string name;
  int64_t count = 0;
  double least = 0, most = 0, last = 0;
  uint64_t at = 0;   // of the last
  bool bytes = false;
};
struct Table {
  std::vector<SpanRow> spans;
  std::vector<CounterRow> counters;
  int64_t marks = 0, dropped = 0;
  double seconds = 0;
};
using Key = std::pair<std::string_view, std::string_view>;  // they live in the records

template <class Row> Row& RowOf(std::map<Key, size_t>* places, std::vector<Row>* rows, Key key) {
  auto place = places->emplace(key, rows->size());
  if (place.second) rows->emplace_back(), rows->back().name = ToUtf8(key.first);
  return (*rows)[place.first->second];
}

void AddCounter(CounterRow* row, double value, double least, double most, uint64_t at) {
  if (row->count == 0) row->least = least, row->most = most;
  row->least = std::min(row->least, least), row->most = std::max(row->most, most);
  if (at >= row->at) row->last = value, row->at = at;
  ++row->count;
}
Table Collect() {
  ProfileState& s = ProfileS();
  std::lock_guard<std::mutex> lock(s.turn);
  Table t;
  TickScale scale;
  std::map<Key, size_t> spans, counters;
  int64_t all = 0;
  for (auto& thread : ProfiledThreads()) {
    // A thread's spans stand in the order of their ends: what began later than a span, and stands before it, is inside it.
    struct Inner { uint64_t begin; int64_t ns; };
    std::vector<Inner> done;
    ForEachRecord(thread, [&](const ProfileRecord& r) {
      RecordTitle title = TitleOf(r);
      Key key{title.name, title.category};
      if (r.type == ProfileRecord::kMark) {
        ++t.marks;
      } else if (r.type == ProfileRecord::kCounter || r.type == ProfileRecord::kMemory) {
        ProfileFact peak;
        CounterRow& row = RowOf(&counters, &t.counters, key);
        row.bytes = r.type == ProfileRecord::kMemory && FactReader(r).Next(&peak);
        AddCounter(&row, r.value, r.value, row.bytes ? double(peak.number) : r.value, r.begin);
      } else {
        SpanRow& row = RowOf(&spans, &t.spans, key);
        if (row.kind.empty()) row.kind = ToUtf8(title.category);
        int64_t ns = scale.Ns(r.end) - scale.Ns(r.begin), inner = 0;
        ++row.count, row.total += ns, row.least = std::min(row.least, ns), row.most = std::max(row.most, ns);
        if (r.type == ProfileRecord::kApart) return;
        for (; !done.empty() && done.back().begin >= r.begin; done.pop_back()) inner += done.back().ns;
        done.push_back({r.begin, ns});
        row.self += ns - inner, all += ns - inner;
      }
    });
  }
  for (auto& row : t.spans) row.share = all ? double(row.self) / double(all) : 0;
  t.dropped = DroppedRecords();
  if (s.zero_ns) t.seconds = double((s.stopped_ns ? s.stopped_ns : SteadyNs()) - s.zero_ns) * 1e-9;
  return t;
}

void Sort(std::vector<SpanRow>* rows, std::string_view who, std::string_view by) {
  struct Column { const char* name; double (*of)(const SpanRow&); };
  static constexpr Column kColumns[] = {{"share", [](const SpanRow& r) { return r.share; }},
                                        {"name", nullptr},
                                        {"count", [](const SpanRow& r) { return double(r.count); }},
                                        {"total", [](const SpanRow& r) { return double(r.total); }},
                                        {"self", [](const SpanRow& r) { return double(r.self); }},
                                        {"mean", [](const SpanRow& r) { return r.mean(); }},
                                        {"min", [](const SpanRow& r) { return double(r.least); }},
                                        {"max", [](const SpanRow& r) { return double(r.most); }}};
  std::vector<std::string> names;
  const Column* column = by.empty() ? &kColumns[0] : nullptr;
  for (auto& c : kColumns) {
    names.emplace_back(c.name);
    if (by == c.name) column = &c;
  }
  if (!column) Fail(Status::kName, who, "`sort`: there is no column `", by, "`.", DidYouMean(std::string(by), names), " There are: ", Join(names, ", "), ".");
  std::sort(rows->begin(), rows->end(), [&](const SpanRow& a, const SpanRow& b) {
    if (column->of && column->of(a) != column->of(b)) return column->of(a) > column->of(b);
    return a.name != b.name ? a.name < b.name : a.kind < b.kind;
  });
}
void SortCounters(std::vector<CounterRow>* rows) {
  std::sort(rows->begin(), rows->end(), [](auto& a, auto& b) { return a.name != b.name ? a.name < b.name : a.bytes < b.bytes; });
}

std::string Ms(double ns) { return FixedText(ns * 1e-6, 3); }
std::string Us(double ns) { return FixedText(ns * 1e-3, 2); }
std::string Value(double v, bool bytes) { return bytes ? GroupedText(int64_t(v)) : Text(v); }

std::string Quoted(std::string_view text) {
  std::string s;
  AppendQuoted(&s, text);
  return s;
}
std::string JsonNumber(double v) {  // no JSON number: null
  return v - v == 0 ? Text(v) : "null";
}
}  // namespace

std::string ProfileText(std::string_view who, std::string_view sort, int columns) {
  std::vector<SpanRow> none;
  Sort(&none, who, sort);  // refused before anything is read
  Table t = Collect();
  Sort(&t.spans, who, sort), SortCounters(&t.counters);
  int width = columns > 0 ? std::max(columns, 30) : 100;
  std::vector<std::vector<std::string>> rows, counters;
  int64_t count = 0;
  for (auto& r : t.spans) {
    count += r.count;
    rows.push_back({r.name, r.kind, GroupedText(r.count), Ms(double(r.total)), Ms(double(r.self)), Us(r.mean()), Us(double(r.least)), Us(double(r.most)),
                    FixedText(100 * r.share, 1)});
  }
  std::string text = TableText({{"name", false, 12, 0}, {"kind", false, 4, 4}, {"count", true, 0, 0}, {"total ms", true, 0, 0}, {"self ms", true, 0, 3},
                                {"mean us", true, 0, 1}, {"min us", true, 0, 5}, {"max us", true, 0, 2}, {"share %", true, 0, 0}}, rows, width);
  for (auto& c : t.counters)
    counters.push_back({c.name, GroupedText(c.count), Value(c.least, c.bytes), Value(c.most, c.bytes), Value(c.last, c.bytes)});
  if (!counters.empty())
    text += TableText({{"counter", false, 12, 0}, {"count", true, 0, 2}, {"min", true, 0, 1}, {"max", true, 0, 0}, {"last", true, 0, 0}}, counters, width);
  text += Text(GroupedText(count), count == 1 ? " span, " : " spans, ", GroupedText(t.marks), t.marks == 1 ? " mark, " : " marks, ", FixedText(t.seconds, 3), " s\n");
  if (t.dropped) text += Text(GroupedText(t.dropped), " found no room: raise option capacity\n");
  return text;
}

std::string ProfileJson() {
  Table t = Collect();
  Sort(&t.spans, "profiler", {}), SortCounters(&t.counters);
  std::string s = "{\"counters\":[";
  for (auto& c : t.counters) {
    if (&c != &t.counters[0]) s += ',';
    s += Text("{\"count\":", c.count, ",\"last\":", JsonNumber(c.last), ",\"max\":", JsonNumber(c.most), ",\"min\":", JsonNumber(c.least), ",\"name\":", Quoted(c.name),
              ",\"unit\":", c.bytes ? "\"bytes\"" : "\"\"", "}");
  }
  s += Text("],\"dropped\":", t.dropped, ",\"marks\":", t.marks, ",\"seconds\":", JsonNumber(t.seconds), ",\"spans\":[");
  for (auto& r : t.spans) {
    if (&r != &t.spans[0]) s += ',';
    s += Text("{\"count\":", r.count, ",\"kind\":", Quoted(r.kind), ",\"max_ns\":", r.most, ",\"mean_ns\":", JsonNumber(r.mean()), ",\"min_ns\":", r.least, ",\"name\":", Quoted(r.name),
              ",\"self_ns\":", r.self, ",\"share\":", JsonNumber(r.share), ",\"total_ns\":", r.total, "}");
  }
  return s + "]}";
}

}  // namespace flx
