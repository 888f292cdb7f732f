// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

namespace {
void Layers(std::vector<Case>* c) {
  std::vector<std::pair<std::string, std::string>> window = {{"kernel", "(3, 2)"}, {"num_filter", "3"}, {"pad", "(1, 0)"}, {"stride", "(2, 1)"}};
  auto with = [](auto attrs, const char* name, const char* value) { attrs.emplace_back(name, value); return attrs; };
  // data (2, 2, 5, 4), weight (3, 2, 3, 2), output (2, 3, 3, 3)
  c->push_back({"_convolution_grad_data", {Uniform({3, 2, 3, 2}, -1, 1), Uniform({2, 3, 3, 3}, -1, 1)}, with(window, "shape", "(2, 2, 5, 4)")});
  c->push_back({"_convolution_grad_weight", {Uniform({2, 2, 5, 4}, -1, 1), Uniform({2, 3, 3, 3}, -1, 1)}, with(window, "shape", "(3, 2, 3, 2)")});
  c->push_back({"_pooling_grad", {Uniform({1, 2, 2, 2}, -1, 1), Uniform({1, 2, 4, 4}, -2, 2)}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}, {"shape", "(1, 2, 4, 4)"}}});
  c->push_back({"_pooling_grad", {Uniform({1, 2, 4, 4}, -1, 1)}, {{"pool_type", "avg"}, {"kernel", "(2, 2)"}, {"shape", "(1, 2, 5, 5)"}}});
  c->push_back({"_pooling_take", {Uniform({1, 2, 4, 4}, -1, 1), Uniform({1, 2, 4, 4}, -2, 2)}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}}});
  c->push_back({"_batch_norm_grad",
                {Uniform({3, 2, 2}, -2, 2), Uniform({2}, 0.5, 1.5), Uniform({2}, -0.5, 0.5), Uniform({2}, 0.5, 1.5), Uniform({3, 2, 2}, -1, 1)},
                {{"batch_stats", "False"}, {"fix_gamma", "False"}}});
  c->push_back(Case{"_layer_norm_grad", {Uniform({3, 4}, -2, 2), Uniform({4}, 0.5, 1.5), Uniform({3, 4}, -1, 1)}, {}}.Tolerance(3));
  c->push_back({"_softmax_cross_entropy_grad", {Uniform({3, 4}, -2, 2), Constant(Values({0, 3, 1})), Uniform({1}, 0.5, 1)}, {}});
  c->push_back({"_ctc_loss_grad", {Uniform({3, 2, 2}, -1, 1), Uniform({2}, -1, 1)}, {}});
  c->push_back({"_box_nms_grad", {Integers({2, 2}, {1, -1, 0, 1}), Uniform({2, 2, 6}, -1, 1)}, {{"out_format", "center"}}});
  c->push_back({"_sequence_last_grad", {Uniform({2, 2}, -1, 1), Integers({2}, {3, 1})}, {{"use_sequence_length", "True"}, {"shape", "(3, 2, 2)"}}});
  c->push_back({"_softmax_output_grad", {Uniform({3, 4}, 0.1, 0.4), Constant(Values({0, 3, 1}))}, {}});
}
}  // namespace

// Blocked arrays, blocks of 2: no library takes them.
namespace {
void BlockedArrays(std::vector<Case>* c) {
  c->push_back({"_to_blocked", {Uniform({2, 4, 3, 2}, -1, 1)}, {{"block", "2"}}});
  c->push_back({"_from_blocked", {Uniform({2, 2, 3, 2, 2}, -1, 1)}, {}});
  for (const char* use : {"forward", "plain_data", "grad_data"}) c->push_back({"_pack_conv_weight", {Uniform({4, 2, 3, 2}, -1, 1)}, {{"block", "2"}, {"use", use}}});
  std::vector<std::pair<std::string, std::string>> window = {{"kernel", "(3, 2)"}, {"num_filter", "2"}, {"pad", "(1, 0)"}, {"stride", "(2, 1)"}};
  auto with = [&](std::vector<std::pair<std::string, std::string>> more) {
    more.insert(more.end(), window.begin(), window.end());
    return more;
  };
  const In data = Uniform({2, 2, 5, 3, 2}, -1, 1), weight = Uniform({1, 2, 3, 2, 2, 2}, -1, 1), out = Uniform({2, 1, 3, 2, 2}, -1, 1), bias = Uniform({2}, -1, 1);
  c->push_back({"_blocked_convolution", {data, weight, bias}, window});
  c->push_back(Case{"_blocked_convolution", {Uniform({2, 3, 5, 3}, -1, 1), Uniform({1, 3, 2, 3, 2}, -1, 1)}, with({{"no_bias", "True"}})}.name("plain_data"));
  c->push_back({"_blocked_convolution_add", {out, data, weight, bias}, with({{"relu", "True"}})});
  c->push_back({"_blocked_convolution_grad_data", {weight, out}, with({{"shape", "(2, 2, 5, 3, 2)"}})});
  c->push_back({"_blocked_convolution_grad_weight", {data, out}, with({{"shape", "(2, 4, 3, 2)"}})});
  c->push_back({"_blocked_pooling", {Uniform({1, 2, 4, 4, 2}, -2, 2)}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}}});
  c->push_back({"_blocked_pooling_grad", {Uniform({1, 2, 2, 2, 2}, -1, 1), Uniform({1, 2, 4, 4, 2}, -2, 2)}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}, {"shape", "(1, 2, 4, 4, 2)"}}});
  c->push_back(Case{"_blocked_batch_norm", {Uniform({2, 2, 2, 3, 2}, -2, 2), Uniform({4}, 0.5, 1.5), Uniform({4}, -1, 1), Constant(Uniform({4}, -1, 1)), Constant(Uniform({4}, 0.5, 1.5))},
                    {{"fix_gamma", "False"}}}.Tolerance(3));
  c->push_back({"_blocked_batch_norm_grad",
                {Uniform({2, 2, 1, 3, 2}, -2, 2), Uniform({4}, 0.5, 1.5), Uniform({4}, -0.5, 0.5), Uniform({4}, 0.5, 1.5), Uniform({2, 2, 1, 3, 2}, -1, 1)},
                {{"batch_stats", "False"}, {"fix_gamma", "False"}}});
}
}  // namespace

// Operators that only gradients and compositions call.
void AddInternalCases(std::vector<Case>* c) {
  c->push_back({"_sum_to", {Uniform({2, 3, 4}, -1, 1)}, {{"shape", "(3, 1)"}}});
  c->push_back({"_sum_to", {Uniform({2, 3}, -1, 1)}, {{"shape", "()"}}});
  c->push_back({"_np_broadcast_to", {Uniform({3, 1}, -1, 1)}, {{"shape", "(2, 3, 4)"}}});
  c->push_back({"_np_reshape_to", {Uniform({2, 3}, -1, 1)}, {{"shape", "(3, 2)"}}});
  c->push_back({"_slice_from", {Uniform({4, 5}, -1, 1)}, {{"begin", "(1, 4)"}, {"step", "(2, -2)"}, {"shape", "(2, 3)"}}});
  c->push_back({"_slice_into", {Uniform({2, 3}, -1, 1)}, {{"begin", "(1, 4)"}, {"step", "(2, -2)"}, {"shape", "(4, 5)"}}});
  for (const char* op : {"_relu_grad", "_sigmoid_grad", "_tanh_grad", "_gelu_grad"}) c->push_back({op, {Uniform({2, 3}, -2, 2), Uniform({2, 3}, -1, 1)}, {}});
  c->push_back({"_leaky", {Uniform({2, 3}, -2, 2)}, {}});
  c->push_back(Case{"_leaky", {Uniform({2, 3}, -2, 2)}, {{"slope", "-0.5"}}}.name("negative_slope"));
  c->push_back({"_leaky_grad", {Uniform({2, 3}, -2, 2), Uniform({2, 3}, -1, 1)}, {}});
  c->push_back({"_prelu", {Uniform({2, 3, 2}, -2, 2), Uniform({3, 1}, 0.1, 0.5)}, {}});
  c->push_back({"_elu", {Uniform({2, 3}, -2, 2)}, {{"slope", "0.3"}, {"scale", "1.2"}}});
  c->push_back(Case{"_elu", {Uniform({2, 3}, -2, 2)}, {{"slope", "-0.3"}}}.name("negative_slope"));
  c->push_back({"_elu_grad", {Uniform({2, 3}, -2, 2), Uniform({2, 3}, -1, 1), Uniform({2, 3}, -1, 1)}, {}});
  c->push_back({"_gelu", {Uniform({2, 3}, -3, 3)}, {}});
  c->push_back({"_softrelu", {Uniform({2, 3}, -3, 3)}, {}});
  c->push_back({"_digamma", {Uniform({2, 3}, -0.9, -0.1)}, {}});
  c->push_back({"_npi_where", {Constant(Values({2, 1}, {1, 0})), Uniform({3}, -2, 2), Uniform({2, 1}, -2, 2)}, {}});
  c->push_back({"_diag_into", {Uniform({3, 2}, -1, 1)}, {{"shape", "(2, 3, 4)"}, {"axis2", "2"}}});
  c->push_back({"_take_grad", {Constant(Values({0, 2, 2})), Uniform({2, 3, 2}, -1, 1)}, {{"axis", "1"}, {"shape", "(2, 4, 2)"}}});
  c->push_back({"_take_along", {Uniform({2, 3, 2}, -1, 1), Integers({2, 2, 2}, {0, 2, 1, 1, 5, -1, 0, 2})}, {{"axis", "1"}}});
  c->push_back({"_put_along", {Integers({2, 2, 2}, {0, 2, 1, 1, 1, -1, 1, 2}), Uniform({2, 2, 2}, -1, 1)}, {{"axis", "1"}, {"shape", "(2, 3, 2)"}}});
  c->push_back({"_scatter_add_nd", {Uniform({3, 2}, -1, 1), Integers({1, 3}, {2, 0, 2})}, {{"shape", "(3, 2)"}}});
  c->push_back({"_fused", {Uniform({2, 3}, 0.3, 0.9), Uniform({3}, 0.3, 0.9)}, {{"chain", "t0 = exp(_mul_scalar(x0, scalar=0.5)); broadcast_mul(t0, x1); t0"}}});
  c->push_back(Case{"_fused", {Uniform({2, 3, 2}, 0.3, 0.9), Uniform({3, 1}, 0.3, 0.9), Uniform({1}, 0.3, 0.9)}, {{"chain", "tanh(broadcast_div(broadcast_add(x0, x1), x2))"}}}.name("channels"));
  c->push_back({"_fully_connected_chain", {Uniform({3, 4}, -1, 1), Uniform({5, 4}, -1, 1), Uniform({5}, -1, 1)}, {{"num_hidden", "5"}, {"chain", "tanh(x0)"}}});
  c->push_back(Case{"_fully_connected_chain", {Uniform({2, 3, 4}, -1, 1), Uniform({5, 4}, -1, 1), Uniform({2, 3, 5}, -1, 1), Uniform({5}, 0.5, 1)},
                    {{"num_hidden", "5"}, {"no_bias", "True"}, {"flatten", "False"}, {"chain", "t0 = broadcast_add(x0, x1); broadcast_mul(sigmoid(t0), x2); t0"}}}.name("others"));
  Layers(c);
  BlockedArrays(c);
}

}  // namespace flx::cases
