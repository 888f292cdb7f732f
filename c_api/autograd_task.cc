// SPDX-License-Identifier: Apache-2.0
// Backward as a task: for tapes that hold the host's functions.
#include <cmath>
#include <limits>

#include "exec/autograd.h"
#include "guard.h"
#include "pins.h"

using namespace flx;
using namespace flx::capi;

namespace {
class BackwardTask final : public Task {
 public:
  BackwardTask(std::vector<NDArray> heads, std::vector<NDArray> grads, std::vector<NDArray> targets, int mode)
      : run_(std::move(heads), std::move(grads), std::move(targets), mode) {}
  Event Next(int64_t) override {
    if (!failure_.empty()) Fail(Status::kHost, "backward", failure_);
    if (asked_) return Event::kHost;
    if (done_) return Event::kDone;
    asked_ = run_.Next();
    done_ = !asked_;
    return asked_ ? Event::kHost : Event::kDone;
  }
  double Number(std::string_view) const override { return std::numeric_limits<double>::quiet_NaN(); }
  int64_t token() const override { return asked_ ? run_.token() : -1; }
  std::vector<NDArray> arrays() const override { return asked_ ? run_.inputs() : done_ ? run_.Results() : std::vector<NDArray>(); }
  void Reply(const std::vector<NDArray>& arrays) override {
    if (!asked_) Fail(Status::kState, "backward", "no host gradient is wanted now.");
    run_.Reply(arrays);
    asked_ = false;
  }
  void FailHost(std::string message) override {
    if (!asked_) Fail(Status::kState, "backward", "no host gradient is wanted now.");
    failure_ = message.empty() ? "the host function failed." : std::move(message);
  }

 private:
  BackwardRun run_;
  bool asked_ = false, done_ = false;
  std::string failure_;
};
}  // namespace

extern "C" flx_status flx_autograd_start(const flx_ndarray* arrays, int32_t narrays, const flx_ndarray* grads, int32_t ngrads, const flx_ndarray* targets,
                                         int32_t ntargets, int32_t mode, flx_task* out_task) {
  FLX_BEGIN
    NeedMode(who, mode, FLX_TRAIN | FLX_RETAIN | FLX_CREATE_GRAPH);
    NeedPointer(who, "out_task", out_task);
    ArrayList a(who, "arrays", arrays, narrays), g(who, "grads", grads, ngrads, true), t(who, "targets", targets, ntargets);
    *out_task = GiveTask(Make<BackwardTask>(a.refs(), g.refs(), t.refs(), mode));
  FLX_END
}
