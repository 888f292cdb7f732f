// SPDX-License-Identifier: Apache-2.0
// What a stream is given, recorded as a CUDA graph and launched again as one.
#include "cuda/runtime.h"

namespace flx::cuda {
namespace {

int32_t CaptureBegin(flx_device_queue* q) {
  OnDevice on(q->device);
  if (on.result() != cudaSuccess) return Result(on.result(), "cudaSetDevice");
  return Result(cudaStreamBeginCapture(q->stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
}
int32_t CaptureEnd(flx_device_queue* q, void** out) {
  OnDevice on(q->device);
  if (on.result() != cudaSuccess) return Result(on.result(), "cudaSetDevice");
  cudaGraph_t graph = nullptr;
  if (cudaError_t e = cudaStreamEndCapture(q->stream, &graph); e != cudaSuccess) {
    if (graph) cudaGraphDestroy(graph);
    return Result(e, "cudaStreamEndCapture");
  }
  cudaGraphExec_t made = nullptr;
  const cudaError_t e = cudaGraphInstantiate(&made, graph, 0);
  cudaGraphDestroy(graph);
  if (e != cudaSuccess) return Result(e, "cudaGraphInstantiate");
  *out = made;
  return FLX_DEVICE_OK;
}
int32_t GraphLaunch(flx_device_queue* q, void* graph) {
  OnDevice on(q->device);
  if (on.result() != cudaSuccess) return Result(on.result(), "cudaSetDevice");
  return Result(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), q->stream), "cudaGraphLaunch");
}
int32_t GraphDestroy(void* graph) { return Result(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)), "cudaGraphExecDestroy"); }
}  // namespace

void FillGraphs(flx_device_table* t) {
  t->capture_begin = &CaptureBegin, t->capture_end = &CaptureEnd, t->graph_launch = &GraphLaunch, t->graph_destroy = &GraphDestroy;
}

}  // namespace flx::cuda
