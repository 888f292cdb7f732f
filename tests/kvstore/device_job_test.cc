// SPDX-License-Identifier: Apache-2.0
// A job's stores and fits with arrays on devices: they are summed there, sent from the host, and what comes goes to all of them.
#include <array>

#include "cut_job.h"
#include "device_fit.h"

namespace flx {
namespace {

using namespace kvstore_tests;

struct DeviceJob : OnDevices {
  NDArray On(int i, const Values& v) const { return CopyOf(Of(v), i == 2 || (i == 1 && second.empty()) ? nullptr : i == 1 ? SecondDeviceUnderTest() : DeviceUnderTest()); }
};

TEST_F(DeviceJob, ArraysComeFromDevicesAndGoToThem) {
  for (const char* deterministic : {"0", "1"}) {
    SCOPED_TRACE(deterministic);
    SetOption("FLEXOR_DETERMINISTIC", deterministic);
    Job job(2, 1);
    for (int r : {0, 1}) job.workers[size_t(r)]->Init({"w"}, {On(r, {7, 7})});
    NDArray a = On(0, {0, 0}), b = On(1, {0, 0}), c = On(2, {0, 0}), whole = On(0, {9, 9, 9, 9}), column = Array::NewView(whole, {2}, {2}, 4);
    job.workers[0]->Pull({"w", "w", "w", "w"}, {a, b, c, column}, 0);
    for (auto& x : {a, b, c}) EXPECT_EQ(Floats(x), (Values{7, 7}));
    EXPECT_EQ(Floats(whole), (Values{9, 7, 9, 7}));
    // of one worker from both devices, of the other from a device and the host; then in place, and from a view
    job.workers[0]->Push({"w", "w"}, {On(0, {1, 2}), On(1, {10, 20})}, {});
    job.workers[1]->PushPull({"w", "w"}, {On(1, {100, 200}), Of({1000, 2000})}, {b, b}, {});
    EXPECT_EQ(Floats(b), (Values{1111, 2222}));
    job.workers[0]->Pull({"w"}, {a}, 0);
    EXPECT_EQ(Floats(a), (Values{1111, 2222}));
    job.workers[0]->PushPull({"w"}, {column}, {column}, {});
    job.workers[1]->PushPull({"w", "w"}, {a, b}, {a, b}, {});
    EXPECT_EQ(Floats(whole), (Values{9, 2229, 9, 4451}));
    for (auto& x : {a, b}) EXPECT_EQ(Floats(x), (Values{2229, 4451}));
    job.Finish();
  }
  SetOption("FLEXOR_DETERMINISTIC", "");
}

TEST_F(DeviceJob, AFitOfOneWorkerIsThatWithoutAStore) {
  for (const std::string& where : {one, both}) {
    if (where.empty()) continue;
    SCOPED_TRACE(where);
    const auto alone = FitParams(nullptr, 0, 1, {{"device", where}});
    for (const char* on_store : {"False", "True"}) {
      Job job(1, 2);
      const auto there = FitParams(job.workers[0], 0, 1, {{"device", where}, {"update_on_store", on_store}});
      EXPECT_EQ(there->device(), DeviceUnderTest());
      NearParams(*there, *alone, 1e-3);
      const bool same = on_store == std::string("False") && !GpuModule();
      EXPECT_TRUE(!same || fit_tests::Bits(*there) == fit_tests::Bits(*alone));
      job.Finish();
    }
  }
}
// Each on a device of its own, or each on both: the weights of a job without devices, the same to the last bit at both workers.
TEST_F(DeviceJob, WorkersOfAFitHaveTheSameBits) {
  auto fit = [](const std::string (&where)[2], const char* kind, const Settings& more) {
    Job job(2, 1, {}, kind);
    std::array<Ref<Params>, 2> all;
    std::vector<std::thread> threads;
    for (int r = 0; r < 2; ++r)
      threads.emplace_back([&, r] {
        Settings options = {{"seed", Text(r)}, {"device", where[r]}};
        options.insert(options.end(), more.begin(), more.end());
        all[size_t(r)] = FitParams(job.workers[size_t(r)], r, 2, options);
      });
    for (auto& t : threads) t.join();
    job.Finish();
    return all;
  };
  const auto host = fit({"cpu", "cpu"}, "dist_sync", {});
  const std::string other = second.empty() ? one : second;
  for (const char* on_store : {"True", "False"}) {
    SCOPED_TRACE(on_store);
    const auto own = fit({one, other}, "dist_sync", {{"update_on_store", on_store}});
    const bool theirs = on_store == std::string("False");  // each worker's own Adam, on its own device
    EXPECT_TRUE(theirs || fit_tests::Bits(*own[0]) == fit_tests::Bits(*own[1]));
    for (auto& p : own) NearParams(*p, *host[0], 1e-3);
    if (both.empty()) continue;
    const auto shared = fit({both, second + ", " + one}, "dist_sync", {{"update_on_store", on_store}});
    EXPECT_TRUE(theirs || fit_tests::Bits(*shared[0]) == fit_tests::Bits(*shared[1]));
    for (auto& p : shared) NearParams(*p, *host[0], 1e-3);
  }
  const auto eager = fit({one, other}, "dist_async", {{"epochs", "1"}});  // whose weights depend on who comes first
  for (auto& p : eager) EXPECT_EQ(p->count(), host[0]->count());
}
// A server is lost, and the job goes back: as if nothing had happened, on two devices too.
TEST_F(DeviceJob, AFitThatGoesBackGivesTheBitsOfOneThatDidNot) {
  if (GpuModule()) GTEST_SKIP() << "bits are compared, which a GPU's sums need not have";
  Disturbed calm = FitOfTwo("dist_sync", 0, {{"device", both}});
  EXPECT_EQ(calm.returns, 0);
  Disturbed d = FitOfTwo("dist_sync", 3, {{"device", both}});
  EXPECT_EQ(d.returns, 1);
  for (int r = 0; r < 2; ++r) EXPECT_EQ(d.bits[r], calm.bits[r]) << r;
}

}  // namespace
}  // namespace flx
