// SPDX-License-Identifier: Apache-2.0
// flexor/ndarray.hpp: arrays.
//
//   NDArray a = array({{1, 2}, {3, 4}}), b = ones({2, 2});
//   NDArray c = (a + b) * 0.5;
//   std::vector<float> v = c.to_vector<float>();   // waits, then copies
//
// Operations return at once; reading waits. A copy of an NDArray is another handle on the same array: copy() makes a new one.
#ifndef FLEXOR_NDARRAY_HPP_
#define FLEXOR_NDARRAY_HPP_
#include <array>
#include <ostream>

#include "flexor/autograd.hpp"
#include "flexor/base.hpp"

namespace flexor {

// How to attach a gradient: each backward overwrites it, or adds to it; or there is none.
enum class GradReq { write, add, null };
namespace detail {
inline const char* grad_req_text(GradReq req) { return req == GradReq::write ? "write" : req == GradReq::add ? "add" : "null"; }
}  // namespace detail

class NDArray {
 public:
  // No array: what is absent, an optional input left out.
  NDArray() noexcept {}
  // Takes over a handle of the C ABI.
  static NDArray adopt(flx_ndarray handle) noexcept {
    NDArray a;
    a.handle_ = handle;
    return a;
  }
  // float32 numbers in a row.
  NDArray(std::initializer_list<double> values) : NDArray(values.begin(), Shape{static_cast<int64_t>(values.size())}, DType::float32) {}
  // Host memory of `shape` laid out by `order`, copied; the dtype is its own unless another is asked for.
  template <class T> NDArray(const T* data, const Shape& shape, DType dtype = dtype_of<T>(), Order order = Order::row_major) {
    require_library();
    check(flx_ndarray_create_from(data, shape.size() * static_cast<int64_t>(sizeof(T)), static_cast<int32_t>(dtype_of<T>()), static_cast<int32_t>(order),
                                  shape.data(), shape.ndim(), static_cast<int32_t>(dtype), nullptr, &handle_));
  }
  template <class T> explicit NDArray(const std::vector<T>& values) : NDArray(values, Shape{static_cast<int64_t>(values.size())}) {}
  template <class T> NDArray(const std::vector<T>& values, const Shape& shape, DType dtype = dtype_of<T>(), Order order = Order::row_major) {
    static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no memory to copy; use std::vector<uint8_t>");
    require_library();
    // The library compares the bytes with the shape.
    check(flx_ndarray_create_from(values.data(), static_cast<int64_t>(values.size() * sizeof(T)), static_cast<int32_t>(dtype_of<T>()),
                                  static_cast<int32_t>(order), shape.data(), shape.ndim(), static_cast<int32_t>(dtype), nullptr, &handle_));
  }
  NDArray(const NDArray& o) {
    if (o.handle_) check(flx_ndarray_alias(o.handle_, &handle_));
  }
  NDArray(NDArray&& o) noexcept : handle_(o.handle_) { o.handle_ = nullptr; }
  NDArray& operator=(NDArray o) noexcept {
    std::swap(handle_, o.handle_);
    return *this;
  }
  ~NDArray() {
    if (handle_) flx_free(handle_);
  }
  flx_ndarray handle() const noexcept { return handle_; }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  flx_ndarray release() noexcept { return std::exchange(handle_, nullptr); }

  // ---- what it is (nothing waits)
  Shape shape() const {
    int32_t dtype = 0, n = 0;
    int64_t dims[FLX_MAX_NDIM];
    check(flx_ndarray_describe(handle_, &dtype, dims, FLX_MAX_NDIM, &n));
    return Shape(std::vector<int64_t>(dims, dims + n));
  }
  DType dtype() const {
    int32_t dtype = 0, n = 0;
    int64_t dims[FLX_MAX_NDIM];
    check(flx_ndarray_describe(handle_, &dtype, dims, FLX_MAX_NDIM, &n));
    return static_cast<DType>(dtype);
  }
  int ndim() const { return shape().ndim(); }
  int64_t size() const {
    int32_t dtype = 0, ndim = 0;
    int64_t dims[FLX_MAX_NDIM], n = 1;
    check(flx_ndarray_describe(handle_, &dtype, dims, FLX_MAX_NDIM, &ndim));
    for (int32_t i = 0; i < ndim; ++i) n *= dims[i];
    return n;
  }
  int64_t nbytes() const {
    int64_t n = 0;
    check(flx_ndarray_nbytes(handle_, &n));
    return n;
  }
  std::string device() const {
    const char* d = "";
    check(flx_ndarray_device(handle_, &d));
    return d;
  }
  int64_t version() const {
    int64_t v = 0;
    check(flx_ndarray_version(handle_, &v));
    return v;
  }

  // ---- its values (waits)
  template <class T> std::vector<T> to_vector(Order order = Order::row_major) const {
    std::vector<T> v(static_cast<size_t>(size()));
    copy_to(v.data(), static_cast<int64_t>(v.size()), order);
    return v;
  }
  template <class T> void copy_to(T* buffer, int64_t count, Order order = Order::row_major) const {
    int32_t ready = 0;
    check(flx_ndarray_read(handle_, buffer, count * static_cast<int64_t>(sizeof(T)), static_cast<int32_t>(dtype_of<T>()), static_cast<int32_t>(order), -1, &ready));
  }
  // The value of an array of one element.
  template <class T = double> T item() const {
    double v = 0;
    int32_t ready = 0;
    check(flx_ndarray_item(handle_, -1, &ready, &v));
    return static_cast<T>(v);
  }
  std::string text() const {
    char* t = nullptr;
    int32_t ready = 0;
    check(flx_ndarray_text(handle_, -1, &ready, &t));
    return detail::take_text(t);
  }
  // Until what writes it is done, or the time is up: then false.
  bool wait(int64_t timeout_ms = -1) const {
    int32_t ready = 0;
    check(flx_ndarray_wait(handle_, timeout_ms, &ready));
    return ready != 0;
  }

  // ---- changing it
  template <class T> void write(const T* data, int64_t count, Order order = Order::row_major) {
    check(flx_ndarray_write(handle_, data, count * static_cast<int64_t>(sizeof(T)), static_cast<int32_t>(dtype_of<T>()), static_cast<int32_t>(order)));
  }
  template <class T> void write(const std::vector<T>& values, Order order = Order::row_major) { write(values.data(), static_cast<int64_t>(values.size()), order); }
  void copy_into(NDArray& target) const { check(flx_ndarray_copy_into(handle_, target.handle_)); }
  inline NDArray& operator+=(const NDArray& o);
  inline NDArray& operator-=(const NDArray& o);
  inline NDArray& operator*=(const NDArray& o);
  inline NDArray& operator/=(const NDArray& o);
  inline NDArray& operator+=(double v);
  inline NDArray& operator-=(double v);
  inline NDArray& operator*=(double v);
  inline NDArray& operator/=(double v);

  // ---- views: they share its memory
  NDArray slice(int64_t start, int64_t stop) const {
    NDArray y;
    check(flx_ndarray_slice(handle_, start, stop, autograd::mode(), &y.handle_));
    return y;
  }
  NDArray at(int64_t index) const {
    NDArray y;
    check(flx_ndarray_at(handle_, index, autograd::mode(), &y.handle_));
    return y;
  }
  NDArray operator[](int64_t index) const { return at(index); }
  // MXNet's codes 0, -1, -2, -3 and -4 have their meaning.
  NDArray reshape(const Shape& shape) const {
    NDArray y;
    check(flx_ndarray_reshape(handle_, shape.data(), shape.ndim(), autograd::mode(), &y.handle_));
    return y;
  }
  // The same memory without history and gradient.
  NDArray detach() const {
    NDArray y;
    check(flx_ndarray_detach(handle_, &y.handle_));
    return y;
  }
  // ---- new arrays
  NDArray copy(const std::string& device = "") const {  // empty: where it is
    NDArray y;
    check(flx_ndarray_copy(handle_, detail::text_or_null(device), &y.handle_));
    return y;
  }
  inline NDArray astype(DType dtype) const;
  inline NDArray transpose(const Ints& axes = {}) const;
  inline NDArray dot(const NDArray& o) const;
  inline NDArray sum() const;
  inline NDArray sum(const Ints& axis, bool keepdims = false) const;
  inline NDArray mean() const;
  inline NDArray mean(const Ints& axis, bool keepdims = false) const;
  inline NDArray max() const;
  inline NDArray argmax(int64_t axis) const;

  // ---- gradients
  void attach_grad(GradReq req = GradReq::write) { check(flx_autograd_attach(handle_, detail::grad_req_text(req), nullptr)); }
  // The gradient attached; none if there is none.
  NDArray grad() const {
    NDArray g;
    check(flx_autograd_grad(handle_, &g.handle_));
    return g;
  }
  inline void backward(const NDArray& head_grad = NDArray(), bool retain = false, bool create_graph = false) const;

 private:
  friend class Call;
  flx_ndarray handle_ = nullptr;
};

namespace detail {
// Arrays as the C ABI takes them; an NDArray that is none is a null entry.
inline std::vector<flx_ndarray> raw_arrays(const std::vector<NDArray>& arrays) {
  std::vector<flx_ndarray> raw;
  raw.reserve(arrays.size());
  for (auto& a : arrays) raw.push_back(a.handle());
  return raw;
}
inline std::vector<NDArray> adopt_arrays(const flx_ndarray* raw, int32_t n) {
  std::vector<NDArray> arrays;
  arrays.reserve(static_cast<size_t>(n));
  for (int32_t i = 0; i < n; ++i) arrays.push_back(NDArray::adopt(raw[i]));
  return arrays;
}
// Calls f(out_arrays, capacity, out_narrays). Too small a capacity is an argument error before anything is done, so a second try is safe.
template <int kFew = 8, class F> std::vector<NDArray> collect(F f) {
  flx_ndarray few[kFew];
  int32_t n = 0;
  flx_status status = f(few, kFew, &n);
  if (status == FLX_OK) return adopt_arrays(few, n);
  if (status != FLX_ERROR_ARGUMENT) check(status);
  std::unique_ptr<flx_ndarray[]> many(new flx_ndarray[FLX_MAX_COUNT]);
  check(f(many.get(), FLX_MAX_COUNT, &n));
  return adopt_arrays(many.get(), n);
}
inline NDArray full(const Shape& shape, double value, DType dtype, const std::string& device) {
  require_library();
  flx_ndarray h = nullptr;
  check(flx_ndarray_create_full(shape.data(), shape.ndim(), static_cast<int32_t>(dtype), text_or_null(device), value, &h));
  return NDArray::adopt(h);
}
}  // namespace detail

// ---- making arrays -----------------------------------------------------------------------------------------------------------------------------------
// device: as `gpu(0)`; empty: the CPU.
inline NDArray zeros(const Shape& shape, DType dtype = DType::float32, const std::string& device = "") { return detail::full(shape, 0, dtype, device); }
inline NDArray ones(const Shape& shape, DType dtype = DType::float32, const std::string& device = "") { return detail::full(shape, 1, dtype, device); }
inline NDArray full(const Shape& shape, double value, DType dtype = DType::float32, const std::string& device = "") { return detail::full(shape, value, dtype, device); }
// float32 numbers in a row, or in rows of equal length.
inline NDArray array(std::initializer_list<double> values) { return NDArray(values); }
inline NDArray array(std::initializer_list<std::initializer_list<double>> rows) {
  std::vector<double> v;
  for (auto& r : rows) v.insert(v.end(), r.begin(), r.end());
  int64_t n = static_cast<int64_t>(rows.size());
  return NDArray(v, Shape{n, n ? static_cast<int64_t>(rows.begin()->size()) : 0}, DType::float32);
}
// A vector keeps its dtype.
template <class T> NDArray array(const std::vector<T>& values) { return NDArray(values); }
template <class T> NDArray array(const std::vector<T>& values, const Shape& shape) { return NDArray(values, shape); }

// Waits for everything begun so far; throws what nobody has seen yet of its failures.
inline bool wait_all(int64_t timeout_ms = -1) {
  int32_t ready = 0;
  check(flx_wait_all(timeout_ms, &ready));
  return ready != 0;
}
// Seeds the random stream: the same seed gives the same numbers in every language.
inline void seed(int64_t value) { check(flx_random_seed(value, nullptr)); }
inline std::ostream& operator<<(std::ostream& o, const Shape& s) { return o << to_text(s); }
inline std::ostream& operator<<(std::ostream& o, const NDArray& a) { return o << (a ? a.text() : "(none)"); }

}  // namespace flexor
#endif  // FLEXOR_NDARRAY_HPP_
