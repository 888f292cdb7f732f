// SPDX-License-Identifier: Apache-2.0
// A model: a layer, its parameters, and texts that a package keeps with them. It may be run by several threads.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "train/hybrid_layer.h"
#include "train/layer.h"
#include "train/params.h"

namespace flx {

class Model final : public Object {
 public:
  // Null parameters: none yet; a fit makes those that are missing.
  explicit Model(Ref<Layer> layer, Ref<Params> params = nullptr);
  Ref<Layer> layer() const { return layer_; }
  Ref<Params> params() const { return params_; }
  void SetMeta(const std::string& key, std::string value);
  void RemoveMeta(const std::string& key);
  std::map<std::string, std::string> meta() const;
  // mode: kRecord, kTrain. Running means change in training mode only.
  std::vector<NDArray> Run(int mode, const std::vector<NDArray>& inputs) const;
  // In inference mode, by plans (which a model keeps), where they can be made.
  std::vector<NDArray> Predict(const std::vector<NDArray>& inputs) const;
  // One safetensors file: tensors in the layer's order, metadata `flexor` (the format's version), `layer` (JSON) and `meta.<key>`. The same model gives
  // the same bytes. They wait for the parameters. Written beside the path and put in place, so that a crash leaves the old file.
  void Save(const std::string& path) const;
  std::string ToBytes() const;
  // kFile when it cannot be read, kFormat when it is no such file; the message names it.
  static Ref<Model> Load(const std::string& path);
  static Ref<Model> FromBytes(std::string_view bytes);

 private:
  const Ref<Layer> layer_;
  const Ref<Params> params_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> meta_;
  mutable Ref<HybridLayer> planned_;
};

}  // namespace flx
