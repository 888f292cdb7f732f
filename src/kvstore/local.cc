// SPDX-License-Identifier: Apache-2.0
// The stores of one process: ordinary operators on ordinary arrays, in the order of the calls. `local` keeps its values on the CPU and sums there. `device`
// keeps each where the arrays are that are pushed for it, on the device that has the least of them by then, and sums there: by the devices' collectives, or
// by copies to that device, in the order given.
#include <algorithm>

#include "device/device.h"
#include "exec/autograd.h"
#include "exec/invoke.h"
#include "kvstore/store.h"
#include "tensor/collective.h"

namespace flx {
namespace {

class LocalStore : public Store {
 public:
  explicit LocalStore(const StoreDef& d) : Store(d) {}
  bool Join(int64_t) override { return true; }
  bool Barrier(int64_t) override { return true; }
  bool Finish(int64_t) override {
    std::lock_guard<std::mutex> lock(mutex_);
    keys_.clear(), values_.clear(), optimizer_ = nullptr, optimizing_ = false;
    return true;
  }
  void Forget(const std::vector<std::string>& keys) override {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& k : keys) keys_.erase(k), values_.erase(k);
  }
  bool Serve(int64_t) override { return true; }  // there is nobody to serve
  std::string Describe() const override { return Text("store ", def.name, ": one process, ", Keys(), " keys\n"); }
  Optimizer::State SaveStates() override {
    std::lock_guard<std::mutex> lock(mutex_);
    NeedOptimizer();
    return optimizer_->Save();
  }
  void LoadStates(const Optimizer::State& state) override {
    std::lock_guard<std::mutex> lock(mutex_);
    NeedOptimizer();
    optimizer_->Load(state);
  }

 protected:
  void NeedOptimizer() const {
    if (!optimizer_) Fail(Status::kState, "store", "it has no optimizer. Give it one (flx_store_optimizer).");
  }
  void DoInit(const std::string& key, const NDArray& value, std::optional<Together>) override { values_[key] = CopyOf(Detach(value), nullptr); }
  void DoPush(const std::vector<Group>& all, PushInfo) override {
    for (auto& g : all) PushOne(g);
  }
  void PushOne(const Group& g) { Take(g.key, SumOn(g.arrays, nullptr)); }
  void Take(const std::string& key, const NDArray& sum) {  // where the value is
    NDArray& value = values_[key];
    if (optimizer_) optimizer_->Update(key, value, sum);
    else CopyInto(sum, value);
  }
  void DoPull(const std::vector<Group>& all, int) override {
    for (auto& g : all) PullOne(g);
  }
  void PullOne(const Group& g) {
    for (auto& target : g.arrays) CopyInto(values_[g.key], target);
  }
  void DoPushPull(const std::vector<Group>& push, const std::vector<Group>& pull, PushInfo) override {
    for (size_t i = 0; i < push.size(); ++i) PushOne(push[i]), PullOne(pull[i]);
  }
  void DoSetOptimizer(Ref<Optimizer> o) override { optimizer_ = std::move(o); }
  void DoSet(std::string_view key, std::string_view value) override { optimizer_->Set(key, value); }

  std::map<std::string, NDArray, std::less<>> values_;
  Ref<Optimizer> optimizer_;
};

class DeviceStore final : public LocalStore {
 public:
  using LocalStore::LocalStore;
  void Forget(const std::vector<std::string>& keys) override {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& k : keys) {
      if (auto it = settled_.find(k); it != settled_.end()) loads_[it->second] -= values_[k]->bytes(), settled_.erase(it);
      keys_.erase(k), values_.erase(k);
    }
  }
  bool Finish(int64_t timeout_ms) override {
    LocalStore::Finish(timeout_ms);
    std::lock_guard<std::mutex> lock(mutex_);
    settled_.clear(), loads_.clear();
    return true;
  }
  std::string Describe() const override {
    std::string text = LocalStore::Describe();
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& l : loads_) text += Text("  on ", NameOf(l.first), ": ", l.second, " bytes\n");
    return text;
  }

 private:
  void DoInit(const std::string& key, const NDArray& value, std::optional<Together>) override { values_[key] = CopyOf(Detach(value)); }
  void DoPush(const std::vector<Group>& all, PushInfo) override {
    collective::Batch batch;
    for (auto& g : all) {
      const NDArray& value = Settle(g);
      if (g.arrays.size() > 1) {
        NDArray sum = Array::New(value->shape, value->dtype, value->device());
        if (batch.Reduce(g.arrays, sum, [this, &g, sum] { Take(g.key, sum); })) continue;
      }
      Take(g.key, SumOn(g.arrays, value->device()));
    }
    batch.Issue();
  }
  void DoPull(const std::vector<Group>& all, int) override {
    collective::Batch batch;
    for (auto& g : all) {
      if (batch.Broadcast(values_[g.key], g.arrays)) continue;
      batch.Issue();  // what is pulled last into an array is what it has
      PullOne(g);
    }
    batch.Issue();
  }
  void DoPushPull(const std::vector<Group>& push, const std::vector<Group>& pull, PushInfo info) override {
    collective::Batch batch;
    std::vector<Group> reduced, given;  // of the rest
    for (size_t i = 0; i < push.size(); ++i) {
      const NDArray& value = Settle(push[i]);
      auto keep = [&value, &to = pull[i].arrays] {
        auto own = std::find_if(to.begin(), to.end(), [&](auto& a) { return a->device() == value->device(); });
        CopyInto(own != to.end() ? *own : to[0], value);
      };
      if (!optimizer_ && batch.AllReduce(push[i].arrays, pull[i].arrays, keep)) continue;
      reduced.push_back(push[i]), given.push_back(pull[i]);
    }
    batch.Issue();
    DoPush(reduced, info), DoPull(given, info.priority);
  }
  // The key's value, moved with the first push to where its arrays are.
  NDArray& Settle(const Group& g) {
    NDArray& value = values_[g.key];
    if (settled_.count(g.key)) return value;
    const Device* least = g.arrays[0]->device();
    for (auto& a : g.arrays) if (loads_[a->device()] < loads_[least]) least = a->device();
    value = ArrayOn(value, least);
    loads_[least] += value->bytes(), settled_[g.key] = least;
    return value;
  }
  std::map<std::string, const Device*, std::less<>> settled_;
  std::map<const Device*, int64_t> loads_;  // bytes of values
};
}  // namespace

Ref<Store> NewLocalStore(const StoreDef& def, const void*) { return Make<LocalStore>(def); }
Ref<Store> NewDeviceStore(const StoreDef& def, const void*) { return Make<DeviceStore>(def); }

}  // namespace flx
