// SPDX-License-Identifier: Apache-2.0
// Several small messages of one link as one of ZeroMQ's two frames: an index (a word that begins no envelope, then the two lengths of each message), and all
// their bytes behind each other. Whoever receives it sees the single messages, in their order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ps::net {

constexpr std::string_view kBatchWord = "flexor-batch";  // as a protobuf: a field of a wire type that there is not
constexpr size_t kBatchBytes = 64 << 10, kBatchMost = 512;  // of one batch: bytes in all, messages

// What waits to be sent.
class Batch {
 public:
  bool fits(size_t bytes) const { return count_ < kBatchMost && body_.size() + bytes <= kBatchBytes; }
  void add(std::string_view envelope, std::string_view payload);
  void clear();
  size_t count() const { return count_; }
  const std::string& index() const { return index_; }
  const std::string& body() const { return body_; }
  size_t first_envelope() const { return first_; }  // how much of the body is the first message's envelope

 private:
  std::string index_, body_;
  size_t count_ = 0, first_ = 0;
};

inline bool IsBatch(std::string_view first_frame) { return first_frame.substr(0, kBatchWord.size()) == kBatchWord; }

// Walks through what came: next() gives message after message. Nothing is believed before good() has looked at all of it.
class BatchReader {
 public:
  BatchReader(std::string_view index, std::string_view body) : index_(index), body_(body) {}
  // The lengths are whole, of as many messages as may be, each envelope within its limit, and they cover the body exactly.
  bool good(size_t max_envelope) const;
  size_t count() const { return (index_.size() - kBatchWord.size()) / kEntry; }
  bool next(std::string_view* envelope, std::string_view* payload);

 private:
  static constexpr size_t kEntry = 8;
  size_t length(size_t entry, size_t which) const;
  std::string_view index_, body_;
  size_t at_ = 0, entry_ = 0;
};

}  // namespace ps::net
