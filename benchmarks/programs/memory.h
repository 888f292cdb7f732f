// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fstream>
#include <string>

// A field of this process's status, such as "VmHWM:", in kilobytes.
inline double Kilobytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == field) {
      double value = 0;
      status >> value;
      return value;
    }
  return 0;
}
