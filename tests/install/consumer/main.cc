// SPDX-License-Identifier: Apache-2.0
// The installed headers in C++, and the errors of the library: a missing operator is a status and a message, not an exception.
#include <flexor/c_api.h>

#include <iostream>
#include <string>

int main() {
  flx_entry entry = nullptr;
  flx_status status = flx_registry_find("operator", "no_such_operator", &entry);
  std::string message = flx_last_error();
  std::cout << message << "\n";
  return status == FLX_ERROR_NAME && message.find("no_such_operator") != std::string::npos ? 0 : 1;
}
