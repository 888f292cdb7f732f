// SPDX-License-Identifier: Apache-2.0
#include "fit/files.h"

#include "base/text.h"
#include "interop/mxnet_params.h"
#include "interop/safetensors.h"
#include "io/bytes.h"

namespace flx {
namespace {
// Files do not say which arrays are states; Gluon's and MXNet's names do.
bool IsStateName(std::string_view name) {
  for (const char* end : {"running_mean", "running_var", "moving_mean", "moving_var"})
    if (EndsWith(name, end)) return true;
  return false;
}
}  // namespace

void SaveParams(const Params& params, const std::string& path, std::string_view format) {
  if (format.empty()) format = EndsWith(path, ".params") ? "mxnet" : EndsWith(path, ".safetensors") || EndsWith(path, ".flx") ? "safetensors" : "";
  if (format.empty())
    Fail(Status::kArgument, "params", "the extension of `", path, "` tells no format. Use .safetensors or .params, or give the format: safetensors or mxnet.");
  Safetensors f;
  for (auto& p : params.all()) f.arrays.emplace_back(p.name, p.array);
  if (format == "safetensors") SaveSafetensors(path, f);
  else if (format == "mxnet") SaveMxnetParams(path, f.arrays);
  else Fail(Status::kArgument, "params", "the format must be safetensors or mxnet, given `", format, "`.", DidYouMean(format, {"safetensors", "mxnet"}));
}

Ref<Params> LoadParams(const std::string& path) {
  bool mxnet = false;
  {
    auto source = OpenFile(path);
    uint64_t magic = 0;
    if (source->size() >= 8) source->Read(0, &magic, 8);
    mxnet = magic == 0x112;
  }
  auto params = Make<Params>();
  for (auto& a : mxnet ? LoadMxnetParams(path) : LoadSafetensors(path).arrays) {
    if (!a.second) continue;  // MXNet's array that was never made
    std::string name = a.first;
    bool aux = IsStateName(name);
    if (mxnet && (name.compare(0, 4, "arg:") == 0 || name.compare(0, 4, "aux:") == 0)) aux = name[1] == 'u', name.erase(0, 4);
    if (name.empty()) name = Text(params->count());  // a list
    if (params->Get(name)) FailFile(Status::kFormat, path, -1, Text("two arrays are named `", name, "`."));
    params->Set(name, a.second, aux);
  }
  return params;
}

std::string OptimizerToBytes(const Optimizer& optimizer) {
  auto state = optimizer.Save();
  return SerializeSafetensors({std::move(state.arrays), std::move(state.text)});
}
Ref<Optimizer> OptimizerFromBytes(std::string_view bytes) {
  auto f = ParseSafetensors(bytes, "optimizer");
  return Optimizer::Restore({std::move(f.metadata), std::move(f.arrays)});
}

}  // namespace flx
