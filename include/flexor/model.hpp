// SPDX-License-Identifier: Apache-2.0
// flexor/model.hpp: layers, parameters and models. flexor/nn.hpp has a class for each kind of layer.
//
//   Layer net = nn::Sequential{nn::Dense(64).activation("relu"), nn::Dense(10)};
//   Model model(net, Params::init(net, {{"data", {32, 784}}}, 1));
//   NDArray scores = model(images);
//
// Copies of these objects are the same layer, parameters or model.
#ifndef FLEXOR_MODEL_HPP_
#define FLEXOR_MODEL_HPP_
#include "flexor/call.hpp"

namespace flexor {

class Params;

// What a layer is: its kind, settings and children. It holds no parameter. A loss is a layer of (prediction, label).
class Layer : public detail::Shared<flx_layer> {
 public:
  Layer() = default;
  explicit Layer(const std::string& kind, const Options& settings = {}, const std::string& name = "") {
    require_library();
    detail::RawOptions o(settings);
    flx_layer l = nullptr;
    check(flx_layer_create(kind.c_str(), detail::text_or_null(name), o.keys(), o.values(), o.size(), &l));
    reset(l);
  }
  static Layer from_json(const std::string& text) {
    require_library();
    flx_layer l = nullptr;
    check(flx_layer_from_json(text.c_str(), &l));
    return adopt(l);
  }
  static Layer adopt(flx_layer handle) {
    Layer l;
    l.reset(handle);
    return l;
  }
  Layer& add(const Layer& child) {
    check(flx_layer_add(handle(), child.handle()));
    return *this;
  }
  int child_count() const {
    int32_t n = 0;
    check(flx_layer_child_count(handle(), &n));
    return n;
  }
  Layer child(int index) const {
    flx_layer l = nullptr;
    check(flx_layer_child_at(handle(), index, &l));
    return adopt(l);
  }
  // kind, name, or a setting.
  std::string text(const std::string& field) const {
    char* t = nullptr;
    check(flx_layer_text(handle(), field.c_str(), &t));
    return detail::take_text(t);
  }
  std::string kind() const { return text("kind"); }
  std::string to_json() const {
    char* t = nullptr;
    check(flx_layer_to_json(handle(), &t));
    return detail::take_text(t);
  }
  // A table for people; shapes: {{"data", {64, 1, 28, 28}}}.
  std::string summary(const Options& shapes, int columns = 80) const {
    detail::RawOptions o(shapes);
    char* t = nullptr;
    check(flx_layer_summary(handle(), o.keys(), o.values(), o.size(), columns, &t));
    return detail::take_text(t);
  }
  // From now on runs of this layer go through plans, one operation each, made at the first run of each signature. Options: active, passes, memory, plans, fallback,
  // print; see flx_layer_hybridize.
  const Layer& hybridize(const Options& options = {}) const {
    detail::RawOptions o(options);
    check(flx_layer_hybridize(handle(), o.keys(), o.values(), o.size()));
    return *this;
  }
  // Of a hybridized layer: graph, plan, passes, print, memory, signatures or prologue; see flx_layer_plan.
  std::string plan(const std::string& field) const {
    char* t = nullptr;
    check(flx_layer_plan(handle(), field.c_str(), &t));
    return detail::take_text(t);
  }
  // Runs a layer without parameters, such as a loss: loss(prediction, label). Its mode is this thread's.
  template <class... A> NDArray operator()(const NDArray& x, const A&... more) const { return run_with(nullptr, {x, more...}); }
  inline Outputs run(const Params& params, const std::vector<NDArray>& arrays) const;

 private:
  Outputs run_with(flx_params params, const std::vector<NDArray>& arrays) const {
    auto in = detail::raw_arrays(arrays);
    // Room for all at once: a layer is not run twice, since training changes its states.
    return detail::collect<256>([&](flx_ndarray* out, int32_t capacity, int32_t* n) {
      return flx_layer_run(handle(), params, autograd::mode(), in.data(), static_cast<int32_t>(in.size()), out, capacity, n);
    });
  }
};

// First values of parameters.
class Initializer : public detail::Shared<flx_initializer> {
 public:
  Initializer() = default;  // none: the default of whoever takes it
  explicit Initializer(const std::string& name, const Options& settings = {}) {
    require_library();
    detail::RawOptions o(settings);
    flx_initializer h = nullptr;
    check(flx_initializer_create(name.c_str(), o.keys(), o.values(), o.size(), &h));
    reset(h);
  }
  void fill(const std::string& parameter, int64_t seed, const NDArray& array) const { check(flx_initializer_fill(handle(), parameter.c_str(), seed, array.handle())); }
};

// Arrays by name, in order: a model's parameters and states, a file's content.
class Params : public detail::Shared<flx_params> {
 public:
  // An empty set.
  Params() {
    require_library();
    flx_params p = nullptr;
    check(flx_params_create(&p));
    reset(p);
  }
  // First values for all parameters of `layer`; inputs: {{"data", {64, 1, 28, 28}}}, and {"device", "gpu(0)"} to make them there. The same seed gives the same values in every language.
  static Params init(const Layer& layer, const Options& inputs, int64_t seed, const Initializer& initializer = {}) {
    detail::RawOptions o(inputs);
    flx_params p = nullptr;
    check(flx_params_init(layer.handle(), o.keys(), o.values(), o.size(), initializer.handle(), seed, &p));
    return adopt(p);
  }
  // device: where to, as `gpu(0)`; empty: the CPU.
  static Params load(const std::string& path, const std::string& device = "") {
    require_library();
    flx_params p = nullptr;
    check(flx_params_load(path.c_str(), detail::text_or_null(device), &p));
    return adopt(p);
  }
  static Params adopt(flx_params handle) { return Params(handle); }
  // format: safetensors or mxnet; empty: by the file's extension.
  void save(const std::string& path, const std::string& format = "") const {
    int32_t ready = 0;
    check(flx_params_save(handle(), path.c_str(), detail::text_or_null(format), -1, &ready));
  }
  int count() const {
    int32_t n = 0;
    check(flx_params_count(handle(), &n));
    return n;
  }
  std::string name(int index) const {
    const char* s = "";
    check(flx_params_name(handle(), index, &s));
    return s;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (int i = 0, n = count(); i < n; ++i) all.push_back(name(i));
    return all;
  }
  NDArray at(int index) const {
    flx_ndarray a = nullptr;
    check(flx_params_at(handle(), index, &a));
    return NDArray::adopt(a);
  }
  // None if there is none.
  NDArray get(const std::string& name) const {
    flx_ndarray a = nullptr;
    check(flx_params_get(handle(), name.c_str(), &a));
    return NDArray::adopt(a);
  }
  void set(const std::string& name, const NDArray& array) { check(flx_params_set(handle(), name.c_str(), array.handle())); }
  // A gradient for each array that training changes: parameters, not states.
  void attach_grad(GradReq req = GradReq::write) { check(flx_params_attach(handle(), detail::grad_req_text(req))); }
  // In their places; gradients are attached there anew, of zeros.
  void move_to(const std::string& device) { check(flx_params_move(handle(), device.c_str())); }
  // A copy without gradients; empty: where they are.
  Params copy(const std::string& device = "") const {
    flx_params p = nullptr;
    check(flx_params_copy(handle(), detail::text_or_null(device), &p));
    return adopt(p);
  }

 private:
  explicit Params(flx_params h) : detail::Shared<flx_params>(h) {}
};

// A layer with its parameters and metadata: what is fitted, saved and loaded.
class Model : public detail::Shared<flx_model> {
 public:
  Model() = default;
  // Without parameters: fitting makes them.
  explicit Model(const Layer& layer) { create(layer, nullptr); }
  Model(const Layer& layer, const Params& params) { create(layer, params.handle()); }
  static Model load(const std::string& path, const std::string& device = "") {
    require_library();
    flx_model m = nullptr;
    check(flx_model_load(path.c_str(), detail::text_or_null(device), &m));
    return adopt(m);
  }
  static Model from_bytes(const std::string& bytes, const std::string& device = "") {
    require_library();
    flx_model m = nullptr;
    check(flx_model_from_bytes(bytes.data(), static_cast<int64_t>(bytes.size()), detail::text_or_null(device), &m));
    return adopt(m);
  }
  static Model adopt(flx_model handle) {
    Model m;
    m.reset(handle);
    return m;
  }
  void save(const std::string& path) const {
    int32_t ready = 0;
    check(flx_model_save(handle(), path.c_str(), -1, &ready));
  }
  std::string to_bytes() const {
    int32_t ready = 0;
    char* b = nullptr;
    int64_t n = 0;
    check(flx_model_to_bytes(handle(), -1, &ready, &b, &n));
    return detail::take_bytes(b, n);
  }
  Layer layer() const {
    flx_layer l = nullptr;
    check(flx_model_layer(handle(), &l));
    return Layer::adopt(l);
  }
  // Shared, not copied; an empty set while it has none.
  Params params() const {
    flx_params p = nullptr;
    check(flx_model_params(handle(), &p));
    return p ? Params::adopt(p) : Params();
  }
  // Runs it as this thread's mode says (autograd::Record, autograd::TrainMode).
  template <class... A> NDArray operator()(const NDArray& x, const A&... more) const { return run({x, more...}); }
  Outputs run(const std::vector<NDArray>& arrays) const {
    auto in = detail::raw_arrays(arrays);
    return detail::collect<256>([&](flx_ndarray* out, int32_t capacity, int32_t* n) {
      return flx_model_run(handle(), autograd::mode(), in.data(), static_cast<int32_t>(in.size()), out, capacity, n);
    });
  }
  // Metadata: text by key, kept in the file. None is no text.
  void set_meta(const std::string& key, const std::string& value) { check(flx_model_meta_set(handle(), key.c_str(), value.c_str())); }
  void remove_meta(const std::string& key) { check(flx_model_meta_set(handle(), key.c_str(), nullptr)); }
  std::optional<std::string> meta(const std::string& key) const {
    char* v = nullptr;
    check(flx_model_meta_get(handle(), key.c_str(), &v));
    if (!v) return std::nullopt;
    return detail::take_text(v);
  }
  std::vector<std::string> meta_keys() const {
    int32_t n = 0;
    check(flx_model_meta_count(handle(), &n));
    std::vector<std::string> keys;
    for (int32_t i = 0; i < n; ++i) {
      char* k = nullptr;
      check(flx_model_meta_key(handle(), i, &k));
      keys.push_back(detail::take_text(k));
    }
    return keys;
  }

 private:
  void create(const Layer& layer, flx_params params) {
    flx_model m = nullptr;
    check(flx_model_create(layer.handle(), params, &m));
    reset(m);
  }
};
inline Outputs Layer::run(const Params& params, const std::vector<NDArray>& arrays) const { return run_with(params.handle(), arrays); }

namespace detail {
// What the classes of flexor/nn.hpp are made of: a name and settings that become a Thing (Optimizer, Metric ...) where one is wanted.
template <class Thing> class Settings {
 public:
  explicit Settings(const char* name) : name_(name) {}
  operator Thing() const { return Thing(name_, options_); }
  const Options& options() const { return options_; }

 protected:
  const char* name_;
  Options options_;
};
template <> class Settings<Layer> {
 public:
  explicit Settings(const char* kind) : kind_(kind) {}
  operator Layer() const {
    Layer layer(kind_, options_, layer_name_);
    for (auto& c : children_) layer.add(c);
    return layer;
  }
  const Options& options() const { return options_; }

 protected:
  const char* kind_;
  std::string layer_name_;
  Options options_;
  std::vector<Layer> children_;
};
}  // namespace detail

}  // namespace flexor
#endif  // FLEXOR_MODEL_HPP_
