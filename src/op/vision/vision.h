// SPDX-License-Identifier: Apache-2.0
// Attributes and kernel keys of the operators on boxes.
#pragma once
#include "op/op.h"
#include "op/vision/box_formulas.h"

namespace flx {

template <> struct EnumNames<BoxFormat> { static constexpr const char* names[] = {"corner", "center"}; };

// ---- box.cc
struct BoxIouAttrs { BoxFormat format = BoxFormat::kCorner; };
struct BoxNmsAttrs {
  double overlap_thresh = 0.5, valid_thresh = 0;
  int64_t topk = -1, coord_start = 2, score_index = 1, id_index = -1, background_id = -1;
  bool force_suppress = false;
  BoxFormat in_format = BoxFormat::kCorner, out_format = BoxFormat::kCorner;
};
struct BoxIouKernel {
  using Signature = void(KernelContext&, const BoxIouAttrs&, const TensorView& lhs, const TensorView& rhs, TensorView& y);
  static constexpr const char* kName = "_contrib_box_iou";
};
struct BoxNmsKernel {
  using Signature = void(KernelContext&, const BoxNmsAttrs&, const TensorView& x, TensorView& y, TensorView& rows);
  static constexpr const char* kName = "_contrib_box_nms";
};
struct BoxNmsGradKernel {
  using Signature = void(KernelContext&, const BoxNmsAttrs&, const TensorView& rows, const TensorView& dy, TensorView& dx);
  static constexpr const char* kName = "_box_nms_grad";
};
void BoxIouCpu(KernelContext& ctx, const BoxIouAttrs& a, const TensorView& lhs, const TensorView& rhs, TensorView& y);
void BoxNmsCpu(KernelContext& ctx, const BoxNmsAttrs& a, const TensorView& x, TensorView& y, TensorView& rows);
void BoxNmsGradCpu(KernelContext& ctx, const BoxNmsAttrs& a, const TensorView& rows, const TensorView& dy, TensorView& dx);

// ---- multibox.cc
struct MultiBoxPriorAttrs {
  Doubles sizes{1}, ratios{1};
  bool clip = false;
  Doubles steps{-1, -1}, offsets{0.5, 0.5};
};
struct MultiBoxTargetAttrs {
  double overlap_threshold = 0.5, ignore_label = -1, negative_mining_ratio = -1, negative_mining_thresh = 0.5;
  int64_t minimum_negative_samples = 0;
  Doubles variances{0.1, 0.1, 0.2, 0.2};
};
struct MultiBoxDetectionAttrs {
  bool clip = true;
  double threshold = 0.01;
  int64_t background_id = 0;
  double nms_threshold = 0.5;
  bool force_suppress = false;
  Doubles variances{0.1, 0.1, 0.2, 0.2};
  int64_t nms_topk = -1;
};
struct MultiBoxPriorKernel {
  using Signature = void(KernelContext&, const MultiBoxPriorAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "_contrib_MultiBoxPrior";
};
struct MultiBoxTargetKernel {
  using Signature = void(KernelContext&, const MultiBoxTargetAttrs&, const TensorView& anchor, const TensorView& label, const TensorView& cls_pred, TensorView& loc,
                         TensorView& mask, TensorView& cls);
  static constexpr const char* kName = "_contrib_MultiBoxTarget";
};
struct MultiBoxDetectionKernel {
  using Signature = void(KernelContext&, const MultiBoxDetectionAttrs&, const TensorView& cls_prob, const TensorView& loc_pred, const TensorView& anchor, TensorView& y);
  static constexpr const char* kName = "_contrib_MultiBoxDetection";
};
void MultiBoxPriorCpu(KernelContext& ctx, const MultiBoxPriorAttrs& a, const TensorView& x, TensorView& y);
void MultiBoxTargetCpu(KernelContext& ctx, const MultiBoxTargetAttrs& a, const TensorView& anchor, const TensorView& label, const TensorView& cls_pred, TensorView& loc,
                       TensorView& mask, TensorView& cls);
void MultiBoxDetectionCpu(KernelContext& ctx, const MultiBoxDetectionAttrs& a, const TensorView& cls_prob, const TensorView& loc_pred, const TensorView& anchor, TensorView& y);

void AddBoxOps(std::vector<OpDef>* ops);
void AddMultiBoxOps(std::vector<OpDef>* ops);

}  // namespace flx
