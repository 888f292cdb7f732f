// SPDX-License-Identifier: Apache-2.0
// What ZeroMQ has read from a connection and has not handed on. It bounds a frame, and how many whole messages wait; a message that no frame ends would gather
// for ever, unseen. The system knows how many bytes came; who has drained the socket knows that no more than a part of one message may be left.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ps::net {

class Meter {
 public:
  void took(size_t frame_bytes, bool curve) {
    size_t size = frame_bytes + (curve ? 33 : 0);
    taken_ += size + (size < 256 ? 2 : 9);
  }
  // Bytes that ZeroMQ had read so far at the least; 0 if the system does not tell. What was counted too high gives nobody credit.
  uint64_t read(int fd);
  uint64_t left(uint64_t read) const { return read > taken_ ? read - taken_ : 0; }

 private:
  uint64_t taken_ = 0;
};

}  // namespace ps::net
