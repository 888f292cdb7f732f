// SPDX-License-Identifier: Apache-2.0
// Host access to arrays: waits, reads, writes, printing.
#include <algorithm>
#include <chrono>
#include <memory>

#include "base/deadline.h"
#include "base/text.h"
#include "profiler/profiler.h"
#include "storage/pool.h"
#include "tensor/array.h"
#include "tensor/device_array.h"

namespace flx {
namespace {

// Host memory as a view: column-major is row-major with the axes turned round.
TensorView HostView(const void* data, const Shape& s, DType t, bool column_major) {
  TensorView v = MakeView(const_cast<void*>(data), t, s);
  if (column_major) {
    int64_t step = 1;
    for (int i = 0; i < s.ndim(); ++i) v.strides[i] = step, step *= s[i];
    v.contiguous = s.ndim() <= 1;
  }
  return v;
}
void CheckBytes(const char* who, const Array& a, int64_t nbytes, DType host) {
  if (!IsSupported(host)) Fail(Status::kType, who, "the host's dtype must be one of ", DTypeNames(), ", given number ", int(host), ".");
  int64_t want = a.size() * DTypeSize(host);
  if (nbytes != want)
    Fail(Status::kArgument, who, "expected ", want, " bytes (", a.shape, " of ", host, "), given ", nbytes, ".");
}
// CopyStrided between the host and an array, as the profiler shows it.
void CopyToHost(const TensorView& array, const TensorView& host) {
  ProfileScope scope(ProfileKind::kCopy, "array to host");
  if (scope.active()) scope.facts().Array(false, array.dtype, array.shape.data(), array.ndim()), scope.facts().Number("bytes", array.bytes());
  CopyStrided(array, host);
}
void CopyFromHost(const TensorView& host, const TensorView& array) {
  ProfileScope scope(ProfileKind::kCopy, "host to array");
  if (scope.active()) scope.facts().Array(true, array.dtype, array.shape.data(), array.ndim()), scope.facts().Number("bytes", array.bytes());
  CopyStrided(host, array);
}
struct WriteOp final : Operation {
  NDArray target;
  void* copy = nullptr;
  int64_t nbytes = 0;
  DType host = DType::kFloat32;
  bool column_major = false;
  ~WriteOp() override { if (copy) HostFree(copy, size_t(nbytes)); }
  void Execute() override { CopyFromHost(HostView(copy, target->shape, host, column_major), target->View()); }
  void Describe(Error* e) const override { e->op = "write"; }
};
}  // namespace

bool AcquireForHost(const VarUse& use, int64_t timeout_ms) {
  using Clock = std::chrono::steady_clock;
  if (Engine::TryAcquire(&use, 1)) return true;
  auto end = DeadlineAfter(timeout_ms);
  for (;;) {
    int64_t left = timeout_ms < 0 ? -1 : std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count());
    Engine& engine = Engine::Get();
    if (!(use.access == Access::kRead ? engine.WaitToRead(use.var, left) : engine.WaitToWrite(use.var, left))) return false;
    if (Engine::TryAcquire(&use, 1)) return true;
    if (timeout_ms >= 0 && left == 0) return false;
  }
}
void ThrowIfPoisoned(const Array& a) {
  const Poison* p = a.storage->var.poison.load(std::memory_order_acquire);
  if (!p) return;
  p->seen.store(true, std::memory_order_relaxed);
  throw p->error;
}
bool WaitToRead(const Array& a, int64_t timeout_ms) {
  if (!Engine::Get().WaitToRead(&a.storage->var, timeout_ms)) return false;
  ThrowIfPoisoned(a);
  return true;
}
bool ReadArray(const Array& a, void* buffer, int64_t nbytes, DType host, bool column_major, int64_t timeout_ms) {
  CheckBytes("read", a, nbytes, host);
  if (!a.on_cpu()) {
    // First the array itself, which may be far off; then its copy, which is not.
    if (!Engine::Get().WaitToRead(&a.storage->var, timeout_ms)) return false;
    ThrowIfPoisoned(a);
    return ReadArray(*CopyToHost(Ref<Array>(const_cast<Array*>(&a))), buffer, nbytes, host, column_major, -1);
  }
  VarUse use{&a.storage->var, Access::kRead};
  if (!AcquireForHost(use, timeout_ms)) return false;
  struct Guard { VarUse* u; ~Guard() { Engine::Release(u, 1); } } guard{&use};
  ThrowIfPoisoned(a);
  if (a.size() == 1 && host == DType::kFloat64 && !Profiling(ProfileKind::kCopy)) {  // item(): no view is worth making
    const char* at = static_cast<char*>(a.storage->Ensure()) + a.offset;
    *static_cast<double*>(buffer) = Dispatch(a.dtype, [&](auto zero) { return LoadAs(*reinterpret_cast<const decltype(zero)*>(at)); });
    return true;
  }
  CopyToHost(a.View(), HostView(buffer, a.shape, host, column_major));
  return true;
}
namespace {
Writer HostWriter() {
  static const Writer w = WriterOf("write");
  return w;
}
}  // namespace
void WriteArray(const NDArray& a, const void* data, int64_t nbytes, DType host, bool column_major) {
  CheckBytes("write", *a, nbytes, host);
  if (!a->on_cpu()) {
    NDArray staged = PinnedArray(a->device(), a->shape, a->dtype);
    CopyFromHost(HostView(data, a->shape, host, column_major), staged->View());
    return CopyToDevice(staged, a);
  }
  VarUse use{&a->storage->var, a->whole() ? Access::kWrite : Access::kUpdate};
  Engine::RefuseMapped("write", &use, 1);
  if (Engine::TryAcquire(&use, 1)) {
    struct Guard { VarUse* u; ~Guard() { Engine::Release(u, 1); } } guard{&use};
    a->storage->NoteWriter(HostWriter());
    CopyFromHost(HostView(data, a->shape, host, column_major), a->View());
    if (use.access == Access::kWrite) a->storage->var.SetPoison(nullptr);
    return;
  }
  auto op = std::make_unique<WriteOp>();
  op->copy = HostAlloc(size_t(nbytes));
  op->target = a, op->nbytes = nbytes, op->host = host, op->column_major = column_major;
  if (nbytes) std::memcpy(op->copy, data, size_t(nbytes));
  a->storage->NoteWriter(HostWriter());
  Engine::Get().Push(op.release(), &use, 1);
}
NDArray FromHost(const void* data, int64_t nbytes, DType host, bool column_major, const Shape& s, DType t, const Device* device) {
  auto a = Array::New(s, t, device);
  CheckBytes("array", *a, nbytes, host);
  if (!a->on_cpu()) return WriteArray(a, data, nbytes, host, column_major), a;
  CopyFromHost(HostView(data, s, host, column_major), a->View());
  return a;
}
double ItemOf(const Array& a) {
  if (a.size() != 1) Fail(Status::kShape, "item", "expected an array of one element, given ", Describe(a), ".");
  double v;
  ReadArray(a, &v, 8, DType::kFloat64, false);
  return v;
}
std::string Describe(const Array& a) { return Text(a.dtype, " ", a.shape); }

namespace {
constexpr int64_t kEdge = 3, kShortened = 1000;
struct Printer {
  const Array& a;
  std::vector<double> values;
  std::vector<int64_t> ints;
  std::string out;
  bool shorten;
  std::string Number(int64_t i) const {
    if (!IsFloat(a.dtype)) return a.dtype == DType::kBool ? (ints[size_t(i)] ? "True" : "False") : Text(ints[size_t(i)]);
    return a.dtype == DType::kFloat64 ? Text(values[size_t(i)]) : Text(float(values[size_t(i)]));
  }
  void Axis(int axis, int64_t start, int64_t step) {
    if (axis == a.shape.ndim()) return out += Number(start), void();
    int64_t n = a.shape[axis];
    out += '[';
    int64_t inner = n ? step / n : 0;
    for (int64_t i = 0; i < n; ++i) {
      if (shorten && n > 2 * kEdge && i == kEdge) out += axis + 1 < a.shape.ndim() ? "...,\n" + std::string(size_t(axis + 1), ' ') : "..., ", i = n - kEdge;
      Axis(axis + 1, start + i * inner, inner);
      if (i + 1 < n) out += axis + 1 < a.shape.ndim() ? ",\n" + std::string(size_t(axis + 1), ' ') : std::string(", ");
    }
    out += ']';
  }
};
}  // namespace

std::string ToText(const Array& a, bool) {
  Printer p{a, {}, {}, {}, a.size() > kShortened};
  if (IsFloat(a.dtype)) {
    p.values.resize(size_t(a.size()));
    ReadArray(a, p.values.data(), a.size() * 8, DType::kFloat64, false);
  } else {
    p.ints.resize(size_t(a.size()));
    ReadArray(a, p.ints.data(), a.size() * 8, DType::kInt64, false);
  }
  p.Axis(0, 0, a.size());
  return p.out + "\n" + Describe(a);
}

}  // namespace flx
