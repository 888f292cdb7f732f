// SPDX-License-Identifier: Apache-2.0
#include "train/params.h"

#include "exec/invoke.h"

namespace flx {

int Params::count() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return int(list_.size());
}
Param Params::at(int i) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (i < 0 || size_t(i) >= list_.size()) Fail(Status::kIndex, "params", "there are ", list_.size(), " parameters, asked for number ", i, " (from 0).");
  return list_[size_t(i)];
}
NDArray Params::Get(std::string_view name) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = index_.find(name);
  return it == index_.end() ? nullptr : list_[it->second].array;
}
void Params::Set(const std::string& name, NDArray array, bool aux) {
  if (!array) Fail(Status::kArgument, "params", "the array for `", name, "` is null.");
  if (name.empty()) Fail(Status::kName, "params", "a parameter needs a name.");
  std::lock_guard<std::mutex> lock(mutex_);
  auto added = index_.emplace(name, list_.size());
  if (added.second) list_.push_back({name, std::move(array), aux});
  else list_[added.first->second].array = std::move(array);
}
std::vector<Param> Params::all() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return list_;
}

Val ParamReader::Get(const ParamDecl& d, Builder& b) {
  NDArray a = params_.Get(d.name);
  if (!a)
    Fail(Status::kState, "params", "parameter `", d.name, "` ", d.shape, " is missing. ",
         params_.count() ? "Do the parameters belong to this network?" : "Initialize the parameters, or fit the model.");
  return static_cast<EagerBuilder&>(b).Add(std::move(a));
}

void InitMissing(Params* params, const std::vector<ParamDecl>& decls, const Initializer* initializer, uint64_t seed) {
  static const auto& xavier = Forever(Initializer::New("Xavier"));
  if (!initializer) initializer = xavier.get();
  for (auto& d : decls) {
    if (params->Get(d.name)) continue;
    NDArray a = Array::New(d.shape, d.dtype);
    if (d.init.empty()) FillByName(*initializer, d.name, seed, a);
    else Initializer::Parse(d.init)->Fill(d.name, seed, a);
    params->Set(d.name, std::move(a), d.aux);
  }
}
Ref<Params> InitParams(const Layer& layer, const std::vector<Shape>& inputs, DType dtype, const Initializer* initializer, uint64_t seed) {
  auto params = Make<Params>();
  InitMissing(params.get(), DeclareParams(layer, inputs, dtype), initializer, seed);
  return params;
}

}  // namespace flx
