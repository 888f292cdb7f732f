// SPDX-License-Identifier: Apache-2.0
#include "base/small_vector.h"
#include "exec/core.h"

namespace flx {

Val EagerBuilder::Add(NDArray a) {
  values_.emplace_back(std::move(a));
  return {this, values_.size() - 1};
}
void EagerBuilder::Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) {
  Ref<flx::Call> made;
  const flx::Call* kept = attrs == op.schema.defaults() ? flx::Call::OfDefaults(op) : nullptr;
  if (!kept) made = flx::Call::New(op, attrs), kept = made.get();
  const flx::Call& call = *kept;
  SmallVector<Array*, 8> raw;
  for (int i = 0; i < nin; ++i)
    if (in[i]) raw.emplace_back(values_[in[i].id].get());  // an optional input that is absent is an empty Val
  if (nout == 1) {
    NDArray result;
    InvokeAll(call, mode_, raw.data(), raw.size(), nullptr, 0, &result, nullptr, device_);
    out[0] = result ? Add(std::move(result)) : Val{};
    return;
  }
  SmallVector<NDArray, 4> results(nout);
  InvokeAll(call, mode_, raw.data(), raw.size(), nullptr, 0, results.data(), nullptr, device_);
  for (int i = 0; i < nout; ++i) out[i] = results[i] ? Add(std::move(results[i])) : Val{};
}

Val ShapeBuilder::Add(const Shape& s, DType t) {
  shapes_.push_back(s), types_.push_back(t);
  return {this, int32_t(shapes_.size()) - 1};
}
void ShapeBuilder::Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) {
  auto call = flx::Call::New(op, attrs);
  SmallVector<Shape, 8> given;
  SmallVector<DType, 8> types;
  for (int i = 0; i < nin; ++i)
    if (in[i]) given.emplace_back(shapes_[size_t(in[i].id)]), types.emplace_back(types_[size_t(in[i].id)]);
  Inference f;
  f.Run(*call, attrs.get(), given.data(), types.data(), given.size());
  for (int i = 0; i < nout; ++i) out[i] = Add(f.ys[i], f.yt[i]);
}

}  // namespace flx
