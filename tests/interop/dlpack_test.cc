// SPDX-License-Identifier: Apache-2.0
// Tensors of other libraries, as they make them: any strides, any thread, read-only ones, and wrong ones.
#include "interop/dlpack.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <thread>

#include "base/text.h"

namespace flx {
namespace {

// A producer's tensor; counts how often it was let go of, and in which thread.
template <class Managed> struct Producer {
  Managed m{};
  std::vector<int64_t> shape, strides;
  std::vector<char> memory;
  int deleted = 0;
  std::thread::id where;
  Producer(std::vector<int64_t> s, DLDataType type, int64_t bytes = 0) : shape(std::move(s)) {
    int64_t n = type.bits / 8;
    for (auto d : shape) n *= d;
    memory.resize(size_t(std::max(bytes, n)) + 64);
    for (size_t i = 0; i < memory.size(); ++i) memory[i] = char(type.code == kDLBool ? i * 7 % 3 == 0 : i * 37 % 61);  // no NaN in any dtype
    if constexpr (std::is_same_v<Managed, DLManagedTensorVersioned>) m.version = {1, 1};
    tensor().data = Aligned(), tensor().device = {kDLCPU, 0}, tensor().ndim = int32_t(shape.size()), tensor().dtype = type;
    tensor().shape = shape.data(), tensor().strides = nullptr;
    m.manager_ctx = this;
    m.deleter = [](Managed* p) {
      auto* self = static_cast<Producer*>(p->manager_ctx);
      ++self->deleted, self->where = std::this_thread::get_id();
    };
  }
  DLTensor& tensor() { return m.dl_tensor; }
  char* Aligned() { return memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64; }
  void SetStrides(std::vector<int64_t> s) { strides = std::move(s), tensor().strides = strides.data(); }
};
using New = Producer<DLManagedTensorVersioned>;
using Old = Producer<DLManagedTensor>;
constexpr DLDataType kFloat{kDLFloat, 32, 1};

template <class P> NDArray Import(P& p) {
  DlpackImport in(&p.m);
  in.Take();
  return in.array;
}
template <class P> Status Refusal(P& p) {
  int before = p.deleted;
  Status s = Status::kOk;
  try {
    DlpackImport in(&p.m);
  } catch (const Error& e) {
    s = e.status();
  }
  CollectDlpack();
  EXPECT_EQ(p.deleted, before) << "what failed was not taken over";
  return s;
}
std::vector<double> Read(const Array& a) {
  std::vector<double> v(size_t(a.size()));
  if (!v.empty()) ReadArray(a, v.data(), a.size() * 8, DType::kFloat64, false);
  return v;
}

TEST(Dlpack, EveryDtypeThereAndBack) {
  std::vector<NDArray> made;
  for (int t = 0; t < kDTypeCount; ++t) {
    std::vector<double> v(12);
    for (size_t i = 0; i < v.size(); ++i) v[i] = DType(t) == DType::kBool ? double(i % 2) : double(i);
    auto a = FromHost(v.data(), 96, DType::kFloat64, false, {3, 4}, DType(t));
    auto* m = ToDlpack<DLManagedTensorVersioned>(a, false, -1);
    EXPECT_EQ(m->version.major, 1u);
    EXPECT_EQ(m->flags, 0u);
    EXPECT_EQ(m->dl_tensor.dtype.bits, DTypeSize(DType(t)) * 8);
    EXPECT_EQ(m->dl_tensor.strides[0], 4);
    DlpackImport in(m);
    in.Take();
    EXPECT_EQ(in.array->dtype, DType(t));
    EXPECT_EQ(in.array->storage->data(), m->dl_tensor.data) << "no copy";
    EXPECT_EQ(Read(*in.array), Read(*a));
  }
  EXPECT_EQ(CollectDlpack(), kDTypeCount);
}

template <class P> void LifeOfATensor() {
  auto p = std::make_unique<P>(std::vector<int64_t>{2, 3}, kFloat);
  NDArray a = Import(*p), view = Array::NewRows(a, 1, 2, true);
  p->tensor().shape = nullptr;  // the struct is the producer's; what was read of it is enough
  a = nullptr;
  EXPECT_EQ(CollectDlpack(), 0);
  std::thread([&] { view = nullptr; }).join();
  EXPECT_EQ(p->deleted, 0) << "the library calls nobody by itself";
  EXPECT_TRUE(DlpackWaits());
  EXPECT_EQ(CollectDlpack(), 1);
  EXPECT_EQ(p->deleted, 1);
  EXPECT_EQ(p->where, std::this_thread::get_id());
  EXPECT_FALSE(DlpackWaits());
}
TEST(Dlpack, DeletersRunWhereTheHostCollects) { LifeOfATensor<New>(), LifeOfATensor<Old>(); }

TEST(Dlpack, WhatFailsAfterReadingLeavesTheTensorToItsOwner) {
  New p({2, 3}, kFloat);
  { DlpackImport in(&p.m); }  // no Take: as when there is no room for a handle
  p.m.flags = kDLReadOnly;
  { DlpackImport in(&p.m); }
  EXPECT_EQ(CollectDlpack(), 0);
  EXPECT_EQ(p.deleted, 0);
}

TEST(Dlpack, MemoryIsSharedBothWays) {
  New p({4}, kFloat);
  auto* v = reinterpret_cast<float*>(p.Aligned());
  v[0] = 1;
  NDArray a = Import(p);
  v[0] = 2;
  EXPECT_EQ(Read(*a)[0], 2);
  float nine[4] = {9, 9, 9, 9};
  WriteArray(a, nine, 16, DType::kFloat32, false);
  EXPECT_EQ(v[3], 9);
  EXPECT_FALSE(a->storage->unique()) << "an operator must not reuse it for its result";
  a = nullptr;
  EXPECT_EQ(CollectDlpack(), 1);
}

TEST(Dlpack, AnyStrides) {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    int ndim = int(random() % 5);
    std::vector<int64_t> shape, order, strides(static_cast<size_t>(ndim));
    for (int i = 0; i < ndim; ++i) shape.push_back(int64_t(random() % 4) + (random() % 10 != 0)), order.push_back(i);
    std::shuffle(order.begin(), order.end(), random);
    int64_t step = 1 + int64_t(random() % 2), reach = 0, first = 0;
    for (auto i : order) {
      bool back = random() % 3 == 0;
      strides[size_t(i)] = back ? -step : step;
      int64_t span = step * std::max<int64_t>(0, shape[size_t(i)] - 1);
      reach += span, first += back ? span : 0;
      step *= shape[size_t(i)] + int64_t(random() % 2);
      if (random() % 20 == 0) strides[size_t(i)] = 0;  // shared elements: copied
    }
    DType type = random() % 2 ? DType::kFloat32 : DType::kInt8;
    int item = DTypeSize(type);
    New p(shape, type == DType::kInt8 ? DLDataType{kDLInt, 8, 1} : kFloat, (reach + 1) * item);
    p.SetStrides(strides);
    bool in_offset = random() % 2;
    if (in_offset) p.tensor().byte_offset = uint64_t(first * item);
    else p.tensor().data = p.Aligned() + first * item;
    NDArray a = Import(p);
    std::vector<double> want;
    std::vector<int64_t> at(size_t(ndim), 0);
    for (int64_t n = a->size(); n > 0; --n) {
      int64_t place = first;
      for (int i = 0; i < ndim; ++i) place += at[size_t(i)] * strides[size_t(i)];
      if (type == DType::kInt8) want.push_back(p.Aligned()[place]);
      else want.push_back(double(reinterpret_cast<float*>(p.Aligned())[place]));
      for (int i = ndim - 1; i >= 0 && ++at[size_t(i)] == shape[size_t(i)]; --i) at[size_t(i)] = 0;
    }
    ASSERT_EQ(Read(*a), want) << Text(Shape(shape), " by ", Shape(strides));
    if (auto* m = ToDlpack<DLManagedTensor>(a, false, -1)) {  // and out again
      DlpackImport again(m);
      again.Take();
      ASSERT_EQ(Read(*again.array), want);
    }
    a = nullptr;
    CollectDlpack();
    ASSERT_EQ(p.deleted, 1);
  }
}

TEST(Dlpack, ReadOnlyAndSharedElementsAreCopied) {
  New p({2, 3}, kFloat);
  p.m.flags = kDLReadOnly;
  NDArray a = Import(p);
  EXPECT_NE(a->storage->data(), p.tensor().data);
  EXPECT_EQ(CollectDlpack(), 1) << "nothing needs it any more";
  float ones[6] = {1, 1, 1, 1, 1, 1};
  WriteArray(a, ones, 24, DType::kFloat32, false);
  EXPECT_NE(*reinterpret_cast<float*>(p.Aligned()), 1);
  New broadcast({3, 2}, kFloat);
  broadcast.SetStrides({0, 1});
  NDArray b = Import(broadcast);
  auto v = Read(*b);
  EXPECT_EQ(v[0], v[4]);
  EXPECT_EQ(CollectDlpack(), 1);
}

TEST(Dlpack, NothingInIt) {
  New p({3, 0, 2}, kFloat);
  p.tensor().data = nullptr;
  p.SetStrides({7, -1, 0});
  NDArray a = Import(p);
  EXPECT_EQ(a->size(), 0);
  EXPECT_TRUE(a->contiguous);
  auto* m = ToDlpack<DLManagedTensor>(a, false, -1);
  EXPECT_NE(m->dl_tensor.data, nullptr);
  m->deleter(m);
  a = nullptr;
  EXPECT_EQ(CollectDlpack(), 1);
  New scalar({}, kFloat);
  scalar.tensor().shape = nullptr;
  EXPECT_EQ(Import(scalar)->shape, Shape());
  EXPECT_EQ(CollectDlpack(), 1);
}

TEST(Dlpack, WrongTensorsAreRefused) {
  New p({2, 3}, kFloat);
  const auto good = p.m;
  auto with = [&](const std::function<void(DLManagedTensorVersioned*)>& change) {
    change(&p.m);
    Status s = Refusal(p);
    p.m = good;
    return s;
  };
  EXPECT_EQ(with([](auto* m) { m->version.major = 2; }), Status::kUnsupported);
  EXPECT_EQ(with([](auto* m) { m->version.major = 0; }), Status::kUnsupported);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.device.device_type = 2; }), Status::kDevice);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.dtype = {5, 64, 1}; }), Status::kType);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.dtype.lanes = 4; }), Status::kType);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.dtype.bits = 24; }), Status::kType);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.ndim = 33; }), Status::kShape);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.ndim = -1; }), Status::kShape);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.shape = nullptr; }), Status::kShape);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.data = nullptr; }), Status::kArgument);
  EXPECT_EQ(with([](auto* m) { m->dl_tensor.byte_offset = 2; }), Status::kArgument) << "not aligned";
  p.shape = {-1, 3};
  EXPECT_THROW(DlpackImport(&p.m), Error);
  p.shape = {int64_t(1) << 40, int64_t(1) << 40};
  EXPECT_THROW(DlpackImport(&p.m), Error);
  p.shape = {2, 3};
  for (int64_t step : {std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min(), int64_t(1) << 61, -(int64_t(1) << 61)}) {
    p.SetStrides({step, 1});
    EXPECT_EQ(Refusal(p), Status::kShape) << step;
  }
  EXPECT_EQ(p.deleted, 0);
}

struct Gate final : Operation {
  std::atomic<bool>* open = nullptr;
  NDArray array;
  void Execute() override {
    while (!open->load()) std::this_thread::yield();
    static_cast<float*>(array->storage->Ensure())[0] = 5;
  }
};
TEST(Dlpack, ExportWaitsForWhatIsUnderWay) {
  auto a = Array::Filled({4}, DType::kFloat32, 1);
  std::atomic<bool> open{false};
  auto hold = [&](Access access) {
    auto* op = new Gate;
    op->open = &open, op->array = a, op->lane = Lane::kCopy;
    VarUse use{&a->storage->var, access};
    Engine::Get().Push(op, &use, 1);
  };
  hold(Access::kUpdate);
  EXPECT_EQ(ToDlpack<DLManagedTensor>(a, true, 0), nullptr);
  EXPECT_EQ(ToDlpack<DLManagedTensor>(a, false, 3), nullptr);
  open = true;
  auto* m = ToDlpack<DLManagedTensor>(a, false, -1);
  EXPECT_EQ(static_cast<float*>(m->dl_tensor.data)[0], 5);
  m->deleter(m);
  open = false;
  hold(Access::kRead);
  auto* r = ToDlpack<DLManagedTensorVersioned>(a, true, 0);
  ASSERT_NE(r, nullptr) << "beside a reader";
  EXPECT_EQ(r->flags, kDLReadOnly);
  EXPECT_EQ(ToDlpack<DLManagedTensor>(a, false, 0), nullptr) << "the consumer may write at once";
  open = true;
  Engine::Get().WaitAll(-1);
  a = nullptr;
  std::thread([&] { r->deleter(r); }).join();  // the consumer may be the last, in any thread
  a = Array::Filled({2}, DType::kFloat32, 1);
  a->storage->var.SetPoison(Make<const Poison>(Error(Status::kArgument, "what made it")));
  EXPECT_THROW(ToDlpack<DLManagedTensor>(a, false, -1), Error);
}

TEST(Dlpack, ManyThreads) {
  std::vector<std::unique_ptr<New>> producers;
  std::vector<NDArray> arrays;
  for (int i = 0; i < 400; ++i) producers.push_back(std::make_unique<New>(std::vector<int64_t>{5}, kFloat)), arrays.push_back(Import(*producers.back()));
  std::atomic<int64_t> collected{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (size_t i = t; i < 400; i += 4) {
        auto* m = ToDlpack<DLManagedTensorVersioned>(arrays[i], true, -1);
        arrays[i] = nullptr;
        m->deleter(m);
        collected += CollectDlpack();
      }
    });
  for (auto& t : threads) t.join();
  collected += CollectDlpack();
  EXPECT_EQ(collected.load(), 400);
  for (auto& p : producers) EXPECT_EQ(p->deleted, 1);
}

}  // namespace
}  // namespace flx
