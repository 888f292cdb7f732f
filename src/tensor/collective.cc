// SPDX-License-Identifier: Apache-2.0
#include "tensor/collective.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/text.h"
#include "device/device_call.h"
#include "profiler/profiler.h"
#include "tensor/device_array.h"
#include "tensor/device_work.h"

namespace flx::collective {
namespace {

using Member = Batch::Member;
const Device* DeviceOf(const Member& m) { return m.from ? m.from->device() : m.to->device(); }
const Array& FormOf(const std::vector<Member>& members) { return members[0].from ? *members[0].from : *members[0].to; }

const char* NameOf(int32_t what) { return what == FLX_COLLECTIVE_ALL_REDUCE ? "all_reduce" : what == FLX_COLLECTIVE_REDUCE ? "reduce" : "broadcast"; }

// The module's group of these devices, in the order of their numbers; made once. Null: it makes none.
void* GroupOf(const std::vector<Member>& members) {
  const flx_device_table* table = DeviceOf(members[0])->table;
  using Key = std::pair<const flx_device_table*, std::vector<int32_t>>;
  static auto* mutex = new std::mutex;
  static auto* groups = new std::map<Key, void*>;
  Key key{table, {}};
  for (auto& m : members) key.second.push_back(DeviceOf(m)->index);
  std::lock_guard<std::mutex> lock(*mutex);
  auto [it, fresh] = groups->try_emplace(key, nullptr);
  if (fresh && table->group_create(int32_t(key.second.size()), key.second.data(), &it->second) != FLX_DEVICE_OK) it->second = nullptr;
  return it->second;
}

struct CollectiveOp final : StreamOp {
  CollectiveOp(std::vector<Ref<Stream>> streams, std::vector<Place> places, void* g, int32_t w, std::vector<Batch::Part> p)
      : StreamOp(std::move(streams), std::move(places)), group(g), what(w), parts(std::move(p)) {}
  void Prepare() override {
    for (auto& p : parts)
      for (auto& m : p.members) {
        if (m.from) m.from->storage->Ensure();
        if (m.to) m.to->storage->Ensure();
      }
  }
  void IssueTo(flx_device_queue* const* queues) override {
    const size_t devices = parts[0].members.size();
    ProfileScope scope(ProfileKind::kCopy, NameOf(what));
    if (scope.active()) {
      const Array& first = FormOf(parts[0].members);
      scope.facts().Array(false, first.dtype, first.shape.data(), first.shape.ndim());
      scope.facts().Number("devices", int64_t(devices)), scope.facts().Number("arrays", int64_t(parts.size()));
    }
    auto at = [](const NDArray& a) -> void* { return a ? static_cast<char*>(a->storage->data()) + a->offset : nullptr; };
    std::vector<const void*> from;
    std::vector<void*> to;
    for (auto& p : parts)
      for (auto& m : p.members) from.push_back(at(m.from)), to.push_back(at(m.to));
    std::vector<flx_collective_part> list;
    for (size_t i = 0; i < parts.size(); ++i) {
      const Array& form = FormOf(parts[i].members);
      list.push_back({&from[i * devices], &to[i * devices], form.size(), int32_t(form.dtype), parts[i].root});
    }
    const Device* d = stream->device();
    d->Check(d->table->collective(group, what, queues, list.data(), int32_t(list.size())), NameOf(what));
  }
  void Describe(Error* e) const override {
    std::vector<std::string> names;
    for (auto& m : parts[0].members) names.push_back(DeviceOf(m)->name);
    const std::string more = parts.size() > 1 ? Text(" and ", parts.size() - 1, " more") : std::string();
    Error named(e->status(), Text("[", NameOf(what), "] ", flx::Describe(FormOf(parts[0].members)), more, " on ", Join(names, ", "), ": ", e->message()));
    named.op = NameOf(what), named.origin = e->origin, named.hint = e->hint;
    *e = named;
  }
  void* const group;
  const int32_t what;
  const std::vector<Batch::Part> parts;
};
void Push(void* group, int32_t what, std::vector<Batch::Part> parts) {
  static const Writer writer = WriterOf("collective");
  std::vector<Ref<Stream>> streams;
  std::vector<StreamOp::Place> places;
  std::vector<VarUse> uses;
  for (auto& m : parts[0].members) streams.push_back(StreamOf(DeviceOf(m), StreamRole::kPeer));
  for (auto& p : parts)
    for (size_t i = 0; i < p.members.size(); ++i) {
      const Member& m = p.members[i];
      auto use = [&](const NDArray& a, Access access) { uses.push_back({&a->storage->var, access}), places.push_back({&a->storage->var, int(i)}); };
      if (m.from) use(m.from, Access::kRead);
      if (m.to) use(m.to, m.to->whole() ? Access::kWrite : Access::kUpdate), m.to->storage->NoteWriter(writer);
    }
  IssueOrPush(new CollectiveOp(std::move(streams), std::move(places), group, what, std::move(parts)), uses.data(), int(uses.size()));
}

bool Served(DType t) { return t != DType::kBool && t != DType::kInt16 && t != DType::kUint16; }
bool Fits(const std::vector<Member>& members) {
  if (members.size() < 2) return false;
  const Array& first = FormOf(members);
  for (auto& m : members) {
    for (const NDArray& a : {m.from, m.to})
      if (a && (a->on_cpu() || !a->contiguous || a->dtype != first.dtype || a->shape != first.shape || a->device()->table != first.device()->table)) return false;
    if (m.from && m.to && (m.from->device() != m.to->device() || (m.from->storage == m.to->storage && m.from->offset != m.to->offset))) return false;
  }
  const flx_device_table& t = *first.device()->table;
  return t.group_create && t.collective && Served(first.dtype);
}
}  // namespace

bool Batch::Add(int32_t what, std::vector<Member> members, const Device* root_device, Then then) {
  if (!root_device || !Fits(members) || (what != FLX_COLLECTIVE_BROADCAST && (CallFlags() & FLX_CALL_DETERMINISTIC))) return false;
  std::sort(members.begin(), members.end(), [](auto& a, auto& b) { return DeviceOf(a)->index < DeviceOf(b)->index; });
  int root = -1;
  for (size_t i = 0; i < members.size(); ++i) {
    if (i > 0 && DeviceOf(members[i]) == DeviceOf(members[i - 1])) return false;
    if (DeviceOf(members[i]) == root_device) root = int(i);
  }
  if (root < 0) return false;
  const int64_t bytes = FormOf(members).bytes();
  void* group = bytes ? GroupOf(members) : nullptr;
  if (bytes && !group) return false;
  if (Touches(members)) Issue();
  if (bytes > kSmall || !bytes) {
    if (bytes) Push(group, what, {{std::move(members), root, nullptr}});
    if (then) then();
    return true;
  }
  if (!kept_.empty() && (what != what_ || group != group_ || bytes_ + bytes > kTogether || kept_.size() == kMost)) Issue();
  what_ = what, group_ = group, bytes_ += bytes;
  for (auto& m : members) {
    if (m.from) used_.emplace(m.from->storage.get(), Range{m.from->offset, m.from->offset + bytes, false});
    if (m.to) used_.emplace(m.to->storage.get(), Range{m.to->offset, m.to->offset + bytes, true});
  }
  kept_.push_back({std::move(members), root, std::move(then)});
  return true;
}
// Whether one of these writes what is used by those that are kept, or uses what they write.
bool Batch::Touches(const std::vector<Member>& members) const {
  for (auto& m : members)
    for (bool written : {false, true}) {
      const NDArray& a = written ? m.to : m.from;
      if (!a) continue;
      for (auto [it, end] = used_.equal_range(a->storage.get()); it != end; ++it)
        if ((written || it->second.written) && a->offset < it->second.end && it->second.begin < a->offset + a->bytes()) return true;
    }
  return false;
}
void Batch::Issue() {
  if (kept_.empty()) return;
  std::vector<Part> parts = std::move(kept_);
  kept_.clear(), used_.clear(), bytes_ = 0;
  std::vector<Then> after;
  for (auto& p : parts) if (p.then) after.push_back(std::move(p.then)), p.then = nullptr;
  Push(group_, what_, std::move(parts));
  for (auto& then : after) then();
}

bool Batch::AllReduce(const std::vector<NDArray>& from, const std::vector<NDArray>& to, Then then) {
  if (from.size() != to.size()) return false;
  std::vector<Member> members;
  for (auto& a : from) {
    auto same = std::find_if(to.begin(), to.end(), [&](auto& t) { return t->device() == a->device(); });
    if (same == to.end()) return false;
    members.push_back({a, *same});
  }
  return Add(FLX_COLLECTIVE_ALL_REDUCE, std::move(members), from.empty() ? nullptr : from[0]->device(), std::move(then));
}
bool Batch::Reduce(const std::vector<NDArray>& from, const NDArray& to, Then then) {
  std::vector<Member> members;
  for (auto& a : from) members.push_back({a, a->device() == to->device() ? to : NDArray()});
  return Add(FLX_COLLECTIVE_REDUCE, std::move(members), to->device(), std::move(then));
}
bool Batch::Broadcast(const NDArray& from, const std::vector<NDArray>& to, Then then) {
  std::vector<Member> members;
  for (auto& a : to) members.push_back({a->device() == from->device() ? from : NDArray(), a});
  return Add(FLX_COLLECTIVE_BROADCAST, std::move(members), from->device(), std::move(then));
}

}  // namespace flx::collective
