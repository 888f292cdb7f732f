// SPDX-License-Identifier: Apache-2.0
#include "transport/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "ps/exception.h"

namespace ps::net {
namespace {
std::string Number(const sockaddr* at) {
  char text[INET6_ADDRSTRLEN] = "";
  if (at->sa_family == AF_INET) inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(at)->sin_addr, text, sizeof text);
  else if (at->sa_family == AF_INET6) inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(at)->sin6_addr, text, sizeof text);
  return at->sa_family == AF_INET6 ? "[" + std::string(text) + "]" : text;
}
using Infos = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;
Infos Look(std::string host, int flags) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  int wrong = getaddrinfo(host.c_str(), "1", &hints, &found);
  if (wrong) throw Error(Code::kNetwork, "[ps] the host `" + host + "` has no address: " + gai_strerror(wrong) + ". Check the name (DMLC_PS_ROOT_URI, DMLC_NODE_HOST), or give the number");
  return Infos(found, freeaddrinfo);
}
}  // namespace

std::string Resolve(const std::string& host) {
  Infos found = Look(host, 0);
  for (addrinfo* i = found.get(); i; i = i->ai_next)
    if (i->ai_family == AF_INET) return Number(i->ai_addr);
  return Number(found->ai_addr);
}

std::string InterfaceAddress(const std::string& name) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) throw Error(Code::kNetwork, std::string("[ps] this machine's interfaces cannot be listed: ") + std::strerror(errno));
  std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(all, freeifaddrs);
  std::string others, six;
  for (ifaddrs* i = all; i; i = i->ifa_next) {
    if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6)) continue;
    bool four = i->ifa_addr->sa_family == AF_INET;
    if (name == i->ifa_name && four) return Number(i->ifa_addr);
    if (name == i->ifa_name && six.empty()) six = Number(i->ifa_addr);
    if (four) others += (others.empty() ? "" : ", ") + std::string(i->ifa_name);
  }
  if (!six.empty()) return six;
  throw Error(Code::kArgument, "[ps] there is no interface `" + name + "` with an address here (DMLC_INTERFACE); there are: " + others);
}

std::string AddressTowards(const std::string& address) {
  Infos found = Look(address, AI_NUMERICHOST);
  int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  // Nothing is sent: the system only chooses the way.
  bool good = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 && getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
  int why = errno;
  if (fd >= 0) close(fd);
  if (!good) throw Error(Code::kNetwork, "[ps] there is no way from here to " + address + ": " + std::strerror(why));
  return Number(reinterpret_cast<sockaddr*>(&own));
}

void SplitAddress(const std::string& address, std::string& host, int& port) {
  std::string rest = address.rfind("tcp://", 0) == 0 ? address.substr(6) : address;
  size_t colon = rest.rfind(':');
  bool good = colon != rest.npos && colon > 0;
  if (good) {
    auto [end, wrong] = std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port);
    good = wrong == std::errc() && end == rest.data() + rest.size() && port > 0 && port < 65536;
  }
  if (!good) throw Error(Code::kArgument, "[ps] an address host:port was expected, `" + address + "` was given");
  host = rest.substr(0, colon);
}

}  // namespace ps::net
