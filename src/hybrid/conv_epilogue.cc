// SPDX-License-Identifier: Apache-2.0
// What follows a blocked convolution goes into it: something added to its result, then relu. Only where nobody else reads what lies between.
#include "hybrid/pass.h"
#include "op/elementwise/activation.h"
#include "op/nn/blocked.h"

namespace flx {
namespace {

bool IsRelu(const IrNode& n) {
  std::string_view op = n.op->name;
  return op == "relu" || (op == "Activation" && static_cast<const ActivationAttrs*>(n.attrs.get())->act_type == ActType::kRelu);
}
bool IsAdd(const IrNode& n) {
  std::string_view op = n.op->name;
  return op == "elemwise_add" || op == "broadcast_add" || op == "_np_add" || (op == "add_n" && n.in.size() == 2);
}
bool IsConv(const IrNode& n) {
  std::string_view op = n.op->name;
  return op == "_blocked_convolution" || op == "_blocked_convolution_add";
}

}  // namespace

int64_t ConvEpilogue(Ir* ir) {
  auto readers = ir->Readers();
  auto kept = ir->Kept(), updated = ir->Updated();
  std::vector<int32_t> conv(ir->values.size(), -1);  // by value: the convolution that makes it, if what follows may go into it
  std::vector<bool> gone(ir->nodes.size());
  int64_t changes = 0;
  auto single = [&](int32_t v) { return !kept[size_t(v)] && readers[size_t(v)].size() == 1; };
  auto relu_of = [&](const IrNode& c) { return static_cast<const BlockedConvAttrs*>(c.attrs.get())->relu; };
  for (size_t i = 0; i < ir->nodes.size(); ++i) {
    IrNode& n = ir->nodes[i];
    if (n.out.size() != 1 || n.out[0] < 0) continue;
    if (IsConv(n)) {
      bool still = !relu_of(n);  // it moves to where its reader stands: what it reads must not change until then
      for (int32_t v : n.in) still &= v < 0 || !updated[size_t(v)];
      if (still) conv[size_t(n.out[0])] = int32_t(i);
      continue;
    }
    int32_t from = -1;
    if (IsRelu(n) && conv[size_t(n.in[0])] >= 0 && single(n.in[0])) {
      from = conv[size_t(n.in[0])];
      IrNode& c = ir->nodes[size_t(from)];
      if (c.backward != n.backward) continue;
      auto a = *static_cast<const BlockedConvAttrs*>(c.attrs.get());
      a.relu = true;
      n.op = c.op, n.in = c.in, n.attrs = std::make_shared<BlockedConvAttrs>(a);
    } else if (IsAdd(n) && n.in[0] != n.in[1]) {
      int which = -1;  // the later one, which has less far to move
      for (int k = 0; k < 2; ++k) {
        int32_t c = conv[size_t(n.in[size_t(k)])];
        if (c < 0 || !single(n.in[size_t(k)]) || ir->nodes[size_t(c)].op->name != std::string_view("_blocked_convolution")) continue;
        if (ir->nodes[size_t(c)].backward != n.backward || ir->values[size_t(n.in[size_t(1 - k)])].shape != ir->values[size_t(n.out[0])].shape) continue;
        if (c > from) from = c, which = k;
      }
      if (which < 0) continue;
      IrNode& c = ir->nodes[size_t(from)];
      std::vector<int32_t> in{n.in[size_t(1 - which)]};
      in.insert(in.end(), c.in.begin(), c.in.end());
      n.op = &FindOp("_blocked_convolution_add"), n.in = std::move(in), n.attrs = c.attrs;
      if (!updated[size_t(n.in[0])]) conv[size_t(n.out[0])] = int32_t(i);
    }
    if (from < 0) continue;
    n.name = ir->nodes[size_t(from)].name;
    gone[size_t(from)] = true;
    ++changes;
  }
  std::vector<IrNode> left;
  for (size_t i = 0; i < ir->nodes.size(); ++i) if (!gone[i]) left.push_back(std::move(ir->nodes[i]));
  ir->nodes = std::move(left);
  return changes;
}

}  // namespace flx
