// SPDX-License-Identifier: Apache-2.0
// Small networks and data for the fit's tests.
#pragma once
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "fit/task.h"

namespace flx::fit_tests {

// Points of three classes on spirals: (n, 2) float32 and labels int64.
struct Data { std::vector<float> x; std::vector<int64_t> y; int64_t n = 0; };
inline Data Spirals(int64_t n, uint64_t seed) {
  Data d;
  d.n = n;
  Philox random({seed, 7});
  for (int64_t i = 0; i < n; ++i) {
    uint32_t u[4];
    double noise[2];
    random(uint64_t(i), 0, u);
    ToNormal(u, noise);
    double t = double(i % 100) / 100, angle = 1.5 * t + 2.0943951 * double(i % 3) + 0.1 * noise[0];
    d.x.push_back(float(t * std::sin(angle))), d.x.push_back(float(t * std::cos(angle)));
    d.y.push_back(i % 3);
  }
  return d;
}
inline NDArray XOf(const Data& d) { return FromHost(d.x.data(), int64_t(d.x.size() * 4), DType::kFloat32, false, {d.n, 2}, DType::kFloat32); }
inline NDArray YOf(const Data& d) { return FromHost(d.y.data(), int64_t(d.y.size() * 8), DType::kInt64, false, {d.n}, DType::kInt64); }
inline Ref<Iter> IterOf(const Data& d, const Settings& settings) { return CreateIter("ArrayIter", settings, {XOf(d), YOf(d)}, {"data", "label"}); }

inline Ref<Layer> Mlp(bool noisy = true) {
  auto net = Layer::New("Sequential");
  net->Add(Layer::New("Dense", {{"units", "16"}, {"activation", "tanh"}}));
  if (noisy) net->Add(Layer::New("BatchNorm")), net->Add(Layer::New("Dropout", {{"rate", "0.1"}}));
  net->Add(Layer::New("Dense", {{"units", "3"}}));
  return net;
}
inline Ref<Layer> CrossEntropy() { return Layer::New("SoftmaxCrossEntropyLoss"); }

// Runs to the end; the events that were seen, but kPending.
inline std::vector<Event> Drive(Task& task, int64_t timeout_ms = -1) {
  std::vector<Event> seen;
  for (;;) {
    Event e = task.Next(timeout_ms);
    if (e != Event::kPending) seen.push_back(e);
    if (e == Event::kDone) return seen;
  }
}
inline std::vector<double> Read(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
// All parameters' bits.
inline std::string Bits(const Params& params) {
  std::string all;
  for (auto& p : params.all()) {
    std::string s(size_t(p.array->bytes()), '\0');
    ReadArray(*p.array, s.data(), int64_t(s.size()), p.array->dtype, false);
    all += p.name + ":" + s;
  }
  return all;
}
// A path in this process's own folder, which is made and emptied by the first call.
std::string TempPath(const std::string& name);

}  // namespace flx::fit_tests
