// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "write.h"

namespace cpp_api {
namespace {
using Json = nlohmann::ordered_json;
// Whatever is listed by the ABI; a registry that a library does not know is left out.
constexpr const char* kRegistries[] = {"operator", "layer", "optimizer", "schedule", "initializer", "metric", "iter", "pass", "options"};

// MXNet calls its optimizers by their names in lower case; an operator that has the name of another has a line at its end, as in op.hpp.
std::string NameIn(const std::string& registry, const Entry& e, std::set<std::string>* taken) {
  std::string name = registry == "operator" ? RawSnakeName(e) : registry == "optimizer" ? LowerAll(e.name) : FunctionName(e);
  while (!taken->insert(name).second) name += '_';
  return name;
}
Json ToJson(const Entry& e, const std::string& function) {
  Json inputs = Json::array(), attrs = Json::array();
  for (auto& i : e.inputs) inputs.push_back({{"name", i.name}, {"doc", i.doc}, {"kind", i.kind}});
  for (auto& a : e.attrs)
    attrs.push_back({{"name", a.name}, {"type", a.type}, {"default", a.default_value}, {"range", a.range}, {"doc", a.doc}, {"required", a.required}, {"runtime", a.runtime}});
  return {{"name", e.name}, {"function", function}, {"aliases", Commas(e.aliases)}, {"family", e.family}, {"doc", e.doc},
          {"example", e.example}, {"since", e.since}, {"outputs", e.outputs},
          {"traits", {{"differentiable", e.differentiable}, {"random", e.random}, {"variadic", e.variadic}, {"loss", e.loss}}}, {"inputs", inputs}, {"attrs", attrs}};
}
}  // namespace

std::string RegistryJson() {
  Json all = {{"version", flexor::version()}};
  for (const char* registry : kRegistries) {
    int32_t n = 0;
    if (flx_registry_count(registry, &n) != FLX_OK) continue;
    all[registry] = Json::array();
    std::set<std::string> taken;
    for (auto& e : ReadRegistry(registry)) all[registry].push_back(ToJson(e, NameIn(registry, e, &taken)));
  }
  return all.dump(1) + "\n";
}

}  // namespace cpp_api
