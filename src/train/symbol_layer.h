// SPDX-License-Identifier: Apache-2.0
// Symbols as layers, and layers as symbols.
#pragma once
#include "graph/symbol.h"
#include "train/layer.h"

namespace flx {

// Variables `inputs` are the layer's inputs, the others its parameters under their own names.
Ref<Layer> SymbolLayer(const Symbol& symbol, const std::vector<std::string>& inputs, std::string name);
// The graph that the layer makes of these values, whose shapes are known. Parameters are variables `<prefix><their name>`. The result knows its shapes.
struct LayerArgument { Entry entry; Shape shape; DType dtype = DType::kFloat32; };
Ref<Symbol> LayerGraph(const Layer& layer, const std::string& prefix, const std::vector<LayerArgument>& inputs);
// The same for inputs of these shapes, as variables data, data1 ...
Ref<Symbol> LayerGraph(const Layer& layer, const std::vector<Shape>& inputs, DType dtype);

}  // namespace flx
