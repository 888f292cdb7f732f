// SPDX-License-Identifier: Apache-2.0
// What the bytes mean, to those who hold them: given to a server by its user.
#pragma once
#include <string>
#include <vector>

#include "ps/types.h"

namespace ps {

// Called on the executor's threads, never for the same slice from two at once. What it throws (std::exception) fails the calls that wait for the round;
// nothing is committed then. The same arguments give the same bytes on every server, or copies would differ.
class Reducer {
 public:
  virtual ~Reducer() = default;
  // The contributions, in rank order, in one buffer: their sum, or their mean weighted by samples.
  virtual Buffer Reduce(const Slice& slice, const std::vector<Contribution>& in_rank_order, Aggregate aggregate) = 0;
  // The stored slice after the update. Called only once an optimizer has been configured; without one the stored value becomes the reduced one.
  // The state is empty at the first update.
  virtual Stored Apply(const Slice& slice, const Stored& stored, const Buffer& reduced) = 0;
  // An optimizer (or another setting) by name and text, both opaque here; the same on every server, before the next round.
  virtual void Configure(const std::string& name, const std::string& text) = 0;
};

}  // namespace ps
