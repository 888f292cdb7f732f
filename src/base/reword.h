// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <utility>

#include "base/error.h"

namespace flx {

// The same error in other words.
inline Error Reworded(const Error& e, std::string message) {
  Error out(e.status(), std::move(message));
  out.op = e.op, out.node = e.node, out.origin = e.origin, out.hint = e.hint, out.file = e.file, out.offset = e.offset;
  return out;
}
// The error with the node whose operator raised it, unless an inner one is named already or nothing is known but that memory is short.
[[noreturn]] inline void FailInNode(const Error& e, const std::string& node, const char* op) {
  if (e.status() == Status::kMemory || !e.node.empty()) throw e;
  Error named = Reworded(e, e.message() + " [node `" + node + "`]");
  if (named.op.empty()) named.op = op;
  named.node = node;
  throw named;
}

}  // namespace flx
