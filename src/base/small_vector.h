// SPDX-License-Identifier: Apache-2.0
// A vector whose first N elements lie inside it: argument lists and tape edges rarely have more.
#pragma once
#include <cstddef>
#include <new>
#include <utility>

namespace flx {

template <class T, int N> class SmallVector {
 public:
  SmallVector() = default;
  explicit SmallVector(int n) { resize(n); }
  SmallVector(const SmallVector&) = delete;
  SmallVector& operator=(const SmallVector&) = delete;
  ~SmallVector() { clear(); }
  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int i) { return data_[i]; }
  const T& operator[](int i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  void resize(int n) {
    reserve(n);
    while (size_ < n) new (data_ + size_++) T();
    while (size_ > n) data_[--size_].~T();
  }
  template <class... A> T& emplace_back(A&&... a) {
    if (size_ == capacity_) reserve(2 * capacity_);
    return *new (data_ + size_++) T(std::forward<A>(a)...);
  }
  void clear() {
    while (size_ > 0) data_[--size_].~T();
    if (data_ != local()) ::operator delete(static_cast<void*>(data_), std::align_val_t(alignof(T)));
    data_ = local(), capacity_ = N;
  }
  void reserve(int n) {
    if (n <= capacity_) return;
    auto* fresh = static_cast<T*>(::operator new(sizeof(T) * size_t(n), std::align_val_t(alignof(T))));
    for (int i = 0; i < size_; ++i) new (fresh + i) T(std::move(data_[i])), data_[i].~T();
    if (data_ != local()) ::operator delete(static_cast<void*>(data_), std::align_val_t(alignof(T)));
    data_ = fresh, capacity_ = n;
  }

 private:
  T* local() { return reinterpret_cast<T*>(room_); }
  alignas(T) unsigned char room_[sizeof(T) * N];
  T* data_ = local();
  int size_ = 0, capacity_ = N;
};

}  // namespace flx
