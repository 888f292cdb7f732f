// SPDX-License-Identifier: Apache-2.0
#include "base/config.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "base/fork.h"
#include "base/log.h"
#include "base/text.h"

namespace flx {
namespace {

enum class Form { kChoice, kInt, kNumber, kBytes, kText, kSecret };
struct Row {
  Opt opt;
  OptionInfo info;
  Form form;
  const char* choices = "";   // "a|b|c"
  double low = 0;             // of numbers
};
// In the order of Opt.
constexpr Row kTable[] = {
    {Opt::kEngine,
     {"FLEXOR_ENGINE", "MXNET_ENGINE_TYPE", "choice", "auto",
      "Where operations run. auto: short ones in the caller, long ones in workers; threaded: all in workers; inline: whatever is free in the "
      "caller; naive: in the caller, one after the other (MXNet's NaiveEngine; its ThreadedEngine* mean threaded)."},
     Form::kChoice, "auto|threaded|inline|naive"},
    {Opt::kEngineInlineUs,
     {"FLEXOR_ENGINE_INLINE_US", "", "number", "30", "With engine auto: an operation expected to take fewer microseconds runs in its caller."},
     Form::kNumber},
    {Opt::kNumThreads,
     {"FLEXOR_NUM_THREADS", "MXNET_CPU_WORKER_NTHREADS", "int", "0", "Threads that compute, the caller included. 0: one for each core."},
     Form::kInt},
    {Opt::kMemoryLimit,
     {"FLEXOR_MEMORY_LIMIT", "", "bytes", "0", "Host memory that arrays and the cache may take together, such as 8G. 0: no limit."},
     Form::kBytes},
    {Opt::kMemoryCacheLimit,
     {"FLEXOR_MEMORY_CACHE_LIMIT", "", "bytes", "0", "Freed host memory kept for the next array; more goes back to the system. 0: no limit."},
     Form::kBytes},
    {Opt::kDeviceMemoryLimit,
     {"FLEXOR_DEVICE_MEMORY_LIMIT", "", "bytes", "0", "Memory of each GPU that arrays and the cache may take together, such as 8G. 0: no limit. Read when the device is first used."},
     Form::kBytes},
    {Opt::kCudaTf32,
     {"FLEXOR_CUDA_TF32", "", "choice", "none",
      "Which float32 products a GPU may compute with TF32, whose factors have 10 bits of mantissa in place of 23: none, convolutions, or all (matrix products, "
      "too). Several times faster, and right to about three digits."},
     Form::kChoice, "none|convolutions|all"},
    {Opt::kDeterministic,
     {"FLEXOR_DETERMINISTIC", "", "choice", "0",
      "1: on a GPU only kernels run that give the same bits each time; where there is none, the call fails and names it. On the CPU it is always so."},
     Form::kChoice, "0|1"},
    {Opt::kCudnn,
     {"FLEXOR_CUDNN", "", "choice", "auto",
      "What a GPU computes with cuDNN, where it is installed. none: nothing; auto: convolutions; all: pooling, batch normalization and softmax, too, as far "
      "as it defines them as Flexor does."},
     Form::kChoice, "none|auto|all"},
    {Opt::kCudnnAutotune,
     {"FLEXOR_CUDNN_AUTOTUNE", "MXNET_CUDNN_AUTOTUNE_DEFAULT", "choice", "0",
      "How cuDNN's algorithm for a convolution is chosen, once for each shape. 0: by its own guess; 1 or 2: the algorithms are measured at the first call, which "
      "takes longer."},
     Form::kChoice, "0|1|2"},
    {Opt::kSeed, {"FLEXOR_SEED", "MXNET_SEED", "int", "0", "Seed of the random streams at start."}, Form::kInt, "", -9.3e18},
    {Opt::kLogLevel, {"FLEXOR_LOG_LEVEL", "", "choice", "info", "The least important records that are logged."},
     Form::kChoice, "debug|info|warning|error|none"},
    {Opt::kLogSink,
     {"FLEXOR_LOG_SINK", "", "text", "stderr", "Where records go: stderr, buffer (the host reads them), none, or the path of a file."},
     Form::kText},
    {Opt::kProfile,
     {"FLEXOR_PROFILE", "MXNET_PROFILER_AUTOSTART", "text", "",
      "A file: the whole process is profiled, from its first call on, and the trace is written there when it exits. 1: profile.json; 0: none."},
     Form::kText},
    {Opt::kOrigin,
     {"FLEXOR_ORIGIN", "", "choice", "0",
      "1: what fails after it was queued says which line of the program queued it (the packages of Python, R and Scala look for it at each call). With "
      "FLEXOR_ENGINE=naive nothing is queued, and an error comes out of the line itself."},
     Form::kChoice, "0|1"},
    {Opt::kTestDevice, {"FLEXOR_TEST_DEVICE", "", "text", "", "A device module that is loaded with the first look at the devices; for tests."},
     Form::kText},
    {Opt::kCacheFolder,
     {"FLEXOR_CACHE_DIR", "", "text", "",
      "Where kernels compiled at run time are kept for the next process; nobody else may write there. Empty: flexor in the user's cache folder (XDG_CACHE_HOME, or .cache at home); none: they are not kept."},
     Form::kText},
    {Opt::kCacheLimit, {"FLEXOR_CACHE_LIMIT", "", "bytes", "268435456", "Bytes kept there at most; what was used longest ago goes first. 0: no limit."}, Form::kBytes},
    {Opt::kFusedKernels,
     {"FLEXOR_FUSED_KERNELS", "", "choice", "1", "On GPUs, 1: elementwise operators that a plan has fused are compiled to one kernel when they first run (by NVRTC); 0: they run one by one."},
     Form::kChoice, "0|1"},
    {Opt::kCudaGraphs,
     {"FLEXOR_CUDA_GRAPHS", "", "choice", "1", "On GPUs, 1: what a plan's run issues is captured as a CUDA graph when its arrays lie where they did before, and launched as one from then on; 0: step by step."},
     Form::kChoice, "0|1"},
    {Opt::kPsRole, {"FLEXOR_PS_ROLE", "DMLC_ROLE", "text", "", "What this process is in a job of several: worker, server or scheduler. The options FLEXOR_PS_ are those of docs/distributed.md."}, Form::kText},
    {Opt::kPsRootHost, {"FLEXOR_PS_ROOT_HOST", "DMLC_PS_ROOT_URI", "text", "127.0.0.1", "Where the scheduler is."}, Form::kText},
    {Opt::kPsRootPort, {"FLEXOR_PS_ROOT_PORT", "DMLC_PS_ROOT_PORT", "int", "0", "The scheduler's port."}, Form::kInt},
    {Opt::kPsWorkers, {"FLEXOR_PS_WORKERS", "DMLC_NUM_WORKER", "int", "0", "How many workers the job begins with."}, Form::kInt},
    {Opt::kPsServers, {"FLEXOR_PS_SERVERS", "DMLC_NUM_SERVER", "int", "0", "How many servers there are. 0: each worker holds a share of the keys."}, Form::kInt},
    {Opt::kPsInterface, {"FLEXOR_PS_INTERFACE", "DMLC_INTERFACE", "text", "", "The network interface whose address others reach this process by, such as eth0."}, Form::kText},
    {Opt::kPsHost, {"FLEXOR_PS_HOST", "DMLC_NODE_HOST", "text", "", "The name or address that others reach this process by; empty: the interface's, or that of the way to the scheduler."}, Form::kText},
    {Opt::kPsRank, {"FLEXOR_PS_RANK", "DMLC_RANK", "int", "-1", "The rank wanted: that of a worker that comes back. -1: any."}, Form::kInt, "", -1},
    {Opt::kPsJob, {"FLEXOR_PS_JOB", "", "text", "", "The job's name; a process of another one is refused."}, Form::kText},
    {Opt::kPsStaleBound, {"FLEXOR_PS_STALE_BOUND", "", "int", "4", "Of a dist_stale store: how many pushes of a key a worker may be ahead of the slowest."}, Form::kInt},
    {Opt::kPsPolicy,
     {"FLEXOR_PS_POLICY", "", "choice", "fail", "What the loss of a worker does: fail ends the job, continue lets the others go on, rollback goes back to the last checkpoint."},
     Form::kChoice, "fail|continue|rollback"},
    {Opt::kPsReplicas, {"FLEXOR_PS_REPLICAS", "", "int", "0", "How many other servers hold a copy of each key's value."}, Form::kInt},
    {Opt::kPsSlice, {"FLEXOR_PS_SLICE", "", "bytes", "1048576", "Arrays are sent in slices of this size; the same in the whole job."}, Form::kBytes},
    {Opt::kPsBigArray,
     {"FLEXOR_PS_BIGARRAY_BOUND", "MXNET_KVSTORE_BIGARRAY_BOUND", "int", "1000000", "Arrays of more float32 elements are spread over all servers."}, Form::kInt},
    {Opt::kPsMemory, {"FLEXOR_PS_MEMORY", "", "bytes", "4294967296", "What a process may hold of the others' arrays, under way."}, Form::kBytes},
    {Opt::kPsTimeout, {"FLEXOR_PS_TIMEOUT", "", "number", "1800", "Seconds after which a push, pull or barrier that waits for others fails."}, Form::kNumber},
    {Opt::kPsRendezvous, {"FLEXOR_PS_RENDEZVOUS", "", "number", "120", "Seconds within which all processes of a job must have come."}, Form::kNumber},
    {Opt::kPsHeartbeat, {"FLEXOR_PS_HEARTBEAT", "PS_HEARTBEAT_INTERVAL", "number", "1", "Seconds between signs of life; a process that leaves out three is lost."}, Form::kNumber},
    {Opt::kPsPatience, {"FLEXOR_PS_PATIENCE", "", "number", "30", "Seconds for which the last copy of a key is waited for when its server is gone."}, Form::kNumber},
    {Opt::kPsLog, {"FLEXOR_PS_LOG", "", "text", "", "The scheduler's log of who belonged when, a file that it starts again from."}, Form::kText},
    {Opt::kPsCheckpoint, {"FLEXOR_PS_CHECKPOINT", "", "text", "", "Where a server writes its part of a checkpoint: the beginning of a path."}, Form::kText},
    {Opt::kPsResume, {"FLEXOR_PS_RESUME", "", "choice", "0", "1: the job begins from the last checkpoint that is found there, if there is one."}, Form::kChoice, "0|1"},
    {Opt::kPsKeyFile, {"FLEXOR_PS_KEY_FILE", "", "text", "", "The file with this process's keys (tools/ps-keygen; docs/security.md)."}, Form::kText},
    {Opt::kPsKey, {"FLEXOR_PS_KEY", "", "secret", "", "This process's secret key, in place of the file's."}, Form::kSecret},
    {Opt::kPsSchedulerKey, {"FLEXOR_PS_SCHEDULER_KEY", "", "text", "", "The scheduler's public key, in place of the file's."}, Form::kText},
    {Opt::kPsAllow, {"FLEXOR_PS_ALLOW", "", "text", "", "The scheduler's file of the public keys that may come, and as what."}, Form::kText},
};
constexpr int kRows = int(sizeof kTable / sizeof *kTable);
constexpr bool InOrder() {
  for (int i = 0; i < kRows; ++i) if (int(kTable[i].opt) != i) return false;
  return kRows == int(Opt::kCount);
}
static_assert(InOrder(), "every Opt has its row, in the same order");

struct Value { std::string text; int64_t i = 0; double d = 0; };
struct Cell { bool ready = false; Value value; };
struct State {
  std::mutex mutex;
  Cell cells[kRows];
  void (*hooks[8])(Opt) = {};
  std::atomic<uint64_t> generation{1};
};
State& S() {
  static State* s = [] {
    AddForkHooks(ForkStage::kConfig, {[] { S().mutex.lock(); }, [] { S().mutex.unlock(); }, [] { S().mutex.unlock(); }});
    return new State;  // never destroyed: a collector may call at exit
  }();
  return *s;
}

std::string Lower(std::string_view s) {
  std::string r(s);
  for (char& c : r) if (c >= 'A' && c <= 'Z') c = char(c + 32);
  return r;
}
bool ParseBytes(std::string_view s, int64_t* out) {  // 1048576, 512M, 1.5G, 2GiB
  std::string t = Lower(Trim(s));
  for (const char* end : {"ib", "b"}) {
    std::string_view e(end);
    if (t.size() > e.size() && t.compare(t.size() - e.size(), e.size(), e) == 0) { t.resize(t.size() - e.size()); break; }
  }
  double scale = 1;
  auto unit = t.empty() ? std::string_view::npos : std::string_view("kmgt").find(t.back());
  if (unit != std::string_view::npos) {
    t.pop_back();
    for (size_t i = 0; i <= unit; ++i) scale *= 1024;
  }
  double v;
  if (!ParseDouble(t, &v) || !(v >= 0) || v * scale > 9e18) return false;
  *out = int64_t(v * scale);
  return true;
}
// Reads `text` as a value of this row; `why` says what was wanted if it is none.
bool Parse(const Row& r, std::string_view text, Value* v, std::string* why) {
  switch (r.form) {
    case Form::kChoice: {
      std::string t = Lower(Trim(text));
      if (r.opt == Opt::kEngine) {
        if (t == "naiveengine") t = "naive";
        else if (t.rfind("threadedengine", 0) == 0) t = "threaded";
      }
      auto choices = Split(r.choices, '|');
      if (std::find(choices.begin(), choices.end(), t) != choices.end()) { v->text = t; return true; }
      *why = "one of " + Join(choices, ", ");
      return false;
    }
    case Form::kInt:
      if (ParseInt(text, &v->i) && double(v->i) >= r.low) { v->d = double(v->i), v->text = Text(v->i); return true; }
      *why = r.low == 0 ? "an integer, 0 or more" : r.low == -1 ? "an integer, -1 or more" : "an integer";
      return false;
    case Form::kNumber:
      if (ParseDouble(text, &v->d) && v->d >= r.low) {
        v->i = v->d < 9e18 ? int64_t(v->d) : INT64_MAX, v->text = Text(v->d);
        return true;
      }
      *why = "a number, 0 or more";
      return false;
    case Form::kBytes:
      if (ParseBytes(text, &v->i)) { v->d = double(v->i), v->text = Text(v->i); return true; }
      *why = "bytes, such as 1073741824, 512M or 1.5G";
      return false;
    case Form::kText:
    case Form::kSecret: v->text = text; return true;
  }
  return false;
}

// Fills the cell from the environment or the default, under the mutex; a warning to be logged after it, or "".
std::string Fill(const Row& r, Cell* c) {
  std::string warning, why;
  for (const char* name : {r.info.name, r.info.alias}) {
    const char* env = *name ? std::getenv(name) : nullptr;
    if (!env || !*env) continue;
    if (Parse(r, env, &c->value, &why)) { c->ready = true; return warning; }
    warning = Text("the environment's ", name, "=", env, " is not ", why, "; taking ", r.info.default_value);
  }
  Parse(r, r.info.default_value, &c->value, &why);
  c->ready = true;
  return warning;
}
Value Read(Opt o) {
  const Row& r = kTable[int(o)];
  Cell& c = S().cells[int(o)];
  std::unique_lock<std::mutex> lock(S().mutex);
  if (c.ready) return c.value;
  std::string warning = Fill(r, &c);
  Value v = c.value;
  lock.unlock();  // the log reads options itself
  if (!warning.empty()) Log(LogLevel::kWarning, warning);
  return v;
}
const Row& RowOf(std::string_view name) {
  std::vector<std::string> names;
  for (const Row& r : kTable) {
    if (name == r.info.name || (*r.info.alias && name == r.info.alias)) return r;
    names.push_back(r.info.name);
  }
  Fail(Status::kName, "config", "there is no option `", name, "`.", DidYouMean(name, names), " The options are ", Join(names, ", "), ".");
}
}  // namespace

const OptionInfo& Info(Opt o) { return kTable[int(o)].info; }
std::string GetText(Opt o) { return Read(o).text; }
int64_t GetInt(Opt o) { return Read(o).i; }
double GetDouble(Opt o) { return Read(o).d; }
std::string GetOption(std::string_view name) { return GetText(RowOf(name).opt); }
uint64_t OptionGeneration() { return S().generation.load(std::memory_order_acquire); }

void SetOption(std::string_view name, std::string_view value) {
  const Row& r = RowOf(name);
  Cell c;
  std::string why;
  if (!value.empty()) {
    if (!Parse(r, value, &c.value, &why)) Fail(Status::kArgument, "config", r.info.name, " must be ", why, ", given `", value, "`.");
    c.ready = true;
  }
  void (*hooks[8])(Opt);
  {
    std::lock_guard<std::mutex> lock(S().mutex);
    S().cells[int(r.opt)] = c;
    std::copy(std::begin(S().hooks), std::end(S().hooks), hooks);
    S().generation.fetch_add(1, std::memory_order_release);
  }
  for (auto* h : hooks) if (h) h(r.opt);
}

void OnOptionChange(void (*hook)(Opt)) {
  std::lock_guard<std::mutex> lock(S().mutex);
  for (auto& h : S().hooks) {
    if (h == hook) return;
    if (!h) { h = hook; return; }
  }
  Fail(Status::kInternal, "config", "too many hooks: make State::hooks longer.");
}

std::string CacheFolder() {
  if (std::string given = GetText(Opt::kCacheFolder); !given.empty()) return given;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache == '/') return Text(cache, "/flexor");
  const char* home = std::getenv("HOME");
  return home && *home == '/' ? Text(home, "/.cache/flexor") : "";
}
std::string OptionTable() {
  std::vector<std::vector<std::string>> rows{{"name", "type", "value", "default", "meaning"}};
  for (const Row& r : kTable) {
    std::string doc = r.info.doc;
    if (*r.info.alias) doc += Text(" Alias: ", r.info.alias, ".");
    std::string value = GetText(r.opt);
    rows.push_back({r.info.name, r.info.type, r.form == Form::kSecret && !value.empty() ? "(set)" : value, r.info.default_value, doc});
  }
  size_t width[5] = {};
  for (auto& row : rows) for (size_t i = 0; i < 4; ++i) width[i] = std::max(width[i], row[i].size());
  std::string out;
  for (auto& row : rows) {
    for (size_t i = 0; i < 4; ++i) out += row[i] + std::string(width[i] - row[i].size() + 2, ' ');
    out += row[4] + "\n";
  }
  return out;
}

}  // namespace flx
