// SPDX-License-Identifier: Apache-2.0
#include "transport/setup.h"

#include <unistd.h>

#include "transport/address.h"

namespace ps {
namespace {
[[noreturn]] void Wrong(const std::string& text) { throw Error(Code::kArgument, "[ps] " + text); }

// 16 bytes of a job's name: a guard against mistakes, not against attackers; those are the keys' matter.
std::string JobBytes(const std::string& name) {
  std::string bytes;
  for (uint64_t basis : {0xcbf29ce484222325u, 0x9e3779b97f4a7c15u}) {
    uint64_t h = basis;
    for (char c : name) h = (h ^ uint8_t(c)) * 0x100000001b3u;
    for (int i = 0; i < 8; ++i) bytes += char(h >> (8 * i) & 255);
  }
  return bytes;
}

std::string ThisHost() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

void ReadKeys(const Settings& s, Setup& setup) {
  net::KeyFile file;
  if (!s.key_file.empty()) file = net::ReadKeyFile(s.key_file);
  if (!s.key_secret.empty()) {
    file.own.secret_key = net::ParseKey(s.key_secret, "FLEXOR_PS_KEY");
    file.own.public_key = net::PublicOf(file.own.secret_key);
  }
  if (!s.scheduler_key.empty()) file.scheduler = net::ParseKey(s.scheduler_key, "FLEXOR_PS_SCHEDULER_KEY");
  setup.links.keys = file.own;
  setup.scheduler_key = file.scheduler;
  bool list = !s.allow_file.empty() || !s.allow_text.empty();
  if (!file.own.set()) {
    if (file.scheduler != net::Key{}) Wrong("the scheduler's key is given and none of this node's own: set FLEXOR_PS_KEY_FILE (tools/ps-keygen makes it)");
    if (list && s.role == Role::kScheduler) Wrong("FLEXOR_PS_ALLOW is given and no key of the scheduler's own: set FLEXOR_PS_KEY_FILE (tools/ps-keygen makes it)");
    return;
  }
  if (s.role == Role::kScheduler) {
    setup.scheduler_key = file.own.public_key;
    if (!list) Wrong("the scheduler has a key and no list of the keys that may take part: set FLEXOR_PS_ALLOW to a file of lines `<role> <public key> [name]`");
    std::string text = s.allow_text;
    if (!s.allow_file.empty()) text += "\n" + net::ReadSmallFile(s.allow_file);
    setup.allowed = net::ParseAllowList(text, s.allow_file.empty() ? "the list of keys" : s.allow_file);
  } else if (setup.scheduler_key == net::Key{}) {
    Wrong("this node has a key and does not know the scheduler's: its file wants a line `scheduler <public key>`, or set FLEXOR_PS_SCHEDULER_KEY");
  }
}

void ChooseAddresses(const Settings& s, Setup& setup) {
  if (s.root_port < 0 || s.root_port > 65535) Wrong("a port from 0 to 65535 was expected (DMLC_PS_ROOT_PORT), " + std::to_string(s.root_port) + " was given");
  std::string root = net::Resolve(s.root_host.empty() ? "127.0.0.1" : s.root_host);
  if (s.role == Role::kScheduler) {
    setup.links.bind = root;
    setup.links.port = s.root_port;
    return;
  }
  if (s.root_port == 0) Wrong("the scheduler's port is not known: set DMLC_PS_ROOT_PORT");
  setup.node.scheduler = root + ":" + std::to_string(s.root_port);
  net::NeedKeys(root, setup.links.keys);
  if (s.role == Role::kWorker) return;  // nobody opens a link to a worker
  if (!s.host.empty()) setup.links.bind = net::Resolve(s.host);
  else if (!s.interface.empty()) setup.links.bind = net::InterfaceAddress(s.interface);
  else setup.links.bind = net::IsLoopback(root) ? root : net::AddressTowards(root);
}
}  // namespace

Setup Prepare(const Settings& s) {
  Setup setup;
  if (s.role != Role::kScheduler && s.role != Role::kServer && s.role != Role::kWorker) Wrong("a role was expected: scheduler, server or worker (DMLC_ROLE)");
  if (s.role == Role::kScheduler && s.workers == 0) Wrong("a job has one worker at least (DMLC_NUM_WORKER)");
  if (s.slice_bytes < 4096 || s.slice_bytes > (64 << 20)) Wrong("slices have 4 KiB to 64 MiB (FLEXOR_PS_SLICE), " + std::to_string(s.slice_bytes) + " was given");
  if (s.timeout_ms <= 0 || s.rendezvous_ms <= 0 || s.beat_ms <= 0) Wrong("limits and heartbeats are longer than 0 ms");
  if (s.role == Role::kScheduler && s.resume && s.cut_prefix.empty()) Wrong("a job that is to begin from its last checkpoint (FLEXOR_PS_RESUME) must know where that is: set FLEXOR_PS_CHECKPOINT");
  ReadKeys(s, setup);
  ChooseAddresses(s, setup);
  setup.links.max_frame = int64_t(s.slice_bytes) + (64 << 10);
  setup.links.batch_bytes = s.batch_bytes;
  setup.links.io_threads = s.io_threads < 1 ? 1 : s.io_threads > 16 ? 16 : s.io_threads;
  core::NodeConfig& n = setup.node;
  n.role = s.role;
  n.rank = s.rank;
  n.job = JobBytes(s.job);
  n.host = ThisHost();
  n.pid = uint32_t(getpid());
  n.settings.mode = s.mode;
  n.settings.stale_bound = s.stale_bound;
  n.settings.aggregate = s.aggregate;
  n.settings.policy = s.policy;
  n.settings.replicas = s.replicas;
  n.settings.shards = s.shards;
  n.settings.slice_bytes = s.slice_bytes;
  n.settings.bigarray_bound = s.bigarray_bound;
  n.workers = s.workers;
  n.servers = s.servers;
  n.memory_bytes = s.memory_bytes;
  n.beat = s.beat_ms * kMillisecond;
  n.silence = 3 * n.beat;
  n.patience = s.patience_ms * kMillisecond;
  n.rendezvous = s.rendezvous_ms * kMillisecond;
  n.log = s.log_file;
  n.cut = s.cut_prefix;
  n.resume = s.resume;
  return setup;
}

}  // namespace ps
