// SPDX-License-Identifier: Apache-2.0
// The virtual disk of one host: it outlives the process, unless the host is replaced. A crash in the middle of an append leaves a part of it; a file that is written
// whole is there in its old or its new form.
#pragma once
#include <map>
#include <string>

namespace ps::sim {

enum class CrashPoint : uint8_t { kBefore, kMiddle, kAfter };

struct Disk {
  std::map<std::string, std::string> files;
  bool full = false;
  bool crash_armed = false;
  CrashPoint crash = CrashPoint::kBefore;
  uint64_t writes = 0;
  void append(const std::string& name, const std::string& bytes, size_t kept) { files[name].append(bytes, 0, kept); }
};

}  // namespace ps::sim
