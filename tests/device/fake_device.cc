// SPDX-License-Identifier: Apache-2.0
// An asynchronous device for tests, built as a module and loaded with dlopen: it knows the C table and nothing else of Flexor. Its memory is the
// host's, so that tests can look at it. Two devices; each queue is in order, and among the queues that have work two worker threads choose at random
// and dawdle, so that whatever is not ordered by events happens in any order. Kernels ask it to fail:
//   fake_add   y[i] += x[i] + a      fake_fail(what, after)  the n-th call from now of alloc, copy, kernel, record, group or collective fails; "lost": its work fails later
//   fake_slow  the worker sleeps     fake_counts             how many operations ran, are waiting
//   fake_hold(1)  nothing runs until fake_hold(0): what a test issues meanwhile must not need that it ran
//   fake_peers(0)  peer_access says no until fake_peers(1)
//   fake_loose  does nothing, and says that it is not deterministic where the call demands it
//   fake_gate  its queue goes on when fake_gates_open has been called
//   fake_deaf(1)  queue_wait is ignored until fake_deaf(0): the planted mistake of an event that nobody waits for
// It knows whose its memory is, and refuses a copy that is called by another direction than it goes, or is issued to another device's queue.
// Compiled with FLX_EMULATED it is another kind, "emu", and has the kernels of src/cuda/*.cu as well (emulate.h).
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "device/device_call.h"
#include "device/device_table.h"
#include "fake_module.h"

struct Done {  // what an event has been recorded at; shared, so that an event may be recorded again while others wait for the old record
  bool complete = true;
  int32_t result = FLX_DEVICE_OK;
};
struct flx_device_event { std::shared_ptr<Done> done = std::make_shared<Done>(); };
struct Item {
  std::function<int32_t()> work;
  std::shared_ptr<Done> wait, signal;  // one of the three
};
struct flx_device_queue {
  int32_t device = 0;
  std::deque<Item> items;
  bool busy = false;
  bool recording = false, broken = false;
  std::vector<std::function<int32_t()>> recorded;
};

namespace {
// Never destroyed: the workers sleep on them while the process ends, and destroying a condition variable waits for its sleepers.
std::mutex& g_mutex = *new std::mutex;
std::condition_variable& g_change = *new std::condition_variable;
int32_t g_result[2] = {};  // of each device: its first work that failed; every event says so from then on
std::vector<flx_device_queue*>& g_queues = *new std::vector<flx_device_queue*>;
std::mt19937& g_random = *new std::mt19937(12345);
bool g_started = false, g_held = false, g_deaf = false, g_peers = true;
std::vector<std::shared_ptr<Done>>& g_gates = *new std::vector<std::shared_ptr<Done>>;  // that are shut
struct Block { int64_t bytes; int32_t device; };
std::map<const char*, Block>& g_blocks = *new std::map<const char*, Block>;  // the devices' memory
constexpr int32_t kHost = -1;
int32_t WhereIs(const void* p) {  // under g_mutex
  auto it = g_blocks.upper_bound(static_cast<const char*>(p));
  if (it == g_blocks.begin() || static_cast<const char*>(p) >= (--it)->first + it->second.bytes) return kHost;
  return it->second.device;
}
std::atomic<int64_t> g_ran{0}, g_live{0};
struct Countdown { const char* name; int64_t left; };
Countdown g_fail[] = {{"alloc", 0}, {"copy", 0}, {"kernel", 0}, {"record", 0}, {"lost", 0}, {"capture", 0}, {"graph", 0}, {"group", 0}, {"collective", 0}};
thread_local std::string t_error;
thread_local bool t_recording = false;  // as with CUDA nothing may be allocated meanwhile

int32_t Fail(int32_t code, const char* text) { t_error = text; return code; }
bool Due(const char* name) {
  std::lock_guard<std::mutex> lock(g_mutex);
  for (auto& f : g_fail)
    if (!std::strcmp(f.name, name) && f.left > 0 && --f.left == 0) return true;
  return false;
}

// The front item of a queue can be worked on.
bool Startable(flx_device_queue* q) { return !q->busy && !q->items.empty() && (!q->items.front().wait || q->items.front().wait->complete); }
void Work() {
  std::unique_lock<std::mutex> lock(g_mutex);
  for (;;) {
    std::vector<flx_device_queue*> can;
    for (auto* q : g_queues) if (!g_held && Startable(q)) can.push_back(q);
    if (can.empty()) { g_change.wait(lock); continue; }
    auto* q = can[g_random() % can.size()];
    Item item = std::move(q->items.front());
    q->items.pop_front();
    if (item.signal) item.signal->complete = true, item.signal->result = g_result[q->device];
    if (item.work) {
      auto dawdle = std::chrono::microseconds(g_random() % 4 ? 0 : g_random() % 200);
      q->busy = true;
      lock.unlock();
      if (dawdle.count()) std::this_thread::sleep_for(dawdle);
      int32_t r = item.work();
      item.work = nullptr;
      lock.lock();
      q->busy = false;
      if (r && !g_result[q->device]) g_result[q->device] = r;
      ++g_ran;
    }
    g_change.notify_all();
  }
}
int32_t Issue(flx_device_queue* q, Item item) {
  std::lock_guard<std::mutex> lock(g_mutex);
  if (!g_started) {
    g_started = true;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < 2; ++i) std::thread(Work).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  q->items.push_back(std::move(item));
  g_change.notify_all();
  return FLX_DEVICE_OK;
}
int32_t IssueWork(flx_device_queue* q, std::function<int32_t()> work) {
  {
    std::lock_guard<std::mutex> lock(g_mutex);
    if (q->recording) return q->recorded.push_back(std::move(work)), int32_t(FLX_DEVICE_OK);
  }
  if (Due("lost")) work = [] { return int32_t(FLX_DEVICE_LOST); };
  Item i;
  i.work = std::move(work);
  return Issue(q, std::move(i));
}

int32_t PinnedAlloc(int32_t, int64_t bytes, void** out) {
  if (t_recording) return Fail(FLX_DEVICE_ERROR, "an allocation while a queue records");
  if (Due("alloc")) return Fail(FLX_DEVICE_MEMORY, "a test asked for this failure");
  *out = std::aligned_alloc(64, size_t((bytes + 63) / 64 * 64 + 64));
  if (!*out) return Fail(FLX_DEVICE_MEMORY, "no memory");
  std::memset(*out, 0xcd, size_t(bytes));
  g_live += bytes;
  return FLX_DEVICE_OK;
}
int32_t Alloc(int32_t device, int64_t bytes, void** out) {
  if (int32_t r = PinnedAlloc(device, bytes, out)) return r;
  std::lock_guard<std::mutex> lock(g_mutex);
  g_blocks[static_cast<const char*>(*out)] = {bytes, device};
  return FLX_DEVICE_OK;
}
int32_t Free(int32_t, void* p, int64_t bytes) {
  if (p) g_live -= bytes;
  {
    std::lock_guard<std::mutex> lock(g_mutex);
    g_blocks.erase(static_cast<const char*>(p));
  }
  std::free(p);
  return FLX_DEVICE_OK;
}
int32_t Properties(int32_t, char* text, int64_t capacity) {
  const char* s = "name Fake\nmemory 1073741824\n";
  if (int64_t(std::strlen(s)) >= capacity) return Fail(FLX_DEVICE_ERROR, "small buffer");
  std::strcpy(text, s);
  return FLX_DEVICE_OK;
}
int32_t QueueCreate(int32_t device, int32_t, flx_device_queue** out) {
  std::lock_guard<std::mutex> lock(g_mutex);
  g_queues.push_back(*out = new flx_device_queue);
  (*out)->device = device;
  return FLX_DEVICE_OK;
}
int32_t QueueDestroy(flx_device_queue* q) {
  std::unique_lock<std::mutex> lock(g_mutex);
  g_change.wait(lock, [&] { return q->items.empty() && !q->busy; });
  for (auto& p : g_queues) if (p == q) { p = g_queues.back(); g_queues.pop_back(); break; }
  delete q;
  return FLX_DEVICE_OK;
}
int32_t Copy(flx_device_queue* q, void* to, const void* from, int64_t bytes, int32_t way) {
  if (Due("copy")) return Fail(FLX_DEVICE_ERROR, "a test asked for this failure");
  {
    std::lock_guard<std::mutex> lock(g_mutex);
    const int32_t source = WhereIs(from), target = WhereIs(to), own = q->device;
    const bool fits = way == FLX_COPY_TO_DEVICE ? source == kHost && target == own : way == FLX_COPY_TO_HOST ? source == own && target == kHost
                      : way == FLX_COPY_ON_DEVICE ? source == own && target == own : source == own && target != own && target != kHost && g_peers;
    if (!fits) return Fail(FLX_DEVICE_ERROR, "the copy goes another way than it says");
  }
  return IssueWork(q, [=] { std::memcpy(to, from, size_t(bytes)); return int32_t(FLX_DEVICE_OK); });
}
int32_t Fill(flx_device_queue* q, void* to, const void* pattern, int32_t size, int64_t count) {
  if (size < 1 || size > 8) return Fail(FLX_DEVICE_ERROR, "a pattern has 1, 2, 4 or 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, pattern, size_t(size));
  return IssueWork(q, [=] {
    for (int64_t i = 0; i < count; ++i) std::memcpy(static_cast<char*>(to) + i * size, &bits, size_t(size));
    return int32_t(FLX_DEVICE_OK);
  });
}
int32_t EventCreate(int32_t, flx_device_event** out) { *out = new flx_device_event; return FLX_DEVICE_OK; }
// Events of other work cannot be part of a graph.
bool Breaks(flx_device_queue* q) {
  std::lock_guard<std::mutex> lock(g_mutex);
  return q->recording && (q->broken = true);
}
int32_t EventRecord(flx_device_event* e, flx_device_queue* q) {
  if (Breaks(q)) return Fail(FLX_DEVICE_ERROR, "an event while the queue records");
  if (Due("record")) return Fail(FLX_DEVICE_ERROR, "a test asked for this failure");
  Item i;
  i.signal = std::make_shared<Done>();
  i.signal->complete = false;
  { std::lock_guard<std::mutex> lock(g_mutex); e->done = i.signal; }
  return Issue(q, std::move(i));
}
int32_t ResultOf(const Done& d) { return d.result == FLX_DEVICE_OK ? FLX_DEVICE_OK : Fail(d.result, "a test asked the device to be lost"); }
int32_t EventQuery(flx_device_event* e) {
  std::lock_guard<std::mutex> lock(g_mutex);
  return e->done->complete ? ResultOf(*e->done) : int32_t(FLX_DEVICE_NOT_READY);
}
int32_t EventWait(flx_device_event* e) {
  std::unique_lock<std::mutex> lock(g_mutex);
  auto d = e->done;
  g_change.wait(lock, [&] { return d->complete; });
  return ResultOf(*d);
}
int32_t QueueWait(flx_device_queue* q, flx_device_event* e) {
  if (Breaks(q)) return Fail(FLX_DEVICE_ERROR, "an event while the queue records");
  Item i;
  {
    std::lock_guard<std::mutex> lock(g_mutex);
    if (g_deaf) return FLX_DEVICE_OK;
    i.wait = e->done;
  }
  return Issue(q, std::move(i));
}
int32_t EventDestroy(flx_device_event* e) { delete e; return FLX_DEVICE_OK; }

// ---- graphs: what was recorded, as one item of the queue
using Graph = std::shared_ptr<std::vector<std::function<int32_t()>>>;
int32_t CaptureBegin(flx_device_queue* q) {
  std::lock_guard<std::mutex> lock(g_mutex);
  if (q->recording) return Fail(FLX_DEVICE_ERROR, "the queue records already");
  q->recording = t_recording = true, q->broken = false;
  q->recorded.clear();
  return FLX_DEVICE_OK;
}
int32_t CaptureEnd(flx_device_queue* q, void** graph) {
  const bool fail = Due("capture");
  std::lock_guard<std::mutex> lock(g_mutex);
  if (!q->recording) return Fail(FLX_DEVICE_ERROR, "the queue does not record");
  q->recording = t_recording = false;
  auto recorded = std::make_shared<std::vector<std::function<int32_t()>>>(std::move(q->recorded));
  q->recorded.clear();
  if (q->broken || fail) return Fail(FLX_DEVICE_ERROR, fail ? "a test asked for this failure" : "an event has broken the recording");
  *graph = new Graph(std::move(recorded));
  return FLX_DEVICE_OK;
}
int32_t GraphLaunch(flx_device_queue* q, void* graph) {
  if (Due("graph")) return Fail(FLX_DEVICE_ERROR, "a test asked for this failure");
  return IssueWork(q, [g = *static_cast<Graph*>(graph)] {
    for (auto& work : *g)
      if (int32_t r = work()) return r;
    return int32_t(FLX_DEVICE_OK);
  });
}
int32_t GraphDestroy(void* graph) {
  delete static_cast<Graph*>(graph);
  return FLX_DEVICE_OK;
}

int32_t Add(flx_device_queue* q, int64_t* y, const int64_t* x, int64_t a, int64_t n) {
  if (Due("kernel")) return Fail(FLX_DEVICE_ERROR, "a test asked for this failure");
  return IssueWork(q, [=] { for (int64_t i = 0; i < n; ++i) y[i] += (x ? x[i] : 0) + a; return int32_t(FLX_DEVICE_OK); });
}
int32_t Slow(flx_device_queue* q, int64_t us) {
  return IssueWork(q, [=] { std::this_thread::sleep_for(std::chrono::microseconds(us)); return int32_t(FLX_DEVICE_OK); });
}
void FailAfter(const char* what, int64_t after) {
  std::lock_guard<std::mutex> lock(g_mutex);
  for (auto& f : g_fail) if (!std::strcmp(f.name, what)) f.left = after;
}
void Hold(int64_t on) {
  std::lock_guard<std::mutex> lock(g_mutex);
  g_held = on != 0;
  g_change.notify_all();
}
void Deaf(int64_t on) {
  std::lock_guard<std::mutex> lock(g_mutex);
  g_deaf = on != 0;
}
int32_t Peers(int32_t device, int32_t peer) {
  std::lock_guard<std::mutex> lock(g_mutex);
  return g_peers && device != peer ? FLX_DEVICE_OK : FLX_DEVICE_ERROR;
}
void AllowPeers(int64_t on) {
  std::lock_guard<std::mutex> lock(g_mutex);
  g_peers = on != 0;
}
int32_t Gate(flx_device_queue* q) {
  Item i;
  i.wait = std::make_shared<Done>();
  i.wait->complete = false;
  { std::lock_guard<std::mutex> lock(g_mutex); g_gates.push_back(i.wait); }
  return Issue(q, std::move(i));
}
void OpenGates() {
  std::lock_guard<std::mutex> lock(g_mutex);
  for (auto& g : g_gates) g->complete = true;
  g_gates.clear();
  g_change.notify_all();
}
int32_t Loose(flx_device_queue*, const flx_device_call* c) { return FLX_CALL_HAS(c, FLX_CALL_DETERMINISTIC) ? FLX_DEVICE_NOT_DETERMINISTIC : FLX_DEVICE_OK; }
void Counts(int64_t* ran, int64_t* waiting, int64_t* live_bytes) {
  std::lock_guard<std::mutex> lock(g_mutex);
  *ran = g_ran, *live_bytes = g_live, *waiting = 0;
  for (auto* q : g_queues) *waiting += int64_t(q->items.size()) + q->busy;
}
const flx_device_kernel g_kernels[] = {
    {"fake_add", 1, reinterpret_cast<flx_device_function>(&Add)},
    {"fake_slow", 1, reinterpret_cast<flx_device_function>(&Slow)},
    {"fake_fail", 1, reinterpret_cast<flx_device_function>(&FailAfter)},
    {"fake_counts", 1, reinterpret_cast<flx_device_function>(&Counts)},
    {"fake_hold", 1, reinterpret_cast<flx_device_function>(&Hold)},
    {"fake_deaf", 1, reinterpret_cast<flx_device_function>(&Deaf)},
    {"fake_peers", 1, reinterpret_cast<flx_device_function>(&AllowPeers)},
    {"fake_gate", 1, reinterpret_cast<flx_device_function>(&Gate)},
    {"fake_gates_open", 1, reinterpret_cast<flx_device_function>(&OpenGates)},
    {"fake_loose", 1, reinterpret_cast<flx_device_function>(&Loose)},
};
#ifdef FLX_EMULATED
constexpr char kKind[] = "emu";
#else
constexpr char kKind[] = "fake";
#endif
std::vector<flx_device_kernel>& AllKernels() {
  static auto* all = [] {
    auto* v = new std::vector<flx_device_kernel>(std::begin(g_kernels), std::end(g_kernels));
#ifdef FLX_EMULATED
    int32_t n = 0;
    const flx_device_kernel* more = EmulatedKernels(&n);
    v->insert(v->end(), more, more + n);
#endif
    return v;
  }();
  return *all;
}
}  // namespace

int32_t FakeFail(int32_t code, const char* text) { return Fail(code, text); }
bool FakeDue(const char* name) { return Due(name); }
int32_t FakeTogether(flx_device_queue* const* queues, int32_t n, std::function<int32_t()> work) {
  auto mark = [] {
    auto m = std::make_shared<Done>();
    m->complete = false;
    return m;
  };
  auto add = [](flx_device_queue* q, std::shared_ptr<Done> wait, std::shared_ptr<Done> signal) {
    Item i;
    i.wait = std::move(wait), i.signal = std::move(signal);
    Issue(q, std::move(i));
  };
  int32_t one;
  { std::lock_guard<std::mutex> lock(g_mutex); one = int32_t(g_random() % unsigned(n)); }
  for (int32_t i = 0; i < n; ++i) {
    auto here = mark();
    add(queues[i], nullptr, here), add(queues[one], here, nullptr);
  }
  IssueWork(queues[one], std::move(work));
  auto done = mark();
  add(queues[one], nullptr, done);
  for (int32_t i = 0; i < n; ++i) if (i != one) add(queues[i], done, nullptr);
  return FLX_DEVICE_OK;
}
int32_t FakeLaunch(flx_device_queue* q, std::function<int32_t()> work) {
  if (Due("kernel")) return Fail(FLX_DEVICE_ERROR, "a test asked for this failure");
  return IssueWork(q, std::move(work));
}

extern "C" __attribute__((visibility("default"))) const flx_device_table* flx_device_module(int32_t version) {
  if (version != FLX_DEVICE_TABLE_VERSION) return nullptr;
  static flx_device_table t = {};
  t.size = sizeof t, t.version = FLX_DEVICE_TABLE_VERSION, t.kind = kKind;
  t.count = [] { return int32_t(2); };
  t.properties = &Properties;
  t.memory_info = [](int32_t, int64_t* free_bytes, int64_t* total) { *total = 1 << 30, *free_bytes = *total - g_live; return int32_t(0); };
  t.last_error = [] { return t_error.c_str(); };
  t.alloc = &Alloc, t.free = &Free, t.pinned_alloc = &PinnedAlloc, t.pinned_free = &Free;
  t.queue_create = &QueueCreate, t.queue_destroy = &QueueDestroy, t.copy = &Copy, t.fill = &Fill, t.peer_access = &Peers;
  t.event_create = &EventCreate, t.event_record = &EventRecord, t.event_query = &EventQuery, t.event_wait = &EventWait;
  t.queue_wait = &QueueWait, t.event_destroy = &EventDestroy;
  t.capture_begin = &CaptureBegin, t.capture_end = &CaptureEnd, t.graph_launch = &GraphLaunch, t.graph_destroy = &GraphDestroy;
  t.kernels = AllKernels().data(), t.kernel_count = int32_t(AllKernels().size());
#ifdef FLX_EMULATED
  FillEmulatedCompiler(&t);
  AddEmulatedCollectives(&t);
#endif
  return &t;
}
