// SPDX-License-Identifier: Apache-2.0
// Gradients of native operators, written on whatever Builder is at work: shapes when it is found what backward keeps, arrays when it runs.
#include "native.h"

using namespace flx;
using namespace flx::capi;

namespace {
Pin<Context> PinGradient(const char* who, flx_context context) { return PinContext(who, context, Context::kGradient); }
int64_t AddValue(Context* c, Val v) {
  c->values.push_back(v);
  return int64_t(c->values.size());
}
Val ValueOf(const char* who, const char* arg, const Context& c, int64_t value) {
  if (value < 1 || value > int64_t(c.values.size()))
    Fail(Status::kIndex, who, "`", arg, "` must be a value that this context gave, of 1 to ", c.values.size(), ", given ", value, ".");
  return c.values[size_t(value - 1)];
}
enum Side { kInput, kOutput, kHead };
// Each is asked of the rule's builder once: what is asked twice is the same value.
void GiveKnown(const char* who, flx_context context, Side side, int32_t index, int64_t* out_value) {
  auto c = PinGradient(who, context);
  int nin = c->grad->nin(), nout = int(c->op.outputs.size());
  NeedPlace(who, *c, index, side == kInput ? nin : nout, side == kInput ? "inputs" : "outputs");
  NeedPointer(who, "out_value", out_value);
  c->known.resize(size_t(nin + 2 * nout));
  int64_t& value = c->known[size_t(side == kInput ? index : side == kOutput ? nin + index : nin + nout + index)];
  if (!value) value = AddValue(c.get(), side == kInput ? c->grad->x(index) : side == kOutput ? c->grad->y(index) : c->grad->dy(index));
  *out_value = value;
}
}  // namespace

extern "C" {

flx_status flx_gradient_input(flx_context context, int32_t index, int64_t* out_value) {
  FLX_BEGIN
    GiveKnown(who, context, kInput, index, out_value);
  FLX_END
}
flx_status flx_gradient_output(flx_context context, int32_t index, int64_t* out_value) {
  FLX_BEGIN
    GiveKnown(who, context, kOutput, index, out_value);
  FLX_END
}
flx_status flx_gradient_head(flx_context context, int32_t index, int64_t* out_value) {
  FLX_BEGIN
    GiveKnown(who, context, kHead, index, out_value);
  FLX_END
}
flx_status flx_gradient_wanted(flx_context context, int32_t index, int32_t* out_wanted) {
  FLX_BEGIN
    auto c = PinGradient(who, context);
    NeedPlace(who, *c, index, c->grad->nin(), "inputs");
    NeedPointer(who, "out_wanted", out_wanted);
    *out_wanted = c->grad->want(index);
  FLX_END
}
flx_status flx_gradient_call(flx_context context, const char* name, const int64_t* inputs, int32_t ninputs, const char* const* keys, const char* const* values,
                             int32_t npairs, int64_t* out_values, int32_t capacity, int32_t* out_nvalues) {
  FLX_BEGIN
    auto c = PinGradient(who, context);
    const OpDef& op = FindOp(NeedText(who, "name", name));
    NeedCount(who, "inputs", inputs, ninputs);
    NeedPointer(who, "out_nvalues", out_nvalues);
    OptionList options(who, keys, values, npairs);
    std::vector<KeyValue> kv;
    for (auto& o : options)
      if (!(op.count_attr && o.first == op.count_attr && !op.schema.Find(o.first))) kv.emplace_back(o.first, o.second);
    Attrs attrs = op.schema.Parse(op.name, kv.data(), kv.size());
    int visible = op.CountVisible(attrs.get());
    if (capacity < visible) Fail(Status::kArgument, who, "operator ", op.name, " makes ", visible, " values, `capacity` is ", capacity, ".");
    NeedPointer(who, "out_values", out_values);
    std::vector<Val> in;
    for (int32_t i = 0; i < ninputs; ++i) in.push_back(inputs[i] ? ValueOf(who, Text("inputs[", i, "]").c_str(), *c, inputs[i]) : Val{});
    auto out = Calls(op, attrs, in, c->grad->builder);
    c->values.reserve(c->values.size() + size_t(visible));
    for (int i = 0; i < visible; ++i) out_values[i] = out[size_t(i)] ? AddValue(c.get(), out[size_t(i)]) : 0;
    *out_nvalues = visible;
  FLX_END
}
flx_status flx_gradient_scalar(flx_context context, const char* name, int64_t input, double scalar, int64_t* out_value) {
  FLX_BEGIN
    auto c = PinGradient(who, context);
    const OpDef& op = FindOp(NeedText(who, "name", name));
    Val x = ValueOf(who, "input", *c, input);
    NeedPointer(who, "out_value", out_value);
    if (op.schema.runtime_count() != 1 || op.CountVisible(op.schema.defaults().get()) != 1)
      Fail(Status::kArgument, who, "operator ", op.name, " does not take one number and give one array. Use flx_gradient_call.");
    Attrs attrs = op.schema.WithRuntime(op.name, op.schema.defaults().get(), &scalar, 1);
    *out_value = AddValue(c.get(), Calls(op, attrs, {x})[0]);
  FLX_END
}
flx_status flx_gradient_describe(flx_context context, int64_t value, int32_t* out_dtype, const int64_t** out_dims, int32_t* out_ndim) {
  FLX_BEGIN
    auto c = PinGradient(who, context);
    Val v = ValueOf(who, "value", *c, value);
    NeedPointer(who, "out_dtype", out_dtype);
    NeedPointer(who, "out_dims", out_dims);
    NeedPointer(who, "out_ndim", out_ndim);
    const Ints& dims = c->integers.emplace_back(ShapeOf(v).vec());  // a builder's own may move
    *out_dtype = int32_t(TypeOf(v)), *out_dims = dims.data(), *out_ndim = int32_t(dims.size());
  FLX_END
}
flx_status flx_gradient_set(flx_context context, int32_t index, int64_t value) {
  FLX_BEGIN
    auto c = PinGradient(who, context);
    NeedPlace(who, *c, index, c->grad->nin(), "inputs");
    Val v = ValueOf(who, "value", *c, value);
    const Shape &got = ShapeOf(v), &want = c->grad->x_shape(index);
    if (got != want)
      Fail(Status::kShape, who, "the gradient of input `", c->op.inputs[size_t(index)].name, "` must be of the input's shape ", want, ", given ", got, ".");
    c->grad->dx[size_t(index)] = v;
  FLX_END
}

}  // extern "C"
