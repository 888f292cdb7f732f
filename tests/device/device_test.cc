// SPDX-License-Identifier: Apache-2.0
#include "device/device.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <vector>

#include "../device/fake_kernels.h"
#include "base/config.h"
#include "device/kernels.h"
#include "../base/failing.h"

namespace flx {
namespace {

struct DeviceTest : testing::Test {
  static void SetUpTestSuite() { SetOption("FLEXOR_TEST_DEVICE", FLEXOR_FAKE_DEVICE); }
  DeviceManager& devices = DeviceManager::Get();
};

TEST_F(DeviceTest, FoundByText) {
  EXPECT_EQ(devices.Find("cpu"), devices.Cpu());
  EXPECT_EQ(devices.Find(" cpu( 0 ) "), devices.Cpu());
  EXPECT_EQ(devices.Find("cpu(3)"), devices.Cpu()) << "MXNet's programs write it for a second stream on the one CPU";
  EXPECT_EQ(devices.Find("fake(1)")->index, 1);
  EXPECT_EQ(devices.Find("fake")->name, "fake(0)");
  EXPECT_EQ(devices.Names(), (std::vector<std::string>{"cpu(0)", "fake(0)", "fake(1)"}));
}
TEST_F(DeviceTest, ErrorsNameWhatIsThere) {
  EXPECT_EQ(MessageOf([&] { devices.Find("gpu"); }).find("[device] there is no device gpu; there are cpu(0), fake(0), fake(1). No gpu: "), 0u);
  EXPECT_NE(MessageOf([&] { devices.Find("fake(2)"); }).find("there are cpu(0)"), std::string::npos);
  EXPECT_NE(MessageOf([&] { devices.Find("fke"); }).find("Did you mean `fake`?"), std::string::npos);
  for (const char* bad : {"", "cpu(", "cpu()", "cpu(-1)", "cpu(1)x", "(0)"})
    EXPECT_NE(MessageOf([&] { devices.Find(bad); }).size(), 0u) << bad;
  EXPECT_NE(MessageOf([&] { devices.Find("cpu(x)"); }).find("a device reads"), std::string::npos);
}
TEST_F(DeviceTest, ModulesThatAreNoneAreRefusedByName) {
  EXPECT_NE(MessageOf([&] { devices.Load(FLEXOR_NOT_A_DEVICE); }).find("no function flx_device_module"), std::string::npos);
  EXPECT_NE(MessageOf([&] { devices.Load("/no/such/module.so"); }).find("does not load"), std::string::npos);
  devices.Names();
  EXPECT_NE(MessageOf([&] { devices.Load(FLEXOR_FAKE_DEVICE); }).find("there already"), std::string::npos);
}
// What every table must do, on the CPU and on the fake device alike.
TEST_F(DeviceTest, TheTableWorks) {
  for (const Device* d : devices.Devices()) {
    const flx_device_table& t = *d->table;
    EXPECT_NE(d->Properties().find("name "), std::string::npos);
    int64_t free_bytes = 0, total = 0;
    d->Check(t.memory_info(d->index, &free_bytes, &total), "memory_info");
    EXPECT_GT(total, 0);
    for (int64_t n : {int64_t(1), int64_t(1000), int64_t(3) << 20}) {
      void *a = nullptr, *b = nullptr;
      d->Check(t.alloc(d->index, n, &a), "alloc");
      d->Check(t.pinned_alloc(d->index, n, &b), "pinned_alloc");
      EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u);
      flx_device_queue *q = nullptr, *r = nullptr;
      flx_device_event* e = nullptr;
      d->Check(t.queue_create(d->index, 0, &q), "queue_create");
      d->Check(t.queue_create(d->index, 1, &r), "queue_create");
      d->Check(t.event_create(d->index, &e), "event_create");
      EXPECT_EQ(t.event_query(e), FLX_DEVICE_OK) << "never recorded: nothing to wait for";
      unsigned char pattern = 0xa5;
      d->Check(t.fill(q, a, &pattern, 1, n), "fill");
      d->Check(t.event_record(e, q), "event_record");
      d->Check(t.queue_wait(r, e), "queue_wait");
      d->Check(t.copy(r, b, a, n, FLX_COPY_TO_HOST), "copy");
      d->Check(t.event_record(e, r), "event_record");
      d->Check(t.event_wait(e), "event_wait");
      EXPECT_EQ(t.event_query(e), FLX_DEVICE_OK);
      EXPECT_EQ(static_cast<unsigned char*>(b)[n - 1], 0xa5);
      t.event_destroy(e);
      t.queue_destroy(q);
      t.queue_destroy(r);
      d->Check(t.free(d->index, a, n), "free");
      d->Check(t.pinned_free(d->index, b, n), "pinned_free");
    }
    EXPECT_NE(t.fill(nullptr, nullptr, nullptr, 16, 0), FLX_DEVICE_OK);
  }
}
TEST_F(DeviceTest, FailuresAreMessages) {
  const Device* d = FakeDevice();
  FakeFail("alloc", 1);
  void* p = nullptr;
  int32_t r = d->table->alloc(0, 64, &p);
  EXPECT_EQ(MessageOf([&] { d->Check(r, "alloc"); }), "[fake(0)] alloc failed: a test asked for this failure");
  EXPECT_EQ(d->CallError(r, "alloc").status(), Status::kMemory);
}
TEST_F(DeviceTest, KernelsByNameAndSignature) {
  EXPECT_NE(FakeDevice()->Kernel("fake_add", 1), nullptr);
  EXPECT_EQ(FakeDevice()->Kernel("fake_add", 2), nullptr) << "another signature is another kernel";
  EXPECT_EQ(devices.Cpu()->Kernel("fake_add", 1), nullptr);
  EXPECT_NE(DeviceSignature("exp", 1), DeviceSignature("exp", 2)) << "what a kernel is called with is in its signature";
  EXPECT_NE(DeviceSignature("exp", 1), DeviceSignature("log", 1));
}

}  // namespace
}  // namespace flx
