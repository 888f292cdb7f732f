// SPDX-License-Identifier: Apache-2.0
// Describing and registering an operator of the host's.
#include <algorithm>
#include <new>

#include "devices.h"
#include "native.h"

namespace flx::capi {

std::shared_ptr<void> NewNativeAttrs(const NativeOp* op, int64_t count) {
  auto* a = new (::operator new(sizeof(NativeAttrs) + size_t(count) * sizeof(NativeValue))) NativeAttrs{op, count};
  for (int64_t i = 0; i < count; ++i) new (a->values() + i) NativeValue;
  return std::shared_ptr<void>(a, [](void* p) {
    auto* b = static_cast<NativeAttrs*>(p);
    for (int64_t i = 0; i < b->count; ++i) b->values()[i].~NativeValue();
    ::operator delete(p);
  });
}
std::shared_ptr<void> CopyNativeAttrs(const void* from) {
  auto& a = *static_cast<const NativeAttrs*>(from);
  auto copy = NewNativeAttrs(a.op, a.count);
  std::copy(a.values(), a.values() + a.count, static_cast<NativeAttrs*>(copy.get())->values());
  return copy;
}

namespace {
struct NativeType { const char* name; const FieldType* type; size_t member; };
const std::vector<NativeType>& NativeTypes() {
  static const std::vector<NativeType> types = {
      {"boolean", FieldTypeOf<bool>(), offsetof(NativeValue, boolean)},        {"int", FieldTypeOf<int64_t>(), offsetof(NativeValue, integer)},
      {"double", FieldTypeOf<double>(), offsetof(NativeValue, number)},        {"string", FieldTypeOf<std::string>(), offsetof(NativeValue, text)},
      {"dtype", FieldTypeOf<DType>(), offsetof(NativeValue, dtype)},           {"tuple of int", FieldTypeOf<Ints>(), offsetof(NativeValue, integers)},
      {"tuple of double", FieldTypeOf<Doubles>(), offsetof(NativeValue, numbers)}};
  return types;
}

// The handle's object. What it describes goes to the registry, or is dropped.
struct Description final : LockedObject {
  Description() : LockedObject(Kind::kNativeOp) {}
  ~Description() override {
    if (op)
      for (auto* c : {&op->shape, &op->kernel, &op->gradient}) DropLater(*c);
  }
  std::unique_ptr<NativeOp> op = std::make_unique<NativeOp>();
};
class PinDescription {
 public:
  PinDescription(const char* who, flx_native_op op) : pin_(op, Kind::kNativeOp, "op", who), lock_(pin_->mutex()) {
    if (!pin_->op) Fail(Status::kState, who, "the description was given to flx_native_op_register and is used up.");
  }
  NativeOp& operator*() const { return *pin_->op; }
  NativeOp* operator->() const { return pin_->op.get(); }
  std::unique_ptr<NativeOp> Take() { return std::move(pin_->op); }

 private:
  Pin<Description> pin_;
  std::lock_guard<std::mutex> lock_;
};

constexpr size_t kLongest = 100;
bool IsName(std::string_view s) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (s.empty() || s.size() > kLongest || !letter(s[0])) return false;
  return std::all_of(s.begin(), s.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}
std::string_view NeedName(const char* who, const char* name) {
  std::string_view s = NeedText(who, "name", name);
  if (!IsName(s)) Fail(Status::kName, who, "a name is made of letters, digits and _, not a digit first, at most ", kLongest, " of them; given `", s, "`.");
  return s;
}
// The names of inputs and attributes are one space: bindings make arguments of them.
void NeedFreeName(const char* who, const NativeOp& op, std::string_view name, bool output) {
  bool taken = false;
  for (auto& p : output ? op.def.outputs : op.def.inputs) taken |= p.name == name;
  for (auto& f : op.fields) taken |= !output && f.name == name;
  if (taken) Fail(Status::kName, who, op.def.name, " has ", output ? "an output" : "an input or attribute", " called `", name, "` already.");
}
void AddPort(const char* who, NativeOp* op, bool output, const char* name, const char* doc) {
  std::string_view n = NeedName(who, name), d = NeedText(who, "doc", doc);
  auto& ports = output ? op->def.outputs : op->def.inputs;
  NeedFreeName(who, *op, n, output);
  if (ports.size() >= size_t(kMaxPorts)) Fail(Status::kUnsupported, who, "an operator has at most ", kMaxPorts, output ? " outputs." : " inputs.");
  Port p;
  p.name = op->Keep(n), p.doc = op->Keep(d);
  ports.push_back(p);
}
void SetCallback(const char* who, const char* what, Callback* c, flx_native_fn fn, void* user, flx_drop_fn drop) {
  if (c->fn) Fail(Status::kState, who, "the operator has a ", what, " already.");
  *c = {fn, user, drop};
}
}  // namespace

bool FindNativeType(std::string_view type, int64_t index, Field* field) {
  for (auto& t : NativeTypes()) {
    if (type != t.name) continue;
    field->type = t.type, field->offset = sizeof(NativeAttrs) + size_t(index) * sizeof(NativeValue) + t.member;
    return true;
  }
  return false;
}
std::string NativeTypeNames() {
  std::vector<std::string> names;
  for (auto& t : NativeTypes()) names.emplace_back(t.name);
  return Join(names, ", ");
}
}  // namespace flx::capi

using namespace flx;
using namespace flx::capi;

extern "C" {

flx_status flx_native_op_create(const char* name, flx_native_op* out_op) {
  FLX_BEGIN
    std::string_view n = NeedName(who, name);
    NeedPointer(who, "out_op", out_op);
    if (FindOpOrNull(n)) Fail(Status::kName, who, "an operator called `", n, "` is there already. Choose another name.");
    auto d = Make<Description>();
    d->op->def.name = d->op->Keep(n), d->op->def.family = "native", d->op->def.since = "";
    *out_op = reinterpret_cast<flx_native_op>(NewHandle(d.Leak()));
  FLX_END
}
flx_status flx_native_op_text(flx_native_op op, const char* field, const char* text) {
  FLX_BEGIN
    PinDescription d(who, op);
    std::string_view f = NeedText(who, "field", field), t = NeedText(who, "text", text);
    OpDef& def = d->def;
    const char** to = f == "doc" ? &def.doc : f == "family" ? &def.family : f == "example" ? &def.example : f == "since" ? &def.since : nullptr;
    if (!to) Fail(Status::kName, who, "no field is named `", f, "`.", DidYouMean(f, {"doc", "family", "example", "since"}), " There are: doc, family, example, since.");
    *to = d->Keep(t);
  FLX_END
}
flx_status flx_native_op_input(flx_native_op op, const char* name, const char* doc) {
  FLX_BEGIN
    PinDescription d(who, op);
    AddPort(who, &*d, false, name, doc);
  FLX_END
}
flx_status flx_native_op_output(flx_native_op op, const char* name, const char* doc) {
  FLX_BEGIN
    PinDescription d(who, op);
    AddPort(who, &*d, true, name, doc);
  FLX_END
}
flx_status flx_native_op_attr(flx_native_op op, const char* name, const char* value_type, const char* default_value, const char* doc) {
  FLX_BEGIN
    PinDescription d(who, op);
    std::string_view n = NeedName(who, name), t = NeedText(who, "value_type", value_type), about = NeedText(who, "doc", doc);
    NeedFreeName(who, *d, n, false);
    Field f;
    if (!FindNativeType(t, int64_t(d->fields.size()), &f)) Fail(Status::kType, who, "no type is named `", t, "`. There are: ", NativeTypeNames(), ".");
    NativeValue v;
    f.required = !default_value;
    void* at = reinterpret_cast<char*>(&v) + (f.offset - sizeof(NativeAttrs)) % sizeof(NativeValue);
    if (default_value && !f.type->parse(f, at, default_value)) Fail(Status::kType, who, "the default of `", n, "` must be ", f.type->type_text(f), ", given `", default_value, "`.");
    f.name = d->Keep(n), f.doc = d->Keep(about);
    d->defaults.push_back(std::move(v));
    d->fields.push_back(f);
  FLX_END
}
flx_status flx_native_op_shape(flx_native_op op, flx_native_fn rule, void* user, flx_drop_fn drop) {
  FLX_BEGIN
    PinDescription d(who, op);
    if (!rule) NeedPointer(who, "rule", nullptr);
    SetCallback(who, "shape rule", &d->shape, rule, user, drop);
  FLX_END
}
flx_status flx_native_op_kernel(flx_native_op op, const char* device, flx_native_fn run, void* user, flx_drop_fn drop) {
  FLX_BEGIN
    PinDescription d(who, op);
    if (!run) NeedPointer(who, "run", nullptr);
    if (device && std::string_view(device) != "cpu")
      Fail(Status::kUnsupported, who, "kernels are taken for devices of kind `cpu`, given `", device, "`.");
    SetCallback(who, "kernel for the CPU", &d->kernel, run, user, drop);
  FLX_END
}
flx_status flx_native_op_gradient(flx_native_op op, flx_native_fn gradient, void* user, flx_drop_fn drop) {
  FLX_BEGIN
    PinDescription d(who, op);
    if (!gradient) NeedPointer(who, "gradient", nullptr);
    SetCallback(who, "gradient", &d->gradient, gradient, user, drop);
  FLX_END
}
flx_status flx_native_op_register(flx_native_op op) {
  FLX_BEGIN
    std::unique_ptr<NativeOp> o = PinDescription(who, op).Take();
    try {
      if (o->def.outputs.empty()) Fail(Status::kState, who, o->def.name, " has no output (flx_native_op_output).");
      if (!o->shape.fn) Fail(Status::kState, who, o->def.name, " has no shape rule (flx_native_op_shape).");
      if (!o->kernel.fn) Fail(Status::kState, who, o->def.name, " has no kernel for the CPU (flx_native_op_kernel).");
      o->Connect();
      AddOp(o->def);
      o.release();  // the registry's now, for ever
    } catch (...) {
      for (auto* c : {&o->shape, &o->kernel, &o->gradient}) DropNow(*c);
      throw;
    }
  FLX_END
}

}  // extern "C"
