// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <exception>
#include <string>
#include <utility>

#include "ps/errors.h"
#include "ps/export.h"

namespace ps {

// What settings, keys and sockets throw before a node runs; afterwards a Status is given back instead.
class FLX_PS_API Error : public std::exception {
 public:
  Error(Code code, std::string text) : status_{code, std::move(text)} {}
  const char* what() const noexcept override { return status_.text.c_str(); }
  const Status& status() const { return status_; }

 private:
  Status status_;
};

}  // namespace ps
