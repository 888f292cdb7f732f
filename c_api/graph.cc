// SPDX-License-Identifier: Apache-2.0
// Graphs: symbols that run.
#include <algorithm>

#include "guard.h"
#include "hybrid/ir_symbol.h"
#include "pins.h"

using namespace flx;
using namespace flx::capi;

namespace {
constexpr int kRunModes = FLX_RECORD | FLX_TRAIN | FLX_TRACE;

class GraphTask final : public Task {
 public:
  GraphTask(Ref<const Graph> graph, int mode, const std::vector<NDArray>& arrays) : run_(std::move(graph), mode, arrays) {}

 private:
  Event Go(const Deadline& d) override {
    if (done_ || stopped()) return Event::kDone;
    done_ = run_.Go(d.left());
    if (done_) return Event::kDone;
    auto* asked = run_.asked();
    if (!asked) return Event::kPending;
    HostAsk ask;
    ask.what = "forward", ask.token = asked->token, ask.arrays = asked->inputs;
    ask.answer = [this](const std::vector<NDArray>& reply) { run_.Reply(reply); };
    return Ask(std::move(ask));
  }
  std::vector<NDArray> Results() const override { return done_ ? run_.outputs() : std::vector<NDArray>(); }
  GraphRun run_;
  bool done_ = false;
};

// One line a step: "3  FullyConnected  fc1  (data, fc1_weight, fc1_bias)".
void Print(const Program& p, const std::string& indent, std::string* text) {
  for (auto& s : p.steps) {
    std::vector<std::string> in;
    for (auto& e : s.node->inputs) in.push_back(OutputName(*e.node, *e.node->settings(), e.output));
    *text += Text(indent, s.node->kind(), " ", s.node->name, " (", Join(in, ", "), ")\n");
    for (auto& g : s.graphs) Print(*g, indent + "    ", text);
  }
}
}  // namespace

extern "C" {

flx_status flx_graph_create(flx_symbol symbol, const char* const* keys, const char* const* values, int32_t npairs, flx_graph* out_graph) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    NeedPointer(who, "out_graph", out_graph);
    *out_graph = GivePlannedGraph(PlannedGraph::New(s.ref(), OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_graph_trace(const flx_ndarray* arrays, int32_t narrays, const flx_ndarray* targets, int32_t ntargets, const char* const* keys, const char* const* values,
                           int32_t npairs, flx_graph* out_graph) {
  FLX_BEGIN
    ArrayList in(who, "arrays", arrays, narrays), out(who, "targets", targets, ntargets);
    NeedPointer(who, "out_graph", out_graph);
    *out_graph = GivePlannedGraph(PlannedGraph::NewTraced(in.refs(), out.refs(), OptionList(who, keys, values, npairs)));
  FLX_END
}
flx_status flx_symbol_transform(flx_symbol symbol, const char* name, const char* const* keys, const char* const* values, int32_t npairs, flx_symbol* out_symbol) {
  FLX_BEGIN
    auto s = PinSymbol(who, symbol);
    std::string_view pass = NeedText(who, "name", name);
    NeedPointer(who, "out_symbol", out_symbol);
    bool training = false;
    for (auto& o : OptionList(who, keys, values, npairs)) {
      if (o.first != "training") Fail(Status::kName, who, "there is no option `", o.first, "`.", DidYouMean(o.first, {"training"}), " There is: training.");
      if (!ParseBool(o.second, &training)) Fail(Status::kArgument, who, "`training` must be True or False, given `", o.second, "`.");
    }
    *out_symbol = GiveSymbol(TransformSymbol(*s, pass, training));
  FLX_END
}
flx_status flx_graph_symbol(flx_graph graph, flx_symbol* out_symbol) {
  FLX_BEGIN
    auto g = PinPlannedGraph(who, graph);
    NeedPointer(who, "out_symbol", out_symbol);
    *out_symbol = GiveSymbol(g->graph->symbol);
  FLX_END
}
flx_status flx_graph_text(flx_graph graph, const char* field, char** out_text) {
  FLX_BEGIN
    auto g = PinPlannedGraph(who, graph);
    NeedPointer(who, "out_text", out_text);
    std::string_view f = NeedText(who, "field", field);
    std::string text;
    std::vector<std::string> fields = CachedGraph::Fields();
    fields.insert(fields.begin(), {"waits", "planned", "program"});
    if (f == "waits") text = g->graph->waits() ? "1" : "0";
    else if (f == "planned") text = g->planned() ? "1" : "0";
    else if (f == "program") Print(g->graph->program(), "", &text);
    else if (std::find(fields.begin(), fields.end(), f) != fields.end()) text = g->Text(f);
    else Fail(Status::kName, who, "a graph has no text `", f, "`.", DidYouMean(f, fields), " It has: ", Join(fields, ", "), ".");
    *out_text = GiveText(text);
  FLX_END
}
flx_status flx_graph_run(flx_graph graph, int32_t mode, const flx_ndarray* arrays, int32_t narrays, flx_ndarray* out_arrays, int32_t capacity, int32_t* out_narrays) {
  FLX_BEGIN
    auto g = PinPlannedGraph(who, graph);
    NeedMode(who, mode, kRunModes);
    ArrayList a(who, "arrays", arrays, narrays);
    NeedPointer(who, "out_narrays", out_narrays);
    if (capacity < g->graph->outputs()) Fail(Status::kArgument, who, "the graph gives ", g->graph->outputs(), " arrays, `capacity` is ", capacity, ".");
    NeedPointer(who, "out_arrays", out_arrays);
    if (g->graph->waits()) Fail(Status::kUnsupported, who, "the graph reads a condition on its way, or asks for code of the host's, and must wait for it. Run it by flx_graph_start.");
    GiveArrays(who, g->Run(mode, a.refs()), out_arrays, capacity, out_narrays);
  FLX_END
}
flx_status flx_graph_start(flx_graph graph, int32_t mode, const flx_ndarray* arrays, int32_t narrays, flx_task* out_task) {
  FLX_BEGIN
    auto g = PinPlannedGraph(who, graph);
    NeedMode(who, mode, kRunModes);
    ArrayList a(who, "arrays", arrays, narrays);
    NeedPointer(who, "out_task", out_task);
    *out_task = GiveTask(Make<GraphTask>(g->graph, mode, a.refs()));
  FLX_END
}
flx_status flx_autograd_recorded(flx_ndarray array, int32_t* out_value) {
  FLX_BEGIN
    auto a = PinArray(who, array);
    NeedPointer(who, "out_value", out_value);
    *out_value = IsRecorded(*a);
  FLX_END
}

}  // extern "C"
