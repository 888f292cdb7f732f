// SPDX-License-Identifier: Apache-2.0
// Every golden case of the operators that are registered is a test of its own. `golden_test --table` prints one line per operator instead; `--export FILE` writes
// the cases for the runners of other languages.
#include <gtest/gtest.h>

#include <cstring>
#include <iostream>
#include <map>
#include <set>

#include "base/text.h"
#include "golden.h"
#include "op/op.h"

namespace flx::golden {
namespace {

constexpr const char* kFamilies[] = {"elemwise", "unary", "scalar", "broadcast", "reduce", "matrix", "indexing", "init", "nn", "loss", "cast", "assign",
                                     "sequence", "linalg", "optim", "optim_multi", "random", "attention", "rnn", "vision", "image", "sparse", "errors"};
struct Count { int passed = 0, differs = 0, missing = 0, failed = 0; std::string why; };

Folder* TheFolder() {
  static Folder folder(FLEXOR_TEST_DATA "/golden");
  return &folder;
}
std::map<std::string, std::map<std::string, Count>>& Counts() {  // by family and operator
  static std::map<std::string, std::map<std::string, Count>> counts;
  return counts;
}

Verdict RunAndCount(const Case& c) {
  Verdict v = Run(TheFolder(), c);
  Count& n = Counts()[c.family][OperatorOf(c)];
  (v.outcome == Outcome::kPassed ? n.passed : v.outcome == Outcome::kDiffers ? n.differs : v.outcome == Outcome::kMissing ? n.missing : n.failed)++;
  if (v.outcome == Outcome::kDiffers || (v.outcome == Outcome::kMissing && v.text.rfind("operator ", 0) != 0)) n.why = v.text;
  return v;
}

class GoldenCase : public testing::Test {
 public:
  explicit GoldenCase(const Case* c) : c_(*c) {}
  void TestBody() override {
    Verdict v = RunAndCount(c_);
    if (v.outcome == Outcome::kFailed) FAIL() << "case " << c_.id() << "\n" << v.text << (c_.note().empty() ? "" : "note: " + c_.note());
  }

 private:
  const Case& c_;
};

std::string Padded(std::string s, size_t width, bool right = false) {
  if (s.size() < width) s.insert(right ? 0 : s.size(), width - s.size(), ' ');
  return s;
}

int PrintTable() {  // how many failed
  Count all;
  std::set<std::string> covered, missing;
  std::cout << Padded("operator", 52) << "  passed  by design  not covered  failed\n";
  for (const char* family : kFamilies) {
    std::cout << family << "\n";
    for (auto& [name, n] : Counts()[family]) {
      std::cout << "  " << Padded(name, 50) << Padded(n.passed ? Text(n.passed) : "-", 8, true) << Padded(n.differs ? Text(n.differs) : "-", 11, true)
                << Padded(n.missing ? Text(n.missing) : "-", 13, true) << Padded(n.failed ? Text(n.failed) : "-", 8, true) << (n.why.empty() ? "" : "  " + n.why) << "\n";
      all.passed += n.passed, all.differs += n.differs, all.missing += n.missing, all.failed += n.failed;
      (n.missing && !n.passed && !n.failed && !n.differs ? missing : covered).insert(name);
    }
  }
  for (auto& name : covered) missing.erase(name);
  std::cout << Padded("total", 52) << Padded(Text(all.passed), 8, true) << Padded(Text(all.differs), 11, true) << Padded(Text(all.missing), 13, true)
            << Padded(Text(all.failed), 8, true) << "\n"
            << covered.size() << " operators covered, " << missing.size() << " not yet.\n";
  return all.failed;
}

// The kinds that are not calls of one operator (models, files, metrics ...) are read by the tests of the rooms they belong to.
std::vector<Case>& AllCases() {
  static std::vector<Case> all = [] {
    std::vector<Case> v;
    for (const char* family : kFamilies)
      for (auto& c : TheFolder()->Read(family)) v.push_back(std::move(c));
    return v;
  }();
  return all;
}

// A line of the list that names no case is a typo.
TEST(Differences, NameCases) {
  for (auto& d : Differences()) {
    bool found = false;
    for (auto& c : AllCases()) found |= c.id().rfind(d.prefix, 0) == 0;
    EXPECT_TRUE(found) << d.prefix;
    EXPECT_TRUE(*d.reason) << d.prefix;
  }
}

// The comparison itself: it must see what it is for.
TEST(Compare, SeesDifferences) {
  Stored want;
  float x[3] = {1, 2, 3};
  want.shape = {3}, want.bytes.assign(reinterpret_cast<char*>(x), sizeof x), want.rtol = 1e-4;
  float near_by[3] = {1, 2.0001f, 3}, off[3] = {1, 2, 3.1f}, nan[3] = {1, std::nanf(""), 3};
  EXPECT_EQ(Compare("a", want, DType::kFloat32, {3}, x), "");
  EXPECT_EQ(Compare("a", want, DType::kFloat32, {3}, near_by), "");
  EXPECT_NE(Compare("a", want, DType::kFloat32, {3}, off), "");
  EXPECT_NE(Compare("a", want, DType::kFloat32, {3}, nan), "");
  EXPECT_NE(Compare("a", want, DType::kFloat32, {3, 1}, x), "");
  EXPECT_NE(Compare("a", want, DType::kInt32, {3}, x), "");
}

}  // namespace
}  // namespace flx::golden

int main(int argc, char** argv) {
  using namespace flx::golden;
  if (argc == 2 && std::strcmp(argv[1], "--table") == 0) {
    for (auto& c : AllCases()) RunAndCount(c);
    return PrintTable() > 0;
  }
  if (argc == 3 && std::strcmp(argv[1], "--export") == 0) return !Export(TheFolder(), AllCases(), argv[2]);
  for (auto& c : AllCases()) {
    if (!flx::FindOpOrNull(OperatorOf(c)) && OperatorOf(c) != "no_such_operator") continue;  // the table counts these
    const Case* p = &c;
    testing::RegisterTest(c.family.c_str(), c.id().substr(c.family.size() + 1).c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [p]() -> testing::Test* { return new GoldenCase(p); });
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
