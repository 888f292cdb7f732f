// SPDX-License-Identifier: Apache-2.0
// Errors. Every message reads `[who] what was expected, given what was given. How to mend it.`; `who` is an operator, a layer or a function.
#pragma once
#include <exception>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flx {

// The C ABI's status codes; native exception classes follow them one to one.
enum class Status : int32_t {
  kOk = 0, kError = 1, kArgument = 2, kType = 3, kShape = 4, kIndex = 5, kName = 6, kHandle = 7, kUnsupported = 8, kMemory = 9,
  kFile = 10, kFormat = 11, kDevice = 12, kNetwork = 13, kHost = 14, kState = 15, kInternal = 16, kRolledBack = 17
};
const char* StatusName(Status s);  // "shape", "handle" ...: the field `kind` of flx_last_error_field

class Error : public std::exception {
 public:
  Error(Status status, std::string message) : status_(status), message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  Status status() const { return status_; }
  const std::string& message() const { return message_; }
  // Optional facts for flx_last_error_field; empty when unknown.
  std::string op, node, origin, hint, file;
  int64_t offset = -1;  // in `file`, bytes

 private:
  Status status_;
  std::string message_;
};

// Fail(Status::kShape, "dot", "the inner lengths must agree: x is ", a, " and y is ", b, ". Transpose one of them?")
// Arguments are anything Append() in base/text.h takes. `who` may be empty.
[[noreturn]] void FailText(Status status, std::string_view who, std::string text);
[[noreturn]] void FailFile(Status status, std::string_view file, int64_t offset, std::string text);  // "file.rec, byte 24: ..."

// The nearest of `names` by edit distance, or "" when none is near enough to be a typo.
std::string Nearest(std::string_view given, const std::vector<std::string>& names);
// " Did you mean `relu`?" or "".
std::string DidYouMean(std::string_view given, const std::vector<std::string>& names);

}  // namespace flx
