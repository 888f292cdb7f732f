// SPDX-License-Identifier: Apache-2.0
#include "fit/task.h"

namespace flx {

std::string Task::Text(std::string_view field) const {
  Fail(Status::kName, "task", "there is no text `", field, "`.", DidYouMean(field, {"progress"}), " There is: progress.");
}
void Task::Reply(const std::vector<NDArray>&) { Fail(Status::kState, "task", "no host function is wanted now."); }
void Task::FailHost(std::string) { Fail(Status::kState, "task", "no host function is wanted now."); }
NDArray Task::History() const { Fail(Status::kState, "task", "this task has no history. A fit and an evaluation have one."); }

}  // namespace flx
