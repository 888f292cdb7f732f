// SPDX-License-Identifier: Apache-2.0
// A job whose network is not its own: keys, roles, other jobs, garbage, silence. The job's result is what it would be without them.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>

#include "ps.pb.h"
#include "tests/job.h"
#include "tests/raw_socket.h"
#include "transport/batch.h"
#include "transport/keys.h"
#include "transport/setup.h"

namespace ps {
namespace {
bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
double Count(const Node& node, const std::string& name) {
  for (auto& [n, value] : node.Counters())
    if (n == name) return value;
  ADD_FAILURE() << "there is no counter " << name;
  return 0;
}
std::string Secret(const net::KeyPair& pair) { return net::KeyText(pair.secret_key); }
std::string Public(const net::KeyPair& pair) { return net::KeyText(pair.public_key); }

// Ten rounds whose sums are known.
void Train(Job& job) {
  const int64_t n = int64_t(job.users.size()), all = n * (n + 1) / 2;
  job.Each([&](User& u, size_t rank) {
    OK_(u.Init(Key64("w", 40'000), Numbers(40'000, 0)));
    Numbers got;
    for (int64_t round = 1; round <= 10; ++round) {
      OK_(u.PushPull("w", Numbers(40'000, round * int64_t(rank + 1)), got));
      EXPECT_TRUE(got == Numbers(40'000, all * round)) << "round " << round;
    }
  });
}

struct KeyedJob : Job {
  net::KeyPair scheduler_pair = net::MakeKeyPair();
  std::vector<net::KeyPair> server_pairs, worker_pairs;
  KeyedJob(uint32_t workers, uint32_t servers) : Job(workers, servers) {
    Settings s;
    s.key_secret = Secret(scheduler_pair);
    for (auto* list : {&of_server, &of_worker})
      for (Settings& own : *list) {
        net::KeyPair pair = net::MakeKeyPair();
        (list == &of_server ? server_pairs : worker_pairs).push_back(pair);
        own = With(pair);
        s.allow_text += (list == &of_server ? "server " : "worker ") + Public(pair) + "\n";
      }
    StartScheduler(&s);
  }
  Settings With(const net::KeyPair& pair) const {
    Settings s;
    s.key_secret = Secret(pair);
    s.scheduler_key = Public(scheduler_pair);
    return s;
  }
};

TEST(Hostile, AJobWithKeys) {
  KeyedJob job(2, 2);
  job.StartOthers();
  ASSERT_TRUE(job.Ready());
  Train(job);
  Settings own = job.With(job.worker_pairs[0]);
  std::string told = AskStatus(job.scheduler->Address(), own, 5000);
  EXPECT_TRUE(Has(told, "view ") && Has(told, "server 1 (") && Has(told, "worker 1 (")) << told;
  own.key_secret = Secret(net::MakeKeyPair());
  EXPECT_THROW(AskStatus(job.scheduler->Address(), own, 5000), Error);
  job.FinishAll();
}

TEST(Hostile, StatusWithoutKeysOnLoopback) {
  Job job(1, 1);
  ASSERT_TRUE(job.Start());
  EXPECT_TRUE(Has(AskStatus(job.scheduler->Address(), Settings(), 5000), "worker 0 ("));
  EXPECT_FALSE(AskStatus(job.servers[0]->Address(), Settings(), 5000).empty());
  job.FinishAll();
}

TEST(Hostile, WrongKeysAndRolesStayOutside) {
  KeyedJob job(2, 2);
  job.base.rendezvous_ms = 3000;
  Settings stranger = job.With(net::MakeKeyPair());  // not in the list
  auto unknown = job.Worker(&stranger);
  Settings server_as_worker = job.With(job.server_pairs[0]);  // in the list, for another role
  auto wrong_role = job.Worker(&server_as_worker);
  Settings wrong_scheduler = job.With(job.worker_pairs[0]);
  wrong_scheduler.scheduler_key = Public(net::MakeKeyPair());  // somebody else would be trusted
  auto misled = job.Worker(&wrong_scheduler);
  Settings no_key;
  auto keyless = job.Worker(&no_key);
  for (auto& [node, part] : {std::pair<Node*, const char*>{unknown.get(), "FLEXOR_PS_ALLOW"}, {wrong_role.get(), "worker"}, {misled.get(), "public key"}, {keyless.get(), "keys"}}) {
    Status s = node->WaitReady(20'000);
    EXPECT_FALSE(s.ok());
    EXPECT_NE(s.code, Code::kTimeout);
    EXPECT_TRUE(Has(s.text, part)) << s.text;
  }
  job.base.rendezvous_ms = 30'000;
  job.StartOthers();  // and those who may are not held up
  ASSERT_TRUE(job.Ready());
  Train(job);
  EXPECT_GE(Count(*job.scheduler, "links_strangers"), 1);
  job.FinishAll();
}

TEST(Hostile, AnotherJobsNodesAreRefused) {
  Job job(2, 1);
  job.StartScheduler();
  Settings s = job.Of(Role::kWorker);
  s.job = "another";
  s.rendezvous_ms = 3000;
  auto other = Node::Start(s, nullptr, job.pool);
  Status status = other->WaitReady(20'000);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.code, Code::kTimeout);
  EXPECT_EQ(status.code, Code::kNetwork) << status.text;
  EXPECT_GE(Count(*job.scheduler, "drops_job"), 1);
  job.StartOthers();
  ASSERT_TRUE(job.Ready());
  Train(job);
  job.FinishAll();
}

TEST(Hostile, AnotherVersionIsRefusedWithBoth) {
  Job job(1, 1);
  job.StartScheduler();
  net::RawZmq raw(job.scheduler->Address());
  std::string nonce(16, 'n'), answer;
  auto next = [&] {
    for (int i = 0; i < 500; ++i) {
      answer = raw.receive(0);
      if (!answer.empty()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  raw.hello(0, nonce), raw.hello(1, nonce);
  ASSERT_TRUE(next());  // ready
  flexor::ps::Envelope e;
  e.set_job(Prepare(job.Of(Role::kWorker)).node.job);
  e.mutable_hello()->set_version_from(7), e.mutable_hello()->set_version_to(9);
  e.mutable_hello()->set_role(uint32_t(Role::kWorker)), e.mutable_hello()->set_expect_role(uint32_t(Role::kScheduler));
  raw.send(0, {e.SerializeAsString(), ""});
  ASSERT_TRUE(next());
  ASSERT_TRUE(e.ParseFromString(answer));
  EXPECT_TRUE(Has(e.refused().text(), "this node speaks version 2 of the protocol, the peer 7 to 9: use the same release")) << e.refused().text();
}

TEST(Hostile, GarbageChangesNothing) {
  Job job(2, 2);
  ASSERT_TRUE(job.Start());
  std::vector<std::string> targets{job.scheduler->Address(), job.servers[0]->Address(), job.servers[1]->Address()};
  std::vector<net::RawTcp> silent;
  for (int i = 0; i < 300; ++i) silent.emplace_back(targets[i % 3]);
  std::atomic<bool> stop{false};
  std::vector<std::thread> hostile;
  for (int t = 0; t < 3; ++t)
    hostile.emplace_back([&, t] {
      std::mt19937 random(t);
      auto bytes = [&](size_t size) {
        std::string s(size, 0);
        for (char& c : s) c = char(random());
        return s;
      };
      while (!stop) {
        net::RawTcp tcp(targets[t]);
        tcp.write(random() % 2 ? net::ZmtpGreeting() + std::string("\x06\x7f\xff\xff\xff\xff\xff\xff\xff", 9) : bytes(random() % 3000));
        net::RawZmq zmq(targets[t]);
        std::string nonce = bytes(16);
        zmq.hello(0, nonce);
        zmq.hello(1, nonce);
        for (int i = 0; i < 20; ++i) zmq.send(i % 2, {bytes(random() % 200), bytes(random() % 2000)});
        // Well-formed messages of nobody: another job's, and this job's before hello.
        flexor::ps::Envelope e;
        e.set_job(std::string(16, 'j'));
        e.mutable_barrier()->set_number(1);
        zmq.send(0, {e.SerializeAsString(), ""});
        e.clear_barrier();
        e.mutable_push()->mutable_slice()->set_key("w");
        e.mutable_push()->set_bytes(uint64_t(1) << 62);
        zmq.send(0, {e.SerializeAsString(), "8 bytes."});
        zmq.send(0, {bytes(10), bytes(10), bytes(10)});
        // Batches: of what is none, and of messages that do not count.
        zmq.send(0, {std::string(net::kBatchWord) + bytes(random() % 64), bytes(random() % 2000)});
        net::Batch batch;
        for (int i = 0; i < 40; ++i) batch.add(i % 2 ? bytes(random() % 100) : e.SerializeAsString(), bytes(random() % 50));
        zmq.send(0, {batch.index(), batch.body()});
        zmq.send(1, {std::string((1 << 20) + 100, 'e'), ""});
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  for (int i = 0; i < 8; ++i) Train(job);  // an init again changes nothing, rounds go on
  stop = true;
  for (auto& h : hostile) h.join();
  double dropped = 0, batches = 0, garbage = 0;
  for (Node* n : {job.scheduler.get(), job.servers[0].get(), job.servers[1].get()}) {
    dropped += Count(*n, "links_dropped_frames") + Count(*n, "links_dropped_size");
    batches += Count(*n, "links_dropped_batches"), garbage += Count(*n, "drops_garbage") + Count(*n, "drops_job") + Count(*n, "drops_session");
    EXPECT_EQ(n->state(), State::kRunning);
  }
  EXPECT_GT(dropped, 0);
  EXPECT_GT(batches, 0);
  EXPECT_GT(garbage, 40);
  job.FinishAll();
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long kMostGrowth = 4l << 30;  // a sanitizer keeps what was freed
#else
constexpr long kMostGrowth = 200l << 20;
#endif

// A frame that is larger than it may be ends its link before memory is taken for it.
TEST(Hostile, ClaimsOfGigabytesTakeNoMemory) {
  Job job(1, 1);
  ASSERT_TRUE(job.Start());
  auto resident = [] {
    long pages = 0, ignored = 0;
    FILE* f = fopen("/proc/self/statm", "r");
    EXPECT_EQ(fscanf(f, "%ld %ld", &ignored, &pages), 2);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
  };
  long before = resident();
  std::vector<net::RawTcp> claims;
  for (int i = 0; i < 200; ++i) {
    claims.emplace_back(job.servers[0]->Address());
    // ZMTP's greeting, READY, then a message of 1 TiB.
    EXPECT_TRUE(claims.back().shake_hands());
    claims.back().write(std::string("\x02\x00\x00\x01\x00\x00\x00\x00\x00", 9) + std::string(1000, 'x'));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Train(job);
  EXPECT_LT(resident() - before, kMostGrowth);
  job.FinishAll();
}

TEST(Hostile, AForkedChildIsToldSo) {
  Job job(1, 1);
  ASSERT_TRUE(job.Start());
  OK_(job.users[0]->Init(Key64("w", 1), {1}));
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Status push = job.users[0]->Push("w", {1}), ready = job.workers[0]->WaitReady(100);
    bool good = push.code == Code::kState && Has(push.text, "forked child") && ready.code == Code::kState && Has(job.workers[0]->Describe(), "forked child");
    job.workers.clear();  // the parent's links are not the child's to end
    job.servers.clear();
    job.scheduler.reset();
    _exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  Numbers got;
  OK_(job.users[0]->PushPull("w", {7}, got));
  EXPECT_EQ(got, Numbers{7});
  job.FinishAll();
}

}  // namespace
}  // namespace ps
