// SPDX-License-Identifier: Apache-2.0
// Passes over an Ir: each is one function in a file of its own, an entry of this registry, and can be switched off on its own.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/registry.h"
#include "hybrid/ir.h"

namespace flx {

struct PassDef : Registered {
  int64_t (*run)(Ir* ir) = nullptr;  // gives how many changes it made
  bool exact = true;                 // results keep their bits; else they stay within rounding
  bool by_default = true;
  bool devices = true;               // it serves plans for devices, too; else those of the CPU alone
};
const Registry<PassDef>& Passes();   // in the order they run

// Which passes run: "" the defaults, "none", names with commas between ("fuse, layout": these alone), or names with a sign ("-fuse", "+recompute":
// the defaults without, with). Unknown names are kName.
class PassSet {
 public:
  explicit PassSet(std::string_view text = {});
  bool has(const PassDef& p) const;

 private:
  uint64_t bits_ = 0;  // by place in the registry
};
struct PassReport { const PassDef* pass; int64_t changes; double us; std::string before, after; };  // the texts only where asked for
std::vector<PassReport> RunPasses(Ir* ir, const PassSet& set, bool print = false);

int64_t DropDead(Ir* ir);        // dead.cc
int64_t FoldConstants(Ir* ir);   // fold.cc
int64_t MergeEqual(Ir* ir);      // merge.cc
int64_t FoldBatchNorm(Ir* ir);   // batch_norm.cc
int64_t PoolFirst(Ir* ir);       // pool_first.cc
int64_t BlockLayouts(Ir* ir);    // layout.cc
int64_t ConvEpilogue(Ir* ir);    // conv_epilogue.cc
int64_t Recompute(Ir* ir);        // recompute.cc
int64_t FuseElementwise(Ir* ir); // fuse.cc
int64_t ChainEpilogue(Ir* ir);   // epilogue.cc

}  // namespace flx
