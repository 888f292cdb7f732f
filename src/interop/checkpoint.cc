// SPDX-License-Identifier: Apache-2.0
#include "interop/checkpoint.h"

#include <unordered_set>

#include "base/json.h"
#include "graph/json.h"
#include "interop/mxnet_params.h"

namespace flx {
namespace {
bool TakeOff(std::string_view prefix, std::string* name) {
  if (name->compare(0, prefix.size(), prefix) != 0) return false;
  name->erase(0, prefix.size());
  return true;
}
void WriteText(const std::string& text, const std::string& path) {
  FileSink out(path);
  out.Write(text.data(), int64_t(text.size()));
  out.Commit();
}
}  // namespace

Ref<Symbol> LoadSymbol(const std::string& path) {
  auto source = OpenFile(path);
  auto most = int64_t(JsonLimits().bytes);
  if (source->size() > most) FailFile(Status::kFormat, path, most, Text("the text has ", source->size(), " bytes, more than ", most, "."));
  std::string text(size_t(source->size()), '\0');
  source->Read(0, text.data(), int64_t(text.size()));
  return SymbolFromJson(text, path);
}
void SaveSymbol(const Symbol& symbol, const std::string& path) { WriteText(SymbolToJson(symbol), path); }

std::string CheckpointPath(const std::string& prefix, int epoch) {
  if (epoch < 0) Fail(Status::kArgument, "checkpoint", "`epoch` must be 0 or more, given ", epoch, ".");
  std::string digits = Text(epoch);
  return Text(prefix, "-", std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0'), digits, ".params");
}

ParamNames NamesOf(const NamedArrays& arrays) {
  bool named = false, prefixed = false, dots = false;
  for (auto& [name, array] : arrays) {
    named |= !name.empty();
    prefixed |= name.compare(0, 4, "arg:") == 0 || name.compare(0, 4, "aux:") == 0;
    dots |= name.find('.') != std::string::npos;
  }
  return prefixed ? ParamNames::kPrefixed : dots ? ParamNames::kStructural : named || arrays.empty() ? ParamNames::kFull : ParamNames::kNone;
}

void SplitParams(NamedArrays arrays, const Symbol* symbol, const std::string& file, NamedArrays* args, NamedArrays* aux) {
  ParamNames names = NamesOf(arrays);
  auto refuse = [&](const std::string& what) { FailFile(Status::kFormat, file, -1, what); };
  if (names == ParamNames::kNone) refuse(Text("holds a list of ", arrays.size(), " arrays without names; parameters of a symbol need them."));
  if (names == ParamNames::kStructural)
    refuse(Text("names such as `", arrays[0].first, "` are places in a Gluon block, not a symbol's. Save the block by export, or load the file into the block it is of."));
  if (names == ParamNames::kFull && !symbol && !arrays.empty()) refuse(Text("names such as `", arrays[0].first, "` need `arg:` or `aux:` in front, or a symbol that tells which they are."));
  std::unordered_set<std::string> seen, auxiliary;
  if (symbol)
    for (auto& name : symbol->Names(Part::kAuxiliary)) auxiliary.insert(name);
  for (auto& [name, array] : arrays) {
    bool is_aux = TakeOff("aux:", &name);
    if (!is_aux && !TakeOff("arg:", &name)) is_aux = auxiliary.count(name) != 0;
    if (!array) refuse(Text("`", name, "` is no array: MXNet wrote an empty one."));
    if (!seen.insert(name).second) refuse(Text("`", name, "` is there twice."));
    (is_aux ? aux : args)->emplace_back(name, array);
  }
}

Checkpoint LoadCheckpoint(const std::string& prefix, int epoch) {
  std::string params = CheckpointPath(prefix, epoch);
  Checkpoint c;
  c.symbol = LoadSymbol(prefix + "-symbol.json");
  SplitParams(LoadMxnetParams(params), c.symbol.get(), params, &c.args, &c.aux);
  return c;
}
void SaveCheckpoint(const Checkpoint& c, const std::string& prefix, int epoch) {
  std::string params = CheckpointPath(prefix, epoch);
  if (!c.symbol) Fail(Status::kArgument, "checkpoint", "needs a symbol.");
  NamedArrays all;
  for (auto& [name, array] : c.args) all.emplace_back("arg:" + name, array);
  for (auto& [name, array] : c.aux) all.emplace_back("aux:" + name, array);
  std::string text = SymbolToJson(*c.symbol);  // what cannot be written fails before anything is
  SaveMxnetParams(params, all);
  WriteText(text, prefix + "-symbol.json");
}

}  // namespace flx
