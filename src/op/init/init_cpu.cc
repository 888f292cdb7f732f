// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/elementwise/convert.h"
#include "op/init/init.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {
constexpr int64_t kGrain = 32768;

void Fill(TensorView& y, double value) {
  if (DeviceWork::Current()) return FillStrided(y, value);
  alignas(8) char one[8] = {};
  FindConvert(DType::kFloat64, y.dtype)(&value, one, 1);
  auto* to = static_cast<char*>(y.raw());
  const int size = DTypeSize(y.dtype);
  ParallelFor(y.size(), kGrain, [&](int64_t b, int64_t e) {
    char *from = to + b * size, *end = to + e * size;
    if (std::all_of(one, one + size, [](char c) { return c == 0; })) {
      std::memset(from, 0, size_t(end - from));
    } else {  // doubled until full
      std::memcpy(from, one, size_t(size));
      for (int64_t have = size, all = end - from; have < all; have *= 2) std::memcpy(from + have, from, size_t(std::min(have, all - have)));
    }
  });
}
// Element i of y is value(i), made in double (integers below 2^53 are exact).
template <class F> void Generate(TensorView& y, const F& value) {
  const ConvertFn convert = FindConvert(DType::kFloat64, y.dtype);
  auto* to = static_cast<char*>(y.raw());
  const int size = DTypeSize(y.dtype);
  ParallelFor(y.size(), kGrain, [&](int64_t b, int64_t e) {
    double tile[256];
    for (int64_t i = b; i < e; i += 256) {
      int64_t n = std::min<int64_t>(256, e - i);
      for (int64_t j = 0; j < n; ++j) tile[j] = value(i + j);
      convert(tile, to + i * size, n);
    }
  });
}
bool MadeOnDevice(TensorView& y, std::initializer_list<int64_t> ints, std::initializer_list<double> numbers) {
  DeviceWork* w = DeviceWork::Current();
  if (w) w->Call(kDeviceGenerate, DeviceSignature(kDeviceGenerate), {nullptr, 0, &y, 1, ints.begin(), int(ints.size()), numbers.begin(), int(numbers.size())});
  return w != nullptr;
}
void Range(TensorView& y, double first, double step, int64_t repeat) {
  if (!MadeOnDevice(y, {kGenerateRange, repeat}, {first, step})) Generate(y, [&](int64_t i) { return first + double(i / repeat) * step; });
}
void Arange(KernelContext&, const ArangeAttrs& a, TensorView& y) { Range(y, a.stop || a.infer_range ? a.start : 0, a.step, a.repeat); }
void Linspace(KernelContext&, const LinspaceAttrs& a, TensorView& y) {
  int64_t parts = a.endpoint ? a.num - 1 : a.num;
  double step = parts > 0 ? (a.stop - a.start) / double(parts) : 0;
  if (MadeOnDevice(y, {kGenerateLine, a.endpoint && parts > 0 ? parts : -1}, {a.start, step, a.stop})) return;
  Generate(y, [&](int64_t i) { return a.endpoint && i == parts && i > 0 ? a.stop : a.start + double(i) * step; });
}
void Eye(KernelContext&, const EyeAttrs& a, TensorView& y) {
  int64_t columns = y.dim(1);
  if (MadeOnDevice(y, {kGenerateDiagonal, columns, a.k}, {})) return;
  Generate(y, [&](int64_t i) { return i % columns - i / columns == a.k ? 1.0 : 0.0; });
}
}  // namespace

void AddMakers(KernelList* list) {
  list->push_back(Kernel<ZerosKernel>([](KernelContext&, const ShapedAttrs&, TensorView& y) { Fill(y, 0); }).OnDevices());
  list->push_back(Kernel<OnesKernel>([](KernelContext&, const ShapedAttrs&, TensorView& y) { Fill(y, 1); }).OnDevices());
  list->push_back(Kernel<FullKernel>([](KernelContext&, const FullAttrs& a, TensorView& y) { Fill(y, a.value); }).OnDevices());
  list->push_back(Kernel<ZerosLikeKernel>([](KernelContext&, const NoAttrs&, const TensorView&, TensorView& y) { Fill(y, 0); }).OnDevices());
  list->push_back(Kernel<OnesLikeKernel>([](KernelContext&, const NoAttrs&, const TensorView&, TensorView& y) { Fill(y, 1); }).OnDevices());
  list->push_back(Kernel<ArangeKernel>(&Arange).OnDevices());
  list->push_back(Kernel<LinspaceKernel>(&Linspace).OnDevices());
  list->push_back(Kernel<EyeKernel>(&Eye).OnDevices());
  list->push_back(Kernel<ArangeLikeKernel>([](KernelContext&, const ArangeLikeAttrs& a, const TensorView&, TensorView& y) {
    Range(y, a.start, a.step, a.repeat);
  }).OnDevices());
}

}  // namespace flx
