// SPDX-License-Identifier: Apache-2.0
// What happened in a step, for people.
#pragma once
#include <string>

#include "core/node.h"

namespace ps::sim {

class World;
struct Process;
std::string Describe(World& world, const Process& process, const core::Input& input);
std::string Describe(World& world, const Process& process, const core::Output& output);
std::string MessageText(const std::string& head, size_t payload);

}  // namespace ps::sim
