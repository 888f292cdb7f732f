// SPDX-License-Identifier: Apache-2.0
#include "interop/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "hostile.h"

namespace flx {
namespace {


std::string Bytes(const NDArray& a) {
  std::string s(size_t(a->bytes()), '\0');
  ReadArray(*a, s.data(), a->bytes(), a->dtype, false);
  return s;
}
template <class T> NDArray Of(const Shape& s, const std::vector<T>& v) { return Array::NewFrom(v.data(), s, kDTypeOf<T>); }
std::string File(const std::string& header, const std::string& data) {
  uint64_t n = header.size();
  return std::string(reinterpret_cast<char*>(&n), 8) + header + data;
}

// The measure itself: what the hostile tests rely on.
TEST(Hostile, LargeRequestsAreSeen) {
  hostile::ResetLargest();
  EXPECT_LT(hostile::LargestRequest(), 1 << 20);
  { std::string s(size_t(hostile::kMost), 'x'); }
  EXPECT_GE(hostile::LargestRequest(), hostile::kMost);
  hostile::ResetLargest();
  Array::New({hostile::kMost}, DType::kUint8)->View();
  EXPECT_GE(hostile::LargestRequest(), hostile::kMost);
}

TEST(Safetensors, ExactBytes) {
  Safetensors f;
  f.arrays = {{"z", Of<float>({1, 2}, {1, 2})}, {"a.\"ü\n", Of<int8_t>({}, {-1})}};
  f.metadata = {{"layer", "{\"x\":1}"}, {"flexor", "1"}, {"é", ""}};
  std::string header =
      "{\"__metadata__\":{\"flexor\":\"1\",\"layer\":\"{\\\"x\\\":1}\",\"é\":\"\"},\"z\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
      "\"a.\\\"ü\\n\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[8,9]}}";
  while ((8 + header.size()) % 64) header += ' ';
  std::string want = File(header, Bytes(f.arrays[0].second) + "\xff");
  EXPECT_EQ(SerializeSafetensors(f), want);
  EXPECT_EQ(SerializeSafetensors(ParseSafetensors(want)), want);
  EXPECT_EQ(SerializeSafetensors({}), File("{}" + std::string(54, ' '), ""));
  EXPECT_TRUE(ParseSafetensors(SerializeSafetensors({})).arrays.empty());
}

TEST(Safetensors, EveryDtypeAndEmptyArrays) {
  Safetensors f;
  for (int t = 0; t < kDTypeCount; ++t) f.arrays.emplace_back(DTypeName(DType(t)), Array::Filled({3, 1}, DType(t), 1));
  f.arrays.emplace_back("empty", Array::New({0, 5}, DType::kFloat64));
  f.arrays.emplace_back("", Array::NewView(Of<float>({2, 3}, {1, 2, 3, 4, 5, 6}), {3, 2}, {1, 3}, 0));  // not contiguous
  std::string path = testing::TempDir() + "dtypes." + Text(int64_t(getpid())) + ".flx";
  SaveSafetensors(path, f);
  EXPECT_EQ(hostile::Slurp(path), SerializeSafetensors(f));
  Safetensors g = LoadSafetensors(path);
  unlink(path.c_str());
  ASSERT_EQ(g.arrays.size(), f.arrays.size());
  for (size_t i = 0; i < f.arrays.size(); ++i) {
    EXPECT_EQ(g.arrays[i].first, f.arrays[i].first);
    EXPECT_EQ(g.arrays[i].second->dtype, f.arrays[i].second->dtype);
    EXPECT_EQ(g.arrays[i].second->shape, f.arrays[i].second->shape);
    EXPECT_EQ(Bytes(g.arrays[i].second), Bytes(f.arrays[i].second));
  }
  EXPECT_EQ(Bytes(g.arrays.back().second), Bytes(Of<float>({6}, {1, 4, 2, 5, 3, 6})));
}

// Other writers order the data by alignment, put the metadata anywhere and use spaces.
TEST(Safetensors, OtherWritersFiles) {
  std::string data = Bytes(Of<float>({2}, {1, 2})) + "\x05";
  auto f = ParseSafetensors(File("{ \"b\" : {\"shape\":[1], \"data_offsets\":[8,9],\"dtype\":\"U8\"}, \"__metadata__\":{\"format\":\"pt\"},\n\t\"a\":{\"dtype\":"
                                 "\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ", data));
  ASSERT_EQ(f.arrays.size(), 2u);
  EXPECT_EQ(f.arrays[0].first, "b");
  EXPECT_EQ(Bytes(f.arrays[0].second), "\x05");
  EXPECT_EQ(Bytes(f.arrays[1].second), Bytes(Of<float>({2}, {1, 2})));
  EXPECT_EQ(f.metadata.at("format"), "pt");
  // The bytes that the Python package safetensors 0.x writes for {b: float32 (2, 3), a: int8 (3,), c: float64 (), e: float16 (0, 2)}.
  std::string header =
      "{\"__metadata__\":{\"z\":\"1\",\"ü\":\"2\"},\"c\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],"
      "\"data_offsets\":[8,32]},\"e\":{\"dtype\":\"F16\",\"shape\":[0,2],\"data_offsets\":[32,32]},\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[32,35]}}  ";
  auto b = Of<float>({2, 3}, {0, 1, 2, 3, 4, 5});
  f = ParseSafetensors(File(header, Bytes(Of<double>({}, {7})) + Bytes(b) + "\x01\x02\x03"));
  ASSERT_EQ(f.arrays.size(), 4u);
  EXPECT_EQ(Bytes(f.arrays[1].second), Bytes(b));
  EXPECT_EQ(f.arrays[2].second->shape, (Shape{0, 2}));
  EXPECT_EQ(Bytes(f.arrays[3].second), "\x01\x02\x03");
  EXPECT_EQ(f.metadata, (std::map<std::string, std::string>{{"z", "1"}, {"ü", "2"}}));
}

TEST(Safetensors, RefusedHeaders) {
  struct Bad { const char *header, *text; int64_t data; };
  const std::string a = "\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "must begin with `{`"},
      {" {}", "must begin with `{`"},
      {"[]", "must begin with `{`"},
      {"{", "not JSON"},
      {"{}x", "not JSON"},
      {"{\"a\":{" + a + "},}", "not JSON"},
      {"{\"\xff\":{" + a + "}}", "not JSON"},
      {"{\"a\":1}", "expected an object with dtype"},
      {"{\"a\":[]}", "given an array"},
      {"{\"a\":{" + a + "},\"a\":{" + a + "}}", "`a` occurs twice"},
      {"{\"__metadata__\":{},\"a\":{" + a + "},\"__metadata__\":{}}", "`__metadata__` occurs twice"},
      {"{\"__metadata__\":{\"k\":1},\"a\":{" + a + "}}", "expected a text, given a number"},
      {"{\"__metadata__\":{\"k\":{}},\"a\":{" + a + "}}", "expected a text, given an object"},
      {"{\"__metadata__\":{\"k\":\"\",\"k\":\"\"},\"a\":{" + a + "}}", "metadata `k` occurs twice"},
      {"{\"__metadata__\":\"x\",\"a\":{" + a + "}}", "given a string"},
      {"{\"a\":{" + a + ",\"shape\":[2]}}", "has `shape` twice"},
      {"{\"a\":{" + a + ",\"x\":[2]}}", "unknown field `x`"},
      {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,2]}}", "must have dtype, shape and data_offsets"},
      {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]}}", "dtype `F8_E4M3`"},
      {"{\"a\":{\"dtype\":null,\"shape\":[2],\"data_offsets\":[0,2]}}", "expected a dtype, given null"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-2],\"data_offsets\":[0,2]}}", "given -2"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2.0],\"data_offsets\":[0,2]}}", "expected a whole number, given 2.0"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1e999],\"data_offsets\":[0,2]}}", "not JSON"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[[2]],\"data_offsets\":[0,2]}}", "expected a size, given an array"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551615],\"data_offsets\":[0,2]}}", "more than 63 bits"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807,4],\"data_offsets\":[0,2]}}", "does not take the 2 bytes"},
      {"{\"e\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807,4,0],\"data_offsets\":[0,0]},\"a\":{" + a + "}}", "does not take the 0 bytes"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,2]}}", "does not take the 2 bytes"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", "but the data has 2 bytes"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,0]}}", "but the data has 2 bytes"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0]}}", "two data_offsets, given 1"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2,2]}}", "two data_offsets"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "1 more bytes follow"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", "begins at 1 of the data, expected 0"},
      {"{\"a\":{" + a + "},\"b\":{" + a + "}}", "neither overlap nor leave gaps"},
      {"{\"a\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}", "a bool must be 0 or 1, given 7"},
      {"{\"a\":" + std::string(100000, '[') + "}", "given an array"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[" + std::string(33 * 2 - 1, '1') + "],\"data_offsets\":[0,2]}}", "whole number"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,2]}}", "more than 32 axes"},
  };
  for (auto& [header, text] : bad) {
    std::string file = File(header, "\x01\x07");
    std::string message = hostile::Outcome(file, [](const std::string& b) { ParseSafetensors(b, "file"); }, header.substr(0, 80));
    EXPECT_NE(message.find(text), std::string::npos) << header.substr(0, 80) << " -> " << message.substr(0, 300);
  }
}

TEST(Safetensors, TheOffsetPointsAtTheTrouble) {
  std::string header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"XY\"}}";
  Error e = ErrorOf([&] { ParseSafetensors(File(header, "12"), "m.flx"); });
  auto end = int64_t(8 + header.find("XY") + 3);
  EXPECT_NEAR(double(e.offset), double(end), 1.0);
  EXPECT_EQ(e.file, "m.flx");
}

TEST(Safetensors, Hostile) {
  Safetensors f;
  f.arrays = {{"w", Of<float>({2, 1}, {1, 2})}, {"b", Of<uint8_t>({3}, {1, 2, 3})}};
  f.metadata = {{"k", "v"}};
  auto parse = [](const std::string& b) { ParseSafetensors(b, "file"); };
  std::string bytes = SerializeSafetensors(f);
  hostile::EveryCut(bytes, parse);
  hostile::EveryLength(bytes, parse, {{0, 8}});
  hostile::EveryPlace(bytes, parse);
}

TEST(Safetensors, WritingRefuses) {
  auto one = Of<float>({1}, {1});
  EXPECT_EQ(ErrorOf([&] { SerializeSafetensors({{{"a", one}, {"a", one}}, {}}); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { SerializeSafetensors({{{"__metadata__", one}}, {}}); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { SerializeSafetensors({{{"\xff", one}}, {}}); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { SerializeSafetensors({{{"a", nullptr}}, {}}); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { SerializeSafetensors({{}, {{"k", "\xc0"}}}); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([] { LoadSafetensors("/nonexistent/x.flx"); }).status(), Status::kFile);
}

}  // namespace
}  // namespace flx
