// SPDX-License-Identifier: Apache-2.0
#pragma once
#define FLX_PS_API __attribute__((visibility("default")))
