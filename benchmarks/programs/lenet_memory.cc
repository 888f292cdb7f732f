// SPDX-License-Identifier: Apache-2.0
// Bytes of resident memory that training LeNet takes at its peak, above the process that has only loaded the library.
#include <iostream>

#include "../lenet.h"
#include "memory.h"

int main() {
  double before = Kilobytes("VmRSS:");
  LeNet lenet(64);
  for (int i = 0; i < 200; ++i) lenet.Step();
  flexor::wait_all();
  std::cout << static_cast<long long>((Kilobytes("VmHWM:") - before) * 1024) << "\n";
}
