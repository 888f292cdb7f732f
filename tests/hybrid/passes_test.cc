// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

namespace flx {
namespace {

Ir Traced(const TraceFunction& f, std::vector<Shape> shapes, bool training = false) {
  std::vector<TraceInput> in;
  for (auto& s : shapes) in.push_back({s, DType::kFloat32});
  return TraceForward(f, in, training);
}
Val Op1(const char* op, Val x) { return CallOp(op, {x}); }
int CountOf(const Ir& ir, std::string_view op) {
  int n = 0;
  for (auto& k : ir.nodes) n += op == k.op->name;
  return n;
}

TEST(PassSet, NamesAndSigns) {
  auto& all = Passes();
  EXPECT_TRUE(PassSet("").has(all.Find("dead")));
  EXPECT_FALSE(PassSet("none").has(all.Find("dead")));
  EXPECT_TRUE(PassSet("merge, dead").has(all.Find("dead")));
  EXPECT_FALSE(PassSet("merge").has(all.Find("dead")));
  EXPECT_FALSE(PassSet("-dead").has(all.Find("dead")));
  EXPECT_TRUE(PassSet("-dead").has(all.Find("merge")));
  EXPECT_THROW(PassSet("-dead,merge"), Error);
  try {
    PassSet("marge");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kName);
    EXPECT_NE(e.message().find("merge"), std::string::npos) << e.message();
  }
}

TEST(Dead, DropsWhatNobodyReads) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    Op1("sin", Op1("cos", x[0]));
    return std::vector<Val>{Op1("exp", x[0])};
  }, {{3}});
  EXPECT_EQ(DropDead(&ir), 2);
  ASSERT_EQ(ir.nodes.size(), 1u);
  EXPECT_STREQ(ir.nodes[0].op->name, "exp");
  EXPECT_EQ(DropDead(&ir), 0);
}
TEST(Dead, KeepsWhatChangesAnInput) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    CallOp("BatchNorm", {x[0], x[1], x[2], x[3], x[4]});
    return std::vector<Val>{Op1("exp", x[0])};
  }, {{2, 3}, {3}, {3}, {3}, {3}}, true);
  EXPECT_EQ(DropDead(&ir), 0);
  EXPECT_EQ(CountOf(ir, "BatchNorm"), 1);
}

TEST(Fold, ComputesConstantsOnce) {
  Ir ir = Traced([](Builder& b, const std::vector<Val>& x) {
    Val c = CallOp("_arange", {}, {{"start", "0"}, {"stop", "3"}}, &b);
    return std::vector<Val>{x[0] + Op1("exp", c)};
  }, {{3}});
  EXPECT_EQ(FoldConstants(&ir), 2);
  ASSERT_EQ(ir.nodes.size(), 1u);
  ASSERT_EQ(ir.constants.count(ir.nodes[0].in[1]), 1u);
  EXPECT_NEAR(ItemOf(*Invoke1("max", {ir.constants[ir.nodes[0].in[1]]})), std::exp(2.0), 1e-5);
}
TEST(Fold, LeavesRandomNumbersAndLargeConstants) {
  Ir ir = Traced([](Builder& b, const std::vector<Val>& x) {
    Val r = CallOp("_random_uniform", {}, {{"shape", "(3,)"}}, &b), z = CallOp("_zeros", {}, {{"shape", "(1000000,)"}}, &b);
    return std::vector<Val>{x[0] + r, z};
  }, {{3}});
  EXPECT_EQ(FoldConstants(&ir), 0);
}

TEST(Merge, ComputesEqualThingsOnce) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    Val a = Op1("sin", x[0]), b = Op1("sin", x[0]);
    return std::vector<Val>{Op1("exp", a) + Op1("exp", b), CallOp("_plus_scalar", {a}, {{"scalar", "1"}}), CallOp("_plus_scalar", {b}, {{"scalar", "2"}})};
  }, {{3}});
  EXPECT_EQ(MergeEqual(&ir), 2);
  EXPECT_EQ(CountOf(ir, "sin"), 1);
  EXPECT_EQ(CountOf(ir, "exp"), 1);
  EXPECT_EQ(CountOf(ir, "_plus_scalar"), 2);
}
TEST(Merge, LeavesWhatIsNotTheSame) {
  Ir ir = Traced([](Builder& b, const std::vector<Val>& x) {
    auto random = [&] { return CallOp("_random_uniform", {}, {{"shape", "(2, 3)"}}, &b); };
    auto norm = [&] { return CallOp("BatchNorm", {x[0], x[1], x[2], x[3], x[4]}); };
    Val mean = Op1("sin", x[3]);
    norm();
    return std::vector<Val>{random() + random(), norm(), mean + Op1("sin", x[3])};  // the running mean has changed between
  }, {{2, 3}, {3}, {3}, {3}, {3}}, true);
  EXPECT_EQ(MergeEqual(&ir), 0);
}
TEST(Ir, Prints) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) { return std::vector<Val>{CallOp("sum", {x[0]}, {{"axis", "1"}})}; }, {{2, 3}});
  EXPECT_EQ(ir.Print(), "inputs: v0\nv1 = sum(v0) axis=(1,)  float32 (2,)\noutputs: v1\n");
}

}  // namespace
}  // namespace flx
