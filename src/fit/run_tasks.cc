// SPDX-License-Identifier: Apache-2.0
// Evaluate and predict: one pass over the data, in prediction mode.
#include <exception>

#include "fit/work.h"

namespace flx {
namespace {

class PassTask : public Task {
 public:
  PassTask(Ref<Model> model, Ref<Iter> data) : model_(std::move(model)), data_(std::move(data)) {
    if (!model_) Fail(Status::kArgument, "task", "the model is null.");
    if (!data_) Fail(Status::kArgument, "task", "the data iterator is null.");
  }
  Event Next(int64_t timeout_ms) final {
    if (error_) std::rethrow_exception(error_);
    try {
      return Go(Deadline(timeout_ms));
    } catch (...) {
      error_ = std::current_exception();
      throw;
    }
  }
  double Number(std::string_view field) const override {
    if (field == "batch") return double(batch_);
    if (field == "batches") return data_.batches() ? double(data_.batches()) : std::numeric_limits<double>::quiet_NaN();
    if (field == "samples") return double(rows_);
    if (field == "seconds") return std::chrono::duration<double>((done_ ? end_ : std::chrono::steady_clock::now()) - start_).count();
    std::vector<std::string> known = {"batch", "batches", "samples", "seconds"};
    for (auto& c : columns()) known.push_back(c);
    Fail(Status::kName, "task", "there is no number `", field, "`.", DidYouMean(field, known), " There are: ", Join(known, ", "), ".");
  }

 protected:
  virtual void Take(const Batch& batch, std::vector<NDArray> outputs) = 0;
  virtual bool Finish(const Deadline& d) = 0;  // false: time is up
  bool done() const { return done_; }
  Ref<Model> model_;

 private:
  Event Go(const Deadline& d) {
    if (done_) return Event::kDone;
    if (!begun_) data_.Begin(0), begun_ = true;
    while (!over_ && !stopped()) {
      if (!ahead_.Wait(d) || !data_.Ready(d.left())) return Event::kPending;
      Batch batch;
      if (!data_.Next(&batch)) break;
      auto outputs = model_->Predict(batch.data);
      ahead_.Add(outputs[0]);
      ++batch_, rows_ += batch.rows;
      Take(batch, std::move(outputs));
      if (d.over()) return Event::kPending;
    }
    over_ = true;
    if (!Finish(d)) return Event::kPending;
    done_ = true, end_ = std::chrono::steady_clock::now();
    return Event::kDone;
  }
  BatchSource data_;
  RunAhead ahead_;
  std::exception_ptr error_;
  bool begun_ = false, over_ = false, done_ = false;
  int64_t batch_ = 0, rows_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), end_;
};

class EvaluateTask final : public PassTask {
 public:
  EvaluateTask(Ref<Model> model, Ref<Iter> data, const std::vector<std::string>& metrics) : PassTask(std::move(model), std::move(data)), metrics_(MakeMetrics(Join(metrics, ", "))) {
    if (metrics_->names().empty()) Fail(Status::kArgument, "evaluate", "expected the name of one metric at least, given none.");
  }
  double Number(std::string_view field) const override {
    auto names = metrics_->names();
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i] == field) return i < values_.size() ? values_[i] : std::numeric_limits<double>::quiet_NaN();
    return PassTask::Number(field);
  }
  std::string Text(std::string_view field) const override {
    if (field != "progress") return Task::Text(field);
    auto names = metrics_->names();
    std::string s;
    for (size_t i = 0; i < names.size() && i < values_.size(); ++i) s += flx::Text(names[i], " ", NumberText(values_[i], metrics_->digits(int(i))), "  ");
    return s + FixedText(Number("seconds"), 1) + " s";
  }
  std::vector<std::string> columns() const override { return metrics_->names(); }
  NDArray History() const override {
    return FromHost(values_.data(), int64_t(values_.size() * sizeof(double)), DType::kFloat64, false, {values_.empty() ? 0 : 1, int64_t(values_.empty() ? metrics_->names().size() : values_.size())},
                    DType::kFloat64);
  }

 protected:
  void Take(const Batch& batch, std::vector<NDArray> outputs) override { metrics_->Update(batch.labels, outputs); }
  bool Finish(const Deadline& d) override {
    std::vector<double> values(metrics_->names().size());
    for (size_t i = 0; i < values.size(); ++i)
      if (!metrics_->Value(int(i), d.left(), &values[i])) return false;
    values_ = std::move(values);
    return true;
  }

 private:
  Ref<Metric> metrics_;
  std::vector<double> values_;
};

class PredictTask final : public PassTask {
 public:
  using PassTask::PassTask;
  std::vector<NDArray> arrays() const override { return results_; }
  std::string Text(std::string_view field) const override {
    if (field != "progress") return Task::Text(field);
    return flx::Text(int64_t(Number("samples")), " samples  ", FixedText(Number("seconds"), 1), " s");
  }

 protected:
  void Take(const Batch&, std::vector<NDArray> outputs) override {
    pieces_.resize(outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) pieces_[i].push_back(std::move(outputs[i]));
  }
  bool Finish(const Deadline& d) override {
    if (results_.empty())
      for (auto& p : pieces_) results_.push_back(p.size() == 1 ? p[0] : Invoke1("Concat", p, {{"dim", "0"}, {"num_args", flx::Text(p.size())}}));
    for (auto& r : results_)
      if (!WaitToRead(*r, d.left())) return false;
    pieces_.clear();
    return true;
  }

 private:
  std::vector<std::vector<NDArray>> pieces_;  // by output, by batch
  std::vector<NDArray> results_;
};
}  // namespace

Ref<Task> StartEvaluate(Ref<Model> model, Ref<Iter> data, const std::vector<std::string>& metrics) {
  return Make<EvaluateTask>(std::move(model), std::move(data), metrics);
}
Ref<Task> StartPredict(Ref<Model> model, Ref<Iter> data) { return Make<PredictTask>(std::move(model), std::move(data)); }

}  // namespace flx
