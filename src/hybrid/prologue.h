// SPDX-License-Identifier: Apache-2.0
// What depends on fixed inputs only (packed weights, folded statistics) is cut out of a graph and computed once for each version of them.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hybrid/ir.h"

namespace flx {

// Shared by all plans of a cached graph: another batch size computes nothing anew.
class KeptValues {
 public:
  struct Source { NDArray array; uint64_t version = 0; };
  // The value computed from these sources as `key` says, or null.
  NDArray Find(const std::string& key, const std::vector<Source>& sources) const;
  void Put(const std::string& key, std::vector<Source> sources, NDArray value);
  int64_t bytes() const;
  // A short name for what `text` says, the same for the same text: a value that is used twice by what is used twice ... has a text of any length.
  std::string NameOf(const std::string& text);

 private:
  struct Entry { std::vector<Source> sources; NDArray value; };
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, uint64_t> names_;
  uint64_t named_ = 0;
};

class Prologue {
 public:
  // Cuts it out; `ir` then takes what it computes as further inputs, behind its own. Null: there is nothing to cut.
  static std::unique_ptr<Prologue> Cut(Ir* ir, KeptValues* kept);
  int count() const { return int(outputs_.size()); }
  using Values = std::shared_ptr<const std::vector<NDArray>>;
  // For these inputs of the whole graph.
  Values Get(const NDArray* inputs, KeptValues* kept) const;
  std::string Print() const { return ir_.Print(); }

 private:
  Ir ir_;
  struct Output { int32_t value; std::string key; std::vector<int32_t> sources; };  // sources: inputs of the whole graph
  std::vector<Output> outputs_;
  std::vector<int32_t> inputs_;          // of the whole graph, those it reads
  mutable std::mutex mutex_;
  mutable std::vector<KeptValues::Source> seen_;
  mutable Values values_;
};

}  // namespace flx
