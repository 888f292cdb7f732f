// SPDX-License-Identifier: Apache-2.0
// Links on their own: up, messages on both lanes, order, ends, strangers.
#include "transport/links.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <functional>
#include <thread>

#include "ps/exception.h"
#include "tests/raw_socket.h"
#include "transport/links_internal.h"

namespace ps::net {
namespace {
struct End {
  explicit End(LinkSettings s) : links(s) {}
  Links links;
  std::vector<LinkEvent> events;
  size_t count(LinkEvent::Kind kind) const {
    size_t n = 0;
    for (auto& e : events) n += e.kind == kind;
    return n;
  }
  const LinkEvent* last(LinkEvent::Kind kind) const {
    const LinkEvent* found = nullptr;
    for (auto& e : events)
      if (e.kind == kind) found = &e;
    return found;
  }
};
int NoWake() {
  static int fd[2] = {-1, -1};
  if (fd[0] < 0 && pipe(fd)) ADD_FAILURE();
  return fd[0];
}
// Turns both ends until it holds.
bool Until(std::vector<End*> ends, const std::function<bool()>& ready, int64_t ms = 60000) {
  for (int64_t end = NowMs() + ms; NowMs() < end;) {
    for (End* e : ends) e->links.poll(NoWake(), 2, e->events);
    if (ready()) return true;
  }
  return ready();
}
LinkSettings Bound() {
  LinkSettings s;
  s.bind = "127.0.0.1";
  s.handshake_ms = 1000;
  return s;
}
LinkSettings Opener() {
  LinkSettings s;
  s.handshake_ms = 1000;
  return s;
}
struct Pair {
  End server, client;
  Key key{};
  explicit Pair(LinkSettings s = Bound(), LinkSettings c = Opener(), bool allow = true) : server(s), client(c) {
    key = s.keys.public_key;
    if (c.keys.set() && allow) server.links.allow({c.keys.public_key});
  }
  bool up(LinkId id = 1) {
    client.links.open(id, server.links.address(), key);
    size_t before = server.count(LinkEvent::kUp);
    return Until({&server, &client}, [&] { return server.count(LinkEvent::kUp) > before && client.last(LinkEvent::kUp) && client.last(LinkEvent::kUp)->link == id; });
  }
  LinkId accepted() { return server.last(LinkEvent::kUp)->link; }
  std::vector<End*> both() { return {&server, &client}; }
};

TEST(Links, MessagesGoBothWaysOnBothLanes) {
  Pair p;
  ASSERT_TRUE(p.up());
  std::string big(900'000, 'b');
  EXPECT_TRUE(p.client.links.send(1, Lane::kExpress, Frame("head"), Frame("body")));
  EXPECT_TRUE(p.client.links.send(1, Lane::kBulk, Frame("h2"), Frame(big)));
  EXPECT_TRUE(p.server.links.send(p.accepted(), Lane::kExpress, Frame("back"), Frame("")));
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kMessage) == 2 && p.client.count(LinkEvent::kMessage) == 1; }));
  for (auto& e : p.server.events)
    if (e.kind == LinkEvent::kMessage) {
      EXPECT_EQ(e.link, p.accepted());
      EXPECT_EQ(std::string(e.payload.view()), e.lane == Lane::kBulk ? big : "body");
    }
  EXPECT_EQ(p.client.last(LinkEvent::kMessage)->envelope.view(), "back");
  EXPECT_EQ(p.client.last(LinkEvent::kMessage)->payload.size(), 0u);
}

TEST(Links, EachLaneKeepsItsOrder) {
  Pair p;
  ASSERT_TRUE(p.up());
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(p.client.links.send(1, Lane(i % 2), Frame(std::to_string(i)), Frame("x")));
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kMessage) == 3000; }));
  int last[2] = {-1, -1};
  for (auto& e : p.server.events)
    if (e.kind == LinkEvent::kMessage) {
      int i = std::stoi(std::string(e.envelope.view()));
      EXPECT_EQ(i % 2, int(e.lane));
      EXPECT_GT(i, last[int(e.lane)]);
      last[int(e.lane)] = i;
    }
}

// The messages of an end's events, those of batches one by one: "envelope payload".
std::vector<std::string> Said(const End& end, LinkId link) {
  std::vector<std::string> all;
  for (auto& e : end.events) {
    if (e.link != link) continue;
    if (e.kind == LinkEvent::kMessage && e.lane == Lane::kExpress) all.push_back(std::string(e.envelope.view()) + " " + std::string(e.payload.view()));
    if (e.kind != LinkEvent::kBatch) continue;
    BatchReader reader(e.envelope.view(), e.payload.view());
    for (std::string_view head, body; reader.next(&head, &body);) all.push_back(std::string(head) + " " + std::string(body));
  }
  return all;
}

TEST(Links, SmallMessagesGoTogetherInTheirOrder) {
  LinkSettings bound = Bound(), opener = Opener();
  bound.batch_bytes = opener.batch_bytes = 1000;
  Pair p(bound, opener);
  ASSERT_TRUE(p.up());
  std::vector<std::string> said;
  for (int i = 0; i < 2000; ++i) {
    std::string head = std::to_string(i), body(size_t(i * 37 % 1200), char('a' + i % 26));  // some too large to be gathered
    said.push_back(head + " " + body);
    ASSERT_TRUE(p.client.links.post(1, Lane::kExpress, head, body));
    ASSERT_TRUE(p.server.links.post(p.accepted(), Lane::kExpress, head, body));
    if (i % 500 == 499) p.client.links.flush(), p.server.links.flush();
  }
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.links.counters().received_messages == 2000 && p.client.links.counters().received_messages == 2000; }));
  EXPECT_EQ(Said(p.server, p.accepted()), said);
  EXPECT_EQ(Said(p.client, 1), said);
  for (Links* l : {&p.client.links, &p.server.links}) {
    const LinkCounters& c = l->counters();
    EXPECT_EQ(c.sent_messages, 2000u);
    EXPECT_GT(c.sent_in_batches, 1000u);
    EXPECT_LT(c.sent_batches, c.sent_in_batches / 2);
    EXPECT_EQ(c.received_batches, c.sent_batches);  // the other did the same
  }
  // What waits goes out before the end; what is alone is an ordinary message; nothing goes to a link that is gone.
  ASSERT_TRUE(p.client.links.post(1, Lane::kExpress, "the", "last"));
  p.client.links.close(1);
  EXPECT_FALSE(p.client.links.post(1, Lane::kExpress, "too", "late"));
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kDown) == 1; }));
  EXPECT_EQ(p.server.last(LinkEvent::kMessage)->payload.view(), "last");
}

TEST(Links, ABatchIsBelievedWholeOrNotAtAll) {
  auto entry = [](uint32_t head, uint32_t body) {
    std::string s;
    for (uint32_t n : {head, body})
      for (int i = 0; i < 4; ++i) s += char(n >> 8 * i & 255);
    return s;
  };
  const std::string word(kBatchWord);
  std::string many = word;
  for (size_t i = 0; i <= kBatchMost; ++i) many += entry(0, 0);
  const struct {
    std::string index, body;
  } kWrong[] = {
      {word, ""},                                         // of nothing
      {word + entry(1, 1).substr(1), "ab"},               // a length cut short
      {word + entry(1, 1) + "x", "ab"},
      {word + entry(1, 2), "ab"},                         // more than there is
      {word + entry(1, 0), "ab"},                         // less
      {word + entry(~0u, 3), "ab"},                       // sums that overflow
      {word + entry(1, ~0u) + entry(2, 0), "abc"},
      {many, ""},
      {word + entry(101, 0), std::string(101, 'e')},      // an envelope beyond its limit
      {word + entry(1, kBatchBytes), std::string(kBatchBytes + 1, 'b')},
      {word + "s" + entry(1, 1), "ab"},
  };
  LinkSettings bound = Bound();
  bound.max_envelope = 100;
  Pair p(bound);
  RawZmq raw(p.server.links.address());
  raw.hello(0, "0123456789abcdef");
  raw.hello(1, "0123456789abcdef");
  ASSERT_TRUE(Until({&p.server}, [&] { return p.server.count(LinkEvent::kUp) == 1; }));
  for (auto& w : kWrong) {
    EXPECT_FALSE(BatchReader(w.index, w.body).good(100));
    raw.send(0, {w.index, w.body});
  }
  raw.send(1, {word + entry(1, 1), "ab"});  // not on that lane
  raw.send(0, {word + entry(1, 2) + entry(3, 0), "abbccc"});
  ASSERT_TRUE(Until({&p.server}, [&] { return p.server.count(LinkEvent::kBatch) == 1 && p.server.links.counters().dropped_batches == std::size(kWrong) + 1; }));
  EXPECT_EQ(Said(p.server, p.accepted()), (std::vector<std::string>{"a bb", "ccc "}));
  EXPECT_EQ(p.server.count(LinkEvent::kMessage), 0u);
  EXPECT_EQ(p.server.count(LinkEvent::kDown), 0u);
}

TEST(Links, WhatIsNotCopiedIsGivenBackOnce) {
  Pair p;
  ASSERT_TRUE(p.up());
  static std::atomic<int> released;
  released = 0;
  static const std::string bytes(500'000, 'z');
  auto release = [](void*, void*) { ++released; };
  ASSERT_TRUE(p.client.links.send(1, Lane::kBulk, Frame("a"), Frame(bytes.data(), bytes.size(), release, nullptr)));
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kMessage) == 1 && released == 1; }));
  EXPECT_FALSE(p.client.links.send(7, Lane::kBulk, Frame("a"), Frame(bytes.data(), bytes.size(), release, nullptr)));  // no such link
  EXPECT_EQ(released, 2);
  p.client.links.close(1);
  EXPECT_FALSE(p.client.links.send(1, Lane::kBulk, Frame("a"), Frame(bytes.data(), bytes.size(), release, nullptr)));
  EXPECT_EQ(released, 3);
}

TEST(Links, TheEndOfOneIsToldToTheOther) {
  Pair p;
  ASSERT_TRUE(p.up());
  p.client.links.send(1, Lane::kExpress, Frame("last words"), Frame(""));
  p.client.links.close(1);
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kDown) == 1; }));
  EXPECT_EQ(p.server.last(LinkEvent::kDown)->why, Down::kLost);
  ASSERT_EQ(p.server.count(LinkEvent::kMessage), 1u);  // before the end
  EXPECT_EQ(p.server.events.back().kind, LinkEvent::kDown);
  EXPECT_EQ(p.client.count(LinkEvent::kDown), 0u);

  ASSERT_TRUE(p.up(3));
  p.server.links.send(p.accepted(), Lane::kExpress, Frame("refused"), Frame(""));
  p.server.links.close(p.accepted());
  ASSERT_TRUE(Until(p.both(), [&] { return p.client.count(LinkEvent::kDown) == 1; }));
  EXPECT_EQ(p.client.last(LinkEvent::kDown)->why, Down::kClosed);
  EXPECT_EQ(p.client.last(LinkEvent::kMessage)->envelope.view(), "refused");
  EXPECT_EQ(p.server.count(LinkEvent::kDown), 1u);  // its own close is not told
}

TEST(Links, ADeadListenerIsUnreachable) {
  std::string address;
  { address = End(Bound()).links.address(); }
  End client(Opener());
  client.links.open(1, address, {});
  ASSERT_TRUE(Until({&client}, [&] { return client.count(LinkEvent::kDown) == 1; }));
  EXPECT_EQ(client.last(LinkEvent::kDown)->why, Down::kUnreachable);
  EXPECT_NE(client.last(LinkEvent::kDown)->text.find(address), std::string::npos);
}

TEST(Links, NothingIsConnectedAgain) {
  auto first = std::make_unique<End>(Bound());
  LinkSettings same = Bound();
  std::string host;
  SplitAddress(first->links.address(), host, same.port);
  EXPECT_THROW(Links again(same), Error);  // a port in use
  End client(Opener());
  client.links.open(1, first->links.address(), {});
  ASSERT_TRUE(Until({first.get(), &client}, [&] { return client.count(LinkEvent::kUp) == 1 && first->count(LinkEvent::kUp) == 1; }));
  first.reset();
  for (int i = 0; i < 10; ++i) client.links.send(1, Lane::kBulk, Frame("for the dead"), Frame("x"));
  End successor(same);
  ASSERT_TRUE(Until({&successor, &client}, [&] { return client.count(LinkEvent::kDown) == 1; }));
  EXPECT_EQ(client.last(LinkEvent::kDown)->why, Down::kLost);
  EXPECT_FALSE(client.links.send(1, Lane::kBulk, Frame("for the dead"), Frame("x")));
  Until({&successor, &client}, [] { return false; }, 500);
  EXPECT_TRUE(successor.events.empty());
  EXPECT_EQ(successor.links.counters().accepted, 0u);
}

TEST(Links, KeysAreProvedAndNamed) {
  LinkSettings s = Bound(), c = Opener();
  s.keys = MakeKeyPair();
  c.keys = MakeKeyPair();
  Pair p(s, c);
  ASSERT_TRUE(p.up());
  EXPECT_EQ(p.server.last(LinkEvent::kUp)->key, c.keys.public_key);
  EXPECT_EQ(p.client.last(LinkEvent::kUp)->key, s.keys.public_key);
  p.client.links.send(1, Lane::kBulk, Frame("head"), Frame(std::string(1 << 20, 'k')));
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kMessage) == 1; }));
}

TEST(Links, StrangersAreRefused) {
  LinkSettings s = Bound(), c = Opener();
  s.keys = MakeKeyPair();
  c.keys = MakeKeyPair();
  {
    Pair unknown(s, c, false);
    unknown.client.links.open(1, unknown.server.links.address(), s.keys.public_key);
    ASSERT_TRUE(Until(unknown.both(), [&] { return unknown.client.count(LinkEvent::kDown) == 1; }));
    EXPECT_EQ(unknown.client.last(LinkEvent::kDown)->why, Down::kStranger);
    EXPECT_NE(unknown.client.last(LinkEvent::kDown)->text.find("FLEXOR_PS_ALLOW"), std::string::npos);
    EXPECT_GE(unknown.server.links.counters().strangers, 1u);
    EXPECT_EQ(unknown.server.count(LinkEvent::kUp), 0u);
  }
  {
    Pair other(s, c);
    other.client.links.open(1, other.server.links.address(), MakeKeyPair().public_key);  // another server's key
    ASSERT_TRUE(Until(other.both(), [&] { return other.client.count(LinkEvent::kDown) == 1; }));
    EXPECT_EQ(other.server.count(LinkEvent::kUp), 0u);
  }
  {
    Pair none(s, Opener());  // no key at all
    none.client.links.open(1, none.server.links.address(), s.keys.public_key);
    ASSERT_TRUE(Until(none.both(), [&] { return none.client.count(LinkEvent::kDown) == 1; }));
    EXPECT_EQ(none.server.count(LinkEvent::kUp), 0u);
  }
}

TEST(Links, WithoutKeysOnlyLoopback) {
  LinkSettings s;
  s.bind = "0.0.0.0";
  try {
    Links links(s);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status().code, Code::kRefused);
    EXPECT_NE(std::string(e.what()).find("ps-keygen"), std::string::npos);
  }
  End client(Opener());
  EXPECT_THROW(client.links.open(1, "192.0.2.1:99", {}), Error);
  EXPECT_TRUE(IsLoopback("127.0.0.1") && IsLoopback("127.3.2.1") && IsLoopback("[::1]"));
  EXPECT_FALSE(IsLoopback("127.0.0.1.evil.org") || IsLoopback("10.0.0.1") || IsLoopback(""));
}

TEST(Links, OversizedFramesEndTheLink) {
  LinkSettings small = Bound();
  small.max_frame = 100'000;
  Pair p(small);
  ASSERT_TRUE(p.up());
  p.client.links.send(1, Lane::kBulk, Frame("head"), Frame(std::string(100'001, 'x')));
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kDown) == 1 && p.client.count(LinkEvent::kDown) == 1; }));
  EXPECT_EQ(p.server.count(LinkEvent::kMessage), 0u);
}

TEST(Links, ManyFramesAreDroppedAndCounted) {
  Pair p;
  RawZmq raw(p.server.links.address());
  raw.hello(0, "0123456789abcdef");
  raw.hello(1, "0123456789abcdef");
  ASSERT_TRUE(Until({&p.server}, [&] { return p.server.count(LinkEvent::kUp) == 1; }));
  raw.send(0, {"a", "b", "c"});
  raw.send(0, std::vector<std::string>(50, "x"));
  raw.send(0, {"single"});
  raw.send(0, {std::string((1 << 20) + 1, 'm'), ""});  // more metadata than anybody has
  raw.send(0, {"good", "one"});
  ASSERT_TRUE(Until({&p.server}, [&] { return p.server.count(LinkEvent::kMessage) == 1; }));
  EXPECT_EQ(p.server.last(LinkEvent::kMessage)->envelope.view(), "good");
  EXPECT_EQ(p.server.links.counters().dropped_frames, 3u);
  EXPECT_EQ(p.server.links.counters().dropped_size, 1u);
}

TEST(Links, WithoutHelloNothingCounts) {
  Pair p;
  RawZmq raw(p.server.links.address());
  raw.send(0, {"head", "body"});
  raw.send(0, {"what?"});
  raw.send(1, {std::string(kHello) + char(9) + char(0) + "0123456789abcdef"});  // another version
  ASSERT_TRUE(Until({&p.server}, [&] { return p.server.links.counters().dropped_unknown == 1 && p.server.links.counters().dropped_hello == 2; }));
  EXPECT_TRUE(p.server.events.empty());
  raw.hello(0, "0123456789abcdef");  // one half only: its time runs out
  ASSERT_TRUE(Until({&p.server}, [&] { return p.server.links.counters().silent >= 2; }));
  EXPECT_TRUE(p.server.events.empty());
  EXPECT_TRUE(p.up());  // others are served
}

TEST(Links, AnotherVersionIsNamed) {
  Pair p;
  RawZmq raw(p.server.links.address());
  raw.send(1, {std::string(kHello) + char(9) + char(0) + "0123456789abcdef"});
  std::string answer;
  ASSERT_TRUE(Until({&p.server}, [&] { return !(answer = raw.receive(1)).empty(); }));
  EXPECT_EQ(answer, std::string(kOther) + kVersion);
  // And who opens a link to one.
  void *context = zmq_ctx_new(), *other = zmq_socket(context, ZMQ_ROUTER);
  char address[64] = "";
  size_t size = sizeof address;
  ASSERT_EQ(zmq_bind(other, "tcp://127.0.0.1:*"), 0);
  ASSERT_EQ(zmq_getsockopt(other, ZMQ_LAST_ENDPOINT, address, &size), 0);
  p.client.links.open(1, std::string(address).substr(6), {});
  ASSERT_TRUE(Until({&p.client}, [&] {
    char route[16], hello[64];
    int n = zmq_recv(other, route, sizeof route, ZMQ_DONTWAIT);
    if (n > 0 && zmq_recv(other, hello, sizeof hello, 0) == int(kHelloSize))
      zmq_send(other, route, size_t(n), ZMQ_SNDMORE), zmq_send(other, (std::string(kOther) + char(9)).data(), kOther.size() + 1, 0);
    return p.client.count(LinkEvent::kDown) == 1;
  }));
  EXPECT_NE(p.client.last(LinkEvent::kDown)->text.find(" speaks version 9, this node 1: use the same release"), std::string::npos) << p.client.last(LinkEvent::kDown)->text;
  int none = 0;
  zmq_setsockopt(other, ZMQ_LINGER, &none, sizeof none);
  zmq_close(other);
  zmq_ctx_term(context);
}

TEST(Links, StrangersTakeNoMoreThanTheirDescriptors) {
  struct rlimit before, wide;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  wide = before;
  wide.rlim_cur = std::min<rlim_t>(wide.rlim_max, 4096);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &wide), 0);
  if (wide.rlim_cur < 3000) GTEST_SKIP() << "this machine gives a process only " << wide.rlim_cur << " descriptors";
  LinkSettings patient = Bound();
  patient.handshake_ms = 60'000;
  Pair p(patient);
  std::vector<RawTcp> silent;
  for (int i = 0; i < 1000; ++i) {
    silent.emplace_back(p.server.links.address());
    if (i % 50 == 0) Until({&p.server}, [] { return false; }, 1);
  }
  size_t left = 0;
  ASSERT_TRUE(Until(p.both(), [&] {
    left = 0;
    for (RawTcp& s : silent) left += !s.ended();
    return left <= kMostStrangers;
  }));
  EXPECT_GT(left, kMostStrangers / 2);  // the newest stay
  EXPECT_TRUE(p.up());
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(Links, SilentByTheHundred) {
  Pair p;
  std::vector<RawTcp> silent;
  for (int i = 0; i < 300; ++i) silent.emplace_back(p.server.links.address());
  RawTcp garbage(p.server.links.address()), gigabytes(p.server.links.address());
  garbage.write(std::string(5000, '\xA5'));
  gigabytes.write(ZmtpGreeting() + std::string("\x06\x7f\xff\xff\xff\xff\xff\xff\xff", 9));  // a command of 2^63 bytes
  ASSERT_TRUE(p.up());  // at once, not after they are gone
  p.client.links.send(1, Lane::kExpress, Frame("served"), Frame(""));
  ASSERT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kMessage) == 1; }));
  // All are hung up on.
  ASSERT_TRUE(Until(p.both(), [&] {
    for (RawTcp& s : silent)
      if (!s.ended()) return false;
    return garbage.ended() && gigabytes.ended();
  }));
  EXPECT_EQ(p.server.count(LinkEvent::kDown), 0u);
}

long Resident() {
  long pages = 0, resident = 0;
  FILE* f = fopen("/proc/self/statm", "r");
  EXPECT_EQ(fscanf(f, "%ld %ld", &pages, &resident), 2);
  fclose(f);
  return resident * sysconf(_SC_PAGESIZE);
}

// A message that no frame ends: ZeroMQ counts whole messages and bounds single frames, so it would gather for ever.
TEST(Links, MessagesWithoutEndAreCutOff) {
  Pair p;
  ASSERT_TRUE(p.up());
  for (bool greeted : {false, true}) {
    for (size_t frame : {size_t(20), size_t(1) << 20}) {
      RawTcp a(p.server.links.address()), b(p.server.links.address());
      std::string nonce = std::string(12, 'n') + (frame > 20 ? "many" : "tiny");
      if (greeted) {
        size_t before = p.server.count(LinkEvent::kUp);
        for (int lane = 0; lane < 2; ++lane) {
          ASSERT_TRUE((lane ? b : a).shake_hands());
          (lane ? b : a).write_all(ZmtpFrame(std::string(kHello) + kVersion + char(lane) + nonce, false));
        }
        ASSERT_TRUE(Until({&p.server}, [&] { return p.server.count(LinkEvent::kUp) > before; }));
      } else {
        ASSERT_TRUE(a.shake_hands());
      }
      std::string block;
      while (block.size() < (1 << 20)) block += ZmtpFrame(std::string(frame, 'x'), true);
      std::atomic<uint64_t> sent{0};
      std::atomic<bool> over{false};
      std::thread hostile([&] {
        while (sent < (uint64_t(8) << 30) && a.write_all(block)) sent += block.size();
        over = true;
      });
      uint64_t cut = p.server.links.counters().endless;
      long before = Resident(), most = before;
      EXPECT_TRUE(Until(p.both(), [&] { return most = std::max(most, Resident()), bool(over); }));
      hostile.join();
      EXPECT_EQ(p.server.links.counters().endless, cut + 1);
      EXPECT_TRUE(!greeted || Until({&p.server}, [&] { return p.server.events.back().kind == LinkEvent::kDown; }));
      Until(p.both(), [] { return false; }, 200);
      printf("  %s, frames of %zu bytes: %.0f MB taken, %.0f MB more at most, %.0f MB more afterwards\n", greeted ? "after hello" : "before hello", frame, double(sent) / 1e6,
             double(most - before) / 1e6, double(Resident() - before) / 1e6);
      EXPECT_LT(sent, uint64_t(1) << 30);
      p.client.links.send(1, Lane::kExpress, Frame("served"), Frame(""));
      size_t had = p.server.count(LinkEvent::kMessage);
      EXPECT_TRUE(Until(p.both(), [&] { return p.server.count(LinkEvent::kMessage) > had; }));
    }
  }
}

// What is many but ends is taken, however slowly it is read.
TEST(Links, ManyLargeMessagesAreNoOffence) {
  for (bool keys : {false, true}) {
    LinkSettings s = Bound(), c = Opener();
    if (keys) s.keys = MakeKeyPair(), c.keys = MakeKeyPair();
    Pair p(s, c);
    ASSERT_TRUE(p.up());
    const std::string bytes(1 << 20, 'q');
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(p.client.links.send(1, Lane::kBulk, Frame("h"), Frame(bytes.data(), bytes.size(), [](void*, void*) {}, nullptr)));
    for (int i = 0; i < 3000; ++i) ASSERT_TRUE(p.client.links.send(1, Lane::kExpress, Frame("h"), Frame("small")));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the receiver is elsewhere
    size_t got = 0;
    ASSERT_TRUE(Until(p.both(), [&] {
      got += p.server.count(LinkEvent::kMessage);
      EXPECT_EQ(p.server.count(LinkEvent::kDown), 0u);
      p.server.events.clear();
      return got == 3300;
    }));
    EXPECT_EQ(p.server.links.counters().endless, 0u);
  }
}

}  // namespace
}  // namespace ps::net
