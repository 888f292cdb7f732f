// SPDX-License-Identifier: Apache-2.0
// oneDNN takes OpenMP's threads, and we have our own: it is called with one. OpenMP's thread count belongs to each thread; on a caller's it is the
// host's, and put back.
#pragma once
#include <omp.h>

namespace flx {

struct OneThread {
  const int before = omp_get_max_threads();
  OneThread() { if (before != 1) omp_set_num_threads(1); }
  ~OneThread() { if (before != 1) omp_set_num_threads(before); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
};

}  // namespace flx
