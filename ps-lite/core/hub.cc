// SPDX-License-Identifier: Apache-2.0
#include "core/hub.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace ps::core {
namespace {
constexpr int kMaxHead = 1 << 20;
const NodeId kSchedulerId{Role::kScheduler, 0};
}  // namespace

Hub::Hub(NodeConfig c, uint64_t seed) : config(std::move(c)), settings(config.settings), random_(seed) {
  me = {config.role, config.rank >= 0 ? Rank(config.rank) : 0};
  incarnation = Random() | 1;
}

uint64_t Hub::Random() {  // splitmix64
  uint64_t z = (random_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

Link* Hub::Find(LinkId id) {
  auto it = links.find(id);
  return it == links.end() ? nullptr : &it->second;
}
Link* Hub::SessionWith(NodeId peer) {
  for (auto it = links.rbegin(); it != links.rend(); ++it)  // the newest
    if (!it->second.opened && it->second.up && it->second.peer == peer) return &it->second;
  return nullptr;
}

Link* Hub::Reach(NodeId peer) {
  if (quiet_) return nullptr;
  Wanted& w = wanted_[peer];
  if (Link* l = Find(w.link)) return l->up ? l : nullptr;
  if (now < w.again) return nullptr;
  std::string address;
  PeerKey key;
  uint64_t life = 0;
  if (peer.role == Role::kScheduler) {
    address = config.scheduler, key = config.scheduler_key;
  } else {
    const Member* m = view.Find(peer);
    if (!m || m->state == MemberState::kGone) {
      wanted_.erase(peer);
      return nullptr;
    }
    address = m->address, key = m->key, life = m->incarnation;
  }
  Link& l = links[next_link_];
  l.id = next_link_, next_link_ += 2;
  l.opened = true, l.peer = peer, l.incarnation = life;
  l.since = l.last_in = now;
  w.link = l.id;
  out->push_back(Open{l.id, peer, address, key});
  return nullptr;
}

void Hub::Up(const LinkUp& in) {
  Link* l = Find(in.link);
  if (!l) {
    if (in.link % 2 == 1 || in.link == 0) return Drop(DropReason::kSession);  // one of ours that was closed meanwhile
    l = &links[in.link];
    l->id = in.link;
  } else if (l->connected) {
    return Drop(DropReason::kSession);
  }
  l->connected = true;
  l->key = in.key;
  l->since = l->last_in = l->last_beat = now;
  if (!l->opened) return;
  pb::Envelope e;
  auto* h = e.mutable_hello();
  h->set_version_from(kVersion), h->set_version_to(kVersion);
  h->set_role(uint32_t(me.role));
  bool known = view.Is(me, incarnation);
  h->set_rank_wanted(known ? me.rank + 1 : config.rank >= 0 ? uint32_t(config.rank) + 1 : 0);
  h->set_address(config.address), h->set_host(config.host), h->set_pid(config.pid);
  h->set_expect_role(uint32_t(l->peer.role)), h->set_expect_rank(l->peer.rank), h->set_expect_incarnation(l->incarnation);
  h->set_workers(config.workers), h->set_servers(config.servers), h->set_slice_bytes(config.settings.slice_bytes);
  if (me.role == Role::kWorker) h->set_mode(uint32_t(config.settings.mode)), h->set_stale_bound(config.settings.stale_bound);
  if (l->peer.role == Role::kScheduler && view.number > 0) view.Write(0, h->mutable_view());
  Send(*l, &e);
}

void Hub::Down(const LinkDown& in) {
  if (Find(in.link)) Lost(in.link, in.reason, in.text);
}
void Hub::Lost(LinkId id, DownReason reason, const std::string& text) {
  auto it = links.find(id);
  Link gone = std::move(it->second);
  links.erase(it);
  if (gone.opened) {
    auto w = wanted_.find(gone.peer);
    if (w != wanted_.end() && w->second.link == id) {
      w->second.Closed(now);
    }
  }
  part_->OnDown(gone, reason, text);
}
void Hub::End(LinkId id) {
  auto it = links.find(id);
  if (it == links.end()) return;
  if (it->second.opened) {
    auto w = wanted_.find(it->second.peer);
    if (w != wanted_.end() && w->second.link == id) w->second.Closed(now);
  }
  links.erase(it);
  out->push_back(Close{id});
}

void Hub::Send(Link& link, pb::Envelope* e, Buffer payload, int32_t priority, bool bulk) {
  e->set_job(config.job);
  e->set_view(view.number);
  e->set_incarnation(incarnation);
  Parcel p;
  e->SerializeToString(&p.head);
  p.lane = bulk || payload.size() >= kBulkBytes ? Lane::kBulk : Lane::kExpress;
  p.payload = std::move(payload);
  if (p.payload.empty() && !bulk) {
    ++counters.messages_out;
    counters.bytes_out += p.head.size();
    out->push_back(core::Send{link.id, p.lane, std::move(p.head), {}, next_send_});
    sent_[next_send_++] = {link.id, 0};
  } else {
    link.queue.Put(priority, std::move(p));
  }
}
void Hub::Flush() {
  uint64_t queued = 0, flying = 0;
  for (auto& [id, l] : links) {
    Parcel p;
    while (l.queue.Take(now, &p)) {
      ++counters.messages_out;
      counters.bytes_out += p.head.size() + p.payload.size();
      sent_[next_send_] = {id, p.payload.size()};
      out->push_back(core::Send{id, p.lane, std::move(p.head), std::move(p.payload), next_send_++});
    }
    queued += l.queue.queued_bytes();
    flying += l.queue.in_flight();
  }
  counters.queued_bytes = queued;
  counters.in_flight_bytes = flying;
}
void Hub::GiveBack(Link& link, uint64_t bytes) {
  if (link.opened) return;  // answers
  link.owed += bytes;
  if (link.owed == 0 || link.owed < config.credit_bytes / 8) return;
  pb::Envelope e;
  e.mutable_credit()->set_bytes(link.owed);
  link.owed = 0;
  Send(link, &e);
}
void Hub::Gave(const Released& in) {
  auto it = sent_.find(in.ticket);
  if (it == sent_.end()) return;
  if (Link* l = Find(it->second.first)) l->queue.Returned(now, it->second.second);
  if (!FLX_PS_MUTANT(config, kKeepTickets)) sent_.erase(it);
}

void Hub::Start(WorkRequest request, std::function<void(const WorkDone&)> done) {
  working_[next_work_] = std::move(done);
  out->push_back(Work{next_work_++, std::move(request)});
}
void Hub::Done(const WorkDone& in) {
  auto it = working_.find(in.ticket);
  if (it == working_.end()) return;
  auto done = std::move(it->second);
  working_.erase(it);
  done(in);
}
void Hub::Complete(CallId id, Status status, Reply reply) { out->push_back(core::Complete{id, std::move(status), std::move(reply)}); }
void Hub::Tell(NoticeKind kind, NodeId node, uint64_t number, std::string text) { out->push_back(Notice{kind, std::move(text), node, number}); }

bool Hub::TakeView(const pb::ViewDelta& delta) {
  View before = view;
  if (!view.Take(delta)) {
    if (delta.to() > view.number) AskView();  // a gap
    return false;
  }
  Installed(before);
  return true;
}
void Hub::Installed(const View& before) {
  ++counters.view_changes;
  settings.mode = view.mode, settings.stale_bound = view.stale_bound;
  for (auto& [id, l] : links) l.queue.Clear();  // of the older view: what still matters is said again
  if (!view.Is(me, incarnation) && me.role != Role::kScheduler)
    for (auto& [id, m] : view.members)  // the rendezvous has given this node its rank
      if (id.role == me.role && m.incarnation == incarnation) me = id;
  std::vector<LinkId> ending;
  for (auto& [id, l] : links)
    if (l.peer.role != Role::kScheduler && l.peer.role != Role::kNone && me.role != Role::kScheduler &&
        !(FLX_PS_MUTANT(config, kIgnoreIncarnations) ? view.Alive(l.peer) : view.Is(l.peer, l.incarnation)))
      ending.push_back(id);
  for (LinkId id : ending) {
    if (Link* l = Find(id); l && l->up && !l->opened) {  // it may not know yet
      pb::Envelope e;
      view.Write(0, e.mutable_refused()->mutable_view());
      Send(*l, &e);
    }
    End(id);
  }
  for (auto it = wanted_.begin(); it != wanted_.end();) it = it->first.role == Role::kServer && !view.Alive(it->first) ? wanted_.erase(it) : std::next(it);
  Tell(NoticeKind::kViewChanged, me, view.number, Join("view ", view.number));
  part_->OnView(before);
}
void Hub::AskView() {
  if (me.role == Role::kScheduler || now - asked_view_ < 20 * kMillisecond) return;
  if (Link* l = Reach(kSchedulerId)) asked_view_ = now, Beat(*l);
}

void Hub::Beat(Link& link) {
  pb::Envelope e;
  part_->FillBeat(link, e.mutable_beat());
  link.last_beat = now;
  Send(link, &e);
}

void Hub::Message(const Arrived& in) {
  Link* l = Find(in.link);
  if (!l || !l->connected) return Drop(DropReason::kSession);
  ++counters.messages_in;
  counters.bytes_in += in.head.size() + in.payload.size();
  if (in.head.size() > size_t(kMaxHead)) return Drop(DropReason::kSize);
  pb::Envelope e;
  if (!e.ParseFromArray(in.head.data(), int(in.head.size())) || e.body_case() == pb::Envelope::BODY_NOT_SET) return Drop(DropReason::kGarbage);
  if (e.job() != config.job) return Drop(DropReason::kJob);
  if (!l->up) {
    if (!in.payload.empty() || !FirstMessage(*l, e)) Drop(DropReason::kSession);
    return;
  }
  const Rule* rule = RuleOf(e.body_case());
  if (!rule) return Drop(DropReason::kSession);
  if (!(rule->from & Mask(l->peer.role)) || !(rule->to & Mask(me.role))) return Drop(DropReason::kRole);
  if (e.incarnation() != l->incarnation) return Drop(DropReason::kIncarnation);
  if (!in.payload.empty() && !rule->payload) return Drop(DropReason::kSize);
  l->last_in = now;
  LinkId id = l->id;
  if (InView(*l, e, *rule)) {
    if (e.has_credit()) l->queue.Grant(e.credit().bytes());
    else if (e.has_refused() && e.refused().has_view() && !e.refused().behind()) TakeView(e.refused().view());
    else part_->OnMessage(*l, e, in.payload);
  }
  if (!in.payload.empty())
    if ((l = Find(id))) GiveBack(*l, in.payload.size());
}

bool Hub::FirstMessage(Link& l, const pb::Envelope& e) {
  if (l.opened) {
    if (e.has_refused()) {
      std::string text = e.refused().text();
      pb::Refused r = e.refused();
      LinkId id = l.id;
      if (r.has_view() && l.peer.role == Role::kServer) TakeView(r.view());
      if (Link* still = Find(id)) {
        pb::Envelope copy = e;
        if (still->peer.role == Role::kScheduler) part_->OnMessage(*still, copy, {});
        End(id);
      }
      return true;
    }
    if (!e.has_welcome()) return false;
    auto& w = e.welcome();
    if (w.version() != kVersion || w.role() != uint32_t(l.peer.role) || (l.peer.role != Role::kScheduler && (w.rank() != l.peer.rank || e.incarnation() != l.incarnation))) {
      End(l.id);
      return false;
    }
    l.incarnation = e.incarnation();
    l.up = true;
    l.last_in = now;
    l.queue.Grant(std::max<uint64_t>(w.credit(), 1));
    wanted_[l.peer].delay = 0;
    LinkId id = l.id;
    part_->OnWelcome(l, w);
    if (Link* still = Find(id)) part_->OnUp(*still);
    return true;
  }
  if (!e.has_hello()) return false;
  auto& h = e.hello();
  pb::Envelope answer;
  pb::Welcome welcome;
  pb::Refused refused;
  bool ok = false;
  if (h.version_from() > kVersion || h.version_to() < kVersion) {
    refused.set_code(uint32_t(Code::kRefused));
    refused.set_text(Join("[ps] this node speaks version ", kVersion, " of the protocol, the peer ", h.version_from(), " to ", h.version_to(), ": use the same release everywhere"));
  } else if (h.role() != uint32_t(Role::kServer) && h.role() != uint32_t(Role::kWorker)) {
    refused.set_code(uint32_t(Code::kRefused));
    refused.set_text("[ps] a peer is a server or a worker");
  } else if (h.rank_wanted() > kMaxNodes || h.address().size() > 1024 || h.mode() > uint32_t(Mode::kStale) || h.host().size() > 1024) {
    refused.set_code(uint32_t(Code::kRefused));
    refused.set_text("[ps] a rank, address or host name beyond every limit");
  } else if (h.expect_role() != uint32_t(me.role) || (me.role == Role::kServer && h.expect_rank() != me.rank)) {
    refused.set_code(uint32_t(Code::kRefused));
    refused.set_text(Join("[ps] this is ", Text(me), ", not whom the peer looks for"));
  } else {
    welcome.set_version(kVersion);
    welcome.set_role(uint32_t(me.role)), welcome.set_rank(me.rank), welcome.set_credit(config.credit_bytes);
    ok = part_->OnHello(l, e, &welcome, &refused);
  }
  if (!ok) {
    ++counters.refused;
    *answer.mutable_refused() = std::move(refused);
    Send(l, &answer);
    End(l.id);
    return true;
  }
  l.incarnation = e.incarnation();
  l.up = true;
  l.last_in = now;
  l.queue.Grant(uint64_t(1) << 62);  // answers were asked for
  *answer.mutable_welcome() = std::move(welcome);
  Send(l, &answer);
  part_->OnUp(l);
  return true;
}

// Whether a message of that view counts here; answers it where it does not.
bool Hub::InView(Link& l, const pb::Envelope& e, const Rule& rule) {
  if (rule.bound == Bound::kNo || e.view() == view.number) return true;
  if (FLX_PS_MUTANT(config, kIgnoreViews) && e.has_propose()) return true;
  if (e.view() > view.number) {
    AskView();
    if (rule.bound == Bound::kAnswer) return !e.has_agreed();
    pb::Envelope answer;
    answer.mutable_refused()->set_behind(true);
    Send(l, &answer);
    Drop(DropReason::kView);
    return false;
  }
  Drop(DropReason::kView);
  if (rule.bound == Bound::kRequest && l.refused_in != view.number) {
    l.refused_in = view.number;
    ++counters.refused;
    pb::Envelope answer;
    view.Write(0, answer.mutable_refused()->mutable_view());
    Send(l, &answer);
  }
  return false;
}

void Hub::Tick() {
  std::vector<LinkId> late, due;
  for (auto& [id, l] : links) {
    if (!l.up && now - l.since >= (l.connected ? config.handshake : config.handshake + config.silence)) late.push_back(id);
    else if (l.up && now - l.last_in >= config.silence) late.push_back(id);
    else if (l.up && l.opened && now - l.last_beat >= config.beat) due.push_back(id);
  }
  for (LinkId id : late) {
    if (!Find(id)) continue;
    const Link& l = *Find(id);
    std::string text = l.up ? "silent" : l.peer.role == Role::kScheduler ? "it does not answer: is it this job's scheduler (FLEXOR_PS_JOB), and does it run?" : "it does not answer";
    out->push_back(Close{id});
    Lost(id, DownReason::kLost, text);
  }
  for (LinkId id : due)
    if (Link* l = Find(id)) Beat(*l);
  std::vector<NodeId> again;
  for (auto& [id, w] : wanted_)
    if (!w.link && now >= w.again) again.push_back(id);
  for (NodeId id : again) Reach(id);
}
Time Hub::NextTick() const {
  Time next = INT64_MAX;
  for (auto& [id, l] : links) {
    if (!l.up) next = std::min(next, l.since + (l.connected ? config.handshake : config.handshake + config.silence));
    else next = std::min(next, std::min(l.last_in + config.silence, l.opened ? l.last_beat + config.beat : INT64_MAX));
  }
  for (auto& [id, w] : wanted_)
    if (!w.link) next = std::min(next, w.again);
  return next;
}

}  // namespace ps::core
