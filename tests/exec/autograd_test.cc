// SPDX-License-Identifier: Apache-2.0
#include "exec/autograd.h"

#include <cmath>
#include <functional>

#include "base/host_token.h"
#include "helpers.h"

#include "storage/pool.h"

namespace flx {
namespace {

constexpr int kRec = kRecord;

TEST(Autograd, WriteAddAndNull) {
  auto x = Of({1, 2, 3});
  AttachGrad(x, GradReq::kWrite);
  auto y = Invoke1("broadcast_mul", {x, x}, {}, kRec);
  Backward({y}, {}, 0);
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{2, 4, 6}));
  Backward({Invoke1("broadcast_mul", {x, x}, {}, kRec)}, {Of({1, 0, 2})}, 0);
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{2, 0, 12}));
  AttachGrad(x, GradReq::kAdd);
  EXPECT_EQ(GradCount(*x), 0);
  for (int i = 0, last = 0; i < 3; ++i) {
    Backward({Invoke1("broadcast_mul", {x, x}, {}, kRec)}, {}, 0);
    EXPECT_GT(GradCount(*x), last);
    last = int(GradCount(*x));
  }
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{6, 12, 18}));
  AttachGrad(x, GradReq::kNull);
  EXPECT_FALSE(GradOf(*x));
  EXPECT_FALSE(IsRecorded(*Invoke1("broadcast_mul", {x, x}, {}, kRec)));
}
TEST(Autograd, GradientGivenByTheUserIsFilled) {
  auto x = Of({1, 2}), g = Of({9, 9}), alias = g;
  AttachGrad(x, GradReq::kWrite, g);
  Backward({Invoke1("square", {x}, {}, kRec)}, {}, 0);
  EXPECT_EQ(Read(alias), (std::vector<double>{2, 4}));
  MessageOf([&] { AttachGrad(x, GradReq::kWrite, Of({1, 2, 3})); }, Status::kShape);
  MessageOf([&] { AttachGrad(x, GradReq::kWrite, x); }, Status::kArgument);  // nobody could free it
  MessageOf([&] { AttachGrad(g, GradReq::kWrite, x); }, Status::kArgument);
  MessageOf([&] { AttachGrad(x, GradReq::kWrite, Detach(x)); }, Status::kArgument);
  MessageOf([&] { AttachGrad(Array::Filled({2}, DType::kInt32, 0), GradReq::kWrite); }, Status::kType);
}
TEST(Autograd, SharedSubexpressionsAndBroadcasting) {
  auto x = Of({1, 2, 3, 4, 5, 6}, {2, 3}), b = Of({10, 20, 30});
  AttachGrad(x, GradReq::kWrite);
  AttachGrad(b, GradReq::kWrite);
  auto s = Invoke1("broadcast_add", {x, b}, {}, kRec);
  auto y = Invoke1("broadcast_mul", {s, Invoke1("broadcast_sub", {s, b}, {}, kRec)}, {}, kRec);  // (x + b) x
  Backward({y}, {}, 0);
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{12, 24, 36, 18, 30, 42}));
  EXPECT_EQ(Read(GradOf(*b)), (std::vector<double>{5, 7, 9}));
}
TEST(Autograd, HistoryIsLetGoUnlessRetained) {
  auto x = Of({2});
  AttachGrad(x, GradReq::kWrite);
  auto y = Invoke1("square", {x}, {}, kRec);
  Backward({y}, {}, kRetain);
  Backward({y}, {}, 0);
  std::string m = MessageOf([&] { Backward({y}, {}, 0); }, Status::kState);
  EXPECT_NE(m.find("square"), std::string::npos);
  EXPECT_NE(m.find("retain"), std::string::npos);
}
TEST(Autograd, ChangedInputIsAnErrorNamingBothOperators) {
  auto x = Of({2, 3}), one = Of({1, 1});
  AttachGrad(x, GradReq::kWrite);
  auto h = Invoke1("broadcast_mul", {x, x}, {}, kRec);
  auto y = Invoke1("broadcast_mul", {h, h}, {}, kRec);
  Array *in[2] = {h.get(), one.get()}, *to = h.get();
  InvokeInto(*Call::New("elemwise_add"), kPlain, in, 2, nullptr, 0, &to, 1);
  std::string m = MessageOf([&] { Backward({y}, {}, 0); }, Status::kState);
  EXPECT_NE(m.find("[broadcast_mul]"), std::string::npos) << m;
  EXPECT_NE(m.find("elemwise_add"), std::string::npos) << m;
}
TEST(Autograd, UpdatingAWeightBetweenStepsIsFine) {
  auto w = Of({1, 1}), x = Of({3, 4});
  AttachGrad(w, GradReq::kWrite);
  for (int i = 0; i < 3; ++i) {
    Backward({Invoke1("broadcast_mul", {w, x}, {}, kRec)}, {}, 0);
    Array *in[2] = {w.get(), GradOf(*w).get()}, *to = w.get();
    InvokeInto(*Call::New("elemwise_sub"), kPlain, in, 2, nullptr, 0, &to, 1);
  }
  EXPECT_EQ(Read(w), (std::vector<double>{-8, -11}));
}
TEST(Autograd, InPlaceWhileRecording) {
  auto x = Of({2}), y = Of({0});
  AttachGrad(x, GradReq::kWrite);
  Array *in = x.get(), *to = y.get();
  InvokeInto(*Call::New("square"), kRec, &in, 1, nullptr, 0, &to, 1);
  Backward({y}, {}, 0);
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{4}));
  to = x.get();
  MessageOf([&] { InvokeInto(*Call::New("square"), kRec, &in, 1, nullptr, 0, &to, 1); }, Status::kState);
}
TEST(Autograd, HigherOrderByCreateGraph) {
  auto x = Of({0.5, 2});
  AttachGrad(x, GradReq::kWrite);
  auto y = Invoke1("exp", {Invoke1("square", {x}, {}, kRec)}, {}, kRec);
  auto g = Gradients({y}, {}, {x}, kCreateGraph)[0];       // 2x e^(x^2)
  auto h = Gradients({g}, {}, {x}, kCreateGraph)[0];       // (2 + 4x^2) e^(x^2)
  Backward({h}, {}, 0);                                    // (12x + 8x^3) e^(x^2)
  auto d = Read(GradOf(*x));
  for (int i = 0; i < 2; ++i) {
    double v = i ? 2 : 0.5;
    EXPECT_NEAR(d[size_t(i)], (12 * v + 8 * v * v * v) * std::exp(v * v), 1e-8 * std::exp(v * v));
  }
}
TEST(Autograd, ReturnedGradientsAreNotStored) {
  auto x = Of({3}), z = Of({5});
  AttachGrad(x, GradReq::kWrite);
  AttachGrad(z, GradReq::kWrite);
  auto m = Invoke1("square", {x}, {}, kRec);
  auto y = Invoke1("square", {m}, {}, kRec);
  auto g = Gradients({y}, {}, {x, m, z}, 0);
  EXPECT_EQ(Read(g[0]), (std::vector<double>{108}));
  EXPECT_EQ(Read(g[1]), (std::vector<double>{18})) << "an intermediate is a target too";
  EXPECT_EQ(Read(g[2]), (std::vector<double>{0})) << "nothing depends on z";
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{0}));
}
TEST(Autograd, DetachStopsTheGradient) {
  auto x = Of({3});
  AttachGrad(x, GradReq::kWrite);
  auto y = Invoke1("broadcast_mul", {x, Detach(Invoke1("square", {x}, {}, kRec))}, {}, kRec);
  Backward({y}, {}, 0);
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{9}));
}
TEST(Autograd, LongChainsNeedNoDeepStack) {
  auto x = Of({1});
  AttachGrad(x, GradReq::kWrite);
  auto call = Call::New("_plus_scalar", {{"scalar", "0"}});
  NDArray y = x;
  for (int i = 0; i < 100000; ++i) y = Invoke(*call, kRec, {y})[0];
  Backward({y}, {}, kRetain);
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{1}));
  y = nullptr;
}
TEST(Autograd, HostFunctionIsAskedForItsGradient) {
  auto x = Of({2, 3});
  AttachGrad(x, GradReq::kWrite);
  auto h = Invoke1("square", {x}, {}, kRec);
  auto v = Read(h);
  auto y = Of({v[0] * 10, v[1] * 10});
  RecordHost(42, {h}, {y});
  MessageOf([&] { Backward({y}, {}, kRetain); }, Status::kState);
  BackwardRun run({Invoke1("negative", {y}, {}, kRec)}, {}, {}, 0);
  ASSERT_TRUE(run.Next());
  EXPECT_EQ(run.token(), 42);
  ASSERT_EQ(run.inputs().size(), 3u);
  EXPECT_EQ(Read(run.inputs()[0]), (std::vector<double>{-1, -1}));
  EXPECT_EQ(Read(run.inputs()[1]), (std::vector<double>{4, 9}));
  run.Reply({Of({-10, -10})});
  EXPECT_FALSE(run.Next());
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{-40, -60}));
}
TEST(Autograd, TokensOfDeadHostNodesAreGivenBack) {
  while (NextDeadToken() >= 0) {}
  {
    auto x = Of({1}), y = Of({1});
    AttachGrad(x, GradReq::kWrite);
    RecordHost(7, {x}, {y});
    EXPECT_EQ(NextDeadToken(), -1);
  }
  EXPECT_EQ(NextDeadToken(), 7);
  EXPECT_EQ(NextDeadToken(), -1);
}
TEST(Autograd, NothingRecordedIsAnError) {
  auto x = Of({1});
  std::string m = MessageOf([&] { Backward({Invoke1("square", {x}, {}, kRec)}, {}, 0); }, Status::kState);
  EXPECT_NE(m.find("history"), std::string::npos);
  MessageOf([&] { Backward({}, {}, 0); }, Status::kArgument);
}
TEST(Autograd, MemoryComesBack) {
  int64_t before = HostMemoryStats().live;
  for (int i = 0; i < 20; ++i) {
    auto x = Array::Filled({1000}, DType::kFloat64, 1);
    AttachGrad(x, GradReq::kWrite);
    auto y = Invoke1("square", {Invoke1("exp", {x}, {}, kRec)}, {}, kRec);
    if (i % 2) Backward({y}, {}, i % 4 == 1 ? kCreateGraph : 0);
  }
  Engine::Get().WaitAll(-1);
  EXPECT_EQ(HostMemoryStats().live, before);
}

}  // namespace
}  // namespace flx
