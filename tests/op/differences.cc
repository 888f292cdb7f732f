// SPDX-License-Identifier: Apache-2.0
// The one list of cases where Flexor answers differently from MXNet 1.9.1 on purpose, with the reason. A line whose case agrees fails the test.
#include "golden.h"

namespace flx::golden {

const std::vector<Difference>& Differences() {
  static const std::vector<Difference> list = {
      {"indexing/argsort/11", "out 0", "equal elements keep their order, descending too; MXNet promises none and exchanges the two zeros."},
      {"nn/BatchNorm", "after gamma", "fix_gamma takes gamma as 1 and leaves its memory alone; MXNet overwrites the user's array."},
      {"nn/LeakyReLU/02", "out 0", "float64 arrays are computed in float64; MXNet's leaky and prelu round to float32."},
      {"nn/LeakyReLU/13", "grad data", "selu's slope below zero is scale * slope * exp(x), as central differences say; MXNet scales its result a second time."},
      {"nn/LeakyReLU/22", "", "float64 arrays are computed in float64; MXNet's leaky and prelu round to float32."},
      {"unary/erf/02", "grad data", "the float64 gradient is right to the last digits; MXNet's uses a constant rounded to float32."},
      {"unary/erfinv/02", "grad data", "the float64 gradient is right to the last digits; MXNet's uses a constant rounded to float32."},
      {"unary/gammaln/02", "grad data", "the float64 gradient is right to the last digits; MXNet's digamma is computed in float32."},
      {"unary/hard_sigmoid/02", "", "attributes are read as double; MXNet rounds alpha to float32 for float64 arrays too."},
      {"matrix/repeat/05", "", "no repeats along an axis leave a shape of the same rank, (0, 3), as in NumPy; MXNet answers (0,)."},
      {"nn/BatchNorm/25", "grad gamma", "summed in float32 from float16 data, as the formula in float64 confirms; MXNet rounds between."},
      {"nn/softmax/14", "out 0", "computed in float64 where that is the output's type; MXNet computes in float32 and widens."},
      {"nn/softmin/14", "out 0", "computed in float64 where that is the output's type; MXNet computes in float32 and widens."},
      {"loss/SoftmaxOutput/19", "grad data", "out_grad multiplies by the gradient of the output, as documented; MXNet multiplies by the output itself."},
  };
  return list;
}

}  // namespace flx::golden
