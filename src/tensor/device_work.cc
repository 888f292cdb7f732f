// SPDX-License-Identifier: Apache-2.0
#include "tensor/device_work.h"

#include "base/small_vector.h"
#include "base/text.h"
#include "storage/device_pool.h"

namespace flx {

__thread DeviceWork* DeviceWork::t_current_ = nullptr;

void DeviceOp::Issue(flx_device_queue* queue) {
  DeviceWork work(*this, queue);
  Run();
}
void DeviceOp::Issued(uint64_t ticket) noexcept {
  for (auto& b : scratch_) {
    try {
      DeviceFree(stream->device(), b.p, b.bytes, UsesOf(stream, ticket));
    } catch (...) {  // no memory to remember it by
      DeviceRest(stream->device());
      DeviceFree(stream->device(), b.p, b.bytes, nullptr);
    }
  }
  scratch_.clear();
}

void* DeviceWork::Scratch(int64_t bytes) {
  op_.scratch_.reserve(op_.scratch_.size() + 1);
  DeviceBlock b = DeviceAlloc(device(), size_t(bytes));
  op_.scratch_.push_back({b.p, size_t(bytes)});
  if (b.uses) QueueAfterUses(op_.stream, queue_, b.uses);
  return b.p;
}

namespace {
std::string TypesOf(const DeviceWork::Given& g) {
  std::string s;
  for (int i = 0; i < g.nin; ++i) s += Text(s.empty() ? "" : ", ", g.in[i].dtype);
  for (int i = 0; i < g.nout; ++i) s += Text(i ? ", " : s.empty() ? "" : " to ", g.out[i].dtype);
  return s;
}
int32_t ScratchOf(void* context, int64_t bytes, void** out) noexcept {
  try {
    *out = static_cast<DeviceWork*>(context)->Scratch(bytes);
    return FLX_DEVICE_OK;
  } catch (...) {
    return FLX_DEVICE_MEMORY;
  }
}
}  // namespace

void DeviceWork::Refuse(const std::string& what) const {
  Fail(Status::kUnsupported, op_.Name(), "has no kernel for ", device()->name, " and ", what, ". Copy the inputs to the CPU (flx_ndarray_copy with device \"cpu\") and call it there.");
}
void DeviceWork::Call(const char* kernel, uint64_t signature, const Given& g) {
  flx_device_function found = device()->Kernel(kernel, signature);
  if (!found) Refuse(Text(TypesOf(g), " (its module lacks `", kernel, "`)"));
  SmallVector<flx_device_tensor, 8> tensors(g.nin + g.nout);
  for (int i = 0; i < g.nin + g.nout; ++i) {
    const TensorView& v = i < g.nin ? g.in[i] : g.out[i - g.nin];
    tensors[i] = {v ? v.raw() : nullptr, int32_t(v.dtype), v.ndim(), v.shape.data(), v.strides.data()};
  }
  flx_device_call c = {};
  c.size = sizeof c, c.nin = g.nin, c.nout = g.nout, c.nints = g.nints, c.nnumbers = g.nnumbers;
  c.in = tensors.data(), c.out = tensors.data() + g.nin, c.ints = g.ints, c.numbers = g.numbers;
  c.seed = g.ticket.seed, c.ticket = g.ticket.ticket;
  c.scratch = &ScratchOf, c.context = this;
  int32_t result = reinterpret_cast<flx_device_kernel_function>(found)(queue_, &c);
  if (result == FLX_DEVICE_NO_KERNEL) Refuse(Text(TypesOf(g), " (its module's `", kernel, "` does not serve them)"));
  device()->Check(result, kernel);
}

}  // namespace flx
