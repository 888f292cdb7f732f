// SPDX-License-Identifier: Apache-2.0
#include "hybrid/prologue.h"

#include <algorithm>
#include <set>

#include "exec/core.h"

namespace flx {
namespace {
uint64_t VersionOf(const NDArray& a) { return a->storage->var.version.load(std::memory_order_relaxed); }
bool Same(const KeptValues::Source& s, const NDArray& a) {
  return s.array->storage == a->storage && s.array->offset == a->offset && s.version == VersionOf(a) && s.array->shape == a->shape && s.array->contiguous == a->contiguous;
}
}  // namespace

NDArray KeptValues::Find(const std::string& key, const std::vector<Source>& sources) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = entries_.find(key);
  if (it == entries_.end() || it->second.sources.size() != sources.size()) return nullptr;
  for (size_t i = 0; i < sources.size(); ++i)
    if (it->second.sources[i].version != sources[i].version || !Same(it->second.sources[i], sources[i].array)) return nullptr;
  return it->second.value->storage->var.poisoned() ? nullptr : it->second.value;  // what failed once, as without memory, is tried again
}
void KeptValues::Put(const std::string& key, std::vector<Source> sources, NDArray value) {
  constexpr size_t kMost = 4096;  // entries of plans that went stay until then
  std::lock_guard<std::mutex> lock(mutex_);
  if (entries_.size() >= kMost) entries_.clear();
  entries_[key] = {std::move(sources), std::move(value)};
}
int64_t KeptValues::bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  int64_t n = 0;
  for (auto& e : entries_) n += e.second.value->bytes();
  return n;
}

std::string KeptValues::NameOf(const std::string& text) {
  constexpr size_t kMost = 1 << 16;  // then the same text gets another name, and what was kept is computed again
  std::lock_guard<std::mutex> lock(mutex_);
  if (names_.size() >= kMost) names_.clear();
  auto it = names_.find(text);
  if (it == names_.end()) it = names_.emplace(text, named_++).first;
  return Text("%", it->second);
}

std::unique_ptr<Prologue> Prologue::Cut(Ir* ir, KeptValues* kept_values) {
  if (std::find(ir->fixed.begin(), ir->fixed.end(), true) == ir->fixed.end()) return nullptr;
  auto p = std::make_unique<Prologue>();
  std::vector<bool> updated = ir->Updated(), early(ir->values.size());
  std::vector<std::string> keys(ir->values.size());        // how an early value is computed
  std::vector<std::set<int32_t>> sources(ir->values.size());
  for (size_t i = 0; i < ir->inputs.size(); ++i) {
    size_t v = size_t(ir->inputs[i]);
    if (!ir->fixed[i] || updated[v]) continue;
    early[v] = true, keys[v] = Text("#", i), sources[v] = {int32_t(i)};
  }
  std::vector<bool> cut(ir->nodes.size());
  for (size_t at = 0; at < ir->nodes.size(); ++at) {
    const IrNode& n = ir->nodes[at];
    bool can = n.ticket < 0 && !n.op->trait(kEffect) && !n.in.empty(), any = false;
    for (int32_t v : n.in) {
      if (v < 0) continue;
      can &= early[size_t(v)] || ir->constants.count(v);
      any |= early[size_t(v)];
    }
    for (size_t k = 0; k < n.out.size(); ++k) can &= n.out[k] < 0 || !n.updates(int(k));
    if (!can || !any) continue;
    cut[at] = true;
    std::string key = Text("(", n.op->name);
    for (auto& kv : n.op->schema.PrintAll(n.attrs.get(), true)) key += Text(" ", kv.first, "=", kv.second);
    std::set<int32_t> from;
    for (int32_t v : n.in) {
      // constants are told apart by where they lie: they belong to one plan, and are not shared with others
      key += v < 0 ? std::string(" -") : early[size_t(v)] ? Text(" ", keys[size_t(v)]) : Text(" @", uint64_t(reinterpret_cast<uintptr_t>(ir->constants.at(v).get())));
      if (v >= 0) from.insert(sources[size_t(v)].begin(), sources[size_t(v)].end());
    }
    for (size_t k = 0; k < n.out.size(); ++k) {
      if (n.out[k] < 0) continue;
      size_t v = size_t(n.out[k]);
      early[v] = true, keys[v] = kept_values->NameOf(Text(key, ")", k)), sources[v] = from;
    }
  }
  // Views at the end of it cost nothing where they are; only what is computed is worth keeping.
  auto readers = ir->Readers();
  auto kept = ir->Kept();
  for (size_t at = ir->nodes.size(); at-- > 0;) {
    const IrNode& n = ir->nodes[at];
    if (!cut[at] || !n.op->view_fn || n.out.size() != 1) continue;
    bool inner = false;
    for (int32_t r : readers[size_t(n.out[0])]) inner |= cut[size_t(r)];
    if (!inner) cut[at] = false;
  }
  if (std::find(cut.begin(), cut.end(), true) == cut.end()) return nullptr;
  p->ir_.values = ir->values, p->ir_.inputs = ir->inputs, p->ir_.fixed = ir->fixed, p->ir_.constants = ir->constants, p->ir_.training = ir->training, p->ir_.device = ir->device;
  std::vector<IrNode> left;
  std::vector<bool> made(ir->values.size());
  for (size_t at = 0; at < ir->nodes.size(); ++at) {
    IrNode& n = ir->nodes[at];
    if (cut[at])
      for (int32_t v : n.out) if (v >= 0) made[size_t(v)] = true;
    (cut[at] ? p->ir_.nodes : left).push_back(std::move(n));
  }
  ir->nodes = std::move(left);
  std::vector<bool> needed = kept;
  for (auto& n : ir->nodes)
    for (int32_t v : n.in) if (v >= 0) needed[size_t(v)] = true;
  std::set<int32_t> inputs;
  for (size_t v = 0; v < needed.size(); ++v) {
    if (!needed[v] || !made[v]) continue;
    ir->inputs.push_back(int32_t(v)), ir->fixed.push_back(true);
    if (!ir->strides.empty()) ir->strides.emplace_back();
    p->outputs_.push_back({int32_t(v), keys[v], {sources[v].begin(), sources[v].end()}});
    p->ir_.outputs.push_back(int32_t(v));
    inputs.insert(sources[v].begin(), sources[v].end());
  }
  p->inputs_.assign(inputs.begin(), inputs.end());
  return p;
}

Prologue::Values Prologue::Get(const NDArray* inputs, KeptValues* kept) const {
  std::lock_guard<std::mutex> lock(mutex_);
  bool same = values_ && seen_.size() == inputs_.size();
  for (size_t i = 0; i < inputs_.size() && same; ++i) same = Same(seen_[i], inputs[inputs_[i]]);
  for (size_t k = 0; same && k < values_->size(); ++k) same = !(*values_)[k]->storage->var.poisoned();
  if (same) return values_;
  auto fresh = std::make_shared<std::vector<NDArray>>();
  bool all = true;
  auto from = [&](const Output& o) {
    std::vector<KeptValues::Source> s;
    for (int32_t i : o.sources) s.push_back({Array::NewAlias(inputs[i]), VersionOf(inputs[i])});
    return s;
  };
  for (auto& o : outputs_) {
    fresh->push_back(kept->Find(o.key, from(o)));
    all &= bool(fresh->back());
  }
  if (!all) {
    std::vector<NDArray> value(ir_.values.size());
    for (size_t i = 0; i < ir_.fixed.size(); ++i) if (ir_.fixed[i]) value[size_t(ir_.inputs[i])] = inputs[i];
    for (auto& c : ir_.constants) value[size_t(c.first)] = c.second;
    for (auto& n : ir_.nodes) {
      auto call = Call::New(*n.op, n.attrs);
      SmallVector<Array*, 8> in;
      for (int32_t v : n.in) if (v >= 0) in.emplace_back(value[size_t(v)].get());
      SmallVector<NDArray, 4> out(call->noutputs);
      InvokeAll(*call, ir_.training ? kTrain : kPlain, in.data(), in.size(), nullptr, 0, out.data(), nullptr, ir_.device);
      for (size_t k = 0; k < n.out.size(); ++k) if (n.out[k] >= 0) value[size_t(n.out[k])] = out[int(k)];
    }
    for (size_t k = 0; k < outputs_.size(); ++k) {
      NDArray v = value[size_t(outputs_[k].value)];
      for (int32_t i : inputs_) if (v->storage == inputs[i]->storage) { v = CopyOf(v); break; }  // later writes must not show
      if (!v->contiguous) v = CopyOf(v);
      (*fresh)[k] = v;
      kept->Put(outputs_[k].key, from(outputs_[k]), v);
    }
  }
  seen_.clear();
  for (int32_t i : inputs_) seen_.push_back({Array::NewAlias(inputs[i]), VersionOf(inputs[i])});
  return values_ = fresh;
}

}  // namespace flx
