// SPDX-License-Identifier: Apache-2.0
// Key-value stores: arrays by name, summed over those who push and given to those who pull. `local` lives in this process; the `dist_` kinds join a job
// over ps-lite.
//   Rules: pushes and pulls are engine operations; nothing here waits but Join, Barrier, Finish and Serve. Arrays of one key are summed in the order given. Without an optimizer
//   a push replaces the key's value by the sum; with one, the sum is its gradient. A failure poisons what is pulled.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/registry.h"
#include "tensor/array.h"
#include "train/optimizer.h"

namespace flx {

class Store;
struct StoreDef : Registered {
  Ref<Store> (*make)(const StoreDef& def, const void* settings) = nullptr;
  const char* mode = "";  // of a dist store: sync, async or stale
};
const Registry<StoreDef>& Stores();

enum class StoreRole { kWorker, kServer, kScheduler };
const char* RoleName(StoreRole role);

enum class Together { kSum, kMean };  // what becomes of the pushes of several workers: MXNet's sum, or the mean, weighted by samples

// How far a job is with its checkpoints; a store of one process has none.
struct JobProgress {
  int64_t checkpoint = 0, checkpoint_round = 0;  // the last complete one's number (0: none) and round: how many updates its keys have had
  int64_t returns = 0, returned_to = 0;          // how often the job went back to one, and to which round at last
  int64_t first_round = 1;                       // the first round this worker takes part in
};

// What a push says beside its arrays. samples: of the batch behind a gradient; `mean` weighs by them. Higher priorities are sent first.
// step: NextStep's, of all pushes of one step; 0: a store of a job goes by their order.
struct PushInfo { int64_t samples = 1; int priority = 0; int64_t step = 0; };

class Store : public Object {
 public:
  static Ref<Store> New(std::string_view kind, const Settings& settings);
  const StoreDef& def;

  virtual bool Join(int64_t timeout_ms) = 0;       // until the job is complete and rank() is known; false: time is up
  virtual StoreRole role() const { return StoreRole::kWorker; }
  virtual int rank() const { return 0; }
  virtual int workers() const { return 1; }
  virtual int servers() const { return 0; }
  virtual bool synchronous() const { return true; }  // whether a round has the pushes of all workers
  virtual bool distributed() const { return false; }         // whether it belongs to a job

  // Keys begin with these values; one that is there already keeps its own. One entry a key.
  // Whether pushes of several workers are summed or averaged is said here, once (none: the store's own setting).
  void Init(const std::vector<std::string>& keys, const std::vector<NDArray>& values, std::optional<Together> together = {});
  virtual void Forget(const std::vector<std::string>& keys) { (void)keys; }  // of a local store: they may be initialized anew
  // Repeated keys: their arrays are summed (push), or all get the value (pull).
  void Push(const std::vector<std::string>& keys, const std::vector<NDArray>& values, PushInfo info);
  void Pull(const std::vector<std::string>& keys, const std::vector<NDArray>& targets, int priority);
  void PushPull(const std::vector<std::string>& keys, const std::vector<NDArray>& values, const std::vector<NDArray>& targets, PushInfo info);  // one of each a key

  // From now on a push is a gradient, and the key's value its weight. A copy: rule, settings, schedule; counts and states begin anew.
  void SetOptimizer(const Optimizer& optimizer);
  void Set(std::string_view key, std::string_view value);  // a setting of that optimizer
  bool has_optimizer() const;
  virtual Optimizer::State SaveStates() = 0;                // of the optimizer
  virtual void LoadStates(const Optimizer::State& state) = 0;

  virtual bool Barrier(int64_t timeout_ms) = 0;            // until every worker is there; false: time is up, call again
  // This worker pushes no more, and the others go on without it. Keys and optimizer of a local store are forgotten.
  virtual bool Finish(int64_t timeout_ms) = 0;
  // All servers write what they hold to their disks, as of what this worker has pushed so far; its later pushes wait until they have. False: time is up, call again.
  virtual bool Checkpoint(int64_t timeout_ms);
  // After a kRolledBack error, which every call gives until then: calls count again, and what is pulled is the checkpoint's. Its round; -1: the job did not go back.
  virtual int64_t Recover() { return -1; }
  virtual JobProgress Progress() const { return {}; }
  // A synchronous job numbers rounds by the steps of its workers' programs, so that who joins knows where it begins: a new step's number. Elsewhere 0.
  virtual int64_t NextStep() { return 0; }
  virtual int64_t LastStep() const { return 0; }
  virtual int64_t RoundOf(const std::string& key) const { return (void)key, 0; }  // of a job's key: of the value pulled last
  virtual bool Serve(int64_t timeout_ms) = 0;              // a server's or scheduler's part; true: the job is over

  virtual std::string Address() const { return ""; }       // host:port where the others of its job reach this process
  virtual std::string Describe() const = 0;                // for people: who is there, who waits for whom
  virtual std::vector<std::pair<std::string, double>> Numbers() const;  // rank, workers ..., and counters

 protected:
  explicit Store(const StoreDef& d) : Object(Kind::kStore), def(d) {}
  struct Key { Shape shape; DType dtype = DType::kFloat32; };
  struct Group { std::string key; std::vector<NDArray> arrays; };  // of one key, in the order given

  // Under mutex_, with arguments that fit.
  virtual void DoInit(const std::string& key, const NDArray& value, std::optional<Together> together) = 0;
  // Of different keys.
  virtual void DoPush(const std::vector<Group>& all, PushInfo info) = 0;
  virtual void DoPull(const std::vector<Group>& all, int priority) = 0;
  virtual void DoPushPull(const std::vector<Group>& push, const std::vector<Group>& pull, PushInfo info) = 0;  // of the same keys; Separate
  virtual void DoSetOptimizer(Ref<Optimizer> o) = 0;
  virtual void DoSet(std::string_view key, std::string_view value) = 0;
  virtual void CheckUse(const char* what) const;           // throws if it may not be used now: not a worker, finished, forked
  // Whether no key's targets are arrays of another key: then their order is of no matter.
  static bool Separate(const std::vector<Group>& push, const std::vector<Group>& pull);
  size_t Keys() const { std::lock_guard<std::mutex> lock(mutex_); return keys_.size(); }
  std::vector<Group> Grouped(const char* what, const std::vector<std::string>& keys, const std::vector<NDArray>& arrays) const;

  mutable std::mutex mutex_;
  std::map<std::string, Key, std::less<>> keys_;
  bool optimizing_ = false;
  std::set<std::string, std::less<>> doubtful_;            // keys that were initialized before the job went back, and that the checkpoint may not have
};

Ref<Store> NewLocalStore(const StoreDef& def, const void* settings);
Ref<Store> NewDeviceStore(const StoreDef& def, const void* settings);  // local.cc
void AddDistStores(std::vector<StoreDef>* all);            // dist_store.cc
NDArray SumOn(const std::vector<NDArray>& arrays, const Device* device);  // SumInOrder of arrays from anywhere, by copies to `device`
NDArray SumInOrder(const std::vector<NDArray>& arrays);    // of one shape and dtype; the array itself if there is one

}  // namespace flx
