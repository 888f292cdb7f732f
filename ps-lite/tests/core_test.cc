// SPDX-License-Identifier: Apache-2.0
// The core without the simulator: nodes joined by hand, a message at a time; each refusal and each wrong call, with the sentence the user sees.
#include <gtest/gtest.h>

#include "core/scheduler.h"
#include "core/sendqueue.h"
#include "core/table.h"
#include "core/view.h"
#include "tests/hall.h"

namespace ps::core {
namespace {

// One scheduler, one server, two workers.
struct Job : Hall {
  size_t scheduler, server, worker[2];
  explicit Job(std::function<void(NodeConfig&)> change = {}) {
    auto config = [&](Role role) {
      NodeConfig c = Config(role);
      c.workers = 2;
      c.settings.slice_bytes = 64;
      if (change) change(c);
      return c;
    };
    scheduler = Add(config(Role::kScheduler), "scheduler");
    server = Add(config(Role::kServer), "server");
    for (size_t& w : worker) w = Add(config(Role::kWorker), "");
    Wait(kSecond);
  }
};

bool Says(const Status& s, const std::string& part) { return s.text.find(part) != std::string::npos; }

TEST(Core, RoundsCloseOverAllWorkersAndAreSummed) {
  Job job;
  for (size_t w : job.worker) {
    ASSERT_EQ(job.node(w).phase(), NodePhase::kRunning);
    EXPECT_TRUE(job.Call(w, Init{Key("a", 100), Bytes(100, 1)}).status.ok());
  }
  CallId first = job.Begin(job.worker[0], PushPull{"a", Bytes(100, 2)});
  EXPECT_EQ(job.Ended(job.worker[0], first), nullptr);
  Complete second = job.Call(job.worker[1], PushPull{"a", Bytes(100, 3)});
  ASSERT_TRUE(second.status.ok()) << second.status.text;
  ASSERT_EQ(second.reply.pieces.size(), 2u);
  EXPECT_EQ(second.reply.pieces[1].offset, 64u);
  EXPECT_EQ(second.reply.pieces[1].bytes.text(), std::string(36, 5));
  EXPECT_EQ(second.reply.round, 1u);
  EXPECT_EQ(second.reply.contributors, (std::vector<Rank>{0, 1}));
  ASSERT_NE(job.Ended(job.worker[0], first), nullptr);
}

TEST(Core, WrongCallsSayWhatIsWanted) {
  Job job;
  size_t w = job.worker[0];
  ASSERT_TRUE(job.Call(w, Init{Key("a", 8), Bytes(8, 1)}).status.ok());
  const struct {
    Request request;
    Code code;
    std::string says;
  } kCases[] = {
      {Push{"b", Bytes(8, 1)}, Code::kUnknownKey, "has not called init for the key \"b\""},
      {Pull{"b"}, Code::kUnknownKey, "has not called init"},
      {Push{"a", Bytes(9, 1)}, Code::kMismatch, "the key has 8 bytes, the value 9"},
      {Push{"a", Bytes(8, 1), 0}, Code::kArgument, "samples"},
      {Init{Key("a", 9), Bytes(9, 1)}, Code::kMismatch, "has 8 bytes"},
      {Init{Key("", 8), Bytes(8, 1)}, Code::kArgument, "a name of 1 to 255 bytes"},
      {Init{Key("c", 8), Bytes(7, 1)}, Code::kArgument, "the key has 8 bytes, the value 7"},
      {Configure{"sgd", std::string(1 << 16, 'x')}, Code::kArgument, "less than 65536 bytes"},
      {Configure{"unknown", ""}, Code::kReducer, "no optimizer of this name"},
      {Checkpoint{}, Code::kFile, "FLEXOR_PS_CHECKPOINT"},
  };
  for (auto& c : kCases) {
    Complete ended = job.Call(w, c.request);
    EXPECT_EQ(int(ended.status.code), int(c.code)) << ended.status.text;
    EXPECT_TRUE(Says(ended.status, c.says)) << ended.status.text;
    EXPECT_EQ(ended.status.text.rfind("[ps] ", 0), 0u) << ended.status.text;
  }
  // Another worker's init of the same key with another size is refused with the first one's.
  Complete other = job.Call(job.worker[1], Init{Key("a", 16), Bytes(16, 1)});
  EXPECT_EQ(other.status.code, Code::kMismatch);
  EXPECT_TRUE(Says(other.status, "has 8 bytes")) << other.status.text;
  job.Begin(w, Finish{});
  Complete late = job.Call(w, Pull{"a"});
  EXPECT_EQ(late.status.code, Code::kState);
  EXPECT_TRUE(Says(late.status, "has called finish")) << late.status.text;
}

TEST(Core, ALimitNamesWhomItWaitedFor) {
  Job job;
  for (size_t w : job.worker) ASSERT_TRUE(job.Call(w, Init{Key("a", 8), Bytes(8, 1)}).status.ok());
  Complete c = job.Call(job.worker[0], Push{"a", Bytes(8, 1)}, 12 * kSecond);
  EXPECT_EQ(c.status.code, Code::kTimeout);
  EXPECT_TRUE(Says(c.status, "worker 1 (host alpha, pid 7)")) << c.status.text;
  EXPECT_TRUE(Says(c.status, "round 1")) << c.status.text;
  Complete barrier = job.Call(job.worker[0], Barrier{}, 2 * kSecond);
  EXPECT_EQ(barrier.status.code, Code::kTimeout);
  EXPECT_TRUE(Says(barrier.status, "scheduler")) << barrier.status.text;
}

TEST(Core, ASilentWorkerFailsTheJobOrIsLeftOut) {
  for (Policy policy : {Policy::kFail, Policy::kContinue}) {
    Job job([&](NodeConfig& c) { c.settings.policy = policy; });
    for (size_t w : job.worker) ASSERT_TRUE(job.Call(w, Init{Key("a", 8), Bytes(8, 1)}).status.ok());
    job.at(job.worker[1]).deaf = true;
    Complete c = job.Call(job.worker[0], PushPull{"a", Bytes(8, 2)}, 20 * kSecond);
    if (policy == Policy::kContinue) {
      EXPECT_TRUE(c.status.ok()) << c.status.text;
      EXPECT_EQ(c.reply.contributors, (std::vector<Rank>{0}));
    } else {
      EXPECT_EQ(c.status.code, Code::kNetwork);
      EXPECT_TRUE(Says(c.status, "worker 1 (host alpha, pid 7) was lost")) << c.status.text;
      EXPECT_EQ(job.node(job.worker[0]).phase(), NodePhase::kFailed);
    }
  }
}

TEST(Core, ASchedulerThatHearsNobodyLosesNobody) {
  Job job([](NodeConfig& c) { c.settings.policy = Policy::kContinue; });
  for (size_t w : job.worker) ASSERT_TRUE(job.Call(w, Init{Key("a", 8), Bytes(8, 1)}).status.ok());
  auto all_run = [&](Round round) {
    CallId first = job.Begin(job.worker[0], PushPull{"a", Bytes(8, 2)});
    Complete c = job.Call(job.worker[1], PushPull{"a", Bytes(8, 3)});
    EXPECT_TRUE(c.status.ok() && job.Ended(job.worker[0], first)) << c.status.text;
    EXPECT_EQ(c.reply.round, round);
    EXPECT_EQ(c.reply.contributors, (std::vector<Rank>{0, 1}));
  };
  // It was stopped itself.
  job.at(job.scheduler).deaf = true;
  job.Wait(5 * kSecond);
  job.at(job.scheduler).deaf = false;
  job.Wait(4 * kSecond);
  all_run(1);
  // It is cut off, one link a little later than the other.
  job.at(job.server).deaf = true;
  job.Wait(800 * kMillisecond);
  for (size_t w : job.worker) job.at(w).deaf = true;
  job.Wait(5 * kSecond);
  job.at(job.worker[1]).deaf = false;
  job.Wait(2 * kSecond);
  for (size_t w : {job.server, job.worker[0]}) job.at(w).deaf = false;
  job.Wait(4 * kSecond);
  all_run(2);
  // Not for ever.
  for (size_t w : {job.server, job.worker[0], job.worker[1]}) job.at(w).deaf = true;
  job.Wait(20 * kSecond);
  EXPECT_EQ(job.node(job.scheduler).phase(), NodePhase::kRunning);
  job.Wait(60 * kSecond);
  EXPECT_EQ(job.node(job.scheduler).phase(), NodePhase::kFailed);
}

TEST(Core, TheLastToFinishEndsTheJob) {
  Job job;
  EXPECT_TRUE(job.Call(job.worker[0], Finish{}).status.ok());
  EXPECT_TRUE(job.Call(job.worker[1], Finish{}).status.ok());
  job.Wait(kSecond);
  for (size_t i : {job.scheduler, job.server, job.worker[0], job.worker[1]}) EXPECT_EQ(int(job.node(i).phase()), int(NodePhase::kEnded));
}

TEST(Core, WhoCannotJoinHearsWhy) {
  const struct {
    std::function<void(NodeConfig&)> change;
    std::string says;
  } kCases[] = {
      {[](NodeConfig& c) { c.rank = 0; }, "two processes want to be worker 0"},
      {[](NodeConfig& c) { c.settings.mode = Mode::kStale, c.settings.stale_bound = 2; }, "this worker's store is dist_stale(2), that of the workers before it dist_sync"},
      {[](NodeConfig& c) { c.settings.slice_bytes = 4096; }, "slices of this worker have 4096 bytes (FLEXOR_PS_SLICE), those of the scheduler"},
      {[](NodeConfig& c) { c.workers = 7, c.servers = 0; }, "this worker is for a job of 7 workers and 0 servers (DMLC_NUM_WORKER, DMLC_NUM_SERVER), the scheduler's is of"},
  };
  for (auto& k : kCases) {
    Job job;
    NodeConfig c = Config(Role::kWorker);
    c.workers = 2, c.settings.slice_bytes = 64;  // the job's
    k.change(c);
    size_t late = job.Add(c, "");
    job.Wait(4 * kSecond);
    EXPECT_EQ(int(job.node(late).phase()), int(NodePhase::kFailed));
    EXPECT_TRUE(Says(job.node(late).failure(), k.says)) << job.node(late).failure().text;
    EXPECT_EQ(int(job.node(job.worker[0]).phase()), int(NodePhase::kRunning));
  }
  Hall alone;
  size_t s = alone.Add(Config(Role::kScheduler), "scheduler"), w = alone.Add(Config(Role::kWorker), "");
  alone.Wait(125 * kSecond);
  EXPECT_TRUE(Says(alone.node(s).failure(), "0 of 1 servers came within 120 s")) << alone.node(s).failure().text;
  EXPECT_TRUE(Says(alone.node(w).failure(), "0 of 1 servers came within 120 s")) << alone.node(w).failure().text;
  Hall lost;
  size_t x = lost.Add(Config(Role::kWorker), "");
  lost.Wait(125 * kSecond);
  EXPECT_TRUE(Says(lost.node(x).failure(), "the scheduler at scheduler could not be reached for 120 s: nobody listens")) << lost.node(x).failure().text;
}

TEST(Core, WhatIsNotASendersToSayIsDroppedAndCounted) {
  Job job;
  for (size_t w : job.worker) ASSERT_TRUE(job.Call(w, Init{Key("a", 8), Bytes(8, 1)}).status.ok());
  Node& server = job.node(job.server);
  LinkId from_worker = 0;
  for (auto& [link, other] : job.at(job.server).links)
    if (other.first == job.worker[0]) from_worker = link;
  ASSERT_NE(from_worker, 0u);
  pb::Envelope good;
  good.set_job("0123456789abcdef");
  good.set_view(server.view().number);
  good.set_incarnation(job.node(job.worker[0]).incarnation());
  auto push = [&](const std::function<void(pb::Envelope&)>& change, Buffer payload) {
    pb::Envelope e = good;
    auto* p = e.mutable_push();
    p->mutable_slice()->set_key("a"), p->set_round(1), p->set_samples(1), p->set_bytes(8);
    change(e);
    job.Give(job.server, Arrived{from_worker, Lane::kExpress, Buffer::Own(e.SerializeAsString()), payload});
  };
  const struct {
    std::function<void(pb::Envelope&)> change;
    DropReason reason;
    size_t payload;
  } kCases[] = {
      {[](pb::Envelope& e) { e.set_job("another job's id"); }, DropReason::kJob, 8},
      {[](pb::Envelope& e) { e.set_incarnation(e.incarnation() + 1); }, DropReason::kIncarnation, 8},
      {[](pb::Envelope& e) { e.set_view(e.view() - 1); }, DropReason::kView, 8},
      {[](pb::Envelope& e) { e.set_view(e.view() + 1); }, DropReason::kView, 8},
      {[](pb::Envelope& e) { e.mutable_propose(); }, DropReason::kRole, 0},
      {[](pb::Envelope& e) { e.mutable_view_delta()->set_to(99); }, DropReason::kRole, 0},
      {[](pb::Envelope& e) { e.mutable_hello(); }, DropReason::kSession, 0},
      {[](pb::Envelope& e) { e.mutable_pull(); }, DropReason::kSize, 8},
      {[](pb::Envelope& e) { e.mutable_push()->set_samples(uint64_t(1) << 60); }, DropReason::kSize, 8},
      {[](pb::Envelope& e) { e.mutable_init()->mutable_key()->set_bytes(uint64_t(1) << 60); }, DropReason::kSize, 8},
      {[](pb::Envelope& e) { e.mutable_bye(), e.clear_body(); }, DropReason::kGarbage, 0},
  };
  uint64_t view = server.view().number;
  for (auto& c : kCases) {
    uint64_t before = job.drops(job.server, c.reason);
    push(c.change, Bytes(c.payload, 9));
    EXPECT_EQ(job.drops(job.server, c.reason), before + 1) << int(c.reason);
  }
  job.Give(job.server, Arrived{from_worker, Lane::kExpress, Buffer::Own("\xff\xff not a message"), {}});
  job.Give(job.server, Arrived{98, Lane::kExpress, Buffer::Own(good.SerializeAsString()), {}});
  EXPECT_GE(job.drops(job.server, DropReason::kGarbage), 2u);
  EXPECT_GE(job.drops(job.server, DropReason::kSession), 2u);
  EXPECT_EQ(server.view().number, view);
  for (auto& s : server.slices()) EXPECT_EQ(s.held, 0u);
  EXPECT_EQ(server.counters().held_bytes, 0u);
}

TEST(Core, AJobGoesBackToItsCheckpointAndRefusesADamagedOne) {
  for (int damage = 0; damage < 5; ++damage) {
    Job job([](NodeConfig& c) {
      c.settings.policy = Policy::kRollback;
      c.patience = 2 * kSecond;
      if (c.role == Role::kServer) c.cut = "cut";
    });
    for (size_t w : job.worker) ASSERT_TRUE(job.Call(w, Init{Key("a", 8), Bytes(8, 1)}).status.ok());
    auto round = [&](char c) {
      CallId id = job.Begin(job.worker[0], PushPull{"a", Bytes(8, c)});
      Complete other = job.Call(job.worker[1], PushPull{"a", Bytes(8, 1)});
      EXPECT_TRUE(other.status.ok() && job.Ended(job.worker[0], id)) << other.status.text;
    };
    round(2);
    Complete cut = job.Call(job.worker[0], Checkpoint{});
    ASSERT_TRUE(cut.status.ok()) << cut.status.text;
    EXPECT_EQ(cut.reply.round, 1u);
    round(4);
    job.at(job.server).deaf = true;
    std::string& file = job.files.begin()->second;
    if (damage == 1) file.resize(file.size() - 1);
    if (damage == 2) file = "another program's file, long enough to hold a head";
    if (damage == 3) file[20] ^= 1;
    if (damage == 4) file.back() ^= 1;  // of the value
    NodeConfig c = Config(Role::kServer);
    c.workers = 2, c.settings.slice_bytes = 64;  // the job's
    c.rank = 0, c.cut = "cut";
    size_t again = job.Add(c, "server again");
    job.Wait(8 * kSecond);
    if (damage == 0) {
      ASSERT_EQ(int(job.node(again).phase()), int(NodePhase::kRunning));
      // Calls whose maker has not heard of it: an array of round 3 is not one of round 2.
      for (Request late : {Request(PushPull{"a", Bytes(8, 9)}), Request(Pull{"a"}), Request(Finish{}), Request(Checkpoint{})}) {
        Complete old = job.Call(job.worker[0], late, 5 * kSecond, 0);
        EXPECT_EQ(int(old.status.code), int(Code::kRolledBack)) << old.status.text;
        EXPECT_EQ(old.reply.round, 1u);
      }
      EXPECT_TRUE(job.Call(job.worker[0], Init{Key("a", 8), Bytes(8, 1)}, 5 * kSecond, 0).status.ok());  // the same in every life
      Complete pull = job.Call(job.worker[0], Pull{"a"});
      ASSERT_TRUE(pull.status.ok()) << pull.status.text;
      EXPECT_EQ(pull.reply.pieces[0].bytes.text(), std::string(8, 3));
      round(5);
      bool told = false;
      for (auto& n : job.at(job.worker[0]).notices) told |= n.kind == NoticeKind::kRolledBack;
      EXPECT_TRUE(told);
    } else {
      Status failure = job.node(job.worker[0]).failure();
      EXPECT_EQ(int(failure.code), int(Code::kFile));
      EXPECT_TRUE(Says(failure, "cannot go back to its part of the checkpoint, cut.0.1")) << failure.text;
      EXPECT_EQ(Says(failure, "the value of slice 0 of \"a\" is damaged"), damage == 4) << failure.text;
    }
  }
}

TEST(Core, KeysPushedDifferentlyOftenGoBackToTheirOwnRounds) {
  Job job([](NodeConfig& c) {
    c.settings.policy = Policy::kRollback;
    c.patience = 2 * kSecond;
    if (c.role == Role::kServer) c.cut = "cut";
  });
  for (size_t w : job.worker)
    for (const char* key : {"often", "seldom"}) ASSERT_TRUE(job.Call(w, Init{Key(key, 100), Bytes(100, 0)}).status.ok());
  auto round = [&](const char* key, char c) {
    CallId id = job.Begin(job.worker[0], PushPull{key, Bytes(100, c)});
    Complete other = job.Call(job.worker[1], PushPull{key, Bytes(100, 1)});
    EXPECT_TRUE(other.status.ok() && job.Ended(job.worker[0], id)) << other.status.text;
    EXPECT_TRUE(other.reply.pieces.size() == 2 && other.reply.pieces[1].bytes == Bytes(36, char(c + 1)));
    return other.reply.round;
  };
  for (Round r = 1; r <= 5; ++r) EXPECT_EQ(round("often", 2), r);
  EXPECT_EQ(round("seldom", 3), 5u);  // of the same step
  ASSERT_TRUE(job.Call(job.worker[0], Checkpoint{}).status.ok());
  for (Round r = 6; r <= 8; ++r) EXPECT_EQ(round("seldom", 4), r);
  job.at(job.server).deaf = true;
  NodeConfig c = Config(Role::kServer);
  c.rank = 0, c.cut = "cut", c.workers = 2, c.settings.slice_bytes = 64;
  job.Add(c, "server again");
  job.Wait(8 * kSecond);
  Complete pull = job.Call(job.worker[0], Pull{"seldom"});
  EXPECT_EQ(pull.reply.round, 5u);
  EXPECT_EQ(round("often", 7), 6u);
  EXPECT_EQ(round("seldom", 6), 6u);
  EXPECT_EQ(round("often", 8), 7u);
}

// Who joins belongs to the rounds of its first step and after, of every key, however often they had been pushed; each call waits for the one before it, so that a
// round of the wrong number would stop everybody.
TEST(Core, WhoJoinsBelongsToTheSameStepOfEveryKey) {
  for (bool told : {false, true}) {  // told: the order within a step does not matter
    Job job([](NodeConfig& c) { c.settings.policy = Policy::kContinue; });
    std::vector<size_t> all(job.worker, job.worker + 2);
    const std::vector<std::string> keys = told ? std::vector<std::string>{"third", "every"} : std::vector<std::string>{"every", "third"};
    auto init = [&](size_t w) {
      for (const char* key : {"every", "third", "later"}) ASSERT_TRUE(job.Call(w, Init{Key(key, 100), Bytes(100, 0)}).status.ok());
    };
    for (size_t w : all) init(w);
    Round first = UINT64_MAX;  // of the third worker
    auto push = [&](const std::string& key, Round step) {
      std::vector<CallId> calls;
      std::vector<Rank> who;
      for (size_t i = 0; i < all.size(); ++i)
        if (i < 2 || step >= first) calls.push_back(job.Begin(all[i], PushPull{key, Bytes(100, 1), 1, 0, told ? step : 0})), who.push_back(Rank(i));
      job.Wait(kSecond);
      for (size_t i = 0; i < calls.size(); ++i) {
        const Complete* c = job.Ended(all[i], calls[i]);
        ASSERT_NE(c, nullptr) << "worker " << i << ", \"" << key << "\", step " << step << "\n" << job.node(job.server).describe();
        EXPECT_TRUE(c->status.ok()) << c->status.text;
        EXPECT_EQ(c->reply.round, step) << key;
        EXPECT_EQ(c->reply.contributors, who) << key << ", step " << step;
      }
    };
    auto step = [&](Round s) {
      for (auto& key : keys)
        if (key == "every" || s % 3 == 0) push(key, s);
      if (s > 14) push("later", s);
    };
    for (Round s = 1; s <= 8; ++s) step(s);
    NodeConfig c = Config(Role::kWorker);
    c.workers = 2, c.settings.slice_bytes = 64;
    all.push_back(job.Add(c, ""));
    job.Wait(4 * kSecond);
    ASSERT_EQ(job.node(all[2]).phase(), NodePhase::kRunning);
    init(all[2]);
    first = job.node(all[2]).progress().first_round;
    EXPECT_GT(first, 8u);
    EXPECT_LT(first, 12u);
    for (Round s = 9; s <= 18 && !HasFatalFailure(); ++s) step(s);
  }
}

TEST(Core, WhoWaitsInABarrierHearsForWhom) {
  Job job([](NodeConfig& c) { c.settings.policy = Policy::kContinue; });
  CallId first = job.Begin(job.worker[0], Barrier{});
  job.Wait(3 * kSecond);
  EXPECT_TRUE(job.node(job.worker[0]).describe().find("barrier 1 waits for worker 1 (host alpha, pid 7) to enter it") != std::string::npos) << job.node(job.worker[0]).describe();
  ASSERT_TRUE(job.Call(job.worker[1], Barrier{}).status.ok());
  EXPECT_NE(job.Ended(job.worker[0], first), nullptr);
  NodeConfig c = Config(Role::kWorker);
  c.workers = 2, c.settings.slice_bytes = 64;
  size_t late = job.Add(c, "");
  job.Wait(4 * kSecond);
  Complete waits = job.Call(late, Barrier{});  // as a program does that is started again while the others are past theirs
  EXPECT_EQ(waits.status.code, Code::kTimeout);
  EXPECT_TRUE(Says(waits.status, "barrier 2: the call's limit has passed; it waited for worker 0 (host alpha, pid 7), worker 1 (host alpha, pid 7) to enter it")) << waits.status.text;
  EXPECT_TRUE(Says(waits.status, "this worker joined when the others had entered 1 of their barriers, and this is the next one")) << waits.status.text;
}

// Also those hear it whose processes take longer to start.
TEST(Core, EverybodyHearsThatTheNoteOfACheckpointIsDamaged) {
  Hall hall;
  hall.files["cut.last"] = "no note at all";
  NodeConfig c = Config(Role::kScheduler);
  c.workers = 2, c.cut = "cut", c.resume = true;
  size_t scheduler = hall.Add(c, "scheduler");
  hall.Wait(10 * kSecond);
  std::vector<size_t> others;
  for (Role role : {Role::kServer, Role::kWorker, Role::kWorker}) {
    NodeConfig o = Config(role);
    o.workers = 2;
    others.push_back(hall.Add(o, role == Role::kServer ? "server" : ""));
    hall.Wait(3 * kSecond);
  }
  for (size_t i : others) {
    EXPECT_EQ(int(hall.node(i).phase()), int(NodePhase::kFailed));
    EXPECT_EQ(hall.node(i).failure().code, Code::kFile);
    EXPECT_TRUE(Says(hall.node(i).failure(), "cannot begin from its last checkpoint, noted in cut.last: it has 14 bytes")) << hall.node(i).failure().text;
  }
  EXPECT_EQ(int(hall.node(scheduler).phase()), int(NodePhase::kFailed));
}

TEST(Core, ALogWithATornTailIsReadUpToIt) {
  View v;
  std::string log;
  for (int i = 1; i <= 3; ++i) {
    pb::ViewDelta d;
    View next = v;
    next.number = uint64_t(i);
    next.members[{Role::kWorker, Rank(i)}] = {uint64_t(i), MemberState::kActive, 1, 0, "", "", "", 0, uint64_t(i)};
    next.Write(v.number, &d);
    log += LogRecord(d);
    v = next;
  }
  for (size_t cut : {size_t(0), size_t(1), size_t(9)}) {
    View read;
    EXPECT_TRUE(ReadLog(Buffer::Own(log.substr(0, log.size() - cut)), &read));
    EXPECT_EQ(read.number, cut ? 2u : 3u);
    EXPECT_EQ(read.members.size(), cut ? 2u : 3u);
  }
  View none;
  EXPECT_FALSE(ReadLog(Buffer::Own("no log"), &none));
  std::string huge = log;
  huge[3] = char(0xff);  // a length beyond the file
  EXPECT_FALSE(ReadLog(Buffer::Own(huge), &none));
}

TEST(Core, AViewThatCannotBeIsNotTaken) {
  View v;
  v.number = 5;
  const std::function<void(pb::ViewDelta&)> kWrong[] = {
      [](pb::ViewDelta& d) { d.set_to(5); },
      [](pb::ViewDelta& d) { d.set_from(6), d.set_to(7); },
      [](pb::ViewDelta& d) { d.add_nodes()->set_role(9); },
      [](pb::ViewDelta& d) { d.add_shards()->set_number(1000); },
      [](pb::ViewDelta& d) { d.add_settings()->set_number(3); },
      [](pb::ViewDelta& d) { d.set_failure_code(1000); },
      [](pb::ViewDelta& d) { d.set_mode(7); },
  };
  for (auto& change : kWrong) {
    pb::ViewDelta d;
    d.set_from(5), d.set_to(6);
    change(d);
    EXPECT_FALSE(v.Take(d));
    EXPECT_EQ(v.number, 5u);
  }
}

TEST(Core, SlicesCoverAnArrayInWholeItems) {
  JobSettings s;
  s.slice_bytes = 100, s.shards = 3, s.bigarray_bound = 1000;
  for (uint64_t items : {0, 1, 24, 25, 26, 1000}) {
    auto key = std::make_shared<KeyInfo>(Key("a", items * 4));
    key->item_bytes = 4;
    uint64_t at = 0;
    for (uint32_t i = 0; i < SliceCount(*key, s); ++i) {
      Slice slice = SliceAt(key, i, s);
      EXPECT_EQ(slice.offset, at);
      EXPECT_EQ(slice.size % 4, 0u);
      EXPECT_LT(ShardOf("a", key->bytes, i, s), 3u);
      at += slice.size;
    }
    EXPECT_EQ(at, key->bytes);
  }
}

TEST(Core, AQueueKeepsPriorityWindowAndCredit) {
  SendQueue q;
  auto parcel = [](size_t n) { return Parcel{"h", Bytes(n, 1), Lane::kBulk}; };
  q.Grant(1000);
  q.Put(0, parcel(600));
  q.Put(5, parcel(300));
  q.Put(0, parcel(200));
  Parcel p;
  ASSERT_TRUE(q.Take(0, &p));
  EXPECT_EQ(p.payload.size(), 300u);  // the larger priority first
  ASSERT_TRUE(q.Take(0, &p));
  EXPECT_EQ(p.payload.size(), 600u);
  EXPECT_FALSE(q.Take(0, &p));  // 100 of the credit are left
  q.Grant(300);
  EXPECT_TRUE(q.Take(0, &p));
  EXPECT_EQ(q.in_flight(), 1100u);
  q.Returned(kMillisecond, 1100);
  EXPECT_EQ(q.in_flight(), 0u);
  q.Put(0, parcel(5000));  // larger than all there is: it goes alone, on a whole credit
  EXPECT_FALSE(q.Take(0, &p));
  q.Grant(800);
  EXPECT_TRUE(q.Take(0, &p));
}

TEST(Core, TheTableNamesWhoMaySay) {
  for (int kind = 0; kind < 64; ++kind) {
    const Rule* r = RuleOf(Kind(kind));
    if (kind == pb::Envelope::kHello || kind == pb::Envelope::kWelcome || kind == pb::Envelope::BODY_NOT_SET) {
      EXPECT_EQ(r, nullptr);
    } else if (r) {
      EXPECT_TRUE(r->from != 0 && r->to != 0);
    }
  }
  EXPECT_FALSE(RuleOf(pb::Envelope::kPropose)->from & Mask(Role::kWorker));
  EXPECT_FALSE(RuleOf(pb::Envelope::kViewDelta)->from & Mask(Role::kServer));
}

}  // namespace
}  // namespace ps::core
