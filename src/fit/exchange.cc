// SPDX-License-Identifier: Apache-2.0
#include "fit/exchange.h"

#include "exec/autograd.h"

namespace flx {

void Exchange::Prepare(Ref<Params> params, Ref<Optimizer> optimizer) {
  params_ = std::move(params), optimizer_ = std::move(optimizer);
  for (auto& p : params_->all())
    if (GradOf(*p.array)) names_.push_back(p.name), weights_.push_back(p.array);
}

// The first worker's values, whoever is faster: what is measured on a worker's own data (Standardize) would differ.
bool Exchange::Begin(const Deadline& d) {
  if (begun_) return true;
  std::vector<std::string> names;
  std::vector<NDArray> values;  // without being a step of the tape
  for (auto& p : params_->all()) names.push_back(p.name), values.push_back(Detach(p.array));
  if (rank() == 0 && !given_) {
    store_->Forget(names);
    if (on_store_) {
      std::lock_guard<std::mutex> lock(optimizer_->mutex());
      store_->SetOptimizer(*optimizer_);
    }
    store_->Init(names, values, Together::kMean);
    given_ = true;
  }
  if (!store_->Barrier(d.left())) return false;
  if (rank() != 0) store_->Init(names, values, Together::kMean);
  store_->Pull(names, values, 0);
  return begun_ = true;
}

// One call a key, so that what the next forward run needs first comes first.
void Exchange::Send(const std::vector<NDArray>& targets, int64_t samples) {
  for (size_t i = 0; i < names_.size(); ++i) store_->PushPull({names_[i]}, {GradOf(*weights_[i])}, {targets[i]}, {samples, -int(i)});
}
void Exchange::Gradients(int64_t samples) {
  std::vector<NDArray> grads;
  for (auto& w : weights_) grads.push_back(GradOf(*w));
  Send(grads, samples);
}
void Exchange::Weights(int64_t samples) {
  std::vector<NDArray> bare;
  for (auto& w : weights_) bare.push_back(Detach(w));
  Send(bare, samples);
}

bool Exchange::Leave(const Deadline& d) { return !store_->distributed() || store_->Finish(d.left()); }

}  // namespace flx
