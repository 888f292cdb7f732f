// SPDX-License-Identifier: Apache-2.0
// flexor/autograd.hpp: recording and gradients.
//
//   x.attach_grad();
//   {
//     autograd::Record record;
//     y = (x * x).sum();
//   }
//   y.backward();
//   x.grad();  // 2 x
//
// Whether operations are recorded is a state of this header and this thread; the library itself remembers nothing.
#ifndef FLEXOR_AUTOGRAD_HPP_
#define FLEXOR_AUTOGRAD_HPP_
#include "flexor/base.hpp"

namespace flexor {
namespace detail {
inline int32_t& mode_ref() noexcept {
  static thread_local int32_t mode = 0;
  return mode;
}
}  // namespace detail

namespace autograd {

// The `mode` that this thread's operations run in: FLX_RECORD, FLX_TRAIN or both.
inline int32_t mode() noexcept { return detail::mode_ref(); }
inline bool is_recording() noexcept { return (mode() & FLX_RECORD) != 0; }
inline bool is_training() noexcept { return (mode() & FLX_TRAIN) != 0; }
inline bool is_tracing() noexcept { return (mode() & FLX_TRACE) != 0; }

// Changes the mode of this thread for as long as it lives.
class Scope {
 public:
  explicit Scope(int32_t mode) noexcept : before_(detail::mode_ref()) { detail::mode_ref() = mode | (before_ & FLX_TRACE); }  // a trace notes all there is
  ~Scope() { detail::mode_ref() = before_; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  int32_t before_;
};
// Operations are recorded, and layers behave as in training unless `train` is false.
class Record : public Scope {
 public:
  explicit Record(bool train = true) noexcept : Scope(FLX_RECORD | (train ? FLX_TRAIN : 0)) {}
};
// Operations are not recorded.
class Pause : public Scope {
 public:
  explicit Pause(bool train = false) noexcept : Scope(train ? FLX_TRAIN : 0) {}
};
class TrainMode : public Scope {
 public:
  TrainMode() noexcept : Scope(mode() | FLX_TRAIN) {}
};
class PredictMode : public Scope {
 public:
  PredictMode() noexcept : Scope(mode() & ~FLX_TRAIN) {}
};

}  // namespace autograd
}  // namespace flexor
#endif  // FLEXOR_AUTOGRAD_HPP_
