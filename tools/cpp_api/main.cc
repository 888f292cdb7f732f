// SPDX-License-Identifier: Apache-2.0
// flexor_cpp_api FOLDER JSON: writes FOLDER/op.hpp and FOLDER/nn.hpp, the C++ API of everything registered, from what the library says of itself, and the same as a
// JSON document for the generators of the other languages.
// A file that would not change is left alone, so that nothing is compiled again for it.
#include <fstream>
#include <iostream>
#include <iterator>

#include "write.h"

namespace {
bool WriteFile(const std::string& path, const std::string& text) {
  std::ifstream old(path, std::ios::binary);
  if (old && std::string(std::istreambuf_iterator<char>(old), {}) == text) return true;
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) std::cerr << path << ": cannot be written\n";
  return bool(out);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: flexor_cpp_api FOLDER JSON\n";
    return 2;
  }
  try {
    std::string folder = argv[1];
    return WriteFile(folder + "/op.hpp", cpp_api::OpHeader()) && WriteFile(folder + "/nn.hpp", cpp_api::NnHeader()) && WriteFile(argv[2], cpp_api::RegistryJson()) ? 0 : 1;
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
