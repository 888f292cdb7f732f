// SPDX-License-Identifier: Apache-2.0
// The host's turn on an array's memory: who must be quick is let through or refused, nobody waits for the host.
#include "../base/failing.h"
#include "tensor/mapping.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

namespace flx {
namespace {

std::string Refused(const std::function<void()>& f) { return MessageOf(f, Status::kState); }
void Write(const NDArray& a, float v) {
  std::vector<float> values(size_t(a->size()), v);
  WriteArray(a, values.data(), a->bytes(), DType::kFloat32, false);
}
float First(const NDArray& a) {
  std::vector<float> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->bytes(), DType::kFloat32, false);
  return v[0];
}
struct Gate final : Operation {  // holds its variables until it is let go
  std::shared_ptr<std::atomic<bool>> open;
  NDArray array;
  void Execute() override {
    while (!open->load()) std::this_thread::yield();
    static_cast<float*>(array->storage->Ensure())[0] = 5;
  }
};
std::shared_ptr<std::atomic<bool>> HoldBack(const NDArray& a, Access access) {
  auto* op = new Gate;
  op->open = std::make_shared<std::atomic<bool>>(false);
  op->array = a, op->lane = Lane::kCopy;
  auto open = op->open;
  VarUse use{&a->storage->var, access};
  Engine::Get().Push(op, &use, 1);
  return open;
}

TEST(Mapping, ReadersShareWritersAreRefused) {
  auto a = Array::Filled({4, 3}, DType::kFloat32, 2);
  auto one = Mapping::New(a, false, -1), two = Mapping::New(a, false, 0);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->data(), two->data());
  EXPECT_EQ(one->bytes(), 48);
  EXPECT_EQ(static_cast<float*>(one->data())[11], 2);
  EXPECT_EQ(First(a), 2);
  EXPECT_TRUE(WaitToRead(*a, 0));
  uint64_t version = a->storage->var.version.load();
  std::string text = Refused([&] { Write(a, 3); });
  EXPECT_NE(text.find("flx_ndarray_map"), text.npos) << text;
  EXPECT_EQ(a->storage->var.version.load(), version) << "a refused write is none";
  Refused([&] { Mapping::New(a, true, -1); });
  VarUse use{&a->storage->var, Access::kWrite};
  Refused([&] { Engine::Get().Push(new Gate, &use, 1); });
  one = nullptr;
  Refused([&] { Write(a, 3); });
  two = nullptr;
  Write(a, 3);
  EXPECT_EQ(First(a), 3);
  EXPECT_TRUE(a->storage->var.idle());
}

TEST(Mapping, AWritableOneKeepsAllOut) {
  auto a = Array::Filled({3}, DType::kFloat32, 2), view = Array::NewRows(a, 1, 3, false);
  uint64_t version = a->storage->var.version.load();
  auto m = Mapping::New(a, true, -1);
  EXPECT_GT(a->storage->var.version.load(), version) << "a tape must see that it may have changed";
  static_cast<float*>(m->data())[1] = 7;
  Refused([&] { First(a); });
  Refused([&] { First(view); });
  Refused([&] { WaitToRead(*a, 0); });
  Refused([&] { Write(a, 1); });
  Refused([&] { Mapping::New(view, false, -1); });
  std::thread([&] { m = nullptr; }).join();  // ends in any thread
  EXPECT_EQ(First(view), 7);
}

TEST(Mapping, WaitsForItsTurn) {
  auto a = Array::Filled({4}, DType::kFloat32, 1);
  auto written = HoldBack(a, Access::kUpdate);
  EXPECT_FALSE(Mapping::New(a, false, 0));
  EXPECT_FALSE(Mapping::New(a, false, 5));
  std::thread later([&] { std::this_thread::sleep_for(std::chrono::milliseconds(20)), written->store(true); });
  auto m = Mapping::New(a, false, -1);
  ASSERT_TRUE(m);
  EXPECT_EQ(static_cast<float*>(m->data())[0], 5);
  later.join();
  m = nullptr;
  auto read = HoldBack(a, Access::kRead);
  EXPECT_TRUE(Mapping::New(a, false, 0)) << "beside another reader";
  EXPECT_FALSE(Mapping::New(a, true, 0));
  read->store(true);
  EXPECT_TRUE(Mapping::New(a, true, -1));
  Engine::Get().WaitAll(-1);
  EXPECT_TRUE(a->storage->var.idle());
}

TEST(Mapping, KeepsItsArrayAndTakesOnlyWhatHasNoGaps) {
  auto a = Array::Filled({2, 3}, DType::kFloat32, 4);
  auto row = Array::NewRows(a, 1, 2, true), column = Array::NewView(a, {2}, {3}, 4), empty = Array::New({0, 3}, DType::kInt64);
  auto m = Mapping::New(row, false, -1);
  EXPECT_EQ(static_cast<char*>(m->data()) - static_cast<char*>(a->storage->data()), 12);
  a = row = nullptr;
  EXPECT_EQ(static_cast<float*>(m->data())[2], 4);
  try {
    Mapping::New(column, false, -1);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kUnsupported);
    EXPECT_NE(e.message().find("(2,)"), std::string::npos) << e.message();
  }
  auto nothing = Mapping::New(empty, true, -1);
  EXPECT_EQ(nothing->bytes(), 0);
  auto bad = Array::Filled({2}, DType::kFloat32, 1);
  bad->storage->var.SetPoison(Make<const Poison>(Error(Status::kArgument, "what made it")));
  EXPECT_THROW(Mapping::New(bad, false, -1), Error);
  EXPECT_TRUE(bad->storage->var.idle());
}

}  // namespace
}  // namespace flx
