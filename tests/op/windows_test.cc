// SPDX-License-Identifier: Apache-2.0
#include "device_run.h"

namespace flx::cases {
namespace {

// Windows of any form: whoever lays them out in parts has a part of each kind here.
std::string Tuple(const std::vector<int64_t>& v) {
  std::string s = "(";
  for (int64_t k : v) s += Text(k, ",");
  return s + ")";
}
struct Windows {
  Numbers random{20261122};
  int64_t Of(int64_t low, int64_t high) { return low + int64_t(random.Next() * double(high - low + 1)); }
  std::vector<int64_t> kernel, stride, dilate, pad, size;
  bool last = false;
  std::vector<std::pair<std::string, std::string>> attrs;
  void Draw(bool dilated) {
    const int64_t axes = Of(1, 3);
    kernel.clear(), stride.clear(), dilate.clear(), pad.clear(), size.clear();
    last = Of(0, 2) == 0;
    for (int64_t i = 0; i < axes; ++i) {
      kernel.push_back(Of(1, axes == 3 ? 2 : 3)), stride.push_back(Of(1, 3)), dilate.push_back(dilated ? Of(1, 2) : 1), pad.push_back(Of(0, kernel.back() / 2));
      size.push_back((kernel.back() - 1) * dilate.back() + 1 + Of(0, axes == 1 ? 40 : axes == 2 ? 9 : 4));
    }
    attrs = {{"kernel", Tuple(kernel)}, {"stride", Tuple(stride)}, {"pad", Tuple(pad)}};
    if (dilated) attrs.push_back({"dilate", Tuple(dilate)});
    if (last) attrs.push_back({"layout", axes == 1 ? "NWC" : axes == 2 ? "NHWC" : "NDHWC"});
  }
  Shape Laid(int64_t first, int64_t channels, const std::vector<int64_t>& places) const {  // of data or a weight
    Shape s{first};
    if (!last) s.push_back(channels);
    for (int64_t k : places) s.push_back(k);
    if (last) s.push_back(channels);
    return s;
  }
};
// As they are computed by themselves, and by whatever the device's libraries offer.
struct DeviceWindows : OnDeviceTest, testing::WithParamInterface<const char*> {
  void SetUp() override {
    OnDeviceTest::SetUp();
    SetOption("FLEXOR_CUDNN", GetParam());
  }
  void TearDown() override {
    SetOption("FLEXOR_CUDNN", "");
    OnDeviceTest::TearDown();
  }
};
#ifdef FLEXOR_FAKE_CUDNN
INSTANTIATE_TEST_SUITE_P(Cudnn, DeviceWindows, testing::Values("auto", "all"));
#else
INSTANTIATE_TEST_SUITE_P(Cudnn, DeviceWindows, testing::Values("auto"));
#endif
TEST_P(DeviceWindows, Random) {
  Windows w;
  for (int i = 0; i < 400; ++i) {
    const int kind = i % 4;
    w.Draw(kind < 2);
    Case c;
    const int64_t n = w.Of(0, 12) == 0 ? 0 : w.Of(1, 4);
    if (kind < 2) {
      const int64_t g = w.Of(1, 3), in = g * w.Of(1, 3), out = g * w.Of(1, 2), filters = kind == 0 ? out : in;
      c.op = kind == 0 ? "Convolution" : "Deconvolution";
      w.attrs.push_back({"num_group", Text(g)}), w.attrs.push_back({"num_filter", Text(filters)}), w.attrs.push_back({"no_bias", "False"});
      c.inputs = {Uniform(w.Laid(n, kind == 0 ? in : out, w.size), -1, 1), Uniform(w.Laid(out, in / g, w.kernel), -1, 1), Uniform({filters}, -1, 1)};
    } else {
      static const char* const kTypes[] = {"max", "avg", "sum", "lp"};
      c.op = "Pooling";
      w.attrs.push_back({"pool_type", kTypes[w.Of(0, 3)]}), w.attrs.push_back({"p_value", "2"}), w.attrs.push_back({"count_include_pad", w.Of(0, 1) ? "True" : "False"});
      w.attrs.push_back({"pooling_convention", w.Of(0, 1) ? "full" : "valid"}), w.attrs.push_back({"global_pool", w.Of(0, 5) == 0 ? "True" : "False"});
      c.inputs = {Uniform(w.Laid(n, w.Of(1, 3), w.size), 0.2, 2)};
    }
    c.attrs = w.attrs, c.tolerance = 5;
    static constexpr DType kOf[] = {DType::kFloat32, DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16, DType::kInt32};
    const DType t = kOf[w.Of(0, kind < 2 ? 5 : 4)];
    c.no_gradient = t == DType::kInt32;
    std::string text = Text(c.op, " ", DTypeName(t));
    for (auto& in : c.inputs) text += Text(" ", in.shape);
    for (auto& kv : c.attrs) text += Text(" ", kv.first, "=", kv.second);
    Outcome o;
    try {
      o = RunCase(c, t, w.Of(0, 3) == 0);
    } catch (const std::exception& e) {
      o.wrong = e.what();
    }
    ASSERT_EQ(o.wrong + o.missing, "") << text;
  }
}
TEST_P(DeviceWindows, RandomChannelsAreNormalized) {
  Windows w;
  for (int i = 0; i < 150; ++i) {
    Shape s;
    const int64_t axes = w.Of(2, 5);
    for (int64_t a = 0; a < axes; ++a) s.push_back(w.Of(1, axes < 4 ? 14 : 5));
    const int64_t axis = w.Of(0, axes - 1), n = s[int(axis)];
    if (s.size() / n < 3) continue;  // of two elements the gradient is a difference of nearly equal numbers
    Case c{"BatchNorm", {Uniform(s, -2, 2), Uniform({n}, 0.5, 1.5), Uniform({n}, -1, 1), Constant(Uniform({n}, -0.5, 0.5)), Constant(Uniform({n}, 0.5, 1.5))},
           {{"axis", Text(axis)}, {"fix_gamma", w.Of(0, 2) ? "False" : "True"}, {"use_global_stats", w.Of(0, 3) ? "False" : "True"}}};
    c.tolerance = 5;
    static constexpr DType kOf[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16};
    const DType t = kOf[w.Of(0, 3)];
    if (DTypeSize(t) == 2) for (size_t k = 1; k < c.inputs.size(); ++k) c.inputs[k].dtype = DType::kFloat32;  // as they are beside 16-bit data
    const Outcome o = RunCase(c, t, w.Of(0, 3) == 0);
    ASSERT_EQ(o.wrong + o.missing, "") << DTypeName(t) << " " << Text(s, " axis ", axis);
  }
}

}  // namespace
}  // namespace flx::cases
