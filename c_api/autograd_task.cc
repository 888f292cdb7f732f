// SPDX-License-Identifier: Apache-2.0
// Backward as a task: for tapes that hold the host's functions.
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

 private:
  Event Go(const Deadline&) override {
    if (done_ || stopped()) return Event::kDone;
    if (run_.Next()) {
      HostAsk ask;
      ask.what = "backward", ask.token = run_.token(), ask.arrays = run_.inputs();
      ask.answer = [this](const std::vector<NDArray>& reply) { run_.Reply(reply); };
      return Ask(std::move(ask));
    }
    done_ = true;
    return Event::kDone;
  }
  std::vector<NDArray> Results() const override { return done_ ? run_.Results() : std::vector<NDArray>(); }
  BackwardRun run_;
  bool done_ = false;
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
