// SPDX-License-Identifier: Apache-2.0
// Bytes of resident memory that training LeNet takes at its peak, above the process that has only loaded the library.
#include <fstream>
#include <iostream>
#include <string>

#include "../lenet.h"

static double Kilobytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == field) {
      double value = 0;
      status >> value;
      return value;
    }
  return 0;
}

int main() {
  double before = Kilobytes("VmRSS:");
  LeNet lenet(64);
  for (int i = 0; i < 200; ++i) lenet.Step();
  flexor::wait_all();
  std::cout << static_cast<long long>((Kilobytes("VmHWM:") - before) * 1024) << "\n";
}
