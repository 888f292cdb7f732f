// SPDX-License-Identifier: Apache-2.0
// ZeroMQ's context, sockets and frames as C++ values. Used by one thread, the network thread; only a frame's release may come from another.
#pragma once
#include <zmq.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace ps::net {

[[noreturn]] void ZmqFailed(const std::string& what);  // throws Error with what ZeroMQ says

// One frame. Moving it moves the bytes' owner, never the bytes.
class Frame {
 public:
  Frame() { zmq_msg_init(&m_); }
  explicit Frame(std::string_view copied);
  // No copy: `release(hint)` is called once, from any thread, when nobody needs the bytes any more (also if this throws).
  Frame(const void* data, size_t size, void (*release)(void* data, void* hint), void* hint);
  Frame(Frame&& o) noexcept { zmq_msg_init(&m_); zmq_msg_move(&m_, &o.m_); }
  Frame& operator=(Frame&& o) noexcept { zmq_msg_move(&m_, &o.m_); return *this; }
  ~Frame() { zmq_msg_close(&m_); }
  std::string_view view() const { return {static_cast<const char*>(zmq_msg_data(&m_)), zmq_msg_size(&m_)}; }
  size_t size() const { return zmq_msg_size(&m_); }
  bool more() const { return zmq_msg_more(&m_) != 0; }
  int source_fd() const { return zmq_msg_get(&m_, ZMQ_SRCFD); }
  std::string user() const;  // what the ZAP handler answered for this frame's connection
  zmq_msg_t* msg() { return &m_; }

 private:
  mutable zmq_msg_t m_;
};

class Context {
 public:
  explicit Context(int io_threads);
  ~Context();  // waits for what lingers
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  void* get() const { return ctx_; }
  void leak() { ctx_ = nullptr; }  // in a forked child: the threads are the parent's

 private:
  void* ctx_;
};

class Socket {
 public:
  Socket() = default;
  Socket(Context& context, int type);
  Socket(Socket&& o) noexcept : s_(std::exchange(o.s_, nullptr)) {}
  Socket& operator=(Socket&& o) noexcept { std::swap(s_, o.s_); return *this; }
  ~Socket() { close(); }
  void close() { if (s_) zmq_close(std::exchange(s_, nullptr)); }
  void leak() { s_ = nullptr; }
  explicit operator bool() const { return s_ != nullptr; }
  void* get() const { return s_; }
  void set(int option, int value);
  void set(int option, int64_t value);
  void set(int option, std::string_view bytes);
  std::string text(int option) const;
  bool receive(Frame& frame);           // false: nothing there
  bool send(Frame&& frame, bool more);  // false: nobody there, or no room; the frame is then let go of
  // The rest of a message that is not wanted; how many frames it had.
  int drop_rest(const std::function<void(size_t bytes)>& each);

 private:
  void* s_ = nullptr;
};

// What a socket's monitor says.
struct SocketEvent { uint16_t kind; int32_t value; };
class Monitor {
 public:
  Monitor() = default;
  Monitor(Context& context, Socket& of);
  bool receive(SocketEvent& event);  // false: nothing there
  void stop(Socket& of);             // before `of` is closed: its events would block ZeroMQ's thread when nobody is there to take them
  void* get() const { return pair_.get(); }
  void leak() { pair_.leak(); }

 private:
  Socket pair_;
};

}  // namespace ps::net
