// SPDX-License-Identifier: Apache-2.0
// The installed C++ API, the functions made from the registry, and an error of the library as an exception of this program.
#include <flexor/flexor.hpp>
#include <flexor/nn.hpp>
#include <flexor/op.hpp>

#include <iostream>
#include <string>

int main() {
  flexor::NDArray x{1, -2, 3};
  std::vector<float> y = flexor::op::relu(x).to_vector<float>();
  if (y != std::vector<float>{1, 0, 3}) return std::cerr << "relu is wrong\n", 1;
  flx_entry entry = nullptr;
  flx_status status = flx_registry_find("operator", "no_such_operator", &entry);
  std::string message = flx_last_error();
  std::cout << message << "\n";
  return status == FLX_ERROR_NAME && message.find("no_such_operator") != std::string::npos ? 0 : 1;
}
