// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a job, and going back to them: a server is lost, and with it the only copy of its keys.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "cut_job.h"

namespace flx {
namespace {

using namespace kvstore_tests;
namespace fs = std::filesystem;

double Number(const Ref<Store>& s, const char* name) {
  for (auto& [n, v] : s->Numbers())
    if (n == name) return v;
  return -1;
}

const std::vector<std::string> kKeys = {"u", "v", "w", "x"};  // on both of two servers
std::vector<NDArray> Each(float v) { return {Of({v}), Of({v}), Of({v}), Of({v})}; }
void InitAll(Store& s, float to) { s.Init(kKeys, Each(to)); }
void PushAll(Store& s, float by) { s.Push(kKeys, Each(by), {}); }
Values PullAll(Store& s) {
  std::vector<NDArray> got = Each(0);
  s.Pull(kKeys, got, 0);
  Values v;
  for (auto& g : got) v.push_back(Floats(g)[0]);
  return v;
}

TEST(Checkpoint, IsWrittenAndNumbered) {
  Place place;
  CutJob job(2, 2);
  for (auto& w : job.workers) w->Init({"a", "b", "c"}, {Of({1}), Of({2}), Of({3})});
  EXPECT_EQ(Number(job.workers[0], "checkpoint"), 0);
  job.Cut();
  EXPECT_EQ(Number(job.workers[0], "checkpoint"), 1);
  EXPECT_EQ(Number(job.workers[0], "checkpoint_round"), 0);
  EXPECT_EQ(place.Parts(), (std::vector<std::string>{"job.0.1", "job.1.1", "job.last"}));
  for (auto& w : job.workers) w->Push({"a", "b", "c"}, {Of({10}), Of({20}), Of({30})}, {});
  job.Cut();
  EXPECT_EQ(Number(job.workers[0], "checkpoint"), 2);
  EXPECT_EQ(Number(job.workers[0], "checkpoint_round"), 1);
  EXPECT_EQ(Number(job.workers[0], "returns"), 0);
  job.Cut();
  for (int i = 0; i < 6000 && place.Parts().size() > 5; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(place.Parts(), (std::vector<std::string>{"job.0.2", "job.0.3", "job.1.2", "job.1.3", "job.last"})) << "the first is of no more use";
  EXPECT_EQ(job.workers[0]->Recover(), -1) << "there was no return";
  job.Finish();
  EXPECT_EQ(ErrorOf([&] { job.workers[0]->Checkpoint(0); }).status(), Status::kState);
}

TEST(Checkpoint, WhatStandsInItsWayIsTold) {
  Error e = ErrorOf([] { Store::New("local", {})->Checkpoint(0); });
  EXPECT_EQ(e.status(), Status::kUnsupported);
  EXPECT_TRUE(Has(e, "local") && Has(e, "flx_store_save")) << e.message();
  auto refused = [](CutJob& job) { return ErrorOf([&] { job.Cut(); }); };
  auto goes_on = [](CutJob& job) {  // the failure is the checkpoint's alone
    NDArray got = Of({0});
    job.workers[0]->PushPull({"a"}, {Of({7})}, {got}, {});
    EXPECT_EQ(Floats(got), (Values{7}));
  };
  {
    CutJob job(1, 1);
    job.workers[0]->Init({"a"}, {Of({1})});
    e = refused(job);
    EXPECT_EQ(e.status(), Status::kFile);
    EXPECT_TRUE(Has(e, "server 0") && Has(e, "FLEXOR_PS_CHECKPOINT")) << e.message();
    goes_on(job);
    EXPECT_EQ(ErrorOf([&] { job.servers[0]->Checkpoint(0); }).status(), Status::kState) << "a server asks for none";
    job.Finish();
  }
  Place place;
  CutJob job(1, 1);
  job.workers[0]->Init({"a", "big"}, {Of({1}), Array::Filled({10'000}, DType::kFloat32, 2)});
  // As a full disk: no file may grow.
  struct rlimit before, small;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  small = before, small.rlim_cur = 20'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  e = refused(job);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(e.status(), Status::kFile);
  EXPECT_TRUE(Has(e, "server 0") && Has(e, (place.folder + "/job.0.1").c_str()) && Has(e, "File too large")) << e.message();
  EXPECT_EQ(Number(job.workers[0], "checkpoint"), 0);
  goes_on(job);
  place.Remove();  // its place is gone
  e = refused(job);
  EXPECT_EQ(e.status(), Status::kFile);
  EXPECT_TRUE(Has(e, "No such file")) << e.message();
  fs::create_directory(place.folder);
  job.Cut();
  EXPECT_EQ(Number(job.workers[0], "checkpoint"), 3) << "numbers are never used twice";
  goes_on(job);
  job.Finish();
}

TEST(Checkpoint, AJobGoesBackToIt) {
  Place place;
  CutJob job(2, 2);
  auto &a = job.workers[0], &b = job.workers[1];
  for (auto& s : job.workers) InitAll(*s, 0), s->SetOptimizer(*Optimizer::New("SGD", {{"learning_rate", "1"}, {"momentum", "0.5"}}));
  job.Barrier();
  for (auto& s : job.workers) PushAll(*s, 1);
  EXPECT_EQ(PullAll(*a), Values(4, -2));
  job.Cut(1);
  for (auto& s : job.workers) PushAll(*s, 1);
  EXPECT_EQ(PullAll(*b), Values(4, -5)) << "momentum";
  NDArray late = Of({0});
  for (auto& s : job.workers) s->Init({"late"}, {Of({9})}), s->Pull({"late"}, {late}, 0), WaitToRead(*late);
  EXPECT_FALSE(b->Barrier(0)) << "the first worker has not come";
  PushAll(*a, 4);  // its round needs the second worker
  std::vector<NDArray> stopped = {Of({0})};
  a->Pull({"u"}, stopped, 0);
  job.LoseServer(1);
  ASSERT_TRUE(job.Back(0) && job.Back(1)) << a->Describe();
  Error e = ErrorOf([&] { WaitToRead(*stopped[0]); });
  EXPECT_EQ(e.status(), Status::kRolledBack) << e.message();
  e = ErrorOf([&] { PushAll(*a, 1); });
  EXPECT_EQ(e.status(), Status::kRolledBack);
  EXPECT_TRUE(Has(e, "round 1") && Has(e, "recover")) << e.message();
  e = ErrorOf([&] { b->Barrier(20000); });
  EXPECT_EQ(e.status(), Status::kRolledBack) << "who waits in a barrier hears it too";
  for (auto& s : job.workers) {
    EXPECT_EQ(s->Recover(), 1);
    EXPECT_EQ(s->Recover(), -1);
    EXPECT_EQ(Number(s, "returns"), 1);
    EXPECT_EQ(Number(s, "returned_to"), 1);
    EXPECT_EQ(PullAll(*s), Values(4, -2));
  }
  // What began after the checkpoint is not there, until it is given again.
  a->Pull({"late"}, {late}, 0);
  EXPECT_EQ(ErrorOf([&] { WaitToRead(*late); }).status(), Status::kState);
  b->Init({"late", "u"}, {Of({9}), Of({100})});
  a->Init({"late", "u"}, {Of({9}), Of({100})});
  a->Pull({"late"}, {late}, 0);
  EXPECT_EQ(Floats(late), (Values{9}));
  for (auto& s : job.workers) PushAll(*s, 1);
  for (auto& s : job.workers) EXPECT_EQ(PullAll(*s), Values(4, -5)) << "the optimizer's states went back, too";
  job.Barrier();
  job.Cut();
  EXPECT_EQ(Number(b, "checkpoint"), 2);
  job.Finish();
}

TEST(Checkpoint, DamagedPartsEndTheJobWithTheirNames) {
  auto rewrite = [](const std::string& path, const std::function<void(std::string*)>& change) {
    std::ifstream in(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    change(&bytes);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  static std::string foreign;
  {
    Place place;
    CutJob job(1, 1, "dist_sync", "another");
    job.workers[0]->Init({"a"}, {Of({1})});
    job.Cut();
    rewrite(place.folder + "/job.0.1", [](std::string* s) { foreign = *s; });
  }
  struct Damage { const char *what, *says; std::function<void(std::string*)> change; };
  for (const Damage& d : {Damage{"cut short", "cut short", [](std::string* s) { s->resize(s->size() - 4); }}, Damage{"too long", "longer", [](std::string* s) { *s += "more"; }},
                          Damage{"foreign", "checkpoint 1 of another job", [](std::string* s) { *s = foreign; }}, Damage{"its head", "its head is damaged", [](std::string* s) { (*s)[20] = char((*s)[20] ^ 1); }}, Damage{"no part", "no part", [](std::string* s) { *s = "hello"; }},
                          Damage{"empty", "no part", [](std::string* s) { s->clear(); }}}) {
    SCOPED_TRACE(d.what);
    Place place;
    CutJob job(1, 1);
    auto& w = job.workers[0];
    w->Init({"a"}, {Array::Filled({300}, DType::kFloat32, 2)});
    job.Cut();
    const std::string part = place.folder + "/job.0.1";
    rewrite(part, d.change);
    auto spare = job.AddServer();  // which is to take over
    ASSERT_TRUE(spare->Join(20000));
    job.LoseServer(0);
    Error e(Status::kOk, "");
    NDArray got = Array::Filled({300}, DType::kFloat32, 0);
    bool back = false;
    for (int i = 0; i < 1000 && e.status() == Status::kOk; ++i) {
      try {
        if (back) w->Recover(), back = false;
        w->Pull({"a"}, {got}, 0);
        WaitToRead(*got);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      } catch (const Error& failed) {
        back = failed.status() == Status::kRolledBack;
        if (!back) e = failed;
      }
    }
    EXPECT_EQ(e.status(), Status::kFile) << e.message();
    EXPECT_TRUE(Has(e, part.c_str()) && Has(e, "server") && Has(e, d.says)) << e.message();
  }
}

TEST(Checkpoint, AJobThatIsStartedAgainBeginsFromIt) {
  Place place;
  SetOption("FLEXOR_PS_RESUME", "1");
  for (const char* kind : {"dist_sync", "dist_async"}) {
    SCOPED_TRACE(kind);
    fs::remove(place.folder + "/job.last");
    {
      CutJob job(2, 2, kind);  // there is nothing yet to begin from
      EXPECT_EQ(Number(job.workers[0], "returns"), 0);
      for (auto& s : job.workers) InitAll(*s, 0), s->SetOptimizer(*Optimizer::New("SGD", {{"learning_rate", "1"}, {"momentum", "0.5"}}));
      job.Barrier();
      for (auto& s : job.workers) PushAll(*s, 0.5f);
      job.Barrier();
      job.Cut();
      PushAll(*job.workers[1], 5);
    }  // and is gone
    for (int servers : {1, 2}) {  // what two have written one can hold
      CutJob job(2, servers, kind, "second");
      auto &a = job.workers[0], &b = job.workers[1];
      EXPECT_EQ(Number(a, "returns"), servers);
      EXPECT_EQ(Number(b, "checkpoint"), servers);
      EXPECT_EQ(a->Recover(), -1) << "nobody here has anything to go back from";
      for (auto& s : job.workers) InitAll(*s, 100);
      const Values before = PullAll(*a);
      if (a->synchronous()) {
        EXPECT_EQ(before, Values(4, servers == 1 ? -1 : -2.5f));
      }
      for (auto& s : job.workers) PushAll(*s, 0.5f);
      job.Barrier();
      if (a->synchronous()) {
        EXPECT_EQ(PullAll(*b), Values(4, servers == 1 ? -2.5f : -4.25f)) << "with the optimizer and its states";
      } else {
        EXPECT_LT(PullAll(*b)[0], before[0]);
      }
      job.Cut();
      EXPECT_EQ(Number(a, "checkpoint"), servers + 1);
      job.Finish();
    }
  }
  Error e = ErrorOf([] { CutJob job(1, 1); });
  EXPECT_EQ(e.status(), Status::kFile) << e.message();
  EXPECT_TRUE(Has(e, (place.folder + "/job.last").c_str()) && Has(e, "dist_async") && Has(e, "dist_sync")) << e.message();
  for (const char* text : {"", "hello, I am no note of a checkpoint"}) {
    std::ofstream(place.folder + "/job.last", std::ios::trunc) << text;
    e = ErrorOf([] { CutJob job(1, 1); });
    EXPECT_EQ(e.status(), Status::kFile) << e.message();
    EXPECT_TRUE(Has(e, (place.folder + "/job.last").c_str()) && Has(e, "bytes")) << e.message();
  }
  SetOption("FLEXOR_PS_CHECKPOINT", "");
  e = ErrorOf([] { CutJob job(1, 1); });
  EXPECT_TRUE(Has(e, "FLEXOR_PS_CHECKPOINT")) << e.message();
}

TEST(Checkpoint, AFitThatGoesBackGivesTheBitsOfOneThatDidNot) {
  Disturbed calm = FitOfTwo("dist_sync", 0, {});
  EXPECT_EQ(calm.returns, 0);
  for (int at : {3, 6}) {
    Disturbed d = FitOfTwo("dist_sync", at, {});
    EXPECT_EQ(d.returns, 1) << at;
    for (int r = 0; r < 2; ++r) EXPECT_EQ(d.bits[r], calm.bits[r]) << at << " " << r;
  }
}
TEST(Checkpoint, AnAsynchronousFitGoesOn) {
  Disturbed d = FitOfTwo("dist_async", 6, {});
  EXPECT_EQ(d.returns, 1);
  EXPECT_FALSE(d.bits[0].empty() || d.bits[1].empty());
}

TEST(Checkpoint, OptionsOfAFitThatDoNotFit) {
  auto status = [](Ref<Store> store, const Settings& more) { return ErrorOf([&] { FitBits(std::move(store), 0, 1, more); }); };
  Error e = status(nullptr, {{"store_checkpoint", "2"}});
  EXPECT_EQ(e.status(), Status::kArgument);
  EXPECT_TRUE(Has(e, "store_checkpoint")) << e.message();
  EXPECT_EQ(status(Store::New("local", {}), {{"store_checkpoint", "2"}}).status(), Status::kArgument);
  Job job(1, 1);
  EXPECT_EQ(status(job.workers[0], {{"store_checkpoint", "2"}, {"update_on_store", "False"}}).status(), Status::kArgument);
  job.Finish();
}

}  // namespace
}  // namespace flx
