// SPDX-License-Identifier: Apache-2.0
// C++ names, types and comments for what the registry lists, the two headers made of them, and the registry itself for other languages.
#pragma once
#include <set>
#include <string>

#include "registry_reader.h"

namespace cpp_api {

std::string OpHeader();  // flexor/op.hpp: a function for each operator
std::string NnHeader();  // flexor/nn.hpp: a class for each layer, loss, optimizer, schedule, initializer, metric and iterator

std::string RegistryJson();  // registry.json: everything registered, which the generators of the other languages read (bindings/generate)

std::string RawSnakeName(const Entry& op);        // FullyConnected -> fully_connected, _plus_scalar -> plus_scalar
std::string SnakeName(const Entry& op);           // the same, no keyword of C++
std::string FunctionName(const Entry& e);         // of what is no operator: AdaGrad -> adagrad if that is an alias, else as above
std::string LowerAll(std::string s);
std::vector<std::string> Commas(const std::string& s);  // "a, b" -> a, b
std::string CamelName(const std::string& name);   // top_k_accuracy -> TopKAccuracy
std::string SafeName(std::string name, const std::set<std::string>& taken = {});  // not a keyword, not one of `taken`
std::string CppType(const std::string& type);     // of an attribute, as a parameter
std::string Comment(const std::string& indent, const std::string& text);  // `/// ...` lines
std::string AttrDoc(const Attr& a);
std::string Head(const char* file, const char* what);

}  // namespace cpp_api
