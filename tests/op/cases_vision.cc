// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

void AddVisionCases(std::vector<Case>* c) {
  c->push_back({"_contrib_box_iou", {Values({2, 4}, {0, 0, 2, 2, 1.2, 1.1, 3, 4}), Values({3, 4}, {0.5, 0.25, 2.5, 3, 5, 5, 6, 6, 1, 3, 2, 3.5})}, {}});
  c->push_back(Case{"_contrib_box_iou", {Values({1, 2, 4}, {1, 1, 2, 2, 3, 3, 2, 1}), Values({4}, {1.5, 1.25, 2, 3})}, {{"format", "center"}}}.name("center"));
  c->push_back(Case{"_contrib_box_iou", {Values({1, 4}, {1, 1, 1, 1}), Values({2, 4}, {1, 1, 1, 1, 3, 3, 2, 2})}, {}}.name("no_area").NoGradient());
  c->push_back(Case{"_contrib_box_iou", {Uniform({0, 4}, 0, 1), Uniform({2, 4}, 0, 1)}, {}}.name("empty"));
  // class, score, corners: the second overlaps the first, the fourth is of another class, the fifth scores too low
  const std::vector<double> rows = {0, 0.9, 0, 0, 2, 2, 0, 0.8, 0.1, 0.1, 2, 2, 0, 0.7, 3, 3, 4, 5, 1, 0.85, 0, 0, 2, 1.9, 0, 0.1, 7, 7, 8, 8};
  c->push_back({"_contrib_box_nms", {Values({5, 6}, rows)}, {{"valid_thresh", "0.2"}}});
  c->push_back(Case{"_contrib_box_nms", {Values({1, 5, 6}, rows)}, {{"id_index", "0"}}}.name("classes").NoGradient());
  c->push_back(Case{"_contrib_box_nms", {Values({5, 6}, rows)}, {{"in_format", "center"}, {"out_format", "corner"}, {"topk", "3"}, {"overlap_thresh", "0.3"}}}.name("center"));
  c->push_back(Case{"_contrib_box_nms", {Values({5, 6}, rows)}, {{"id_index", "0"}, {"force_suppress", "True"}, {"background_id", "7"}, {"out_format", "center"}}}.name("forced"));
  c->push_back(Case{"_contrib_box_nms", {Uniform({0, 6}, 0, 1)}, {}}.name("empty"));

  In anchors = Constant(Values({1, 4, 4}, {0.1, 0.1, 0.4, 0.4, 0.3, 0.3, 0.7, 0.7, 0.5, 0.5, 0.95, 0.9, 0, 0.6, 0.3, 1}));
  c->push_back({"_contrib_MultiBoxPrior", {Uniform({2, 3, 2, 4}, 0, 1)}, {{"sizes", "(0.5, 0.25)"}, {"ratios", "(1, 2, 0.5)"}, {"clip", "True"}}});
  In objects = Constant(Values({2, 2, 5}, {1, 0.1, 0.1, 0.45, 0.45, 0, 0.5, 0.5, 0.9, 0.9, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}));
  c->push_back({"_contrib_MultiBoxTarget", {anchors, objects, Constant(Uniform({2, 3, 4}, -1, 1))}, {}});
  c->push_back(Case{"_contrib_MultiBoxTarget", {anchors, objects, Constant(Uniform({2, 3, 4}, -1, 1))}, {{"negative_mining_ratio", "0.5"}, {"minimum_negative_samples", "2"}}}.name("mining"));
  c->push_back(Case{"_contrib_MultiBoxTarget", {anchors, Constant(Values({2, 0, 5}, {})), Constant(Uniform({2, 3, 4}, -1, 1))}, {}}.name("no_objects"));
  c->push_back({"_contrib_MultiBoxDetection", {Constant(Uniform({2, 3, 4}, 0, 1)), Constant(Uniform({2, 16}, -1, 1)), anchors}, {{"nms_topk", "3"}}});
}

}  // namespace flx::cases
