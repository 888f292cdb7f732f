// SPDX-License-Identifier: Apache-2.0
#include "core/sendqueue.h"

#include <algorithm>
#include <utility>

namespace ps::core {

void SendQueue::Put(int32_t priority, Parcel parcel) {
  queued_ += parcel.payload.size();
  waiting_.emplace(std::make_pair(-int64_t(priority), next_++), std::move(parcel));
}

bool SendQueue::Take(Time now, Parcel* parcel) {
  if (waiting_.empty()) return false;
  auto it = waiting_.begin();
  uint64_t size = it->second.payload.size();
  // One parcel always fits an empty window and a whole credit, however large it is.
  if (in_flight_ > 0 && in_flight_ + size > window_) return false;
  if (size > credit_ && credit_ < granted_) return false;
  if (granted_ == 0 && size > 0) return false;
  credit_ -= std::min(credit_, size);
  if (in_flight_ == 0) busy_since_ = now, returned_ = 0;
  in_flight_ += size;
  queued_ -= size;
  *parcel = std::move(it->second);
  waiting_.erase(it);
  return true;
}

void SendQueue::Returned(Time now, uint64_t bytes) {
  in_flight_ -= std::min(in_flight_, bytes);
  returned_ += bytes;
  Time took = now - busy_since_;
  if (took >= 5 * kMillisecond || (in_flight_ == 0 && took > 0 && returned_ >= kLeast)) {
    uint64_t at_rate = returned_ * uint64_t(5 * kMillisecond) / uint64_t(took);
    window_ = std::clamp((3 * window_ + at_rate) / 4, kLeast, kMost);
    busy_since_ = now, returned_ = 0;
  }
}

void SendQueue::Grant(uint64_t bytes) {
  // The first grant says how much there is in all; later ones give back what was used of it.
  if (granted_ == 0) granted_ = bytes;
  credit_ = bytes > granted_ - credit_ ? granted_ : credit_ + bytes;
}

void SendQueue::Clear() {
  waiting_.clear();
  queued_ = 0;
}

}  // namespace ps::core
