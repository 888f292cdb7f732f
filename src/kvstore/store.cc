// SPDX-License-Identifier: Apache-2.0
#include "kvstore/store.h"

#include "exec/invoke.h"

namespace flx {
namespace {

std::vector<StoreDef> List() {
  std::vector<StoreDef> all;
  all.push_back(Define<StoreDef, NoAttrs>("local").family("store").example("local")
      .doc("Arrays of this process, summed on the CPU wherever they lie.")
      .alias("local_update_cpu").alias("local_allreduce_cpu").with(&StoreDef::make, &NewLocalStore));
  all.push_back(Define<StoreDef, NoAttrs>("device").family("store").example("device")
      .doc("Arrays of this process, summed where they lie: over several GPUs by NCCL or by copies between them; on a CPU the same as `local`.")
      .alias("local_allreduce_device").alias("nccl").with(&StoreDef::make, &NewDeviceStore));
#ifdef FLEXOR_HAVE_PS
  AddDistStores(&all);
#endif
  return all;
}
}  // namespace

const Registry<StoreDef>& Stores() {
  static const auto& r = *new const Registry<StoreDef>("store", List());
  return r;
}
const char* RoleName(StoreRole role) { return role == StoreRole::kWorker ? "worker" : role == StoreRole::kServer ? "server" : "scheduler"; }

Ref<Store> Store::New(std::string_view kind, const Settings& settings) {
  const StoreDef& def = Stores().Find(kind);
  return def.make(def, ParseSettings(def, settings).get());
}

std::vector<std::pair<std::string, double>> Store::Numbers() const {
  std::lock_guard<std::mutex> lock(mutex_);
  JobProgress p = Progress();
  return {{"rank", rank()}, {"workers", workers()}, {"servers", servers()}, {"keys", double(keys_.size())}, {"checkpoint", double(p.checkpoint)},
          {"checkpoint_round", double(p.checkpoint_round)}, {"returns", double(p.returns)}, {"returned_to", double(p.returned_to)}};
}
bool Store::has_optimizer() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return optimizing_;
}

void Store::CheckUse(const char* what) const {
  if (role() != StoreRole::kWorker) Fail(Status::kState, "store", what, " is a worker's to call; this process is a ", RoleName(role()), ". Serve (flx_store_serve) is what it does.");
}

bool Store::Separate(const std::vector<Group>& push, const std::vector<Group>& pull) {
  std::map<const Storage*, size_t> written;
  for (size_t i = 0; i < pull.size(); ++i)
    for (auto& a : pull[i].arrays)
      if (written.emplace(a->storage.get(), i).first->second != i) return false;
  for (size_t i = 0; i < push.size(); ++i)
    for (auto& a : push[i].arrays)
      if (auto it = written.find(a->storage.get()); it != written.end() && it->second != i) return false;
  return true;
}
// What belongs to each key, in the order in which keys come first.
std::vector<Store::Group> Store::Grouped(const char* what, const std::vector<std::string>& keys, const std::vector<NDArray>& arrays) const {
  if (keys.size() != arrays.size()) Fail(Status::kArgument, "store", what, " needs one array for each key, given ", keys.size(), " keys and ", arrays.size(), " arrays.");
  std::vector<Group> groups;
  std::map<std::string_view, size_t> at;
  for (size_t i = 0; i < keys.size(); ++i) {
    auto k = keys_.find(keys[i]);
    if (k == keys_.end()) {
      std::vector<std::string> names;
      for (auto& kv : keys_) names.push_back(kv.first);
      Fail(Status::kState, "store", what, " of key `", keys[i], "`, which was never initialized.", DidYouMean(keys[i], names), " Give it a first value (flx_store_init).");
    }
    const Array& a = *arrays[i];
    if (a.shape != k->second.shape) Fail(Status::kShape, "store", "key `", keys[i], "` has the shape ", k->second.shape, "; the array to ", what, " has ", a.shape, ".");
    if (a.dtype != k->second.dtype) Fail(Status::kType, "store", "key `", keys[i], "` is of dtype ", k->second.dtype, "; the array to ", what, " is of ", a.dtype, ". Cast it.");
    auto [it, fresh] = at.emplace(keys[i], groups.size());
    if (fresh) groups.push_back({keys[i], {}});
    groups[it->second].arrays.push_back(arrays[i]);
  }
  return groups;
}

void Store::Init(const std::vector<std::string>& keys, const std::vector<NDArray>& values, std::optional<Together> together) {
  std::lock_guard<std::mutex> lock(mutex_);
  CheckUse("init");
  if (keys.size() != values.size()) Fail(Status::kArgument, "store", "init needs one array for each key, given ", keys.size(), " keys and ", values.size(), " arrays.");
  for (size_t i = 0; i < keys.size(); ++i) {
    const Array& a = *values[i];
    if (keys[i].empty() || keys[i].size() > 255) Fail(Status::kArgument, "store", "a key must have 1 to 255 bytes, given ", keys[i].size(), ".");
    auto k = keys_.find(keys[i]);
    if (k == keys_.end()) continue;
    if (k->second.shape != a.shape || k->second.dtype != a.dtype)
      Fail(k->second.shape != a.shape ? Status::kShape : Status::kType, "store", "key `", keys[i], "` is there already, as ", k->second.dtype, " ", k->second.shape, "; given ", flx::Describe(a), ".");
  }
  for (size_t i = 0; i < keys.size(); ++i)
    if (!keys_.count(keys[i]) || doubtful_.count(keys[i])) {
      DoInit(keys[i], values[i], together);
      keys_.emplace(keys[i], Key{values[i]->shape, values[i]->dtype});
      doubtful_.erase(keys[i]);
    }
}
void Store::Push(const std::vector<std::string>& keys, const std::vector<NDArray>& values, PushInfo info) {
  std::lock_guard<std::mutex> lock(mutex_);
  CheckUse("push");
  if (info.samples < 0) Fail(Status::kArgument, "store", "`samples` must be 0 or more, given ", info.samples, ".");
  DoPush(Grouped("push", keys, values), info);
}
void Store::Pull(const std::vector<std::string>& keys, const std::vector<NDArray>& targets, int priority) {
  std::lock_guard<std::mutex> lock(mutex_);
  CheckUse("pull");
  DoPull(Grouped("pull", keys, targets), priority);
}
void Store::PushPull(const std::vector<std::string>& keys, const std::vector<NDArray>& values, const std::vector<NDArray>& targets, PushInfo info) {
  std::lock_guard<std::mutex> lock(mutex_);
  CheckUse("push_pull");
  if (info.samples < 0) Fail(Status::kArgument, "store", "`samples` must be 0 or more, given ", info.samples, ".");
  auto push = Grouped("push", keys, values), pull = Grouped("pull", keys, targets);
  if (push.size() == 1 || Separate(push, pull)) return DoPushPull(push, pull, info);
  for (size_t i = 0; i < push.size(); ++i) DoPushPull({push[i]}, {pull[i]}, info);
}

bool Store::Checkpoint(int64_t) {
  Fail(Status::kUnsupported, "store", "a ", def.name, " store is this process's, and there is no job to write a checkpoint of. Save its arrays, and its optimizer's states by flx_store_save.");
}

void Store::SetOptimizer(const Optimizer& optimizer) {
  auto state = optimizer.Save();
  for (auto it = state.text.begin(); it != state.text.end();) it = it->first.compare(0, 6, "count.") == 0 ? state.text.erase(it) : std::next(it);
  state.arrays.clear(), state.text["step"] = "0";
  std::lock_guard<std::mutex> lock(mutex_);
  CheckUse("set_optimizer");
  DoSetOptimizer(Optimizer::Restore(state));
  optimizing_ = true;
}
void Store::Set(std::string_view key, std::string_view value) {
  std::lock_guard<std::mutex> lock(mutex_);
  CheckUse("set");
  if (!optimizing_) Fail(Status::kState, "store", "it has no optimizer whose setting `", key, "` could be changed. Give it one (flx_store_optimizer).");
  DoSet(key, value);
}

NDArray SumOn(const std::vector<NDArray>& arrays, const Device* device) {
  std::vector<NDArray> there;
  for (auto& a : arrays) there.push_back(ArrayOn(a, device));
  return SumInOrder(there);
}
NDArray SumInOrder(const std::vector<NDArray>& arrays) {
  NDArray sum = arrays[0];
  for (size_t i = 1; i < arrays.size(); ++i) sum = Invoke1("elemwise_add", {sum, arrays[i]});
  return sum;
}

}  // namespace flx
