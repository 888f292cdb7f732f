// SPDX-License-Identifier: Apache-2.0
#include "device/device.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>

#include "base/config.h"
#include "base/log.h"
#include "base/text.h"

namespace flx {

Error Device::CallError(int32_t result, const char* what) const {
  const char* text = table->last_error ? table->last_error() : nullptr;
  std::string why = text && *text ? std::string(text) : Text("error ", result);
  return Error(result == FLX_DEVICE_MEMORY ? Status::kMemory : Status::kDevice,
               Text("[", name, "] ", what, result == FLX_DEVICE_LOST ? " failed and the device is lost: " : " failed: ", why));
}
std::string Device::Properties() const {
  std::string text(4096, '\0');
  Check(table->properties(index, text.data(), int64_t(text.size())), "properties");
  text.resize(std::strlen(text.c_str()));
  return text;
}
flx_device_function Device::Kernel(std::string_view kernel, uint64_t signature) const {
  for (int32_t i = 0; i < table->kernel_count; ++i)
    if (table->kernels[i].signature == signature && kernel == table->kernels[i].name) return table->kernels[i].function;  // most differ in the number
  return nullptr;
}

bool Device::CopiesTo(const Device* peer) const {
  if (peer == this || peer->table != table || !table->peer_access) return false;
  static auto* mutex = new std::mutex;
  static auto* known = new std::map<std::pair<const Device*, const Device*>, bool>;
  std::lock_guard<std::mutex> lock(*mutex);
  auto [it, fresh] = known->try_emplace({this, peer}, false);
  if (fresh) it->second = table->peer_access(index, peer->index) == FLX_DEVICE_OK;
  return it->second;
}

struct DeviceManager::Impl {
  std::mutex mutex;
  const Device* cpu = nullptr;
  std::vector<std::unique_ptr<flx_device_table>> tables;
  std::vector<std::unique_ptr<Device>> devices;  // never removed: pointers to them are kept everywhere
  std::vector<std::string> kinds;
  std::vector<std::string> trouble;              // modules that did not load, and why
  std::map<std::string, std::string, std::less<>> absent;  // kinds that have no device here, and why
  std::once_flag found;

  // Entries a kind cannot do without, each with its name for the message.
  static const char* Missing(const flx_device_table& t) {
    if (!t.kind || !*t.kind) return "kind";
    if (!t.count) return "count";
    if (!t.properties) return "properties";
    if (!t.alloc || !t.free) return "alloc, free";
    if (!t.queue_create || !t.queue_destroy) return "queue_create, queue_destroy";
    if (!t.copy || !t.fill) return "copy, fill";
    if (!t.event_create || !t.event_record || !t.event_query || !t.event_wait || !t.queue_wait || !t.event_destroy) return "the events";
    if (!t.last_error) return "last_error";
    return nullptr;
  }
  void Add(const flx_device_table* given) {
    // A module built against a shorter table: copy what it has, the rest is absent.
    auto own = std::make_unique<flx_device_table>();
    flx_device_table* const table = own.get();
    std::memcpy(table, given, std::min<size_t>(given->size, sizeof *table));
    std::lock_guard<std::mutex> lock(mutex);
    tables.push_back(std::move(own));
    kinds.push_back(table->kind);
    int n = table->count();
    if (n <= 0) {
      const char* why = table->last_error();
      absent[table->kind] = why && *why ? why : "its module finds none";
    }
    for (int i = 0; i < n; ++i)
      devices.push_back(std::unique_ptr<Device>(new Device{table, i, Text(table->kind, "(", i, ")"), table->kind}));
  }
};

DeviceManager::DeviceManager() : impl_(new Impl) {
  impl_->Add(CpuDeviceTable());
  impl_->cpu = impl_->devices[0].get();
}
DeviceManager& DeviceManager::Get() {
  static DeviceManager* m = new DeviceManager;  // never destroyed
  return *m;
}

std::string DeviceManager::Load(const std::string& path) {
  void* lib = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    const char* why = dlerror();
    FailFile(Status::kDevice, path, -1, Text("the device module does not load: ", why ? why : "no reason given"));
  }
  auto refuse = [&](const std::string& why) {
    dlclose(lib);
    FailFile(Status::kDevice, path, -1, why);
  };
  auto module = reinterpret_cast<flx_device_module_function>(dlsym(lib, "flx_device_module"));
  if (!module) refuse("this is no device module: it has no function flx_device_module");
  const flx_device_table* t = module(FLX_DEVICE_TABLE_VERSION);
  if (!t) {
    auto error = reinterpret_cast<const char* (*)()>(dlsym(lib, "flx_device_module_error"));
    const char* why = error ? error() : nullptr;
    refuse(Text("the device module gives no table of version ", FLX_DEVICE_TABLE_VERSION, why ? ": " : "", why ? why : ""));
  }
  if (t->version != FLX_DEVICE_TABLE_VERSION)
    refuse(Text("the module's table has version ", t->version, ", this library wants ", FLX_DEVICE_TABLE_VERSION));
  constexpr size_t kLeast = offsetof(flx_device_table, kernels) + sizeof(void*);
  if (t->size < kLeast) refuse(Text("the module's table has ", t->size, " bytes, at least ", kLeast, " are needed"));
  if (const char* m = Impl::Missing(*t)) refuse(Text("the module's table lacks ", m));
  std::string kind = t->kind;
  {
    std::unique_lock<std::mutex> lock(impl_->mutex);
    if (std::find(impl_->kinds.begin(), impl_->kinds.end(), kind) != impl_->kinds.end()) {
      lock.unlock();
      refuse(Text("devices of kind `", kind, "` are there already"));
    }
  }
  impl_->Add(t);
  return kind;
}

namespace {
// The modules that are looked for beside this library, and the driver without which there is no use in loading one: a machine that has none pays
// for a failed look-up and no more.
struct ModuleFile { const char *kind, *file, *driver, *driver_name; };
constexpr ModuleFile kModules[] = {{"gpu", "libflexor_cuda.so", "libcuda.so.1", "NVIDIA driver"}};

std::string OwnFolder() {
  Dl_info self;
  if (!dladdr(reinterpret_cast<void*>(&CpuDeviceTable), &self) || !self.dli_fname) return "";
  std::string path = self.dli_fname;
  auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
}
std::string DriverMissing(const ModuleFile& m) {  // empty: it is there
  if (dlopen(m.driver, RTLD_LAZY | RTLD_LOCAL)) return "";  // never closed: drivers do not like to be
  const char* why = dlerror();
  return Text("there is no ", m.driver_name, " (", why ? why : m.driver, ")");
}
}  // namespace

bool DeviceManager::HasModule(std::string_view kind) {
  for (auto& m : kModules)
    if (kind == m.kind) return access(Text(OwnFolder(), "/", m.file).c_str(), R_OK) == 0;
  return false;
}

void DeviceManager::FindModules() {
  std::call_once(impl_->found, [this] {
    std::vector<std::string> paths;
    if (std::string test = GetText(Opt::kTestDevice); !test.empty()) paths.push_back(test);
    for (auto& m : kModules) {
      std::string path = Text(OwnFolder(), "/", m.file), why;
      if (access(path.c_str(), R_OK)) why = Text("there is no ", path);  // most installations have none, and that is no trouble
      else why = DriverMissing(m);
      if (why.empty()) {
        paths.push_back(path);
        continue;
      }
      std::lock_guard<std::mutex> lock(impl_->mutex);
      impl_->absent[m.kind] = why;
    }
    for (auto& p : paths) {
      try {
        Load(p);
      } catch (const Error& e) {
        Log(LogLevel::kWarning, e.message());
        std::lock_guard<std::mutex> lock(impl_->mutex);
        impl_->trouble.push_back(e.message());
      }
    }
  });
}

std::vector<const Device*> DeviceManager::Devices() {
  FindModules();
  std::lock_guard<std::mutex> lock(impl_->mutex);
  std::vector<const Device*> r;
  for (auto& d : impl_->devices) r.push_back(d.get());
  return r;
}
std::vector<std::string> DeviceManager::Names() {
  std::vector<std::string> names;
  for (auto* d : Devices()) names.push_back(d->name);
  return names;
}
const Device* DeviceManager::Cpu() { return impl_->cpu; }

const Device* DeviceManager::Find(std::string_view text) {
  std::string_view t = Trim(text), kind = t;
  int64_t number = 0;
  auto open = t.find('(');
  bool well = !t.empty();
  if (open != std::string_view::npos) {
    kind = Trim(t.substr(0, open));
    well = t.back() == ')' && ParseInt(t.substr(open + 1, t.size() - open - 2), &number) && number >= 0;
  }
  if (!well) Fail(Status::kArgument, "device", "a device reads `cpu`, `gpu` or `gpu(1)`, given `", text, "`.");
  if (kind == "cpu") return Cpu();
  std::vector<std::string> names, kinds;
  for (const Device* d : Devices()) {
    if (d->kind == kind && d->index == number) return d;
    names.push_back(d->name);
    if (d->index == 0) kinds.push_back(d->kind);
  }
  std::string why;
  bool known = false;  // a kind that might be here
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    auto it = impl_->absent.find(kind);
    known = it != impl_->absent.end();
    if (known && std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) why = Text(" No ", kind, ": ", it->second, ".");
    for (auto& s : impl_->trouble) why += " " + s + ".";
  }
  Fail(Status::kDevice, "device", "there is no device ", text, "; there ", names.size() == 1 ? "is " : "are ", Join(names, ", "), ".",
       known ? "" : DidYouMean(kind, kinds), why);
}

}  // namespace flx
