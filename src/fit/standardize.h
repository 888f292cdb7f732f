// SPDX-License-Identifier: Apache-2.0
// What a fit finds out about its training data before the first epoch: mean and deviation for layers Standardize.
#pragma once
#include <string>
#include <vector>

#include "fit/work.h"

namespace flx {

class Standardizing {
 public:
  // The layers of the model whose states are missing. kState for one that does not see the data itself.
  explicit Standardizing(const Model& model);
  explicit operator bool() const { return !layers_.empty(); }
  // One more batch; the rows' order does not matter but for rounding, the number of threads not at all. Gives what is last to be computed.
  NDArray Add(const Model& model, const Batch& batch);
  bool Finish(Params* params, const Deadline& d);  // sets the states; false: time is up

 private:
  struct One {
    std::string path;  // "" or "0."
    int64_t axis = 1;
    // Of the values less `shift`, the first row: so that what never changes has deviation 0 exactly. Float64, (1, features, 1).
    NDArray shift, mean, squares;
    int64_t count = 0;  // values of each feature
    DType dtype = DType::kFloat32;  // of the states
  };
  void Find(const Layer& layer, const Params& params, const std::string& path, bool sees_data);
  std::vector<One> layers_;
  bool checked_ = false;
};

}  // namespace flx
