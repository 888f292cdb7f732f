// SPDX-License-Identifier: Apache-2.0
// A dist store's node, its settings, and the operations that send and receive.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "kvstore/store.h"
#include "profiler/profiler.h"
#include "ps/worker.h"

namespace flx {

struct DistSettings {
  std::string role, root_uri, job, aggregate = "sum";
  std::optional<int64_t> root_port, num_worker, num_server, rank, bound;
  std::optional<double> timeout;
};
// From the settings given, else from the environment; what is missing or contradictory is an error that names it.
ps::Settings NodeSettings(const StoreDef& def, const DistSettings& given);
Error ErrorOf(const ps::Status& status, const std::string& what);

// The node, shared with operations under way. They do not keep it alive: after Close they fail.
class Client {
 public:
  explicit Client(const ps::Settings& settings);
  ~Client();
  ps::Node* node() { return node_.get(); }
  // `call` starts calls of the worker, made by somebody who has heard of so many returns to a checkpoint; a closed store's fails.
  void Call(uint64_t returns, const std::function<void(ps::Worker&)>& call);
  const std::shared_ptr<ps::Executor>& executor() const { return executor_; }
  void CheckProcess(const char* what) const;  // throws in a forked child
  void Close();                               // does not wait
  void Sample(const std::string& prefix);     // its counters into a profile

 private:
  std::shared_ptr<ps::Executor> executor_;
  std::mutex mutex_;
  std::unique_ptr<ps::Node> node_;
  bool closed_ = false;
  int forks_;
};

// Something with a variable of its own: a key, a store's order, the end of a barrier.
class Token : public Object {
 public:
  Token() : Object(Kind::kNone) {}
  Var var;

 protected:
  ~Token() override { var.Reset(); }
};
struct DistKey : Token {
  ps::KeyInfo info;
  std::atomic<uint64_t> round{0};  // of what was pulled last
  int64_t step = 0;                // of what was pushed last
};
// The end of a barrier or the like. What went wrong is kept here, and no poison: later calls do not fail for it.
struct Meeting : Token {
  std::mutex mutex;
  std::optional<Error> failed;
};

// One call of the worker as an operation: it keeps its variables until the call has ended.
struct NetOperation : Operation {
  std::shared_ptr<Client> client;
  std::string what, origin;                 // "push of key `w`"
  std::vector<Ref<Token>> tokens;           // kept alive
  NDArray from;                             // what is sent
  std::vector<NDArray> to;                  // where what comes goes
  std::function<void(ps::Worker&, ps::Buffer, ps::Done)> call;
  uint64_t returns = 0;                     // to a checkpoint, that its maker had heard of
  Ref<DistKey> key;                         // whose round is noted
  Ref<Meeting> meeting;                     // that hears of a failure in place of the engine
  NetOperation() { deferred = true, lane = Lane::kComm; }
  void Execute() override;
  void End(const Error* failed);            // by what Execute has begun, once; it is gone then
  void Describe(Error* e) const override;

 private:
  ProfileSpan span_;
  bool profiled_ = false;
};

}  // namespace flx
