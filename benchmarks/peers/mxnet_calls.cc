// SPDX-License-Identifier: Apache-2.0
// MXNet's C API, from the library of its wheel (PEER_LIBRARY): the small operations of core_bench.cc, until all is done.
#include <dlfcn.h>

#include <cstdlib>

#include "rows.h"

using Handle = void*;

template <class T> static T Find(void* library, const char* name) {
  void* p = dlsym(library, name);
  if (!p) {
    std::fprintf(stderr, "there is no %s\n", name);
    std::exit(1);
  }
  return reinterpret_cast<T>(p);
}

int main(int argc, char** argv) {
  Rows rows("mxnet-c", argc, argv);
  const char* path = std::getenv("PEER_LIBRARY");
  void* library = path ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : nullptr;
  if (!library) {
    std::fprintf(stderr, "%s\n", path ? dlerror() : "PEER_LIBRARY is not set");
    return 1;
  }
  auto create = Find<int (*)(const unsigned*, unsigned, int, int, int, int, Handle*)>(library, "MXNDArrayCreateEx");
  auto release = Find<int (*)(Handle)>(library, "MXNDArrayFree");
  auto operation = Find<int (*)(const char*, Handle*)>(library, "NNGetOpHandle");
  auto invoke = Find<int (*)(Handle, int, Handle*, int*, Handle**, int, const char**, const char**, const int**)>(library, "MXImperativeInvokeEx");
  auto wait = Find<int (*)(Handle)>(library, "MXNDArrayWaitToRead");
  auto fill = Find<int (*)(Handle, const void*, size_t)>(library, "MXNDArraySyncCopyFromCPU");
  auto set_recording = Find<int (*)(int, int*)>(library, "MXAutogradSetIsRecording");
  auto set_training = Find<int (*)(int, int*)>(library, "MXAutogradSetIsTraining");
  auto mark = Find<int (*)(unsigned, Handle*, unsigned*, Handle*)>(library, "MXAutogradMarkVariables");
  auto backward = Find<int (*)(unsigned, Handle*, Handle*, unsigned, Handle*, int, int, int, Handle**, int**)>(library, "MXAutogradBackwardEx");
  auto wait_all = Find<int (*)()>(library, "MXNDArrayWaitAll");

  const unsigned one_dim[1] = {1};
  auto make = [&] {
    Handle h = nullptr;
    float v = 1;
    if (create(one_dim, 1, 1, 0, 0, 0, &h) || fill(h, &v, 1)) std::exit(1);
    return h;
  };
  Handle a = make(), b = make(), x = make(), grad = make(), add = nullptr, mul = nullptr;
  if (operation("elemwise_add", &add) || operation("elemwise_mul", &mul)) return 1;
  unsigned write = 1;
  mark(1, &x, &write, &grad);
  auto call = [&](Handle op, Handle p, Handle q) {
    Handle in[2] = {p, q}, *out = nullptr;
    const int* storage = nullptr;
    int n = 0;
    if (invoke(op, 2, in, &n, &out, 0, nullptr, nullptr, &storage)) std::exit(1);
    return out[0];
  };
  auto chain = [&](Handle h) {
    Handle held[10];
    for (int i = 0; i < 10; ++i) h = held[i] = call(i % 2 ? mul : add, h, b);
    for (int i = 0; i < 9; ++i) release(held[i]);
    return h;
  };
  auto sync = [&] { wait_all(); };
  rows.Measure("Add/1", [&] { release(call(add, a, b)); }, sync, false);
  rows.Measure("Array/create and free", [&] { Handle h = nullptr; create(one_dim, 1, 1, 0, 0, 0, &h); release(h); }, sync, false);
  rows.Measure("Chain/10 forward", [&] { Handle h = chain(a); wait(h); release(h); }, sync, false);
  int was = 0;
  set_recording(1, &was);
  set_training(1, &was);
  rows.Measure("Add/1 recorded", [&] { release(call(add, x, b)); }, sync, false);
  rows.Measure("Chain/10 forward and backward", [&] {
    Handle h = chain(x), none = nullptr, *grads = nullptr;
    int* storage = nullptr;
    backward(1, &h, &none, 0, nullptr, 0, 0, 1, &grads, &storage);
    wait(grad);
    release(h);
  }, sync, false);
}
