// SPDX-License-Identifier: Apache-2.0
#include "train/params.h"

#include "device/device.h"
#include "exec/autograd.h"
#include "exec/tape.h"

namespace flx {

[[noreturn]] static void FailMissing(const std::string& name, const std::string& shape, bool others) {
  Fail(Status::kState, "params", "parameter `", name, "`", shape, " is missing. ", others ? "Do the parameters belong to this network?" : "Initialize the parameters, or fit the model.");
}
static void CheckPlace(const std::string& name, const Array& a, const Device* device) {
  if (a.device() == device) return;
  Fail(Status::kDevice, "params", "parameter `", name, "` is on ", NameOf(a.device()), ", the data on ", NameOf(device), ". Copy the parameters to the data (flx_params_move) or the data to them (flx_ndarray_copy).");
}
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
void Params::Collect(const std::vector<std::string>& names, const Device* device, std::vector<NDArray>* out) const {
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < names.size(); ++i) {
    size_t at = i;
    if (i >= list_.size() || list_[i].name != names[i]) {  // mostly they stand in this order
      auto it = index_.find(names[i]);
      if (it == index_.end()) FailMissing(names[i], "", !list_.empty());
      at = it->second;
    }
    CheckPlace(names[i], *list_[at].array, device);
    out->push_back(list_[at].array);
  }
}
void Params::MoveTo(const Device* device) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::map<const Array*, NDArray> moved;  // parameters of two names may be one array
  for (auto& p : list_) {
    if (p.array->device() == device) continue;
    NDArray& to = moved[p.array.get()];
    if (!to) {
      to = CopyOf(p.array, device);
      if (const GradSlot* s = p.array->grad) AttachGrad(to, s->req);
    }
  }
  for (auto& p : list_)
    if (auto it = moved.find(p.array.get()); it != moved.end()) p.array = it->second;
}
Ref<Params> Params::CopyTo(const Device* device) const {
  auto copy = Make<Params>();
  std::map<const Array*, NDArray> copies;
  for (auto& p : all()) {
    NDArray& to = copies[p.array.get()];
    if (!to) to = CopyOf(p.array, device);
    copy->Set(p.name, to, p.aux);
  }
  return copy;
}
const Device* Params::device() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return list_.empty() ? nullptr : list_[0].array->device();
}
std::vector<Param> Params::all() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return list_;
}

Val ParamReader::Get(const ParamDecl& d, Builder& b) {
  NDArray a = params_.Get(d.name);
  if (!a) FailMissing(d.name, Text(" ", d.shape), params_.count() > 0);
  auto& eager = static_cast<EagerBuilder&>(b);
  CheckPlace(d.name, *a, eager.device());
  return eager.Add(std::move(a));
}

Val NoParams::Get(const ParamDecl& d, Builder&) { Fail(Status::kUnsupported, "fit", "the loss has a parameter (", d.name, "); a loss must have none."); }

void InitMissing(Params* params, const std::vector<ParamDecl>& decls, const Initializer* initializer, uint64_t seed, const Device* device) {
  static const auto& xavier = Forever(Initializer::New("Xavier"));
  if (!initializer) initializer = xavier.get();
  for (auto& d : decls) {
    if (params->Get(d.name)) continue;
    NDArray a = Array::New(d.shape, d.dtype, device);
    if (d.init.empty()) FillByName(*initializer, d.name, seed, a);
    else Initializer::Parse(d.init)->Fill(d.name, seed, a);
    params->Set(d.name, std::move(a), d.aux);
  }
}
Ref<Params> InitParams(const Layer& layer, const std::vector<Shape>& inputs, DType dtype, const Initializer* initializer, uint64_t seed, const Device* device) {
  auto params = Make<Params>();
  InitMissing(params.get(), DeclareParams(layer, inputs, dtype), initializer, seed, device);
  return params;
}

}  // namespace flx
