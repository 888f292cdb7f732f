// SPDX-License-Identifier: Apache-2.0
// What the registry-wide suite does not ask of RNN: sizes beyond a block, threads, padding that is no number, inference backwards, messages.
#include "op/rnn/rnn.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/thread_pool.h"
#include "exec/autograd.h"
#include "exec/invoke.h"

namespace flx {
namespace {

using Arrays = std::vector<NDArray>;
using Settings = std::vector<std::pair<std::string, std::string>>;

NDArray Random(const Shape& s, DType t, double size = 1) {
  return Invoke1("_random_uniform", {}, {{"shape", Text(s)}, {"low", Text(-size)}, {"high", Text(size)}, {"dtype", DTypeName(t)}});
}
std::vector<double> Read(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  if (!v.empty()) ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
NDArray Numbers(const std::vector<double>& v, const Shape& s, DType t) { return FromHost(v.data(), int64_t(v.size() * 8), DType::kFloat64, false, s, t); }
void Near(const NDArray& a, const NDArray& b, double tolerance) {
  ASSERT_EQ(a->shape, b->shape);
  auto x = Read(a), y = Read(b);
  double scale = 1;
  for (double v : y) scale = std::max(scale, std::abs(v));
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance * scale) << "element " << i;
}
RnnAttrs AttrsOf(const Settings& s) {
  std::vector<KeyValue> kv;
  for (auto& p : s) kv.emplace_back(p.first, p.second);
  const OpDef& op = FindOp("RNN");
  return *static_cast<const RnnAttrs*>(op.schema.Parse(op.name, kv.data(), kv.size()).get());
}
Arrays Inputs(const RnnAttrs& a, int64_t steps, int64_t rows, int64_t features, DType t, std::vector<double> lengths = {}) {
  RnnSizes s(a, steps, rows, features);
  Arrays x = {Random({s.T, s.N, s.C}, t), Random({s.parameters()}, t, 0.3), Random({s.L * s.D, s.N, s.R}, t)};
  if (a.lstm()) x.push_back(Random({s.L * s.D, s.N, s.H}, t));
  if (a.use_sequence_length) x.push_back(Numbers(lengths, {rows}, DType::kInt32));
  return x;
}
struct Both { Arrays y, dx; };
// The operator, or what it stands for, and its gradients.
Both Differentiated(const Settings& settings, const RnnAttrs& a, const Arrays& x, bool composed) {
  Arrays in;
  for (auto& v : x) in.push_back(CopyOf(v));
  for (auto& v : in) if (IsFloat(v->dtype)) AttachGrad(v, GradReq::kWrite);
  SeedRandom(9);
  Both r;
  EagerBuilder b(kRecord | kTrain);
  if (composed) {
    std::vector<Val> vals;
    for (size_t i = 0, k = 0; i < 5; ++i) vals.push_back((i == 3 && !a.lstm()) || (i == 4 && !a.use_sequence_length) ? Val{} : b.Add(in[k++]));
    for (Val v : RnnUnrolled(vals, a)) r.y.push_back(b.array(v));
    r.y.resize(a.lstm() ? 3 : 2);
  } else {
    r.y = Invoke("RNN", in, settings, kRecord | kTrain);
  }
  Arrays heads;
  SeedRandom(10);
  for (auto& y : r.y) heads.push_back(Random(y->shape, y->dtype));
  Backward(r.y, heads, kTrain);
  for (auto& v : in) if (IsFloat(v->dtype)) r.dx.push_back(GradOf(*v));
  return r;
}

TEST(Rnn, LargerThanABlock) {
  SeedRandom(1);
  struct Case { Settings more; int64_t steps, rows, features, units, layers; };
  for (const char* mode : {"rnn_relu", "rnn_tanh", "lstm", "gru"})
    for (auto& c : std::vector<Case>{{{{"bidirectional", "True"}, {"p", "0.3"}}, 8, 21, 19, 33, 2}, {{}, 10, 1, 7, 70, 1}, {{}, 3, 21, 5, 33, 2}, {{}, 9, 2, 5, 20, 2}, {{}, 9, 7, 5, 20, 1}, {{{"use_sequence_length", "True"}}, 9, 13, 5, 17, 1}})
      for (DType t : {DType::kFloat32, DType::kFloat64}) {
        SCOPED_TRACE(Text(mode, " ", t, " units ", c.units, " rows ", c.rows));
        Settings s = c.more;
        s.insert(s.end(), {{"mode", mode}, {"state_size", Text(c.units)}, {"num_layers", Text(c.layers)}, {"state_outputs", "True"}});
        RnnAttrs a = AttrsOf(s);
        std::vector<double> lengths;
        for (int64_t i = 0; i < c.rows; ++i) lengths.push_back(double(i % (c.steps + 1)));
        Arrays x = Inputs(a, c.steps, c.rows, c.features, t, lengths);
        Both kernel = Differentiated(s, a, x, false), composed = Differentiated(s, a, x, true);
        double tolerance = t == DType::kFloat32 ? 2e-5 : 1e-11;
        for (size_t i = 0; i < kernel.y.size(); ++i) Near(kernel.y[i], composed.y[i], tolerance);
        for (size_t i = 0; i < kernel.dx.size(); ++i) Near(kernel.dx[i], composed.dx[i], tolerance);
      }
}

TEST(Rnn, ProjectionAndClipLargerThanABlock) {
  SeedRandom(2);
  Settings s = {{"mode", "lstm"}, {"state_size", "40"}, {"num_layers", "2"}, {"bidirectional", "True"}, {"projection_size", "11"}, {"state_outputs", "True"},
                {"lstm_state_clip_min", "-0.2"}, {"lstm_state_clip_max", "0.15"}, {"use_sequence_length", "True"}};
  RnnAttrs a = AttrsOf(s);
  std::vector<double> lengths;
  for (int i = 0; i < 19; ++i) lengths.push_back(i % 10);
  Arrays x = Inputs(a, 9, 19, 6, DType::kFloat64, lengths);
  Both kernel = Differentiated(s, a, x, false), composed = Differentiated(s, a, x, true);
  for (size_t i = 0; i < kernel.y.size(); ++i) Near(kernel.y[i], composed.y[i], 1e-11);
  for (size_t i = 0; i < kernel.dx.size(); ++i) Near(kernel.dx[i], composed.dx[i], 1e-11);
}

// Inside a loop of the pool everything runs in one thread.
TEST(Rnn, SameBitsOnOneThread) {
  // One block of rows shares its products' columns among threads, where the matrix is large enough; several blocks and directions are shared as they are.
  struct Case { int64_t rows, units; const char* both; };
  for (auto [rows, units, both] : {Case{1, 130, "False"}, Case{5, 130, "False"}, Case{40, 20, "True"}}) {
    SeedRandom(3);
    RnnAttrs a = AttrsOf({{"mode", "lstm"}, {"state_size", Text(units)}, {"num_layers", "2"}, {"bidirectional", both}});
    RnnSizes s(a, 8, rows, 20);
    Arrays x = Inputs(a, s.T, s.N, s.C, DType::kFloat32);
    for (auto& v : x) WaitToRead(*v);
    struct Result { std::vector<float> y, h, c, mask, reserve, dx, dw, dh, dc; };
    auto run = [&](Result* r) {
      KernelContext ctx;
      auto view = [](std::vector<float>* v, const Shape& shape) {
        v->assign(size_t(shape.size()) + 1, -7.f);
        return MakeView(v->data(), DType::kFloat32, shape);
      };
      Shape states{s.L * s.D, s.N, s.H}, out{s.T, s.N, s.D * s.R};
      TensorView y = view(&r->y, out), h = view(&r->h, states), c = view(&r->c, states), mask = view(&r->mask, s.mask(false)), reserve = view(&r->reserve, {s.reserve()});
      RnnCpu(ctx, a, x[0]->View(), x[1]->View(), x[2]->View(), x[3]->View(), TensorView(), y, h, c, mask, reserve);
      TensorView in[kRnnGradIns] = {x[0]->View(), x[1]->View(), x[2]->View(), x[3]->View(), TensorView(), y, mask, reserve, y, h, c};
      TensorView grads[4] = {view(&r->dx, x[0]->shape), view(&r->dw, x[1]->shape), view(&r->dh, states), view(&r->dc, states)};
      RnnGradCpu(ctx, a, Views{in, kRnnGradIns}, OutViews{grads, 4});
    };
    Result wide, narrow[2];
    run(&wide);
    ParallelFor(2, 1, [&](int64_t b, int64_t e) { for (; b < e; ++b) run(&narrow[b]); });
    for (auto& n : narrow) {
      auto same = [](const std::vector<float>& p, const std::vector<float>& q) { return p.size() == q.size() && std::memcmp(p.data(), q.data(), p.size() * 4) == 0; };
      EXPECT_TRUE(same(wide.y, n.y) && same(wide.h, n.h) && same(wide.c, n.c) && same(wide.reserve, n.reserve)) << rows;
      EXPECT_TRUE(same(wide.dx, n.dx) && same(wide.dw, n.dw) && same(wide.dh, n.dh) && same(wide.dc, n.dc)) << rows;
    }
  }
}

TEST(Rnn, PaddingMayBeAnything) {
  for (const char* mode : {"rnn_tanh", "lstm", "gru"}) {
    SeedRandom(4);
    Settings s = {{"mode", mode}, {"state_size", "3"}, {"num_layers", "2"}, {"bidirectional", "True"}, {"state_outputs", "True"}, {"use_sequence_length", "True"}};
    RnnAttrs a = AttrsOf(s);
    Arrays x = Inputs(a, 4, 3, 2, DType::kFloat64, {2, 0, 9}), bad = x;  // lengths beyond the steps count as all
    std::vector<double> v = Read(x[0]);
    for (size_t i = 0; i < v.size(); ++i) {
      size_t t = i / 6, row = i / 2 % 3;
      if (row == 1 || (row == 0 && t >= 2)) v[i] = t == 2 ? std::nan("") : std::numeric_limits<double>::infinity();
    }
    bad[0] = Numbers(v, x[0]->shape, DType::kFloat64);
    Both good = Differentiated(s, a, x, false);
    for (bool composed : {false, true}) {
      Both with = Differentiated(s, a, bad, composed);
      for (size_t i = 0; i < good.y.size(); ++i) Near(with.y[i], good.y[i], 1e-12);
      for (size_t i = 0; i < good.dx.size(); ++i) Near(with.dx[i], good.dx[i], 1e-12);
    }
    EXPECT_EQ(Read(Invoke1("slice_axis", {good.y[1]}, {{"axis", "1"}, {"begin", "1"}, {"end", "2"}})), Read(Invoke1("slice_axis", {x[2]}, {{"axis", "1"}, {"begin", "1"}, {"end", "2"}})));
  }
}

TEST(Rnn, ClippingEndsNaN) {
  Settings s = {{"mode", "lstm"}, {"state_size", "2"}, {"num_layers", "1"}, {"state_outputs", "True"}, {"lstm_state_clip_min", "-0.5"}, {"lstm_state_clip_max", "0.5"}};
  RnnAttrs a = AttrsOf(s);
  SeedRandom(5);
  Arrays x = Inputs(a, 3, 2, 2, DType::kFloat64);
  x[3] = Numbers({std::nan(""), 0.1, 0.2, 0.3}, {1, 2, 2}, DType::kFloat64);
  EXPECT_TRUE(std::isnan(Read(Invoke("RNN", x, s)[2])[0]));
  s.emplace_back("lstm_state_clip_nan", "True");
  for (double v : Read(Invoke("RNN", x, s)[2])) EXPECT_LE(std::abs(v), 0.5);
}

TEST(Rnn, DropsAsOftenAsItSays) {
  Settings s = {{"mode", "rnn_relu"}, {"state_size", "200"}, {"num_layers", "2"}, {"p", "0.25"}};
  RnnAttrs a = AttrsOf(s);
  RnnSizes z(a, 5, 10, 1);
  SeedRandom(6);
  KernelContext ctx;
  ctx.training = true, ctx.random = NextTicket();
  std::vector<float> w(size_t(z.parameters()), 0), x(50, 0), h(size_t(2 * 10 * 200), 0), y(size_t(5 * 10 * 200)), mask(size_t(z.mask(true).size())), reserve(size_t(z.reserve()));
  TensorView out = MakeView(y.data(), DType::kFloat32, {5, 10, 200}), m = MakeView(mask.data(), DType::kFloat32, z.mask(true)), r = MakeView(reserve.data(), DType::kFloat32, {z.reserve()});
  TensorView none;
  RnnCpu(ctx, a, MakeView(x.data(), DType::kFloat32, {5, 10, 1}), MakeView(w.data(), DType::kFloat32, {z.parameters()}), MakeView(h.data(), DType::kFloat32, {2, 10, 200}), none, none, out, none,
         none, m, r);
  double kept = 0;
  for (float v : mask) {
    ASSERT_TRUE(v == 0 || std::abs(v - 1 / 0.75f) < 1e-6f) << v;
    kept += v != 0;
  }
  EXPECT_NEAR(kept / double(mask.size()), 0.75, 0.02);
}

TEST(Rnn, SizesAreLearntFromWhatIsKnown) {
  Settings s = {{"mode", "gru"}, {"state_size", "3"}, {"num_layers", "2"}, {"bidirectional", "True"}};
  RnnAttrs a = AttrsOf(s);
  RnnSizes z(a, 7, 2, 5);
  const OpDef& op = FindOp("RNN");
  auto infer = [&](std::vector<std::pair<int, Shape>> known, std::vector<Shape>* out) {
    std::vector<Shape> x(5, Shape::Unknown()), y(5, Shape::Unknown());
    std::vector<DType> xt(5, DType::kNone), yt(5, DType::kNone);
    xt[0] = DType::kFloat32;
    for (auto& [i, shape] : known) (i < 10 ? x[size_t(i)] : y[size_t(i - 10)]) = shape;
    InferAll(op, &a, x.data(), xt.data(), 5, y.data(), yt.data(), 5, 0b00111);
    EXPECT_EQ(xt[2], DType::kFloat32);
    *out = x;
    out->insert(out->end(), y.begin(), y.begin() + 2);
  };
  const std::vector<Shape> all = {{7, 2, 5}, {z.parameters()}, {4, 2, 3}, Shape::Unknown(), Shape::Unknown(), {7, 2, 6}, {4, 2, 3}};
  std::vector<Shape> got;
  for (auto& known : std::vector<std::vector<std::pair<int, Shape>>>{{{0, {7, 2, 5}}}, {{10, {7, 2, 6}}, {1, {z.parameters()}}}, {{0, {7, -1, -1}}, {2, {4, 2, -1}}, {1, {z.parameters()}}},
                                                                     {{0, {-1, -1, 5}}, {10, {7, 2, -1}}}}) {
    infer(known, &got);
    EXPECT_EQ(got, all);
  }
  infer({{0, {-1, 2, -1}}}, &got);
  EXPECT_EQ(Text(got[2]), Text(Shape{4, 2, 3}));
  EXPECT_FALSE(got[1].known());
}

TEST(Rnn, ErrorsSayWhatIsWanted) {
  SeedRandom(7);
  auto fails = [](const Settings& more, const std::vector<Shape>& shapes, const char* part) {
    Settings s = more;
    s.insert(s.end(), {{"state_size", "3"}, {"num_layers", "1"}});
    Arrays x;
    for (auto& shape : shapes) x.push_back(Random(shape, DType::kFloat32));
    try {
      Invoke("RNN", x, s);
      ADD_FAILURE() << "nothing failed; wanted: " << part;
    } catch (const Error& e) {
      EXPECT_NE(e.message().find(part), std::string::npos) << e.message();
    }
  };
  const Shape data{2, 2, 4}, state{1, 2, 3};
  fails({{"mode", "gru"}}, {data, {80}, state}, "(81,)");
  fails({{"mode", "gru"}}, {{2, 4}, {81}, state}, "(steps, batch, features)");
  fails({{"mode", "gru"}}, {data, {81}, {1, 3, 3}}, "`state`");
  fails({{"mode", "gru"}}, {data, {81}, state, state}, "expected 3 inputs");
  fails({{"mode", "lstm"}}, {data, {108}, state}, "expected 4 inputs");
  fails({{"mode", "gru"}, {"projection_size", "2"}}, {data, {81}, state}, "projection_size is for mode=lstm");
  fails({{"mode", "lstm"}, {"lstm_state_clip_min", "0"}}, {data, {108}, state, state}, "go together");
  fails({{"mode", "lstm"}, {"p", "1"}}, {data, {108}, state, state}, "`p`");
  fails({}, {data, {108}, state, state}, "`mode`");
}

}  // namespace
}  // namespace flx
