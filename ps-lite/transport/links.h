// SPDX-License-Identifier: Apache-2.0
// Links between nodes over ZeroMQ. A link is one session: two TCP connections (express: control, heartbeats, small payloads; bulk: the rest), joined by a
// random number that the opener says first on both. It is up when both are, and down for good when either is; nothing is connected again behind anybody's back,
// and what was queued for a peer that is gone reaches nobody. The opener has a fresh DEALER for each connection; whoever is bound has one ROUTER for all.
//   Control frames of the links themselves are single: hello (opener), ready, close (acceptor). A message of the protocol is two: envelope, payload; or it goes
//   with others of its link (batch.h).
//   Limits hold before memory is taken: frames (also of strangers), envelopes, frames in a message, handshakes, links of one key.
// One thread uses this. poll() only gathers what happened; whoever drives it may open, close and send at any time between.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "transport/batch.h"
#include "transport/keys.h"
#include "transport/links_internal.h"
#include "transport/meter.h"
#include "transport/zap.h"
#include "transport/zmq.h"

namespace ps::net {

using LinkId = uint64_t;  // opened: odd, the caller's choice; accepted: even, from 2
constexpr bool IsOpened(LinkId link) { return link % 2 != 0; }
enum class Lane : uint8_t { kExpress, kBulk };
enum class Down : uint8_t { kClosed, kLost, kUnreachable, kStranger, kProtocol };

struct LinkEvent {
  enum Kind : uint8_t { kUp, kDown, kMessage, kBatch, kStatus } kind;
  LinkId link;
  LinkEvent(Kind kind, LinkId link) : kind(kind), link(link) {}
  Lane lane = Lane::kExpress;  // kMessage; a batch is express
  Down why = Down::kClosed;    // kDown
  Key key{};                   // kUp: what the handshake proved; zero without keys
  std::string text;            // kDown: for people; kStatus: whom to answer
  Frame envelope, payload;     // kMessage; kBatch: for a BatchReader, which has found it good
};

struct LinkSettings {
  std::string bind;      // host to bind; empty: nobody can open a link to this node
  int port = 0;          // 0: the system's choice
  KeyPair keys;          // none: loopback only
  int64_t max_frame = (1 << 20) + (64 << 10);
  int64_t max_envelope = 1 << 20;
  size_t batch_bytes = 0;  // messages below go with others that wait for the same peer; 0: each alone
  int64_t handshake_ms = 2000;
  int max_links = 4096, max_links_per_key = 16;
  int io_threads = 1;
};

struct LinkCounters {
  uint64_t accepted = 0, opened = 0, strangers = 0, silent = 0, endless = 0;             // connections; refused keys; cut off for saying nothing, for a message without end
  uint64_t sent_messages = 0, sent_bytes = 0, received_messages = 0, received_bytes = 0;  // of the protocol
  uint64_t sent_batches = 0, sent_in_batches = 0, received_batches = 0, dropped_batches = 0;  // their messages count above
  uint64_t dropped_frames = 0, dropped_size = 0, dropped_hello = 0, dropped_unknown = 0, dropped_sends = 0;
};

bool IsLoopback(const std::string& host);
// Throws unless keys are there or the host is this one: the sentence that says how to proceed.
void NeedKeys(const std::string& host, const KeyPair& keys);

class Links {
 public:
  explicit Links(const LinkSettings& settings);  // throws Error: a port in use, an address that is not this host's, no keys where they are needed
  ~Links();
  const std::string& address() const { return address_; }  // "127.0.0.1:41234"; empty if nothing is bound
  void allow(std::set<Key> keys) { if (zap_) zap_->set(std::move(keys)); }
  // Answered by kUp or kDown. `expect` is the key that the peer must have.
  void open(LinkId link, const std::string& address, const Key& expect);
  void close(LinkId link);  // no kDown follows; what was sent before still goes out
  bool send(LinkId link, Lane lane, Frame&& envelope, Frame&& payload);  // false: the link is gone (its kDown comes, or came)
  // The same, copied. What is small waits until flush(), poll(), a message that is not, or the link's end, and goes out with what waits beside it.
  bool post(LinkId link, Lane lane, std::string_view envelope, std::string_view payload);
  void flush();
  // Waits until something happens, `wake` is readable, or the time is up; appends what happened.
  void poll(int wake, int64_t timeout_ms, std::vector<LinkEvent>& events);
  const LinkCounters& counters() const { return counters_; }
  // Who says `flexor-status` instead of hello is answered with a text; it has a key of the list, or is on loopback.
  void answer(const std::string& route, const std::string& text);
  void leak();  // in a forked child

 private:
  struct Wire { Socket socket; Monitor monitor; bool ready = false; int fd = -1; Meter meter; };
  struct Opened {
    Key expect;
    std::string address;
    Wire wire[2];
    Batch batch;
    int64_t deadline = 0;
    bool up = false;
  };
  struct Connection {  // a live accepted one, by file descriptor
    uint64_t number = 0;
    int64_t deadline = 0;  // 0: none. By then it has said hello, its other half too, or, closing, it is gone
    std::string route;     // ZeroMQ's name of it; empty before its first message
    Meter meter;
    uint64_t most = kEarly;  // bytes of one message, at the most
  };
  struct Caller {  // an accepted connection that has said hello, by route
    int fd = -1;
    Lane lane = Lane::kExpress;
    Key key{};
    std::string nonce;
    LinkId link = 0;  // 0: its other half is missing
    bool closing = false;
  };
  struct Joined { std::string route[2]; Key key; Batch batch; };

  Batch* batch_of(LinkId id);  // null: the link is not up
  bool flush(LinkId id);
  bool transmit(LinkId id, Lane lane, Frame&& envelope, Frame&& payload);
  void make_wire(Wire& wire, const Opened& link);
  void read_opened(LinkId id, Opened& link, std::vector<LinkEvent>& events);
  // One half is ready, and what follows there waits in its socket until the other is, too.
  static bool held_back(const Opened& link, const Wire& w) { return w.ready && !link.up; }
  bool read_wire(LinkId id, Opened& link, Lane lane, std::vector<LinkEvent>& events);
  void lose_opened(LinkId id, Down why, std::string text, std::vector<LinkEvent>& events);
  void read_router_monitor();
  void bury(std::vector<LinkEvent>& events);
  bool read_router(std::vector<LinkEvent>& events);
  void greet(const std::string& route, Frame& hello, std::vector<LinkEvent>& events);
  void join(const std::string& route, Caller& caller, std::vector<LinkEvent>& events);
  void lose_accepted(LinkId id, Down why, const std::string& text, std::vector<LinkEvent>& events);
  struct Victim { int fd; uint64_t number, read; bool endless; };
  void cut_off(const std::vector<Victim>& victims);
  bool control(const std::string& route, std::string_view what);
  void watch(std::vector<LinkEvent>& events);
  void watch_opened(int64_t now, std::vector<LinkEvent>& events);
  void watch_accepted(int64_t now, std::vector<LinkEvent>& events);
  uint64_t one_message() const { return uint64_t(settings_.max_frame) + uint64_t(settings_.max_envelope) + kSlack; }
  void common_options(Socket& socket);
  void message(LinkId id, Lane lane, Frame&& envelope, Frame&& payload, std::vector<LinkEvent>& events);

  LinkSettings settings_;
  LinkCounters counters_;
  std::string address_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<Zap> zap_;
  Socket router_;
  Monitor router_monitor_;
  std::map<LinkId, Opened> opened_;
  std::map<int, Connection> connections_;
  std::map<std::string, Caller> callers_;
  std::map<LinkId, Joined> joined_;
  std::map<Key, int> links_of_;
  std::vector<LinkId> batched_;     // links for which something waits, or did
  std::vector<std::string> ended_;  // routes of connections whose end is to be told
  uint64_t next_connection_ = 1;
  LinkId next_link_ = 2;
  int64_t last_watch_ = 0;
  bool timed_ = false;  // somebody has a deadline
  std::vector<zmq_pollitem_t> items_;
  std::vector<LinkId> item_links_;
};

}  // namespace ps::net
