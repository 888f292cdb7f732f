// SPDX-License-Identifier: Apache-2.0
// The fit: its options and its state.
#pragma once
#include <exception>
#include <map>

#include "fit/standardize.h"
#include "fit/work.h"

namespace flx {

struct FitOptions {
  int64_t epochs = 1;
  std::string metrics, checkpoint, initializer;
  std::optional<int64_t> patience, seed;
  std::optional<double> clip_gradient;
  bool resume = false, hybridize = true;
  std::string passes;
  int64_t report_every = 0;
};

class FitTask final : public Task {
 public:
  FitTask(Ref<Model> model, Ref<Layer> loss, Ref<Optimizer> optimizer, Ref<Iter> train, Ref<Iter> valid, const Settings& options);
  ~FitTask() override;
  Event Next(int64_t timeout_ms) override;
  double Number(std::string_view field) const override;
  std::string Text(std::string_view field) const override;
  NDArray History() const override;
  std::vector<std::string> columns() const override { return columns_; }

 private:
  enum class Phase { kStart, kStandardize, kStandardizeEnd, kTrain, kReport, kTrainEnd, kValid, kValidEnd, kCheckpoint, kEpochEnd, kDone };
  // One pass's loss and metrics.
  struct Scores {
    RunningMean loss;
    Ref<Metric> metrics;
    std::map<std::string, double> values;  // as read last; loss and the metrics by name
    void Reset() { loss.Reset(), metrics->Reset(), values.clear(); }
    void Add(const NDArray& losses, const std::vector<NDArray>& labels, const std::vector<NDArray>& outputs);
    bool Read(const Deadline& d);          // false: time is up
  };

  Event Go(const Deadline& d);
  void Start();
  void BeginEpoch();
  void PrepareParams(const Batch& first);
  NDArray Forward(int mode, const Batch& batch, std::vector<NDArray>* outputs);  // the loss
  NDArray Step(const Batch& batch, std::vector<NDArray>* outputs);               // and gradients of its mean
  NDArray Split(std::vector<NDArray> results, std::vector<NDArray>* outputs) const;
  void LookAt(const Batch& batch);
  void TrainOn(const Batch& batch);
  void ValidateOn(const Batch& batch);
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
  std::exception_ptr error_;

  uint64_t seed_ = 0;
  Ticket tickets_;                          // the fit's own stream: dropout does not depend on what else runs
  int64_t epoch_ = 0, batch_ = 0, rows_ = 0;  // epoch_: completed ones
  bool prepared_ = false;
  std::optional<Standardizing> standardizing_;  // until its pass is over
  Ref<HybridLayer> hybrid_;                 // null: imperatively
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
