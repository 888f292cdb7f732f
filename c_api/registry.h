// SPDX-License-Identifier: Apache-2.0
// One view of everything registered, whatever room it stands in.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/attrs.h"
#include "base/ref.h"

namespace flx::capi {

struct EntryInput { std::string name, doc, kind; };
struct EntryAttr { std::string name, type, default_value, range, doc; bool runtime = false, required = false; };
struct EntryInfo {
  std::string name, aliases, family, doc, example, since;
  std::vector<EntryInput> inputs;
  std::vector<EntryAttr> attrs;
  std::map<std::string, int> traits;
};
struct RegistryEntry final : Object {
  explicit RegistryEntry(const EntryInfo* i) : Object(Kind::kEntry), info(i) {}
  const EntryInfo* const info;
};
// By name in rising order. Made on first use and kept for ever, so that the texts may be borrowed; operators that join later make a new list.
using EntryList = std::vector<const EntryInfo*>;
const EntryList& EntriesOf(const char* who, std::string_view registry);

}  // namespace flx::capi
