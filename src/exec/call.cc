// SPDX-License-Identifier: Apache-2.0
#include <mutex>

#include "base/config.h"

#include "exec/tape.h"
#include "tensor/device_array.h"

namespace flx {

namespace {
const TileLoops* PlainTile(const OpDef& op, int nin, int nout) {
  bool plain = op.kernel && op.kernel->loops && !op.types_fn && !op.run_kernel && !op.trait(kRandom) && !op.trait(kEffect);
  return plain && nin >= 1 && nin <= 3 && nin == int(op.inputs.size()) && nout == 1 && op.outputs[0].updates < 0 && op.nscalars <= 8 ? op.kernel->loops : nullptr;
}
}  // namespace

Call::Call(const OpDef& o, Attrs a, int nout, int nvis, uint64_t p, int nin)
    : Object(Kind::kCall), op(o), attrs(std::move(a)), noutputs(nout), nvisible(nvis), present(p), ninputs(nin), tile(PlainTile(o, nin, nout)) {}
const Call* Call::OfDefaults(const OpDef& op) {
  static std::atomic<const Call*> kept[1024];  // by place in the registry
  if (op.id < 0 || op.id >= 1024) return nullptr;
  const Call* c = kept[op.id].load(std::memory_order_acquire);
  if (!c) {
    const Call* fresh = New(op, op.schema.defaults()).Leak();
    if (kept[op.id].compare_exchange_strong(c, fresh, std::memory_order_acq_rel)) c = fresh;
    else fresh->Unref();
  }
  return c;
}
Call::~Call() {
  for (const SaveSet* s = saves.load(); s;) {
    const SaveSet* older = s->older;
    delete s;
    s = older;
  }
}
Ref<Call> Call::New(const OpDef& op, Attrs attrs) {
  uint64_t present = ~0ull;
  int nin = -1;
  if (!op.variadic) {
    present = 0, nin = 0;
    for (int i = 0; i < int(op.inputs.size()); ++i)
      if (op.Present(i, attrs.get())) present |= 1ull << i, ++nin;
  }
  int nout = op.CountOutputs(attrs.get()), nvis = op.CountVisible(attrs.get());
  return Ref<Call>::Take(new Call(op, std::move(attrs), nout, nvis, present, nin));
}
Ref<Call> Call::New(std::string_view name, const std::vector<std::pair<std::string, std::string>>& options) {
  const OpDef& op = FindOp(name);
  std::vector<KeyValue> kv;
  for (auto& o : options) {
    if (op.count_attr && o.first == op.count_attr && !op.schema.Find(o.first)) continue;  // the number of inputs tells
    kv.emplace_back(o.first, o.second);
  }
  return New(op, op.schema.Parse(op.name, kv.data(), kv.size()));
}

std::vector<NDArray> Invoke(const Call& call, int mode, const std::vector<NDArray>& in, const std::vector<double>& scalars) {
  SmallVector<Array*, 8> raw(int(in.size()));
  for (size_t i = 0; i < in.size(); ++i) raw[int(i)] = in[i].get();
  std::vector<NDArray> out(size_t(call.nvisible));
  Invoke(call, mode, raw.data(), raw.size(), scalars.data(), int(scalars.size()), out.data(), int(out.size()));
  return out;
}
std::vector<NDArray> Invoke(std::string_view op, const std::vector<NDArray>& in, const std::vector<std::pair<std::string, std::string>>& options, int mode) {
  return Invoke(*Call::New(op, options), mode, in);
}
NDArray CopyOf(const NDArray& a) {
  static const auto& copy = Forever(Call::New("_copy"));
  return Invoke(*copy, kPlain, {a})[0];
}
NDArray CopyOf(const NDArray& a, const Device* device) {
  if (a->device() == device) return CopyOf(a);
  NDArray y = Array::New(a->shape, a->dtype, device);
  CopyInto(a, y);
  return y;
}
NDArray ArrayOn(const NDArray& a, const Device* device) { return a->device() == device ? a : CopyOf(a, device); }
// Between devices: converted where it comes from, carried over, through pinned memory where there is no way to the other's, and put in place where it goes.
static void CopyAcross(const NDArray& from, const NDArray& target) {
  NDArray same = from;
  if (from->dtype != target->dtype) same = Invoke1("Cast", {from}, {{"dtype", DTypeName(target->dtype)}});
  if (!same->on_cpu() && !target->on_cpu() && same->device()->CopiesTo(target->device())) return CopyToDevice(same, target);
  NDArray host = same;
  if (!same->on_cpu()) host = CopyToHost(same);
  if (target->on_cpu()) return CopyInto(host, target);
  if (same->on_cpu()) {
    host = PinnedArray(target->device(), same->shape, same->dtype);
    CopyInto(same, host);
  }
  CopyToDevice(host, target);
}
void CopyInto(const NDArray& from, const NDArray& target) {
  if (from->shape != target->shape)
    Fail(Status::kShape, "copy", "the target must have the source's shape ", from->shape, ", given ", target->shape, ".");
  if (from->device() != target->device()) return CopyAcross(from, target);
  auto call = from->dtype == target->dtype ? Call::New("_copy") : Call::New("Cast", {{"dtype", DTypeName(target->dtype)}});
  Array *in = from.get(), *to = target.get();
  InvokeInto(*call, kPlain, &in, 1, nullptr, 0, &to, 1);
}

namespace {
std::mutex g_random_mutex;
Ticket g_random;
bool g_random_seeded = false;
void SeedOnce() {
  if (!g_random_seeded) g_random.seed = uint64_t(GetInt(Opt::kSeed)), g_random_seeded = true;
}
thread_local Ticket* t_stream = nullptr;
}  // namespace
TicketScope::TicketScope(Ticket* stream) : outer_(std::exchange(t_stream, stream)) {}
TicketScope::~TicketScope() { t_stream = outer_; }
void SeedRandom(uint64_t seed) {
  std::lock_guard<std::mutex> lock(g_random_mutex);
  g_random = {seed, 0}, g_random_seeded = true;
}
Ticket NextTicket() { return NextTickets(1); }
Ticket NextTickets(int n) {
  auto take = [n](Ticket* from) {
    Ticket first{from->seed, from->ticket + 1};
    from->ticket += uint64_t(n);
    return first;
  };
  if (t_stream) return take(t_stream);
  std::lock_guard<std::mutex> lock(g_random_mutex);
  SeedOnce();
  return take(&g_random);
}
Ticket RandomState() {
  std::lock_guard<std::mutex> lock(g_random_mutex);
  SeedOnce();
  return g_random;
}
void SetRandomState(Ticket t) {
  std::lock_guard<std::mutex> lock(g_random_mutex);
  g_random = t, g_random_seeded = true;
}

}  // namespace flx
