// SPDX-License-Identifier: Apache-2.0
// What src/cuda/cudnn.cc asks of a device, of the emulated one.
#include <map>
#include <memory>
#include <mutex>

#include "cuda/runtime.h"
#include "fake_cudnn.h"
#include "fake_module.h"

namespace flx::cuda {

int32_t Failed(int32_t code, const char* text) { return FakeFail(code, text); }
cudaStream_t StreamOf(flx_device_queue* q) {
  static std::mutex& mutex = *new std::mutex;
  static auto& all = *new std::map<flx_device_queue*, FakeStream*>;
  std::lock_guard<std::mutex> lock(mutex);
  FakeStream*& s = all[q];
  if (!s)
    s = new FakeStream{q, [](void* queue, void (*work)(void*), void (*drop)(void*), void* argument) {
                         std::shared_ptr<void> kept(argument, drop);
                         FakeLaunch(static_cast<flx_device_queue*>(queue), [=] { work(kept.get()); return int32_t(FLX_DEVICE_OK); });
                       }};
  return reinterpret_cast<cudaStream_t>(s);
}

}  // namespace flx::cuda
