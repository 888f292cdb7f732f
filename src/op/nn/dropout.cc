// SPDX-License-Identifier: Apache-2.0
#include "op/nn/dropout.h"

#include "op/nn/wide.h"

namespace flx {

OpDef DropoutOp() {
  return Op<DropoutAttrs>("Dropout")
      .alias("_npx_dropout")
      .family("nn")
      .doc("Sets each element to 0 with probability p and divides the others by 1 - p (Srivastava et al., 2014). Does nothing outside training, unless mode=always.")
      .example("Dropout(data, p=0.5)")
      .traits(kRandom | kInplace)
      .attr(&DropoutAttrs::p, "p", "The probability that an element is dropped.")
      .runtime()
      .range(0, 1)
      .attr(&DropoutAttrs::mode, "mode", "`training`: drop in training only; `always`: in prediction too.")
      .attr(&DropoutAttrs::axes, "axes", "Axes along which one decision counts for all elements (variational dropout).")
      .attr(&DropoutAttrs::cudnn_off, "cudnn_off", "Accepted for MXNet's files.")
      .ignored()
      .input("data", "Any shape, float.")
      .output("output", "As data.")
      .hidden("mask", "What data was multiplied with: 0 or 1 / (1 - p); size 1 along `axes`.")
      .types(SameFloat)
      .infer([](Infer& c, const DropoutAttrs& a) {
        c.set_y(0, c.x(0));
        c.set_x(0, c.y(0));
        if (!c.x(0).rank_known()) return;
        Shape mask = c.x(0);
        for (int64_t axis : a.axes) mask[c.Axis(axis, mask.ndim())] = 1;
        c.set_y(1, mask);
      })
      .gradient([](Grad& g, const DropoutAttrs& a) {
        if (g.want(0)) g.dx[0] = a.Active(g.training) ? g.dy(0) * g.y(1) : g.dy(0);
      })
      .kernel<DropoutKernel>();
}

}  // namespace flx
