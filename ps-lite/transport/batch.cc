// SPDX-License-Identifier: Apache-2.0
#include "transport/batch.h"

namespace ps::net {
namespace {
void Put(std::string& s, size_t value) {
  for (int i = 0; i < 4; ++i) s += char(value >> 8 * i & 255);
}
}  // namespace

void Batch::add(std::string_view envelope, std::string_view payload) {
  if (count_ == 0) index_ = kBatchWord, first_ = envelope.size();
  Put(index_, envelope.size());
  Put(index_, payload.size());
  body_.append(envelope).append(payload);
  ++count_;
}
void Batch::clear() {
  index_.clear(), body_.clear();
  count_ = 0;
}

size_t BatchReader::length(size_t entry, size_t which) const {
  size_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= size_t(uint8_t(index_[kBatchWord.size() + entry * kEntry + which * 4 + i])) << 8 * i;
  return value;
}
bool BatchReader::good(size_t max_envelope) const {
  if (!IsBatch(index_) || (index_.size() - kBatchWord.size()) % kEntry != 0 || count() == 0 || count() > kBatchMost || body_.size() > kBatchBytes) return false;
  size_t left = body_.size();
  for (size_t i = 0; i < count(); ++i)
    for (size_t which = 0; which < 2; ++which) {
      size_t n = length(i, which);
      if (n > left || (which == 0 && n > max_envelope)) return false;
      left -= n;
    }
  return left == 0;
}
bool BatchReader::next(std::string_view* envelope, std::string_view* payload) {
  if (entry_ == count()) return false;
  size_t head = length(entry_, 0), rest = length(entry_, 1);
  *envelope = body_.substr(at_, head);
  *payload = body_.substr(at_ + head, rest);
  at_ += head + rest;
  ++entry_;
  return true;
}

}  // namespace ps::net
