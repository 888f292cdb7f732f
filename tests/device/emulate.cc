// SPDX-License-Identifier: Apache-2.0
#include "emulate.h"

#include <pthread.h>

#include <mutex>
#include <thread>
#include <vector>

#include "cuda/kernel.h"
#include "fake_module.h"

namespace flx::cuda {

thread_local Dim threadIdx{0}, blockIdx{0}, blockDim{1}, gridDim{1};

namespace {
constexpr unsigned kThreads = 4;  // of a block whose threads meet
constexpr unsigned kMostGrid = 3;
thread_local pthread_barrier_t* t_barrier = nullptr;
std::mutex& g_blocks = *new std::mutex;  // shared memory is there once
unsigned GridOf(int64_t blocks) { return unsigned(blocks < 1 ? 1 : blocks < int64_t(kMostGrid) ? blocks : int64_t(kMostGrid)); }
}  // namespace

void Meet() { pthread_barrier_wait(t_barrier); }

int32_t IssueGrid(flx_device_queue* q, int64_t blocks, std::function<void()> kernel) {
  return FakeLaunch(q, [grid = GridOf(blocks), kernel] {
    gridDim.x = grid, blockDim.x = 2;
    for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)
      for (threadIdx.x = 0; threadIdx.x < 2; ++threadIdx.x) kernel();
    return int32_t(FLX_DEVICE_OK);
  });
}
int32_t IssueBlocks(flx_device_queue* q, int64_t blocks, std::function<void()> kernel) {
  return FakeLaunch(q, [grid = GridOf(blocks), kernel] {
    std::lock_guard<std::mutex> lock(g_blocks);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, nullptr, kThreads);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        t_barrier = &barrier, threadIdx.x = t, blockDim.x = kThreads, gridDim.x = grid;
        for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x) {
          kernel();
          Meet();  // the next block has the same shared memory
        }
      });
    for (auto& t : threads) t.join();
    pthread_barrier_destroy(&barrier);
    return int32_t(FLX_DEVICE_OK);
  });
}

}  // namespace flx::cuda

const flx_device_kernel* EmulatedKernels(int32_t* count) {
  static flx::cuda::KernelTable* table = [] {
    auto* t = new flx::cuda::KernelTable{};
    flx::cuda::AddAllKernels(t);
    return t;
  }();
  *count = table->count;
  return table->items;
}
