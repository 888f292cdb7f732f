// SPDX-License-Identifier: Apache-2.0
#include "tensor/array.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <mutex>

#include "base/free_list.h"
#include "base/text.h"
#include "device/device.h"
#include "engine/stream.h"
#include "storage/device_pool.h"
#include "tensor/device_array.h"
#include "tensor/promised.h"

namespace flx {

ArrayHooks g_array_hooks;

namespace {
struct Writers { std::mutex mutex; std::deque<const char*> names{""}; };
Writers& AllWriters() { static auto* w = new Writers; return *w; }
}  // namespace
Writer WriterOf(const char* name) {
  Writers& w = AllWriters();
  std::lock_guard<std::mutex> lock(w.mutex);
  for (size_t i = 0; i < w.names.size(); ++i) if (w.names[i] == name || !std::strcmp(w.names[i], name)) return Writer(i);
  w.names.push_back(name);
  return Writer(w.names.size() - 1);
}
const char* WriterName(Writer id) {
  Writers& w = AllWriters();
  std::lock_guard<std::mutex> lock(w.mutex);
  return id < w.names.size() ? w.names[id] : "";
}

struct StoragePool {
  static Storage*& Next(Storage* s) { return s->next_; }
  static Storage* Construct(void* p) { return new (p) Storage; }
  static void Delete(Storage* s) { s->~Storage(); }
  using List = FreeList<Storage, &StoragePool::Next>;
};
struct ArrayPool {
  static Array*& Next(Array* a) { return a->next_; }
  static Array* Construct(void* p) { return new (p) Array; }
  static void Delete(Array* a) { a->~Array(); }
  using List = FreeList<Array, &ArrayPool::Next>;
  static Array* Get() {
    Array* a = List::Get(&Construct);
    a->refs_.store(1, std::memory_order_relaxed);
    a->node = nullptr;
    return a;
  }
};

namespace {
std::atomic<int64_t> g_foreign{0}, g_promised{0};
// Smaller ones are not worth counting: an array is queued behind work that is large.
constexpr int64_t kCounted = 8 << 10;
void Promise(int64_t bytes, int sign) {
  if (bytes >= kCounted) g_promised.fetch_add(sign * bytes, std::memory_order_relaxed);
}
}  // namespace
int64_t Storage::ForeignBytes() { return g_foreign.load(std::memory_order_relaxed); }
int64_t PromisedBytes() { return g_promised.load(std::memory_order_relaxed); }

Ref<Storage> Storage::New(int64_t bytes, const Device* device) {
  if (__builtin_expect(bytes >= kOnDevice, 0)) HostAlloc(size_t(bytes));  // refuses it: no machine has so much
  if (device && device->cpu()) device = nullptr;
  Storage* s = StoragePool::List::Get(&StoragePool::Construct);
  s->refs_.store(1, std::memory_order_relaxed);
  s->bytes_ = bytes;
  if (device) s->bytes_ |= kOnDevice, s->device_ = device;
  else if (bytes <= int64_t(sizeof s->small_)) s->data_.store(s->small_, std::memory_order_relaxed);
  else Promise(bytes, 1);
  return flx::Ref<Storage>::Take(s);
}
Ref<Storage> Storage::Foreign(void* data, int64_t bytes, void (*drop)(void*), void* user, bool at_once) {
  auto owner = std::make_unique<Owner>(Owner{drop, user, at_once});
  Ref<Storage> s = New(bytes);
  s->bytes_ |= kForeign, s->owner_ = owner.release();
  Promise(bytes, -1), g_foreign.fetch_add(bytes, std::memory_order_relaxed);
  s->data_.store(data, std::memory_order_release);
  return s;
}
void* Storage::AllocateOnDevice() {
  DeviceBlock b = DeviceAlloc(device_, size_t(bytes()));
  void* none = nullptr;
  if (!data_.compare_exchange_strong(none, b.p, std::memory_order_acq_rel)) {
    DeviceFree(device_, b.p, size_t(bytes()), std::move(b.uses));
    return none;
  }
  if (b.uses) AttachStreams(&var, b.uses);
  return b.p;
}
void* Storage::Allocate() {
  if (device()) return AllocateOnDevice();
  void* fresh = HostAlloc(size_t(bytes()));
  void* none = nullptr;
  if (!data_.compare_exchange_strong(none, fresh, std::memory_order_acq_rel)) {  // two readers of an array nobody wrote
    HostFree(fresh, size_t(bytes()));
    return none;
  }
  Promise(bytes(), -1);
  return fresh;
}
void Storage::DropOwner(void* p, size_t) {
  auto* owner = static_cast<Owner*>(p);
  if (owner->drop && owner->at_once) owner->drop(owner->user);
  else if (owner->drop) Engine::Defer(owner->drop, owner->user);
  delete owner;
}
// What a stream may still use goes when that is done, or, on a device, at once to who waits for it.
void Storage::Destroy() {
  void* d = data_.load(std::memory_order_relaxed);
  if (bytes_ < 0) {
    g_foreign.fetch_sub(bytes(), std::memory_order_relaxed);
    FreeAfterStreams(&var, &DropOwner, owner_, 0);
  } else if (device()) {
    if (d) DeviceFree(device_, d, size_t(bytes()), DetachStreams(&var));
  } else if (d && d != small_) {
    HostFree(d, size_t(bytes()));  // streams only ever see staging memory, which is foreign
  } else if (!d) {
    Promise(bytes(), -1);
  }
  data_.store(nullptr, std::memory_order_relaxed);
  var.Reset();
  StoragePool::List::Put(this, &StoragePool::Delete);
}

void Array::Destroy() {
  if (node) g_array_hooks.drop_node(std::exchange(node, nullptr));
  if (grad) g_array_hooks.drop_grad(this, std::exchange(grad, nullptr));
  storage = nullptr;
  if (strides_) delete std::exchange(strides_, nullptr);
  if (shape.ndim() > 4) shape = Shape();  // lets go of its block
  contiguous = true;
  offset = 0, node_output = 0;
  ArrayPool::List::Put(this, &ArrayPool::Delete);
}

Ref<Array> Array::New(const Shape& s, DType t, const Device* device) {
  int64_t n = s.CheckedSize("array", DTypeSize(t));
  auto a = Ref<Array>::Take(ArrayPool::Get());
  a->dtype = t, a->shape = s;
  a->storage = Storage::New(n * DTypeSize(t), device);
  return a;
}
Ref<Array> Array::NewLike(const Array& like) {
  auto a = Ref<Array>::Take(ArrayPool::Get());
  a->dtype = like.dtype, a->shape = like.shape;
  a->storage = Storage::New(like.bytes());
  return a;
}
Ref<Array> Array::NewView(const Ref<Array>& of, const Shape& s, const Shape& strides, int64_t byte_offset) {
  auto a = Ref<Array>::Take(ArrayPool::Get());
  a->dtype = of->dtype, a->shape = s, a->storage = of->storage, a->offset = byte_offset;
  // Axes of one element may have any stride; an empty array is contiguous whatever it says.
  bool dense = true;
  uint64_t expect = 1;
  for (int i = s.ndim() - 1; i >= 0; --i) {
    if (s[i] != 1 && strides[i] != int64_t(expect)) dense = false;
    expect *= uint64_t(s[i]);
  }
  a->contiguous = dense || expect == 0;
  if (!a->contiguous) a->strides_ = new Shape(strides);
  return a;
}
Ref<Array> Array::NewRows(const Ref<Array>& of, int64_t begin, int64_t end, bool drop) {
  Shape s = of->shape, strides = of->Strides();
  int64_t offset = of->offset + begin * strides[0] * DTypeSize(of->dtype);
  if (drop) s.Erase(0), strides.Erase(0);
  else s[0] = end - begin;
  return NewView(of, s, strides, offset);
}
Ref<Array> Array::NewAlias(const Ref<Array>& of) {
  auto a = Ref<Array>::Take(ArrayPool::Get());
  a->dtype = of->dtype, a->shape = of->shape, a->storage = of->storage, a->offset = of->offset;
  if (!of->contiguous) a->strides_ = new Shape(*of->strides_), a->contiguous = false;
  return a;
}
TensorView Array::View() const {
  TensorView v;
  v.base = storage->Ensure(), v.offset = offset, v.dtype = dtype, v.contiguous = contiguous, v.shape = shape;
  v.strides = Strides();
  return v;
}
Ref<Array> Array::NewFrom(const void* data, const Shape& s, DType t) {
  auto a = New(s, t);
  if (a->size()) std::memcpy(a->storage->Ensure(), data, size_t(a->bytes()));
  return a;
}
Ref<Array> Array::NewForeign(void* data, const Shape& s, DType t, void (*drop)(void*), void* user, bool at_once) {
  int64_t n = s.CheckedSize("array", DTypeSize(t));
  static char nothing[64];  // an empty array has memory, too
  auto a = Ref<Array>::Take(ArrayPool::Get());
  a->dtype = t, a->shape = s;
  a->storage = Storage::Foreign(data ? data : nothing, n * DTypeSize(t), drop, user, at_once);  // last: what fails has taken nothing over
  return a;
}
Ref<Array> Array::Filled(const Shape& s, DType t, double v, const Device* device) {
  auto a = New(s, t, device);
  if (!a->on_cpu()) return FillOnDevice(a, v), a;
  constexpr int64_t kSmall = 4 << 10;
  if (a->bytes() > kSmall) FillStrided(a->View(), v);
  else if (v == 0 && !std::signbit(v)) std::memset(a->storage->Ensure(), 0, size_t(a->bytes()));
  else if (t == DType::kFloat32) std::fill_n(static_cast<float*>(a->storage->Ensure()), a->size(), float(v));
  else FillStrided(a->View(), v);
  return a;
}

}  // namespace flx
