// SPDX-License-Identifier: Apache-2.0
// The parameter server alone: a scheduler, a server and two workers in one process, by include/ps and libflexor_ps.
#include <ps/node.h>
#include <ps/worker.h>

#include <cstdio>
#include <cstring>
#include <thread>

class Sum : public ps::Reducer {
  ps::Buffer Reduce(const ps::Slice& slice, const std::vector<ps::Contribution>& in, ps::Aggregate) override {
    std::string sum(slice.size, '\0');
    for (const ps::Contribution& c : in)
      for (size_t i = 0; i < slice.size; ++i) sum[i] = char(sum[i] + c.bytes.data()[i]);
    return ps::Buffer::Own(sum);
  }
  ps::Stored Apply(const ps::Slice&, const ps::Stored& stored, const ps::Buffer&) override { return stored; }
  void Configure(const std::string&, const std::string&) override {}
};

int main() {
  try {
    auto pool = ps::MakePool(1);
    ps::Settings s;
    s.workers = 2;
    s.role = ps::Role::kScheduler;
    auto scheduler = ps::Node::Start(s, nullptr, pool);
    std::string at = scheduler->Address();
    s.root_port = std::stoi(at.substr(at.rfind(':') + 1));
    s.role = ps::Role::kServer;
    auto server = ps::Node::Start(s, std::make_shared<Sum>(), pool);
    s.role = ps::Role::kWorker;
    bool good[2] = {false, false};
    auto work = [&](int i) {
      auto node = ps::Node::Start(s, nullptr, pool);
      if (!node->WaitReady(20000).ok()) return;
      ps::Worker worker(*node);
      ps::KeyInfo key;
      key.name = "sum";
      key.bytes = 4;
      ps::Reply reply;
      ps::Buffer mine = ps::Buffer::Own(std::string(4, char(i + 1)));
      good[i] = worker.Wait([&](ps::Done d) { worker.Init(key, mine, d); }).ok() && worker.Wait([&](ps::Done d) { worker.PushPull("sum", mine, 1, 0, d); }, &reply).ok() &&
                reply.pieces.size() == 1 && reply.pieces[0].bytes.text() == std::string(4, 3) && worker.Wait([&](ps::Done d) { worker.Finish(d); }).ok();
    };
    std::thread second(work, 1);
    work(0);
    second.join();
    bool ended = server->WaitEnd(10000).ok() && scheduler->WaitEnd(10000).ok();
    std::printf("1 + 2 = %s\n", good[0] && good[1] && ended ? "3" : "?");
    return good[0] && good[1] && ended ? 0 : 1;
  } catch (const ps::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
