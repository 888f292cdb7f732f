// SPDX-License-Identifier: Apache-2.0
// docs/options.md's table of options is the option table. `options_doc FILE` says whether it is; `options_doc --write FILE` makes it so.
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/config.h"
#include "base/text.h"

int main(int argc, char** argv) {
  bool write = argc == 3 && std::strcmp(argv[1], "--write") == 0;
  if (argc != 2 && !write) return std::cerr << "usage: options_doc [--write] docs/options.md\n", 2;
  const char* path = argv[argc - 1];
  std::ifstream in(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string begin = "<!-- options: made by options_doc -->\n", end = "<!-- end of options -->\n";
  auto from = text.find(begin), to = text.find(end);
  if (from == std::string::npos || to == std::string::npos) return std::cerr << path << ": the marks of the table are missing\n", 1;
  std::string table = "| name | also | type | default | meaning |\n|---|---|---|---|---|\n";
  for (int i = 0; i < int(flx::Opt::kCount); ++i) {
    const flx::OptionInfo& o = flx::Info(flx::Opt(i));
    if (!*o.name || !*o.type || std::strlen(o.doc) < 8) return std::cerr << "option " << i << " (" << o.name << ") needs a name, a type and a sentence\n", 1;
    std::string doc;
    for (const char* p = o.doc; *p; ++p) doc += *p == '|' ? std::string("\\|") : std::string(1, *p);  // a bar would end the column
    table += flx::Text("| `", o.name, "` | ", *o.alias ? flx::Text("`", o.alias, "`") : "", " | ", o.type, " | ", *o.default_value ? flx::Text("`", o.default_value, "`") : "", " | ", doc, " |\n");
  }
  std::string want = text.substr(0, from + begin.size()) + table + text.substr(to);
  if (want == text) return std::cout << path << " is up to date\n", 0;
  if (!write) return std::cerr << path << " does not agree with the option table. Run: options_doc --write " << path << "\n" << table, 1;
  std::ofstream(path) << want;
  return 0;
}
