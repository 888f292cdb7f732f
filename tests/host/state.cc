// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include <cfenv>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "library.h"

extern char** environ;
HostLibraries host;

namespace {
template <class T> std::string Bytes(const T& v) {
  std::ostringstream s;
  for (size_t i = 0; i < sizeof v; ++i) s << std::hex << int(reinterpret_cast<const unsigned char*>(&v)[i]) << ' ';
  return s.str();
}
std::string Signals(const sigset_t& set) {
  std::string s;
  for (int n = 1; n < 65; ++n) s += char('0' + (sigismember(&set, n) == 1));
  return s;
}
template <class... A> std::string Say(const A&... a) {
  std::ostringstream s;
  ((s << a << ' '), ...);
  return s.str();
}
void Handler(int) {}
unsigned FloatMode() {
#if defined(__x86_64__)
  unsigned short x87;
  asm volatile("fnstcw %0" : "=m"(x87));
  return (__builtin_ia32_stmxcsr() & 0xffc0u) | unsigned(x87) << 16;  // without the sticky flags
#else
  return unsigned(fegetround());
#endif
}
template <class F> void Find(F* f, void* lib, const char* name) { *f = lib ? reinterpret_cast<F>(dlsym(lib, name)) : nullptr; }
template <class F> void Set(void* lib, const char* name, F f) { if (void* p = dlsym(lib, name)) f(p); }
}  // namespace

void SetUpHost(const std::string& folder) {
  if (void* blas = [] {
        for (const char* path : {"/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0", "libopenblas.so.0"})
          if (void* p = dlopen(path, RTLD_NOW | RTLD_GLOBAL)) return p;
        return static_cast<void*>(nullptr);
      }()) {
    Find(&host.blas_threads, blas, "openblas_get_num_threads");
    Find(&host.dgemm, blas, "cblas_dgemm");
    Set(blas, "openblas_set_num_threads", [](void* p) { reinterpret_cast<void (*)(int)>(p)(2); });
  } else {
    std::printf("no shared OpenBLAS here: its settings are not looked at (libopenblas0-pthread)\n");
  }
  if (void* omp = dlopen("libgomp.so.1", RTLD_NOW | RTLD_GLOBAL)) {
    Find(&host.omp_max_threads, omp, "omp_get_max_threads");
    Find(&host.omp_dynamic, omp, "omp_get_dynamic");
    Find(&host.omp_levels, omp, "omp_get_max_active_levels");
    Find(&host.omp_schedule, omp, "omp_get_schedule");
    for (const char* f : {"omp_set_num_threads", "omp_set_max_active_levels"}) Set(omp, f, [](void* p) { reinterpret_cast<void (*)(int)>(p)(3); });
    Set(omp, "omp_set_dynamic", [](void* p) { reinterpret_cast<void (*)(int)>(p)(1); });
    Set(omp, "omp_set_schedule", [](void* p) { reinterpret_cast<void (*)(int, int)>(p)(2, 5); });
  }
  if (chdir(folder.c_str()) != 0) ADD_FAILURE() << "chdir";
  umask(027);
  setenv("OMP_SCHEDULE", "guided,3", 1);
  setenv("HOST_OWN", "stays", 1);
  prctl(PR_SET_NAME, "a-host");
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal >= 0) {
    termios t;
    if (tcgetattr(terminal, &t) == 0) {
      t.c_lflag &= ~tcflag_t(ECHO | ICANON);
      tcsetattr(terminal, TCSANOW, &t);
    }
    dup2(terminal, 0);
  }
  setvbuf(stdout, nullptr, _IOLBF, 4096);
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 512) limit.rlim_cur = 512;
  setrlimit(RLIMIT_NOFILE, &limit);
  itimerval timer{{}, {100000, 0}};
  setitimer(ITIMER_VIRTUAL, &timer, nullptr);
  struct sigaction action {};
  action.sa_handler = Handler;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigaddset(&action.sa_mask, SIGUSR1);
  for (int s : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGPIPE, SIGSEGV, SIGFPE}) sigaction(s, &action, nullptr);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  static char stack[1 << 16];
  stack_t alternate{};
  alternate.ss_sp = stack, alternate.ss_size = sizeof stack;
  sigaltstack(&alternate, nullptr);
  fesetround(FE_UPWARD);
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);  // flush to zero, and subnormals are zeros
#endif
}

State Look() {
  State s;
  for (int n = 1; n < 65; ++n) {
    struct sigaction a {};
    if (sigaction(n, nullptr, &a) == 0) s["handler of signal " + std::to_string(n)] = Say(reinterpret_cast<void*>(a.sa_handler), a.sa_flags, Signals(a.sa_mask));
  }
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  s["signal mask"] = Signals(mask);
  stack_t stack{};
  sigaltstack(nullptr, &stack);
  s["alternate stack"] = Say(stack.ss_sp, stack.ss_size, stack.ss_flags);
  s["locale"] = setlocale(LC_ALL, nullptr);
  s["thread's locale"] = Say(uselocale(nullptr));
  s["decimal point"] = localeconv()->decimal_point;
  s["float mode"] = Say(FloatMode());
  s["float traps"] = Say(fegetexcept());
  s["current folder"] = std::filesystem::current_path();
  mode_t m = umask(0);
  umask(m);
  s["umask"] = Say(m);
  for (char** e = environ; *e; ++e) s["environment " + std::string(*e, strcspn(*e, "="))] = *e;
  for (int r = 0; r < 16; ++r) {
    rlimit l;
    if (getrlimit(__rlimit_resource(r), &l) == 0) s["limit " + std::to_string(r)] = Say(l.rlim_cur, l.rlim_max);
  }
  itimerval t;
  getitimer(ITIMER_REAL, &t);
  s["real timer"] = Say(t.it_value.tv_sec > 0);  // Alone's, which runs
  getitimer(ITIMER_VIRTUAL, &t);
  s["virtual timer"] = Say(t.it_value.tv_sec > 0, t.it_interval.tv_sec);
  getitimer(ITIMER_PROF, &t);
  s["profile timer"] = Say(t.it_value.tv_sec, t.it_value.tv_usec, t.it_interval.tv_sec);
  char name[32] = {};
  prctl(PR_GET_NAME, name);
  s["thread name"] = name;
  s["process flags"] = Say(prctl(PR_GET_DUMPABLE), prctl(PR_GET_TIMERSLACK), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  cpu_set_t cores;
  sched_getaffinity(0, sizeof cores, &cores);
  s["affinity"] = Bytes(cores);
  s["scheduling"] = Say(sched_getscheduler(0), getpriority(PRIO_PROCESS, 0));
  for (auto& e : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    auto to = std::filesystem::read_symlink(e.path(), gone);
    if (gone || to == "/proc/" + std::to_string(getpid()) + "/fd") continue;  // the folder that is being read
    int fd = std::stoi(e.path().filename());
    s["file " + std::to_string(fd)] = Say(to, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  }
  for (FILE* f : {stdin, stdout, stderr}) s["stream " + std::to_string(fileno(f))] = Say(__fbufsize(f), __flbf(f) != 0, __freading(f) != 0);
  termios terminal{};
  if (tcgetattr(0, &terminal) == 0) s["terminal"] = Bytes(terminal);
  if (host.blas_threads) s["OpenBLAS's threads"] = Say(host.blas_threads());
  if (host.omp_max_threads) {
    int kind = 0, chunk = 0;
    host.omp_schedule(&kind, &chunk);
    s["OpenMP's settings"] = Say(host.omp_max_threads(), host.omp_dynamic(), host.omp_levels(), kind, chunk);
  }
  return s;
}
void ExpectSame(const State& before, const State& after, const char* when) {
  for (auto& [name, value] : before) {
    auto it = after.find(name);
    if (it == after.end()) ADD_FAILURE() << "after " << when << " there is no " << name << " any more; it was " << value;
    else EXPECT_EQ(it->second, value) << "after " << when << ": " << name;
  }
  for (auto& [name, value] : after)
    if (!before.count(name)) ADD_FAILURE() << "after " << when << " there is a new " << name << ": " << value;
}
bool HostProductsAreRight() {
  if (!host.dgemm) return true;
  constexpr int n = 200;
  std::vector<double> a(n * n), b(n * n), c(n * n);
  for (int i = 0; i < n * n; ++i) a[size_t(i)] = i % 7, b[size_t(i)] = i % 5 - 2;
  host.dgemm(101, 111, 111, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
  for (int i = 0; i < n; i += 37)
    for (int j = 0; j < n; j += 41) {
      double sum = 0;
      for (int k = 0; k < n; ++k) sum += a[size_t(i * n + k)] * b[size_t(k * n + j)];
      if (c[size_t(i * n + j)] != sum) return false;
    }
  return true;
}
