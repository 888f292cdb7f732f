// SPDX-License-Identifier: Apache-2.0
#include "hybrid/plan_graph.h"

#include <algorithm>

#include "base/config.h"
#include "base/log.h"
#include "base/text.h"
#include "device/kernels.h"
#include "hybrid/plan.h"
#include "profiler/profiler.h"

namespace flx {
namespace {
constexpr size_t kGraphs = 8, kSeen = 32;
constexpr int kFewSteps = 3;          // launched as fast one by one
constexpr int64_t kTrials = 24;       // captures after which they must have paid

uint64_t Hash(const std::vector<uint64_t>& key) {
  uint64_t h = 1469598103934665603ull;
  for (uint64_t w : key) h = (h ^ w) * 1099511628211ull, h ^= h >> 29;
  return h;
}
void SayOnce(const std::string& text) { LogOnce(LogLevel::kWarning, "graphs of plans", text); }
bool Wanted() {
  static WatchedOptions wanted([] { return uint8_t(GetText(Opt::kCudaGraphs) != "0"); });
  return wanted.Get();
}
}  // namespace

struct PlanGraphs::Graph {
  Key key;
  const Device* device = nullptr;
  void* graph = nullptr;
  void* parameters = nullptr;
  std::shared_ptr<DeviceScratch> block, scratch;  // block: the parameters'
  ~Graph() { if (graph) device->table->graph_destroy(graph); }
};

PlanGraphs::PlanGraphs(const Plan& plan) {
  bool behind = false;  // as Plan says where backward begins
  for (auto& n : plan.ir().nodes) {
    behind |= n.backward;
    if (n.ticket >= 0) random_ |= behind ? kBackward : kForward;
    if (n.op->trait(kEffect)) why_ = Text("`", n.op->name, "` has effects");
  }
  if (random_ && !plan.device()->Kernel(kDeviceParameters, DeviceSignature(kDeviceParameters))) why_ = Text("the module of ", plan.device()->name, " lacks `", kDeviceParameters, "`");
  if (plan.steps() <= kFewSteps) why_ = Text("it has ", plan.steps(), " steps");
}
PlanGraphs::~PlanGraphs() = default;

PlanGraphs::Counts PlanGraphs::counts() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return counts_;
}
std::string PlanGraphs::why() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return why_;
}
bool PlanGraphs::over() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return !why_.empty();
}
std::string PlanGraphs::Print() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return Text("graphs: ", counts_.captured, " captured, launched ", counts_.launched, " times; ", counts_.issued, " runs step by step", why_.empty() ? "" : Text("; none any more: ", why_), "\n");
}
void PlanGraphs::GiveUp(std::string why) {
  std::lock_guard<std::mutex> lock(mutex_);
  why_ = std::move(why), graphs_.clear();
}
std::shared_ptr<PlanGraphs::Graph> PlanGraphs::Find(const Key& key) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto it = graphs_.rbegin(); it != graphs_.rend(); ++it)
    if ((*it)->key == key) {
      std::rotate(it.base() - 1, it.base(), graphs_.end());
      return graphs_.back();
    }
  return nullptr;
}
bool PlanGraphs::SeenBefore(const Key& key) {
  const uint64_t hash = Hash(key);
  std::lock_guard<std::mutex> lock(mutex_);
  if (std::find(seen_.begin(), seen_.end(), hash) != seen_.end()) return true;
  if (seen_.size() < kSeen) seen_.push_back(hash);
  else seen_[next_seen_++ % kSeen] = hash;
  return false;
}

void PlanGraphs::Run(int parts, const void* arena, void* const* bases, int n, Ticket first, const std::function<void()>& issue) {
  DeviceWork* const w = DeviceWork::Current();
  const flx_device_table& t = *w->device()->table;
  auto plain = [&] {
    issue();
    std::lock_guard<std::mutex> lock(mutex_);
    ++counts_.issued, scratch_[parts] = w->ScratchSizes();
  };
  if (!t.capture_begin || !t.capture_end || !t.graph_launch || !t.graph_destroy || !Wanted() || Profiling(ProfileKind::kPlanned) || over()) return plain();
  Key key{uint64_t(parts), OptionGeneration(), reinterpret_cast<uintptr_t>(w->queue()), reinterpret_cast<uintptr_t>(arena)};
  for (int i = 0; i < n; ++i) key.push_back(reinterpret_cast<uintptr_t>(bases[i]));
  std::shared_ptr<Graph> graph = Find(key);
  if (!graph) {
    if (!SeenBefore(key)) return plain();
    graph = Capture(key, parts, first, issue);
    if (!graph) return plain();
  }
  w->Use(graph->scratch);
  if (graph->block) w->Use(graph->block), w->SetParameters(graph->parameters, first);
  if (int32_t r = t.graph_launch(w->queue(), graph->graph); r == FLX_DEVICE_ERROR || r == FLX_DEVICE_MEMORY) {
    GiveUp(w->device()->CallError(r, "graph_launch").message());
    SayOnce(Text("Plans run step by step on ", w->device()->name, ": ", why()));
    return plain();
  } else {
    w->device()->Check(r, "graph_launch");
  }
  std::lock_guard<std::mutex> lock(mutex_);
  ++counts_.launched;
}

// Null: it could not be captured, and nothing was issued.
std::shared_ptr<PlanGraphs::Graph> PlanGraphs::Capture(const Key& key, int parts, Ticket first, const std::function<void()>& issue) {
  DeviceWork* const w = DeviceWork::Current();
  const flx_device_table& t = *w->device()->table;
  std::vector<size_t> sizes;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (counts_.captured >= kTrials && counts_.launched < 3 * counts_.captured) {
      why_ = "its arrays lie elsewhere too often", graphs_.clear();
      return nullptr;
    }
    sizes = scratch_[parts];
  }
  auto graph = std::make_shared<Graph>();
  graph->key = key, graph->device = w->device();
  std::string why;
  try {
    if (random_ & parts) {
      graph->parameters = w->Scratch(DeviceWork::kParameterBytes), graph->block = w->KeepScratch();
      w->Use(graph->block);  // also if nothing comes of it: what used the memory before may be under way
    }
    for (size_t bytes : sizes) w->Scratch(int64_t(bytes));
    w->NextStep(nullptr);
    if (int32_t r = t.capture_begin(w->queue())) throw w->device()->CallError(r, "capture_begin");
    DeviceWork::Recording recording(w, first, graph->parameters);
    try {
      issue();
    } catch (const Error& e) {
      why = e.message();
    } catch (...) {
      why = "a step failed";
    }
    if (int32_t r = t.capture_end(w->queue(), &graph->graph); r && why.empty()) throw w->device()->CallError(r, "capture_end");
  } catch (const Error& e) {
    why = e.message();
  }
  if (!why.empty()) {
    GiveUp(why);
    SayOnce(Text("A plan runs step by step on ", w->device()->name, ", since its steps could not be captured: ", why));
    return nullptr;
  }
  graph->scratch = w->KeepScratch();
  std::lock_guard<std::mutex> lock(mutex_);
  ++counts_.captured;
  if (graphs_.size() >= kGraphs) graphs_.erase(graphs_.begin());
  graphs_.push_back(graph);
  return graph;
}

}  // namespace flx
