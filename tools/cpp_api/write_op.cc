// SPDX-License-Identifier: Apache-2.0
#include "write.h"

namespace cpp_api {
namespace {
// The library fills in the number of a list's arrays itself.
bool Counted(const Entry& op, const Attr& a) { return op.variadic && (a.name == "num_args" || (a.name == "num_outputs" && a.required)); }

std::string Spaced(const std::string& commas) {
  std::string s;
  for (char c : commas) s += c == ',' ? ", " : std::string(1, c);
  return s;
}
struct Names {
  std::string function, options;
};
std::string OptionsClass(const Entry& op, const Names& n) {
  std::string s = "/// Settings of " + n.function + " that may be left out: " + n.options + "().name(value).name(value)\n";
  s += "struct " + n.options + " : Options {\n";
  for (auto& a : op.attrs) {
    if (a.required || Counted(op, a)) continue;
    // What MXNet calls ctx, and means so, is the device here.
    const bool place = a.name == "ctx" && op.inputs.empty();
    std::string setter = SafeName(place ? "device" : a.name, {"set", "add", "pairs", n.options});
    s += Comment("  ", AttrDoc(a));
    s += "  " + n.options + "& " + setter + "(" + CppType(a.type) + " value) {\n    set(\"" + a.name + "\", value);\n    return *this;\n  }\n";
  }
  return s + "};\n";
}

std::string Function(const Entry& op, const Names& n) {
  std::string doc = op.doc + "\n";
  if (n.function != op.name) doc += "Operator " + op.name + (op.aliases.empty() ? ".\n" : ", also " + Spaced(op.aliases) + ".\n");
  std::string params, inputs, sets;
  std::set<std::string> taken = {"options", "all", "call"};
  auto param = [&](const std::string& p) { params += (params.empty() ? "" : ", ") + p; };
  bool optional_input = false, has_options = false;
  for (auto& i : op.inputs) {
    std::string name = SafeName(i.name, taken);
    taken.insert(name);
    doc += name + ": " + i.doc + (i.kind == "optional" ? " {} leaves it out." : "") + "\n";
    optional_input |= i.kind == "optional";
    if (op.variadic) {
      param("const std::vector<NDArray>& " + name);
      inputs = name;
    } else {
      param("const NDArray& " + name);
      inputs += (inputs.empty() ? "" : ", ") + name;
    }
  }
  for (auto& a : op.attrs) {
    if (Counted(op, a)) continue;
    if (!a.required) {
      has_options = true;
      continue;
    }
    std::string name = SafeName(a.name, taken);
    taken.insert(name);
    doc += name + ": " + AttrDoc(a) + "\n";
    param(CppType(a.type) + " " + name);
    sets += "  all.set(\"" + a.name + "\", " + name + ");\n";
  }
  if (has_options) param("const " + n.options + "& options = {}");
  bool one = op.outputs == 1;
  std::string body, list = op.variadic ? inputs : "{" + inputs + "}";
  if (!has_options && sets.empty() && !optional_input && !op.inputs.empty()) {
    body = "  static const Call& call = detail::kept_call(\"" + op.name + "\");\n  return " +
           (one && !op.variadic ? "call(" + inputs + ")" : "call.run(" + list + ")" + (one ? "[0]" : "")) + ";\n";
  } else if (sets.empty()) {
    body = "  return invoke(\"" + op.name + "\", " + list + ", " + (has_options ? "options" : "{}") + ")" + (one ? "[0]" : "") + ";\n";
  } else {
    body = std::string("  Options all") + (has_options ? " = options" : "") + ";\n" + sets + "  return invoke(\"" + op.name + "\", " + list + ", all)" + (one ? "[0]" : "") + ";\n";
  }
  std::string options = has_options ? OptionsClass(op, n) : "";
  return options + Comment("", doc) + "inline " + (one ? "NDArray " : "Outputs ") + n.function + "(" + params + ") {\n" + body + "}\n\n";
}
}  // namespace

std::string OpHeader() {
  std::string s = Head("OP",
                       "// flexor/op.hpp: each operator as a typed function.\n"
                       "//   NDArray y = op::convolution(x, weight, bias, {5, 5}, 20, op::ConvolutionOptions().stride({2, 2}));\n"
                       "// Inputs come first, then attributes that must be given, then those that have a default. Texts that name a choice are checked by the library.\n");
  s += "#include \"flexor/flexor.hpp\"\n\nnamespace flexor::op {\n\n";
  std::set<std::string> taken;
  for (auto& op : ReadRegistry("operator")) {
    Names n;
    n.function = SafeName(SnakeName(op), taken);
    n.options = SafeName(CamelName(n.function) + "Options", taken);
    taken.insert({n.function, n.options});
    s += Function(op, n);
  }
  return s + "}  // namespace flexor::op\n#endif  // FLEXOR_OP_HPP_\n";
}

}  // namespace cpp_api
