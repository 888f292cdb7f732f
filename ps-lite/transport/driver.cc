// SPDX-License-Identifier: Apache-2.0
// The network thread: inputs in, outputs done.
#include "transport/driver.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <future>

#include "transport/setup.h"
#include "transport/threads.h"

namespace ps {
namespace {
constexpr size_t kCopied = 32 << 10;    // payloads below are copied into ZeroMQ's frame: cheaper than being told when it has sent them
constexpr size_t kKept = 1 << 10;       // received frames below are copied: they would hold a larger block of ZeroMQ's
constexpr Time kLongestPoll = kSecond;

Time Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return Time(t.tv_sec) * kSecond + t.tv_nsec;
}
uint64_t Seed() {
  uint64_t seed = uint64_t(Now());
  while (getrandom(&seed, sizeof seed, 0) < 0 && errno == EINTR) {}
  return seed;
}

// Bytes that ZeroMQ reads where they lie.
struct InFlight {
  Buffer bytes;
  core::SendTicket ticket;
  std::shared_ptr<Inbox> inbox;
};
void LetGo(void*, void* hint) {  // in any thread
  std::unique_ptr<InFlight> f(static_cast<InFlight*>(hint));
  try {
    f->inbox->put(core::Input(core::Released{f->ticket}));
  } catch (...) {}  // no memory: the ticket's bytes count as being under way, no more
}

Buffer ToBuffer(net::Frame&& frame) {
  std::string_view bytes = frame.view();
  // Some small frames lie inside a block of ZeroMQ's, wherever the bytes before them end: sums want numbers at multiples of their size.
  if (bytes.size() < kKept || reinterpret_cast<uintptr_t>(bytes.data()) % 8) return Buffer::Copy(bytes.data(), bytes.size());
  auto kept = std::make_shared<net::Frame>(std::move(frame));
  bytes = kept->view();
  return Buffer::Wrap(bytes.data(), bytes.size(), [kept] {});
}

core::PeerKey KeyBytes(const net::Key& key) { return key == net::Key{} ? core::PeerKey() : core::PeerKey(reinterpret_cast<const char*>(key.data()), key.size()); }
net::Key ToKey(const core::PeerKey& bytes) {
  net::Key key{};
  if (bytes.size() == key.size()) std::memcpy(key.data(), bytes.data(), key.size());
  return key;
}
}  // namespace

Driver::Driver(const Settings& settings, std::shared_ptr<Reducer> reducer, std::shared_ptr<Executor> executor, OnNotice notice)
    : role_(settings.role), timeout_ms_(settings.timeout_ms), pid_(getpid()), reducer_(std::move(reducer)), executor_(std::move(executor)), on_notice_(std::move(notice)),
      inbox_(std::make_shared<Inbox>()) {
  Setup setup = Prepare(settings);
  if (role_ == Role::kServer && !reducer_) throw Error(Code::kArgument, "[ps] a server needs a Reducer, and none was given");
  if (!executor_) throw Error(Code::kArgument, "[ps] a node needs an Executor for its work (ps::MakePool), and none was given");
  keys_ = setup.links.keys.set();
  links_ = std::make_unique<net::Links>(setup.links);
  address_ = links_->address();
  setup.node.address = address_;
  if (role_ == Role::kScheduler) setup.node.scheduler = address_;
  if (keys_) {
    always_allowed_.insert(setup.links.keys.public_key);
    for (auto& [key, roles] : setup.allowed) {
      always_allowed_.insert(key);
      setup.node.allowed[KeyBytes(key)] = roles;
    }
    setup.node.scheduler_key = KeyBytes(setup.scheduler_key);
    links_->allow(always_allowed_);
  }
  node_ = std::make_unique<core::Node>(std::move(setup.node), Seed());
  disk_ = std::make_unique<Disk>();
  thread_ = StartThread("ps-net", [this] { run(); });
}

Driver::~Driver() {
  close();
  if (thread_.joinable()) thread_.join();
}

Status Driver::here() const {
  int now = getpid();
  if (now == pid_) return {};
  return {Code::kState, "[ps] this store belongs to process " + std::to_string(pid_) + ", and this is its forked child " + std::to_string(now) + ": the parent's links are not the child's. Start a store of the child's own"};
}

void Driver::run() {
  try {
    turn();
  } catch (const std::exception& e) {  // no memory in the midst of a step: what the node holds is not whole any more
    std::lock_guard<std::mutex> lock(mutex_);
    broken_ = true;
    failure_ = {Code::kMemory, std::string("[ps] the node stopped: ") + e.what()};
    state_.store(State::kFailed, std::memory_order_release);
  }
  finish();
}

void Driver::turn() {
  std::vector<net::LinkEvent> events;
  std::vector<Inbox::Item> items;
  step(core::Input(core::Tick{}));
  publish();
  while (!stopping_) {
    Time wait = std::clamp<Time>(node_->next_tick() - Now(), 0, kLongestPoll);
    events.clear();
    try {
      links_->poll(inbox_->fd(), (wait + kMillisecond - 1) / kMillisecond, events);
    } catch (const std::exception& e) {  // memory; what was read until then counts
      notice(Event::kLink, e.what());
    }
    for (net::LinkEvent& event : events) link_event(event);
    inbox_->take(items);
    for (Inbox::Item& item : items) {
      if (auto* input = std::get_if<core::Input>(&item)) {
        auto* done = std::get_if<core::WorkDone>(input);
        core::WorkTicket ticket = done ? done->ticket : kNoWork;
        step(*input);
        if (ticket != kNoWork) ended(ticket);
      } else {
        std::get<std::function<void()>>(item)();
      }
    }
    items.clear();
    if (Now() >= node_->next_tick()) step(core::Input(core::Tick{}));
    publish();
  }
}

void Driver::step(const core::Input& input) {
  local_.push_back(input);
  settle();
}

void Driver::settle() {
  while (!local_.empty()) {
    core::Input input = std::move(local_.front());
    local_.pop_front();
    out_.clear();
    node_->step(Now(), input, out_);
    if (node_->view_number() != view_) note_view();
    // perform() may not call step(): what follows from an output waits in local_.
    for (size_t i = 0; i < out_.size(); ++i) {
      core::Output output = std::move(out_[i]);
      perform(output);
    }
  }
}

void Driver::perform(core::Output& output) {
  if (auto* o = std::get_if<core::Send>(&output)) {
    send(*o);
  } else if (auto* o = std::get_if<core::Work>(&output)) {
    start(std::move(*o));
  } else if (auto* o = std::get_if<core::Complete>(&output)) {
    auto it = calls_.find(o->id);
    if (it == calls_.end()) return;
    Done done = std::move(it->second);
    calls_.erase(it);
    if (o->status.code == Code::kRolledBack) lives_ = node_->view().lives;
    try {
      done(o->status, o->reply);
    } catch (...) {}  // the user's; nobody is there to hear of it
  } else if (auto* o = std::get_if<core::Open>(&output)) {
    open(*o);
  } else if (auto* o = std::get_if<core::Close>(&output)) {
    links_->close(o->link);
  } else if (auto* o = std::get_if<core::Notice>(&output)) {
    if (o->kind == core::NoticeKind::kReady) lives_ = ready_lives_ = node_->view().lives;
    if (o->kind == core::NoticeKind::kViewChanged || o->kind == core::NoticeKind::kReady) allow();
    notice(Event(o->kind), o->text, o->node, o->number);
  }
}

void Driver::send(core::Send& s) {
  try {
    net::Frame payload;
    if (!s.payload.empty() && s.payload.size() >= kCopied) {
      const uint8_t* data = s.payload.data();
      size_t size = s.payload.size();
      payload = net::Frame(data, size, LetGo, new InFlight{std::move(s.payload), s.ticket, inbox_});  // tells Released itself, also when it is not sent
      links_->send(s.link, net::Lane(s.lane), net::Frame(s.head), std::move(payload));
      return;
    }
    links_->post(s.link, net::Lane(s.lane), s.head, std::string_view(reinterpret_cast<const char*>(s.payload.data()), s.payload.size()));
  } catch (const std::exception& e) {
    notice(Event::kLink, e.what());
  }
  local_.push_back(core::Released{s.ticket});
}

void Driver::open(const core::Open& o) {
  try {
    links_->open(o.link, o.address, ToKey(o.expect));
  } catch (const Error& e) {
    link_trouble_ = e.what();
    notice(Event::kLink, link_trouble_, o.peer);
    local_.push_back(core::LinkDown{o.link, e.status().code == Code::kRefused ? core::DownReason::kRefused : core::DownReason::kUnreachable, link_trouble_});
  }
}

void Driver::link_event(net::LinkEvent& event) {
  switch (event.kind) {
    case net::LinkEvent::kUp: return step(core::Input(core::LinkUp{event.link, KeyBytes(event.key)}));
    case net::LinkEvent::kBatch:
    case net::LinkEvent::kMessage:
      try {
        if (event.kind == net::LinkEvent::kBatch) return batch(event);
        return step(core::Input(core::Arrived{event.link, core::Lane(event.lane), ToBuffer(std::move(event.envelope)), ToBuffer(std::move(event.payload))}));
      } catch (const std::bad_alloc&) {  // the session is not whole any more
        links_->close(event.link);
        return step(core::Input(core::LinkDown{event.link, core::DownReason::kLost, "no memory for a message"}));
      }
    case net::LinkEvent::kStatus: return links_->answer(event.text, node_->describe());
    case net::LinkEvent::kDown: break;
  }
  using Reason = core::DownReason;
  Reason reason = event.why == net::Down::kClosed        ? Reason::kClosed
                  : event.why == net::Down::kLost        ? Reason::kLost
                  : event.why == net::Down::kUnreachable ? Reason::kUnreachable
                                                         : Reason::kRefused;
  if (reason == Reason::kUnreachable || reason == Reason::kRefused) {
    link_trouble_ = event.text;
    notice(Event::kLink, event.text);
  }
  step(core::Input(core::LinkDown{event.link, reason, event.text}));
}

// What came together is taken one by one. Values are copied out of it: they stay, and would hold all of it.
void Driver::batch(net::LinkEvent& event) {
  net::BatchReader reader(event.envelope.view(), event.payload.view());
  for (std::string_view head, payload; reader.next(&head, &payload);)
    step(core::Input(core::Arrived{event.link, core::Lane(event.lane), Buffer::Wrap(head.data(), head.size(), nullptr), payload.empty() ? Buffer() : Buffer::Copy(payload.data(), payload.size())}));
}

void Driver::start(core::Work work) {
  if (std::holds_alternative<core::ReadFile>(work.request) || std::holds_alternative<core::AppendFile>(work.request) || std::holds_alternative<core::WriteFile>(work.request) ||
      std::holds_alternative<core::RemoveFile>(work.request)) {
    ++working_;
    disk_->run([inbox = inbox_, work = std::move(work)] { inbox->put(core::Input(DoFile(work))); });
    return;
  }
  // A setting runs alone: after all work before it, before all work after it.
  bool alone = std::holds_alternative<core::ConfigureWork>(work.request);
  if (configuring_ != kNoWork || !waiting_.empty() || (alone && working_ > 0)) waiting_.push_back(std::move(work));
  else launch(std::move(work));
}

void Driver::launch(core::Work work) {
  ++working_;
  core::WorkTicket ticket = work.ticket;
  if (std::holds_alternative<core::ConfigureWork>(work.request)) configuring_ = ticket;
  try {
    if (!reducer_) throw Error(Code::kUnsupported, "[ps] this node has no Reducer");
    executor_->Run([inbox = inbox_, reducer = reducer_, work = std::move(work)] { inbox->put(core::Input(core::RunWork(*reducer, work))); });
  } catch (const Error& e) {
    inbox_->put(core::Input(core::WorkDone{ticket, e.status(), {}}));
  } catch (const std::exception& e) {
    inbox_->put(core::Input(core::WorkDone{ticket, {Code::kMemory, std::string("[ps] the work was not taken: ") + e.what()}, {}}));
  }
}

void Driver::ended(core::WorkTicket ticket) {
  --working_;
  if (ticket == configuring_) configuring_ = kNoWork;
  while (!waiting_.empty() && configuring_ == kNoWork && (working_ == 0 || !std::holds_alternative<core::ConfigureWork>(waiting_.front().request))) {
    core::Work next = std::move(waiting_.front());
    waiting_.pop_front();
    launch(std::move(next));
  }
}

void Driver::notice(Event event, const std::string& text, NodeId node, uint64_t number) {
  if (!on_notice_) return;
  try {
    on_notice_({event, text, node, number});
  } catch (...) {}
}

// A server lets those in who stand in its view; a scheduler's list is given.
void Driver::allow() {
  if (!keys_ || role_ != Role::kServer) return;
  std::set<net::Key> keys = always_allowed_;
  for (const core::MemberFacts& m : node_->view().members)
    if (!m.key.empty()) keys.insert(ToKey(m.key));
  links_->allow(std::move(keys));
}

void Driver::note_view() {
  view_ = node_->view_number();
  std::lock_guard<std::mutex> lock(mutex_);
  progress_ = node_->progress();
}

void Driver::publish() {
  static_assert(int(State::kFailed) == int(core::NodePhase::kFailed) && int(State::kEvicted) == int(core::NodePhase::kEvicted), "the same order");
  State now = State(node_->phase());
  if (now != State::kJoining) {
    rank_ = node_->id().rank;
    workers_ = node_->workers();
    servers_ = node_->servers();
  }
  if (now == state_.load(std::memory_order_relaxed)) return;
  std::lock_guard<std::mutex> lock(mutex_);
  failure_ = node_->failure();
  if (now == State::kFailed && state_ == State::kJoining && !link_trouble_.empty() && failure_.text.find(link_trouble_) == std::string::npos) failure_.text += " (" + link_trouble_ + ")";
  state_.store(now, std::memory_order_release);
  changed_.notify_all();
}

void Driver::finish() {
  stopping_ = true;
  inbox_->close_for_good();
  auto calls = std::move(calls_);
  const Status why = broken_ ? failure() : Status{Code::kState, "[ps] the node was closed before the call ended"};
  for (auto& [id, done] : calls) {
    Reply none;
    try {
      done(why, none);
    } catch (...) {}
  }
  std::vector<Inbox::Item> left;
  inbox_->take(left);
  for (Inbox::Item& item : left)  // calls that came too late
    if (auto* f = std::get_if<std::function<void()>>(&item)) (*f)();
  try {
    std::lock_guard<std::mutex> lock(mutex_);
    description_ = node_->describe();
    links_->flush();
  } catch (const std::exception&) {}  // no memory
  waiting_.clear();
  node_.reset();
  links_.reset();
  std::lock_guard<std::mutex> lock(mutex_);
  over_ = true;
  changed_.notify_all();
}

// ---- other threads
void Driver::call(core::Request request, uint64_t returns, Done done) {
  auto wrong = [&done](Status status) {
    Reply none;
    done(status, none);
  };
  if (Status s = here(); !s.ok()) return wrong(s);
  auto shared = std::make_shared<std::pair<core::Request, Done>>(std::move(request), std::move(done));
  if (returns == core::kNewest) returns = lives_.load();
  bool taken = inbox_->put(std::function<void()>([this, returns, shared] {
    if (stopping_) {
      Reply none;
      return shared->second({Code::kState, "[ps] the node was closed before the call began"}, none);
    }
    core::CallId id = next_call_++;
    calls_[id] = std::move(shared->second);
    step(core::Input(core::Call{id, std::move(shared->first), Now() + timeout_ms_ * kMillisecond, returns == core::kNewest ? ready_lives_ : returns}));
  }));
  if (!taken) {
    Reply none;
    shared->second({Code::kState, "[ps] the node is closed"}, none);
  }
}

bool Driver::ask(const std::function<void(const core::Node&, const net::Links&)>& look) const {
  if (!here().ok()) return false;
  if (std::this_thread::get_id() == thread_.get_id()) return node_ ? (look(*node_, *links_), true) : false;
  auto answered = std::make_shared<std::promise<bool>>();
  auto future = answered->get_future();
  if (!inbox_->put(std::function<void()>([this, &look, answered] {
        if (node_) look(*node_, *links_);
        answered->set_value(node_ != nullptr);
      })))
    return false;
  return future.get();
}

Status Driver::wait(bool end, int64_t timeout_ms) {
  if (Status s = here(); !s.ok()) return s;
  std::unique_lock<std::mutex> lock(mutex_);
  auto ready = [&] { return over_ || state() > (end ? State::kRunning : State::kJoining); };
  if (timeout_ms < 0) changed_.wait(lock, ready);
  else if (!changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), ready)) return {Code::kTimeout, end ? "[ps] the job has not ended yet" : "[ps] not everybody is there yet"};
  State s = state();
  if (s == State::kFailed || s == State::kEvicted) return failure_;
  if (over_ && s != State::kEnded) return {Code::kState, "[ps] the node is closed"};
  return {};
}

Status Driver::failure() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return failure_;
}
Progress Driver::progress() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return progress_;
}
std::string Driver::last_description() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return description_;
}

void Driver::close() {
  if (!here().ok()) return;
  inbox_->put(std::function<void()>([this] { stopping_ = true; }));
  if (std::this_thread::get_id() == thread_.get_id()) return;
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return over_; });
}

}  // namespace ps
