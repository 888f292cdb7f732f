// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <algorithm>

#include "base/text.h"

namespace flx {

const char* StatusName(Status s) {
  static constexpr const char* kNames[] = {"ok",     "error", "argument", "type",   "shape",   "index", "name",  "handle",  "unsupported",
                                           "memory", "file",  "format",   "device", "network", "host",  "state", "internal", "rolled_back"};
  auto i = static_cast<size_t>(s);
  return i < sizeof kNames / sizeof *kNames ? kNames[i] : "error";
}

void FailText(Status status, std::string_view who, std::string text) {
  Error e(status, who.empty() ? std::move(text) : Text("[", who, "] ", text));
  e.op = who;
  throw e;
}

void FailFile(Status status, std::string_view file, int64_t offset, std::string text) {
  Error e(status, offset < 0 ? Text(file, ": ", text) : Text(file, ", byte ", offset, ": ", text));
  e.file = file;
  e.offset = offset;
  throw e;
}

namespace {
// Edits (insert, delete, replace, swap of neighbours), case-blind.
size_t Distance(std::string_view a, std::string_view b) {
  auto low = [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; };
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (low(a[i - 1]) != low(b[j - 1]))});
      if (i > 1 && j > 1 && low(a[i - 1]) == low(b[j - 2]) && low(a[i - 2]) == low(b[j - 1])) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}
}  // namespace

std::string Nearest(std::string_view given, const std::vector<std::string>& names) {
  std::string best;
  size_t least = std::max<size_t>(1, given.size() / 3) + 1;
  for (auto& n : names) {
    size_t longer = std::max(n.size(), given.size()), shorter = std::min(n.size(), given.size());
    if (longer - shorter >= least) continue;
    size_t d = Distance(given, n);
    if (d < least) { least = d; best = n; }
  }
  return best;
}
std::string DidYouMean(std::string_view given, const std::vector<std::string>& names) {
  std::string n = Nearest(given, names);
  return n.empty() ? "" : Text(" Did you mean `", n, "`?");
}

}  // namespace flx
