// SPDX-License-Identifier: Apache-2.0
// A node of the tests' jobs as a process: `ps_test_node scheduler|server` or `ps_test_node worker ROUNDS PAUSE_MS`, settings from the environment that
// flexor-launch gives. Keys are int64: a round adds (rank + 1) * (i % 7 + 1) for each contributor, so that a value tells who was counted how often.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <thread>

#include "ps/node.h"
#include "ps/worker.h"
#include "tests/sum_reducer.h"

namespace {
using namespace ps;
std::string Text(const char* name, const char* otherwise = "") {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}
int64_t Number(const char* name, const char* otherwise) { return std::stoll(Text(name, otherwise)); }

Settings FromEnvironment(const std::string& role) {
  Settings s;
  s.role = role == "scheduler" ? Role::kScheduler : role == "server" ? Role::kServer : Role::kWorker;
  s.rank = Number("FLEXOR_PS_RANK", "-1");
  s.job = Text("FLEXOR_PS_JOB");
  s.root_host = Text("DMLC_PS_ROOT_URI", "127.0.0.1");
  s.root_port = int(Number("DMLC_PS_ROOT_PORT", "0"));
  s.host = Text("DMLC_NODE_HOST");
  s.workers = uint32_t(Number("DMLC_NUM_WORKER", "1"));
  s.servers = uint32_t(Number("DMLC_NUM_SERVER", "1"));
  s.key_file = Text("FLEXOR_PS_KEY_FILE");
  s.allow_file = Text("FLEXOR_PS_ALLOW");
  std::string policy = Text("FLEXOR_PS_POLICY", "fail");
  s.policy = policy == "continue" ? Policy::kContinue : policy == "rollback" ? Policy::kRollback : Policy::kFail;
  s.replicas = uint32_t(Number("FLEXOR_PS_REPLICAS", "0"));
  s.log_file = Text("FLEXOR_PS_LOG");
  s.beat_ms = Number("TEST_BEAT_MS", "400");
  s.timeout_ms = 60'000;
  s.rendezvous_ms = 20'000;
  s.slice_bytes = 256 << 10;
  return s;
}

int Fail(const std::string& what, const Status& status) {
  std::fprintf(stderr, "failed: %s: %s (code %d)\n", what.c_str(), status.text.c_str(), int(status.code));
  return 3;
}

int64_t Factor(size_t i) { return int64_t(i % 7) + 1; }
// The value must be factor * Factor(i) all over a piece.
bool Uniform(const Piece& piece, int64_t& factor) {
  Numbers numbers = ToNumbers(piece.bytes);
  size_t first = piece.offset / 8;
  factor = numbers.empty() ? 0 : numbers[0] / Factor(first);
  for (size_t i = 0; i < numbers.size(); ++i)
    if (numbers[i] != factor * Factor(first + i)) return false;
  return true;
}

int Work(Node& node, uint64_t rounds, int pause_ms) {
  Worker worker(node);
  int64_t mine = int64_t(node.rank()) + 1;
  const size_t kSmall = 100, kBig = 150'000;  // 1.2 MB: five slices
  auto contribution = [&](size_t count) {
    Numbers numbers(count);
    for (size_t i = 0; i < count; ++i) numbers[i] = mine * Factor(i);
    return ToBuffer(numbers);
  };
  Buffer small = contribution(kSmall), big = contribution(kBig);
  Status s = worker.Wait([&](Done d) { worker.Init(Key64("small", kSmall), ToBuffer(Numbers(kSmall)), std::move(d)); });
  if (s.ok()) s = worker.Wait([&](Done d) { worker.Init(Key64("big", kBig), ToBuffer(Numbers(kBig)), std::move(d)); });
  if (!s.ok()) return Fail("init", s);
  bool again = Number("FLEXOR_LAUNCH_RESTART", "0") > 0;  // the others are past these long since
  if (node.rank() == 0 && !again) {
    s = worker.Wait([&](Done d) { worker.Configure("add", "1", std::move(d)); });
    if (!s.ok()) return Fail("configure", s);
  }
  if (!again) {
    s = worker.Wait([&](Done d) { worker.Barrier(std::move(d)); });
    if (!s.ok()) return Fail("barrier", s);
  }
  const uint64_t seldom = uint64_t(Number("TEST_SELDOM", "1"));  // `big` is pushed in every so many rounds
  Reply reply;
  int64_t before = -1, factor = 0;
  uint64_t last = 0;
  while (reply.round < rounds) {
    s = worker.Wait([&](Done d) { worker.PushPull("small", small, 1, 0, std::move(d)); }, &reply);
    if (!s.ok()) return Fail("round after " + std::to_string(last), s);
    if (reply.pieces.size() != 1 || !Uniform(reply.pieces[0], factor)) return Fail("small is mixed", s);
    int64_t counted = 0;
    std::string who;
    for (Rank r : reply.contributors) counted += r + 1, who += std::to_string(r);
    if (before >= 0 && reply.round == last + 1 && factor - before != counted) return Fail("round " + std::to_string(reply.round) + " added " + std::to_string(factor - before) + " of " + who, s);
    before = factor;
    last = reply.round;
    std::printf("round %llu by %s value %lld\n", (unsigned long long)reply.round, who.c_str(), (long long)factor);
    std::fflush(stdout);
    std::string factors;
    Reply other;
    if (reply.round % seldom == 0 || reply.round >= rounds) s = worker.Wait([&](Done d) { worker.PushPull("big", big, 1, 0, std::move(d)); }, &other);
    if (!s.ok()) return Fail("big after " + std::to_string(last), s);
    for (const Piece& p : other.pieces) {
      if (!Uniform(p, factor)) return Fail("big is mixed", s);
      factors += " " + std::to_string(factor);
    }
    if (reply.round >= rounds) std::printf("final %lld big%s\n", (long long)before, factors.c_str());
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
  }
  s = worker.Wait([&](Done d) { worker.Finish(std::move(d)); });
  return s.ok() ? 0 : Fail("finish", s);
}
}  // namespace

int main(int argc, char** argv) {
  std::string role = argc > 1 ? argv[1] : "";
  try {
    std::printf("pid %d\n", int(getpid()));
    std::fflush(stdout);
    Settings settings = FromEnvironment(role);
    auto node = Node::Start(settings, std::make_shared<SumReducer>(), MakePool(2), [&](const Notice& n) {
      std::fprintf(stderr, "notice %d: %s\n", int(n.event), n.text.c_str());
    });
    Status s = node->WaitReady(-1);
    if (!s.ok()) return Fail("rendezvous", s);
    int result = 0;
    if (settings.role == Role::kWorker) result = argc > 3 ? Work(*node, std::stoull(argv[2]), std::stoi(argv[3])) : 2;
    if (result == 0 && (settings.role != Role::kWorker || settings.servers == 0)) {
      s = node->WaitEnd(-1);
      if (!s.ok()) return Fail("the job", s);
    }
    if (role == "worker" && result == 0) std::printf("done\n");
    return result;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "failed: %s\n", e.what());
    return 4;
  }
}
