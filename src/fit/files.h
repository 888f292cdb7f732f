// SPDX-License-Identifier: Apache-2.0
// Parameters and optimizers as files and bytes.
#pragma once
#include <string>
#include <string_view>

#include "train/optimizer.h"
#include "train/params.h"

namespace flx {

// format: safetensors, mxnet, or empty: by the path's extension (.safetensors, .flx; .params). They wait for the arrays.
void SaveParams(const Params& params, const std::string& path, std::string_view format = "");
// Either format, told by its first bytes; of a `.flx` model its parameters. MXNet's prefixes arg: and aux: are taken off.
Ref<Params> LoadParams(const std::string& path);
// Rule, settings, schedule, counts and states: enough to go on exactly, in another process or language.
std::string OptimizerToBytes(const Optimizer& optimizer);
Ref<Optimizer> OptimizerFromBytes(std::string_view bytes);

}  // namespace flx
