// SPDX-License-Identifier: Apache-2.0
// What each pass brings: networks of models.h with all passes that run by default, with none, and without each one in turn.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>

#include "trained.h"

using namespace flexor;

namespace {
std::vector<std::string> PassNames() {
  int32_t n = 0;
  check(flx_registry_count("pass", &n));
  std::vector<std::string> names;
  for (int32_t i = 0; i < n; ++i) {
    flx_entry entry = nullptr;
    const char* name = "";
    check(flx_registry_at("pass", i, &entry));
    check(flx_entry_text(entry, "name", &name));
    names.emplace_back(name);
    flx_free(entry);
  }
  return names;
}
template <class M, class R> void Add(const std::string& row, const M& make, const R& run) {
  std::vector<std::pair<std::string, std::string>> sets = {{"all", ""}, {"none", "none"}};
  for (auto& name : PassNames()) sets.emplace_back("without " + name, "-" + name);
  for (auto& set : sets)
    benchmark::RegisterBenchmark(("Passes/" + row + ", " + set.first + "/flexor").c_str(), [=](benchmark::State& state) {
      std::shared_ptr<Trained> net = make();
      net->model.layer().hybridize({{"passes", set.second.c_str()}});
      for (int i = 0; i < 3; ++i) run(*net);
      for (auto _ : state) run(*net);
    })->UseRealTime()->MinTime(0.3);
}
}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (auto& p : models::Predictions())
    if (std::strstr(p.name, "batch 1") && !std::strstr(p.name, "LSTM"))
      Add(p.name, [p] { return std::make_shared<Trained>(p.net, p.input, true); }, [](Trained& t) { t.model(t.data).wait(); });
  for (auto& t : models::Trainings())
    if (std::strstr(t.name, "ResNet") || std::strstr(t.name, "transformer"))
      Add(std::string("train ") + t.name, [t] { return std::make_shared<Trained>(t, true); }, [](Trained& net) {
        net.Step();
        wait_all();
      });
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
