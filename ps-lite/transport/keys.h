// SPDX-License-Identifier: Apache-2.0
// CURVE keys: pairs, their text, the files they stand in, and the scheduler's list of who may take part in which role.
//   A key file holds lines `public <key>`, `secret <key>`, `scheduler <public key>`; only its owner may read it. An allow list holds lines `<role> <public key> [name]`, one for each role of a key.
//   A key's text is 64 hexadecimal digits, safe in any shell or file; ZeroMQ's 40 characters of Z85 are read, too. Lines that begin with # are comments.
#pragma once
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ps/types.h"

namespace ps::net {

using Key = std::array<uint8_t, 32>;

struct KeyPair {
  Key public_key{}, secret_key{};  // all zero: none
  bool set() const { return secret_key != Key{}; }
};
struct KeyFile {
  KeyPair own;
  Key scheduler{};  // whom to trust with views; a scheduler's own
};
using AllowList = std::map<Key, std::vector<Role>>;

KeyPair MakeKeyPair();
Key PublicOf(const Key& secret);
std::string KeyText(const Key& key);
Key ParseKey(std::string_view text, std::string_view what);  // `what` names the setting or file in the error
KeyFile ReadKeyFile(const std::string& path);                    // refused if others may read it, or if the public key is not the secret one's
void WriteKeyFile(const std::string& path, const KeyFile& keys); // a new file, 0600
AllowList ParseAllowList(std::string_view text, std::string_view what);
void WriteSmallFile(const std::string& path, std::string_view text, unsigned mode);  // a new file
std::string ReadSmallFile(const std::string& path, size_t most = 1 << 20);

}  // namespace ps::net
