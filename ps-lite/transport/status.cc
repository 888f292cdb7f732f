// SPDX-License-Identifier: Apache-2.0
#include "ps/node.h"
#include "transport/address.h"
#include "transport/links_internal.h"
#include "transport/setup.h"
#include "transport/zmq.h"

namespace ps {

std::string AskStatus(const std::string& address, const Settings& given, int64_t timeout_ms) {
  Settings settings = given;
  settings.role = Role::kWorker;
  settings.servers = 1;
  net::SplitAddress(address, settings.root_host, settings.root_port);
  Setup setup = Prepare(settings);
  net::Context context(1);
  net::Socket socket(context, ZMQ_DEALER);
  socket.set(ZMQ_LINGER, 0);
  socket.set(ZMQ_RECONNECT_IVL, -1);
  socket.set(ZMQ_HANDSHAKE_IVL, int(setup.links.handshake_ms));
  socket.set(ZMQ_MAXMSGSIZE, int64_t(16) << 20);
  if (setup.links.keys.set()) {
    socket.set(ZMQ_CURVE_SERVERKEY, net::Bytes(setup.scheduler_key));
    socket.set(ZMQ_CURVE_PUBLICKEY, net::Bytes(setup.links.keys.public_key));
    socket.set(ZMQ_CURVE_SECRETKEY, net::Bytes(setup.links.keys.secret_key));
  }
  net::Monitor monitor(context, socket);
  if (zmq_connect(socket.get(), ("tcp://" + setup.node.scheduler).c_str()) != 0) net::ZmqFailed(address + " cannot be reached");
  socket.send(net::Frame(net::kStatus), false);
  std::string text;
  Status wrong{Code::kTimeout, "[ps] " + address + " did not answer within " + std::to_string(timeout_ms) + " ms"};
  for (int64_t end = net::NowMs() + timeout_ms; net::NowMs() < end;) {
    zmq_pollitem_t items[2] = {{socket.get(), 0, ZMQ_POLLIN, 0}, {monitor.get(), 0, ZMQ_POLLIN, 0}};
    zmq_poll(items, 2, 50);
    net::Frame answer;
    if (socket.receive(answer)) {
      text = std::string(answer.view());
      wrong = {};
      break;
    }
    bool over = false;
    for (net::SocketEvent e; monitor.receive(e);) {
      if (e.kind == ZMQ_EVENT_CLOSED) wrong = {Code::kNetwork, "[ps] nobody listens at " + address};
      else if (e.kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) wrong = {Code::kRefused, "[ps] " + address + " refused this key: it is not in the scheduler's list"};
      else if (e.kind == ZMQ_EVENT_DISCONNECTED || e.kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL || e.kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        wrong = {Code::kRefused, "[ps] " + address + " ended the connection: is it a node of Flexor's, and is the key the scheduler's?"};
      else continue;
      over = true;
    }
    if (over) break;
  }
  monitor.stop(socket);
  if (!wrong.ok()) throw Error(wrong.code, wrong.text);
  return text;
}

}  // namespace ps
