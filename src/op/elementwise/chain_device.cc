// SPDX-License-Identifier: Apache-2.0
#include "op/elementwise/chain_device.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "device/program.h"
#include "op/elementwise/driver.h"
#include "tensor/array.h"

namespace flx {
namespace {

constexpr int64_t kBlock = 256, kMostBlocks = 1 << 16;
constexpr int kArrays = kChainInputs + kChainOutputs;

// The arrays' common axes, in as few as all their strides allow.
struct Axes {
  int count = 0, arrays = 0;
  const TensorView* array[kArrays];
  int64_t dim[kMaxNdim], stride[kArrays][kMaxNdim];
  void Merge(const Shape& shape) {
    for (int a = 0; a < shape.ndim(); ++a) {
      const int64_t d = shape[a];
      if (d == 1) continue;
      int64_t s[kArrays];
      bool merge = count > 0;
      for (int k = 0; k < arrays; ++k) {
        const TensorView& v = *array[k];
        const int own = a - (shape.ndim() - v.ndim());
        s[k] = !v || own < 0 || v.shape[own] == 1 ? 0 : v.strides[own];
        merge = merge && stride[k][count - 1] == s[k] * d;
      }
      if (!merge) dim[count++] = 1;
      dim[count - 1] *= d;
      for (int k = 0; k < arrays; ++k) stride[k][count - 1] = s[k];
    }
    if (count > 0) return;
    dim[count++] = 1;  // a single element
    for (int k = 0; k < arrays; ++k) stride[k][0] = 1;
  }
  ChainForm::Place PlaceOf(int k) const {
    if (!*array[k]) return ChainForm::kNone;
    bool contiguous = true, one = true;
    int64_t expect = 1;
    for (int a = count - 1; a >= 0; --a) contiguous &= stride[k][a] == expect, one &= stride[k][a] == 0, expect *= dim[a];
    if (contiguous) return ChainForm::kContiguous;
    if (one) return ChainForm::kOne;
    return stride[k][count - 1] == 1 ? ChainForm::kRows : stride[k][count - 1] == 0 ? ChainForm::kColumns : ChainForm::kStrided;
  }
  // Whole vectors lie within a row of every array, and at addresses that are multiples of theirs.
  bool Aligned(const ChainForm& form, int width) const {
    if (count > 1 && dim[count - 1] % width) return false;
    for (int k = 0; k < arrays; ++k) {
      if (form.place[k] != ChainForm::kContiguous && form.place[k] != ChainForm::kRows) continue;
      if (reinterpret_cast<uintptr_t>(array[k]->raw()) % uintptr_t(width * DTypeSize(form.dtype))) return false;
      for (int a = 0; a + 1 < count; ++a) if (stride[k][a] % width) return false;
    }
    return true;
  }
};
// For i < 2^31: i / d is i * factor >> shift, with shift = 31 + log2(d) and factor = 2^shift / d, both rounded up.
uint64_t Magic(uint64_t d) {
  int log = 0;
  while (uint64_t(1) << log < d) ++log;
  return ((uint64_t(1) << (31 + log)) + d - 1) / d | uint64_t(31 + log) << 32;
}
uint64_t Bits(double d) {
  uint64_t u;
  std::memcpy(&u, &d, 8);
  return u;
}

void RunSteps(DeviceWork* w, const Chain& chain, Views x, OutViews y, const Shape& shape, DType dtype) {
  const ChainProgram& p = chain.program();
  TensorView at[kArrays + kChainSteps];
  auto scratch = [&] { return MakeView(w->Scratch(shape.size() * DTypeSize(dtype)), dtype, shape); };
  bool late[kChainOutputs] = {};
  for (int i = 0; i < p.ninputs; ++i) at[i] = x[i];
  for (int o = 0; o < p.noutputs; ++o) {
    for (int i = 0; y[o] && i < p.ninputs; ++i) late[o] |= x[i].raw() == y[o].raw() && p.last_read[size_t(i)] > p.output_step[size_t(o)];
    at[p.ninputs + o] = y[o] && !late[o] ? y[o] : scratch();
  }
  for (int s = 0; s < p.nslots; ++s) at[p.ninputs + p.noutputs + s] = scratch();
  for (size_t s = 0; s < p.steps.size(); ++s) {
    const ChainProgram::Step& step = p.steps[s];
    TensorView in[3];
    for (int k = 0; k < step.nin; ++k) in[k] = at[step.from[k]];
    KernelContext c;
    RunElementwise(*chain.steps()[s].op, *step.loops, c, step.scalars, in, step.nin, at[step.to]);
  }
  for (int o = 0; o < p.noutputs; ++o) if (late[o]) CopyStrided(at[p.ninputs + o], y[o]);
}
}  // namespace

// A chain's kernel in one form on one device; `program` is null where there is none.
struct ChainProgram::Compiled {
  const Device* device;
  ChainForm form;
  void* program;
  Compiled* next;
};
ChainProgram::~ChainProgram() {
  for (Compiled* c = compiled.load(std::memory_order_acquire); c;) delete std::exchange(c, c->next);
}

namespace {
void* ProgramOf(const Device* device, const Chain& chain, const ChainForm& form) {
  auto& list = chain.program().compiled;
  for (auto* c = list.load(std::memory_order_acquire); c; c = c->next)
    if (c->device == device && c->form == form) return c->program;
  auto* c = new ChainProgram::Compiled{device, form, Programs::Get(device, ChainPrelude(), ChainKernelText(chain, form, "flx_chain"), "flx_chain"), list.load(std::memory_order_relaxed)};
  while (!list.compare_exchange_weak(c->next, c, std::memory_order_acq_rel)) {}
  return c->program;
}
}  // namespace

void PlaceChain(const Chain& chain, Views x, OutViews y, ChainLaunch* to) {
  Axes axes;
  const Shape* shape = nullptr;
  for (int i = 0; i < x.size(); ++i) axes.array[axes.arrays++] = &x[i];
  for (int o = 0; o < y.size(); ++o) {
    axes.array[axes.arrays++] = &y[o];
    if (y[o]) shape = &y[o].shape;
  }
  axes.Merge(*shape);
  const int64_t size = shape->size();
  ChainForm& form = to->form;
  form.dtype = x[0].dtype, form.axes = int8_t(axes.count), form.wide = size > INT32_MAX;
  for (int k = 0; k < axes.arrays; ++k) form.place[k] = axes.PlaceOf(k);
  const int width = ChainVectorLength(form.dtype);
  const int64_t vectors = width > 1 && form.vectors() && axes.Aligned(form, width) ? size / width : 0;
  to->threads = vectors ? vectors : size;
  auto& words = to->argument;
  words.clear();
  words.emplace_back(uint64_t(size)), words.emplace_back(uint64_t(vectors));
  for (int a = 0; a < axes.count; ++a) words.emplace_back(uint64_t(axes.dim[a]));
  for (int a = 0; a < axes.count; ++a) words.emplace_back(form.wide ? 0 : Magic(uint64_t(axes.dim[a])));
  for (int k = 0; k < axes.arrays; ++k) words.emplace_back(reinterpret_cast<uintptr_t>(axes.array[k]->raw()));
  for (int k = 0; k < axes.arrays; ++k)
    for (int a = 0; a < axes.count; ++a) words.emplace_back(uint64_t(axes.stride[k][a]));
  const int before = words.size();
  for (auto& step : chain.program().steps)
    for (int n = 0; n < step.loops->numbers; ++n) words.emplace_back(Bits(step.scalars[n]));
  if (words.size() == before) words.emplace_back(uint64_t(0));
}

void RunChainOnDevice(const char* who, DeviceWork* w, const Chain& chain, Views x, OutViews y) {
  const Shape* shape = nullptr;
  const DType dtype = x[0].dtype;
  bool alike = true;
  for (int i = 0; i < x.size(); ++i) alike &= x[i].dtype == dtype;
  for (int o = 0; o < y.size(); ++o)
    if (y[o]) shape = &y[o].shape, alike &= y[o].dtype == dtype;
  if (!shape || shape->size() == 0) return;
  CheckLoops(who, chain, dtype);
  const Device* device = w->device();
  if (alike && Programs::Can(device)) {
    ChainLaunch launch;
    PlaceChain(chain, x, y, &launch);
    if (void* program = ProgramOf(device, chain, launch.form)) {
      const int64_t grid = std::min(kMostBlocks, (launch.threads + kBlock - 1) / kBlock);
      return device->Check(device->table->program_launch(w->queue(), program, grid, kBlock, launch.argument.data(), int64_t(launch.argument.size()) * 8), "program_launch");
    }
  }
  RunSteps(w, chain, x, y, *shape, dtype);
}

}  // namespace flx
