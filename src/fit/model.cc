// SPDX-License-Identifier: Apache-2.0
#include "fit/model.h"

#include <algorithm>

#include "exec/invoke.h"
#include "interop/safetensors.h"

namespace flx {
namespace {

constexpr const char* kVersion = "1";

// Where a parameter stands in the layer's order: the positions of its layer, then its place in that layer's list. False: no layer has it.
// A symbol's parameters may have dots in their names, so that every dot may be the one behind the layer's path.
bool PlaceOf(const Layer& root, const std::string& name, std::vector<int64_t>* place, bool* aux) {
  for (size_t dot = name.rfind('.');; dot = dot ? name.rfind('.', dot - 1) : std::string::npos) {
    bool none = dot == std::string::npos;
    std::string path = none ? "" : name.substr(0, dot), own = none ? name : name.substr(dot + 1);
    Ref<Layer> layer = root.At(path);
    auto params = layer ? OwnParams(*layer) : std::vector<OwnParam>();
    for (size_t i = 0; i < params.size(); ++i) {
      if (own != params[i].name) continue;
      place->clear();
      if (!none)
        for (auto& step : Split(path, '.')) {
          place->push_back(0);
          ParseInt(step, &place->back());
        }
      // a container's own parameters would stand before its children's
      place->push_back(-1), place->push_back(int64_t(i));
      *aux = params[i].aux;
      return true;
    }
    if (none) return false;
  }
}

Safetensors ToFile(const Model& m) {
  struct Entry { std::vector<int64_t> place; std::string name; NDArray array; };
  std::vector<Entry> entries;
  for (auto& p : m.params()->all()) {
    Entry e{{}, p.name, p.array};
    bool aux;
    if (!PlaceOf(*m.layer(), p.name, &e.place, &aux))
      Fail(Status::kName, "model", "parameter `", p.name, "` belongs to no layer of the model, so the file could not be read again. Do the parameters belong to this network?");
    entries.push_back(std::move(e));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.place < b.place; });
  Safetensors f;
  for (auto& e : entries) f.arrays.emplace_back(std::move(e.name), std::move(e.array));
  f.metadata["flexor"] = kVersion;
  f.metadata["layer"] = m.layer()->ToJson();
  for (auto& kv : m.meta()) f.metadata["meta." + kv.first] = kv.second;
  return f;
}

Ref<Model> FromFile(const Safetensors& f, const std::string& name) {
  auto refuse = [&](const std::string& why) { FailFile(Status::kFormat, name, -1, why); };
  auto version = f.metadata.find("flexor");
  if (version == f.metadata.end()) refuse("it holds arrays, but no model (its metadata has no `flexor`). Load it as parameters.");
  if (version->second != kVersion) refuse(Text("the model is of format `", version->second, "`, this library reads format ", kVersion, ". A newer one wrote it."));
  auto json = f.metadata.find("layer");
  if (json == f.metadata.end()) refuse("its metadata has no `layer`.");
  Ref<Layer> layer;
  try {
    layer = Layer::FromJson(json->second);
  } catch (const Error& e) {
    refuse(Text("its layer cannot be read: ", e.message()));
  }
  auto params = Make<Params>();
  for (auto& a : f.arrays) {
    std::vector<int64_t> place;
    bool aux = false;
    if (!PlaceOf(*layer, a.first, &place, &aux)) refuse(Text("array `", a.first, "` belongs to no layer of the model."));
    if (!IsFloat(a.second->dtype)) refuse(Text("parameter `", a.first, "` is ", a.second->dtype, ", expected a floating dtype."));
    params->Set(a.first, a.second, aux);
  }
  auto model = Make<Model>(layer, params);
  for (auto& kv : f.metadata)
    if (kv.first.compare(0, 5, "meta.") == 0) model->SetMeta(kv.first.substr(5), kv.second);
  return model;
}
}  // namespace

Model::Model(Ref<Layer> layer, Ref<Params> params) : Object(Kind::kModel), layer_(std::move(layer)), params_(params ? std::move(params) : Make<Params>()) {
  if (!layer_) Fail(Status::kArgument, "model", "the layer is null.");
  if (layer_->def.loss) Fail(Status::kArgument, "model", layer_->def.name, " is a loss. A model is what makes predictions; the loss is given to the fit.");
  layer_->Freeze();
}
void Model::SetMeta(const std::string& key, std::string value) {
  if (key.empty()) Fail(Status::kArgument, "model", "a metadata key must not be empty.");
  std::lock_guard<std::mutex> lock(mutex_);
  meta_[key] = std::move(value);
}
void Model::RemoveMeta(const std::string& key) {
  std::lock_guard<std::mutex> lock(mutex_);
  meta_.erase(key);
}
std::map<std::string, std::string> Model::meta() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return meta_;
}

std::vector<NDArray> Model::Run(int mode, const std::vector<NDArray>& inputs) const {
  return RunLayer(*layer_, mode, *params_, inputs);
}
std::vector<NDArray> Model::Predict(const std::vector<NDArray>& inputs) const {
  Ref<HybridLayer> planned = layer_->hybrid();
  if (!planned) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!planned_) {
      HybridOptions options;
      options.fallback = true;
      planned_ = Make<HybridLayer>(layer_->Copy(), nullptr, options);
    }
    planned = planned_;
  }
  return planned->Run(kPlain, *params_, inputs);
}

void Model::Save(const std::string& path) const { SaveSafetensors(path, ToFile(*this)); }
std::string Model::ToBytes() const { return SerializeSafetensors(ToFile(*this)); }
Ref<Model> Model::Load(const std::string& path) { return FromFile(LoadSafetensors(path), path); }
Ref<Model> Model::FromBytes(std::string_view bytes) { return FromFile(ParseSafetensors(bytes, "model"), "model"); }

}  // namespace flx
