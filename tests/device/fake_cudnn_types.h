// SPDX-License-Identifier: Apache-2.0
// What the fake cuDNN's descriptors are, and how its work gets to its stream.
#pragma once
#include <cudnn.h>

#include <functional>

#include "base/dtype.h"
#include "fake_cudnn.h"

struct cudnnTensorStruct { cudnnDataType_t type; int n = 0, dim[5], stride[5]; };
struct cudnnFilterStruct { cudnnDataType_t type; cudnnTensorFormat_t format; int n = 0, dim[5]; };
struct cudnnConvolutionStruct { cudnnDataType_t compute; cudnnMathType_t math = CUDNN_DEFAULT_MATH; int n = 0, groups = 1, pad[3], stride[3], dilate[3]; };
struct cudnnPoolingStruct { cudnnPoolingMode_t mode; int n = 0, window[3], pad[3], stride[3]; };
struct cudnnContext { FakeStream* stream = nullptr; };

#define FAKE(name) extern "C" __attribute__((visibility("default"))) cudnnStatus_t name

namespace fake_cudnn {

extern FakeCudnn g_fake;
double At(const void* p, cudnnDataType_t t, int64_t i);
void Put(void* p, cudnnDataType_t t, int64_t i, double v);
bool Plain(const void* alpha, const void* beta, cudnnDataType_t t);  // 1 and 0, the only factors it knows
cudnnStatus_t Issue(cudnnHandle_t h, std::function<void()> work);    // or the failure that a test asked for
template <class D> cudnnStatus_t Make(D** d) { return *d = new D, ++g_fake.made, CUDNN_STATUS_SUCCESS; }
template <class D> cudnnStatus_t Destroy(D* d) { return delete d, ++g_fake.destroyed, CUDNN_STATUS_SUCCESS; }

}  // namespace fake_cudnn
