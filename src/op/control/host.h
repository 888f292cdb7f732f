// SPDX-License-Identifier: Apache-2.0
// `_host`: a node whose work is the host's. The task that runs the graph asks its driver for the outputs, and later for their gradient (kHost in op.h).
//   A token means something in this process only, so that a file has the label alone (kProcessLocal) and whoever reads it finds the token by the label.
#pragma once
#include "base/host_token.h"
#include "op/op.h"

namespace flx {

struct HostAttrs {
  HostToken token;
  int outputs = 1;
  std::string shapes, label;
};
// Which function it is; a state error if only a label is there, and no function is held under it.
int64_t TokenOf(const HostAttrs& a);
[[noreturn]] void FailHostHere(const OpDef& op);  // where no task drives

}  // namespace flx
