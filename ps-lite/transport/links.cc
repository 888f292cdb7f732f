// SPDX-License-Identifier: Apache-2.0
// What both ends of links share: the sockets' settings, sending, waiting and deadlines.
#include "transport/links.h"

#include <time.h>

#include <algorithm>

#include "ps/exception.h"
#include "transport/links_internal.h"

namespace ps::net {

int64_t NowMs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "::1" || host == "[::1]" || (host.rfind("127.", 0) == 0 && host.find_first_not_of("0123456789.") == host.npos); }

void NeedKeys(const std::string& host, const KeyPair& keys) {
  if (keys.set() || IsLoopback(host)) return;
  throw Error(Code::kRefused, "[ps] a link through " + host + " leaves this machine, and that needs keys: make them with `tools/ps-keygen` (flexor-ps keygen), give each node its file in FLEXOR_PS_KEY_FILE "
                              "and the scheduler the list of who may take part in FLEXOR_PS_ALLOW; flexor-launch does all of it. On one machine, use 127.0.0.1");
}

Links::Links(const LinkSettings& settings) : settings_(settings) {
  if (!settings.bind.empty()) NeedKeys(settings.bind, settings.keys);
  context_ = std::make_unique<Context>(settings.io_threads);
  if (settings.bind.empty()) return;
  if (settings_.keys.set()) zap_ = std::make_unique<Zap>(*context_);
  router_ = Socket(*context_, ZMQ_ROUTER);
  common_options(router_);
  router_.set(ZMQ_ROUTER_MANDATORY, 1);
  router_.set(ZMQ_BACKLOG, 1024);
  if (settings_.keys.set()) {
    router_.set(ZMQ_CURVE_SERVER, 1);
    router_.set(ZMQ_CURVE_SECRETKEY, Bytes(settings_.keys.secret_key));
    router_.set(ZMQ_ZAP_DOMAIN, std::string_view(Zap::kDomain));
  }
  router_monitor_ = Monitor(*context_, router_);
  std::string host = settings_.bind == "localhost" ? "127.0.0.1" : settings_.bind;
  std::string want = "tcp://" + host + ":" + (settings_.port ? std::to_string(settings_.port) : "*");
  if (zmq_bind(router_.get(), want.c_str()) != 0) {
    int why = zmq_errno();
    router_monitor_.stop(router_);
    throw Error(Code::kNetwork, "[ps] " + host + " port " + std::to_string(settings_.port) + " cannot be bound: " + zmq_strerror(why) +
                                    (why == EADDRINUSE ? ". Another process has it: choose another port, or 0 for one that is free" : ". Is it an address of this machine?"));
  }
  address_ = router_.text(ZMQ_LAST_ENDPOINT).substr(sizeof "tcp://" - 1);
}

Links::~Links() {
  if (!context_) return;
  for (auto& [id, link] : opened_)
    for (Wire& w : link.wire) w.monitor.stop(w.socket);
  router_monitor_.stop(router_);
}

void Links::leak() {
  for (auto& [id, link] : opened_)
    for (Wire& w : link.wire) w.monitor.leak(), w.socket.leak();
  router_monitor_.leak();
  router_.leak();
  if (zap_) zap_->leak();
  if (context_) context_->leak();
}

void Links::common_options(Socket& s) {
  s.set(ZMQ_MAXMSGSIZE, settings_.max_frame);
  s.set(ZMQ_HANDSHAKE_IVL, int(settings_.handshake_ms));
  s.set(ZMQ_LINGER, 500);
  // The protocol's own queue bounds what is under way; ZeroMQ's must never refuse or drop. What a peer may pile up here before it is read is bounded.
  s.set(ZMQ_SNDHWM, 0);
  s.set(ZMQ_RCVHWM, kMostWaiting);
  if (settings_.bind.find(':') != std::string::npos) s.set(ZMQ_IPV6, 1);
}

bool Links::transmit(LinkId id, Lane lane, Frame&& envelope, Frame&& payload) {
  uint64_t bytes = envelope.size() + payload.size();
  bool gone = true;
  if (IsOpened(id)) {
    auto it = opened_.find(id);
    if (it != opened_.end() && it->second.up) {
      Socket& s = it->second.wire[int(lane)].socket;
      gone = !s.send(std::move(envelope), true) || !s.send(std::move(payload), false);
    }
  } else {
    auto it = joined_.find(id);
    if (it != joined_.end()) gone = !router_.send(Frame(it->second.route[int(lane)]), true) || !router_.send(std::move(envelope), true) || !router_.send(std::move(payload), false);
  }
  if (!gone) counters_.sent_bytes += bytes;
  return !gone;
}

bool Links::send(LinkId id, Lane lane, Frame&& envelope, Frame&& payload) {
  if (lane == Lane::kExpress) flush(id);  // a lane keeps its order
  if (!transmit(id, lane, std::move(envelope), std::move(payload))) return ++counters_.dropped_sends, false;
  ++counters_.sent_messages;
  return true;
}

Batch* Links::batch_of(LinkId id) {
  if (!IsOpened(id)) {
    auto it = joined_.find(id);
    return it == joined_.end() ? nullptr : &it->second.batch;
  }
  auto it = opened_.find(id);
  return it == opened_.end() || !it->second.up ? nullptr : &it->second.batch;
}

bool Links::post(LinkId id, Lane lane, std::string_view envelope, std::string_view payload) {
  size_t bytes = envelope.size() + payload.size();
  if (lane != Lane::kExpress || bytes >= settings_.batch_bytes || bytes > kBatchBytes) return send(id, lane, Frame(envelope), Frame(payload));
  Batch* batch = batch_of(id);
  if (!batch) return ++counters_.dropped_sends, false;
  if (!batch->fits(bytes)) flush(id);
  if (batch->count() == 0) batched_.push_back(id);
  batch->add(envelope, payload);
  return true;
}

void Links::flush() {
  for (LinkId id : batched_) flush(id);
  batched_.clear();
}
bool Links::flush(LinkId id) {
  Batch* batch = batch_of(id);
  if (!batch || batch->count() == 0) return true;
  size_t count = batch->count();
  std::string_view body = batch->body();
  bool alone = count == 1;  // nothing to go with: an ordinary message
  bool sent = false;
  try {
    sent = alone ? transmit(id, Lane::kExpress, Frame(body.substr(0, batch->first_envelope())), Frame(body.substr(batch->first_envelope())))
                 : transmit(id, Lane::kExpress, Frame(batch->index()), Frame(body));
  } catch (const Error&) {}  // no memory
  batch->clear();
  if (!sent) return counters_.dropped_sends += count, false;
  counters_.sent_messages += count;
  if (!alone) ++counters_.sent_batches, counters_.sent_in_batches += count;
  return true;
}

void Links::message(LinkId id, Lane lane, Frame&& envelope, Frame&& payload, std::vector<LinkEvent>& events) {
  LinkEvent event(LinkEvent::kMessage, id);
  if (IsBatch(envelope.view())) {
    BatchReader batch(envelope.view(), payload.view());
    if (lane != Lane::kExpress || !batch.good(size_t(settings_.max_envelope))) return void(++counters_.dropped_batches);
    counters_.received_messages += batch.count();
    ++counters_.received_batches;
    event.kind = LinkEvent::kBatch;
  } else {
    if (int64_t(envelope.size()) > settings_.max_envelope) return void(++counters_.dropped_size);
    ++counters_.received_messages;
  }
  counters_.received_bytes += envelope.size() + payload.size();
  event.lane = lane;
  event.envelope = std::move(envelope);
  event.payload = std::move(payload);
  events.push_back(std::move(event));
}

void Links::poll(int wake, int64_t timeout_ms, std::vector<LinkEvent>& events) {
  flush();
  items_.clear();
  item_links_.clear();
  items_.push_back({nullptr, wake, ZMQ_POLLIN, 0});
  if (router_) {
    items_.push_back({router_monitor_.get(), 0, ZMQ_POLLIN, 0});
    items_.push_back({router_.get(), 0, ZMQ_POLLIN, 0});
  }
  if (zap_) items_.push_back({zap_->get(), 0, ZMQ_POLLIN, 0});
  size_t first = items_.size();
  for (auto& [id, link] : opened_) {
    for (Wire& w : link.wire) {
      items_.push_back({w.monitor.get(), 0, ZMQ_POLLIN, 0});
      items_.push_back({w.socket.get(), 0, short(held_back(link, w) ? 0 : ZMQ_POLLIN), 0});
    }
    item_links_.push_back(id);
  }
  const bool any = !connections_.empty() || !opened_.empty();
  const int64_t pace = timed_ ? kWatchMs : kMeterMs;
  if (any) timeout_ms = timeout_ms < 0 ? pace : std::min(timeout_ms, pace);
  int n = zmq_poll(items_.data(), int(items_.size()), long(timeout_ms));
  if (n > 0) {
    if (zap_ && items_[3].revents) {
      zap_->answer();
      counters_.strangers = zap_->refused();
    }
    if (router_ && items_[2].revents) read_router(events);
    if (router_ && items_[1].revents) read_router_monitor();
    bury(events);
    for (size_t i = 0; i < item_links_.size(); ++i) {
      bool any = false;
      for (size_t k = 0; k < 4; ++k) any = any || items_[first + 4 * i + k].revents;
      if (!any) continue;
      auto it = opened_.find(item_links_[i]);
      if (it != opened_.end()) read_opened(it->first, it->second, events);
    }
  }
  if (any && NowMs() - last_watch_ >= pace) watch(events);
}

// Deadlines, and messages without end.
void Links::watch(std::vector<LinkEvent>& events) {
  last_watch_ = NowMs();
  timed_ = false;
  watch_opened(last_watch_, events);
  watch_accepted(last_watch_, events);
}

}  // namespace ps::net
