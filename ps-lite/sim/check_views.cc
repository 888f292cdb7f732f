// SPDX-License-Identifier: Apache-2.0
// Who belongs, who may, and what strangers do: invariants 5 to 7, 9, 12, 13.
#include <algorithm>

#include "ps.pb.h"
#include "sim/checker.h"
#include "sim/world.h"

namespace ps::sim {
namespace {
constexpr Time kHeard = 5 * kSecond;  // silence ends a member before
using flexor::ps::Envelope;
uint64_t HashView(const ViewFacts& v) {
  uint64_t hash = Mix(v.number, Mix(v.cut_done, Mix(v.lives, v.rolled_to)));
  for (const MemberFacts& m : v.members) {
    hash = Mix(hash, Mix(static_cast<uint64_t>(m.node.role) << 32 | m.node.rank, m.incarnation));
    hash = Mix(hash, Mix(m.from, Mix(m.barrier, HashOf(m.state))));
  }
  for (const auto& copies : v.shards) {
    hash = Mix(hash, 5);
    for (const CopyFacts& c : copies) hash = Mix(hash, Mix(c.server, c.since * 2 + (c.fresh ? 1 : 0)));
  }
  return Mix(hash, Mix(v.ended ? 1 : 0, HashOf(v.failure)));
}
}  // namespace

void Checker::look_at_view(const Process& p, Watch& w) {
  const uint64_t number = p.node->view_number();
  if (number == 0) return;
  if (number < w.view) return world_.fail(7, p.name() + " goes back from view " + std::to_string(w.view) + " to " + std::to_string(number));
  if (number == w.view && (p.role != Role::kScheduler || world_.steps() % 16 != 0)) return;
  const ViewFacts view = p.node->view();
  const uint64_t content = HashView(view);
  if (p.role == Role::kScheduler && forgotten_ && w.view == 0) begin_anew(p);  // its first; it may have made several in a step
  const auto [at, first] = views_.emplace(view.number, content);
  exercise(7);
  if (!first && at->second != content) return world_.fail(7, p.name() + " has another view " + std::to_string(view.number) + " than there was: " + p.node->describe());
  w.view = view.number;
  if (view.lives != w.lives) w.told.clear();
  w.lives = view.lives;
  generation(view.lives, &view);
  if (p.role == Role::kScheduler && view.number > newest_.number) {
    check_promotions(newest_, view);
    if (view.lives > newest_.lives && newest_.number > 0) check_return(view);
    if (!view.failure.empty() && newest_.failure.empty()) check_giving_up(view);
    newest_ = view;
  }
  w.known = view;
}

// A scheduler without a log, and nobody alive who took part in a view: this is another job, and nothing of the old one is left that could contradict it. Who was
// still joining knows of nothing that counts; it is told that its view has no record.
void Checker::begin_anew(const Process& scheduler) {
  for (uint32_t n = 0; n < world_.count(); ++n) {
    const Process& p = world_.process(n);
    if (p.alive && &p != &scheduler && world_.view_of(p) > 0 && p.node->phase() != NodePhase::kJoining) return;
  }
  if (watches_[scheduler.number].view > 0) return;
  views_.clear();
  generations_.clear();
  newest_ = {};
  cuts_.clear();
  released_ = 0;
}

// Whoever becomes primary had a fresh copy in the very membership that it has now.
void Checker::check_promotions(const ViewFacts& before, const ViewFacts& after) {
  if (before.lives != after.lives) return;
  for (size_t shard = 0; shard < after.shards.size() && shard < before.shards.size(); ++shard) {
    if (before.shards[shard].empty() || after.shards[shard].empty()) continue;
    const CopyFacts& now = after.shards[shard][0];
    const CopyFacts& was = before.shards[shard][0];
    if (now.server == was.server && now.since == was.since) continue;
    exercise(6);
    const bool fresh = std::any_of(before.shards[shard].begin(), before.shards[shard].end(),
                                   [&now](const CopyFacts& c) { return c.server == now.server && c.since == now.since && c.fresh; });
    if (!fresh)
      return world_.fail(6, "view " + std::to_string(after.number) + " makes server " + std::to_string(now.server) + " primary of shard " + std::to_string(shard) +
                                ", whose copy was not fresh in view " + std::to_string(before.number));
  }
}

// The job fails: was there cause?
void Checker::check_giving_up(const ViewFacts& view) {
  exercise(16);
  const std::string what = "the job is given up in view " + std::to_string(view.number) + " (`" + view.failure + "`)";
  if (world_.scenario().faults.empty()) return world_.fail(16, what + ", and nothing was disturbed");
  // What a server wrote lies on its own disk, which may be gone with its host.
  if (!world_.scenario().shared_cuts && view.failure.find("cannot go back") != std::string::npos) return;
  const auto lives = [this](const MemberFacts& m) {  // and has had the time to say so
    const auto life = lives_.find(m.incarnation);
    if (life == lives_.end()) return false;
    const Process& p = world_.process(life->second.process);
    return p.alive && p.life == life->second.life && p.disturbed_until + kHeard < world_.now() && p.born + kHeard < world_.now() &&
           p.node->phase() != NodePhase::kEvicted && p.node->phase() != NodePhase::kFailed;
  };
  const Process& scheduler = world_.process(0);
  if (scheduler.disturbed_until + kHeard > world_.now() || scheduler.born + kHeard > world_.now()) return;
  bool workers = false, servers = true, all = true;
  for (const MemberFacts& m : newest_.members) {
    if (m.state == "gone" || m.state == "finished") continue;
    if (m.node.role == Role::kWorker) workers |= lives(m);
    all &= lives(m);
  }
  for (const auto& copies : newest_.shards)
    servers &= std::any_of(copies.begin(), copies.end(), [&](const CopyFacts& c) {
      return c.fresh && std::any_of(newest_.members.begin(), newest_.members.end(),
                                    [&](const MemberFacts& m) { return m.node == NodeId{Role::kServer, c.server} && lives(m); });
    });
  if ((all && workers) || (world_.scenario().policy != Policy::kFail && workers && servers))
    world_.fail(16, what + ", though there is a worker, and a fresh live copy of every shard");
}

// The scheduler lets a barrier go: every member has entered it, has finished, or need not.
void Checker::released(const Process& p, uint64_t number) {
  if (number <= released_ || world_.failed()) return;
  released_ = number;
  for (const MemberFacts& m : p.node->view().members) {
    if (m.node.role != Role::kWorker || m.state != "active" || m.barrier >= number) continue;
    exercise(9);
    const auto life = lives_.find(m.incarnation);
    if (life == lives_.end()) continue;
    const Entered& entered = entered_[{life->second.process, life->second.life}];
    if (entered.barriers < number && !entered.finish)
      return world_.fail(9, "barrier " + std::to_string(number) + " is released, and worker " + std::to_string(m.node.rank) + " has entered " + std::to_string(entered.barriers));
  }
}

void Checker::look_at_outputs(const Process& p, Watch& w, const Input& input, const std::vector<Output>& outputs) {
  Envelope e;
  if (const auto* a = std::get_if<Arrived>(&input); a != nullptr && a->payload.empty() && e.ParseFromArray(a->head.data(), static_cast<int>(a->head.size())) && !w.strict) {
    if (e.has_welcome()) w.credit[a->link] = static_cast<int64_t>(e.welcome().credit());
    if (e.has_credit() && w.credit.count(a->link) > 0) w.credit[a->link] += static_cast<int64_t>(e.credit().bytes());
  }
  for (const Output& o : outputs) {
    if (world_.failed()) return;
    if (const auto* work = std::get_if<Work>(&o)) {
      if (const auto* r = std::get_if<ReduceWork>(&work->request)) look_at_work(p, w, r->slice, &r->in_rank_order, Buffer());
      if (const auto* a = std::get_if<ApplyWork>(&work->request)) look_at_work(p, w, a->slice, nullptr, a->reduced);
      if (const auto* f = std::get_if<WriteFile>(&work->request); f != nullptr && p.role == Role::kServer) look_at_cut(p, *f);
    } else if (const auto* s = std::get_if<Send>(&o)) {
      if (!s->payload.empty()) {
        if (const auto credit = w.credit.find(s->link); credit != w.credit.end()) {
          exercise(13);
          credit->second -= static_cast<int64_t>(s->payload.size());
          if (credit->second < 0 && s->payload.size() <= world_.scenario().window_bytes)
            world_.fail(13, p.name() + " sends " + std::to_string(-credit->second) + " bytes more than its peer has room for");
        }
      }
      if (p.role == Role::kScheduler && s->payload.empty() && e.ParseFromString(s->head)) {
        if (e.has_released()) released(p, e.released().number());
        if (e.has_beat_reply()) released(p, e.beat_reply().released());
      }
    } else if (const auto* n = std::get_if<Notice>(&o)) {
      if (n->kind == NoticeKind::kRolledBack || n->kind == NoticeKind::kReady) w.rolled_notice = std::max<uint64_t>(w.rolled_notice, p.node->view().lives);
    }
  }
}

uint64_t Checker::facts(const Process& p) const {
  uint64_t hash = HashView(p.node->view());
  for (const SliceFacts& s : p.node->slices()) {
    hash = Mix(hash, Mix(HashOf(s.key), Mix(s.index, Mix(s.committed, s.held))));
    hash = Mix(hash, HashOf(s.value.value.text()));
    for (const auto& [rank, round] : s.applied) hash = Mix(hash, Mix(rank, round));
  }
  return hash;
}

void Checker::stranger_comes(const Process& p) {
  Watch& w = watches_[p.number];
  w.strict = true;
  w.facts = facts(p);
}

void Checker::look_at_strictness(const Process& p, Watch& w, const std::vector<Output>& outputs) {
  w.strict = false;
  exercise(12);
  if (facts(p) != w.facts) return world_.fail(12, p.name() + " took something from a stranger");
  Envelope e;
  for (const Output& o : outputs) {
    if (std::holds_alternative<Complete>(o) || std::holds_alternative<Work>(o)) return world_.fail(12, p.name() + " did something for a stranger");
    if (const auto* s = std::get_if<Send>(&o))
      if (e.ParseFromString(s->head) && !e.has_refused() && !e.has_bye() && !e.has_denied() && !e.has_view_delta())
        return world_.fail(12, p.name() + " answered a stranger with message " + std::to_string(static_cast<int>(e.body_case())));
  }
}

}  // namespace ps::sim
