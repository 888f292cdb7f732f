// SPDX-License-Identifier: Apache-2.0
// Formulas of activations and of gradients fused for speed. See formula.h for how this header is included.
struct Leaky : FloatCheap { template <class T> FLX_HD T operator()(T x, T slope) const { return where(x > T(0), x, slope * x); } };
struct Elu : FloatOnly { template <class T> FLX_HD T operator()(T x, T slope, T scale) const { return scale * where(x > T(0), x, slope * expm1(x)); } };
struct Gelu : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return T(0.5) * x * (T(1) + erf(x * T(0.70710678118654752440))); } };

struct ReluGrad : AnyNumber { template <class T> FLX_HD T operator()(T y, T dy) const { return where(y > T(0), dy, T(0)); } };
struct SigmoidGrad : FloatCheap { template <class T> FLX_HD T operator()(T y, T dy) const { return dy * (y * (T(1) - y)); } };
struct TanhGrad : FloatCheap { template <class T> FLX_HD T operator()(T y, T dy) const { return dy * (T(1) - y * y); } };
struct LeakyGrad : FloatCheap { template <class T> FLX_HD T operator()(T c, T dy, T slope) const { return where(c > T(0), dy, slope * dy); } };
struct EluGrad : FloatOnly {
  template <class T> FLX_HD T operator()(T c, T y, T dy, T slope, T scale) const { return dy * where(c > T(0), scale, y + slope * scale); }
};
struct GeluGrad : FloatOnly {
  template <class T> FLX_HD T operator()(T x, T dy) const {
    T density = T(0.39894228040143267794) * exp(T(-0.5) * x * x);
    return dy * (T(0.5) * (T(1) + erf(x * T(0.70710678118654752440))) + where(density == T(0), T(0), x * density));
  }
};

template <class List> void ListActivation(List& list) {
  list.template Add<Leaky, 1, 1>("_leaky");
  list.template Add<Leaky, 2>("_prelu");
  list.template Add<Elu, 1, 2>("_elu");
  list.template Add<Gelu>("_gelu");
  list.template Add<ReluGrad, 2>("_relu_grad");
  list.template Add<SigmoidGrad, 2>("_sigmoid_grad");
  list.template Add<TanhGrad, 2>("_tanh_grad");
  list.template Add<LeakyGrad, 2, 1>("_leaky_grad");
  list.template Add<EluGrad, 3, 2>("_elu_grad");
  list.template Add<GeluGrad, 2>("_gelu_grad");
}
