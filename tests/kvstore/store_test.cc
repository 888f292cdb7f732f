// SPDX-License-Identifier: Apache-2.0
// The store of one process: MXNet's recorded results, and what its calls promise.
#include "golden.h"
#include "store_helpers.h"

namespace flx {
namespace {

using namespace kvstore_tests;

TEST(Store, MxnetsResults) {
  golden::Folder folder(FLEXOR_TEST_DATA "/golden");
  int seen = 0;
  auto array = [](const golden::Stored& s) { return FromHost(s.bytes.data(), int64_t(s.bytes.size()), s.dtype, false, s.shape, s.dtype); };
  for (auto& c : folder.Read("kvstore")) {
    if (c.id().compare(0, 14, "kvstore/local/") != 0) continue;  // compression and rows of sparse arrays are not there
    SCOPED_TRACE(c.id());
    for (const char* kind : {"local", "device", "Local_Allreduce_CPU"}) {
      auto store = Store::New(kind, {});
      for (auto& l : c.lines) {
        if (l.word == "init") store->Init({l.get("key")}, {array(folder.Load(c, l))});
        if (l.word == "optimizer") {
          Settings settings;
          for (auto& kv : l.fields) if (kv.first != "name") settings.push_back(kv);
          store->SetOptimizer(*Optimizer::New(l.get("name"), settings));
        }
        if (l.word == "push") store->Push({"w"}, {array(folder.Load(c, l))}, {});
        if (l.word == "pull") {
          auto want = folder.Load(c, l);
          NDArray got = Array::Filled(want.shape, want.dtype, -7);
          store->Pull({"w"}, {got}, 0);
          std::string bytes(size_t(got->bytes()), '\0');
          ReadArray(*got, bytes.data(), int64_t(bytes.size()), got->dtype, false);
          EXPECT_EQ(golden::Compare("pull", want, got->dtype, got->shape, bytes.data()), "");
          ++seen;
        }
      }
    }
  }
  EXPECT_EQ(seen, 18);
}

TEST(Store, SumsInOrderAndGivesToAll) {
  auto store = Store::New("local", {});
  store->Init({"a", "b"}, {Of({1, 2}), Of({5})});
  store->Push({"a", "b", "a", "a"}, {Of({1e8f, 1}), Of({7}), Of({-1e8f, 2}), Of({1, 3})}, {});
  NDArray x = Of({0, 0}), y = Of({0, 0}), b = Of({0});
  store->Pull({"a", "b", "a"}, {x, b, y}, 0);
  EXPECT_EQ(Floats(x), (std::vector<float>{1, 6}));  // (1e8 - 1e8) + 1
  EXPECT_EQ(Floats(y), Floats(x));
  EXPECT_EQ(Floats(b), (std::vector<float>{7}));
  store->PushPull({"a", "a"}, {x, x}, {x, y}, {});  // into what is pushed
  EXPECT_EQ(Floats(x), (std::vector<float>{2, 12}));
  EXPECT_EQ(Floats(y), Floats(x));
}

TEST(Store, InitIsIdempotentAndItsArraysAreCopies) {
  auto store = Store::New("local", {});
  NDArray first = Of({1, 2}), got = Of({0, 0});
  store->Init({"a"}, {first});
  CopyInto(Of({9, 9}), first);
  store->Init({"a"}, {Of({3, 4})});
  store->Pull({"a"}, {got}, 0);
  EXPECT_EQ(Floats(got), (std::vector<float>{1, 2}));
  store->Push({"a"}, {first}, {});
  CopyInto(Of({8, 8}), first);
  store->Pull({"a"}, {got}, 0);
  EXPECT_EQ(Floats(got), (std::vector<float>{9, 9}));
  EXPECT_EQ(store->Numbers(), (std::vector<std::pair<std::string, double>>{{"rank", 0}, {"workers", 1}, {"servers", 0}, {"keys", 1}, {"checkpoint", 0}, {"checkpoint_round", 0}, {"returns", 0}, {"returned_to", 0}}));
}

TEST(Store, OptimizerAndItsStates) {
  auto make = [] {
    auto s = Store::New("local", {});
    s->Init({"w", "fixed"}, {Of({1, 2}), Of({1, 1})});
    return s;
  };
  auto adam = Optimizer::New("Adam", {{"learning_rate", "0.1"}});
  adam->Set("fixed.lr_mult", "0");
  adam->Update("w", Of({0, 0}), Of({1, 1}));  // its own past is not the store's
  auto store = make();
  EXPECT_EQ(ErrorOf([&] { store->Set("learning_rate", "1"); }).status(), Status::kState);
  EXPECT_EQ(ErrorOf([&] { store->SaveStates(); }).status(), Status::kState);
  store->SetOptimizer(*adam);
  auto fresh = Optimizer::New("Adam", {{"learning_rate", "0.1"}});
  NDArray want = Of({1, 2}), got = Of({0, 0}), fixed = Of({0, 0});
  for (int i = 0; i < 3; ++i) fresh->Update("w", want, Of({float(i), 1})), store->Push({"w", "fixed"}, {Of({float(i), 1}), Of({1, 1})}, {});
  store->Pull({"w", "fixed"}, {got, fixed}, 0);
  EXPECT_EQ(Floats(got), Floats(want));
  EXPECT_EQ(Floats(fixed), (std::vector<float>{1, 1}));
  // Another store goes on from the states.
  auto other = Store::New("local", {});
  other->Init({"w"}, {got});
  other->SetOptimizer(*adam);
  other->LoadStates(store->SaveStates());
  store->Set("learning_rate", "0.5"), other->Set("learning_rate", "0.5"), fresh->Set("learning_rate", "0.5");
  for (auto& s : {store, other}) {
    NDArray more = Of({0, 0});
    s->PushPull({"w"}, {Of({3, -1})}, {more}, {});
    if (s == store) fresh->Update("w", want, Of({3, -1}));
    EXPECT_EQ(Floats(more), Floats(want));
  }
  EXPECT_TRUE(store->Finish(0));  // all is forgotten
  EXPECT_EQ(ErrorOf([&] { store->Pull({"w"}, {got}, 0); }).status(), Status::kState);
}

TEST(Store, WrongCallsSayWhatIsWrong) {
  auto store = Store::New("local", {});
  store->Init({"fc1_weight"}, {Of({1, 2})});
  Error e = ErrorOf([&] { store->Push({"fc1_weigth"}, {Of({1, 2})}, {}); });
  EXPECT_EQ(e.status(), Status::kState);
  EXPECT_TRUE(Has(e, "never initialized") && Has(e, "Did you mean `fc1_weight`?")) << e.message();
  e = ErrorOf([&] { store->Push({"fc1_weight"}, {Of({1})}, {}); });
  EXPECT_EQ(e.status(), Status::kShape);
  EXPECT_TRUE(Has(e, "(2,)") && Has(e, "(1,)")) << e.message();
  EXPECT_EQ(ErrorOf([&] { store->Pull({"fc1_weight"}, {Array::Filled({2}, DType::kFloat64, 0)}, 0); }).status(), Status::kType);
  EXPECT_EQ(ErrorOf([&] { store->Init({"fc1_weight"}, {Of({1})}); }).status(), Status::kShape);
  EXPECT_EQ(ErrorOf([&] { store->Init({"fc1_weight"}, {Array::Filled({2}, DType::kInt32, 0)}); }).status(), Status::kType);
  EXPECT_EQ(ErrorOf([&] { store->Init({"a", "b"}, {Of({1})}); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { store->Init({""}, {Of({1})}); }).status(), Status::kArgument);
  EXPECT_EQ(ErrorOf([&] { store->Push({"fc1_weight"}, {Of({1, 2})}, {-1, 0}); }).status(), Status::kArgument);
  e = ErrorOf([&] { Store::New("locl", {}); });
  EXPECT_EQ(e.status(), Status::kName);
  EXPECT_TRUE(Has(e, "Did you mean `local`?")) << e.message();
  // Nothing of a wrong call is done.
  EXPECT_EQ(ErrorOf([&] { store->Push({"fc1_weight", "other"}, {Of({5, 5}), Of({5})}, {}); }).status(), Status::kState);
  NDArray got = Of({0, 0});
  store->Pull({"fc1_weight"}, {got}, 0);
  EXPECT_EQ(Floats(got), (std::vector<float>{1, 2}));
}

TEST(Store, FailuresPoisonWhatIsPulled) {
  auto store = Store::New("local", {});
  store->Init({"w"}, {Of({1, 2})});
  struct Failing final : Operation {
    Ref<Storage> keep;
    void Execute() override { Fail(Status::kFile, "reader", "no luck."); }
  };
  NDArray bad = Of({1, 1}), got = Of({0, 0});
  auto* op = new Failing;
  op->keep = bad->storage;
  VarUse use{&bad->storage->var, Access::kWrite};
  Engine::Get().Push(op, &use, 1);
  EXPECT_EQ(ErrorOf([&] { store->PushPull({"w"}, {bad}, {got}, {}), WaitToRead(*got); }).status(), Status::kFile);  // at the call, or later
  store->PushPull({"w"}, {Of({3, 3})}, {got}, {});  // wholly overwritten
  EXPECT_EQ(Floats(got), (std::vector<float>{3, 3}));
  while (auto p = Engine::Get().NextUnseen()) {}
}

}  // namespace
}  // namespace flx
