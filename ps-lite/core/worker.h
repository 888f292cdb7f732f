// SPDX-License-Identifier: Apache-2.0
// A worker: its calls, cut into slices, sent to whoever is primary of each slice's shard, and sent again, the same, after every new view or session until
// answered. One call of a key is under way at a time, in the order of the calls; keys do not wait for each other.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/member.h"

namespace ps::core {

class Worker : public MemberPart {
 public:
  explicit Worker(Hub& hub) : MemberPart(hub) {}
  bool OnHello(Link&, const pb::Envelope&, pb::Welcome*, pb::Refused*) override;
  void OnUp(Link&) override;
  void OnDown(const Link&, DownReason, const std::string&) override;
  void OnCall(const Call&) override;
  void OnTick() override;
  Time NextTick() const override;
  void FillBeat(const Link&, pb::Beat*) override;
  std::string Describe() const;
  void Count(TableSizes* t) const { t->calls = key_of_.size() + wholes_.size() + alarms_.size() + busy_.size() + unnumbered_.size(), t->slices = keys_.size(); }

 protected:
  void Handle(Link&, const pb::Envelope&, const Buffer&) override;
  void Changed(const View& before) override;
  void Over() override;
  void OnReleased(uint64_t) override;
  void OnMissing(const std::string& who) override { missing_ = who.substr(0, 2000); }

 private:
  enum class What : uint8_t { kInit, kPush, kPull, kPushPull, kBarrier, kFinish, kConfigure, kCheckpoint };
  struct Piecemeal {  // one slice of a call
    Slice slice;
    uint32_t shard = 0;
    LinkId link = 0;  // where it was sent last; 0: not yet, or in vain
    Time again = 0;   // when to send it once more; 0: not by the clock
    bool done = false;
    Buffer bytes;
    Round version = 0;
    std::vector<Rank> contributors;
  };
  struct Job {
    CallId id = 0;
    What what = What::kInit;
    uint64_t order = 0;  // among this worker's calls
    Time deadline = 0, began = 0, asked = 0, alarm = INT64_MAX;
    bool begun = false, told = false;  // told: its limit has passed, and its push goes on all the same, since half of it may count
    std::string why;                   // whom it waits for, as a server said
    // of a key
    std::string key;
    Buffer value;
    uint64_t samples = 1, token = 0, step = 0;
    int32_t priority = 0;
    Round round = 0;  // of a push; pull: the least that is wanted
    std::vector<Piecemeal> parts;
    size_t left = 0;
    // of the whole job: a barrier's number, or a token
    uint64_t number = 0;
    std::string name, text;
    bool pushes() const { return what == What::kPush || what == What::kPushPull; }
  };
  struct Key {
    std::shared_ptr<const KeyInfo> info;
    bool ready = false;  // an init has ended well
    Round pushed = 0, acknowledged = 0;
    bool unsure = false;  // the job went back: how far this key is, its servers know
    std::deque<Job> jobs;  // the first is under way
  };
  static const char* Name(What w);
  std::string Text(const Job& j) const;
  void Refuse(CallId id, Code code, std::string text);
  bool Outlived(const Call& c) const;
  void EndOld(CallId id);
  void Enter(Job job, Key& key);
  void EnterWhole(Job job);
  void Alarm(Job& j);
  void Ring(Job& j);
  Job* Find(CallId id);
  // keys
  void Begin(Key& key);
  void AskRound(Key& key);
  void BeginAll();
  Round RoundFor(const Key& key, uint64_t step);
  void NumberPushes();
  Round Settled() const;
  bool MayBegin(const Job& j) const;
  void SendPart(Job& j, Piecemeal& p);
  void GoBack();
  void Resend(LinkId only);
  void TakeValue(const pb::Value& v, const Buffer& payload);
  void TakeInitDone(const pb::InitDone& d);
  void TakeDenied(const pb::Denied& d);
  Job* Current(const std::string& key, bool push, Round round, uint64_t token);
  void PartDone(Job& j, Piecemeal& p);
  void End(Key& key, Status status, bool keep_round);  // the first job
  std::string Limit(const Job& j) const;
  // the whole job
  void Advance();  // what waits for calls before it
  void SendWhole(Job& j, Link& scheduler);
  void EndWhole(CallId id, Status status, Reply reply = {});
  bool Before(uint64_t order, bool pushes_only) const;

  std::map<std::string, Key> keys_;
  std::set<std::string> busy_;               // keys that have jobs
  std::map<uint64_t, std::string> unnumbered_;  // pushes that have no round yet, and their keys, in the order of the calls
  std::map<CallId, std::string> key_of_;
  std::map<CallId, Job> wholes_;
  std::set<std::pair<Time, CallId>> alarms_;
  Round step_ = 0;  // synchronous: of what it has pushed last
  uint64_t orders_ = 0, tokens_ = 0, asked_ = 0, barrier_ = 0, released_ = 0;
  std::string missing_;  // who has not entered the barrier that it waits in, as the scheduler said last
  bool numbered_ = false, finishing_ = false, finish_said_ = false;
};

}  // namespace ps::core
