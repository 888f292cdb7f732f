// SPDX-License-Identifier: Apache-2.0
// A view: who belongs to the job and what they do, as the scheduler numbered it. Sent as what changed since an older one.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/node.h"
#include "ps.pb.h"

namespace ps::core {

namespace pb = flexor::ps;

constexpr uint32_t kMaxNodes = 1 << 16, kMaxShards = 1 << 12, kMaxCopies = 64, kMaxSettings = 1 << 12;
constexpr size_t kJobBytes = 16;
constexpr size_t kMaxSettingBytes = 1 << 16;  // a setting's name and text together

enum class MemberState : uint8_t { kJoining = 1, kActive, kFinished, kGone };
const char* Name(MemberState s);
const char* Name(Role r);
std::string Text(Mode mode, uint64_t stale_bound);  // "dist_stale(2)"
std::string Text(NodeId id);  // "worker 3"

struct Member {
  uint64_t incarnation = 0;
  MemberState state = MemberState::kJoining;
  Round from = 0;        // worker: the first round it takes part in
  uint64_t barrier = 0;  // worker: the barriers it need not enter
  std::string address, host;
  PeerKey key;
  uint32_t pid = 0;
  uint64_t changed = 0;  // the view that changed it last
};
struct Copy {
  Rank server = 0;
  uint64_t since = 0;  // the view in which this membership began
  bool fresh = false;
};
struct Shard {
  std::vector<Copy> copies;  // the primary first
  uint64_t changed = 0;
};
struct Setting {
  std::string name, text;
  uint64_t origin = 0, token = 0, changed = 0;
};

struct View {
  uint64_t number = 0;
  std::map<NodeId, Member> members;
  std::vector<Shard> shards;
  std::vector<Setting> settings;
  bool ended = false;
  std::string failure;
  Code failure_code = Code::kOk;
  uint64_t cut = 0, cut_done = 0, cut_round = 0, lives = 0, rolled_to = 0;
  std::vector<Rank> cut_holders;  // by shard
  std::string cut_job;            // who wrote it; empty: this job
  Mode mode = Mode::kSync;  // as the first worker asked
  uint64_t stale_bound = 0;

  void Write(uint64_t from, pb::ViewDelta* out) const;  // what changed after view `from`; 0: all
  // Takes a newer one. False if it cannot be a view, or leaves a gap: nothing is changed then.
  bool Take(const pb::ViewDelta& delta);
  uint64_t LifeBase() const { return lives << 40; }  // barriers are numbered anew in each life, from above it
  const Member* Find(NodeId id) const;
  bool Alive(NodeId id) const;  // joining, active or finished
  bool Is(NodeId id, uint64_t incarnation) const;  // alive and of this life
  const Copy* FindCopy(uint32_t shard, Rank server) const;
  bool Primary(uint32_t shard, Rank server) const { return shard < shards.size() && !shards[shard].copies.empty() && shards[shard].copies[0].server == server; }
  std::string Person(NodeId id) const;  // "worker 3 (host alpha, pid 77)"
  ViewFacts Facts() const;
};

// Where a slice lives. Arrays beyond the bound are spread over all shards, smaller ones lie in one.
uint32_t ShardOf(const std::string& key, uint64_t bytes, uint32_t index, const JobSettings& settings);
uint64_t SliceBytes(const KeyInfo& key, const JobSettings& settings);   // of every slice but the last
uint64_t SliceCount(const KeyInfo& key, const JobSettings& settings);   // at least 1
Slice SliceAt(std::shared_ptr<const KeyInfo> key, uint32_t index, const JobSettings& settings);

void Write(const JobSettings& s, pb::Settings* out);
bool Read(const pb::Settings& in, JobSettings* s);
void Write(const KeyInfo& k, pb::KeyEntry* out);
bool Read(const pb::KeyEntry& in, KeyInfo* k);  // checks every limit

}  // namespace ps::core
