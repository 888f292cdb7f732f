// SPDX-License-Identifier: Apache-2.0
#include "train/layer.h"

#include <mutex>

#include "base/reword.h"
#include "base/text.h"
#include "exec/invoke.h"
#include "exec/node_name.h"
#include "train/hybrid_layer.h"
#include "train/initializer.h"

namespace flx {
namespace {

constexpr int kMaxHeight = 64;  // of a tree of layers: forward, freeing and printing go down it
// Guards children and frozen_ of all layers: adding is rare, and one lock knows no order.
std::mutex g_mutex;

std::vector<LayerDef> List() {
  std::vector<LayerDef> all;
  AddBasicLayers(&all);
  AddContainerLayers(&all);
  AddAttentionLayer(&all);
  AddConvLayers(&all);
  AddNormLayers(&all);
  AddRecurrentLayers(&all);
  AddRecurrentCells(&all);
  AddLosses(&all);
  AddOperatorLayer(&all);
  AddSymbolLayer(&all);
  return all;
}

// Names the layer in an error that an operator raised inside it.
[[noreturn]] void FailIn(const Error& e, const std::string& path, const Layer& layer) {
  std::string where = path.empty() ? Text(layer.def.name) : Text(path, " (", layer.def.name, ")");
  Error named = Reworded(e, Text(e.message(), " [in layer ", where, "]"));
  named.node = path.empty() ? layer.def.name : path;
  throw named;
}
}  // namespace

const Registry<LayerDef>& Layers() {
  static const auto& r = *new const Registry<LayerDef>("layer", List());
  return r;
}

Layer::Layer(const LayerDef& d, Attrs s, std::string n) : Object(Kind::kLayer), def(d), settings(std::move(s)), name(std::move(n)) {
  texts_ = {{"kind", def.name}, {"name", name}};
  for (auto& kv : def.schema.PrintAll(settings.get(), false)) texts_.push_back(std::move(kv));
}
Ref<Layer> Layer::New(std::string_view kind, const Settings& settings, std::string name) {
  const LayerDef& def = Layers().Find(kind);
  Attrs a = ParseSettings(def, settings);
  if (def.check) def.check(a.get());
  for (auto& f : def.schema.fields()) {  // a typo in an initializer's name is told now, not at the first run
    std::string_view key = f.name, end = "_initializer";
    if (key.size() <= end.size() || !EndsWith(key, end)) continue;
    std::string text = def.schema.Print(f, a.get());
    if (!text.empty()) Initializer::Parse(text);
  }
  return Ref<Layer>::Take(new Layer(def, std::move(a), std::move(name)));
}

void Layer::Add(Ref<Layer> child) {
  if (!child) Fail(Status::kArgument, def.name, "the child to add is null.");
  if (!def.container) Fail(Status::kUnsupported, def.name, "takes no children. Put it and ", child->def.name, " into a Sequential.");
  if (child.get() == this) Fail(Status::kArgument, def.name, "a layer cannot be its own child.");
  if (child->def.loss) Fail(Status::kArgument, def.name, "a loss (", child->def.name, ") cannot be a child; it is given to the fit.");
  std::lock_guard<std::mutex> lock(g_mutex);
  if (frozen_) Fail(Status::kState, def.name, "is part of another layer or of a model, or was run, and takes no more children. Add them before.");
  if (child->height_ + 1 > kMaxHeight) Fail(Status::kArgument, def.name, "layers are nested deeper than ", kMaxHeight, ".");
  child->frozen_ = true;
  height_ = std::max(height_, child->height_ + 1);
  children_.push_back(std::move(child));
}
std::vector<Ref<Layer>> Layer::children() const {
  std::lock_guard<std::mutex> lock(g_mutex);
  return children_;
}
Layer::~Layer() = default;
bool Layer::AsksHost() const {
  if (def.asks_host && def.asks_host(*this)) return true;
  for (auto& c : children())
    if (c->AsksHost()) return true;
  return false;
}
void Layer::SetHybrid(Ref<HybridLayer> hybrid) const {
  std::lock_guard<std::mutex> lock(g_mutex);
  std::swap(hybrid_, hybrid);  // the old one goes without the lock
}
Ref<HybridLayer> Layer::hybrid() const {
  std::lock_guard<std::mutex> lock(g_mutex);
  return hybrid_;
}
Ref<Layer> Layer::Copy() const {
  auto copy = Ref<Layer>::Take(new Layer(def, settings, name));
  std::lock_guard<std::mutex> lock(g_mutex);
  copy->children_ = children_, copy->height_ = height_, copy->frozen_ = frozen_;
  return copy;
}
void Layer::Freeze() const {
  std::lock_guard<std::mutex> lock(g_mutex);
  frozen_ = true;
}
const std::string& Layer::Text(std::string_view field) const {
  for (auto& kv : texts_)
    if (kv.first == field) return kv.second;
  std::vector<std::string> names;
  for (auto& kv : texts_) names.push_back(kv.first);
  Fail(Status::kName, def.name, "has no field `", field, "`.", DidYouMean(field, names), " It has: ", Join(names, ", "), ".");
}
Ref<Layer> Layer::At(std::string_view path) const {
  Ref<Layer> at(const_cast<Layer*>(this));
  if (!path.empty() && path.back() == '.') return nullptr;
  while (!path.empty()) {
    size_t dot = path.find('.');
    std::string_view step = path.substr(0, dot);
    int64_t i;
    auto below = at->children();
    // one spelling for each position: "01" and "+1" are none
    if (!ParseInt(step, &i) || i < 0 || i >= int64_t(below.size()) || flx::Text(i) != step) return nullptr;
    at = below[size_t(i)];
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return at;
}

Val LayerContext::Ask(const char* name, const Shape& shape, std::string_view init, bool aux, bool trainable, DType dtype) {
  bool listed = layer_->def.own != nullptr;
  for (auto& p : layer_->def.params) listed |= p.aux == aux && std::string_view(p.name) == name;
  if (!listed) Fail(Status::kInternal, layer_->def.name, "asks for `", name, "`, which its definition does not list.");
  ParamDecl d;
  d.name = path_ + name, d.shape = shape, d.init = std::string(init), d.aux = aux, d.trainable = trainable && !aux;
  d.dtype = dtype == DType::kNone ? dtype_ : dtype;
  Val* known = shared_ ? &(*shared_)[d.name] : nullptr;
  Val v = known && *known ? *known : source_.Get(d, builder);
  if (known) *known = v;
  if (builder.shape(v) != shape)
    Fail(Status::kShape, layer_->def.name, "parameter `", d.name, "` must be of shape ", shape, " for this input, and is of shape ", builder.shape(v),
         ". Was the network made for inputs of another size?");
  return v;
}
Val LayerContext::Param(const char* name, const Shape& shape, std::string_view init, bool trainable, DType dtype) {
  return Ask(name, shape, init, false, trainable, dtype);
}
Val LayerContext::Aux(const char* name, const Shape& shape, std::string_view init, DType dtype) { return Ask(name, shape, init, true, false, dtype); }

std::vector<Val> LayerContext::RunChild(const Layer& layer, int index, const std::vector<Val>& x) {
  size_t length = path_.size();
  path_ += Text(index, ".");
  auto y = Run(layer, x);
  path_.resize(length);
  return y;
}

std::vector<Val> LayerContext::Run(const Layer& layer, const std::vector<Val>& x) {
  const Layer* outer = std::exchange(layer_, &layer);
  DType outer_dtype = dtype_;
  std::string path = path_.substr(0, path_.empty() ? 0 : path_.size() - 1);
  std::vector<Val> y;
  if (seen_) seen_(path, layer, nullptr);
  NodeName name(path);
  try {
    const LayerDef& def = layer.def;
    size_t needed = 0;
    for (auto& in : def.inputs) needed += !in.optional;
    if (!def.container && !def.any_inputs && (x.size() < needed || x.size() > def.inputs.size()))
      Fail(Status::kArgument, def.name, "expected ", needed, def.inputs.size() > needed ? " inputs or more" : needed == 1 ? " input" : " inputs", ", given ", x.size(), ".");
    if (!x.empty()) dtype_ = builder.dtype(x[0]);
    if (!def.container && !def.any_dtype && !IsFloat(dtype_))
      Fail(Status::kType, def.name, "layers take floating dtypes, given ", dtype_, ". Cast the input, and scale it where it needs that (images: divide by 255).");
    if (!IsFloat(dtype_)) dtype_ = DType::kFloat32;
    y = def.forward(*this, layer, x);
    if (!def.container && int(y.size()) != layer.OutputCount(int(x.size())))
      Fail(Status::kInternal, def.name, "gives ", y.size(), " outputs, its definition says ", layer.OutputCount(int(x.size())), ".");
  } catch (const Error& e) {
    if (e.node.empty()) FailIn(e, path, layer);
    throw;
  }
  layer_ = outer, dtype_ = outer_dtype;
  if (seen_) seen_(path, layer, &y);
  return y;
}

std::vector<OwnParam> OwnParams(const Layer& layer) {
  if (layer.def.own) return layer.def.own(layer);
  std::vector<OwnParam> own;
  for (auto& p : layer.def.params) own.push_back({p.name, p.aux});
  return own;
}

namespace {
class Declaring final : public ParamSource {
 public:
  std::vector<ParamDecl> decls;
  Val Get(const ParamDecl& d, Builder& b) override {
    decls.push_back(d);
    return static_cast<ShapeBuilder&>(b).Add(d.shape, d.dtype);
  }
};
std::vector<Val> AddInputs(ShapeBuilder* b, const std::vector<Shape>& inputs, DType dtype) {
  std::vector<Val> x;
  for (Shape s : inputs) {
    for (int i = 0; i < s.ndim(); ++i)
      if (s[i] < 0) s[i] = 2;
    x.push_back(b->Add(s, dtype));
  }
  return x;
}
}  // namespace

std::vector<ParamDecl> DeclareParams(const Layer& layer, const std::vector<Shape>& inputs, DType dtype) {
  layer.Freeze();
  ShapeBuilder b(false);
  Declaring source;
  LayerContext(b, source).Run(layer, AddInputs(&b, inputs, dtype));
  return std::move(source.decls);
}
std::vector<Shape> OutputShapes(const Layer& layer, const std::vector<Shape>& inputs, DType dtype) {
  layer.Freeze();
  ShapeBuilder b(false);
  Declaring source;
  std::vector<Shape> shapes;
  for (Val y : LayerContext(b, source).Run(layer, AddInputs(&b, inputs, dtype))) shapes.push_back(b.shape(y));
  return shapes;
}

}  // namespace flx
