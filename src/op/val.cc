// SPDX-License-Identifier: Apache-2.0
// Arithmetic on Val: calls of registered operators, looked up once.
#include "op/op.h"
#include "op/val_attrs.h"

namespace flx {

std::vector<Val> Calls(const OpDef& op, const Attrs& attrs, const std::vector<Val>& in, Builder* b) {
  for (size_t i = 0; !b && i < in.size(); ++i) b = in[i].b;
  if (!b) Fail(Status::kInternal, op.name, "called without a value to tell which builder is at work.");
  std::vector<Val> out(size_t(op.CountOutputs(attrs.get())));
  b->Call(op, attrs, in.data(), int(in.size()), out.data(), int(out.size()));
  return out;
}
Val CallOp(const char* name, const std::vector<Val>& in, const Options& options, Builder* b) {
  const OpDef& op = FindOp(name);
  std::vector<KeyValue> kv;
  for (auto& o : options) kv.emplace_back(o.first, o.second);
  return Calls(op, op.schema.Parse(op.name, kv.data(), kv.size()), in, b)[0];
}

namespace {
// The commonest calls take no list: one output, one or two inputs.
Val Few(const OpDef& op, const Attrs& attrs, const Val* in, int nin) {
  Builder* b = in[0].b ? in[0].b : in[nin - 1].b;
  if (!b) Fail(Status::kInternal, op.name, "called without a value to tell which builder is at work.");
  Val out;
  b->Call(op, attrs, in, nin, &out, 1);
  return out;
}
Val Two(const OpDef& op, Val a, Val b) {
  const Val in[2] = {a, b};
  return Few(op, op.schema.defaults(), in, 2);
}
Val One(const OpDef& op, Val a) { return Few(op, op.schema.defaults(), &a, 1); }
Val Scaled(const OpDef& op, Val a, double k) {
  ScalarAttrs s;
  s.scalar = k;
  s.is_int = true;  // the array's dtype is kept
  return Few(op, std::make_shared<ScalarAttrs>(s), &a, 1);
}
Val Shaped(const OpDef& op, Val v, const Shape& s) { return Few(op, std::make_shared<ToShapeAttrs>(ToShapeAttrs{s.vec()}), &v, 1); }
}  // namespace

#define FLX_OP(name) static const OpDef& op = FindOp(name)
Val operator+(Val a, Val b) { FLX_OP("broadcast_add"); return Two(op, a, b); }
Val operator-(Val a, Val b) { FLX_OP("broadcast_sub"); return Two(op, a, b); }
Val operator*(Val a, Val b) { FLX_OP("broadcast_mul"); return Two(op, a, b); }
Val operator/(Val a, Val b) { FLX_OP("broadcast_div"); return Two(op, a, b); }
Val operator-(Val a) { FLX_OP("negative"); return One(op, a); }
Val operator+(Val a, double k) { FLX_OP("_plus_scalar"); return Scaled(op, a, k); }
Val operator-(Val a, double k) { FLX_OP("_minus_scalar"); return Scaled(op, a, k); }
Val operator*(Val a, double k) { FLX_OP("_mul_scalar"); return Scaled(op, a, k); }
Val operator/(Val a, double k) { FLX_OP("_div_scalar"); return Scaled(op, a, k); }
Val operator-(double k, Val a) { FLX_OP("_rminus_scalar"); return Scaled(op, a, k); }
Val operator/(double k, Val a) { FLX_OP("_rdiv_scalar"); return Scaled(op, a, k); }
Val SumTo(Val v, const Shape& s) {
  if (ShapeOf(v) == s) return v;
  FLX_OP("_sum_to");
  return Shaped(op, v, s);
}
Val BroadcastTo(Val v, const Shape& s) {
  if (ShapeOf(v) == s) return v;
  FLX_OP("_np_broadcast_to");
  return Shaped(op, v, s);
}
Val ReshapeTo(Val v, const Shape& s) {
  if (ShapeOf(v) == s) return v;
  FLX_OP("_np_reshape_to");
  return Shaped(op, v, s);
}
Val CastTo(Val v, DType t) {
  if (TypeOf(v) == t) return v;
  FLX_OP("Cast");
  return Few(op, std::make_shared<CastAttrs>(CastAttrs{t}), &v, 1);
}
Val ZerosLike(Val v) { FLX_OP("zeros_like"); return One(op, v); }
Val OnesLike(Val v) { FLX_OP("ones_like"); return One(op, v); }
#undef FLX_OP

}  // namespace flx
