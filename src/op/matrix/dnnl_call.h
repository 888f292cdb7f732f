// SPDX-License-Identifier: Apache-2.0
// A thread inside oneDNN.
//   Threads: oneDNN takes OpenMP's, and we have our own, so it is called with one. OpenMP's count belongs to each thread; on a caller's it is the host's,
//   and put back.
//   Signals: its sgemm kernels for a long k (seen in 2.6.3; in all versions to 3.11.1 by oneDNN issue 4845) point the stack register at a workspace in the heap.
//   A handler that the kernel starts there writes its frame, kilobytes with AVX-512, over whatever lies below. So a host's signals wait until the call is
//   over; our own threads have them blocked anyway.
#pragma once
#include <omp.h>

#include <optional>

#include "base/host_call.h"
#include "base/thread.h"

namespace flx {

class DnnlCall {
 public:
  DnnlCall() {
    if (t_host_mark != &g_own_mark) signals_.emplace();
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~DnnlCall() { if (before_ != 1) omp_set_num_threads(before_); }
  DnnlCall(const DnnlCall&) = delete;
  DnnlCall& operator=(const DnnlCall&) = delete;

 private:
  std::optional<BlockSignals> signals_;
  const int before_ = omp_get_max_threads();
};

}  // namespace flx
