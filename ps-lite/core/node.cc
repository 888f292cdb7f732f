// SPDX-License-Identifier: Apache-2.0
#include "core/node.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/checksum.h"
#include "core/hub.h"
#include "core/scheduler.h"
#include "core/server.h"
#include "core/text.h"
#include "core/worker.h"

namespace ps::core {

class Node::Impl {
 public:
  Impl(NodeConfig config, uint64_t seed) : hub(std::move(config), seed) {
    if (hub.config.role == Role::kScheduler) part = (scheduler = std::make_unique<Scheduler>(hub)).get();
    else if (hub.config.role == Role::kServer) part = member = (server = std::make_unique<Server>(hub)).get();
    else part = member = (worker = std::make_unique<Worker>(hub)).get();
    hub.Bind(part);
  }
  void Take(const Input& input) {
    if (auto* up = std::get_if<LinkUp>(&input)) hub.Up(*up);
    else if (auto* down = std::get_if<LinkDown>(&input)) hub.Down(*down);
    else if (auto* arrived = std::get_if<Arrived>(&input)) hub.Message(*arrived);
    else if (auto* released = std::get_if<Released>(&input)) hub.Gave(*released);
    else if (auto* done = std::get_if<WorkDone>(&input)) hub.Done(*done);
    else if (auto* call = std::get_if<Call>(&input)) part->OnCall(*call);
    else hub.Tick(), part->OnTick();
    if (scheduler) scheduler->Reconcile();
    hub.Flush();
  }
  Hub hub;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Server> server;
  std::unique_ptr<Worker> worker;
  Part* part = nullptr;
  MemberPart* member = nullptr;
};

Node::Node(NodeConfig config, uint64_t seed) : impl_(std::make_unique<Impl>(std::move(config), seed)) {}
Node::~Node() = default;
void Node::step(Time now, const Input& input, std::vector<Output>& out) {
  Hub& hub = impl_->hub;
  hub.now = std::max(hub.now, now);
  hub.out = &out;
  impl_->Take(input);
  hub.out = nullptr;
}
Time Node::next_tick() const { return std::min(impl_->hub.NextTick(), impl_->part->NextTick()); }
const Counters& Node::counters() const { return impl_->hub.counters; }
NodePhase Node::phase() const { return impl_->member ? impl_->member->phase : impl_->scheduler->phase; }
Status Node::failure() const { return impl_->member ? impl_->member->failure : impl_->scheduler->failure; }
NodeId Node::id() const { return impl_->hub.me; }
uint64_t Node::incarnation() const { return impl_->hub.incarnation; }
JobSettings Node::settings() const { return impl_->hub.settings; }
namespace {
uint32_t Count(const View& v, Role role) {
  uint32_t n = 0;
  for (auto& [id, m] : v.members) n += id.role == role && m.state != MemberState::kGone;
  return n;
}
}  // namespace
uint32_t Node::workers() const { return Count(impl_->hub.view, Role::kWorker); }
uint32_t Node::servers() const { return Count(impl_->hub.view, Role::kServer); }
uint64_t Node::view_number() const { return impl_->hub.view.number; }
Progress Node::progress() const {
  const View& v = impl_->hub.view;
  const Member* m = v.Find(impl_->hub.me);
  return {v.cut_done, v.cut_round, v.lives, v.rolled_to, m && m->from > 0 ? m->from : 1};
}
ViewFacts Node::view() const { return impl_->hub.view.Facts(); }
std::vector<SliceFacts> Node::slices() const { return impl_->server ? impl_->server->Facts() : std::vector<SliceFacts>{}; }
std::vector<uint32_t> Node::loading() const { return impl_->server ? impl_->server->Loading() : std::vector<uint32_t>{}; }
TableSizes Node::tables() const {
  TableSizes t;
  impl_->hub.Count(&t);
  if (impl_->scheduler) impl_->scheduler->Count(&t);
  else if (impl_->server) impl_->server->Count(&t);
  else impl_->worker->Count(&t);
  return t;
}
std::string Node::describe() const {
  return impl_->scheduler ? impl_->scheduler->Describe() : impl_->server ? impl_->server->Describe() : impl_->worker->Describe();
}

std::vector<std::pair<std::string, double>> Counters::list() const {
  static const char* const kReasons[] = {"garbage", "job", "session", "role", "incarnation", "view", "size", "unknown", "duplicate"};
  static_assert(sizeof(kReasons) / sizeof(*kReasons) == size_t(DropReason::kEnd), "a name for each reason");
  std::vector<std::pair<std::string, double>> all = {
      {"messages_in", double(messages_in)}, {"messages_out", double(messages_out)}, {"bytes_in", double(bytes_in)}, {"bytes_out", double(bytes_out)}};
  for (size_t i = 0; i < drops.size(); ++i) all.push_back({Join("drops_", kReasons[i]), double(drops[i])});
  all.insert(all.end(), {{"queued_bytes", double(queued_bytes)}, {"in_flight_bytes", double(in_flight_bytes)}, {"held_bytes", double(held_bytes)}, {"held_peak", double(held_peak)},
                         {"view_changes", double(view_changes)}, {"rounds", double(rounds)}, {"ragged_rounds", double(ragged_rounds)}, {"retries", double(retries)},
                         {"refused", double(refused)}, {"busy", double(busy)}});
  for (auto& [rank, time] : waited_for) all.push_back({Join("waited_ns_for_worker_", rank), double(time)});
  return all;
}

Buffer Checksums(const std::vector<Buffer>& parts) {
  std::string sums;
  for (const Buffer& p : parts) Write32(sums, Checksum(p.data(), p.size()));
  return Buffer::Own(std::move(sums));
}

WorkDone RunWork(Reducer& reducer, const Work& work) {
  WorkDone done{work.ticket, {}, {}};
  try {
    if (auto* r = std::get_if<ReduceWork>(&work.request)) {
      done.results.push_back(reducer.Reduce(r->slice, r->in_rank_order, r->aggregate));
    } else if (auto* a = std::get_if<ApplyWork>(&work.request)) {
      Stored next = reducer.Apply(a->slice, a->stored, a->reduced);
      done.results.push_back(std::move(next.value));
      done.results.push_back(std::move(next.state));
    } else if (auto* c = std::get_if<ConfigureWork>(&work.request)) {
      reducer.Configure(c->name, c->text);
    } else if (auto* s = std::get_if<ChecksumWork>(&work.request)) {
      done.results.push_back(Checksums(s->parts));
    } else {
      done.status = {Code::kUnsupported, "files are the driver's"};
    }
  } catch (const std::exception& e) {
    done.results.clear();
    done.status = {Code::kReducer, e.what()};
  }
  return done;
}

}  // namespace ps::core
