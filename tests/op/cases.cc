// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "op/op.h"

namespace flx::cases {
namespace {

// Without a case of its own: shape (2, 3) for each input that the default attributes ask for.
Case Default(const OpDef& d) {
  Case c{d.name, {}, {}};
  const void* attrs = d.schema.defaults().get();
  if (d.variadic) {
    for (int i = 0; i < std::max(2, d.list_min); ++i) c.inputs.push_back(Uniform({2, 3}, 0.3, 0.9));
    if (d.count_attr) c.attrs.emplace_back(d.count_attr, Text(c.inputs.size()));
  } else {
    for (size_t i = 0; i < d.inputs.size(); ++i) if (d.Present(int(i), attrs)) c.inputs.push_back(Uniform({2, 3}, 0.3, 0.9));
  }
  return c;
}

}  // namespace

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (auto* add : {&AddElementwiseCases, &AddReduceCases, &AddMatrixCases, &AddIndexingCases, &AddRandomCases, &AddInitCases, &AddNnCases, &AddRnnCases, &AddLossCases, &AddOptimCases,
                    &AddSequenceCases, &AddVisionCases, &AddInternalCases})
    add(&cases);
  std::set<std::string_view> have;
  for (auto& c : cases)
    if (const OpDef* d = FindOpOrNull(c.op)) have.insert(d->name);
  for (const OpDef* d : AllOps())
    if (!d->subgraphs && !d->trait(kHost) && !have.count(d->name)) cases.push_back(Default(*d));  // those two run inside graphs only: tests/exec, tests/fit
  return cases;
}

}  // namespace flx::cases
