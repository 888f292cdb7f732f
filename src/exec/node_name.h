// SPDX-License-Identifier: Apache-2.0
// What the calls of this thread belong to (a symbol's node, a layer's path), for builders that name what they are given.
#pragma once
#include <string>
#include <utility>

namespace flx {

class NodeName {
 public:
  explicit NodeName(const std::string& name) : outer_(std::exchange(Current(), &name)) {}
  ~NodeName() { Current() = outer_; }
  NodeName(const NodeName&) = delete;
  NodeName& operator=(const NodeName&) = delete;
  static const std::string*& Current() {  // null: none
    static thread_local const std::string* name = nullptr;
    return name;
  }

 private:
  const std::string* outer_;
};

}  // namespace flx
