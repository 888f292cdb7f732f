// SPDX-License-Identifier: Apache-2.0
// Allocations of libflexor that fail when a test says so. The test program defines malloc and its kin, and pthread_create; the dynamic linker lets the library
// use these. Only what the library's own code asks for is counted and fails, known by the address it is asked from: oneDNN, zlib, dmlc and the C library,
// which end the process or crash where memory is short, are left alone.
#pragma once
#include <cstdint>

namespace faults {
// From now on the n-th allocation (1 is the next) fails; with `from_there_on` each later one too. In any thread, or in the caller's only.
void Arm(int64_t n, bool from_there_on, bool any_thread);
int64_t Disarm();          // how many allocations there were since Arm
int64_t Failed();          // how many of them failed
void FailThreads(int64_t n);  // from the n-th on no thread starts; 0: they do again
}  // namespace faults
