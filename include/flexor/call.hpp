// SPDX-License-Identifier: Apache-2.0
// flexor/call.hpp: running operators, by name and prepared, and the operators that C++ has signs for.
//
//   NDArray y = invoke("softmax", {x}, {{"axis", 1}})[0];
//   Call conv("Convolution", {{"kernel", {5, 5}}, {"num_filter", 20}});   // attributes are read once
//   NDArray z = conv(x, weight, bias);
#ifndef FLEXOR_CALL_HPP_
#define FLEXOR_CALL_HPP_
#include "flexor/ndarray.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define FLEXOR_LSAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(leak_sanitizer)
#define FLEXOR_LSAN
#endif
#endif
#ifdef FLEXOR_LSAN
extern "C" {
void __lsan_disable();
void __lsan_enable();
}
#endif

namespace flexor {

// The results of an operator. Where one array is wanted, it is the first.
class Outputs : public std::vector<NDArray> {
 public:
  Outputs(std::vector<NDArray> arrays) : std::vector<NDArray>(std::move(arrays)) {}
  operator const NDArray&() const { return at(0); }
};

// An operator with its attributes, ready to run: immutable, and run by any number of threads at once.
class Call : public detail::Shared<flx_call> {
 public:
  explicit Call(const char* name, const Options& options = {}) {
    require_library();
    detail::RawOptions o(options);
    flx_call c = nullptr;
    check(flx_call_create(name, o.keys(), o.values(), o.size(), &c));
    reset(c);
  }
  // One result: what most operators give.
  template <class... A> NDArray operator()(const NDArray& x, const A&... more) const {
    flx_ndarray in[1 + sizeof...(A)] = {x.handle(), more.handle()...};
    NDArray y;
    if constexpr (sizeof...(A) == 0) check(flx_call_unary(handle(), autograd::mode(), in[0], &y.handle_));
    else if constexpr (sizeof...(A) == 1) check(flx_call_binary(handle(), autograd::mode(), in[0], in[1], &y.handle_));
    else {
      int32_t n = 0;
      check(flx_call_run(handle(), autograd::mode(), in, 1 + sizeof...(A), nullptr, 0, &y.handle_, 1, &n));
    }
    return y;
  }
  // With the value of its one runtime attribute.
  NDArray scalar(const NDArray& x, double value) const {
    NDArray y;
    check(flx_call_scalar(handle(), autograd::mode(), x.handle(), value, &y.handle_));
    return y;
  }
  // Any number of inputs and results; `scalars` are values of the runtime attributes in their order, or none.
  Outputs run(const std::vector<NDArray>& arrays, const std::vector<double>& scalars = {}) const {
    auto in = detail::raw_arrays(arrays);
    return detail::collect([&](flx_ndarray* out, int32_t capacity, int32_t* n) {
      return flx_call_run(handle(), autograd::mode(), in.data(), static_cast<int32_t>(in.size()), scalars.data(), static_cast<int32_t>(scalars.size()), out,
                          capacity, n);
    });
  }
  // Into arrays that there are, inputs perhaps.
  void run_into(const std::vector<NDArray>& arrays, const std::vector<NDArray>& targets, const std::vector<double>& scalars = {}) const {
    auto in = detail::raw_arrays(arrays), to = detail::raw_arrays(targets);
    check(flx_call_run_into(handle(), autograd::mode(), in.data(), static_cast<int32_t>(in.size()), scalars.data(), static_cast<int32_t>(scalars.size()),
                            to.data(), static_cast<int32_t>(to.size())));
  }
};

// Runs an operator by its name. An array that is none is an optional input left out.
inline Outputs invoke(const char* name, const std::vector<NDArray>& arrays, const Options& options = {}) {
  require_library();
  std::vector<flx_ndarray> in;
  for (auto& a : arrays)
    if (a) in.push_back(a.handle());
  detail::RawOptions o(options);
  return detail::collect([&](flx_ndarray* out, int32_t capacity, int32_t* n) {
    return flx_invoke(name, autograd::mode(), in.data(), static_cast<int32_t>(in.size()), o.keys(), o.values(), o.size(), out, capacity, n);
  });
}

namespace detail {
// A prepared call that is kept for ever, since a program may still compute while it ends. Leak checkers are told so.
inline const Call& kept_call(const char* name, const Options& options = {}) {
#ifdef FLEXOR_LSAN
  __lsan_disable();
#endif
  const Call& call = *new Call(name, options);
#ifdef FLEXOR_LSAN
  __lsan_enable();
#endif
  return call;
}
// One for each place that asks, made on first use.
#define FLEXOR_STATIC_CALL(...) \
  ([]() -> const ::flexor::Call& { static const auto& call = ::flexor::detail::kept_call(__VA_ARGS__); return call; }())
// A number that an integer array cannot hold makes the result float64.
inline NDArray with_scalar(const Call& whole, const Call& fraction, const NDArray& x, double v) {
  bool is_whole = v >= -9e15 && v <= 9e15 && static_cast<double>(static_cast<int64_t>(v)) == v;
  return (is_whole ? whole : fraction).scalar(x, v);
}
inline void into(const Call& call, const NDArray& x, const NDArray& y, const NDArray& target) {
  flx_ndarray in[2] = {x.handle(), y.handle()}, to[1] = {target.handle()};
  check(flx_call_run_into(call.handle(), autograd::mode(), in, 2, nullptr, 0, to, 1));
}
inline void scalar_into(const Call& call, const NDArray& x, double v) {
  flx_ndarray a[1] = {x.handle()};
  check(flx_call_run_into(call.handle(), autograd::mode(), a, 1, &v, 1, a, 1));
}
}  // namespace detail

// ---- signs: shapes are broadcast, comparisons give 1 and 0 -------------------------------------------------------------------------------------------
#define FLEXOR_BINARY(sign, op, with_scalar_op, from_scalar_op)                                                                      \
  inline NDArray operator sign(const NDArray& a, const NDArray& b) { return FLEXOR_STATIC_CALL(op)(a, b); }                         \
  inline NDArray operator sign(const NDArray& a, double b) {                                                                        \
    return detail::with_scalar(FLEXOR_STATIC_CALL(with_scalar_op), FLEXOR_STATIC_CALL(with_scalar_op, Options{{"is_int", false}}), a, b);   \
  }                                                                                                                                  \
  inline NDArray operator sign(double a, const NDArray& b) {                                                                        \
    return detail::with_scalar(FLEXOR_STATIC_CALL(from_scalar_op), FLEXOR_STATIC_CALL(from_scalar_op, Options{{"is_int", false}}), b, a);   \
  }
FLEXOR_BINARY(+, "broadcast_add", "_plus_scalar", "_plus_scalar")
FLEXOR_BINARY(-, "broadcast_sub", "_minus_scalar", "_rminus_scalar")
FLEXOR_BINARY(*, "broadcast_mul", "_mul_scalar", "_mul_scalar")
FLEXOR_BINARY(/, "broadcast_div", "_div_scalar", "_rdiv_scalar")
FLEXOR_BINARY(==, "broadcast_equal", "_equal_scalar", "_equal_scalar")
FLEXOR_BINARY(!=, "broadcast_not_equal", "_not_equal_scalar", "_not_equal_scalar")
FLEXOR_BINARY(<, "broadcast_lesser", "_lesser_scalar", "_greater_scalar")
FLEXOR_BINARY(<=, "broadcast_lesser_equal", "_lesser_equal_scalar", "_greater_equal_scalar")
FLEXOR_BINARY(>, "broadcast_greater", "_greater_scalar", "_lesser_scalar")
FLEXOR_BINARY(>=, "broadcast_greater_equal", "_greater_equal_scalar", "_lesser_equal_scalar")
#undef FLEXOR_BINARY
inline NDArray operator-(const NDArray& a) { return FLEXOR_STATIC_CALL("negative")(a); }

// In place: the shape stays, and so does the dtype.
#define FLEXOR_IN_PLACE(sign, op, scalar_op)                                                                                                               \
  inline NDArray& NDArray::operator sign(const NDArray& o) { return detail::into(FLEXOR_STATIC_CALL(op), *this, o, *this), *this; }  \
  inline NDArray& NDArray::operator sign(double v) { return detail::scalar_into(FLEXOR_STATIC_CALL(scalar_op), *this, v), *this; }
FLEXOR_IN_PLACE(+=, "broadcast_add", "_plus_scalar")
FLEXOR_IN_PLACE(-=, "broadcast_sub", "_minus_scalar")
FLEXOR_IN_PLACE(*=, "broadcast_mul", "_mul_scalar")
FLEXOR_IN_PLACE(/=, "broadcast_div", "_div_scalar")
#undef FLEXOR_IN_PLACE

// ---- the methods that are operators ---------------------------------------------------------------------------------------------------------------------
inline NDArray NDArray::astype(DType dtype) const { return invoke("Cast", {*this}, {{"dtype", dtype}}); }
inline NDArray NDArray::transpose(const Ints& axes) const { return axes.ndim() ? invoke("transpose", {*this}, {{"axes", axes}}) : Outputs({FLEXOR_STATIC_CALL("transpose")(*this)}); }
inline NDArray NDArray::dot(const NDArray& o) const { return FLEXOR_STATIC_CALL("dot")(*this, o); }
inline NDArray NDArray::sum() const { return FLEXOR_STATIC_CALL("_np_sum")(*this); }
inline NDArray NDArray::sum(const Ints& axis, bool keepdims) const { return invoke("_np_sum", {*this}, {{"axis", axis}, {"keepdims", keepdims}}); }
inline NDArray NDArray::mean() const { return FLEXOR_STATIC_CALL("_np_mean")(*this); }
inline NDArray NDArray::mean(const Ints& axis, bool keepdims) const { return invoke("_np_mean", {*this}, {{"axis", axis}, {"keepdims", keepdims}}); }
inline NDArray NDArray::max() const { return FLEXOR_STATIC_CALL("_np_max")(*this); }
inline NDArray NDArray::argmax(int64_t axis) const { return invoke("argmax", {*this}, {{"axis", axis}}); }

// ---- gradients --------------------------------------------------------------------------------------------------------------------------------------------
namespace autograd {
namespace detail_ {
inline int32_t backward_mode(bool retain, bool create_graph) { return (mode() & FLX_TRAIN) | (retain ? FLX_RETAIN : 0) | (create_graph ? FLX_CREATE_GRAPH : 0); }
}  // namespace detail_
// Goes backward from `heads` and stores the gradients attached. `head_grads`: one for each head (or none: ones). `retain` keeps the history for another
// backward; `create_graph` records the backward itself.
inline void backward(const std::vector<NDArray>& heads, const std::vector<NDArray>& head_grads = {}, bool retain = false, bool create_graph = false) {
  auto h = detail::raw_arrays(heads), g = detail::raw_arrays(head_grads);
  check(flx_autograd_backward(h.data(), static_cast<int32_t>(h.size()), g.data(), static_cast<int32_t>(g.size()), detail_::backward_mode(retain, create_graph)));
}
// The gradients of `heads` with respect to `variables`, returned and not stored.
inline std::vector<NDArray> gradients(const std::vector<NDArray>& heads, const std::vector<NDArray>& variables, const std::vector<NDArray>& head_grads = {},
                                      bool retain = false, bool create_graph = false) {
  auto h = detail::raw_arrays(heads), g = detail::raw_arrays(head_grads), v = detail::raw_arrays(variables);
  std::vector<flx_ndarray> out(v.size());
  int32_t n = 0;
  check(flx_autograd_gradients(h.data(), static_cast<int32_t>(h.size()), g.data(), static_cast<int32_t>(g.size()), v.data(), static_cast<int32_t>(v.size()),
                               detail_::backward_mode(retain, create_graph), out.data(), static_cast<int32_t>(out.size()), &n));
  return detail::adopt_arrays(out.data(), n);
}
}  // namespace autograd
#undef FLEXOR_STATIC_CALL
#undef FLEXOR_LSAN
inline void NDArray::backward(const NDArray& head_grad, bool retain, bool create_graph) const {
  flx_ndarray g = head_grad.handle_;
  check(flx_autograd_backward(&handle_, 1, &g, g ? 1 : 0, autograd::detail_::backward_mode(retain, create_graph)));
}

}  // namespace flexor
#endif  // FLEXOR_CALL_HPP_
