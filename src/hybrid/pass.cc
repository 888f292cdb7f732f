// SPDX-License-Identifier: Apache-2.0
#include "hybrid/pass.h"

#include <chrono>

#include "profiler/profiler.h"

namespace flx {
namespace {

std::vector<PassDef> List() {
  std::vector<PassDef> all;
  auto add = [&](const char* name, const char* doc, int64_t (*run)(Ir*), bool exact = true, bool by_default = true, bool devices = true) {
    all.push_back(Define<PassDef>(name).family("pass").doc(doc).with(&PassDef::run, run).with(&PassDef::exact, exact).with(&PassDef::by_default, by_default).with(&PassDef::devices, devices));
  };
  add("dead", "Leaves out nodes whose results nobody uses.", &DropDead);
  add("fold", "Computes once what depends on constants only.", &FoldConstants);
  add("merge", "Computes once what several nodes compute alike.", &MergeEqual);
  add("batch_norm", "Puts batch norms with fixed statistics into the weights before them.", &FoldBatchNorm, false);
  add("pool_first", "Takes the maximum of a window before an activation that rises, not behind it.", &PoolFirst, false);
  add("layout", "Keeps arrays between convolutions in blocked layouts, and packs weights.", &BlockLayouts, false, true, false);
  add("conv_epilogue", "Puts sums and relu behind convolutions into them.", &ConvEpilogue, false, true, false);
  add("recompute", "Makes cheap values again in the backward part instead of keeping them for it: less memory, more work.", &Recompute, true, false);
  add("fuse", "Runs elementwise operators that follow each other as one, tile by tile in the cache.", &FuseElementwise);
  // Measured: 0.92 of the time for 4096 x 64 x 1024, 1.02 for 2048 x 256 x 1024, 1.03 for one row: not worth it where the product is most of the work.
  add("epilogue", "Puts elementwise operators behind dense layers into them; it pays for large results of short rows only.", &ChainEpilogue, true, false, false);
  return all;
}
}  // namespace

const Registry<PassDef>& Passes() {
  static const auto& r = *new const Registry<PassDef>("pass", List());
  return r;
}

PassSet::PassSet(std::string_view text) {
  auto& all = Passes().all();
  auto bit = [&](const PassDef& p) { return uint64_t(1) << (&p - all.data()); };
  auto names = Split(text, ',');
  bool given = !Trim(text).empty(), defaults = !given || Trim(names[0]).substr(0, 1) == "-" || Trim(names[0]).substr(0, 1) == "+";
  for (auto& p : all)
    if (defaults && p.by_default) bits_ |= bit(p);
  if (!given || Trim(text) == "none") return;
  for (auto& n : names) {
    std::string_view name = Trim(n);
    bool without = name.substr(0, 1) == "-", with = name.substr(0, 1) == "+";
    if (without || with) name.remove_prefix(1);
    if ((without || with) != defaults) Fail(Status::kArgument, "passes", "names either all have a sign (`-fuse`: the defaults without it) or none has (`fuse`: it alone), given `", text, "`.");
    uint64_t b = bit(Passes().Find(Trim(name)));
    bits_ = without ? bits_ & ~b : bits_ | b;
  }
}
bool PassSet::has(const PassDef& p) const { return bits_ >> (&p - Passes().all().data()) & 1; }

std::vector<PassReport> RunPasses(Ir* ir, const PassSet& set, bool print) {
  std::vector<PassReport> reports;
  for (auto& p : Passes().all()) {
    if (!set.has(p) || (ir->device && !p.devices)) continue;
    PassReport r{&p, 0, 0, print ? ir->Print() : std::string(), {}};
    auto start = std::chrono::steady_clock::now();
    {
      ProfileScope scope(ProfileKind::kPass, p.name);
      r.changes = p.run(ir);
      if (scope.active()) scope.facts().Number("changes", r.changes);
    }
    r.us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    if (print) r.after = ir->Print();
    reports.push_back(std::move(r));
  }
  return reports;
}

}  // namespace flx
