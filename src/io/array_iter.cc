// SPDX-License-Identifier: Apache-2.0
// ArrayIter: batches of arrays in memory.
#include "base/text.h"
#include "io/iters.h"
#include "io/rows.h"

namespace flx {
namespace {

struct ArrayIterAttrs {
  int64_t batch_size = 32;
  bool shuffle = false;
  int64_t seed = 0;
  LastBatch last = LastBatch::kKeep;
  int64_t part = 0, parts = 1;
};

Ref<Iter> Create(const Attrs& attrs, const std::vector<NDArray>& arrays, const std::vector<std::string>& given) {
  auto& a = *static_cast<const ArrayIterAttrs*>(attrs.get());
  std::vector<std::string> names = given;
  if (names.empty() && arrays.size() <= 2) names.assign({"data", "label"}), names.resize(arrays.size());
  if (names.size() != arrays.size()) Fail(Status::kArgument, "ArrayIter", "expected a name for each of ", arrays.size(), " arrays, given ", names.size(), " names.");
  std::vector<RowField> fields;
  for (size_t i = 0; i < arrays.size(); ++i) {
    RowField f;
    f.name = names[i], f.from = arrays[i];
    if (f.from && f.from->shape.ndim() > 0) f.row = f.from->shape, f.row.Erase(0);
    fields.push_back(std::move(f));
  }
  RowPlan plan;
  plan.batch_size = a.batch_size, plan.shuffle = a.shuffle, plan.seed = uint64_t(a.seed), plan.last = a.last, plan.part = a.part, plan.parts = a.parts;
  return MakeRowIter("ArrayIter", std::move(fields), plan);
}

}  // namespace

IterDef ArrayIterDef() {
  using A = ArrayIterAttrs;
  return Define<IterDef, A>("ArrayIter")
      .family("iter")
      .doc(
          "Batches of arrays in memory: each batch has rows of every array, the same ones of all. The arrays must be on the CPU and have as many rows "
          "(the size of the first axis). Rows are read when a batch is made, behind what was written to the array before. Without names, one array is "
          "`data` and a second `label`.")
      .attr(&A::batch_size, "batch_size", "Rows in a batch.").at_least(1)
      .attr(&A::shuffle, "shuffle", "Whether each epoch takes the rows in an order of its own, which the seed and the epoch's number give.")
      .attr(&A::seed, "seed", "Seed of the orders.").at_least(0)
      .attr(&A::last, "last", "What becomes of the last rows when they do not fill a batch: keep gives a smaller batch, drop leaves them out, pad fills the batch with the epoch's "
            "first rows and says how many.")
      .attr(&A::part, "part", "Which part of the epoch's order to give, for training on several machines with one seed.").at_least(0)
      .attr(&A::parts, "parts", "How many parts the order is cut into; they share no row and together have all, and differ by one row at most.").at_least(1)
      .example("ArrayIter(batch_size=64, shuffle=True, seed=1)")
      .with(&IterDef::from_arrays, true)
      .with(&IterDef::create, &Create);
}

}  // namespace flx
