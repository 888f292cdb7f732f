// SPDX-License-Identifier: Apache-2.0
// Running operators imperatively. Nothing else calls kernels.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/small_vector.h"
#include "op/op.h"
#include "tensor/array.h"

namespace flx {

// kTrace: every call is noted, to make a graph of what was called (TracedGraphOf). It runs in inference mode, takes no random numbers from the stream and
// changes nothing.
enum Mode : int { kPlain = 0, kRecord = 1, kTrain = 2, kRetain = 4, kCreateGraph = 8, kTrace = 16 };

struct SaveSet;  // which inputs and outputs backward reads by value (tape.cc)

// An operator with its attributes, ready to run; immutable, shared by threads. Parses strings once.
class Call final : public Object {
 public:
  static Ref<Call> New(const OpDef& op, Attrs attrs);
  static const Call* OfDefaults(const OpDef& op);  // with the default attributes; made once, kept for ever. Null: make one
  static Ref<Call> New(std::string_view op, const std::vector<std::pair<std::string, std::string>>& options = {});
  ~Call() override;
  const OpDef& op;
  const Attrs attrs;
  const int noutputs, nvisible;      // noutputs counts hidden ones
  const uint64_t present;            // ports that take an input (bit i); all ones for variadic operators
  const int ninputs;                 // inputs to be given; -1: any number
  const TileLoops* const tile;       // an elementwise operator of one to three inputs and one output: its loops; else null
  mutable std::atomic<const SaveSet*> saves{nullptr};
  mutable std::atomic<float> measured_ratio{0};   // measured over estimated time of its runs; 0: none was timed yet

 private:
  Call(const OpDef& op, Attrs attrs, int nout, int nvis, uint64_t present, int nin);
};

// Runs `call` on `in` (given inputs, in the order of the ports present). out receives the visible outputs, freshly made; `nout` must be call.nvisible.
// scalars: values for the runtime attributes in definition order, or none (as prepared).
// `device` is for operators without inputs; null: the CPU.
void Invoke(const Call& call, int mode, Array* const* in, int nin, const double* scalars, int nscalars, NDArray* out, int nout,
            const Device* device = nullptr);
// The same, written into `targets` (whole arrays or views; shapes and dtypes must be the results'). A target may be an input. Without inputs it runs where they are.
void InvokeInto(const Call& call, int mode, Array* const* in, int nin, const double* scalars, int nscalars, Array* const* targets, int ntargets);

// Conveniences for code above exec.
std::vector<NDArray> Invoke(const Call& call, int mode, const std::vector<NDArray>& in, const std::vector<double>& scalars = {});
std::vector<NDArray> Invoke(std::string_view op, const std::vector<NDArray>& in, const std::vector<std::pair<std::string, std::string>>& options = {}, int mode = kPlain);
inline NDArray Invoke1(std::string_view op, const std::vector<NDArray>& in, const std::vector<std::pair<std::string, std::string>>& options = {}, int mode = kPlain) {
  return Invoke(op, in, options, mode)[0];
}
// A dtype- and device-crossing copy into target (queued like any operation).
void CopyInto(const NDArray& from, const NDArray& target);
NDArray CopyOf(const NDArray& a);
NDArray CopyOf(const NDArray& a, const Device* device);  // null: the CPU
NDArray ArrayOn(const NDArray& a, const Device* device); // the array itself where it lies there

// A builder that runs at once: Val is an index into its list. Layers, gradients and compositions run on it.
class EagerBuilder final : public Builder {
 public:
  explicit EagerBuilder(int mode, const Device* device = nullptr) : mode_(mode), device_(device) {}
  Val Add(NDArray a);                       // an array as a Val
  const NDArray& array(Val v) const { return values_[v.id]; }
  const Device* device() const { return device_; }
  void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) override;
  const Shape& shape(Val v) override { return values_[v.id]->shape; }
  DType dtype(Val v) override { return values_[v.id]->dtype; }
  bool training() const override { return (mode_ & kTrain) != 0; }

 private:
  int mode_;
  const Device* device_;                    // of operators without inputs
  SmallVector<NDArray, 8> values_;
};
// A builder that only infers: for parameter shapes, summaries, and finding what backward keeps.
class ShapeBuilder final : public Builder {
 public:
  explicit ShapeBuilder(bool training) : training_(training) {}
  Val Add(const Shape& s, DType t);
  void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) override;
  const Shape& shape(Val v) override { return shapes_[size_t(v.id)]; }
  DType dtype(Val v) override { return types_[size_t(v.id)]; }
  bool training() const override { return training_; }

 private:
  bool training_;
  std::deque<Shape> shapes_;  // shape() gives references, which must last
  std::vector<DType> types_;
};

// ---- random streams: one per process for now; tickets in program order ----------------------------------------------------------------------
void SeedRandom(uint64_t seed);
Ticket NextTicket();
Ticket NextTickets(int n);  // n of them; gives the first
Ticket RandomState();
void SetRandomState(Ticket t);
// While it lives, this thread's tickets come from *stream and not from the process's: work that must not depend on what runs beside it.
class TicketScope {
 public:
  explicit TicketScope(Ticket* stream);
  ~TicketScope();
  TicketScope(const TicketScope&) = delete;
  TicketScope& operator=(const TicketScope&) = delete;

 private:
  Ticket* outer_;
};

}  // namespace flx
