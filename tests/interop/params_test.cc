// SPDX-License-Identifier: Apache-2.0
// MXNet's .params: every golden file, the old versions, sparse arrays, and hostile files.
#include "interop/mxnet_params.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "../op/golden.h"
#include "hostile.h"

namespace flx {
namespace {

const std::string kGolden = std::string(FLEXOR_TEST_DATA) + "/golden/";

std::string Bytes(const NDArray& a) {
  std::string s(size_t(a->bytes()), '\0');
  ReadArray(*a, s.data(), a->bytes(), a->dtype, false);
  return s;
}
template <class T> NDArray Of(const Shape& s, const std::vector<T>& v) { return Array::NewFrom(v.data(), s, kDTypeOf<T>); }
// A file by hand: Put(u32) ...
struct Maker {
  StringSink out;
  template <class... A> Maker& operator()(A... v) { (out.Put(v), ...); return *this; }
  Maker& list(uint64_t n) { return (*this)(uint64_t(0x112), uint64_t(0), n); }
  Maker& names(std::vector<std::string> names) {
    out.Put(uint64_t(names.size()));
    for (auto& n : names) out.Put(uint64_t(n.size())), out.Write(n.data(), int64_t(n.size()));
    return *this;
  }
};

void CheckGolden(const std::string& family, int* good, int* bad) {
  golden::Folder folder(kGolden);
  for (auto& c : folder.Read(family)) {
    SCOPED_TRACE(c.id());
    if (c.kind() == "bad_params") {
      ++*bad;
      std::string path = kGolden + c.Find("file")->get("path");
      Error e = ErrorOf([&] { LoadMxnetParams(path); });
      EXPECT_EQ(e.status(), Status::kFormat);
      EXPECT_EQ(e.file, path);
      EXPECT_GE(e.offset, 0);
    } else if (c.kind() == "params") {
      ++*good;
      std::string path = kGolden + c.Find("file")->get("path");
      NamedArrays arrays = LoadMxnetParams(path);
      size_t i = 0;
      bool dense = true;
      for (auto& line : c.lines) {
        if (line.word != "array") continue;
        ASSERT_LT(i, arrays.size());
        auto want = folder.Load(c, line);
        auto& [name, a] = arrays[i++];
        dense &= !want.sparse;
        EXPECT_EQ(name, line.get("name"));
        EXPECT_EQ(a->dtype, want.dtype);
        EXPECT_EQ(a->shape, want.shape);
        EXPECT_EQ(Bytes(a), want.bytes) << name;
      }
      EXPECT_EQ(i, arrays.size());
      // What MXNet wrote, byte by byte, but for sparse arrays, which we write as dense ones.
      if (dense) { EXPECT_EQ(SerializeMxnetParams(arrays), hostile::Slurp(path)); }
      NamedArrays again = ParseMxnetParams(SerializeMxnetParams(arrays));
      ASSERT_EQ(again.size(), arrays.size());
      for (size_t k = 0; k < again.size(); ++k) EXPECT_EQ(Bytes(again[k].second), Bytes(arrays[k].second));
    }
  }
}
TEST(Params, Golden) {
  int good = 0, bad = 0;
  CheckGolden("params", &good, &bad);
  CheckGolden("params_v3", &good, &bad);
  EXPECT_EQ(good, 6);
  EXPECT_EQ(bad, 3);
}

TEST(Params, ModelsOfMxnetAreWrittenBackByteByByte) {
  int n = 0;
  for (auto& f : std::filesystem::directory_iterator(kGolden + "files/models")) {
    if (f.path().extension() != ".params") continue;
    ++n;
    EXPECT_EQ(SerializeMxnetParams(LoadMxnetParams(f.path())), hostile::Slurp(f.path())) << f.path();
  }
  EXPECT_GE(n, 25);
}

TEST(Params, OldVersions) {
  Maker m;
  m.list(5)(uint32_t(0xF993FAC8), int32_t(2), int64_t(1), int64_t(2), int32_t(1), int32_t(0), int32_t(0), 1.5f, -2.0f);  // version 1
  m(uint32_t(2), uint32_t(2), uint32_t(1), int32_t(2), int32_t(3), int32_t(4), int32_t(7), int32_t(9));               // version 0, from a GPU
  m(uint32_t(0));                                                                                                      // version 0: none
  m(uint32_t(0xF993FAC9), int32_t(0), int32_t(0));                                                                     // version 2: none
  m(uint32_t(0xF993FACA), int32_t(0), int32_t(1), int64_t(-1));                                                        // version 3: unknown
  m.names({});
  NamedArrays a = ParseMxnetParams(m.out.bytes);
  ASSERT_EQ(a.size(), 5u);
  EXPECT_EQ(a[0].second->shape, (Shape{1, 2}));
  EXPECT_EQ(Bytes(a[0].second), Bytes(Of<float>({2}, {1.5f, -2.0f})));
  EXPECT_EQ(a[1].second->shape, (Shape{2, 1}));
  EXPECT_EQ(Bytes(a[1].second), Bytes(Of<int32_t>({2}, {7, 9})));
  for (int i = 2; i < 5; ++i) EXPECT_FALSE(a[size_t(i)].second);
  EXPECT_FALSE(ParseMxnetParams(SerializeMxnetParams(a))[2].second);
}

Maker RowSparse(int32_t index_type, int64_t first, int64_t second) {
  Maker m;
  m.list(1)(uint32_t(0xF993FAC9), int32_t(1), int32_t(2), int64_t(2), int64_t(2), int32_t(2), int64_t(4), int64_t(2), int32_t(1), int32_t(0), int32_t(0));
  m(index_type, int32_t(1), int64_t(2), 1.0f, 2.0f, 3.0f, 4.0f);
  if (index_type == 4) m(int32_t(first), int32_t(second)); else m(first, second);
  return m.names({"w"});
}
Maker Csr(int64_t start, int64_t middle, int64_t end, int64_t column) {
  Maker m;
  m.list(1)(uint32_t(0xF993FAC9), int32_t(2), int32_t(1), int64_t(2), int32_t(2), int64_t(2), int64_t(3), int32_t(1), int32_t(0), int32_t(0));
  m(int32_t(6), int32_t(1), int64_t(3), int32_t(6), int32_t(1), int64_t(2), 5.0f, 6.0f, start, middle, end, int64_t(1), column);
  return m.names({"w"});
}
TEST(Params, Sparse) {
  auto want = Bytes(Of<float>({8}, {0, 0, 3, 4, 0, 0, 1, 2}));
  for (int32_t type : {6, 4}) EXPECT_EQ(Bytes(ParseMxnetParams(RowSparse(type, 3, 1).out.bytes)[0].second), want);
  EXPECT_EQ(Bytes(ParseMxnetParams(Csr(0, 1, 2, 2).out.bytes)[0].second), Bytes(Of<float>({6}, {0, 5, 0, 0, 0, 6})));
  for (auto& bytes : {RowSparse(6, 4, 1).out.bytes, RowSparse(6, -1, 1).out.bytes, RowSparse(4, 0, 4).out.bytes, RowSparse(5, 0, 1).out.bytes,
                      Csr(1, 1, 2, 2).out.bytes, Csr(0, 3, 2, 2).out.bytes, Csr(0, 2, 1, 2).out.bytes, Csr(0, 1, 2, 3).out.bytes, Csr(0, 1, 2, -1).out.bytes}) {
    Error e = ErrorOf([&] { ParseMxnetParams(bytes, "x"); });
    EXPECT_EQ(e.status(), Status::kFormat) << e.message();
    EXPECT_GE(e.offset, 0);
  }
}

TEST(Params, Refused) {
  auto message = [](const std::string& bytes) { return ErrorOf([&] { ParseMxnetParams(bytes, "file"); }).message(); };
  auto one = SerializeMxnetParams({{"a", Of<float>({1}, {1})}});
  EXPECT_EQ(message(one + "x"), Text("file, byte ", one.size(), ": expected the end of the file, given 1 more bytes."));
  std::string two = SerializeMxnetParams({{"a", Of<float>({1}, {1})}, {"b", Of<float>({1}, {1})}});
  two.back() = 'a';
  EXPECT_NE(message(two).find("given `a` twice"), std::string::npos);
  uint8_t v = 2;
  auto boolean = SerializeMxnetParams({{"", Array::NewFrom(&v, {1}, DType::kBool)}});
  EXPECT_NE(message(boolean).find("must be 0 or 1, given 2"), std::string::npos);
  EXPECT_EQ(ErrorOf([] { SerializeMxnetParams({{"a", Of<float>({1}, {1})}, {"a", Of<float>({1}, {1})}}); }).status(), Status::kArgument);
  Error e = ErrorOf([] { LoadMxnetParams("/nonexistent/x.params"); });
  EXPECT_EQ(e.status(), Status::kFile);
  EXPECT_EQ(e.file, "/nonexistent/x.params");
  EXPECT_EQ(ErrorOf([] { LoadMxnetParams("/"); }).status(), Status::kFile);
}

TEST(Params, Hostile) {
  auto parse = [](const std::string& b) { ParseMxnetParams(b, "file"); };
  // no elements, but sizes whose product no stride can hold
  auto empty = Maker().list(1)(uint32_t(0xF993FACA), int32_t(0), int32_t(3), int64_t(1) << 62, int64_t(9310), int64_t(0), int32_t(1), int32_t(0), int32_t(0));
  EXPECT_NE(hostile::Outcome(empty.names({}).out.bytes, parse, "empty").find("63 bits"), std::string::npos);
  std::string dense = SerializeMxnetParams({{"ab", Of<float>({2, 3}, {1, 2, 3, 4, 5, 6})}, {"c", Of<int32_t>({1}, {1})}});
  hostile::EveryCut(dense, parse);
  // number of arrays, magic, storage type, axes, sizes, dtype, number of names, a name's length
  size_t names = dense.size() - 27;
  hostile::EveryLength(dense, parse, {{0, 8}, {16, 8}, {24, 4}, {28, 4}, {32, 4}, {36, 8}, {44, 8}, {names, 8}, {names + 8, 8}});
  hostile::EveryPlace(dense, parse);
  for (auto& sparse : {RowSparse(6, 3, 1).out.bytes, Csr(0, 1, 2, 2).out.bytes}) {
    hostile::EveryCut(sparse, parse);
    hostile::EveryPlace(sparse, parse);
  }
  std::string rows = RowSparse(6, 3, 1).out.bytes;
  hostile::EveryLength(rows, parse, {{32, 4}, {36, 8}, {44, 8}, {52, 4}, {64, 8}, {84, 4}, {88, 8}});
  auto old = Maker().list(1)(uint32_t(2), uint32_t(2), uint32_t(1), int32_t(1), int32_t(0), int32_t(4), int32_t(7), int32_t(9)).names({"x"}).out.bytes;
  hostile::EveryCut(old, parse);
  hostile::EveryLength(old, parse, {{24, 4}, {28, 4}, {32, 4}});
  hostile::EveryPlace(old, parse);
}

TEST(Params, SavingReplacesTheFileWhollyOrNotAtAll) {
  std::string dir = testing::TempDir() + "params_atomic." + Text(int64_t(getpid()));
  std::filesystem::create_directory(dir);
  std::string path = dir + "/m.params";
  NamedArrays good = {{"a", Of<float>({2}, {1, 2})}}, bad = {{"a", Of<float>({1}, {1})}, {"b", Of<float>({1}, {1})}};
  SaveMxnetParams(path, good);
  chmod(path.c_str(), 0640);
  auto before = hostile::Slurp(path);
  bad[1].second->storage->var.SetPoison(Ref<const Poison>::Take(new Poison(Error(Status::kMemory, "made to fail"))));
  EXPECT_EQ(ErrorOf([&] { SaveMxnetParams(path, bad); }).status(), Status::kMemory);
  EXPECT_EQ(hostile::Slurp(path), before);
  std::filesystem::create_symlink("m.params", dir + "/link");
  SaveMxnetParams(dir + "/link", {{"z", Of<float>({1}, {3})}});
  EXPECT_TRUE(std::filesystem::is_symlink(dir + "/link"));
  EXPECT_EQ(LoadMxnetParams(path)[0].first, "z");
  struct stat st;
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0640u);
  int files = 0;
  for (auto& f : std::filesystem::directory_iterator(dir)) files += f.is_regular_file() && !f.is_symlink();
  EXPECT_EQ(files, 1) << "something temporary was left";
  EXPECT_EQ(ErrorOf([&] { SaveMxnetParams(dir + "/none/m", good); }).status(), Status::kFile);
  EXPECT_EQ(ErrorOf([&] { SaveMxnetParams("/dev/full", good); }).status(), Status::kFile);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace flx
