// SPDX-License-Identifier: Apache-2.0
#include "kvstore/reducer.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "exec/invoke.h"

namespace flx {
namespace {

// Sums of 16-bit floats are kept in float32 and rounded once.
template <class T> T Wide(T v) { return v; }
float Wide(Half v) { return ToFloat(v); }
float Wide(Bfloat16 v) { return ToFloat(v); }
template <class T, class S> void Narrow(S v, T* to) { *to = T(v); }
void Narrow(float v, Half* to) { *to = ToHalf(v); }
void Narrow(float v, Bfloat16* to) { *to = ToBfloat16(v); }

constexpr int64_t kTile = 1024;
// A received frame lies anywhere, not as T wants it.
template <class T> void Load(const ps::Buffer& from, int64_t at, int64_t n, T* to) { std::memcpy(to, from.data() + size_t(at) * sizeof(T), size_t(n) * sizeof(T)); }

template <class T> void Sum(const std::vector<ps::Contribution>& in, int64_t n, T* out) {
  using S = decltype(Wide(T{}));
  S sum[kTile];
  T x[kTile];
  for (int64_t at = 0; at < n; at += kTile) {
    int64_t m = std::min(kTile, n - at);
    for (size_t c = 0; c < in.size(); ++c) {
      Load(in[c].bytes, at, m, x);
      for (int64_t i = 0; i < m; ++i) sum[i] = c == 0 ? Wide(x[i]) : S(sum[i] + Wide(x[i]));
    }
    for (int64_t i = 0; i < m; ++i) Narrow(sum[i], out + at + i);
  }
}
template <class T> void Mean(const std::vector<ps::Contribution>& in, int64_t n, T* out) {
  using S = decltype(Wide(T{}));
  double total = 0, sum[kTile];
  T x[kTile];
  for (auto& c : in) total += double(c.samples);
  bool even = total == 0;
  if (even) total = double(in.size());
  for (int64_t at = 0; at < n; at += kTile) {
    int64_t m = std::min(kTile, n - at);
    std::fill(sum, sum + m, 0.0);
    for (auto& c : in) {
      Load(c.bytes, at, m, x);
      double w = even ? 1 : double(c.samples);
      for (int64_t i = 0; i < m; ++i) sum[i] += w * double(Wide(x[i]));
    }
    for (int64_t i = 0; i < m; ++i) Narrow(S(sum[i] / total), out + at + i);
  }
}

DType DTypeOf(const ps::Slice& slice) {
  if (!IsSupported(DType(slice.key->dtype)) || slice.key->dtype != int32_t(int8_t(slice.key->dtype))) Fail(Status::kType, "store", "key `", slice.key->name, "` is of no dtype that there is: ", slice.key->dtype, ".");
  return DType(slice.key->dtype);
}
NDArray FromBytes(const void* data, int64_t n, DType t) { return Array::NewFrom(data, {n}, t); }
// The bytes of an array that nobody writes any more.
ps::Buffer BytesOf(const NDArray& a) {
  WaitToRead(*a);
  return ps::Buffer::Wrap(a->View().raw(), size_t(a->bytes()), [a] {});
}

// The slot of a slice: count, number of arrays, whether the last is the master; then each: dtype, elements.
struct SlotHead { int64_t count; int32_t arrays, master; };
ps::Buffer PackSlot(const Optimizer::Slot& slot) {
  std::vector<NDArray> all = slot.states;
  if (slot.master) all.push_back(slot.master);
  SlotHead head{slot.count, int32_t(all.size()), slot.master ? 1 : 0};
  std::string s(reinterpret_cast<const char*>(&head), sizeof head);
  for (auto& a : all) {
    WaitToRead(*a);
    int64_t form[2] = {int64_t(a->dtype), a->size()};
    s.append(reinterpret_cast<const char*>(form), sizeof form);
    s.append(static_cast<const char*>(a->View().raw()), size_t(a->bytes()));
  }
  return ps::Buffer::Own(std::move(s));
}
Optimizer::Slot UnpackSlot(const ps::Buffer& b) {
  Optimizer::Slot slot;
  if (b.empty()) return slot;
  const uint8_t *p = b.data(), *end = p + b.size();
  auto take = [&](void* to, size_t n) {
    if (size_t(end - p) < n) Fail(Status::kFormat, "store", "the state of an optimizer is cut short.");
    std::memcpy(to, p, n), p += n;
  };
  SlotHead head;
  take(&head, sizeof head);
  slot.count = head.count;
  for (int32_t i = 0; i < head.arrays; ++i) {
    int64_t form[2];
    take(form, sizeof form);
    if (form[0] < 0 || form[0] >= kDTypeCount || form[1] < 0 || form[1] > (end - p) / DTypeSize(DType(form[0]))) Fail(Status::kFormat, "store", "the state of an optimizer is cut short.");
    NDArray a = FromBytes(p, form[1], DType(form[0]));
    p += a->bytes();
    if (head.master && i + 1 == head.arrays) slot.master = a;
    else slot.states.push_back(a);
  }
  return slot;
}
}  // namespace

std::string KeyMeta(ps::Aggregate aggregate, const Shape& shape) { return Text(aggregate == ps::Aggregate::kMean ? "mean " : "sum ", shape); }
ps::Aggregate AggregateOf(std::string_view meta) { return meta.substr(0, 5) == "mean " ? ps::Aggregate::kMean : ps::Aggregate::kSum; }

std::string PackState(const Optimizer::State& state) {
  std::string s;
  for (auto& kv : state.text) s += Text(kv.first.size(), ":", kv.first, kv.second.size(), ":", kv.second);
  return s;
}
Optimizer::State UnpackState(std::string_view text) {
  Optimizer::State state;
  auto take = [&] {
    auto colon = text.find(':');
    int64_t n = 0;
    if (colon == std::string_view::npos || !ParseInt(text.substr(0, colon), &n) || n < 0 || uint64_t(n) > text.size() - colon - 1) Fail(Status::kFormat, "store", "what should be an optimizer is none.");
    std::string got(text.substr(colon + 1, size_t(n)));
    text.remove_prefix(colon + 1 + size_t(n));
    return got;
  };
  while (!text.empty()) {
    std::string key = take();
    state.text[key] = take();
  }
  return state;
}

void ReduceInOrder(DType dtype, ps::Aggregate aggregate, const std::vector<ps::Contribution>& in, int64_t n, void* out) {
  if (dtype == DType::kBool) Fail(Status::kUnsupported, "store", "arrays of dtype ", dtype, " are not summed. Cast them.");
  Dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!std::is_same_v<T, bool>) {
      if (aggregate == ps::Aggregate::kMean) Mean(in, n, static_cast<T*>(out));
      else Sum(in, n, static_cast<T*>(out));
    }
  });
}

ps::Buffer TensorReducer::Reduce(const ps::Slice& slice, const std::vector<ps::Contribution>& in, ps::Aggregate) {
  DType t = DTypeOf(slice);
  int64_t n = int64_t(slice.size) / DTypeSize(t);
  for (auto& c : in)
    if (c.bytes.size() != slice.size || slice.size % size_t(DTypeSize(t))) Fail(Status::kShape, "store", "a push of key `", slice.key->name, "` has ", c.bytes.size(), " bytes for a slice of ", slice.size, ".");
  if (in.size() == 1) return in[0].bytes;
  NDArray out = Array::New({n}, t);
  ReduceInOrder(t, AggregateOf(slice.key->meta), in, n, out->View().raw());
  return BytesOf(out);
}

Ref<Optimizer> TensorReducer::current() {
  std::lock_guard<std::mutex> lock(mutex_);
  return optimizer_;
}
ps::Stored TensorReducer::Apply(const ps::Slice& slice, const ps::Stored& stored, const ps::Buffer& reduced) {
  auto optimizer = current();
  if (!optimizer) return {reduced, {}};
  DType t = DTypeOf(slice);
  int64_t n = int64_t(slice.size) / DTypeSize(t);
  if (stored.value.size() != slice.size || reduced.size() != slice.size) Fail(Status::kShape, "store", "an update of key `", slice.key->name, "` has ", reduced.size(), " bytes for ", stored.value.size(), ".");
  NDArray weight = FromBytes(stored.value.data(), n, t), grad = FromBytes(reduced.data(), n, t);
  Optimizer::Slot slot = UnpackSlot(stored.state);
  optimizer->UpdateSlot(slice.key->name, &slot, weight, grad);
  return {BytesOf(weight), PackSlot(slot)};
}

void TensorReducer::Configure(const std::string& name, const std::string& text) {
  Ref<Optimizer> made;
  if (name == kOptimizer) {
    made = Optimizer::Restore(UnpackState(text));
  } else if (name == kSetting) {
    auto now = current();
    if (!now) Fail(Status::kState, "store", "there is no optimizer whose setting could be changed.");
    auto change = UnpackState(text).text;
    made = Optimizer::Restore(now->Save());
    for (auto& kv : change) made->Set(kv.first, kv.second);
  } else {
    Fail(Status::kName, "store", "there is nothing to configure that is named `", name, "`.");
  }
  std::lock_guard<std::mutex> lock(mutex_);
  optimizer_ = std::move(made);
}

}  // namespace flx
