// SPDX-License-Identifier: Apache-2.0
// What a server does with bytes: sums and means in rank order, steps of optimizers by slices, the same bits everywhere.
#include "kvstore/reducer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "exec/invoke.h"

namespace flx {
namespace {

using ps::Aggregate;
using ps::Buffer;

template <class T> Buffer Bytes(const std::vector<T>& v, size_t shift = 0) {  // shift: frames lie anywhere
  std::string s(shift, 'x');
  s.append(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(T));
  return Buffer::Own(s).Part(shift, v.size() * sizeof(T));
}
template <class T> std::vector<T> Values(const Buffer& b) {
  std::vector<T> v(b.size() / sizeof(T));
  std::memcpy(v.data(), b.data(), b.size());
  return v;
}
ps::Slice SliceOf(const char* name, DType t, size_t bytes, Aggregate a = Aggregate::kSum, uint64_t offset = 0) {
  auto info = std::make_shared<ps::KeyInfo>();
  info->name = name, info->dtype = int32_t(t), info->item_bytes = uint32_t(DTypeSize(t)), info->bytes = offset + bytes;
  info->meta = KeyMeta(a, {int64_t(bytes) / std::max(1, int(DTypeSize(t)))});
  return {info, 0, offset, bytes};
}
template <class F> Status StatusOf(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.status();
  }
  return Status::kOk;
}
// Numbers of both signs and of many sizes, the same on every machine.
std::vector<float> Wild(int64_t n, uint32_t seed) {
  std::vector<float> v;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    v.push_back(std::ldexp(float(int32_t(seed) >> 8), int(seed >> 28) - 26));
  }
  return v;
}
uint64_t Hash(const void* data, size_t n, uint64_t h = 1469598103934665603u) {  // FNV-1a
  for (size_t i = 0; i < n; ++i) h = (h ^ static_cast<const uint8_t*>(data)[i]) * 1099511628211u;
  return h;
}

TEST(Reducer, SumsInRankOrder) {
  TensorReducer r;
  auto got = r.Reduce(SliceOf("w", DType::kFloat32, 8), {{0, 1, Bytes<float>({1e8f, 1})}, {1, 1, Bytes<float>({-1e8f, 2}, 1)}, {4, 1, Bytes<float>({1, 3}, 3)}}, Aggregate::kSum);
  EXPECT_EQ(Values<float>(got), (std::vector<float>{1, 6}));
  got = r.Reduce(SliceOf("w", DType::kFloat32, 8), {{0, 1, Bytes<float>({1, 3})}, {1, 1, Bytes<float>({1e8f, 2})}, {2, 1, Bytes<float>({-1e8f, 1})}}, Aggregate::kSum);
  EXPECT_EQ(Values<float>(got), (std::vector<float>{0, 6}));
  got = r.Reduce(SliceOf("n", DType::kInt8, 2), {{0, 1, Bytes<int8_t>({100, -3})}, {1, 1, Bytes<int8_t>({-90, -4})}}, Aggregate::kSum);
  EXPECT_EQ(Values<int8_t>(got), (std::vector<int8_t>{10, -7}));
  // More than one tile, against the sums of arrays, which `local` makes.
  auto a = Wild(5000, 1), b = Wild(5000, 2), c = Wild(5000, 3);
  got = r.Reduce(SliceOf("w", DType::kFloat32, 20000), {{0, 1, Bytes(a, 1)}, {1, 1, Bytes(b)}, {2, 1, Bytes(c, 2)}}, Aggregate::kSum);
  for (size_t i = 0; i < a.size(); ++i) a[i] = a[i] + b[i] + c[i];
  EXPECT_EQ(Values<float>(got), a);
}

TEST(Reducer, ShortFloatsAreRoundedOnce) {
  TensorReducer r;
  std::vector<uint16_t> big = {ToHalf(2048).bits}, one = {ToHalf(1).bits};
  auto got = r.Reduce(SliceOf("w", DType::kFloat16, 2), {{0, 1, Bytes(big)}, {1, 1, Bytes(one)}, {2, 1, Bytes(one)}}, Aggregate::kSum);
  EXPECT_EQ(Values<uint16_t>(got)[0], ToHalf(2050).bits);  // in halves, 2048 + 1 is 2048
}

TEST(Reducer, MeansAreWeightedBySamples) {
  TensorReducer r;
  auto mean = [&](std::vector<ps::Contribution> in) { return Values<float>(r.Reduce(SliceOf("w", DType::kFloat32, 4, Aggregate::kMean), in, Aggregate::kSum))[0]; };
  EXPECT_EQ(mean({{0, 3, Bytes<float>({1})}, {1, 1, Bytes<float>({5})}}), 2);
  EXPECT_EQ(mean({{0, 0, Bytes<float>({100})}, {1, 2, Bytes<float>({5})}}), 5);   // no samples, no weight
  EXPECT_EQ(mean({{0, 0, Bytes<float>({1})}, {1, 0, Bytes<float>({5})}}), 3);     // nobody says how many
  EXPECT_EQ(mean({{2, 7, Bytes<float>({4})}}), 4);
  auto third = Values<double>(r.Reduce(SliceOf("w", DType::kFloat64, 8, Aggregate::kMean), {{0, 1, Bytes<double>({1})}, {1, 1, Bytes<double>({0})}, {2, 1, Bytes<double>({0})}}, Aggregate::kSum));
  EXPECT_EQ(third[0], 1.0 / 3);
  EXPECT_EQ(AggregateOf(KeyMeta(Aggregate::kMean, {2, 3})), Aggregate::kMean);
  EXPECT_EQ(AggregateOf(KeyMeta(Aggregate::kSum, {2, 3})), Aggregate::kSum);
}

TEST(Reducer, WhatDoesNotFitIsRefused) {
  TensorReducer r;
  EXPECT_EQ(StatusOf([&] { r.Reduce(SliceOf("w", DType::kFloat32, 8), {{0, 1, Bytes<float>({1})}}, Aggregate::kSum); }), Status::kShape);
  EXPECT_EQ(StatusOf([&] { r.Reduce(SliceOf("w", DType(99), 8), {}, Aggregate::kSum); }), Status::kType);
  EXPECT_EQ(StatusOf([&] { r.Reduce(SliceOf("w", DType::kBool, 1), {{0, 1, Bytes<char>({1})}, {1, 1, Bytes<char>({1})}}, Aggregate::kSum); }), Status::kUnsupported);
  EXPECT_EQ(StatusOf([&] { r.Configure("optimizer", "9:optimizer3:SG"); }), Status::kFormat);
  EXPECT_EQ(StatusOf([&] { r.Configure("optimizer", ""); }), Status::kFormat);
  EXPECT_EQ(StatusOf([&] { r.Configure("setting", PackState({{{"learning_rate", "1"}}, {}})); }), Status::kState);
  EXPECT_EQ(StatusOf([&] { r.Configure("colour", "red"); }), Status::kName);
  std::string whole = PackState(Optimizer::New("Adam", {})->Save());
  EXPECT_EQ(UnpackState(whole).text, Optimizer::New("Adam", {})->Save().text);
  int refused = 0;
  for (size_t n = 0; n < whole.size(); ++n) refused += StatusOf([&] { r.Configure("optimizer", whole.substr(0, n)); }) != Status::kOk;
  EXPECT_GT(refused, int(whole.size()) * 9 / 10);  // the rest are whole texts with fewer settings
  // States of others' making.
  r.Configure("optimizer", whole);
  auto slice = SliceOf("w", DType::kFloat32, 8);
  auto value = Bytes<float>({1, 2}), grad = Bytes<float>({1, 1});
  auto good = r.Apply(slice, {value, {}}, grad);
  for (size_t n = 1; n < good.state.size(); ++n) EXPECT_EQ(StatusOf([&] { r.Apply(slice, {value, good.state.Part(0, n)}, grad); }), Status::kFormat) << n;
  auto other = r.Apply(SliceOf("w", DType::kFloat32, 4), {Bytes<float>({1}), {}}, Bytes<float>({1}));
  EXPECT_EQ(StatusOf([&] { r.Apply(slice, {value, other.state}, grad); }), Status::kShape);
  EXPECT_EQ(StatusOf([&] { r.Apply(slice, {value, {}}, Bytes<float>({1})); }), Status::kShape);
}

// The hash is of the weights of all rules after three steps. It stands here, so that a machine or compiler that computes other bits is found.
TEST(Reducer, SlicesAreSteppedAsWholeArraysByEveryOptimizer) {
  const int64_t n = 3000, cut = 1237;
  uint64_t hash = Hash("", 0);
  for (auto& def : Optimizers().all()) {
    SCOPED_TRACE(def.name);
    auto optimizer = Optimizer::New(def.name, {{"learning_rate", "0.05"}, {"wd", "0.01"}, {"clip_gradient", "3"}});
    optimizer->SetSchedule(Schedule::New("Factor", {{"step", "2"}, {"factor", "0.5"}}));
    optimizer->Set("w.lr_mult", "0.7");
    TensorReducer r;
    r.Configure("optimizer", PackState(optimizer->Save()));
    auto start = Wild(n, 7);
    NDArray whole = Array::NewFrom(start.data(), {n}, DType::kFloat32);
    std::vector<ps::Stored> parts = {{Bytes(std::vector<float>(start.begin(), start.begin() + cut)), {}}, {Bytes(std::vector<float>(start.begin() + cut, start.end())), {}}};
    for (uint32_t step = 1; step <= 3; ++step) {
      auto g = Wild(n, 100 + step);
      optimizer->Update("w", whole, Array::NewFrom(g.data(), {n}, DType::kFloat32));
      parts[0] = r.Apply(SliceOf("w", DType::kFloat32, cut * 4), parts[0], Bytes(std::vector<float>(g.begin(), g.begin() + cut), step));
      parts[1] = r.Apply(SliceOf("w", DType::kFloat32, (n - cut) * 4, Aggregate::kSum, cut * 4), parts[1], Bytes(std::vector<float>(g.begin() + cut, g.end())));
    }
    std::vector<float> want(n), got = Values<float>(parts[0].value), rest = Values<float>(parts[1].value);
    ReadArray(*whole, want.data(), n * 4, DType::kFloat32, false);
    got.insert(got.end(), rest.begin(), rest.end());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), size_t(n) * 4), 0);
    hash = Hash(got.data(), size_t(n) * 4, hash);
  }
  EXPECT_EQ(hash, 17325700837879873465u);
}

TEST(Reducer, NarrowWeightsKeepAMaster) {
  auto optimizer = Optimizer::New("SGD", {{"learning_rate", "0.001"}, {"momentum", "0.9"}, {"multi_precision", "True"}});
  TensorReducer r;
  r.Configure("optimizer", PackState(optimizer->Save()));
  std::vector<uint16_t> start = {ToHalf(1).bits, ToHalf(-2).bits}, g = {ToHalf(0.25f).bits, ToHalf(0.125f).bits};
  NDArray whole = Array::NewFrom(start.data(), {2}, DType::kFloat16), grad = Array::NewFrom(g.data(), {2}, DType::kFloat16);
  ps::Stored part{Bytes(start), {}};
  for (int i = 0; i < 20; ++i) optimizer->Update("w", whole, grad), part = r.Apply(SliceOf("w", DType::kFloat16, 4), part, Bytes(g));
  std::vector<uint16_t> want(2);
  ReadArray(*whole, want.data(), 4, DType::kFloat16, false);
  EXPECT_EQ(Values<uint16_t>(part.value), want);
  EXPECT_NE(want, start);
}

TEST(Reducer, SettingsChangeBetweenSteps) {
  TensorReducer r;
  auto slice = SliceOf("w", DType::kFloat32, 4);
  auto grad = Bytes<float>({1});
  EXPECT_EQ(Values<float>(r.Apply(slice, {Bytes<float>({8}), {}}, grad).value), (std::vector<float>{1}));  // no optimizer: what was pushed
  r.Configure("optimizer", PackState(Optimizer::New("SGD", {{"learning_rate", "1"}})->Save()));
  auto s = r.Apply(slice, {Bytes<float>({8}), {}}, grad);
  r.Configure("setting", PackState({{{"learning_rate", "2"}}, {}}));
  s = r.Apply(slice, s, grad);
  EXPECT_EQ(Values<float>(s.value), (std::vector<float>{5}));
}

TEST(Reducer, SlicesAtOnceWhileSettingsChange) {
  TensorReducer r;
  r.Configure("optimizer", PackState(Optimizer::New("Adam", {{"learning_rate", "0.1"}})->Save()));
  std::vector<std::thread> threads;
  std::vector<ps::Stored> parts(3);
  for (size_t t = 0; t < parts.size(); ++t) {
    parts[t].value = Bytes(std::vector<float>(64, 1));
    threads.emplace_back([&, t] {
      for (int i = 0; i < 30; ++i) parts[t] = r.Apply(SliceOf("w", DType::kFloat32, 256), parts[t], Bytes(std::vector<float>(64, 1)));
    });
  }
  for (int i = 0; i < 30; ++i) r.Configure("setting", PackState({{{"wd", "0"}}, {}}));
  for (auto& t : threads) t.join();
  EXPECT_EQ(parts[0].value, parts[1].value);
  EXPECT_EQ(parts[0].value, parts[2].value);
}

}  // namespace
}  // namespace flx
