// SPDX-License-Identifier: Apache-2.0
// Runs the programs that are measured as whole processes; BENCH_PROGRAMS is the folder they are built in.
#pragma once
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

extern char** environ;

// Runs a program to its end; its output, or nothing if it failed.
inline bool Run(const std::string& name, std::string* output = nullptr, std::vector<std::string> more = {}) {
  std::string path = std::string(BENCH_PROGRAMS "/") + name;
  int ends[2];
  if (pipe(ends) != 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> arguments = {path.data()};
  for (auto& m : more) arguments.push_back(m.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  bool ran = posix_spawn(&child, path.c_str(), &actions, nullptr, arguments.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  char buffer[256];
  for (ssize_t n; ran && (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    if (output) output->append(buffer, size_t(n));
  close(ends[0]);
  int status = 1;
  return ran && waitpid(child, &status, 0) == child && status == 0;
}
