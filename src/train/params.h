// SPDX-License-Identifier: Apache-2.0
// Parameters and states by name, in order. Shared by a model, its optimizer and whoever looks at it.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "train/initializer.h"
#include "train/layer.h"

namespace flx {

struct Param {
  std::string name;
  NDArray array;
  bool aux = false;  // a state: changed by forward, never by an optimizer
};

class Params final : public Object {
 public:
  Params() : Object(Kind::kParams) {}
  int count() const;
  Param at(int i) const;                            // kIndex if there is none
  NDArray Get(std::string_view name) const;         // null if there is none
  void Set(const std::string& name, NDArray array, bool aux = false);  // in its place, or at the end. What stands there stays what it is, parameter or state
  std::vector<Param> all() const;
  // Appends the parameters of these names; one that is missing, or elsewhere than `device`, is an error that names it.
  void Collect(const std::vector<std::string>& names, const Device* device, std::vector<NDArray>* out) const;
  // Arrays that are elsewhere are copied to `device` (null: the CPU), in their places; what they had attached is attached there anew, of zeros.
  void MoveTo(const Device* device);
  Ref<Params> CopyTo(const Device* device) const;   // all arrays copied, none with a gradient
  const Device* device() const;                     // of the first; null: the CPU, or there is none

 private:
  mutable std::mutex mutex_;
  std::vector<Param> list_;
  std::map<std::string, size_t, std::less<>> index_;
};

// Reads parameters for a run on arrays. One that is missing, or elsewhere than the run, is an error that names it.
class ParamReader final : public ParamSource {
 public:
  explicit ParamReader(const Params& params) : params_(params) {}
  Val Get(const ParamDecl& d, Builder& b) override;

 private:
  const Params& params_;
};

// For losses, which have none.
class NoParams final : public ParamSource {
 public:
  Val Get(const ParamDecl& d, Builder& b) override;
};

// Parameters for inputs of these shapes; sizes of the batch may be -1. Null initializer: Xavier. A value depends on seed, name and shape only.
Ref<Params> InitParams(const Layer& layer, const std::vector<Shape>& inputs, DType dtype, const Initializer* initializer, uint64_t seed, const Device* device = nullptr);
// Adds to `params` what it lacks of `decls`, on `device`.
void InitMissing(Params* params, const std::vector<ParamDecl>& decls, const Initializer* initializer, uint64_t seed, const Device* device = nullptr);

}  // namespace flx
