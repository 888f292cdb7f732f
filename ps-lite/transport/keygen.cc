// SPDX-License-Identifier: Apache-2.0
#include "transport/keygen.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ps/exception.h"
#include "transport/keys.h"

namespace ps {

void WriteJobKeys(const std::string& folder, int workers, int servers) {
  if (workers < 1 || workers > 4096 || servers < 0 || servers > 4096) throw Error(Code::kArgument, "[keys] 1 to 4096 workers and 0 to 4096 servers were expected");
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) throw Error(Code::kFile, "[keys] " + folder + ": " + std::strerror(errno));
  net::KeyPair scheduler = net::MakeKeyPair();
  net::WriteKeyFile(folder + "/scheduler.key", {scheduler, scheduler.public_key});
  std::string allow = "# Who may take part: <role> <public key> [name]\n";
  auto make = [&](const std::string& role, int count) {
    for (int i = 0; i < count; ++i) {
      std::string name = role + "-" + std::to_string(i);
      net::KeyPair pair = net::MakeKeyPair();
      net::WriteKeyFile(folder + "/" + name + ".key", {pair, scheduler.public_key});
      allow += role + " " + net::KeyText(pair.public_key) + " " + name + "\n";
      if (servers == 0) allow += "server " + net::KeyText(pair.public_key) + " " + name + "\n";
    }
  };
  make("server", servers);
  make("worker", workers);
  net::WriteSmallFile(folder + "/allow", allow, 0644);
}

}  // namespace ps
