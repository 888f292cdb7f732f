// SPDX-License-Identifier: Apache-2.0
#include "echo.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <cstring>
#include <vector>

namespace bench {

Child::Child(const std::function<void(int)>& body) {
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    body(ends[1]);
    _exit(0);
  }
  close(ends[1]);
  from_ = ends[0];
}
Child::~Child() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (from_ >= 0) close(from_);
}
std::string Child::hear() {
  std::string line;
  for (char c; read(from_, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

namespace {
void Say(int to, const std::string& line) {
  std::string all = line + "\n";
  if (write(to, all.data(), all.size()) < 0) _exit(1);
}

bool All(int fd, uint8_t* p, size_t size, bool out) {
  while (size > 0) {
    ssize_t n = out ? send(fd, p, size, MSG_NOSIGNAL) : recv(fd, p, size, 0);
    if (n <= 0) return false;
    p += n, size -= size_t(n);
  }
  return true;
}

class Tcp : public Echo {
 public:
  Tcp()
      : child_([](int to) {
          int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
          sockaddr_in at{};
          at.sin_family = AF_INET;
          at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
          socklen_t length = sizeof at;
          if (bind(listener, reinterpret_cast<sockaddr*>(&at), length) || listen(listener, 1) || getsockname(listener, reinterpret_cast<sockaddr*>(&at), &length)) return;
          Say(to, std::to_string(ntohs(at.sin_port)));
          int fd = accept(listener, nullptr, nullptr);
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          std::vector<uint8_t> bytes;
          for (uint64_t size; All(fd, reinterpret_cast<uint8_t*>(&size), sizeof size, false);) {
            bytes.resize(size);
            if (!All(fd, bytes.data(), size, false) || !All(fd, bytes.data(), size, true)) return;
          }
        }) {
    int one = 1;
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(uint16_t(std::stoi("0" + child_.hear())));
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    good_ = connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  ~Tcp() override { close(fd_); }
  bool turn(const uint8_t* send, uint8_t* take, size_t size) override {
    uint64_t head = size;
    return good_ && All(fd_, reinterpret_cast<uint8_t*>(&head), sizeof head, true) && All(fd_, const_cast<uint8_t*>(send), size, true) && All(fd_, take, size, false);
  }

 private:
  Child child_;
  int fd_ = -1;
  bool good_ = false;
};

class Zmq : public Echo {
 public:
  explicit Zmq(bool keys)
      : child_([keys](int to) {
          void *context = zmq_ctx_new(), *s = zmq_socket(context, ZMQ_ROUTER);
          char open[41] = "", secret[41] = "", at[256] = "";
          size_t length = sizeof at;
          int yes = 1;
          if (keys) {
            zmq_curve_keypair(open, secret);
            zmq_setsockopt(s, ZMQ_CURVE_SERVER, &yes, sizeof yes);
            zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, secret, 41);
          }
          if (zmq_bind(s, "tcp://127.0.0.1:*") != 0 || zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, at, &length) != 0) return;
          Say(to, at);
          Say(to, open);
          for (;;) {
            zmq_msg_t route, bytes;
            zmq_msg_init(&route), zmq_msg_init(&bytes);
            if (zmq_msg_recv(&route, s, 0) < 0 || zmq_msg_recv(&bytes, s, 0) < 0) return;
            zmq_msg_send(&route, s, ZMQ_SNDMORE);
            zmq_msg_send(&bytes, s, 0);
          }
        }),
        context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_DEALER)) {
    std::string at = child_.hear(), server = child_.hear();
    int none = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
    if (keys) {
      char open[41], secret[41];
      zmq_curve_keypair(open, secret);
      zmq_setsockopt(socket_, ZMQ_CURVE_SERVERKEY, server.c_str(), 41);
      zmq_setsockopt(socket_, ZMQ_CURVE_PUBLICKEY, open, 41);
      zmq_setsockopt(socket_, ZMQ_CURVE_SECRETKEY, secret, 41);
    }
    good_ = zmq_connect(socket_, at.c_str()) == 0;
  }
  ~Zmq() override {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  bool turn(const uint8_t* send, uint8_t* take, size_t size) override {
    zmq_msg_t out, in;
    zmq_msg_init_data(&out, const_cast<uint8_t*>(send), size, [](void*, void*) {}, nullptr);
    zmq_msg_init(&in);
    bool good = good_ && zmq_msg_send(&out, socket_, 0) >= 0 && zmq_msg_recv(&in, socket_, 0) >= 0 && zmq_msg_size(&in) == size;
    if (good) std::memcpy(take, zmq_msg_data(&in), size);
    zmq_msg_close(&in);
    return good;
  }

 private:
  Child child_;
  void *context_, *socket_;
  bool good_ = false;
};
}  // namespace

std::unique_ptr<Echo> TcpEcho() { return std::make_unique<Tcp>(); }
std::unique_ptr<Echo> ZmqEcho(bool keys) { return std::make_unique<Zmq>(keys); }

}  // namespace bench
