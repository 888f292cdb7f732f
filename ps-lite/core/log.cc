// SPDX-License-Identifier: Apache-2.0
// The scheduler's log.
#include "core/checksum.h"
#include "core/scheduler.h"

namespace ps::core {
std::string LogRecord(const pb::ViewDelta& delta) {
  std::string body = delta.SerializeAsString(), s;
  Write32(s, uint32_t(body.size()));
  Write32(s, Checksum(reinterpret_cast<const uint8_t*>(body.data()), body.size()));
  return s + body;
}

bool ReadLog(const Buffer& log, View* view) {
  size_t at = 0;
  bool any = false;
  while (log.size() - at >= 8) {
    size_t size = Read32(log.data() + at);
    uint32_t sum = Read32(log.data() + at + 4);
    if (size > log.size() - at - 8 || Checksum(log.data() + at + 8, size) != sum) break;
    pb::ViewDelta delta;
    if (!delta.ParseFromArray(log.data() + at + 8, int(size)) || !view->Take(delta)) break;
    any = true;
    at += 8 + size;
  }
  return any;
}

}  // namespace ps::core
