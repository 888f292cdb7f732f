// SPDX-License-Identifier: Apache-2.0
#include "train/hybrid_layer.h"

#include <algorithm>

#include "exec/autograd.h"

namespace flx {
namespace {

struct Names {
  std::vector<std::string> list;
  std::map<std::string, size_t> index;
};
// Parameters are inputs behind the data.
class InputSource final : public ParamSource {
 public:
  InputSource(const Names& names, const std::vector<Val>& x, size_t first) : names_(names), x_(x), first_(first) {}
  Val Get(const ParamDecl& d, Builder&) override {
    auto it = names_.index.find(d.name);
    if (it == names_.index.end()) Fail(Status::kInternal, "hybridize", "the layer asks for `", d.name, "`, which it did not ask for before.");
    return x_[first_ + it->second];
  }

 private:
  const Names& names_;
  const std::vector<Val>& x_;
  size_t first_;
};
}  // namespace

const Registered& HybridizeOptionsEntry() {
  static const Registered& entry = *[] {
    auto d = Define<Registered, HybridizeOptions>("hybridize").family("hybrid").doc("How a layer is planned.")
        .attr(&HybridizeOptions::active, "active", "Run by plans. False: operator by operator again.");
    return new Registered(AddHybridOptions(d));
  }();
  return entry;
}

struct HybridLayer::Known {
  size_t inputs = 0;
  int labels = 0;
  Names names;
  Ref<const CachedGraph> graph;
};

HybridLayer::HybridLayer(Ref<Layer> layer, Ref<Layer> loss, const HybridOptions& options)
    : Object(Kind::kNone), layer_(std::move(layer)), loss_(std::move(loss)), options_(options) {
  layer_->Freeze();
  PassSet check(options_.passes);
}

std::shared_ptr<const HybridLayer::Known> HybridLayer::KnownFor(const std::vector<NDArray>& x, int labels) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto& k : known_)
    if (k->inputs == x.size() && k->labels == labels) return k;
  auto k = std::make_shared<Known>();
  k->inputs = x.size(), k->labels = labels;
  size_t data = x.size() - size_t(labels);
  std::vector<Shape> shapes;
  DType dtype = DType::kFloat32;
  for (size_t i = 0; i < data; ++i) shapes.push_back(x[i]->shape);
  if (data && IsFloat(x[0]->dtype)) dtype = x[0]->dtype;
  for (auto& d : DeclareParams(*layer_, shapes, dtype))
    if (k->names.index.emplace(d.name, k->names.list.size()).second) k->names.list.push_back(d.name);
  std::vector<bool> fixed(x.size());
  fixed.resize(x.size() + k->names.list.size(), true);
  Ref<Layer> layer = layer_, loss = loss_;
  auto trace = [layer, loss, data, inputs = x.size(), names = k->names](Builder& b, const std::vector<Val>& v) {
    InputSource source(names, v, inputs);
    auto y = LayerContext(b, source).Run(*layer, {v.begin(), v.begin() + std::ptrdiff_t(data)});
    if (!loss) return y;
    NoParams none;
    std::vector<Val> scored = y;
    scored.insert(scored.end(), v.begin() + std::ptrdiff_t(data), v.begin() + std::ptrdiff_t(inputs));
    auto result = LayerContext(b, none).Run(*loss, scored);
    result.insert(result.end(), y.begin(), y.end());
    return result;
  };
  k->graph = Make<CachedGraph>(layer_->name.empty() ? layer_->def.name : layer_->name, trace, fixed, options_);
  known_.push_back(k);
  return k;
}
std::vector<NDArray> HybridLayer::Inputs(const Known& k, const Params& params, const std::vector<NDArray>& x) {
  std::vector<NDArray> in = x;
  in.reserve(x.size() + k.names.list.size());
  params.Collect(k.names.list, x.empty() ? params.device() : x[0]->device(), &in);
  return in;
}
std::vector<NDArray> HybridLayer::Run(int mode, const Params& params, const std::vector<NDArray>& x, int labels) {
  auto k = KnownFor(x, labels);
  return k->graph->Run(mode, Inputs(*k, params, x));
}
std::vector<NDArray> HybridLayer::Step(const Params& params, const std::vector<NDArray>& x, int labels) {
  auto k = KnownFor(x, labels);
  auto in = Inputs(*k, params, x);
  std::vector<bool> wanted;
  std::vector<Array*> into;
  std::map<const void*, int> uses;  // of an attached gradient: parameters of two names may be one array
  for (size_t i = 0; i < in.size(); ++i) {
    wanted.push_back(i >= x.size() && GradOf(*in[i]));
    if (wanted.back()) ++uses[in[i]->grad];
  }
  for (size_t i = 0; i < in.size(); ++i) into.push_back(wanted[i] && uses[in[i]->grad] == 1 ? GradTarget(*in[i]) : nullptr);
  auto out = k->graph->Step(in, wanted, into);
  size_t results = out.size() - size_t(std::count(wanted.begin(), wanted.end(), true)), at = results;
  std::map<const void*, NDArray> sums;
  for (size_t i = 0; i < in.size(); ++i) {
    if (!wanted[i]) continue;
    NDArray g = std::move(out[at++]);
    int& left = uses[in[i]->grad];
    if (left > 1 || sums.count(in[i]->grad)) {
      NDArray& sum = sums[in[i]->grad];
      sum = sum ? Invoke1("elemwise_add", {sum, g}) : g;
      if (--left > 0) continue;
      g = std::move(sum);
    }
    StoreGrad(*in[i], std::move(g));
  }
  out.resize(results);
  return out;
}
void HybridizeLayer(const Layer& layer, const HybridOptions* options) {
  layer.Freeze();
  // of a copy: the graph lives as long as histories that it made, and must not keep the layer that keeps it
  layer.SetHybrid(options ? Make<HybridLayer>(layer.Copy(), nullptr, *options) : nullptr);
}
std::vector<NDArray> RunLayer(const Layer& layer, int mode, const Params& params, const std::vector<NDArray>& x) {
  if (auto hybrid = layer.hybrid()) return hybrid->Run(mode, params, x);
  EagerBuilder b(mode, x.empty() ? params.device() : x[0]->device());
  ParamReader reader(params);
  std::vector<Val> in;
  for (auto& a : x) in.push_back(b.Add(a));
  std::vector<NDArray> out;
  for (Val y : LayerContext(b, reader).Run(layer, in)) out.push_back(b.array(y));
  return out;
}
std::string HybridLayer::Text(std::string_view field) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::string text;
  for (auto& k : known_) text += k->graph->Text(field);
  return text;
}

}  // namespace flx
