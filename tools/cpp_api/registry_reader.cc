// SPDX-License-Identifier: Apache-2.0
#include "registry_reader.h"

namespace cpp_api {
namespace {
using flexor::check;

std::string TextOf(flx_entry e, const char* field) {
  const char* s = "";
  check(flx_entry_text(e, field, &s));
  return s;
}
int Trait(flx_entry e, const char* field) {
  int32_t v = 0;
  check(flx_entry_trait(e, field, &v));
  return v;
}
Entry Read(flx_entry e) {
  Entry r{TextOf(e, "name"), TextOf(e, "aliases"), TextOf(e, "family"), TextOf(e, "doc"), TextOf(e, "example"), TextOf(e, "since"), Trait(e, "outputs"),
          Trait(e, "variadic") != 0, Trait(e, "differentiable") != 0, Trait(e, "random") != 0, Trait(e, "loss") != 0, {}, {}};
  int32_t n = 0;
  check(flx_entry_input_count(e, &n));
  for (int32_t i = 0; i < n; ++i) {
    auto text = [&](const char* field) {
      const char* s = "";
      check(flx_entry_input_text(e, i, field, &s));
      return std::string(s);
    };
    r.inputs.push_back({text("name"), text("doc"), text("kind")});
  }
  check(flx_entry_attr_count(e, &n));
  for (int32_t i = 0; i < n; ++i) {
    auto text = [&](const char* field) {
      const char* s = "";
      check(flx_entry_attr_text(e, i, field, &s));
      return std::string(s);
    };
    r.attrs.push_back({text("name"), text("type"), text("default"), text("range"), text("doc"), text("required") == "1", text("runtime") == "1"});
    // An operator of an array and a number: it has a default for MXNet's sake, and nobody leaves it out.
    if (r.attrs.back().name == "scalar" && r.name[0] == '_') r.attrs.back().required = true;
  }
  return r;
}
}  // namespace

std::vector<Entry> ReadRegistry(const char* registry) {
  std::vector<Entry> all;
  int32_t n = 0;
  check(flx_registry_count(registry, &n));
  for (int32_t i = 0; i < n; ++i) {
    flx_entry e = nullptr;
    check(flx_registry_at(registry, i, &e));
    all.push_back(Read(e));
    flx_free(e);
  }
  return all;
}

}  // namespace cpp_api
