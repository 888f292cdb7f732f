// SPDX-License-Identifier: Apache-2.0
// Initial values. A value depends on the seed, the parameter's name and its shape only: not on other parameters, threads, or what ran before.
#pragma once
#include "base/random.h"
#include "base/ref.h"
#include "base/registry.h"
#include "tensor/array.h"

namespace flx {

// What an initializer sees of a parameter.
struct FillTask {
  const std::string& name;
  const Shape& shape;
  Philox random;
};
struct InitializerDef : Registered {
  // Elements [begin, end) of the parameter into out. `plan` is what `prepare` made of settings and shape.
  void (*fill)(const void* settings, double plan, const FillTask& t, int64_t begin, int64_t end, double* out) = nullptr;
  double (*prepare)(const void* settings, const FillTask& t) = nullptr;
  bool whole = false;  // fill must be asked for all elements at once
};
const Registry<InitializerDef>& Initializers();

class Initializer final : public Object {
 public:
  static Ref<Initializer> New(std::string_view name, const Settings& settings = {});
  static Ref<Initializer> Parse(std::string_view text);  // "Normal(sigma=0.02)"
  const InitializerDef& def;
  const Attrs settings;
  void Fill(const std::string& name, uint64_t seed, const NDArray& array) const;  // all of it, whatever the name
  std::string text() const { return PrintNamed(def, settings.get()); }

 private:
  Initializer(const InitializerDef& d, Attrs s) : Object(Kind::kInitializer), def(d), settings(std::move(s)) {}
};

// By MXNet's rules of names: ..bias, ..beta, ..mean begin with zeros, ..gamma and ..var with ones, all else as `otherwise` says.
void FillByName(const Initializer& otherwise, const std::string& name, uint64_t seed, const NDArray& array);

}  // namespace flx
