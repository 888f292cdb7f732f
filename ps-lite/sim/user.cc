// SPDX-License-Identifier: Apache-2.0
#include "sim/user.h"

#include <algorithm>

#include "sim/checker.h"
#include "sim/world.h"

namespace ps::sim {
namespace {
constexpr uint64_t kThought = 1;
constexpr uint32_t kMostLives = 6;
constexpr int kLifeBits = 40;  // barriers are numbered anew when the job went back
}  // namespace

void User::start() {
  *this = User(*world_, process_);
}

void User::noticed(const Notice& n) {
  if (part_ == Part::kOver) return;
  if (n.kind == NoticeKind::kReady && part_ == Part::kWait) begin();
  if (n.kind == NoticeKind::kEvicted) evicted_ = true, go_on();
  if (n.kind == NoticeKind::kEnded && part_ == Part::kWait) end(false, -1);  // it came too late
  if (n.kind == NoticeKind::kFailed) failed_ = true, go_on();
  if (n.kind == NoticeKind::kRolledBack) lives_ = n.number, back_ = true, go_on();
}

void User::begin() {
  const Process& p = world_->process(process_);
  rank_ = p.node->id().rank;
  lives_ = p.node->view().lives, back_to_ = p.node->view().rolled_to;
  took_part_ = true;
  for (const MemberFacts& m : p.node->view().members)
    if (m.node == p.node->id()) {
      first_ = static_cast<uint32_t>(std::max<uint64_t>(m.from, 1));
      barriers_ = std::max(m.barrier, lives_ << kLifeBits);
    }
  step_ = first_;
  part_ = Part::kInit;
  const Scenario& s = world_->scenario();
  for (uint32_t key = 0; key < s.key_bytes.size(); ++key) {
    Question q{Asked::kInit, key, 0, 0, 0};
    const std::string bytes = world_->values().give({process_, p.life, key, 0, s.key_bytes[key] / 8});
    q.given = world_->values().last_given();
    KeyInfo info;
    info.name = "k" + std::to_string(key);
    info.item_bytes = 8;
    info.bytes = s.key_bytes[key];
    info.meta = std::string(1, static_cast<char>(key));
    Buffer value = world_->lend(bytes, &q.lent);
    ask(q, Init{info, value});
  }
}

void User::ask(Question q, Request request) {
  const CallId id = static_cast<CallId>(world_->process(process_).life) << 32 | ++calls_;
  open_[id] = q;
  world_->checker().asked(world_->process(process_), id, q);
  world_->call(process_, id, std::move(request), world_->scenario().call_limit, lives_);
}

void User::completed(const Complete& c) {
  const auto at = open_.find(c.id);
  if (at == open_.end()) return world_->fail(15, world_->process(process_).name() + ": call " + std::to_string(c.id) + " ends twice, or was never made");
  const Question q = at->second;
  open_.erase(at);
  world_->checker().answered(world_->process(process_), q, c);
  if (part_ == Part::kOver || world_->failed()) return;
  if (!c.status.ok()) {
    if (c.status.code == Code::kEvicted) evicted_ = true;
    else if (c.status.code == Code::kRolledBack) back_ = true, part_ = part_ == Part::kFinish ? Part::kRounds : part_;
    else if (q.what != Asked::kCheckpoint) failed_ = true;  // a checkpoint that cannot be written is no reason to stop
  }
  if (q.what == Asked::kPush && c.status.ok() && pull_after_ && !back_ && !evicted_ && !failed_)
    return ask({Asked::kPull, q.key, q.step, 0, 0}, Pull{"k" + std::to_string(q.key), 0});
  go_on();
}

// After an answer or a notice: when no call is open any more, the program goes on, or starts again, or stops.
void User::go_on() {
  if (part_ == Part::kOver || part_ == Part::kWait) {
    if (part_ == Part::kWait && (failed_ || evicted_)) end(false, -1);
    return;
  }
  if (!open_.empty()) return;
  if (evicted_) {
    const bool again = world_->process(process_).life < kMostLives;
    return end(false, again ? world_->user_rng().skewed(10 * kMillisecond, 2 * kSecond) : -1);
  }
  if (failed_) return end(false, -1);
  if (thinking_) return;
  thinking_ = true;
  world_->wake(process_, world_->user_rng().skewed(kMicrosecond, world_->user_rng().chance(30) ? 3 * kSecond : 5 * kMillisecond), kThought);
}

void User::end(bool done, Time restart_after) {
  part_ = Part::kOver;
  world_->leave_soon(process_, done, restart_after);
}

void User::woken(uint64_t) {
  thinking_ = false;
  if (part_ == Part::kOver || !open_.empty()) return;
  if (evicted_ || failed_) return go_on();
  next();
}

void User::next() {
  const Scenario& s = world_->scenario();
  if (back_) {  // the job went back: the rounds after the checkpoint are done again
    back_ = false;
    const ViewFacts view = world_->process(process_).node->view();
    barriers_ = std::max(barriers_, lives_ << kLifeBits), back_to_ = view.rolled_to;
    if (s.mode == Mode::kSync && part_ != Part::kFinish) step_ = static_cast<uint32_t>(std::max<uint64_t>(view.rolled_to + 1, 1));
    if (part_ != Part::kInit && part_ != Part::kFinish) part_ = Part::kRounds;
    if (part_ == Part::kInit) return begin();
  }
  switch (part_) {
    case Part::kWait:
    case Part::kOver: return;
    case Part::kInit:
      part_ = Part::kSettings;
      if (s.optimizer && rank_ == 0) return ask({Asked::kConfigure, 0, 0, 0, 0}, Configure{"optimizer", "of the simulator"});
      [[fallthrough]];
    case Part::kSettings:
      part_ = Part::kRounds;
      if (s.start_barrier && barriers_ < 1) {
        ++barriers_;
        return ask({Asked::kBarrier, 0, barriers_, 0, 0}, Barrier{});
      }
      [[fallthrough]];
    case Part::kRounds: return round();
    case Part::kFinish:
      finished_ = true;
      return end(true, -1);
  }
}

void User::round() {
  const Scenario& s = world_->scenario();
  // Barriers stand after certain rounds; who came later enters those that it has to before its first round.
  if (s.barrier_every > 0) {
    const uint64_t after = lives_ > 0 ? back_to_ / s.barrier_every : 0;
    const uint64_t due = (lives_ << kLifeBits) + (step_ - 1) / s.barrier_every - after + (s.start_barrier && lives_ == 0 ? 1 : 0);
    if (barriers_ < due && step_ > 1) {
      ++barriers_;
      return ask({Asked::kBarrier, 0, barriers_, 0, 0}, Barrier{});
    }
  }
  if (s.cut_every > 0 && rank_ == 0 && step_ > 1 && (step_ - 1) % s.cut_every == 0 && cuts_ < step_) {
    cuts_ = step_;
    return ask({Asked::kCheckpoint, 0, step_ - 1, 0, 0}, Checkpoint{});
  }
  const uint32_t batches = s.batches[world_->process(process_).index];
  if (step_ > batches) {
    part_ = Part::kFinish;
    return ask({Asked::kFinish, 0, 0, 0, 0}, Finish{});
  }
  const uint32_t step = step_++;
  const uint32_t life = world_->process(process_).life;
  pull_after_ = world_->user_rng().chance(500);
  for (uint32_t at = 0; at < s.key_bytes.size(); ++at) {
    const auto key = static_cast<uint32_t>(s.steps_told ? (at + step + process_) % s.key_bytes.size() : at);
    if (!s.pushed(key, step)) continue;
    const uint64_t told = s.steps_told ? step : 0;
    Question q{s.pushpull ? Asked::kPushPull : Asked::kPush, key, step, 0, 0};
    const uint32_t samples = 1 + (process_ * 7 + step) % 5;
    const std::string bytes = world_->values().give({process_, life, key, step, s.key_bytes[key] / 8});
    q.given = world_->values().last_given();
    const Buffer value = world_->lend(bytes, &q.lent);
    const std::string name = "k" + std::to_string(key);
    const auto priority = -static_cast<int32_t>(key);
    if (s.pushpull) {
      ask(q, PushPull{name, value, samples, priority, told});
    } else {
      ask(q, Push{name, value, samples, priority, told});
      if (!pull_after_) ask({Asked::kPull, key, step, 0, 0}, Pull{name, priority});  // both under way at once
    }
  }
}

}  // namespace ps::sim
