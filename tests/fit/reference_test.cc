// SPDX-License-Identifier: Apache-2.0
// Training against a second opinion: the same small network, forward, backward and steps, written out in float64 here, from the same initial values.
#include <gtest/gtest.h>

#include "helpers.h"

namespace flx {
namespace {

using namespace fit_tests;
using Vec = std::vector<double>;

// Dense(16, tanh), Dense(3), softmax cross-entropy, mean over the batch.
struct Reference {
  Vec w1, b1, w2, b2;  // (16, 2), (16), (3, 16), (3)
  struct Grads { Vec w1, b1, w2, b2; };
  double LossAndGradients(const Data& d, int64_t begin, int64_t end, Grads* g) const {
    g->w1.assign(32, 0), g->b1.assign(16, 0), g->w2.assign(48, 0), g->b2.assign(3, 0);
    double loss = 0, n = double(end - begin);
    for (int64_t r = begin; r < end; ++r) {
      const float* x = &d.x[size_t(2 * r)];
      double h[16], z[3], p[3], sum = 0;
      for (int j = 0; j < 16; ++j) h[j] = std::tanh(w1[size_t(2 * j)] * x[0] + w1[size_t(2 * j + 1)] * x[1] + b1[size_t(j)]);
      for (int k = 0; k < 3; ++k) {
        z[k] = b2[size_t(k)];
        for (int j = 0; j < 16; ++j) z[k] += w2[size_t(16 * k + j)] * h[j];
      }
      double top = std::max({z[0], z[1], z[2]});
      for (int k = 0; k < 3; ++k) sum += p[k] = std::exp(z[k] - top);
      auto label = int(d.y[size_t(r)]);
      loss += -(z[label] - top - std::log(sum));
      for (int k = 0; k < 3; ++k) {
        double dz = (p[k] / sum - (k == label)) / n;
        g->b2[size_t(k)] += dz;
        for (int j = 0; j < 16; ++j) g->w2[size_t(16 * k + j)] += dz * h[j];
      }
      for (int j = 0; j < 16; ++j) {
        double dh = 0;
        for (int k = 0; k < 3; ++k) dh += (p[k] / sum - (k == label)) / n * w2[size_t(16 * k + j)];
        dh *= 1 - h[j] * h[j];
        g->b1[size_t(j)] += dh, g->w1[size_t(2 * j)] += dh * x[0], g->w1[size_t(2 * j + 1)] += dh * x[1];
      }
    }
    return loss / n;
  }
};

// Losses of each epoch (the mean over its samples) by the reference.
template <class Rule> Vec Train(const Params& initial, const Data& d, int epochs, int64_t batch, Rule rule) {
  Reference net{Read(initial.Get("0.weight")), Read(initial.Get("0.bias")), Read(initial.Get("1.weight")), Read(initial.Get("1.bias"))};
  Vec losses;
  int64_t t = 0;
  for (int e = 0; e < epochs; ++e) {
    double sum = 0;
    for (int64_t at = 0; at < d.n; at += batch) {
      int64_t end = std::min(d.n, at + batch);
      Reference::Grads g;
      sum += net.LossAndGradients(d, at, end, &g) * double(end - at);
      ++t;
      rule(0, &net.w1, g.w1, t), rule(1, &net.b1, g.b1, t), rule(2, &net.w2, g.w2, t), rule(3, &net.b2, g.b2, t);
    }
    losses.push_back(sum / double(d.n));
  }
  return losses;
}
Vec FitLosses(const char* optimizer, const Settings& settings, Ref<Params> params, const Data& d, int epochs) {
  auto task = StartFit(Make<Model>(Mlp(false), params), CrossEntropy(), Optimizer::New(optimizer, settings), IterOf(d, {{"batch_size", "32"}}), nullptr, {{"epochs", Text(epochs)}});
  Drive(*task);
  Vec h = Read(task->History()), losses;
  for (size_t i = 1; i < h.size(); i += 3) losses.push_back(h[i]);
  return losses;
}
Ref<Params> Initial() { return InitParams(*Mlp(false), {{-1, 2}}, DType::kFloat32, nullptr, 11); }

TEST(Reference, SgdWithMomentum) {
  Data d = Spirals(300, 1);
  Vec m[4];
  Vec want = Train(*Initial(), d, 8, 32, [&](int i, Vec* w, const Vec& g, int64_t) {
    m[i].resize(w->size());
    for (size_t k = 0; k < w->size(); ++k) m[i][k] = 0.9 * m[i][k] - 0.1 * (g[k] + 1e-3 * (*w)[k]), (*w)[k] += m[i][k];
  });
  Vec got = FitLosses("SGD", {{"learning_rate", "0.1"}, {"momentum", "0.9"}, {"wd", "0.001"}}, Initial(), d, 8);
  ASSERT_EQ(got.size(), want.size());
  for (size_t e = 0; e < got.size(); ++e) EXPECT_NEAR(got[e], want[e], 2e-5) << "epoch " << e + 1;
  EXPECT_LT(got[7], 0.75 * got[0]) << "it learns";
}

TEST(Reference, Adam) {
  Data d = Spirals(300, 1);
  Vec m[4], v[4];
  Vec want = Train(*Initial(), d, 8, 32, [&](int i, Vec* w, const Vec& g, int64_t t) {
    m[i].resize(w->size()), v[i].resize(w->size());
    double lr = 0.01 * std::sqrt(1 - std::pow(0.999, double(t))) / (1 - std::pow(0.9, double(t)));
    for (size_t k = 0; k < w->size(); ++k) {
      m[i][k] = 0.9 * m[i][k] + 0.1 * g[k], v[i][k] = 0.999 * v[i][k] + 0.001 * g[k] * g[k];
      (*w)[k] -= lr * m[i][k] / (std::sqrt(v[i][k]) + 1e-8);
    }
  });
  Vec got = FitLosses("Adam", {{"learning_rate", "0.01"}}, Initial(), d, 8);
  ASSERT_EQ(got.size(), want.size());
  for (size_t e = 0; e < got.size(); ++e) EXPECT_NEAR(got[e], want[e], 5e-5) << "epoch " << e + 1;
}

}  // namespace
}  // namespace flx
