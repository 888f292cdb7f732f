// SPDX-License-Identifier: Apache-2.0
// Locks, outermost first: a variable's lock bit | a stream's mutex_ | Completions::mutex | StreamDevice::mutex. The completion thread takes a variable's
// lock with none of the others held; StreamUses::busy keeps the variable from going away meanwhile.
#include "engine/stream.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <utility>

#include "base/fork.h"
#include "base/small_vector.h"
#include "base/text.h"
#include "base/thread.h"
#include "engine/internals.h"
#include "storage/device_pool.h"

namespace flx {

struct StreamDevice {
  const Device* device;
  std::mutex mutex;
  std::vector<flx_device_event*> spare;
  std::atomic<const Poison*> lost{nullptr};  // kept for ever once set

  flx_device_event* TakeEvent() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (!spare.empty()) {
        auto* e = spare.back();
        spare.pop_back();
        return e;
      }
    }
    flx_device_event* e = nullptr;
    device->Check(device->table->event_create(device->index, &e), "event_create");
    return e;
  }
  void Lose(Error e) {
    Ref<const Poison> p = Make<const Poison>(std::move(e));
    const Poison* none = nullptr;
    if (!lost.compare_exchange_strong(none, p.get(), std::memory_order_acq_rel)) return;
    Engine::Get().NoteFailure(p);
    p.Leak();
  }
};

// A recorded event: all that its stream was issued up to `ticket` is done when it says so.
class Marker final : public Object {
 public:
  Marker(StreamDevice* d, flx_device_event* e, uint64_t t) : Object(Kind::kNone), ticket(t), dev_(d), event_(e) {}
  const uint64_t ticket;
  flx_device_event* event() const { return event_; }
  bool done() const { return done_.load(std::memory_order_acquire); }
  bool failed() const { return failed_.load(std::memory_order_relaxed); }  // once done: the device was lost
  bool Poll() {
    if (done()) return true;
    int32_t r = dev_->device->table->event_query(event_);
    if (r == FLX_DEVICE_NOT_READY) return false;
    if (r != FLX_DEVICE_OK) {
      try { dev_->Lose(dev_->device->CallError(FLX_DEVICE_LOST, "work on it")); } catch (...) {}
      failed_.store(true, std::memory_order_relaxed);
    }
    done_.store(true, std::memory_order_release);
    return true;
  }

 private:
  ~Marker() override {
    try {
      std::lock_guard<std::mutex> lock(dev_->mutex);
      dev_->spare.push_back(event_);
    } catch (...) {
      dev_->device->table->event_destroy(event_);
    }
  }
  StreamDevice* const dev_;
  flx_device_event* const event_;
  std::atomic<bool> done_{false}, failed_{false};
};

struct StreamPoint {
  Ref<Stream> stream;
  uint64_t ticket = 0;
  bool pending() const { return stream && !stream->Done(ticket); }
};
// What other devices did for a value, as far as it was not known to be done when the value was made: if one of them is lost before it is, so is the value.
struct ForeignPoint {
  StreamPoint point;
  Ref<Marker> marker;
  bool Done(const Poison** lost) const {
    if (marker->done() && !marker->failed()) return true;
    if (!point.stream->Done(point.ticket)) return marker->Poll() && Done(lost);  // the stream may have been asked for more since
    if (auto* p = point.stream->Lost(point.ticket)) *lost = p;
    return true;
  }
};
using ForeignPoints = std::shared_ptr<std::vector<ForeignPoint>>;  // null: none; not changed once a variable has it

// What stream devices still do with a variable's memory: its last write, and its reads since. Under the variable's lock.
class StreamUses final : public Object {
 public:
  explicit StreamUses(Var* v) : Object(Kind::kNone), var(v) {}
  StreamPoint write;             // when it is done, one of `foreign` that is not takes its place
  ForeignPoints foreign;         // of the last write
  std::vector<StreamPoint> reads;
  const Poison* lost = nullptr;  // the device was lost before the last write was done
  // Under Completions::mutex:
  Var* var;
  bool registered = false, busy = false;

  void Prune() {
    if (write.stream && write.stream->Done(write.ticket)) {
      if (auto* p = write.stream->Lost(write.ticket)) lost = p;
      write = {};
      if (foreign)
        for (auto& f : *foreign)
          if (!f.Done(&lost)) { write = f.point; break; }
      if (!write.stream) foreign.reset();
    }
    reads.erase(std::remove_if(reads.begin(), reads.end(), [](auto& r) { return !r.pending(); }), reads.end());
  }
  bool empty() const { return !write.stream && reads.empty(); }
  // The first point that a use of this kind has to wait for, or null.
  const StreamPoint* Blocks(Access a) const {
    if (write.stream) return &write;
    return a == Access::kRead || reads.empty() ? nullptr : &reads[0];
  }
  bool Reserve() noexcept {
    try { reads.reserve(reads.size() + 1); } catch (...) { return false; }
    return true;
  }
  void Note(Access a, const Ref<Stream>& s, uint64_t ticket, const ForeignPoints& others = nullptr) {  // there is room but for rare cases
    if (a != Access::kRead) {
      write = {s, ticket}, foreign = others;
      reads.clear();
      return;
    }
    // Readers note what they issued when the stream is another's again: the one issued first may come last.
    for (auto& r : reads) if (r.stream == s) { r.ticket = std::max(r.ticket, ticket); return; }
    try {
      reads.push_back({s, ticket});
    } catch (...) {  // other readers used up the room, and there is no memory: it is done before it need be remembered
      while (Ref<Marker> m = s->MarkFor(ticket)) std::this_thread::yield();
    }
  }
};

// ---- the completion thread: one for all devices, started with the first thing to wait for
struct Completions {
  struct Entry {
    Ref<Marker> marker;
    Ref<StreamUses> uses;                       // whose variable is looked at again; null: only the marker is
    void (*free)(void*, size_t) = nullptr;      // memory that goes when the uses are done
    void* p = nullptr;
    size_t bytes = 0;
  };
  std::mutex mutex;
  std::condition_variable change;
  std::vector<Entry> entries;
  std::vector<Ref<Stream>> streams;             // all there are, for ever: Stream::Make gives out again what nobody uses any more
  std::thread thread;
  bool live = false, stopping = false, fresh = false;

  static Completions*& Slot() {
    static Completions* c = [] {
      auto lock = [] { Get().mutex.lock(); };
      auto unlock = [] { Get().mutex.unlock(); };
      // The child has neither the thread nor a device that may be touched: its streams answer as lost (Stream::Done).
      AddForkHooks(ForkStage::kStreams, {lock, unlock, [] { Get().mutex.unlock(); Slot() = new Completions; }});
      return new Completions;  // never destroyed
    }();
    return c;
  }
  static Completions& Get() { return *Slot(); }

  void Start() {
    thread = StartThread("flx-device", [this] { Work(); });
    live = true;
  }
  void Add(Entry e) {  // throws only when nothing has changed
    std::lock_guard<std::mutex> lock(mutex);
    if (!live && !stopping) Start();
    entries.push_back(std::move(e));
    fresh = true;
    change.notify_all();
  }
  void Handle(Entry e) {
    if (!e.uses) return NotifyWaiters();
    if (e.free) {  // nobody else sees these uses any more
      e.uses->Prune();
      if (const StreamPoint* b = e.uses->Blocks(Access::kWrite)) {
        if (Ref<Marker> m = b->stream->MarkFor(b->ticket)) {
          e.marker = m;
          return Add(std::move(e));
        }
      }
      return e.free(e.p, e.bytes);
    }
    Var* v;
    {
      std::lock_guard<std::mutex> lock(mutex);
      e.uses->registered = false;
      if (!(v = e.uses->var)) return;
      e.uses->busy = true;
    }
    Ready ready = nullptr;
    LockVar(v);
    Grant(v, &ready);
    UnlockVar(v);
    {
      std::lock_guard<std::mutex> lock(mutex);
      e.uses->busy = false;
      change.notify_all();
    }
    Dispatch(ready);
  }
  void Work() {
    constexpr auto kShortest = std::chrono::microseconds(20), kLongest = std::chrono::microseconds(500);
    auto pause = kShortest;
    std::vector<Entry> mine;
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      for (auto& e : entries) mine.push_back(std::move(e));
      entries.clear();
      if (fresh) pause = kShortest;
      fresh = false;
      if (mine.empty()) {
        if (stopping) return;
        change.wait(lock);
        continue;
      }
      lock.unlock();
      bool some = false;
      for (size_t i = 0; i < mine.size();) {
        if (!mine[i].marker->Poll()) { ++i; continue; }
        Entry e = std::move(mine[i]);
        mine[i] = std::move(mine.back());
        mine.pop_back();
        Handle(std::move(e));
        some = true;
      }
      lock.lock();
      if (some) pause = kShortest;
      else if (!fresh) {
        change.wait_for(lock, pause);
        pause = std::min(pause * 2, kLongest);
      }
    }
  }
};

namespace {
StreamDevice* DeviceState(const Device* d) {
  static std::mutex* mutex = new std::mutex;
  static auto* all = new std::vector<StreamDevice*>;
  std::lock_guard<std::mutex> lock(*mutex);
  for (auto* s : *all) if (s->device == d) return s;
  auto* s = new StreamDevice;
  s->device = d;
  all->push_back(s);
  return s;
}
struct VarLock {
  Var* v;
  explicit VarLock(Var* var) : v(var) { LockVar(v); }
  ~VarLock() { UnlockVar(v); }
};
// With v locked: what is done is forgotten, a lost device's write becomes poison, and the bit goes when nothing is left.
bool Look(Var* v, Access a, const StreamPoint** blocks) {
  StreamUses* u = v->streams;
  u->Prune();
  if (u->lost) {
    SetPoisonLocked(v, Ref<const Poison>(u->lost));
    u->lost = nullptr;
  }
  if (u->empty()) v->word.fetch_and(~Var::kStreams, std::memory_order_relaxed);
  *blocks = u->Blocks(a);
  return !*blocks;
}
}  // namespace

// ---- streams
Stream::Stream(StreamDevice* d, flx_device_queue* q, int priority, bool crosses)
    : Object(Kind::kNone), dev_(d), queue_(q), priority_(priority), crosses_(crosses), fork_(ForkCount()) {}
Ref<Stream> Stream::Make(const Device* device, int priority, bool crosses) {
  StreamDevice* d = DeviceState(device);
  Completions& c = Completions::Get();
  g_device_rest = &DeviceRest;
  std::lock_guard<std::mutex> lock(c.mutex);
  for (auto& s : c.streams) if (s->dev_ == d && s->priority_ == priority && s->crosses_ == crosses && s->unique()) return s;
  flx_device_queue* q = nullptr;
  device->Check(device->table->queue_create(device->index, priority, &q), "queue_create");
  return c.streams.emplace_back(Ref<Stream>::Take(new Stream(d, q, priority, crosses)));
}
const Device* Stream::device() const { return dev_->device; }
uint64_t Stream::issued() {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  return issued_;
}

bool Stream::Done(uint64_t ticket) {
  if (done_.load(std::memory_order_acquire) >= ticket) return true;
  if (fork_ != ForkCount()) {
    dev_->Lose(Error(Status::kState, Text("[", dev_->device->name, "] this process was forked from one that used the device; the device's arrays stay there.")));
    return true;
  }
  if (dev_->lost.load(std::memory_order_acquire)) return true;
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  if (!last_ || !last_->Poll()) return false;
  if (dev_->lost.load(std::memory_order_acquire)) return true;
  if (last_->ticket > done_.load(std::memory_order_relaxed)) done_.store(last_->ticket, std::memory_order_release);
  return done_.load(std::memory_order_relaxed) >= ticket;
}
const Poison* Stream::Lost(uint64_t ticket) const {
  auto* p = dev_->lost.load(std::memory_order_acquire);
  return p && done_.load(std::memory_order_acquire) < ticket ? p : nullptr;
}
Ref<Marker> Stream::MarkFor(uint64_t ticket) {
  if (Done(ticket)) return nullptr;
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  if (last_ && last_->ticket >= ticket) return last_;
  try {
    flx_device_event* e = dev_->TakeEvent();
    auto m = flx::Make<Marker>(dev_, e, issued_);
    dev_->device->Check(dev_->device->table->event_record(e, queue_), "event_record");
    return last_ = m;
  } catch (...) {
    // Without an event nobody would ever learn that the work is done.
    dev_->Lose(Engine::CurrentError());
    return nullptr;
  }
}

namespace {
// The locks of an operation's streams; several are taken in the order of their addresses.
struct IssueLocks {
  SmallVector<std::recursive_mutex*, 2> held;
  explicit IssueLocks(int n) { held.reserve(n); }
  void Lock() {
    std::sort(held.begin(), held.end());
    for (auto* m : held) m->lock();
  }
  ~IssueLocks() { for (auto* m : held) m->unlock(); }
};
}  // namespace
static std::vector<StreamOp::Place> ByAddress(std::vector<StreamOp::Place> places) {
  std::sort(places.begin(), places.end(), [](auto& a, auto& b) { return a.var < b.var; });
  return places;
}
StreamOp::StreamOp(std::vector<Ref<Stream>> all, std::vector<Place> places) : stream(all[0]), all_(std::move(all)), places_(ByAddress(std::move(places))) { on_stream = true; }
void StreamOp::Execute() {
  const int nstreams = all_.empty() ? 1 : int(all_.size());
  auto of = [&](int i) -> const Ref<Stream>& { return all_.empty() ? stream : all_[size_t(i)]; };
  auto of_use = [&](int use) {
    auto p = std::lower_bound(places_.begin(), places_.end(), uses[use].var, [](const Place& a, const Var* v) { return a.var < v; });
    return p != places_.end() && p->var == uses[use].var ? p->stream : 0;
  };
  for (int i = 0; i < nstreams; ++i) {
    Stream& s = *of(i);
    if (s.fork_ != ForkCount()) s.Done(s.issued_ + 1);
    if (auto* p = s.dev_->lost.load(std::memory_order_acquire)) throw p->error;
  }
  Prepare();
  // What has to be done before, and room to remember this, before anything is issued. The grants keep both true until ReleaseUses.
  struct Before { StreamPoint point; int on; bool value; };  // value: it made what is read, on another device
  struct Event { Ref<Marker> marker; int on; };
  std::vector<Before> before;
  std::vector<ForeignPoint> foreign;
  for (int i = 0; i < nuses; ++i) {
    Var* v = uses[i].var;
    const Ref<Stream>& own = of(of_use(i));
    Ref<StreamUses> made;
    if (!v->streams) made = Make<StreamUses>(v);
    VarLock lock(v);
    if (!v->streams) v->streams = made.Leak();
    StreamUses& u = *v->streams;
    u.Prune();
    const bool reads = uses[i].access != Access::kWrite;
    if (auto* p = std::exchange(u.lost, nullptr)) {
      if (reads) {
        SetPoisonLocked(v, Ref<const Poison>(p));
        throw p->error;
      }
    }
    if (!u.Reserve()) throw std::bad_alloc();
    if (u.write.stream && u.write.stream != own) before.push_back({u.write, of_use(i), reads && u.write.stream->dev_ != own->dev_});
    if (reads && u.foreign) foreign.insert(foreign.end(), u.foreign->begin(), u.foreign->end());
    if (uses[i].access != Access::kRead)
      for (auto& r : u.reads) if (r.stream != own) before.push_back({r, of_use(i), false});
  }
  std::vector<Event> events;
  for (auto& b : before) {
    Stream &from = *b.point.stream, &own = *of(b.on);
    if (from.dev_->device->table != own.dev_->device->table)
      Fail(Status::kUnsupported, own.dev_->device->name, "an array that ", from.dev_->device->name, " is working on must be copied by way of the host.");
    Ref<Marker> m = from.MarkFor(b.point.ticket);
    if (m && b.value) foreign.push_back({b.point, m});
    if (m) events.push_back({std::move(m), b.on});
    else if (auto* p = b.value ? from.Lost(b.point.ticket) : nullptr) throw p->error;
  }
  ForeignPoints others;
  if (!foreign.empty() || nstreams > 1) {
    const Poison* lost = nullptr;
    foreign.erase(std::remove_if(foreign.begin(), foreign.end(), [&](auto& f) { return f.Done(&lost); }), foreign.end());
    if (lost) throw lost->error;
    others = std::make_shared<std::vector<ForeignPoint>>(std::move(foreign));
    others->reserve(others->size() + size_t(nstreams));
  }
  SmallVector<uint64_t, 2> tickets(nstreams);
  SmallVector<flx_device_queue*, 2> queues(nstreams);
  std::exception_ptr error;
  {
    IssueLocks locks(nstreams);
    for (int i = 0; i < nstreams; ++i) locks.held.emplace_back(&of(i)->mutex_), queues[i] = of(i)->queue_;
    locks.Lock();
    try {
      for (auto& e : events) of(e.on)->dev_->device->Check(of(e.on)->dev_->device->table->queue_wait(queues[e.on], e.marker->event()), "queue_wait");
      IssueTo(queues.data());
    } catch (...) {
      error = std::current_exception();  // it may have issued a part: remembered all the same
    }
    for (int i = 0; i < nstreams; ++i) tickets[i] = ++of(i)->issued_;
    Issued(tickets[0]);
  }
  // What each of several devices has is right only if all of them are well.
  for (int i = 0; i < nstreams && nstreams > 1; ++i) {
    if (Ref<Marker> m = of(i)->MarkFor(tickets[i])) others->push_back({{of(i), tickets[i]}, std::move(m)});
    else if (auto* p = error ? nullptr : of(i)->Lost(tickets[i])) error = std::make_exception_ptr(p->error);
  }
  for (int i = 0; i < nuses; ++i) {
    VarLock lock(uses[i].var);
    uses[i].var->streams->Note(uses[i].access, of(of_use(i)), tickets[of_use(i)], others);
    uses[i].var->word.fetch_or(Var::kStreams, std::memory_order_relaxed);
  }
  if (error) std::rethrow_exception(error);
}

// ---- what the engine asks
bool StreamsPoll(Var* v, Access a, bool again) {
  const StreamPoint* blocks;
  if (Look(v, a, &blocks)) return true;
  if (again) blocks->stream->MarkFor(blocks->ticket);  // who only polls would never see it done without an event
  return false;
}
bool StreamsReady(Var* v, Access a) {
  Completions& c = Completions::Get();
  for (const StreamPoint* blocks;;) {
    if (Look(v, a, &blocks)) return true;
    Ref<Marker> m = blocks->stream->MarkFor(blocks->ticket);
    if (!m) continue;  // done meanwhile, or lost
    {
      std::lock_guard<std::mutex> lock(c.mutex);
      if (v->streams->registered) return false;
      v->streams->registered = true;
    }
    try {
      c.Add({m, Ref<StreamUses>(v->streams)});
      return false;
    } catch (...) {  // no memory or no thread to be told by: wait here, which is slow and right
      std::lock_guard<std::mutex> lock(c.mutex);
      v->streams->registered = false;
    }
    while (!m->Poll()) std::this_thread::yield();
  }
}
void DropStreams(Var* v) {
  Completions& c = Completions::Get();
  {
    std::unique_lock<std::mutex> lock(c.mutex);
    v->streams->var = nullptr;
    c.change.wait(lock, [&] { return !v->streams->busy; });  // the completion thread is in this queue: a moment
  }
  v->streams->Unref();
  v->streams = nullptr;
}
bool StreamsBusy(Var* v) {
  if (!v->streams) return false;
  VarLock lock(v);
  return !StreamsPoll(v, Access::kWrite);
}
void FreeAfterStreams(Var* v, void (*free)(void*, size_t), void* p, size_t bytes) {
  if (StreamsBusy(v)) {
    Ref<StreamUses> uses(v->streams);
    DropStreams(v);  // from here on nobody else looks at them
    v->word.fetch_and(~Var::kStreams, std::memory_order_relaxed);
    while (const StreamPoint* b = uses->Blocks(Access::kWrite)) {
      if (Ref<Marker> m = b->stream->MarkFor(b->ticket)) {
        try {
          return Completions::Get().Add({m, uses, free, p, bytes});
        } catch (...) {  // no memory or no thread to be told by: wait here
          while (!m->Poll()) std::this_thread::yield();
        }
      }
      uses->Prune();
    }
  }
  free(p, bytes);
}
Ref<Object> DetachStreams(Var* v) {
  if (!StreamsBusy(v)) return nullptr;
  Ref<StreamUses> uses(v->streams);
  DropStreams(v);
  v->word.fetch_and(~Var::kStreams, std::memory_order_relaxed);
  try {  // to the next owner it is work to stay behind, whatever becomes of it
    if (uses->write.stream) uses->reads.push_back(uses->write);
    uses->write = {};
  } catch (...) {}
  uses->foreign.reset(), uses->lost = nullptr;
  return uses;
}
void AttachStreams(Var* v, const Ref<Object>& given) {
  auto* uses = static_cast<StreamUses*>(given.get());
  VarLock lock(v);
  if (v->streams) {  // it was used before it had memory: both count
    if (uses->write.stream) v->streams->Note(Access::kRead, uses->write.stream, uses->write.ticket);
    for (auto& r : uses->reads) v->streams->Note(Access::kRead, r.stream, r.ticket);
  } else {
    Completions& c = Completions::Get();
    std::lock_guard<std::mutex> guard(c.mutex);
    uses->var = v;
    v->streams = Ref<StreamUses>(uses).Leak();
  }
  v->word.fetch_or(Var::kStreams, std::memory_order_relaxed);
}
Ref<Object> UsesOf(const Ref<Stream>& s, uint64_t ticket) {
  auto uses = Make<StreamUses>(nullptr);
  uses->write = {s, ticket};
  return uses;
}
void QueueAfterUses(const Ref<Stream>& s, flx_device_queue* queue, const Ref<Object>& given) {
  auto* uses = static_cast<StreamUses*>(given.get());
  auto after = [&](const StreamPoint& p) {
    if (!p.stream || p.stream == s) return;
    if (Ref<Marker> m = p.stream->MarkFor(p.ticket)) s->device()->Check(s->device()->table->queue_wait(queue, m->event()), "queue_wait");
  };
  after(uses->write);
  for (auto& r : uses->reads) after(r);
}
void DeviceRest(const Device* device) {
  Completions& c = Completions::Get();
  std::vector<Ref<Stream>> streams;
  {
    std::lock_guard<std::mutex> lock(c.mutex);
    for (auto& s : c.streams) {
      const bool touches = s->device() == device || (s->crosses_ && s->device()->table == device->table);
      if (touches && s->fork_ == ForkCount()) streams.push_back(s);
    }
  }
  for (auto& s : streams) {
    flx_device_event* e = nullptr;
    if (device->table->event_create(s->device()->index, &e) != FLX_DEVICE_OK) continue;  // a device that has no event left does nothing any more
    int32_t result;
    {
      std::lock_guard<std::recursive_mutex> lock(s->mutex_);
      result = device->table->event_record(e, s->queue_);
    }
    if (result == FLX_DEVICE_OK) device->table->event_wait(e);
    device->table->event_destroy(e);
  }
}
void FailIfLost(const Device* device) {
  if (auto* p = DeviceState(device)->lost.load(std::memory_order_acquire)) throw p->error;
}
bool WaitStreams(int64_t timeout_ms) {
  Completions& c = Completions::Get();
  std::vector<Ref<Stream>> streams;
  {
    std::lock_guard<std::mutex> lock(c.mutex);
    streams = c.streams;
  }
  int64_t start = NowMs();
  for (auto& s : streams) {
    uint64_t issued = s->issued();
    Ref<Marker> m = s->MarkFor(issued);
    if (!m) continue;
    c.Add({m, nullptr});
    if (!HelpUntil([](void* p) { return static_cast<Marker*>(p)->done(); }, m.get(), MsLeft(timeout_ms, start))) return false;
    s->Done(issued);
  }
  return true;
}
void StopStreams() {
  Completions& c = Completions::Get();
  std::thread t;
  {
    std::lock_guard<std::mutex> lock(c.mutex);
    if (!c.live || c.stopping) return;
    c.stopping = true;
    t = std::move(c.thread);
  }
  c.change.notify_all();
  t.join();
  std::lock_guard<std::mutex> lock(c.mutex);
  c.live = c.stopping = false;
  if (!c.entries.empty()) c.Start();  // somebody wanted to know meanwhile
}

}  // namespace flx
