// SPDX-License-Identifier: Apache-2.0
#include "op/nn/upsampling.h"

#include "op/nn/convolution.h"
#include "op/nn/wide.h"

namespace flx {
namespace {

void InferUpSampling(Infer& c, const UpSamplingAttrs& a) {
  bool bilinear = a.sample_type == UpSampleType::kBilinear;
  if (bilinear) c.Expect(c.nin == 2, "sample_type `bilinear` takes two inputs, data and weight, given ", c.nin, ".");
  if (!c.x(0).rank_known()) return;
  for (int i = 0; i < (bilinear ? 1 : c.nin); ++i)
    if (c.x(i).rank_known()) c.Expect(c.x(i).ndim() == 4, "input `", c.InputName(i), "` must have four axes (batch, channel, height, width), given ", c.x(i), ".");
  Shape y = c.x(0);
  for (int i : {2, 3}) if (y[i] >= 0) y[i] *= a.scale;
  if (bilinear) {
    int64_t k = 2 * a.scale - a.scale % 2;
    c.set_x(1, Shape{c.x(0)[1], 1, k, k});
    c.set_y(0, y);
    return;
  }
  for (int i = 1; i < c.nin; ++i) {
    if (!c.ranked(i)) {
      if (a.multi_input_mode == UpSampleInputs::kConcat) y[1] = -1;
      continue;
    }
    const Shape x = c.x(i);
    if (!x.known() || !y.known()) {
      if (y[0] < 0) y[0] = x[0];
      if (a.multi_input_mode == UpSampleInputs::kConcat) y[1] = x[1] < 0 || y[1] < 0 ? -1 : y[1] + x[1];
      else if (y[1] < 0) y[1] = x[1];
      continue;
    }
    c.Expect(x[0] == y[0] && x[2] > 0 && y[2] % x[2] == 0 && x[2] * y[3] == x[3] * y[2], "input `", c.InputName(i), "` must be the result ", y,
             " made smaller by one whole factor, given ", x, ".");
    if (a.multi_input_mode == UpSampleInputs::kConcat) y[1] += x[1];
    else c.Expect(x[1] == y[1], "inputs that are summed must have the same channels, given ", c.x(0), " and ", x, ".");
  }
  c.set_y(0, y);
  bool alone = c.nin == 1 || a.multi_input_mode == UpSampleInputs::kSum;
  for (int i = 0; i < c.nin; ++i) c.set_x(i, Shape{c.y(0)[0], alone ? c.y(0)[1] : -1, -1, -1});
}
Val Nearest(Val x, int64_t height) {  // every element becomes a square
  Shape s = ShapeOf(x);
  int64_t k = s[2] > 0 ? height / s[2] : 1;
  Val wide = BroadcastTo(ReshapeTo(x, {s[0] * s[1], s[2], 1, s[3], 1}), {s[0] * s[1], s[2], k, s[3], k});
  return ReshapeTo(wide, {s[0], s[1], s[2] * k, s[3] * k});
}

}  // namespace

OpDef UpSamplingOp() {
  return Op<UpSamplingAttrs>("UpSampling")
      .example("UpSampling(data (1, 3, 4, 4), scale=2, sample_type=nearest, num_args=1): (1, 3, 8, 8)")
      .family("nn")
      .doc("Makes images `scale` times as high and wide: by repeating elements (`nearest`), or by a Deconvolution of each channel with a weight that begins as linear "
           "interpolation (`bilinear`). With several inputs each is brought to the size of the first one's result, and they are joined along the channels or summed.")
      .attr(&UpSamplingAttrs::scale, "scale", "Factor of height and width, for the first input.")
      .required()
      .range(1, 1000)
      .attr(&UpSamplingAttrs::num_filter, "num_filter", "Channels, for `bilinear`; found from data.")
      .attr(&UpSamplingAttrs::sample_type, "sample_type", "`nearest` or `bilinear`.")
      .required()
      .attr(&UpSamplingAttrs::multi_input_mode, "multi_input_mode", "How several inputs are joined.")
      .attr(&UpSamplingAttrs::num_args, "num_args", "How many inputs there are.")
      .attr(&UpSamplingAttrs::workspace, "workspace", "Accepted for MXNet's files; memory is managed by the library.")
      .ignored()
      .input_list("data", "Images (batch, channel, height, width); for `bilinear` one, and a weight (channel, 1, k, k) with k = 2 scale - scale % 2.", "num_args")
      .output("output", "The larger images.")
      .types(SameFloat)
      .infer(InferUpSampling)
      .compose([](const std::vector<Val>& x, const UpSamplingAttrs& a) {
        if (a.sample_type == UpSampleType::kBilinear) {
          DeconvolutionAttrs d;
          int64_t k = 2 * a.scale - a.scale % 2, pad = a.scale / 2;
          d.kernel = {k, k}, d.stride = {a.scale, a.scale}, d.pad = {pad, pad};
          d.num_filter = d.num_group = ShapeOf(x[0])[1];
          return std::vector<Val>{CallWith("Deconvolution", x, d)};
        }
        int64_t height = ShapeOf(x[0])[2] * a.scale;
        std::vector<Val> parts;
        for (Val v : x) parts.push_back(Nearest(v, height));
        if (parts.size() == 1) return parts;
        if (a.multi_input_mode == UpSampleInputs::kConcat) return std::vector<Val>{CallOp("Concat", parts, {{"dim", "1"}, {"num_args", Text(parts.size())}})};
        Val sum = parts[0];
        for (size_t i = 1; i < parts.size(); ++i) sum = sum + parts[i];
        return std::vector<Val>{sum};
      });
}

}  // namespace flx
