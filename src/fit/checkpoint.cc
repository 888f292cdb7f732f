// SPDX-License-Identifier: Apache-2.0
// What a fit needs to go on exactly: parameters, the optimizer's states, the random stream, the history. One file, so that its parts fit together
// whenever the process dies; the model beside it is for use.
#include <unistd.h>

#include "fit/fit_task.h"
#include "interop/safetensors.h"

namespace flx {

bool FitTask::WriteCheckpoint(const Deadline& d) {
  if (exchange_ && exchange_->rank() > 0) return true;  // one worker writes for all
  for (auto& p : model_->params()->all())
    if (!WaitToRead(*p.array, d.left())) return false;
  std::unique_lock<std::mutex> lock(optimizer_->mutex());
  auto state = optimizer_->Save();
  lock.unlock();
  for (auto& a : state.arrays)
    if (!WaitToRead(*a.second, d.left())) return false;
  model_->Save(options_.checkpoint);
  Safetensors f;
  for (auto& p : model_->params()->all()) f.arrays.emplace_back((p.aux ? "state/" : "param/") + p.name, p.array);
  for (auto& a : state.arrays) f.arrays.emplace_back("optimizer/" + a.first, a.second);
  f.arrays.emplace_back("history", History());
  for (auto& kv : state.text) f.metadata["optimizer." + kv.first] = kv.second;
  f.metadata["flexor.fit"] = "1";
  f.metadata["layer"] = model_->layer()->ToJson();
  f.metadata["epoch"] = flx::Text(epoch_), f.metadata["seed"] = flx::Text(seed_), f.metadata["ticket"] = flx::Text(tickets_.ticket);
  f.metadata["best"] = flx::Text(best_), f.metadata["since_best"] = flx::Text(since_best_);
  f.metadata["columns"] = Join(columns_, ",");
  SaveSafetensors(StatePath(), f);
  return true;
}

bool FitTask::ReadCheckpoint() {
  std::string path = StatePath();
  if (access(path.c_str(), F_OK) != 0) return false;
  Safetensors f = LoadSafetensors(path);
  auto refuse = [&](const std::string& why) { FailFile(Status::kFormat, path, -1, why); };
  auto text = [&](const char* key) -> const std::string& {
    auto it = f.metadata.find(key);
    if (it == f.metadata.end()) refuse(flx::Text("it is no checkpoint of a fit: `", key, "` is missing."));
    return it->second;
  };
  auto number = [&](const char* key) {
    int64_t n = 0;
    if (!ParseInt(text(key), &n)) refuse(flx::Text("`", key, "` must be a whole number, it is `", text(key), "`."));
    return n;
  };
  if (text("flexor.fit") != "1") refuse(flx::Text("the checkpoint is of format `", text("flexor.fit"), "`, this library reads format 1."));
  if (text("layer") != model_->layer()->ToJson()) refuse("the checkpoint is of another network. Give another path, or the same network.");
  if (text("columns") != Join(columns_, ","))
    refuse(flx::Text("the checkpoint was made with the columns ", text("columns"), ", this fit has ", Join(columns_, ","), ". Give the same metrics and validation data."));
  Optimizer::State state;
  NDArray history;
  std::vector<Param> params;
  for (auto& a : f.arrays) {
    auto begins = [&](std::string_view with) { return a.first.compare(0, with.size(), with) == 0; };
    if (begins("param/")) params.push_back({a.first.substr(6), a.second, false});
    else if (begins("state/")) params.push_back({a.first.substr(6), a.second, true});
    else if (begins("optimizer/")) state.arrays.emplace_back(a.first.substr(10), a.second);
    else if (a.first == "history") history = a.second;
    else refuse(flx::Text("the array `", a.first, "` is not expected."));
  }
  for (auto& kv : f.metadata)
    if (kv.first.compare(0, 10, "optimizer.") == 0) state.text[kv.first.substr(10)] = kv.second;
  int64_t epoch = number("epoch"), ticket = number("ticket"), since = number("since_best"), width = int64_t(columns_.size());
  if (epoch < 1 || ticket < 0 || since < 0 || !history || history->shape != Shape{epoch, width} || history->dtype != DType::kFloat64)
    refuse("epoch, ticket and history do not fit together.");
  if (!ParseDouble(text("best"), &best_)) refuse("`best` must be a number.");
  // a seed is any of 64 bits: to_chars wrote it unsigned
  uint64_t seed = 0;
  for (char c : text("seed")) {
    if (c < '0' || c > '9') refuse("`seed` must be a whole number.");
    seed = seed * 10 + uint64_t(c - '0');
  }
  {
    std::lock_guard<std::mutex> lock(optimizer_->mutex());
    optimizer_->Load(state);
    // this fit may go on for more epochs than the first was to have; a schedule ends with it
    if (train_.batches()) optimizer_->SetLength(int64_t(optimizer_->Get("step")) + train_.batches() * std::max<int64_t>(0, options_.epochs - epoch));
  }
  for (auto& p : params) model_->params()->Set(p.name, p.array, p.aux);
  std::vector<double> all(size_t(history->size()));
  ReadArray(*history, all.data(), history->bytes(), DType::kFloat64, false);
  for (int64_t i = 0; i < epoch; ++i) history_.emplace_back(all.begin() + i * width, all.begin() + (i + 1) * width);
  seed_ = seed, tickets_ = {seed, uint64_t(ticket)}, epoch_ = epoch, since_best_ = since;
  return true;
}

}  // namespace flx
