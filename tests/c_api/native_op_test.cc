// SPDX-License-Identifier: Apache-2.0
// Native operators are operators like any other: listed, invoked, recorded, differentiated twice, queued, poisoned, refused.
#include <cmath>

#include "native_helpers.h"

using namespace flexor;
using namespace native;

namespace {
int32_t CountOps() {
  int32_t n = 0;
  check(flx_registry_count("operator", &n));
  return n;
}
NDArray Gradient(const NDArray& y, const NDArray& x, int32_t mode = 0) {
  flx_ndarray head = y.handle(), target = x.handle(), out = nullptr;
  int32_t n = 0;
  check(flx_autograd_gradients(&head, 1, nullptr, 0, &target, 1, mode, &out, 1, &n));
  return NDArray::adopt(out);
}
__attribute__((noinline)) std::vector<double> Doubles(const NDArray& a) { return a.to_vector<double>(); }  // inlined, g++ 12 warns of a free that is none
const char* SquareOp() {  // registered once, by the first test that asks
  static const bool there = [] { return Op("test_square").shape(SameShape).kernel(Square).gradient(SquareGradient).put(), true; }();
  (void)there;
  return "test_square";
}
}  // namespace

TEST(NativeOp, IsListed) {
  int32_t before = CountOps();
  flx_entry add_before = nullptr, add_after = nullptr, entry = nullptr;
  check(flx_registry_find("operator", "broadcast_add", &add_before));
  {
    Op op("test_listed", 2, 3);
    check(flx_native_op_text(op.handle, "doc", "Nothing much."));
    check(flx_native_op_text(op.handle, "example", "test_listed(a, b)"));
    op.attr("size", "tuple of int", "[2,3]").attr("mode", "string", nullptr).shape(Ok).kernel(Ok);
    EXPECT_EQ(CountOps(), before);
    EXPECT_THROW(check(flx_registry_find("operator", "test_listed", &entry)), NameError);
    op.put();
  }
  EXPECT_EQ(CountOps(), before + 1);
  check(flx_registry_find("operator", "test_listed", &entry));
  auto text = [&](const char* field) { const char* s = ""; check(flx_entry_text(entry, field, &s)); return std::string(s); };
  auto trait = [&](const char* field) { int32_t v = -7; check(flx_entry_trait(entry, field, &v)); return v; };
  auto attr = [&](int i, const char* field) { const char* s = ""; check(flx_entry_attr_text(entry, i, field, &s)); return std::string(s); };
  EXPECT_EQ(text("name"), "test_listed");
  EXPECT_EQ(text("doc"), "Nothing much.");
  EXPECT_EQ(text("family"), "native");
  EXPECT_EQ(trait("inputs"), 2);
  EXPECT_EQ(trait("outputs"), 3);
  EXPECT_EQ(trait("differentiable"), 0);
  EXPECT_EQ(attr(0, "type"), "tuple of long");
  EXPECT_EQ(attr(0, "default"), "(2, 3)");
  EXPECT_EQ(attr(1, "required"), "1");
  // in its place by name, and entries held from before are as they were
  std::string last;
  int found = 0;
  for (int32_t i = 0; i < CountOps(); ++i) {
    flx_entry e = nullptr;
    const char* name = "";
    check(flx_registry_at("operator", i, &e));
    check(flx_entry_text(e, "name", &name));
    EXPECT_LT(last, name);
    last = name, found += last == "test_listed";
    flx_free(e);
  }
  EXPECT_EQ(found, 1);
  check(flx_registry_find("operator", "broadcast_add", &add_after));
  const char *one = "", *two = "?";
  check(flx_entry_text(add_before, "doc", &one));
  check(flx_entry_text(add_after, "doc", &two));
  EXPECT_EQ(one, two);  // the very same text: lent for ever
  flx_free(entry), flx_free(add_before), flx_free(add_after);
}

TEST(NativeOp, RunsInEveryMode) {
  for (const char* mode : {"auto", "threaded", "inline", "naive"}) {
    EngineMode engine(mode);
    NDArray x = array({1, -2, 3});
    EXPECT_EQ(invoke(SquareOp(), {x})[0].to_vector<float>(), (std::vector<float>{1, 4, 9})) << mode;
    flexor::Call prepared(SquareOp());
    EXPECT_EQ(prepared(prepared(x)).to_vector<float>(), (std::vector<float>{1, 16, 81})) << mode;
    // into its own input, and from a view that is not contiguous
    flx_ndarray h = x.handle();
    check(flx_invoke_into(SquareOp(), 0, &h, 1, nullptr, nullptr, 0, &h, 1));
    EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 4, 9})) << mode;
    NDArray t = array({{1, 2, 3}, {4, 5, 6}}).transpose();
    EXPECT_EQ(invoke(SquareOp(), {t})[0].to_vector<float>(), (std::vector<float>{1, 16, 4, 25, 9, 36})) << mode;
    EXPECT_EQ(invoke(SquareOp(), {zeros({0, 3})})[0].shape(), Shape({0, 3}));
  }
}

TEST(NativeOp, IsDifferentiatedTwice) {
  NDArray x = NDArray(std::vector<double>{1.5, -2});
  x.attach_grad();
  NDArray y, first;
  {
    autograd::Record recording;
    y = invoke(SquareOp(), {invoke(SquareOp(), {x})[0]})[0];  // x^4
    first = Gradient(y, x, FLX_CREATE_GRAPH);
  }
  EXPECT_EQ(Doubles(first), (std::vector<double>{13.5, -32}));  // 4 x^3
  EXPECT_EQ(Doubles(Gradient(first, x)), (std::vector<double>{27, 48}));  // 12 x^2
}

// What backward keeps is what the gradient asks for: nothing but shapes here, so that x may be overwritten; there x, so that it may not.
TEST(NativeOp, KeepsWhatItsGradientReads) {
  Op("test_linear").shape(SameShape).kernel([](flx_context c, void*) -> flx_status {
    Input x = InputOf(c, 0);
    for (int64_t i = 0; i < x.size(); ++i) OutputOf<float>(c, 0)[i] = 3 * x.as<float>()[i];
    return FLX_OK;
  }).gradient([](flx_context c, void*) -> flx_status {
    int64_t dy = 0, dx = 0;
    int32_t dtype = 0, ndim = 0;
    const int64_t* dims = nullptr;
    check(flx_context_input(c, 0, &dtype, &dims, &ndim));
    check(flx_context_output(c, 0, &dtype, &dims, &ndim));
    check(flx_gradient_head(c, 0, &dy));
    check(flx_gradient_scalar(c, "_mul_scalar", dy, 3, &dx));
    return flx_gradient_set(c, 0, dx);
  }).put();
  for (const char* name : {"test_linear", SquareOp()}) {
    NDArray a = array({1, 2}), x, y;
    a.attach_grad();
    {
      autograd::Record recording;
      x = a * 1;
      y = invoke(name, {x})[0];
    }
    x.write(std::vector<float>{7, 7});
    if (std::string(name) == "test_linear") {
      y.backward();
      EXPECT_EQ(a.grad().to_vector<float>(), (std::vector<float>{3, 3}));
    } else {
      std::string m = MessageOf([&] { y.backward(); });
      EXPECT_HAS(m, "[test_square] `data` is needed for the gradient but was overwritten");
    }
  }
}

TEST(NativeOp, WithoutGradientIsNotDifferentiable) {
  Op("test_rigid").shape(SameShape).kernel(Square).put();
  NDArray x = array({1, 2}), y;
  x.attach_grad();
  {
    autograd::Record recording;
    y = invoke("test_rigid", {x})[0];
  }
  EXPECT_HAS(MessageOf([&] { y.backward(); }), "[test_rigid] is not differentiable");
}

TEST(NativeOp, SeveralInputsAndOutputs) {
  Op("test_sum_and_product", 2, 2).shape(SameShape).kernel([](flx_context c, void*) -> flx_status {
    Input a = InputOf(c, 0), b = InputOf(c, 1);
    void* room = nullptr;
    if (flx_status s = flx_context_workspace(c, a.nbytes, &room)) return s;
    struct Work { const float *a, *b; float *sum, *product, *room; } w{a.as<float>(), b.as<float>(), OutputOf<float>(c, 0), OutputOf<float>(c, 1), static_cast<float*>(room)};
    flx_status s = flx_context_parallel(c, a.size(), 100, [](int64_t begin, int64_t end, void* user) {
      auto& v = *static_cast<Work*>(user);
      for (int64_t i = begin; i < end; ++i) v.room[i] = v.a[i] * v.b[i];
    }, &w);
    std::memcpy(w.product, w.room, size_t(a.nbytes));
    for (int64_t i = 0; i < a.size(); ++i) w.sum[i] = w.a[i] + w.b[i];
    return s;
  }).gradient([](flx_context c, void*) -> flx_status {
    int64_t x[2], sum = 0, product = 0;
    int32_t wanted = 0;
    for (int i = 0; i < 2; ++i) check(flx_gradient_input(c, i, &x[i]));
    check(flx_gradient_head(c, 0, &sum));
    check(flx_gradient_head(c, 1, &product));
    for (int i = 0; i < 2; ++i) {
      check(flx_gradient_wanted(c, i, &wanted));
      if (wanted) check(flx_gradient_set(c, i, CallOn(c, "broadcast_add", {sum, CallOn(c, "broadcast_mul", {product, x[1 - i]})})));
    }
    return FLX_OK;
  }).put();
  std::vector<float> many(1234);
  for (size_t i = 0; i < many.size(); ++i) many[i] = float(i % 17);
  NDArray a(many), b = a + 2;
  Outputs y = invoke("test_sum_and_product", {a, b});
  EXPECT_EQ(y[0].to_vector<float>(), (a + b).to_vector<float>());
  EXPECT_EQ(y[1].to_vector<float>(), (a * b).to_vector<float>());
  a.attach_grad();
  {
    autograd::Record recording;
    y = invoke("test_sum_and_product", {a, b});
  }
  y[1].backward();  // nobody asked for the sum: its head is zeros
  EXPECT_EQ(a.grad().to_vector<float>(), b.to_vector<float>());
}

TEST(NativeOp, RefusedIsDroppedAtOnceAndLeavesNothing) {
  SquareOp();
  int32_t before = CountOps();
  std::atomic<int> drops{0};
  {
    Op late("test_race");  // the name is free now, and taken when it is registered
    late.shape(Ok, &drops, CountDrop).kernel(Ok, &drops, CountDrop).gradient(Ok, &drops, CountDrop);
    Op("test_race").shape(Ok).kernel(Ok).put();
    EXPECT_HAS(MessageOf([&] { late.put(); }), "[test_race] an operator of this name is there already");
    EXPECT_EQ(drops, 3);
  }
  {
    Op no_kernel("test_no_kernel");
    no_kernel.shape(Ok, &drops, CountDrop);
    EXPECT_HAS(MessageOf([&] { no_kernel.put(); }), "has no kernel for the CPU");
    Op no_shape("test_no_shape");
    no_shape.kernel(Ok, &drops, CountDrop);
    EXPECT_HAS(MessageOf([&] { no_shape.put(); }), "has no shape rule");
    Op no_output("test_no_output", 1, 0);
    no_output.shape(Ok, &drops, CountDrop).kernel(Ok, &drops, CountDrop);
    EXPECT_HAS(MessageOf([&] { no_output.put(); }), "has no output");
    EXPECT_EQ(drops, 7);
    Op given_up("test_given_up");
    given_up.shape(Ok, &drops, CountDrop).kernel(Ok, &drops, CountDrop);
    EXPECT_EQ(drops, 7);
    EXPECT_THROW(given_up.kernel(Ok, &drops, CountDrop), StateError);  // has one: this was not taken over
  }
  EXPECT_TRUE(Soon([&] { return drops == 9; })) << drops;
  EXPECT_EQ(CountOps(), before + 1);
  for (const char* name : {"test_no_kernel", "test_no_shape", "test_no_output", "test_given_up"}) EXPECT_THROW(invoke(name, {array({1})}), NameError);
}

// ---- failures
namespace {
enum { kFails, kFailsSilently, kFailsInLibrary, kThrows, kThrowsAnInt };
flx_status Misbehave(flx_context c, void* user) {
  int64_t value = 0;
  switch (int(reinterpret_cast<intptr_t>(user))) {
    case kFails: return flx_native_fail(FLX_ERROR_SHAPE, "the moon is full");
    case kFailsSilently: return 12345;
    case kFailsInLibrary: return flx_gradient_input(c, 99, &value);
    case kThrows: throw std::runtime_error("a storm");
    default: throw 7;
  }
}
constexpr const char* kWord[] = {"the moon is full", "failed with status 12345 and gave no message", "failed: [flx_gradient_input]", "threw: a storm", "threw something that is no std::exception"};
}  // namespace

TEST(NativeOp, FailuresAreErrorsWithItsName) {
  for (int how = kFails; how <= kThrowsAnInt; ++how) {
    std::string name = "test_fails_" + std::to_string(how), head = "[" + name;
    void* user = reinterpret_cast<void*>(intptr_t(how));
    Op(name + "_kernel").shape(SameShape).kernel(Misbehave, user).put();
    Op(name + "_shape").shape(Misbehave, user).kernel(Square).put();
    Op(name + "_gradient").shape(SameShape).kernel(Square).gradient(Misbehave, user).put();
    NDArray x = array({1, 2});
    for (const char* part : {"_kernel", "_shape"}) {
      std::string m = MessageOf([&] { invoke((name + part).c_str(), {x}); });
      EXPECT_HAS(m, (head + part + "] ").c_str());
      EXPECT_HAS(m, kWord[how]);
    }
    x.attach_grad();
    std::string m = MessageOf([&] {
      autograd::Record recording;
      invoke((name + "_gradient").c_str(), {x})[0].backward();
    });
    EXPECT_HAS(m, (head + "_gradient] ").c_str());
    EXPECT_HAS(m, kWord[how]);
    // queued: at the call nothing is known, and what reads the result fails with the same message
    EngineMode engine("threaded");
    NDArray y = invoke((name + "_kernel").c_str(), {x})[0], z = y + 1;
    m = MessageOf([&] { z.wait(); });
    EXPECT_HAS(m, (head + "_kernel] ").c_str());
    EXPECT_HAS(m, kWord[how]);
    EXPECT_HAS(m, "Inputs: float32 (2,)");
    MessageOf([] { wait_all(); });
  }
  EXPECT_THROW(invoke("test_fails_0_kernel", {array({1})}), ShapeError);  // the status it gave
}

TEST(NativeOp, ShapeRuleMustSetEveryOutput) {
  Op("test_forgets", 1, 2).shape([](flx_context c, void*) -> flx_status { return flx_context_output_set(c, 0, FLX_FLOAT32, nullptr, 0); }).kernel(Ok).put();
  EXPECT_HAS(MessageOf([] { invoke("test_forgets", {array({1})}); }), "[test_forgets] the shape rule succeeded but did not set output `o1`");
}

// A callback's errors are its own: what this thread last failed with stays, also when it helps and a kernel fails in it.
TEST(NativeOp, LeavesTheThreadsErrorAlone) {
  Op("test_tries").shape(SameShape).kernel([](flx_context c, void* user) -> flx_status {
    int32_t n = 0;
    EXPECT_EQ(flx_context_count(c, "no such", &n), FLX_ERROR_NAME);
    return Square(c, user);
  }).put();
  EXPECT_EQ(flx_ndarray_wait(nullptr, 0, nullptr), FLX_ERROR_HANDLE);
  const char* said = flx_last_error();
  std::string text = said;
  EXPECT_EQ(invoke("test_tries", {array({3})})[0].item<float>(), 9);
  EXPECT_EQ(flx_last_error(), said);
  EXPECT_EQ(text, said);
}

// Registering, listing and invoking by several threads at once.
TEST(NativeOp, ThreadsMayRegister) {
  constexpr int kThreads = 4, kEach = 10;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([t, &refused] {
      for (int i = 0; i < kEach; ++i) {
        try {
          Op("test_many_" + std::to_string(i)).shape(SameShape).kernel(Square).put();  // all want the same names: one gets each
        } catch (const NameError&) {
          ++refused;
        }
        Op("test_many_" + std::to_string(t) + "_" + std::to_string(i)).shape(SameShape).kernel(Square).put();
        EXPECT_GT(CountOps(), 100);
        EXPECT_EQ(invoke(("test_many_" + std::to_string(i)).c_str(), {array({2})})[0].item<float>(), 4);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(refused, (kThreads - 1) * kEach);
}
