// SPDX-License-Identifier: Apache-2.0
// The three operators of single-shot detectors (Liu et al., 2016): anchors, what each anchor should learn, and boxes from what was learnt.
#include "op/nn/wide.h"
#include "op/vision/vision.h"

namespace flx {
namespace {

// Sizes that several arrays share: -1 while unknown. `times` is what the axis holds for each.
struct Shared {
  Infer& c;
  int64_t n = -1;
  void Learn(const Shape& s, int ndim, int axis, int64_t times = 1) {
    if (n < 0 && s.rank_known() && s.ndim() == ndim && s[axis] >= 0 && s[axis] % times == 0) n = s[axis] / times;
  }
  int64_t Times(int64_t k) const { return n < 0 ? -1 : n * k; }
};
void CheckFour(Infer& c, const char* name, size_t given, size_t want) {
  c.Expect(given == want, "attribute `", name, "` must have ", int64_t(want), " numbers, given ", int64_t(given), ".");
}

OpDef MultiBoxPriorOp() {
  return Op<MultiBoxPriorAttrs>("_contrib_MultiBoxPrior")
      .example("_contrib_MultiBoxPrior(data (1, 8, 4, 4), sizes=(0.5, 0.25), ratios=(1, 2)): (1, 48, 4)")
      .alias("_npx_multibox_prior")
      .family("vision")
      .doc("The anchor boxes of a feature map: at each place one of each size with the first ratio, then one of each further ratio with the first size. Corners, in parts of the image's sides.")
      .attr(&MultiBoxPriorAttrs::sizes, "sizes", "Sizes of the anchors, in parts of the image's height.")
      .attr(&MultiBoxPriorAttrs::ratios, "ratios", "Their ratios of width to height.")
      .attr(&MultiBoxPriorAttrs::clip, "clip", "Cut off what reaches out of the image.")
      .attr(&MultiBoxPriorAttrs::steps, "steps", "The distance of places, (y, x); -1: even over the image.")
      .attr(&MultiBoxPriorAttrs::offsets, "offsets", "Where the anchors' centres lie within a step, (y, x).")
      .input("data", "(batch, channel, height, width); only the shape is read.")
      .output("output", "(1, height * width * (sizes + ratios - 1), 4).")
      .types(SameFloat)
      .infer([](Infer& c, const MultiBoxPriorAttrs& a) {
        CheckFour(c, "steps", a.steps.size(), 2);
        CheckFour(c, "offsets", a.offsets.size(), 2);
        c.Expect(!a.sizes.empty() && !a.ratios.empty(), "expected at least one size and one ratio.");
        const Shape& x = c.x(0);
        c.Expect(!x.rank_known() || x.ndim() == 4, "data must have four axes (batch, channel, height, width), given shape ", x, ".");
        bool sized = x.rank_known() && x[2] >= 0 && x[3] >= 0;
        c.set_y(0, Shape{1, sized ? x[2] * x[3] * int64_t(a.sizes.size() + a.ratios.size() - 1) : -1, 4});
      })
      .zero_gradient()
      .kernel<MultiBoxPriorKernel>();
}
OpDef MultiBoxTargetOp() {
  return Op<MultiBoxTargetAttrs>("_contrib_MultiBoxTarget")
      .example("_contrib_MultiBoxTarget(anchor (1, 5, 4), label (2, 3, 5), cls_pred (2, 4, 5)): (2, 20), (2, 20), (2, 5)")
      .alias("_npx_multibox_target")
      .family("vision")
      .doc("What each anchor should learn: each true box is given its best anchor, then each anchor the true box that it overlaps enough. An image without a true box teaches nothing.")
      .attr(&MultiBoxTargetAttrs::overlap_threshold, "overlap_threshold", "An anchor that overlaps a true box by more than this belongs to it; 0 or less: best anchors only.")
      .attr(&MultiBoxTargetAttrs::ignore_label, "ignore_label", "The class of anchors that are to be ignored.")
      .attr(&MultiBoxTargetAttrs::negative_mining_ratio, "negative_mining_ratio",
            "Of the anchors without a box, only so many for each with one are background, the worst predicted ones; -1: all are.")
      .attr(&MultiBoxTargetAttrs::negative_mining_thresh, "negative_mining_thresh", "Anchors that overlap a box by this or more are not taken as background when they are chosen.")
      .attr(&MultiBoxTargetAttrs::minimum_negative_samples, "minimum_negative_samples", "With negative_mining_ratio: at least so many anchors are background.")
      .attr(&MultiBoxTargetAttrs::variances, "variances", "What the four offsets are divided by.")
      .input("anchor", "(1, anchors, 4), corners.")
      .input("label", "(batch, objects, 5 or more): class, corners; rows behind the last object start with -1.")
      .input("cls_pred", "(batch, classes, anchors), the predicted scores; class 0 is the background.")
      .output("loc_target", "(batch, anchors * 4), the offsets to learn.")
      .output("loc_mask", "(batch, anchors * 4), 1 where there is an offset to learn.")
      .output("cls_target", "(batch, anchors): 0 for the background, the class + 1 of the anchor's box, or ignore_label.")
      .types(SameFloat)
      .infer([](Infer& c, const MultiBoxTargetAttrs& a) {
        CheckFour(c, "variances", a.variances.size(), 4);
        Shared batch{c}, anchors{c};
        for (int i = 1; i < 3; ++i) batch.Learn(c.x(i), 3, 0);
        for (int i = 0; i < 3; ++i) batch.Learn(c.y(i), 2, 0), anchors.Learn(c.y(i), 2, 1, i < 2 ? 4 : 1);
        anchors.Learn(c.x(0), 3, 1);
        anchors.Learn(c.x(2), 3, 2);
        c.set_x(0, Shape{1, anchors.n, 4});
        c.set_x(1, Shape{batch.n, -1, -1});
        c.Expect(c.x(1)[2] < 0 || c.x(1)[2] >= 5, "label must have rows of a class and four coordinates, given shape ", c.x(1), ".");
        c.set_x(2, Shape{batch.n, -1, anchors.n});
        c.Expect(c.x(2)[1] != 0, "cls_pred must have at least the class of the background, given shape ", c.x(2), ".");
        c.set_y(0, Shape{batch.n, anchors.Times(4)});
        c.set_y(1, Shape{batch.n, anchors.Times(4)});
        c.set_y(2, Shape{batch.n, anchors.n});
      })
      .zero_gradient()
      .cost([](const MultiBoxTargetAttrs&, const Shape* x, int) { return 16.0 * double(x[0].size()) * double(x[1].Product(0, 2)); })
      .kernel<MultiBoxTargetKernel>();
}
OpDef MultiBoxDetectionOp() {
  return Op<MultiBoxDetectionAttrs>("_contrib_MultiBoxDetection")
      .example("_contrib_MultiBoxDetection(cls_prob (2, 3, 5), loc_pred (2, 20), anchor (1, 5, 4)): (2, 5, 6)")
      .alias("_npx_multibox_detection")
      .family("vision")
      .doc("The boxes that a detector sees: each anchor moved by its predicted offsets, with its best class, best scores first; of those that overlap, the best is kept. A row with class -1 is none.")
      .attr(&MultiBoxDetectionAttrs::clip, "clip", "Cut off what reaches out of the image.")
      .attr(&MultiBoxDetectionAttrs::threshold, "threshold", "Boxes with a lower probability are dropped.")
      .attr(&MultiBoxDetectionAttrs::background_id, "background_id", "The class of the background, which is no object; the classes above it are counted one less.").range(0, 1 << 30)
      .attr(&MultiBoxDetectionAttrs::nms_threshold, "nms_threshold", "A box that overlaps a better one by this or more is dropped; out of (0, 1]: none is.")
      .attr(&MultiBoxDetectionAttrs::force_suppress, "force_suppress", "Boxes of other classes are compared, too.")
      .attr(&MultiBoxDetectionAttrs::variances, "variances", "What the four offsets are multiplied by.")
      .attr(&MultiBoxDetectionAttrs::nms_topk, "nms_topk", "Only so many boxes with the best scores are kept; -1: all.")
      .input("cls_prob", "(batch, classes, anchors), the probability of each class.")
      .input("loc_pred", "(batch, anchors * 4), the predicted offsets.")
      .input("anchor", "(1, anchors, 4), corners.")
      .output("output", "(batch, anchors, 6): class, score, corners.")
      .types(SameFloat)
      .infer([](Infer& c, const MultiBoxDetectionAttrs& a) {
        CheckFour(c, "variances", a.variances.size(), 4);
        Shared batch{c}, anchors{c};
        batch.Learn(c.x(0), 3, 0);
        batch.Learn(c.x(1), 2, 0);
        batch.Learn(c.y(0), 3, 0);
        anchors.Learn(c.x(0), 3, 2);
        anchors.Learn(c.x(1), 2, 1, 4);
        anchors.Learn(c.x(2), 3, 1);
        anchors.Learn(c.y(0), 3, 1);
        c.set_x(0, Shape{batch.n, -1, anchors.n});
        c.set_x(1, Shape{batch.n, anchors.Times(4)});
        c.set_x(2, Shape{1, anchors.n, 4});
        c.set_y(0, Shape{batch.n, anchors.n, 6});
      })
      .zero_gradient()
      .cost([](const MultiBoxDetectionAttrs&, const Shape* x, int) { return 32.0 * double(x[0].size()); })
      .kernel<MultiBoxDetectionKernel>();
}
}  // namespace

void AddMultiBoxOps(std::vector<OpDef>* ops) {
  for (auto* make : {&MultiBoxPriorOp, &MultiBoxTargetOp, &MultiBoxDetectionOp}) ops->push_back(make());
}

}  // namespace flx
