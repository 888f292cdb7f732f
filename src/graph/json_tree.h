// SPDX-License-Identifier: Apache-2.0
// A graph as its file says it: what json_read.cc reads, json_upgrade.cc changes, and nodes are made of. Private to these files.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "graph/inside.h"
#include "graph/symbol.h"

namespace flx::graph_json {

constexpr int Version(int major, int minor, int patch) { return major * 10000 + minor * 100 + patch; }
constexpr int kWritten = Version(1, 9, 1);
constexpr int kUnversioned = Version(0, 8, 0);  // what a file is that does not say

struct FileEntry { size_t node = 0; int32_t output = 0; int64_t at = 0; };
struct FileGraph;
struct FileNode {
  const OpDef* op = nullptr;  // null: a variable
  std::string name;
  AttrDict texts;
  std::vector<FileEntry> inputs;   // of nodes before this one, or of variables that an upgrade added
  std::vector<FileGraph> subgraphs;
  int64_t at = 0;                  // where the file is at its end, for messages
};
struct FileGraph {
  std::vector<FileNode> nodes;
  std::vector<FileEntry> heads;
};

// What `version` still lacked, done as MXNet's loader does it. Errors are those of attributes, without a place.
void UpgradeNode(FileGraph* graph, size_t node, int version);
// The texts of a node that hold a shape which may be unknown: null if it has none. Legacy texts have 0 for unknown, ours -1.
const char* ShapeKey(const OpDef* op);
// "(0, 3)" to "(-1, 3)"; false: of unknown rank. What is no shape stays as it is.
bool FromLegacyShape(std::string* text);
void ToLegacyShape(std::string* text);
bool NeedsNpShape(const std::string& text);  // has a size of 0, or no axes

}  // namespace flx::graph_json
