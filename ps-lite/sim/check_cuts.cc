// SPDX-License-Identifier: Apache-2.0
// Checkpoints: invariant 10. A part is a file cut.SHARD.NUMBER; what it must hold is known from what was committed and told.
#include <algorithm>
#include <cstdio>

#include "sim/checker.h"
#include "sim/world.h"

namespace ps::sim {
namespace {
std::string_view View(const Buffer& b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }
}  // namespace

// A part is about to be written: every value in it was committed, in synchronous mode all of one round, and no slice that somebody was told of is left out.
void Checker::look_at_cut(const Process& p, const WriteFile& file) {
  const Watch& w = watches_[p.number];
  const Generation& g = generation(w.lives, nullptr);
  unsigned shard = 0;
  unsigned long long number = 0;
  const std::string who = p.name() + " writes into " + file.name;
  if (std::sscanf(file.name.c_str(), "cut.%u.%llu", &shard, &number) != 2) return world_.fail(10, who + ", which is no name of a part");
  // Rounds that a lost worker has left half made may be in some slices only, where nobody who is there belongs to them.
  CutPart part;
  for (const MemberFacts& m : w.known.members)
    if (m.node.role == Role::kWorker && m.state == "active") part.from = std::min(part.from, m.from);
  std::set<SliceKey> slices;
  for (const Buffer& bytes : file.parts) {
    for (uint32_t key = 0; key < world_.scenario().key_bytes.size(); ++key) {
      const uint32_t value = world_.values().find(View(bytes), key);
      if (value == 0) continue;
      const SliceKey slice{key, world_.values().value(value).first};
      const auto at = g.chains.find(slice);
      Round of = at == g.chains.end() ? 0 : at->second.rounds.size();
      while (of > 0 && at->second.rounds[of - 1].value != value) --of;
      exercise(10);
      if (of-- == 0) return world_.fail(10, who + " a value that was never committed: " + world_.values().text(value));
      Round next = part.from == UINT64_MAX ? of + 1 : std::max(of + 1, part.from);  // in which it is pushed
      while (!world_.scenario().pushed(key, next)) ++next;
      const CutPart before = part;
      part.round = std::max(part.round, of), part.least = std::max(part.least, of), part.most = std::min(part.most, next - 1);
      if (world_.scenario().mode == Mode::kSync && !part.holds(part.round))
        return world_.fail(10, who + " rounds " + std::to_string(before.least) + " to " + std::to_string(before.most) + " and " + std::to_string(of) + " of key " + std::to_string(key));
      slices.insert(slice);
    }
  }
  for (const auto& [slice, chain] : g.chains) {
    if (!chain.known || chain.floating || chain.shard != static_cast<int64_t>(shard)) continue;
    exercise(10);
    if (slices.count(slice) == 0) return world_.fail(10, who + " all but key " + std::to_string(slice.first) + " from word " + std::to_string(slice.second));
  }
  part.empty = slices.empty();
  writing_[{p.number, file.name}] = part;
}

void Checker::written(const Process& p, const std::string& name) {
  unsigned shard = 0;
  unsigned long long number = 0;
  const auto at = writing_.find({p.number, name});
  if (at == writing_.end() || std::sscanf(name.c_str(), "cut.%u.%llu", &shard, &number) != 2) return;
  cuts_[number][shard] = at->second;
  writing_.erase(at);
}

// A worker was told that its checkpoint is made: the parts of all shards are on disk, and of the round that it was told.
void Checker::check_cut(const Process& p, const Watch& w, const Complete& c) {
  const std::map<uint32_t, CutPart>& parts = cuts_[w.known.cut_done];
  const std::string who = p.name() + " was told of checkpoint " + std::to_string(w.known.cut_done) + " of round " + std::to_string(c.reply.round);
  for (uint32_t shard = 0; shard < w.known.shards.size(); ++shard) {
    const auto part = parts.find(shard);
    exercise(10);
    if (part == parts.end()) return world_.fail(10, who + ", and shard " + std::to_string(shard) + " has not written its part");
    if (world_.scenario().mode == Mode::kSync && !part->second.holds(c.reply.round))
      return world_.fail(10, who + ", and shard " + std::to_string(shard) + " has written round " + std::to_string(part->second.round));
  }
}

// The job goes back: to the round of a checkpoint that every shard has written.
void Checker::check_return(const ViewFacts& view) {
  const std::map<uint32_t, CutPart>& parts = cuts_[view.cut_done];
  const std::string what = "view " + std::to_string(view.number) + " goes back to round " + std::to_string(view.rolled_to) + ", checkpoint " + std::to_string(view.cut_done);
  for (uint32_t shard = 0; shard < view.shards.size(); ++shard) {
    const auto part = parts.find(shard);
    exercise(10);
    if (part == parts.end()) return world_.fail(10, what + ", of which shard " + std::to_string(shard) + " has written nothing");
    if (world_.scenario().mode == Mode::kSync && !part->second.holds(view.rolled_to))
      return world_.fail(10, what + ", of which shard " + std::to_string(shard) + " has written round " + std::to_string(part->second.round));
  }
}

}  // namespace ps::sim
