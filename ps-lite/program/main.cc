// SPDX-License-Identifier: Apache-2.0
// flexor-ps: what of a job is no worker, and the tools around it. Servers and the scheduler are the library's (the C ABI reads the environment); keys and
// questions are the parameter server's own.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

#include "flexor/c_api.h"
#include "ps/exception.h"
#include "ps/node.h"
#include "transport/keygen.h"

namespace {
constexpr char kUsage[] =
    "flexor-ps server | scheduler       a node of the job that the environment names, until the job is over (docs/distributed.md)\n"
    "flexor-ps status HOST:PORT         the view of the job whose scheduler or server listens there, and who waits for whom\n"
    "flexor-ps keygen FOLDER [-n WORKERS] [-s SERVERS]\n"
    "                                   keys for a job: scheduler.key, server-<rank>.key, worker-<rank>.key and allow (docs/security.md)\n"
    "Exit status: 0, 1 if it failed, 2 if it was called wrongly.\n";

int Wrong(const std::string& text) {
  std::fprintf(stderr, "flexor-ps: %s\n%s", text.c_str(), kUsage);
  return 2;
}

bool Count(const char* text, int& value) {
  char* end = nullptr;
  long n = std::strtol(text, &end, 10);
  value = int(n);
  return end != text && *end == 0 && n >= 0 && n <= 4096;
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int Serve(const char* role) {
  setenv("FLEXOR_PS_ROLE", role, 1);  // above DMLC_ROLE
  flx_store store = nullptr;
  int32_t event = FLX_PENDING;
  // The workers say which kind of store it is; the others follow.
  flx_status status = flx_store_create("dist_sync", nullptr, nullptr, 0, &store);
  while (status == FLX_OK && event == FLX_PENDING) status = flx_store_serve(store, 1000, &event);
  if (status != FLX_OK) std::fprintf(stderr, "flexor-ps %s: %s\n", role, flx_last_error());
  flx_free(store);
  return status == FLX_OK ? 0 : 1;
}

int AskForStatus(const std::string& address) {
  ps::Settings settings;
  settings.key_file = Environment("FLEXOR_PS_KEY_FILE");
  settings.key_secret = Environment("FLEXOR_PS_KEY");
  settings.scheduler_key = Environment("FLEXOR_PS_SCHEDULER_KEY");
  std::string text = ps::AskStatus(address, settings, 5000);
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (text.empty() || text.back() != '\n') std::putchar('\n');
  return 0;
}

int MakeKeys(int argc, char** argv) {
  std::string folder;
  int workers = 1, servers = 1;
  for (int i = 0; i < argc; ++i) {
    bool n = std::strcmp(argv[i], "-n") == 0, s = std::strcmp(argv[i], "-s") == 0;
    if (n || s) {
      if (i + 1 == argc || !Count(argv[i + 1], n ? workers : servers)) return Wrong(std::string(argv[i]) + " wants a number");
      ++i;
    } else if (argv[i][0] == '-' || !folder.empty()) {
      return Wrong(std::string("keygen: `") + argv[i] + "` is not understood");
    } else {
      folder = argv[i];
    }
  }
  if (folder.empty()) return Wrong("keygen wants a folder");
  ps::WriteJobKeys(folder, workers, servers);
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return Wrong("what shall it do?");
  std::string what = argv[1];
  try {
    if (what == "--help" || what == "-h") return std::fputs(kUsage, stdout) < 0;
    if ((what == "server" || what == "scheduler") && argc == 2) return Serve(argv[1]);
    if (what == "status" && argc == 3) return AskForStatus(argv[2]);
    if (what == "keygen") return MakeKeys(argc - 2, argv + 2);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "flexor-ps %s: %s\n", what.c_str(), e.what());
    return 1;
  }
  return Wrong("`" + what + "` with these arguments is not understood");
}
