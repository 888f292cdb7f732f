// SPDX-License-Identifier: Apache-2.0
// Imperative calls, by name and prepared; gradients.
#include "base/host_token.h"
#include "devices.h"
#include "exec/autograd.h"
#include "guard.h"

using namespace flx;
using namespace flx::capi;

namespace {
constexpr int kInvokeModes = FLX_RECORD | FLX_TRAIN | FLX_TRACE, kBackwardModes = FLX_TRAIN | FLX_RETAIN | FLX_CREATE_GRAPH;

void NeedScalars(const char* who, const double* scalars, int32_t n) { NeedCount(who, "scalars", scalars, n); }
void NeedCapacity(const char* who, const Call& call, flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  NeedPointer(who, "out_narrays", out_narrays);
  if (capacity < call.nvisible) Fail(Status::kArgument, who, "operator ", call.op.name, " makes ", call.nvisible, " arrays, `capacity` is ", capacity, ".");
  NeedPointer(who, "out_arrays", out_arrays);
}
// Where an operator without inputs makes its arrays: its attribute ctx. In graphs, whose arrays are elsewhere, it says nothing.
const Device* PlaceOf(const Call& call) {
  const Field* f = call.op.inputs.empty() ? call.op.schema.Find("ctx") : nullptr;
  return f ? ResolveDevice(call.op.schema.Print(*f, call.attrs.get()).c_str()) : nullptr;
}
void RunNew(const char* who, const Call& call, int32_t mode, const flx_ndarray* arrays, int32_t narrays, const double* scalars, int32_t nscalars,
            flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  NeedCapacity(who, call, out_arrays, capacity, out_narrays);
  NeedMode(who, mode, kInvokeModes);
  ArrayList in(who, "arrays", arrays, narrays);
  if (call.nvisible == 1) {
    NDArray out;
    Invoke(call, mode, in.data(), in.size(), scalars, nscalars, &out, 1, PlaceOf(call));
    out_arrays[0] = GiveArray(std::move(out));
    *out_narrays = 1;
    return;
  }
  std::vector<NDArray> out(size_t(call.nvisible));
  Invoke(call, mode, in.data(), in.size(), scalars, nscalars, out.data(), int(out.size()), PlaceOf(call));
  GiveArrays(who, std::move(out), out_arrays, capacity, out_narrays);
}
void RunInto(const char* who, const Call& call, int32_t mode, const flx_ndarray* arrays, int32_t narrays, const double* scalars, int32_t nscalars,
             const flx_ndarray* targets, int32_t ntargets) {
  NeedMode(who, mode, kInvokeModes);
  ArrayList in(who, "arrays", arrays, narrays), to(who, "targets", targets, ntargets);
  InvokeInto(call, mode, in.data(), in.size(), scalars, nscalars, to.data(), to.size());
}
void RunFew(const char* who, const Call& call, int32_t mode, Array* const* in, int nin, const double* scalars, int nscalars, flx_ndarray* out_array) {
  NeedPointer(who, "out_array", out_array);
  NeedMode(who, mode, kInvokeModes);
  if (call.nvisible != 1) Fail(Status::kArgument, who, "operator ", call.op.name, " makes ", call.nvisible, " arrays, one is wanted here.");
  NDArray out;
  Invoke(call, mode, in, nin, scalars, nscalars, &out, 1);
  *out_array = GiveArray(std::move(out));
}
Pin<Call> PinCall(const char* who, flx_call call) { return {call, Kind::kCall, "call", who}; }
}  // namespace

extern "C" {

flx_status flx_invoke(const char* name, int32_t mode, const flx_ndarray* arrays, int32_t narrays, const char* const* keys, const char* const* values,
                      int32_t npairs, flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  FLX_BEGIN
    NeedText(who, "name", name);
    auto call = Call::New(name, OptionList(who, keys, values, npairs));
    RunNew(who, *call, mode, arrays, narrays, nullptr, 0, out_arrays, capacity, out_narrays);
  FLX_END
}
flx_status flx_invoke_into(const char* name, int32_t mode, const flx_ndarray* arrays, int32_t narrays, const char* const* keys, const char* const* values,
                           int32_t npairs, const flx_ndarray* targets, int32_t ntargets) {
  FLX_BEGIN
    NeedText(who, "name", name);
    auto call = Call::New(name, OptionList(who, keys, values, npairs));
    RunInto(who, *call, mode, arrays, narrays, nullptr, 0, targets, ntargets);
  FLX_END
}
flx_status flx_call_create(const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_call* out_call) {
  FLX_BEGIN
    NeedText(who, "name", name);
    NeedPointer(who, "out_call", out_call);
    auto call = Call::New(name, OptionList(who, keys, values, npairs));
    *out_call = reinterpret_cast<flx_call>(NewHandle(call.Leak()));
  FLX_END
}
flx_status flx_call_run(flx_call call, int32_t mode, const flx_ndarray* arrays, int32_t narrays, const double* scalars, int32_t nscalars,
                        flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  FLX_BEGIN
    auto c = PinCall(who, call);
    NeedScalars(who, scalars, nscalars);
    RunNew(who, *c, mode, arrays, narrays, scalars, nscalars, out_arrays, capacity, out_narrays);
  FLX_END
}
flx_status flx_call_run_into(flx_call call, int32_t mode, const flx_ndarray* arrays, int32_t narrays, const double* scalars, int32_t nscalars,
                             const flx_ndarray* targets, int32_t ntargets) {
  FLX_BEGIN
    auto c = PinCall(who, call);
    NeedScalars(who, scalars, nscalars);
    RunInto(who, *c, mode, arrays, narrays, scalars, nscalars, targets, ntargets);
  FLX_END
}
flx_status flx_call_unary(flx_call call, int32_t mode, flx_ndarray lhs, flx_ndarray* out_array) {
  FLX_BEGIN
    auto c = PinCall(who, call);
    auto a = PinArray(who, lhs, "lhs");
    Array* in[1] = {a.get()};
    RunFew(who, *c, mode, in, 1, nullptr, 0, out_array);
  FLX_END
}
flx_status flx_call_binary(flx_call call, int32_t mode, flx_ndarray lhs, flx_ndarray rhs, flx_ndarray* out_array) {
  FLX_BEGIN
    auto c = PinCall(who, call);
    auto a = PinArray(who, lhs, "lhs"), b = PinArray(who, rhs, "rhs");
    Array* in[2] = {a.get(), b.get()};
    RunFew(who, *c, mode, in, 2, nullptr, 0, out_array);
  FLX_END
}
flx_status flx_call_scalar(flx_call call, int32_t mode, flx_ndarray lhs, double scalar, flx_ndarray* out_array) {
  FLX_BEGIN
    auto c = PinCall(who, call);
    auto a = PinArray(who, lhs, "lhs");
    Array* in[1] = {a.get()};
    RunFew(who, *c, mode, in, 1, &scalar, 1, out_array);
  FLX_END
}

flx_status flx_autograd_attach(flx_ndarray array, const char* grad_req, flx_ndarray grad) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    GradReq req = NeedGradReq(who, grad_req);
    if (grad) {
      auto g = PinArray(who, grad, "grad");
      AttachGrad(a.ref(), req, g.ref());
    } else {
      AttachGrad(a.ref(), req);
    }
  FLX_END
}
flx_status flx_autograd_grad(flx_ndarray array, flx_ndarray* out_array) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_array", out_array);
    *out_array = GiveArray(GradOf(*a));
  FLX_END
}
flx_status flx_autograd_backward(const flx_ndarray* arrays, int32_t narrays, const flx_ndarray* grads, int32_t ngrads, int32_t mode) {
  FLX_BEGIN
    NeedMode(who, mode, kBackwardModes);
    ArrayList a(who, "arrays", arrays, narrays), g(who, "grads", grads, ngrads, true);
    Backward(a.refs(), g.refs(), mode);
  FLX_END
}
flx_status flx_autograd_gradients(const flx_ndarray* arrays, int32_t narrays, const flx_ndarray* grads, int32_t ngrads, const flx_ndarray* targets,
                                  int32_t ntargets, int32_t mode, flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  FLX_BEGIN
    NeedMode(who, mode, kBackwardModes);
    NeedPointer(who, "out_narrays", out_narrays);
    ArrayList a(who, "arrays", arrays, narrays), g(who, "grads", grads, ngrads, true), t(who, "targets", targets, ntargets);
    if (capacity < ntargets) Fail(Status::kArgument, who, "there are ", ntargets, " gradients, `capacity` is ", capacity, ".");
    if (ntargets > 0) NeedPointer(who, "out_arrays", out_arrays);
    GiveArrays(who, Gradients(a.refs(), g.refs(), t.refs(), mode), out_arrays, capacity, out_narrays);
  FLX_END
}
flx_status flx_autograd_record(int64_t token, const flx_ndarray* arrays, int32_t narrays, const flx_ndarray* targets, int32_t ntargets) {
  FLX_BEGIN
    if (token < 0) Fail(Status::kArgument, who, "`token` must be 0 or more, given ", token, ".");
    ArrayList a(who, "arrays", arrays, narrays), t(who, "targets", targets, ntargets);
    RecordHost(token, a.refs(), t.refs());
  FLX_END
}
flx_status flx_token_next(int64_t* out_token) {
  FLX_BEGIN
    NeedPointer(who, "out_token", out_token);
    *out_token = NextDeadToken();
  FLX_END
}

}  // extern "C"
