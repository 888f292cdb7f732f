// SPDX-License-Identifier: Apache-2.0
// Shapes: up to 32 sizes of 64 bits, four of them inline. Inside Flexor an unknown rank or size is -1 and 0 is a size.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flx {

constexpr int kMaxNdim = 32;

class Shape {
 public:
  Shape() = default;  // rank 0: a scalar
  Shape(std::initializer_list<int64_t> d) { Assign(d.begin(), int(d.size())); }
  explicit Shape(const std::vector<int64_t>& d) { Assign(d.data(), int(d.size())); }
  Shape(const int64_t* d, int n) { Assign(d, n); }
  Shape(const Shape& o) {
    if (o.ndim_ > kInline) Assign(o.heap_, o.ndim_);
    else std::memcpy(static_cast<void*>(inline_), o.inline_, sizeof inline_), ndim_ = o.ndim_;  // a fixed size: two moves
  }
  Shape(Shape&& o) noexcept : ndim_(o.ndim_) {
    if (ndim_ > kInline) heap_ = std::exchange(o.heap_, nullptr), o.ndim_ = 0;
    else Copy(inline_, o.inline_, ndim_);
  }
  Shape& operator=(const Shape& o) {
    if (this == &o) return *this;
    if (ndim_ > kInline || o.ndim_ > kInline) Assign(o.data(), o.ndim_);
    else std::memcpy(static_cast<void*>(inline_), o.inline_, sizeof inline_), ndim_ = o.ndim_;
    return *this;
  }
  Shape& operator=(Shape&& o) noexcept {
    if (this != &o) { this->~Shape(); new (this) Shape(std::move(o)); }
    return *this;
  }
  ~Shape() { if (ndim_ > kInline) delete[] heap_; }
  static Shape Unknown() { Shape s; s.ndim_ = -1; return s; }  // of unknown rank
  static Shape Filled(int n, int64_t v) { Shape s; s.Resize(n); for (int i = 0; i < n; ++i) s[i] = v; return s; }

  int ndim() const { return ndim_; }
  bool rank_known() const { return ndim_ >= 0; }
  bool known() const {  // fully
    if (ndim_ < 0) return false;
    for (int i = 0; i < ndim_; ++i) if (data()[i] < 0) return false;
    return true;
  }
  const int64_t* data() const { return ndim_ > kInline ? heap_ : inline_; }
  int64_t* data() { return ndim_ > kInline ? heap_ : inline_; }
  int64_t operator[](int i) const { return data()[i]; }
  int64_t& operator[](int i) { return data()[i]; }
  int64_t back() const { return data()[ndim_ - 1]; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + (ndim_ > 0 ? ndim_ : 0); }
  // Elements; 1 for a scalar. Unsigned: beside a size of 0 the others may be of any size, and their product wraps before it is 0.
  int64_t size() const { return Product(0, ndim_ > 0 ? ndim_ : 0); }
  int64_t Product(int from, int to) const { uint64_t n = 1; for (int i = from; i < to; ++i) n *= uint64_t(data()[i]); return int64_t(n); }
  void Resize(int n) {  // keeps what fits, new sizes are 0
    if (n == ndim_) return;
    int64_t tmp[kMaxNdim] = {};
    std::memcpy(tmp, data(), sizeof(int64_t) * size_t(ndim_ < n ? (ndim_ > 0 ? ndim_ : 0) : n));
    Assign(tmp, n);
  }
  void push_back(int64_t d) { Resize((ndim_ < 0 ? 0 : ndim_) + 1); data()[ndim_ - 1] = d; }
  void Insert(int at, int64_t d);
  void Erase(int at);
  friend bool operator==(const Shape& a, const Shape& b) {
    return a.ndim_ == b.ndim_ && (a.ndim_ <= 0 || std::memcmp(a.data(), b.data(), sizeof(int64_t) * size_t(a.ndim_)) == 0);
  }
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }
  std::vector<int64_t> vec() const { return {begin(), end()}; }
  // The number of elements, or an error when it (or its bytes) does not fit 63 bits, a size is negative or there are too many sizes.
  int64_t CheckedSize(const char* who, int element_bytes) const;

 private:
  static constexpr int kInline = 4;
  static void Copy(int64_t* to, const int64_t* from, int n) { for (int i = 0; i < n; ++i) to[i] = from[i]; }
  void Assign(const int64_t* d, int n);  // fails for more than kMaxNdim
  union { int64_t inline_[kInline]; int64_t* heap_; };
  int ndim_ = 0;
};
void Append(std::string* s, const Shape& v);  // "(2, 3)", "(3,)", "()", "unknown"

// "(None, 1, 28, 28)": None, ? or -1 is an unknown size.
Shape ParseShape(std::string_view who, std::string_view text);

// Axis in [-n, n) to [0, n), or an error naming `who`.
int NormalAxis(const char* who, int64_t axis, int ndim);
// Strides of row-major contiguous memory, in elements.
Shape ContiguousStrides(const Shape& s);

}  // namespace flx
