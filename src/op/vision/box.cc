// SPDX-License-Identifier: Apache-2.0
// _contrib_box_iou and _contrib_box_nms: their definitions.
#include "op/nn/wide.h"
#include "op/vision/vision.h"

namespace flx {
namespace {

// The sides of boxes (n, 4) as columns (n, 1), clipped to at least 0: left, top, right, bottom, area.
struct Columns { Val l, t, r, b, area; };
Val Relu(Val x) { return CallOp("relu", {x}); }
Columns Split(Val boxes, BoxFormat f, const Shape& as) {
  Val c[4];
  for (int i = 0; i < 4; ++i) c[i] = ReshapeTo(CallOp("slice_axis", {boxes}, {{"axis", "1"}, {"begin", Text(i)}, {"end", Text(i + 1)}}), as);
  if (f == BoxFormat::kCenter) {
    Val w = c[2] * 0.5, h = c[3] * 0.5, x = c[0], y = c[1];
    c[0] = x - w, c[1] = y - h, c[2] = x + w, c[3] = y + h;
  }
  return {c[0], c[1], c[2], c[3], Relu(c[2] - c[0]) * Relu(c[3] - c[1])};
}
OpDef BoxIouOp() {
  return Op<BoxIouAttrs>("_contrib_box_iou")
      .example("_contrib_box_iou(lhs (5, 4), rhs (2, 4)): (5, 2)")
      .family("vision")
      .doc("How much each box of one array overlaps each box of another: the area they share, divided by the area they cover together.")
      .attr(&BoxIouAttrs::format, "format", "corner: boxes are (xmin, ymin, xmax, ymax); center: (x, y, width, height) around the centre.")
      .input("lhs", "(..., 4), boxes.")
      .input("rhs", "(..., 4), boxes.")
      .output("output", "The leading axes of lhs, then those of rhs.")
      .types(SameFloat)
      .infer([](Infer& c, const BoxIouAttrs&) {
        Shape y;
        for (int i = 0; i < 2; ++i) {
          if (!c.x(i).rank_known()) return;
          Shape s = c.x(i);
          c.Expect(s.ndim() >= 1 && (s.back() == 4 || s.back() < 0), "input `", c.InputName(i), "` must have a last axis of size 4, given shape ", s, ".");
          s[s.ndim() - 1] = 4;
          c.set_x(i, s);
          for (int k = 0; k < s.ndim() - 1; ++k) y.push_back(s[k]);
        }
        c.set_y(0, y);
        Shape l = c.x(0), r = c.x(1);
        for (int k = 0; k < l.ndim() - 1; ++k) l[k] = c.y(0)[k];
        for (int k = 0; k < r.ndim() - 1; ++k) r[k] = c.y(0)[k + l.ndim() - 1];
        c.set_x(0, l);
        c.set_x(1, r);
      })
      .compose([](const std::vector<Val>& x, const BoxIouAttrs& a) {
        Shape l = ShapeOf(x[0]), r = ShapeOf(x[1]), y;
        for (int k = 0; k < l.ndim() - 1; ++k) y.push_back(l[k]);
        for (int k = 0; k < r.ndim() - 1; ++k) y.push_back(r[k]);
        int64_t n = l.size() / 4, m = r.size() / 4;
        Columns p = Split(ReshapeTo(x[0], {n, 4}), a.format, {n, 1}), q = Split(ReshapeTo(x[1], {m, 4}), a.format, {1, m});
        auto least = [](Val u, Val v) { return CallOp("broadcast_minimum", {u, v}); };
        auto most = [](Val u, Val v) { return CallOp("broadcast_maximum", {u, v}); };
        Val inter = Relu(least(p.r, q.r) - most(p.l, q.l)) * Relu(least(p.b, q.b) - most(p.t, q.t));
        Val all = p.area + q.area - inter;
        all = all + CallOp("_equal_scalar", {all}, {{"scalar", "0"}});  // nothing shared of nothing is 0
        return std::vector<Val>{ReshapeTo(inter / all, y)};
      })
      .cost([](const BoxIouAttrs&, const Shape* x, int) { return double(x[0].size()) * double(x[1].size()); })
      .kernel<BoxIouKernel>();
}

Op<BoxNmsAttrs> NmsLike(const char* name) {
  return Op<BoxNmsAttrs>(name)
      .family("vision")
      .attr(&BoxNmsAttrs::overlap_thresh, "overlap_thresh", "A box that overlaps a better one by more than this is dropped.")
      .attr(&BoxNmsAttrs::valid_thresh, "valid_thresh", "Boxes whose score is not above it are dropped.")
      .attr(&BoxNmsAttrs::topk, "topk", "Only so many boxes with the best scores are looked at; -1: all.")
      .attr(&BoxNmsAttrs::coord_start, "coord_start", "Where in a row the four coordinates begin.").range(0, 1 << 30)
      .attr(&BoxNmsAttrs::score_index, "score_index", "Where the score stands.").range(0, 1 << 30)
      .attr(&BoxNmsAttrs::id_index, "id_index", "Where the class stands; -1: all boxes are of one class.")
      .attr(&BoxNmsAttrs::background_id, "background_id", "Boxes of this class are dropped; -1: none is.")
      .attr(&BoxNmsAttrs::force_suppress, "force_suppress", "Boxes of other classes are compared, too.")
      .attr(&BoxNmsAttrs::in_format, "in_format", "How coordinates are given: corner (xmin, ymin, xmax, ymax) or center (x, y, width, height).")
      .attr(&BoxNmsAttrs::out_format, "out_format", "How they are returned.");
}
OpDef BoxNmsOp() {
  return NmsLike("_contrib_box_nms")
      .example("_contrib_box_nms(data (1, 5, 6)): (1, 5, 6)")
      .alias("_contrib_box_non_maximum_suppression")
      .traits(kNoSecond)
      .doc("Non-maximum suppression: of boxes that overlap, the one with the best score is kept. Kept rows come first, by falling score; the rest is filled with -1.")
      .input("data", "(..., boxes, row), rows with a score, four coordinates, and what else there is.")
      .output("output", "As data.")
      .hidden("rows", "Which row of data each row of the result is, -1: none. What the gradient needs.")
      .types([](Infer& c, const BoxNmsAttrs&) {
        NeedFloat(c, 0);
        c.set_x_type(0, c.y_type(0));
        c.set_y_type(0, c.x_type(0));
        c.set_y_type(1, DType::kInt64);
      })
      .infer([](Infer& c, const BoxNmsAttrs& a) {
        c.set_x(0, c.y(0));
        c.set_y(0, c.x(0));
        Shape s = c.x(0);
        if (!s.rank_known()) return;
        c.Expect(s.ndim() >= 2, "data must have at least two axes, boxes and the row of each, given shape ", s, ".");
        c.Expect(s.back() < 0 || (a.coord_start + 4 <= s.back() && a.score_index < s.back() && a.id_index < s.back()),
                 "a row must hold what coord_start, score_index and id_index name, given rows of ", s.back(), " numbers.");
        s.Erase(s.ndim() - 1);
        c.set_y(1, s);
      })
      .gradient([](Grad& g, const BoxNmsAttrs& a) {
        if (g.want(0)) g.dx[0] = CallWith("_box_nms_grad", {g.y(1), g.dy(0)}, a);
      })
      .cost([](const BoxNmsAttrs&, const Shape* x, int) { return double(x[0].size()) * 32; })
      .kernel<BoxNmsKernel>();
}
OpDef BoxNmsGradOp() {
  return NmsLike("_box_nms_grad")
      .traits(kInternal | kNoSecond)
      .doc("Gradient of _contrib_box_nms: each kept row's gradient goes back to the row it came from.")
      .input("rows", "_contrib_box_nms's hidden output.")
      .input("dy", "The gradient of its result.")
      .output("dx", "The gradient of its data.")
      .types([](Infer& c, const BoxNmsAttrs&) {
        c.set_x_type(0, DType::kInt64);
        c.set_x_type(1, c.y_type(0));
        c.set_y_type(0, c.x_type(1));
      })
      .infer([](Infer& c, const BoxNmsAttrs&) {
        c.set_x(1, c.y(0));
        c.set_y(0, c.x(1));
        if (!c.x(1).rank_known() || c.x(1).ndim() < 1) return;
        Shape s = c.x(1);
        s.Erase(s.ndim() - 1);
        c.set_x(0, s);
      })
      .kernel<BoxNmsGradKernel>();
}
}  // namespace

void AddBoxOps(std::vector<OpDef>* ops) {
  for (auto* make : {&BoxIouOp, &BoxNmsOp, &BoxNmsGradOp}) ops->push_back(make());
}

}  // namespace flx
