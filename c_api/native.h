// SPDX-License-Identifier: Apache-2.0
// Native operators: what a registered one consists of, and the border where the library calls the host. native_op.cc describes and registers,
// native_call.cc calls, native_context.cc and native_gradient.cc are what a callback may ask.
#pragma once
#include <deque>
#include <thread>

#include "flexor/c_api_native.h"
#include "guard.h"
#include "op/op.h"

namespace flx::capi {

// A function of the host's with what belongs to it.
struct Callback {
  flx_native_fn fn = nullptr;
  void* user = nullptr;
  flx_drop_fn drop = nullptr;
};
void DropNow(const Callback& c) noexcept;                  // here; what it throws concerns nobody
inline void DropLater(const Callback& c) { if (c.drop) Engine::Defer(c.drop, c.user); }

// The attributes of a native operator: a head and one value for each, of which the field's type uses a member.
struct NativeValue {
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;
  DType dtype = DType::kNone;
  std::string text;
  Ints integers;
  Doubles numbers;
};
struct NativeOp;
struct NativeAttrs {
  const NativeOp* op;
  int64_t count;
  NativeValue* values() { return reinterpret_cast<NativeValue*>(this + 1); }
  const NativeValue* values() const { return reinterpret_cast<const NativeValue*>(this + 1); }
};
static_assert(sizeof(NativeAttrs) % alignof(NativeValue) == 0);
std::shared_ptr<void> NewNativeAttrs(const NativeOp* op, int64_t count);
std::shared_ptr<void> CopyNativeAttrs(const void* from);
// The type called `type` and where its member stands in value `index`; false: there is none.
bool FindNativeType(std::string_view type, int64_t index, Field* field);
std::string NativeTypeNames();

// Lives for ever once registered: the definition points into it, and attrs_tag is its address.
struct NativeOp {
  OpDef def;
  KernelSlot slot;
  Callback shape, kernel, gradient;
  std::deque<std::string> texts;
  std::deque<NativeValue> defaults;
  std::vector<Field> fields;
  const char* Keep(std::string_view s) { return texts.emplace_back(s).c_str(); }
  void Connect();  // fills the definition's functions
};

// What a callback works on. It belongs to one thread and is closed when the callback returns; the object may outlive that for as long as somebody has it
// pinned, and then says no more than whose it was.
class Context final : public Object {
 public:
  enum Work { kShape = 1, kKernel = 2, kGradient = 4 };
  Context(Work w, const OpDef& o, const void* a) : Object(Kind::kContext), work(w), op(o), attrs(a) {}
  const Work work;
  const OpDef& op;
  const void* const attrs;
  const std::thread::id thread = std::this_thread::get_id();
  Infer* infer = nullptr;
  uint64_t shapes_set = 0;          // bit i: the rule has set output i
  KernelContext* kernel = nullptr;
  Views in;
  OutViews out;
  Grad* grad = nullptr;
  std::vector<Val> values;          // value v is values[v - 1]
  std::vector<int64_t> known;       // values of inputs, outputs and heads that were asked for
  std::deque<std::string> texts;    // lent to the callback
  std::deque<Ints> integers;
  const char* name() const { return work == kShape ? "shape rule" : work == kKernel ? "kernel" : "gradient"; }
};
// Calls the host. Throws what it failed with, as "[operator] message".
void CallHost(const Callback& callback, Ref<Context> context);
void RunNativeKernel(const Callback& callback, KernelContext& c, const void* attrs, const TensorView* in, int nin, TensorView* out, int nout);

// The context pinned, if it is of this thread and of this work (bits of Work), or an error.
Pin<Context> PinContext(const char* who, flx_context context, int works = Context::kShape | Context::kKernel | Context::kGradient);
void NeedPlace(const char* who, const Context& c, int32_t index, int64_t n, const char* what);

}  // namespace flx::capi
