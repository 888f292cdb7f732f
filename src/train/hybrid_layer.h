// SPDX-License-Identifier: Apache-2.0
// A layer (and a loss behind it) as a cached graph: what hybridize() and fit run. Its inputs are the data, then the labels if there is a loss, then the
// parameters, in the order in which a forward pass asks for them.
#pragma once
#include "hybrid/cached_graph.h"
#include "train/params.h"

namespace flx {

// The options of HybridizeLayer as settings.
struct HybridizeOptions : HybridOptions { bool active = true; };
const Registered& HybridizeOptionsEntry();  // names, docs, ranges

class HybridLayer final : public Object {
 public:
  // loss: takes the layer's outputs, then the labels; null: none.
  HybridLayer(Ref<Layer> layer, Ref<Layer> loss, const HybridOptions& options);
  // x: data, then labels (the last `labels` of them). Gives the loss's results, if there is one, then the layer's.
  std::vector<NDArray> Run(int mode, const Params& params, const std::vector<NDArray>& x, int labels = 0);
  // A training step: Run in training mode, and the gradients of the mean of the first result stored into the attached ones.
  std::vector<NDArray> Step(const Params& params, const std::vector<NDArray>& x, int labels);
  std::string Text(std::string_view field) const;

 private:
  struct Known;  // for a number of inputs
  std::shared_ptr<const Known> KnownFor(const std::vector<NDArray>& x, int labels);
  std::vector<NDArray> Inputs(const Known& k, const Params& params, const std::vector<NDArray>& x);
  const Ref<Layer> layer_, loss_;
  const HybridOptions options_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const Known>> known_;
};

// Runs that begin with `layer` (RunLayer, a model's) go through a cached graph from now on; null: imperatively again.
void HybridizeLayer(const Layer& layer, const HybridOptions* options);
// The layer on arrays, as it was asked to run.
std::vector<NDArray> RunLayer(const Layer& layer, int mode, const Params& params, const std::vector<NDArray>& x);

}  // namespace flx
