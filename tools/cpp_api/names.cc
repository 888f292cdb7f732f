// SPDX-License-Identifier: Apache-2.0
#include <cctype>

#include "write.h"

namespace cpp_api {
namespace {
bool Upper(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }
bool Lower(char c) { return std::islower(static_cast<unsigned char>(c)) != 0; }
bool Starts(const std::string& s, const char* with) { return s.rfind(with, 0) == 0; }
bool Ends(const std::string& s, const std::string& with) { return s.size() >= with.size() && s.compare(s.size() - with.size(), with.size(), with) == 0; }
}  // namespace

std::string LowerAll(std::string s) {
  for (char& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return s;
}

std::vector<std::string> Commas(const std::string& s) {
  std::vector<std::string> parts(s.empty() ? 0 : 1);
  for (char c : s) {
    if (c == ',') parts.emplace_back();
    else if (c != ' ' || !parts.back().empty()) parts.back() += c;
  }
  return parts;
}

std::string SafeName(std::string name, const std::set<std::string>& taken) {
  static const std::set<std::string> keywords = {
      "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char", "class", "compl", "const", "constexpr",
      "const_cast", "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float",
      "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq",
      "private", "protected", "public", "register", "reinterpret_cast", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct",
      "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "union", "unsigned", "using", "virtual", "void",
      "volatile", "wchar_t", "while", "xor", "xor_eq"};
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') c = '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name = "n" + name;
  while (keywords.count(name) || taken.count(name)) name += '_';
  return name;
}

std::string RawSnakeName(const Entry& op) {
  std::string n = op.name;
  if (size_t at = n.find("ReLU"); at != std::string::npos) n.replace(at, 4, "Relu");  // one word
  // MXNet's own lower-case word for an operator of capitals, where it has one.
  if (Upper(n[0]))
    for (auto& a : Commas(op.aliases))
      if (Starts(a, "_npx_")) return a.substr(5);
  size_t begin = n.find_first_not_of('_');
  std::string s;
  for (size_t i = begin == std::string::npos ? 0 : begin; i < n.size(); ++i) {
    bool word = i > begin && Upper(n[i]) && (Lower(n[i - 1]) || (i + 1 < n.size() && Lower(n[i + 1]) && !Lower(n[i - 1]) && n[i - 1] != '_'));
    if (word && s.back() != '_') s += '_';
    s += n[i];
  }
  return LowerAll(s);
}
std::string SnakeName(const Entry& op) { return SafeName(RawSnakeName(op)); }

std::string FunctionName(const Entry& e) {
  std::string lower = LowerAll(e.name);
  for (auto& a : Commas(e.aliases))
    if (a == lower) return lower;
  return RawSnakeName(e);
}

std::string CamelName(const std::string& name) {
  std::string s;
  bool up = true;
  for (char c : name) {
    if (c == '_' || c == '-') up = true;
    else s += up ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c, up = false;
  }
  return SafeName(s);
}

std::string CppType(const std::string& type) {
  if (type == "tuple of int or None" || type == "tuple of long or None") return "const OptionalInts&";
  if (type == "tuple of int" || type == "tuple of long") return "const Ints&";
  if (type == "tuple of float" || type == "tuple of double") return "const std::vector<double>&";
  if (type == "boolean") return "bool";
  if (type == "int" || type == "long") return "int64_t";
  if (type == "float" || type == "double") return "double";
  if (type == "dtype") return "DType";
  if (type == "string" || (Starts(type, "{") && Ends(type, "}"))) return "const std::string&";
  if (Ends(type, " or None")) {
    std::string inner = CppType(type.substr(0, type.size() - 8));
    if (inner == "const OptionValue&") return inner;
    if (Starts(inner, "const ")) inner = inner.substr(6, inner.size() - 7);
    return "const std::optional<" + inner + ">&";
  }
  return "const OptionValue&";
}

std::string Comment(const std::string& indent, const std::string& text) {
  std::string out, line;
  auto flush = [&] {
    if (!line.empty()) out += indent + "///" + line + "\n";
    line.clear();
  };
  std::string word;
  for (char c : text + "\n") {
    if (c != ' ' && c != '\n') {
      word += c;
      continue;
    }
    if (!word.empty()) {
      if (indent.size() + 4 + line.size() + word.size() > 150) flush();
      line += " " + word;
      word.clear();
    }
    if (c == '\n') flush();
  }
  // A backslash at its end would take the next line into the comment.
  for (size_t at = 0; (at = out.find("\\\n", at)) != std::string::npos;) out.insert(at + 1, " .");
  return out;
}

std::string AttrDoc(const Attr& a) {
  std::string s = a.doc;
  if (Starts(a.type, "{")) s += " One of " + a.type + ".";
  if (!a.range.empty()) s += " In " + a.range + ".";
  if (!a.required) s += a.default_value.empty() ? " Default: empty." : " Default: " + a.default_value + ".";
  return s;
}

std::string Head(const char* file, const char* what) {
  std::string guard = "FLEXOR_" + std::string(file) + "_HPP_";
  return "// SPDX-License-Identifier: Apache-2.0\n// Made from the registry of Flexor " + flexor::version() + " when it was built; changes are lost.\n" + what +
         "#ifndef " + guard + "\n#define " + guard + "\n";
}

}  // namespace cpp_api
