// SPDX-License-Identifier: Apache-2.0
#include "kvstore/client.h"

#include <cstring>
#include <map>
#include <thread>

#include "base/config.h"
#include "base/fork.h"
#include "base/log.h"
#include "base/thread.h"
#include "kvstore/reducer.h"
#include "ps/exception.h"

namespace flx {
namespace {

const char* kHow = " Start the program by `flexor-launch -n WORKERS -s SERVERS COMMAND`, or set DMLC_ROLE, DMLC_PS_ROOT_URI, DMLC_PS_ROOT_PORT, DMLC_NUM_WORKER and DMLC_NUM_SERVER.";

ps::Role RoleOf(const StoreDef& def, const std::string& text) {
  std::string t = PlainName(text);
  if (t == "worker") return ps::Role::kWorker;
  if (t == "server") return ps::Role::kServer;
  if (t == "scheduler") return ps::Role::kScheduler;
  if (t.empty()) Fail(Status::kState, def.name, "this process belongs to no job: DMLC_ROLE is not set.", kHow);
  Fail(Status::kArgument, def.name, "the role (DMLC_ROLE) must be worker, server or scheduler, given `", text, "`.");
}
int64_t Count(const StoreDef& def, const char* name, const std::optional<int64_t>& given, Opt option, int64_t low, int64_t high) {
  int64_t n = given ? *given : GetInt(option);
  if (n < low || n > high) Fail(Status::kArgument, def.name, name, " must be in [", low, ", ", high, "], given ", n, ".", n == 0 ? kHow : "");
  return n;
}
int64_t Milliseconds(double seconds) { return seconds > 9e12 ? int64_t(9e15) : int64_t(seconds * 1000); }

void CopyPieces(const std::vector<ps::Piece>& pieces, const NDArray& to) {
  TensorView view = to->View();
  bool straight = to->contiguous;
  std::vector<char> whole(straight ? 0 : size_t(to->bytes()));
  char* out = straight ? static_cast<char*>(view.raw()) : whole.data();
  uint64_t done = 0;
  for (auto& p : pieces) {
    if (p.offset != done || p.bytes.size() > uint64_t(to->bytes()) - done) Fail(Status::kInternal, "store", "a pull gave ", p.bytes.size(), " bytes at ", p.offset, " for an array of ", to->bytes(), ".");
    std::memcpy(out + p.offset, p.bytes.data(), p.bytes.size());
    done += p.bytes.size();
  }
  if (done != uint64_t(to->bytes())) Fail(Status::kInternal, "store", "a pull gave ", done, " bytes for an array of ", to->bytes(), ".");
  if (!straight) CopyStrided(MakeView(whole.data(), to->dtype, to->shape), view);
}

// One pool for all stores, for ever: its own threads let go of them. A forked child has none of its threads and makes another.
std::shared_ptr<ps::Executor> ThePool() {
  struct Pool { std::mutex mutex; std::shared_ptr<ps::Executor> executor; int forks = -1; };
  static auto* pool = new Pool;
  std::lock_guard<std::mutex> lock(pool->mutex);
  if (pool->forks != ForkCount()) {
    if (pool->executor) new std::shared_ptr<ps::Executor>(pool->executor);  // the parent's: never let go of
    pool->executor = ps::MakePool(2), pool->forks = ForkCount();
  }
  return pool->executor;
}

void Note(const ps::Notice& n) {
  if (n.text.empty()) return;
  bool bad = n.event == ps::Event::kNodeLost || n.event == ps::Event::kFailed || n.event == ps::Event::kEvicted || n.event == ps::Event::kRolledBack || n.event == ps::Event::kWaiting;
  Log(bad ? LogLevel::kWarning : n.event == ps::Event::kNoReplicas ? LogLevel::kInfo : LogLevel::kDebug, n.text);
}
}  // namespace

ps::Settings NodeSettings(const StoreDef& def, const DistSettings& given) {
  ps::Settings s;
  s.role = RoleOf(def, given.role.empty() ? GetText(Opt::kPsRole) : given.role);
  s.root_host = given.root_uri.empty() ? GetText(Opt::kPsRootHost) : given.root_uri;
  bool scheduler = s.role == ps::Role::kScheduler;
  s.root_port = int(Count(def, "the scheduler's port (DMLC_PS_ROOT_PORT)", given.root_port, Opt::kPsRootPort, scheduler ? 0 : 1, 65535));
  s.workers = uint32_t(Count(def, "the number of workers (DMLC_NUM_WORKER)", given.num_worker, Opt::kPsWorkers, scheduler ? 1 : 0, 65536));
  s.servers = uint32_t(Count(def, "the number of servers (DMLC_NUM_SERVER)", given.num_server, Opt::kPsServers, 0, 65536));
  if (s.role == ps::Role::kServer && !s.servers) Fail(Status::kArgument, def.name, "this process is a server (DMLC_ROLE), and there are to be none (DMLC_NUM_SERVER=0).", kHow);
  s.rank = given.rank ? *given.rank : GetInt(Opt::kPsRank);
  s.job = given.job.empty() ? GetText(Opt::kPsJob) : given.job;
  s.interface = GetText(Opt::kPsInterface), s.host = GetText(Opt::kPsHost);
  std::string mode = def.mode;
  s.mode = mode == "async" ? ps::Mode::kAsync : mode == "stale" ? ps::Mode::kStale : ps::Mode::kSync;
  s.stale_bound = uint64_t(Count(def, "the bound (FLEXOR_PS_STALE_BOUND)", given.bound, Opt::kPsStaleBound, 0, 1 << 30));
  std::string policy = GetText(Opt::kPsPolicy);
  s.policy = policy == "continue" ? ps::Policy::kContinue : policy == "rollback" ? ps::Policy::kRollback : ps::Policy::kFail;
  s.replicas = uint32_t(GetInt(Opt::kPsReplicas));
  if (s.replicas && s.replicas >= std::max<uint32_t>(1, s.servers ? s.servers : s.workers))
    Fail(Status::kArgument, def.name, "FLEXOR_PS_REPLICAS must be below the number of servers, ", int64_t(s.servers ? s.servers : s.workers), "; given ", int64_t(s.replicas), ".");
  s.slice_bytes = uint64_t(GetInt(Opt::kPsSlice));
  if (s.slice_bytes < 1024 || s.slice_bytes > uint64_t(1) << 30) Fail(Status::kArgument, def.name, "FLEXOR_PS_SLICE must be from 1K to 1G, given ", int64_t(s.slice_bytes), ".");
  s.bigarray_bound = uint64_t(std::min<int64_t>(GetInt(Opt::kPsBigArray), int64_t(1) << 60)) * 4;
  s.memory_bytes = uint64_t(GetInt(Opt::kPsMemory));
  s.timeout_ms = Milliseconds(given.timeout ? *given.timeout : GetDouble(Opt::kPsTimeout));
  s.rendezvous_ms = Milliseconds(GetDouble(Opt::kPsRendezvous));
  s.beat_ms = std::max<int64_t>(10, Milliseconds(GetDouble(Opt::kPsHeartbeat)));
  s.patience_ms = Milliseconds(GetDouble(Opt::kPsPatience));
  s.key_file = GetText(Opt::kPsKeyFile), s.key_secret = GetText(Opt::kPsKey), s.scheduler_key = GetText(Opt::kPsSchedulerKey), s.allow_file = GetText(Opt::kPsAllow);
  s.log_file = GetText(Opt::kPsLog), s.cut_prefix = GetText(Opt::kPsCheckpoint), s.resume = GetText(Opt::kPsResume) == "1";
  return s;
}

Error ErrorOf(const ps::Status& status, const std::string& what) {
  Status s = Status::kInternal;
  switch (status.code) {
    case ps::Code::kOk: case ps::Code::kInternal: break;
    case ps::Code::kArgument: s = Status::kArgument; break;
    case ps::Code::kState: case ps::Code::kUnknownKey: s = Status::kState; break;
    case ps::Code::kMismatch: s = Status::kShape; break;
    case ps::Code::kNetwork: case ps::Code::kTimeout: case ps::Code::kRefused: case ps::Code::kEvicted: s = Status::kNetwork; break;
    case ps::Code::kRolledBack: s = Status::kRolledBack; break;
    case ps::Code::kMemory: s = Status::kMemory; break;
    case ps::Code::kFile: s = Status::kFile; break;
    case ps::Code::kReducer: s = Status::kError; break;
    case ps::Code::kUnsupported: s = Status::kUnsupported; break;
  }
  std::string text = status.text;
  if (text.compare(0, 5, "[ps] ") == 0) text.erase(0, 5);
  return Error(s, Text("[store] ", what, what.empty() ? "" : ": ", text));
}

// ---- the stores' numbers in a trace, at its start and its end
struct Live { std::mutex mutex; std::map<const Client*, int> clients; int made = 0; };
static Live& TheLive() {
  static auto& live = *new Live;
  return live;
}
static void SampleStores() {
  Live& live = TheLive();
  std::lock_guard<std::mutex> lock(live.mutex);
  for (auto& [client, number] : live.clients) const_cast<Client*>(client)->Sample(Text("store ", number, " "));
}
void Client::Sample(const std::string& prefix) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_ || ForkCount() != forks_) return;
  for (auto& [name, value] : node_->Counters()) ProfileCounter(prefix + name, value);
}

Client::Client(const ps::Settings& settings) : executor_(ThePool()), forks_(ForkCount()) {
  try {
    node_ = ps::Node::Start(settings, std::make_shared<TensorReducer>(), executor_, &Note);
  } catch (const ps::Error& e) {
    throw ErrorOf(e.status(), "");
  }
  static const bool sampled = (AddProfileSampler(&SampleStores), true);
  (void)sampled;
  Live& live = TheLive();
  std::lock_guard<std::mutex> lock(live.mutex);
  live.clients.emplace(this, live.made++);
}
Client::~Client() {
  {
    std::lock_guard<std::mutex> lock(TheLive().mutex);
    TheLive().clients.erase(this);
  }
  Close();
}
void Client::Call(uint64_t returns, const std::function<void(ps::Worker&)>& call) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) Fail(Status::kState, "store", "it was freed before this was sent. Wait for what is under way first (a barrier, or flx_store_finish).");
  ps::Worker worker(*node_, returns);
  call(worker);
}
void Client::CheckProcess(const char* what) const {
  if (ForkCount() != forks_)
    Fail(Status::kState, "store", what, " of a dist store in a forked process: it belongs to the one that made it. Load data in processes that are started before the store is made, or that do not use it.");
}
// Saying goodbye takes up to two seconds: not in the caller's thread, which may be a collector's.
void Client::Close() {
  std::unique_ptr<ps::Node> node;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    closed_ = true;
    node = std::move(node_);
  }
  if (ForkCount() != forks_) {
    (void)node.release();  // its threads are the parent's
    return;
  }
  ps::Node* raw = node.release();
  try {
    StartThread("flx-goodbye", [raw] { delete raw; }).detach();
  } catch (const std::system_error&) {
    delete raw;
  }
}

void NetOperation::Execute() {
  ps::Buffer sent;
  if (from) sent = ps::Buffer::Wrap(from->View().raw(), size_t(from->bytes()), [keep = from] {});
  auto shared = client;  // this may be gone before the call returns
  profiled_ = Profiling(ProfileKind::kOperator);
  if (profiled_) span_.Begin();
  shared->Call(returns, [&](ps::Worker& w) {
    call(w, std::move(sent), [op = this](const ps::Status& status, ps::Reply& reply) {
      if (!status.ok()) {
        Error e = ErrorOf(status, op->what);
        return op->End(&e);
      }
      if (op->key) op->key->round.store(reply.round, std::memory_order_relaxed);
      if (op->to.empty()) return op->End(nullptr);
      op->client->executor()->Run([op, pieces = std::move(reply.pieces)] {
        std::optional<Error> failed;
        try {
          for (auto& target : op->to) CopyPieces(pieces, target);
        } catch (...) {
          failed = Engine::CurrentError();
        }
        op->End(failed ? &*failed : nullptr);
      });
    });
  });
}
void NetOperation::End(const Error* failed) {
  if (profiled_) {
    ProfileFacts facts;
    facts.Category("network"), facts.Name(what);
    if (from) facts.Array(false, from->dtype, from->shape.data(), int(from->shape.size()));
    for (auto& a : to) facts.Array(true, a->dtype, a->shape.data(), int(a->shape.size()));
    span_.End(ProfileKind::kOperator, nullptr, &facts);
  }
  if (failed && meeting) {
    std::lock_guard<std::mutex> lock(meeting->mutex);
    meeting->failed = *failed, failed = nullptr;
  }
  Engine::Complete(this, failed);
}
void NetOperation::Describe(Error* e) const {
  e->op = "store";
  if (e->origin.empty()) e->origin = origin;
}

}  // namespace flx
