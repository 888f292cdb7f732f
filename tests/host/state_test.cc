// SPDX-License-Identifier: Apache-2.0
// The host's own things are as they were after loading the library, a fit, an error, flx_shutdown and unloading.
#include "state.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cfenv>
#include <cstring>
#include <thread>

#include "library.h"

namespace {

TEST(Host, IsAsItWas) {
  Folder folder;
  Alone([&] {
    SetUpHost(folder.path);
    State before = Look();
    size_t host_threads = ThreadNames().size();  // OpenBLAS's
    Library flx;
    ExpectSame(before, Look(), "loading");
    EXPECT_EQ(flx.flx_abi_version(), FLX_ABI_VERSION);
    EXPECT_EQ(ThreadNames().size(), host_threads) << "loading starts no thread";
    std::atomic<bool> stop{false}, right{true};
    std::thread blas([&] {  // the host's own products go on beside ours
      std::fesetenv(FE_DFL_ENV);
      while (!stop) right = right && HostProductsAreRight();
    });
    std::string fitted = flx.Fit(3);
    stop = true;
    blas.join();
    EXPECT_TRUE(right);
    ExpectSame(before, Look(), "a fit");
    flx_ndarray a = flx.Full({2}, 1), b = flx.Full({3}, 1), pair[2] = {a, b}, out = nullptr;
    int32_t n = 0;
    EXPECT_EQ(flx.flx_invoke("broadcast_add", 0, pair, 2, nullptr, nullptr, 0, &out, 1, &n), FLX_ERROR_SHAPE);
    ExpectSame(before, Look(), "an error");
    flx.flx_free(a);
    flx.flx_free(b);
    flx.Stop();
    ExpectSame(before, Look(), "flx_shutdown");
    EXPECT_EQ(ThreadNames().size(), host_threads);
    flx.Close();
    ExpectSame(before, Look(), "unloading");
    EXPECT_TRUE(HostProductsAreRight());
    Library again;
    EXPECT_EQ(again.Fit(3), fitted) << "after loading it again";
    again.Stop();
    ExpectSame(before, Look(), "a second life");
  });
}

TEST(Host, MayUnloadItAtWork) {
  Alone([] {
    std::string fitted;
    for (int i = 0; i < 5; ++i) {
      Library flx;
      std::string now = flx.Fit();
      if (i == 0) fitted = now;
      EXPECT_EQ(now, fitted);
      flx.Full({1 << 20}, 1);  // its threads may still be filling it
      flx.Close();
    }
    std::thread([] { Library flx; flx.Fit(); flx.Close(); }).join();  // with values of the thread's own to destroy, after the unloading
  });
}

TEST(Host, TheModeOfFloatsChangesNoResult) {
  Alone([] {
    Library flx;
    std::string plain = flx.Fit();
    // A smallest normal number halved is a subnormal one; a third is rounded to nearest; 0 / 0 traps nobody.
    auto numbers = [&] {
      flx_ndarray tiny = flx.Full({3}, 1.17549435e-38), third = flx.Full({3}, 1), zero = flx.Full({3}, 0);
      std::vector<float> all;
      for (flx_ndarray y : {flx.Invoke("_mul_scalar", {tiny}, {{"scalar", "0.5"}}), flx.Invoke("_div_scalar", {third}, {{"scalar", "3"}}),
                            flx.Invoke("broadcast_div", {zero, zero})})
        for (float v : flx.Read(y, 3)) all.push_back(v);
      return all;
    };
    std::vector<float> expected = numbers();
    EXPECT_GT(expected[0], 0);
    EXPECT_EQ(expected[3], 1.0f / 3);
    flx.Stop();  // the threads of the next fit are started by a thread in another mode
    fesetround(FE_UPWARD);
    feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#endif
    EXPECT_EQ(flx.Fit(), plain);
    std::vector<float> got = numbers();
    EXPECT_EQ(fegetround(), FE_UPWARD);
    EXPECT_EQ(fegetexcept(), FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
    fesetenv(FE_DFL_ENV);
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0);
  });
}

TEST(Host, ACommaForAPointChangesNoNumber) {
  Folder folder;
  std::string source = folder / "source";
  FILE* f = std::fopen(source.c_str(), "w");
  std::fputs("LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3\nEND LC_NUMERIC\n", f);
  std::fclose(f);
  // It complains of the categories that are not there, and makes this one.
  std::string make = "localedef -c --no-archive -i " + source + " " + folder.path + "/comma > " + folder.path + "/log 2>&1";
  if (std::system(make.c_str())) {}
  if (access((folder / "comma/LC_NUMERIC").c_str(), R_OK) != 0) GTEST_SKIP() << "localedef made no locale: " << FileText(folder / "log");
  Alone([&] {
    setenv("LOCPATH", folder.path.c_str(), 1);
    Library flx;
    auto numbers = [&](bool in_thread_only) {
      if (in_thread_only) uselocale(newlocale(LC_NUMERIC_MASK, "comma", nullptr));
      std::string all = flx.Fit();
      flx_layer layer = flx.Layer("Dropout", {{"rate", "0.25"}});
      char* text = nullptr;
      flx.Ok(flx.flx_layer_to_json(layer, &text), "flx_layer_to_json");
      all += text;
      flx.flx_text_free(text);
      all += std::to_string(int(flx.Read(flx.Invoke("_plus_scalar", {flx.Full({1}, 1)}, {{"scalar", "0.125"}}), 1)[0] * 1000));
      const char *key = "learning_rate", *value = "2.5e-3";
      flx_optimizer sgd = nullptr;
      flx.Ok(flx.flx_optimizer_create("SGD", &key, &value, 1, &sgd), "flx_optimizer_create");
      double rate = 0;
      flx.Ok(flx.flx_optimizer_get(sgd, "learning_rate", &rate), "flx_optimizer_get");
      all += std::to_string(int(rate * 1e6));
      flx.Ok(flx.flx_config_set("FLEXOR_ENGINE_INLINE_US", "31.5"), "flx_config_set");
      flx.Ok(flx.flx_config_get("FLEXOR_ENGINE_INLINE_US", &text), "flx_config_get");
      all += text;
      flx.flx_text_free(text);
      flx_optimizer none = nullptr;
      value = "0,5";
      EXPECT_NE(flx.flx_optimizer_create("SGD", &key, &value, 1, &none), FLX_OK) << "a comma is no point";
      const char* rows = "0.5,1.25\n-1e-3,2\n";
      FILE* csv = std::fopen((folder / "rows.csv").c_str(), "w");
      std::fputs(rows, csv);
      std::fclose(csv);
      std::string path = folder / "rows.csv";
      const char *keys[] = {"data_csv", "data_shape", "batch_size"}, *values[] = {path.c_str(), "(2,)", "2"};
      flx_iter it = nullptr;
      flx.Ok(flx.flx_iter_create("CSVIter", keys, values, 3, &it), "flx_iter_create");
      int32_t event = 0, n = 0;
      flx.Ok(flx.flx_iter_next(it, -1, &event), "flx_iter_next");
      flx_ndarray batch[4];
      flx.Ok(flx.flx_iter_arrays(it, batch, 4, &n), "flx_iter_arrays");
      for (float v : flx.Read(batch[0], 4)) all += "|" + std::to_string(int(v * 1000));
      return all;
    };
    std::string expected = numbers(false);
    EXPECT_NE(expected.find("0.25"), std::string::npos);
    EXPECT_NE(expected.find("125250031.5|500|1250|-1|2000"), std::string::npos) << expected.substr(expected.size() - 60);
    ASSERT_TRUE(setlocale(LC_NUMERIC, "comma"));
    ASSERT_STREQ(localeconv()->decimal_point, ",");
    EXPECT_EQ(numbers(false), expected);
    EXPECT_STREQ(setlocale(LC_NUMERIC, nullptr), "comma");
    setlocale(LC_NUMERIC, "C");
    EXPECT_EQ(numbers(true), expected);
    EXPECT_STREQ(localeconv()->decimal_point, ",");
  });
}

TEST(Host, CallsKeepErrno) {
  Folder folder;
  Alone([&] {
    Library flx;
    flx_model model = nullptr;
    flx_ndarray a = flx.Full({4}, -3), y = nullptr;
    for (int round = 0; round < 2; ++round) {  // first calls do more
      errno = EXDEV;
      EXPECT_EQ(flx.flx_model_load((folder / "nothing").c_str(), nullptr, &model), FLX_ERROR_FILE);
      EXPECT_EQ(errno, EXDEV) << "an error";
      for (const char* op : {"gamma", "log", "exp", "arccosh"}) y = flx.Invoke(op, {a});
      EXPECT_EQ(errno, EXDEV) << "the C library's functions say EDOM and ERANGE";
      flx.Fit();
      EXPECT_EQ(errno, EXDEV) << "a fit";
      flx.flx_free(y);
      flx.Full({1 << 21}, 1);
      EXPECT_EQ(errno, EXDEV) << "memory";
      flx.Stop();
      EXPECT_EQ(errno, EXDEV) << "flx_shutdown";
    }
  });
}

std::atomic<int> g_signals{0};
std::atomic<pthread_t> g_where{};
TEST(Host, ItsSignalsReachItsOwnThreads) {
  Alone([] {
    Library flx;
    struct sigaction a {};
    a.sa_handler = [](int) { g_where = pthread_self(), ++g_signals; };
    sigaction(SIGINT, &a, nullptr);
    sigaction(SIGALRM, &a, nullptr);
    flx.Fit();
    std::vector<std::string> masks = ThreadField("SigBlk");
    ASSERT_FALSE(masks.empty());
    // All but the faults, which a crash handler must see, and the two that cannot be blocked and the two of the C library's own.
    unsigned long long open = 0;
    for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSTOP, 32, 33}) open |= 1ull << (s - 1);
    for (auto& m : masks) EXPECT_EQ(std::stoull(m, nullptr, 16) | open, ~0ull) << m;
    std::atomic<bool> stop{false};
    pthread_t own = pthread_self();
    std::thread sender([&] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      for (int i = 0; !stop; ++i) {
        kill(getpid(), i % 2 ? SIGINT : SIGALRM);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    for (int i = 0; i < 40 || g_signals < 20; ++i) {
      flx.Fit();
      EXPECT_TRUE(g_signals == 0 || pthread_equal(g_where, own));
    }
    stop = true;
    sender.join();
  });
}

// Nothing is printed but what the log is asked for, and that to stderr.
TEST(Host, NothingIsPrinted) {
  Folder folder;
  for (const char* level : {"info", "warning"})
    Alone([&] {
      int out = open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), err = open((folder / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      int old_out = dup(1), old_err = dup(2);
      dup2(out, 1), dup2(err, 2);
      Library flx;
      const char* key = "level";
      flx.flx_log_configure(&key, &level, 1);
      flx.Fit();
      flx_model none = nullptr;
      flx.flx_model_load("nothing", nullptr, &none);
      flx.Stop();
      dup2(old_out, 1), dup2(old_err, 2);
      EXPECT_EQ(FileText(folder / "out"), "");
      std::istringstream lines(FileText(folder / "err"));
      for (std::string line; std::getline(lines, line);)
        EXPECT_TRUE(level == std::string("info") && line.rfind("flexor: ", 0) == 0) << line;
    });
}

// A host without standard streams: our files do not take their numbers, so that nobody who prints writes into them.
TEST(Host, ClosedStreamsStayClosed) {
  Folder folder;
  Alone([&] {
    Library flx;
    flx_record record = nullptr;
    std::string path = folder / "a.rec", log = folder / "host.log";
    setenv("FLEXOR_NUM_THREADS", "many", 1);  // is warned of at the first work
    for (int fd = 0; fd <= 2; ++fd) close(fd);
    const char *key = "sink", *value = log.c_str();
    flx.flx_log_configure(&key, &value, 1);
    flx.Fit();
    flx.Ok(flx.flx_record_open(path.c_str(), "write", &record), "flx_record_open");
    bool closed = true;
    for (int fd = 0; fd <= 2; ++fd) closed = closed && fcntl(fd, F_GETFD) < 0 && write(fd, "into a file", 11) < 0;
    flx.flx_free(record);
    if (!closed || FileText(log).find("FLEXOR_NUM_THREADS=many") == std::string::npos) _exit(9);  // there is nowhere to say so
  });
}

TEST(Host, ThreadsEndAndBeginAgain) {
  Alone([] {
    Library flx;
    EXPECT_TRUE(ThreadNames().empty());
    for (int i = 0; i < 3; ++i) {
      flx.Fit();
      EXPECT_FALSE(ThreadNames().empty()) << "with one core there is still a worker";
      auto named = [] {
        for (auto& name : ThreadNames()) if (name.rfind("flx-", 0) != 0) return false;
        return true;
      };
      while (!named()) usleep(1000);  // a new thread says its name itself
      flx.Stop();
      EXPECT_TRUE(ThreadNames().empty());
    }
  });
}

}  // namespace
