// SPDX-License-Identifier: Apache-2.0
// Libraries that are opened at run time, and what is kept of them for each device.
#pragma once
#include <dlfcn.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>

namespace flx::cuda {

// The first of some files that can be opened. What is missing is told, not thrown.
class OpenedLibrary {
 public:
  OpenedLibrary(const char* name, std::initializer_list<std::string> files) : name_(name) {
    for (auto& f : files) {
      if (!so_) so_ = dlopen(f.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (so_ || !missing_.empty()) continue;
      const char* why = dlerror();
      missing_ = std::string("there is no ") + name_ + " (" + (why ? why : f.c_str()) + ")";
    }
    if (so_) missing_.clear();
  }
  template <class F> void Find(F** function, const char* name) {
    *function = so_ ? reinterpret_cast<F*>(dlsym(so_, name)) : nullptr;
    if (!*function && missing_.empty()) missing_ = name_ + " lacks " + name;
  }
  bool whole() const { return missing_.empty(); }
  const std::string& missing() const { return missing_; }  // why it is not whole

 private:
  const std::string name_;
  void* so_ = nullptr;
  std::string missing_;
};

// The one T of each device. Never destroyed: at exit a driver may be gone before.
template <class T> T& OfDevice(int32_t device) {
  static std::mutex& mutex = *new std::mutex;
  static auto& all = *new std::map<int32_t, T*>;
  std::lock_guard<std::mutex> lock(mutex);
  T*& t = all[device];
  if (!t) t = new T;
  return *t;
}

}  // namespace flx::cuda
