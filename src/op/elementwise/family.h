// SPDX-License-Identifier: Apache-2.0
// What the definitions of this family share: ports, dtype rules, and short names for the operators that gradients call.
#pragma once
#include "op/op.h"
#include "op/val_attrs.h"

namespace flx {

// All inputs and outputs share one dtype, which must be a floating-point one.
template <class A> void FloatsOnly(Infer& c, const A&) {
  DType t = DType::kNone;
  for (int i = 0; i < c.nin && t == DType::kNone; ++i) if (c.has(i)) t = c.x_type(i);
  for (int i = 0; i < c.nout && t == DType::kNone; ++i) t = c.y_type(i);
  if (t != DType::kNone && !IsFloat(t)) c.FailType("expected a floating-point array, given ", t, ". Cast it first (operator Cast).");
  for (int i = 0; i < c.nin; ++i) c.set_x_type(i, t);
  for (int i = 0; i < c.nout; ++i) c.set_y_type(i, t);
}

// An operator of one array, of any dtype; FloatUnary: of floats only.
template <class A = NoAttrs> Op<A> Unary(const char* name, const char* doc) {
  Op<A> o(name);
  o.family("elementwise").doc(doc).input("data", "Any array.").output("output").infer(SameShape<A>);
  return o;
}
template <class A = NoAttrs> Op<A> FloatUnary(const char* name, const char* doc) {
  Op<A> o(name);
  o.family("elementwise").doc(doc).input("data", "A floating-point array.").output("output").infer(SameShape<A>).types(FloatsOnly<A>);
  return o;
}

inline Val Call1(const char* op, Val a) { return CallOp(op, {a}); }
inline Val Call2(const char* op, Val a, Val b) { return CallOp(op, {a, b}); }
inline Val CallScalar(const char* op, Val a, double s) { return CallWith(op, {a}, ScalarAttrs{s, true}); }

void AddUnaryOps(std::vector<OpDef>* ops);
void AddUnaryMoreOps(std::vector<OpDef>* ops);
void AddBinaryOps(std::vector<OpDef>* ops);
void AddScalarOps(std::vector<OpDef>* ops);
void AddCastOps(std::vector<OpDef>* ops);
void AddCastCpuKernels(KernelList* list);
void AddWhereOps(std::vector<OpDef>* ops);
void AddWhereCpuKernels(KernelList* list);
void AddActivationOps(std::vector<OpDef>* ops);
void AddActivationCpuKernels(KernelList* list);
void AddChainOps(std::vector<OpDef>* ops);
void AddChainCpuKernels(KernelList* list);

}  // namespace flx
