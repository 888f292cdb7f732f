// SPDX-License-Identifier: Apache-2.0
// Checkpoints: every golden pair of symbol and parameters, and what is wrong with others.
#include "interop/checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "../op/golden.h"
#include "graph/infer.h"
#include "hostile.h"
#include "interop/mxnet_params.h"

namespace flx {
namespace {
const std::string kGolden = std::string(FLEXOR_TEST_DATA) + "/golden/";

NDArray One(float v) { return Array::NewFrom(&v, {1}, DType::kFloat32); }

struct Temporary {
  Temporary() : path(testing::TempDir() + "checkpoint." + Text(int64_t(getpid()))) { std::filesystem::create_directory(path); }
  ~Temporary() { std::filesystem::remove_all(path); }
  const std::string path;
};
std::string PathOf(const golden::Case& c, const char* role) {
  for (auto& l : c.lines)
    if (l.word == "file" && l.get("role") == role) return kGolden + l.get("path");
  return {};
}

TEST(Checkpoint, GoldenPairs) {
  Temporary dir;
  golden::Folder folder(kGolden);
  int pairs = 0, gluon = 0;
  for (auto& c : folder.Read("models")) {
    SCOPED_TRACE(c.id());
    std::string params = PathOf(c, "params"), symbol = PathOf(c, "symbol");
    if (!params.empty()) {
      ++pairs;
      std::string prefix = params.substr(0, params.size() - std::string("-0000.params").size());
      ASSERT_EQ(symbol, prefix + "-symbol.json");
      Checkpoint p = LoadCheckpoint(prefix, 0);
      // Each is a variable of the symbol, of the kind that the prefix says, in the shape that the symbol wants.
      std::map<std::string, Known> known;
      auto args = p.symbol->Names(Part::kArgument), aux = p.symbol->Names(Part::kAuxiliary);
      for (auto& [name, a] : p.args) EXPECT_EQ(std::count(args.begin(), args.end(), name), 1) << name, known[name] = {a->shape, a->dtype};
      for (auto& [name, a] : p.aux) EXPECT_EQ(std::count(aux.begin(), aux.end(), name), 1) << name, known[name] = {a->shape, a->dtype};
      EXPECT_EQ(p.aux.size(), aux.size());
      Infer(*p.symbol, known, true);
      std::string copy = dir.path + "/copy";
      SaveCheckpoint(p, copy, 12);
      EXPECT_EQ(hostile::Slurp(copy + "-0012.params"), hostile::Slurp(params));
      SaveCheckpoint(LoadCheckpoint(copy, 12), copy + "2", 12345);
      EXPECT_EQ(hostile::Slurp(copy + "2-symbol.json"), hostile::Slurp(copy + "-symbol.json"));
      EXPECT_EQ(hostile::Slurp(copy + "2-12345.params"), hostile::Slurp(params));
    }
    if (std::string path = PathOf(c, "gluon_parameters"); !path.empty()) {
      ++gluon;
      NamedArrays arrays = LoadMxnetParams(path);
      EXPECT_EQ(NamesOf(arrays), ParamNames::kStructural);
      std::vector<std::string> want, got;
      for (auto& l : c.lines)
        if (l.word == "gluon_name") want.push_back(Text(l.get("name"), " ", ParseShape("golden", l.get("shape"))));
      for (auto& [name, a] : arrays) got.push_back(Text(name, " ", a->shape));
      EXPECT_EQ(got, want);
      auto s = LoadSymbol(symbol);
      NamedArrays args, aux;
      Error e = ErrorOf([&] { SplitParams(arrays, s.get(), path, &args, &aux); });
      EXPECT_EQ(e.status(), Status::kFormat);
      EXPECT_EQ(e.file, path);
      EXPECT_NE(e.message().find("Gluon"), std::string::npos) << e.message();
    }
  }
  EXPECT_EQ(pairs, 23);
  EXPECT_EQ(gluon, 8);
}

TEST(Checkpoint, Names) {
  NamedArrays list = {{"", One(1)}, {"", One(2)}}, full = {{"w", One(1)}, {"m", One(2)}}, mixed = {{"arg:w", One(1)}, {"m", One(2)}}, dots = {{"0.weight", One(1)}};
  EXPECT_EQ(NamesOf(list), ParamNames::kNone);
  EXPECT_EQ(NamesOf(full), ParamNames::kFull);
  EXPECT_EQ(NamesOf(mixed), ParamNames::kPrefixed);
  EXPECT_EQ(NamesOf({{"arg:0.weight", One(1)}}), ParamNames::kPrefixed);
  EXPECT_EQ(NamesOf(dots), ParamNames::kStructural);
  EXPECT_EQ(NamesOf({}), ParamNames::kFull);
  auto norm = Symbol::Compose(FindOp("BatchNorm"), "n", {Symbol::Variable("x"), Symbol::Variable("m")}, {"data", "moving_mean"}, {});
  for (auto& arrays : {full, mixed}) {  // the symbol tells what the names do not
    NamedArrays args, aux;
    SplitParams(arrays, norm.get(), "f", &args, &aux);
    ASSERT_EQ(args.size(), 1u);
    ASSERT_EQ(aux.size(), 1u);
    EXPECT_EQ(args[0].first, "w");
    EXPECT_EQ(aux[0].first, "m");
  }
  auto message = [&](const NamedArrays& arrays, const Symbol* symbol) {
    NamedArrays args, aux;
    Error e = ErrorOf([&] { SplitParams(arrays, symbol, "f.params", &args, &aux); });
    EXPECT_EQ(e.status(), Status::kFormat);
    EXPECT_EQ(e.file, "f.params");
    return e.message();
  };
  EXPECT_NE(message(list, norm.get()).find("without names"), std::string::npos);
  EXPECT_NE(message(full, nullptr).find("need `arg:`"), std::string::npos);
  EXPECT_NE(message(dots, norm.get()).find("Gluon"), std::string::npos);
  EXPECT_NE(message({{"arg:w", One(1)}, {"aux:w", One(1)}}, norm.get()).find("twice"), std::string::npos);
  EXPECT_NE(message({{"arg:w", nullptr}}, norm.get()).find("no array"), std::string::npos);
}

TEST(Checkpoint, Errors) {
  Temporary dir;
  std::string prefix = dir.path + "/m";
  EXPECT_EQ(CheckpointPath("m", 7), "m-0007.params");
  EXPECT_EQ(ErrorOf([] { CheckpointPath("m", -1); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { SaveCheckpoint({}, prefix, 1); }).status(), Status::kArgument);
  auto missing = [&](const std::string& path) {
    Error e = ErrorOf([&] { LoadCheckpoint(prefix, 1); });
    EXPECT_EQ(e.status(), Status::kFile) << e.message();
    EXPECT_EQ(e.file, path);
  };
  missing(prefix + "-symbol.json");
  auto x = Symbol::Variable("x");
  SaveSymbol(*x, prefix + "-symbol.json");
  missing(prefix + "-0001.params");
  hostile::Spill(prefix + "-symbol.json", "{\"nodes\": 1}");
  Error e = ErrorOf([&] { LoadCheckpoint(prefix, 1); });
  EXPECT_EQ(e.status(), Status::kFormat);
  EXPECT_EQ(e.file, prefix + "-symbol.json");
  EXPECT_GT(e.offset, 0);
  // What cannot be written leaves the old files.
  SaveCheckpoint({x, {{"x", One(1)}}, {}}, prefix, 1);
  auto params = hostile::Slurp(prefix + "-0001.params"), symbol = hostile::Slurp(prefix + "-symbol.json");
  EXPECT_EQ(ErrorOf([&] { SaveCheckpoint({Symbol::Variable("\xff"), {{"x", One(2)}}, {}}, prefix, 1); }).status(), Status::kUnsupported);
  EXPECT_EQ(ErrorOf([&] { SaveCheckpoint({x, {{"x", One(2)}, {"x", One(2)}}, {}}, prefix, 1); }).status(), Status::kArgument);
  EXPECT_EQ(hostile::Slurp(prefix + "-0001.params"), params);
  EXPECT_EQ(hostile::Slurp(prefix + "-symbol.json"), symbol);
  // Longer than any symbol: refused before it is read.
  std::filesystem::resize_file(prefix + "-symbol.json", 1 << 30);
  hostile::ResetLargest();
  EXPECT_EQ(ErrorOf([&] { LoadCheckpoint(prefix, 1); }).status(), Status::kFormat);
  EXPECT_LT(hostile::LargestRequest(), hostile::kMost);
}

}  // namespace
}  // namespace flx
