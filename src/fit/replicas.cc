// SPDX-License-Identifier: Apache-2.0
#include "fit/replicas.h"

#include <algorithm>

#include "base/text.h"
#include "device/device.h"
#include "exec/autograd.h"
#include "kvstore/store.h"
#include "tensor/collective.h"

namespace flx {
namespace {
NDArray Rows(const NDArray& a, int64_t begin, int64_t end) { return Invoke1("slice_axis", {a}, {{"axis", "0"}, {"begin", Text(begin)}, {"end", Text(end)}}); }
}  // namespace

std::vector<const Device*> ParseDevices(std::string_view text) {
  std::vector<const Device*> devices;
  while (!Trim(text).empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const Device* d = DeviceManager::Get().Find(Trim(text.substr(0, comma)));
    if (std::find(devices.begin(), devices.end(), d) != devices.end()) Fail(Status::kArgument, "fit", "device names ", d->name, " twice.");
    devices.push_back(d);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  for (auto* d : devices)
    if (d->cpu() && devices.size() > 1) Fail(Status::kArgument, "fit", "expected one device, or several that are not the CPU, given the CPU among ", devices.size(), ".");
  return devices;
}

void Replicas::Prepare(const Ref<Params>& first) {
  params_ = {first};
  trained_.clear();
  std::vector<NDArray> seen;
  for (auto& p : first->all()) {
    if (!GradOf(*p.array) || std::find(seen.begin(), seen.end(), p.array) != seen.end()) continue;
    seen.push_back(p.array), trained_.push_back(p.name);
  }
  for (size_t i = 1; i < devices_.size(); ++i) {
    params_.push_back(first->CopyTo(devices_[i]));
    for (auto& name : trained_) AttachGrad(params_[i]->Get(name), GradReq::kWrite);
  }
}
std::vector<Replicas::Share> Replicas::Split(const Batch& batch) const {
  const auto n = int64_t(devices_.size());
  auto first_of = [&](int64_t i) { return (batch.rows * i + n - 1) / n; };  // the first device always has some
  std::vector<Share> shares;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t begin = first_of(i), end = first_of(i + 1);
    if (begin == end) continue;
    Share s{{}, params_[size_t(i)].get(), devices_[size_t(i)]};
    for (auto& a : batch.data) s.batch.data.push_back(Rows(a, begin, end));
    for (auto& a : batch.labels) s.batch.labels.push_back(Rows(a, begin, end));
    s.batch.rows = end - begin;
    s.batch.MoveTo(s.device);
    shares.push_back(std::move(s));
  }
  return shares;
}
void Replicas::SumGradients(const std::vector<Share>& shares) const {
  int64_t rows = 0;
  for (auto& s : shares) rows += s.batch.rows;
  collective::Batch batch;
  for (auto& name : trained_) {
    const NDArray sum = GradOf(*params_[0]->Get(name));
    std::vector<NDArray> parts;
    for (auto& s : shares) parts.push_back(Invoke1("_mul_scalar", {GradOf(*s.params->Get(name))}, {{"scalar", Text(double(s.batch.rows) / double(rows))}}));
    if (!batch.Reduce(parts, sum)) CopyInto(SumOn(parts, sum->device()), sum);
  }
  batch.Issue();
}
void Replicas::GiveWeights() const {
  collective::Batch batch;
  for (auto& name : trained_) {
    std::vector<NDArray> all;
    for (auto& p : params_) all.push_back(p->Get(name));
    if (batch.Broadcast(all[0], all)) continue;
    for (size_t i = 1; i < all.size(); ++i) CopyInto(all[0], all[i]);
  }
  batch.Issue();
}
NDArray Replicas::Gather(const std::vector<NDArray>& parts) const {
  std::vector<NDArray> here;
  for (auto& p : parts) here.push_back(ArrayOn(p, devices_[0]));
  return here.size() == 1 ? here[0] : Invoke1("concat", here, {{"dim", "0"}});
}

}  // namespace flx
