// SPDX-License-Identifier: Apache-2.0
#include "transport/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <cstring>

#include "ps/exception.h"

namespace ps::net {
namespace {
constexpr char kHex[] = "0123456789abcdef";
int Digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

[[noreturn]] void Fail(Code code, const std::string& text) { throw Error(code, "[keys] " + text); }

class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (fd_ < 0) Fail(Code::kFile, path + ": " + std::strerror(errno));
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string ReadAll(int fd, const std::string& path, size_t most) {
  std::string text(most + 1, '\0');
  size_t have = 0;
  while (have < text.size()) {
    ssize_t n = read(fd, &text[have], text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) Fail(Code::kFile, path + ": " + std::strerror(errno));
    if (n == 0) break;
    have += size_t(n);
  }
  if (have > most) Fail(Code::kFile, path + " has more than " + std::to_string(most) + " bytes, so it is not what was expected here");
  text.resize(have);
  return text;
}

std::string_view Word(std::string_view& line) {
  size_t begin = line.find_first_not_of(" \t\r");
  if (begin == line.npos) return line = {};
  line.remove_prefix(begin);
  size_t end = std::min(line.find_first_of(" \t\r"), line.size());
  std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}
// body(number, first word, rest) for each line that says something
template <class F> void Lines(std::string_view text, F&& body) {
  for (int number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::string_view first = Word(line);
    if (!first.empty() && first[0] != '#') body(number, first, line);
  }
}
}  // namespace

KeyPair MakeKeyPair() {
  char z85_public[41], z85_secret[41];
  KeyPair pair;
  if (zmq_curve_keypair(z85_public, z85_secret) != 0 || !zmq_z85_decode(pair.public_key.data(), z85_public) || !zmq_z85_decode(pair.secret_key.data(), z85_secret))
    Fail(Code::kUnsupported, "this machine's ZeroMQ was built without CURVE, so it has no keys. Install Debian's libzmq5");
  return pair;
}

Key PublicOf(const Key& secret) {
  char z85[41], z85_public[41];
  Key key;
  if (!zmq_z85_encode(z85, secret.data(), secret.size()) || zmq_curve_public(z85_public, z85) != 0 || !zmq_z85_decode(key.data(), z85_public))
    Fail(Code::kUnsupported, "this machine's ZeroMQ was built without CURVE, so it has no keys. Install Debian's libzmq5");
  return key;
}

std::string KeyText(const Key& key) {
  std::string text;
  for (uint8_t byte : key) (text += kHex[byte >> 4]) += kHex[byte & 15];
  return text;
}

Key ParseKey(std::string_view text, std::string_view what) {
  Key key{};
  bool good = false;
  if (text.size() == 64) {
    good = true;
    for (size_t i = 0; i < 32; ++i) {
      int high = Digit(text[2 * i]), low = Digit(text[2 * i + 1]);
      good = good && high >= 0 && low >= 0;
      key[i] = uint8_t((uint32_t(high) << 4 | uint32_t(low)) & 255);
    }
  } else if (text.size() == 40) {
    good = zmq_z85_decode(key.data(), std::string(text).c_str()) != nullptr;
  }
  // The text may be a secret: it is not repeated.
  if (!good || key == Key{})
    Fail(Code::kArgument, std::string(what) + ": a key of 64 hexadecimal digits (or 40 characters of Z85) was expected, " + std::to_string(text.size()) + " characters were given. tools/ps-keygen makes keys");
  return key;
}

std::string ReadSmallFile(const std::string& path, size_t most) { return ReadAll(File(path, O_RDONLY).fd(), path, most); }

KeyFile ReadKeyFile(const std::string& path) {
  File file(path, O_RDONLY);
  struct stat about;
  if (fstat(file.fd(), &about) != 0) Fail(Code::kFile, path + ": " + std::strerror(errno));
  if (!S_ISREG(about.st_mode)) Fail(Code::kFile, path + " is no regular file");
  if (about.st_mode & 077) Fail(Code::kRefused, path + " holds a secret key and others may read it: chmod 600 " + path);
  KeyFile keys;
  std::string text = ReadAll(file.fd(), path, 4096);
  Lines(text, [&](int number, std::string_view name, std::string_view rest) {
    std::string where = path + " line " + std::to_string(number);
    Key* to = name == "public" ? &keys.own.public_key : name == "secret" ? &keys.own.secret_key : name == "scheduler" ? &keys.scheduler : nullptr;
    if (!to) Fail(Code::kArgument, where + ": `public`, `secret` or `scheduler` was expected");
    *to = ParseKey(Word(rest), where);
  });
  if (!keys.own.set()) Fail(Code::kArgument, path + ": there is no line `secret <key>`");
  Key fitting = PublicOf(keys.own.secret_key);
  if (keys.own.public_key != Key{} && keys.own.public_key != fitting) Fail(Code::kArgument, path + ": the public key is not the secret key's");
  keys.own.public_key = fitting;
  return keys;
}

void WriteKeyFile(const std::string& path, const KeyFile& keys) {
  std::string text = "# A secret key: whoever reads it can take this node's place.\npublic " + KeyText(keys.own.public_key) + "\nsecret " + KeyText(keys.own.secret_key) + "\n";
  if (keys.scheduler != Key{}) text += "scheduler " + KeyText(keys.scheduler) + "\n";
  WriteSmallFile(path, text, 0600);
}

void WriteSmallFile(const std::string& path, std::string_view text, unsigned mode) {
  File file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  for (size_t done = 0; done < text.size();) {
    ssize_t n = write(file.fd(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) Fail(Code::kFile, path + ": " + std::strerror(errno));
    done += size_t(n);
  }
}

AllowList ParseAllowList(std::string_view text, std::string_view what) {
  AllowList list;
  Lines(text, [&](int number, std::string_view name, std::string_view rest) {
    std::string where = std::string(what) + " line " + std::to_string(number);
    Role role = name == "worker" ? Role::kWorker : name == "server" ? Role::kServer : name == "scheduler" ? Role::kScheduler : Role::kNone;
    if (role == Role::kNone) Fail(Code::kArgument, where + ": `worker`, `server` or `scheduler` and a public key were expected, `" + std::string(name) + "` was given");
    std::vector<Role>& roles = list[ParseKey(Word(rest), where)];
    for (Role other : roles)
      if (other == role) Fail(Code::kArgument, where + ": this key is in the list already; each node has a key of its own");
    roles.push_back(role);
  });
  return list;
}

}  // namespace ps::net
