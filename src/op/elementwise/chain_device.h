// SPDX-License-Identifier: Apache-2.0
// A chain on a device: its kernel is compiled at its first run in a form (chain_source.h), and is its steps' own kernels where there is no compiler.
#pragma once
#include "base/small_vector.h"
#include "op/elementwise/chain_source.h"
#include "tensor/device_work.h"

namespace flx {

// What a launch needs: the kernel's one argument (ChainCall of cuda/chain_kernel.h, word by word), and how many threads have something to do.
struct ChainLaunch {
  ChainForm form;
  SmallVector<uint64_t, 64> argument;
  int64_t threads = 0;
};
void PlaceChain(const Chain& chain, Views x, OutViews y, ChainLaunch* to);  // arrays of one dtype with at least one element, at least one y

void RunChainOnDevice(const char* who, DeviceWork* w, const Chain& chain, Views x, OutViews y);

}  // namespace flx
