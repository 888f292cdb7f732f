// SPDX-License-Identifier: Apache-2.0
// Calls, and what becomes of them; the end of a run. check_values.cc and check_views.cc have the rest.
#include "sim/checker.h"

#include <algorithm>

#include "sim/world.h"

namespace ps::sim {
namespace {
constexpr const char* kNames[kInvariants + 1] = {
    "",
    "nothing acknowledged is lost",
    "exactly once",
    "agreement",
    "closed stays closed",
    "one primary; old views and lives change nothing",
    "fresh or nothing",
    "views increase, one content a number",
    "stale bound",
    "barriers",
    "cuts",
    "the order of arrival does not matter",
    "strangers change nothing",
    "bounds of bytes and tables",
    "every buffer is given back once",
    "every call ends",
    "rounds go on",
};
constexpr Time kRecovered = 30 * kSecond;  // from the last fault on, beside the patience: silence is noticed, whoever was taken out is back
constexpr Time kLate = 5 * kSecond;  // an answer may come so much after its limit, by a clock that drifts and a node that has other things to do
}  // namespace

const char* InvariantName(uint32_t number) { return kNames[number]; }

void Checker::started(const Process& p) {
  watches_[p.number] = Watch();
  lives_[p.node->incarnation()] = {p.number, p.life};
}

bool Checker::is_life(uint64_t incarnation, uint32_t process, uint32_t life) const {
  const auto at = lives_.find(incarnation);
  return at != lives_.end() && at->second.process == process && at->second.life == life;
}

void Checker::dies(const Process& p) {
  if (p.role == Role::kScheduler && (!world_.scenario().log || p.disk.files.empty())) forgotten_ = true;
  if (p.role == Role::kServer) server_died_ = true;
  watches_[p.number].open.clear();
}

void Checker::called(const Process& p, CallId id, const Request&, Time deadline) { watches_[p.number].open[id].deadline = deadline; }

void Checker::asked(const Process& p, CallId id, const Question& q) {
  Watch& w = watches_[p.number];
  w.open[id].question = q;
  for (const MemberFacts& m : w.known.members)
    if (m.node.role == Role::kWorker && m.state == "active") w.open[id].active.insert(m.incarnation);
  const LifeKey life{p.number, p.life};
  ranks_[life] = p.node->id().rank;
  if (q.what == Asked::kBarrier) entered_[life].barriers = std::max<uint64_t>(entered_[life].barriers, q.step);
  if (q.what == Asked::kFinish) entered_[life].finish = true;
}

void Checker::answered(const Process& p, const Question& q, const Complete& c) {
  Watch& w = watches_[p.number];
  const Asking asking = std::move(w.open[c.id]);
  w.open.erase(c.id);
  exercise(15);
  if (q.what == Asked::kFinish && !c.status.ok()) entered_[{p.number, p.life}].finish = false;  // the job went back meanwhile
  if (!c.status.ok()) return check_error(p, q, c.status);
  check_answer(p, w, asking, c);
}

void Checker::check_error(const Process& p, const Question& q, const Status& status) {
  const std::string what = p.name() + ", step " + std::to_string(q.step) + " of key " + std::to_string(q.key) + ": `" + status.text + "`";
  if (status.text.empty()) return world_.fail(15, what + ", code " + std::to_string(static_cast<int>(status.code)) + ": an error without a text");
  const bool names = status.text.find("server") != std::string::npos || status.text.find("worker") != std::string::npos || status.text.find("scheduler") != std::string::npos;
  if ((status.code == Code::kNetwork || status.code == Code::kTimeout) && !names) world_.fail(15, what + " names no node");
  // The user made no mistake, and no reducer threw.
  if (status.code == Code::kArgument || status.code == Code::kMismatch || status.code == Code::kUnknownKey || status.code == Code::kReducer ||
      status.code == Code::kInternal || status.code == Code::kState || status.code == Code::kUnsupported)
    world_.fail(15, what + ": code " + std::to_string(static_cast<int>(status.code)) + " for a call that was right");
  if (first_error_.empty()) first_error_ = what;
  // Long after the last fault everybody is back, or out of the view, or the job has failed: nothing is left to wait for.
  if (status.code == Code::kTimeout || status.code == Code::kNetwork) {
    exercise(16);
    const Scenario& s = world_.scenario();
    const bool failed = newest_.ended || !newest_.failure.empty() || !p.node->view().failure.empty() || p.node->phase() == NodePhase::kFailed;
    if (!failed && !(forgotten_ && server_died_) && world_.now() > s.quiet_at + s.patience + kRecovered) world_.fail(16, what + ", long after the last fault; " + p.node->describe());
  }
  if (world_.scenario().faults.empty() && q.what != Asked::kCheckpoint) world_.fail(16, what + ", though nothing was disturbed");
}

void Checker::stepped(const Process& p, const Input& input, const std::vector<Output>& outputs) {
  Watch& w = watches_[p.number];
  w.running = p.node->phase() == NodePhase::kRunning;
  look_at_view(p, w);
  if (p.role == Role::kServer) look_at_slices(p, w);
  look_at_outputs(p, w, input, outputs);
  look_at_calls(p, w, outputs);
  look_at_tables(p, w, input, outputs);
  if (w.strict) look_at_strictness(p, w, outputs);
}

void Checker::look_at_calls(const Process& p, Watch& w, const std::vector<Output>& outputs) {
  for (const auto& [id, asking] : w.open) {
    const bool ends = std::any_of(outputs.begin(), outputs.end(), [&id = id](const Output& o) {
      const auto* c = std::get_if<Complete>(&o);
      return c != nullptr && c->id == id;
    });
    if (ends) continue;
    if (asking.question.has_array()) {
      exercise(14);
      if (world_.returned(asking.question.lent)) world_.fail(14, p.name() + ": the array of call " + std::to_string(id) + " was given back before the call ended");
    }
    if (asking.deadline > 0 && world_.now() > asking.deadline + kLate && std::max(p.frozen_until, p.slow_until) + kLate < world_.now())
      world_.fail(15, p.name() + ": call " + std::to_string(id) + " has passed its limit by " + std::to_string((world_.now() - asking.deadline) / kMillisecond) + " ms");
  }
  const core::Counters& counters = p.node->counters();
  exercise(13);
  const uint64_t limit = world_.scenario().memory_bytes;
  if (limit > 0 && counters.held_bytes > limit)
    world_.fail(13, p.name() + " holds " + std::to_string(counters.held_bytes) + " bytes for others; its limit is " + std::to_string(limit));
}

// No table grows with the number of messages: what is under way is known exactly, and everything else is bounded by who there is, what is asked, and the keys.
void Checker::look_at_tables(const Process& p, Watch& w, const Input& input, const std::vector<Output>& outputs) {
  w.sends -= std::holds_alternative<Released>(input);
  w.works -= std::holds_alternative<WorkDone>(input);
  for (const Output& o : outputs) w.sends += std::holds_alternative<Send>(o), w.works += std::holds_alternative<Work>(o);
  if (world_.steps() % 16 != 0) return;
  exercise(13);
  const Scenario& s = world_.scenario();
  const TableSizes t = p.node->tables();
  const size_t ranks = s.processes() + 8;  // who comes again may get another rank while its old one is taken
  size_t slices = 0;
  for (const uint32_t bytes : s.key_bytes) slices += (bytes + kSliceBytes - 1) / kSliceBytes;
  const struct {
    const char* name;
    size_t is, most;
  } all[] = {
      {"sends under way", t.sends, w.sends},
      {"works under way", t.works, w.works},
      {"links", t.links, 8 * ranks},
      {"calls", t.calls, p.role == Role::kWorker ? 4 * (w.open.size() + s.key_bytes.size() + 2) : 4 * ranks},
      {"slices", t.slices, slices},
      {"pushes and askers", t.asking, 6 * ranks * slices},
      {"members", t.members, 8 * ranks},
  };
  for (const auto& table : all)
    if (table.is > table.most) world_.fail(13, p.name() + " remembers " + std::to_string(table.is) + " " + table.name + ", and there are " + std::to_string(table.most) + " at most");
}

void Checker::at_end(bool everybody_done, bool too_long) {
  for (uint32_t n = 0; n < world_.count() && !everybody_done; ++n) {
    const Process& p = world_.process(n);
    if (p.gone || !p.alive) continue;
    Watch& w = watches_[n];
    if (!w.open.empty())
      return world_.fail(15, p.name() + ": call " + std::to_string(w.open.begin()->first) + " never ended" + (too_long ? " (too many steps)" : "") + "; " + p.node->describe());
  }
  if (!everybody_done) {
    std::string who;
    for (uint32_t n = 0; n < world_.count(); ++n)
      if (!world_.process(n).gone) who += (who.empty() ? "" : ", ") + world_.process(n).name() + (world_.process(n).alive ? "" : " (dead)");
    return world_.fail(16, std::string(too_long ? "too many steps; " : "") + "still there long after the last fault: " + who);
  }
  // Who should have got to the end?
  bool all = true;
  std::string who;
  for (uint32_t n = world_.scenario().first_worker(); n < world_.count(); ++n)
    if (const Process& p = world_.process(n); !p.done && (world_.scenario().joiners == 0 || p.user->took_part())) {  // not who came too late to join
      all = false;
      who += " " + world_.process(n).name();
    }
  succeeded_ = all;
  exercise(16);
  if (world_.scenario().faults.empty() && !all) world_.fail(16, "not finished though nothing was disturbed:" + who);
}

void Checker::taken_apart(const std::vector<uint8_t>& returned) {
  for (size_t i = 0; i < returned.size() && !world_.failed(); ++i) {
    exercise(14);
    if (returned[i] != 1) world_.fail(14, "an array was given back " + std::to_string(static_cast<int>(returned[i])) + " times");
  }
}

// What was added in each round, in which order: whose, which, with which weight. The first value is that of whoever came first.
uint64_t Checker::result() const {
  uint64_t hash = 0;
  if (generations_.empty()) return hash;
  for (const auto& [key, chain] : generations_.rbegin()->second.chains)
    for (size_t round = 1; round < chain.rounds.size(); ++round) {
      hash = Mix(hash, Mix(key.first * 1000 + key.second, round));
      for (const Part& part : parts_of(chain.rounds[round].value)) {
        const Given& given = world_.values().given(part.given);
        hash = Mix(hash, Mix(Mix(given.process, given.life), Mix(given.step, Mix(part.rank, part.samples))));
      }
    }
  return hash;
}

}  // namespace ps::sim
