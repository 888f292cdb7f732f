// SPDX-License-Identifier: Apache-2.0
// Peers that do not keep to the rules.
#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "transport/address.h"
#include "transport/links_internal.h"

namespace ps::net {

// A plain TCP connection.
class RawTcp {
 public:
  explicit RawTcp(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    std::string host;
    int port = 0;
    SplitAddress(address, host, port);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(uint16_t(port));
    inet_pton(AF_INET, host.c_str(), &at.sin_addr);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fd_ = (close(fd_), -1);
    if (fd_ >= 0) fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  RawTcp(RawTcp&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  ~RawTcp() {
    if (fd_ >= 0) close(fd_);
  }
  // All of it, however long that takes; false: the other side has hung up.
  bool write_all(const std::string& bytes) {
    for (size_t done = 0; done < bytes.size();) {
      ssize_t n = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (n > 0) done += size_t(n);
      else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        pollfd p{fd_, POLLOUT, 0};
        poll(&p, 1, 100);
      } else return false;
    }
    return true;
  }
  bool read_some(size_t least) {  // waits for so many bytes
    char buffer[4096];
    while (least > 0) {
      pollfd p{fd_, POLLIN, 0};
      if (poll(&p, 1, 5000) <= 0) return false;
      ssize_t n = recv(fd_, buffer, std::min(least, sizeof buffer), 0);
      if (n <= 0) return false;
      least -= size_t(n);
    }
    return true;
  }
  inline bool shake_hands();  // as a DEALER without keys
  bool write(const std::string& bytes) { return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == ssize_t(bytes.size()); }
  bool ended() {  // the other side has hung up
    char buffer[4096];
    ssize_t n;
    while ((n = recv(fd_, buffer, sizeof buffer, 0)) > 0) {}
    return fd_ < 0 || n == 0 || (errno != EAGAIN && errno != EINTR);
  }

 private:
  int fd_;
};

// ZMTP 3's greeting without keys.
inline std::string ZmtpGreeting() {
  std::string g("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);
  g.resize(64, '\0');
  return g;
}

inline std::string ZmtpReady() { return std::string("\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06" "DEALER\x08Identity\x00\x00\x00\x00", 43); }
inline std::string ZmtpFrame(const std::string& body, bool more) {
  std::string size;
  for (int i = 7; i >= 0; --i) size += char(uint64_t(body.size()) >> (8 * i) & 255);
  return char(2 | int(more)) + size + body;
}

// What follows may be sent only when the other side's READY is here: a ROUTER's is as long as ours, less two letters' difference.
bool RawTcp::shake_hands() { return write_all(ZmtpGreeting() + ZmtpReady()) && read_some(64 + 2) && read_some(20); }

// Two DEALERs without keys, that send what they are told to.
class RawZmq {
 public:
  explicit RawZmq(const std::string& address) : context_(zmq_ctx_new()) {
    for (void*& s : sockets_) {
      s = zmq_socket(context_, ZMQ_DEALER);
      int none = 0;
      zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none);
      zmq_connect(s, ("tcp://" + address).c_str());
    }
  }
  ~RawZmq() {
    for (void* s : sockets_) zmq_close(s);
    zmq_ctx_term(context_);
  }
  void send(int socket, const std::vector<std::string>& frames) {
    for (size_t i = 0; i < frames.size(); ++i) zmq_send(sockets_[socket], frames[i].data(), frames[i].size(), i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
  }
  std::string receive(int socket) {  // empty: nothing is there
    char bytes[4096];
    int n = zmq_recv(sockets_[socket], bytes, sizeof bytes, ZMQ_DONTWAIT);
    return n < 0 ? "" : std::string(bytes, std::min(size_t(n), sizeof bytes));
  }
  void hello(int lane, const std::string& nonce) { send(lane, {std::string(kHello) + kVersion + char(lane) + nonce}); }

 private:
  void* context_;
  void* sockets_[2];
};

}  // namespace ps::net
