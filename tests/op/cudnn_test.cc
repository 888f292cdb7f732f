// SPDX-License-Identifier: Apache-2.0
// How cuDNN is called, on the emulated device with a library that counts (tests/device/fake_cudnn.h): windows_test.cc, in the same program, says whether the
// results are right.
#include <cudnn.h>
#include <dlfcn.h>

#include "../device/fake_cudnn.h"
#include "device_run.h"

namespace flx::cases {
namespace {

FakeCudnn& Fake() {
  static FakeCudnn* f = reinterpret_cast<FakeCudnn* (*)()>(dlsym(dlopen(FLEXOR_FAKE_CUDNN, RTLD_NOW), "flx_fake_cudnn"))();
  return *f;
}
struct SwitchedOn : testing::Environment {
  void SetUp() override { Fake().on = 1; }
  void TearDown() override { EXPECT_EQ(Fake().misfits, 0); }
};
const auto* const g_on = testing::AddGlobalTestEnvironment(new SwitchedOn);

struct DeviceCudnn : OnDeviceTest {
  void TearDown() override {
    Fake().refuse = Fake().fail = 0;
    for (const char* name : {"FLEXOR_CUDNN", "FLEXOR_CUDNN_AUTOTUNE", "FLEXOR_DETERMINISTIC", "FLEXOR_CUDA_TF32"}) SetOption(name, "");
    OnDeviceTest::TearDown();
  }
};
// A convolution, forward and backward; another width is another shape.
Case Conv(int64_t width) {
  return Case{"Convolution", {Uniform({2, 4, 5, width}, -1, 1), Uniform({6, 2, 3, 2}, -1, 1), Uniform({6}, -1, 1)},
              {{"kernel", "(3, 2)"}, {"num_filter", "6"}, {"num_group", "2"}, {"pad", "(1, 0)"}}}.Tolerance(5);
}
std::string Wrong(const Case& c, DType t) {
  const Outcome o = RunCase(c, t, false);
  return o.wrong + o.missing;
}
TEST_F(DeviceCudnn, ChoosesOnceForEachShapeAndPass) {
  const FakeCudnn before = Fake();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Wrong(Conv(8), DType::kFloat32), "");
  for (int pass = 0; pass < 3; ++pass) EXPECT_EQ(Fake().ran[pass] - before.ran[pass], 3) << pass;
  EXPECT_EQ(Fake().asked - before.asked, 3);
  EXPECT_EQ(Fake().measured, before.measured);
  EXPECT_EQ(Wrong(Conv(9), DType::kFloat32), "");
  EXPECT_EQ(Wrong(Conv(9), DType::kFloat16), "");
  EXPECT_EQ(Fake().asked - before.asked, 9);
}
TEST_F(DeviceCudnn, TakesTheFirstThatServes) {
  EXPECT_EQ(Wrong(Conv(10), DType::kFloat32), "");
  EXPECT_EQ(Fake().algorithm, 0);  // 5 came first, and does not
  EXPECT_EQ(Fake().workspace, 100);
}
TEST_F(DeviceCudnn, DeterministicLeavesOutTheOthers) {
  SetOption("FLEXOR_DETERMINISTIC", "1");
  EXPECT_EQ(Wrong(Conv(10), DType::kFloat32), "");
  EXPECT_EQ(Fake().algorithm, 1);
  EXPECT_EQ(Fake().workspace, 0);
}
TEST_F(DeviceCudnn, MeasuresWhereItIsAsked) {
  SetOption("FLEXOR_CUDNN_AUTOTUNE", "1");
  const FakeCudnn before = Fake();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Wrong(Conv(10), DType::kFloat32), "");
  EXPECT_EQ(Fake().measured - before.measured, 3);
  EXPECT_EQ(Fake().asked, before.asked);
  EXPECT_EQ(Fake().algorithm, 3);
}
TEST_F(DeviceCudnn, RoundsToTf32OnlyWhereItMay) {
  EXPECT_EQ(Wrong(Conv(11), DType::kFloat32), "");
  EXPECT_EQ(Fake().math, int(CUDNN_FMA_MATH));
  SetOption("FLEXOR_CUDA_TF32", "convolutions");
  EXPECT_EQ(Wrong(Conv(11), DType::kFloat32), "");
  EXPECT_EQ(Fake().math, int(CUDNN_DEFAULT_MATH));
  EXPECT_EQ(Wrong(Conv(11), DType::kBfloat16), "");
  EXPECT_EQ(Fake().math, int(CUDNN_TENSOR_OP_MATH));
}
TEST_F(DeviceCudnn, WhatItRefusesOurKernelsDo) {
  const FakeCudnn before = Fake();
  Fake().refuse = 1;
  EXPECT_EQ(Wrong(Conv(12), DType::kFloat32), "");
  Fake().refuse = 0, Fake().fail = CUDNN_STATUS_NOT_SUPPORTED_SHAPE;
  EXPECT_EQ(Wrong(Conv(13), DType::kFloat64), "");
  EXPECT_EQ(Wrong(Case{"Convolution", {Integers({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), Integers({1, 1, 2, 2}, {1, 2, 3, 4})}, {{"kernel", "(2, 2)"}, {"num_filter", "1"}, {"no_bias", "True"}}},
                  DType::kFloat32), "");  // int64: it is not even asked
  for (int pass = 0; pass < 3; ++pass) EXPECT_EQ(Fake().ran[pass], before.ran[pass]) << pass;
}
TEST_F(DeviceCudnn, NoneMeansOurKernels) {
  SetOption("FLEXOR_CUDNN", "none");
  const FakeCudnn before = Fake();
  EXPECT_EQ(Wrong(Conv(8), DType::kFloat32), "");
  for (int pass = 0; pass < 3; ++pass) EXPECT_EQ(Fake().ran[pass], before.ran[pass]) << pass;
}
// Only where it is asked for, and as far as cuDNN defines them as Flexor does.
TEST_F(DeviceCudnn, AllIsPoolingNormsAndSoftmax) {
  const auto norm = [](const char* fixed, double eps) {
    return Case{"BatchNorm", {Uniform({3, 4, 5, 6}, -2, 2), Uniform({4}, 0.5, 1.5), Uniform({4}, -1, 1), Constant(Uniform({4}, -0.5, 0.5)), Constant(Uniform({4}, 0.5, 1.5))},
                {{"axis", "1"}, {"fix_gamma", fixed}, {"eps", Text(eps)}}}.Tolerance(5);
  };
  const auto pool = [](const char* type, const char* more, const char* what) {
    return Case{"Pooling", {Uniform({2, 3, 7, 8}, -1, 1)}, {{"kernel", "(3, 2)"}, {"stride", "(2, 2)"}, {"pad", "(1, 0)"}, {"pool_type", type}, {more, what}}}.Tolerance(5);
  };
  struct Try { Case c; int64_t (FakeCudnn::*count)[2]; int64_t forward, backward; };
  const Try tries[] = {
      {pool("max", "layout", "NCHW"), &FakeCudnn::pooled, 2, 1},  // backward computes the maxima again
      {pool("max", "layout", "NHWC"), &FakeCudnn::pooled, 2, 1},
      {pool("avg", "count_include_pad", "True"), &FakeCudnn::pooled, 1, 0},
      {pool("avg", "count_include_pad", "False"), &FakeCudnn::pooled, 1, 0},
      {pool("sum", "layout", "NCHW"), &FakeCudnn::pooled, 0, 0},
      {pool("max", "pooling_convention", "full"), &FakeCudnn::pooled, 2, 1},
      {norm("False", 1e-3), &FakeCudnn::normed, 1, 1},
      {norm("True", 1e-3), &FakeCudnn::normed, 0, 0},
      {Case{"softmax", {Uniform({3, 40, 2}, -3, 3)}, {{"axis", "1"}}}, &FakeCudnn::softened, 1, 1},
      {Case{"log_softmax", {Uniform({3, 40}, -3, 3)}, {}}, &FakeCudnn::softened, 1, 1},
      {Case{"softmax", {Uniform({3, 40}, -3, 3)}, {{"temperature", "2"}}}, &FakeCudnn::softened, 0, 0},
  };
  for (const char* option : {"auto", "all", "deterministic"}) {
    SetOption("FLEXOR_CUDNN", std::string(option) == "auto" ? "auto" : "all");
    SetOption("FLEXOR_DETERMINISTIC", std::string(option) == "deterministic" ? "1" : "0");
    const bool asked = std::string(option) == "all";
    for (auto& t : tries)
      for (DType dtype : {DType::kFloat32, DType::kFloat64}) {
        Case c = t.c;
        c.train = c.op == std::string("BatchNorm");
        const FakeCudnn before = Fake();
        EXPECT_EQ(Wrong(c, dtype), "") << c.op << " " << option;
        EXPECT_EQ((Fake().*t.count)[0] - (before.*t.count)[0], asked ? t.forward : 0) << c.op << " " << option;
        EXPECT_EQ((Fake().*t.count)[1] - (before.*t.count)[1], asked ? t.backward : 0) << c.op << " " << option;
      }
  }
}
TEST_F(DeviceCudnn, AFailureNamesTheOperator) {
  EXPECT_EQ(Wrong(Conv(14), DType::kFloat32), "");
  Fake().fail = CUDNN_STATUS_INTERNAL_ERROR;
  const std::string text = Wrong(Conv(14), DType::kFloat32);
  EXPECT_NE(text.find("Convolution"), std::string::npos) << text;
  EXPECT_NE(text.find("cuDNN: a test asked for this failure"), std::string::npos) << text;
}
TEST_F(DeviceCudnn, KeepsSoManyShapesAndNoMore) {
  const FakeCudnn before = Fake();
  const auto live = [&] { return Fake().made - Fake().destroyed; };
  int64_t most = 0;
  for (int i = 0; i < 4200; ++i) {
    Case c{"Convolution", {Uniform({1, 1, 1, 1 + i}, -1, 1), Uniform({1, 1, 1, 1}, -1, 1)}, {{"kernel", "(1, 1)"}, {"num_filter", "1"}, {"no_bias", "True"}}};
    cases::Setup s(c);
    auto in = s.Inputs(Start(c), DType::kFloat32);
    for (auto& a : in) a = OnDevice(a);
    RunOn(s, in, kPlain, DeviceUnderTest());
    most = std::max(most, live());
  }
  EXPECT_EQ(Fake().ran[0] - before.ran[0], 4200);
  EXPECT_LE(most, 4096 * 4);
  EXPECT_LT(live(), 4096 * 2);
}

}  // namespace
}  // namespace flx::cases
