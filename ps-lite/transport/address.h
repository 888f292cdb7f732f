// SPDX-License-Identifier: Apache-2.0
// Which address a node binds, and under which the others reach it: names and interfaces become numbers here, before anything is opened.
#pragma once
#include <string>

namespace ps::net {

std::string Resolve(const std::string& host);              // "127.0.0.1", or "[::1]" for IPv6; throws Error naming the host
std::string InterfaceAddress(const std::string& name);     // throws Error that lists the interfaces there are
std::string AddressTowards(const std::string& address);    // this machine's own on the way to it (a number of Resolve's)
// host:port, "tcp://host:port" or "[host]:port"; throws Error
void SplitAddress(const std::string& address, std::string& host, int& port);

}  // namespace ps::net
