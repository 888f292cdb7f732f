// SPDX-License-Identifier: Apache-2.0
// The device table by the CUDA runtime: memory, streams, copies, events.
#include <dlfcn.h>

#include <charconv>
#include <cstring>
#include <new>
#include <string>

#include "cuda/nccl.h"
#include "cuda/runtime.h"

namespace flx::cuda {
namespace {
thread_local std::string t_error;

// The work that was accepted is lost with these, and so is everything on the device: CUDA answers every later call of the process with them.
bool Fatal(cudaError_t e) {
  switch (e) {
    case cudaErrorIllegalAddress: case cudaErrorLaunchFailure: case cudaErrorHardwareStackError: case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress: case cudaErrorInvalidAddressSpace: case cudaErrorInvalidPc: case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable: case cudaErrorNvlinkUncorrectable: case cudaErrorAssert: case cudaErrorContextIsDestroyed:
    case cudaErrorDevicesUnavailable: case cudaErrorCudartUnloading: case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}
int32_t On(const OnDevice& d) { return d.result() == cudaSuccess ? int32_t(FLX_DEVICE_OK) : Result(d.result(), "cudaSetDevice"); }

// ---- what there is
int32_t Count() {
  static const int32_t count = [] {
    // Asked first: what the runtime says of a machine without a driver is that the driver is too old.
    if (!dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)) {
      const char* why = dlerror();
      Failed(FLX_DEVICE_ERROR, (std::string("there is no NVIDIA driver (") + (why ? why : "libcuda.so.1") + ")").c_str());
      return 0;
    }
    int n = 0;
    if (cudaError_t e = cudaGetDeviceCount(&n); e != cudaSuccess) {
      Result(e, "cudaGetDeviceCount");
      return 0;
    }
    if (n == 0) Failed(FLX_DEVICE_ERROR, "the NVIDIA driver finds no GPU");
    return n;
  }();
  static const std::string& why = *new std::string(count ? "" : t_error);
  if (!count) t_error = why;
  return count;
}
int32_t Properties(int32_t device, char* text, int64_t capacity) {
  cudaDeviceProp p;
  if (cudaError_t e = cudaGetDeviceProperties(&p, device); e != cudaSuccess) return Result(e, "cudaGetDeviceProperties");
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  auto version = [](int v) { return Number(v / 1000) + "." + Number(v % 1000 / 10); };
  std::string s = std::string("name ") + p.name + "\nmemory " + Number(int64_t(p.totalGlobalMem)) + "\ncompute " + Number(p.major) + "." + Number(p.minor) +
                  "\nmultiprocessors " + Number(p.multiProcessorCount) + "\ndriver " + version(driver) + "\nruntime " + version(runtime) + "\n";
  if (int64_t(s.size()) >= capacity) return Failed(FLX_DEVICE_ERROR, "the buffer for the properties is too small");
  std::memcpy(text, s.c_str(), s.size() + 1);
  return FLX_DEVICE_OK;
}
int32_t MemoryInfo(int32_t device, int64_t* free_bytes, int64_t* total) {
  OnDevice on(device);
  if (int32_t r = On(on)) return r;
  size_t f = 0, t = 0;
  if (cudaError_t e = cudaMemGetInfo(&f, &t); e != cudaSuccess) return Result(e, "cudaMemGetInfo");
  *free_bytes = int64_t(f), *total = int64_t(t);
  return FLX_DEVICE_OK;
}

// ---- memory
int32_t Alloc(int32_t device, int64_t bytes, void** out) {
  if (bytes < 0 || bytes > INT64_MAX / 2) return Failed(FLX_DEVICE_ERROR, "the size is negative or absurd");
  OnDevice on(device);
  if (int32_t r = On(on)) return r;
  return Result(cudaMalloc(out, size_t(bytes < 1 ? 1 : bytes)), "cudaMalloc");
}
int32_t Free(int32_t device, void* p, int64_t) {
  OnDevice on(device);
  if (int32_t r = On(on)) return r;
  return Result(cudaFree(p), "cudaFree");
}
int32_t PinnedAlloc(int32_t device, int64_t bytes, void** out) {
  if (bytes < 0 || bytes > INT64_MAX / 2) return Failed(FLX_DEVICE_ERROR, "the size is negative or absurd");
  OnDevice on(device);
  if (int32_t r = On(on)) return r;
  return Result(cudaHostAlloc(out, size_t(bytes < 1 ? 1 : bytes), cudaHostAllocPortable), "cudaHostAlloc");
}
int32_t PinnedFree(int32_t device, void* p, int64_t) {
  OnDevice on(device);
  if (int32_t r = On(on)) return r;
  return Result(cudaFreeHost(p), "cudaFreeHost");
}

// ---- queues: streams of their own, which do not wait for the default one
int32_t QueueCreate(int32_t device, int32_t priority, flx_device_queue** out) {
  OnDevice on(device);
  if (int32_t r = On(on)) return r;
  int least = 0, greatest = 0;
  cudaDeviceGetStreamPriorityRange(&least, &greatest);  // the greatest is the smaller number
  int p = -priority;
  p = p < greatest ? greatest : p > least ? least : p;
  auto* q = new (std::nothrow) flx_device_queue{device, nullptr};
  if (!q) return Failed(FLX_DEVICE_MEMORY, "no memory for a queue");
  if (cudaError_t e = cudaStreamCreateWithPriority(&q->stream, cudaStreamNonBlocking, p); e != cudaSuccess) {
    delete q;
    return Result(e, "cudaStreamCreateWithPriority");
  }
  *out = q;
  return FLX_DEVICE_OK;
}
int32_t QueueDestroy(flx_device_queue* q) {
  OnDevice on(q->device);
  int32_t r = On(on);
  if (!r) r = Result(cudaStreamSynchronize(q->stream), "cudaStreamSynchronize");
  cudaStreamDestroy(q->stream);
  delete q;
  return r;
}
int32_t Copy(flx_device_queue* q, void* to, const void* from, int64_t bytes, int32_t direction) {
  if (bytes == 0) return FLX_DEVICE_OK;
  OnDevice on(q->device);
  if (int32_t r = On(on)) return r;
  if (direction == FLX_COPY_TO_PEER) {
    cudaPointerAttributes there;
    if (cudaError_t e = cudaPointerGetAttributes(&there, to); e != cudaSuccess) return Result(e, "cudaPointerGetAttributes");
    return Result(cudaMemcpyPeerAsync(to, there.device, from, q->device, size_t(bytes), q->stream), "cudaMemcpyPeerAsync");
  }
  cudaMemcpyKind kind = direction == FLX_COPY_TO_DEVICE ? cudaMemcpyHostToDevice : direction == FLX_COPY_TO_HOST ? cudaMemcpyDeviceToHost
                        : cudaMemcpyDeviceToDevice;
  return Result(cudaMemcpyAsync(to, from, size_t(bytes), kind, q->stream), "cudaMemcpyAsync");
}
int32_t PeerAccess(int32_t device, int32_t peer) {
  int can = 0;
  if (cudaError_t e = cudaDeviceCanAccessPeer(&can, device, peer); e != cudaSuccess) return Result(e, "cudaDeviceCanAccessPeer");
  if (!can) return Failed(FLX_DEVICE_ERROR, "these GPUs have no way to each other's memory");
  OnDevice on(device);
  if (int32_t r = On(on)) return r;
  const cudaError_t e = cudaDeviceEnablePeerAccess(peer, 0);
  if (e != cudaErrorPeerAccessAlreadyEnabled) return Result(e, "cudaDeviceEnablePeerAccess");
  cudaGetLastError();  // somebody else in the process was first
  return FLX_DEVICE_OK;
}
int32_t Fill(flx_device_queue* q, void* to, const void* pattern, int32_t size, int64_t count) {
  if (size != 1 && size != 2 && size != 4 && size != 8) return Failed(FLX_DEVICE_ERROR, "a pattern has 1, 2, 4 or 8 bytes");
  if (count == 0) return FLX_DEVICE_OK;
  OnDevice on(q->device);
  if (int32_t r = On(on)) return r;
  uint64_t bits = 0;
  std::memcpy(&bits, pattern, size_t(size));
  bool bytes_alike = true;
  for (int i = 1; i < size; ++i) bytes_alike &= (bits >> 8 * i & 0xff) == (bits & 0xff);
  if (bytes_alike) return Result(cudaMemsetAsync(to, int(bits & 0xff), size_t(count * size), q->stream), "cudaMemsetAsync");
  return FillPattern(q->stream, to, bits, size, count);
}

// ---- events
int32_t EventCreate(int32_t device, flx_device_event** out) {
  OnDevice on(device);
  if (int32_t r = On(on)) return r;
  auto* e = new (std::nothrow) flx_device_event{device, nullptr};
  if (!e) return Failed(FLX_DEVICE_MEMORY, "no memory for an event");
  if (cudaError_t r = cudaEventCreateWithFlags(&e->event, cudaEventDisableTiming); r != cudaSuccess) {
    delete e;
    return Result(r, "cudaEventCreateWithFlags");
  }
  *out = e;
  return FLX_DEVICE_OK;
}
int32_t EventRecord(flx_device_event* e, flx_device_queue* q) {
  OnDevice on(q->device);
  if (int32_t r = On(on)) return r;
  return Result(cudaEventRecord(e->event, q->stream), "cudaEventRecord");
}
int32_t Done(int32_t device, cudaError_t e) {
  const int32_t r = Result(e, "work on the device");
  if (r == FLX_DEVICE_LOST) AbortGroups(device);
  return r;
}
int32_t EventQuery(flx_device_event* e) {
  cudaError_t r = cudaEventQuery(e->event);
  if (r == cudaErrorNotReady) {
    cudaGetLastError();
    return FLX_DEVICE_NOT_READY;
  }
  return Done(e->device, r);
}
int32_t EventWait(flx_device_event* e) { return Done(e->device, cudaEventSynchronize(e->event)); }
int32_t QueueWait(flx_device_queue* q, flx_device_event* e) {
  OnDevice on(q->device);
  if (int32_t r = On(on)) return r;
  return Result(cudaStreamWaitEvent(q->stream, e->event, 0), "cudaStreamWaitEvent");
}
int32_t EventDestroy(flx_device_event* e) {
  int32_t r = Result(cudaEventDestroy(e->event), "cudaEventDestroy");
  delete e;
  return r;
}
}  // namespace

std::string Number(int64_t n) {
  char digits[24];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}
int32_t Failed(int32_t code, const char* text) {
  try { t_error = text; } catch (...) {}
  return code;
}
int32_t Result(cudaError_t e, const char* what) {
  if (e == cudaSuccess) return FLX_DEVICE_OK;
  cudaGetLastError();
  try {
    t_error = std::string(what) + ": " + cudaGetErrorString(e) + " (" + cudaGetErrorName(e) + ")";
  } catch (...) {}
  return e == cudaErrorMemoryAllocation ? FLX_DEVICE_MEMORY : Fatal(e) ? FLX_DEVICE_LOST : FLX_DEVICE_ERROR;
}
const char* LastError() { return t_error.c_str(); }

void FillDeviceTable(flx_device_table* t) {
  t->size = sizeof *t, t->version = FLX_DEVICE_TABLE_VERSION, t->kind = "gpu";
  t->count = &Count, t->properties = &Properties, t->memory_info = &MemoryInfo, t->last_error = &LastError;
  t->alloc = &Alloc, t->free = &Free, t->pinned_alloc = &PinnedAlloc, t->pinned_free = &PinnedFree;
  t->queue_create = &QueueCreate, t->queue_destroy = &QueueDestroy, t->copy = &Copy, t->fill = &Fill, t->peer_access = &PeerAccess;
  t->event_create = &EventCreate, t->event_record = &EventRecord, t->event_query = &EventQuery, t->event_wait = &EventWait;
  t->queue_wait = &QueueWait, t->event_destroy = &EventDestroy;
  FillPrograms(t);
  FillGraphs(t);
  AddCollectives(t);
}

}  // namespace flx::cuda
