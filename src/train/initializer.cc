// SPDX-License-Identifier: Apache-2.0
#include "train/initializer.h"

#include <cmath>

#include "base/hash.h"
#include "base/thread_pool.h"

namespace flx {
namespace {

using Def = InitializerDef;

double UniformAt(const Philox& r, int64_t i) {  // [0, 1): two elements of a block
  uint32_t u[4];
  r(uint64_t(i / 2), 0, u);
  return i % 2 ? ToUnitDouble(u[2], u[3]) : ToUnitDouble(u[0], u[1]);
}
double NormalAt(const Philox& r, int64_t i) {
  uint32_t u[4];
  double n[2];
  r(uint64_t(i / 2), 0, u);
  ToNormal(u, n);
  return n[i % 2];
}

struct ValueSettings { double value = 0; };
void FillConstant(const void* s, double, const FillTask&, int64_t begin, int64_t end, double* out) {
  for (int64_t i = begin; i < end; ++i) *out++ = static_cast<const ValueSettings*>(s)->value;
}
template <int V> void FillFixed(const void*, double, const FillTask&, int64_t begin, int64_t end, double* out) {
  for (int64_t i = begin; i < end; ++i) *out++ = V;
}

struct UniformSettings { double scale = 0.07; };
void FillUniform(const void* s, double, const FillTask& t, int64_t begin, int64_t end, double* out) {
  double k = static_cast<const UniformSettings*>(s)->scale;
  for (int64_t i = begin; i < end; ++i) *out++ = k * (2 * UniformAt(t.random, i) - 1);
}
struct NormalSettings { double sigma = 0.01; };
void FillNormal(const void* s, double, const FillTask& t, int64_t begin, int64_t end, double* out) {
  double k = static_cast<const NormalSettings*>(s)->sigma;
  for (int64_t i = begin; i < end; ++i) *out++ = k * NormalAt(t.random, i);
}

enum class Draw { kUniform, kGaussian };
enum class Fan { kAvg, kIn, kOut };
enum class Matrix { kUniform, kNormal };
}  // namespace
template <> struct EnumNames<Draw> { static constexpr const char* names[] = {"uniform", "gaussian"}; };
template <> struct EnumNames<Matrix> { static constexpr const char* names[] = {"uniform", "normal"}; };
template <> struct EnumNames<Fan> { static constexpr const char* names[] = {"avg", "in", "out"}; };
namespace {
double FanOf(const char* who, Fan f, const FillTask& t) {
  if (t.shape.ndim() < 2)
    Fail(Status::kShape, who, "needs a parameter with at least two axes, given ", t.shape, " for `", t.name, "`. Use Normal, Uniform or Constant for it.");
  double area = double(t.shape.Product(2, t.shape.ndim())), in = double(t.shape[1]) * area, out = double(t.shape[0]) * area;
  double n = f == Fan::kAvg ? (in + out) / 2 : f == Fan::kIn ? in : out;
  return n > 0 ? n : 1;  // nothing is drawn for a parameter without elements
}
struct XavierSettings { Draw rnd_type = Draw::kUniform; Fan factor_type = Fan::kAvg; double magnitude = 3; };
double PrepareXavier(const void* p, const FillTask& t) {
  auto& s = *static_cast<const XavierSettings*>(p);
  return std::sqrt(s.magnitude / FanOf("Xavier", s.factor_type, t));
}
void FillXavier(const void* p, double scale, const FillTask& t, int64_t begin, int64_t end, double* out) {
  bool uniform = static_cast<const XavierSettings*>(p)->rnd_type == Draw::kUniform;
  for (int64_t i = begin; i < end; ++i) *out++ = scale * (uniform ? 2 * UniformAt(t.random, i) - 1 : NormalAt(t.random, i));
}
struct MsraSettings { Fan factor_type = Fan::kAvg; double slope = 0.25; };
double PrepareMsra(const void* p, const FillTask& t) {
  auto& s = *static_cast<const MsraSettings*>(p);
  return std::sqrt(2 / (1 + s.slope * s.slope) / FanOf("MSRAPrelu", s.factor_type, t));
}
void FillMsra(const void*, double scale, const FillTask& t, int64_t begin, int64_t end, double* out) {
  for (int64_t i = begin; i < end; ++i) *out++ = scale * NormalAt(t.random, i);
}

struct LstmSettings { double forget_bias = 1; };
void FillLstm(const void* s, double, const FillTask& t, int64_t begin, int64_t end, double* out) {
  int64_t units = t.shape.size() / 4;  // gates: input, forget, cell, output
  for (int64_t i = begin; i < end; ++i) *out++ = i >= units && i < 2 * units ? static_cast<const LstmSettings*>(s)->forget_bias : 0;
}
void FillBilinear(const void*, double, const FillTask& t, int64_t begin, int64_t end, double* out) {
  if (t.shape.ndim() < 2) Fail(Status::kShape, "Bilinear", "needs a parameter with at least two axes, given ", t.shape, " for `", t.name, "`.");
  int64_t w = t.shape.back(), h = t.shape[t.shape.ndim() - 2];
  double f = std::ceil(double(w) / 2), c = (2 * f - 1 - std::fmod(f, 2)) / (2 * f);
  for (int64_t i = begin; i < end; ++i) {
    double x = double(i % w), y = double(i / w % h);
    *out++ = (1 - std::abs(x / f - c)) * (1 - std::abs(y / f - c));
  }
}

struct OrthogonalSettings { double scale = 1.414; Matrix rand_type = Matrix::kUniform; };
// Gram and Schmidt, twice for the rounding, over rows or columns, whichever are fewer.
void FillOrthogonal(const void* p, double, const FillTask& t, int64_t, int64_t n, double* out) {
  auto& s = *static_cast<const OrthogonalSettings*>(p);
  if (t.shape.ndim() < 2) Fail(Status::kShape, "Orthogonal", "needs a parameter with at least two axes, given ", t.shape, " for `", t.name, "`.");
  if (n == 0) return;
  int64_t rows = t.shape[0], cols = n / rows;
  bool by_row = rows <= cols;
  int64_t count = by_row ? rows : cols, length = by_row ? cols : rows;
  std::vector<double> v(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) v[size_t(i)] = s.rand_type == Matrix::kUniform ? 2 * UniformAt(t.random, i) - 1 : NormalAt(t.random, i);
  for (int64_t a = 0; a < count; ++a) {
    double* x = v.data() + a * length;
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t b = 0; b < a; ++b) {
        const double* y = v.data() + b * length;
        double dot = 0;
        for (int64_t i = 0; i < length; ++i) dot += x[i] * y[i];
        for (int64_t i = 0; i < length; ++i) x[i] -= dot * y[i];
      }
    double norm = 0;
    for (int64_t i = 0; i < length; ++i) norm += x[i] * x[i];
    norm = std::sqrt(norm);
    for (int64_t i = 0; i < length; ++i) x[i] /= norm;
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) out[r * cols + c] = s.scale * v[size_t(by_row ? r * cols + c : c * rows + r)];
}

std::vector<Def> List() {
  std::vector<Def> all;
  auto add = [&](Def d) { d.family = "initializer", all.push_back(std::move(d)); };
  add(Define<Def, XavierSettings>("Xavier").doc("Zero mean and a width by the number of connections n: uniform in +-sqrt(magnitude / n), or normal with that deviation (Glorot and Bengio, 2010).")
      .example("Xavier(factor_type=in, magnitude=2)")
      .attr(&XavierSettings::rnd_type, "rnd_type", "Which distribution.")
      .attr(&XavierSettings::factor_type, "factor_type", "n is the inputs of a unit, the units an input goes to, or the mean of both.")
      .attr(&XavierSettings::magnitude, "magnitude", "The scale; 3 keeps variance 1 / n with the uniform distribution.").at_least(0)
      .with(&Def::prepare, &PrepareXavier).with(&Def::fill, &FillXavier));
  add(Define<Def, MsraSettings>("MSRAPrelu").alias("msra").alias("He").doc("Normal with deviation sqrt(2 / ((1 + slope^2) n)), for rectified units (He and others, 2015).")
      .example("MSRAPrelu(factor_type=in, slope=0)")
      .attr(&MsraSettings::factor_type, "factor_type", "n is the inputs of a unit, the units an input goes to, or the mean of both.")
      .attr(&MsraSettings::slope, "slope", "The rectifier's slope for negative inputs.")
      .with(&Def::prepare, &PrepareMsra).with(&Def::fill, &FillMsra));
  add(Define<Def, NormalSettings>("Normal").alias("gaussian").doc("Normal with mean 0.").example("Normal(sigma=0.02)")
      .attr(&NormalSettings::sigma, "sigma", "The standard deviation.").at_least(0).with(&Def::fill, &FillNormal));
  add(Define<Def, UniformSettings>("Uniform").doc("Uniform in [-scale, scale).").example("Uniform(scale=0.1)")
      .attr(&UniformSettings::scale, "scale", "The largest absolute value.").at_least(0).with(&Def::fill, &FillUniform));
  add(Define<Def, ValueSettings>("Constant").doc("One value for all elements.").example("Constant(value=0.25)")
      .attr(&ValueSettings::value, "value", "The value.").required().with(&Def::fill, &FillConstant));
  add(Define<Def>("Zero").alias("zeros").doc("Zeros, as a bias begins.").example("zeros").with(&Def::fill, &FillFixed<0>));
  add(Define<Def>("One").alias("ones").doc("Ones, as a scale begins.").example("ones").with(&Def::fill, &FillFixed<1>));
  add(Define<Def, OrthogonalSettings>("Orthogonal").doc("Rows or columns, whichever are fewer, orthogonal to each other and of length scale, of a random matrix (Saxe and others, 2013). Axes after the first count as one.")
      .example("Orthogonal(scale=1)")
      .attr(&OrthogonalSettings::scale, "scale", "The length of each row or column.")
      .attr(&OrthogonalSettings::rand_type, "rand_type", "The distribution of the random matrix.")
      .with(&Def::whole, true).with(&Def::fill, &FillOrthogonal));
  add(Define<Def>("Bilinear").doc("Bilinear interpolation, for the weight of a transposed convolution that enlarges images.").example("Bilinear").with(&Def::fill, &FillBilinear));
  add(Define<Def, LstmSettings>("LSTMBias").doc("Zeros, but forget_bias for the forget gate, the second quarter, of an LSTM's bias.").example("LSTMBias(forget_bias=1)")
      .attr(&LstmSettings::forget_bias, "forget_bias", "The forget gate's bias.").with(&Def::fill, &FillLstm));
  return all;
}

template <class T> void FillAs(const InitializerDef& def, const void* settings, const FillTask& t, const NDArray& array, DType host) {
  int64_t n = t.shape.size();
  double plan = def.prepare ? def.prepare(settings, t) : 0;
  std::vector<T> values(static_cast<size_t>(n));
  ParallelFor(n, def.whole ? std::max<int64_t>(n, 1) : 4096, [&](int64_t begin, int64_t end) {
    std::vector<double> part(size_t(end - begin));
    def.fill(settings, plan, t, begin, end, part.data());
    for (int64_t i = begin; i < end; ++i) values[size_t(i)] = T(part[size_t(i - begin)]);
  });
  WriteArray(array, values.data(), n * int64_t(sizeof(T)), host, false);
}
}  // namespace

const Registry<InitializerDef>& Initializers() {
  static const auto& r = *new const Registry<InitializerDef>("initializer", List());
  return r;
}

Ref<Initializer> Initializer::New(std::string_view name, const Settings& settings) {
  const InitializerDef& def = Initializers().Find(name);
  return Ref<Initializer>::Take(new Initializer(def, ParseSettings(def, settings)));
}
Ref<Initializer> Initializer::Parse(std::string_view text) {
  std::string name;
  Settings settings;
  if (!ParseNamed(text, &name, &settings))
    Fail(Status::kArgument, "initializer", "expected a name, or a name with settings as in `Normal(sigma=0.02)`, given `", text, "`.");
  return New(name, settings);
}

void Initializer::Fill(const std::string& name, uint64_t seed, const NDArray& array) const {
  if (!IsFloat(array->dtype)) Fail(Status::kType, def.name, "parameter `", name, "` must be of a floating dtype, given ", array->dtype, ".");
  FillTask t{name, array->shape, Philox({seed, HashBytes(name)})};
  if (array->dtype == DType::kFloat64) FillAs<double>(def, settings.get(), t, array, DType::kFloat64);
  else FillAs<float>(def, settings.get(), t, array, DType::kFloat32);
}

void FillByName(const Initializer& otherwise, const std::string& name, uint64_t seed, const NDArray& array) {
  static const auto &zero = Forever(Initializer::New("Zero")), &one = Forever(Initializer::New("One"));
  auto ends = [&](std::string_view end) { return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0; };
  if (ends("bias") || ends("beta") || ends("mean")) zero->Fill(name, seed, array);
  else if (ends("gamma") || ends("var")) one->Fill(name, seed, array);
  else otherwise.Fill(name, seed, array);
}

}  // namespace flx
