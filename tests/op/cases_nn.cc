// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

namespace {
using Attrs_ = std::vector<std::pair<std::string, std::string>>;
// data, gamma, beta, moving mean and variance of n channels
std::vector<In> Norm(Shape s, int64_t n) {
  return {Uniform(std::move(s), -2, 2), Uniform({n}, 0.5, 1.5), Uniform({n}, -1, 1), Constant(Uniform({n}, -0.5, 0.5)), Constant(Uniform({n}, 0.5, 1.5))};
}
void Convolutions(std::vector<Case>* c) {
  auto conv = [&](Shape x, Shape w, Attrs_ attrs, const char* name) {
    attrs.emplace_back("num_filter", std::string(1, char('0' + w[0])));
    std::string kernel = "(";
    for (int i = 2; i < w.ndim(); ++i) kernel += std::string(1, char('0' + w[i])) + ", ";
    attrs.emplace_back("kernel", kernel + ")");
    bool bias = true;
    for (auto& kv : attrs) bias &= kv.first != "no_bias";
    std::vector<In> in = {Uniform(x, -1, 1), Uniform(w, -1, 1)};
    if (bias) in.push_back(Uniform({w[0]}, -1, 1));
    c->push_back(Case{"Convolution", in, attrs}.name(name).Tolerance(3));
  };
  conv({2, 2, 5, 4}, {3, 2, 3, 2}, {}, "plain");
  conv({2, 2, 4, 5}, {3, 2, 3, 3}, {{"pad", "(1, 2)"}, {"stride", "(2, 2)"}}, "pad_stride");
  conv({1, 4, 4, 4}, {2, 2, 2, 2}, {{"num_group", "2"}, {"no_bias", "True"}}, "groups");
  conv({1, 3, 4, 4}, {3, 1, 3, 3}, {{"num_group", "3"}, {"pad", "(1, 1)"}}, "depthwise");
  conv({1, 1, 6, 6}, {2, 1, 2, 2}, {{"dilate", "(2, 3)"}}, "dilated");
  conv({2, 3, 3, 3}, {2, 3, 1, 1}, {}, "pointwise");
  conv({2, 2, 7}, {3, 2, 3}, {{"pad", "(1,)"}, {"stride", "(2,)"}}, "one_axis");
  conv({1, 1, 3, 3, 4}, {2, 1, 2, 2, 2}, {}, "three_axes");
  conv({0, 2, 5, 4}, {3, 2, 3, 2}, {}, "empty_batch");
}
void Deconvolutions(std::vector<Case>* c) {
  c->push_back({"Deconvolution", {Uniform({2, 2, 3, 3}, -1, 1), Uniform({2, 3, 3, 2}, -1, 1)}, {{"kernel", "(3, 2)"}, {"num_filter", "3"}, {"stride", "(2, 1)"}}});
  c->push_back(Case{"Deconvolution", {Uniform({1, 2, 3, 3}, -1, 1), Uniform({2, 1, 3, 3}, -1, 1), Uniform({2}, -1, 1)},
                    {{"kernel", "(3, 3)"}, {"num_filter", "2"}, {"num_group", "2"}, {"stride", "(2, 2)"}, {"pad", "(1, 1)"}, {"adj", "(1, 0)"}, {"no_bias", "False"}}}
                   .name("groups"));
  c->push_back(Case{"Deconvolution", {Uniform({1, 1, 3}, -1, 1), Uniform({1, 2, 3}, -1, 1)}, {{"kernel", "(3,)"}, {"num_filter", "2"}, {"stride", "(2,)"}, {"target_shape", "(6,)"}}}
                   .name("target"));
  c->push_back(Case{"Convolution", {Uniform({2, 5, 4, 2}, -1, 1), Uniform({3, 3, 2, 2}, -1, 1), Uniform({3}, -1, 1)},
                    {{"kernel", "(3, 2)"}, {"num_filter", "3"}, {"layout", "NHWC"}, {"stride", "(2, 1)"}}}
                   .name("channels_last")
                   .Tolerance(3));
  c->push_back(Case{"Pooling", {Uniform({2, 5, 4, 3}, -2, 2)}, {{"kernel", "(2, 3)"}, {"layout", "NHWC"}, {"stride", "(2, 1)"}, {"pad", "(1, 1)"}}}.name("channels_last"));
}
void Norms(std::vector<Case>* c) {
  for (const char* mode : {"instance", "channel", "spatial"}) c->push_back({"L2Normalization", {Uniform({2, 3, 2, 2}, -2, 2)}, {{"mode", mode}}});
  c->push_back(Case{"InstanceNorm", {Uniform({2, 3, 2, 2}, -2, 2), Uniform({3}, 0.5, 1.5), Uniform({3}, -1, 1)}, {}}.Tolerance(3));
  c->push_back(Case{"GroupNorm", {Uniform({2, 4, 3}, -2, 2), Uniform({2}, 0.5, 1.5), Uniform({2}, -1, 1)}, {{"num_groups", "2"}}}.Tolerance(3));
  c->push_back({"LRN", {Uniform({1, 4, 2, 2}, -2, 2)}, {{"nsize", "3"}, {"alpha", "0.5"}}});
  c->push_back({"UpSampling", {Uniform({1, 2, 2, 3}, -2, 2)}, {{"scale", "2"}, {"sample_type", "nearest"}}});
  c->push_back(Case{"UpSampling", {Uniform({1, 2, 2, 2}, -2, 2), Uniform({1, 3, 4, 4}, -2, 2)}, {{"scale", "4"}, {"sample_type", "nearest"}}}.name("two"));
  c->push_back(Case{"UpSampling", {Uniform({1, 2, 3, 3}, -2, 2), Uniform({2, 1, 4, 4}, -1, 1)}, {{"scale", "2"}, {"sample_type", "bilinear"}}}.name("bilinear"));
  c->push_back({"SoftmaxActivation", {Uniform({2, 3, 2}, -2, 2)}, {{"mode", "channel"}}});
  c->push_back(Case{"log_softmax", {Uniform({3, 5}, -4, 4), Integers({3}, {2, 5, 1}, DType::kInt32)}, {{"use_length", "True"}}}.name("length"));
}
void Poolings(std::vector<Case>* c) {
  for (const char* type : {"max", "avg", "sum"}) {
    c->push_back({"Pooling", {Uniform({2, 2, 5, 6}, -2, 2)}, {{"kernel", "(2, 2)"}, {"pool_type", type}, {"stride", "(2, 2)"}}});
    c->push_back({"Pooling", {Uniform({1, 2, 5, 6}, -2, 2)}, {{"kernel", "(3, 2)"}, {"pool_type", type}, {"stride", "(2, 1)"}, {"pad", "(1, 0)"}, {"pooling_convention", "full"}}});
    c->push_back(Case{"Pooling", {Uniform({2, 2, 3, 4}, -2, 2)}, {{"pool_type", type}, {"global_pool", "True"}}}.name("global"));
    c->push_back(Case{"Pooling", {Uniform({2, 2, 7}, -2, 2)}, {{"pool_type", type}, {"kernel", "(3,)"}, {"stride", "(2,)"}}}.name("one_axis"));
    c->push_back(Case{"Pooling", {Uniform({1, 1, 3, 4, 4}, -2, 2)}, {{"pool_type", type}, {"kernel", "(2, 2, 3)"}}}.name("three_axes"));
  }
  c->push_back({"Pooling", {Uniform({1, 2, 4, 4}, -2, 2)}, {{"kernel", "(3, 3)"}, {"pool_type", "avg"}, {"pad", "(1, 1)"}, {"count_include_pad", "False"}}});
  c->push_back({"Pooling", {Uniform({1, 2, 4, 4}, 0.5, 2)}, {{"kernel", "(2, 2)"}, {"pool_type", "lp"}, {"p_value", "3"}}});
}
}  // namespace

void AddNnCases(std::vector<Case>* c) {
  c->push_back({"FullyConnected", {Uniform({3, 2, 2}, -1, 1), Uniform({5, 4}, -1, 1), Uniform({5}, -1, 1)}, {{"num_hidden", "5"}}});
  c->push_back({"FullyConnected", {Uniform({3, 2, 4}, -1, 1), Uniform({5, 4}, -1, 1)}, {{"num_hidden", "5"}, {"flatten", "False"}, {"no_bias", "True"}}});
  c->push_back(Case{"FullyConnected", {Uniform({0, 4}, -1, 1), Uniform({5, 4}, -1, 1), Uniform({5}, -1, 1)}, {{"num_hidden", "5"}}}.name("empty_batch"));
  Convolutions(c);
  Deconvolutions(c);
  Norms(c);
  Poolings(c);
  for (const char* type : {"relu", "sigmoid", "tanh", "softrelu", "softsign"}) {
    c->push_back({"Activation", {Uniform({2, 3}, -2, 2)}, {{"act_type", type}}});
    c->push_back(Case{"Activation", {Values({-400, 400, -30, 30})}, {{"act_type", type}}}.name("extreme").NoGradient());
  }
  for (const char* type : {"leaky", "elu", "selu", "gelu"}) c->push_back({"LeakyReLU", {Uniform({2, 3}, -2, 2)}, {{"act_type", type}}});
  c->push_back({"LeakyReLU", {Uniform({2, 3, 2}, -2, 2), Uniform({3}, 0.1, 0.5)}, {{"act_type", "prelu"}}});
  c->push_back(Case{"LeakyReLU", {Uniform({2, 3}, -2, 2), Uniform({1}, 0.1, 0.5)}, {{"act_type", "prelu"}}}.name("one_slope").OtherShapes());
  c->push_back(Case{"LeakyReLU", {Uniform({2, 3}, -2, 2)}, {{"act_type", "rrelu"}}}.predict().name("rrelu"));
  c->push_back(Case{"LeakyReLU", {Uniform({2, 3}, -2, 2)}, {{"act_type", "rrelu"}}}.name("rrelu_training"));
  c->push_back(Case{"BatchNorm", Norm({4, 3, 2, 2}, 3), {{"fix_gamma", "False"}}}.Tolerance(3));
  c->push_back(Case{"BatchNorm", Norm({4, 3}, 3), {{"fix_gamma", "True"}, {"eps", "0.00001"}}}.name("fix_gamma").Tolerance(3));
  c->push_back(Case{"BatchNorm", Norm({2, 2, 3, 2}, 2), {{"fix_gamma", "False"}, {"axis", "-1"}}}.name("last_axis").Tolerance(3));
  c->push_back(Case{"BatchNorm", Norm({4, 3, 2}, 3), {{"fix_gamma", "False"}}}.predict().name("predict"));
  c->push_back(Case{"BatchNorm", Norm({4, 3, 2}, 3), {{"fix_gamma", "False"}, {"use_global_stats", "True"}}}.name("global_stats"));
  for (const char* axis : {"-1", "1"}) c->push_back(Case{"LayerNorm", {Uniform({4, 3, 3}, -2, 2), Uniform({3}, 0.5, 1.5), Uniform({3}, -1, 1)}, {{"axis", axis}}}.Tolerance(3));
  c->push_back({"Dropout", {Uniform({4, 5}, -2, 2)}, {{"p", "0.4"}}});
  c->push_back(Case{"Dropout", {Uniform({4, 5}, -2, 2)}, {{"p", "0.4"}}}.predict().name("predict"));
  c->push_back(Case{"Dropout", {Uniform({4, 5}, -2, 2)}, {{"p", "0.4"}, {"axes", "(1,)"}}}.name("whole_rows"));
  c->push_back(Case{"Dropout", {Uniform({4, 5}, -2, 2)}, {{"p", "0.4"}, {"mode", "always"}}}.predict().name("always"));
  for (const char* op : {"softmax", "log_softmax", "softmin"}) {
    c->push_back({op, {Uniform({3, 5}, -4, 4)}, {}});
    c->push_back({op, {Uniform({2, 3, 4}, -4, 4)}, {{"axis", "1"}}});
    c->push_back({op, {Uniform({3, 5}, -4, 4)}, {{"axis", "0"}, {"temperature", "2.5"}}});
    c->push_back(Case{op, {Values({2, 3}, {1000, 1000, -1000, -700, 0, 700})}, {}}.name("extreme").NoGradient());
    c->push_back(Case{op, {Uniform({0, 3}, -4, 4)}, {}}.name("empty"));
    c->push_back(Case{op, {Uniform({2, 1}, -4, 4)}, {}}.name("one_class"));
  }
  c->push_back(Case{"softmax", {Uniform({3, 5}, -4, 4), Integers({3}, {2, 5, 1}, DType::kInt32)}, {{"use_length", "True"}}}.name("length"));
}

}  // namespace flx::cases
