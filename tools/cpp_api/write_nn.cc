// SPDX-License-Identifier: Apache-2.0
#include "write.h"

namespace cpp_api {
namespace {
struct Section {
  const char *registry, *space, *thing, *doc;
};
constexpr Section kSections[] = {
    {"layer", "nn", "Layer", "Layers and losses."},
    {"optimizer", "optimizer", "Optimizer", "Optimizers."},
    {"schedule", "schedule", "Schedule", "Learning rates by step."},
    {"initializer", "init", "Initializer", "First values of parameters."},
    {"metric", "metric", "Metric", "Quality measures."},
    {"iter", "iter", "Iter", "Sources of batches."},
};

std::string Class(const Section& section, const Entry& e) {
  std::string name = CamelName(e.name), base = "detail::Settings<" + std::string(section.thing) + ">";
  bool layer = std::string(section.thing) == "Layer", container = layer && e.family == "container";
  std::string s = Comment("", e.doc + (e.aliases.empty() ? "" : "\nAlso called " + e.aliases + "."));
  s += "class " + name + " : public " + base + " {\n public:\n";
  std::string params, init;
  const Attr* first = nullptr;
  for (auto& a : e.attrs) {
    if (a.required) {
      std::string p = SafeName(a.name);
      s += Comment("  ", p + ": " + AttrDoc(a));
      params += (params.empty() ? "" : ", ") + CppType(a.type) + " " + p;
      init += " options_.set(\"" + a.name + "\", " + p + ");";
    } else if (!first) {
      first = &a;
    }
  }
  std::string begin = "(" + params + ") : Settings(\"" + e.name + "\") {";
  s += std::string("  ") + (params.empty() ? "" : "explicit ") + name + begin + init + (init.empty() ? "}\n" : " }\n");
  if (container) {
    s += "  " + name + "(std::initializer_list<Layer> children) : Settings(\"" + e.name + "\") { children_ = children; }\n";
    s += "  explicit " + name + "(std::vector<Layer> children) : Settings(\"" + e.name + "\") { children_ = std::move(children); }\n";
    s += "  " + name + "& add(const Layer& child) {\n    children_.push_back(child);\n    return *this;\n  }\n";
  } else if (params.empty() && first) {
    // The setting that is given most: nn::MaxPool2D(2), optimizer::Adam(0.001).
    s += "  explicit " + name + "(" + CppType(first->type) + " " + SafeName(first->name) + ") : Settings(\"" + e.name + "\") { options_.set(\"" + first->name + "\", " +
         SafeName(first->name) + "); }\n";
  }
  for (auto& a : e.attrs) {
    std::string setter = SafeName(a.name, {"add", "named", "options", "options_", "children_", name});
    s += Comment("  ", AttrDoc(a));
    s += "  " + name + "& " + setter + "(" + CppType(a.type) + " value) {\n    options_.set(\"" + a.name + "\", value);\n    return *this;\n  }\n";
  }
  if (layer) s += "  /// What summaries call it.\n  " + name + "& named(const std::string& value) {\n    layer_name_ = value;\n    return *this;\n  }\n";
  return s + "};\n\n";
}
}  // namespace

std::string NnHeader() {
  std::string s = Head("NN",
                       "// flexor/nn.hpp: each layer, loss, optimizer, schedule, initializer, metric and iterator as a class of settings.\n"
                       "//   Layer net = nn::Sequential{nn::Conv2D(20, 5).activation(\"relu\"), nn::MaxPool2D(2), nn::Flatten(), nn::Dense(10)};\n"
                       "//   Optimizer adam = optimizer::Adam(0.001).beta1(0.95);\n"
                       "// Settings that must be given stand in the constructor; where there are none, the first one may.\n");
  s += "#include \"flexor/flexor.hpp\"\n\n";
  for (auto& section : kSections) {
    s += std::string("// ") + section.doc + "\nnamespace flexor::" + section.space + " {\n\n";
    for (auto& e : ReadRegistry(section.registry)) s += Class(section, e);
    s += std::string("}  // namespace flexor::") + section.space + "\n\n";
  }
  return s + "#endif  // FLEXOR_NN_HPP_\n";
}

}  // namespace cpp_api
