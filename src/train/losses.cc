// SPDX-License-Identifier: Apache-2.0
// Losses, after Gluon's: (pred, label[, sample_weight]) to one value per sample: the mean over all axes but the batch's, or the sum where said.
#include "train/layer.h"

namespace flx {
namespace {

using Def = LayerDef;

struct LossSettings { double weight = 1; int64_t batch_axis = 0; };

std::string OtherAxes(const char* who, const Shape& s, int64_t batch_axis) {  // "" if there are none
  int batch = NormalAxis(who, batch_axis, s.ndim());
  Ints axes;
  for (int i = 0; i < s.ndim(); ++i)
    if (i != batch) axes.push_back(i);
  return axes.empty() ? "" : Text(axes);
}
// w: one value for each sample, or what broadcasts to the loss. (n,) beside (n, 1) would silently make (n, n), each sample with all weights.
Val Weighed(const Layer& layer, Val loss, Val w, int64_t batch_axis) {
  const Shape l = ShapeOf(loss), given = ShapeOf(w);
  const int batch = NormalAxis(layer.def.name, batch_axis, l.ndim());
  if (given.ndim() == 1 && l.ndim() > 1 && given[0] == l[batch]) {
    Shape along = Shape::Filled(l.ndim(), 1);
    along[batch] = given[0];
    w = ReshapeTo(w, along);
  }
  loss = loss * CastTo(w, TypeOf(loss));
  if (ShapeOf(loss) != l)
    Fail(Status::kShape, layer.def.name, "sample_weight must have one value for each sample, shape (", l[batch], ",), or broadcast to the loss's shape ", l, ", given ", given, ".");
  return loss;
}
// Weighs, then takes the mean (or sum) over all but the batch. w: sample weights or empty.
Val Finish(LayerContext& c, const Layer& layer, Val loss, Val w, const char* reduce = "_np_mean") {
  auto& s = layer.as<LossSettings>();
  if (w) loss = Weighed(layer, loss, w, s.batch_axis);
  if (s.weight != 1) loss = loss * s.weight;
  std::string axes = OtherAxes(layer.def.name, ShapeOf(loss), s.batch_axis);
  return axes.empty() ? loss : c.Op(reduce, {loss}, {{"axis", axes}});
}
Val At(const std::vector<Val>& x, size_t i) { return i < x.size() ? x[i] : Val{}; }
// The label in the prediction's dtype and shape.
Val Like(const Layer& layer, Val pred, Val label) {
  const Shape p = ShapeOf(pred), l = ShapeOf(label);
  if (p.size() != l.size() || (p.ndim() && l.ndim() && p[0] != l[0]))
    Fail(Status::kShape, layer.def.name, "the label must have the prediction's shape ", p, ", given ", l, ".");
  return ReshapeTo(CastTo(label, TypeOf(pred)), p);
}
Val Relu(LayerContext& c, Val x) { return c.Op("relu", {x}); }
Val Abs(LayerContext& c, Val x) { return c.Op("abs", {x}); }
Val Square(LayerContext& c, Val x) { return c.Op("square", {x}); }
Val Log(LayerContext& c, Val x) { return c.Op("log", {x}); }
Val Softplus(LayerContext& c, Val x) { return c.Op("Activation", {x}, {{"act_type", "softrelu"}}); }
Val LogSoftmax(LayerContext& c, Val x, int64_t axis) { return c.Op("log_softmax", {x}, {{"axis", Text(axis)}}); }

std::vector<Val> L2(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  return {Finish(c, layer, 0.5 * Square(c, Like(layer, x[0], x[1]) - x[0]), At(x, 2))};
}
std::vector<Val> L1(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  return {Finish(c, layer, Abs(c, Like(layer, x[0], x[1]) - x[0]), At(x, 2))};
}

struct SoftmaxSettings : LossSettings { int64_t axis = -1; bool sparse_label = true, from_logits = false; };
std::vector<Val> SoftmaxCrossEntropy(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<SoftmaxSettings>();
  const Shape p = ShapeOf(x[0]);
  int axis = NormalAxis(layer.def.name, s.axis, p.ndim());
  Val logs = s.from_logits ? x[0] : LogSoftmax(c, x[0], axis);
  if (!s.sparse_label) {
    Val sum = c.Op("_np_sum", {logs * Like(layer, x[0], x[1])}, {{"axis", Text(axis)}, {"keepdims", "True"}});
    return {Finish(c, layer, -sum, At(x, 2))};
  }
  Shape want = p, kept = p;
  want.Erase(axis), kept[axis] = 1;
  const Shape given = ShapeOf(x[1]);
  if (given != want && given != kept)
    Fail(Status::kShape, layer.def.name, "for predictions of shape ", p, " the labels (class indices) must be of shape ", want, ", given ", given,
         given == p ? ". One-hot labels or probabilities need sparse_label=False." : ".");
  Val label = ReshapeTo(x[1], want);
  return {Finish(c, layer, -c.Op("pick", {logs, label}, {{"axis", Text(axis)}, {"keepdims", "True"}}), At(x, 2))};
}

struct SigmoidSettings : LossSettings { bool from_sigmoid = false; };
std::vector<Val> SigmoidBce(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  Val p = x[0], l = Like(layer, p, x[1]), loss;
  if (layer.as<SigmoidSettings>().from_sigmoid) loss = -(Log(c, p + 1e-12) * l + Log(c, (1.0 - p) + 1e-12) * (1.0 - l));
  else loss = Relu(c, p) - p * l + Softplus(c, -Abs(c, p));
  return {Finish(c, layer, loss, At(x, 2))};
}

struct KlSettings : LossSettings { bool from_logits = true; int64_t axis = -1; };
std::vector<Val> KlDiv(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<KlSettings>();
  Val logs = s.from_logits ? x[0] : LogSoftmax(c, x[0], s.axis), l = Like(layer, x[0], x[1]);
  return {Finish(c, layer, l * (Log(c, l + 1e-12) - logs), At(x, 2), "_np_sum")};
}

struct HuberSettings : LossSettings { double rho = 1; };
std::vector<Val> Huber(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  double rho = layer.as<HuberSettings>().rho;
  Val d = Abs(c, Like(layer, x[0], x[1]) - x[0]);
  Val far = c.Op("_greater_scalar", {d}, {{"scalar", Text(rho)}});
  return {Finish(c, layer, c.Op("where", {far, d - 0.5 * rho, Square(c, d) * (0.5 / rho)}), At(x, 2))};
}

struct HingeSettings : LossSettings { double margin = 1; };
template <bool kSquared> std::vector<Val> Hinge(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  Val d = Relu(c, layer.as<HingeSettings>().margin - x[0] * Like(layer, x[0], x[1]));
  return {Finish(c, layer, kSquared ? Square(c, d) : d, At(x, 2))};
}

enum class LabelFormat { kSigned, kBinary };
}  // namespace
template <> struct EnumNames<LabelFormat> { static constexpr const char* names[] = {"signed", "binary"}; };
namespace {
struct LogisticSettings : LossSettings { LabelFormat label_format = LabelFormat::kSigned; };
std::vector<Val> Logistic(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  Val p = x[0], l = Like(layer, p, x[1]);
  if (layer.as<LogisticSettings>().label_format == LabelFormat::kSigned) l = (l + 1.0) * 0.5;
  return {Finish(c, layer, Relu(c, p) - p * l + Softplus(c, -Abs(c, p)), At(x, 2))};
}

std::vector<Val> Triplet(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<HingeSettings>();
  Val d = Square(c, Like(layer, x[0], x[1]) - x[0]) - Square(c, Like(layer, x[0], x[2]) - x[0]);
  std::string axes = OtherAxes(layer.def.name, ShapeOf(d), s.batch_axis);
  if (!axes.empty()) d = c.Op("_np_sum", {d}, {{"axis", axes}});
  return {Finish(c, layer, Relu(c, d + s.margin), At(x, 3))};
}

std::vector<Val> CosineEmbedding(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  double margin = layer.as<HingeSettings>().margin;
  auto sum = [&](Val v) { return c.Op("_np_sum", {v}, {{"axis", "-1"}, {"keepdims", "True"}}); };
  Val a = x[0], b = Like(layer, a, x[1]);
  Val norms = c.Op("sqrt", {sum(Square(c, a)) * sum(Square(c, b))});
  Val cosine = sum(a * b) / c.Op("_maximum_scalar", {norms}, {{"scalar", "1e-12"}});
  const Shape n = ShapeOf(cosine);
  if (ShapeOf(x[2]).size() != n.size())
    Fail(Status::kShape, layer.def.name, "expected one label for each of ", n.size(), " pairs, given labels of shape ", ShapeOf(x[2]), ".");
  Val same = c.Op("_equal_scalar", {ReshapeTo(CastTo(x[2], TypeOf(a)), n)}, {{"scalar", "1"}});
  Val apart = c.Op("clip", {cosine - margin}, {{"a_min", "0"}, {"a_max", Text(1 - margin)}});
  return {Finish(c, layer, c.Op("where", {same, 1.0 - cosine, apart}), At(x, 3))};
}

enum class CtcLayout { kNtc, kTnc };
enum class LabelLayout { kNt, kTn };
}  // namespace
template <> struct EnumNames<CtcLayout> { static constexpr const char* names[] = {"NTC", "TNC"}; };
template <> struct EnumNames<LabelLayout> { static constexpr const char* names[] = {"NT", "TN"}; };
namespace {
struct CtcSettings { double weight = 1; CtcLayout layout = CtcLayout::kNtc; LabelLayout label_layout = LabelLayout::kNt; };
std::vector<Val> Ctc(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<CtcSettings>();
  Val p = x[0], l = x[1], w = At(x, 4);
  if (ShapeOf(p).ndim() != 3 || ShapeOf(l).ndim() != 2)
    Fail(Status::kShape, layer.def.name, "expected pred of three axes and labels of two, given ", ShapeOf(p), " and ", ShapeOf(l), ".");
  if (s.layout == CtcLayout::kNtc) p = c.Op("SwapAxis", {p}, {{"dim1", "0"}, {"dim2", "1"}});
  if (s.label_layout == LabelLayout::kTn) l = c.Op("SwapAxis", {l}, {{"dim1", "0"}, {"dim2", "1"}});
  Val n = At(x, 2), m = At(x, 3);
  Val loss = c.Op("CTCLoss", {p, l, n, m}, {{"use_data_lengths", n ? "True" : "False"}, {"use_label_lengths", m ? "True" : "False"}, {"blank_label", "last"}});
  if (w) loss = loss * CastTo(ReshapeTo(w, ShapeOf(loss)), TypeOf(loss));
  return {s.weight != 1 ? loss * s.weight : loss};
}

std::vector<LayerInput> Inputs(const char* pred, const char* label) {
  return {{"pred", pred}, {"label", label}, {"sample_weight", "Multiplies the loss: one for each sample, or as the loss broadcasts.", true}};
}
template <class S> Define<Def, S> Loss(const char* name, const char* doc, double weight_low = 0) {
  Define<Def, S> d(name);
  return d.family("loss").doc(doc).example(name).with(&Def::loss, true)
      .with(&Def::inputs, Inputs("What the network gives.", "What it should give, of any dtype, in the prediction's shape."))
      .attr(&S::weight, "weight", "Multiplies the loss.").at_least(weight_low)
      .attr(&S::batch_axis, "batch_axis", "The axis of the samples; the mean goes over all others.");
}
}  // namespace

void AddLosses(std::vector<Def>* all) {
  all->push_back(Loss<SoftmaxSettings>("SoftmaxCrossEntropyLoss", "-log softmax(pred)[label]: for classes that exclude each other.").alias("SoftmaxCELoss")
      .with(&Def::inputs, Inputs("Scores, or their logarithms of probabilities with from_logits.", "Class indices from 0, or one probability per class without sparse_label."))
      .attr(&SoftmaxSettings::axis, "axis", "The axis of the classes.")
      .attr(&SoftmaxSettings::sparse_label, "sparse_label", "True: labels are class indices. False: probabilities of each class.")
      .attr(&SoftmaxSettings::from_logits, "from_logits", "pred is already log softmax.").with(&Def::forward, &SoftmaxCrossEntropy));
  all->push_back(Loss<LossSettings>("L2Loss", "0.5 (pred - label)^2, the mean over a sample's elements.").with(&Def::forward, &L2));
  all->push_back(Loss<LossSettings>("L1Loss", "|pred - label|, the mean over a sample's elements.").with(&Def::forward, &L1));
  all->push_back(Loss<SigmoidSettings>("SigmoidBinaryCrossEntropyLoss", "-label log sigmoid(pred) - (1 - label) log(1 - sigmoid(pred)): for labels 0 and 1.").alias("SigmoidBCELoss")
      .attr(&SigmoidSettings::from_sigmoid, "from_sigmoid", "pred is already sigmoid.").with(&Def::forward, &SigmoidBce));
  all->push_back(Loss<KlSettings>("KLDivLoss", "label (log label - pred), summed over a sample: how far pred's distribution is from the label's (Kullback and Leibler, 1951).")
      .attr(&KlSettings::from_logits, "from_logits", "pred is already log softmax.")
      .attr(&KlSettings::axis, "axis", "The axis of the classes, for the softmax.").with(&Def::forward, &KlDiv));
  all->push_back(Loss<HuberSettings>("HuberLoss", "d^2 / (2 rho) up to the distance d = rho, d - rho / 2 beyond (Huber, 1964).")
      .attr(&HuberSettings::rho, "rho", "Where the square ends.").above(0).with(&Def::forward, &Huber));
  all->push_back(Loss<HingeSettings>("HingeLoss", "max(0, margin - pred label), for labels -1 and 1.")
      .attr(&HingeSettings::margin, "margin", "The margin.").with(&Def::forward, &Hinge<false>));
  all->push_back(Loss<HingeSettings>("SquaredHingeLoss", "max(0, margin - pred label)^2, for labels -1 and 1.")
      .attr(&HingeSettings::margin, "margin", "The margin.").with(&Def::forward, &Hinge<true>));
  all->push_back(Loss<LogisticSettings>("LogisticLoss", "log(1 + exp(-pred label)) for labels -1 and 1, or the same for labels 0 and 1.")
      .attr(&LogisticSettings::label_format, "label_format", "signed: labels are -1 and 1; binary: 0 and 1.").with(&Def::forward, &Logistic));
  all->push_back(Loss<HingeSettings>("TripletLoss", "max(0, |pred - positive|^2 - |pred - negative|^2 + margin).")
      .with(&Def::inputs, std::vector<LayerInput>{{"pred", "What the network gives."}, {"positive", "What it should be near to."}, {"negative", "What it should be far from."},
                                                  {"sample_weight", "Multiplies the loss.", true}})
      .attr(&HingeSettings::margin, "margin", "How much farther the negative must be.").with(&Def::forward, &Triplet));
  struct CosineSettings : HingeSettings { CosineSettings() { margin = 0; } };
  all->push_back(Loss<CosineSettings>("CosineEmbeddingLoss", "1 - cos(input1, input2) for label 1, max(0, cos - margin) for label -1.")
      .with(&Def::inputs, std::vector<LayerInput>{{"input1", "A vector for each sample."}, {"input2", "Another."}, {"label", "1: they should be alike; -1: not."},
                                                  {"sample_weight", "Multiplies the loss.", true}})
      .attr(&CosineSettings::margin, "margin", "The cosine below which vectors count as different.").range(-1, 1).with(&Def::forward, &CosineEmbedding));
  all->push_back(Define<Def, CtcSettings>("CTCLoss").family("loss").example("CTCLoss").with(&Def::loss, true)
      .doc("-log of the probability that softmax(pred) spells the label, wherever its classes lie on the steps (Graves et al., 2006). The last class is the blank.")
      .with(&Def::inputs, std::vector<LayerInput>{{"pred", "Scores of each step, (batch, steps, classes), or as layout says."}, {"label", "Classes from 0; a label ends at the first -1, or at its length."},
                                                  {"pred_lengths", "How many steps of each sample count.", true}, {"label_lengths", "How many classes of each label count.", true},
                                                  {"sample_weight", "Multiplies the loss: one for each sample.", true}})
      .attr(&CtcSettings::weight, "weight", "Multiplies the loss.").at_least(0)
      .attr(&CtcSettings::layout, "layout", "The axes of pred: N is the batch, T the steps, C the classes.")
      .attr(&CtcSettings::label_layout, "label_layout", "The axes of label.").with(&Def::forward, &Ctc));
}

}  // namespace flx
