// SPDX-License-Identifier: Apache-2.0
// What keys, slices, buffers and nodes are. Payloads are bytes that the parameter server never looks into.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ps/errors.h"

namespace ps {

using Time = int64_t;  // nanoseconds since an origin of the driver's choice
constexpr Time kMillisecond = 1'000'000, kSecond = 1'000 * kMillisecond;

using Rank = uint32_t;
using Round = uint64_t;  // of a slice: 0 is its first value. Synchronous: the step of its last update; else the number of updates it has had. A worker's pushes of a key count the same way

enum class Role : uint8_t { kNone, kScheduler, kServer, kWorker };
struct NodeId {
  Role role = Role::kNone;
  Rank rank = 0;
  friend bool operator==(const NodeId& a, const NodeId& b) { return a.role == b.role && a.rank == b.rank; }
  friend bool operator!=(const NodeId& a, const NodeId& b) { return !(a == b); }
  friend bool operator<(const NodeId& a, const NodeId& b) { return a.role != b.role ? a.role < b.role : a.rank < b.rank; }
};

enum class Mode : uint8_t { kSync, kAsync, kStale };
enum class Aggregate : uint8_t { kSum, kMean };  // the mean is weighted by the samples that each push names
enum class Policy : uint8_t { kFail, kContinue, kRollback };  // what the loss of a node does to the job

// Bytes that nobody changes any more, shared; given back exactly once, by whoever lets go last, in any thread.
class Buffer {
 public:
  Buffer() = default;
  // Bytes of somebody else's; `release` runs once, when they are needed no more.
  static Buffer Wrap(const void* data, size_t size, std::function<void()> release) {
    struct Owner {
      std::function<void()> release;
      ~Owner() {
        if (release) release();
      }
    };
    auto owner = std::make_shared<Owner>();
    owner->release = std::move(release);
    return Buffer(std::move(owner), static_cast<const uint8_t*>(data), size);
  }
  static Buffer Own(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    auto* data = reinterpret_cast<const uint8_t*>(owner->data());
    size_t size = owner->size();
    return Buffer(std::move(owner), data, size);
  }
  static Buffer Copy(const void* data, size_t size) { return Own(std::string(static_cast<const char*>(data), size)); }
  // A part of it; it holds the whole. The caller has checked that it lies inside.
  Buffer Part(size_t offset, size_t size) const { return Buffer(owner_, data_ + offset, size); }

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string text() const { return std::string(reinterpret_cast<const char*>(data_), size_); }
  friend bool operator==(const Buffer& a, const Buffer& b) {
    return a.size_ == b.size_ && (a.size_ == 0 || a.data_ == b.data_ || std::memcmp(a.data_, b.data_, a.size_) == 0);
  }

 private:
  Buffer(std::shared_ptr<const void> owner, const uint8_t* data, size_t size) : owner_(std::move(owner)), data_(data), size_(size) {}
  std::shared_ptr<const void> owner_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

constexpr size_t kMaxKeyName = 255, kMaxKeyMeta = 256;

// What a key is. Every init of a key says the same.
struct KeyInfo {
  std::string name;         // 1 to 255 bytes
  int32_t dtype = 0;        // the reducer's
  uint32_t item_bytes = 1;  // slices are cut at multiples of it
  uint64_t bytes = 0;       // of the whole array
  std::string meta;         // the reducer's: a shape; 256 bytes at most
  friend bool operator==(const KeyInfo& a, const KeyInfo& b) {
    return a.name == b.name && a.dtype == b.dtype && a.item_bytes == b.item_bytes && a.bytes == b.bytes && a.meta == b.meta;
  }
};

// A part of a key's array: what is sent, reduced and stored as one.
struct Slice {
  std::shared_ptr<const KeyInfo> key;
  uint32_t index = 0;
  uint64_t offset = 0, size = 0;  // bytes in the array
};

struct Contribution {
  Rank rank = 0;
  uint64_t samples = 1;
  Buffer bytes;
};

// A slice as a server holds it: the value that is pulled, and what an optimizer keeps beside it.
struct Stored {
  Buffer value, state;
};

struct Piece {
  uint64_t offset = 0;
  Buffer bytes;
};

// What a node knows of the job's checkpoints.
struct Progress {
  uint64_t checkpoint = 0;     // the number of the last one that every shard has written; 0: none
  Round checkpoint_round = 0;  // which its slices have; asynchronous: the highest
  uint64_t returns = 0;        // how often the job went back to one
  Round returned_to = 0;       // the round of the last return
  Round first_round = 1;       // a worker's: the first one it takes part in
};

// What a call gives. pull, pushpull: pieces in order that cover the key's bytes; round and contributors are those of the pieces (of the first where they differ).
struct Reply {
  Round round = 0;                 // barrier: its number; kRolledBack: the checkpoint's
  std::vector<Rank> contributors;  // whose pushes are in the round, ascending
  std::vector<Piece> pieces;
};

}  // namespace ps
