// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "core/node.h"
#include "ps/node.h"
#include "transport/links.h"

namespace ps {

// What a node and its links are started with, from what the user set: checked, files read, names resolved.
struct Setup {
  net::LinkSettings links;
  core::NodeConfig node;
  net::AllowList allowed;   // scheduler
  net::Key scheduler_key{};
};
Setup Prepare(const Settings& settings);  // throws Error

}  // namespace ps
