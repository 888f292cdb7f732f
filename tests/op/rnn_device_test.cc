// SPDX-License-Identifier: Apache-2.0
// Recurrent layers of random forms on a device, against the CPU: results, states, masks and gradients.
#include "device_run.h"
#include "op/rnn/rnn.h"

namespace flx::cases {
namespace {

using RecurrentOnDevice = OnDeviceTest;
TEST_F(RecurrentOnDevice, RandomForms) {
  Numbers random{23};
  const auto of = [&](int64_t low, int64_t high) { return low + int64_t(random.Next() * double(high - low + 1)); };
  const auto maybe = [&] { return of(0, 1) == 1; };
  for (int i = 0; i < 48; ++i) {
    const RnnMode mode = RnnMode(i % 4);
    RnnAttrs a;
    a.mode = mode, a.state_size = of(1, 9), a.num_layers = of(1, 3), a.bidirectional = maybe(), a.p = maybe() ? 0.4f : 0.f, a.use_sequence_length = of(0, 2) == 0;
    if (a.lstm() && of(0, 2) == 0) a.projection_size = of(1, 6);
    if (a.lstm() && maybe()) a.lstm_state_clip_min = -0.4, a.lstm_state_clip_max = 0.5, a.lstm_state_clip_nan = maybe();
    const RnnSizes s(a, of(i % 5 == 4 ? 0 : 1, 7), of(1, 5), of(1, 6));
    const Shape h{s.L * s.D, s.N, s.R}, c{s.L * s.D, s.N, s.H};
    Case k{"RNN", {Uniform({s.T, s.N, s.C}, -1, 1), Uniform({s.parameters()}, -0.8, 0.8), Uniform(h, -1, 1)},
           {{"mode", EnumNames<RnnMode>::names[size_t(mode)]}, {"state_size", Text(s.H)}, {"num_layers", Text(s.L)}, {"bidirectional", a.bidirectional ? "True" : "False"},
            {"p", Text(double(a.p))}, {"use_sequence_length", a.use_sequence_length ? "True" : "False"}, {"state_outputs", "True"}}};
    if (a.projection_size) k.attrs.push_back({"projection_size", Text(*a.projection_size)});
    if (a.clips()) {
      k.attrs.push_back({"lstm_state_clip_min", "-0.4"}), k.attrs.push_back({"lstm_state_clip_max", "0.5"});
      k.attrs.push_back({"lstm_state_clip_nan", a.lstm_state_clip_nan ? "True" : "False"});
    }
    if (a.lstm()) k.inputs.push_back(Uniform(c, -1, 1));
    if (a.use_sequence_length) {
      Vector lengths;
      for (int64_t r = 0; r < s.N; ++r) lengths.push_back(double(of(-1, s.T + 1)) + (maybe() ? 0.25 : 0));
      k.inputs.push_back(Constant(Values({s.N}, lengths)));
      if (s.T * s.C > 0) k.inputs[0].values = Draw(s.T * s.N * s.C, -1, 1, uint64_t(i));
      for (int64_t t = 0; t < s.T; ++t)
        for (int64_t r = 0; r < s.N; ++r)
          if (double(t) >= std::ceil(lengths[size_t(r)])) k.inputs[0].values[size_t((t * s.N + r) * s.C)] = NAN;  // counts for nothing
    }
    k.train = of(0, 3) > 0, k.tolerance = 10;
    for (DType t : {DType::kFloat32, DType::kFloat64, i % 2 ? DType::kFloat16 : DType::kBfloat16}) {
      const Outcome o = RunCase(k, t, i % 3 == 2);
      ASSERT_EQ(o.wrong + o.missing, "") << Text(i, ": ", k.attrs[0].second, " ", s.T, " steps, ", s.N, " rows, ", s.C, " features, ", s.H, " units, ", s.L, " layers, ", s.D,
                                                 " directions, p ", double(a.p), " projection ", a.outputs(), " clips ", a.clips(), " ", t);
    }
  }
}

}  // namespace
}  // namespace flx::cases
