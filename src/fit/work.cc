// SPDX-License-Identifier: Apache-2.0
#include "fit/work.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "exec/autograd.h"
#include "exec/invoke.h"

namespace flx {

bool IsLabelName(std::string_view name) {
  constexpr std::string_view label = "label";
  return name.substr(0, label.size()) == label || EndsWith(name, label);
}

void Batch::MoveTo(const Device* device) {
  for (auto* list : {&data, &labels})
    for (auto& a : *list) a = ArrayOn(a, device);
}

void BatchSource::Begin(int64_t epoch) {
  std::lock_guard<std::mutex> lock(iter_->mutex());
  iter_->SetEpoch(epoch);
}
bool BatchSource::Ready(int64_t timeout_ms) const {
  std::lock_guard<std::mutex> lock(iter_->mutex());
  return iter_->Ready(timeout_ms);
}
std::unique_ptr<HostAsk> BatchSource::Wanted() const {
  std::lock_guard<std::mutex> lock(iter_->mutex());
  if (iter_->asks() < 0) return nullptr;
  auto ask = std::make_unique<HostAsk>();
  ask->what = "batch", ask->token = iter_->asks(), ask->first = !iter_->begun();
  ask->answer = [iter = iter_](const std::vector<NDArray>& reply) {
    std::vector<NDArray> arrays;
    for (auto& a : reply) arrays.push_back(a ? Detach(a) : nullptr);
    std::lock_guard<std::mutex> locked(iter->mutex());
    iter->Give(std::move(arrays));
  };
  return ask;
}
bool BatchSource::Next(Batch* batch) {
  std::lock_guard<std::mutex> lock(iter_->mutex());
  if (!iter_->Next()) return false;
  batch->data.clear(), batch->labels.clear();
  auto& arrays = iter_->arrays();
  auto& names = iter_->names();
  for (size_t i = 0; i < arrays.size(); ++i) {
    NDArray a = arrays[i];
    if (a->shape.ndim() < 1) Fail(Status::kShape, "task", "array `", i < names.size() ? names[i] : "", "` of a batch has no axis of samples.");
    batch->rows = a->shape[0] - iter_->pad();
    if (iter_->pad()) a = Invoke1("slice_axis", {a}, {{"axis", "0"}, {"begin", "0"}, {"end", Text(batch->rows)}});
    bool label = i < names.size() ? IsLabelName(names[i]) : i > 0;
    (label ? batch->labels : batch->data).push_back(std::move(a));
  }
  if (batch->data.empty()) Fail(Status::kArgument, "task", "a batch has no data: its arrays are named ", Join(names, ", "), ", and those named label are labels.");
  return true;
}
int64_t BatchSource::batches() const {
  std::lock_guard<std::mutex> lock(iter_->mutex());
  int64_t n = iter_->size(), b = iter_->batch_size();
  return n < 0 || b < 1 ? 0 : (n + b - 1) / b;
}

void RunningMean::Add(const NDArray& values) {
  NDArray wide = values->dtype == DType::kFloat64 ? values : Invoke1("Cast", {values}, {{"dtype", "float64"}});
  NDArray sum = Invoke1("_np_sum", {wide});
  sum_ = sum_ ? Invoke1("elemwise_add", {sum_, sum}) : sum;
  count_ += values->size();
}
bool RunningMean::Read(const Deadline& d, double* mean) const {
  *mean = std::numeric_limits<double>::quiet_NaN();
  if (!sum_ || count_ == 0) return true;
  double sum;
  if (!ReadArray(*sum_, &sum, sizeof sum, DType::kFloat64, false, d.left())) return false;
  *mean = sum / double(count_);
  return true;
}

std::vector<NDArray> ScoredLabels(const std::vector<NDArray>& labels, size_t outputs) {
  return {labels.begin(), labels.begin() + std::ptrdiff_t(std::min(labels.size(), outputs))};
}
std::unique_ptr<HostAsk> WantedMetric(Metric* metrics, int* at, const Batch& batch, const std::vector<NDArray>& outputs) {
  while (*at < metrics->count() && metrics->asks(*at) < 0) ++*at;
  if (*at == metrics->count()) return nullptr;
  auto ask = std::make_unique<HostAsk>();
  ask->what = "metric", ask->token = metrics->asks(*at);
  auto host = [](const NDArray& a) { return a->on_cpu() ? Detach(a) : CopyOf(a, nullptr); };
  for (auto& y : outputs) ask->arrays.push_back(host(y));
  for (auto& l : ScoredLabels(batch.labels, outputs.size())) ask->arrays.push_back(host(l));
  ask->answer = [metrics, at, rows = batch.rows](const std::vector<NDArray>& reply) {
    if (reply.size() != 1) Fail(Status::kArgument, "metric", "`", metrics->names()[size_t(*at)], "` must give one array of one number, the mean over the batch, given ", reply.size(), " arrays.");
    metrics->Give(*at, reply[0], rows);
    ++*at;
  };
  return ask;
}

Ref<Metric> MakeMetrics(std::string_view names) { return Metric::Parse(names); }

std::string NumberText(double v, int digits) {
  double size = std::abs(v);
  if (!std::isfinite(v) || (size != 0 && (size >= 1e7 || size < 1e-2 * std::pow(10, 2 - digits)))) return Text(float(v));
  return FixedText(v, digits);
}

}  // namespace flx
