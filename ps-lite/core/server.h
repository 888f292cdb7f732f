// SPDX-License-Identifier: Apache-2.0
// A server: the slices of the shards it holds, as their primary or as a backup. A slice has one update in the works at a time: open pushes, a closed round
// that is reduced and applied, the held result that waits for its backups, committed.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/member.h"

namespace ps::core {

using SlotKey = std::pair<std::string, uint32_t>;

struct State {  // of a slice after a round
  Round round = 0;
  uint64_t stamp = 0;  // the view in which the round was closed: round and stamp name the contents
  Stored stored;
  std::vector<Rank> contributors;
  std::map<Rank, Round> applied;  // how far each worker's pushes are
};

struct OpenPush {
  Round sequence = 0;
  uint64_t samples = 1, arrival = 0;
  Buffer bytes;
};
struct Asker {  // whom an answer goes to; gone with its link
  LinkId link = 0;
  Round round = 0;
  bool want_value = false;
};
struct PullAsker {
  LinkId link = 0;
  Rank rank = 0;
  uint64_t token = 0, clock = 0;
  Round at_least = 0;
  int32_t priority = 0;
};
struct Track {  // what a backup is known to hold of a slice
  bool known = false, full = false, in_flight = false;
  Round round = 0;
  uint64_t stamp = 0;
};
enum class Stage : uint8_t { kOpen, kReducing, kApplying };

struct Slot {
  Slice slice;
  uint32_t shard = 0;
  State held;
  bool has_base = false;
  State base;             // the round before the held one
  bool committed = false;  // primary: every copy that counts has what is held
  Buffer reduced;          // primary: what leads from base to held
  size_t reduced_settings = 0;
  bool has_reduced = false;
  Stage stage = Stage::kOpen;
  uint64_t work = 0;         // what is under way; another number: it no longer matters
  uint64_t closed_in = 0;    // the view
  Round closing_round = 0;
  std::map<Rank, OpenPush> closing, open;
  uint64_t counted = 0;      // pushes seen, for a planted mistake
  Time last_arrival = 0;
  std::map<Rank, Asker> askers;
  std::vector<PullAsker> pulls;
  std::vector<LinkId> initers;
  std::map<Rank, Track> tracks;
  // backup: a whole state that is arriving in parts
  std::string parts;
  Round parts_round = 0;
  uint64_t parts_stamp = 0, work_stamp = 0;
  Round work_round = 0;
};

class Server : public MemberPart {
 public:
  explicit Server(Hub& hub) : MemberPart(hub) {}
  bool OnHello(Link&, const pb::Envelope&, pb::Welcome*, pb::Refused*) override;
  void OnUp(Link&) override;
  void OnDown(const Link&, DownReason, const std::string&) override;
  void OnTick() override;
  Time NextTick() const override;
  void OnCall(const Call&) override;
  void FillBeat(const Link&, pb::Beat*) override;
  std::vector<SliceFacts> Facts() const;
  std::vector<uint32_t> Loading() const;
  std::string Describe() const;
  void Count(TableSizes* t) const;

 protected:
  void Handle(Link&, const pb::Envelope&, const Buffer&) override;
  void Changed(const View& before) override;
  void Over() override;

 private:
  struct Backup {
    uint64_t since = 0;
    bool counts = false;  // nothing is committed without it
    Time away = -1;       // since when its session does not stand
    std::set<SlotKey> missing;
  };
  struct Mine {
    uint64_t since = 0;
    bool primary = false;
    std::map<Rank, Backup> backups;
    bool loading = false;      // what a cut holds of it is being read
    uint64_t cut = 0;          // the last cut that this copy has begun to write
    bool cut_wanted = false;   // and is still to be written
    bool cut_late = false;     // for a planted mistake
  };
  Slot* FindSlot(const pb::SliceId& id);
  Slot* FindPrimary(Link&, const pb::SliceId& id, Round round, uint64_t token);
  void Deny(Link&, const pb::SliceId& id, Round round, uint64_t token, Code code, std::string text, bool again = false);
  // requests
  void TakeInit(Link&, const pb::Init&, const Buffer&);
  void TakePush(Link&, const pb::Push&, const Buffer&);
  void TakePull(Link&, const pb::Pull&);
  void TakeWhy(Link&, const pb::Why&);
  // rounds
  void TryClose(Slot&);
  void Close(Slot&, Round round, std::vector<Rank> who);
  void Reduced(Slot&, Buffer reduced);
  void Applied(Slot&, Buffer reduced, Stored stored);
  void Failed(Slot&, const Status&);
  void Advance(Slot&);
  void Commit(Slot&);
  void Answer(Slot&);
  void SendValue(Link&, const Slot&, const State&, Round round, uint64_t token, bool value, int32_t priority);
  const State* CommittedState(const Slot&) const;
  std::vector<Rank> Members(Round round) const;
  struct Next {
    Round round = 0;
    std::vector<Rank> who, missing;  // missing: of those, who has not pushed
  };
  Next NextOf(const Slot&) const;
  Round LastOf(const Slot&, const State&, Rank rank) const;
  bool ClockMet(const Slot&, const State&, uint64_t clock) const;
  bool Room(const Slot&, const OpenPush&) const;
  // copies
  void Replicate(Slot&);
  void Offer(Slot&, Rank backup, Backup&);
  bool Agreed(const Slot&) const;
  void TakePropose(Link&, const pb::Propose&, const Buffer&);
  void TakeAgreed(Link&, const pb::Agreed&);
  void SayAgreed(Link&, const pb::Propose&, bool missing);
  void BackupApply(Slot&, const pb::Propose&, const State& from, const Buffer& reduced, LinkId link);
  // cuts
  void BeginCut();
  void TryCut(uint32_t shard);
  void WriteCut(uint32_t shard);
  void RemoveOldCuts(uint64_t below);
  void SayCut(uint32_t shard, uint64_t number, Round round, const Status& status, bool restored);
  void ReadCut(uint32_t shard);
  struct CutPart {  // as it was read, not yet believed
    std::vector<std::pair<SlotKey, Slot>> slots;
    std::vector<Buffer> bytes;   // of each slice its value and state
    std::vector<uint32_t> sums;  // as the head says
    Status Check(const WorkDone& sums) const;
  };
  Status LoadCut(uint32_t shard, const Buffer& file, CutPart* part);
  void Restore(uint32_t shard, Mine& m, CutPart& part);
  std::string CutName(uint32_t shard, uint64_t number) const;
  void Erase(uint32_t shard);
  void Hold(int64_t bytes);
  std::map<Rank, OpenPush>::iterator DropOpen(const SlotKey&, Slot&, std::map<Rank, OpenPush>::iterator);
  void Configure();
  Slot* Lookup(const SlotKey& key, uint64_t work);

  std::map<SlotKey, Slot> slots_;
  std::map<uint32_t, Mine> mine_;
  std::set<std::pair<Round, SlotKey>> open_;  // rounds that have pushes, lowest first
  uint64_t next_work_ = 1, arrivals_ = 0;
  uint64_t stored_bytes_ = 0, open_bytes_ = 0;
  size_t configured_ = 0, configuring_ = 0;
  std::map<uint64_t, std::string> refused_settings_;
  bool holding_ = false;
  Round hold_limit_ = 0;
  Time said_ = -kSecond, again_at_ = 0;
  std::set<Rank> again_;  // backups that were behind
  uint64_t lives_ = 0;
  std::set<std::pair<uint32_t, uint64_t>> parts_;  // of checkpoints, that this process wrote or read: shard, number
  std::map<std::pair<uint32_t, bool>, std::string> cut_said_;  // what was told of cuts, told again in every session until a view has it
};

}  // namespace ps::core
