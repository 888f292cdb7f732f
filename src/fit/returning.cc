// SPDX-License-Identifier: Apache-2.0
// A job that goes back to its checkpoint, seen by the fit of one of its workers: it takes the weights again and, where rounds are steps, is at the batch that followed
// the checkpoint, with the same random numbers: the weights become those of a job that never went back. What was counted of the epoch so far is forgotten.
#include "fit/fit_task.h"

namespace flx {
namespace {
constexpr size_t kMostMarks = 1 << 16;
constexpr int kMostUnfounded = 3;
}  // namespace

void FitTask::MarkStep() {
  if (marks_.empty() || marks_.back().step < steps_) marks_.push_back({steps_, epoch_, batch_, rows_, tickets_.ticket});
  if (batch_ == 0 || (options_.store_checkpoint && steps_ % options_.store_checkpoint == 0)) {
    States now{steps_, {}};
    for (auto& p : model_->params()->all())
      if (p.aux) now.arrays.push_back(CopyOf(p.array));
    if (states_.empty() || states_.back().step < steps_) states_.push_back(std::move(now));
  }
  const int64_t cut = exchange_->CutStep();
  while (marks_.size() > kMostMarks || (marks_.size() > 1 && marks_[1].step <= cut)) marks_.pop_front();
  while (states_.size() > 1 && (states_[1].step <= cut || states_.size() > kMostMarks)) states_.pop_front();
}

void FitTask::BeginReturn(const Error& why) {
  if (!exchange_->Recover() && ++unfounded_ > kMostUnfounded) throw why;
  work_ = nullptr;
  if (!exchange_->begun()) return;  // nothing has been trained yet
  if (!exchange_->on_store())
    Fail(Status::kRolledBack, "fit", "the job went back to a checkpoint of its store, which does not have the weights: here each worker updates its own. Go on from the fit's checkpoint "
         "(resume=True), or let the store update them (update_on_store=True).");
  if (phase_ != Phase::kReturn && phase_ != Phase::kSkip) returned_from_ = phase_;
  ahead_.Clear();
  exchange_->PullWeights();
  phase_ = Phase::kReturn;
}

bool FitTask::TakeStates(int64_t step) {
  for (; !states_.empty(); states_.pop_back()) {
    if (states_.back().step > step) continue;
    try {
      for (auto& a : states_.back().arrays) WaitToRead(*a);
    } catch (const Error&) {
      continue;  // of a step that was given up
    }
    size_t next = 0;
    for (auto& p : model_->params()->all())
      if (p.aux) CopyInto(states_.back().arrays[next++], p.array);
    return true;
  }
  return false;
}

void FitTask::EndReturn() {
  const bool rounds = exchange_->synchronous();  // are steps
  const int64_t step = rounds ? std::min(exchange_->Step(), steps_) : steps_;
  TakeStates(step);
  if (replicas_) replicas_->Prepare(model_->params());
  while (marks_.size() > 1 && marks_.back().step > step) marks_.pop_back();
  if (rounds && step < steps_ && !marks_.empty()) {
    const Mark& m = marks_.back();
    {
      std::lock_guard<std::mutex> lock(optimizer_->mutex());
      optimizer_->CountStep(step - steps_);
    }
    steps_ = step, skip_ = m.batch + (step - m.step), rows_ = m.rows, tickets_.ticket = m.ticket;
    if (epoch_ > m.epoch) {
      epoch_ = m.epoch, history_.resize(size_t(epoch_));
      best_ = std::numeric_limits<double>::infinity(), since_best_ = 0;
      for (auto& row : history_) Watch(row[valid_ ? 2 + train_scores_.metrics->names().size() : 1]);
    }
    batch_ = skip_;
    train_scores_.Reset(), valid_scores_.Reset();
    train_.Begin(epoch_);
    phase_ = Phase::kSkip;
    return;
  }
  switch (returned_from_) {
    case Phase::kTrain: case Phase::kCut: case Phase::kReport: case Phase::kTrainEnd:
      train_scores_.Reset();
      phase_ = returned_from_ == Phase::kTrainEnd ? Phase::kTrainEnd : Phase::kTrain;
      break;
    case Phase::kValid: case Phase::kValidEnd:
      valid_scores_.Reset(), valid_.Begin(0);
      phase_ = Phase::kValid;
      break;
    default: phase_ = returned_from_;
  }
}

Event FitTask::Skip(const Deadline& d) {
  for (Batch passed; skip_ > 0; --skip_) {
    if (!train_.Ready(d.left())) return Event::kPending;
    if (auto ask = train_.Wanted()) return Ask(std::move(*ask));
    if (!train_.Next(&passed)) break;
  }
  skip_ = 0;
  return Event::kDone;
}

}  // namespace flx
