// SPDX-License-Identifier: Apache-2.0
// Places for the nodes of a graph without circles: layers by longest path, an order within each layer that crosses few lines (barycenters, in sweeps), and x
// coordinates that make lines straight (weighted least squares in sweeps, boxes kept apart). All of it is deterministic, and its work is bounded: lines that are
// so long that their bends would be too many go round the picture.
#pragma once
#include <vector>

namespace flx {

struct OrderEdge { int from = 0, to = 0, output = 0; };  // from < to: nodes stand in order
struct OrderResult {
  std::vector<int> layer, x;            // by node; x of its middle
  int layers = 0;
  int left = 0, right = 0;              // of everything
  std::vector<std::vector<int>> bends;  // by edge: x in each layer between its ends
  std::vector<bool> around;             // by edge: goes round the picture, without bends
};
// left, right: what a node needs on either side of its middle.
OrderResult OrderGraph(const std::vector<int>& left, const std::vector<int>& right, const std::vector<OrderEdge>& edges);

}  // namespace flx
