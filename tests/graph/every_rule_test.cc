// SPDX-License-Identifier: Apache-2.0
// Every operator's shape rule, on what a file may hold: attributes of odd values, shapes unknown, empty, huge or of odd ranks. It learns something or
// refuses; it never crashes, overflows or takes memory.
#include <gtest/gtest.h>

#include <random>

#include "../interop/hostile.h"
#include "graph/infer.h"

namespace flx {
namespace {
constexpr int kRounds = 150;  // for each operator

const char* const kShapes[] = {"", "", "(-1,)", "(2,)", "(7,)", "(2, 3)", "(-1, 3)", "(3, -1)", "(0, 3)", "(2, 0, 4)", "(2, 3, 4)", "(-1, -1, -1)", "(1, 2, 6, 6)", "(2, 4, -1, 5)",
                               "(-1, -1, -1, -1)", "(1, 2, 3, 4, 5)", "()", "(1, 1, 1, 1, 1, 1, 1)", "(9223372036854775807,)", "(4294967296, 4294967296)", "(1, 4611686018427387904, 8)",
                               "(3037000500, 3037000500, 2, 2)", "(0, 9223372036854775807)", "(2, 9223372036854775807, 2, 2)"};
const char* const kValues[] = {"0", "1", "2", "3", "-1", "-2", "None", "True", "False", "0.5", "-0.5", "nan", "inf", "1e308", "()", "(0,)", "(1,)", "(2,)", "(2, 2)", "(1, 1)", "(0, 1)", "(-1, 0)",
                               "(3, 3)", "(0, -1)", "(-4, 1, -1, -2)", "(-3, 0)", "(1, 2, 3)", "(None, 2)", "(0, 0, 0, 0, 1, 1, 1, 1)", "2147483647", "-2147483648", "2147483648",
                               "4294967296", "9223372036854775807", "-9223372036854775808", "(4294967296, 4294967296)", "(9223372036854775807, 2)",
                               "(-9223372036854775808, -1)", "(9223372036854775807,)"};

class Tries {
 public:
  explicit Tries(const OpDef& op) : op_(op), random_(std::hash<std::string_view>{}(op.name)) {}
  void One() {
    Symbol::Texts texts;
    for (auto& f : op_.schema.fields())
      if (f.required || random_() % 3 == 0) texts.emplace_back(f.name, Value(f));
    std::vector<Ref<Symbol>> in;
    size_t n = op_.variadic ? size_t(op_.list_min) + random_() % 3 : op_.inputs.size();
    for (size_t i = 0; i < n; ++i) {
      Symbol::Texts said;
      std::string shape = kShapes[random_() % std::size(kShapes)];
      if (i && random_() % 2) shape = last_;
      last_ = shape;
      if (!shape.empty()) said.emplace_back("shape", shape);
      if (random_() % 2) said.emplace_back("dtype", random_() % 2 ? "float32" : "int64");
      in.push_back(Symbol::Variable(Text("x", i), said));
    }
    std::string what = op_.name;
    for (auto& t : texts) what += Text(" ", t.first, "=", t.second);
    for (auto& x : in)
      for (auto& t : x->outputs[0].node->settings()->texts) what += Text(" ", x->outputs[0].node->name, ".", t.first, "=", t.second);
    hostile::ResetLargest();
    Ref<Symbol> s;
    try {
      while (!s) {
        try {
          s = Symbol::Compose(op_, "n", in, {}, texts);
        } catch (const Error&) {
          if (op_.variadic || in.empty()) return;  // fewer inputs may be wanted, as attributes say
          in.pop_back();
        }
      }
      if (s->outputs.size() > 1000) return;  // readers count outputs
      Infer(*s, {}, true);
      ++learnt;
    } catch (const Error& e) {
      bool users = e.status() == Status::kShape || e.status() == Status::kType || e.status() == Status::kArgument || e.status() == Status::kUnsupported;
      EXPECT_TRUE(users) << what << ": " << StatusName(e.status()) << ": " << e.message();
      ++refused;
    } catch (const std::exception& e) {
      ADD_FAILURE() << what << ": " << e.what();
    }
    EXPECT_LT(hostile::LargestRequest(), 1 << 20) << what;
  }
  int learnt = 0, refused = 0;

 private:
  std::string Value(const Field& f) {
    // The names of a choice, mostly.
    std::string type = f.type->type_text(f);
    std::vector<std::string> names;
    for (size_t at = 0; (at = type.find('\'', at)) != std::string::npos;) {
      size_t end = type.find('\'', at + 1);
      if (end == std::string::npos) break;
      names.push_back(type.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    if (!names.empty()) return names[random_() % names.size()];
    for (int tries = 0; tries < 50; ++tries) {  // one that the field takes
      const char* v = kValues[random_() % std::size(kValues)];
      auto scratch = op_.schema.Copy();
      try {
        op_.schema.Set(op_.name, scratch.get(), f.name, v);
        return v;
      } catch (const Error&) {
      }
    }
    return op_.schema.Print(f, op_.schema.defaults().get());
  }
  const OpDef& op_;
  std::mt19937_64 random_;
  std::string last_;
};

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const OpDef* op : AllOps())
    if (!op->subgraphs && !op->trait(kInternal)) names.emplace_back(op->name);
  return names;
}
class EveryRule : public testing::TestWithParam<std::string> {};
TEST_P(EveryRule, Survives) {
  Tries t(FindOp(GetParam()));
  for (int i = 0; i < kRounds; ++i) t.One();
  EXPECT_GT(t.learnt + t.refused, kRounds / 4) << "too few tries came as far as the rule";
}
INSTANTIATE_TEST_SUITE_P(Of, EveryRule, testing::ValuesIn(Names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace flx
