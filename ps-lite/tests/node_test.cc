// SPDX-License-Identifier: Apache-2.0
// The whole path over sockets: rendezvous, calls in the three modes, barriers, finish.
#include "ps/node.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "tests/job.h"
#include "tests/temp_folder.h"

namespace ps {
namespace {
Numbers Many(size_t count, int64_t of) {
  Numbers numbers(count);
  for (size_t i = 0; i < count; ++i) numbers[i] = of * 1000 + int64_t(i % 997);
  return numbers;
}

TEST(PsNode, Rendezvous) {
  Job job(3, 2);
  ASSERT_TRUE(job.Start());
  std::set<Rank> ranks;
  for (auto& s : job.servers) ranks.insert(s->rank());
  EXPECT_EQ(ranks, (std::set<Rank>{0, 1}));
  for (auto& w : job.workers) {
    EXPECT_EQ(w->workers(), 3u);
    EXPECT_EQ(w->servers(), 2u);
    EXPECT_EQ(w->state(), State::kRunning);
    EXPECT_TRUE(w->Address().empty());
  }
  EXPECT_FALSE(job.scheduler->Describe().empty());
  EXPECT_FALSE(job.workers[0]->Counters().empty());
  job.FinishAll();
}

TEST(PsNode, SumsOfSmallAndLargeKeys) {
  Job job(3, 2);
  ASSERT_TRUE(job.Start());
  const size_t large = 700'000;  // 5.6 MB: several slices over both servers
  job.Each([&](User& u, size_t rank) {
    OK_(u.Init(Key64("small", 3), {1, 2, 3}));
    OK_(u.Init(Key64("large", large), Numbers(large, 5)));
    Numbers got;
    OK_(u.Pull("small", got));
    EXPECT_EQ(got, (Numbers{1, 2, 3}));
    OK_(u.Barrier());  // nobody pushes before all have pulled
    for (int64_t round = 1; round <= 5; ++round) {
      OK_(u.PushPull("small", {round, int64_t(rank), 1}, got));
      EXPECT_EQ(got, (Numbers{3 * round, 3, 3}));
      EXPECT_EQ(u.reply.round, Round(round));
      EXPECT_EQ(u.reply.contributors, (std::vector<Rank>{0, 1, 2}));
      OK_(u.PushPull("large", Many(large, round + int64_t(rank)), got));
      Numbers want = Many(large, 0);
      for (size_t i = 0; i < large; ++i) want[i] = 3 * want[i] + 1000 * (3 * round + 3);
      EXPECT_EQ(got, want);
    }
    OK_(u.Push("small", {10, 10, 10}));
    OK_(u.Pull("small", got));
    EXPECT_EQ(got, (Numbers{30, 30, 30}));
  });
  job.FinishAll();
}

double Count(const Node& node, const std::string& name) {
  for (auto& [n, value] : node.Counters())
    if (n == name) return value;
  ADD_FAILURE() << "there is no counter " << name;
  return 0;
}

class ManyKeysAtOnce : public testing::TestWithParam<uint64_t> {};  // what is below goes together
TEST_P(ManyKeysAtOnce, GiveTheirSums) {
  Job job(2, 2);
  job.base.batch_bytes = GetParam();
  ASSERT_TRUE(job.Start());
  job.Each([&](User& u, size_t) {
    std::atomic<int> good{0}, ended{0};
    std::string first;
    std::mutex mutex;
    auto count = [&](const Status& s, Reply&) {
      if (!s.ok()) {
        std::lock_guard<std::mutex> lock(mutex);
        if (first.empty()) first = s.text;
      }
      good += s.ok();
      ++ended;
    };
    const int keys = 100;
    for (int k = 0; k < keys; ++k) {
      std::string name = "k" + std::to_string(k);
      u.worker.Init(Key64(name, 20), ToBuffer(Numbers(20, k)), count);
      for (int round = 0; round < 3; ++round) u.worker.PushPull(name, ToBuffer(Numbers(20, k)), 1, -k, count);
    }
    for (int i = 0; i < 3000 && ended < 4 * keys; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(good, 4 * keys) << first;
    Numbers got;
    OK_(u.Pull("k7", got));
    EXPECT_EQ(got, Numbers(20, 14));
  });
  for (Node* n : {job.workers[0].get(), job.workers[1].get(), job.servers[0].get(), job.servers[1].get()}) {
    double together = Count(*n, "links_sent_in_batches"), batches = Count(*n, "links_sent_batches"), all = Count(*n, "links_sent_messages");
    if (GetParam() == 0) {
      EXPECT_EQ(together, 0);
    } else {
      EXPECT_GT(together, all / 3);
      EXPECT_LT(batches, together / 2);
    }
    EXPECT_EQ(Count(*n, "links_dropped_batches"), 0);
  }
  job.FinishAll();
}
INSTANTIATE_TEST_SUITE_P(PsNode, ManyKeysAtOnce, testing::Values(0, 8 << 10));

TEST(PsNode, OptimizersRunOnServers) {
  Job job(2, 2);
  ASSERT_TRUE(job.Start());
  job.Each([&](User& u, size_t rank) {
    OK_(u.Init(Key64("w", 4), {100, 100, 100, 100}));
    if (rank == 0) {
      Status wrong = u.Configure("divide", "2");
      EXPECT_FALSE(wrong.ok());
      EXPECT_NE(wrong.text.find("divide"), std::string::npos) << wrong.text;
      OK_(u.Configure("add", "3"));
    }
    OK_(u.Barrier());
    Numbers got;
    for (int64_t round = 1; round <= 4; ++round) {
      OK_(u.PushPull("w", {1, 0, int64_t(rank), 2}, got));
      EXPECT_EQ(got, (Numbers{100 + 6 * round, 100, 100 + 3 * round, 100 + 12 * round}));
    }
  });
  job.FinishAll();
}

TEST(PsNode, AsynchronousPushesCountOnce) {
  Job job(3, 2);
  job.base.mode = Mode::kAsync;
  ASSERT_TRUE(job.Start());
  job.Each([&](User& u, size_t rank) {
    OK_(u.Init(Key64("w", 2), {0, 0}));
    if (rank == 0) OK_(u.Configure("add", "1"));
    OK_(u.Barrier());
    Numbers got;
    for (int64_t i = 1; i <= 50; ++i) {
      OK_(u.PushPull("w", {1, i}, got));
      EXPECT_GE(got[0], i);
      EXPECT_LE(got[0], 150);
    }
    OK_(u.Barrier());
    OK_(u.Pull("w", got));
    EXPECT_EQ(got, (Numbers{150, 3 * 50 * 51 / 2}));
  });
  job.FinishAll();
}

TEST(PsNode, StaleWorkersAreHeldBack) {
  Job job(2, 1);
  job.base.mode = Mode::kStale;
  job.base.stale_bound = 2;
  ASSERT_TRUE(job.Start());
  std::atomic<int64_t> slow{0}, worst{0};
  job.Each([&](User& u, size_t rank) {
    OK_(u.Init(Key64("w", 1), {0}));
    if (rank == 0) OK_(u.Configure("add", "1"));
    OK_(u.Barrier());
    Numbers got;
    for (int64_t i = 1; i <= 12; ++i) {
      if (rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (rank == 1) slow = i;  // its push of clock i has begun
      OK_(u.PushPull("w", {1}, got));
      if (rank == 0) worst = std::max<int64_t>(worst, i - slow);
    }
  });
  EXPECT_LE(worst, 3);  // k ahead of what the slow one has pushed
  job.FinishAll();
}

TEST(PsNode, UnequalNumbersOfRounds) {
  Job job(3, 1);
  ASSERT_TRUE(job.Start());
  job.Each([&](User& u, size_t rank) {
    OK_(u.Init(Key64("w", 1), {0}));
    Numbers got;
    for (size_t round = 1; round <= 4 + 3 * rank; ++round) {
      OK_(u.PushPull("w", {1}, got));
      int64_t there = 0;
      for (size_t r = 0; r < 3; ++r) there += round <= 4 + 3 * r;
      EXPECT_EQ(got, Numbers{there});
      EXPECT_EQ(int64_t(u.reply.contributors.size()), there);
    }
    OK_(u.Finish());
    Status after = u.Push("w", {1});
    EXPECT_EQ(after.code, Code::kState) << after.text;
  });
  EXPECT_TRUE(job.scheduler->WaitEnd(60'000).ok());
  EXPECT_TRUE(job.servers[0]->WaitEnd(60'000).ok());
}

TEST(PsNode, WorkersHoldTheKeysWithoutServers) {
  Job job(2, 0);
  ASSERT_TRUE(job.Start());
  job.Each([&](User& u, size_t) {
    OK_(u.Init(Key64("w", 300'000), Numbers(300'000, 1)));
    Numbers got;
    OK_(u.PushPull("w", Numbers(300'000, 2), got));
    EXPECT_EQ(got, Numbers(300'000, 4));
  });
  job.FinishAll();
  for (auto& w : job.workers) OK_(w->WaitEnd(60'000));
}

// The only server is lost while nothing is under way, and another takes its place: what is called next was made for a round that is undone.
TEST(PsNode, WhoHasNotHeardOfAReturnIsTold) {
  Job job(1, 1);
  TempFolder folder;
  job.base.policy = Policy::kRollback;
  job.base.cut_prefix = folder / "cut";
  job.base.beat_ms = 600;
  job.base.patience_ms = 200;
  std::atomic<bool> back{false};  // the node knows; its user does not
  job.StartScheduler();
  job.servers.push_back(job.Server());
  job.workers.push_back(Node::Start(job.Of(Role::kWorker), nullptr, job.pool, [&](const Notice& n) { back = back || n.event == Event::kRolledBack; }));
  ASSERT_TRUE(job.Ready());
  User& u = *job.users[0];
  OK_(u.Init(Key64("w", 1), {7}));
  Numbers got;
  OK_(u.PushPull("w", {1}, got));
  OK_(u.worker.Wait([&](Done d) { u.worker.Checkpoint(std::move(d)); }));
  OK_(u.PushPull("w", {2}, got));
  job.servers[0].reset();
  job.of_server[0].rank = 0;
  job.servers[0] = job.Server(&job.of_server[0]);
  OK_(job.servers[0]->WaitReady(20'000));
  for (int i = 0; i < 3000 && !back; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(back);
  Status old = u.PushPull("w", {3}, got);
  EXPECT_EQ(old.code, Code::kRolledBack) << old.text;
  EXPECT_EQ(u.reply.round, 1u);
  OK_(u.Pull("w", got));
  EXPECT_EQ(got, Numbers{1});
  OK_(u.PushPull("w", {4}, got));
  EXPECT_EQ(got, Numbers{4});
  EXPECT_EQ(u.reply.round, 2u);
  job.FinishAll();
}

TEST(PsNode, WrongCallsSayWhatIsWrong) {
  Job job(2, 1);
  ASSERT_TRUE(job.Start());
  User &a = *job.users[0], &b = *job.users[1];
  OK_(a.Init(Key64("w", 4), {1, 2, 3, 4}));
  Status other = b.Init(Key64("w", 5), {1, 2, 3, 4, 5});
  EXPECT_EQ(other.code, Code::kMismatch) << other.text;
  EXPECT_EQ(a.Init(Key64("x", 4), {1}).code, Code::kArgument);
  EXPECT_EQ(a.Init(Key64("", 1), {1}).code, Code::kArgument);
  EXPECT_EQ(a.Init(Key64(std::string(300, 'n'), 1), {1}).code, Code::kArgument);
  EXPECT_EQ(a.Push("unknown", {1}).code, Code::kUnknownKey);
  EXPECT_EQ(a.Push("w", {1}).code, Code::kMismatch);
  OK_(a.Init(Key64("throws", 1), {1}));
  std::thread second([&] {
    OK_(b.Init(Key64("throws", 1), {1}));
    Numbers got;
    EXPECT_EQ(b.PushPull("throws", {1}, got).code, Code::kReducer);
  });
  Numbers got;
  Status thrown = a.PushPull("throws", {1}, got);
  second.join();
  EXPECT_EQ(thrown.code, Code::kReducer);
  EXPECT_NE(thrown.text.find("this key's sum is not wanted"), std::string::npos) << thrown.text;
  a.node.Close();
  EXPECT_EQ(a.Push("w", {1, 2, 3, 4}).code, Code::kState);
}

}  // namespace
}  // namespace ps
