// SPDX-License-Identifier: Apache-2.0
// The stores of a job: a worker's calls as operations, a server's and a scheduler's serving.
#include <atomic>

#include "exec/core.h"
#include "exec/invoke.h"
#include "kvstore/client.h"
#include "kvstore/reducer.h"
#include "tensor/collective.h"
#include "tensor/device_array.h"

namespace flx {
namespace {

class DistStore final : public Store {
 public:
  DistStore(const StoreDef& d, const DistSettings& given) : Store(d), settings_(NodeSettings(d, given)) {
    std::string a = PlainName(given.aggregate);
    if (a != "sum" && a != "mean") Fail(Status::kArgument, d.name, "aggregate must be sum or mean, given `", given.aggregate, "`.");
    together_ = a == "mean" ? Together::kMean : Together::kSum;
    client_ = std::make_shared<Client>(settings_);
  }
  ~DistStore() override { client_->Close(); }

  bool distributed() const override { return true; }
  bool synchronous() const override { return settings_.mode == ps::Mode::kSync; }
  StoreRole role() const override {
    return settings_.role == ps::Role::kWorker ? StoreRole::kWorker : settings_.role == ps::Role::kServer ? StoreRole::kServer : StoreRole::kScheduler;
  }
  int rank() const override { return Joined() ? int(node().rank()) : 0; }
  int workers() const override { return Joined() ? int(node().workers()) : int(settings_.workers); }
  int servers() const override { return Joined() ? int(node().servers()) : int(settings_.servers); }
  std::string Address() const override { return node().Address(); }
  std::string Describe() const override { return node().Describe(); }
  std::vector<std::pair<std::string, double>> Numbers() const override {
    auto all = Store::Numbers();
    for (auto& c : node().Counters()) all.push_back(c);
    return all;
  }

  bool Join(int64_t timeout_ms) override {
    client_->CheckProcess("join");
    return Reached(node().WaitReady(timeout_ms), "join");
  }
  bool Serve(int64_t timeout_ms) override {
    client_->CheckProcess("serve");
    if (role() == StoreRole::kWorker) return true;
    return Reached(node().WaitEnd(timeout_ms), "serve");
  }
  bool Barrier(int64_t timeout_ms) override {
    return Meet("barrier", &barrier_, timeout_ms, [](ps::Worker& w, ps::Buffer, ps::Done done) { w.Barrier(std::move(done)); });
  }
  bool Finish(int64_t timeout_ms) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (finished_) return true;
    }
    if (!left_ && !Meet("finish", &finish_, timeout_ms, [](ps::Worker& w, ps::Buffer, ps::Done done) { w.Finish(std::move(done)); })) return false;
    left_ = true;
    if (settings_.servers == 0) {  // others may still want what lies here
      if (!Reached(node().WaitEnd(timeout_ms), "finish")) return false;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    return finished_ = true;
  }
  bool Checkpoint(int64_t timeout_ms) override {
    return Meet("checkpoint", &checkpoint_, timeout_ms, [](ps::Worker& w, ps::Buffer, ps::Done done) { w.Checkpoint(std::move(done)); });
  }
  // What was called before may still be under way, and fails: it has the variables of then.
  int64_t Recover() override {
    std::lock_guard<std::mutex> lock(mutex_);
    CheckStanding("recover");
    ps::Progress p = node().progress();
    if (!known_ || p.returns == *known_) return -1;
    known_ = p.returns, step_ = int64_t(p.returned_to);
    order_ = Make<Token>(), barrier_ = finish_ = checkpoint_ = nullptr;
    for (auto& [name, key] : dist_keys_) {
      auto fresh = Make<DistKey>();
      fresh->info = key->info, key = fresh;
      doubtful_.insert(name);
    }
    return int64_t(p.returned_to);
  }
  JobProgress Progress() const override {
    ps::Progress p = node().progress();
    return {int64_t(p.checkpoint), int64_t(p.checkpoint_round), int64_t(p.returns), int64_t(p.returned_to), int64_t(p.first_round)};
  }
  int64_t NextStep() override {
    std::lock_guard<std::mutex> lock(mutex_);
    return synchronous() ? step_ = std::max(step_, FirstStep() - 1) + 1 : 0;
  }
  int64_t LastStep() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return synchronous() ? std::max(step_, FirstStep() - 1) : 0;
  }
  int64_t RoundOf(const std::string& key) const override {
    std::lock_guard<std::mutex> lock(mutex_);
    auto k = dist_keys_.find(key);
    return k == dist_keys_.end() ? 0 : int64_t(k->second->round.load(std::memory_order_relaxed));
  }
  Optimizer::State SaveStates() override { NoStates("save"); }
  void LoadStates(const Optimizer::State&) override { NoStates("load"); }

 private:
  ps::Node& node() const { return *client_->node(); }
  // After a wait: false if its time was up and the node goes on, which it may have done just now. A rendezvous that timed out is a failure.
  bool Reached(const ps::Status& s, const char* what) const {
    if (s.ok()) return true;
    const ps::Status why = node().failure();
    if (s.code == ps::Code::kTimeout && why.ok()) return false;
    throw ErrorOf(why.ok() ? s : why, what);
  }
  // Of a push, in the order of the program; operations may start in another.
  uint64_t StepOf(const std::string& name, PushInfo info) {
    if (!synchronous()) return 0;
    DistKey& key = *dist_keys_[name];
    step_ = key.step = std::max({info.step, step_, FirstStep() - 1, std::max(key.step, int64_t(key.round.load(std::memory_order_relaxed))) + 1});
    return uint64_t(step_);
  }
  int64_t FirstStep() const { return int64_t(node().progress().first_round); }
  bool Joined() const { return node().state() != ps::State::kJoining; }
  [[noreturn]] void NoStates(const char* what) const {
    Fail(Status::kUnsupported, "store", "the servers of a ", def.name, " store hold the optimizer's states; ", what, "ing them in one file is not supported. A checkpoint (flx_store_checkpoint) has them.");
  }
  void CheckStanding(const char* what) const {
    client_->CheckProcess(what);
    Store::CheckUse(what);
    if (finished_) Fail(Status::kState, "store", what, " after finish: this worker has left its job. Make a new store for another one.");
    if (node().state() == ps::State::kJoining) Fail(Status::kState, "store", what, " before the job is complete. Wait for it (flx_store_join).");
    if (!node().failure().ok()) throw ErrorOf(node().failure(), what);
  }
  void CheckUse(const char* what) const override {
    CheckStanding(what);
    ps::Progress p = node().progress();
    if (!known_) known_ = p.returns;  // who comes after a return has nothing to go back from
    if (p.returns != *known_)
      Fail(Status::kRolledBack, "store", what, ": the job went back to the checkpoint of round ", int64_t(p.returned_to), ". Call recover (flx_store_recover), pull, and go on from there.");
  }

  // ---- operations
  std::unique_ptr<NetOperation> New(std::string what, int priority) {
    auto op = std::make_unique<NetOperation>();
    op->client = client_, op->what = std::move(what), op->origin = Origin(), op->priority = priority, op->returns = *known_;
    op->tokens.push_back(order_);
    return op;
  }
  void PushOperation(std::unique_ptr<NetOperation> op, Access order, const Ref<Token>& token) {
    std::vector<VarUse> uses = {{&order_->var, order}};
    if (token) op->tokens.push_back(token), uses.push_back({&token->var, Access::kUpdate});
    if (op->from) uses.push_back({&op->from->storage->var, Access::kRead});
    for (auto& t : op->to) uses.push_back({&t->storage->var, t->whole() ? Access::kWrite : Access::kUpdate});
    Engine::RefuseMapped("store", uses.data(), int(uses.size()));
    static const Writer writer = WriterOf("store_pull");
    for (auto& t : op->to) t->storage->NoteWriter(writer);
    Engine::Get().Push(op.release(), uses.data(), int(uses.size()));
  }
  // Each group's sum, on the host; arrays of devices are summed there, where their collectives do it.
  std::vector<NDArray> Sent(const std::vector<Group>& all) const {
    std::vector<NDArray> sums;
    collective::Batch batch;
    for (auto& g : all) {
      NDArray first = g.arrays[0], sum = g.arrays.size() == 1 ? first : first->on_cpu() ? nullptr : Array::New(first->shape, first->dtype, first->device());
      if (g.arrays.size() > 1 && !(sum && batch.Reduce(g.arrays, sum))) sum = SumOn(g.arrays, nullptr);
      sums.push_back(std::move(sum));
    }
    batch.Issue();
    for (auto& s : sums) {
      if (!s->on_cpu()) s = CopyToHost(s);
      else if (!s->contiguous) s = CopyOf(s);
    }
    return sums;
  }
  // What comes is written on the host; arrays on devices are copies of one there.
  void PullBy(std::unique_ptr<NetOperation> op, const Group& g) {
    NDArray host;
    for (auto& a : g.arrays) {
      if (a->on_cpu()) op->to.push_back(a);
      else if (!host) op->to.push_back(host = PinnedArray(a->device(), a->shape, a->dtype));
    }
    op->key = dist_keys_[g.key];
    PushOperation(std::move(op), Access::kRead, dist_keys_[g.key]);
    for (auto& a : g.arrays)
      if (!a->on_cpu()) CopyInto(host, a);
  }
  // What all that was called before must have ended for; polled by its callers.
  template <class F> bool Meet(const char* what, Ref<Meeting>* token, int64_t timeout_ms, F call) {
    Ref<Meeting> wait;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      CheckUse(what);
      if (!*token) {
        auto op = New(what, 0);
        op->call = call;
        auto made = Make<Meeting>();
        op->meeting = made;
        PushOperation(std::move(op), Access::kUpdate, made);
        *token = made;
      }
      wait = *token;
    }
    if (!Engine::Get().WaitToRead(&wait->var, timeout_ms)) return false;
    std::lock_guard<std::mutex> lock(mutex_);
    if (*token == wait) *token = nullptr;
    if (auto p = wait->var.GetPoison()) {
      p->seen = true;
      throw Error(p->error);
    }
    std::lock_guard<std::mutex> ended(wait->mutex);
    if (wait->failed) throw Error(*wait->failed);
    return true;
  }

  void DoInit(const std::string& key, const NDArray& value, std::optional<Together> together) override {
    auto k = Make<DistKey>();
    if (value->dtype == DType::kBool) Fail(Status::kType, "store", "key `", key, "`: arrays of dtype bool are not summed. Cast them.");
    k->info.name = key, k->info.dtype = int32_t(value->dtype), k->info.item_bytes = uint32_t(DTypeSize(value->dtype)), k->info.bytes = uint64_t(value->bytes());
    k->info.meta = KeyMeta(together.value_or(together_) == Together::kMean ? ps::Aggregate::kMean : ps::Aggregate::kSum, value->shape);
    auto op = New(Text("init of key `", key, "`"), 0);
    op->from = CopyOf(value, nullptr);  // the caller goes on with its own
    op->call = [info = k->info](ps::Worker& w, ps::Buffer b, ps::Done done) { w.Init(info, std::move(b), std::move(done)); };
    PushOperation(std::move(op), Access::kRead, k);
    dist_keys_[key] = k;
  }
  void DoPush(const std::vector<Group>& all, PushInfo info) override {
    const auto sent = Sent(all);
    for (size_t i = 0; i < all.size(); ++i) {
      const std::string& key = all[i].key;
      auto op = New(Text("push of key `", key, "`"), info.priority);
      op->from = sent[i];
      op->call = [key, info, step = StepOf(key, info)](ps::Worker& w, ps::Buffer b, ps::Done done) { w.Push(key, std::move(b), uint64_t(info.samples), info.priority, std::move(done), step); };
      PushOperation(std::move(op), Access::kRead, dist_keys_[key]);
    }
  }
  void DoPull(const std::vector<Group>& all, int priority) override {
    for (auto& g : all) {
      auto op = New(Text("pull of key `", g.key, "`"), priority);
      op->call = [key = g.key, priority](ps::Worker& w, ps::Buffer, ps::Done done) { w.Pull(key, priority, std::move(done)); };
      PullBy(std::move(op), g);
    }
  }
  void DoPushPull(const std::vector<Group>& push, const std::vector<Group>& pull, PushInfo info) override {
    const auto sent = Sent(push);
    for (size_t i = 0; i < push.size(); ++i) {
      const std::string& key = push[i].key;
      auto op = New(Text("push_pull of key `", key, "`"), info.priority);
      op->from = sent[i];
      op->call = [key, info, step = StepOf(key, info)](ps::Worker& w, ps::Buffer b, ps::Done done) {
        w.PushPull(key, std::move(b), uint64_t(info.samples), info.priority, std::move(done), step);
      };
      PullBy(std::move(op), pull[i]);
    }
  }
  void Configure(const char* what, const char* name, std::string text) {
    if (rank() != 0) return;
    auto op = New(what, 0);
    op->call = [name, text = std::move(text)](ps::Worker& w, ps::Buffer, ps::Done done) { w.Configure(name, text, std::move(done)); };
    PushOperation(std::move(op), Access::kUpdate, nullptr);
  }
  void DoSetOptimizer(Ref<Optimizer> o) override { Configure("the optimizer", TensorReducer::kOptimizer, PackState(o->Save())), optimizer_ = std::move(o); }
  void DoSet(std::string_view key, std::string_view value) override {
    optimizer_->Set(key, value);  // what is wrong with it is told here
    Optimizer::State change;
    change.text[std::string(key)] = std::string(value);
    Configure("a setting of the optimizer", TensorReducer::kSetting, PackState(change));
  }

  ps::Settings settings_;
  Together together_ = Together::kSum;
  std::shared_ptr<Client> client_;
  Ref<Token> order_ = Make<Token>();  // read by calls of keys, written by what all must have ended for
  Ref<Meeting> barrier_, finish_, checkpoint_;
  mutable std::optional<uint64_t> known_;  // the returns to a checkpoint that the caller has heard of
  std::map<std::string, Ref<DistKey>, std::less<>> dist_keys_;
  Ref<Optimizer> optimizer_;
  int64_t step_ = 0;  // the last one that was begun
  std::atomic<bool> left_{false};
  bool finished_ = false;
};

Ref<Store> NewDistStore(const StoreDef& def, const void* settings) { return Make<DistStore>(def, *static_cast<const DistSettings*>(settings)); }

Define<StoreDef, DistSettings> New(const char* name, const char* mode, const char* doc) {
  using S = DistSettings;
  Define<StoreDef, S> d(name);
  return d.family("store").doc(doc).example(name).with(&StoreDef::make, &NewDistStore).with(&StoreDef::mode, mode)
      .attr(&S::role, "role", "worker, server or scheduler. Empty: DMLC_ROLE.")
      .attr(&S::root_uri, "root_uri", "Where the scheduler is. Empty: DMLC_PS_ROOT_URI.")
      .attr(&S::root_port, "root_port", "The scheduler's port; there, 0 is one of the system's choice. None: DMLC_PS_ROOT_PORT.").range(0, 65535)
      .attr(&S::num_worker, "num_worker", "How many workers the job begins with. None: DMLC_NUM_WORKER.").range(0, 65536)
      .attr(&S::num_server, "num_server", "How many servers there are; 0: each worker holds a share of the keys. None: DMLC_NUM_SERVER.").range(0, 65536)
      .attr(&S::rank, "rank", "The rank wanted, that of a worker that comes back; -1: any. None: FLEXOR_PS_RANK.").at_least(-1)
      .attr(&S::job, "job", "The job's name. Empty: FLEXOR_PS_JOB.")
      .attr(&S::aggregate, "aggregate", "What becomes of the pushes of several workers: sum, or mean, weighted by their samples. A fit's are averaged.")
      .attr(&S::timeout, "timeout", "Seconds after which a call that waits for others fails. None: FLEXOR_PS_TIMEOUT.").above(0);
}
}  // namespace

void AddDistStores(std::vector<StoreDef>* all) {
  all->push_back(New("dist_sync", "sync", "Arrays of a job of several processes: a push waits for those of all workers, and all pull the same.")
      .alias("dist").alias("dist_device_sync").alias("dist_sync_device"));
  all->push_back(New("dist_async", "async", "Arrays of a job of several processes: each push is applied as it comes.").alias("dist_device_async").alias("dist_async_device"));
  all->push_back(New("dist_stale", "stale", "Arrays of a job of several processes: each push is applied as it comes, and the fastest worker waits when it is too far ahead.")
      .attr(&DistSettings::bound, "bound", "How many pushes of a key a worker may be ahead of the slowest. None: FLEXOR_PS_STALE_BOUND.").at_least(0));
}

}  // namespace flx
