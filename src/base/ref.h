// SPDX-License-Identifier: Apache-2.0
// Intrusive reference counting. An Object is shared by handles, arrays and queued operations; whoever lets go last, in any thread, frees it.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace flx {

// What a C handle may refer to. The numbers are the handle's kind byte.
enum class Kind : uint8_t {
  kNone, kNDArray, kMapping, kEntry, kCall, kSymbol, kGraph, kLayer, kParams, kModel, kOptimizer, kSchedule, kInitializer,
  kMetric, kIter, kRecord, kStore, kTask, kSpan, kNativeOp, kContext
};

class Object {
 public:
  explicit Object(Kind kind) : kind_(kind) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  Kind kind() const { return kind_; }
  void AddRef() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() const {
    // A sole owner needs no atomic subtraction: nobody else can add a reference.
    if (refs_.load(std::memory_order_acquire) == 1 || refs_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      const_cast<Object*>(this)->Destroy();
  }
  bool unique() const { return refs_.load(std::memory_order_acquire) == 1; }

 protected:
  virtual ~Object() = default;
  virtual void Destroy() { delete this; }  // pooled kinds go back to their free list instead
  mutable std::atomic<int32_t> refs_{1};

 private:
  Kind kind_;
};

// A kind that is not synchronised inside: the C ABI holds its mutex for the length of a call.
class LockedObject : public Object {
 public:
  using Object::Object;
  std::mutex& mutex() const { return mutex_; }

 private:
  mutable std::mutex mutex_;
};

// Owns one reference. `Ref<T>::Take` adopts the one that `new` made.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* p) : p_(p) { if (p_) p_->AddRef(); }
  Ref(const Ref& o) : p_(o.p_) { if (p_) p_->AddRef(); }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <class U> Ref(const Ref<U>& o) : p_(o.get()) { if (p_) p_->AddRef(); }
  template <class U> Ref(Ref<U>&& o) noexcept : p_(o.Leak()) {}
  ~Ref() { if (p_) p_->Unref(); }
  Ref& operator=(Ref o) noexcept { std::swap(p_, o.p_); return *this; }
  static Ref Take(T* p) { Ref r; r.p_ = p; return r; }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }
  friend bool operator!=(const Ref& a, const Ref& b) { return a.p_ != b.p_; }
  T* Leak() { return std::exchange(p_, nullptr); }  // the caller now owns the reference

 private:
  T* p_ = nullptr;
};
// For statics: nothing may be destroyed at exit, since other threads may still be at work (tests/checks holds the library to it).
template <class T> const T& Forever(T value) { return *new T(std::move(value)); }
template <class T, class... A> Ref<T> Make(A&&... a) { return Ref<T>::Take(new T(std::forward<A>(a)...)); }

}  // namespace flx
