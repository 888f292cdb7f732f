// SPDX-License-Identifier: Apache-2.0
// What is stored, summed and answered: invariants 1 to 4, 8, 10 and 11.
#include <algorithm>

#include "sim/checker.h"
#include "sim/world.h"

namespace ps::sim {
namespace {
std::string_view View(const Buffer& b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }
std::string Place(std::pair<uint32_t, uint32_t> key, Round round) {
  return "key " + std::to_string(key.first) + " from word " + std::to_string(key.second) + ", round " + std::to_string(round);
}
uint32_t KeyNumber(const std::string& name) { return name.size() < 2 ? 0 : static_cast<uint32_t>(name[1] - '0'); }
}  // namespace

// The rounds since the job went back for the `lives`th time; those up to the checkpoint are the ones from before.
Checker::Generation& Checker::generation(uint64_t lives, const ViewFacts* view) {
  const auto at = generations_.find(lives);
  if (at != generations_.end() || view == nullptr) return generations_[lives];
  Generation& g = generations_[lives];
  if (lives == 0) return g;
  g = generations_[lives - 1];
  for (auto& [key, chain] : g.chains) {
    chain.last.clear();
    if (world_.scenario().mode != Mode::kSync) {
      chain.floating = true;
      continue;
    }
    if (chain.rounds.size() > view->rolled_to + 1) chain.rounds.resize(view->rolled_to + 1);
    for (auto c = chain.counted.begin(); c != chain.counted.end();) c = c->second > view->rolled_to ? chain.counted.erase(c) : std::next(c);
    chain.told = std::min(chain.told, view->rolled_to);
    while (chain.told > 0 && chain.told < chain.rounds.size() && chain.rounds[chain.told].value == 0) --chain.told;  // a round in which the key was not pushed
  }
  return g;
}

// `value` is what the slice holds after `round`, and that is committed: so says `who`.
void Checker::observe(uint64_t lives, SliceKey key, uint32_t value, Round round, const std::vector<Rank>* contributors, const std::string& who) {
  if (world_.failed()) return;
  Generation& g = generation(lives, nullptr);
  Chain& chain = g.chains[key];
  if (chain.floating) {
    exercise(10);
    chain.floating = false;
    if (round >= chain.rounds.size() || chain.rounds[round].value != value)
      return world_.fail(10, who + " went back to a state that never was: " + Place(key, round) + ", " + world_.values().text(value));
    chain.rounds.resize(round + 1);
    for (auto c = chain.counted.begin(); c != chain.counted.end();) c = c->second > round ? chain.counted.erase(c) : std::next(c);
    chain.told = std::min(chain.told, round);
  }
  if (chain.rounds.size() <= round) chain.rounds.resize(round + 1);
  if (chain.rounds[round].value != 0) {
    exercise(3);
    if (chain.rounds[round].value != value)
      return world_.fail(chain.known && chain.told >= round ? 1 : 3, who + " has another value than there was for " + Place(key, round) + ": " +
                                                                        world_.values().text(value) + "; before: " + world_.values().text(chain.rounds[round].value));
  } else {
    const Value v = world_.values().value(value);
    if (v.first != key.second) return world_.fail(3, who + ": " + Place(key, round) + " has the bytes of another slice");
    if (v.kind == Kind::kStored && round > 0) observe(lives, key, v.base, round_of(v.base, round - 1), nullptr, who);
    if (world_.failed()) return;
    Chain& now = g.chains[key];
    now.rounds[round].value = value;
    if (round == 0 && v.kind != Kind::kGiven) return world_.fail(2, who + ": " + Place(key, round) + " is no first value: " + world_.values().text(value));
    if (round == 0 && world_.values().given(v.given).step != 0) return world_.fail(2, who + ": " + Place(key, round) + " is a push, not an init");
    if (round > 0) count_parts(key, now, value, round, who);
  }
  Entry& entry = g.chains[key].rounds[round];
  if (contributors == nullptr || round == 0 || world_.failed()) return;
  const std::vector<Rank> named = contributors_of(value);
  exercise(3);
  if (*contributors != named) {
    std::string text;
    for (Rank r : *contributors) text += " " + std::to_string(r);
    return world_.fail(3, who + " names other contributors than are in " + Place(key, round) + ":" + text + "; " + world_.values().text(value));
  }
  entry.contributors = named, entry.named = true;
}

// What was added last to get to this value. A push alone is its own sum, and counts under its worker's rank.
std::vector<Part> Checker::parts_of(uint32_t value) const {
  if (value == 0) return {};
  const Value& v = world_.values().value(value);
  const uint32_t last = v.kind == Kind::kStored ? v.sum : value;
  const Value& sum = world_.values().value(last);
  if (sum.kind == Kind::kSum) return sum.parts;
  const Given& given = world_.values().given(sum.given);
  const auto rank = ranks_.find({given.process, given.life});
  return {{sum.given, rank == ranks_.end() ? ~0u : rank->second, 0}};
}

// Without an optimizer a value does not tell of the round before; a server that commits two in one step shows the second only.
bool Checker::hole(const Chain& chain) const {
  return world_.scenario().mode != Mode::kSync && std::any_of(chain.rounds.begin(), chain.rounds.end(), [](const Entry& e) { return e.value == 0; });
}

// The round that a value belongs to: in synchronous mode its pushes say so (rounds that nobody belongs to are passed over).
Round Checker::round_of(uint32_t value, Round otherwise) const {
  if (world_.scenario().mode != Mode::kSync || value == 0) return otherwise;
  const std::vector<Part> parts = parts_of(value);
  return parts.empty() ? otherwise : world_.values().given(parts[0].given).step;
}

std::vector<Rank> Checker::contributors_of(uint32_t value) const {
  std::vector<Rank> ranks;
  for (const Part& part : parts_of(value)) ranks.push_back(part.rank);
  return ranks;
}

void Checker::count_parts(SliceKey key, Chain& chain, uint32_t value, Round round, const std::string& who) {
  const std::vector<Part> parts = parts_of(value);
  for (size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    const Given& given = world_.values().given(part.given);
    const std::string what = who + ": " + Place(key, round) + ", " + world_.values().text(value);
    exercise(11);
    if (i > 0 && parts[i - 1].rank >= part.rank) return world_.fail(11, what + ": not in the order of ranks");
    exercise(2);
    if (given.step == 0) return world_.fail(2, what + ": an init is in the sum");
    const auto rank = ranks_.find({given.process, given.life});
    if (rank == ranks_.end() || rank->second != part.rank) return world_.fail(2, what + ": a push counts under another's rank");
    const auto [before, fresh] = chain.counted.emplace(part.given, round);
    if (!fresh) return world_.fail(2, what + ": counted before, in round " + std::to_string(before->second));
    if (world_.scenario().mode == Mode::kSync) {
      if (given.step != round) return world_.fail(2, what + ": a push for round " + std::to_string(given.step));
      continue;
    }
    const auto [last, first] = chain.last.emplace(LifeKey{given.process, given.life}, given.step);
    if (!first && given.step != last->second + 1 && !hole(chain)) return world_.fail(2, what + ": after the worker's step " + std::to_string(last->second));
    last->second = given.step;
  }
}

bool Checker::primary_of(const Process& p, const ViewFacts& view, uint32_t shard) const {
  return shard < view.shards.size() && !view.shards[shard].empty() && view.shards[shard][0].server == p.node->id().rank;
}

void Checker::look_at_slices(const Process& p, Watch& w) {
  if (p.node->phase() != NodePhase::kRunning) return;
  const std::vector<SliceFacts> slices = p.node->slices();
  std::map<SliceKey, Round> have;
  for (const SliceFacts& s : slices) {
    const bool primary = primary_of(p, w.known, s.shard);
    if (s.value.value.empty() && !primary) continue;  // a copy that is still arriving
    Held& held = w.slices[{s.key, s.index}];
    const std::string who = p.name() + (primary ? "" : " (a copy)");
    if (held.data != s.value.value.data() || held.held != s.held) {
      const uint32_t value = world_.values().find(View(s.value.value), KeyNumber(s.key));
      if (value == 0) return world_.fail(2, who + " holds bytes that nobody made: " + s.key + "/" + std::to_string(s.index));
      if (!held.primary || !primary || held.lives != w.lives) held.closed_round = 0;
      if (held.primary && primary && held.lives == w.lives) {
        exercise(4);
        if (s.held > held.held) {
          if (held.closed_round != s.held) look_at_close(p, w, {s.key, s.index}, held.held, s.held, s.contributors);
          else if (held.closed != s.contributors) return world_.fail(4, who + " holds " + s.key + " round " + std::to_string(s.held) + " of others than it was closed over");
          if (world_.failed()) return;
        }
        if (s.held < held.held || s.committed < held.committed)
          return world_.fail(4, who + " went back from round " + std::to_string(held.held) + " to " + std::to_string(s.held) + ", " + s.key);
        if (s.held == held.held && value != held.value && held.value != 0)
          return world_.fail(4, who + " changes a closed round: " + s.key + " round " + std::to_string(s.held) + ", " + world_.values().text(value) + "; before: " + world_.values().text(held.value));
      }
      held.data = s.value.value.data(), held.value = value;
    } else if (held.committed == s.committed && held.safe == s.safe && held.primary == primary && held.lives == w.lives) {
      have[{KeyNumber(s.key), world_.values().value(held.value).first}] = s.held;
      continue;
    }
    held.safe = s.safe, held.committed = s.committed, held.held = s.held, held.primary = primary, held.lives = w.lives;
    const SliceKey key{KeyNumber(s.key), world_.values().value(held.value).first};
    have[key] = s.held;
    if (s.committed > s.held) return world_.fail(4, who + " has committed more than it holds: " + s.key);
    if (s.safe) {
      const uint32_t value = s.committed == s.held ? held.value : world_.values().find(View(s.committed_value.value), KeyNumber(s.key));
      if (value == 0) return world_.fail(2, who + " has committed bytes that nobody made: " + s.key + "/" + std::to_string(s.index));
      observe(w.lives, key, value, s.committed, s.committed > 0 ? &s.committed_contributors : nullptr, who);
    }
    if (world_.failed()) return;
    Generation& g = generation(w.lives, nullptr);
    const auto chain = g.chains.find(key);
    if (chain != g.chains.end()) chain->second.shard = s.shard;
  }
  // Whoever is primary by the scheduler's newest view has all that anybody was told.
  if (w.view == 0 || w.view != newest_.number) return;
  const std::vector<uint32_t> loading = p.node->loading();  // these tell nobody anything
  for (const auto& [key, chain] : generation(w.lives, nullptr).chains) {
    if (std::find(loading.begin(), loading.end(), static_cast<uint32_t>(chain.shard)) != loading.end()) continue;
    if (!chain.known || chain.floating || chain.shard < 0 || !primary_of(p, w.known, static_cast<uint32_t>(chain.shard))) continue;
    exercise(1);
    const auto at = have.find(key);
    if (at == have.end() || at->second < chain.told)
      return world_.fail(1, p.name() + " is primary of shard " + std::to_string(chain.shard) + " in view " + std::to_string(w.view) + " without " +
                                Place(key, chain.told) + ", which was acknowledged; it has " + (at == have.end() ? "nothing" : "round " + std::to_string(at->second)));
  }
}

// Work on a round: who is in it is settled from then on. A copy applies what its primary has closed, and settles nothing.
void Checker::look_at_work(const Process& p, Watch& w, const Slice& slice, const std::vector<Contribution>* sum, const Buffer& reduced) {
  const std::vector<SliceFacts> all = p.node->slices();
  const auto s = std::find_if(all.begin(), all.end(), [&slice](const SliceFacts& x) { return x.key == slice.key->name && x.index == slice.index; });
  const std::string what = p.name() + " works on " + slice.key->name + "/" + std::to_string(slice.index);
  exercise(5);
  if (s == all.end()) return world_.fail(5, what + ", which it does not have");
  const std::pair<std::string, uint32_t> name{slice.key->name, slice.index};
  std::vector<Rank> who;
  const uint32_t key = KeyNumber(slice.key->name);
  const uint32_t value = world_.values().find(sum == nullptr || sum->empty() ? View(reduced) : View((*sum)[0].bytes), key);
  const Round round = round_of(value, s->held + 1);
  if (sum == nullptr) {  // an update: after a sum, or of a push that came alone
    if (!primary_of(p, w.known, s->shard) || w.slices[name].closed_round == round) return;
    who = contributors_of(value);
  } else {
    if (!primary_of(p, w.known, s->shard)) return world_.fail(5, what + ", and is not its primary in view " + std::to_string(w.view));
    for (const Contribution& c : *sum) who.push_back(c.rank);
  }
  if (round <= s->held) return world_.fail(4, what + ", round " + std::to_string(round) + ", and holds " + std::to_string(s->held) + " already");
  look_at_close(p, w, name, s->held, round, who);
}

// A round closes: over whom?
void Checker::look_at_close(const Process& p, Watch& w, const std::pair<std::string, uint32_t>& slice, Round before, Round round, const std::vector<Rank>& who) {
  const std::string what = p.name() + " closes " + slice.first + "/" + std::to_string(slice.second) + " round " + std::to_string(round);
  exercise(11);
  for (size_t i = 1; i < who.size(); ++i)
    if (who[i - 1] >= who[i]) return world_.fail(11, what + " in another order than the ranks'");
  Held& held = w.slices[slice];
  if (held.closed_round == round && held.primary && held.lives == w.lives) {
    exercise(4);
    if (held.closed != who) return world_.fail(4, what + " again, with others than before");
  }
  held.closed_round = round, held.closed = who;
  if (world_.scenario().mode != Mode::kSync) return;
  exercise(4);
  for (const Rank rank : who) {
    const bool member = std::any_of(w.known.members.begin(), w.known.members.end(),
                                    [rank](const MemberFacts& m) { return m.node.role == Role::kWorker && m.node.rank == rank && m.state != "gone"; });
    if (!member) return world_.fail(4, what + " with worker " + std::to_string(rank) + ", who is not in view " + std::to_string(w.view));
  }
  for (const MemberFacts& m : w.known.members) {
    if (m.node.role != Role::kWorker || m.state != "active" || m.from > round) continue;
    for (Round passed = std::max(m.from, before + 1); passed < round; ++passed)
      if (world_.scenario().pushed(KeyNumber(slice.first), passed))
        return world_.fail(4, what + " and passes over round " + std::to_string(passed) + ", to which worker " + std::to_string(m.node.rank) + " belongs");
    if (std::find(who.begin(), who.end(), m.node.rank) == who.end()) return world_.fail(4, what + " without worker " + std::to_string(m.node.rank) + ", who is in view " + std::to_string(w.view));
  }
}

void Checker::check_answer(const Process& p, Watch& w, const Asking& asking, const Complete& c) {
  const Question& q = asking.question;
  if (world_.failed() || q.what == Asked::kBarrier || q.what == Asked::kFinish || q.what == Asked::kConfigure) return;
  Generation& g = generation(w.lives, nullptr);
  const std::string who = p.name() + ", step " + std::to_string(q.step) + " of key " + std::to_string(q.key);
  if (q.what == Asked::kCheckpoint) return check_cut(p, w, c);
  const uint32_t bytes = world_.scenario().key_bytes[q.key];
  const uint32_t slices = static_cast<uint32_t>((bytes + kSliceBytes - 1) / kSliceBytes);
  if (w.lives > w.rolled_notice) return world_.fail(1, who + " is answered from after a return to a checkpoint that it was not told of");
  for (uint32_t i = 0; i < slices; ++i) {
    const SliceKey key{q.key, i * static_cast<uint32_t>(kSliceBytes / 8)};
    const auto at = g.chains.find(key);
    if (at == g.chains.end() || at->second.rounds.empty()) return world_.fail(1, who + " was told of " + Place(key, 0) + ", which nobody has stored");
    Chain& chain = at->second;
    Round told = 0;
    if (q.what == Asked::kPush || q.what == Asked::kPushPull) {
      exercise(2);
      const auto counted = chain.counted.find(q.given);
      if (counted == chain.counted.end() && hole(chain)) continue;
      if (counted == chain.counted.end()) return world_.fail(2, who + " was told that its push counts, and it is in no round of " + Place(key, chain.rounds.size() - 1));
      told = counted->second;
    }
    if (q.what == Asked::kPull || q.what == Asked::kPushPull) {
      const auto piece = std::find_if(c.reply.pieces.begin(), c.reply.pieces.end(), [&key = key](const Piece& x) { return x.offset == uint64_t{8} * key.second; });
      if (piece == c.reply.pieces.end()) return world_.fail(3, who + ": no answer for " + Place(key, 0));
      const uint32_t value = world_.values().find(View(piece->bytes), q.key);
      exercise(3);
      Round round = chain.rounds.size();
      while (round > 0 && (chain.rounds[round - 1].value != value || value == 0)) --round;
      if (round-- == 0) return world_.fail(3, who + " was told a value that was never committed for " + Place(key, 0) + ": " + world_.values().text(value));
      exercise(1);
      if (const auto before = w.told.find(key); before != w.told.end() && round < before->second)
        return world_.fail(1, who + " was told round " + std::to_string(round) + " after round " + std::to_string(before->second) + " of " + Place(key, 0));
      if (round < told) return world_.fail(1, who + " does not see its own push in " + Place(key, round));
      if (world_.scenario().mode == Mode::kSync && q.what == Asked::kPushPull && round != q.step) return world_.fail(3, who + " was told " + Place(key, round));
      if (i == 0 && round > 0) {
        const std::vector<Rank> named = contributors_of(value);
        exercise(3);
        if (named != c.reply.contributors) return world_.fail(3, who + " was told other contributors than are in " + Place(key, round));
        if (world_.scenario().mode == Mode::kSync && c.reply.round != round) return world_.fail(3, who + " was told another number for " + Place(key, round));
      }
      told = std::max(told, round);
      if (world_.scenario().mode == Mode::kStale && q.step > 0) check_stale(p, w, asking, chain);
    }
    w.told[key] = std::max(w.told[key], told);
    chain.told = std::max(chain.told, told);
    chain.known = true;
  }
}

// Nobody may be more than the bound ahead of the slowest that is there.
void Checker::check_stale(const Process& p, Watch& w, const Asking& asking, const Chain& chain) {
  const Question& q = asking.question;
  const uint64_t bound = world_.scenario().stale;
  if (q.step <= bound || hole(chain)) return;
  for (const MemberFacts& m : w.known.members) {
    if (m.node.role != Role::kWorker || m.state != "active" || m.from > q.step - bound) continue;
    if (asking.active.count(m.incarnation) == 0) continue;  // some slices may have been answered before it took part
    const auto life = lives_.find(m.incarnation);
    if (life == lives_.end() || entered_[{life->second.process, life->second.life}].finish) continue;
    const bool member = std::any_of(newest_.members.begin(), newest_.members.end(),
                                    [&m](const MemberFacts& x) { return x.incarnation == m.incarnation && x.state == "active"; });
    if (!member) continue;  // gone meanwhile, and this worker has not heard of it
    exercise(8);
    const auto last = chain.last.find({life->second.process, life->second.life});
    const uint32_t step = last == chain.last.end() ? 0 : last->second;
    if (step + bound < q.step)
      return world_.fail(8, p.name() + " is answered at clock " + std::to_string(q.step) + " while worker " + std::to_string(m.node.rank) + " is at " + std::to_string(step) +
                                ", bound " + std::to_string(bound));
  }
}

}  // namespace ps::sim
