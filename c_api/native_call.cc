// SPDX-License-Identifier: Apache-2.0
// The border where the library calls the host: nothing but a status comes back over it.
#include "native.h"

namespace flx::capi {
namespace {

[[noreturn]] void FailAs(flx_status status, const Context& c, const LastError& e) {
  std::string_view said = e.fixed ? e.fixed : std::string_view(e.message);
  Status s = status > FLX_OK && status <= FLX_ERROR_INTERNAL ? Status(status) : Status::kHost;
  if (!e.failed || said.empty()) Fail(s, c.op.name, "the ", c.name(), " failed with status ", status, " and gave no message (flx_native_fail).");
  // a library function's message has its own name in front, which would hide whose fault it is
  if (said[0] == '[') Fail(s, c.op.name, "the ", c.name(), " failed: ", said);
  Fail(s, c.op.name, said);
}
const NativeOp& OpOf(const void* attrs) { return *static_cast<const NativeAttrs*>(attrs)->op; }

void RunShape(AnyFn, Infer& c, const void* attrs) {
  for (int i = 0; i < c.nin; ++i)
    if (!c.known(i) || c.x_type(i) == DType::kNone) return;
  auto context = Make<Context>(Context::kShape, c.op, attrs);
  context->infer = &c;
  CallHost(OpOf(attrs).shape, context);
  for (int i = 0; i < c.nout; ++i)
    if (!(context->shapes_set >> i & 1)) Fail(Status::kHost, c.op.name, "the shape rule succeeded but did not set output `", c.op.outputs[size_t(i)].name, "` (flx_context_output_set).");
}
void RunKernel(AnyFn, KernelContext& c, const void* attrs, const TensorView* in, int nin, TensorView* out, int nout) {
  RunNativeKernel(OpOf(attrs).kernel, c, attrs, in, nin, out, nout);
}
void RunGradient(AnyFn, Grad& g, const void* attrs) {
  const NativeOp& op = OpOf(attrs);
  auto context = Make<Context>(Context::kGradient, op.def, attrs);
  context->grad = &g;
  CallHost(op.gradient, context);
}
void Nothing() {}
}  // namespace

void DropNow(const Callback& c) noexcept {
  if (!c.drop) return;
  try {
    Engine::Callback no_waiting;
    ErrorScope errors;
    c.drop(c.user);
  } catch (...) {
    // there is nobody to tell
  }
}
void CallHost(const Callback& callback, Ref<Context> context) {
  struct Open {
    void* handle;
    explicit Open(const Ref<Context>& c) : handle(NewHandle(Ref<Context>(c).Leak())) {}
    ~Open() { FreeHandle(handle); }
  } open(context);
  Engine::Callback no_waiting;
  ErrorScope errors;
  flx_status status = FLX_OK;
  try {
    status = callback.fn(reinterpret_cast<flx_context>(open.handle), callback.user);
  } catch (const std::exception& e) {
    Fail(Status::kHost, context->op.name, "the ", context->name(), " threw: ", e.what());
  } catch (...) {
    Fail(Status::kHost, context->op.name, "the ", context->name(), " threw something that is no std::exception.");
  }
  if (status != FLX_OK) FailAs(status, *context, errors.error);
}
void RunNativeKernel(const Callback& callback, KernelContext& c, const void* attrs, const TensorView* in, int nin, TensorView* out, int nout) {
  auto context = Make<Context>(Context::kKernel, *c.op, attrs);
  context->kernel = &c, context->in = {in, nin}, context->out = {out, nout};
  CallHost(callback, context);
}

void NativeOp::Connect() {
  def.attrs_tag = this;
  def.types_fn = &Nothing, def.run_types = &RunShape;  // shapes and dtypes come from one rule
  slot.name = def.name, slot.fn[0] = &Nothing;
  def.kernel = &slot, def.run_kernel = &RunKernel;
  if (gradient.fn) def.gradient_fn = &Nothing, def.run_gradient = &RunGradient;
  std::shared_ptr<void> values = NewNativeAttrs(this, int64_t(fields.size()));
  for (size_t i = 0; i < fields.size(); ++i) static_cast<NativeAttrs*>(values.get())->values()[i] = defaults[i];
  def.schema = Schema::Dynamic(&CopyNativeAttrs, values);
  for (auto& f : fields) def.schema.AddField(f);
}

Pin<Context> PinContext(const char* who, flx_context context, int works) {
  Pin<Context> c(context, Kind::kContext, "context", who);
  if (c->thread != std::this_thread::get_id())
    Fail(Status::kState, who, "a context may be used only by the thread that was called with it. Ask for memory there, and hand that to other threads.");
  if (!(c->work & works))
    Fail(Status::kState, who, "is for a ", works == Context::kShape ? "shape rule" : works == Context::kKernel ? "kernel" : "gradient", "; this context is a ", c->name(), "'s.");
  return c;
}
void NeedPlace(const char* who, const Context& c, int32_t index, int64_t n, const char* what) {
  if (index < 0 || index >= n) Fail(Status::kIndex, who, "`index` must be in [0, ", n, "), the number of ", what, " of ", c.op.name, ", given ", index, ".");
}

}  // namespace flx::capi
