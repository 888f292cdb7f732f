// SPDX-License-Identifier: Apache-2.0
#include "fit/exchange.h"

#include <algorithm>

#include "base/log.h"
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
  if (pulling_) {
    if (!Pulled(d)) return false;
    base_ = std::max({names_.empty() ? 0 : store_->RoundOf(names_[0]), store_->LastStep(), store_->Progress().first_round - 1});
    return begun_ = true;
  }
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
  pulled_ = std::move(values), pulling_ = true;
  return Begin(d);
}

// To a job one call a key, so that what the next forward run needs first comes first.
void Exchange::Send(const std::vector<NDArray>& grads, const std::vector<NDArray>& targets, int64_t samples) {
  if (!distributed()) return store_->PushPull(names_, grads, targets, {samples});
  const int64_t step = store_->NextStep();
  for (size_t i = 0; i < names_.size(); ++i) store_->PushPull({names_[i]}, {grads[i]}, {targets[i]}, {samples, -int(i), step});
}
void Exchange::Gradients(int64_t samples) {
  const auto grads = Grads();
  Send(grads, grads, samples);
}
void Exchange::Weights(int64_t samples) { Send(Grads(), Bare(), samples); }
std::vector<NDArray> Exchange::Grads() const {
  std::vector<NDArray> grads;
  for (auto& w : weights_) grads.push_back(GradOf(*w));
  return grads;
}
std::vector<NDArray> Exchange::Bare() const {
  std::vector<NDArray> bare;
  for (auto& w : weights_) bare.push_back(Detach(w));
  return bare;
}

bool Exchange::Leave(const Deadline& d) { return !store_->distributed() || (EndCut(d) && store_->Finish(d.left())); }

bool Exchange::EndCut(const Deadline& d) {
  if (!cutting_) return true;
  try {
    if (!store_->Checkpoint(d.left())) return false;
  } catch (const Error& e) {
    if (e.status() == Status::kRolledBack) throw;
    Log(LogLevel::kWarning, Text("the job goes on without a new checkpoint. ", e.message()));
  }
  cutting_ = false;
  return true;
}
bool Exchange::Cut(const Deadline& d) {
  if (!EndCut(d)) return false;
  cutting_ = true;
  EndCut(Deadline(0));  // begins it; later pushes wait for its end by themselves
  return true;
}
int64_t Exchange::CutStep() const { return store_->Progress().checkpoint_round - base_; }

bool Exchange::Recover() {
  bool back = store_->Recover() >= 0;
  cutting_ = false, pulled_.clear();
  if (!begun_) given_ = pulling_ = false;
  return back;
}
void Exchange::PullWeights() {
  pulled_ = Bare();
  store_->Pull(names_, pulled_, 0);
}
bool Exchange::Pulled(const Deadline& d) {
  for (auto& a : pulled_)
    if (!WaitToRead(*a, d.left())) return false;
  pulled_.clear();
  return true;
}
int64_t Exchange::Step() const { return names_.empty() ? 0 : std::max<int64_t>(0, store_->RoundOf(names_[0]) - base_); }

}  // namespace flx
