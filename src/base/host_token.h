// SPDX-License-Identifier: Apache-2.0
// Tokens: numbers by which a host names its functions. Whatever may still ask for a function holds its token (a tape, an operator `_host`, an iterator, a
// metric); when the last one goes, the host is told that it may forget the function (NextDeadToken).
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "base/attrs.h"

namespace flx {

class HostToken {
 public:
  HostToken() = default;  // none
  explicit HostToken(int64_t token);
  HostToken(const HostToken& o) : HostToken(o.token_) {}
  HostToken(HostToken&& o) noexcept : token_(std::exchange(o.token_, -1)) {}
  HostToken& operator=(HostToken o) noexcept { return std::swap(token_, o.token_), *this; }
  ~HostToken();
  int64_t get() const { return token_; }  // -1: none
  friend bool operator==(const HostToken& a, const HostToken& b) { return a.token_ == b.token_; }

 private:
  int64_t token_ = -1;
};

int64_t NextDeadToken();  // one that nothing holds any more; -1: none
// A function's name for messages and files, as long as its token is held.
void NoteHostLabel(int64_t token, const std::string& label);
std::string HostLabel(int64_t token);  // "host operation `clip01`", or "host function 12" if it has no label
// The token held under this label; -1: none. Two are an error.
int64_t TokenOfLabel(const std::string& label);

namespace attrs_detail {
template <> struct Traits<HostToken, void> {
  static std::string Type(const Field&) { return "long"; }
  static bool Parse(const Field&, HostToken* p, std::string_view s);
  static void Print(const HostToken& v, std::string* o);
  static bool Number(const HostToken& v, double* o) { return *o = double(v.get()), true; }
};
}  // namespace attrs_detail

}  // namespace flx
