// SPDX-License-Identifier: Apache-2.0
// A node of the parameter server as a state machine: inputs come in, outputs go out, and nothing else happens. No thread, clock, socket, file or global state:
// a driver (ps-lite/transport) or the simulator (ps-lite/sim) owns those. Equal configurations and inputs give equal outputs. docs/ps-protocol.md is the prose.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ps/server.h"
#include "ps/types.h"

namespace ps::core {

// A connection, from its handshake to its end; never used again. Numbers of links that a node opens are odd and chosen by the node (Open),
// those of accepted ones are even, not 0, and chosen by the driver.
using LinkId = uint64_t;
using CallId = uint64_t;      // the driver's, never twice
using SendTicket = uint64_t;  // the node's, never twice; so the tickets below
using WorkTicket = uint64_t;
using PeerKey = std::string;  // the public key that a handshake proved, 32 bytes; empty where the link has none
enum class Lane : uint8_t { kExpress, kBulk };
constexpr size_t kBulkBytes = 64 << 10;  // payloads from this size on take the bulk lane

// ---- what a user may ask (workers; a cut also of the scheduler)
struct Init { KeyInfo key; Buffer value; };  // the first one that arrives counts
// Larger priority first. step: synchronous, of the caller's program, counted over the job from 1; 0: as the pushes before it say (Worker::RoundFor).
struct Push { std::string key; Buffer value; uint64_t samples = 1; int32_t priority = 0; uint64_t step = 0; };
struct Pull { std::string key; int32_t priority = 0; };
struct PushPull { std::string key; Buffer value; uint64_t samples = 1; int32_t priority = 0; uint64_t step = 0; };
struct Barrier {};
struct Finish {};                            // after all calls before it; the others go on without this worker
struct Configure { std::string name, text; };  // ends when every server has it
struct Checkpoint {};                        // ends when every shard has written its part
using Request = std::variant<Init, Push, Pull, PushPull, Barrier, Finish, Configure, Checkpoint>;

// ---- work: whatever takes time or a disk
struct ReduceWork { Slice slice; std::vector<Contribution> in_rank_order; Aggregate aggregate; };  // gives {reduced}
struct ApplyWork { Slice slice; Stored stored; Buffer reduced; };                                   // gives {value, state}
struct ConfigureWork { std::string name, text; };  // before any work that is given out after it
struct ChecksumWork { std::vector<Buffer> parts; };  // gives {their checksums, four bytes each}
struct ReadFile { std::string name; };             // gives {bytes}; none if there is no such file
struct AppendFile { std::string name; Buffer bytes; };  // and flushed
struct WriteFile { std::string name; std::vector<Buffer> parts; };  // to a new name, flushed, renamed: the old one or the whole new one is there
struct RemoveFile { std::string name; };           // if it is there
using WorkRequest = std::variant<ReduceWork, ApplyWork, ConfigureWork, ChecksumWork, ReadFile, AppendFile, WriteFile, RemoveFile>;

// ---- inputs
struct LinkUp { LinkId link; PeerKey key; };
enum class DownReason : uint8_t { kClosed, kLost, kUnreachable, kRefused };  // the peer ended it; it broke; it was never up; the handshake failed
struct LinkDown { LinkId link; DownReason reason; std::string text; };  // text: for people
struct Arrived { LinkId link; Lane lane; Buffer head, payload; };  // head: an Envelope, as it came
struct Released { SendTicket ticket; };  // the transport needs the bytes no more; also for what a closed link never sent
struct WorkDone { WorkTicket ticket; Status status; std::vector<Buffer> results; };
constexpr uint64_t kNewest = UINT64_MAX;
struct Call {
  CallId id;
  Request request;
  Time deadline;  // a point in time
  uint64_t lives = kNewest;  // how many returns to a checkpoint its maker knew of: what was made before one does not count after it
};
struct Tick {};
using Input = std::variant<LinkUp, LinkDown, Arrived, Released, WorkDone, Call, Tick>;

// ---- outputs, in order
struct Open { LinkId link; NodeId peer; std::string address; PeerKey expect; };  // expect empty: any, or none
struct Close { LinkId link; };  // LinkDown need not follow. What was sent on it before should still go out
struct Send { LinkId link; Lane lane; std::string head; Buffer payload; SendTicket ticket; };
struct Work { WorkTicket ticket; WorkRequest request; };
struct Complete { CallId id; Status status; Reply reply; };
enum class NoticeKind : uint8_t { kWaiting, kNodeLost, kNodeJoined, kViewChanged, kRolledBack, kRagged, kNoReplicas, kReady, kEnded, kFailed, kEvicted };
struct Notice { NoticeKind kind; std::string text; NodeId node; uint64_t number = 0; };  // number: a view, round or life
using Output = std::variant<Open, Close, Send, Work, Complete, Notice>;

// Planted mistakes, for the simulator's build of the core only (ps_core_mutants): each must be found.
enum class Mutant : uint8_t {
  kNone, kAcknowledgeEarly, kIgnoreViews, kReopenRound, kPromoteStale, kTrustOldCopy, kCountNotKey, kIgnoreIncarnations, kForgetDedup, kBarrierByCount, kCutLate, kTakeOldCalls, kKeepTickets, kCountPushes, kKeepBarriers, kEnd
};
#ifdef FLX_PS_MUTANTS
#define FLX_PS_MUTANT(config, name) ((config).mutant == ::ps::core::Mutant::name)
#else
#define FLX_PS_MUTANT(config, name) false
#endif

// What the whole job agrees on; the scheduler's count, and the others learn them from its Welcome.
struct JobSettings {
  Mode mode = Mode::kSync;
  uint64_t stale_bound = 0;
  Aggregate aggregate = Aggregate::kSum;
  Policy policy = Policy::kFail;
  uint32_t replicas = 0;  // backups of each shard
  uint32_t shards = 0;    // 0: as many as servers
  uint64_t slice_bytes = 1 << 20;
  uint64_t bigarray_bound = 1'000'000;  // bytes; larger arrays are spread over all shards
};

struct NodeConfig {
  Role role = Role::kNone;
  int64_t rank = -1;      // wanted; -1: any. A worker that comes back names its old one
  std::string job;        // 16 bytes
  std::string address;    // where others reach this node, as the driver writes addresses
  std::string scheduler;  // its address
  PeerKey scheduler_key;
  std::string host;       // for people
  uint32_t pid = 0;
  JobSettings settings;
  uint32_t workers = 1, servers = 1;  // scheduler: how many the rendezvous waits for. Servers 0: as many as workers (each worker's process runs one beside it)
  std::map<PeerKey, std::vector<Role>> allowed;  // scheduler: empty where links have no keys
  uint64_t memory_bytes = uint64_t(4) << 30;   // of payloads held for others
  uint64_t credit_bytes = uint64_t(64) << 20;  // granted to each peer
  Time beat = kSecond, silence = 3 * kSecond;
  Time patience = 30 * kSecond;    // how long the last copy of a shard is waited for before it is given up
  Time rendezvous = 120 * kSecond;  // until the first view
  Time handshake = 2 * kSecond;
  Time waiting_notice = 10 * kSecond;
  std::string log;  // scheduler: file name; empty: no log
  std::string cut;  // server: where its parts of cuts go (a prefix of file names), scheduler: where it notes the last one; empty: none
  bool resume = false;  // scheduler: the job begins from the cut that is noted there, if there is one
#ifdef FLX_PS_MUTANTS
  Mutant mutant = Mutant::kNone;
#endif
};

enum class DropReason : uint8_t { kGarbage, kJob, kSession, kRole, kIncarnation, kView, kSize, kUnknown, kDuplicate, kEnd };
struct Counters {
  uint64_t messages_in = 0, messages_out = 0, bytes_in = 0, bytes_out = 0;
  std::array<uint64_t, size_t(DropReason::kEnd)> drops{};
  uint64_t queued_bytes = 0, in_flight_bytes = 0, held_bytes = 0, held_peak = 0;
  uint64_t view_changes = 0, rounds = 0, ragged_rounds = 0, retries = 0, refused = 0, busy = 0;
  std::map<Rank, Time> waited_for;  // server: time that rounds were open only for this worker
  std::vector<std::pair<std::string, double>> list() const;  // all of them, by name
};

enum class NodePhase : uint8_t { kJoining, kRunning, kEvicted, kEnded, kFailed };

// What a look from outside may know: for the simulator's invariants, tests and status.
struct SliceFacts {
  std::string key;
  uint32_t index = 0, shard = 0;
  bool safe = false;              // `committed` counts: something has been committed, be it round 0
  Round committed = 0, held = 0;  // held: proposed and not yet known to be committed
  Stored value;                   // of `held`
  std::vector<Rank> contributors;
  std::map<Rank, Round> applied;
  Stored committed_value;         // of `committed`, where it is safe
  std::vector<Rank> committed_contributors;
};
struct CopyFacts { Rank server = 0; uint64_t since = 0; bool fresh = false; };
struct MemberFacts { NodeId node; uint64_t incarnation = 0; std::string state; Round from = 0; uint64_t barrier = 0; std::string address, host; uint32_t pid = 0; PeerKey key; };
struct ViewFacts {
  uint64_t number = 0, cut_done = 0, lives = 0, rolled_to = 0;
  std::vector<MemberFacts> members;
  std::vector<std::vector<CopyFacts>> shards;  // the primary first
  bool ended = false;
  std::string failure;
};

// How much a node remembers: none of it grows with the number of messages.
struct TableSizes {
  size_t sends = 0, works = 0;  // that have not come back
  size_t links = 0, calls = 0, slices = 0, asking = 0, members = 0;  // asking: pushes and whoever waits for an answer
};

class Node {
 public:
  Node(NodeConfig config, uint64_t seed);  // the seed gives the incarnation and what chance there is
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  // Appends what follows from the input. Microseconds; never fails, never blocks.
  void step(Time now, const Input& input, std::vector<Output>& out);
  Time next_tick() const;  // Tick is due then at the latest
  const Counters& counters() const;

  NodePhase phase() const;
  Status failure() const;  // kFailed, kEvicted: why
  NodeId id() const;       // the rank is known once running
  uint64_t incarnation() const;
  JobSettings settings() const;  // known once running
  uint32_t workers() const, servers() const;  // in the view, finished ones included
  uint64_t view_number() const;
  Progress progress() const;
  ViewFacts view() const;
  std::vector<SliceFacts> slices() const;  // server
  std::vector<uint32_t> loading() const;   // server: shards that are being read back from a checkpoint; nothing of them is told
  TableSizes tables() const;
  std::string describe() const;            // for people: the view and who waits for whom

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What an executor does with all works but files, which are the driver's.
WorkDone RunWork(Reducer& reducer, const Work& work);
Buffer Checksums(const std::vector<Buffer>& parts);

}  // namespace ps::core
