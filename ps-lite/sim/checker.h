// SPDX-License-Identifier: Apache-2.0
// The invariants of docs/ps-protocol.md, by their numbers, checked after every step from outside: from what users asked and were told, what nodes say of
// themselves, and what they send and give out. How often each was really looked at is counted: a check that never had anything to check shows nothing.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/node.h"
#include "sim/user.h"
#include "sim/values.h"

namespace ps::sim {
using namespace ps::core;

class World;
struct Process;
constexpr uint32_t kInvariants = 16;
const char* InvariantName(uint32_t number);

class Checker {
 public:
  explicit Checker(World& world) : world_(world) {}
  void started(const Process& p);
  void dies(const Process& p);
  bool is_life(uint64_t incarnation, uint32_t process, uint32_t life) const;  // whether it was that process's in that life
  void called(const Process& p, CallId id, const Request& request, Time deadline);  // the deadline by the world's clock
  void asked(const Process& p, CallId id, const Question& question);
  void answered(const Process& p, const Question& question, const Complete& complete);
  void stepped(const Process& p, const Input& input, const std::vector<Output>& outputs);
  void written(const Process& p, const std::string& name);
  void stranger_comes(const Process& p);  // the next step of p must change nothing
  void at_end(bool everybody_done, bool too_long);
  void taken_apart(const std::vector<uint8_t>& returned);
  const std::array<uint64_t, kInvariants + 1>& exercised() const { return exercised_; }
  uint64_t result() const;  // what was stored in the end, of all keys
  bool job_succeeded() const { return succeeded_; }

 private:
  struct Life { uint32_t process = 0, life = 0; };
  using LifeKey = std::pair<uint32_t, uint32_t>;   // process, life
  using SliceKey = std::pair<uint32_t, uint32_t>;  // key, first word
  struct Entry {                     // a committed round
    uint32_t value = 0;              // 0: not seen
    std::vector<Rank> contributors;
    bool named = false;              // contributors are known
  };
  struct Chain {                     // of one slice, since the job last went back
    std::vector<Entry> rounds;
    std::map<uint32_t, Round> counted;   // what was given -> the round that it is in
    std::map<LifeKey, uint32_t> last;    // a worker's last step in it
    Round told = 0;                      // the highest round that somebody was told of
    bool known = false;                  // somebody was told
    bool floating = false;               // gone back, and not yet seen to where (asynchronous cuts differ from shard to shard)
    int64_t shard = -1;
  };
  struct Generation { std::map<SliceKey, Chain> chains; };  // between two returns to a checkpoint
  struct Held { Round committed = 0, held = 0; const void* data = nullptr; uint32_t value = 0; bool primary = false, safe = false; uint64_t lives = 0; Round closed_round = 0; std::vector<Rank> closed; };
  struct Asking { Question question; Time deadline = 0; std::set<uint64_t> active; };  // active: the lives of workers that the asker knew to be
  struct Watch {                     // of one process in its present life
    uint64_t view = 0, lives = 0;
    std::map<std::pair<std::string, uint32_t>, Held> slices;
    std::map<CallId, Asking> open;
    std::map<SliceKey, Round> told;  // in its generation
    uint64_t rolled_notice = 0;      // how many returns it was told of
    bool strict = false;             // a stranger's message is being taken
    uint64_t facts = 0;
    std::map<LinkId, int64_t> credit;  // granted by the peer, not yet used
    bool running = false;
    size_t sends = 0, works = 0;     // given out, and not come back
    ViewFacts known;
  };
  // checker.cc: calls and what becomes of them
  void check_error(const Process& p, const Question& q, const Status& status);
  void look_at_tables(const Process& p, Watch& w, const Input& input, const std::vector<Output>& outputs);
  void look_at_calls(const Process& p, Watch& w, const std::vector<Output>& outputs);
  // check_views.cc
  void look_at_view(const Process& p, Watch& w);
  void check_promotions(const ViewFacts& before, const ViewFacts& after);
  void begin_anew(const Process& scheduler);
  void check_giving_up(const ViewFacts& view);
  void released(const Process& p, uint64_t number);
  void look_at_outputs(const Process& p, Watch& w, const Input& input, const std::vector<Output>& outputs);
  void look_at_strictness(const Process& p, Watch& w, const std::vector<Output>& outputs);
  uint64_t facts(const Process& p) const;
  // check_values.cc
  Generation& generation(uint64_t lives, const ViewFacts* view);
  void observe(uint64_t lives, SliceKey key, uint32_t value, Round round, const std::vector<Rank>* contributors, const std::string& who);
  void count_parts(SliceKey key, Chain& chain, uint32_t value, Round round, const std::string& who);
  void look_at_slices(const Process& p, Watch& w);
  void look_at_work(const Process& p, Watch& w, const Slice& slice, const std::vector<Contribution>* sum, const Buffer& reduced);
  void look_at_close(const Process& p, Watch& w, const std::pair<std::string, uint32_t>& slice, Round before, Round round, const std::vector<Rank>& who);
  bool hole(const Chain& chain) const;
  Round round_of(uint32_t value, Round otherwise) const;
  std::vector<Part> parts_of(uint32_t value) const;
  std::vector<Rank> contributors_of(uint32_t value) const;
  // check_cuts.cc
  void look_at_cut(const Process& p, const WriteFile& file);
  void check_cut(const Process& p, const Watch& w, const Complete& c);
  void check_return(const ViewFacts& view);
  // check_values.cc
  void check_answer(const Process& p, Watch& w, const Asking& asking, const Complete& c);
  void check_stale(const Process& p, Watch& w, const Asking& asking, const Chain& chain);
  bool primary_of(const Process& p, const ViewFacts& view, uint32_t shard) const;

  void exercise(uint32_t invariant) { ++exercised_[invariant]; }
  World& world_;
  std::array<uint64_t, kInvariants + 1> exercised_{};
  std::map<uint32_t, Watch> watches_;      // by process: its present life
  std::map<uint64_t, Life> lives_;         // by incarnation
  std::map<LifeKey, Rank> ranks_;
  std::map<uint64_t, Generation> generations_;
  std::map<uint64_t, uint64_t> views_;     // number -> what is in it
  ViewFacts newest_;                       // the scheduler's
  struct Entered { uint64_t barriers = 0; bool finish = false; };
  std::map<LifeKey, Entered> entered_;
  // round: the highest of its slices; least, most: what of its rounds it can be a cut of, where keys are not pushed in every one; from: nobody who was there belongs to an earlier round
  struct CutPart {
    Round round = 0, least = 0, most = UINT64_MAX, from = UINT64_MAX;
    bool empty = false;
    bool holds(Round r) const { return (least <= r && r <= most) || empty || from > std::max(round, r); }
  };
  std::map<std::pair<uint32_t, std::string>, CutPart> writing_;  // by process and file
  std::map<uint64_t, std::map<uint32_t, CutPart>> cuts_;         // on disk, by number and shard
  uint64_t released_ = 0;
  bool succeeded_ = false;
  // A scheduler died whose log is lost, and a server did: the scheduler cannot tell whether it knew more than those who are left.
  bool forgotten_ = false, server_died_ = false;
  std::string first_error_;
};

}  // namespace ps::sim
