// SPDX-License-Identifier: Apache-2.0
#include "exec/invoke.h"

#include "helpers.h"

#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

#include "base/config.h"
#include "exec/autograd.h"
#include "exec/core.h"
#include "storage/pool.h"

namespace flx {
namespace {

struct EngineMode {
  explicit EngineMode(const char* m) : old(GetOption("FLEXOR_ENGINE")) { SetOption("FLEXOR_ENGINE", m); }
  ~EngineMode() {
    Engine::Get().WaitAll(-1);
    SetOption("FLEXOR_ENGINE", old);
  }
  std::string old;
};

TEST(Invoke, ErrorsNameOperatorArgumentAndNearestName) {
  auto a = Of({1, 2}), b = Of({1, 2, 3});
  EXPECT_NE(MessageOf([&] { Invoke1("elemwise_ad", {a, a}); }, Status::kName).find("`elemwise_add`"), std::string::npos);
  EXPECT_NE(MessageOf([&] { Invoke1("elemwise_add", {a, b}); }, Status::kShape).find("[elemwise_add]"), std::string::npos);
  EXPECT_NE(MessageOf([&] { Invoke1("elemwise_add", {a}); }, Status::kArgument).find("lhs, rhs"), std::string::npos);
  EXPECT_NE(MessageOf([&] { Invoke1("clip", {a}, {{"amin", "0"}, {"a_max", "1"}}); }, Status::kName).find("`a_min`"), std::string::npos);
  EXPECT_NE(MessageOf([&] { Invoke1("clip", {a}, {{"a_min", "low"}, {"a_max", "1"}}); }, Status::kArgument).find("`low`"), std::string::npos);
  MessageOf([&] { Invoke1("elemwise_add", {a, Of({1, 2}, {}, DType::kInt32)}); }, Status::kType);
}
TEST(Invoke, IntoTargetsAndInputs) {
  auto a = Of({1, 2, 3}), t = Of({0, 0, 0});
  Array *in[2] = {a.get(), a.get()}, *to = t.get();
  auto add = Call::New("elemwise_add");
  InvokeInto(*add, kPlain, in, 2, nullptr, 0, &to, 1);
  EXPECT_EQ(Read(t), (std::vector<double>{2, 4, 6}));
  to = a.get();
  InvokeInto(*add, kPlain, in, 2, nullptr, 0, &to, 1);
  EXPECT_EQ(Read(a), (std::vector<double>{2, 4, 6}));
  auto small = Of({0, 0});
  to = small.get();
  MessageOf([&] { InvokeInto(*add, kPlain, in, 2, nullptr, 0, &to, 1); }, Status::kShape);
}
TEST(Invoke, OverlappingTargetGoesThroughACopy) {
  auto a = Of({1, 2, 3, 4, 5});
  auto head = Array::NewView(a, {4}, {1}, 0), tail = Array::NewView(a, {4}, {1}, 8);
  Array *in[2] = {head.get(), head.get()}, *to = tail.get();
  InvokeInto(*Call::New("elemwise_add"), kPlain, in, 2, nullptr, 0, &to, 1);
  EXPECT_EQ(Read(a), (std::vector<double>{1, 2, 4, 6, 8}));
}
TEST(Invoke, StridedTargetsAndInputs) {
  auto a = Of({1, 2, 3, 4, 5, 6}, {2, 3});
  auto t = Array::NewView(a, {3, 2}, {1, 3}, 0);
  EXPECT_EQ(Read(Invoke1("negative", {t})), (std::vector<double>{-1, -4, -2, -5, -3, -6}));
  auto z = Of({0, 0, 0, 0, 0, 0}, {2, 3});
  auto zt = Array::NewView(z, {3, 2}, {1, 3}, 0);
  Array *in = t.get(), *to = zt.get();
  InvokeInto(*Call::New("square"), kPlain, &in, 1, nullptr, 0, &to, 1);
  EXPECT_EQ(Read(z), (std::vector<double>{1, 4, 9, 16, 25, 36}));
}
TEST(Invoke, ViewsShareMemory) {
  auto a = Of({1, 2, 3, 4}, {2, 2});
  auto t = Invoke1("transpose", {a});
  EXPECT_EQ(t->storage.get(), a->storage.get());
  EXPECT_EQ(Read(t), (std::vector<double>{1, 3, 2, 4}));
}
TEST(Invoke, RuntimeAttributesTravelWithTheCall) {
  auto call = Call::New("_mul_scalar", {{"scalar", "2"}});
  auto a = Of({1, 2});
  EXPECT_EQ(Read(Invoke(*call, kPlain, {a})[0]), (std::vector<double>{2, 4}));
  EXPECT_EQ(Read(Invoke(*call, kPlain, {a}, {10})[0]), (std::vector<double>{10, 20}));
  EXPECT_EQ(Read(Invoke(*call, kPlain, {a})[0]), (std::vector<double>{2, 4}));
}
TEST(Invoke, EmptyAndScalarArrays) {
  EXPECT_EQ(Invoke1("exp", {Array::New({0, 3}, DType::kFloat32)})->shape, (Shape{0, 3}));
  EXPECT_EQ(Read(Invoke1("square", {Array::Scalar(3, DType::kFloat64)})), (std::vector<double>{9}));
}

// A wide operation takes long enough to be queued; what depends on it is queued behind it.
NDArray Long(const NDArray& x) {
  NDArray y = x;
  for (int i = 0; i < 6; ++i) y = Invoke1("tanh", {y});
  return y;
}
TEST(Async, LongWorkReturnsAtOnceAndIsRightInEveryMode) {
  auto x = Array::Filled({1 << 20}, DType::kFloat32, 0.5);
  std::vector<double> want;
  for (const char* mode : {"naive", "inline", "auto", "threaded"}) {
    EngineMode m(mode);
    auto y = Long(x);
    auto z = Invoke1("elemwise_add", {y, x});
    auto v = Read(z);
    if (want.empty()) want = v;
    EXPECT_EQ(v, want) << mode;
  }
}
TEST(Async, OverlapsWithItsCaller) {
  EngineMode m("threaded");
  auto x = Array::Filled({1 << 22}, DType::kFloat32, 0.5);
  Read(Long(x));
  // A busy machine may keep this thread from running until the work is done, but not every time.
  bool overlapped = false;
  for (int attempt = 0; attempt < 50 && !overlapped; ++attempt) {
    auto y = Long(x);
    overlapped = !WaitToRead(*y, 0);
    WaitToRead(*y);
  }
  EXPECT_TRUE(overlapped) << "the pushes never came back before the work was done";
}
TEST(Async, PoisonReachesWhatReadsItAndIsClearedByAnOverwrite) {
  EngineMode m("threaded");
  HostMemoryReleaseUnused();
  HostMemoryLimit(HostMemoryStats().live + (1 << 20));
  auto big = Invoke1("_zeros", {}, {{"shape", "(1024, 1024, 8)"}});
  auto after = Invoke1("exp", {big});
  std::string text = MessageOf([&] { WaitToRead(*after); }, Status::kMemory);
  HostMemoryLimit(0);
  EXPECT_NE(text.find("[_zeros]"), std::string::npos) << text;
  MessageOf([&] { WaitToRead(*big); }, Status::kMemory);
  MessageOf([&] { WaitToRead(*big); }, Status::kMemory);
  Array* to = big.get();
  InvokeInto(*Call::New("_full", {{"shape", "(1024, 1024, 8)"}, {"value", "2"}}), kPlain, nullptr, 0, nullptr, 0, &to, 1);
  EXPECT_TRUE(WaitToRead(*big));
}
// Small elementwise calls have a way of their own, which must see a failed input wherever it stands.
TEST(Async, PoisonOfAnyInputReachesSmallResults) {
  auto bad = Array::New({4}, DType::kFloat32), fine = Array::Filled({4}, DType::kFloat32, 1);
  bad->storage->var.SetPoison(Make<const Poison>(Error(Status::kMemory, "[made] it failed")));
  auto three = [&](int at) { return std::vector<NDArray>{at == 0 ? bad : fine, at == 1 ? bad : fine, at == 2 ? bad : fine}; };
  for (const char* mode : {"auto", "threaded"}) {
    EngineMode m(mode);
    for (int at = 0; at < 3; ++at) {
      auto in = three(at);
      for (const char* op : {"elemwise_add", "elemwise_mul", "add_n", "where"}) {
        if (std::string(op) != "where" && std::string(op) != "add_n") in.resize(2);
        else in = three(at);
        if (at >= int(in.size())) continue;
        std::string text = MessageOf([&] { Read(Invoke(op, in, {})[0]); }, Status::kMemory);
        EXPECT_NE(text.find("it failed"), std::string::npos) << op << ", input " << at << ", " << mode << ": " << text;
      }
    }
  }
  while (Engine::Get().NextUnseen()) {}
}
TEST(Async, OriginIsInTheMessage) {
  EngineMode m("threaded");
  SetOrigin("script.R:12");
  HostMemoryReleaseUnused();
  HostMemoryLimit(HostMemoryStats().live + (1 << 20));
  auto big = Invoke1("_zeros", {}, {{"shape", "(1024, 1024, 8)"}});
  SetOrigin("");
  std::string text = MessageOf([&] { WaitToRead(*big); }, Status::kMemory);
  HostMemoryLimit(0);
  EXPECT_NE(text.find("script.R:12"), std::string::npos) << text;
}
TEST(Async, ManyThreadsInvokeOnSharedArrays) {
  auto x = Array::Filled({1000}, DType::kFloat64, 1);
  auto acc = Array::Filled({1000}, DType::kFloat64, 0);
  auto add = Call::New("elemwise_add");
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        Array *in[2] = {acc.get(), x.get()}, *to = acc.get();
        InvokeInto(*add, kPlain, in, 2, nullptr, 0, &to, 1);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(Read(acc), std::vector<double>(1000, 1600.0));
}
TEST(Random, TicketsFollowProgramOrderInEveryMode) {
  std::vector<double> want;
  for (const char* mode : {"naive", "auto", "threaded"}) {
    EngineMode m(mode);
    SeedRandom(7);
    auto a = Invoke1("_random_uniform", {}, {{"shape", "(100000,)"}});
    auto b = Invoke1("_random_uniform", {}, {{"shape", "(3,)"}});
    auto v = Read(b);
    v.push_back(Read(a)[99999]);
    if (want.empty()) want = v;
    EXPECT_EQ(v, want) << mode;
  }
}

}  // namespace
}  // namespace flx
