// SPDX-License-Identifier: Apache-2.0
// NDArray: a shape, strides and an offset over a shared Storage. Views share the storage, its variable, its version and its poison.
// An NDArray is a counted reference to an Array; the autograd state (attached gradient, history) hangs from the Array, so two references to one
// Array agree about it, and two views do not.
#pragma once
#include <atomic>
#include <cstdint>

#include "base/dtype.h"
#include "base/ref.h"
#include "engine/engine.h"
#include "tensor/shape.h"
#include "tensor/view.h"

namespace flx {

struct Device;  // device/device.h; null stands for the CPU

// Who wrote an array last, as a small number that stands for a name.
using Writer = uint32_t;
Writer WriterOf(const char* name);      // the same for the same name; 0 is "". Any thread; takes a lock: ask once
const char* WriterName(Writer w);

// The memory. Taken when an operation runs (Ensure), never while it is queued; given back, without the engine, by whoever lets go last.
class Storage {
 public:
  static Ref<Storage> New(int64_t bytes, const Device* device = nullptr);
  // Over memory of the host's: drop(user) is called once after the last reference went; by the engine (Engine::Defer), or, with `at_once`, by whoever let
  // it go, for a drop that never blocks, throws or calls the host.
  static Ref<Storage> Foreign(void* data, int64_t bytes, void (*drop)(void*), void* user, bool at_once = false);
  static int64_t ForeignBytes();  // of all that live
  void AddRef() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() const {
    if (refs_.load(std::memory_order_acquire) == 1 || refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) const_cast<Storage*>(this)->Destroy();
  }
  void* Ensure() { void* d = data_.load(std::memory_order_acquire); return d ? d : Allocate(); }
  void* data() const { return data_.load(std::memory_order_acquire); }
  int64_t bytes() const { return bytes_ & ~(kForeign | kOnDevice); }
  const Device* device() const { return bytes_ & kOnDevice ? device_ : nullptr; }
  // The sole owner may reuse it without asking the engine. Foreign memory has its host beside us.
  bool unique() const { return refs_.load(std::memory_order_acquire) == 1 && bytes_ >= 0; }
  // The first write of memory that nobody else can see yet.
  void NoteFirstWriter(Writer who) { var.version.store(1, std::memory_order_relaxed), writer_.store(who, std::memory_order_relaxed); }
  // A write by operator `who` was pushed: a new version. The name serves the message of a backward pass that finds its input changed.
  void NoteWriter(Writer who) { var.BumpVersion(); writer_.store(who, std::memory_order_relaxed); }
  const char* writer() const { return WriterName(writer_.load(std::memory_order_relaxed)); }
  Var var;

 private:
  friend struct StoragePool;
  Storage() = default;
  ~Storage() = default;
  void* Allocate();
  void* AllocateOnDevice();
  void Destroy();
  struct Owner { void (*drop)(void*); void* user; bool at_once; };
  static void DropOwner(void* owner, size_t);
  static constexpr int64_t kForeign = int64_t(1) << 63, kOnDevice = int64_t(1) << 62;  // bits of bytes_: which of the last union it is
  mutable std::atomic<int32_t> refs_{1};
  std::atomic<Writer> writer_{0};
  std::atomic<void*> data_{nullptr};
  union {
    int64_t bytes_ = 0;
    Storage* next_;  // in the free list
  };
  union {
    alignas(8) char small_[8];  // a number needs no second block
    Owner* owner_;              // kForeign
    const Device* device_;      // kOnDevice
  };
};
static_assert(sizeof(Storage) == 72, "an array of one element takes 192 bytes: 104 + 72 + a handle's 16");

class TapeNode;      // exec/tape.h
struct GradSlot;     // exec/tape.h: an attached gradient

class Array final : public Object {
 public:
  DType dtype = DType::kFloat32;
  bool contiguous = true;
  Ref<Storage> storage;
  int64_t offset = 0;      // bytes
  Shape shape;
  // autograd: owned by exec through the hooks below
  union {
    TapeNode* node = nullptr;  // one reference
    Array* next_;              // in the free list
  };
  GradSlot* grad = nullptr;    // one reference; a leaf that gradients are stored into
  int32_t node_output = 0;

  static Ref<Array> New(const Shape& s, DType t, const Device* device = nullptr);  // contiguous, memory not taken yet
  static Ref<Array> NewLike(const Array& a);  // of its shape and dtype, contiguous, on the CPU
  static Ref<Array> NewView(const Ref<Array>& of, const Shape& s, const Shape& strides, int64_t byte_offset);  // no history
  // Elements [begin, end) of axis 0; `drop`: without that axis (end is begin + 1). The caller has looked at the bounds.
  static Ref<Array> NewRows(const Ref<Array>& of, int64_t begin, int64_t end, bool drop);
  static Ref<Array> NewAlias(const Ref<Array>& of);                                  // a view of all of it, no history
  static Ref<Array> NewFrom(const void* data, const Shape& s, DType t);              // a copy
  static Ref<Array> NewForeign(void* data, const Shape& s, DType t, void (*drop)(void*), void* user, bool at_once = false);  // see Storage::Foreign
  static Ref<Array> Filled(const Shape& s, DType t, double v, const Device* device = nullptr);
  static Ref<Array> Scalar(double v, DType t = DType::kFloat32) { return Filled({}, t, v); }
  int64_t size() const { return shape.size(); }
  int64_t bytes() const { return size() * DTypeSize(dtype); }
  const Device* device() const { return storage->device(); }
  bool on_cpu() const { return storage->device() == nullptr; }
  bool whole() const { return contiguous && offset == 0 && bytes() == storage->bytes(); }  // its write overwrites all of the storage
  Shape Strides() const { return contiguous ? ContiguousStrides(shape) : *strides_; }  // elements
  TensorView View() const;  // memory is taken if it was not

 private:
  friend struct ArrayPool;
  Array() : Object(Kind::kNDArray) {}
  void Destroy() override;
  Shape* strides_ = nullptr;   // owned; null when contiguous
};
static_assert(sizeof(Array) == 104);
using NDArray = Ref<Array>;

// exec installs how a history and a gradient slot are let go; tensor knows nothing of them.
struct ArrayHooks { void (*drop_node)(TapeNode*) = nullptr; void (*drop_grad)(Array*, GradSlot*) = nullptr; };
extern ArrayHooks g_array_hooks;

// ---- host access. They wait (see Engine), so no engine thread may call them. timeout as in Engine; false: time is up. Poisoned arrays throw.
bool AcquireForHost(const VarUse& use, int64_t timeout_ms);    // waits for a grant, which the caller releases (Engine::Release)
bool WaitToRead(const Array& a, int64_t timeout_ms = -1);      // and throws what made the array, at every call
void ThrowIfPoisoned(const Array& a);
// Copies out with conversion of dtype (by LoadAs/StoreAs rules) and order; `column_major`: the host's memory has the first axis fastest.
bool ReadArray(const Array& a, void* buffer, int64_t nbytes, DType host, bool column_major, int64_t timeout_ms = -1);
void WriteArray(const NDArray& a, const void* data, int64_t nbytes, DType host, bool column_major);  // never blocks: queued behind uses if there are any
NDArray FromHost(const void* data, int64_t nbytes, DType host, bool column_major, const Shape& s, DType t, const Device* device = nullptr);
double ItemOf(const Array& a);                                  // waits; of a one-element array
std::string Describe(const Array& a);                           // "float32 (2, 3)"
std::string ToText(const Array& a, bool column_major = false);  // as printed, waits; long arrays are shortened

// ---- strided copy with dtype conversion, on memory (the engine is the caller's business). Shapes must be equal.
void CopyStrided(const TensorView& from, const TensorView& to);
void FillStrided(const TensorView& to, double v);

}  // namespace flx
