// SPDX-License-Identifier: Apache-2.0
// The networks that tests and benchmarks of hybrid execution share are those they are called.
#include <gtest/gtest.h>

#include "benchmarks/hybrid/models.h"
#include "helpers.h"

namespace flx {
namespace {

Shape ShapeOf(const models::Shape& s) {
  Shape to;
  for (long long n : s) to.push_back(n);
  return to;
}
int64_t Trainable(const Layer& layer, const Shape& in) {
  int64_t n = 0;
  for (auto& d : DeclareParams(layer, {in}))
    if (!d.aux) n += d.shape.size();
  return n;
}

TEST(Networks, HaveThePublishedSizes) {
  struct Case { models::Net net; Shape in, out; int64_t parameters; };
  const int64_t lstm = 4 * 256 * (256 + 256 + 2), block = 4 * 256 + 3 * 256 * 257 + 256 * 257 + 1024 * 257 + 256 * 1025;
  for (auto& c : std::vector<Case>{{models::Mlp(), {3, 784}, {3, 10}, 784 * 128 + 128 + 1290},
                                   {models::LeNet(), {3, 1, 28, 28}, {3, 10}, 431080},
                                   {models::ResNet18(), {2, 3, 64, 64}, {2, 10}, 11181642},   // of the 11,689,512 of 1000 classes, 990 * 513 less
                                   {models::ResNet50(), {1, 3, 224, 224}, {1, 1000}, 25557032},
                                   {models::SmallResNet(), {2, 3, 16, 16}, {2, 10}, 216 + 16 + 2 * (576 + 16) + 1152 + 2304 + 64 + 128 + 32 + 2 * (2304 + 32) + 170},
                                   {models::Lstm(256), {5, 2, 256}, {5, 2, 256}, lstm},
                                   {models::LanguageModel(), {35, 32}, {35, 32, 2000}, 512000 + 2 * lstm + 257 * 2000},
                                   {models::Transformer(), {8, 128}, {8, 128, 2000}, 512000 + 4 * block + 257 * 2000}}) {
    auto layer = Layer::FromJson(c.net.json());
    EXPECT_EQ(OutputShapes(*layer, {c.in}), std::vector<Shape>{c.out}) << c.net.json();
    EXPECT_EQ(Trainable(*layer, c.in), c.parameters) << c.net.json();
  }
}
TEST(Networks, CasesFitTheirNetworks) {
  for (auto& t : models::Trainings()) {
    Shape in = ShapeOf(t.input), out = OutputShapes(*Layer::FromJson(t.net.json()), {in})[0];
    EXPECT_EQ(out.back(), t.classes) << t.name;
    EXPECT_EQ(out.size() / out.back(), t.items) << t.name;
  }
  for (auto& p : models::Predictions()) EXPECT_NO_THROW(OutputShapes(*Layer::FromJson(p.net.json()), {ShapeOf(p.input)})) << p.name;
}

}  // namespace
}  // namespace flx
