// SPDX-License-Identifier: Apache-2.0
#include "interop/dlpack.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "base/host_call.h"
#include "base/small_vector.h"
#include "base/text.h"

namespace flx {
namespace {

struct Pair { DType dtype; DLDataType dl; };
constexpr Pair kTypes[] = {
    {DType::kFloat32, {kDLFloat, 32, 1}}, {DType::kFloat64, {kDLFloat, 64, 1}}, {DType::kFloat16, {kDLFloat, 16, 1}}, {DType::kBfloat16, {kDLBfloat, 16, 1}},
    {DType::kUint8, {kDLUInt, 8, 1}},     {DType::kUint16, {kDLUInt, 16, 1}},   {DType::kUint32, {kDLUInt, 32, 1}},   {DType::kUint64, {kDLUInt, 64, 1}},
    {DType::kInt8, {kDLInt, 8, 1}},       {DType::kInt16, {kDLInt, 16, 1}},     {DType::kInt32, {kDLInt, 32, 1}},     {DType::kInt64, {kDLInt, 64, 1}},
    {DType::kBool, {kDLBool, 8, 1}}};
static_assert(sizeof kTypes / sizeof *kTypes == size_t(kDTypeCount));

DLDataType TypeOf(DType t) {
  for (auto& p : kTypes)
    if (p.dtype == t) return p.dl;
  Fail(Status::kType, "dlpack", "DLPack has no name for ", t, ".");
}
DType TypeOf(DLDataType t) {
  for (auto& p : kTypes)
    if (p.dl.code == t.code && p.dl.bits == t.bits && p.dl.lanes == t.lanes) return p.dtype;
  Fail(Status::kType, "dlpack", "expected a tensor of one of ", DTypeNames(), ", given DLPack's code ", int(t.code), " of ", int(t.bits), " bits, ", int(t.lanes),
       " lanes. Convert it first.");
}

// ---- export
struct Lent {  // what a consumer holds
  Ref<Storage> storage;
  int64_t shape[kMaxNdim], strides[kMaxNdim];
};
template <class Managed> void Release(Managed* m) {
  if (!m) return;
  HostCall call;  // a consumer calls it as it likes: a call into the library like any other
  delete static_cast<Lent*>(m->manager_ctx);
  delete m;
}
void SetHead(DLManagedTensor*, bool) {}
void SetHead(DLManagedTensorVersioned* m, bool read_only) { m->version = {1, 0}, m->flags = read_only ? kDLReadOnly : 0; }

// ---- import
// Row-major sizes and strides in elements, and the span of memory they reach: [low, high) in elements from the first one.
struct Layout {
  Shape shape, strides;
  int64_t low = 0, high = 0;
  bool shares = false;  // two elements may have one place
};
Layout LayoutOf(const DLTensor& t, int item) {
  if (t.ndim < 0 || t.ndim > kMaxNdim) Fail(Status::kShape, "dlpack", "expected 0 to ", kMaxNdim, " axes, given ", t.ndim, ".");
  if (t.ndim > 0 && !t.shape) Fail(Status::kShape, "dlpack", "the tensor has ", t.ndim, " axes and no shape.");
  Layout l;
  l.shape = Shape(t.shape, t.ndim);
  const int64_t n = l.shape.CheckedSize("dlpack", item);
  l.strides = ContiguousStrides(l.shape);
  l.high = n;
  if (!t.strides || n == 0) return l;
  l.high = 1;
  SmallVector<std::pair<int64_t, int64_t>, 8> steps;  // stride without sign, size
  for (int i = 0; i < t.ndim; ++i) {
    if (t.shape[i] == 1) continue;
    int64_t step = t.strides[i], reach;
    if (step == std::numeric_limits<int64_t>::min() || __builtin_mul_overflow(step, t.shape[i] - 1, &reach) ||
        __builtin_add_overflow(reach < 0 ? l.low : l.high, reach, reach < 0 ? &l.low : &l.high) || l.high / 2 > (int64_t(1) << 60) / item || -l.low / 2 > (int64_t(1) << 60) / item)
      Fail(Status::kShape, "dlpack", "the strides reach beyond all memory.");
    l.strides[i] = step;
    steps.emplace_back(step < 0 ? -step : step, t.shape[i]);
  }
  std::sort(steps.begin(), steps.end());
  int64_t taken = 1;  // elements that the finer axes reach over
  for (auto& [step, size] : steps) {
    if (step < taken) l.shares = true;
    taken += step * (size - 1);
  }
  return l;
}
}  // namespace

template <class Managed> Managed* ToDlpack(const NDArray& a, bool read_only, int64_t timeout_ms) {
  if (!a->on_cpu()) Fail(Status::kDevice, "dlpack", "only memory of the CPU can be shared yet. Copy the array first (flx_ndarray_copy).");
  DLDataType type = TypeOf(a->dtype);
  // A consumer may write at once; nobody can while the host has it mapped.
  Var* v = &a->storage->var;
  VarUse use{v, read_only || v->mapped() ? Access::kRead : Access::kUpdate};
  if (!AcquireForHost(use, timeout_ms)) return nullptr;
  struct Grant { VarUse* u; ~Grant() { Engine::Release(u, 1); } } grant{&use};
  ThrowIfPoisoned(*a);
  auto lent = std::make_unique<Lent>();
  lent->storage = a->storage;
  Shape strides = a->Strides();
  for (int i = 0; i < a->shape.ndim(); ++i) lent->shape[i] = a->shape[i], lent->strides[i] = strides[i];
  auto m = std::make_unique<Managed>();
  SetHead(m.get(), read_only);
  DLTensor& t = m->dl_tensor;
  t.data = static_cast<char*>(a->storage->Ensure()) + a->offset;  // consumers have been seen that forget byte_offset
  t.device = {kDLCPU, 0}, t.ndim = a->shape.ndim(), t.dtype = type, t.shape = lent->shape, t.strides = lent->strides, t.byte_offset = 0;
  m->manager_ctx = lent.release(), m->deleter = &Release<Managed>;
  return m.release();
}
template DLManagedTensor* ToDlpack(const NDArray&, bool, int64_t);
template DLManagedTensorVersioned* ToDlpack(const NDArray&, bool, int64_t);

struct Imported {
  void (*drop)(void*) = nullptr;  // null: still the caller's
  void* managed = nullptr;
  Imported* next = nullptr;
};
namespace {
std::atomic<Imported*> g_unused{nullptr};

template <class Managed> void CallDeleter(void* p) {
  auto* m = static_cast<Managed*>(p);
  if (m->deleter) m->deleter(m);
}
void LetGo(void* p) {  // in any thread: only puts it aside
  auto* i = static_cast<Imported*>(p);
  if (!i->drop) return delete i;
  i->next = g_unused.load(std::memory_order_relaxed);
  while (!g_unused.compare_exchange_weak(i->next, i, std::memory_order_release, std::memory_order_relaxed)) {}
}
}  // namespace

DlpackImport::DlpackImport(DLManagedTensor* t) { Read(t->dl_tensor, false, t, &CallDeleter<DLManagedTensor>); }
DlpackImport::DlpackImport(DLManagedTensorVersioned* t) {
  if (t->version.major != 1) Fail(Status::kUnsupported, "dlpack", "expected a tensor of DLPack 1, given one of DLPack ", t->version.major, ".", t->version.minor, ".");
  Read(t->dl_tensor, t->flags & kDLReadOnly, t, &CallDeleter<DLManagedTensorVersioned>);
}
DlpackImport::~DlpackImport() {
  if (copied_) delete owner_;  // else the array's memory has it
}
void DlpackImport::Take() noexcept {
  owner_->drop = drop_;
  if (std::exchange(copied_, false)) LetGo(owner_);
}
void DlpackImport::Read(const DLTensor& t, bool read_only, void* managed, void (*drop)(void*)) {
  if (t.device.device_type != kDLCPU && t.device.device_type != kDLCUDAHost)
    Fail(Status::kDevice, "dlpack", "expected memory of the CPU (DLPack's device type ", kDLCPU, "), given device type ", t.device.device_type, ". Copy it there first.");
  const DType type = TypeOf(t.dtype);
  const int item = DTypeSize(type);
  Layout l = LayoutOf(t, item);
  auto* first = static_cast<char*>(t.data) + t.byte_offset;
  if (l.high > 0) {
    if (!t.data) Fail(Status::kArgument, "dlpack", "the tensor, of shape ", l.shape, ", has no memory.");
    if (reinterpret_cast<uintptr_t>(first) % uintptr_t(item)) Fail(Status::kArgument, "dlpack", "the tensor's memory must be aligned to ", item, " bytes for ", type, ". Copy it first.");
  }
  drop_ = drop;
  auto owner = std::make_unique<Imported>();
  owner->managed = managed;
  if (l.high > 0 && (read_only || l.shares)) {
    array = Array::New(l.shape, type);
    TensorView from = MakeView(first, type, l.shape);
    from.contiguous = false, from.strides = l.strides;
    CopyStrided(from, array->View());
    copied_ = true, owner_ = owner.release();
    return;
  }
  // the array owns it, and lets go of it also if what follows fails
  NDArray whole = Array::NewForeign(l.high > 0 ? first + l.low * item : nullptr, {l.high - l.low}, type, &LetGo, owner.get(), true);
  owner_ = owner.release();
  array = Array::NewView(whole, l.shape, l.strides, -l.low * item);
}

bool DlpackWaits() { return g_unused.load(std::memory_order_relaxed) != nullptr; }
int64_t CollectDlpack() {
  int64_t n = 0;
  HostAway away;  // a deleter may wait, as for an interpreter's lock whose holder forks
  while (Imported* list = g_unused.exchange(nullptr, std::memory_order_acquire)) {  // a deleter may let go of another
    Imported* oldest = nullptr;
    while (list) {
      Imported* next = list->next;
      list->next = oldest, oldest = list, list = next;
    }
    for (; oldest; ++n) {
      Imported* next = oldest->next;
      try {
        oldest->drop(oldest->managed);
      } catch (...) {
        // there is nobody to tell
      }
      delete oldest;
      oldest = next;
    }
  }
  return n;
}

}  // namespace flx
