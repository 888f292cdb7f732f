// SPDX-License-Identifier: Apache-2.0
// Flexor's kernels beside raw peers in one run. A benchmark is named ROW/flexor or ROW/<peer>: ROWs are compared within themselves.
//   Flexor is called through the public ABI and makes a new result each time; each iteration ends when the result is there.
//   Counters: FLOPS (operations a second), bytes_per_second (each array read or written counted once), items_per_second (numbers drawn).
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "flexor/flexor.hpp"
#include "kernels_peers.h"

using namespace flexor;

namespace {

enum class Unit { kFlops, kBytes, kItems };
using Make = std::function<peers::Run()>;  // what an iteration does, its arrays made; nothing: not there

void Add(const std::string& name, Unit unit, double work, Make make) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    peers::Run run = make();
    if (!run) return state.SkipWithError("the library was not found when this was built");
    run();
    for (auto _ : state) run();
    if (unit == Unit::kFlops) state.counters["FLOPS"] = benchmark::Counter(work, benchmark::Counter::kIsIterationInvariantRate);
    if (unit == Unit::kBytes) state.SetBytesProcessed(int64_t(double(state.iterations()) * work));
    if (unit == Unit::kItems) state.SetItemsProcessed(int64_t(double(state.iterations()) * work));
  })->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(0.25);
}

NDArray Uniform(const Shape& shape) { return invoke("_random_uniform", {}, {{"shape", shape}, {"low", -1}, {"high", 1}})[0]; }
// One operator on uniform arrays of the given shapes.
Make Of(const char* op, std::vector<Shape> shapes, Options options = {}) {
  return [=]() -> peers::Run {
    Call call(op, options);
    std::vector<NDArray> arrays;
    for (auto& s : shapes) arrays.push_back(Uniform(s));
    wait_all();
    return [=] { call.run(arrays)[0].wait(); };
  };
}
// Raw memory is kept until the program ends, so a peer's is made once, however often it is repeated.
Make Once(Make make) {
  auto made = std::make_shared<peers::Run>();
  return [=] {
    if (!*made) *made = make();
    return *made;
  };
}
void Ours(const std::string& row, Unit unit, double work, Make make) { Add(row + "/flexor", unit, work, std::move(make)); }
void Peer(const std::string& row, const char* name, Unit unit, double work, Make make) { Add(row + "/" + name, unit, work, Once(std::move(make))); }

void MatrixProducts() {
  for (int64_t n : {256, 512, 1024, 2048}) {
    std::string row = "Sgemm/" + std::to_string(n);
    double work = 2.0 * double(n) * double(n) * double(n);
    Ours(row, Unit::kFlops, work, Of("dot", {{n, n}, {n, n}}));
    Peer(row, "openblas", Unit::kFlops, work, [=] { return peers::SgemmOpenBlas(n); });
    Peer(row, "onednn", Unit::kFlops, work, [=] { return peers::SgemmOneDnn(n); });
  }
}
void DenseLayers() {
  constexpr int64_t in = 784, out = 128;
  for (int64_t rows : {1, 8, 64}) {
    std::string row = "Dense/784x128 batch " + std::to_string(rows);
    double work = 2.0 * double(rows * in * out);
    Ours(row, Unit::kFlops, work, Of("FullyConnected", {{rows, in}, {out, in}}, {{"num_hidden", out}, {"no_bias", true}}));
    Peer(row, "openblas", Unit::kFlops, work, [=] { return peers::DenseOpenBlas(rows, in, out); });
    Peer(row, "onednn", Unit::kFlops, work, [=] { return peers::DenseOneDnn(rows, in, out); });
  }
}
void Convolutions() {
  struct Row { const char* name; peers::Conv c; };
  for (auto& [name, c] : {Row{"3x3", {16, 64, 64, 56, 3, 1, 1, 1}}, Row{"7x7s2", {8, 3, 64, 224, 7, 2, 3, 1}}, Row{"1x1", {16, 256, 64, 28, 1, 1, 0, 1}},
                          Row{"depthwise", {16, 64, 64, 56, 3, 1, 1, 64}}}) {
    std::string row = std::string("Conv/") + name;
    int64_t out = (c.side + 2 * c.pad - c.kernel) / c.stride + 1;
    double work = 2.0 * double(c.batch * c.filters * out * out) * double(c.channels / c.groups * c.kernel * c.kernel);
    Options o = {{"kernel", Shape{c.kernel, c.kernel}}, {"stride", Shape{c.stride, c.stride}}, {"pad", Shape{c.pad, c.pad}}, {"num_filter", c.filters}, {"num_group", c.groups},
                 {"no_bias", true}};
    Ours(row, Unit::kFlops, work, Of("Convolution", {{c.batch, c.channels, c.side, c.side}, {c.filters, c.channels / c.groups, c.kernel, c.kernel}}, o));
    auto conv = c;
    Peer(row, "onednn", Unit::kFlops, work, [=] { return peers::ConvOneDnn(conv); });
  }
}
// The operators that plans put in place of Convolution: data and weight are in blocks, as a convolution before and the packing once left them. The peer is
// oneDNN in the same formats with its own threads.
void BlockedConvolutions() {
  const int64_t block = __builtin_cpu_supports("avx512bw") ? 16 : 8;
  struct Row { const char* name; peers::Conv c; };
  for (auto& [name, c] : {Row{"3x3", {16, 64, 64, 56, 3, 1, 1, 1}}, Row{"3x3 one image", {1, 256, 256, 14, 3, 1, 1, 1}}, Row{"1x1", {16, 256, 64, 28, 1, 1, 0, 1}},
                          Row{"1x1 one image", {1, 256, 1024, 14, 1, 1, 0, 1}}, Row{"7x7s2 one image", {1, 3, 64, 224, 7, 2, 3, 1}}}) {
    std::string row = std::string("BlockedConv/") + name;
    int64_t out = (c.side + 2 * c.pad - c.kernel) / c.stride + 1;
    double work = 2.0 * double(c.batch * c.filters * out * out) * double(c.channels * c.kernel * c.kernel);
    auto conv = c;
    Ours(row, Unit::kFlops, work, [=]() -> peers::Run {
      bool plain = conv.channels % block != 0;
      NDArray x = Uniform({conv.batch, conv.channels, conv.side, conv.side}), w = Uniform({conv.filters, conv.channels, conv.kernel, conv.kernel});
      if (!plain) x = invoke("_to_blocked", {x}, {{"block", block}})[0];
      w = invoke("_pack_conv_weight", {w}, {{"block", block}, {"use", plain ? "plain_data" : "forward"}})[0];
      Call call("_blocked_convolution", {{"kernel", Shape{conv.kernel, conv.kernel}}, {"stride", Shape{conv.stride, conv.stride}}, {"pad", Shape{conv.pad, conv.pad}},
                                         {"num_filter", conv.filters}, {"no_bias", true}});
      wait_all();
      return [=] { call.run({x, w})[0].wait(); };
    });
    Peer(row, "onednn", Unit::kFlops, work, [=] { return peers::ConvOneDnn(conv); });
  }
}
// One layer of 256 units over 50 steps of 256 features.
void Recurrent() {
  constexpr int64_t steps = 50, units = 256, weights = 4 * units * (units + units + 2);
  for (int64_t rows : {1, 32}) {
    std::string row = "LSTM/256x50x" + std::to_string(rows);
    double work = 2.0 * double(steps * rows) * double(weights);
    const Shape state{1, rows, units};
    Ours(row, Unit::kFlops, work, Of("RNN", {{steps, rows, units}, {weights}, state, state}, {{"mode", "lstm"}, {"state_size", units}, {"num_layers", 1}}));
    Peer(row, "onednn", Unit::kFlops, work, [=] { return peers::LstmOneDnn(steps, rows, units); });
  }
}

constexpr int64_t kSide = 4096, kBig = int64_t(16) << 20;
const double kBytes = double(kBig) * 4;  // of 16 M floats, and of kSide by kSide

void Elementwise() {
  Ours("Add/16M", Unit::kBytes, 3 * kBytes, Of("broadcast_add", {{kBig}, {kBig}}));
  Peer("Add/16M", "stream", Unit::kBytes, 3 * kBytes, [] { return peers::AddStream(kBig); });
  for (const char* op : {"relu", "exp", "tanh", "_copy"}) {
    std::string row = std::string(op[0] == '_' ? op + 1 : op) + "/16M";
    Ours(row, Unit::kBytes, 2 * kBytes, Of(op, {{kBig}}));
    Peer(row, "stream", Unit::kBytes, 2 * kBytes, [] { return peers::CopyStream(kBig); });
  }
  // Six operators as one chain, which is what the pass `fuse` makes of them, beside one loop written by hand.
  const char* six = "_minimum_scalar(_minus_scalar(square(relu(_plus_scalar(_mul_scalar(x0, scalar=1.5), scalar=0.25))), scalar=0.5), scalar=2)";
  Ours("Chain/16M", Unit::kBytes, 2 * kBytes, Of("_fused", {{kBig}}, {{"chain", six}}));
  Peer("Chain/16M", "loop", Unit::kBytes, 2 * kBytes, [] { return peers::ChainStream(kBig); });
}
void Reductions() {
  const Shape square{kSide, kSide};
  struct Form { const char *name, *axis; };
  for (const char* op : {"sum", "max", "argmax"})
    for (auto [form, axis] : {Form{"all", "None"}, Form{"axis0", "0"}, Form{"axis1", "1"}}) {
      if (op[0] == 'a' && axis[0] == 'N') continue;
      std::string row = std::string(op) + "/" + form;
      Options o;
      if (axis[0] != 'N') o = {{"axis", axis}};
      Ours(row, Unit::kBytes, kBytes, Of(op, {square}, o));
      if (axis[0] == '0' && op[0] == 's') Peer(row, "loop", Unit::kBytes, kBytes, [] { return peers::SumRows(kSide, kSide); });
      if (axis[0] == '0' && op[0] == 'a') Peer(row, "loop", Unit::kBytes, kBytes, [] { return peers::ArgmaxRows(kSide, kSide); });
      Peer(row, "stream", Unit::kBytes, kBytes, [] { return peers::ReadStream(kBig); });
    }
}
void Rows() {
  const Shape scores{4096, 1000}, wide{4096, 1024};
  const double s = 2.0 * 4096 * 1000 * 4, w = 2.0 * 4096 * 1024 * 4;
  for (const char* op : {"softmax", "log_softmax"}) {
    std::string row = std::string(op) + "/4096x1000";
    Ours(row, Unit::kBytes, s, Of(op, {scores}));
    Peer(row, "stream", Unit::kBytes, s, [] { return peers::CopyStream(4096 * 1000); });
  }
  Ours("LayerNorm/4096x1024", Unit::kBytes, w, Of("LayerNorm", {wide, {1024}, {1024}}));
  Peer("LayerNorm/4096x1024", "stream", Unit::kBytes, w, [] { return peers::CopyStream(4096 * 1024); });
  const Shape images{16, 64, 56, 56};
  const double i = 2.0 * 16 * 64 * 56 * 56 * 4;
  Ours("InstanceNorm/16x64x56x56", Unit::kBytes, i, Of("InstanceNorm", {images, {64}, {64}}));
  Ours("GroupNorm/16x64x56x56", Unit::kBytes, i, Of("GroupNorm", {images, {8}, {8}}, {{"num_groups", 8}}));
  Ours("L2Normalization/4096x1024", Unit::kBytes, w, Of("L2Normalization", {wide}));
  Ours("transpose/4096", Unit::kBytes, 2 * kBytes, [] {
    NDArray x = Uniform({kSide, kSide});
    x.wait();
    Call transpose("transpose"), copy("_copy");
    return peers::Run([=] { copy(transpose(x)).wait(); });  // the transpose is a view; the copy is what moves memory
  });
  Peer("transpose/4096", "loop", Unit::kBytes, 2 * kBytes, [] { return peers::Transpose(kSide); });
  Peer("transpose/4096", "stream", Unit::kBytes, 2 * kBytes, [] { return peers::CopyStream(kBig); });
}
void Random() {
  auto draw = [](const char* op) {
    return [=]() -> peers::Run {
      Call call(op, {{"shape", Shape{kBig}}});
      return [=] { call.run({})[0].wait(); };
    };
  };
  Ours("normal/16M", Unit::kItems, double(kBig), draw("_random_normal"));
  Peer("normal/16M", "std", Unit::kItems, double(kBig), [] { return peers::NormalStd(kBig); });
  Ours("uniform/16M", Unit::kItems, double(kBig), draw("_random_uniform"));
}
}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  MatrixProducts();
  DenseLayers();
  Convolutions();
  BlockedConvolutions();
  Recurrent();
  Elementwise();
  Reductions();
  Rows();
  Random();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
