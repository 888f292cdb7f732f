// SPDX-License-Identifier: Apache-2.0
// The emulated device's compiler: the C++ compiler that FLEXOR_TEST_COMPILER names (without it the device has none), which makes a library of a kernel's
// source; a launch is a loop over a small grid, as that of the kernels in src/cuda.
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

#include "fake_module.h"

extern char** environ;

namespace {
// Its places are not thread-local: in libraries that come and go the leak checker reads such memory wrongly and dies of it. So one launch at a time.
struct Program {
  void* library;
  void (*launch)(unsigned grid, unsigned block, const void* argument);
  int64_t bytes;
  std::mutex mutex;
};
const char* Path() { return std::getenv("FLEXOR_TEST_COMPILER"); }
std::string ReadAll(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}
struct Folder {
  std::string path;
  Folder() {
    const char* base = std::getenv("TMPDIR");
    path = std::string(base && *base ? base : "/tmp") + "/flexor-emulated-XXXXXX";
    if (!mkdtemp(path.data())) path.clear();
  }
  ~Folder() {
    for (const char* name : {"/k.cc", "/k.so", "/log"}) unlink((path + name).c_str());
    rmdir(path.c_str());
  }
};

int32_t Compiler(int32_t, char* text, int64_t capacity) {
  const std::string s = std::string("emulated by ") + Path();
  if (int64_t(s.size()) >= capacity) return FakeFail(FLX_DEVICE_ERROR, "small buffer");
  std::strcpy(text, s.c_str());
  return FLX_DEVICE_OK;
}
int32_t Compile(int32_t, const char* source, int32_t (*keep)(void*, const void*, int64_t), void* context) {
  Folder folder;
  const std::string from = folder.path + "/k.cc", to = folder.path + "/k.so", log = folder.path + "/log";
  std::ofstream(from) << source;
  const std::vector<std::string> words = {Path(), "-std=c++17", "-O0", "-ffp-contract=off", "-fPIC", "-shared", "-fvisibility=hidden", "-w", "-o", to, from};
  std::vector<char*> arguments;
  for (auto& w : words) arguments.push_back(const_cast<char*>(w.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> variables;  // a sanitizer's library that the tests were started with is not the compiler's
  for (char** v = environ; *v; ++v) if (std::strncmp(*v, "LD_PRELOAD=", 11)) variables.push_back(*v);
  variables.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  int status = -1;
  if (posix_spawnp(&child, arguments[0], &files, nullptr, arguments.data(), variables.data()) == 0) waitpid(child, &status, 0);
  posix_spawn_file_actions_destroy(&files);
  const std::string binary = ReadAll(to);
  if (status != 0 || binary.empty()) return FakeFail(FLX_DEVICE_ERROR, ReadAll(log).substr(0, 2000).c_str());
  return keep(context, binary.data(), int64_t(binary.size()));
}
int32_t Load(int32_t, const void* binary, int64_t bytes, const char* name, void** program) {
  Folder folder;
  const std::string path = folder.path + "/k.so";
  std::ofstream(path, std::ios::binary).write(static_cast<const char*>(binary), bytes);
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return FakeFail(FLX_DEVICE_ERROR, dlerror());
  auto* p = new Program{library, nullptr, 0, {}};
  p->launch = reinterpret_cast<void (*)(unsigned, unsigned, const void*)>(dlsym(library, (std::string(name) + "_launch").c_str()));
  if (auto* n = static_cast<const int64_t*>(dlsym(library, (std::string(name) + "_bytes").c_str()))) p->bytes = *n;
  if (!p->launch || !p->bytes) {
    dlclose(library);
    delete p;
    return FakeFail(FLX_DEVICE_ERROR, "the program has no such kernel");
  }
  *program = p;
  return FLX_DEVICE_OK;
}
int32_t Launch(flx_device_queue* q, void* program, int64_t grid, int64_t, const void* argument, int64_t bytes) {
  auto* p = static_cast<Program*>(program);
  if (bytes != p->bytes) return FakeFail(FLX_DEVICE_ERROR, "the argument is not as long as the kernel's");
  std::vector<int64_t> copy(size_t(bytes / 8));
  std::memcpy(copy.data(), argument, size_t(bytes));
  return FakeLaunch(q, [p, copy, blocks = unsigned(grid < 3 ? grid : 3)] {
    std::lock_guard<std::mutex> lock(p->mutex);
    p->launch(blocks, 2, copy.data());
    return int32_t(FLX_DEVICE_OK);
  });
}
int32_t Destroy(void* program) {
  auto* p = static_cast<Program*>(program);
  dlclose(p->library);
  delete p;
  return FLX_DEVICE_OK;
}
}  // namespace

void FillEmulatedCompiler(flx_device_table* t) {
  if (!Path()) return;
  t->compiler = &Compiler, t->compile = &Compile, t->program_load = &Load, t->program_launch = &Launch, t->program_destroy = &Destroy;
}
