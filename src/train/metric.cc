// SPDX-License-Identifier: Apache-2.0
#include "train/metric.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "base/deadline.h"
#include "base/host_token.h"

namespace flx {
namespace {

using Def = MetricDef;

double Mean(const void*, const double* s) { return s[0] / s[1]; }
Val Sum(MetricUpdate* u, Val v) { return u->Op("_np_sum", {v}); }
Val Square(MetricUpdate* u, Val v) { return u->Op("square", {v}); }
double SizeOf(Val v) { return double(ShapeOf(v).size()); }
// The label in the prediction's dtype and shape.
Val Like(const char* who, MetricUpdate* u) {
  const Shape p = ShapeOf(u->pred), l = ShapeOf(u->label);
  if (p.size() != l.size()) Fail(Status::kShape, who, "the labels must have the predictions' shape ", p, ", given ", l, ".");
  return ReshapeTo(CastTo(u->label, TypeOf(u->pred)), p);
}
// Class indices of the predictions, and of the labels in their dtype and shape.
void Classes(const char* who, MetricUpdate* u, int64_t axis, Val* pred, Val* label) {
  Shape p = ShapeOf(u->pred);
  const Shape l = ShapeOf(u->label);
  if (p != l && p.ndim() > 1) {
    int at = NormalAxis(who, axis, p.ndim());
    *pred = u->Op("argmax", {u->pred}, {{"axis", Text(at)}});
    p.Erase(at);
  } else {
    *pred = u->pred;
  }
  if (p.size() != l.size()) Fail(Status::kShape, who, "expected one label for each of ", p, " predictions, given labels of shape ", l, ".");
  *label = ReshapeTo(CastTo(u->label, TypeOf(*pred)), p);
}
// The predicted probability of each label, as a column.
Val Picked(const char* who, MetricUpdate* u, int64_t axis) {
  const Shape p = ShapeOf(u->pred), l = ShapeOf(u->label);
  if (p.ndim() < 1) Fail(Status::kShape, who, "the predictions need an axis of classes, given shape ", p, ".");
  int at = NormalAxis(who, axis, p.ndim());
  Shape want = p;
  want.Erase(at);
  if (l.size() != want.size()) Fail(Status::kShape, who, "for predictions of shape ", p, " expected labels of shape ", want, ", given ", l, ".");
  return u->Op("pick", {u->pred, ReshapeTo(u->label, want)}, {{"axis", Text(at)}});
}

struct AxisSettings { int64_t axis = 1; };
void Accuracy(const void* p, MetricUpdate* u) {
  Val pred, label;
  Classes("Accuracy", u, static_cast<const AxisSettings*>(p)->axis, &pred, &label);
  u->Add(0, Sum(u, u->Op("broadcast_equal", {pred, label})));
  u->Add(1, SizeOf(label));
}
struct TopKSettings { int64_t top_k = 1; };
void TopK(const void* p, MetricUpdate* u) {
  const Shape shape = ShapeOf(u->pred);
  if (shape.ndim() != 2) Fail(Status::kShape, "TopKAccuracy", "the predictions must be of shape (samples, classes), given ", shape, ".");
  Val own = ReshapeTo(Picked("TopKAccuracy", u, 1), {shape[0], 1});
  // how many classes stand above the label's; a label whose score is nan has all above it
  Val rank = double(shape[1]) - u->Op("_np_sum", {u->Op("broadcast_lesser_equal", {u->pred, own})}, {{"axis", "1"}});
  u->Add(0, Sum(u, u->Op("_lesser_scalar", {rank}, {{"scalar", Text(double(static_cast<const TopKSettings*>(p)->top_k))}})));
  u->Add(1, double(shape[0]));
}

void Mae(const void*, MetricUpdate* u) {
  u->Add(0, Sum(u, u->Op("abs", {Like("MAE", u) - u->pred})));
  u->Add(1, SizeOf(u->pred));
}
void Mse(const void*, MetricUpdate* u) {
  u->Add(0, Sum(u, Square(u, Like("MSE", u) - u->pred)));
  u->Add(1, SizeOf(u->pred));
}
double RootMean(const void*, const double* s) { return std::sqrt(s[0] / s[1]); }

struct LogSettings { double eps = 1e-12; bool from_logits = false; };
Val Probabilities(MetricUpdate* u, bool from_logits, int64_t axis) { return from_logits ? u->Op("softmax", {u->pred}, {{"axis", Text(axis)}}) : u->pred; }
template <int> void CrossEntropy(const void* p, MetricUpdate* u) {
  auto& s = *static_cast<const LogSettings*>(p);
  u->pred = Probabilities(u, s.from_logits, -1);
  Val at = Picked("CrossEntropy", u, -1);
  u->Add(0, -Sum(u, u->Op("log", {at + s.eps})));
  u->Add(1, SizeOf(at));
}
struct PerplexitySettings { std::optional<int64_t> ignore_label; int64_t axis = -1; bool from_logits = false; };
void Perplexity(const void* p, MetricUpdate* u) {
  auto& s = *static_cast<const PerplexitySettings*>(p);
  u->pred = Probabilities(u, s.from_logits, s.axis);
  Val at = Picked("Perplexity", u, s.axis);
  u->Add(1, SizeOf(at));
  if (s.ignore_label) {
    Val label = ReshapeTo(CastTo(u->label, TypeOf(at)), ShapeOf(at));
    Val ignored = u->Op("_equal_scalar", {label}, {{"scalar", Text(double(*s.ignore_label))}});
    at = at * (1.0 - ignored) + ignored;
    u->Add(1, -Sum(u, ignored));
  }
  u->Add(0, -Sum(u, u->Op("log", {u->Op("_maximum_scalar", {at}, {{"scalar", "1e-10"}})})));
}
double ExpMean(const void*, const double* s) { return std::exp(s[0] / s[1]); }

enum class Average { kMacro, kMicro };
}  // namespace
template <> struct EnumNames<Average> { static constexpr const char* names[] = {"macro", "micro"}; };
namespace {
struct AverageSettings { Average average = Average::kMacro; };
// Two classes: sums 0 to 3 are true and false positives, true and false negatives; 4 and 5 the sum of each update's value, and their number.
double F1Of(const double* c) { return 2 * c[0] / std::max(2 * c[0] + c[1] + c[3], 1.0); }
double MccOf(const double* c) {
  double d = 1;
  for (double t : {c[0] + c[1], c[0] + c[3], c[2] + c[1], c[2] + c[3]}) d *= t > 0 ? t : 1;
  return (c[0] * c[2] - c[1] * c[3]) / std::sqrt(d);
}
void Confusion(const char* who, MetricUpdate* u, Val c[4]) {
  Val pred, label;
  Classes(who, u, 1, &pred, &label);
  const Shape shape = ShapeOf(u->pred);
  if (shape != ShapeOf(u->label) && shape.ndim() > 1 && shape[1] > 2)
    Fail(Status::kShape, who, "is for two classes, the predictions of shape ", shape, " have ", shape[1], ".");
  Val yes = u->Op("_greater_scalar", {pred}, {{"scalar", "0.5"}}), is = u->Op("_greater_scalar", {label}, {{"scalar", "0.5"}});
  yes = CastTo(yes, DType::kFloat64), is = CastTo(is, DType::kFloat64);
  c[0] = Sum(u, yes * is), c[1] = Sum(u, yes * (1.0 - is)), c[2] = Sum(u, (1.0 - yes) * (1.0 - is)), c[3] = Sum(u, (1.0 - yes) * is);
  for (int i = 0; i < 4; ++i) u->Add(i, c[i]);
  u->Add(5, 1);
}
Val AtLeastOne(MetricUpdate* u, Val v) { return u->Op("_maximum_scalar", {v}, {{"scalar", "1"}}); }
void F1(const void*, MetricUpdate* u) {
  Val c[4];
  Confusion("F1", u, c);
  u->Add(4, 2.0 * c[0] / AtLeastOne(u, 2.0 * c[0] + c[1] + c[3]));
}
void Mcc(const void*, MetricUpdate* u) {
  Val c[4];
  Confusion("MCC", u, c);
  Val d = AtLeastOne(u, c[0] + c[1]) * AtLeastOne(u, c[0] + c[3]) * AtLeastOne(u, c[2] + c[1]) * AtLeastOne(u, c[2] + c[3]);
  u->Add(4, (c[0] * c[2] - c[1] * c[3]) / u->Op("sqrt", {d}));
}
template <double (*kOf)(const double*)> double Averaged(const void* p, const double* s) {
  if (s[5] == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<const AverageSettings*>(p)->average == Average::kMacro ? s[4] / s[5] : kOf(s);
}

// Sums 0 to 5: n, x, y, xx, yy, xy; 6 and 7 the sum of each update's value, and their number.
void Pearson(const void*, MetricUpdate* u) {
  Val y = CastTo(Like("PearsonCorrelation", u), DType::kFloat64), x = CastTo(u->pred, DType::kFloat64);
  double n = SizeOf(x);
  Val sx = Sum(u, x), sy = Sum(u, y);
  u->Add(0, n), u->Add(1, sx), u->Add(2, sy), u->Add(3, Sum(u, x * x)), u->Add(4, Sum(u, y * y)), u->Add(5, Sum(u, x * y));
  Val dx = x - sx / n, dy = y - sy / n;
  u->Add(6, Sum(u, dx * dy) / u->Op("sqrt", {Sum(u, dx * dx) * Sum(u, dy * dy)}));
  u->Add(7, 1);
}
double PearsonValue(const void* p, const double* s) {
  if (static_cast<const AverageSettings*>(p)->average == Average::kMacro) return s[6] / s[7];
  return (s[5] - s[1] * s[2] / s[0]) / std::sqrt((s[3] - s[1] * s[1] / s[0]) * (s[4] - s[2] * s[2] / s[0]));
}

void Loss(const void*, MetricUpdate* u) {
  u->Add(0, Sum(u, u->pred));
  u->Add(1, SizeOf(u->pred));
}

struct CompositeSettings { std::string metrics; };
struct HostSettings { HostToken token; std::string name; };

template <class S> Define<Def, S> New(const char* name, const char* value_name, const char* doc) {
  return Define<Def, S>(name).family("metric").doc(doc).example(name).with(&Def::value_name, value_name).with(&Def::value, &Mean);
}
std::vector<Def> List() {
  std::vector<Def> all;
  const char* average = "macro: the mean of each update's value; micro: the value of all samples together.";
  const char* logits = "The predictions are scores: softmax comes first.";
  all.push_back(New<AxisSettings>("Accuracy", "accuracy", "The share of samples whose highest score is the label's. Labels may also be compared with predicted classes of the same shape.")
      .alias("acc").attr(&AxisSettings::axis, "axis", "The axis of the classes.").with(&Def::update, &Accuracy).with(&Def::digits, 3));
  all.push_back(New<TopKSettings>("TopKAccuracy", nullptr, "The share of samples whose label is among the top_k highest scores.").alias("top_k_acc")
      .attr(&TopKSettings::top_k, "top_k", "How many scores count.").at_least(1).with(&Def::update, &TopK).with(&Def::digits, 3)
      .with(&Def::value_name_of, [](const void* p) { return Text("top_k_accuracy_", static_cast<const TopKSettings*>(p)->top_k); }));
  all.push_back(New<LogSettings>("CrossEntropy", "cross-entropy", "The mean of -log(p + eps), p being the predicted probability of the label.").alias("ce")
      .attr(&LogSettings::eps, "eps", "Keeps the logarithm finite.").at_least(0)
      .attr(&LogSettings::from_logits, "from_logits", logits).with(&Def::update, &CrossEntropy<0>));
  all.push_back(New<LogSettings>("NegativeLogLikelihood", "nll-loss", "The mean of -log(p + eps), p being the predicted probability of the label.").alias("nll_loss").alias("nll")
      .attr(&LogSettings::eps, "eps", "Keeps the logarithm finite.").at_least(0)
      .attr(&LogSettings::from_logits, "from_logits", logits).with(&Def::update, &CrossEntropy<1>));
  all.push_back(New<PerplexitySettings>("Perplexity", "perplexity", "exp of the mean of -log p, p being the predicted probability of the label.")
      .attr(&PerplexitySettings::ignore_label, "ignore_label", "Samples with this label do not count. None: all count.")
      .attr(&PerplexitySettings::axis, "axis", "The axis of the classes.")
      .attr(&PerplexitySettings::from_logits, "from_logits", logits).with(&Def::update, &Perplexity).with(&Def::value, &ExpMean));
  all.push_back(New<NoAttrs>("MAE", "mae", "The mean of |pred - label|.").with(&Def::update, &Mae));
  all.push_back(New<NoAttrs>("MSE", "mse", "The mean of (pred - label)^2.").with(&Def::update, &Mse));
  all.push_back(New<NoAttrs>("RMSE", "rmse", "The root of the mean of (pred - label)^2.").with(&Def::update, &Mse).with(&Def::value, &RootMean));
  all.push_back(New<AverageSettings>("F1", "f1", "2 tp / (2 tp + fp + fn), for two classes: scores of shape (samples, 2), or probabilities of the second.")
      .attr(&AverageSettings::average, "average", average).with(&Def::sums, 6).with(&Def::update, &F1).with(&Def::value, &Averaged<&F1Of>));
  all.push_back(New<AverageSettings>("MCC", "mcc", "Matthews' correlation of predicted and true class, for two classes.")
      .attr(&AverageSettings::average, "average", average).with(&Def::sums, 6).with(&Def::update, &Mcc).with(&Def::value, &Averaged<&MccOf>));
  all.push_back(New<AverageSettings>("PearsonCorrelation", "pearsonr", "Pearson's correlation of predictions and labels.").alias("pearsonr")
      .attr(&AverageSettings::average, "average", average).with(&Def::sums, 8).with(&Def::update, &Pearson).with(&Def::value, &PearsonValue));
  all.push_back(New<NoAttrs>("Loss", "loss", "The mean of the predictions, which are a loss's values. Takes no labels.").with(&Def::needs_label, false).with(&Def::update, &Loss));
  all.push_back(New<CompositeSettings>("Composite", "composite", "Several metrics at once.").alias("CompositeEvalMetric").example("Composite(metrics=\"accuracy,cross_entropy\")")
      .attr(&CompositeSettings::metrics, "metrics", "Their names, with commas between; settings in parentheses, as in `accuracy, TopKAccuracy(top_k=5)`.").required()
      .with(&Def::composite, true).with(&Def::sums, 0));
  all.push_back(New<HostSettings>("Host", nullptr, "A value that a function of the host computes for each batch: the mean over all rows. Only a task asks for it (flx_fit_start, flx_evaluate_start).")
      .attr(&HostSettings::token, "token", "The function, by the number that the host gave it.").required().range(0, 9e15)
      .attr(&HostSettings::name, "name", "Its name, as in a history's column.").required()
      .with(&Def::needs_label, false).with(&Def::host, true)
      .with(&Def::value_name_of, [](const void* p) { return static_cast<const HostSettings*>(p)->name; }));
  return all;
}
}  // namespace

const Registry<MetricDef>& Metrics() {
  static const auto& r = *new const Registry<MetricDef>("metric", List());
  return r;
}

void Metric::AddPart(std::string_view name, const Settings& settings) {
  const MetricDef& def = Metrics().Find(name);
  Attrs a = ParseSettings(def, settings);
  if (!def.composite) {
    std::string value_name = def.value_name_of ? def.value_name_of(a.get()) : def.value_name;
    parts_.push_back({&def, a, std::move(value_name), std::vector<NDArray>(size_t(def.sums)), std::vector<double>(size_t(def.sums))});
    return;
  }
  for (auto& text : SplitNamed(static_cast<const CompositeSettings*>(a.get())->metrics)) {
    std::string part;
    Settings s;
    if (!ParseNamed(text, &part, &s)) Fail(Status::kArgument, "metric", "expected a name, or a name with settings as in `TopKAccuracy(top_k=5)`, given `", text, "`.");
    if (Metrics().Find(part).composite) Fail(Status::kArgument, "Composite", "a composite metric cannot be part of another.");
    AddPart(part, s);
  }
}
Ref<Metric> Metric::New(std::string_view name, const Settings& settings) {
  auto m = Ref<Metric>::Take(new Metric);
  m->AddPart(name, settings);
  return m;
}
Ref<Metric> Metric::Parse(std::string_view text) { return New("Composite", {{"metrics", std::string(text)}}); }

const Metric::Part& Metric::part(int i) const {
  if (i < 0 || size_t(i) >= parts_.size()) Fail(Status::kIndex, "metric", "it has ", parts_.size(), " values, asked for number ", i, " (from 0).");
  return parts_[size_t(i)];
}

std::vector<std::string> Metric::names() const {
  std::vector<std::string> names;
  for (auto& p : parts_) names.push_back(p.name);
  return names;
}

int64_t Metric::asks(int i) const {
  const Part& p = part(i);
  return p.def->host ? static_cast<const HostSettings*>(p.settings.get())->token.get() : -1;
}
void Metric::Give(int i, const NDArray& mean, int64_t rows) {
  part(i);
  Part& p = parts_[size_t(i)];
  if (!mean || mean->size() != 1)
    Fail(Status::kShape, p.def->name, "metric `", p.name, "` must give one number, the mean over the batch, given ", mean ? Describe(*mean) : std::string("null"), ".");
  NDArray wide = Invoke1("_np_sum", {Invoke1("Cast", {mean}, {{"dtype", "float64"}})});
  NDArray more = Invoke1("_mul_scalar", {wide}, {{"scalar", Text(double(rows))}});
  p.arrays[0] = p.arrays[0] ? Invoke1("elemwise_add", {p.arrays[0], more}) : more;
  p.numbers[1] += double(rows);
}

void Metric::Update(const std::vector<NDArray>& labels, const std::vector<NDArray>& preds, bool but_host) {
  for (auto& p : parts_) {
    if (p.def->host) {
      if (but_host) continue;
      Fail(Status::kUnsupported, p.def->name, "metric `", p.name, "` is computed by the host, which only a task asks. Give it to flx_fit_start or flx_evaluate_start by its name, `", PrintNamed(*p.def, p.settings.get()), "`.");
    }
    if (p.def->needs_label && labels.size() != preds.size())
      Fail(Status::kArgument, p.def->name, "expected a label array for each prediction array, given ", labels.size(), " and ", preds.size(), ".");
    for (size_t i = 0; i < preds.size(); ++i) {
      // labels mostly lie on the CPU, where the batches are made: they follow the predictions
      const Device* device = preds[i]->device();
      EagerBuilder b(kPlain, device);
      NDArray label = p.def->needs_label ? ArrayOn(labels[i], device) : nullptr;
      MetricUpdate u(b, b.Add(preds[i]), label ? b.Add(label) : Val{}, p.def->sums);
      if (!IsFloat(preds[i]->dtype)) u.pred = CastTo(u.pred, DType::kFloat32);
      p.def->update(p.settings.get(), &u);
      for (int k = 0; k < p.def->sums; ++k) {
        p.numbers[size_t(k)] += u.numbers[size_t(k)];
        if (!u.arrays[size_t(k)]) continue;
        NDArray& sum = p.arrays[size_t(k)];
        NDArray more = b.array(u.arrays[size_t(k)]);
        sum = sum ? Invoke1("elemwise_add", {ArrayOn(sum, more->device()), more}) : more;
      }
    }
  }
}

bool Metric::Value(int i, int64_t timeout_ms, double* value) const {
  const Part& p = part(i);
  auto end = DeadlineAfter(timeout_ms);
  std::vector<double> sums = p.numbers;
  for (size_t k = 0; k < sums.size(); ++k) {
    if (!p.arrays[k]) continue;
    int64_t left = timeout_ms;
    if (timeout_ms > 0) left = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count());
    double v;
    if (!ReadArray(*p.arrays[k], &v, sizeof v, DType::kFloat64, false, left)) return false;
    sums[k] += v;
  }
  *value = p.def->value(p.settings.get(), sums.data());
  return true;
}

void Metric::Reset() {
  for (auto& p : parts_) p.arrays.assign(p.arrays.size(), nullptr), p.numbers.assign(p.numbers.size(), 0);
}

}  // namespace flx
