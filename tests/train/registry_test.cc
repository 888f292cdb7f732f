// SPDX-License-Identifier: Apache-2.0
// What every registered thing must have, and how things are found by name.
#include <gtest/gtest.h>

#include "base/registry.h"
#include "train/all.h"

namespace flx {
namespace {

template <class E> void Documented(const Registry<E>& r, const char* what) {
  EXPECT_GT(r.all().size(), 2u);
  for (auto& e : r.all()) {
    SCOPED_TRACE(std::string(what) + " " + e.name);
    EXPECT_GT(std::string(e.doc).size(), 5u);
    EXPECT_NE(std::string(e.family), "");
    EXPECT_NE(std::string(e.example), "");
    for (auto& f : e.schema.fields()) {
      EXPECT_GT(std::string(f.doc).size(), 5u) << f.name;
      EXPECT_EQ(std::string(f.doc).back(), '.') << f.name;
    }
    EXPECT_EQ(r.FindOrNull(e.name), &e);
    for (const char* a : e.aliases) EXPECT_EQ(r.FindOrNull(a), &e) << a;
  }
}
TEST(TrainRegistry, EverythingIsDocumented) {
  Documented(Layers(), "layer");
  Documented(Optimizers(), "optimizer");
  Documented(Schedules(), "schedule");
  Documented(Initializers(), "initializer");
  Documented(Metrics(), "metric");
  for (auto& l : Layers().all()) {
    for (auto& p : l.params) EXPECT_NE(std::string(p.doc), "") << l.name;
    for (auto& i : l.inputs) EXPECT_NE(std::string(i.doc), "") << l.name;
  }
}
TEST(TrainRegistry, EveryOptimizerCanBeMade) {
  for (auto& o : Optimizers().all()) EXPECT_NO_THROW(Optimizer::New(o.name)) << o.name;
}
TEST(TrainRegistry, SpellingAndSuggestions) {
  EXPECT_STREQ(Optimizers().Find("adam").name, "Adam");
  EXPECT_STREQ(Metrics().Find("top_k_accuracy").name, "TopKAccuracy");
  try {
    Layers().Find("Conv2d_");
    Optimizers().Find("Adm");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kName);
    EXPECT_NE(e.message().find("`Adam`"), std::string::npos) << e.message();
  }
}
TEST(TrainRegistry, NamedSettings) {
  std::string name;
  Settings s;
  ASSERT_TRUE(ParseNamed(" Normal( sigma = 0.02 ) ", &name, &s));
  EXPECT_EQ(name, "Normal");
  EXPECT_EQ(s, (Settings{{"sigma", "0.02"}}));
  ASSERT_TRUE(ParseNamed("MultiFactor(step=(10, 20), factor=0.5)", &name, &s));
  EXPECT_EQ(s, (Settings{{"step", "(10, 20)"}, {"factor", "0.5"}}));
  EXPECT_FALSE(ParseNamed("Normal(0.02)", &name, &s));
  EXPECT_FALSE(ParseNamed("Normal(sigma=1", &name, &s));
  EXPECT_FALSE(ParseNamed("", &name, &s));
  EXPECT_EQ(SplitNamed("a, b(k=1, l=(2, 3)) ,, c"), (std::vector<std::string>{"a", "b(k=1, l=(2, 3))", "c"}));
  EXPECT_EQ(Initializer::Parse("Normal(sigma=0.02)")->text(), "Normal(sigma=0.02)");
  EXPECT_THROW(Initializer::Parse("Normal(sigma=-1)"), Error);
}

}  // namespace
}  // namespace flx
