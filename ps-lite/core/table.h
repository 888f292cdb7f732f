// SPDX-License-Identifier: Apache-2.0
// Who may send what to whom. Whatever else arrives is dropped and counted.
#pragma once
#include <cstdint>

#include "core/node.h"
#include "ps.pb.h"

namespace ps::core {

namespace pb = flexor::ps;
using Kind = pb::Envelope::BodyCase;

enum class Bound : uint8_t {
  kNo,       // counts whatever the view
  kRequest,  // of an older view: refused with the newer one; of a newer view: refused, ask again
  kAnswer,   // of an older view: dropped
};
struct Rule {
  Kind kind;
  uint8_t from, to;  // masks of roles
  Bound bound;
  bool payload;  // may have one
};
// Null: nobody may send it once a session stands (Hello, Welcome).
const Rule* RuleOf(Kind kind);
constexpr uint8_t Mask(Role r) { return uint8_t(1u << unsigned(r)); }

}  // namespace ps::core
