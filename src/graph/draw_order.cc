// SPDX-License-Identifier: Apache-2.0
#include "graph/draw_order.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdint>
#include <map>

namespace flx {
namespace {
constexpr int kMostBends = 40000;   // in a picture
constexpr int kBetween = 14;        // what stands side by side is so far apart
constexpr int kBendHalf = 2;        // half the room of a line that passes
constexpr int kOrderSweeps = 14, kPlaceSweeps = 16, kPlaceSweepsSmall = 80;

// What stands in layers: nodes first, then bends.
class Layered {
 public:
  Layered(const std::vector<int>& left, const std::vector<int>& right, const std::vector<OrderEdge>& edges)
      : n_(int(left.size())), edges_(edges), left_(left), right_(right), layer_(left.size()) {
    FindLayers();
    MakeBends();
    BestOrder();
    Place();
  }
  OrderResult Result() {
    OrderResult r;
    r.layers = int(rows_.size());
    r.layer.assign(layer_.begin(), layer_.begin() + n_);
    for (int i = 0; i < n_; ++i) r.x.push_back(Whole(i));
    r.left = INT_MAX, r.right = INT_MIN;
    for (int i = 0; i < int(layer_.size()); ++i) r.left = std::min(r.left, Whole(i) - left_[size_t(i)]), r.right = std::max(r.right, Whole(i) + right_[size_t(i)]);
    r.around = around_;
    r.bends.resize(edges_.size());
    for (size_t e = 0; e < edges_.size(); ++e)
      for (int k = 0, m = layer_[size_t(edges_[e].to)] - layer_[size_t(edges_[e].from)] - 1; !around_[e] && k < m; ++k) r.bends[e].push_back(Whole(chain_[e] + k));
    return r;
  }

 private:
  int Whole(int i) const { return int(std::lround(x_[size_t(i)])); }
  int Span(const OrderEdge& e) const { return layer_[size_t(e.to)] - layer_[size_t(e.from)]; }

  void FindLayers() {
    std::vector<int> first_use(size_t(n_), INT_MAX);
    std::vector<bool> reads(static_cast<size_t>(n_));
    // Edges come by their ends, so a node's layer is known before it is used.
    for (auto& e : edges_) layer_[size_t(e.to)] = std::max(layer_[size_t(e.to)], layer_[size_t(e.from)] + 1), reads[size_t(e.to)] = true;
    for (auto& e : edges_) first_use[size_t(e.from)] = std::min(first_use[size_t(e.from)], layer_[size_t(e.to)]);
    int last = 0;
    for (int i = 0; i < n_; ++i) {
      if (!reads[size_t(i)] && first_use[size_t(i)] < INT_MAX) layer_[size_t(i)] = first_use[size_t(i)] - 1;  // data stand just above their use
      last = std::max(last, layer_[size_t(i)]);
    }
    rows_.resize(size_t(n_ ? last + 1 : 0));
  }

  // A line that passes a layer has a bend there. Lines from one output share theirs.
  void MakeBends() {
    std::map<std::pair<int, int>, int> longest;
    auto count = [&](int most) {
      int64_t sum = 0;
      longest.clear();
      for (auto& e : edges_)
        if (Span(e) <= most) {
          int& l = longest[{e.from, e.output}];
          l = std::max(l, Span(e) - 1);
        }
      for (auto& l : longest) sum += l.second;
      return sum;
    };
    int most = int(rows_.size());
    while (most > 8 && count(most) > kMostBends) most /= 2;
    if (count(most) > kMostBends) most = 1, count(most);
    std::map<std::pair<int, int>, int> begin;
    for (auto& l : longest) {
      begin[l.first] = int(layer_.size());
      for (int k = 1; k <= l.second; ++k) layer_.push_back(layer_[size_t(l.first.first)] + k), left_.push_back(kBendHalf), right_.push_back(kBendHalf);
    }
    up_.resize(layer_.size()), down_.resize(layer_.size());
    auto link = [&](int a, int b) {
      auto& d = down_[size_t(a)];
      if (!d.empty() && d.back() == b) return;  // edges come by their ends
      d.push_back(b), up_[size_t(b)].push_back(a);
    };
    for (auto& l : longest)
      for (int k = 0, at = l.first.first; k < l.second; ++k) down_[size_t(at)].push_back(begin[l.first] + k), up_[size_t(begin[l.first] + k)].push_back(at), at = begin[l.first] + k;
    for (auto& e : edges_) {
      around_.push_back(Span(e) > most);
      chain_.push_back(around_.back() || Span(e) == 1 ? 0 : begin[{e.from, e.output}]);
      if (!around_.back()) link(Span(e) == 1 ? e.from : chain_.back() + Span(e) - 2, e.to);
    }
    // The first order is that of a walk from the ends, depth first, so that branches stay together.
    std::vector<bool> seen(layer_.size());
    std::vector<int> open;
    for (int head = n_ - 1; head >= 0; --head) {
      if (seen[size_t(head)]) continue;
      open.push_back(head), seen[size_t(head)] = true;
      while (!open.empty()) {
        int at = open.back();
        open.pop_back();
        rows_[size_t(layer_[size_t(at)])].push_back(at);
        for (size_t k = up_[size_t(at)].size(); k-- > 0;)
          if (int in = up_[size_t(at)][k]; !seen[size_t(in)]) seen[size_t(in)] = true, open.push_back(in);
      }
    }
    for (int i = n_; i < int(layer_.size()); ++i)
      if (!seen[size_t(i)]) rows_[size_t(layer_[size_t(i)])].push_back(i);
    place_.resize(layer_.size());
    for (auto& row : rows_) Number(row);
  }
  void Number(const std::vector<int>& row) {
    for (size_t k = 0; k < row.size(); ++k) place_[size_t(row[k])] = int(k);
  }

  int64_t Crossings() const {
    int64_t sum = 0;
    std::vector<int> ends, tree;
    for (size_t l = 0; l + 1 < rows_.size(); ++l) {
      ends.clear();
      for (int a : rows_[l]) {
        size_t from = ends.size();
        for (int b : down_[size_t(a)]) ends.push_back(place_[size_t(b)]);
        std::sort(ends.begin() + int64_t(from), ends.end());
      }
      tree.assign(rows_[l + 1].size() + 1, 0);
      int seen = 0;
      for (int p : ends) {  // those before that end further to the right
        int before = 0;
        for (int k = p + 1; k > 0; k &= k - 1) before += tree[size_t(k)];
        sum += seen++ - before;
        for (int k = p + 1; k < int(tree.size()); k += k & -k) ++tree[size_t(k)];
      }
    }
    return sum;
  }
  void BestOrder() {
    auto best = rows_;
    int64_t fewest = Crossings();
    std::vector<std::pair<double, int>> keyed;
    for (int sweep = 0, idle = 0; sweep < kOrderSweeps && fewest && idle < 4; ++sweep) {
      bool down = sweep % 2 == 0;
      for (size_t k = 1; k < rows_.size(); ++k) {
        auto& row = rows_[down ? k : rows_.size() - 1 - k];
        keyed.clear();
        for (int i : row) {
          auto& by = down ? up_[size_t(i)] : down_[size_t(i)];
          double sum = 0;
          for (int j : by) sum += place_[size_t(j)];
          keyed.push_back({by.empty() ? place_[size_t(i)] : sum / double(by.size()), i});
        }
        std::stable_sort(keyed.begin(), keyed.end(), [](auto& a, auto& b) { return a.first < b.first; });
        for (size_t j = 0; j < row.size(); ++j) row[j] = keyed[j].second;
        Number(row);
      }
      int64_t now = Crossings();
      if (now < fewest) fewest = now, best = rows_, idle = 0;
      else ++idle;
    }
    rows_ = std::move(best);
    for (auto& row : rows_) Number(row);
  }

  bool Bend(int i) const { return i >= n_; }
  // Lines between bends should be straight before all else.
  double Pull(int a, int b) const { return Bend(a) && Bend(b) ? 8 : Bend(a) || Bend(b) ? 2 : 1; }
  void Place() {
    x_.assign(layer_.size(), 0);
    for (auto& row : rows_) {
      double at = 0;
      for (size_t k = 0; k < row.size(); ++k) at += k ? Apart(row[k - 1], row[k]) : 0, x_[size_t(row[k])] = at;
    }
    int sweeps = layer_.size() < 5000 ? kPlaceSweepsSmall : kPlaceSweeps;
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      bool down = sweep % 2 == 0, both = sweep >= sweeps / 2;
      for (size_t k = 0; k < rows_.size(); ++k) PlaceRow(rows_[down ? k : rows_.size() - 1 - k], down || both, !down || both);
    }
  }
  double Apart(int a, int b) const { return right_[size_t(a)] + left_[size_t(b)] + kBetween; }
  // The places nearest to where each wants to be, in order and apart: what is too near is joined to a block, which stands at its mean.
  void PlaceRow(const std::vector<int>& row, bool by_up, bool by_down) {
    struct Block { double wish, weight; size_t count; };
    std::vector<Block> blocks;
    double offset = 0;
    for (size_t k = 0; k < row.size(); ++k) {
      int i = row[k];
      double sum = 0, weight = 0;
      auto pull = [&](const std::vector<int>& by) {
        for (int j : by) sum += Pull(i, j) * x_[size_t(j)], weight += Pull(i, j);
      };
      if (by_up) pull(up_[size_t(i)]);
      if (by_down) pull(down_[size_t(i)]);
      offset += k ? Apart(row[k - 1], i) : 0;
      double wish = weight > 0 ? sum / weight : x_[size_t(i)];
      blocks.push_back({wish - offset, weight > 0 ? weight : 0.01, 1});
      while (blocks.size() > 1 && blocks[blocks.size() - 2].wish > blocks.back().wish) {
        Block b = blocks.back();
        blocks.pop_back();
        Block& a = blocks.back();
        a.wish = (a.wish * a.weight + b.wish * b.weight) / (a.weight + b.weight), a.weight += b.weight, a.count += b.count;
      }
    }
    size_t k = 0;
    offset = 0;
    for (auto& b : blocks)
      for (size_t c = 0; c < b.count; ++c, ++k) offset += k ? Apart(row[k - 1], row[k]) : 0, x_[size_t(row[k])] = b.wish + offset;
  }

  const int n_;
  const std::vector<OrderEdge>& edges_;
  std::vector<int> left_, right_, layer_;
  std::vector<std::vector<int>> up_, down_, rows_;
  std::vector<int> chain_, place_;
  std::vector<bool> around_;
  std::vector<double> x_;
};
}  // namespace

OrderResult OrderGraph(const std::vector<int>& left, const std::vector<int>& right, const std::vector<OrderEdge>& edges) {
  return Layered(left, right, edges).Result();
}

}  // namespace flx
