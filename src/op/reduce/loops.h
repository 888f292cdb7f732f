// SPDX-License-Identifier: Apache-2.0
// How a reduction walks memory: the input's axes merged into as few loops as its strides allow.
#pragma once
#include "tensor/view.h"

namespace flx {

struct AxisLoop { int64_t size = 1, stride = 0; };

struct LoopList {
  AxisLoop loop[kMaxNdim];
  int count = 0;
  int64_t size() const { int64_t n = 1; for (int i = 0; i < count; ++i) n *= loop[i].size; return n; }
  void Add(int64_t size, int64_t stride, bool may_merge) {
    if (size == 1) return;
    if (may_merge && count > 0 && loop[count - 1].stride == stride * size) {
      loop[count - 1].size *= size;
      loop[count - 1].stride = stride;
    } else {
      loop[count++] = {size, stride};
    }
  }
  AxisLoop Take(int i) {  // removes loop i
    AxisLoop l = loop[i];
    for (--count; i < count; ++i) loop[i] = loop[i + 1];
    return l;
  }
};

// Walks a LoopList in row-major order, keeping the offset (in elements).
class Walker {
 public:
  Walker(const LoopList& loops, int64_t at) : loops_(loops) {
    for (int i = loops.count - 1; i >= 0; --i) {
      index_[i] = at % loops.loop[i].size;
      at /= loops.loop[i].size;
      offset += index_[i] * loops.loop[i].stride;
    }
  }
  void Next() {
    for (int i = loops_.count - 1; i >= 0; --i) {
      offset += loops_.loop[i].stride;
      if (++index_[i] < loops_.loop[i].size) return;
      offset -= index_[i] * loops_.loop[i].stride;
      index_[i] = 0;
    }
  }
  int64_t offset = 0;

 private:
  const LoopList& loops_;
  int64_t index_[kMaxNdim];
};

}  // namespace flx
