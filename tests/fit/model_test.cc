// SPDX-License-Identifier: Apache-2.0
// Models, parameters and optimizers as files: exact, the same bytes for the same content, hostile ones refused.
#include <gtest/gtest.h>

#include <fstream>

#include "../base/failing.h"
#include "helpers.h"
#include "interop/safetensors.h"

namespace flx {
namespace {

using namespace fit_tests;

Ref<Model> Example(uint64_t seed = 1) {
  auto model = Make<Model>(Mlp(), InitParams(*Mlp(), {{-1, 2}}, DType::kFloat32, nullptr, seed));
  model->SetMeta("classes", "zéro\none");
  model->SetMeta("r.formula", "y ~ .");
  return model;
}
std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Model, RoundTripIsExact) {
  auto model = Example();
  std::string path = TempPath("model.flx");
  model->Save(path);
  auto again = Model::Load(path);
  EXPECT_EQ(Bits(*again->params()), Bits(*model->params()));
  EXPECT_EQ(again->meta(), model->meta());
  EXPECT_EQ(again->layer()->ToJson(), model->layer()->ToJson());
  for (auto& p : again->params()->all()) EXPECT_EQ(p.aux, p.name.find("running") != std::string::npos) << p.name;
  NDArray x = XOf(Spirals(10, 1));
  EXPECT_EQ(Read(again->Run(kPlain, {x})[0]), Read(model->Run(kPlain, {x})[0]));
}

TEST(Model, SameModelSameBytes) {
  auto model = Example();
  std::string bytes = model->ToBytes(), path = TempPath("same.flx");
  model->Save(path);
  EXPECT_EQ(Slurp(path), bytes);
  EXPECT_EQ(Model::FromBytes(bytes)->ToBytes(), bytes);
  // whatever the order in which parameters were set
  auto turned = Make<Params>();
  auto all = model->params()->all();
  for (size_t i = all.size(); i-- > 0;) turned->Set(all[i].name, all[i].array, all[i].aux);
  auto other = Make<Model>(Mlp(), turned);
  for (auto& kv : model->meta()) other->SetMeta(kv.first, kv.second);
  EXPECT_EQ(other->ToBytes(), bytes);
  EXPECT_NE(Example(2)->ToBytes(), bytes);
  other->RemoveMeta("classes");
  EXPECT_EQ(other->meta().size(), 1u);
  EXPECT_NE(other->ToBytes(), bytes);
  // the header is where every language finds it
  EXPECT_EQ(bytes.substr(8, 36), "{\"__metadata__\":{\"flexor\":\"1\",\"layer");
}

TEST(Model, HostileFilesAreRefused) {
  std::string good = Example()->ToBytes();
  for (size_t n = 0; n < good.size(); n += n < 64 ? 1 : 61) EXPECT_EQ(StatusOf([&] { Model::FromBytes(std::string_view(good).substr(0, n)); }), Status::kFormat) << n;
  auto changed = [&](const std::function<void(Safetensors*)>& change) {
    Safetensors f = ParseSafetensors(good);
    change(&f);
    return StatusOf([&] { Model::FromBytes(SerializeSafetensors(f)); });
  };
  EXPECT_EQ(changed([](Safetensors*) {}), Status::kOk);
  EXPECT_EQ(changed([](Safetensors* f) { f->metadata.erase("flexor"); }), Status::kFormat);
  EXPECT_EQ(changed([](Safetensors* f) { f->metadata["flexor"] = "2"; }), Status::kFormat);
  EXPECT_EQ(changed([](Safetensors* f) { f->metadata.erase("layer"); }), Status::kFormat);
  EXPECT_EQ(changed([](Safetensors* f) { f->metadata["layer"] = "{\"kind\":\"Sequential\"}"; }), Status::kFormat);
  EXPECT_EQ(changed([](Safetensors* f) { f->metadata["layer"] = "{"; }), Status::kFormat);
  EXPECT_EQ(changed([](Safetensors* f) { f->arrays[0].first = "0.wait"; }), Status::kFormat);
  EXPECT_EQ(changed([](Safetensors* f) { f->arrays[0].first = "00.weight"; }), Status::kFormat);
  EXPECT_EQ(changed([](Safetensors* f) { f->arrays[0].second = Array::Filled({16, 2}, DType::kInt32, 1); }), Status::kFormat);
  EXPECT_EQ(StatusOf([&] { Model::Load(TempPath("none.flx")); }), Status::kFile);
  // a parameter of a wrong shape, and one that is missing, are found when the model is run, by name
  Safetensors f = ParseSafetensors(good);
  f.arrays[0].second = Array::Filled({16, 3}, DType::kFloat32, 1);
  EXPECT_EQ(StatusOf([&] { Model::FromBytes(SerializeSafetensors(f))->Run(kPlain, {XOf(Spirals(3, 1))}); }), Status::kShape);
  f.arrays.erase(f.arrays.begin());
  EXPECT_EQ(StatusOf([&] { Model::FromBytes(SerializeSafetensors(f))->Run(kPlain, {XOf(Spirals(3, 1))}); }), Status::kState);
  // what could not be read again is not written
  auto odd = Example();
  odd->params()->Set("7.weight", Array::Filled({1}, DType::kFloat32, 1));
  EXPECT_EQ(StatusOf([&] { odd->ToBytes(); }), Status::kName);
  EXPECT_EQ(StatusOf([&] { Make<Model>(CrossEntropy()); }), Status::kArgument);
}

TEST(Params, FilesOfBothFormats) {
  auto params = Example()->params();
  for (const char* name : {"p.safetensors", "p.params", "p.flx"}) {
    SaveParams(*params, TempPath(name));
    auto again = LoadParams(TempPath(name));
    EXPECT_EQ(Bits(*again), Bits(*params)) << name;
    for (auto& p : again->all()) EXPECT_EQ(p.aux, p.name.find("running") != std::string::npos) << p.name;
  }
  EXPECT_EQ(StatusOf([&] { SaveParams(*params, TempPath("p.npz")); }), Status::kArgument);
  EXPECT_EQ(StatusOf([&] { SaveParams(*params, TempPath("p"), "mxnets"); }), Status::kArgument);
  SaveParams(*params, TempPath("p"), "mxnet");
  EXPECT_EQ(Bits(*LoadParams(TempPath("p"))), Bits(*params));
  // MXNet's own, with prefixes
  Example()->Save(TempPath("m.flx"));
  EXPECT_EQ(Bits(*LoadParams(TempPath("m.flx"))), Bits(*params));
}

TEST(OptimizerBytes, GoOnExactly) {
  auto o = Optimizer::New("Adam", {{"wd", "0.01"}});
  o->SetSchedule(Schedule::New("Cosine", {{"max_update", "20"}}));
  NDArray w = Array::Filled({3}, DType::kFloat32, 1), g = Array::Filled({3}, DType::kFloat32, 0.1);
  for (int i = 0; i < 5; ++i) o->Update("w", w, g);
  std::string bytes = OptimizerToBytes(*o);
  EXPECT_EQ(OptimizerToBytes(*o), bytes);
  auto again = OptimizerFromBytes(bytes);
  EXPECT_EQ(OptimizerToBytes(*again), bytes);
  NDArray w2 = CopyOf(w);
  for (int i = 0; i < 5; ++i) o->Update("w", w, g), again->Update("w", w2, g);
  EXPECT_EQ(Read(w), Read(w2));
  for (size_t n = 0; n < bytes.size(); n += 7) EXPECT_EQ(StatusOf([&] { OptimizerFromBytes(std::string_view(bytes).substr(0, n)); }), Status::kFormat) << n;
}

}  // namespace
}  // namespace flx
