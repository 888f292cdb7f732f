// SPDX-License-Identifier: Apache-2.0
// The public Node and Worker over their drivers.
#include "ps/node.h"

#include <condition_variable>
#include <mutex>

#include "ps/worker.h"
#include "transport/driver.h"

namespace ps {

Node::Node() = default;

std::unique_ptr<Node> Node::Start(const Settings& settings, std::shared_ptr<Reducer> reducer, std::shared_ptr<Executor> executor, OnNotice notice) {
  std::unique_ptr<Node> node(new Node);
  if (settings.role == Role::kWorker && settings.servers == 0) {
    Settings server = settings;
    server.role = Role::kServer;
    server.rank = -1;
    node->beside_ = std::make_unique<Driver>(server, reducer, executor, notice);
  }
  node->driver_ = std::make_unique<Driver>(settings, std::move(reducer), std::move(executor), std::move(notice));
  return node;
}

Node::~Node() {
  // A forked child has no network thread and none of its locks: what it inherited is left as it is.
  if (driver_ && !driver_->here().ok()) {
    (void)driver_.release();
    (void)beside_.release();
  }
}

Status Node::WaitReady(int64_t timeout_ms) { return driver_->wait(false, timeout_ms); }
Status Node::WaitEnd(int64_t timeout_ms) {
  Status s = driver_->wait(true, timeout_ms);
  return s.ok() && beside_ ? beside_->wait(true, timeout_ms) : s;
}
State Node::state() const { return driver_->state(); }
Status Node::failure() const { return driver_->here().ok() ? driver_->failure() : driver_->here(); }
Role Node::role() const { return driver_->role(); }
Rank Node::rank() const { return driver_->rank(); }
uint32_t Node::workers() const { return driver_->workers(); }
uint32_t Node::servers() const { return driver_->servers(); }
Progress Node::progress() const { return driver_->here().ok() ? driver_->progress() : Progress{}; }
std::string Node::Address() const { return driver_->address(); }

std::string Node::Describe() const {
  std::string text;
  if (driver_->ask([&](const core::Node& node, const net::Links&) { text = node.describe(); })) return text;
  return driver_->here().ok() ? driver_->last_description() : driver_->here().text;
}

std::vector<std::pair<std::string, double>> Node::Counters() const {
  std::vector<std::pair<std::string, double>> list;
  driver_->ask([&](const core::Node& node, const net::Links& links) {
    list = node.counters().list();
    const net::LinkCounters& c = links.counters();
    for (auto& [name, value] : {std::pair<const char*, uint64_t>{"links_accepted", c.accepted}, {"links_opened", c.opened}, {"links_strangers", c.strangers}, {"links_silent", c.silent}, {"links_endless", c.endless},
                                {"links_sent_messages", c.sent_messages}, {"links_sent_bytes", c.sent_bytes}, {"links_received_messages", c.received_messages},
                                {"links_received_bytes", c.received_bytes}, {"links_sent_batches", c.sent_batches}, {"links_sent_in_batches", c.sent_in_batches},
                                {"links_received_batches", c.received_batches}, {"links_dropped_batches", c.dropped_batches}, {"links_dropped_frames", c.dropped_frames}, {"links_dropped_size", c.dropped_size},
                                {"links_dropped_hello", c.dropped_hello}, {"links_dropped_unknown", c.dropped_unknown}, {"links_dropped_sends", c.dropped_sends}})
      list.emplace_back(name, double(value));
  });
  return list;
}

void Node::Close() {
  driver_->close();
  if (beside_) beside_->close();
}

void Worker::Init(KeyInfo key, Buffer value, Done done) { node_.driver_->call(core::Init{std::move(key), std::move(value)}, returns_, std::move(done)); }
void Worker::Push(const std::string& key, Buffer value, uint64_t samples, int32_t priority, Done done, uint64_t step) {
  node_.driver_->call(core::Push{key, std::move(value), samples, priority, step}, returns_, std::move(done));
}
void Worker::Pull(const std::string& key, int32_t priority, Done done) { node_.driver_->call(core::Pull{key, priority}, returns_, std::move(done)); }
void Worker::PushPull(const std::string& key, Buffer value, uint64_t samples, int32_t priority, Done done, uint64_t step) {
  node_.driver_->call(core::PushPull{key, std::move(value), samples, priority, step}, returns_, std::move(done));
}
void Worker::Barrier(Done done) { node_.driver_->call(core::Barrier{}, returns_, std::move(done)); }
void Worker::Finish(Done done) { node_.driver_->call(core::Finish{}, returns_, std::move(done)); }
void Worker::Configure(const std::string& name, const std::string& text, Done done) { node_.driver_->call(core::Configure{name, text}, returns_, std::move(done)); }
void Worker::Checkpoint(Done done) { node_.driver_->call(core::Checkpoint{}, returns_, std::move(done)); }

Status Worker::Wait(const std::function<void(Done)>& call, Reply* reply) {
  struct Ended {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    Status status;
    Reply reply;
  };
  auto ended = std::make_shared<Ended>();
  call([ended](const Status& status, Reply& given) {
    std::lock_guard<std::mutex> lock(ended->mutex);
    ended->status = status;
    ended->reply = std::move(given);
    ended->done = true;
    ended->changed.notify_all();
  });
  std::unique_lock<std::mutex> lock(ended->mutex);
  ended->changed.wait(lock, [&] { return ended->done; });
  if (reply) *reply = std::move(ended->reply);
  return ended->status;
}

}  // namespace ps
