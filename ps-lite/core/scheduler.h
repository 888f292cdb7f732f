// SPDX-License-Identifier: Apache-2.0
// The scheduler: who belongs, in numbered views, logged before they are told; who is lost; which server holds which shard; barriers; when the job ends.
// What is not in the view is soft: after a restart the nodes' beats tell it again.
#pragma once
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/hub.h"

namespace ps::core {

class Scheduler : public Part {
 public:
  explicit Scheduler(Hub& hub);
  bool OnHello(Link&, const pb::Envelope&, pb::Welcome*, pb::Refused*) override;
  void OnUp(Link&) override;
  void OnDown(const Link&, DownReason, const std::string&) override;
  void OnMessage(Link&, const pb::Envelope&, const Buffer&) override;
  void OnView(const View&) override {}
  void OnCall(const Call&) override;
  void OnTick() override;
  void Reconcile();  // at the end of each step: a new view, if something calls for one
  Time NextTick() const override;

  NodePhase phase = NodePhase::kJoining;
  Status failure;
  std::string Describe() const;
  void Count(TableSizes* t) const {
    t->calls = asked_.size() + asked_cuts_.size() + wanted_settings_.size() + applicants_.size() + told_failure_.size();
    t->members += seen_.size() + synced_.size() + suspects_.size() + suspected_.size() + told_.size() + cut_answers_.size() + cut_parts_.size();
  }

 private:
  struct Seen {  // of a member
    Time heard = 0, closed = -1;  // closed: its session ended then, and no other stands
    uint64_t view = 0, top_round = 0, barrier = 0, settings = 0, barrier_calls = 0;
    Round settled = 0;  // worker: all that it pushes up to this step has been acknowledged
    bool joining = false, finished = false;
    std::string waiting;
    std::map<uint64_t, std::string> failed;  // settings
  };
  struct Applicant {
    Role role;
    int64_t wanted;
    Member member;
    Time since;
    Mode mode = Mode::kSync;  // a worker's wish
    uint64_t stale_bound = 0;
  };
  struct Asked {  // a Configure that is not answered yet
    NodeId from;
    uint64_t incarnation, token;
  };
  struct AskedCut {
    NodeId from;
    uint64_t incarnation, token;
  };
  void TakeCut(NodeId from, const pb::Envelope& e);
  void CutViews(View& n);
  bool Settled(const View& n, NodeId asker);
  bool GoBack(View& n, const std::string& why);
  void Redeal(View& n);
  void AnswerCuts();
  void EndCut(Status status, Round round);
  std::string LastName() const { return hub_.config.cut + ".last"; }
  void RecordCut();                    // where a restarted job is to begin
  void ReadLast();
  Status TakeLast(const Buffer& file);
  void Resume(View& n);
  void Load(const Buffer& log);
  void LogFailed(const Status& why);
  void GiveUp(Status why, bool wait_for_all = false);
  void Adopt();  // a view that the nodes told, after a restart without a log
  bool Build(View& n);
  bool Rendezvous(View& n);
  void Lose(View& n);
  bool LoseServer(View& n, NodeId id);
  void Copies(View& n);
  void Admit(View& n);
  void Activate(View& n);
  void Publish(View n);
  void Announce();
  void TellView(Link& link);
  void ReleaseBarriers();
  std::string Missing(uint64_t barrier) const;
  void RefuseDoubles();
  void Settle();
  void AnswerSettings();
  void Listen();
  bool Lost(NodeId id, const Member& m) const;
  bool OnlyCopy(const View& n, Rank server) const;
  void Fail(View& n, Code code, std::string text);
  static void Touch(View& n, NodeId id, MemberState state);

  Hub& hub_;
  std::map<NodeId, Seen> seen_;
  std::map<LinkId, Applicant> applicants_;
  std::vector<Asked> asked_;
  std::vector<Setting> wanted_settings_;  // not in the view yet
  std::set<std::tuple<uint32_t, Rank, uint64_t>> synced_;
  std::map<std::pair<Rank, Rank>, Time> suspects_;  // (who says it, whom): when
  std::set<std::tuple<Rank, Rank, uint64_t>> suspected_;  // not looked at yet, with the view it was said in
  std::map<NodeId, uint64_t> told_;                 // by survivors of a lost log
  bool loading_ = false, logging_ = false, dirty_ = true, jump_ = false;
  bool tell_all_ = false;           // of a failure, who has not come yet, too
  std::set<uint64_t> told_failure_;  // lives
  Time started_ = -1, log_again_ = 0, ticked_ = 0, gave_up_ = -1;
  Time listens_ = INT64_MIN / 2;  // since then it would have heard who is there
  uint64_t released_ = 0, records_ = 0;
  std::vector<AskedCut> asked_cuts_;  // the first one is under way if cut_number_ is not 0
  uint64_t cut_number_ = 0;
  struct Answered {
    uint64_t incarnation, token;
    std::string answer;
  };
  std::map<NodeId, Answered> cut_answers_;
  std::map<uint32_t, std::pair<Rank, Round>> cut_parts_;  // by shard: who wrote it
  uint64_t cut_ended_ = 0, cut_lives_ = 0;
  bool recording_ = false;
  View last_;  // the checkpoint that the job is to begin from, as it was noted
  std::string restore_failed_, back_why_;
  Time alone_ = -1;  // since when there has been no worker
  View told_view_;
};

// A log is a row of records: length and checksum of a delta, then its bytes. A torn tail is no record.
std::string LogRecord(const pb::ViewDelta& delta);
bool ReadLog(const Buffer& log, View* view);  // false: nothing in it

}  // namespace ps::core
