// SPDX-License-Identifier: Apache-2.0
// SequenceMask, SequenceLast and SequenceReverse: their definitions.
#include "op/sequence/sequence.h"

#include "op/families.h"

namespace flx {
namespace {

bool UseLength(const SequenceAttrs& a) { return a.use_sequence_length; }
// The result has the data's dtype; lengths may have any, and have the data's where nobody says.
template <class A> void SequenceTypes(Infer& c, const A&) {
  c.set_x_type(0, c.y_type(0));
  c.set_y_type(0, c.x_type(0));
  c.guess_x_type(1, c.x_type(0));
}
// (steps, batch, ...) or (batch, steps, ...), and one length for each sequence.
void CheckData(Infer& c, const SequenceAttrs& a, const Shape& x) {
  c.Expect(x.ndim() >= 2, "data must have at least two axes, steps and batch, given shape ", x, ".");
  c.set_x(1, Shape{x[a.axis == 0 ? 1 : 0]});
}
// What the lengths tell about the axis of the batch.
Shape WithBatch(const Infer& c, const SequenceAttrs& a, Shape x) {
  if (c.has(1) && c.x(1).rank_known() && c.x(1).ndim() == 1 && x.ndim() >= 2) {
    int64_t& n = x[a.axis == 0 ? 1 : 0];
    if (n < 0) n = c.x(1)[0];
  }
  return x;
}
template <class A> void LikeData(Infer& c, const A& a) {
  c.set_x(0, c.y(0));
  if (!c.x(0).rank_known()) return;
  CheckData(c, a, c.x(0));
  c.set_x(0, WithBatch(c, a, c.x(0)));
  c.set_y(0, c.x(0));
}
template <class A> Op<A> Sequence(const char* name) {
  Op<A> o(name);
  o.family("sequence")
      .attr(&SequenceAttrs::use_sequence_length, "use_sequence_length", "Take a second input with the length of each sequence; else all have the full length.")
      .attr(&SequenceAttrs::axis, "axis", "The axis of the steps, 0 or 1; the batch is the other one.").range(0, 1);
  return o;
}
constexpr const char* kData = "(steps, batch, ...), or (batch, steps, ...) with axis=1.";
constexpr const char* kLength = "(batch,), of any number type: how many steps of each sequence count.";

OpDef SequenceMaskOp() {
  return Sequence<SequenceMaskAttrs>("SequenceMask")
      .example("SequenceMask(data (5, 2, 3), sequence_length (2,), use_sequence_length=True): (5, 2, 3)")
      .alias("_npx_sequence_mask")
      .doc("data with `value` in the steps behind each sequence's length; data itself without lengths.")
      .attr(&SequenceMaskAttrs::value, "value", "What stands behind the end of a sequence.")
      .input("data", kData)
      .input_when<UseLength>("sequence_length", kLength)
      .output("output", "As data.")
      .types(SequenceTypes<SequenceMaskAttrs>)
      .infer(LikeData<SequenceMaskAttrs>)
      .gradient([](Grad& g, const SequenceMaskAttrs& a) {
        SequenceMaskAttrs zero = a;
        zero.value = 0;
        if (g.want(0)) g.dx[0] = a.use_sequence_length ? CallWith("SequenceMask", {g.dy(0), g.x(1)}, zero) : g.dy(0);
      })
      .kernel<SequenceMaskKernel>();
}
OpDef SequenceLastOp() {
  return Sequence<SequenceAttrs>("SequenceLast")
      .example("SequenceLast(data (5, 2, 3), sequence_length (2,), use_sequence_length=True): (2, 3)")
      .doc("The last step of each sequence: that of its length, or the last of all without lengths. A length must be at least 1.")
      .input("data", kData)
      .input_when<UseLength>("sequence_length", kLength)
      .output("output", "data without the axis of the steps.")
      .types(SequenceTypes<SequenceAttrs>)
      .infer([](Infer& c, const SequenceAttrs& a) {
        if (c.y(0).rank_known()) {
          c.Expect(c.y(0).ndim() >= 1, "the result has at least one axis, the batch, given shape ().");
          Shape s = c.y(0);
          s.Insert(int(a.axis), -1);
          c.set_x(0, s);
        }
        if (!c.x(0).rank_known()) return;
        CheckData(c, a, c.x(0));
        c.set_x(0, WithBatch(c, a, c.x(0)));
        Shape s = c.x(0);
        c.Expect(s[int(a.axis)] != 0 || !s.known() || s[a.axis == 0 ? 1 : 0] == 0, "a sequence without steps has no last one, given data of shape ", s, ".");
        s.Erase(int(a.axis));
        c.set_y(0, s);
      })
      .gradient([](Grad& g, const SequenceAttrs& a) {
        SequenceIntoAttrs into;
        static_cast<SequenceAttrs&>(into) = a;
        into.shape = g.x_shape(0).vec();
        if (g.want(0)) g.dx[0] = CallWith("_sequence_last_grad", {g.dy(0), a.use_sequence_length ? g.x(1) : Val{}}, into);
      })
      .kernel<SequenceLastKernel>();
}
OpDef SequenceLastGradOp() {
  return Sequence<SequenceIntoAttrs>("_sequence_last_grad")
      .traits(kInternal)
      .doc("Zeros of the given shape with dy in the last step of each sequence: the gradient of SequenceLast.")
      .attr(&SequenceIntoAttrs::shape, "shape", "The shape of SequenceLast's data.").required()
      .input("dy", "The gradient of SequenceLast's output.")
      .input_when<UseLength>("sequence_length", "The lengths it had.")
      .output("dx", "The gradient of its data.")
      .types(SequenceTypes<SequenceIntoAttrs>)
      .infer([](Infer& c, const SequenceIntoAttrs& a) {
        Shape s(a.shape), step = s;
        step.Erase(int(a.axis));
        c.set_x(0, step);
        c.set_x(1, Shape{step[0]});
        c.set_y(0, s);
      })
      .gradient([](Grad& g, const SequenceIntoAttrs& a) {
        if (g.want(0)) g.dx[0] = CallWith("SequenceLast", {g.dy(0), a.use_sequence_length ? g.x(1) : Val{}}, static_cast<const SequenceAttrs&>(a));
      })
      .kernel<SequenceLastGradKernel>();
}
OpDef SequenceReverseOp() {
  return Sequence<SequenceAttrs>("SequenceReverse")
      .example("SequenceReverse(data (5, 2, 3), sequence_length (2,), use_sequence_length=True): (5, 2, 3)")
      .doc("The steps of each sequence in reverse order, up to its length; what lies behind it stays where it is.")
      .input("data", kData)
      .input_when<UseLength>("sequence_length", kLength)
      .output("output", "As data.")
      .types(SequenceTypes<SequenceAttrs>)
      .infer(LikeData<SequenceAttrs>)
      .gradient([](Grad& g, const SequenceAttrs& a) {
        if (g.want(0)) g.dx[0] = CallWith("SequenceReverse", {g.dy(0), a.use_sequence_length ? g.x(1) : Val{}}, a);
      })
      .kernel<SequenceReverseKernel>();
}
}  // namespace

void AddSequenceOps(std::vector<OpDef>* ops) {
  for (auto* make : {&SequenceMaskOp, &SequenceLastOp, &SequenceLastGradOp, &SequenceReverseOp}) ops->push_back(make());
}
void AddSequenceCpuKernels(KernelList* list) {
  list->push_back(Kernel<SequenceMaskKernel>(&SequenceMaskCpu).OnDevices());
  list->push_back(Kernel<SequenceLastKernel>(&SequenceLastCpu).OnDevices());
  list->push_back(Kernel<SequenceLastGradKernel>(&SequenceLastGradCpu).OnDevices());
  list->push_back(Kernel<SequenceReverseKernel>(&SequenceReverseCpu).OnDevices());
}

}  // namespace flx
