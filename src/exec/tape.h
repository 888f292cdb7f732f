// SPDX-License-Identifier: Apache-2.0
// What hangs from recorded arrays. A node keeps no array that refers back to it: kept arrays are copies without history, and get it back when read.
#pragma once
#include "base/host_token.h"
#include "base/small_vector.h"
#include "exec/autograd.h"
#include "graph/node.h"

namespace flx {

// An attached gradient: the leaf at the end of an edge.
struct GradSlot {
  std::atomic<int32_t> refs{1};
  GradReq req = GradReq::kWrite;
  NDArray grad;
  const Array* owner = nullptr;   // whose gradient it is
  std::atomic<int64_t> count{0};  // the number of its last store, counted over all slots
};
struct Edge { TapeNode* node = nullptr; GradSlot* leaf = nullptr; int32_t output = 0; };  // owns one reference to either
struct Saved { NDArray array; uint64_t version = 0; };
struct Meta { Shape shape; DType dtype = DType::kNone; };

// What a node does backward that is neither an operator's nor the host's: a plan of many operators.
class TapeFunction : public Object {
 public:
  TapeFunction() : Object(Kind::kNone) {}
  virtual const char* name() const = 0;
  // dys: one per output, null where nothing flows. Gives one gradient per input, null where it is not wanted. mode: kTrain, kRecord (the backward is recorded
  // itself; inputs are then restored with the edges of `node`), kRetain.
  // into: by input, an array that the gradient may be written into, which is then dx; or null.
  virtual void Backward(const TapeNode& node, const NDArray* dys, const bool* wanted, int mode, Array* const* into, NDArray* dx) = 0;
  virtual void Release() = 0;       // no other backward will come
  // What it stands for, as a graph over these inputs; names begin with `prefix`.
  virtual std::vector<Entry> Compose(const TapeNode& node, const std::vector<Entry>& in, const std::string& prefix) const = 0;
};

class TapeNode {
 public:
  std::atomic<int32_t> refs{1};
  uint64_t sequence = 0;            // grows along every path: backward visits nodes by falling sequence
  Ref<const Call> call;             // null: a host function
  Attrs attrs;                      // the call's with this run's runtime values; null: just the call's
  Ref<TapeFunction> function;       // in place of a call
  HostToken token;                  // of a host function
  const Device* device = nullptr;   // where its arrays are; null: the CPU
  bool training = false;
  bool traced = false;              // noted for a graph (kTrace): saved_in has what no traced call made, no gradient is kept
  SmallVector<Edge, 3> edges;       // one per input port
  SmallVector<Meta, 3> inputs;
  SmallVector<Meta, 2> outputs;     // hidden ones too
  SmallVector<Saved, 3> saved_in;   // by port; null: not kept
  SmallVector<Saved, 2> saved_out;
  TapeNode* next = nullptr;         // work list of Drop; the free list
  static TapeNode* New();           // with one reference
  const Attrs& settings() const { return attrs ? attrs : call->attrs; }
  const char* name() const { return call ? call->op.name : function ? function->name() : "host function"; }
};

struct SaveSet {
  uint64_t key = 0;                 // shapes, dtypes, mode and wanted inputs
  std::vector<bool> in, out;
  const SaveSet* older = nullptr;   // kept until the call goes: another thread may still read it
};

void RefNode(TapeNode* n);
void DropNode(TapeNode* n);         // without recursion
void RefSlot(GradSlot* s);
void DropSlot(GradSlot* s);
inline bool HasHistory(const Array& a) { return a.node || (a.grad && a.grad->req != GradReq::kNull); }

// Called by Invoke after an operation was run or queued. `in` by port, `out` all outputs.
// versions: of the inputs before the operation wrote anything.
void Record(const Call& call, const Attrs& attrs, int mode, Array* const* in, int nin, const uint64_t* versions, const NDArray* out, int nout);
// Makes `function` the history of `outputs`, where they are floats.
void RecordFunction(Ref<TapeFunction> function, int mode, Array* const* in, int nin, const NDArray* out, int nout);
// An array that leads back to where input `i` of the node came from.
NDArray WithHistory(const NDArray& a, const Edge& e);
// Makes a node for a call in mode kTrace.
void RecordTraced(const Call& call, const Attrs& attrs, Array* const* in, int nin, const NDArray* out, int nout);
// What the gradient of `call` reads by value, found by tracing it once per signature.
const SaveSet& FindSaves(const Call& call, const Attrs& attrs, bool training, Array* const* in, int nin, const NDArray* out, int nout);

}  // namespace flx
