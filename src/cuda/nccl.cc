// SPDX-License-Identifier: Apache-2.0
// Collectives over the GPUs of one process by NCCL, which is opened at run time. Its header is no part of the toolkit: what is used of it, whose binary form
// NCCL keeps since version 2.0, is declared here.
#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "cuda/library.h"
#include "cuda/nccl.h"
#include "cuda/runtime.h"

namespace flx::cuda {
namespace {

using Communicator = struct ncclComm*;
enum : int { kNcclSuccess = 0, kNcclUnhandledCudaError = 1 };  // ncclResult_t
constexpr int kNcclSum = 0;                                    // ncclRedOp_t

struct Library {
  int (*init_all)(Communicator*, int, const int*) = nullptr;
  int (*destroy)(Communicator) = nullptr;
  int (*abort)(Communicator) = nullptr;
  int (*group_start)() = nullptr;
  int (*group_end)() = nullptr;
  int (*all_reduce)(const void*, void*, size_t, int, int, Communicator, cudaStream_t) = nullptr;
  int (*reduce)(const void*, void*, size_t, int, int, int, Communicator, cudaStream_t) = nullptr;
  int (*broadcast)(const void*, void*, size_t, int, int, Communicator, cudaStream_t) = nullptr;
  const char* (*error_text)(int) = nullptr;
  OpenedLibrary so{"NCCL", {"libnccl.so.2", "libnccl.so"}};

  static const Library& Get() {
    static const Library* lib = new Library;
    return *lib;
  }

 private:
  Library() {
    so.Find(&init_all, "ncclCommInitAll"), so.Find(&destroy, "ncclCommDestroy"), so.Find(&abort, "ncclCommAbort");
    so.Find(&group_start, "ncclGroupStart"), so.Find(&group_end, "ncclGroupEnd");
    so.Find(&all_reduce, "ncclAllReduce"), so.Find(&reduce, "ncclReduce"), so.Find(&broadcast, "ncclBroadcast"), so.Find(&error_text, "ncclGetErrorString");
  }
};

int NumberOf(DType t) {  // ncclDataType_t; -1: it has none
  switch (t) {
    case DType::kInt8: return 0;
    case DType::kUint8: return 1;
    case DType::kInt32: return 2;
    case DType::kUint32: return 3;
    case DType::kInt64: return 4;
    case DType::kUint64: return 5;
    case DType::kFloat16: return 6;
    case DType::kFloat32: return 7;
    case DType::kFloat64: return 8;
    case DType::kBfloat16: return 9;
    default: return -1;
  }
}
int32_t Result(int e, const char* what) {
  if (e == kNcclSuccess) return FLX_DEVICE_OK;
  if (e == kNcclUnhandledCudaError)
    if (int32_t r = flx::cuda::Result(cudaGetLastError(), what)) return r;
  return Failed(FLX_DEVICE_ERROR, (std::string(what) + ": " + Library::Get().error_text(e)).c_str());
}

struct Group {
  std::mutex mutex;      // held while something is issued to it
  std::vector<int> devices;
  std::vector<Communicator> members;
  bool aborted = false;
};
struct Groups { std::mutex mutex; std::vector<Group*> all; };
Groups& All() { static auto* g = new Groups; return *g; }

int32_t GroupCreate(int32_t n, const int32_t* devices, void** out) try {
  const Library& lib = Library::Get();
  if (!lib.so.whole()) return Failed(FLX_DEVICE_ERROR, lib.so.missing().c_str());
  auto group = std::make_unique<Group>();
  group->devices.assign(devices, devices + n);
  group->members.resize(size_t(n), nullptr);
  OnDevice on(devices[0]);  // the host's current device is put back
  if (on.result() != cudaSuccess) return flx::cuda::Result(on.result(), "cudaSetDevice");
  if (int32_t r = Result(lib.init_all(group->members.data(), n, group->devices.data()), "ncclCommInitAll")) return r;
  Groups& all = All();
  std::lock_guard<std::mutex> lock(all.mutex);
  all.all.push_back(group.get());
  *out = group.release();
  return FLX_DEVICE_OK;
} catch (...) {
  return Failed(FLX_DEVICE_MEMORY, "no host memory for a group of GPUs");
}
int32_t GroupDestroy(void* given) {
  auto* group = static_cast<Group*>(given);
  Groups& all = All();
  {
    std::lock_guard<std::mutex> lock(all.mutex);
    for (auto& g : all.all) if (g == group) { g = all.all.back(); all.all.pop_back(); break; }
  }
  int32_t r = FLX_DEVICE_OK;
  for (auto c : group->members)
    if (!group->aborted) r = r ? r : Result(Library::Get().destroy(c), "ncclCommDestroy");
  delete group;
  return r;
}
int32_t Collective(void* given, int32_t what, flx_device_queue* const* queues, const flx_collective_part* parts, int32_t n) {
  const Library& lib = Library::Get();
  auto* group = static_cast<Group*>(given);
  for (int32_t p = 0; p < n; ++p)
    if (NumberOf(DType(parts[p].dtype)) < 0) return Failed(FLX_DEVICE_ERROR, "NCCL has no such dtype");
  std::lock_guard<std::mutex> lock(group->mutex);
  if (group->aborted) return Failed(FLX_DEVICE_ERROR, "one of these GPUs was lost");
  OnDevice on(group->devices[0]);
  if (on.result() != cudaSuccess) return flx::cuda::Result(on.result(), "cudaSetDevice");
  if (int32_t r = Result(lib.group_start(), "ncclGroupStart")) return r;
  int bad = kNcclSuccess;
  for (int32_t p = 0; p < n; ++p) {  // between start and end: launched together, as few kernels
    const flx_collective_part& part = parts[p];
    const auto count = size_t(part.count);
    const int type = NumberOf(DType(part.dtype));
    for (size_t i = 0; i < group->members.size() && bad == kNcclSuccess; ++i) {
      const void* from = part.from[i];
      void* to = part.to[i];
      Communicator c = group->members[i];
      cudaStream_t stream = queues[i]->stream;
      bad = what == FLX_COLLECTIVE_ALL_REDUCE ? lib.all_reduce(from, to, count, type, kNcclSum, c, stream)
            : what == FLX_COLLECTIVE_REDUCE   ? lib.reduce(from, to, count, type, kNcclSum, part.root, c, stream)
                                              : lib.broadcast(from, to, count, type, part.root, c, stream);
    }
  }
  const int ended = lib.group_end();  // also after a failure: what was begun has to end
  return Result(bad != kNcclSuccess ? bad : ended, "a collective of NCCL");
}
}  // namespace

void AbortGroups(int32_t device) {
  Groups& all = All();
  std::lock_guard<std::mutex> lock(all.mutex);
  for (auto* g : all.all) {
    std::lock_guard<std::mutex> own(g->mutex);
    if (g->aborted || std::find(g->devices.begin(), g->devices.end(), device) == g->devices.end()) continue;
    g->aborted = true;
    for (auto c : g->members) Library::Get().abort(c);
  }
}
void AddCollectives(flx_device_table* t) { t->group_create = &GroupCreate, t->group_destroy = &GroupDestroy, t->collective = &Collective; }

}  // namespace flx::cuda
