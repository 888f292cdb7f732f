// SPDX-License-Identifier: Apache-2.0
#include "fit/hosted.h"

#include <map>

#include "device/device.h"
#include "exec/trace.h"

namespace flx {
namespace {
constexpr size_t kKept = 8;

// Parameters as variables of their own names, with the shapes that they have.
class Variables final : public ParamSource {
 public:
  explicit Variables(const Params& params) : params_(params) {}
  Val Get(const ParamDecl& d, Builder& b) override {
    Val& v = made_[d.name];
    if (v) return v;
    NDArray a = params_.Get(d.name);
    return v = static_cast<TraceBuilder&>(b).AddVariable(d.name, a ? a->shape : d.shape, a ? a->dtype : d.dtype);
  }

 private:
  const Params& params_;
  std::map<std::string, Val> made_;
};
std::string InputName(size_t i) { return Text("input:", i); }  // no parameter is called so
}  // namespace

void RefuseHosted(const char* who, const Device* device) {
  if (!device) return;
  Fail(Status::kUnsupported, who, "the model holds functions of the host, which compute on the CPU, and is to run on ", device->name, ". Run it on the CPU (flx_params_move), or use operators in their place.");
}

const HostedLayer::Known& HostedLayer::KnownFor(bool training, const Params& params, const std::vector<NDArray>& x, size_t labels) {
  Known k;
  k.training = training;
  for (auto& a : x) k.shapes.push_back(a->shape), k.dtypes.push_back(a->dtype);
  for (auto& o : known_)
    if (o.training == training && o.shapes == k.shapes && o.dtypes == k.dtypes) return o;
  layer_->Freeze();
  TraceBuilder b("", training);
  Variables source(params);
  std::vector<Val> data, scored;
  std::vector<Entry> out;
  for (size_t i = 0; i < x.size(); ++i) {
    Val v = b.AddVariable(InputName(i), x[i]->shape, x[i]->dtype);
    (i < x.size() - labels ? data : scored).push_back(v);
  }
  auto y = LayerContext(b, source).Run(*layer_, data);
  if (loss_) {
    NoParams none;
    scored.insert(scored.begin(), y.begin(), y.end());
    for (Val v : LayerContext(b, none).Run(*loss_, scored)) out.push_back(b.entry(v));
  }
  for (Val v : y) out.push_back(b.entry(v));
  auto symbol = Symbol::New(std::move(out));
  std::map<std::string, int> place;
  for (size_t i = 0; i < x.size(); ++i) place[InputName(i)] = int(i);
  for (Part part : {Part::kArgument, Part::kAuxiliary})
    for (auto& name : symbol->Names(part)) {
      auto at = place.find(name);
      k.inputs.push_back(at == place.end() ? -1 : at->second);
      if (at == place.end()) k.params.push_back(name);
    }
  k.graph = Graph::New(symbol);
  if (known_.size() == kKept) known_.pop_back();
  known_.push_front(std::move(k));
  return known_.front();
}

std::unique_ptr<HostedLayer::Run> HostedLayer::Start(int mode, const Params& params, const std::vector<NDArray>& data, const std::vector<NDArray>& labels, bool gradients) {
  std::vector<NDArray> x = data, own, arrays;
  x.insert(x.end(), labels.begin(), labels.end());
  const Known& k = KnownFor((mode & kTrain) != 0, params, x, labels.size());
  params.Collect(k.params, nullptr, &own);
  size_t next = 0;
  for (int i : k.inputs) arrays.push_back(i < 0 ? own[next++] : x[size_t(i)]);
  return std::make_unique<Run>(k.graph, mode, arrays, gradients);
}

bool HostedLayer::Run::Go() {
  if (done_) return true;
  if (!backward_) {
    if (!forward_.Go(-1)) return false;
    const NDArray& loss = results()[0];
    if (gradients_ && loss->size() && IsRecorded(*loss))
      backward_ = std::make_unique<BackwardRun>(std::vector<NDArray>{loss}, std::vector<NDArray>{Array::Filled(loss->shape, loss->dtype, 1.0 / double(loss->size()))}, std::vector<NDArray>(), 0);
  }
  if (backward_ && backward_->Next()) return false;
  return done_ = true;
}
HostAsk HostedLayer::Run::Wanted() {
  HostAsk ask;
  if (auto* a = forward_.asked()) {
    ask.what = "forward", ask.token = a->token, ask.arrays = a->inputs;
    ask.answer = [this](const std::vector<NDArray>& reply) { forward_.Reply(reply); };
  } else {
    ask.what = "backward", ask.token = backward_->token(), ask.arrays = backward_->inputs();
    ask.answer = [this](const std::vector<NDArray>& reply) { backward_->Reply(reply); };
  }
  return ask;
}

}  // namespace flx
