// SPDX-License-Identifier: Apache-2.0
// libflexor.so as a host's package system brings it: by dlopen, with the functions looked up by name, so that "before it is loaded" is really before.
#pragma once
#include <flexor/c_api.h>

#include <functional>
#include <string>
#include <vector>

// Every function the tests use. A field has the function's type, so that a call is checked as a linked one is.
#define HOST_FUNCTIONS(F)                                                                                                                        \
  F(flx_abi_version) F(flx_last_error) F(flx_config_set) F(flx_config_get) F(flx_log_configure) F(flx_free) F(flx_text_free) F(flx_handle_live)  \
  F(flx_handle_kind) F(flx_shutdown) F(flx_ndarray_create_full) F(flx_ndarray_create_from) F(flx_ndarray_read) F(flx_ndarray_item) F(flx_invoke) \
  F(flx_call_create) F(flx_call_run) F(flx_call_binary) F(flx_call_scalar) F(flx_call_run_into) F(flx_layer_create) F(flx_layer_add)             \
  F(flx_layer_to_json) F(flx_model_create) F(flx_model_save) F(flx_model_load) F(flx_model_to_bytes) F(flx_optimizer_create)                     \
  F(flx_optimizer_get) F(flx_fit_start) F(flx_task_next) F(flx_task_number) F(flx_iter_create) F(flx_iter_from_arrays) F(flx_iter_next)          \
  F(flx_iter_arrays) F(flx_record_open) F(flx_record_write) F(flx_random_seed) F(flx_wait_all)

using Options = std::vector<std::pair<const char*, const char*>>;

struct Library {
#define F(name) decltype(&::name) name = nullptr;
  HOST_FUNCTIONS(F)
#undef F
  void* handle = nullptr;

  // The file that the build made, or a copy of it. In a link map of its own if asked (dlmopen). Ends the test if it cannot be loaded.
  explicit Library(const std::string& path = FLEXOR_LIBRARY, bool own_namespace = false);
  void Close();
  void Ok(flx_status s, const char* what);  // else: what went wrong is a failure of the test

  flx_ndarray Full(std::vector<int64_t> dims, double value, int32_t dtype = FLX_FLOAT32);
  flx_ndarray Random(std::vector<int64_t> dims, int seed);
  std::vector<float> Read(flx_ndarray a, int64_t n);
  flx_ndarray Invoke(const char* op, std::vector<flx_ndarray> in, const Options& options = {});
  flx_layer Layer(const char* kind, const Options& options = {}, std::vector<flx_layer> children = {});
  // A small convolutional network fitted to random data: convolutions (oneDNN), matrix products (OpenBLAS), loops in threads, an optimizer.
  // The bytes of the fitted model, which are the same for the same seed.
  std::string Fit(int epochs = 1);
  void Stop();  // flx_shutdown, which must get there
};

// Runs `body` in a child process of its own and hands its failures on; a child that hangs is killed. The process that calls has no library loaded.
void Alone(const std::function<void()>& body, int expected_exit = 0);

class Folder {  // a folder of the test's own, gone at its end
 public:
  Folder();
  ~Folder();
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  std::string path;
};
std::vector<std::string> ThreadNames();                         // of all threads of this process but the first
std::vector<std::string> ThreadField(const char* field);        // a line of each such thread's /proc/.../status
std::string FileText(const std::string& path);
