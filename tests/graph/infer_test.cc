// SPDX-License-Identifier: Apache-2.0
// What operators' rules give together: sizes that travel through a graph, guesses that wait, and arrays that are several inputs.
#include <gtest/gtest.h>

#include "networks.h"

namespace flx {
namespace {

std::pair<Shape, DType> Of(const Symbol& s, const Inferred& known, const std::string& name) {
  const GraphIndex& g = s.index();
  for (int i = 0; i < g.size(); ++i)
    if (g.nodes[size_t(i)]->name == name) return {known.shapes[size_t(g.first_value[size_t(i)])], known.dtypes[size_t(g.first_value[size_t(i)])]};
  ADD_FAILURE() << "no node " << name;
  return {Shape::Unknown(), DType::kNone};
}
Shape ShapeIn(const Symbol& s, const Inferred& known, const std::string& name) { return Of(s, known, name).first; }

// MXNet's cells begin with zeros of shape (0, units), which the reader of files makes (-1, units): the batch comes back from the data.
TEST(GraphInference, TheBatchOfABeginStateFollowsFromTheData) {
  Texts gates = {{"num_hidden", "20"}};
  auto begin = Node1("_zeros", "begin", {}, {{"shape", "(-1, 5)"}}), cell = Node1("_zeros", "cell", {}, {{"shape", "(-1, 5)"}});
  auto sum = Node1("elemwise_add", "gates", {Node1("FullyConnected", "i2h", {Symbol::Variable("data")}, gates), Node1("FullyConnected", "h2h", {begin}, gates)});
  auto parts = Node1("SliceChannel", "parts", {sum}, {{"num_outputs", "4"}});
  auto next = Node1("elemwise_mul", "next", {Symbol::New({parts->outputs[1]}), cell});
  auto out = Node1("Reshape", "flat", {Node1("Concat", "joined", {next, Symbol::New({parts->outputs[0]})}, {{"dim", "1"}, {"num_args", "2"}})}, {{"shape", "(-1, 2, 5)"}});
  auto known = Infer(*out, {{"data", {{7, 3}, DType::kFloat32}}}, false);
  EXPECT_EQ(ShapeIn(*out, *known, "begin"), (Shape{7, 5}));
  EXPECT_EQ(ShapeIn(*out, *known, "cell"), (Shape{7, 5}));
  EXPECT_EQ(ShapeIn(*out, *known, "h2h_weight"), (Shape{20, 5}));
  EXPECT_EQ(ShapeIn(*out, *known, "flat"), (Shape{7, 2, 5}));
  auto open = Infer(*out, {{"data", {{-1, 3}, DType::kFloat32}}}, true);  // the batch stays open, all else is known
  EXPECT_EQ(ShapeIn(*out, *open, "i2h_weight"), (Shape{20, 3}));
  EXPECT_EQ(ShapeIn(*out, *open, "flat"), (Shape{-1, 2, 5}));
}
TEST(GraphInference, GuessesWaitForWhatLaterNodesTell) {
  auto gamma = Symbol::Variable("gamma");
  auto act = Node1("LeakyReLU", "act", {Symbol::Variable("data"), gamma}, {{"act_type", "prelu"}});
  auto both = Symbol::Group({act, Node1("elemwise_add", "penalty", {gamma, Node1("_ones", "one", {}, {{"shape", "(1,)"}})})});
  auto known = Infer(*both, {{"data", {{2, 3}, DType::kFloat32}}}, false);
  EXPECT_EQ(ShapeIn(*both, *known, "gamma"), (Shape{1}));  // and not one slope for each channel
  EXPECT_EQ(ShapeIn(*act, *Infer(*act, {{"data", {{2, 3}, DType::kFloat32}}}, false), "gamma"), (Shape{3}));
  auto table = Symbol::Variable("table");
  auto words = Node1("Embedding", "words", {Symbol::Variable("data"), table}, {{"input_dim", "4"}, {"output_dim", "2"}});
  auto half = Symbol::Group({words, Node1("elemwise_add", "more", {table, Node1("_ones", "halves", {}, {{"shape", "(4, 2)"}, {"dtype", "float16"}})})});
  EXPECT_EQ(Of(*half, *Infer(*half, {{"data", {{3}, DType::kInt32}}}, false), "table").second, DType::kFloat16);
}
// Each of the two inputs learns what the other does not.
TEST(GraphInference, AnArrayMayBeSeveralInputs) {
  auto x = Symbol::Variable("x");
  auto y = Node1("dot", "y", {x, x});
  EXPECT_EQ(ShapeIn(*y, *Infer(*y, {{"x", {{3, -1}, DType::kFloat32}}}, false), "x"), (Shape{3, 3}));
  EXPECT_THROW(Infer(*y, {{"x", {{3, 4}, DType::kFloat32}}}, false), Error);
  auto wide = Node1("broadcast_mul", "wide", {x, x});
  EXPECT_EQ(ShapeIn(*wide, *Infer(*wide, {{"x", {{-1, 4}, DType::kFloat32}}}, true), "wide"), (Shape{-1, 4}));
}

}  // namespace
}  // namespace flx
