// SPDX-License-Identifier: Apache-2.0
#include "sim/world.h"

#include <algorithm>

#include "sim/checker.h"
#include "sim/text.h"
#include "sim/user.h"

namespace ps::sim {
namespace {
constexpr uint32_t kMostLives = 8;
constexpr Time kQuantum = 20 * kMicrosecond;  // what an input costs a node that is not slow
}  // namespace

std::string Process::name() const {
  const std::string what = role == Role::kScheduler ? "scheduler" : (role == Role::kServer ? "server " : "worker ") + std::to_string(index);
  return what + (life > 1 ? "'" + std::to_string(life) : "");
}

World::World(Scenario scenario, Options options)
    : scenario_(std::move(scenario)), options_(options), tie_rng_(Mix(scenario_.seed, options.network_seed), 3), net_rng_(Mix(scenario_.seed, options.network_seed), 4),
      work_rng_(scenario_.seed, 5), user_rng_(scenario_.seed, 6), life_rng_(scenario_.seed, 7), fault_rng_(scenario_.seed, 8) {
  checker_ = std::make_unique<Checker>(*this);
  for (uint32_t n = 0; n < scenario_.processes(); ++n) {
    auto p = std::make_unique<Process>();
    p->number = n;
    p->role = n == 0 ? Role::kScheduler : n < scenario_.first_worker() ? Role::kServer : Role::kWorker;
    p->index = n == 0 ? 0 : n < scenario_.first_worker() ? n - 1 : n - scenario_.first_worker();
    p->user = p->role == Role::kWorker ? std::make_unique<User>(*this, n) : nullptr;
    processes_.push_back(std::move(p));
    const bool late = (n > scenario_.servers && n < scenario_.first_worker()) || n >= scenario_.first_worker() + scenario_.workers;
    const Time at = late ? life_rng_.skewed(20 * kMillisecond, 8 * kSecond) : life_rng_.skewed(0, life_rng_.chance(100) ? 5 * kSecond : 50 * kMillisecond);
    post(EventKind::kStart, at, n, 0);
    if (late) scenario_.quiet_at = std::max(scenario_.quiet_at, at);
  }
  for (uint64_t i = 0; i < scenario_.faults.size(); ++i)
    if (scenario_.faults[i].view == 0) post(EventKind::kFault, scenario_.faults[i].at, 0, 0, i);
}
World::~World() = default;

void World::post(EventKind kind, Time at, uint32_t process, uint32_t life, uint64_t x, uint64_t y) {
  queue_.push(Event{std::max(at, now_), tie_rng_.next(), order_++, kind, process, life, x, y});
}

void World::feed(uint32_t process, uint32_t life, Time at, Input input) {
  uint64_t slot = inputs_.size();
  if (free_inputs_.empty()) {
    inputs_.push_back(std::move(input));
  } else {
    slot = free_inputs_.back();
    free_inputs_.pop_back();
    inputs_[slot] = std::move(input);
  }
  post(EventKind::kInput, at, process, life, slot);
}

Time World::local(const Process& p, Time at) const {
  const Time passed = at - p.born;
  return p.origin + passed + passed / 1'000'000 * scenario_.drift_ppm[p.number];
}

void World::run() {
  // Everything ends some time after the last fault: calls have limits, and the longest is waited for.
  while (!queue_.empty() && !failed()) {
    const Event event = queue_.top();
    if (event.at > scenario_.quiet_at + kEndOfTime || steps_ > options_.max_steps) break;
    queue_.pop();
    now_ = event.at;
    dispatch(event);
    if (over()) {
      ended_ = true;
      break;
    }
  }
  if (!failed()) checker_->at_end(ended_, steps_ > options_.max_steps);
}

bool World::over() const {
  for (const auto& p : processes_)
    if (!p->gone) return false;
  return true;
}

void World::dispatch(const Event& e) {
  Process& p = *processes_[e.process];
  const bool lives = p.alive && p.life == e.life;
  switch (e.kind) {
    case EventKind::kInput: {
      Input input = std::move(inputs_[e.x]);
      inputs_[e.x] = Tick{};
      free_inputs_.push_back(e.x);
      if (lives) accept_input(p, std::move(input));
      break;
    }
    case EventKind::kTick:
      if (lives && p.tick_at == e.at) {
        p.tick_at = -1;
        accept_input(p, Tick{});
      }
      break;
    case EventKind::kPump:
      if (lives) {
        p.pump_armed = false;
        pump(p);
      }
      break;
    case EventKind::kConnect: connect(static_cast<uint32_t>(e.x), e.y); break;
    case EventKind::kFlow: flow(static_cast<uint32_t>(e.x), static_cast<uint32_t>(e.y >> 1), static_cast<uint32_t>(e.y & 1)); break;
    case EventKind::kDown: down(static_cast<uint32_t>(e.x), static_cast<uint32_t>(e.y & 1), static_cast<DownReason>(e.y >> 1)); break;
    case EventKind::kWork:
      if (lives) do_work(p, e.x);
      works_[e.x] = Work{};
      break;
    case EventKind::kFault: strike(e.x); break;
    case EventKind::kFaultEnd: lift(e.x); break;
    case EventKind::kStart:
      if (!p.alive && !p.gone && p.life == e.life) start(e.process);
      break;
    case EventKind::kKill:
      if (lives) leave(e.process, e.x != 0, static_cast<Time>(e.y) - 1);
      break;
    case EventKind::kUser:
      if (!lives) break;
      if (p.frozen_until > now_) post(EventKind::kUser, p.frozen_until, e.process, e.life, e.x);
      else p.user->woken(e.x);
      break;
  }
}

// A node that is frozen or slow takes its inputs later, in the order in which they came.
void World::accept_input(Process& p, Input input) {
  if (p.frozen_until <= now_ && p.busy_until <= now_ && p.inbox.empty()) return step(p, input);
  p.inbox.push_back(std::move(input));
  if (p.pump_armed) return;
  p.pump_armed = true;
  post(EventKind::kPump, std::max(p.frozen_until, p.busy_until), p.number, p.life);
}

void World::pump(Process& p) {
  if (p.inbox.empty()) return;
  if (std::max(p.frozen_until, p.busy_until) <= now_) {
    const Input input = std::move(p.inbox.front());
    p.inbox.pop_front();
    const uint32_t life = p.life;
    step(p, input);
    if (!p.alive || p.life != life) return;
  }
  if (p.inbox.empty() || p.pump_armed) return;
  p.pump_armed = true;
  post(EventKind::kPump, std::max({p.frozen_until, p.busy_until, now_}), p.number, p.life);
}

void World::step(Process& p, const Input& input) {
  ++steps_;
  p.busy_until = now_ + (p.slow_until > now_ ? p.service : 0);
  std::vector<Output> outputs;
  outputs.swap(outputs_);
  outputs.clear();
  p.node->step(local(p), input, outputs);
  hash_ = Mix(hash_, Mix(static_cast<uint64_t>(now_), p.number));
  hash_ = Mix(hash_, Mix(input.index(), outputs.size()));
  for (const Output& o : outputs)
    if (const auto* s = std::get_if<Send>(&o)) hash_ = Mix(hash_, Mix(HashOf(s->head), s->payload.size()));
  if (tracing()) {
    note(Describe(*this, p, input));
    for (const Output& o : outputs) note("      -> " + Describe(*this, p, o));
  }
  if (p.role == Role::kScheduler) arm_faults(p.node->view_number());
  checker_->stepped(p, input, outputs);
  const uint32_t life = p.life;
  obey(p, outputs);
  outputs_.swap(outputs);
  if (!p.alive || p.life != life) return;
  const NodePhase phase = p.node->phase();
  if (p.role != Role::kWorker && (phase == NodePhase::kEnded || phase == NodePhase::kFailed || phase == NodePhase::kEvicted)) {
    // A program such as flexor-ps ends with its node; whoever was taken out by mistake is started again.
    const bool back = phase == NodePhase::kEvicted && p.life < kMostLives;
    if (!p.leaving) leave_soon(p.number, phase == NodePhase::kEnded, back ? life_rng_.skewed(10 * kMillisecond, 2 * kSecond) : -1);
  }
  arrange_tick(p);
}

void World::arm_faults(uint64_t view) {
  if (view <= armed_view_) return;
  for (uint64_t i = 0; i < scenario_.faults.size(); ++i) {
    const Fault& f = scenario_.faults[i];
    if (f.view <= armed_view_ || f.view > view) continue;
    post(EventKind::kFault, now_ + f.at, 0, 0, i);
    scenario_.quiet_at = std::max(scenario_.quiet_at, now_ + f.at + f.length);
  }
  armed_view_ = view;
}

void World::arrange_tick(Process& p) {
  const Time next = p.node->next_tick();
  const Time mine = local(p);
  Time at = now_;
  if (next > mine) {
    const Time ahead = std::min(next - mine, 1'000'000 * kSecond);  // a node with nothing to wait for says the end of time
    at = now_ + ahead - ahead / 1'000'000 * scenario_.drift_ppm[p.number] + ahead / 5000 + 1;  // not before it is due by its own clock
  } else {
    at = now_ + kQuantum;  // due at once: an input of its own all the same
  }
  if (p.tick_at >= 0 && p.tick_at <= at) return;
  p.tick_at = at;
  post(EventKind::kTick, at, p.number, p.life);
}

void World::obey(Process& p, std::vector<Output>& outputs) {
  const uint32_t life = p.life;
  for (Output& output : outputs) {
    if (!p.alive || p.life != life) break;
    if (auto* o = std::get_if<Open>(&output)) open(p, *o);
    else if (auto* c = std::get_if<Close>(&output)) close(p, c->link, net_rng_.chance(300));
    else if (auto* s = std::get_if<Send>(&output)) send(p, *s);
    else if (auto* w = std::get_if<Work>(&output)) give_work(p, *w);
    else if (auto* done = std::get_if<Complete>(&output)) {
      if (p.user) p.user->completed(*done);
    } else if (auto* notice = std::get_if<Notice>(&output)) {
      if (p.user) p.user->noticed(*notice);
    }
  }
}

NodeConfig World::config(const Process& p) {
  NodeConfig c;
  c.role = p.role;
  c.rank = p.rank < 0 && scenario_.named ? static_cast<int64_t>(p.index) : p.rank;
  c.job = "job of this seed.";
  c.job.resize(16);
  c.address = p.address;
  c.scheduler = processes_[0]->address.empty() ? "p0" : processes_[0]->address;
  c.host = "host" + std::to_string(p.number);
  c.pid = 1000 * (p.number + 1) + p.life;
  c.settings.mode = scenario_.mode;
  c.settings.stale_bound = scenario_.stale;
  c.settings.aggregate = scenario_.mean ? Aggregate::kMean : Aggregate::kSum;
  c.settings.policy = scenario_.policy;
  c.settings.replicas = scenario_.replicas;
  c.settings.slice_bytes = kSliceBytes;
  c.settings.bigarray_bound = kSpreadBytes;
  c.workers = scenario_.workers;
  c.servers = scenario_.together ? 0 : scenario_.servers;
  c.patience = scenario_.patience;
  if (scenario_.memory_bytes > 0) c.memory_bytes = scenario_.memory_bytes;
  if (scenario_.window_bytes > 0) c.credit_bytes = scenario_.window_bytes;
  if (p.role == Role::kScheduler && scenario_.log) c.log = "log";
  if (p.role == Role::kServer && scenario_.cut_every > 0) c.cut = "cut";
  c.mutant = options_.mutant;
  return c;
}

void World::start(uint32_t number) {
  Process& p = *processes_[number];
  ++p.life;
  p.alive = true, p.done = false, p.leaving = false, p.pump_armed = false;
  p.tick_at = -1, p.frozen_until = 0, p.slow_until = 0, p.busy_until = 0, p.starve_until = 0, p.setting_done = 0, p.last_work = 0, p.last_call = 0;
  p.file_busy.clear();
  p.inbox.clear();
  p.links.clear();
  p.next_link = 2;
  p.born = now_;
  p.origin = static_cast<Time>(life_rng_.below(1'000'000)) * kMillisecond;
  p.address = "p" + std::to_string(number) + (number == 0 || scenario_.same_address ? "" : "." + std::to_string(p.life));
  p.node = std::make_unique<Node>(config(p), Mix(Mix(scenario_.seed, number), p.life));
  note(p.name() + " starts at " + std::to_string(now_ / kMicrosecond) + " us");
  checker_->started(p);
  if (p.user) p.user->start();
  step(p, Tick{});
}

void World::kill(uint32_t number, bool silent) {
  Process& p = *processes_[number];
  if (!p.alive) return;
  note(p.name() + " dies at " + std::to_string(now_ / kMicrosecond) + " us" + (silent ? ", and nobody is told" : ""));
  checker_->dies(p);
  if (p.role == Role::kServer && p.node->phase() == NodePhase::kRunning) p.rank = p.node->id().rank;
  if (p.role == Role::kWorker && p.node->phase() == NodePhase::kRunning) p.rank = p.node->id().rank;
  p.alive = false;
  const std::map<LinkId, uint32_t> links = p.links;
  for (const auto& [link, session] : links) {
    Session& s = sessions_[session];
    const uint32_t me = s.end[0].process == number && s.end[0].link == link ? 0 : 1;
    s.end[me].closed = true, s.end[me].up = false;
    lose(session);
    // The other side hears of it soon; or much later, when nothing answers.
    tell_down(session, 1 - me, silent ? net_rng_.between(12, 20) * kSecond : net_rng_.skewed(50 * kMicrosecond, 20 * kMillisecond), DownReason::kLost);
  }
  p.links.clear();
  p.inbox.clear();
  p.node.reset();
}

void World::leave(uint32_t number, bool done, Time restart_after) {
  Process& p = *processes_[number];
  kill(number, false);
  p.done = done;
  if (restart_after >= 0) {
    post(EventKind::kStart, now_ + restart_after, number, p.life);
  } else {
    p.gone = true;
  }
}

void World::leave_soon(uint32_t number, bool done, Time restart_after) {
  Process& p = *processes_[number];
  if (p.leaving) return;
  p.leaving = true;
  post(EventKind::kKill, now_ + life_rng_.skewed(10 * kMicrosecond, 300 * kMillisecond), number, p.life, done ? 1 : 0, static_cast<uint64_t>(restart_after + 1));
}

void World::call(uint32_t process, CallId id, Request request, Time limit, uint64_t lives) {
  Process& p = *processes_[process];
  const Time at = p.last_call = std::max(p.last_call + 1, now_ + user_rng_.skewed(kMicrosecond, 300 * kMicrosecond));  // a queue: calls keep their order
  Time deadline = local(p, at) + limit;
  checker_->called(p, id, request, limit == 0 ? 0 : at + limit);
  feed(process, p.life, at, Call{id, std::move(request), deadline, lives});
}

void World::wake(uint32_t process, Time after, uint64_t what) { post(EventKind::kUser, now_ + after, process, processes_[process]->life, what); }

void World::fail(uint32_t invariant, const std::string& text) {
  if (failed()) return;
  violation_ = {invariant, text};
  note("INVARIANT " + std::to_string(invariant) + ": " + text);
}

void World::note(const std::string& line) {
  if (!tracing()) return;
  trace_.push_back(line);
  if (trace_.size() > options_.trace_lines) trace_.pop_front();
}

Buffer World::lend(std::string bytes, uint64_t* id) {
  *id = lent_->size();
  lent_->push_back(0);
  auto kept = std::make_shared<std::string>(std::move(bytes));
  const void* data = kept->data();
  const size_t size = kept->size();
  return Buffer::Wrap(data, size, [count = lent_, kept, which = *id] { ++(*count)[which]; });
}

void World::finish() {
  for (const auto& p : processes_) {
    p->node.reset();
    p->inbox.clear();
  }
  inputs_.clear();
  works_.clear();
  sessions_.clear();
  heard_.clear();
  outputs_.clear();
  checker_->taken_apart(*lent_);
}

}  // namespace ps::sim
