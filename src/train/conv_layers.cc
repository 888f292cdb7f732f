// SPDX-License-Identifier: Apache-2.0
// Convolution and pooling.
#include "train/activation.h"

namespace flx {
namespace {

using Def = LayerDef;

enum class Layout2D { kNchw, kNhwc };
}  // namespace
template <> struct EnumNames<Layout2D> { static constexpr const char* names[] = {"NCHW", "NHWC"}; };
namespace {
const char* NameOf(Layout2D l) { return EnumNames<Layout2D>::names[size_t(l)]; }
// One number stands for both axes.
Ints Two(const char* who, const char* setting, const Ints& v) {
  if (v.size() == 1) return {v[0], v[0]};
  if (v.size() != 2) Fail(Status::kArgument, who, "setting `", setting, "` must be one number or two, given ", v, ".");
  return v;
}
void Check4D(const char* who, const Shape& s, Layout2D layout) {
  if (s.ndim() != 4)
    Fail(Status::kShape, who, "the input must be images (", layout == Layout2D::kNchw ? "batch, channels, height, width" : "batch, height, width, channels",
         "), given shape ", s, ".");
}

struct ConvSettings {
  int64_t channels = 0;
  Ints kernel_size, strides = {1, 1}, padding = {0, 0}, dilation = {1, 1};
  int64_t groups = 1;
  Layout2D layout = Layout2D::kNchw;
  Act activation = Act::kNone;
  bool use_bias = true;
  int64_t in_channels = 0;
  std::string weight_initializer, bias_initializer = "zeros";
};
void CheckConv(const void* p) {
  auto& s = *static_cast<const ConvSettings*>(p);
  Two("Conv2D", "kernel_size", s.kernel_size), Two("Conv2D", "strides", s.strides), Two("Conv2D", "padding", s.padding), Two("Conv2D", "dilation", s.dilation);
  if (s.channels % s.groups) Fail(Status::kArgument, "Conv2D", "`channels` (", s.channels, ") must be a multiple of `groups` (", s.groups, ").");
}
std::vector<Val> Conv2D(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<ConvSettings>();
  const Shape in = ShapeOf(x[0]);
  Check4D("Conv2D", in, s.layout);
  bool first = s.layout == Layout2D::kNchw;
  int64_t channels = in[first ? 1 : 3];
  if (s.in_channels && s.in_channels != channels)
    Fail(Status::kShape, "Conv2D", "expected in_channels=", s.in_channels, ", the input of shape ", in, " has ", channels, ".");
  if (channels % s.groups) Fail(Status::kShape, "Conv2D", "the input's ", channels, " channels must be a multiple of `groups` (", s.groups, ").");
  Ints k = Two("Conv2D", "kernel_size", s.kernel_size);
  Shape w = first ? Shape{s.channels, channels / s.groups, k[0], k[1]} : Shape{s.channels, k[0], k[1], channels / s.groups};
  std::vector<Val> args = {x[0], c.Param("weight", w, s.weight_initializer)};
  if (s.use_bias) args.push_back(c.Param("bias", {s.channels}, s.bias_initializer));
  Options o = {{"kernel", Text(k)}, {"stride", Text(Two("Conv2D", "strides", s.strides))}, {"pad", Text(Two("Conv2D", "padding", s.padding))},
               {"dilate", Text(Two("Conv2D", "dilation", s.dilation))}, {"num_filter", Text(s.channels)}, {"num_group", Text(s.groups)},
               {"no_bias", Text(!s.use_bias)}};
  if (!first) o.emplace_back("layout", NameOf(s.layout));
  return {Activate(c, c.Op("Convolution", args, o), s.activation)};
}

struct PoolSettings {
  Ints pool_size = {2, 2};
  std::optional<Ints> strides;
  Ints padding = {0, 0};
  bool ceil_mode = false;
  Layout2D layout = Layout2D::kNchw;
  bool count_include_pad = true;
};
void CheckPool(const void* p) {
  auto& s = *static_cast<const PoolSettings*>(p);
  Two("pooling", "pool_size", s.pool_size), Two("pooling", "padding", s.padding);
  if (s.strides) Two("pooling", "strides", *s.strides);
}
template <bool kMax> std::vector<Val> Pool2D(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<PoolSettings>();
  const char* who = layer.def.name;
  Check4D(who, ShapeOf(x[0]), s.layout);
  Ints size = Two(who, "pool_size", s.pool_size);
  Options o = {{"kernel", Text(size)}, {"stride", Text(s.strides ? Two(who, "strides", *s.strides) : size)}, {"pad", Text(Two(who, "padding", s.padding))},
               {"pool_type", kMax ? "max" : "avg"}, {"pooling_convention", s.ceil_mode ? "full" : "valid"}};
  if (!kMax) o.emplace_back("count_include_pad", Text(s.count_include_pad));
  if (s.layout != Layout2D::kNchw) o.emplace_back("layout", NameOf(s.layout));
  return {c.Op("Pooling", {x[0]}, o)};
}
struct GlobalPoolSettings { Layout2D layout = Layout2D::kNchw; };
template <bool kMax> std::vector<Val> GlobalPool2D(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<GlobalPoolSettings>();
  Check4D(layer.def.name, ShapeOf(x[0]), s.layout);
  Options o = {{"kernel", "(1, 1)"}, {"global_pool", "True"}, {"pool_type", kMax ? "max" : "avg"}};
  if (s.layout != Layout2D::kNchw) o.emplace_back("layout", NameOf(s.layout));
  return {c.Op("Pooling", {x[0]}, o)};
}
const char* kLayoutDoc = "NCHW: channels before height and width; NHWC: after them.";

Def Pool(const char* name, const char* doc, bool max) {
  Define<Def, PoolSettings> d(name);
  d.family("convolution").doc(doc).example(max ? "MaxPool2D(pool_size=2)" : "AvgPool2D(pool_size=2)")
      .attr(&PoolSettings::pool_size, "pool_size", "Height and width of the window; one number for both.").range(1, 1e6)
      .attr(&PoolSettings::strides, "strides", "Steps between windows; None: the window's size.")
      .attr(&PoolSettings::padding, "padding", "Rows and columns added on each side.").range(0, 1e6)
      .attr(&PoolSettings::ceil_mode, "ceil_mode", "Round the output's size up, so that the last window may hang over the border.")
      .attr(&PoolSettings::layout, "layout", kLayoutDoc);
  if (!max) d.attr(&PoolSettings::count_include_pad, "count_include_pad", "Whether padding counts in the mean.");
  d.with(&Def::check, &CheckPool).with(&Def::forward, max ? &Pool2D<true> : &Pool2D<false>);
  return d;
}
Def GlobalPool(const char* name, const char* doc, bool max) {
  return Define<Def, GlobalPoolSettings>(name).family("convolution").doc(doc).example(name).attr(&GlobalPoolSettings::layout, "layout", kLayoutDoc)
      .with(&Def::forward, max ? &GlobalPool2D<true> : &GlobalPool2D<false>);
}
}  // namespace

void AddConvLayers(std::vector<Def>* all) {
  all->push_back(Define<Def, ConvSettings>("Conv2D").alias("Convolution2D").family("convolution")
      .doc("Convolution over height and width: each output channel is the sum over input channels of windows multiplied by its kernel. "
           "(batch, in, h, w) to (batch, channels, h', w'), with h' = floor((h + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.")
      .example("Conv2D(channels=20, kernel_size=5)")
      .attr(&ConvSettings::channels, "channels", "Number of output channels.").required().at_least(1)
      .attr(&ConvSettings::kernel_size, "kernel_size", "Height and width of the kernel; one number for both.").required().range(1, 1e6)
      .attr(&ConvSettings::strides, "strides", "Steps of the kernel.").range(1, 1e6)
      .attr(&ConvSettings::padding, "padding", "Zeros added on each side.").range(0, 1e6)
      .attr(&ConvSettings::dilation, "dilation", "Distance between the kernel's elements.").range(1, 1e6)
      .attr(&ConvSettings::groups, "groups", "Channels are split in so many groups that do not see each other.").at_least(1)
      .attr(&ConvSettings::layout, "layout", kLayoutDoc)
      .attr(&ConvSettings::activation, "activation", "What is applied to the result.")
      .attr(&ConvSettings::use_bias, "use_bias", "Whether a bias is added to each channel.")
      .attr(&ConvSettings::in_channels, "in_channels", "Number of input channels, to be held against what comes; 0 takes what comes.").at_least(0)
      .attr(&ConvSettings::weight_initializer, "weight_initializer", "How the weight begins; empty: as the network's initializer says.")
      .attr(&ConvSettings::bias_initializer, "bias_initializer", "How the bias begins.")
      .with(&Def::params, std::vector<LayerParam>{{"weight", "(channels, in / groups, kernel), with NHWC (channels, kernel, in / groups)"}, {"bias", "(channels,)"}})
      .with(&Def::check, &CheckConv).with(&Def::forward, &Conv2D));
  all->push_back(Pool("MaxPool2D", "The largest element of each window.", true));
  all->push_back(Pool("AvgPool2D", "The mean of each window.", false));
  all->push_back(GlobalPool("GlobalMaxPool2D", "The largest element of each channel: height and width become 1.", true));
  all->push_back(GlobalPool("GlobalAvgPool2D", "The mean of each channel: height and width become 1.", false));
}

}  // namespace flx
