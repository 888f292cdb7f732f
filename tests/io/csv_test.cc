// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include "../interop/hostile.h"
#include "io/iter.h"

namespace flx {
namespace {

using hostile::Spill;

struct Temporary {
  explicit Temporary(const std::string& name) : path(testing::TempDir() + Text(int64_t(getpid())) + "." + name) {}
  ~Temporary() { unlink(path.c_str()); }
  std::string path;
};
std::vector<double> Values(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}

TEST(CsvIter, BatchesShapesAndFilling) {
  Temporary data("d.csv"), label("l.csv");
  Spill(data.path, "1,2,3,4\r\n5, 6 ,-7e0,8\n\n9,10,11,1.5e-1");
  Spill(label.path, "0\n1\n2\n");
  Settings s = {{"data_csv", data.path}, {"data_shape", "(2, 2)"}, {"label_csv", label.path}, {"batch_size", "2"}};
  auto it = CreateIter("CSVIter", s);
  EXPECT_EQ(it->size(), 3);
  ASSERT_TRUE(it->Next());
  EXPECT_EQ(it->arrays()[0]->shape, (Shape{2, 2, 2}));
  EXPECT_EQ(it->arrays()[1]->shape, (Shape{2, 1}));
  EXPECT_EQ(Values(it->arrays()[0]), (std::vector<double>{1, 2, 3, 4, 5, 6, -7, 8}));
  EXPECT_EQ(it->pad(), 0);
  ASSERT_TRUE(it->Next());
  EXPECT_EQ(it->pad(), 1);
  EXPECT_EQ(Values(it->arrays()[0]), (std::vector<double>{9, 10, 11, double(0.15f), 1, 2, 3, 4}));
  EXPECT_EQ(Values(it->arrays()[1]), (std::vector<double>{2, 0}));
  EXPECT_FALSE(it->Next());
  EXPECT_FALSE(it->Next());
  it->Reset();
  ASSERT_TRUE(it->Next());
  EXPECT_EQ(Values(it->arrays()[1]), (std::vector<double>{0, 1}));
  s.emplace_back("round_batch", "0");
  s.emplace_back("label_shape", "()");
  auto kept = CreateIter("CSVIter", s);
  ASSERT_TRUE(kept->Next() && kept->Next());
  EXPECT_EQ(kept->arrays()[1]->shape, (Shape{1}));
}

TEST(CsvIter, TypesGzipAndNoLabels) {
  Temporary data("d.csv.gz");
  gzFile f = gzopen(data.path.c_str(), "wb");
  gzputs(f, "9007199254740993,-1\n2,+3\n");
  gzclose(f);
  auto it = CreateIter("CSVIter", {{"data_csv", data.path}, {"data_shape", "2"}, {"batch_size", "2"}, {"dtype", "int64"}});
  ASSERT_TRUE(it->Next());
  ASSERT_EQ(it->arrays().size(), 1u);
  int64_t v[4];
  ReadArray(*it->arrays()[0], v, sizeof v, DType::kInt64, false);
  EXPECT_EQ(v[0], 9007199254740993);
  EXPECT_EQ(v[3], 3);
}

TEST(CsvIter, ErrorsNameFileLineColumnAndByte) {
  Temporary data("d.csv");
  auto error = [&](const std::string& text, const char* dtype = "float32") {
    Spill(data.path, text);
    return ErrorOf([&] { CreateIter("CSVIter", {{"data_csv", data.path}, {"data_shape", "(2,)"}, {"dtype", dtype}}); });
  };
  struct { const char *text, *dtype, *want; int64_t at; } cases[] = {
      {"1,2\n3,x\n", "float32", "line 2, column 2: expected a number, given `x`.", 6},
      {"1,2\r\n\r\n3,\r\n", "float32", "line 3, column 2: expected a number, given ``.", 9},
      {"a,b\n1,2\n", "float32", "line 1, column 1: expected a number, given `a`. Column names", 0},
      {"1,2\n3\n", "float32", "line 2, column 1: expected 2 numbers in the line, given 1.", 4},
      {"1,2\n3,4,5\n", "float32", "line 2, column 3: expected 2 numbers in the line, given more.", 8},
      {"1,2\n3,4 5\n", "float64", "line 2, column 2: expected a number, given `4 5`.", 6},
      {"1,2.5\n", "int32", "line 1, column 2: expected a whole number, given `2.5`.", 2},
      {"1,2147483648\n", "int32", "line 1, column 2: expected a whole number", 2}};
  for (auto& c : cases) {
    Error e = error(c.text, c.dtype);
    EXPECT_EQ(e.status(), Status::kFormat);
    EXPECT_EQ(e.file, data.path);
    EXPECT_EQ(e.offset, c.at) << e.message();
    EXPECT_NE(e.message().find(c.want), std::string::npos) << e.message();
  }
  EXPECT_EQ(error("1,2\n", "uint8").status(), Status::kType);
  Spill(data.path, "1,2\n");
  EXPECT_EQ(ErrorOf([&] { CreateIter("CSVIter", {{"data_csv", data.path}, {"data_shape", "(0,)"}}); }).status(), Status::kShape);
  EXPECT_EQ(ErrorOf([&] { CreateIter("CSVIter", {{"data_csv", data.path}, {"data_shape", "(-2,)"}}); }).status(), Status::kShape);
  EXPECT_EQ(ErrorOf([] { CreateIter("CSVIter", {{"data_csv", "/nonexistent"}, {"data_shape", "2"}}); }).status(), Status::kFile);
  EXPECT_EQ(ErrorOf([&] { CreateIter("CSVIter", {{"data_csv", data.path}, {"data_shape", "2"}, {"label_csv", data.path}, {"label_shape", "(1,)"}}); }).status(), Status::kFormat);
}

TEST(CsvIter, Hostile) {
  Temporary data("d.csv");
  auto parse = [&](const std::string& b) {
    Spill(data.path, b);
    CreateIter("CSVIter", {{"data_csv", data.path}, {"data_shape", "(3,)"}})->Next();
  };
  std::string text = "1.5,-2e3,nan\n4,5,6\n";
  for (size_t n = 0; n < text.size(); ++n) hostile::Outcome(text.substr(0, n), parse, Text("cut at ", n));
  hostile::EveryPlace(text, parse);
  EXPECT_NE(hostile::Outcome(std::string(2 << 20, '7'), parse, "one long line").find("more than"), std::string::npos);
  // lines across block borders
  std::string many;
  for (int i = 0; i < 60000; ++i) many += Text(i, ",", i, ",", i, "\n");
  EXPECT_EQ(hostile::Outcome(many, parse, "many"), "");
  Spill(data.path, many);
  auto it = CreateIter("CSVIter", {{"data_csv", data.path}, {"data_shape", "(3,)"}, {"batch_size", "60000"}});
  ASSERT_TRUE(it->Next());
  auto v = Values(it->arrays()[0]);
  for (int i = 0; i < 60000; ++i) ASSERT_EQ(v[size_t(3 * i + 2)], i);
}

}  // namespace
}  // namespace flx
