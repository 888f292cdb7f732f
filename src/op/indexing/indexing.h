// SPDX-License-Identifier: Apache-2.0
// Attributes and kernel keys of the operators that choose elements by index, and of sorting.
//   Indices may have any dtype; fractional ones are truncated toward zero. Everything that adds where indices repeat adds in the order of the indices,
//   one output row at a time, so results have the same bits on any number of threads.
#pragma once
#include <optional>

#include "op/op.h"
#include "op/val_attrs.h"

namespace flx {

enum class IndexMode { kRaise, kWrap, kClip };  // what to do with an index out of range: an error, modulo, the nearest
enum class PickMode { kWrap, kClip };
enum class TopkType { kValue, kIndices, kMask, kBoth };
template <> struct EnumNames<IndexMode> { static constexpr const char* names[] = {"raise", "wrap", "clip"}; };
template <> struct EnumNames<PickMode> { static constexpr const char* names[] = {"wrap", "clip"}; };
template <> struct EnumNames<TopkType> { static constexpr const char* names[] = {"value", "indices", "mask", "both"}; };

// ---- take.cc
struct TakeAttrs {
  int64_t axis = 0;
  IndexMode mode = IndexMode::kClip;
};
struct TakeGradAttrs : TakeAttrs { Ints shape; };
struct AlongAttrs {
  int64_t axis = -1;
  IndexMode mode = IndexMode::kClip;
};
struct PutAlongAttrs : AlongAttrs { Ints shape; };
struct PickAttrs {
  std::optional<int64_t> axis = -1;
  bool keepdims = false;
  PickMode mode = PickMode::kClip;
};
struct EmbeddingAttrs {
  int64_t input_dim = 0, output_dim = 0;
  DType dtype = DType::kFloat32;
  bool sparse_grad = false;
};
struct OneHotAttrs {
  int64_t depth = 0;
  double on_value = 1, off_value = 0;
  DType dtype = DType::kFloat32;
};
template <class A> struct TwoKey { using Signature = void(KernelContext&, const A&, const TensorView& a, const TensorView& b, TensorView& y); };
struct TakeKernel : TwoKey<TakeAttrs> { static constexpr const char* kName = "take"; };
struct TakeGradKernel : TwoKey<TakeGradAttrs> { static constexpr const char* kName = "take_grad"; };
struct TakeAlongKernel : TwoKey<AlongAttrs> { static constexpr const char* kName = "take_along"; };
struct PutAlongKernel : TwoKey<PutAlongAttrs> { static constexpr const char* kName = "put_along"; };
struct OneHotKernel {
  using Signature = void(KernelContext&, const OneHotAttrs&, const TensorView& indices, TensorView& y);
  static constexpr const char* kName = "one_hot";
};

// ---- nd.cc
struct GatherNdKernel : TwoKey<NoAttrs> { static constexpr const char* kName = "gather_nd"; };
struct ScatterNdKernel : TwoKey<ToShapeAttrs> { static constexpr const char* kName = "scatter_nd"; };
struct ScatterAddNdKernel : TwoKey<ToShapeAttrs> { static constexpr const char* kName = "scatter_add_nd"; };
struct ScatterSetNdKernel {
  using Signature = void(KernelContext&, const ToShapeAttrs&, const TensorView& lhs, const TensorView& rhs, const TensorView& indices, TensorView& y);
  static constexpr const char* kName = "scatter_set_nd";
};
struct IndexCopyKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& old_rows, const TensorView& indices, const TensorView& new_rows, TensorView& y);
  static constexpr const char* kName = "index_copy";
};
struct HistogramAttrs {
  std::optional<int64_t> bin_cnt;
  std::optional<Doubles> range;
};
struct HistogramKernel {
  using Signature = void(KernelContext&, const HistogramAttrs&, const TensorView& data, const TensorView& bins, TensorView& count, TensorView& edges);
  static constexpr const char* kName = "histogram";
};

// ---- sort.cc
struct TopkAttrs {
  std::optional<int64_t> axis = -1;
  int64_t k = 1;
  TopkType ret_typ = TopkType::kIndices;
  bool is_ascend = false;
  DType dtype = DType::kFloat32;
};
struct SortAttrs {
  std::optional<int64_t> axis = -1;
  bool is_ascend = true;
};
struct ArgsortAttrs {
  std::optional<int64_t> axis = -1;
  bool is_ascend = true;
  DType dtype = DType::kFloat32;
};
struct TopkKernel {
  using Signature = void(KernelContext&, const TopkAttrs&, const TensorView& x, TensorView& y, TensorView& indices, TensorView& positions);
  static constexpr const char* kName = "topk";
};
struct SortKernel {
  using Signature = void(KernelContext&, const SortAttrs&, const TensorView& x, TensorView& y, TensorView& positions);
  static constexpr const char* kName = "sort";
};
struct ArgsortKernel {
  using Signature = void(KernelContext&, const ArgsortAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "argsort";
};

// The largest whole number up to which dtype t holds all: what limits indices kept in it.
int64_t LargestIndex(DType t);
// All of `indices` as int64 in [0, n), by the mode's rule; kRaise: an index error that names `who`.
int64_t* LoadIndices(KernelContext& ctx, const char* who, const TensorView& indices, int64_t n, IndexMode mode);
// An array as outer x n x inner elements, n being axis k.
struct Rows { int64_t outer, n, inner; };
inline Rows RowsOf(const Shape& s, int k) { return {s.Product(0, k), s[k], s.Product(k + 1, s.ndim())}; }

#define FLX_FILE(name) void Add##name##Ops(std::vector<OpDef>* ops); void Add##name##CpuKernels(KernelList* list)
FLX_FILE(Take);  // take.cc: take, pick, batch_take, one_hot, Embedding, and the internal operators of their gradients
FLX_FILE(Nd);    // nd.cc: gather_nd, scatter_nd, _scatter_set_nd, _scatter_add_nd, _contrib_index_copy, _histogram
FLX_FILE(Sort);  // sort.cc: topk, sort, argsort
#undef FLX_FILE

}  // namespace flx
