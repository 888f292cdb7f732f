// SPDX-License-Identifier: Apache-2.0
// What the two ends of a link agree on.
#pragma once
#include <string_view>

#include "transport/keys.h"

namespace ps::net {

// hello: kHello, version, lane, 16 random bytes; it is answered by ready, or by kOther and a version if that is another. ready and close: the word alone.
constexpr std::string_view kHello = "flexor-hello", kReady = "flexor-ready", kClose = "flexor-close", kStatus = "flexor-status", kOther = "flexor-version";
constexpr char kVersion = 1;
constexpr size_t kNonce = 16, kHelloSize = kHello.size() + 2 + kNonce;
constexpr int64_t kWatchMs = 20;    // how often deadlines are looked at while there are any
constexpr int64_t kMeterMs = 100;   // how often it is looked at what waits, while there are connections
constexpr int kMostWaiting = 64;    // messages of one connection that ZeroMQ holds for us; then TCP holds its peer
constexpr uint64_t kSlack = 1 << 20;  // ZeroMQ reads in pieces
constexpr uint64_t kEarly = 64 << 10;  // bytes that may come from who has not been joined to a link yet
constexpr int64_t kCloseMs = 500;   // a peer that was told to close has that long
constexpr int64_t kOpenFactor = 2;  // connecting and the handshake, each its limit
constexpr size_t kMostStrangers = 384;  // connections that belong to no link yet; descriptors are few (1,024, as a rule)
constexpr int kTurn = 64;           // messages read from a socket before the others have their turn

int64_t NowMs();
inline std::string_view Bytes(const Key& key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }

}  // namespace ps::net
