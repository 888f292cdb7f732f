// SPDX-License-Identifier: Apache-2.0
// A job that writes checkpoints, and a fit in one that loses a server, and with it the only copy of its keys.
#pragma once
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "job.h"

namespace flx::kvstore_tests {

// Options of a job that writes checkpoints into a folder of its own, for as long as this is there.
struct Place {
  std::string folder;
  explicit Place(const char* policy = "rollback") {
    std::string name = (std::filesystem::temp_directory_path() / "flexor-cut-XXXXXX").string();
    folder = mkdtemp(name.data());
    SetOption("FLEXOR_PS_CHECKPOINT", folder + "/job");
    SetOption("FLEXOR_PS_POLICY", policy);
    SetOption("FLEXOR_PS_PATIENCE", "0.5");
  }
  ~Place() {
    for (auto* o : {"FLEXOR_PS_CHECKPOINT", "FLEXOR_PS_POLICY", "FLEXOR_PS_PATIENCE", "FLEXOR_PS_RESUME"}) SetOption(o, "");
    Remove();
    while (auto p = Engine::Get().NextUnseen()) {}  // pushes that were given up
  }
  void Remove() const {  // servers may still remove old parts, or write new ones
    std::error_code error;
    for (int i = 0; i < 100 && std::filesystem::exists(folder, error); ++i) {
      if (i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      std::filesystem::remove_all(folder, error);
    }
  }
  std::vector<std::string> Parts() const {
    std::vector<std::string> names;
    for (auto& e : std::filesystem::directory_iterator(folder)) names.push_back(e.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
};
struct CutJob : Job {
  explicit CutJob(int nworkers, int nservers, const char* kind = "dist_sync", const char* name = "first") : Job(nworkers, nservers, {{"job", name}}, kind, {}, "2") {}
  void Cut(size_t worker = 0) {
    for (int i = 0; i < 3000 && !workers[worker]->Checkpoint(20); ++i) {}
  }
  void LoseServer(size_t i) { servers.erase(servers.begin() + std::ptrdiff_t(i)); }
  // The job has gone back, as this worker knows.
  bool Back(size_t worker, int64_t returns = 1) {
    for (int i = 0; i < 3000 && workers[worker]->Progress().returns < returns; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return workers[worker]->Progress().returns == returns;
  }
};

// Two workers; when the first is at a certain batch, a server is lost. The weights of both, and whether the job went back.
struct Disturbed { std::string bits[2]; int64_t returns = 0; };
inline Disturbed FitOfTwo(const char* kind, int lost_at, const Settings& more) {
  Place place;
  CutJob job(2, 2, kind);
  Disturbed d;
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::atomic<int> batches{0};
  Settings options = {{"report_every", "1"}, {"store_checkpoint", "2"}, {"epochs", "4"}};
  options.insert(options.end(), more.begin(), more.end());
  for (int r = 0; r < 2; ++r)
    threads.emplace_back([&, r] {
      d.bits[r] = FitBits(job.workers[size_t(r)], r, 2, options, true, [&, r](Task&, Event e) {
        if (r != 0 || e != Event::kBatch || ++batches != lost_at) return;
        for (int i = 0; i < 6000 && job.workers[0]->Progress().checkpoint == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        job.LoseServer(0);
      });
    });
  for (auto& t : threads) t.join();
  d.returns = job.workers[0]->Progress().returns;
  for (auto& s : job.servers) EXPECT_TRUE(s->Serve(20000));
  EXPECT_TRUE(job.scheduler->Serve(20000));
  return d;
}

}  // namespace flx::kvstore_tests
