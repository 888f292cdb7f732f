// SPDX-License-Identifier: Apache-2.0
#include "tensor/shape.h"

#include "base/attrs.h"
#include "base/text.h"

namespace flx {

void Shape::Assign(const int64_t* d, int n) {
  if (n > kMaxNdim) Fail(Status::kShape, "shape", "expected at most ", kMaxNdim, " axes, given ", n, ".");
  if (n > kInline) {
    auto* fresh = new int64_t[size_t(n)];
    Copy(fresh, d, n);
    if (ndim_ > kInline) delete[] heap_;
    heap_ = fresh;
  } else {
    int64_t tmp[kInline];  // d may lie in our own heap block
    Copy(tmp, d, n);
    if (ndim_ > kInline) delete[] heap_;
    Copy(inline_, tmp, n);
  }
  ndim_ = n;
}
void Shape::Insert(int at, int64_t d) {
  Resize(ndim_ + 1);
  for (int i = ndim_ - 1; i > at; --i) data()[i] = data()[i - 1];
  data()[at] = d;
}
void Shape::Erase(int at) {
  for (int i = at; i + 1 < ndim_; ++i) data()[i] = data()[i + 1];
  Resize(ndim_ - 1);
}
int64_t Shape::CheckedSize(const char* who, int element_bytes) const {
  int64_t n = element_bytes;
  bool zero = false;
  for (int64_t d : *this) {
    if (d < 0) Fail(Status::kShape, who, "sizes must be 0 or more, given ", *this, ".");
    zero |= d == 0;
  }
  if (zero) return 0;
  for (int64_t d : *this)
    if (__builtin_mul_overflow(n, d, &n)) Fail(Status::kShape, who, "shape ", *this, " has more bytes than 63 bits can count.");
  return n / element_bytes;
}
void Append(std::string* s, const Shape& v) {
  if (!v.rank_known()) return s->append("unknown"), void();
  s->push_back('(');
  for (int i = 0; i < v.ndim(); ++i) {
    if (i) s->append(", ");
    if (v[i] < 0) s->push_back('?'); else AppendInt(s, v[i]);
  }
  s->append(v.ndim() == 1 ? ",)" : ")");
}
Shape ParseShape(std::string_view who, std::string_view text) {
  std::vector<std::string_view> items;
  Shape s;
  bool ok = attrs_detail::ParseItems(text, &items) && items.size() <= size_t(kMaxNdim);
  for (size_t i = 0; ok && i < items.size(); ++i) {
    int64_t n;
    if (items[i] == "None" || items[i] == "?") n = -1;
    else ok = ParseInt(items[i], &n) && n >= -1;
    if (ok) s.push_back(n);
  }
  if (!ok) Fail(Status::kArgument, who, "expected sizes such as `(None, 1, 28, 28)`, None for any, given `", text, "`.");
  return s;
}
int NormalAxis(const char* who, int64_t axis, int ndim) {
  if (axis < -ndim || axis >= ndim)
    Fail(Status::kShape, who, "axis must be in [", -ndim, ", ", ndim, ") for an array of ", ndim, " axes, given ", axis, ".");
  return int(axis < 0 ? axis + ndim : axis);
}
Shape ContiguousStrides(const Shape& s) {
  Shape t = Shape::Filled(s.ndim(), 1);
  for (int i = s.ndim() - 2; i >= 0; --i) t[i] = int64_t(uint64_t(t[i + 1]) * uint64_t(s[i + 1]));
  return t;
}

}  // namespace flx
