// SPDX-License-Identifier: Apache-2.0
// Evaluate and predict: one pass over the data, in prediction mode.
#include "exec/invoke.h"
#include "fit/hosted.h"

namespace flx {
namespace {

class PassTask : public Task {
 public:
  PassTask(Ref<Model> model, Ref<Iter> data) : model_(std::move(model)), data_(std::move(data)) {
    if (!model_) Fail(Status::kArgument, "task", "the model is null.");
    if (!data_) Fail(Status::kArgument, "task", "the data iterator is null.");
    if (model_->layer()->AsksHost()) RefuseHosted("task", model_->params()->device()), hosted_ = std::make_unique<HostedLayer>(model_->layer(), nullptr);
  }
  double Number(std::string_view field) const override {
    if (field == "batch") return double(batch_);
    if (field == "batches") return data_.batches() ? double(data_.batches()) : std::numeric_limits<double>::quiet_NaN();
    if (field == "samples") return double(rows_);
    if (field == "seconds") return std::chrono::duration<double>((done_ ? end_ : std::chrono::steady_clock::now()) - start_).count();
    if (field == "first") return Task::Number(field);
    std::vector<std::string> known = {"first", "batch", "batches", "samples", "seconds"};
    for (auto& c : columns()) known.push_back(c);
    Fail(Status::kName, "task", "there is no number `", field, "`.", DidYouMean(field, known), " There are: ", Join(known, ", "), ".");
  }

 protected:
  virtual void Take(const Batch& batch, const std::vector<NDArray>& outputs) = 0;
  // What the host must do with a batch that was taken; null: nothing more.
  virtual std::unique_ptr<HostAsk> Wanted(const Batch&, const std::vector<NDArray>&) { return nullptr; }
  virtual bool Finish(const Deadline& d) = 0;  // false: time is up
  bool done() const { return done_; }
  Ref<Model> model_;

 private:
  struct Work {
    Batch batch;
    std::unique_ptr<HostedLayer::Run> run;
    std::vector<NDArray> outputs;  // empty: it was not run yet
  };
  Event Go(const Deadline& d) final {
    if (done_) return Event::kDone;
    if (!begun_) data_.Begin(0), begun_ = true;
    while (!over_ && !stopped()) {
      if (!work_) {
        if (!ahead_.Wait(d) || !data_.Ready(d.left())) return Event::kPending;
        if (auto ask = data_.Wanted()) return Ask(std::move(*ask));
        auto work = std::make_unique<Work>();
        if (!data_.Next(&work->batch)) break;
        work->batch.MoveTo(model_->params()->device());
        work_ = std::move(work);
      }
      Work& w = *work_;
      if (w.outputs.empty()) {
        if (hosted_) {
          if (!w.run) w.run = hosted_->Start(kPlain, *model_->params(), w.batch.data, {}, false);
          if (!w.run->Go()) return Ask(w.run->Wanted());
          w.outputs = w.run->results();
        } else {
          w.outputs = model_->Predict(w.batch.data);
        }
        ahead_.Add(w.outputs[0]);
        ++batch_, rows_ += w.batch.rows;
        Take(w.batch, w.outputs);
      }
      if (auto ask = Wanted(w.batch, w.outputs)) return Ask(std::move(*ask));
      work_ = nullptr;
      if (d.over()) return Event::kPending;
    }
    over_ = true, work_ = nullptr;
    if (!Finish(d)) return Event::kPending;
    done_ = true, end_ = std::chrono::steady_clock::now();
    return Event::kDone;
  }
  void Broken() final { work_ = nullptr; }
  std::unique_ptr<HostedLayer> hosted_;  // if the model holds code of the host's
  std::unique_ptr<Work> work_;
  BatchSource data_;
  RunAhead ahead_;
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
  void Take(const Batch& batch, const std::vector<NDArray>& outputs) override {
    metrics_->Update(ScoredLabels(batch.labels, outputs.size()), outputs, true);
    metric_ = 0;
  }
  std::unique_ptr<HostAsk> Wanted(const Batch& batch, const std::vector<NDArray>& outputs) override { return WantedMetric(metrics_.get(), &metric_, batch, outputs); }
  bool Finish(const Deadline& d) override {
    std::vector<double> values(metrics_->names().size());
    for (size_t i = 0; i < values.size(); ++i)
      if (!metrics_->Value(int(i), d.left(), &values[i])) return false;
    values_ = std::move(values);
    return true;
  }

 private:
  Ref<Metric> metrics_;
  int metric_ = 0;  // the next one that the host may have to compute
  std::vector<double> values_;
};

class PredictTask final : public PassTask {
 public:
  using PassTask::PassTask;
  std::string Text(std::string_view field) const override {
    if (field != "progress") return Task::Text(field);
    return flx::Text(int64_t(Number("samples")), " samples  ", FixedText(Number("seconds"), 1), " s");
  }

 protected:
  std::vector<NDArray> Results() const override { return results_; }
  void Take(const Batch&, const std::vector<NDArray>& outputs) override {
    pieces_.resize(outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) pieces_[i].push_back(outputs[i]->on_cpu() ? outputs[i] : CopyOf(outputs[i], nullptr));
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
