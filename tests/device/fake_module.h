// SPDX-License-Identifier: Apache-2.0
// Between the fake device's file and the emulated kernels, which share its queues in a module of their own.
#pragma once
#include <cstdint>
#include <functional>

#include "device/device_table.h"

int32_t FakeLaunch(flx_device_queue* q, std::function<int32_t()> work);  // counts as a kernel's call: may be asked to fail
int32_t FakeFail(int32_t code, const char* text);                         // what last_error() says
bool FakeDue(const char* name);                                          // a call of this name that is to fail
// One work of all these queues: begun when all have come to it, run by one of them, and done for all when it is done.
int32_t FakeTogether(flx_device_queue* const* queues, int32_t n, std::function<int32_t()> work);
void AddEmulatedCollectives(flx_device_table* t);                        // emulate_collective.cc
const flx_device_kernel* EmulatedKernels(int32_t* count);                // emulate.cc; the fake device alone has none
void FillEmulatedCompiler(flx_device_table* t);                          // emulate_compile.cc
