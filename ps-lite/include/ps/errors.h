// SPDX-License-Identifier: Apache-2.0
// How a call of the parameter server ends.
#pragma once
#include <cstdint>
#include <string>

namespace ps {

enum class Code : uint8_t {
  kOk,
  kArgument,     // the call cannot be meant: an empty name, a size that is not the key's
  kState,        // not now: before the rendezvous, after finish, in a forked child
  kMismatch,     // a key is there with another dtype, size or meta
  kUnknownKey,   // no init of this key has been seen
  kNetwork,      // a node that was needed is lost, or cannot be reached
  kTimeout,      // the call's limit has passed
  kRefused,      // version, key, role, job or rank not accepted
  kEvicted,      // this node was taken out of the job; what was not acknowledged did not count
  kRolledBack,   // the job went back to a checkpoint; what came after it did not count
  kMemory,
  kFile,
  kReducer,      // the reducer threw
  kUnsupported,
  kInternal,
};

struct Status {
  Code code = Code::kOk;
  std::string text;  // what was expected, what was found, and how to mend it
  bool ok() const { return code == Code::kOk; }
};

}  // namespace ps
