// SPDX-License-Identifier: Apache-2.0
// The host's functions in the engine, its memory in arrays, its log.
#include <chrono>

#include "native_helpers.h"

using namespace flexor;
using namespace native;

namespace {
void Push(flx_native_fn run, void* user, flx_drop_fn drop, const std::vector<NDArray>& arrays, const std::vector<NDArray>& targets, const char* lane = nullptr) {
  std::vector<flx_ndarray> a, t;
  for (auto& x : arrays) a.push_back(x.handle());
  for (auto& x : targets) t.push_back(x.handle());
  check(flx_engine_push(run, user, drop, lane, a.data(), int32_t(a.size()), t.data(), int32_t(t.size()), 0));
}
flx_status AddOne(flx_context c, void*) {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));  // time for what comes after to overtake, if it may
  Input x = InputOf(c, 0);
  for (int64_t i = 0; i < x.size(); ++i) OutputOf<float>(c, 0)[i] = x.as<float>()[i] + 1;
  return FLX_OK;
}
NDArray Borrow(void* data, const Shape& s, DType t, void* user = nullptr, flx_drop_fn drop = nullptr) {
  flx_ndarray a = nullptr;
  check(flx_ndarray_from_memory(data, s.data(), s.ndim(), int32_t(t), "cpu", user, drop, &a));
  return NDArray::adopt(a);
}
}  // namespace

TEST(Push, RunsInOrderOfWhatItReadsAndWrites) {
  for (const char* mode : {"auto", "threaded", "inline", "naive"}) {
    EngineMode engine(mode);
    for (const char* lane : {"compute", "copy", "io", "comm"}) {
      std::atomic<int> drops{0};
      NDArray x = zeros({3}), y = zeros({3}), part = zeros({3, 2});
      for (int i = 0; i < 5; ++i) Push(AddOne, &drops, CountDrop, {x}, {x}, lane);
      Push(AddOne, &drops, CountDrop, {x * 2}, {y}, lane);
      NDArray z = y + x;
      EXPECT_EQ(z.to_vector<float>(), (std::vector<float>{16, 16, 16})) << mode << " " << lane;
      NDArray strided = part.transpose().at(0);
      Push(AddOne, nullptr, nullptr, {strided}, {strided}, lane);
      EXPECT_EQ(part.to_vector<float>(), (std::vector<float>{1, 0, 1, 0, 1, 0})) << mode << " " << lane;
      EXPECT_TRUE(Soon([&] { return drops == 6; })) << drops;
    }
  }
}

TEST(Push, RunsWithoutArrays) {
  static std::atomic<int> runs{0};
  std::atomic<int> drops{0};
  Push([](flx_context c, void*) -> flx_status {
    int32_t n = -1;
    check(flx_context_count(c, "inputs", &n));
    if (n == 0) ++runs;
    return FLX_OK;
  }, &drops, CountDrop, {}, {});
  wait_all();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(Soon([&] { return drops == 1; }));
}

TEST(Push, FailurePoisonsTheTargets) {
  std::atomic<int> drops{0};
  auto fail = [](flx_context, void*) -> flx_status { return flx_native_fail(FLX_ERROR_FILE, "the disk is gone"); };
  NDArray x = zeros({2}), y = zeros({2});
  Push(fail, &drops, CountDrop, {x}, {y});
  std::string m = MessageOf([&] { y.wait(); });
  EXPECT_HAS(m, "[flx_engine_push] the disk is gone Inputs: float32 (2,).");
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{0, 0}));
  Push(AddOne, &drops, CountDrop, {y}, {x});  // reads what has no value
  EXPECT_THROW(x.wait(), FileError);
  Push(AddOne, &drops, CountDrop, {zeros({2})}, {y});  // overwritten wholly: it has a value again
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{1, 1}));
  Push([](flx_context, void*) -> flx_status { throw std::runtime_error("a storm"); }, &drops, CountDrop, {}, {});
  EXPECT_HAS(MessageOf([] { wait_all(); }), "[flx_engine_push] the kernel threw: a storm");
  EXPECT_TRUE(Soon([&] { return drops == 4; })) << drops;
  std::string twice = MessageOf([&] { Push(AddOne, nullptr, nullptr, {x}, {y, y}); });
  EXPECT_HAS(twice, "`targets[1]` is `targets[0]`");
}

TEST(Push, EndsTheHistoryOfItsTarget) {
  NDArray x = array({1, 2}), y;
  x.attach_grad();
  {
    autograd::Record recording;
    y = x * x;
  }
  Push(AddOne, nullptr, nullptr, {y}, {y});
  EXPECT_THROW(y.backward(), StateError);
}

// ---- memory
TEST(ForeignMemory, IsUsedWhereItLies) {
  std::atomic<int> drops{0};
  std::vector<float> memory{1, 2, 3, 4, 5, 6, 7};
  {
    NDArray a = Borrow(memory.data() + 1, {2, 3}, DType::float32, &drops, CountDrop);
    EXPECT_EQ(a.to_vector<float>(), (std::vector<float>{2, 3, 4, 5, 6, 7}));
    NDArray row = a.at(1), sum = a + a;
    a = NDArray();
    EXPECT_EQ(drops, 0);  // the view has it
    row.write(std::vector<float>{50, 60, 70});
    EXPECT_EQ(row.to_vector<float>(), (std::vector<float>{50, 60, 70}));
    EXPECT_EQ(memory, (std::vector<float>{1, 2, 3, 4, 50, 60, 70}));
    EXPECT_EQ(sum.to_vector<float>(), (std::vector<float>{4, 6, 8, 10, 12, 14}));
  }
  EXPECT_TRUE(Soon([&] { return drops == 1; }));
  NDArray empty = Borrow(nullptr, {0, 3}, DType::float64, &drops, CountDrop);
  EXPECT_EQ(empty.to_vector<double>().size(), 0u);
  empty = NDArray();
  EXPECT_TRUE(Soon([&] { return drops == 2; }));
}

// A gradient buffer of the host's receives the gradient itself.
TEST(ForeignMemory, MayBeAGradient) {
  float g[2] = {9, 9};
  NDArray x = array({3, 4}), grad = Borrow(g, {2}, DType::float32);
  check(flx_autograd_attach(x.handle(), "write", grad.handle()));
  grad = NDArray();
  {
    autograd::Record recording;
    (x * x).backward();
  }
  wait_all();
  EXPECT_EQ(g[0], 6);
  EXPECT_EQ(g[1], 8);
}

TEST(ForeignMemory, StaysUntilPendingWorkIsDone) {
  EngineMode engine("threaded");
  struct Lent {
    std::vector<float> memory = std::vector<float>(3, 1);
    std::atomic<bool> gone{false};
  } lent;
  static std::atomic<bool> go{false};
  NDArray a = Borrow(lent.memory.data(), {3}, DType::float32, &lent, [](void* p) { static_cast<Lent*>(p)->gone = true; });
  NDArray gate = zeros({1});
  Push([](flx_context c, void*) -> flx_status {
    while (!go) std::this_thread::yield();
    *OutputOf<float>(c, 0) = 1;
    return FLX_OK;
  }, nullptr, nullptr, {}, {gate}, "io");
  NDArray y = a + gate;  // stands behind the gate
  a = NDArray();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(lent.gone);
  go = true;
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{2, 2, 2}));
  EXPECT_TRUE(Soon([&] { return lent.gone.load(); }));
}

// Memory aligned to its elements and no more: the kernels of every family give the same as from memory of our own.
TEST(ForeignMemory, NeedsNoMoreThanItsElementsAlignment) {
  alignas(64) static float block[3 * 8 * 8 * 2 + 1];
  for (size_t i = 0; i < sizeof block / sizeof *block; ++i) block[i] = 0.25f + 0.01f * float(i % 97);
  const Shape image{2, 3, 8, 8}, matrix{16, 24};
  auto both = [&](const char* op, const Shape& s, const std::vector<NDArray>& more, const Options& options) {
    NDArray odd = Borrow(block + 1, s, DType::float32);
    std::vector<float> copied(block + 1, block + 1 + s.size());
    std::vector<NDArray> theirs{odd}, ours{NDArray(copied, s)};
    for (auto& m : more) theirs.push_back(m), ours.push_back(m);
    auto want = invoke(op, ours, options)[0].to_vector<float>(), got = invoke(op, theirs, options)[0].to_vector<float>();
    ASSERT_EQ(got.size(), want.size()) << op;
    for (size_t i = 0; i < got.size(); ++i) ASSERT_FLOAT_EQ(got[i], want[i]) << op << " at " << i;
  };
  for (const char* op : {"exp", "sigmoid", "sqrt", "_np_sum", "_np_mean", "softmax", "argmax", "transpose", "Flatten"}) both(op, image, {}, {});
  both("broadcast_mul", image, {array({1, 2, 3}).reshape({3, 1, 1})}, {});
  both("dot", matrix, {ones({24, 5})}, {});
  both("FullyConnected", matrix, {ones({5, 24}), ones({5})}, {{"num_hidden", 5}});
  both("Convolution", image, {full({4, 3, 3, 3}, 0.5), zeros({4})}, {{"kernel", {3, 3}}, {"num_filter", 4}});
  both("Pooling", image, {}, {{"kernel", {2, 2}}, {"pool_type", "max"}});
  both("LayerNorm", matrix, {ones({24}), zeros({24})}, {});
  NDArray target = Borrow(block + 1, {3, 8}, DType::float32);  // and written, too
  NDArray fours = full({3, 8}, 4);
  flx_ndarray in = fours.handle(), to = target.handle();
  check(flx_invoke_into("sqrt", 0, &in, 1, nullptr, nullptr, 0, &to, 1));
  EXPECT_EQ(target.to_vector<float>(), std::vector<float>(24, 2));
  EXPECT_EQ(block[24], 2);
}

// ---- the log
namespace {
struct Records {
  std::atomic<int> count{0}, drops{0};
  std::string last;
  static void Write(int32_t level, const char* text, void* user) {
    auto& r = *static_cast<Records*>(user);
    r.last = "level " + std::to_string(level) + ": " + text;
    if (++r.count < 100) flx_plugin_load("/nowhere");  // any function may be called, one that fails too
  }
  static void Drop(void* user) { ++static_cast<Records*>(user)->drops; }
};
// Something that is logged: a device module that cannot be loaded is a warning. It is looked for once, in this process.
void LogSomething() {
  check(flx_config_set("FLEXOR_TEST_DEVICE", "/no/such/module.so"));
  int32_t n = 0;
  check(flx_device_count("gpu", &n));
}
}  // namespace

TEST(Log, GoesToTheHostsFunction) {
  Records one, two;
  EXPECT_EQ(flx_ndarray_wait(nullptr, 0, nullptr), FLX_ERROR_HANDLE);
  std::string said = flx_last_error();
  check(flx_native_log(&Records::Write, &one, &Records::Drop));
  LogSomething();
  EXPECT_EQ(one.count, 1);
  EXPECT_HAS(one.last, "level 2: ");
  EXPECT_HAS(one.last, "/no/such/module.so");
  EXPECT_EQ(flx_last_error(), said);
  check(flx_native_log(&Records::Write, &two, &Records::Drop));
  EXPECT_EQ(one.drops, 1);
  check(flx_native_log(nullptr, &one, &Records::Drop));  // what is given with no function is let go at once
  EXPECT_EQ(two.drops, 1);
  EXPECT_EQ(one.drops, 2);
  check(flx_native_log(nullptr, nullptr, nullptr));
}
