// SPDX-License-Identifier: Apache-2.0
// The installed headers in C++: an error of the library is a status and a message, in the C++ API an exception; generated functions are installed too.
#include <flexor/flexor.hpp>
#include <flexor/nn.hpp>
#include <flexor/op.hpp>

#include <iostream>
#include <string>

int main() {
  flx_entry entry = nullptr;
  flx_status status = flx_registry_find("operator", "no_such_operator", &entry);
  std::string message = flx_last_error();
  std::cout << message << "\n";
  if (status != FLX_ERROR_NAME || message.find("no_such_operator") == std::string::npos) return 1;

  flexor::NDArray y = flexor::op::relu(flexor::array({-1, 2})) + 1;
  std::cout << y << "\n";
  if (y.to_vector<float>() != std::vector<float>{1, 3}) return 1;
  flexor::Layer net = flexor::nn::Sequential{flexor::nn::Flatten(), flexor::nn::Dense(2)};
  if (net.child_count() != 2) return 1;
  try {
    y.dot(flexor::ones({3, 3}));
  } catch (const flexor::ShapeError& e) {
    std::cout << e.what() << "\n";
#ifdef _GLIBCXX_USE_CXX11_ABI
    std::cout << "C++ ABI: " << _GLIBCXX_USE_CXX11_ABI << "\n";  // install_test.sh looks for it
#endif
    return 0;
  }
  return 1;
}
