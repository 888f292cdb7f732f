// SPDX-License-Identifier: Apache-2.0
// Optimizer steps, element by element: x are the inputs, y the outputs in the order of the definition, s the numbers (optim.h).
// Included like the elementwise formulas (op/elementwise/formula.h).
template <class T> FLX_HD T Within(T v, T limit) { return where(v > limit, limit, where(v < -limit, -limit, v)); }
template <class T> FLX_HD T SignOf(T v) { return where(v > T(0), T(1), where(v < T(0), T(-1), T(0))); }
// clip(rescale * grad), and clip(rescale * grad + wd * weight).
template <class T> FLX_HD T Gradient(const T* x, const T* s) { return Within(s[2] * x[1], s[3]); }
template <class T> FLX_HD T DecayedGradient(const T* x, const T* s) { return Within(s[2] * x[1] + s[1] * x[0], s[3]); }

struct Sgd { template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const { y[0] = x[0] - s[0] * (Gradient(x, s) + s[1] * x[0]); } };
struct SgdMom {
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    y[1] = s[4] * x[2] - s[0] * (Gradient(x, s) + s[1] * x[0]);
    y[0] = x[0] + y[1];
  }
};
struct Nag {
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    T g = Gradient(x, s), step = s[0] * (g + s[1] * x[0]);
    y[0] = x[0] + s[4] * (s[4] * x[2] - step) - step;
    y[1] = s[4] * x[2] - s[0] * (g + s[1] * y[0]);  // the new weight: MXNet's, whose weight is its output
  }
};
struct SignSgd { template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const { y[0] = (T(1) - s[0] * s[1]) * x[0] - s[0] * SignOf(x[1]); } };
struct Signum {
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    y[1] = s[4] * x[2] - (T(1) - s[4]) * (s[1] * x[0] + Gradient(x, s));
    y[0] = (T(1) - s[0] * s[5]) * x[0] + s[0] * SignOf(y[1]);
  }
};
struct Adam {
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    T g = DecayedGradient(x, s);
    y[1] = s[4] * x[2] + s[5] * g;
    y[2] = s[6] * x[3] + s[7] * (g * g);
    y[0] = x[0] - s[0] * y[1] / (sqrt(y[2]) + s[8]);
  }
};
struct Rmsprop {
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    T g = DecayedGradient(x, s);
    y[1] = s[5] * (g * g) + s[4] * x[2];
    y[0] = Within(x[0] - s[0] * (g / sqrt(y[1] + s[6])), s[7]);
  }
};
struct RmspropAlex {  // Graves 2013
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    T g = DecayedGradient(x, s);
    y[1] = s[5] * (g * g) + s[4] * x[2];
    y[2] = s[5] * g + s[4] * x[3];
    y[3] = s[8] * x[4] - s[0] * (g / sqrt(y[1] - y[2] * y[2] + s[6]));
    y[0] = Within(x[0] + y[3], s[7]);
  }
};
struct Ftrl {  // McMahan et al. 2013
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    T g = Gradient(x, s);
    y[2] = x[3] + g * g;
    y[1] = x[2] + g - (sqrt(y[2]) - sqrt(x[3])) * x[0] / s[0];
    y[0] = where(abs(y[1]) <= s[4], T(0), (SignOf(y[1]) * s[4] - y[1]) / ((s[5] + sqrt(y[2])) / s[0] + s[1]));
  }
};
struct Ftml {  // Zheng and Kwok 2017; inputs weight, grad, d, v, z
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    T g = DecayedGradient(x, s);
    y[2] = s[6] * x[3] + s[7] * (g * g);
    y[1] = s[0] * (sqrt(y[2] * s[9]) + s[8]);
    y[3] = s[4] * x[4] + s[5] * g - (y[1] - s[4] * x[2]) * x[0];
    y[0] = -y[3] / y[1];
  }
};
struct AdamW {  // Loshchilov and Hutter 2019
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    T g = Gradient(x, s);
    y[1] = s[4] * x[2] + s[5] * g;
    y[2] = s[6] * x[3] + s[7] * (g * g);
    y[0] = x[0] - (s[0] * y[1] / (sqrt(y[2]) + s[8]) + s[1] * x[0]);
  }
};
struct Lamb {  // You et al. 2019: the direction
  template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const {
    T g = Gradient(x, s);
    y[1] = s[4] * x[2] + s[5] * g;
    y[2] = s[6] * x[3] + s[7] * (g * g);
    y[0] = y[1] * s[0] / (sqrt(y[2] * s[9]) + s[8]) + s[1] * x[0];
  }
};
struct LambStep { template <class T> FLX_HD void operator()(const T* x, T* y, const T* s) const { y[0] = x[0] - s[0] * x[1]; } };

template <class List> void ListUpdates(List& list) {
  list.template Add<Sgd, 2, 1>("sgd_update");
  list.template Add<SgdMom, 3, 2>("sgd_mom_update");
  list.template Add<Nag, 3, 2>("nag_mom_update");
  list.template Add<SignSgd, 2, 1>("signsgd_update");
  list.template Add<Signum, 3, 2>("signum_update");
  list.template Add<Adam, 4, 3>("adam_update");
  list.template Add<Rmsprop, 3, 2>("rmsprop_update");
  list.template Add<RmspropAlex, 5, 4>("rmspropalex_update");
  list.template Add<Ftrl, 4, 3>("ftrl_update");
  list.template Add<Ftml, 5, 4>("ftml_update");
  list.template Add<AdamW, 4, 3>("_adamw_update");
  list.template Add<Lamb, 4, 3>("lamb_update_phase1");
  list.template Add<LambStep, 2, 1>("lamb_update_phase2");
}
