// SPDX-License-Identifier: Apache-2.0
// Plugins: shared objects that add to this very copy of the library.
#include <dlfcn.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <set>

#include "native.h"

using namespace flx;
using namespace flx::capi;

namespace {
std::string FileOf(void* address) {
  Dl_info info{};
  return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "(unknown)";
}
void* OwnAddress() { return reinterpret_cast<void*>(&flx_abi_version); }
// This copy, whatever else is loaded and however the host opened it.
void* OwnLibrary() {
  static void* self = dlopen(FileOf(OwnAddress()).c_str(), RTLD_NOW | RTLD_NOLOAD | RTLD_LOCAL);
  return self;
}
flx_any_fn Resolve(const char* name) {
  if (!name || std::strncmp(name, "flx_", 4) != 0 || !OwnLibrary()) return nullptr;
  return reinterpret_cast<flx_any_fn>(dlsym(OwnLibrary(), name));
}
std::string DlError() {
  const char* e = dlerror();
  return e ? e : "the loader gives no reason";
}
template <class... A> [[noreturn]] void Refuse(Status s, const std::string& file, const A&... a) {
  Error e(s, Text("[flx_plugin_load] ", file, ": ", a...));
  e.op = "flx_plugin_load", e.file = file;
  throw e;
}

// A plugin that a plugin loads is loaded inside its init, in the same thread.
std::recursive_mutex& Mutex() { static auto* m = new std::recursive_mutex; return *m; }
std::set<void*>& Loaded() { static auto* s = new std::set<void*>; return *s; }

// `ran`: code of the plugin was called, and may be again.
void Init(const std::string& file, void* lib, bool* ran) {
  auto abi = reinterpret_cast<int32_t (*)()>(dlsym(lib, "flx_plugin_abi"));
  auto init = reinterpret_cast<flx_status (*)(flx_resolve_fn)>(dlsym(lib, "flx_plugin_init"));
  if (!abi || !init)
    Refuse(Status::kFormat, file, "is no plugin of Flexor: it does not export ", abi ? "flx_plugin_init" : "flx_plugin_abi", " (flexor/c_api_native.h).");
  // What the plugin's own references are bound to, if it links the library at all.
  void* theirs = dlsym(lib, "flx_abi_version");
  if (theirs && theirs != OwnAddress())
    Refuse(Status::kState, file, "is bound to another copy of the library, ", FileOf(theirs), "; this one is ", FileOf(OwnAddress()),
           ". Build the plugin without linking Flexor, taking its functions from flx_plugin_init's argument, or load one copy only.");
  *ran = true;
  int32_t version = abi();
  if (version > FLX_ABI_VERSION)
    Refuse(Status::kUnsupported, file, "needs ABI version ", version, ", this library (", flx_version(), ") has ", FLX_ABI_VERSION, ". Install a newer Flexor.");
  flx_status status = FLX_OK;
  std::string why;
  try {
    ErrorScope errors;
    status = init(&Resolve);
    if (errors.error.failed) why = errors.error.fixed ? errors.error.fixed : errors.error.message;
  } catch (const std::exception& e) {
    status = FLX_ERROR_HOST, why = Text("it threw: ", e.what());
  } catch (...) {
    status = FLX_ERROR_HOST, why = "it threw something that is no std::exception";
  }
  if (status == FLX_OK) return;
  bool known = status > FLX_OK && status <= FLX_ERROR_INTERNAL;
  Refuse(known ? Status(status) : Status::kHost, file, "flx_plugin_init failed: ", why.empty() ? Text("status ", status, ", without a message.") : why);
}
}  // namespace

extern "C" flx_status flx_plugin_load(const char* path) {
  FLX_BEGIN
    NeedText(who, "path", path);
    char whole[PATH_MAX];
    if (!realpath(path, whole)) Refuse(Status::kFile, path, "the plugin cannot be opened: ", std::strerror(errno), ".");
    std::string file = whole;
    std::lock_guard<std::recursive_mutex> lock(Mutex());
    void* lib = dlopen(whole, RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
      std::string e = DlError();
      bool unlinked = e.find("undefined symbol: flx_") != e.npos;
      Refuse(Status::kFormat, file, "the plugin cannot be loaded: ", e, unlinked ? ". Link it with libflexor, or take functions from flx_plugin_init's argument." : ".");
    }
    if (!Loaded().insert(lib).second) {
      dlclose(lib);  // it stays: this was a second reference
      return;
    }
    bool ran = false;
    try {
      Init(file, lib, &ran);
    } catch (...) {
      Loaded().erase(lib);
      if (!ran) dlclose(lib);  // else it stays: what it registered before it failed may be called
      throw;
    }
  FLX_END
}
