// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "base/utf8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/dtype.h"
#include "base/random.h"

namespace flx {
namespace {

TEST(Text, NumbersReadBackExactly) {
  for (double v : {0.1, 1e-8, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 123456789.0}) {
    double back = -1;
    ASSERT_TRUE(ParseDouble(Text(v), &back)) << Text(v);
    EXPECT_EQ(back, v);
    EXPECT_EQ(std::signbit(back), std::signbit(v));
  }
  EXPECT_EQ(Text(0.1f), "0.1");
  EXPECT_EQ(Text(1e-8), "1e-08");
  EXPECT_EQ(Text(std::numeric_limits<double>::infinity(), " ", std::nan("")), "inf nan");
  EXPECT_EQ(Text(int64_t(-5), uint8_t(7), true, 'c'), "-57Truec");
  EXPECT_EQ(FixedText(98.654, 2), "98.65");
}
TEST(Text, ParsesWholeStringsOnly) {
  int64_t i;
  double d;
  bool b;
  EXPECT_TRUE(ParseInt(" +12L ", &i) && i == 12);
  EXPECT_TRUE(ParseInt("-9223372036854775808", &i) && i == INT64_MIN);
  for (const char* bad : {"", "12x", "1.5", "+-1", "L", "9223372036854775808"}) EXPECT_FALSE(ParseInt(bad, &i)) << bad;
  EXPECT_TRUE(ParseDouble("1e400", &d) && std::isinf(d));
  EXPECT_TRUE(ParseDouble("-1e-400", &d) && d == 0);
  for (const char* bad : {"", "1,5", "0x10", "1.0f"}) EXPECT_FALSE(ParseDouble(bad, &d)) << bad;
  EXPECT_TRUE(ParseBool("TRUE", &b) && b);
  EXPECT_FALSE(ParseBool("yes", &b));
}
TEST(Text, SplitJoinTrim) {
  EXPECT_EQ(Split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(Join({"a", "b"}, ", "), "a, b");
  EXPECT_EQ(Trim(" \t x\n"), "x");
  EXPECT_EQ(Text(std::vector<int64_t>{2}), "(2,)");
}
TEST(Text, Utf8) {
  for (const char* good : {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) EXPECT_TRUE(IsUtf8(good)) << good;
  // a lone byte, cut short, too long a spelling, half of a UTF-16 pair, beyond U+10FFFF
  for (const char* bad : {"\xff", "a\xe2\x82", "\xc0\x80", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
    EXPECT_TRUE(IsUtf8(ToUtf8(bad))) << bad;
  }
  EXPECT_EQ(ToUtf8("a\xff\xc3\xa9"), "a\xef\xbf\xbd\xc3\xa9");
}
TEST(Text, QuotedAsJson) {
  std::string s;
  AppendQuoted(&s, std::string_view("a\"\\/\b\t\n\v\f\r\x01\x1f\x7f\xc3\xa9\0z", 17));
  EXPECT_EQ(s, "\"a\\\"\\\\/\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\x7f\xc3\xa9\\u0000z\"");
}
TEST(Philox, TheTestVectorOfItsAuthors) {  // Random123 1.09, kat_vectors: philox4x32-10, counter and key all ones
  Philox p({0, 0});
  p.key[0] = p.key[1] = 0xffffffff;
  uint32_t out[4];
  p(~uint64_t(0), ~uint64_t(0), out);
  EXPECT_EQ(out[0], 0x408f276du);
  EXPECT_EQ(out[1], 0x41c83b0eu);
  EXPECT_EQ(out[2], 0xa20bc7c6u);
  EXPECT_EQ(out[3], 0x6d5451fdu);
}
TEST(DTypes, NamesGoBothWays) {
  for (int i = 0; i < kDTypeCount; ++i) {
    DType t;
    ASSERT_TRUE(DTypeFromName(DTypeName(DType(i)), &t)) << i;
    EXPECT_EQ(int(t), i);
    EXPECT_GT(DTypeSize(t), 0);
  }
}

}  // namespace
}  // namespace flx
