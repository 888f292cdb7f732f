// SPDX-License-Identifier: Apache-2.0
#include "graph/draw_layout.h"

#include <algorithm>

#include "graph/draw_order.h"

namespace flx {
namespace {
constexpr int kLine = 14;           // height of a line of text
constexpr int kPad = 7;             // around it
constexpr int kMargin = 10;         // around a picture
constexpr int kStraight = 18;       // lines leave a box straight down, beside their label
constexpr int kSlantMin = 22, kSlantMax = 90;
constexpr int kArrow = 9;           // ... and enter straight
constexpr int kApart = 4;           // of lines that enter a box
constexpr int kLanes = 8, kLane = 6;

// Letters of fixed-width fonts are 0.602 of their size wide; those of East Asia twice that.
int TextWidth(std::string_view utf8, int font) {
  int cells = 0;
  for (size_t i = 0; i < utf8.size(); ++i) {
    auto c = static_cast<unsigned char>(utf8[i]);
    if ((c & 0xc0) != 0x80) cells += c >= 0xe1 ? 2 : 1;
  }
  return (cells * font * 61 + 99) / 100;
}

class Maker {
 public:
  explicit Maker(const DrawGraph& g) : g_(g) { out_.graph = &g; }
  DrawLayout Make() {
    MakeBoxes();
    MakePorts();
    std::vector<int> left, right;
    std::vector<OrderEdge> edges;
    for (size_t i = 0; i < g_.nodes.size(); ++i) left.push_back((out_.boxes[i].width + 1) / 2), right.push_back(std::max(left.back(), reach_[i]));
    for (auto& e : g_.edges) edges.push_back({e.from, e.to, e.output});
    order_ = OrderGraph(left, right, edges);
    SetRows();
    SetPlaces();
    DrawLines();
    return std::move(out_);
  }

 private:
  void MakeBoxes() {
    for (auto& n : g_.nodes) {
      DrawBox b;
      for (auto& l : n.lines) b.width = std::max(b.width, TextWidth(l, kDrawFont)), b.lines.push_back({0, 0, l});
      b.width += 2 * kPad, b.height = int(n.lines.size()) * kLine + kPad;
      int at = kPad, tall = 0;
      for (auto& inner : n.inside) {
        DrawLayout l = LayOut(inner);
        l.x = at, l.y = b.height + kLine;
        b.lines.push_back({at, l.y - 4, inner.title});
        l.width = std::max(l.width, TextWidth(inner.title, kDrawFont) + kPad);
        at += l.width + kPad, tall = std::max(tall, l.height);
        b.inside.push_back(std::move(l));
      }
      if (!n.inside.empty()) b.height += kLine + tall + kPad, b.width = std::max(b.width, at);
      b.width += b.width & 1;
      out_.boxes.push_back(std::move(b));
    }
  }

  // Where lines leave a box: one place for each output that is used, with its label if it is not that of the next one.
  struct Leave { int output, x; const std::string* label; };
  void MakePorts() {
    leave_.resize(g_.nodes.size()), reach_.resize(g_.nodes.size());
    std::vector<int> entering(g_.nodes.size());
    for (auto& e : g_.edges) leave_[size_t(e.from)].push_back({e.output, 0, &e.label}), ++entering[size_t(e.to)];
    for (size_t i = 0; i < leave_.size(); ++i) {
      out_.boxes[i].width = std::max(out_.boxes[i].width, (entering[i] + 1) * kApart);
      auto& l = leave_[i];
      std::stable_sort(l.begin(), l.end(), [](auto& a, auto& b) { return a.output < b.output; });
      l.erase(std::unique(l.begin(), l.end(), [](auto& a, auto& b) { return a.output == b.output; }), l.end());
      bool same = std::all_of(l.begin(), l.end(), [&](auto& p) { return *p.label == *l[0].label; });
      int widest = 0, parts = int(l.size()) + 1;
      for (auto& p : l) widest = std::max(widest, TextWidth(*p.label, kDrawLabelFont) + 10);
      int& width = out_.boxes[i].width;
      // Labels that differ stand side by side, each beside its line.
      if (l.size() > 1) width = std::max(width, parts * (same ? 10 : widest));
      width += width & 1;
      for (size_t k = 0; k < l.size(); ++k) {
        l[k].x = width * int(k + 1) / parts - width / 2;
        if (same && k + 1 < l.size()) l[k].label = nullptr;
        else reach_[i] = std::max(reach_[i], l[k].x + TextWidth(*l[k].label, kDrawLabelFont) + 8);
      }
    }
  }

  void SetRows() {
    bottom_.assign(size_t(order_.layers), 0), top_ = bottom_;
    std::vector<int> slant(size_t(order_.layers), kSlantMin);
    for (size_t i = 0; i < g_.nodes.size(); ++i) {
      int& h = bottom_[size_t(order_.layer[i])];
      h = std::max(h, out_.boxes[i].height);
    }
    for (size_t e = 0; e < g_.edges.size(); ++e) {  // a line that goes far aside needs some height for it
      int at = order_.x[size_t(g_.edges[e].from)], l = order_.layer[size_t(g_.edges[e].from)];
      auto step = [&](int x) {
        slant[size_t(l)] = std::max(slant[size_t(l)], std::min(kSlantMax, std::abs(x - at) / 8));
        at = x, ++l;
      };
      for (int x : order_.bends[e]) step(x);
      if (!order_.around[e]) step(order_.x[size_t(g_.edges[e].to)]);
    }
    int y = kMargin;
    for (size_t l = 0; l < bottom_.size(); ++l) top_[l] = y, bottom_[l] += y, y = bottom_[l] + kStraight + slant[l];
    out_.height = bottom_.empty() ? 2 * kMargin : bottom_.back() + kMargin;
  }

  void SetPlaces() {
    int shift = kMargin - order_.left;
    for (size_t i = 0; i < out_.boxes.size(); ++i) {
      DrawBox& b = out_.boxes[i];
      order_.x[i] += shift;
      b.x = order_.x[i] - b.width / 2, b.y = top_[size_t(order_.layer[i])];
      for (size_t k = 0; k < b.lines.size(); ++k) {
        if (k < g_.nodes[i].lines.size()) {
          DrawText& t = b.lines[k];
          t.x = b.inside.empty() ? (b.width - TextWidth(t.text, kDrawFont)) / 2 : kPad;
          t.y = kPad / 2 + kLine * int(k + 1) - 3;
        }
        b.lines[k].x += b.x, b.lines[k].y += b.y;
      }
      for (auto& p : leave_[i])
        if (p.label && !p.label->empty()) out_.labels.push_back({order_.x[i] + p.x + 5, b.y + b.height + 13, *p.label});
    }
    for (auto& bends : order_.bends)
      for (int& x : bends) x += shift;
    out_.width = order_.right + shift + kMargin;
    if (std::count(order_.around.begin(), order_.around.end(), true)) edge_ = out_.width, out_.width += kLanes * kLane + kMargin;
  }

  void DrawLines() {
    // Lines enter a box side by side, in the order in which they come.
    std::vector<std::vector<std::pair<int, int>>> entering(g_.nodes.size());
    for (size_t e = 0; e < g_.edges.size(); ++e) {
      int come = order_.around[e] ? edge_ : order_.bends[e].empty() ? LeaveAt(g_.edges[e]) : order_.bends[e].back();
      entering[size_t(g_.edges[e].to)].push_back({come, int(e)});
    }
    std::vector<int> enter(g_.edges.size());
    for (size_t i = 0; i < entering.size(); ++i) {
      std::stable_sort(entering[i].begin(), entering[i].end());
      const DrawBox& b = out_.boxes[i];
      for (size_t k = 0; k < entering[i].size(); ++k) enter[size_t(entering[i][k].second)] = b.x + b.width * int(k + 1) / (int(entering[i].size()) + 1);
    }
    int lane = 0;
    for (size_t e = 0; e < g_.edges.size(); ++e) {
      const OrderEdge edge{g_.edges[e].from, g_.edges[e].to, g_.edges[e].output};
      const DrawBox &from = out_.boxes[size_t(edge.from)], &to = out_.boxes[size_t(edge.to)];
      DrawLine line{edge.from, edge.to, {}};
      int x = LeaveAt(g_.edges[e]), l = order_.layer[size_t(edge.from)];
      line.points.push_back({x, from.y + from.height});
      line.points.push_back({x, bottom_[size_t(l)] + kStraight});
      for (int bend : order_.bends[e]) {
        ++l;
        line.points.push_back({bend, top_[size_t(l)]});
        line.points.push_back({bend, bottom_[size_t(l)] + kStraight});
      }
      if (order_.around[e]) {
        int aside = edge_ + kLane * (lane++ % kLanes);
        line.points.push_back({aside, bottom_[size_t(l)] + kStraight});
        line.points.push_back({aside, to.y - kArrow});
      }
      line.points.push_back({enter[e], to.y - kArrow});
      line.points.push_back({enter[e], to.y});
      // points on a straight line say nothing
      auto& p = line.points;
      size_t kept = 1;
      for (size_t k = 1; k < p.size(); ++k) {
        bool straight = kept > 1 && p[kept - 2].x == p[kept - 1].x && p[kept - 1].x == p[k].x;
        p[straight ? kept - 1 : kept++] = p[k];
      }
      p.resize(kept);
      out_.lines.push_back(std::move(line));
    }
  }
  int LeaveAt(const DrawEdge& e) const {
    auto& l = leave_[size_t(e.from)];
    auto p = std::lower_bound(l.begin(), l.end(), e.output, [](auto& leave, int output) { return leave.output < output; });
    return order_.x[size_t(e.from)] + p->x;
  }

  const DrawGraph& g_;
  DrawLayout out_;
  OrderResult order_;
  std::vector<std::vector<Leave>> leave_;
  std::vector<int> reach_;        // by node: how far its labels go to the right
  std::vector<int> top_, bottom_;  // by layer
  int edge_ = 0;                  // where the lanes of lines that go round begin
};
}  // namespace

DrawLayout LayOut(const DrawGraph& graph) { return Maker(graph).Make(); }

}  // namespace flx
