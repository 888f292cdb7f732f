// SPDX-License-Identifier: Apache-2.0
#include "core/view.h"

#include <algorithm>

#include "core/text.h"

namespace ps::core {

const char* Name(MemberState s) {
  switch (s) {
    case MemberState::kJoining: return "joining";
    case MemberState::kActive: return "active";
    case MemberState::kFinished: return "finished";
    case MemberState::kGone: return "gone";
  }
  return "?";
}
const char* Name(Role r) {
  switch (r) {
    case Role::kNone: return "nobody";
    case Role::kScheduler: return "scheduler";
    case Role::kServer: return "server";
    case Role::kWorker: return "worker";
  }
  return "?";
}
std::string Text(Mode mode, uint64_t stale_bound) {
  return mode == Mode::kSync ? "dist_sync" : mode == Mode::kAsync ? "dist_async" : Join("dist_stale(", stale_bound, ")");
}
std::string Text(NodeId id) { return id.role == Role::kScheduler ? "the scheduler" : Join(Name(id.role), " ", id.rank); }

void View::Write(uint64_t from, pb::ViewDelta* out) const {
  out->set_from(from);
  out->set_to(number);
  for (auto& [id, m] : members) {
    if (m.changed <= from) continue;
    auto* n = out->add_nodes();
    n->set_role(uint32_t(id.role));
    n->set_rank(id.rank);
    n->set_incarnation(m.incarnation);
    n->set_state(uint32_t(m.state));
    n->set_from(m.from);
    n->set_barrier(m.barrier);
    n->set_address(m.address);
    n->set_key(m.key);
    n->set_host(m.host);
    n->set_pid(m.pid);
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    if (shards[i].changed <= from) continue;
    auto* s = out->add_shards();
    s->set_number(uint32_t(i));
    for (auto& c : shards[i].copies) {
      auto* e = s->add_copies();
      e->set_server(c.server);
      e->set_since(c.since);
      e->set_fresh(c.fresh);
    }
  }
  for (size_t i = 0; i < settings.size(); ++i) {
    if (settings[i].changed <= from) continue;
    auto* s = out->add_settings();
    s->set_name(settings[i].name);
    s->set_text(settings[i].text);
    s->set_number(uint32_t(i + 1));
    s->set_origin(settings[i].origin);
    s->set_token(settings[i].token);
  }
  out->set_ended(ended);
  out->set_failure(failure);
  out->set_failure_code(uint64_t(failure_code));
  out->set_cut(cut);
  out->set_cut_done(cut_done);
  out->set_cut_round(cut_round);
  out->set_cut_job(cut_job);
  for (Rank r : cut_holders) out->add_cut_holders(r);
  out->set_lives(lives);
  out->set_rolled_to(rolled_to);
  out->set_mode(uint32_t(mode));
  out->set_stale_bound(stale_bound);
}

bool View::Take(const pb::ViewDelta& d) {
  if (d.to() <= number || d.from() > number || d.from() >= d.to()) return false;
  if (d.nodes_size() > int(kMaxNodes) || d.shards_size() > int(kMaxShards) || d.settings_size() > int(kMaxSettings) || d.cut_holders_size() > int(kMaxShards)) return false;
  if (d.cut_job().size() > kJobBytes || d.failure_code() > uint64_t(Code::kInternal) || d.mode() > uint32_t(Mode::kStale)) return false;
  for (auto& n : d.nodes()) {
    if (n.role() != uint32_t(Role::kServer) && n.role() != uint32_t(Role::kWorker)) return false;
    if (n.rank() >= kMaxNodes || n.state() < uint32_t(MemberState::kJoining) || n.state() > uint32_t(MemberState::kGone)) return false;
  }
  bool whole = d.from() == 0;
  size_t count = whole ? size_t(d.shards_size()) : shards.size();
  for (int i = 0; i < d.shards_size(); ++i) {
    auto& s = d.shards(i);
    if (s.number() >= count || (whole && s.number() != uint32_t(i)) || s.copies_size() > int(kMaxCopies)) return false;
    for (auto& c : s.copies())
      if (c.server() >= kMaxNodes) return false;
  }
  size_t known = whole ? 0 : settings.size();
  for (auto& s : d.settings()) {
    if (s.number() > known + 1 || s.number() == 0) return false;
    known = std::max<size_t>(known, s.number());
  }
  if (whole) members.clear(), shards.assign(count, {}), settings.clear();
  number = d.to();
  for (auto& n : d.nodes()) {
    Member& m = members[{Role(n.role()), n.rank()}];
    m = {n.incarnation(), MemberState(n.state()), n.from(), n.barrier(), n.address(), n.host(), n.key(), n.pid(), number};
  }
  for (auto& s : d.shards()) {
    Shard& shard = shards[s.number()];
    shard.copies.clear();
    for (auto& c : s.copies()) shard.copies.push_back({c.server(), c.since(), c.fresh()});
    shard.changed = number;
  }
  for (auto& s : d.settings())
    if (s.number() > settings.size()) settings.push_back({s.name(), s.text(), s.origin(), s.token(), number});
  ended = d.ended();
  failure = d.failure();
  failure_code = Code(d.failure_code());
  cut = d.cut();
  cut_done = d.cut_done();
  cut_round = d.cut_round();
  cut_job = d.cut_job();
  cut_holders.assign(d.cut_holders().begin(), d.cut_holders().end());
  lives = d.lives();
  rolled_to = d.rolled_to();
  mode = Mode(d.mode());
  stale_bound = d.stale_bound();
  return true;
}

const Member* View::Find(NodeId id) const {
  auto it = members.find(id);
  return it == members.end() ? nullptr : &it->second;
}
bool View::Alive(NodeId id) const {
  auto* m = Find(id);
  return m && m->state != MemberState::kGone;
}
bool View::Is(NodeId id, uint64_t incarnation) const {
  auto* m = Find(id);
  return m && m->state != MemberState::kGone && m->incarnation == incarnation;
}
const Copy* View::FindCopy(uint32_t shard, Rank server) const {
  if (shard >= shards.size()) return nullptr;
  for (auto& c : shards[shard].copies)
    if (c.server == server) return &c;
  return nullptr;
}
std::string View::Person(NodeId id) const {
  auto* m = Find(id);
  if (!m || (m->host.empty() && m->pid == 0)) return Text(id);
  return Join(Text(id), " (host ", m->host, ", pid ", m->pid, ")");
}
ViewFacts View::Facts() const {
  ViewFacts f;
  f.number = number, f.cut_done = cut_done, f.lives = lives, f.rolled_to = rolled_to, f.ended = ended, f.failure = failure;
  for (auto& [id, m] : members) f.members.push_back({id, m.incarnation, Name(m.state), m.from, m.barrier, m.address, m.host, m.pid, m.key});
  for (auto& s : shards) {
    auto& copies = f.shards.emplace_back();
    for (auto& c : s.copies) copies.push_back({c.server, c.since, c.fresh});
  }
  return f;
}

uint64_t SliceBytes(const KeyInfo& key, const JobSettings& settings) {
  return std::max<uint64_t>(settings.slice_bytes / key.item_bytes, 1) * key.item_bytes;
}
uint64_t SliceCount(const KeyInfo& key, const JobSettings& settings) {
  uint64_t each = SliceBytes(key, settings);
  return std::max<uint64_t>(key.bytes / each + (key.bytes % each != 0), 1);
}
Slice SliceAt(std::shared_ptr<const KeyInfo> key, uint32_t index, const JobSettings& settings) {
  Slice s;
  uint64_t each = SliceBytes(*key, settings);
  s.index = index;
  s.offset = index * each;
  s.size = s.offset < key->bytes ? std::min(each, key->bytes - s.offset) : 0;
  s.key = std::move(key);
  return s;
}
uint32_t ShardOf(const std::string& key, uint64_t bytes, uint32_t index, const JobSettings& settings) {
  uint64_t h = 14695981039346656037u;  // FNV-1a: the same on every machine
  for (unsigned char c : key) h = (h ^ c) * 1099511628211u;
  h ^= h >> 29;
  uint64_t at = h % std::max<uint32_t>(settings.shards, 1);
  return uint32_t((at + (bytes > settings.bigarray_bound ? index : 0)) % std::max<uint32_t>(settings.shards, 1));
}

void Write(const JobSettings& s, pb::Settings* out) {
  out->set_mode(uint32_t(s.mode));
  out->set_stale_bound(s.stale_bound);
  out->set_aggregate(uint32_t(s.aggregate));
  out->set_slice_bytes(s.slice_bytes);
  out->set_bigarray_bound(s.bigarray_bound);
  out->set_shards(s.shards);
  out->set_policy(uint32_t(s.policy));
  out->set_replicas(s.replicas);
}
bool Read(const pb::Settings& in, JobSettings* s) {
  if (in.mode() > uint32_t(Mode::kStale) || in.aggregate() > uint32_t(Aggregate::kMean) || in.policy() > uint32_t(Policy::kRollback)) return false;
  if (in.slice_bytes() == 0 || in.slice_bytes() > uint64_t(1) << 30 || in.shards() == 0 || in.shards() > kMaxShards) return false;
  *s = {Mode(in.mode()), in.stale_bound(), Aggregate(in.aggregate()), Policy(in.policy()), in.replicas(), in.shards(), in.slice_bytes(), in.bigarray_bound()};
  return true;
}
void Write(const KeyInfo& k, pb::KeyEntry* out) {
  out->set_name(k.name);
  out->set_dtype(k.dtype);
  out->set_item_bytes(k.item_bytes);
  out->set_bytes(k.bytes);
  out->set_meta(k.meta);
}
bool Read(const pb::KeyEntry& in, KeyInfo* k) {
  if (in.name().empty() || in.name().size() > kMaxKeyName || in.meta().size() > kMaxKeyMeta) return false;
  if (in.item_bytes() == 0 || in.item_bytes() > 4096 || in.bytes() > uint64_t(1) << 50 || in.bytes() % in.item_bytes() != 0) return false;
  *k = {in.name(), in.dtype(), in.item_bytes(), in.bytes(), in.meta()};
  return true;
}

}  // namespace ps::core
