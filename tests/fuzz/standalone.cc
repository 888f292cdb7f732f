// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer, so that any compiler will do: `TARGET SECONDS [SEEDS...]` takes every file of the seeds (files or folders), then
// changed and random inputs until the time is up; FLEXOR_FUZZ_SECONDS overrides it. The same seed always: what it does depends on how far it comes only.
// An input on which it dies is written to crash-input in the working folder; `TARGET 0 crash-input` runs that alone.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

namespace {
using Input = std::vector<uint8_t>;
constexpr size_t kMost = 4096;
constexpr unsigned kSeconds = 60;  // no input takes so long
const Input* g_now;

void Save() {
  int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || !g_now || write(fd, g_now->data(), g_now->size()) != ssize_t(g_now->size())) return;
  close(fd);
}
void Died(int signal) {
  Save();
  ::signal(signal, SIG_DFL);
  raise(signal);
}
void Run(const Input& input) {
  g_now = &input;
  alarm(kSeconds);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  alarm(0);
  g_now = nullptr;  // a leak is found after the last input
}
std::vector<Input> Seeds(int argc, char** argv) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  for (int i = 2; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) files.emplace_back(argv[i]);
    else
      for (auto& e : fs::recursive_directory_iterator(argv[i]))
        if (e.is_regular_file()) files.push_back(e.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> seeds;
  for (auto& p : files) {
    std::ifstream f(p, std::ios::binary);
    if (!f) std::fprintf(stderr, "%s cannot be read\n", p.c_str()), std::exit(2);
    seeds.emplace_back(std::istreambuf_iterator<char>(f), std::istreambuf_iterator<char>());
  }
  return seeds;
}
Input Change(const std::vector<Input>& seeds, std::mt19937_64& random) {
  auto below = [&](size_t n) { return size_t(random() % n); };
  Input in;
  if (!seeds.empty() && random() % 4) in = seeds[below(seeds.size())];
  else
    for (size_t n = 16 + below(600); in.size() < n;) in.push_back(uint8_t(random()));
  for (size_t changes = 1 + below(8); changes && !in.empty(); --changes) {
    size_t i = below(in.size()), n = std::min(in.size() - i, 1 + below(16));
    auto from = in.begin() + ptrdiff_t(i);
    switch (random() % 6) {
      case 0: in[i] ^= uint8_t(1u << (random() % 8)); break;
      case 1: in[i] = uint8_t(random()); break;
      case 2: in[i] = random() % 2 ? 0xff : 0; break;
      case 3: in.erase(from, from + ptrdiff_t(n)); break;
      case 4: {
        Input part(from, from + ptrdiff_t(n));
        in.insert(in.begin() + ptrdiff_t(below(in.size())), part.begin(), part.end());
        break;
      }
      default: in.resize(i); break;
    }
  }
  if (in.size() > std::max(kMost, seeds.empty() ? 0 : seeds[0].size())) in.resize(kMost);
  return in;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s SECONDS [SEEDS...]\n", argv[0]), 2;
  const char* given = std::getenv("FLEXOR_FUZZ_SECONDS");
  double seconds = std::atof(given && std::atof(argv[1]) > 0 ? given : argv[1]);
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(Save);
  else
    for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(s, Died);
  for (int s : {SIGABRT, SIGALRM}) signal(s, Died);
  auto seeds = Seeds(argc, argv);
  for (auto& s : seeds) Run(s);
  std::mt19937_64 random(1);
  int64_t runs = 0;
  using Clock = std::chrono::steady_clock;
  for (auto until = Clock::now() + std::chrono::duration<double>(seconds); Clock::now() < until; ++runs) Run(Change(seeds, random));
  std::printf("%zu seeds, %lld other inputs\n", seeds.size(), static_cast<long long>(runs));
  return 0;
}
