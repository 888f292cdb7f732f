// SPDX-License-Identifier: Apache-2.0
// CTCLoss against all paths counted one by one, and what operators on sequences refuse.
#include <gtest/gtest.h>

#include <cmath>

#include "base/text.h"
#include "exec/invoke.h"
#include "tensor/array.h"

namespace flx {
namespace {

using Vector = std::vector<double>;
NDArray Array64(const Vector& v, const Shape& s) { return FromHost(v.data(), int64_t(v.size() * 8), DType::kFloat64, false, s, DType::kFloat64); }

// -log of the sum over all paths whose repeats and blanks (class 0), taken out, leave the label.
double Counted(const Vector& x, int steps, int classes, const std::vector<int>& label) {
  double sum = 0;
  std::vector<int> path(size_t(steps), 0);
  for (;;) {
    std::vector<int> read;
    double p = 1;
    for (int t = 0; t < steps; ++t) {
      double all = 0;
      for (int k = 0; k < classes; ++k) all += std::exp(x[size_t(t * classes + k)]);
      p *= std::exp(x[size_t(t * classes + path[size_t(t)])]) / all;
      if (path[size_t(t)] != 0 && (t == 0 || path[size_t(t)] != path[size_t(t - 1)])) read.push_back(path[size_t(t)]);
    }
    if (read == label) sum += p;
    int t = 0;
    while (t < steps && ++path[size_t(t)] == classes) path[size_t(t++)] = 0;
    if (t == steps) return -std::log(sum);
  }
}
TEST(Ctc, IsTheSumOverAllPaths) {
  const int steps = 5, classes = 3;
  Vector x;
  for (int i = 0; i < steps * classes; ++i) x.push_back(std::sin(double(7 * i)) * 2);
  for (std::vector<int> label : {std::vector<int>{}, {1}, {1, 2}, {2, 2}, {1, 1, 2}, {2, 1, 2, 1, 2}, {1, 1, 1}}) {
    Vector padded(label.begin(), label.end());
    padded.resize(5, 0);
    double got = 0, want = Counted(x, steps, classes, label);
    ReadArray(*Invoke1("CTCLoss", {Array64(x, {steps, 1, classes}), Array64(padded, {1, 5})}), &got, 8, DType::kFloat64, false);
    EXPECT_NEAR(got, want, 1e-12 * want) << Text(int64_t(label.size()));
  }
}
TEST(Ctc, LongSequencesDoNotUnderflow) {
  const int64_t steps = 5000;
  double got = 0;
  ReadArray(*Invoke1("CTCLoss", {Array::Filled({steps, 1, 3}, DType::kFloat32, 0), Array64({1}, {1, 1})}), &got, 8, DType::kFloat64, false);
  // each path has probability 3^-steps, and steps * (steps + 1) / 2 of them read one run of the class
  EXPECT_NEAR(got, double(steps) * std::log(3.0) - std::log(double(steps) * double(steps + 1) / 2), 1e-3);
}

void Refused(const char* op, const std::vector<NDArray>& in, const std::vector<std::pair<std::string, std::string>>& attrs, const char* says) {
  try {
    auto y = Invoke(op, in, attrs);
    WaitToRead(*y[0]);
    ADD_FAILURE() << op << " took it";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(says), std::string::npos) << e.what();
  }
}
TEST(Sequences, LengthsAndLabelsOutOfRangeAreErrors) {
  NDArray x = Array::Filled({4, 2, 3}, DType::kFloat32, 1);
  const std::pair<std::string, std::string> use{"use_sequence_length", "True"};
  Refused("SequenceLast", {x, Array64({2, 0}, {2})}, {use}, "length of sequence 1 must be in [1, 4]");
  Refused("SequenceReverse", {x, Array64({5, 1}, {2})}, {use}, "length of sequence 0 must be in [0, 4]");
  Refused("SequenceMask", {x, Array64({1, 2, 3}, {3})}, {use}, "sequence_length");
  Refused("SequenceMask", {Array::Filled({4}, DType::kFloat32, 1)}, {}, "two axes");
  Refused("CTCLoss", {x, Array64({1, 3, 1, 0}, {2, 2})}, {}, "must be a class in [1, 2], given 3");
  Refused("CTCLoss", {x, Array64({1, 1, 1, 0}, {2, 2}), Array64({5, 1}, {2})}, {{"use_data_lengths", "True"}}, "number of steps");
  Refused("_contrib_interleaved_matmul_selfatt_qk", {x}, {{"heads", "2"}}, "multiple of 6");
}

}  // namespace
}  // namespace flx
