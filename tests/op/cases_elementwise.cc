// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "cases.h"

namespace flx::cases {

void AddElementwiseCases(std::vector<Case>* c) {
  const double inf = INFINITY, nan = NAN;
  // unary: what (0.3, 0.9) does not suit
  c->push_back({"arccosh", {Uniform({2, 3}, 1.3, 3)}, {}});
  c->push_back({"clip", {Values({-2, -0.5, 0.2, 0.9, 3})}, {{"a_min", "-1"}, {"a_max", "1"}}});
  for (const char* op : {"abs", "relu", "sign", "square", "sigmoid", "tanh", "softsign", "erf", "sin", "cos", "arctan", "arcsinh", "sinh", "exp", "expm1", "cbrt", "negative"}) {
    c->push_back({op, {Uniform({2, 3}, -2, 2)}, {}});
    c->push_back(Case{op, {Uniform({0, 3}, 0, 1)}, {}}.name("empty"));
    c->push_back(Case{op, {Uniform({}, -2, 2)}, {}}.name("zero_dim"));
  }
  c->push_back({"hard_sigmoid", {Values({-4, -1, 0.5, 2, 4})}, {}});
  for (const char* op : {"sigmoid", "tanh", "softsign", "erf", "exp", "relu"})
    c->push_back(Case{op, {Values({-400, -30, 0.25, 30, 400})}, {}}.name("extreme").NoGradient().Tolerance(5).NoFloat32());
  for (const char* op : {"sigmoid", "tanh", "relu", "exp", "abs", "square", "negative"}) c->push_back(Case{op, {Values({inf, -inf, nan, 1})}, {}}.name("not_finite").NoGradient());
  c->push_back({"sqrt", {Uniform({2, 3, 70}, 0.3, 4)}, {}});  // longer than one vector register
  c->push_back({"log", {Uniform({2, 3}, 0.1, 9)}, {}});
  c->push_back({"gamma", {Uniform({2, 3}, 0.6, 3.5)}, {}});
  c->push_back({"gammaln", {Uniform({2, 3}, 0.6, 3.5)}, {}});
  // binary: shapes that broadcast, each way
  for (const char* op : {"broadcast_add", "broadcast_sub", "broadcast_mul", "broadcast_div", "broadcast_mod", "broadcast_power", "broadcast_maximum", "broadcast_minimum", "broadcast_hypot"}) {
    c->push_back({op, {Uniform({2, 3, 1}, 0.3, 3), Uniform({1, 3, 4}, 0.3, 2)}, {}});
    c->push_back({op, {Uniform({4}, 1, 3), Uniform({2, 3, 4}, 0.3, 0.9)}, {}});
    c->push_back(Case{op, {Uniform({}, 1, 3), Uniform({2, 2}, 0.3, 0.9)}, {}}.name("zero_dim"));
    c->push_back(Case{op, {Uniform({0, 3}, 1, 3), Uniform({1, 3}, 0.3, 0.9)}, {}}.name("empty"));
  }
  for (const char* op : {"broadcast_equal", "broadcast_not_equal", "broadcast_greater", "broadcast_greater_equal", "broadcast_lesser", "broadcast_lesser_equal", "broadcast_logical_and",
                         "broadcast_logical_or", "broadcast_logical_xor"}) {
    c->push_back({op, {Constant(Values({2, 3, 1}, {0, 1, 2, 0, 3, 4})), Constant(Values({1, 3, 2}, {0, 1, 2, 0, 3, 3}))}, {}});
    c->push_back(Case{op, {Uniform({2, 3, 1}, -1, 1), Uniform({1, 3, 4}, -1, 1)}, {}}.name("no_ties"));
  }
  for (const char* op : {"elemwise_add", "elemwise_sub", "elemwise_mul", "elemwise_div"}) c->push_back({op, {Uniform({5, 41}, -2, 2), Uniform({5, 41}, 0.4, 2)}, {}});
  // with a number
  for (const char* op : {"_plus_scalar", "_minus_scalar", "_rminus_scalar", "_mul_scalar", "_div_scalar", "_rdiv_scalar", "_mod_scalar", "_rmod_scalar", "_power_scalar", "_rpower_scalar",
                         "_maximum_scalar", "_minimum_scalar", "_hypot_scalar"}) {
    c->push_back({op, {Uniform({2, 3}, 0.3, 3)}, {{"scalar", "1.7"}}});
    c->push_back(Case{op, {Uniform({0}, 0, 1)}, {{"scalar", "1.7"}}}.name("empty"));
  }
  c->push_back(Case{"_power_scalar", {Values({-2, -0.5, 1, 3})}, {{"scalar", "3"}}}.name("negative_base"));
  c->push_back({"smooth_l1", {Values({-3, -0.5, 0.2, 0.9, 3})}, {{"scalar", "1"}}});
  c->push_back({"where", {Constant(Values({2, 3}, {1, 0, 0, 2, 0, -1})), Uniform({2, 3}, -2, 2), Uniform({2, 3}, -2, 2)}, {}});
  c->push_back(Case{"where", {Constant(Values({2}, {1, 0})), Uniform({2, 3}, -2, 2), Uniform({2, 3}, -2, 2)}, {}}.name("rows"));
  c->push_back(Case{"where", {Integers({2, 2}, {1, 0, 0, 1}, DType::kInt32), Values({2, 2}, {1, nan, nan, 2}), Values({2, 2}, {nan, 3, 4, nan})}, {}}.name("nan_not_taken").NoGradient());
  c->push_back({"Cast", {Uniform({2, 3}, -3, 3)}, {{"dtype", "float64"}}});
  c->push_back(Case{"Cast", {Integers({2, 3}, {-3, 0, 1, 2, 100, 7}, DType::kInt8)}, {{"dtype", "float64"}}}.name("from_int8"));
  c->push_back(Case{"Cast", {Constant(Values({-3.7, 0, 2.5, 7}))}, {{"dtype", "int32"}}}.name("to_int32"));
  c->push_back({"amp_cast", {Uniform({2, 3}, -3, 3)}, {{"dtype", "float64"}}});
  c->push_back(Case{"BlockGrad", {Uniform({2, 3}, -2, 2)}, {}}.NoGradient());  // its gradient is not its derivative: that is its purpose
  c->push_back({"add_n", {Uniform({2, 3}, -2, 2), Uniform({2, 3}, -2, 2), Uniform({2, 3}, -2, 2)}, {{"num_args", "3"}}});
}

}  // namespace flx::cases
