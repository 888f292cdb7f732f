// SPDX-License-Identifier: Apache-2.0
// The parts of op.h that need no knowledge of any operator: inference, merging, messages, scratch memory.
#include "op/op.h"

#include "storage/pool.h"
#include "tensor/device_work.h"

namespace flx {

KernelContext::~KernelContext() {
  while (Block* b = blocks_) {
    blocks_ = b->next;
    HostFree(b, b->bytes);
  }
}
void* KernelContext::Scratch(int64_t bytes) {
  if (DeviceWork* w = DeviceWork::Current()) return w->Scratch(bytes);
  size_t whole = size_t(bytes) + 64;  // the header takes one cache line, so that the rest stays aligned
  auto* b = static_cast<Block*>(HostAlloc(whole));
  b->next = blocks_, b->bytes = whole;
  blocks_ = b;
  return reinterpret_cast<char*>(b) + 64;
}

int OpDef::CountVisible(const void* a) const {
  if (visible_fn) return run_count(visible_fn, a);
  if (outputs_fn) return run_count(outputs_fn, a);
  int n = 0;
  for (auto& o : outputs) n += !o.hidden;
  return n;
}

void op_detail::CheckPorts(const OpDef& d, int ins, int outs, bool all_in, bool all_out) {
  bool ok = (all_in || ins == int(d.inputs.size())) && (all_out || outs == int(d.outputs.size())) && (!d.variadic || all_in);
  if (!ok) Fail(Status::kInternal, d.name, "the kernel's signature does not fit the definition (define the kernel after all ports).");
}

std::string Infer::InputName(int i) const {
  if (op.variadic) return Text(op.inputs[0].name, "[", i, "]");
  return op.inputs[size_t(i)].name;
}
int Infer::Axis(int64_t axis, int ndim) const { return NormalAxis(op.name, axis, ndim); }
void Infer::FailShape(std::string text) const { FailText(Status::kShape, op.name, std::move(text)); }
void Infer::FailDType(std::string text) const { FailText(Status::kType, op.name, std::move(text)); }

void Infer::Merge(Shape* have, const Shape& found, bool input, int i) const {
  if (!found.rank_known()) return;
  if (!have->rank_known()) { *have = found; return; }
  bool ok = have->ndim() == found.ndim();
  for (int k = 0; ok && k < found.ndim(); ++k) {
    if (found[k] < 0) continue;
    if ((*have)[k] < 0) (*have)[k] = found[k];
    else ok = (*have)[k] == found[k];
  }
  if (!ok)
    FailShape(Text(input ? "input `" : "output `", input ? InputName(i) : std::string(op.outputs_fn ? op.outputs[0].name : op.outputs[size_t(i)].name),
                   "` was expected to have shape ", found, ", given ", *have, "."));
}
void Infer::MergeType(DType* have, DType found, bool input, int i) const {
  if (found == DType::kNone || *have == found) return;
  if (*have == DType::kNone) { *have = found; return; }
  FailDType(Text(input ? "input `" : "output `", input ? InputName(i) : std::string(op.outputs_fn ? op.outputs[0].name : op.outputs[size_t(i)].name),
                 "` was expected to be ", found, ", given ", *have, ". Cast it first (operator Cast)."));
}

void InferAll(const OpDef& op, const void* attrs, Shape* xs, DType* xt, int nin, Shape* ys, DType* yt, int nout, uint64_t present, bool guess) {
  Infer c(op, xs, xt, nin, ys, yt, nout, op.variadic ? ~0ull : present, guess);
  if (op.types_fn) {
    op.run_types(op.types_fn, c, attrs);
  } else {
    DType t = DType::kNone;
    for (int i = 0; i < nin && t == DType::kNone; ++i) if (c.has(i)) t = xt[i];
    for (int i = 0; i < nout && t == DType::kNone; ++i) t = yt[i];
    for (int i = 0; i < nin; ++i) c.set_x_type(i, t);
    for (int i = 0; i < nout; ++i) c.set_y_type(i, t);
  }
  if (op.infer_fn) op.run_infer(op.infer_fn, c, attrs);
}

Shape BroadcastShapes(const Infer& c, const Shape& a, const Shape& b) {
  if (!a.rank_known() || !b.rank_known()) return Shape::Unknown();
  int n = a.ndim() > b.ndim() ? a.ndim() : b.ndim();
  Shape s = Shape::Filled(n, 1);
  for (int i = 0; i < n; ++i) {
    int64_t p = i - (n - a.ndim()) >= 0 ? a[i - (n - a.ndim())] : 1, q = i - (n - b.ndim()) >= 0 ? b[i - (n - b.ndim())] : 1;
    if (p == q || q == 1) s[i] = p;
    else if (p == 1) s[i] = q;
    else if (p < 0 || q < 0) s[i] = p < 0 ? q : p;
    else c.Fail("the shapes must broadcast (equal, or 1, counted from the last axis): `", c.InputName(0), "` is ", a, " and `", c.InputName(1), "` is ", b, ".");
  }
  return s;
}
void InferBroadcast(Infer& c) {
  if (c.known(0) && c.known(1)) return c.set_y(0, BroadcastShapes(c, c.x(0), c.x(1)));
  if (c.ranked(0) && c.ranked(1)) c.set_y(0, BroadcastShapes(c, c.x(0), c.x(1)));
  if (!c.y_ranked(0)) return;
  const Shape& y = c.y(0);
  for (int i = 0; i < 2; ++i) {
    if (!c.ranked(i)) continue;
    Shape s = c.x(i);
    int front = y.ndim() - s.ndim();
    c.Expect(front >= 0, "the result must have as many axes as `", c.InputName(i), "` ", s, ", given ", y, ".");
    const Shape& other = c.x(1 - i);
    for (int k = 0; k < s.ndim(); ++k) {
      if (s[k] >= 0) continue;
      int j = other.rank_known() ? k + front - (y.ndim() - other.ndim()) : -1;
      if (y[k + front] == 1) s[k] = 1;                                              // nothing else gives 1
      else if (other.rank_known() && (j < 0 || other[j] == 1)) s[k] = y[k + front];
    }
    c.set_x(i, s);
  }
}
int64_t ProductOf(const Shape& s, int from, int to) {
  int64_t n = 1;
  for (int i = from; i < to; ++i) n = TimesSize(n, s[i]);
  return n;
}

}  // namespace flx
