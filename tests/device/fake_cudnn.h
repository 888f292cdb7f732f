// SPDX-License-Identifier: Apache-2.0
// A library with cuDNN's names (fake_cudnn.cc), which the emulated device opens in its place: it computes by plain loops from what the descriptors say, in the
// queue that it is given as a stream, and counts.
#pragma once
#include <cstdint>

// What a cudaStream_t points to here.
struct FakeStream {
  void* queue;
  // work(argument) is called in the queue's turn, and again where a recorded graph is run; then drop(argument).
  void (*issue)(void* queue, void (*work)(void*), void (*drop)(void*), void* argument);
};
struct FakeCudnn {
  int32_t on = 0;               // else it cannot be used at all, as without a driver
  int32_t refuse = 0;           // no algorithm for anything
  int32_t fail = 0;             // a cudnnStatus_t that the convolutions give
  int64_t made = 0, destroyed = 0;  // descriptors
  int64_t asked = 0, measured = 0;
  int64_t misfits = 0;          // descriptors that do not go together
  int64_t ran[3] = {};          // forward, for data, for the weight
  int64_t pooled[2] = {}, normed[2] = {}, softened[2] = {};  // forward, backward
  int32_t algorithm = -1, math = -1;  // of the last one
  int64_t workspace = 0;
};
extern "C" FakeCudnn* flx_fake_cudnn(void);
