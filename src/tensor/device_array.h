// SPDX-License-Identifier: Apache-2.0
// Arrays on stream devices: their streams, transfers between them and the host, and filling. Nothing here waits, but what says so.
#pragma once
#include "engine/stream.h"
#include "tensor/array.h"

namespace flx {

// Each device has one stream for its operators, one for transfers each way, and one for what it does with other devices, so that those overlap with computing.
enum class StreamRole { kCompute, kToDevice, kToHost, kPeer };
const Ref<Stream>& StreamOf(const Device* device, StreamRole role);

// A contiguous array of pinned host memory (pageable where the device has no more), for transfers: on the CPU like any other, and slow to make.
NDArray PinnedArray(const Device* device, const Shape& s, DType t);
// Copies between host and device, or from one device to another whose memory it reaches (Device::CopiesTo), as it is, in the engine's order; both are
// contiguous, of one shape and dtype.
void Transfer(const NDArray& from, const NDArray& to);
NDArray CopyToHost(const NDArray& a);            // of an array on a device, contiguous, in pinned memory; queued
// From the host, contiguous, or from another device that reaches a's, into any array on a device, of one shape and dtype; queued.
void CopyToDevice(const NDArray& from, const NDArray& a);
void FillOnDevice(const NDArray& a, double v);   // a contiguous array; queued

}  // namespace flx
