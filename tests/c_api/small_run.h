// SPDX-License-Identifier: Apache-2.0
// A small program over most of the ABI: arrays, gradients, layers, optimizers, fit, files. What it computes is told by one text; a call that fails throws.
#pragma once
#include <flexor/c_api.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

struct Failure { flx_status status; std::string call, message; };

// Keeps what the calls gave, and whether a call that failed touched its out-parameters.
class Bag {
 public:
  ~Bag() { Clear(); }
  template <class T> T* out() { return reinterpret_cast<T*>(Slot(std::is_pointer_v<T> ? (std::is_same_v<T, char*> ? kText : kHandle) : kValue)); }
  const char** borrowed() { return reinterpret_cast<const char**>(Slot(kValue)); }
  template <class T> static T get(T* p) { return *p; }
  void Check(flx_status s, const char* call);
  void Clear();  // frees all

 private:
  enum What { kValue, kHandle, kText };
  static constexpr uint64_t kPattern = 0xa5a5a5a5a5a5a5a5u;
  struct Place { uint64_t value = kPattern; What what; };
  void* Slot(What what);
  std::deque<Place> places_;
  size_t settled_ = 0;
};

// folder: where it may write files. Everything it made is freed by bag.Clear().
std::string SmallRun(Bag& bag, const std::string& folder);
