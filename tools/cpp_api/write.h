// SPDX-License-Identifier: Apache-2.0
// C++ names, types and comments for what the registry lists, and the two headers made of them.
#pragma once
#include <set>
#include <string>

#include "registry_reader.h"

namespace cpp_api {

std::string OpHeader();  // flexor/op.hpp: a function for each operator
std::string NnHeader();  // flexor/nn.hpp: a class for each layer, loss, optimizer, schedule, initializer, metric and iterator

std::string SnakeName(const Entry& op);           // FullyConnected -> fully_connected, _plus_scalar -> plus_scalar
std::string CamelName(const std::string& name);   // top_k_accuracy -> TopKAccuracy
std::string SafeName(std::string name, const std::set<std::string>& taken = {});  // not a keyword, not one of `taken`
std::string CppType(const std::string& type);     // of an attribute, as a parameter
std::string Comment(const std::string& indent, const std::string& text);  // `/// ...` lines
std::string AttrDoc(const Attr& a);
std::string Head(const char* file, const char* what);

}  // namespace cpp_api
