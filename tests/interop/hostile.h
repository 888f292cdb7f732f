// SPDX-License-Identifier: Apache-2.0
// What every reader must survive: files cut anywhere, and any length replaced by a hostile one. A reader gives an Error with the file and the byte, and
// takes no memory that the file does not vouch for.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "../base/failing.h"
#include "base/error.h"
#include "base/text.h"

namespace flx::hostile {

using Parse = std::function<void(const std::string& bytes)>;

int64_t LargestRequest();   // bytes asked for at once, from the pool or operator new, since Reset
void ResetLargest();

constexpr int64_t kMost = 24 << 20;  // more than any reader's fixed buffers and limits, far less than what the lengths claim

// Runs it; "" if it gave a result, else the message. Anything but an Error of status kFormat with a file and an offset in [0, size] is a failure.
inline std::string Outcome(const std::string& bytes, const Parse& parse, const std::string& what) {
  ResetLargest();
  std::string message;
  try {
    parse(bytes);
  } catch (const Error& e) {
    message = e.message();
    EXPECT_EQ(e.status(), Status::kFormat) << what << ": " << message;
    EXPECT_FALSE(e.file.empty()) << what << ": " << message;
    EXPECT_GE(e.offset, 0) << what << ": " << message;
    EXPECT_LE(e.offset, int64_t(bytes.size())) << what << ": " << message;
    EXPECT_NE(message.find(e.file), std::string::npos) << what << ": " << message;
  } catch (const std::exception& e) {
    ADD_FAILURE() << what << ": not an Error: " << e.what();
    message = e.what();
  }
  EXPECT_LT(LargestRequest(), kMost) << what << ": " << message;
  return message;
}

// `whole`: cuts that leave a valid shorter file (a record stream's borders).
inline void EveryCut(const std::string& bytes, const Parse& parse, const std::vector<int64_t>& whole = {}) {
  ASSERT_EQ(Outcome(bytes, parse, "uncut"), "");
  for (size_t n = 0; n < bytes.size(); ++n) {
    bool fine = false;
    for (int64_t w : whole) fine |= w == int64_t(n);
    std::string message = Outcome(bytes.substr(0, n), parse, Text("cut at ", n));
    EXPECT_EQ(message.empty(), fine) << "cut at " << n << ": " << message;
  }
}

inline std::vector<uint64_t> Values() {
  std::vector<uint64_t> v = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000};
  for (uint64_t border : {uint64_t(1) << 29, uint64_t(1) << 31, uint64_t(1) << 32, uint64_t(1) << 40, uint64_t(1) << 61, uint64_t(1) << 62, uint64_t(1) << 63})
    for (int d = -1; d <= 1; ++d) v.push_back(border + uint64_t(int64_t(d)));
  v.push_back(~uint64_t(0));
  v.push_back(~uint64_t(0) - 7);
  return v;
}

struct LengthField { size_t at; int width; };
// Each field with each value other than its own must be refused.
inline void EveryLength(const std::string& bytes, const Parse& parse, const std::vector<LengthField>& fields, bool big_endian = false) {
  for (auto& f : fields) {
    for (uint64_t v : Values()) {
      if (f.width < 8 && v >> (8 * f.width)) continue;
      std::string bad = bytes;
      for (int i = 0; i < f.width; ++i) bad[f.at + size_t(big_endian ? f.width - 1 - i : i)] = char(v >> (8 * i));
      if (bad == bytes) continue;
      EXPECT_NE(Outcome(bad, parse, Text("value ", v, " at ", f.at)), "") << "value " << v << " at " << f.at << " was taken";
    }
  }
}
// Each place with each value: refused or not, but never a crash, another error or much memory.
inline void EveryPlace(const std::string& bytes, const Parse& parse) {
  for (size_t at = 0; at < bytes.size(); ++at)
    for (int width : {1, 4, 8})
      for (uint64_t v : Values()) {
        if (at + size_t(width) > bytes.size() || (width < 8 && v >> (8 * width))) continue;
        std::string bad = bytes;
        std::memcpy(&bad[at], &v, size_t(width));
        Outcome(bad, parse, Text("value ", v, " of ", width, " bytes at ", at));
      }
}

inline std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void Spill(const std::string& path, const std::string& bytes) {
  std::remove(path.c_str());  // some file systems write to the disk at once when a file is cut to nothing and written again
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), std::streamsize(bytes.size()));
  EXPECT_TRUE(out.good()) << path;
}

}  // namespace flx::hostile
