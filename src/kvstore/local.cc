// SPDX-License-Identifier: Apache-2.0
// The store of one process: ordinary operators on ordinary arrays, in the order of the calls.
#include "exec/autograd.h"
#include "exec/invoke.h"
#include "kvstore/store.h"

namespace flx {
namespace {

class LocalStore final : public Store {
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

 private:
  void NeedOptimizer() const {
    if (!optimizer_) Fail(Status::kState, "store", "it has no optimizer. Give it one (flx_store_optimizer).");
  }
  void DoInit(const std::string& key, const NDArray& value, std::optional<Together>) override { values_[key] = CopyOf(Detach(value)); }
  void DoPush(const Group& g, PushInfo) override {
    NDArray sum = SumInOrder(g.arrays), &value = values_[g.key];
    if (optimizer_) optimizer_->Update(g.key, value, sum);
    else CopyInto(sum, value);
  }
  void DoPull(const Group& g, int) override {
    for (auto& target : g.arrays) CopyInto(values_[g.key], target);
  }
  void DoSetOptimizer(Ref<Optimizer> o) override { optimizer_ = std::move(o); }
  void DoSet(std::string_view key, std::string_view value) override { optimizer_->Set(key, value); }

  std::map<std::string, NDArray, std::less<>> values_;
  Ref<Optimizer> optimizer_;
};
}  // namespace

Ref<Store> NewLocalStore(const StoreDef& def, const void*) { return Make<LocalStore>(def); }

}  // namespace flx
