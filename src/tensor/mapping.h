// SPDX-License-Identifier: Apache-2.0
// The host's turn on an array's memory, in place. While it lasts the engine holds the array's variable for the host (Engine::Map), so nothing runs that
// would write what the host reads, or use what it writes. What would have to wait for the mapping's end is refused with an error, at the call: the host
// that ends the mapping is mostly the one that would wait, and a wait for itself is for ever.
#pragma once
#include "tensor/array.h"

namespace flx {

class Mapping final : public Object {
 public:
  // Waits until it is the host's turn: behind what writes, with `writable` behind all that uses the array. Null: the time is up. Errors: what made the
  // array; a layout with gaps.
  static Ref<Mapping> New(const NDArray& array, bool writable, int64_t timeout_ms);
  void* data() const { return static_cast<char*>(array_->storage->data()) + array_->offset; }
  int64_t bytes() const { return array_->bytes(); }

 private:
  Mapping(NDArray array, VarUse use) : Object(Kind::kMapping), array_(std::move(array)), use_(use) {}
  ~Mapping() override { Engine::Unmap(use_.var, use_.access); }
  const NDArray array_;
  const VarUse use_;
};

}  // namespace flx
