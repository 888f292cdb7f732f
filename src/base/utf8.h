// SPDX-License-Identifier: Apache-2.0
// Texts that come from outside: whether they are UTF-8, and as JSON.
#pragma once
#include <string>
#include <string_view>

namespace flx {

bool IsUtf8(std::string_view s);
std::string ToUtf8(std::string_view s);                         // what is no UTF-8 becomes U+FFFD
void AppendQuoted(std::string* s, std::string_view utf8);       // as a JSON string

}  // namespace flx
