// SPDX-License-Identifier: Apache-2.0
// A layer that holds code of the host's, and a loss behind it: run as a graph, step by step, and backward on the tape, both of which stop where the host is wanted.
#pragma once
#include <deque>

#include "exec/autograd.h"
#include "exec/graph.h"
#include "fit/work.h"

namespace flx {

void RefuseHosted(const char* who, const Device* device);  // unless it is the CPU (null)

class HostedLayer {
 public:
  // loss: takes the layer's outputs, then the labels; null: none.
  HostedLayer(Ref<Layer> layer, Ref<Layer> loss) : layer_(std::move(layer)), loss_(std::move(loss)) {}
  // One batch under way.
  class Run {
   public:
    // gradients: backward too, from the mean of the loss into the gradients that are attached.
    Run(Ref<const Graph> graph, int mode, const std::vector<NDArray>& arrays, bool gradients) : forward_(std::move(graph), mode, arrays), gradients_(gradients) {}
    bool Go();                 // false: the host is wanted
    HostAsk Wanted();          // holds on to this run
    const std::vector<NDArray>& results() const { return forward_.outputs(); }  // the loss's, if there is one, then the layer's

   private:
    GraphRun forward_;
    const bool gradients_;
    std::unique_ptr<BackwardRun> backward_;
    bool done_ = false;
  };
  std::unique_ptr<Run> Start(int mode, const Params& params, const std::vector<NDArray>& data, const std::vector<NDArray>& labels, bool gradients);

 private:
  struct Known {  // for inputs like these
    bool training;
    std::vector<Shape> shapes;
    std::vector<DType> dtypes;
    Ref<const Graph> graph;
    std::vector<int> inputs;           // by argument: which of the data and labels it is; -1: the next parameter
    std::vector<std::string> params;
  };
  const Known& KnownFor(bool training, const Params& params, const std::vector<NDArray>& x, size_t labels);
  const Ref<Layer> layer_, loss_;
  std::deque<Known> known_;            // the last few
};

}  // namespace flx
