// SPDX-License-Identifier: Apache-2.0
#include "library.h"

#include <dirent.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace {
struct Pairs {
  std::vector<const char*> keys, values;
  int32_t n;
  explicit Pairs(const Options& o) : n(int32_t(o.size())) {
    for (auto& p : o) keys.push_back(p.first), values.push_back(p.second);
  }
};
[[noreturn]] void Give(const std::string& text) {
  ADD_FAILURE() << text;
  std::fflush(nullptr);
  _exit(3);
}
}  // namespace

Library::Library(const std::string& path, bool own_namespace) {
  handle = own_namespace ? dlmopen(LM_ID_NEWLM, path.c_str(), RTLD_NOW) : dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) Give(dlerror());
#define F(name)                                              \
  name = reinterpret_cast<decltype(name)>(dlsym(handle, #name)); \
  if (!name) Give("there is no " #name);
  HOST_FUNCTIONS(F)
#undef F
}
void Library::Close() { EXPECT_EQ(dlclose(handle), 0) << dlerror(); }
void Library::Ok(flx_status s, const char* what) {
  if (s != FLX_OK) Give(std::string(what) + ": " + flx_last_error());
}
#define OK(call) Ok(call, #call)

flx_ndarray Library::Full(std::vector<int64_t> dims, double value, int32_t dtype) {
  flx_ndarray a = nullptr;
  OK(flx_ndarray_create_full(dims.data(), int32_t(dims.size()), dtype, nullptr, value, &a));
  return a;
}
flx_ndarray Library::Random(std::vector<int64_t> dims, int seed) {
  int64_t n = 1;
  for (auto d : dims) n *= d;
  std::mt19937 engine(unsigned(seed) + 1);
  std::vector<float> data(static_cast<size_t>(n));
  for (auto& v : data) v = float(engine() >> 8) / float(1 << 24) - 0.5f;
  flx_ndarray a = nullptr;
  OK(flx_ndarray_create_from(data.data(), n * 4, FLX_FLOAT32, FLX_ROW_MAJOR, dims.data(), int32_t(dims.size()), FLX_FLOAT32, nullptr, &a));
  return a;
}
std::vector<float> Library::Read(flx_ndarray a, int64_t n) {
  std::vector<float> v(static_cast<size_t>(n));
  int32_t ready = 0;
  OK(flx_ndarray_read(a, v.data(), n * 4, FLX_FLOAT32, FLX_ROW_MAJOR, -1, &ready));
  return v;
}
flx_ndarray Library::Invoke(const char* op, std::vector<flx_ndarray> in, const Options& options) {
  Pairs p(options);
  flx_ndarray out = nullptr;
  int32_t n = 0;
  OK(flx_invoke(op, 0, in.data(), int32_t(in.size()), p.keys.data(), p.values.data(), p.n, &out, 1, &n));
  return out;
}
flx_layer Library::Layer(const char* kind, const Options& options, std::vector<flx_layer> children) {
  Pairs p(options);
  flx_layer layer = nullptr;
  OK(flx_layer_create(kind, nullptr, p.keys.data(), p.values.data(), p.n, &layer));
  for (auto c : children) {
    OK(flx_layer_add(layer, c));
    flx_free(c);
  }
  return layer;
}
std::string Library::Fit(int epochs) {
  flx_layer net = Layer("Sequential", {}, {Layer("Conv2D", {{"channels", "8"}, {"kernel_size", "(3, 3)"}, {"activation", "relu"}}),
                                           Layer("Flatten"), Layer("Dense", {{"units", "32"}, {"activation", "tanh"}}), Layer("Dense", {{"units", "4"}})});
  flx_layer loss = Layer("SoftmaxCrossEntropyLoss");
  flx_model model = nullptr;
  OK(flx_model_create(net, nullptr, &model));
  flx_ndarray arrays[2] = {Random({64, 3, 12, 12}, 1), nullptr};
  std::vector<float> labels(64);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = float(i % 4);
  const int64_t n = 64;
  OK(flx_ndarray_create_from(labels.data(), 256, FLX_FLOAT32, FLX_ROW_MAJOR, &n, 1, FLX_FLOAT32, nullptr, &arrays[1]));
  const char* names[2] = {"data", "label"};
  Pairs batches(Options{{"batch_size", "32"}}), rate(Options{{"learning_rate", "0.01"}});
  flx_iter data = nullptr;
  OK(flx_iter_from_arrays(arrays, 2, names, 2, batches.keys.data(), batches.values.data(), batches.n, &data));
  flx_optimizer adam = nullptr;
  OK(flx_optimizer_create("Adam", rate.keys.data(), rate.values.data(), rate.n, &adam));
  std::string count = std::to_string(epochs);
  Pairs how(Options{{"epochs", count.c_str()}, {"seed", "3"}, {"clip_gradient", "1.5"}});
  flx_task task = nullptr;
  OK(flx_fit_start(model, loss, adam, data, nullptr, how.keys.data(), how.values.data(), how.n, &task));
  for (int32_t event = FLX_PENDING; event != FLX_DONE;) OK(flx_task_next(task, 1000, &event));
  char* bytes = nullptr;
  int64_t nbytes = 0;
  int32_t ready = 0;
  OK(flx_model_to_bytes(model, -1, &ready, &bytes, &nbytes));
  std::string result(bytes, size_t(nbytes));
  flx_text_free(bytes);
  for (void* h : {(void*)net, (void*)loss, (void*)model, (void*)arrays[0], (void*)arrays[1], (void*)data, (void*)adam, (void*)task}) flx_free(h);
  return result;
}
void Library::Stop() {
  int32_t ready = 0;
  OK(flx_shutdown(20000, &ready));
  EXPECT_EQ(ready, 1);
}

void Alone(const std::function<void()>& body, int expected_exit) {
  std::fflush(nullptr);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);  // a hang is a failure, too
    body();
    std::fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_FALSE(WIFSIGNALED(status)) << "the process died by signal " << WTERMSIG(status) << (WTERMSIG(status) == SIGALRM ? ": it hung" : "");
  EXPECT_EQ(WEXITSTATUS(status), expected_exit) << "see the failures above";
}

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "flexor-host-XXXXXX").string();
  path = mkdtemp(name.data()) ? name : "";
}
Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}
std::string FileText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}
std::vector<std::string> ThreadField(const char* field) {
  std::vector<std::string> found;
  std::error_code gone;
  for (auto& t : std::filesystem::directory_iterator("/proc/self/task", gone)) {
    if (t.path().filename() == std::to_string(getpid())) continue;
    std::istringstream lines(FileText(t.path() / "status"));
    for (std::string line; std::getline(lines, line);)
      if (line.rfind(field, 0) == 0) found.push_back(line.substr(line.find(':') + 2));
  }
  return found;
}
std::vector<std::string> ThreadNames() { return ThreadField("Name"); }
