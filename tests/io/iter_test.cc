// SPDX-License-Identifier: Apache-2.0
// ArrayIter, the shuffle, and what holds for all registered iterators.
#include "io/iter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "../interop/hostile.h"

namespace flx {
namespace {


NDArray Range(const Shape& s, DType t = DType::kFloat32) {
  std::vector<double> v(size_t(s.size()));
  std::iota(v.begin(), v.end(), 0);
  return FromHost(v.data(), int64_t(v.size()) * 8, DType::kFloat64, false, s, t);
}
std::vector<double> Values(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
// The labels of an epoch's rows, without filling; the data of row r is 3 r, 3 r + 1, 3 r + 2.
std::vector<double> Epoch(Iter& it) {
  std::vector<double> all;
  while (it.Next()) {
    auto x = Values(it.arrays()[0]), y = Values(it.arrays()[1]);
    EXPECT_EQ(x.size(), 3 * y.size());
    for (size_t i = 0; i < y.size(); ++i)
      for (size_t j = 0; j < 3; ++j) EXPECT_EQ(x[3 * i + j], 3 * y[i] + double(j));
    all.insert(all.end(), y.begin(), y.end() - it.pad());
  }
  EXPECT_TRUE(it.arrays().empty());
  EXPECT_FALSE(it.Next());
  return all;
}
Ref<Iter> Make(Settings s, int64_t n = 10) { return CreateIter("ArrayIter", s, {Range({n, 3}), Range({n}, DType::kInt32)}); }
std::vector<double> Counting(int64_t n) {
  std::vector<double> v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

TEST(ArrayIter, LastBatch) {
  auto keep = Make({{"batch_size", "4"}});
  EXPECT_EQ(keep->names(), (std::vector<std::string>{"data", "label"}));
  EXPECT_EQ(Epoch(*keep), Counting(10));
  EXPECT_EQ(keep->size(), 10);
  auto drop = Make({{"batch_size", "4"}, {"last", "drop"}});
  EXPECT_EQ(Epoch(*drop), Counting(8));
  EXPECT_EQ(drop->size(), 8);
  auto pad = Make({{"batch_size", "4"}, {"last", "pad"}});
  EXPECT_EQ(Epoch(*pad), Counting(10));
  EXPECT_EQ(pad->size(), 10);
  pad->Reset();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pad->Next());
  EXPECT_EQ(pad->pad(), 2);
  EXPECT_EQ(Values(pad->arrays()[1]), (std::vector<double>{8, 9, 0, 1}));
  auto more = Make({{"batch_size", "5"}, {"last", "pad"}}, 2);
  ASSERT_TRUE(more->Next());
  EXPECT_EQ(Values(more->arrays()[1]), (std::vector<double>{0, 1, 0, 1, 0}));
  EXPECT_EQ(more->pad(), 3);
  for (auto* last : {"keep", "drop", "pad"}) EXPECT_FALSE(Make({{"last", last}}, 0)->Next());
}

TEST(ArrayIter, ShufflesBySeedAndEpochOnly) {
  Settings s = {{"batch_size", "7"}, {"shuffle", "True"}, {"seed", "3"}};
  auto a = Make(s, 100), b = Make(s, 100);
  auto first = Epoch(*a);
  EXPECT_EQ(a->epoch(), 0);
  a->Reset();
  EXPECT_EQ(a->epoch(), 1);
  auto second = Epoch(*a);
  EXPECT_NE(first, second);
  EXPECT_NE(first, Counting(100));
  b->Reset(), b->Reset();  // nothing was read: still the first epoch
  EXPECT_EQ(b->epoch(), 0);
  b->Next(), b->Reset();
  EXPECT_EQ(Epoch(*b), second);
  b->SetEpoch(0);
  EXPECT_EQ(Epoch(*b), first);
  s[2].second = "4";
  EXPECT_NE(Epoch(*Make(s, 100)), first);
  std::sort(first.begin(), first.end());
  EXPECT_EQ(first, Counting(100));
}

TEST(ArrayIter, PartsShareNoRow) {
  for (auto* shuffle : {"0", "1"}) {
    std::vector<double> all;
    for (int p = 0; p < 3; ++p) {
      auto it = Make({{"batch_size", "4"}, {"shuffle", shuffle}, {"part", Text(p)}, {"parts", "3"}});
      auto rows = Epoch(*it);
      EXPECT_EQ(int64_t(rows.size()), it->size());
      EXPECT_GE(rows.size(), 3u);
      EXPECT_LE(rows.size(), 4u);
      all.insert(all.end(), rows.begin(), rows.end());
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, Counting(10));
  }
  // every part has work even where there are fewer rows than parts, or none, without reading outside
  for (int p = 0; p < 4; ++p) Make({{"part", Text(p)}, {"parts", "4"}, {"last", "pad"}}, 2)->Next();
}

TEST(ArrayIter, ViewsAndOtherTypes) {
  auto base = Range({3, 4}, DType::kInt64);
  auto columns = Array::NewView(base, {4, 3}, {1, 4}, 0), odd = Array::NewView(base, {2, 4}, {4, 1}, 4 * 8);
  auto it = CreateIter("ArrayIter", {{"batch_size", "2"}, {"last", "drop"}}, {columns}, {"x"});
  ASSERT_TRUE(it->Next());
  EXPECT_EQ(it->arrays()[0]->dtype, DType::kInt64);
  EXPECT_EQ(Values(it->arrays()[0]), (std::vector<double>{0, 4, 8, 1, 5, 9}));
  auto offset = CreateIter("ArrayIter", {{"batch_size", "2"}}, {odd, odd}, {"x", "y"});
  ASSERT_TRUE(offset->Next());
  EXPECT_EQ(Values(offset->arrays()[1]), (std::vector<double>{4, 5, 6, 7, 8, 9, 10, 11}));
  auto nothing = CreateIter("ArrayIter", {{"batch_size", "2"}}, {Range({3, 0})});
  ASSERT_TRUE(nothing->Next());
  EXPECT_EQ(nothing->arrays()[0]->shape, (Shape{2, 0}));
}

TEST(ArrayIter, BatchesAreTheirOwn) {
  auto data = Range({4, 3});
  auto it = CreateIter("ArrayIter", {{"batch_size", "2"}}, {data});
  ASSERT_TRUE(it->Next());
  NDArray kept = it->arrays()[0];
  float v[6] = {9, 9, 9, 9, 9, 9};
  WriteArray(kept, v, sizeof v, DType::kFloat32, false);
  ASSERT_TRUE(it->Next());
  EXPECT_EQ(Values(kept)[0], 9);
  EXPECT_EQ(Values(data), Counting(12));
}

// What is still being written is read behind the write; what failed gives its error.
struct SlowWrite final : Operation {
  NDArray a;
  std::atomic<bool>* go = nullptr;
  bool fails = false;
  void Execute() override {
    while (!go->load()) {}
    if (fails) Fail(Status::kMemory, "write", "made to fail.");
    FillStrided(a->View(), 5);
  }
};
TEST(ArrayIter, WaitsInTheEngineNotInTheCaller) {
  for (bool fails : {false, true}) {
    std::atomic<bool> go{false};
    auto data = Range({4, 3});
    auto op = std::make_unique<SlowWrite>();
    op->a = data, op->go = &go, op->fails = fails, op->lane = Lane::kCopy;
    VarUse use{&data->storage->var, Access::kWrite};
    data->storage->var.BumpVersion();
    Engine::Get().Push(op.release(), &use, 1);
    auto it = CreateIter("ArrayIter", {{"batch_size", "2"}}, {data});
    ASSERT_TRUE(it->Next());  // before the data is there
    NDArray batch = it->arrays()[0];
    go = true;
    if (!fails) {
      EXPECT_EQ(Values(batch), std::vector<double>(6, 5.0));
      continue;
    }
    EXPECT_EQ(ErrorOf([&] { Values(batch); }).status(), Status::kMemory);
    Engine::Get().WaitAll(-1);
    EXPECT_EQ(ErrorOf([&] { it->Next(); Values(it->arrays()[0]); }).status(), Status::kMemory);
  }
}

TEST(ArrayIter, LargeBatchesAreRight) {
  auto data = Range({300, 10000}), label = Range({300});
  auto it = CreateIter("ArrayIter", {{"batch_size", "299"}, {"shuffle", "1"}}, {data, label});
  ASSERT_TRUE(it->Next());
  auto x = Values(it->arrays()[0]), y = Values(it->arrays()[1]), all = Values(data);
  for (size_t i = 0; i < 299; ++i)
    for (size_t j = 0; j < 10000; j += 1111) ASSERT_EQ(x[i * 10000 + j], all[size_t(y[i]) * 10000 + j]);
}

TEST(ArrayIter, Refuses) {
  auto a = Range({4, 3}), b = Range({5});
  auto fails = [](Status status, Settings s, std::vector<NDArray> arrays, std::vector<std::string> names = {}) {
    Error e = ErrorOf([&] { CreateIter("ArrayIter", s, arrays, names); });
    EXPECT_EQ(e.status(), status) << e.message();
  };
  fails(Status::kShape, {}, {a, b});
  fails(Status::kShape, {}, {Range({})});
  fails(Status::kArgument, {}, {});
  fails(Status::kArgument, {}, {nullptr});
  fails(Status::kArgument, {}, {a, a, a});
  fails(Status::kArgument, {}, {a, a}, {"x"});
  fails(Status::kArgument, {}, {a, a}, {"x", "x"});
  fails(Status::kArgument, {{"batch_size", "0"}}, {a});
  fails(Status::kArgument, {{"part", "2"}, {"parts", "2"}}, {a});
  fails(Status::kArgument, {{"last", "roll"}}, {a});
  fails(Status::kName, {{"batchsize", "2"}}, {a});
  EXPECT_NE(ErrorOf([] { CreateIter("CSVITR", {}); }).message().find("Did you mean `CSVIter`"), std::string::npos);
  EXPECT_EQ(ErrorOf([&] { CreateIter("CSVIter", {{"data_csv", "x"}, {"data_shape", "1"}}, {a}); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { Make({})->SetEpoch(-1); }).status(), Status::kArgument);
}

TEST(Permutation, IsFixedAndFair) {
  // Pinned: whoever repeats a run depends on them.
  EXPECT_EQ(Permutation(8, 0, 0), (std::vector<int64_t>{4, 3, 0, 7, 6, 1, 2, 5}));
  EXPECT_EQ(Permutation(8, 5, 2), (std::vector<int64_t>{4, 7, 0, 1, 6, 5, 3, 2}));
  EXPECT_TRUE(Permutation(0, 1, 1).empty());
  EXPECT_EQ(Permutation(1, 1, 1), std::vector<int64_t>{0});
  // each of 6 elements is at each of 6 places in a sixth of 24,000 shuffles: 4000, with a deviation of 58
  std::vector<int> count(36);
  for (int e = 0; e < 24000; ++e) {
    auto p = Permutation(6, 11, e);
    for (size_t i = 0; i < 6; ++i) ++count[i * 6 + size_t(p[i])];
  }
  for (int c : count) EXPECT_NEAR(c, 4000, 350);
}

TEST(Iters, AreDescribed) {
  for (auto& d : Iters().all()) {
    SCOPED_TRACE(d.name);
    EXPECT_GT(std::string(d.doc).size(), 60u);
    EXPECT_FALSE(std::string(d.example).empty());
    for (auto& f : d.schema.fields()) EXPECT_GT(std::string(f.doc).size(), 10u) << f.name;
    EXPECT_TRUE(d.create);
  }
  EXPECT_EQ(Iters().all().size(), 3u);
}

}  // namespace
}  // namespace flx
