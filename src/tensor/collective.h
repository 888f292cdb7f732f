// SPDX-License-Identifier: Apache-2.0
// Sums and copies over arrays of several devices at once, by the collectives of their module: NCCL on GPUs. Each call takes contiguous arrays of one
// shape and dtype, one on each device. It answers false, and has done nothing, where the module has no collectives for these, or where FLEXOR_DETERMINISTIC
// demands sums of a fixed order; then the same is to be done by copies and additions. Queued, as any operation.
#pragma once
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "tensor/array.h"

namespace flx::collective {

// Calls that are issued together, as one operation, where they are small, since each launch costs the devices time of its own (how much, no GPU has said yet:
// the bounds are guesses). Small calls (kSmall) are kept until they are many (kTogether bytes, kMost calls), until one of another kind or for other devices comes,
// until a call uses what they write or writes what they use, or until Issue; larger ones are issued at once. Where one of those issued together fails, all their results are poisoned.
class Batch {
 public:
  static constexpr int64_t kSmall = 256 << 10, kTogether = 4 << 20;  // bytes of one device's arrays
  static constexpr size_t kMost = 64;                                // NCCL takes 2048 calls at once (each array of each device is one)
  using Then = std::function<void()>;  // run when the call has been issued
  bool AllReduce(const std::vector<NDArray>& from, const std::vector<NDArray>& to, Then then = nullptr);  // every array of `to` becomes the sum; on the devices of `from`
  bool Reduce(const std::vector<NDArray>& from, const NDArray& to, Then then = nullptr);                  // on one of those devices
  bool Broadcast(const NDArray& from, const std::vector<NDArray>& to, Then then = nullptr);               // from one of their devices
  void Issue();                        // what is kept; what never is, is not done

  struct Member { NDArray from, to; };  // of one device; null where it gives or gets nothing
  struct Part { std::vector<Member> members; int root; Then then; };

 private:
  bool Add(int32_t what, std::vector<Member> members, const Device* root_device, Then then);
  bool Touches(const std::vector<Member>& members) const;
  struct Range { int64_t begin, end; bool written; };

  std::vector<Part> kept_;
  int32_t what_ = 0;
  void* group_ = nullptr;
  int64_t bytes_ = 0;
  std::unordered_multimap<const Storage*, Range> used_;  // by what is kept
};

}  // namespace flx::collective
