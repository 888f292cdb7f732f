// SPDX-License-Identifier: Apache-2.0
#include "fit/task.h"

#include "base/host_token.h"

namespace flx {

Event Task::Next(int64_t timeout_ms) {
  if (error_) std::rethrow_exception(error_);
  if (ask_ && stopped()) ask_ = nullptr;
  if (ask_) return Event::kHost;
  try {
    return Go(Deadline(timeout_ms));
  } catch (...) {
    error_ = std::current_exception();
    ask_ = nullptr;
    Broken();
    throw;
  }
}
Event Task::Ask(HostAsk ask) {
  ask_ = std::make_unique<HostAsk>(std::move(ask));
  return Event::kHost;
}
void Task::NeedAsk() const {
  if (!ask_) Fail(Status::kState, "task", "no host function is wanted now. Call flx_task_next; at FLX_HOST one is.");
}
void Task::Reply(const std::vector<NDArray>& arrays) {
  NeedAsk();
  std::unique_ptr<HostAsk> ask = std::move(ask_);
  try {
    ask->answer(arrays);
  } catch (...) {
    ask_ = std::move(ask);
    throw;
  }
}
void Task::FailHost(const std::string& message) {
  NeedAsk();
  std::string text = message.empty() ? "the host function failed." : message;
  try {
    Fail(Status::kHost, ask_->what, text);
  } catch (...) {
    error_ = std::current_exception();
  }
  ask_ = nullptr;
  Broken();
}

double Task::Number(std::string_view field) const {
  return field == "first" && ask_ && ask_->first ? 1 : field == "first" ? 0 : std::numeric_limits<double>::quiet_NaN();
}
std::string Task::Text(std::string_view field) const {
  if (field == "host") return ask_ ? ask_->what : "";
  if (field == "label") return ask_ ? HostLabel(ask_->token) : "";
  Fail(Status::kName, "task", "there is no text `", field, "`.", DidYouMean(field, {"progress", "host", "label"}), " There are: progress, host, label.");
}
void Task::SetStore(Ref<Store>) { Fail(Status::kArgument, "task", "only a fit exchanges gradients by a store; this task fits nothing."); }
NDArray Task::History() const { Fail(Status::kState, "task", "this task has no history. A fit and an evaluation have one."); }

}  // namespace flx
