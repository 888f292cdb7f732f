// SPDX-License-Identifier: Apache-2.0
// How elementwise loops meet arrays: operands with strides and broadcasting, and what brings their elements into tiles and back. Shared by the driver
// of single operators and by chains.
#pragma once
#include <cstring>

#include "op/elementwise/convert.h"
#include "op/op.h"

namespace flx {

constexpr int64_t kGrain = 32768;        // elements per chunk of a parallel loop
constexpr int64_t kPastGrain = 4 << 20;  // bytes of a chunk that is written past the caches
constexpr int64_t kTileBytes = 2048;     // of a tile in the loops' type

TileFn LoopFor(const TileLoops& l, DType dtype, DType loop_type);
// An element of t is one of the loops'.
inline bool Native(DType t, DType loop_type) { return t == loop_type || (t == DType::kUint64 && loop_type == DType::kInt64); }
bool Exact(DType from, DType loop_type);  // every value of `from` has its own in the loops' type (or is an integer, and that float64)

struct alignas(64) Tile { char bytes[kTileBytes]; };

// One array, seen along the output's elements in row-major order: its own dimensions, merged as far as its strides allow.
struct Operand {
  char* base = nullptr;
  int size = 0;                // bytes of an element
  int nd = 0;
  bool native = false;         // an element is one of the loops'
  ConvertFn convert = nullptr;
  int64_t dims[kMaxNdim], strides[kMaxNdim];  // strides in bytes
  void Set(const TensorView& v, const Shape& to);
};

// A place in an operand, advanced run by run along its innermost dimension.
class Cursor {
 public:
  Cursor(const Operand& o, int64_t at) : o_(o) {
    p_ = o.base;
    for (int i = o.nd - 1; i >= 0; --i) {
      index_[i] = at % o.dims[i], at /= o.dims[i];
      p_ += index_[i] * o.strides[i];
    }
  }
  char* p() const { return p_; }
  int64_t run() const { return o_.dims[o_.nd - 1] - index_[o_.nd - 1]; }
  int64_t stride() const { return o_.strides[o_.nd - 1]; }
  void Advance(int64_t n) {  // no further than run()
    int k = o_.nd - 1;
    index_[k] += n, p_ += n * o_.strides[k];
    while (index_[k] == o_.dims[k] && k > 0) {
      p_ += o_.strides[k - 1] - o_.dims[k] * o_.strides[k];
      index_[k] = 0, ++index_[--k];
    }
  }

 private:
  const Operand& o_;
  char* p_;
  int64_t index_[kMaxNdim];
};

void CopyRun(const char* from, int64_t from_stride, char* to, int64_t to_stride, int64_t n, int size);
void FillRun(const char* one, char* to, int64_t n, int size);  // n times the element `one`

// Input elements for the loop: the array's own where they lie ready, else a tile.
class Source {
 public:
  Source(const Operand& o, int64_t at, int loop_size) : o_(o), c_(o, at), loop_size_(loop_size) {}
  int64_t Ready() const { return o_.native && c_.stride() == o_.size ? c_.run() : 0; }
  int64_t Repeats() const { return c_.stride() == 0 ? c_.run() : 0; }  // how often the element here comes in a row
  const void* Take(int64_t n, char* buffer) {  // beyond what is Ready: at most a tile
    if (Ready() >= n) {
      const void* p = c_.p();
      c_.Advance(n);
      return p;
    }
    return Gather(n, buffer);
  }

 private:
  const void* Gather(int64_t n, char* buffer);
  const Operand& o_;
  Cursor c_;
  const char* held_ = nullptr;
  int loop_size_;
};
class Target {
 public:
  Target(const Operand& o, int64_t at) : o_(o), c_(o, at) {}
  int64_t Ready() const { return o_.native && c_.stride() == o_.size ? c_.run() : 0; }
  void* Place(int64_t n, char* buffer) { return Ready() >= n ? c_.p() : buffer; }
  void Finish(int64_t n, const char* buffer) {
    if (Ready() >= n) return c_.Advance(n);
    Scatter(n, buffer);
  }
  void Scatter(int64_t n, const char* buffer);  // from the tile, wherever Place() may point

 private:
  const Operand& o_;
  Cursor c_;
};

}  // namespace flx
