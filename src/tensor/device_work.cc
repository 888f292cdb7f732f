// SPDX-License-Identifier: Apache-2.0
#include "tensor/device_work.h"

#include "base/config.h"
#include "base/small_vector.h"
#include "base/text.h"
#include "device/kernels.h"
#include "storage/device_pool.h"

namespace flx {

__thread DeviceWork* DeviceWork::t_current_ = nullptr;

void DeviceOp::Issue(flx_device_queue* queue) {
  DeviceWork work(*this, queue);
  Run();
}
void DeviceOp::FreeBlocks(std::vector<Block>* blocks, const Device* device, const Ref<Stream>& stream, uint64_t ticket) noexcept {
  for (auto& b : *blocks) {
    try {
      DeviceFree(device, b.p, b.bytes, stream ? UsesOf(stream, ticket) : nullptr);
    } catch (...) {  // no memory to remember it by
      DeviceRest(device);
      DeviceFree(device, b.p, b.bytes, nullptr);
    }
  }
  blocks->clear();
}
void DeviceOp::Issued(uint64_t ticket) noexcept {
  FreeBlocks(&scratch_, stream->device(), stream, ticket);
  for (auto& kept : kept_) kept->stream_ = stream, kept->ticket_ = ticket;
  kept_.clear();
}
DeviceScratch::~DeviceScratch() { DeviceOp::FreeBlocks(&blocks_, device_, stream_, ticket_); }
std::vector<size_t> DeviceWork::ScratchSizes() const {
  std::vector<size_t> sizes;
  for (auto& b : op_.scratch_) sizes.push_back(b.bytes);
  return sizes;
}
std::shared_ptr<DeviceScratch> DeviceWork::KeepScratch() {
  auto kept = std::make_shared<DeviceScratch>();
  op_.kept_.reserve(op_.kept_.size() + 1);
  kept->device_ = device(), kept->blocks_.swap(op_.scratch_);
  return kept;
}
void DeviceWork::Use(std::shared_ptr<DeviceScratch> scratch) { op_.kept_.push_back(std::move(scratch)); }

void* DeviceWork::Scratch(int64_t bytes) {
  DeviceOp::Block* fits = nullptr;
  for (auto& b : op_.scratch_)
    if (b.idle && b.bytes >= size_t(bytes) && (!fits || b.bytes < fits->bytes)) fits = &b;
  if (fits) return fits->idle = false, fits->p;
  if (recording_) Fail(Status::kUnsupported, name_, "needs more scratch memory than in the run before, and none can be taken while a graph is recorded.");
  op_.scratch_.reserve(op_.scratch_.size() + 1);
  DeviceBlock b = DeviceAlloc(device(), size_t(bytes));
  op_.scratch_.push_back({b.p, size_t(bytes), false});
  if (b.uses) QueueAfterUses(op_.stream, queue_, b.uses);
  return b.p;
}

void DeviceWork::NextStep(const char* name) {
  name_ = name ? name : op_.Name();
  for (auto& b : op_.scratch_) b.idle = true;
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

uint32_t CallFlags() {
  static WatchedOptions flags([] {
    const std::string tf32 = GetText(Opt::kCudaTf32), cudnn = GetText(Opt::kCudnn);
    return uint8_t((tf32 == "all" ? FLX_CALL_TF32_PRODUCTS | FLX_CALL_TF32_CONVOLUTIONS : tf32 == "convolutions" ? FLX_CALL_TF32_CONVOLUTIONS : 0) |
                   (GetText(Opt::kDeterministic) == "1" ? FLX_CALL_DETERMINISTIC : 0) | (GetText(Opt::kCudnnAutotune) != "0" ? FLX_CALL_AUTOTUNE : 0) |
                   (cudnn == "all" ? FLX_CALL_CUDNN_ALL : cudnn == "none" ? FLX_CALL_NO_CUDNN : 0));
  });
  return flags.Get();
}
void DeviceWork::Refuse(const std::string& what) const {
  Fail(Status::kUnsupported, name_, "has no kernel for ", device()->name, " and ", what, ". Copy the inputs to the CPU (flx_ndarray_copy with device \"cpu\") and call it there.");
}
void DeviceWork::SetParameters(void* at, Ticket first) {
  const TensorView words = MakeView(at, DType::kInt64, {2});
  const int64_t ints[] = {int64_t(first.seed), int64_t(first.ticket)};
  Call(kDeviceParameters, DeviceSignature(kDeviceParameters), {nullptr, 0, &words, 1, ints, 2});
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
  if (parameters_) c.seed -= first_.seed, c.ticket -= first_.ticket, c.parameters = static_cast<const uint64_t*>(parameters_);
  c.scratch = &ScratchOf, c.context = this, c.flags = CallFlags();
  int32_t result = reinterpret_cast<flx_device_kernel_function>(found)(queue_, &c);
  if (result == FLX_DEVICE_NO_KERNEL) Refuse(Text(TypesOf(g), " (its module's `", kernel, "` does not serve them)"));
  if (result == FLX_DEVICE_NOT_DETERMINISTIC)
    Fail(Status::kUnsupported, name_, "the kernel `", kernel, "` of ", device()->name, " does not give the same bits each time for ", TypesOf(g),
         ", as FLEXOR_DETERMINISTIC=1 demands. Set it to 0 (flx_config_set), or copy the inputs to the CPU (flx_ndarray_copy with device \"cpu\") and call it there.");
  device()->Check(result, kernel);
}

}  // namespace flx
