// SPDX-License-Identifier: Apache-2.0
// The tape. Nodes hang from arrays (there is no global tape): a node is a prepared call, edges to the nodes of its inputs, and the arrays that the
// gradient reads by value with the versions they had.
#pragma once
#include <vector>

#include "exec/invoke.h"

namespace flx {

enum class GradReq : int { kNull = 0, kWrite = 1, kAdd = 3 };

// Makes `a` a leaf: backward writes (or adds) its gradient into `grad`, or into a new array of zeros if grad is null. kNull detaches.
// Drops a's history.
void AttachGrad(const NDArray& a, GradReq req, const NDArray& grad = nullptr);
void StoreGrad(const Array& a, NDArray g);  // into a's attached gradient, as backward does; GradTarget's array lies there already
Array* GradTarget(const Array& a);          // the attached gradient, if what is stored there may as well be computed there; else null
NDArray GradOf(const Array& a);             // null if none is attached
int64_t GradCount(const Array& a);          // grows with every store of backward into it, 0 before: lets an optimizer see a stale gradient
bool IsRecorded(const Array& a);            // has history or an attached gradient
NDArray Detach(const NDArray& a);           // same memory, no history

// Backward from `heads` with `head_grads` (null or missing: ones), storing into the attached gradients. mode: kRetain keeps the kept arrays for
// another backward; kCreateGraph records the backward itself (and retains); kTrain as in the forward run is remembered by the nodes.
void Backward(const std::vector<NDArray>& heads, const std::vector<NDArray>& head_grads, int mode);
// Gradients with respect to `targets`, returned and not stored. A target that no head depends on gives zeros.
std::vector<NDArray> Gradients(const std::vector<NDArray>& heads, const std::vector<NDArray>& head_grads, const std::vector<NDArray>& targets, int mode);

// ---- host functions on the tape: backward asks its driver for their gradients ----------------------------------------------------------------
// The host made `outputs` from `inputs` by its function `token`.
void RecordHost(int64_t token, const std::vector<NDArray>& inputs, const std::vector<NDArray>& outputs);
// A backward run that stops at host nodes. Next() is true when a host gradient is wanted: read token() and inputs(), answer with Reply(); false: done.
class BackwardRun {
 public:
  BackwardRun(std::vector<NDArray> heads, std::vector<NDArray> head_grads, std::vector<NDArray> targets, int mode);
  ~BackwardRun();
  bool Next();
  int64_t token() const;
  const std::vector<NDArray>& inputs() const;          // dy of each output, then x of each input, then y of each output
  void Reply(const std::vector<NDArray>& grads);       // one per input of the host function; null: zero
  std::vector<NDArray> Results() const;                // gradients of the targets, if there were targets

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flx
