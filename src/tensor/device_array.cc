// SPDX-License-Identifier: Apache-2.0
#include "tensor/device_array.h"

#include <memory>
#include <mutex>
#include <vector>

#include "base/text.h"
#include "profiler/profiler.h"
#include "storage/device_pool.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

struct Streams { const Device* device; Ref<Stream> of[4]; };

struct Pinned { const Device* device; void* p; size_t bytes; bool pageable; };
void DropPinned(void* user) {
  std::unique_ptr<Pinned> m(static_cast<Pinned*>(user));
  if (m->pageable) HostFree(m->p, m->bytes);
  else PinnedFree(m->device, m->p, m->bytes);
}

void DescribeCopy(Error* e, const NDArray& from, const NDArray& to) {
  Error named(e->status(), Text("[copy] ", Describe(*from), " from ", NameOf(from->device()), " to ", NameOf(to->device()), ": ", e->message()));
  named.hint = e->hint, named.origin = e->origin, named.op = "copy";
  *e = named;
}
const char* WayName(int32_t way) {
  return way == FLX_COPY_TO_DEVICE ? "host to device" : way == FLX_COPY_TO_HOST ? "device to host" : way == FLX_COPY_TO_PEER ? "device to device" : "on the device";
}
// Whoever issues keeps the arrays until the operation is forgotten; what streams still do with their memory is remembered by the storages.
struct TransferOp final : StreamOp {
  TransferOp(const Ref<Stream>& s, NDArray f, NDArray t) : StreamOp(s), from(std::move(f)), to(std::move(t)) {}
  void Prepare() override {
    if (!to->on_cpu() && to->device() != stream->device()) FailIfLost(to->device());
    from->storage->Ensure(), to->storage->Ensure();
  }
  void Issue(flx_device_queue* q) override {
    const int32_t way = from->on_cpu() ? FLX_COPY_TO_DEVICE : to->on_cpu() ? FLX_COPY_TO_HOST : from->device() == to->device() ? FLX_COPY_ON_DEVICE : FLX_COPY_TO_PEER;
    ProfileScope scope(ProfileKind::kCopy, WayName(way));
    if (scope.active()) scope.facts().Array(false, to->dtype, to->shape.data(), to->shape.ndim()), scope.facts().Number("bytes", to->bytes());
    const Device* d = stream->device();
    auto at = [](const NDArray& a) { return static_cast<char*>(a->storage->data()) + a->offset; };
    d->Check(d->table->copy(q, at(to), at(from), to->bytes(), way), "copy");
  }
  void Describe(Error* e) const override { DescribeCopy(e, from, to); }
  NDArray from, to;
};
struct FillOp final : StreamOp {
  FillOp(const Ref<Stream>& s, NDArray a) : StreamOp(s), to(std::move(a)) {}
  void Prepare() override { to->storage->Ensure(); }
  void Issue(flx_device_queue* q) override {
    const Device* d = stream->device();
    d->Check(d->table->fill(q, static_cast<char*>(to->storage->data()) + to->offset, pattern, DTypeSize(to->dtype), to->size()), "fill");
  }
  void Describe(Error* e) const override { e->op = "fill"; }
  NDArray to;
  alignas(8) char pattern[8] = {};
};
// Between strided arrays of one device.
struct StridedOp final : DeviceOp {
  StridedOp(const Ref<Stream>& s, NDArray f, NDArray t) : DeviceOp(s), from(std::move(f)), to(std::move(t)) {}
  const char* Name() const override { return "copy"; }
  void Prepare() override { from->storage->Ensure(), to->storage->Ensure(); }
  void Run() override { CopyStrided(from->View(), to->View()); }
  void Describe(Error* e) const override { DescribeCopy(e, from, to); }
  NDArray from, to;
};

Writer CopyWriter() {
  static const Writer w = WriterOf("copy");
  return w;
}
VarUse WriteOf(const NDArray& a) { return {&a->storage->var, a->whole() ? Access::kWrite : Access::kUpdate}; }
}  // namespace

const Ref<Stream>& StreamOf(const Device* device, StreamRole role) {
  static auto* mutex = new std::mutex;
  static auto* all = new std::vector<std::unique_ptr<Streams>>;
  std::lock_guard<std::mutex> lock(*mutex);
  Streams* s = nullptr;
  // A forked child keeps its parent's: they answer that the device stayed there.
  for (auto& p : *all) if (p->device == device) s = p.get();
  if (!s) s = all->emplace_back(new Streams{device, {}}).get();
  Ref<Stream>& r = s->of[int(role)];
  if (!r) r = Stream::Make(device, role == StreamRole::kCompute ? 0 : 1, role == StreamRole::kPeer);
  return r;
}

NDArray PinnedArray(const Device* device, const Shape& s, DType t) {
  const auto bytes = size_t(s.CheckedSize("array", DTypeSize(t)) * DTypeSize(t));
  auto m = std::make_unique<Pinned>(Pinned{device, PinnedAlloc(device, bytes), bytes, false});
  if (!m->p) m->p = HostAlloc(bytes), m->pageable = true;
  try {
    NDArray a = Array::NewForeign(m->p, s, t, &DropPinned, m.get(), true);
    m.release();
    return a;
  } catch (...) {
    DropPinned(m.release());
    throw;
  }
}
void Transfer(const NDArray& from, const NDArray& to) {
  const Device* device = from->on_cpu() ? to->device() : from->device();
  to->storage->NoteWriter(CopyWriter());
  if (to->size() == 0) return;
  StreamRole role = from->on_cpu() ? StreamRole::kToDevice : to->on_cpu() ? StreamRole::kToHost : from->device() == to->device() ? StreamRole::kCompute : StreamRole::kPeer;
  VarUse uses[] = {{&from->storage->var, Access::kRead}, WriteOf(to)};
  IssueOrPush(new TransferOp(StreamOf(device, role), from, to), uses, 2);
}
// a itself where it is contiguous, else a copy that is.
static NDArray Contiguous(const NDArray& a) {
  if (a->contiguous || !a->size()) return a;
  NDArray y = Array::New(a->shape, a->dtype, a->device());
  VarUse uses[] = {{&a->storage->var, Access::kRead}, WriteOf(y)};
  IssueOrPush(new StridedOp(StreamOf(a->device(), StreamRole::kCompute), a, y), uses, 2);
  return y;
}
NDArray CopyToHost(const NDArray& a) {
  NDArray from = Contiguous(a);
  NDArray host = PinnedArray(a->device(), a->shape, a->dtype);
  Transfer(from, host);
  return host;
}
void CopyToDevice(const NDArray& given, const NDArray& a) {
  NDArray from = given->on_cpu() ? given : Contiguous(given);
  if (a->contiguous || a->size() == 0) return Transfer(from, a);
  NDArray whole = Array::New(a->shape, a->dtype, a->device());
  Transfer(from, whole);
  a->storage->NoteWriter(CopyWriter());
  VarUse uses[] = {{&whole->storage->var, Access::kRead}, WriteOf(a)};
  IssueOrPush(new StridedOp(StreamOf(a->device(), StreamRole::kCompute), whole, a), uses, 2);
}
void FillOnDevice(const NDArray& a, double v) {
  a->storage->NoteWriter(CopyWriter());
  if (a->size() == 0) return;
  auto op = std::make_unique<FillOp>(StreamOf(a->device(), StreamRole::kCompute), a);
  FillStrided(MakeView(op->pattern, a->dtype, {}), v);
  VarUse use = WriteOf(a);
  IssueOrPush(op.release(), &use, 1);
}
}  // namespace flx
