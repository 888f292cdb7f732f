// SPDX-License-Identifier: Apache-2.0
// Starting a role of a job, in any process; several may live in one. A node has one network thread, which owns its sockets and runs the protocol; it never
// blocks and never computes. What computes (sums, updates) runs on the Executor that is given.
//   ps::Settings s;  s.role = ps::Role::kServer;  s.root_port = 9091;
//   auto node = ps::Node::Start(s, reducer, ps::MakePool(2));   // throws ps::Error: settings, keys, ports
//   node->WaitReady(-1);  node->WaitEnd(-1);                    // in a server or scheduler, that is all
// Nothing here reads the environment. A node belongs to the process that started it: in a forked child every call fails with kState, and the parent's goes on.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ps/errors.h"
#include "ps/exception.h"
#include "ps/export.h"
#include "ps/server.h"
#include "ps/types.h"

namespace ps {

struct Settings {
  Role role = Role::kNone;
  int64_t rank = -1;  // wanted; -1: any. A worker that comes back names its old one
  std::string job;    // a name; a node of another job is refused

  // Where. The scheduler binds root_host:root_port (0: a port of the system's choice, see Node::Address); the others look for it there.
  std::string root_host = "127.0.0.1";
  int root_port = 0;
  std::string host;       // where others reach this node; empty: the interface's address, or that of the way to the scheduler (loopback if it is on loopback)
  std::string interface;  // a network interface's name, such as eth0

  // How many the scheduler waits for. Servers 0: each worker hosts a share of the keys (Start then starts a server beside it).
  uint32_t workers = 1, servers = 1;

  // The scheduler's count for the whole job.
  Mode mode = Mode::kSync;
  uint64_t stale_bound = 0;
  Aggregate aggregate = Aggregate::kSum;
  Policy policy = Policy::kFail;
  uint32_t replicas = 0, shards = 0;    // shards 0: as many as servers
  uint64_t slice_bytes = 1 << 20;       // every node's the same: frames above it and 64 KiB are refused before they are read
  uint64_t bigarray_bound = 1'000'000;  // bytes; larger arrays are spread over all shards

  uint64_t memory_bytes = uint64_t(4) << 30;  // of payloads held for others
  int64_t timeout_ms = 30 * 60 * 1000;        // of each call
  int64_t rendezvous_ms = 120 * 1000;         // until everybody is there
  int64_t beat_ms = 1000;                     // heartbeats; three that are missed are silence
  int64_t patience_ms = 30 * 1000;            // how long the last copy of a shard is waited for

  // Keys (docs/security.md). Without any, links are bound to loopback only. A file has the node's pair and the scheduler's public key; texts overrule it.
  std::string key_file, key_secret, scheduler_key;
  std::string allow_file, allow_text;  // scheduler: lines `<role> <public key> [name]`

  std::string log_file;     // scheduler: its views; empty: none, and a restarted scheduler asks the nodes
  std::string cut_prefix;   // server: where its parts of checkpoints go, scheduler: where it notes the last complete one; empty: none
  bool resume = false;      // scheduler: the job begins from the checkpoint that is noted there, if there is one
  int io_threads = 1;
  uint64_t batch_bytes = 8 << 10;  // messages below go in one with others that wait for the same peer; 0: each alone
};

class FLX_PS_API Executor {
 public:
  virtual ~Executor();
  virtual void Run(std::function<void()> job) = 0;  // soon, in another thread; must not block. Jobs do not throw and do not wait for each other
};
FLX_PS_API std::shared_ptr<Executor> MakePool(int threads);

enum class State : uint8_t { kJoining, kRunning, kEvicted, kEnded, kFailed };
enum class Event : uint8_t { kWaiting, kNodeLost, kNodeJoined, kViewChanged, kRolledBack, kRagged, kNoReplicas, kReady, kEnded, kFailed, kEvicted, kLink };
struct Notice {
  Event event;
  std::string text;  // for people
  NodeId node;
  uint64_t number = 0;  // of a view, a round or a life
};
using OnNotice = std::function<void(const Notice&)>;  // on the network thread: only put it somewhere

class Worker;
class Driver;

class FLX_PS_API Node {
 public:
  // Sockets are open when it returns; the rendezvous goes on behind it. The reducer is a server's (a worker's, too, with servers = 0).
  static std::unique_ptr<Node> Start(const Settings& settings, std::shared_ptr<Reducer> reducer, std::shared_ptr<Executor> executor, OnNotice notice = {});
  ~Node();  // as Close
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Until it is running, or will not be; timeout < 0: no limit. kTimeout: neither yet.
  Status WaitReady(int64_t timeout_ms);
  // Until the job has ended for this node: every worker finished (servers, scheduler), or it failed. kTimeout: not yet.
  Status WaitEnd(int64_t timeout_ms);
  State state() const;
  Status failure() const;  // kFailed, kEvicted: why
  Role role() const;
  Rank rank() const;                      // known once running
  uint32_t workers() const, servers() const;  // in the view, finished ones included
  Progress progress() const;
  std::string Address() const;            // host:port where others reach it; empty for a worker
  std::string Describe() const;           // the view, and who waits for whom
  std::vector<std::pair<std::string, double>> Counters() const;  // bytes, messages, drops by reason, held, waited for; of protocol and links
  void Close();  // says goodbye; open calls fail with kState. No longer than two seconds

 private:
  friend class Worker;
  Node();
  std::unique_ptr<Driver> driver_, beside_;  // beside_: the server in a worker's process
};

// What `flexor-ps status` prints: the scheduler's (or any node's) Describe, asked over the network. Settings: keys, where keys are needed.
FLX_PS_API std::string AskStatus(const std::string& address, const Settings& settings, int64_t timeout_ms);

}  // namespace ps
