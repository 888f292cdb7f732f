// SPDX-License-Identifier: Apache-2.0
#include "transport/zmq.h"

#include <atomic>
#include <cerrno>
#include <cstring>

#include "ps/exception.h"

namespace ps::net {

void ZmqFailed(const std::string& what) { throw Error(Code::kNetwork, "[ps] " + what + ": " + zmq_strerror(zmq_errno())); }

Frame::Frame(std::string_view copied) {
  if (zmq_msg_init_size(&m_, copied.size()) != 0) throw Error(Code::kMemory, "[ps] no memory for a message of " + std::to_string(copied.size()) + " bytes");
  if (!copied.empty()) std::memcpy(zmq_msg_data(&m_), copied.data(), copied.size());
}
Frame::Frame(const void* data, size_t size, void (*release)(void*, void*), void* hint) {
  if (zmq_msg_init_data(&m_, const_cast<void*>(data), size, release, hint) == 0) return;
  release(const_cast<void*>(data), hint);
  throw Error(Code::kMemory, "[ps] no memory for a message");
}
std::string Frame::user() const {
  const char* user = zmq_msg_gets(&m_, "User-Id");
  return user ? user : "";
}

// Libraries that ZeroMQ begins with its first context and ends with its last (libpgm) do not bear that in two threads at once: one context stays for ever. It has no
// threads, since it never has a socket.
static void* NewContext() {
  static void* volatile kept = zmq_ctx_new();  // volatile: stays where leak checkers look, though nobody reads it
  (void)kept;
  return zmq_ctx_new();
}

Context::Context(int io_threads) : ctx_(NewContext()) {
  if (!ctx_) ZmqFailed("ZeroMQ does not start");
  zmq_ctx_set(ctx_, ZMQ_IO_THREADS, io_threads);
  zmq_ctx_set(ctx_, ZMQ_MAX_SOCKETS, 65535);
}
Context::~Context() {
  if (!ctx_) return;
  while (zmq_ctx_term(ctx_) != 0 && zmq_errno() == EINTR) {}
}

Socket::Socket(Context& context, int type) : s_(zmq_socket(context.get(), type)) {
  if (!s_) ZmqFailed("no socket");
}
void Socket::set(int option, int value) {
  if (zmq_setsockopt(s_, option, &value, sizeof value) != 0) ZmqFailed("socket option " + std::to_string(option));
}
void Socket::set(int option, int64_t value) {
  if (zmq_setsockopt(s_, option, &value, sizeof value) != 0) ZmqFailed("socket option " + std::to_string(option));
}
void Socket::set(int option, std::string_view bytes) {
  if (zmq_setsockopt(s_, option, bytes.data(), bytes.size()) != 0) ZmqFailed("socket option " + std::to_string(option));
}
std::string Socket::text(int option) const {
  char value[512];
  size_t size = sizeof value;
  if (zmq_getsockopt(s_, option, value, &size) != 0) ZmqFailed("socket option " + std::to_string(option));
  return std::string(value, size > 0 ? size - 1 : 0);
}
bool Socket::receive(Frame& frame) {
  int n;
  do n = zmq_msg_recv(frame.msg(), s_, ZMQ_DONTWAIT);
  while (n < 0 && zmq_errno() == EINTR);
  return n >= 0;
}
bool Socket::send(Frame&& frame, bool more) {
  int n;
  do n = zmq_msg_send(frame.msg(), s_, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
  while (n < 0 && zmq_errno() == EINTR);
  if (n < 0) Frame(std::move(frame));  // let go of it now
  return n >= 0;
}
int Socket::drop_rest(const std::function<void(size_t bytes)>& each) {
  int count = 0;
  for (Frame frame; receive(frame);) {
    ++count;
    each(frame.size());
    if (!frame.more()) break;
  }
  return count;
}

Monitor::Monitor(Context& context, Socket& of) {
  static std::atomic<uint64_t> next{0};
  std::string at = "inproc://flexor.monitor." + std::to_string(next++);
  if (zmq_socket_monitor(of.get(), at.c_str(), ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                                                   ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_LISTENING) != 0)
    ZmqFailed("no monitor");
  pair_ = Socket(context, ZMQ_PAIR);
  pair_.set(ZMQ_LINGER, 0);
  pair_.set(ZMQ_RCVHWM, 0);
  if (zmq_connect(pair_.get(), at.c_str()) != 0) ZmqFailed("no monitor");
}
void Monitor::stop(Socket& of) {
  if (pair_ && of) zmq_socket_monitor(of.get(), nullptr, 0);
  pair_.close();
}
bool Monitor::receive(SocketEvent& event) {
  Frame head, address;
  if (!pair_ || !pair_.receive(head)) return false;
  pair_.receive(address);
  std::string_view bytes = head.view();
  uint32_t value = 0;
  if (bytes.size() < 6) return false;
  std::memcpy(&event.kind, bytes.data(), 2);
  std::memcpy(&value, bytes.data() + 2, 4);
  event.value = int32_t(value);
  return true;
}

}  // namespace ps::net
