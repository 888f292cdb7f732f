// SPDX-License-Identifier: Apache-2.0
#include "interop/mxnet_params.h"

#include <unordered_set>
#include <vector>

namespace flx {
namespace {

constexpr uint64_t kListMagic = 0x112;
constexpr uint32_t kV1 = 0xF993FAC8, kV2 = 0xF993FAC9, kV3 = 0xF993FACA;
constexpr int32_t kDense = 0, kRowSparse = 1, kCsr = 2;
constexpr int32_t kCpu = 1;
constexpr const char* kWho = "mxnet params";

class ParamsReader {
 public:
  explicit ParamsReader(Source& s) : source_(s), in_(s) {}

  NamedArrays Read() {
    auto magic = in_.Get<uint64_t>("the list's magic number");
    if (magic != kListMagic) in_.FailAt(0, "expected the magic number 274 of MXNet's array lists, given ", magic, ".");
    in_.Get<uint64_t>("the reserved word");
    auto n = Count("the number of arrays", 4);  // an array takes 4 bytes at least
    NamedArrays arrays;
    for (int64_t i = 0; i < n; ++i) arrays.emplace_back("", ReadArray(i));
    int64_t at = in_.at();
    auto names = Count("the number of names", 8);
    if (names != 0 && names != n) in_.FailAt(at, "expected no names or one for each of ", n, " arrays, given ", names, ".");
    std::unordered_set<std::string> seen;
    for (int64_t i = 0; i < names; ++i) {
      int64_t begin = in_.at();
      auto& name = arrays[size_t(i)].first;
      name.resize(size_t(Count("the length of a name", 1)));
      in_.Get(name.data(), int64_t(name.size()), "a name");
      if (!seen.insert(name).second) in_.FailAt(begin, "names must differ, given `", name, "` twice.");
    }
    if (in_.left()) in_.FailAt(in_.at(), "expected the end of the file, given ", in_.left(), " more bytes.");
    return arrays;
  }

 private:
  // A count of things that take at least `each` bytes; so it cannot be more than what is left holds.
  int64_t Count(std::string_view what, int64_t each) {
    int64_t at = in_.at();
    auto n = in_.Get<uint64_t>(what);
    if (n > uint64_t(in_.left() / each)) in_.FailAt(at, what, " is ", n, ", more than the ", in_.left(), " bytes left can hold.");
    return int64_t(n);
  }
  int32_t Ndim(std::string_view what, int32_t least) {
    int64_t at = in_.at();
    auto n = in_.Get<int32_t>(what);
    if (n < least || n > kMaxNdim) in_.FailAt(at, what, " must be in [", least, ", ", kMaxNdim, "], given ", n, ".");
    return n;
  }
  Shape Sizes(int32_t ndim, std::string_view what) {
    Shape s = Shape::Filled(ndim, 0);
    for (auto i = 0; i < ndim; ++i) s[i] = in_.Get<int64_t>(what);
    return s;
  }
  Shape KnownShape(std::string_view what) {
    int64_t at = in_.at();
    Shape s = Sizes(Ndim(what, 0), what);
    if (!s.known()) in_.FailAt(at, what, " must have sizes of 0 or more, given ", s.vec(), ".");
    return s;
  }
  DType Type(std::string_view what) {
    int64_t at = in_.at();
    auto t = in_.Get<int32_t>(what);
    if (t < 0 || t >= kDTypeCount) in_.FailAt(at, what, " must be a number from 0 to ", kDTypeCount - 1, ", given ", t, ".");
    return DType(t);
  }
  int64_t Bytes(const Shape& s, DType t) {
    int64_t n;
    if (!interop::ByteCount(s, t, &n)) in_.FailAt(in_.at(), "shape ", s, " has more bytes than 63 bits can count.");
    return n;
  }
  NDArray Data(const Shape& s, DType t, std::string_view what) {
    int64_t n = Bytes(s, t), at = in_.at();
    in_.Need(uint64_t(n), what);
    NDArray a = interop::ReadDense(source_, at, s, t);
    in_.Skip(n, what);
    return a;
  }

  NDArray ReadArray(int64_t index) {
    int64_t begin = in_.at();
    auto magic = in_.Get<uint32_t>("an array's magic number");
    if (magic == kV2 || magic == kV3) return ReadNew(magic == kV3);
    Shape s;
    if (magic == kV1) {
      s = KnownShape("an array's number of axes");
    } else if (magic <= uint32_t(kMaxNdim)) {  // the oldest files begin with the number of axes
      s = Shape::Filled(int(magic), 0);
      for (auto i = 0; i < s.ndim(); ++i) s[i] = in_.Get<uint32_t>("an array's size");
    } else {
      in_.FailAt(begin, "array ", index, " begins with the unknown magic number ", magic, ".");
    }
    if (s.ndim() == 0) return nullptr;
    SkipDevice();
    DType t = Type("an array's dtype");
    return Data(s, t, "an array's data");
  }
  void SkipDevice() { in_.Get<int32_t>("an array's device type"), in_.Get<int32_t>("an array's device number"); }

  NDArray ReadNew(bool np_shape) {
    int64_t at = in_.at();
    auto stype = in_.Get<int32_t>("an array's storage type");
    if (stype < kDense || stype > kCsr) in_.FailAt(at, "an array's storage type must be 0 (dense), 1 (row_sparse) or 2 (csr), given ", stype, ".");
    Shape stored;
    if (stype != kDense) stored = KnownShape("a sparse array's stored shape");
    at = in_.at();
    int32_t ndim = Ndim("an array's number of axes", np_shape ? -1 : 0);
    Shape s = ndim < 0 ? Shape::Unknown() : Sizes(ndim, "an array's size");
    if (np_shape ? !s.known() : ndim == 0) return nullptr;
    if (!s.known()) in_.FailAt(at, "an array's sizes must be 0 or more, given ", s.vec(), ".");
    SkipDevice();
    DType t = Type("an array's dtype");
    return stype == kDense ? Data(s, t, "an array's data") : ReadSparse(stype, s, stored, t);
  }

  NDArray ReadSparse(int32_t stype, const Shape& s, const Shape& stored, DType t) {
    int64_t begin = in_.at();
    int naux = stype;  // row_sparse: the row numbers; csr: the rows' starts, then the column numbers
    Shape aux_shape[2];
    DType aux_type[2] = {};
    for (int i = 0; i < naux; ++i) {
      int64_t at = in_.at();
      aux_type[i] = Type("a sparse array's index dtype");
      if (aux_type[i] != DType::kInt64 && aux_type[i] != DType::kInt32) in_.FailAt(at, "a sparse array's indices must be int32 or int64, given ", aux_type[i], ".");
      at = in_.at();
      aux_shape[i] = KnownShape("a sparse array's index shape");
      if (aux_shape[i].ndim() != 1) in_.FailAt(at, "a sparse array's indices must have one axis, given ", aux_shape[i], ".");
    }
    bool fits = stype == kRowSparse ? s.ndim() >= 1 && stored.ndim() == s.ndim() && stored[0] == aux_shape[0][0]
                                    : s.ndim() == 2 && stored.ndim() == 1 && stored[0] == aux_shape[1][0];
    for (int i = 1; fits && stype == kRowSparse && i < s.ndim(); ++i) fits = stored[i] == s[i];
    if (!fits) in_.FailAt(begin, "a sparse array of shape ", s, " cannot have stored values of shape ", stored, " with indices of shape ", aux_shape[naux - 1], ".");
    // Nothing in the file vouches for the dense size, so a small file must not ask for much memory.
    int64_t dense = Bytes(s, t), most = std::max<int64_t>(16 << 20, source_.size() < (int64_t(1) << 50) ? source_.size() * 256 : 0);
    if (dense > most) in_.FailAt(begin, "a sparse array of shape ", s, " takes ", dense, " bytes as a dense one; at most ", most, " are taken for a file of this size.");

    NDArray values = Data(stored, t, "a sparse array's data"), aux[2];
    int64_t aux_at[2] = {};
    for (int i = 0; i < naux; ++i) aux_at[i] = in_.at(), aux[i] = Data(aux_shape[i], aux_type[i], "a sparse array's indices");
    NDArray out = Array::Filled(s, t, 0);
    auto index = [&](int which, int64_t i) {
      void* p = aux[which]->View().raw();
      return aux_type[which] == DType::kInt64 ? static_cast<int64_t*>(p)[i] : static_cast<int32_t*>(p)[i];
    };
    auto check = [&](int which, int64_t i, int64_t low, int64_t high) {
      int64_t v = index(which, i);
      if (v < low || v >= high)
        in_.FailAt(aux_at[which] + i * DTypeSize(aux_type[which]), "a sparse array's index must be in [", low, ", ", high, "), given ", v, ".");
      return v;
    };
    if (values->size() == 0) return out;
    auto* from = static_cast<const char*>(values->View().raw());
    auto* to = static_cast<char*>(out->View().raw());
    if (stype == kRowSparse) {
      int64_t row = values->bytes() / stored[0];
      for (int64_t i = 0; i < stored[0]; ++i) std::memcpy(to + check(0, i, 0, s[0]) * row, from + i * row, size_t(row));
      return out;
    }
    if (aux_shape[0][0] != s[0] + 1) in_.FailAt(begin, "a csr array of ", s[0], " rows needs ", s[0] + 1, " row starts, given ", aux_shape[0][0], ".");
    int64_t size = DTypeSize(t), done = check(0, 0, 0, 1);
    for (int64_t r = 0; r < s[0]; ++r) {
      int64_t end = check(0, r + 1, done, stored[0] + 1);
      for (; done < end; ++done) std::memcpy(to + (r * s[1] + check(1, done, 0, s[1])) * size, from + done * size, size_t(size));
    }
    return out;
  }

  Source& source_;
  FieldReader in_;
};

void Write(const NamedArrays& arrays, Sink* out) {
  bool named = false, np_shape = false;
  for (auto& [name, a] : arrays) {
    named |= !name.empty();
    if (!a) continue;
    np_shape |= a->shape.ndim() == 0 || a->size() == 0;
  }
  if (named) interop::CheckNames(kWho, arrays);
  out->Put(kListMagic), out->Put(uint64_t(0)), out->Put(uint64_t(arrays.size()));
  for (auto& [name, a] : arrays) {
    out->Put(np_shape ? kV3 : kV2), out->Put(kDense);
    if (!a) {
      out->Put(int32_t(np_shape ? -1 : 0));
      continue;
    }
    out->Put(int32_t(a->shape.ndim()));
    for (int64_t d : a->shape) out->Put(d);
    out->Put(kCpu), out->Put(int32_t(0)), out->Put(int32_t(a->dtype));
    interop::WriteDense(a, out);
  }
  out->Put(uint64_t(named ? arrays.size() : 0));
  if (!named) return;
  for (auto& [name, a] : arrays) out->Put(uint64_t(name.size())), out->Write(name.data(), int64_t(name.size()));
}

}  // namespace

NamedArrays LoadMxnetParams(const std::string& path) {
  auto source = OpenFile(path);
  return ParamsReader(*source).Read();
}
NamedArrays ParseMxnetParams(std::string_view bytes, const std::string& name) {
  MemorySource source(bytes, name);
  return ParamsReader(source).Read();
}
void SaveMxnetParams(const std::string& path, const NamedArrays& arrays) {
  FileSink out(path);
  Write(arrays, &out);
  out.Commit();
}
std::string SerializeMxnetParams(const NamedArrays& arrays) {
  StringSink out;
  Write(arrays, &out);
  return std::move(out.bytes);
}

}  // namespace flx
