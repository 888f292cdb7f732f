// SPDX-License-Identifier: Apache-2.0
// All of train that its callers need.
#pragma once
#include "train/initializer.h"
#include "train/layer.h"
#include "train/metric.h"
#include "train/optimizer.h"
#include "train/params.h"
#include "train/schedule.h"
