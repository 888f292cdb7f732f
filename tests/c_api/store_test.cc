// SPDX-License-Identifier: Apache-2.0
// The C++ API: stores of one process.
#include <gtest/gtest.h>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"

using namespace flexor;
using Floats = std::vector<float>;

namespace {
Floats Fitted(const Store* store, bool on_store = false) {
  Model model(nn::Sequential{nn::Dense(6).activation("tanh"), nn::Dense(1)});
  Iter batches = Iter::from_arrays({array({{0, 0}, {0, 1}, {1, 0}, {1, 1}}), array({0, 1, 1, 0})}, {"data", "label"}, {{"batch_size", 2}});
  Options options = {{"epochs", 5}, {"seed", 1}};
  if (on_store) options.set("update_on_store", true);
  if (store) fit(model, nn::L2Loss(), optimizer::Adam(0.05), batches, {}, options, *store);
  else fit(model, nn::L2Loss(), optimizer::Adam(0.05), batches, {}, options);
  return predict(model, batches)[0].to_vector<float>();
}

TEST(CppStore, ArraysByKey) {
  Store store;
  EXPECT_EQ(store.kind(), "local");
  EXPECT_EQ(store.role(), "worker");
  EXPECT_EQ(store.rank(), 0);
  EXPECT_EQ(store.workers(), 1);
  store.init({"w", "v"}, {array({1, 2}), array({0, 0})});
  NDArray w = array({0, 0}), v = array({0, 0});
  store.push({"w", "v", "w"}, {array({1, 1}), array({5, 5}), array({2, 3})});
  store.pull({"w", "v"}, {w, v});
  EXPECT_EQ(w.to_vector<float>(), (Floats{3, 4}));
  EXPECT_EQ(v.to_vector<float>(), (Floats{5, 5}));
  store.set_optimizer(optimizer::SGD(0.5));
  store.set("learning_rate", "1");
  store.push_pull({"w"}, {array({1, 0})}, {w});
  EXPECT_EQ(w.to_vector<float>(), (Floats{2, 4}));
  EXPECT_NE(store.view().find("2 keys"), std::string::npos);
  EXPECT_EQ(store.recover(), -1);
  EXPECT_EQ(store.number("checkpoint"), 0);
  EXPECT_THROW(store.checkpoint(), UnsupportedError);
  store.barrier();
  store.serve();
  store.finish();
  EXPECT_THROW(store.pull({"w"}, {w}), Error);
  EXPECT_THROW(Store("locl"), Error);
}

TEST(CppStore, FitsHaveTheBitsOfAFitWithoutOne) {
  Store store("device");
  Floats want = Fitted(nullptr);
  EXPECT_EQ(Fitted(&store), want);
  EXPECT_EQ(Fitted(&store, true), want);
}
}  // namespace
