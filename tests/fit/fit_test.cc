// SPDX-License-Identifier: Apache-2.0
// The tasks: what they report, that they are repeatable to the last bit, and that they can be stopped and resumed.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "../base/failing.h"
#include "exec/autograd.h"
#include "fit/fit_task.h"
#include "helpers.h"

namespace flx {
namespace {

using namespace fit_tests;

struct Job {
  Data data = Spirals(300, 1), held_out = Spirals(99, 2);
  Ref<Model> model = Make<Model>(Mlp());
  Ref<Optimizer> optimizer = Optimizer::New("Adam", {{"learning_rate", "0.02"}});
  Ref<Iter> train = IterOf(data, {{"batch_size", "32"}, {"shuffle", "True"}, {"seed", "3"}});
  Ref<Iter> valid = IterOf(held_out, {{"batch_size", "20"}});
  Ref<Task> Start(Settings options, bool with_valid = true) {
    bool seeded = false;
    for (auto& o : options) seeded |= o.first == "seed";
    if (!seeded) options.emplace_back("seed", "1");
    return StartFit(model, CrossEntropy(), optimizer, train, with_valid ? valid : Ref<Iter>(), options);
  }
};

TEST(Fit, LearnsAndReports) {
  Job s;
  s.optimizer->SetSchedule(Schedule::New("Cosine"));
  auto task = s.Start({{"epochs", "30"}, {"metrics", "accuracy, CrossEntropy(from_logits=True)"}});
  EXPECT_TRUE(std::isnan(task->Number("loss")));
  auto events = Drive(*task);
  EXPECT_EQ(events.size(), 31u);
  EXPECT_EQ(task->columns(), (std::vector<std::string>{"epoch", "loss", "accuracy", "cross-entropy", "valid.loss", "valid.accuracy", "valid.cross-entropy", "seconds"}));
  NDArray history = task->History();
  EXPECT_EQ(history->shape, Shape({30, 8}));
  auto h = Read(history);
  EXPECT_EQ(h[0], 1);
  EXPECT_GT(h[1], 0.45);                    // the first epoch's loss
  EXPECT_LT(h[29 * 8 + 4], 0.3) << "validation loss";
  EXPECT_GT(h[29 * 8 + 5], 0.9) << "validation accuracy";
  EXPECT_NEAR(h[29 * 8 + 4], h[29 * 8 + 6], 1e-5) << "the loss is the cross-entropy";
  EXPECT_EQ(task->Number("epoch"), 30);
  EXPECT_EQ(task->Number("valid.accuracy"), h[29 * 8 + 5]);
  EXPECT_EQ(s.optimizer->Get("step"), 300);
  EXPECT_EQ(s.optimizer->Get("rate"), 0);   // the schedule ended with the fit
  std::string line = task->Text("progress");
  EXPECT_EQ(line.substr(0, 19), "epoch 30/30  loss 0") << line;
  EXPECT_NE(line.find("  accuracy 0.9"), std::string::npos) << line;
  EXPECT_NE(line.find("  valid.accuracy 0.9"), std::string::npos) << line;
  EXPECT_EQ(line.substr(line.size() - 2), " s") << line;
  EXPECT_EQ(task->Next(-1), Event::kDone);
  EXPECT_EQ(StatusOf([&] { task->Number("valid.acuracy"); }), Status::kName);
  EXPECT_EQ(StatusOf([&] { task->Text("progres"); }), Status::kName);
  // no gradient stays attached to the model
  for (auto& p : s.model->params()->all()) EXPECT_FALSE(GradOf(*p.array)) << p.name;
}

TEST(Fit, SameSeedSameBits) {
  std::string first, second, polled, other;
  for (std::string* bits : {&first, &second, &polled, &other}) {
    Job s;
    SeedRandom(bits == &second ? 99 : 5);  // the process's own stream is not the fit's
    if (bits == &second) s.train->Next(), s.train->Reset();  // nor does it matter what was read before
    auto task = s.Start({{"epochs", "3"}, {"seed", bits == &other ? "2" : "1"}});
    Drive(*task, bits == &polled ? 0 : -1);
    *bits = Bits(*s.model->params());
  }
  EXPECT_EQ(first, second);
  EXPECT_EQ(first, polled);
  EXPECT_NE(first, other);
}

// Prints its parameters' hash; run by the next test in processes with other numbers of threads and engine modes.
TEST(Fit, DISABLED_PrintHash) {
  Job s;
  Drive(*s.Start({{"epochs", "2"}, {"metrics", "accuracy"}, {"clip_gradient", "0.5"}}));
  uint64_t h = 1469598103934665603ull;
  for (char c : Bits(*s.model->params())) h = (h ^ uint8_t(c)) * 1099511628211ull;
  std::printf("HASH %s\n", Text(h).c_str());
}
TEST(Fit, SameBitsOnAnyThreadsAndEngineMode) {
  std::string self = std::filesystem::read_symlink("/proc/self/exe");
  auto run = [&](const std::string& environment) {
    std::string command = environment + " '" + self + "' --gtest_also_run_disabled_tests --gtest_filter=Fit.DISABLED_PrintHash", out;
    FILE* p = popen(command.c_str(), "r");
    char line[256];
    while (std::fgets(line, sizeof line, p))
      if (std::strncmp(line, "HASH ", 5) == 0) out = line;
    EXPECT_EQ(pclose(p), 0) << command;
    return out;
  };
  std::string one = run("FLEXOR_NUM_THREADS=1");
  EXPECT_NE(one, "");
  EXPECT_EQ(one, run("FLEXOR_NUM_THREADS=2"));
  EXPECT_EQ(one, run("FLEXOR_NUM_THREADS=3 FLEXOR_ENGINE=threaded"));
  EXPECT_EQ(one, run("FLEXOR_ENGINE=naive"));
}

TEST(Fit, ResumedIsUninterrupted) {
  Job whole;
  whole.optimizer->SetSchedule(Schedule::New("Factor", {{"step", "7"}, {"factor", "0.9"}}));
  Drive(*whole.Start({{"epochs", "4"}, {"metrics", "accuracy"}}));
  std::string path = TempPath("resumed.flx");
  for (int epochs : {2, 4}) {
    Job s;
    s.optimizer->SetSchedule(Schedule::New("Factor", {{"step", "7"}, {"factor", "0.9"}}));
    auto task = s.Start({{"epochs", Text(epochs)}, {"metrics", "accuracy"}, {"checkpoint", path}, {"resume", "True"}});
    EXPECT_EQ(Drive(*task).size(), 3u) << "two epochs and the end";
    EXPECT_EQ(task->History()->shape, Shape({epochs, 6}));
    EXPECT_EQ(Bits(*Model::Load(path)->params()), Bits(*s.model->params()));
    if (epochs == 4) {
      EXPECT_EQ(Bits(*s.model->params()), Bits(*whole.model->params()));
    }
  }
  // a fit that is over stays over
  Job s;
  auto task = s.Start({{"epochs", "4"}, {"metrics", "accuracy"}, {"checkpoint", path}, {"resume", "True"}});
  EXPECT_EQ(Drive(*task).size(), 1u);
  // what does not belong together is refused
  Job other;
  EXPECT_EQ(StatusOf([&] { Drive(*other.Start({{"epochs", "4"}, {"checkpoint", path}, {"resume", "True"}})); }), Status::kFormat);
  std::ofstream(path + ".state", std::ios::binary) << "not a checkpoint";
  EXPECT_EQ(StatusOf([&] { Drive(*other.Start({{"epochs", "4"}, {"metrics", "accuracy"}, {"checkpoint", path}, {"resume", "True"}})); }), Status::kFormat);
}

TEST(Fit, ReportsBatches) {
  Job s;
  auto task = s.Start({{"epochs", "2"}, {"report_every", "4"}}, false);
  std::vector<Event> want = {Event::kBatch, Event::kBatch, Event::kEpoch, Event::kBatch, Event::kBatch, Event::kEpoch, Event::kDone};
  EXPECT_EQ(task->Next(-1), Event::kBatch);
  EXPECT_EQ(task->Number("batch"), 4);
  EXPECT_EQ(task->Number("batches"), 10);
  EXPECT_GT(task->Number("loss"), 0);
  EXPECT_EQ(task->Text("progress").substr(0, 28), "epoch 1/2  batch 4/10  loss ") << task->Text("progress");
  auto seen = Drive(*task);
  seen.insert(seen.begin(), Event::kBatch);
  EXPECT_EQ(seen, want);
  EXPECT_EQ(task->columns(), (std::vector<std::string>{"epoch", "loss", "seconds"}));
}

TEST(Fit, StopsAfterTheBatch) {
  Job s;
  auto task = s.Start({{"epochs", "1000000"}, {"report_every", "1"}}, false);
  EXPECT_EQ(task->Next(-1), Event::kBatch);
  std::thread other([&] { task->Stop(); });
  other.join();
  EXPECT_EQ(task->Next(-1), Event::kDone);
  EXPECT_EQ(s.optimizer->Get("step"), 1);
  EXPECT_EQ(s.model->Run(kPlain, {XOf(s.held_out)})[0]->shape, Shape({99, 3}));
}

TEST(Fit, NextKeepsItsTime) {
  Job s;
  auto task = s.Start({{"epochs", "100000"}}, false);
  auto begin = std::chrono::steady_clock::now();
  Event e = task->Next(50);
  while (e == Event::kEpoch && std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(40)) e = task->Next(50);
  double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_LT(ms, 20000);
  task->Stop();
  EXPECT_EQ(task->Next(-1), Event::kDone);
}

TEST(Fit, Patience) {
  Job s;
  s.optimizer->Set("learning_rate", "0");  // nothing gets better; dropout is off in validation, the running means still move
  s.model = Make<Model>(Mlp(false));
  auto task = s.Start({{"epochs", "50"}, {"patience", "3"}});
  EXPECT_EQ(Drive(*task).size(), 5u);
}

TEST(Fit, ClipsTheGradientsNorm) {
  // One SGD step of rate 1: the change of all parameters together has the norm given.
  for (double limit : {1e-3, 1e6}) {
    Job s;
    s.model = Make<Model>(Mlp(false), InitParams(*Mlp(false), {{-1, 2}}, DType::kFloat32, nullptr, 1));
    s.optimizer = Optimizer::New("SGD", {{"learning_rate", "1"}});
    auto before = InitParams(*Mlp(false), {{-1, 2}}, DType::kFloat32, nullptr, 1);
    auto task = s.Start({{"clip_gradient", Text(limit)}, {"report_every", "1"}}, false);
    task->Next(-1);
    task->Stop();
    Drive(*task);
    double sum = 0;
    for (auto& p : s.model->params()->all()) {
      auto a = Read(p.array), b = Read(before->Get(p.name));
      for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    if (limit < 1) EXPECT_NEAR(std::sqrt(sum), limit, 1e-6);
    else EXPECT_GT(std::sqrt(sum), 0.05);
  }
}

TEST(Fit, WrongUseIsAnError) {
  Job s;
  EXPECT_EQ(StatusOf([&] { s.Start({{"epoch", "3"}}); }), Status::kName);
  EXPECT_EQ(StatusOf([&] { s.Start({{"epochs", "0"}}); }), Status::kArgument);
  EXPECT_EQ(StatusOf([&] { s.Start({{"metrics", "acuracy"}}); }), Status::kName);
  EXPECT_EQ(StatusOf([&] { s.Start({{"metrics", "accuracy, accuracy"}}); }), Status::kArgument);
  EXPECT_EQ(StatusOf([&] { s.Start({{"resume", "True"}}); }), Status::kArgument);
  EXPECT_EQ(StatusOf([&] { StartFit(s.model, Mlp(), s.optimizer, s.train, s.valid, {}); }), Status::kArgument);
  EXPECT_EQ(StatusOf([&] { StartFit(s.model, CrossEntropy(), s.optimizer, s.train, s.train, {}); }), Status::kArgument);
  EXPECT_EQ(StatusOf([&] { StartFit(nullptr, CrossEntropy(), s.optimizer, s.train, s.valid, {}); }), Status::kArgument);
  // errors of the work come from Next, again and again, and leave the model without gradients
  s.train = CreateIter("ArrayIter", {}, {Invoke1("Cast", {XOf(s.data)}, {{"dtype", "int32"}}), YOf(s.data)}, {"data", "label"});
  auto task = s.Start({});
  EXPECT_EQ(StatusOf([&] { task->Next(-1); }), Status::kType) << "integer data";
  EXPECT_EQ(StatusOf([&] { task->Next(-1); }), Status::kType);
  s.train = CreateIter("ArrayIter", {}, {XOf(s.data)}, {"data"});
  auto without = s.Start({});
  EXPECT_EQ(StatusOf([&] { without->Next(-1); }), Status::kArgument) << "no label";
  for (auto& p : s.model->params()->all()) EXPECT_FALSE(GradOf(*p.array)) << p.name;
}

TEST(Fit, OptionsAreDocumented) {
  for (auto& f : FitOptionsEntry().schema.fields()) EXPECT_EQ(std::string(f.doc).back(), '.') << f.name;
  std::ifstream in(FLEXOR_TEST_DATA "/../docs/fit.md");
  std::string text(std::istreambuf_iterator<char>(in), {});
  for (auto& f : FitOptionsEntry().schema.fields()) EXPECT_NE(text.find(Text("`", f.name, "`")), std::string::npos) << f.name;
}

TEST(Evaluate, CountsEachRowOnce) {
  Job s;
  Drive(*s.Start({{"epochs", "20"}}));
  // the reference: all rows at once
  auto scores = Read(s.model->Run(kPlain, {XOf(s.held_out)})[0]);
  int right = 0;
  for (int64_t i = 0; i < 99; ++i) {
    const double* p = &scores[size_t(3 * i)];
    right += (p[0] >= p[1] && p[0] >= p[2] ? 0 : p[1] >= p[2] ? 1 : 2) == s.held_out.y[size_t(i)];
  }
  for (const char* last : {"keep", "pad"}) {
    auto task = StartEvaluate(s.model, IterOf(s.held_out, {{"batch_size", "20"}, {"last", last}}), {"accuracy", "TopKAccuracy(top_k=3)"});
    EXPECT_EQ(Drive(*task), std::vector<Event>{Event::kDone});
    EXPECT_DOUBLE_EQ(task->Number("accuracy"), right / 99.0) << last;
    EXPECT_EQ(task->Number("top_k_accuracy_3"), 1);
    EXPECT_EQ(task->Number("samples"), 99);
    EXPECT_EQ(task->columns(), (std::vector<std::string>{"accuracy", "top_k_accuracy_3"}));
    EXPECT_EQ(Read(task->History()), (std::vector<double>{right / 99.0, 1}));
    auto predict = StartPredict(s.model, IterOf(s.held_out, {{"batch_size", "20"}, {"last", last}}));
    Drive(*predict, 0);
    ASSERT_EQ(predict->arrays().size(), 1u);
    EXPECT_EQ(predict->arrays()[0]->shape, Shape({99, 3}));
    auto got = Read(predict->arrays()[0]);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], scores[i], 1e-5) << last << i;
    EXPECT_EQ(StatusOf([&] { predict->History(); }), Status::kState);
    EXPECT_EQ(StatusOf([&] { predict->Reply({}); }), Status::kState);
  }
  EXPECT_EQ(StatusOf([&] { StartEvaluate(s.model, s.valid, {}); }), Status::kArgument);
  EXPECT_EQ(StatusOf([&] { Drive(*StartPredict(Make<Model>(Mlp()), IterOf(s.held_out, {}))); }), Status::kState) << "no parameters yet";
}

}  // namespace
}  // namespace flx
