// SPDX-License-Identifier: Apache-2.0
// Programs: source to a binary by NVRTC, which is opened at run time (its header is not needed, its types are plain), and binaries by the runtime.
#include <cstring>
#include <new>
#include <vector>

#include "cuda/library.h"
#include "cuda/runtime.h"

namespace flx::cuda {
namespace {

constexpr int kOk = 0, kInvalidOption = 5;  // nvrtcResult
constexpr const char* kOptions[] = {"--std=c++17", "--fmad=false", "--device-as-default-execution-space"};  // as the module's own kernels are compiled

struct Nvrtc {
  using Program = void*;
  int (*version)(int*, int*) = nullptr;
  int (*create)(Program*, const char* source, const char* name, int, const char* const*, const char* const*) = nullptr;
  int (*compile)(Program, int, const char* const*) = nullptr;
  int (*log_size)(Program, size_t*) = nullptr;
  int (*log)(Program, char*) = nullptr;
  int (*cubin_size)(Program, size_t*) = nullptr;
  int (*cubin)(Program, char*) = nullptr;
  int (*ptx_size)(Program, size_t*) = nullptr;
  int (*ptx)(Program, char*) = nullptr;
  int (*destroy)(Program*) = nullptr;
  int (*arch_count)(int*) = nullptr;
  int (*archs)(int*) = nullptr;
  OpenedLibrary so{"NVRTC", {"libnvrtc.so." + Number(CUDART_VERSION / 1000), "libnvrtc.so"}};

  static const Nvrtc& Get() {
    static const Nvrtc* lib = new Nvrtc;
    return *lib;
  }

 private:
  Nvrtc() {
    so.Find(&version, "nvrtcVersion"), so.Find(&create, "nvrtcCreateProgram"), so.Find(&compile, "nvrtcCompileProgram"), so.Find(&destroy, "nvrtcDestroyProgram");
    so.Find(&log_size, "nvrtcGetProgramLogSize"), so.Find(&log, "nvrtcGetProgramLog"), so.Find(&cubin_size, "nvrtcGetCUBINSize"), so.Find(&cubin, "nvrtcGetCUBIN");
    so.Find(&ptx_size, "nvrtcGetPTXSize"), so.Find(&ptx, "nvrtcGetPTX"), so.Find(&arch_count, "nvrtcGetNumSupportedArchs"), so.Find(&archs, "nvrtcGetSupportedArchs");
  }
};

// The architecture to compile for: the device's, or, where NVRTC is older than the device, the newest it knows, as PTX that the driver completes.
struct Target { int number = 0; bool binary = true; };
int32_t TargetOf(int32_t device, const Nvrtc& lib, Target* to) {
  int major = 0, minor = 0;
  if (cudaError_t e = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device); e != cudaSuccess) return Result(e, "cudaDeviceGetAttribute");
  if (cudaError_t e = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device); e != cudaSuccess) return Result(e, "cudaDeviceGetAttribute");
  const int own = major * 10 + minor;
  int n = 0;
  if (lib.arch_count(&n) != kOk || n <= 0) return Failed(FLX_DEVICE_ERROR, "NVRTC does not say which architectures it knows");
  std::vector<int> known(static_cast<size_t>(n));
  if (lib.archs(known.data()) != kOk) return Failed(FLX_DEVICE_ERROR, "NVRTC does not say which architectures it knows");
  for (int a : known) if (a <= own && a > to->number) to->number = a;
  to->binary = to->number == own;
  return to->number ? int32_t(FLX_DEVICE_OK) : Failed(FLX_DEVICE_ERROR, ("NVRTC knows no architecture as old as the GPU's, " + Number(own)).c_str());
}
int32_t Ready(int32_t device, Target* target) {
  const Nvrtc& lib = Nvrtc::Get();
  return lib.so.whole() ? TargetOf(device, lib, target) : Failed(FLX_DEVICE_ERROR, lib.so.missing().c_str());
}

int32_t Compiler(int32_t device, char* text, int64_t capacity) {
  Target target;
  if (int32_t r = Ready(device, &target)) return r;
  int major = 0, minor = 0;
  Nvrtc::Get().version(&major, &minor);
  std::string s = "nvrtc " + Number(major) + "." + Number(minor) + (target.binary ? " sm_" : " compute_") + Number(target.number);
  for (const char* o : kOptions) s += std::string(" ") + o;
  if (int64_t(s.size()) >= capacity) return Failed(FLX_DEVICE_ERROR, "the buffer for the compiler's name is too small");
  std::memcpy(text, s.c_str(), s.size() + 1);
  return FLX_DEVICE_OK;
}
int32_t Compile(int32_t device, const char* source, int32_t (*keep)(void*, const void*, int64_t), void* context) {
  Target target;
  if (int32_t r = Ready(device, &target)) return r;
  const Nvrtc& lib = Nvrtc::Get();
  struct Holder {
    const Nvrtc& lib;
    Nvrtc::Program p = nullptr;
    ~Holder() { if (p) lib.destroy(&p); }
  } program{lib};
  if (lib.create(&program.p, source, "flexor.cu", 0, nullptr, nullptr) != kOk) return Failed(FLX_DEVICE_ERROR, "nvrtcCreateProgram failed");
  const std::string arch = std::string("--gpu-architecture=") + (target.binary ? "sm_" : "compute_") + Number(target.number);
  std::vector<const char*> options(std::begin(kOptions), std::end(kOptions));
  options.push_back(arch.c_str());
  size_t n = 0;
  if (int result = lib.compile(program.p, int(options.size()), options.data()); result != kOk) {
    std::string log;
    if (lib.log_size(program.p, &n) == kOk && n > 0) log.resize(n), lib.log(program.p, log.data());
    return Failed(FLX_DEVICE_ERROR, ((result == kInvalidOption ? "NVRTC refuses an option: " : "NVRTC does not compile this: ") + log.substr(0, 2000)).c_str());
  }
  std::vector<char> binary;
  if ((target.binary ? lib.cubin_size : lib.ptx_size)(program.p, &n) != kOk) return Failed(FLX_DEVICE_ERROR, "NVRTC gives no binary");
  binary.resize(n);
  if ((target.binary ? lib.cubin : lib.ptx)(program.p, binary.data()) != kOk) return Failed(FLX_DEVICE_ERROR, "NVRTC gives no binary");
  return keep(context, binary.data(), int64_t(n));
}

struct Program {
  cudaLibrary_t library = nullptr;
  cudaKernel_t kernel = nullptr;
};
int32_t Destroy(void* program) {
  auto* p = static_cast<Program*>(program);
  int32_t r = p->library ? Result(cudaLibraryUnload(p->library), "cudaLibraryUnload") : int32_t(FLX_DEVICE_OK);
  delete p;
  return r;
}
int32_t Load(int32_t device, const void* binary, int64_t, const char* name, void** out) {
  OnDevice on(device);
  if (on.result() != cudaSuccess) return Result(on.result(), "cudaSetDevice");
  auto* p = new (std::nothrow) Program;
  if (!p) return Failed(FLX_DEVICE_MEMORY, "no memory for a program");
  cudaError_t e = cudaLibraryLoadData(&p->library, binary, nullptr, nullptr, 0, nullptr, nullptr, 0);
  if (e == cudaSuccess) e = cudaLibraryGetKernel(&p->kernel, p->library, name);
  if (e != cudaSuccess) {
    Destroy(p);
    return Result(e, "cudaLibraryLoadData");
  }
  *out = p;
  return FLX_DEVICE_OK;
}
int32_t LaunchProgram(flx_device_queue* q, void* program, int64_t grid, int64_t block, const void* argument, int64_t) {
  OnDevice on(q->device);
  if (on.result() != cudaSuccess) return Result(on.result(), "cudaSetDevice");
  void* arguments[] = {const_cast<void*>(argument)};
  return Result(cudaLaunchKernel(reinterpret_cast<const void*>(static_cast<Program*>(program)->kernel), dim3(unsigned(grid)), dim3(unsigned(block)), arguments, 0, q->stream), "cudaLaunchKernel");
}
}  // namespace

void FillPrograms(flx_device_table* t) {
  t->compiler = &Compiler, t->compile = &Compile, t->program_load = &Load, t->program_launch = &LaunchProgram, t->program_destroy = &Destroy;
}

}  // namespace flx::cuda
