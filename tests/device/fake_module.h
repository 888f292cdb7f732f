// SPDX-License-Identifier: Apache-2.0
// Between the fake device's file and the emulated kernels, which share its queues in a module of their own.
#pragma once
#include <cstdint>
#include <functional>

#include "device/device_table.h"

int32_t FakeLaunch(flx_device_queue* q, std::function<int32_t()> work);  // counts as a kernel's call: may be asked to fail
int32_t FakeFail(int32_t code, const char* text);                         // what last_error() says
const flx_device_kernel* EmulatedKernels(int32_t* count);                // emulate.cc; the fake device alone has none
void FillEmulatedCompiler(flx_device_table* t);                          // emulate_compile.cc
