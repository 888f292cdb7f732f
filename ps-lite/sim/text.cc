// SPDX-License-Identifier: Apache-2.0
#include "sim/text.h"

#include "ps.pb.h"
#include "sim/world.h"

namespace ps::sim {
namespace {

using flexor::ps::Envelope;
template <class T>
std::string N(const char* name, const T& v) { return std::string(" ") + name + " " + std::to_string(v); }
std::string Of(const flexor::ps::SliceId& s) { return " " + s.key() + "/" + std::to_string(s.index()); }

std::string Delta(const flexor::ps::ViewDelta& d) {
  std::string t = N("from", d.from()) + N("to", d.to());
  static constexpr const char* kStates[] = {"?", "joining", "active", "finished", "gone"};
  for (const auto& n : d.nodes())
    t += std::string(" [") + (n.role() == 2 ? "s" : "w") + std::to_string(n.rank()) + " " + kStates[n.state() < 5 ? n.state() : 0] + N("from", n.from()) + "]";
  for (const auto& s : d.shards()) {
    t += " {shard " + std::to_string(s.number()) + ":";
    for (const auto& c : s.copies()) t += " s" + std::to_string(c.server()) + "@" + std::to_string(c.since()) + (c.fresh() ? "+" : "-");
    t += "}";
  }
  if (d.ended()) t += " ended";
  if (!d.failure().empty()) t += " failure: " + d.failure();
  if (d.lives() > 0) t += N("lives", d.lives()) + N("rolled to", d.rolled_to());
  if (d.cut() > 0) t += N("cut", d.cut()) + N("done", d.cut_done());
  return t;
}

std::string Peer(World& world, const Process& p, LinkId link) {
  const Process* other = world.peer(p, link);
  return " link " + std::to_string(link) + (other != nullptr ? " (" + other->name() + ")" : "");
}

}  // namespace

std::string MessageText(const std::string& head, size_t payload) {
  Envelope e;
  if (!e.ParseFromString(head)) return "garbage of " + std::to_string(head.size()) + " bytes";
  std::string t = "v" + std::to_string(e.view()) + " ";
  switch (e.body_case()) {
    case Envelope::kHello: t += "Hello" + N("role", e.hello().role()) + N("wanted", e.hello().rank_wanted()); break;
    case Envelope::kWelcome: t += "Welcome" + N("rank", e.welcome().rank()) + N("your rank", e.welcome().your_rank()) + N("credit", e.welcome().credit()) + Delta(e.welcome().view()); break;
    case Envelope::kRefused: t += "Refused" + N("code", e.refused().code()) + " " + e.refused().text() + (e.refused().behind() ? " (behind)" : "") + Delta(e.refused().view()); break;
    case Envelope::kBye: t += "Bye " + e.bye().text(); break;
    case Envelope::kBeat: t += "Beat" + N("top", e.beat().top_round()) + N("barrier", e.beat().barrier()) + (e.beat().finished() ? " finished" : "") + N("synced", e.beat().synced_size()); break;
    case Envelope::kBeatReply: t += "BeatReply" + N("released", e.beat_reply().released()); break;
    case Envelope::kViewDelta: t += "ViewDelta" + Delta(e.view_delta()); break;
    case Envelope::kSuspect: t += "Suspect" + N("role", e.suspect().role()) + N("rank", e.suspect().rank()) + " " + e.suspect().why(); break;
    case Envelope::kInit: t += "Init " + e.init().key().name() + "/" + std::to_string(e.init().index()); break;
    case Envelope::kInitDone: t += "InitDone" + Of(e.init_done().slice()); break;
    case Envelope::kPush: t += "Push" + Of(e.push().slice()) + N("round", e.push().round()) + (e.push().want_value() ? " want" : ""); break;
    case Envelope::kPull: t += "Pull" + Of(e.pull().slice()) + N("at least", e.pull().at_least()) + N("token", e.pull().token()) + N("clock", e.pull().clock()); break;
    case Envelope::kValue: {
      const auto& v = e.value();
      t += "Value" + Of(v.slice()) + N("round", v.round()) + N("token", v.token()) + N("version", v.version()) + " by";
      for (uint32_t c : v.contributors()) t += " " + std::to_string(c);
      break;
    }
    case Envelope::kDenied: t += "Denied" + Of(e.denied().slice()) + N("round", e.denied().round()) + N("token", e.denied().token()) + N("code", e.denied().code()) + (e.denied().again() ? " again " : " ") + e.denied().text(); break;
    case Envelope::kCredit: t += "Credit" + N("bytes", e.credit().bytes()); break;
    case Envelope::kPropose: {
      static constexpr const char* kKinds[] = {" probe", " delta", " full"};
      const auto& p = e.propose();
      t += "Propose" + std::string(kKinds[p.kind() < 3 ? p.kind() : 0]) + N("shard", p.shard()) + N("since", p.since()) + Of(p.slice()) + N("round", p.round()) + N("stamp", p.stamp());
      if (p.kind() == flexor::ps::DELTA) t += N("after stamp", p.stamp_before());
      if (p.kind() == flexor::ps::FULL) t += N("offset", p.offset()) + N("of", p.total_bytes());
      t += " by";
      for (const auto& c : p.contributors()) t += " " + std::to_string(c.rank()) + ":" + std::to_string(c.sequence());
      break;
    }
    case Envelope::kAgreed:
      t += "Agreed" + N("shard", e.agreed().shard()) + N("since", e.agreed().since()) + Of(e.agreed().slice()) + N("round", e.agreed().round()) + N("stamp", e.agreed().stamp()) +
           (e.agreed().missing() ? " missing" : "");
      break;
    case Envelope::kWhy: t += "Why" + Of(e.why().slice()) + N("round", e.why().round()); break;
    case Envelope::kBecause: t += "Because " + e.because().text(); break;
    case Envelope::kBarrier: t += "Barrier" + N("number", e.barrier().number()); break;
    case Envelope::kReleased: t += "Released" + N("number", e.released().number()); break;
    case Envelope::kFinish: t += "Finish"; break;
    case Envelope::kConfigure: t += "Configure " + e.configure().name(); break;
    case Envelope::kConfigureDone: t += "ConfigureDone" + N("code", e.configure_done().code()) + " " + e.configure_done().text(); break;
    case Envelope::kCut: t += "Cut"; break;
    case Envelope::kCutDone: t += "CutDone" + N("round", e.cut_done().round()) + N("shard", e.cut_done().shard()) + N("code", e.cut_done().code()); break;
    case Envelope::BODY_NOT_SET: t += "nothing"; break;
  }
  if (payload > 0) t += " + " + std::to_string(payload) + " bytes";
  return t;
}

std::string Describe(World& world, const Process& p, const Input& input) {
  const std::string when = std::to_string(world.now() / kMicrosecond) + " us " + p.name() + " v" + std::to_string(world.view_of(p)) + " <- ";
  if (const auto* i = std::get_if<LinkUp>(&input)) return when + "LinkUp" + Peer(world, p, i->link);
  if (const auto* i = std::get_if<LinkDown>(&input)) return when + "LinkDown" + Peer(world, p, i->link) + ", reason " + std::to_string(static_cast<int>(i->reason));
  if (const auto* i = std::get_if<Arrived>(&input)) return when + "Arrived" + Peer(world, p, i->link) + ": " + MessageText(i->head.text(), i->payload.size());
  if (const auto* i = std::get_if<Released>(&input)) return when + "Released " + std::to_string(i->ticket);
  if (const auto* i = std::get_if<WorkDone>(&input)) return when + "WorkDone " + std::to_string(i->ticket) + (i->status.ok() ? "" : ": " + i->status.text);
  if (const auto* i = std::get_if<Call>(&input)) {
    static constexpr const char* kCalls[] = {"Init", "Push", "Pull", "PushPull", "Barrier", "Finish", "Configure", "Checkpoint"};
    return when + "Call " + std::to_string(i->id) + " " + kCalls[i->request.index()];
  }
  return when + "Tick";
}

std::string Describe(World& world, const Process& p, const Output& output) {
  if (const auto* o = std::get_if<Open>(&output)) return "Open link " + std::to_string(o->link) + " to " + o->address;
  if (const auto* o = std::get_if<Close>(&output)) return "Close" + Peer(world, p, o->link);
  if (const auto* o = std::get_if<Send>(&output)) return "Send" + Peer(world, p, o->link) + ": " + MessageText(o->head, o->payload.size());
  if (const auto* o = std::get_if<Work>(&output)) {
    std::string t = "Work " + std::to_string(o->ticket) + " ";
    if (const auto* w = std::get_if<ReduceWork>(&o->request)) {
      t += "Reduce " + w->slice.key->name + "/" + std::to_string(w->slice.index) + " by";
      for (const Contribution& c : w->in_rank_order) t += " " + std::to_string(c.rank);
      return t;
    }
    if (const auto* w = std::get_if<ApplyWork>(&o->request)) return t + "Apply " + w->slice.key->name + "/" + std::to_string(w->slice.index);
    if (const auto* w = std::get_if<ChecksumWork>(&o->request)) return t + "Checksums of " + std::to_string(w->parts.size());
    if (const auto* w = std::get_if<ConfigureWork>(&o->request)) return t + "Configure " + w->name;
    if (const auto* w = std::get_if<ReadFile>(&o->request)) return t + "ReadFile " + w->name;
    if (const auto* w = std::get_if<AppendFile>(&o->request)) return t + "AppendFile " + w->name + ", " + std::to_string(w->bytes.size()) + " bytes";
    if (const auto* w = std::get_if<RemoveFile>(&o->request)) return t + "RemoveFile " + w->name;
    return t + "WriteFile " + std::get<WriteFile>(o->request).name;
  }
  if (const auto* o = std::get_if<Complete>(&output)) {
    std::string t = "Complete " + std::to_string(o->id) + (o->status.ok() ? "" : " FAILED " + std::to_string(static_cast<int>(o->status.code)) + " " + o->status.text) + " round " + std::to_string(o->reply.round);
    if (!o->reply.contributors.empty()) t += " by";
    for (Rank c : o->reply.contributors) t += " " + std::to_string(c);
    return t;
  }
  const auto& n = std::get<Notice>(output);
  return "Notice " + std::to_string(static_cast<int>(n.kind)) + " " + n.text;
}

}  // namespace ps::sim
