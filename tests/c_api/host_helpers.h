// SPDX-License-Identifier: Apache-2.0
// A host in the tests of host code: functions by token, and a loop that answers for a task.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"

namespace host_tests {
using namespace flexor;

using Arrays = std::vector<NDArray>;
using Function = std::function<Arrays(const std::string& what, const Arrays& in)>;

inline std::string text(const Task& t, const char* field) {
  char* s = nullptr;
  check(flx_task_text(t.handle(), field, &s));
  return detail::take_text(s);
}
inline int64_t token(const Task& t) {
  int64_t v = 0;
  check(flx_task_token(t.handle(), &v));
  return v;
}
inline void reply(const Task& t, const Arrays& arrays) {
  auto raw = detail::raw_arrays(arrays);
  check(flx_task_reply(t.handle(), raw.data(), static_cast<int32_t>(raw.size())));
}
struct Host {
  std::map<int64_t, Function> functions;
  std::map<std::string, int> asked;       // how often, by what
  std::vector<std::string> labels;
  // To the end; each FLX_EPOCH is counted.
  int drive(Task& t, int64_t timeout_ms = -1) {
    int epochs = 0;
    for (;;) {
      Event e = t.next(timeout_ms);
      if (e == Event::done) return epochs;
      if (e == Event::epoch) ++epochs;
      if (e == Event::host) answer(t);
    }
  }
  void answer(Task& t) {
    std::string what = text(t, "host");
    ++asked[what];
    labels.push_back(text(t, "label"));
    reply(t, functions.at(token(t))(what, t.arrays()));
  }
};

inline Options host_attrs(int64_t token, const std::string& label) { return {{"token", token}, {"label", label}}; }
inline Layer symbol_layer(const Symbol& s) {
  const char* names[] = {"data"};
  flx_layer l = nullptr;
  check(flx_layer_from_symbol(s.handle(), nullptr, names, 1, &l));
  return Layer::adopt(l);
}
// A layer that is one host function.
inline Layer host_layer(int64_t token, const std::string& label, const std::string& shapes = "") {
  Options o = host_attrs(token, label);
  o.set("shapes", shapes);
  return symbol_layer(compose("_host", {variable("data")}, o, label));
}
inline Iter host_iter(int64_t token, const std::vector<std::string>& names, const Options& settings = {}) {
  auto n = detail::raw_names(names);
  detail::RawOptions o(settings);
  flx_iter it = nullptr;
  check(flx_iter_from_host(token, n.data(), static_cast<int32_t>(n.size()), o.keys(), o.values(), o.size(), &it));
  struct Adopted : Iter { explicit Adopted(flx_iter h) { detail::Shared<flx_iter>::reset(h); } };
  return Adopted(it);
}

// Three classes of points in a plane.
struct Points { std::vector<float> x; std::vector<int64_t> y; };
inline Points points(int64_t n, uint32_t seed) {
  Points p;
  uint32_t s = seed;
  auto next = [&] { return s = s * 1664525u + 1013904223u, float(s >> 8) / float(1 << 24) - 0.5f; };
  for (int64_t i = 0; i < n; ++i) {
    float angle = 2.0943951f * float(i % 3) + next();
    p.x.push_back(std::cos(angle) + next()), p.x.push_back(std::sin(angle) + next());
    p.y.push_back(i % 3);
  }
  return p;
}
inline NDArray x_of(const Points& p) { return NDArray(p.x, Shape{int64_t(p.y.size()), 2}); }
inline NDArray y_of(const Points& p) { return NDArray(p.y, Shape{int64_t(p.y.size())}); }
inline Iter array_iter(const Points& p, int64_t batch) { return Iter::from_arrays({x_of(p), y_of(p)}, {"data", "label"}, {{"batch_size", batch}}); }
// All parameters' bits, by name.
inline std::map<std::string, std::vector<float>> bits(const Model& m) {
  std::map<std::string, std::vector<float>> all;
  Params p = m.params();
  for (auto& name : p.names()) all[name] = p.get(name).to_vector<float>();
  return all;
}
inline std::vector<std::vector<float>> values(const std::map<std::string, std::vector<float>>& named) {
  std::vector<std::vector<float>> v;
  for (auto& n : named) v.push_back(n.second);
  return v;
}
// The error's status, and its message in *message.
template <class F> flx_status failure(F f, std::string* message = nullptr) {
  try {
    f();
  } catch (const Error& e) {
    if (message) *message = e.what();
    return e.status();
  }
  return FLX_OK;
}
inline void drain_tokens() {
  int64_t t = 0;
  do check(flx_token_next(&t));
  while (t >= 0);
}
}  // namespace host_tests
