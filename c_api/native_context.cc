// SPDX-License-Identifier: Apache-2.0
// What callbacks may ask: attributes, shapes, and in a kernel memory and threads.
#include "native.h"

using namespace flx;
using namespace flx::capi;

namespace {
struct Attribute { const Field& field; const void* value; };
Attribute FindAttribute(const char* who, const Context& c, const char* key) {
  std::string_view k = NeedText(who, "key", key);
  if (const Field* f = c.op.schema.Find(k)) return {*f, f->ptr(c.attrs)};
  std::vector<std::string> names;
  for (auto& f : c.op.schema.fields()) names.emplace_back(f.name);
  Fail(Status::kName, who, c.op.name, " has no attribute `", k, "`.", DidYouMean(k, names), names.empty() ? " It has none." : Text(" It has: ", Join(names, ", "), "."));
}
[[noreturn]] void FailAttribute(const char* who, const Field& f, const char* wanted) {
  Fail(Status::kType, who, "attribute `", f.name, "` is ", f.type->type_text(f), ", not ", wanted, ".");
}
int CountIn(const Context& c) { return c.infer ? c.infer->nin : c.grad ? c.grad->nin() : c.in.count; }
int CountOut(const Context& c) { return c.infer ? c.infer->nout : c.grad ? int(c.op.outputs.size()) : c.out.count; }
void GiveMeta(const char* who, const Shape& s, DType t, int32_t* out_dtype, const int64_t** out_dims, int32_t* out_ndim) {
  NeedPointer(who, "out_dtype", out_dtype);
  NeedPointer(who, "out_dims", out_dims);
  NeedPointer(who, "out_ndim", out_ndim);
  *out_dtype = int32_t(t), *out_dims = s.data(), *out_ndim = s.ndim();
}
}  // namespace

extern "C" {

flx_status flx_native_fail(flx_status status, const char* message) {
  bool known = status > FLX_OK && status <= FLX_ERROR_INTERNAL;
  FLX_BEGIN
    throw Error(known ? Status(status) : Status::kHost, message ? message : "a function of the host failed and gave no message");
  FLX_END
}

flx_status flx_context_attr(flx_context context, const char* key, const char** out_value) {
  FLX_BEGIN
    auto c = PinContext(who, context);
    NeedPointer(who, "out_value", out_value);
    Attribute a = FindAttribute(who, *c, key);
    a.field.type->print(a.value, &c->texts.emplace_back());
    *out_value = c->texts.back().c_str();
  FLX_END
}
flx_status flx_context_number(flx_context context, const char* key, double* out_value) {
  FLX_BEGIN
    auto c = PinContext(who, context);
    NeedPointer(who, "out_value", out_value);
    Attribute a = FindAttribute(who, *c, key);
    double v;
    if (!a.field.type->number(a.value, &v)) FailAttribute(who, a.field, "a number");
    *out_value = v;
  FLX_END
}
flx_status flx_context_integers(flx_context context, const char* key, const int64_t** out_values, int32_t* out_count) {
  FLX_BEGIN
    auto c = PinContext(who, context);
    NeedPointer(who, "out_values", out_values);
    NeedPointer(who, "out_count", out_count);
    Attribute a = FindAttribute(who, *c, key);
    if (a.field.type == FieldTypeOf<int64_t>()) {
      *out_values = static_cast<const int64_t*>(a.value), *out_count = 1;
    } else if (a.field.type == FieldTypeOf<Ints>()) {
      auto& v = *static_cast<const Ints*>(a.value);
      *out_values = v.data(), *out_count = int32_t(v.size());
    } else {
      FailAttribute(who, a.field, "an int or a tuple of int");
    }
  FLX_END
}
flx_status flx_context_count(flx_context context, const char* field, int32_t* out_value) {
  FLX_BEGIN
    auto c = PinContext(who, context);
    std::string_view f = NeedText(who, "field", field);
    NeedPointer(who, "out_value", out_value);
    if (f == "inputs") *out_value = CountIn(*c);
    else if (f == "outputs") *out_value = CountOut(*c);
    else if (f == "training") *out_value = c->kernel ? c->kernel->training : c->grad ? c->grad->training : 0;
    else Fail(Status::kName, who, "no field is named `", f, "`.", DidYouMean(f, {"inputs", "outputs", "training"}), " There are: inputs, outputs, training.");
  FLX_END
}
flx_status flx_context_input(flx_context context, int32_t index, int32_t* out_dtype, const int64_t** out_dims, int32_t* out_ndim) {
  FLX_BEGIN
    auto c = PinContext(who, context);
    NeedPlace(who, *c, index, CountIn(*c), "inputs");
    if (c->infer) return GiveMeta(who, c->infer->x(index), c->infer->x_type(index), out_dtype, out_dims, out_ndim);
    if (c->grad) return GiveMeta(who, c->grad->x_shape(index), c->grad->x_type(index), out_dtype, out_dims, out_ndim);
    GiveMeta(who, c->in[index].shape, c->in[index].dtype, out_dtype, out_dims, out_ndim);
  FLX_END
}
flx_status flx_context_output(flx_context context, int32_t index, int32_t* out_dtype, const int64_t** out_dims, int32_t* out_ndim) {
  FLX_BEGIN
    auto c = PinContext(who, context);
    NeedPlace(who, *c, index, CountOut(*c), "outputs");
    if (c->infer && !(c->shapes_set >> index & 1)) Fail(Status::kState, who, "output ", index, " has no shape yet: it is this rule that sets it.");
    if (c->infer) return GiveMeta(who, c->infer->y(index), c->infer->y_type(index), out_dtype, out_dims, out_ndim);
    if (c->grad) return GiveMeta(who, c->grad->y_shape(index), c->grad->y_type(index), out_dtype, out_dims, out_ndim);
    GiveMeta(who, c->out[index].shape, c->out[index].dtype, out_dtype, out_dims, out_ndim);
  FLX_END
}
flx_status flx_context_output_set(flx_context context, int32_t index, int32_t dtype, const int64_t* dims, int32_t ndim) {
  FLX_BEGIN
    auto c = PinContext(who, context, Context::kShape);
    NeedPlace(who, *c, index, CountOut(*c), "outputs");
    DType t = NeedDType(who, "dtype", dtype);
    Shape s = NeedShape(who, dims, ndim);
    s.CheckedSize(who, DTypeSize(t));
    c->infer->set_y(index, s);
    c->infer->set_y_type(index, t);
    c->shapes_set |= 1ull << index;
  FLX_END
}

flx_status flx_context_input_data(flx_context context, int32_t index, const void** out_data, int64_t* out_nbytes) {
  FLX_BEGIN
    auto c = PinContext(who, context, Context::kKernel);
    NeedPlace(who, *c, index, c->in.count, "inputs");
    NeedPointer(who, "out_data", out_data);
    NeedPointer(who, "out_nbytes", out_nbytes);
    *out_data = c->in[index].raw(), *out_nbytes = c->in[index].bytes();
  FLX_END
}
flx_status flx_context_output_data(flx_context context, int32_t index, void** out_data, int64_t* out_nbytes) {
  FLX_BEGIN
    auto c = PinContext(who, context, Context::kKernel);
    NeedPlace(who, *c, index, c->out.count, "outputs");
    NeedPointer(who, "out_data", out_data);
    NeedPointer(who, "out_nbytes", out_nbytes);
    *out_data = c->out[index].raw(), *out_nbytes = c->out[index].bytes();
  FLX_END
}
flx_status flx_context_workspace(flx_context context, int64_t nbytes, void** out_data) {
  FLX_BEGIN
    auto c = PinContext(who, context, Context::kKernel);
    NeedPointer(who, "out_data", out_data);
    constexpr int64_t kMost = int64_t(1) << 60;
    if (nbytes < 0 || nbytes > kMost) Fail(nbytes < 0 ? Status::kArgument : Status::kMemory, who, "`nbytes` must be in [0, ", kMost, "], given ", nbytes, ".");
    *out_data = c->kernel->Scratch(nbytes);
  FLX_END
}
flx_status flx_context_stream(flx_context context, void** out_stream) {
  FLX_BEGIN
    auto c = PinContext(who, context, Context::kKernel);
    NeedPointer(who, "out_stream", out_stream);
    *out_stream = nullptr;  // native kernels are taken for the CPU only (flx_native_op_kernel)
  FLX_END
}
flx_status flx_context_parallel(flx_context context, int64_t n, int64_t grain, flx_loop_fn body, void* user) {
  FLX_BEGIN
    auto c = PinContext(who, context, Context::kKernel);
    if (n < 0) Fail(Status::kArgument, who, "`n` must be 0 or more, given ", n, ".");
    if (grain < 1) Fail(Status::kArgument, who, "`grain` must be 1 or more, given ", grain, ".");
    if (!body) NeedPointer(who, "body", nullptr);
    if (n > 0) ParallelFor(n, grain, [&](int64_t begin, int64_t end) { body(begin, end, user); });
  FLX_END
}

}  // extern "C"
