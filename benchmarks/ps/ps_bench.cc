// SPDX-License-Identifier: Apache-2.0
// Push and pull of one key by one worker from one server, each a process: the time until the value is in the worker's array. The server's sum of one push is
// that push, so nothing is computed. Beside it the same bytes there and back over TCP and over ZeroMQ; with keys, ZeroMQ with CURVE.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <mutex>

#include "echo.h"
#include "figures.h"
#include "ps/node.h"
#include "ps/worker.h"
#include "transport/address.h"
#include "transport/keys.h"

using namespace figures;

namespace {
constexpr size_t kLargest = 64 << 20, kMany = 1000;
const size_t kSizes[] = {4 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, kLargest};

class Keep : public ps::Reducer {
  ps::Buffer Reduce(const ps::Slice&, const std::vector<ps::Contribution>& in, ps::Aggregate) override { return in.at(0).bytes; }
  ps::Stored Apply(const ps::Slice&, const ps::Stored&, const ps::Buffer& reduced) override { return {reduced, {}}; }
  void Configure(const std::string&, const std::string&) override {}
};

// Scheduler and server are one child process's.
class Store : public bench::Echo {
 public:
  explicit Store(bool keys, bool batches = true) {
    ps::net::KeyPair scheduler = keys ? ps::net::MakeKeyPair() : ps::net::KeyPair(), server = keys ? ps::net::MakeKeyPair() : scheduler, worker = keys ? ps::net::MakeKeyPair() : scheduler;
    auto own = [&](ps::Role role, const ps::net::KeyPair& pair) {
      ps::Settings s;
      s.role = role;
      if (!batches) s.batch_bytes = 0;
      if (keys) s.key_secret = ps::net::KeyText(pair.secret_key), s.scheduler_key = ps::net::KeyText(scheduler.public_key);
      return s;
    };
    child_ = std::make_unique<bench::Child>([&](int to) {
      auto pool = ps::MakePool(1);
      ps::Settings s = own(ps::Role::kScheduler, scheduler);
      if (keys) s.allow_text = "server " + ps::net::KeyText(server.public_key) + "\nworker " + ps::net::KeyText(worker.public_key);
      auto first = ps::Node::Start(s, nullptr, pool);
      std::string at = first->Address() + "\n";
      s = own(ps::Role::kServer, server);
      ps::net::SplitAddress(first->Address(), s.root_host, s.root_port);
      auto second = ps::Node::Start(s, std::make_shared<Keep>(), pool);
      if (write(to, at.data(), at.size()) < 0) return;
      second->WaitEnd(-1);
      first->WaitEnd(-1);
    });
    ps::Settings s = own(ps::Role::kWorker, worker);
    ps::net::SplitAddress(child_->hear(), s.root_host, s.root_port);
    node_ = ps::Node::Start(s, nullptr, ps::MakePool(1));
    good_ = node_->WaitReady(20'000).ok();
  }
  bool turn(const uint8_t* send, uint8_t* take, size_t size) override {
    ps::Worker worker(*node_);
    ps::KeyInfo key;
    key.name = std::to_string(size);
    key.bytes = size;
    ps::Buffer bytes = ps::Buffer::Wrap(send, size, nullptr);
    if (good_ && size != known_) good_ = worker.Wait([&](ps::Done d) { worker.Init(key, bytes, std::move(d)); }).ok();
    known_ = size;
    ps::Reply reply;
    if (!good_ || !worker.Wait([&](ps::Done d) { worker.PushPull(key.name, bytes, 1, 0, std::move(d)); }, &reply).ok()) return false;
    for (const ps::Piece& p : reply.pieces) std::memcpy(take + p.offset, p.bytes.data(), p.bytes.size());
    return true;
  }
  // `count` keys pushed and pulled at once, as a network's many small parameters are.
  bool many(const uint8_t* send, uint8_t* take, size_t count, size_t size) {
    ps::Worker worker(*node_);
    std::mutex mutex;
    std::condition_variable changed;
    size_t left = count;
    auto all = [&](const std::function<void(size_t, const std::string&, ps::Done)>& call) {
      left = count;
      for (size_t i = 0; i < count; ++i)
        call(i, "many" + std::to_string(i), [&, i](const ps::Status& status, ps::Reply& reply) {
          if (!reply.pieces.empty()) std::memcpy(take + i * size, reply.pieces[0].bytes.data(), reply.pieces[0].bytes.size());
          std::lock_guard<std::mutex> lock(mutex);
          good_ = good_ && status.ok();
          if (--left == 0) changed.notify_all();
        });
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [&] { return left == 0; });
    };
    if (known_ == 0)
      all([&](size_t i, const std::string& name, ps::Done done) {
        ps::KeyInfo key;
        key.name = name, key.bytes = size;
        worker.Init(key, ps::Buffer::Wrap(send + i * size, size, nullptr), std::move(done));
      });
    known_ = size;
    all([&](size_t i, const std::string& name, ps::Done done) { worker.PushPull(name, ps::Buffer::Wrap(send + i * size, size, nullptr), 1, 0, std::move(done)); });
    return good_;
  }

 private:
  std::unique_ptr<bench::Child> child_;
  std::unique_ptr<ps::Node> node_;
  size_t known_ = 0;
  bool good_ = false;
};

void Measure(benchmark::State& state, size_t size, const std::function<bool(const uint8_t*, uint8_t*)>& turn) {
  std::vector<uint8_t> out(size), in(size);
  for (size_t i = 0; i < size; ++i) out[i] = uint8_t(i * 7 + 1);
  std::vector<double> took;
  auto begin = Clock::now();
  for (int i = 0; i < 5 || (Since(begin) < 0.4 && i < 4000); ++i) {
    auto start = Clock::now();
    if (!turn(out.data(), in.data())) return state.SkipWithError("it was not to be had");
    if (i >= 2) took.push_back(Since(start));
  }
  if (std::memcmp(in.data(), out.data(), size) != 0) return state.SkipWithError("other bytes came back");
  Report(state, Median(took), "s");
}

void Turns(benchmark::State& state, const std::function<std::unique_ptr<bench::Echo>()>& make, size_t size) {
  std::unique_ptr<bench::Echo> echo = make();
  Measure(state, size, [&](const uint8_t* send, uint8_t* take) { return echo->turn(send, take, size); });
}

[[maybe_unused]] const int registered = [] {
  for (size_t size : kSizes) {
    std::string bytes = size < (1 << 20) ? std::to_string(size >> 10) + " KB" : std::to_string(size >> 20) + " MB";
    for (bool keys : {false, true}) {
      if (keys && size != (4 << 10) && size != (1 << 20) && size != (16 << 20)) continue;
      std::string row = std::string(keys ? "Store/with keys, push and pull " : "Store/push and pull ") + bytes;
      Once((row + "/flexor").c_str(), [=](benchmark::State& s) { Turns(s, [keys] { return std::make_unique<Store>(keys); }, size); });
      if (!keys) Once((row + "/tcp").c_str(), [=](benchmark::State& s) { Turns(s, bench::TcpEcho, size); });
      Once((row + "/zmq").c_str(), [=](benchmark::State& s) { Turns(s, [keys] { return bench::ZmqEcho(keys); }, size); });
    }
  }
  for (size_t size : {64, 1024, 4096, 8192})
    for (bool batches : {true, false}) {
      std::string row = "Store/" + std::to_string(kMany) + " keys of " + (size < 1024 ? std::to_string(size) + " B" : std::to_string(size >> 10) + " KB") + " at once" + (batches ? "" : ", each alone");
      Once((row + "/flexor").c_str(), [=](benchmark::State& s) {
        Store store(false, batches);
        Measure(s, kMany * size, [&](const uint8_t* send, uint8_t* take) { return store.many(send, take, kMany, size); });
      });
    }
  return 0;
}();
}  // namespace
