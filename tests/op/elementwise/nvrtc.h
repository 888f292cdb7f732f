// SPDX-License-Identifier: Apache-2.0
// NVRTC for tests, which needs no GPU: opened at run time, where it is installed.
#pragma once
#include <dlfcn.h>

#include <string>
#include <vector>

namespace flx {

class Nvrtc {
 public:
  Nvrtc() {
    for (const char* name : {"libnvrtc.so.13", "libnvrtc.so", "/usr/local/cuda/lib64/libnvrtc.so", "/usr/local/cuda/lib/libnvrtc.so"})
      if (!so_) so_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!so_) return;
    Find(&create_, "nvrtcCreateProgram"), Find(&compile_, "nvrtcCompileProgram"), Find(&log_size_, "nvrtcGetProgramLogSize"), Find(&log_, "nvrtcGetProgramLog");
    Find(&cubin_size_, "nvrtcGetCUBINSize"), Find(&cubin_, "nvrtcGetCUBIN"), Find(&destroy_, "nvrtcDestroyProgram");
  }
  bool there() const { return so_ && whole_; }
  // A cubin, or "" and what the compiler says.
  std::string Compile(const std::string& source, std::string* log) const {
    void* program = nullptr;
    if (create_(&program, source.c_str(), "chain.cu", 0, nullptr, nullptr)) return "";
    const char* options[] = {"--gpu-architecture=sm_90", "--std=c++17", "--fmad=false", "--device-as-default-execution-space"};
    const int result = compile_(program, 4, options);
    size_t n = 0;
    if (!log_size_(program, &n)) log->resize(n), log_(program, log->data());
    std::string made;
    if (!result && !cubin_size_(program, &n)) made.resize(n), cubin_(program, made.data());
    destroy_(&program);
    return made;
  }

 private:
  template <class F> void Find(F* f, const char* name) {
    *f = reinterpret_cast<F>(dlsym(so_, name));
    whole_ &= *f != nullptr;
  }
  void* so_ = nullptr;
  bool whole_ = true;
  int (*create_)(void**, const char*, const char*, int, const char* const*, const char* const*) = nullptr;
  int (*compile_)(void*, int, const char* const*) = nullptr;
  int (*log_size_)(void*, size_t*) = nullptr;
  int (*log_)(void*, char*) = nullptr;
  int (*cubin_size_)(void*, size_t*) = nullptr;
  int (*cubin_)(void*, char*) = nullptr;
  int (*destroy_)(void**) = nullptr;
};

}  // namespace flx
