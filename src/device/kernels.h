// SPDX-License-Identifier: Apache-2.0
// The kernels that a device's module may hand over, by name, and what their calls hold (device_call.h). The library and the modules both include this
// header. All but those marked take arrays of any strides; outputs never overlap inputs, unless they are the same elements in the same places.
#pragma once
#include <cstdint>
#include <initializer_list>

#include "base/hash.h"

namespace flx {

// Of what a name stands for here: a module of another build whose call looks different is refused, not believed. A changed meaning is a changed `form`.
constexpr uint64_t DeviceSignature(const char* name, int inputs = 1, int numbers = 0, const char* form = "flx_device_call 1") {
  return (HashBytes(name, HashBytes(form)) ^ uint64_t(inputs * 64 + numbers)) * kHashPrime;
}

// copy: out[0] = in[0], of one shape, converted (floats become integers toward zero and saturate, NaN is 0; anything but zero is true).
inline constexpr char kDeviceCopy[] = "copy";
// fill: out[0] = numbers[0], as that dtype.
inline constexpr char kDeviceFill[] = "fill";
// An elementwise formula, by the name its list gives it (op/elementwise/*_formulas.h): in[] are broadcast to out[0]'s shape, with strides of 0;
// numbers[] are its runtime numbers. The signature has the counts of both.
// step.<name>: an optimizer step (op/optim/update_formulas.h): in[] and out[] contiguous, of one size; one more output gets the first one's numbers, too;
// numbers[] are its numbers. The signature has the counts of inputs and outputs. With one input more, of one element, and ints slot, skips: that is number
// `slot`, and if skips, where it is 0 or not finite, nothing changes.
// trust: out[0], a float64, gets numbers[0] in[0] / in[1], and numbers[0] where either is 0; in[0] is held within numbers[1] and [2] if those are not negative.
inline constexpr char kDeviceTrust[] = "trust";
// reduce: out[0], whose elements are those of the axes kept, in order; ints: which of kReduce..., bit i: axis i is reduced, and flags.
inline constexpr char kDeviceReduce[] = "reduce";
enum DeviceReduceFlag : int64_t { kReduceMean = 1, kReduceRoot = 2, kReduceInitial = 4 };  // numbers[0]: the initial value
// arg_reduce: the first index of the extreme value along an axis of a contiguous array; ints: 1 for the largest, the axis (-1: the flat array).
inline constexpr char kDeviceArgReduce[] = "arg_reduce";
// generate: element i of a contiguous array; ints: which of these, and its whole numbers; numbers: its others.
inline constexpr char kDeviceGenerate[] = "generate";
enum DeviceGenerate : int64_t {
  kGenerateRange,     // numbers start, step; ints[1] repeat: start + i / repeat * step
  kGenerateLine,      // numbers start, step, stop; ints[1] the place of stop (-1: none)
  kGenerateDiagonal,  // ints columns, k: 1 where column - row is k
};
// random: element i of a contiguous array, from the ticket's numbers (base/random.h) for (i, draw); ints: which; numbers: parameters.
inline constexpr char kDeviceRandom[] = "random";
enum DeviceRandom : int64_t { kRandomUniform, kRandomNormal, kRandomExponential, kRandomGamma, kRandomPoisson, kRandomNegativeBinomial, kRandomGeneralizedNegativeBinomial,
                              kRandomInteger, kRandomMask,  // mask: numbers[1] where (i / 4, 0)'s word i % 4 is at least numbers[0], as a float in [0, 1); else 0
                              kRandomPlace };               // a whole number in [0, i], int64
inline constexpr uint64_t kDeviceRandomForm = DeviceSignature(kDeviceRandom, 1, 0, "flx_device_call 2");  // heeds the call's parameters
// sample: as random, with a distribution for each of in[0]'s elements (and in[1]'s, its second parameter; null: it has one); ints: which, and how many each gives.
// rrelu: out[0] = in[0] times a slope, which is out[1] (may be null): 1 above zero, else drawn between numbers[0] and [1], or their mean; ints: 1 if drawn.
// choose: out[0] gets indices, each drawn with the probabilities of its row of in[0] (rows, n), and out[1] (may be null) the logarithms of what was drawn; a row
// that is no distribution gives -1 and NaN. ints: n, how many indices of each row.
inline constexpr char kDeviceSample[] = "sample", kDeviceRrelu[] = "rrelu", kDeviceChoose[] = "choose";
// shuffle: out[0], int64: where the elements are after n - 1 exchanges, of i = n - 1, n - 2, ... with in[0][i] <= i; in[1]: the places of in[0] sorted.
inline constexpr char kDeviceShuffle[] = "shuffle";
// parameters: out[0], an int64 array of at most kMostParameters elements, becomes ints, which travel with the launch.
inline constexpr char kDeviceParameters[] = "parameters";
constexpr int kMostParameters = 8;
// softmax: of contiguous in[0], seen as ints (outer, n, inner), over n; ints[3]: 1 for its logarithm; numbers[0]: factor of in[0]. With a second input, which
// says how many elements of each row count, the others give 0.
// softmax_grad: of contiguous y and dy, the same; numbers[0]: factor.
inline constexpr char kDeviceSoftmax[] = "softmax", kDeviceSoftmaxGrad[] = "softmax_grad";
// matmul: out[0] = numbers[0] op(in[0]) op(in[1]) + numbers[1] out[0]; ints: 1 if in[0] is transposed, in[1]; m, n, k, the row distances of the three,
// and how many such products there are, and the distances from one to the next. The arrays are given as 1-d, for their address and dtype.
inline constexpr char kDeviceMatmul[] = "matmul";
// gather: out[0] (outer, m, inner) from in[0] (outer, n, inner) at the indices in[1] (any dtype), all contiguous; ints: outer, n, m, inner, 1 if an index
// beyond an end wraps around (else it is the end's), 1 if each element has an index of its own (else in[1] has m, for all).
// scatter_add: out[0] (outer, n, inner) += in[0] (outer, m, inner) at the indices in[1], in their order; ints as before.
// one_hot: out[0] (in[0]'s size, depth): numbers[0] where in[0] says, numbers[1] elsewhere; ints: depth.
inline constexpr char kDeviceGather[] = "gather", kDeviceScatterAdd[] = "scatter_add", kDeviceOneHot[] = "one_hot";

// What follows takes contiguous arrays only. Geometries travel as `ints`: structs of int64_t alone.
// convolution: out[0] from data, weight, bias (null: none). convolution_grad_data: from weight, dy. convolution_grad_weight: from data, dy. All of one dtype.
struct ConvolutionInts {
  int64_t nd, last;                          // spatial axes; 1: channels last
  int64_t n, c, o, g;                        // batch, channels in, channels out, groups
  int64_t in[3], out[3], k[3], s[3], d[3], p[3];  // sizes, window, stride, dilation, padding; the first are 1 (padding: 0) where there are fewer axes
};
inline constexpr char kDeviceConvolution[] = "convolution", kDeviceConvolutionGradData[] = "convolution_grad_data", kDeviceConvolutionGradWeight[] = "convolution_grad_weight";
// pool: out[0] from data; or, with two inputs, the element of in[1] where each window of in[0] has its maximum.
// pool_grad: the gradient for data, from dy, or from dy and data for a maximum.
struct PoolInts {
  int64_t planes, lanes;                     // lanes: channels that lie side by side
  int64_t in[3], out[3], k[3], s[3], p[3];
  int64_t type, power, with_pad;             // PoolType of op/nn/pooling.h; of lp; an average counts padding
};
inline constexpr char kDevicePool[] = "pool", kDevicePoolGrad[] = "pool_grad";
// batch_norm: y, mean, inv, new_mean, new_var (the last two may be null) from x, gamma, beta, moving_mean, moving_var; x and y have the data's dtype, the
// others float32 or float64. ints: outer, channels, inner, 1 with the batch's own statistics, 1 if gamma counts as 1; numbers: eps, momentum.
// batch_norm_grad: dx, dgamma, dbeta from x, gamma, mean, inv, dy; ints as before, the fourth: mean and inv depend on x.
inline constexpr char kDeviceBatchNorm[] = "batch_norm", kDeviceBatchNormGrad[] = "batch_norm_grad";
// label_grad: dx = (y - one_hot(label)) scale dy from y, label, dy (null: 1). ints: outer, n, inner, from one dy to the next (0 or 1), 1 if the label holds
// probabilities, 1 if rows with the ignored label get 0, 1 if rows whose label is no class get NaN, 1 if the scale is divided by how many labels are not
// the ignored one; numbers: scale, ignored label, what the one_hot has at its class and elsewhere.
// cross_entropy: the sum over in[0]'s rows of -log softmax(row)[label] (NaN where a label is no class); ints: rows, n.
inline constexpr char kDeviceLabelGrad[] = "label_grad", kDeviceCrossEntropy[] = "cross_entropy";
// ctc: losses out[0] (batch) and, if wanted, slopes out[1] (steps, batch, classes), of data's dtype, from data (steps, batch, classes), which is float32 or
// float64, labels (batch, length), and (null: all count) the steps of each sequence and the length of each label, cut to what there is. A label with what is no
// class gives NaN.
struct CtcInts { int64_t steps, batch, classes, length, blank_first; };
inline constexpr char kDeviceCtc[] = "ctc";
// Boxes (op/vision/box_formulas.h), in float32 or float64; n of them in each image, or anchors.
// box_scores: out[0] (images, n), the scores of rows in[0] (images, n, width), -infinity where one takes no part. box_nms: out[0], int64: of each image the rows that
// stay, best first, then -1; from rows, their scores and the places of these sorted. box_rows: out[0], the rows in[0] that in[1] names, in the other format; -1
// where none is. box_rows_grad: its gradient for in[0], into zeros. All: NmsInts; numbers: the largest overlap, the score that must be exceeded.
struct NmsInts { int64_t images, n, width, topk, coord, score, id, background, any_class, in_format, out_format; };
inline constexpr char kDeviceBoxScores[] = "box_scores", kDeviceBoxNms[] = "box_nms", kDeviceBoxRows[] = "box_rows", kDeviceBoxRowsGrad[] = "box_rows_grad";
// box_prior: the anchors of a feature map; ints: its height, width, how many at a place, 1 to cut them to the image; numbers: the offset (y, x), the step (y, x),
// and half the width and height of each.
// box_match: state (AnchorState), object (int64 (images, n)), found (int64 (images)) and key, how sure each anchor that may be background is to be (infinity:
// another), from anchors, labels (images, objects, width) and predictions (images, classes, n). numbers: the overlap that makes an anchor an object's, and the one
// from which it is no background. mines: background is chosen by box_mine: state, from keys, their places sorted, and found; ints: images, n, the least of them;
// numbers: how many for each object. box_target: what anchors should learn (loc, mask, class), from anchors, labels, state, object; numbers: the class that is
// ignored, four variances.
enum AnchorState : int64_t { kAnchorIgnored, kAnchorBackground, kAnchorObject };
struct MatchInts { int64_t images, n, objects, width, classes, mines; };
inline constexpr char kDeviceBoxPrior[] = "box_prior", kDeviceBoxMatch[] = "box_match", kDeviceBoxMine[] = "box_mine", kDeviceBoxTarget[] = "box_target";
// box_detect: rows (images, n, 6) and their scores (-infinity: none), from probabilities (images, classes, n), what was predicted of places, and anchors; numbers:
// the least score, four variances. box_detected: the result, from these and (null: none is dropped) the places of the scores sorted; numbers: the overlap.
struct DetectInts { int64_t images, n, classes, background, clip, topk, any_class; };
inline constexpr char kDeviceBoxDetect[] = "box_detect", kDeviceBoxDetected[] = "box_detected";
// sequence: in[0] of (steps, batch, rest) or (batch, steps, rest), in[1] (or null) the length of each sequence, cut to what there is; numbers: what a mask puts
// behind a sequence. The gradient of `last` has no steps in in[0].
enum SequenceWay : int64_t { kSequenceMask, kSequenceReverse, kSequenceLast, kSequenceLastGrad };
struct SequenceInts { int64_t steps, batch, rest, steps_first, way; };
inline constexpr char kDeviceSequence[] = "sequence";
// Recurrent layers (op/rnn/rnn.h has the words and where things lie), step by step, one direction of a layer; lengths (rows), int64, or null: all steps count.
// rnn_step: from the state's product, the biases of inputs and of the state, lengths: the gates of step t, in place of their inputs' products, its cells before they
// are clipped (all steps), its values to be projected (all steps; null: there is no projection), state, cell, the layer's outputs (all steps). rnn_put: state and
// outputs from what was projected, lengths.
// rnn_back: from step t's gates, cells, outputs, first state, first cell, gradients of the outputs (all steps), the product of the step `later` that was before,
// what comes through the projection (null: nothing is projected), lengths: step t's gradients of the gates' sums of inputs, of the state's (GRU only), the state
// before it, what is to be projected, and the running gradients of state and cell. numbers: the clip.
enum RnnWay : int64_t { kRnnRelu, kRnnTanh, kRnnLstm, kRnnGru };
enum RnnPart : int64_t { kRnnBoth, kRnnOutputs, kRnnUnits };  // of rnn_back: what concerns each output of a unit's layer, then each unit
struct RnnStepInts { int64_t mode, rows, units, outputs, gates, directions, direction, t, earlier, later, part, clips, clips_nan; };  // -1: no such step
inline constexpr char kDeviceRnnStep[] = "rnn_step", kDeviceRnnPut[] = "rnn_put", kDeviceRnnBack[] = "rnn_back";
// pad: a border; numbers: its value. Axes that are missing have size 1 and come first.
enum PadWay : int64_t { kPadConstant, kPadEdge, kPadReflect };
constexpr int kPadAxes = 5;
struct PadInts { int64_t mode, x[kPadAxes], y[kPadAxes], before[kPadAxes]; };
inline constexpr char kDevicePad[] = "pad";
// places: out[0], int64, the place among the first axes of an array that column i of in[0] (axes, n) names; an index out of range is the nearest.
// ints: n, and the sizes of those axes.
// scatter_set: out[0] (n, inner) gets the slices of in[0] (count, inner) at the places in[1], int64; of equal places the last counts. ints: n, count, inner.
inline constexpr char kDevicePlaces[] = "places", kDeviceScatterSet[] = "scatter_set";
// sort: out[0] (outer, k, inner), int64: the places of the k first elements of each row of in[0] (outer, n, inner), in order; equal ones keep theirs.
struct SortInts { int64_t outer, n, inner, k, ascend; };
inline constexpr char kDeviceSort[] = "sort";
// histogram: out[0], int64: how many elements of in[0] lie between the edges out[1], of which in[1] has the values, or (null) equal bins: ints: how many bins;
// numbers: the lowest and the highest edge.
inline constexpr char kDeviceHistogram[] = "histogram";
// lars: out[0] = layers' rates from rates, sums of squares of weights and of gradients, and decays (op/optim/lars_formula.h); all float32; numbers: eta, eps, rescale.
inline constexpr char kDeviceLars[] = "lars";
// finite: out[0], a float32, becomes 0 if in[0] has a NaN or an infinite element.
inline constexpr char kDeviceFinite[] = "finite";

}  // namespace flx
