// SPDX-License-Identifier: Apache-2.0
// IDX files, plain and gzip-compressed, and MNISTIter.
#include "io/idx.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>

#include "../interop/hostile.h"
#include "io/iter.h"

namespace flx {
namespace {

using hostile::Spill;
const std::string kDigits = std::string(FLEXOR_TEST_DATA) + "/../examples/data/digits/";

struct Temporary {
  explicit Temporary(const std::string& name) : path(testing::TempDir() + Text(int64_t(getpid())) + "." + name) {}
  ~Temporary() { unlink(path.c_str()); }
  std::string path;
};
std::string Idx(uint8_t type, const std::vector<uint32_t>& sizes, const std::string& data) {
  std::string s = {0, 0, char(type), char(sizes.size())};
  for (uint32_t v : sizes)
    for (int i = 3; i >= 0; --i) s += char(v >> (8 * i));
  return s + data;
}
std::string Gzip(const std::string& s) {
  Temporary t("z.gz");
  gzFile f = gzopen(t.path.c_str(), "wb");
  gzwrite(f, s.data(), unsigned(s.size()));
  gzclose(f);
  return hostile::Slurp(t.path);
}
std::vector<double> Values(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
NDArray Parsed(const std::string& bytes) {
  Temporary t("x.idx");
  Spill(t.path, bytes);
  return ReadIdx(t.path);
}

TEST(Idx, EveryType) {
  struct { uint8_t code; DType type; std::string data; std::vector<double> want; } cases[] = {
      {8, DType::kUint8, "\x01\xff", {1, 255}},
      {9, DType::kInt8, "\x01\xff", {1, -1}},
      {11, DType::kInt16, std::string("\x01\x00\xff\xfe", 4), {256, -2}},
      {12, DType::kInt32, std::string("\x00\x01\x00\x00\xff\xff\xff\xfd", 8), {65536, -3}},
      {13, DType::kFloat32, std::string("\x3f\x80\x00\x00\xc0\x20\x00\x00", 8), {1, -2.5}},
      {14, DType::kFloat64, std::string("\x3f\xf0\x00\x00\x00\x00\x00\x00\xc0\x04\x00\x00\x00\x00\x00\x00", 16), {1, -2.5}}};
  for (auto& c : cases)
    for (auto& bytes : {Idx(c.code, {2, 1}, c.data), Gzip(Idx(c.code, {2, 1}, c.data))}) {
      NDArray a = Parsed(bytes);
      EXPECT_EQ(a->dtype, c.type);
      EXPECT_EQ(a->shape, (Shape{2, 1}));
      EXPECT_EQ(Values(a), c.want);
    }
  EXPECT_EQ(Parsed(Idx(8, {}, "x"))->shape, Shape());
  EXPECT_EQ(Parsed(Idx(8, {0, 0xffffffff}, ""))->size(), 0);
}

TEST(Idx, Hostile) {
  auto parse = [](const std::string& b) { Parsed(b); };
  std::string plain = Idx(11, {2, 1}, "abcd");
  hostile::EveryCut(plain, parse);
  hostile::EveryLength(plain, parse, {{2, 1}, {3, 1}, {4, 4}, {8, 4}}, true);
  hostile::EveryPlace(plain, parse);
  std::string packed = Gzip(plain);
  hostile::EveryCut(packed, parse);
  hostile::EveryPlace(packed, parse);
  for (auto& bytes : {Gzip(Idx(8, {0xffffffff, 0xffffffff}, "")), Gzip(Idx(8, {100000000}, "x")), plain + "x", Gzip(plain + "x"), packed + packed})
    EXPECT_NE(hostile::Outcome(bytes, parse, "long"), "");
  Error e = ErrorOf([] { ReadIdx("/nonexistent/x"); });
  EXPECT_EQ(e.status(), Status::kFile);
  EXPECT_EQ(ErrorOf([] { ReadIdx("/tmp"); }).status(), Status::kFile);
}

TEST(MnistIter, Digits) {
  Settings s = {{"image", kDigits + "test-images-idx3-ubyte.gz"}, {"label", kDigits + "test-labels-idx1-ubyte.gz"},
                {"batch_size", "50"}, {"shuffle", "False"}, {"silent", "True"}};
  NDArray images = ReadIdx(s[0].second), labels = ReadIdx(s[1].second);
  int64_t n = images->shape[0];
  auto it = CreateIter("MNISTIter", s);
  EXPECT_EQ(it->names(), (std::vector<std::string>{"data", "label"}));
  EXPECT_EQ(it->size(), n / 50 * 50);
  auto pixels = Values(images), classes = Values(labels);
  int64_t seen = 0, rows = images->shape[1], columns = images->shape[2];
  while (it->Next()) {
    ASSERT_EQ(it->arrays()[0]->shape, (Shape{50, 1, rows, columns}));
    ASSERT_EQ(it->arrays()[0]->dtype, DType::kFloat32);
    ASSERT_EQ(it->arrays()[1]->shape, (Shape{50}));
    auto x = Values(it->arrays()[0]), y = Values(it->arrays()[1]);
    for (int64_t i = 0; i < int64_t(x.size()); ++i) ASSERT_EQ(x[size_t(i)], pixels[size_t(seen * rows * columns + i)] / 256);
    for (int64_t i = 0; i < 50; ++i) ASSERT_EQ(y[size_t(i)], classes[size_t(seen + i)]);
    seen += 50;
  }
  EXPECT_EQ(seen, it->size());
  s[3].second = "True";
  s.emplace_back("flat", "1");
  auto shuffled = CreateIter("MNISTIter", s);
  ASSERT_TRUE(shuffled->Next());
  EXPECT_EQ(shuffled->arrays()[0]->shape, (Shape{50, rows * columns}));
  // labels still belong to their images
  auto order = Permutation(n, 0, 0);
  auto x = Values(shuffled->arrays()[0]), y = Values(shuffled->arrays()[1]);
  for (int64_t i = 0; i < 50; ++i) {
    ASSERT_EQ(y[size_t(i)], classes[size_t(order[size_t(i)])]);
    ASSERT_EQ(x[size_t(i * rows * columns + 100)], pixels[size_t(order[size_t(i)] * rows * columns + 100)] / 256);
  }
}

TEST(MnistIter, Refuses) {
  Temporary images("images"), labels("labels");
  auto make = [&] { CreateIter("MNISTIter", {{"image", images.path}, {"label", labels.path}, {"silent", "1"}}); };
  Spill(images.path, Idx(8, {2, 1, 1}, "ab"));
  Spill(labels.path, Idx(8, {3}, "abc"));
  EXPECT_NE(ErrorOf(make).message().find("a label for each of the 2 images"), std::string::npos);
  Spill(labels.path, Idx(8, {2, 1}, "ab"));
  EXPECT_EQ(ErrorOf(make).file, labels.path);
  Spill(images.path, Idx(9, {2, 1, 1}, "ab"));
  EXPECT_EQ(ErrorOf(make).file, images.path);
  EXPECT_EQ(ErrorOf([] { CreateIter("MNISTIter", {{"silent", "1"}, {"image", "/nonexistent"}}); }).status(), Status::kFile);
}

}  // namespace
}  // namespace flx
