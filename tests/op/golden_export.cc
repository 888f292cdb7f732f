// SPDX-License-Identifier: Apache-2.0
// The golden cases as other languages run them: attributes and mode as the operator is given them, and only those results that must be as MXNet's.
#include <fstream>

#include "golden.h"
#include "op/op.h"

namespace flx::golden {
namespace {

void Field(std::ostream& out, const std::string& key, const std::string& value) {
  out << '\t' << key << '=';
  for (char c : value) c == '\t' ? out << "\\t" : c == '\n' ? out << "\\n" : c == '\\' ? out << "\\\\" : out << c;
}
bool LeftOut(const Case& c, const Line& l) {
  if (l.word != "out" && l.word != "grad" && l.word != "after") return false;
  std::string part = l.word + " " + (l.word == "out" ? l.get("index") : l.get("name"));
  for (auto& d : Differences())
    if (d.part == part && d.Covers(c)) return true;
  return false;
}
bool Exported(const Case& c) {
  std::string name = OperatorOf(c);
  if ((!FindOpOrNull(name) && name != "no_such_operator") || c.Find("suspect")) return false;
  for (auto& l : c.lines)
    if (l.has("stype")) return false;
  for (auto& d : Differences())
    if (!*d.part && d.Covers(c)) return false;
  return true;
}

}  // namespace

bool Export(Folder* folder, const std::vector<Case>& cases, const std::string& file) {
  std::ofstream out(file, std::ios::binary);
  out << "# Made by golden_test --export from tests/golden.\n";
  for (auto& c : cases) {
    if (!Exported(c)) continue;
    const OpDef* d = FindOpOrNull(OperatorOf(c));
    out << "\ncase";
    Field(out, "id", c.id()), Field(out, "kind", c.kind()), Field(out, "family", c.family);
    out << "\ncall";
    Field(out, "name", OperatorOf(c)), Field(out, "operator", d ? d->name : OperatorOf(c)), Field(out, "mode", Text(ModeOf(c)));
    if (c.kind() == "error") Field(out, "answer", c.Find("mxnet")->get("answer"));
    out << "\n";
    for (auto& [key, value] : AttributesOf(*folder, c)) out << "attr", Field(out, key, value), out << "\n";
    for (auto& l : c.lines) {
      bool result = l.word == "out" || l.word == "grad" || l.word == "after";
      if (!result && l.word != "in" && l.word != "head" && l.word != "writes" && l.word != "shape") continue;
      if (LeftOut(c, l)) continue;
      out << l.word;
      double allowed = result ? AllowedDifference(c) : 0;
      for (auto& [key, value] : l.fields)
        if (allowed == 0 || key != "atol") Field(out, key, value);
      if (allowed != 0) Field(out, "atol", Text(allowed));
      out << "\n";
    }
  }
  return bool(out.flush());
}

}  // namespace flx::golden
