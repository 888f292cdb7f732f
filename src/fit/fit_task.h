// SPDX-License-Identifier: Apache-2.0
// The fit: its options and its state.
#pragma once
#include <deque>
#include <map>

#include "fit/exchange.h"
#include "fit/hosted.h"
#include "fit/replicas.h"
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
  std::string passes, device;
  int64_t report_every = 0, store_checkpoint = 0;
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
  enum class Phase { kStart, kStandardize, kStandardizeEnd, kTrain, kCut, kReport, kTrainEnd, kValid, kValidEnd, kCheckpoint, kEpochEnd, kReturn, kSkip, kLeave, kDone };
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

  // Where a fit was before a step, and what it had that is no weight.
  struct Mark {
    int64_t step = 0, epoch = 0, batch = 0, rows = 0;
    uint64_t ticket = 0;
  };
  struct States {
    int64_t step = 0;
    std::vector<NDArray> arrays;
  };

  Event Go(const Deadline& d) override;
  Event Run(const Deadline& d);
  void Broken() override { work_ = nullptr, DetachGradients(); }
  bool Compute(bool train);                // the loss of work_, and gradients in training; false: the host is asked
  bool Advance(bool train);                // goes on with work_; the same
  void Start();
  void BeginEpoch();
  void PrepareParams(const Batch& first);
  NDArray Forward(int mode, const Batch& batch, const Params& params, const Device* device, std::vector<NDArray>* outputs);  // the loss
  NDArray Step(const Batch& batch, const Params& params, const Device* device, std::vector<NDArray>* outputs);               // and gradients of its mean
  NDArray StepOnAll(Batch* batch, std::vector<NDArray>* outputs);                // the same, by the replicas; the labels are where the outputs are
  NDArray Split(std::vector<NDArray> results, std::vector<NDArray>* outputs) const;
  void LookAt(const Batch& batch);
  void Update();                           // the weights, from the gradients
  void ClipGradients();
  void DetachGradients();
  void EndEpoch();
  void Watch(double loss);                 // for `patience`
  // returning.cc: a job that goes back to its checkpoint
  bool Marking() const { return exchange_ && exchange_->distributed() && exchange_->on_store(); }
  void MarkStep();                         // before each step
  void BeginReturn(const Error& why);      // throws it where the fit cannot go on
  void EndReturn();                        // the weights are there
  bool TakeStates(int64_t step);           // those of a step up to this one; false: there are none
  Event Skip(const Deadline& d);           // batches that have been; kDone: all
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
  const Device* device_ = nullptr;          // null: the CPU
  std::unique_ptr<Replicas> replicas_;      // if there are several; device_ is the first
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
  int64_t steps_ = 0, skip_ = 0;            // steps made with it; batches still to be passed over
  int unfounded_ = 0;                       // errors that told of a return where there was none
  Phase returned_from_ = Phase::kTrain;
  std::deque<Mark> marks_;                  // of the steps since the job's last checkpoint
  std::deque<States> states_;               // running means and the like, at some of them
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
