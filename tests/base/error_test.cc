// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace flx {
namespace {

TEST(Error, ReadsWhoWhatGiven) {
  try {
    Fail(Status::kShape, "dot", "the inner lengths must agree, given ", 2, " and ", std::vector<int64_t>{3, 4}, ".");
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "[dot] the inner lengths must agree, given 2 and (3, 4).");
    EXPECT_EQ(e.status(), Status::kShape);
    EXPECT_EQ(e.op, "dot");
    EXPECT_STREQ(StatusName(e.status()), "shape");
  }
}
TEST(Error, NamesFileAndByte) {
  try {
    FailFile(Status::kFormat, "a.rec", 24, "bad magic");
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "a.rec, byte 24: bad magic");
    EXPECT_EQ(e.offset, 24);
  }
}
TEST(Error, NearestName) {
  std::vector<std::string> names{"relu", "sigmoid", "softmax", "FullyConnected"};
  EXPECT_EQ(Nearest("rleu", names), "relu") << "neighbours swapped";
  EXPECT_EQ(Nearest("sofmax", names), "softmax");
  EXPECT_EQ(Nearest("fullyconected", names), "FullyConnected") << "case does not count";
  EXPECT_EQ(Nearest("banana", names), "") << "no typo of any";
  EXPECT_EQ(Nearest("", names), "");
  EXPECT_EQ(DidYouMean("sigmod", names), " Did you mean `sigmoid`?");
  EXPECT_EQ(DidYouMean("xyz", {}), "");
}
TEST(Error, EveryStatusHasAName) {
  for (int i = 0; i <= int(Status::kRolledBack); ++i) EXPECT_GT(std::string(StatusName(Status(i))).size(), 1u) << i;
  EXPECT_STREQ(StatusName(Status(99)), "error");
}

}  // namespace
}  // namespace flx
