// SPDX-License-Identifier: Apache-2.0
// training_memory NUMBER [hybrid]: bytes of resident memory that this network of hybrid/models.h takes at its peak while it is trained, above the process that has only loaded the library.
#include <cstdlib>
#include <iostream>

#include "../hybrid/trained.h"
#include "memory.h"

int main(int argc, char** argv) {
  auto all = models::Trainings();
  size_t which = argc > 1 ? size_t(std::atoi(argv[1])) : 0;
  if (which >= all.size()) return 2;
  double before = Kilobytes("VmRSS:");
  Trained net(all[which], argc > 2);
  for (int i = 0; i < 20; ++i) net.Step();
  flexor::wait_all();
  std::cout << static_cast<long long>((Kilobytes("VmHWM:") - before) * 1024) << "\n";
}
