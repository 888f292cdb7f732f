// SPDX-License-Identifier: Apache-2.0
// Device modules: what is refused and in which words, and a machine that has none of what a module is for.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "../base/failing.h"
#include "base/text.h"
#include "cuda/kernel_table.h"
#include "device/device.h"

namespace flx {
namespace {

std::string OddFile(int odd) { return Text(FLEXOR_ODD_DEVICES, odd, ".so"); }
bool Contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(ModuleTest, OddModulesAreRefusedByWhatIsOddAboutThem) {
  auto& devices = DeviceManager::Get();
  std::string before = Join(devices.Names(), ", ");
  auto refusal = [&](int odd) { return MessageOf([&] { devices.Load(OddFile(odd)); }); };
  EXPECT_TRUE(Contains(refusal(1), Text("the module's table has version ", FLX_DEVICE_TABLE_VERSION + 1, ", this library wants ", FLX_DEVICE_TABLE_VERSION).c_str())) << refusal(1);
  EXPECT_TRUE(Contains(refusal(2), "gives no table of version")) << refusal(2);
  EXPECT_TRUE(Contains(refusal(2), "made for another library")) << "its own words: " << refusal(2);
  EXPECT_TRUE(Contains(refusal(3), "the module's table has 64 bytes")) << refusal(3);
  EXPECT_TRUE(Contains(refusal(4), "lacks the events")) << refusal(4);
  EXPECT_EQ(Join(devices.Names(), ", "), before) << "what was refused left nothing";
}
TEST(ModuleTest, AKindWithoutADeviceSaysWhy) {
  auto& devices = DeviceManager::Get();
  EXPECT_EQ(devices.Load(OddFile(0)), "odd");
  std::string text = MessageOf([&] { devices.Find("odd(0)"); });
  EXPECT_TRUE(Contains(text, "there is no device odd(0)")) << text;
  EXPECT_TRUE(Contains(text, "No odd: the driver sleeps.")) << text;
}
TEST(ModuleTest, WithoutAGpuTheErrorSaysWhyAndTheCpuServes) {
  auto& devices = DeviceManager::Get();
  for (const Device* d : devices.Devices())
    if (d->kind == "gpu") GTEST_SKIP() << "there is a GPU here";
  std::string text = MessageOf([&] { devices.Find("gpu(0)"); });
  EXPECT_TRUE(Contains(text, "there is no device gpu(0); there ")) << text;
  EXPECT_TRUE(Contains(text, "No gpu: there is no ")) << text;
  EXPECT_TRUE(Contains(text, DeviceManager::HasModule("gpu") ? "NVIDIA driver" : "libflexor_cuda.so")) << text;
  EXPECT_EQ(devices.Find("cpu"), devices.Cpu());
  EXPECT_FALSE(DeviceManager::HasModule("fake")) << "a test's module lies elsewhere";
}
#ifdef FLEXOR_CUDA_MODULE
// The module itself, built here: it loads on any machine, refuses another library clearly, and without a GPU counts none and says why.
TEST(ModuleTest, TheCudaModuleLoadsEverywhere) {
  void* lib = dlopen(FLEXOR_CUDA_MODULE, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(lib, nullptr) << dlerror();
  auto module = reinterpret_cast<flx_device_module_function>(dlsym(lib, "flx_device_module"));
  auto error = reinterpret_cast<const char* (*)()>(dlsym(lib, "flx_device_module_error"));
  ASSERT_TRUE(module && error);
  EXPECT_EQ(module(FLX_DEVICE_TABLE_VERSION + 41), nullptr);
  EXPECT_TRUE(Contains(error(), Text("the library asks for version ", FLX_DEVICE_TABLE_VERSION + 41).c_str())) << error();
  const flx_device_table* t = module(FLX_DEVICE_TABLE_VERSION);
  ASSERT_NE(t, nullptr);
  EXPECT_STREQ(t->kind, "gpu");
  EXPECT_EQ(t->size, sizeof(flx_device_table));
  EXPECT_EQ(module(FLX_DEVICE_TABLE_VERSION), t) << "one table";
  EXPECT_LT(t->kernel_count, cuda::KernelTable::kMax) << "what does not fit into the table is left out";
  for (int32_t i = 0; i < t->kernel_count; ++i) {
    EXPECT_TRUE(t->kernels[i].name && *t->kernels[i].name && t->kernels[i].function) << i;
    for (int32_t j = 0; j < i; ++j)
      EXPECT_FALSE(std::string(t->kernels[i].name) == t->kernels[j].name && t->kernels[i].signature == t->kernels[j].signature) << t->kernels[i].name;
  }
  if (t->count() > 0) GTEST_SKIP() << "there is a GPU here: the rest is tools/test --cuda's";
  EXPECT_TRUE(Contains(t->last_error(), "NVIDIA driver")) << t->last_error();
}
#endif

}  // namespace
}  // namespace flx
