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

namespace flx {
namespace {

struct Member { NDArray from, to; };  // of one device; null where it gives or gets nothing
const Device* DeviceOf(const Member& m) { return m.from ? m.from->device() : m.to->device(); }

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
  CollectiveOp(std::vector<Ref<Stream>> streams, std::vector<Place> places, void* g, int32_t w, std::vector<Member> m, int r)
      : StreamOp(std::move(streams), std::move(places)), group(g), what(w), members(std::move(m)), root(r) {}
  void Prepare() override {
    for (auto& m : members) {
      if (m.from) m.from->storage->Ensure();
      if (m.to) m.to->storage->Ensure();
    }
  }
  void IssueTo(flx_device_queue* const* queues) override {
    const NDArray& first = members[0].from ? members[0].from : members[0].to;
    ProfileScope scope(ProfileKind::kCopy, NameOf(what));
    if (scope.active()) scope.facts().Array(false, first->dtype, first->shape.data(), first->shape.ndim()), scope.facts().Number("devices", int64_t(members.size()));
    auto at = [](const NDArray& a) -> void* { return a ? static_cast<char*>(a->storage->data()) + a->offset : nullptr; };
    std::vector<const void*> from;
    std::vector<void*> to;
    for (auto& m : members) from.push_back(at(m.from)), to.push_back(at(m.to));
    const Device* d = stream->device();
    d->Check(d->table->collective(group, what, queues, from.data(), to.data(), first->size(), int32_t(first->dtype), root), NameOf(what));
  }
  void Describe(Error* e) const override {
    std::vector<std::string> names;
    for (auto& m : members) names.push_back(DeviceOf(m)->name);
    Error named(e->status(), Text("[", NameOf(what), "] ", flx::Describe(members[0].from ? *members[0].from : *members[0].to), " on ", Join(names, ", "), ": ", e->message()));
    named.op = NameOf(what), named.origin = e->origin, named.hint = e->hint;
    *e = named;
  }
  void* const group;
  const int32_t what;
  const std::vector<Member> members;
  const int root;
};

bool Served(DType t) { return t != DType::kBool && t != DType::kInt16 && t != DType::kUint16; }
bool Fits(const std::vector<Member>& members) {
  if (members.size() < 2) return false;
  const Array& first = members[0].from ? *members[0].from : *members[0].to;
  for (auto& m : members) {
    for (const NDArray& a : {m.from, m.to})
      if (a && (a->on_cpu() || !a->contiguous || a->dtype != first.dtype || a->shape != first.shape || a->device()->table != first.device()->table)) return false;
    if (m.from && m.to && (m.from->device() != m.to->device() || (m.from->storage == m.to->storage && m.from->offset != m.to->offset))) return false;
  }
  const flx_device_table& t = *first.device()->table;
  return t.group_create && t.collective && Served(first.dtype);
}
bool Collect(int32_t what, std::vector<Member> members, const Device* root_device) {
  if (!root_device || !Fits(members) || (what != FLX_COLLECTIVE_BROADCAST && (CallFlags() & FLX_CALL_DETERMINISTIC))) return false;
  std::sort(members.begin(), members.end(), [](auto& a, auto& b) { return DeviceOf(a)->index < DeviceOf(b)->index; });
  int root = -1;
  for (size_t i = 0; i < members.size(); ++i) {
    if (i > 0 && DeviceOf(members[i]) == DeviceOf(members[i - 1])) return false;
    if (DeviceOf(members[i]) == root_device) root = int(i);
  }
  if (root < 0) return false;
  if ((members[0].from ? members[0].from : members[0].to)->size() == 0) return true;
  void* group = GroupOf(members);
  if (!group) return false;
  static const Writer writer = WriterOf("collective");
  std::vector<Ref<Stream>> streams;
  std::vector<StreamOp::Place> places;
  std::vector<VarUse> uses;
  for (size_t i = 0; i < members.size(); ++i) {
    Member& m = members[i];
    streams.push_back(StreamOf(DeviceOf(m), StreamRole::kPeer));
    auto use = [&](const NDArray& a, Access access) { uses.push_back({&a->storage->var, access}), places.push_back({&a->storage->var, int(i)}); };
    if (m.from) use(m.from, Access::kRead);
    if (m.to) use(m.to, m.to->whole() ? Access::kWrite : Access::kUpdate), m.to->storage->NoteWriter(writer);
  }
  IssueOrPush(new CollectiveOp(std::move(streams), std::move(places), group, what, std::move(members), root), uses.data(), int(uses.size()));
  return true;
}
}  // namespace
}  // namespace flx

namespace flx::collective {

bool AllReduce(const std::vector<NDArray>& from, const std::vector<NDArray>& to) {
  if (from.size() != to.size()) return false;
  std::vector<Member> members;
  for (auto& a : from) {
    auto same = std::find_if(to.begin(), to.end(), [&](auto& t) { return t->device() == a->device(); });
    if (same == to.end()) return false;
    members.push_back({a, *same});
  }
  return Collect(FLX_COLLECTIVE_ALL_REDUCE, std::move(members), from.empty() ? nullptr : from[0]->device());
}
bool Reduce(const std::vector<NDArray>& from, const NDArray& to) {
  std::vector<Member> members;
  for (auto& a : from) members.push_back({a, a->device() == to->device() ? to : NDArray()});
  return Collect(FLX_COLLECTIVE_REDUCE, std::move(members), to->device());
}
bool Broadcast(const NDArray& from, const std::vector<NDArray>& to) {
  std::vector<Member> members;
  for (auto& a : to) members.push_back({a->device() == from->device() ? from : NDArray(), a});
  return Collect(FLX_COLLECTIVE_BROADCAST, std::move(members), from->device());
}

}  // namespace flx::collective
