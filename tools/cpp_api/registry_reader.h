// SPDX-License-Identifier: Apache-2.0
// The registry as the C ABI lists it, read into plain values.
#pragma once
#include <string>
#include <vector>

#include "flexor/base.hpp"

namespace cpp_api {

struct Input { std::string name, doc, kind; };  // kind: required, optional, list, auxiliary
struct Attr { std::string name, type, default_value, range, doc; bool required = false, runtime = false; };
struct Entry {
  std::string name, aliases, family, doc, example, since;
  int outputs = 1;  // -1: it depends on the attributes
  bool variadic = false, differentiable = false, random = false, loss = false;
  std::vector<Input> inputs;
  std::vector<Attr> attrs;
};
std::vector<Entry> ReadRegistry(const char* registry);

}  // namespace cpp_api
