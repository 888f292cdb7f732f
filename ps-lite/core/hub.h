// SPDX-License-Identifier: Apache-2.0
// What every role shares: links and their sessions, the present view, sending, work under way. A session is one link: Hello, then Welcome or Refused, then
// messages of that peer's one life. Nothing of a link outlives it.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/node.h"
#include "core/sendqueue.h"
#include "core/table.h"
#include "core/view.h"

namespace ps::core {

constexpr uint32_t kVersion = 2;

struct Link {
  LinkId id = 0;
  bool opened = false;  // by this node
  bool connected = false, up = false;  // the transport's handshake; ours
  PeerKey key;
  NodeId peer;                 // opened: whom we want; accepted: whom Hello proved
  uint64_t incarnation = 0;    // of the peer
  Time since = 0, last_in = 0, last_beat = 0;
  uint64_t refused_in = 0;     // the view that was sent with a refusal last
  uint64_t view_sent = 0;      // scheduler: the view the peer was sent last
  uint64_t owed = 0;           // credit to give back
  SendQueue queue;
};

// What a role does with what the hub lets through.
class Part {
 public:
  virtual ~Part() = default;
  virtual void OnUp(Link&) {}
  virtual void OnDown(const Link&, DownReason, const std::string&) {}
  // An accepted link says who it is. True: welcome (the part may add to the answer); false: refused with `refusal`.
  virtual bool OnHello(Link&, const pb::Envelope&, pb::Welcome*, pb::Refused* refusal) = 0;
  virtual void OnWelcome(Link&, const pb::Welcome&) {}
  virtual void OnMessage(Link&, const pb::Envelope&, const Buffer& payload) = 0;
  virtual void OnView(const View& before) = 0;
  virtual void OnCall(const Call&) {}
  virtual void OnTick() {}
  virtual Time NextTick() const { return INT64_MAX; }
  virtual void FillBeat(const Link&, pb::Beat*) {}
};

class Hub {
 public:
  Hub(NodeConfig config, uint64_t seed);
  void Bind(Part* part) { part_ = part; }

  // Inputs.
  void Up(const LinkUp&);
  void Down(const LinkDown&);
  void Message(const Arrived&);
  void Gave(const Released&);
  void Done(const WorkDone&);
  void Tick();
  Time NextTick() const;

  // The session of this node's own opening to `peer`, if it stands; else it is begun, and OnUp will tell.
  Link* Reach(NodeId peer);
  void Forget(NodeId peer) { wanted_.erase(peer); }
  Link* Find(LinkId id);
  Link* SessionWith(NodeId peer);  // an accepted one (scheduler)
  void Send(Link& link, pb::Envelope* e, Buffer payload = {}, int32_t priority = 0, bool bulk = false);
  void End(LinkId id);  // closes it; OnDown is not called
  void Quiet() { wanted_.clear(), quiet_ = true; }  // nothing is opened any more
  void Flush();         // gives the transport what may go; at the end of each step
  void GiveBack(Link& link, uint64_t bytes);  // credit

  void Start(WorkRequest request, std::function<void(const WorkDone&)> done);
  void Complete(CallId id, Status status, Reply reply = {});
  void Tell(NoticeKind kind, NodeId node, uint64_t number, std::string text);
  void Drop(DropReason r) { ++counters.drops[size_t(r)]; }
  uint64_t Random();
  bool TakeView(const pb::ViewDelta& delta);  // true if it was newer
  void Installed(const View& before);         // after `view` has changed: ends the sessions of those who are gone
  void Count(TableSizes* t) const { t->sends = sent_.size(), t->works = working_.size(), t->links = links.size() + wanted_.size(), t->members = view.members.size(); }
  void AskView();                             // a newer view is out: ask the scheduler

  NodeConfig config;
  Time now = 0;
  std::vector<Output>* out = nullptr;
  Counters counters;
  NodeId me;
  uint64_t incarnation = 0;
  View view;
  JobSettings settings;
  std::map<LinkId, Link> links;

 private:
  bool FirstMessage(Link& link, const pb::Envelope& e);
  bool InView(Link& link, const pb::Envelope& e, const Rule& rule);
  void Lost(LinkId id, DownReason reason, const std::string& text);
  void Beat(Link& link);
  struct Wanted {
    LinkId link = 0;
    Time again = 0, delay = 0;  // delay: 0 after a session that stood
    void Closed(Time now) {
      link = 0;
      delay = std::min(kSecond, std::max(2 * delay, 10 * kMillisecond));
      again = now + delay;
    }
  };
  Part* part_ = nullptr;
  uint64_t random_;
  LinkId next_link_ = 1;
  SendTicket next_send_ = 1;
  WorkTicket next_work_ = 1;
  std::map<NodeId, Wanted> wanted_;
  std::map<SendTicket, std::pair<LinkId, uint64_t>> sent_;
  std::map<WorkTicket, std::function<void(const WorkDone&)>> working_;
  Time asked_view_ = -kSecond;
  bool quiet_ = false;
};

}  // namespace ps::core
