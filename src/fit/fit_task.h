// SPDX-License-Identifier: Apache-2.0
// The fit: its options and its state.
#pragma once
#include <map>

#include "fit/exchange.h"
#include "fit/hosted.h"
#include "fit/standardize.h"
#include "fit/work.h"

namespace flx {

struct FitOptions {
  int64_t epochs = 1;
  std::string metrics, checkpoint, initializer;
  std::optional<int64_t> patience, seed;
  std::optional<double> clip_gradient;
  std::optional<bool> update_on_store;
  bool resume = false, hybridize = true;
  std::string passes;
  int64_t report_every = 0;
};

class FitTask final : public Task {
 public:
  FitTask(Ref<Model> model, Ref<Layer> loss, Ref<Optimizer> optimizer, Ref<Iter> train, Ref<Iter> valid, const Settings& options);
  ~FitTask() override;
  double Number(std::string_view field) const override;
  std::string Text(std::string_view field) const override;
  NDArray History() const override;
  std::vector<std::string> columns() const override { return columns_; }
  void SetStore(Ref<Store> store) override;

 private:
  enum class Phase { kStart, kStandardize, kStandardizeEnd, kTrain, kReport, kTrainEnd, kValid, kValidEnd, kCheckpoint, kEpochEnd, kLeave, kDone };
  // One pass's loss and metrics.
  struct Scores {
    RunningMean loss;
    Ref<Metric> metrics;
    std::map<std::string, double> values;  // as read last; loss and the metrics by name
    void Reset() { loss.Reset(), metrics->Reset(), values.clear(); }
    void Add(const NDArray& losses, const std::vector<NDArray>& labels, const std::vector<NDArray>& outputs);
    bool Read(const Deadline& d);          // false: time is up
  };

  // A batch under way: the host may be asked in its midst.
  struct Work {
    Batch batch;
    std::unique_ptr<HostedLayer::Run> run;
    NDArray loss;                          // null: the step is not made yet
    std::vector<NDArray> outputs;
    int metric = 0;                        // the next one that the host may have to compute
  };

  Event Go(const Deadline& d) override;
  void Broken() override { work_ = nullptr, DetachGradients(); }
  bool Compute(bool train);                // the loss of work_, and gradients in training; false: the host is asked
  bool Advance(bool train);                // goes on with work_; the same
  void Start();
  void BeginEpoch();
  void PrepareParams(const Batch& first);
  NDArray Forward(int mode, const Batch& batch, std::vector<NDArray>* outputs);  // the loss
  NDArray Step(const Batch& batch, std::vector<NDArray>* outputs);               // and gradients of its mean
  NDArray Split(std::vector<NDArray> results, std::vector<NDArray>* outputs) const;
  void LookAt(const Batch& batch);
  void Update();                           // the weights, from the gradients
  void ClipGradients();
  void DetachGradients();
  void EndEpoch();
  // checkpoint.cc
  bool WriteCheckpoint(const Deadline& d);  // false: time is up
  bool ReadCheckpoint();                    // false: there is none
  std::string StatePath() const { return options_.checkpoint + ".state"; }

  Ref<Model> model_;
  Ref<Layer> loss_;
  Ref<Optimizer> optimizer_;
  BatchSource train_, valid_;
  FitOptions options_;
  Ref<Initializer> initializer_;
  Phase phase_ = Phase::kStart;

  uint64_t seed_ = 0;
  Ticket tickets_;                          // the fit's own stream: dropout does not depend on what else runs
  int64_t epoch_ = 0, batch_ = 0, rows_ = 0;  // epoch_: completed ones
  bool prepared_ = false;
  std::optional<Standardizing> standardizing_;  // until its pass is over
  Ref<HybridLayer> hybrid_;                 // null: imperatively
  std::unique_ptr<HostedLayer> hosted_;     // if the model holds code of the host's
  std::unique_ptr<Work> work_;
  std::unique_ptr<Exchange> exchange_;      // if there is a store
  std::vector<NDArray> trained_;            // parameters with a gradient that this fit attached
  RunAhead ahead_;
  Scores train_scores_, valid_scores_;
  double train_seconds_ = 0;
  std::chrono::steady_clock::time_point epoch_start_;
  double best_ = std::numeric_limits<double>::infinity();
  int64_t since_best_ = 0;
  std::vector<std::string> columns_;
  std::vector<std::vector<double>> history_;
};

}  // namespace flx
