// SPDX-License-Identifier: Apache-2.0
// What the tests of train share.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "../base/failing.h"
#include "base/error.h"
#include "exec/invoke.h"
#include "train/all.h"

namespace flx {

inline bool Has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

using Arrays = std::vector<NDArray>;

inline NDArray Random(const Shape& s, DType t = DType::kFloat64) { return Invoke1("_random_uniform", {}, {{"shape", Text(s)}, {"low", "-1"}, {"high", "1"}, {"dtype", DTypeName(t)}}); }
inline std::vector<double> Read(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  if (!v.empty()) ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
inline void Near(const NDArray& a, const NDArray& b, double tolerance = 1e-12) {
  ASSERT_EQ(a->shape, b->shape);
  auto x = Read(a), y = Read(b);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance) << "element " << i;
}
inline Arrays Forward(const Layer& layer, const Params& params, const Arrays& x, int mode = kPlain) {
  EagerBuilder b(mode);
  ParamReader reader(params);
  std::vector<Val> in;
  for (auto& a : x) in.push_back(b.Add(a));
  Arrays y;
  for (Val v : LayerContext(b, reader).Run(layer, in)) y.push_back(b.array(v));
  return y;
}
inline Ref<Layer> Of(const char* kind, const Settings& s, const std::vector<Ref<Layer>>& children = {}) {
  auto layer = Layer::New(kind, s);
  for (auto& c : children) layer->Add(c);
  return layer;
}

}  // namespace flx
