// SPDX-License-Identifier: Apache-2.0
// LeNet on images of 28 x 28: items_per_second are images per second.
#include <benchmark/benchmark.h>

#include "lenet.h"

namespace {
void Train(benchmark::State& state, const flexor::Layer& net) {
  LeNet lenet(64, net);
  lenet.Step();
  flexor::wait_all();
  for (auto _ : state) {  // steps follow each other, as in training; nobody reads the loss
    for (int i = 0; i < 4; ++i) lenet.Step();
    flexor::wait_all();
  }
  state.SetItemsProcessed(state.iterations() * 4 * 64);
}
void Predict(benchmark::State& state, int64_t batch) {
  LeNet lenet(batch);
  for (auto _ : state) lenet.model(lenet.images).wait();
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK_CAPTURE(Train, plain, LeNet::Plain())->Name("LeNet/train/flexor")->UseRealTime();
BENCHMARK_CAPTURE(Train, batch_normed, LeNet::BatchNormed())->Name("LeNet with BatchNorm/train/flexor")->UseRealTime();
BENCHMARK_CAPTURE(Predict, one, 1)->Name("LeNet/predict 1/flexor")->UseRealTime();
BENCHMARK_CAPTURE(Predict, batch, 64)->Name("LeNet/predict 64/flexor")->UseRealTime();
}  // namespace
