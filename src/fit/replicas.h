// SPDX-License-Identifier: Apache-2.0
// A fit on several devices: each has the model's parameters and computes its share of every batch's rows. The gradients are summed on the first, where
// the weights are updated, and the weights are given to all. What a layer keeps beside its weights (running means) is the first one's.
#pragma once
#include <string>
#include <vector>

#include "fit/work.h"
#include "train/params.h"

namespace flx {

// "gpu(0)", or "gpu(0), gpu(1)"; empty: none. Those named twice are an error, and so are several of which one is the CPU.
std::vector<const Device*> ParseDevices(std::string_view text);

class Replicas {
 public:
  explicit Replicas(std::vector<const Device*> devices) : devices_(std::move(devices)) {}  // two or more
  // Copies `first`, which lies on the first device; what has a gradient there has one in each.
  void Prepare(const Ref<Params>& first);  // anew, if called again
  bool prepared() const { return !params_.empty(); }
  struct Share {
    Batch batch;
    Params* params;
    const Device* device;
  };
  std::vector<Share> Split(const Batch& batch) const;  // by rows, in order; a batch of few rows gives some devices none
  // Each share has gradients of its own mean; the first device's become those of the mean over all rows.
  void SumGradients(const std::vector<Share>& shares) const;
  void GiveWeights() const;                            // the first device's to all
  NDArray Gather(const std::vector<NDArray>& parts) const;  // of the shares, one after the other, on the first device

 private:
  std::vector<const Device*> devices_;
  std::vector<Ref<Params>> params_;                    // of each device
  std::vector<std::string> trained_;                   // names; an array of two names once
};

}  // namespace flx
