// SPDX-License-Identifier: Apache-2.0
// The elementwise driver against the plainest possible loop: every dtype, strides, broadcasting, aliasing.
#include "op/elementwise/driver.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "base/error.h"
#include "op/elementwise/convert.h"
#include "op/elementwise/formula.h"

namespace flx {
namespace {

constexpr DType kAll[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16, DType::kInt8, DType::kUint8, DType::kInt16,
                          DType::kUint16, DType::kInt32, DType::kUint32, DType::kInt64, DType::kUint64, DType::kBool};

// An array in memory of its own, with room around it that must stay untouched.
struct Buffer {
  std::vector<char> bytes;
  TensorView view;
  Buffer(DType t, const Shape& memory) : bytes(size_t(memory.size() * DTypeSize(t)) + 128, 0x5a) { view = MakeView(bytes.data() + 64, t, memory); }
  bool Intact() const {
    for (size_t i = 0; i < 64; ++i) if (bytes[i] != 0x5a || bytes[bytes.size() - 1 - i] != 0x5a) return false;
    return true;
  }
};
void Put(const TensorView& v, int64_t element_offset, double x) {
  FindConvert(DType::kFloat64, v.dtype)(&x, static_cast<char*>(v.raw()) + element_offset * DTypeSize(v.dtype), 1);
}
double At(const TensorView& v, int64_t element_offset) {
  double x = 0;
  FindConvert(v.dtype, DType::kFloat64)(static_cast<char*>(v.raw()) + element_offset * DTypeSize(v.dtype), &x, 1);
  return x;
}
// Where element `flat` of shape `to` lies in v, which broadcasts to it.
int64_t Place(const TensorView& v, const Shape& to, int64_t flat) {
  int64_t at = 0;
  for (int i = to.ndim() - 1, k = v.ndim() - 1; i >= 0; --i, --k) {
    int64_t index = flat % to[i];
    flat /= to[i];
    if (k >= 0 && v.dim(k) != 1) at += index * v.strides[k];
  }
  return at;
}
void Fill(const TensorView& memory, std::mt19937* g) {
  for (int64_t i = 0; i < memory.size(); ++i) Put(memory, i, double(int((*g)() % 9)) - (IsFloat(memory.dtype) ? 4 : 0));
}
// A view of shape s: the axes in any order in memory, some of them reversed or with gaps.
TensorView Twist(Buffer* b, const Shape& s, std::mt19937* g, DType t) {
  int n = s.ndim();
  std::vector<int> order(size_t(n), 0);
  for (int i = 0; i < n; ++i) order[size_t(i)] = i;
  std::shuffle(order.begin(), order.end(), *g);
  Shape memory = s, strides = s;
  std::vector<int64_t> step(size_t(n), 1);
  for (int i = 0; i < n; ++i) memory[i] = s[order[size_t(i)]] * (step[size_t(i)] = 1 + int64_t((*g)() % 2));
  *b = Buffer(t, memory);
  Shape dense = ContiguousStrides(memory);
  TensorView v = b->view;
  for (int i = 0; i < n; ++i) {
    int axis = order[size_t(i)];
    strides[axis] = dense[i] * step[size_t(i)];
    if ((*g)() % 3 == 0 && s[axis] > 0) v.offset += strides[axis] * (s[axis] - 1) * DTypeSize(t), strides[axis] = -strides[axis];
  }
  v.shape = s, v.strides = strides, v.contiguous = strides == ContiguousStrides(s) && v.offset == b->view.offset;
  return v;
}
void RunAdd(const TensorView& a, const TensorView& b, TensorView& y) {
  OpDef op;
  op.name = "test";
  KernelContext ctx;
  TensorView in[] = {a, b};
  RunElementwise(op, CpuLoops("add"), ctx, nullptr, in, 2, y);
}
double SumIn(DType t, double a, double b) {  // what a + b is in dtype t
  Buffer one(t, Shape{1});
  if (t == DType::kBool) return a + b != 0;
  if (t == DType::kUint8) return double(uint8_t(a + b));
  Put(one.view, 0, a + b);
  return At(one.view, 0);
}
void Check(const TensorView& a, const TensorView& b, const TensorView& y, const char* what) {
  for (int64_t i = 0; i < y.size(); ++i) {
    double want = SumIn(y.dtype, At(a, Place(a, y.shape, i)), At(b, Place(b, y.shape, i))), got = At(y, Place(y, y.shape, i));
    ASSERT_EQ(got, want) << what << " " << DTypeName(y.dtype) << " element " << i;
  }
}

class EveryType : public testing::TestWithParam<DType> {};

TEST_P(EveryType, Contiguous) {
  std::mt19937 g(1);
  for (int64_t n : {0, 1, 3, 16, 255, 256, 257, 1000, 70000}) {
    Buffer a(GetParam(), Shape{n}), b(GetParam(), Shape{n}), y(GetParam(), Shape{n});
    Fill(a.view, &g), Fill(b.view, &g);
    RunAdd(a.view, b.view, y.view);
    Check(a.view, b.view, y.view, "contiguous");
    EXPECT_TRUE(y.Intact());
  }
}
TEST_P(EveryType, Broadcasting) {
  std::mt19937 g(2);
  const struct { Shape a, b, y; } cases[] = {
      {{4, 5}, {5}, {4, 5}},         {{4, 1}, {1, 5}, {4, 5}},       {{3, 1, 300}, {2, 1}, {3, 2, 300}}, {{1}, {600}, {600}},
      {{}, {2, 3}, {2, 3}},          {{700, 3}, {3}, {700, 3}},      {{2, 3, 4, 5}, {3, 1, 5}, {2, 3, 4, 5}}, {{2, 8, 7, 7}, {8, 1, 1}, {2, 8, 7, 7}},
      {{0, 3}, {1, 3}, {0, 3}},      {{5, 400}, {5, 1}, {5, 400}},   {{1, 1, 1}, {1, 1}, {1, 1, 1}},      {{50, 1, 40, 1}, {1, 30, 1, 2}, {50, 30, 40, 2}},
  };
  for (auto& c : cases) {
    Buffer a(GetParam(), c.a), b(GetParam(), c.b), y(GetParam(), c.y);
    Fill(a.view, &g), Fill(b.view, &g);
    RunAdd(a.view, b.view, y.view);
    Check(a.view, b.view, y.view, "broadcast");
    EXPECT_TRUE(y.Intact());
  }
}
TEST_P(EveryType, Strides) {
  std::mt19937 g(3);
  const Shape shapes[] = {{7}, {300}, {3, 5}, {20, 30}, {2, 300}, {300, 2}, {2, 3, 4, 5}, {1, 9, 1, 33}, {0, 4}};
  for (int round = 0; round < 60; ++round) {
    const Shape& s = shapes[size_t(round) % std::size(shapes)];
    Buffer a(GetParam(), s), b = a, y = a;
    TensorView va = Twist(&a, s, &g, GetParam()), vb = Twist(&b, s, &g, GetParam()), vy = Twist(&y, s, &g, GetParam());
    Fill(a.view, &g), Fill(b.view, &g);
    if (round % 4 == 0 && s.ndim() > 1) {  // one row of b for all
      vb.shape[0] = 1, vb.contiguous = false;
    }
    RunAdd(va, vb, vy);
    Check(va, vb, vy, "strides");
    EXPECT_TRUE(y.Intact());
  }
}
TEST_P(EveryType, InPlace) {
  std::mt19937 g(4);
  for (int64_t n : {5, 300, 40000}) {
    Buffer a(GetParam(), Shape{n}), b(GetParam(), Shape{n});
    Fill(a.view, &g), Fill(b.view, &g);
    Buffer old = a;
    old.view.base = old.bytes.data() + 64;
    TensorView y = a.view;
    RunAdd(a.view, b.view, y);
    Check(old.view, b.view, y, "in place");
    EXPECT_TRUE(a.Intact());
  }
}
INSTANTIATE_TEST_SUITE_P(Driver, EveryType, testing::ValuesIn(kAll), [](const auto& i) { return std::string(DTypeName(i.param)); });

// A condition of any dtype keeps its truth, whatever x's dtype is.
TEST(Driver, Conditions) {
  const struct { DType t; double truth; } kinds[] = {{DType::kFloat64, 1e-300}, {DType::kFloat32, 0.25}, {DType::kFloat16, 0.5}, {DType::kBfloat16, -0.5},
                                                     {DType::kInt64, 4294967296.0}, {DType::kUint64, 4294967296.0}, {DType::kUint32, 2147483648.0}, {DType::kBool, 1}, {DType::kInt8, -1}};
  OpDef op;
  op.name = "test";
  KernelContext ctx;
  for (auto& k : kinds)
    for (DType t : kAll) {
      Buffer c(k.t, Shape{3}), x(t, Shape{3}), y(t, Shape{3}), out(t, Shape{3});
      for (int i = 0; i < 3; ++i) Put(c.view, i, i == 1 ? 0 : k.truth), Put(x.view, i, 1), Put(y.view, i, 0);
      TensorView in[] = {c.view, x.view, y.view};
      RunElementwise(op, CpuLoops("where"), ctx, nullptr, in, 3, out.view);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(At(out.view, i), i == 1 ? 0 : 1) << DTypeName(k.t) << " for " << DTypeName(t);
    }
}
TEST(Driver, FloatFormulaOfIntegers) {
  OpDef op;
  op.name = "exp";
  KernelContext ctx;
  Buffer x(DType::kInt32, Shape{3}), y(DType::kInt32, Shape{3});
  try {
    RunElementwise(op, CpuLoops("exp"), ctx, nullptr, &x.view, 1, y.view);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kType);
    EXPECT_NE(e.message().find("int32"), std::string::npos) << e.message();
  }
}
// An element's bits depend on its value only: not on its place, the length or the chunk.
TEST(Driver, SameBitsEverywhere) {
  for (const char* name : {"exp", "tanh", "sin", "sigmoid", "log1p", "erf"}) {
    const TileLoops& l = CpuLoops(name);
    std::vector<float> x(3000), whole(3000), one(1);
    for (size_t i = 0; i < x.size(); ++i) x[i] = float(i) * 20.f - 29000.f + float(i) * 0.37f;
    const void* in[] = {x.data()};
    l.f32(in, whole.data(), 3000, nullptr);
    for (size_t i = 0; i < x.size(); i += 7) {
      const void* p[] = {&x[i]};
      l.f32(p, one.data(), 1, nullptr);
      ASSERT_EQ(std::memcmp(&one[0], &whole[i], 4), 0) << name << " of " << x[i];
    }
  }
}
TEST(Driver, LargeUnsigned) {
  const uint64_t big = std::numeric_limits<uint64_t>::max(), a[] = {big, big, 3, uint64_t(1) << 63}, b[] = {2, big, big, 3};
  OpDef op;
  op.name = "test";
  KernelContext ctx;
  auto run = [&](const char* name) {
    Buffer x(DType::kUint64, Shape{4}), y(DType::kUint64, Shape{4}), out(DType::kUint64, Shape{4});
    std::memcpy(x.view.raw(), a, sizeof a), std::memcpy(y.view.raw(), b, sizeof b);
    TensorView in[] = {x.view, y.view};
    RunElementwise(op, CpuLoops(name), ctx, nullptr, in, 2, out.view);
    std::vector<uint64_t> v(4);
    std::memcpy(v.data(), out.view.raw(), sizeof a);
    return v;
  };
  EXPECT_EQ(run("div"), (std::vector<uint64_t>{big / 2, 1, 0, (uint64_t(1) << 63) / 3}));
  EXPECT_EQ(run("mod"), (std::vector<uint64_t>{1, 0, 3, (uint64_t(1) << 63) % 3}));
  EXPECT_EQ(run("greater"), (std::vector<uint64_t>{1, 0, 0, 1}));
  EXPECT_EQ(run("maximum"), (std::vector<uint64_t>{big, big, big, uint64_t(1) << 63}));
}
TEST(Driver, IntegersNeverTrap) {
  const int32_t low = std::numeric_limits<int32_t>::min(), a[] = {low, low, 7, -7, 7, -7, 5, low}, b[] = {-1, 0, 2, 2, -2, -2, 0, 3};
  int32_t y[8];
  const void* in[] = {a, b};
  CpuLoops("div").i32(in, y, 8, nullptr);
  const int32_t quotient[] = {low, 0, 3, -3, -3, 3, 0, -715827882};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(y[i], quotient[i]) << a[i] << " / " << b[i];
  CpuLoops("mod").i32(in, y, 8, nullptr);
  const int32_t rest[] = {0, 0, 1, 1, -1, -1, 0, 1};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(y[i], rest[i]) << a[i] << " mod " << b[i];
  CpuLoops("mul").i32(in, y, 8, nullptr);
  EXPECT_EQ(y[0], low);
  const int64_t base[] = {3, -2, 2, -1, 0, 1}, power[] = {4, 3, -1, -3, 0, -5}, want[] = {81, -8, 0, -1, 1, 1};
  int64_t z[6];
  const void* wide[] = {base, power};
  CpuLoops("power").i64(wide, z, 6, nullptr);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(z[i], want[i]) << base[i] << " ^ " << power[i];
  double scalar = 1e30;
  CpuLoops("maximum_scalar").i64(wide, z, 6, &scalar);
  EXPECT_EQ(z[0], std::numeric_limits<int64_t>::max());
}

}  // namespace
}  // namespace flx
