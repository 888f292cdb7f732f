// SPDX-License-Identifier: Apache-2.0
// Modules that are odd in one way each, by FLX_ODD: what they lack, and the table of a kind that this machine has no device of.
#include <cstring>

#include "device/device_table.h"

namespace {
enum Odd { kNoDevice = 0, kOtherVersion, kRefuses, kShort, kNoEvents };
constexpr Odd kOdd = Odd(FLX_ODD);
template <class... A> void Fails(int32_t (**entry)(A...)) { *entry = [](A...) { return int32_t(FLX_DEVICE_ERROR); }; }
const flx_device_table* Table() {
  static flx_device_table t = {};
  t.size = kOdd == kShort ? 64 : sizeof t;
  t.version = kOdd == kOtherVersion ? FLX_DEVICE_TABLE_VERSION + 1 : FLX_DEVICE_TABLE_VERSION;
  t.kind = "odd";
  t.count = [] { return int32_t(0); };
  t.last_error = [] { return "the driver sleeps"; };
  Fails(&t.properties);
  Fails(&t.alloc), Fails(&t.free);
  Fails(&t.queue_create), Fails(&t.queue_destroy);
  Fails(&t.copy), Fails(&t.fill);
  if (kOdd != kNoEvents) {
    Fails(&t.event_create), Fails(&t.event_record), Fails(&t.event_query);
    Fails(&t.event_wait), Fails(&t.queue_wait), Fails(&t.event_destroy);
  }
  return &t;
}
}  // namespace

extern "C" __attribute__((visibility("default"))) const flx_device_table* flx_device_module(int32_t) { return kOdd == kRefuses ? nullptr : Table(); }
extern "C" __attribute__((visibility("default"))) const char* flx_device_module_error() { return "made for another library"; }
