// SPDX-License-Identifier: Apache-2.0
// Iterators: sources of batches, listed by name with their settings like operators.
//   Rules for all of them:
//   - An epoch is begun by Next, ends when Next gives false (and goes on giving false), and the next one is begun by Reset. What an epoch holds, and in
//     which order, depends on the settings, the seed and the epoch's number only: never on threads, or on what was read before.
//   - Batches are new arrays: who keeps one is not disturbed by the next.
//   - pad() rows at the end of a batch are only filling, to be left out of metrics and predictions.
//   - They are not synchronised; mutex() is for callers that share one (the C ABI locks it for a call).
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/ref.h"
#include "base/registry.h"
#include "tensor/array.h"

namespace flx {

class Iter : public LockedObject {
 public:
  Iter() : LockedObject(Kind::kIter) {}
  // The next batch, into arrays(); false at the end of the epoch.
  bool Next();
  // To the beginning; of the next epoch, if this one was begun.
  void Reset();
  // To the beginning of that epoch: training that goes on from a checkpoint sees what it would have seen.
  void SetEpoch(int64_t epoch);
  const std::vector<NDArray>& arrays() const { return arrays_; }    // of the batch; empty before the first and after the last
  const std::vector<std::string>& names() const { return names_; }  // of the arrays: data ... label ...
  int64_t pad() const { return pad_; }
  int64_t epoch() const { return epoch_; }
  virtual int64_t size() const = 0;        // samples in one epoch, without filling; -1: unknown
  virtual int64_t batch_size() const = 0;  // of a full batch
  // Whether Next would return at once. <0: no limit, 0: poll. False: time is up.
  virtual bool Ready(int64_t timeout_ms) { (void)timeout_ms; return true; }
  // The host's function that must give the next batch before Next can go on; -1: none.
  virtual int64_t asks() const { return -1; }
  virtual void Give(std::vector<NDArray> arrays) { (void)arrays; }  // its answer; no array: the epoch is over
  bool begun() const { return begun_; }      // this epoch was
  std::mutex& mutex() const { return mutex_; }

 protected:
  virtual bool Fetch() = 0;                 // fills arrays_ and pad_; false at the end
  virtual void Begin(int64_t epoch) = 0;    // to the beginning of that epoch
  std::vector<NDArray> arrays_;
  std::vector<std::string> names_;
  int64_t pad_ = 0;

 private:
  int64_t epoch_ = 0;
  bool begun_ = false, ended_ = false;
  mutable std::mutex mutex_;
};

// A registered iterator; the list is in iter.cc.
struct IterDef : Registered {
  bool from_arrays = false;  // is made over arrays that the caller gives
  Ref<Iter> (*create)(const Attrs& attrs, const std::vector<NDArray>& arrays, const std::vector<std::string>& names) = nullptr;
};
const Registry<IterDef>& Iters();
Ref<Iter> CreateIter(std::string_view name, const Settings& settings, const std::vector<NDArray>& arrays = {}, const std::vector<std::string>& names = {});

// Batches by the host's function `token`; names empty: data and label.
Ref<Iter> HostIterOf(int64_t token, const std::vector<std::string>& names, const Settings& settings);
const Registered& HostIterOptions();

// 0 .. n-1 in an order that (seed, epoch) gives: Fisher and Yates's shuffle by Philox.
std::vector<int64_t> Permutation(int64_t n, uint64_t seed, int64_t epoch);

}  // namespace flx
