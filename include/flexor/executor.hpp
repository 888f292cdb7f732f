// SPDX-License-Identifier: Apache-2.0
// flexor/executor.hpp: symbols that run.
//
//   Executor run = Executor::simple_bind(net, {{"data", {64, 784}}});        // arrays are made for all arguments, gradients and states
//   run.arg("data").write(images), run.arg("softmax_label").write(labels);
//   run.forward(true);
//   run.backward();
//   for (auto& name : weights) optimizer.update(name, run.arg(name), run.grad(name));
#ifndef FLEXOR_EXECUTOR_HPP_
#define FLEXOR_EXECUTOR_HPP_
#include "flexor/symbol.hpp"
#include "flexor/train.hpp"

namespace flexor {

// A symbol ready to run on any arrays; immutable, and run by any number of threads at once.
class Graph : public detail::Shared<flx_graph> {
 public:
  Graph() = default;
  // options: {{"monitor", "fc*_output"}} makes internals outputs, after the symbol's own.
  explicit Graph(const Symbol& symbol, const Options& options = {}) {
    detail::RawOptions o(options);
    flx_graph g = nullptr;
    check(flx_graph_create(symbol.handle(), o.keys(), o.values(), o.size(), &g));
    reset(g);
    waits_ = text("waits") == "1";
  }
  // What was called in mode FLX_TRACE between `inputs` and `results`; hybridize(f) is the comfortable form.
  static Graph trace(const std::vector<NDArray>& inputs, const std::vector<NDArray>& results, const Options& options = {}) {
    detail::RawOptions o(options);
    auto in = detail::raw_arrays(inputs), out = detail::raw_arrays(results);
    flx_graph g = nullptr;
    check(flx_graph_trace(in.data(), static_cast<int32_t>(in.size()), out.data(), static_cast<int32_t>(out.size()), o.keys(), o.values(), o.size(), &g));
    Graph traced;
    traced.reset(g);
    return traced;
  }
  // The symbol it runs, monitored internals being outputs.
  Symbol symbol() const {
    flx_symbol s = nullptr;
    check(flx_graph_symbol(handle(), &s));
    return Symbol::adopt(s);
  }
  // waits, planned, program, or of its plans: graph, plan, passes, print, memory, signatures, prologue.
  std::string text(const std::string& field) const {
    char* t = nullptr;
    check(flx_graph_text(handle(), field.c_str(), &t));
    return detail::take_text(t);
  }
  // On the arguments, then the auxiliary states, in the symbol's order. The mode is this thread's. Waits for conditions, if the graph has any.
  std::vector<NDArray> run(const std::vector<NDArray>& arrays) const {
    auto in = detail::raw_arrays(arrays);
    auto n = static_cast<int32_t>(in.size());
    if (!waits_)
      return detail::collect([&](flx_ndarray* out, int32_t capacity, int32_t* count) { return flx_graph_run(handle(), autograd::mode(), in.data(), n, out, capacity, count); });
    flx_task t = nullptr;
    check(flx_graph_start(handle(), autograd::mode(), in.data(), n, &t));
    Task task = Task::adopt(t);
    task.run();
    return task.arrays();
  }

 private:
  bool waits_ = false;
};

// A symbol with its arrays.
class Executor {
 public:
  using Arrays = std::map<std::string, NDArray>;
  using GradReqs = std::map<std::string, GradReq>;
  // shapes: of as many arguments as the others follow from; all arrays are made, of zeros, on `device` (empty: the CPU). req: of all floating arguments but those in `reqs`.
  static Executor simple_bind(const Symbol& symbol, const Options& shapes, GradReq req = GradReq::write, const GradReqs& reqs = {}, const Options& options = {},
                              const std::string& device = "") {
    return Executor(symbol, shapes, {}, {}, req, reqs, options, device);
  }
  // On arrays there are: arguments and states that are not given are made where the first is, if their shapes follow.
  static Executor bind(const Symbol& symbol, const Arrays& args, const Arrays& aux = {}, GradReq req = GradReq::write, const GradReqs& reqs = {}, const Options& options = {}) {
    return Executor(symbol, {}, args, aux, req, reqs, options, args.empty() ? "" : args.begin()->second.device());
  }
  const Symbol& symbol() const { return symbol_; }
  // Names of the outputs: the symbol's, then the monitored internals.
  std::vector<std::string> output_names() const { return graph_.symbol().outputs(); }
  NDArray& arg(const std::string& name) { return find(args_, name, "argument"); }
  NDArray& aux(const std::string& name) { return find(aux_, name, "auxiliary state"); }
  // None if no gradient is asked for.
  NDArray grad(const std::string& name) { return arg(name).grad(); }
  const Arrays& args() const { return args_; }
  const Arrays& auxiliaries() const { return aux_; }
  const std::vector<NDArray>& outputs() const { return outputs_; }
  // Copies the parameters and states whose names the symbol has.
  Executor& load(const Params& params) {
    for (int i = 0, n = params.count(); i < n; ++i) {
      std::string name = params.name(i);
      if (auto it = args_.find(name); it != args_.end()) params.at(i).copy_into(it->second);
      else if (auto state = aux_.find(name); state != aux_.end()) params.at(i).copy_into(state->second);
    }
    return *this;
  }

  // Copies `inputs` into the arguments of their names, and runs. train: layers behave as in training, states change, and backward may follow.
  const std::vector<NDArray>& forward(bool train = false, const Arrays& inputs = {}) {
    for (auto& i : inputs) i.second.copy_into(arg(i.first));
    autograd::Scope scope(train ? FLX_TRAIN | FLX_RECORD : 0);
    outputs_.clear();  // the last run's history goes first
    return outputs_ = graph_.run(arrays());
  }
  // Stores gradients. heads: of the outputs, in their order; none for ones, or for a loss, which takes no head.
  void backward(const std::vector<NDArray>& heads = {}) {
    std::vector<flx_ndarray> from, with;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      int32_t recorded = 0;
      check(flx_autograd_recorded(outputs_[i].handle(), &recorded));
      if (!recorded || i >= own_outputs_) continue;  // no gradient goes through it, or it is only watched
      from.push_back(outputs_[i].handle());
      with.push_back(i < heads.size() ? heads[i].handle() : nullptr);
    }
    if (from.empty()) throw StateError(FLX_ERROR_STATE, "[executor] backward needs a forward(true) before it, and an argument whose gradient is asked for.");
    check(flx_autograd_backward(from.data(), static_cast<int32_t>(from.size()), with.data(), static_cast<int32_t>(with.size()), FLX_TRAIN));
  }
  // For other shapes; arrays whose shapes stay are shared with this executor.
  Executor reshape(const Options& shapes) const {
    Symbol known = symbol_.infer(shapes);
    Executor e;
    e.symbol_ = symbol_, e.graph_ = graph_, e.own_outputs_ = own_outputs_, e.reqs_ = reqs_;
    auto take = [&](Part part, const Arrays& have, Arrays* to, std::vector<std::string>* order) {
      for (int i = 0, n = known.count(part); i < n; ++i) {
        std::string name = known.name(part, i);
        const NDArray& old = have.at(name);
        Shape shape = *known.shape(part, i);
        if (old.shape() == shape) {
          (*to)[name] = old;
        } else {
          (*to)[name] = zeros(shape, *known.dtype(part, i), old.device());
          if (part == Part::argument) e.attach((*to)[name], reqs_.at(name));
        }
        order->push_back(name);
      }
    };
    take(Part::argument, args_, &e.args_, &e.arg_order_);
    take(Part::auxiliary, aux_, &e.aux_, &e.aux_order_);
    return e;
  }

 private:
  Executor() = default;
  Executor(const Symbol& symbol, Options known, const Arrays& args, const Arrays& aux, GradReq req, const GradReqs& reqs, const Options& options, const std::string& device)
      : symbol_(symbol), graph_(symbol, options), own_outputs_(static_cast<size_t>(symbol.count(Part::output))) {
    for (auto* given : {&args, &aux})
      for (auto& a : *given) known.set(a.first, a.second.shape()), known.set(a.first + ".dtype", a.second.dtype());
    Symbol full = symbol.infer(known);
    auto make = [&](Part part, const Arrays& given, Arrays* to, std::vector<std::string>* order) {
      for (int i = 0, n = full.count(part); i < n; ++i) {
        std::string name = full.name(part, i);
        auto it = given.find(name);
        if (!to->emplace(name, it != given.end() ? it->second : zeros(*full.shape(part, i), *full.dtype(part, i), device)).second)
          throw ArgumentError(FLX_ERROR_ARGUMENT, "[executor] two variables are called `" + name + "`; names of arguments must differ.");
        order->push_back(name);
        if (part != Part::argument) continue;
        auto wanted = reqs.find(name);
        reqs_[name] = wanted != reqs.end() ? wanted->second : is_float(*full.dtype(part, i)) ? req : GradReq::null;
        attach((*to)[name], reqs_[name]);
      }
    };
    make(Part::argument, args, &args_, &arg_order_);
    make(Part::auxiliary, aux, &aux_, &aux_order_);
  }
  static bool is_float(DType t) { return t == DType::float32 || t == DType::float64 || t == DType::float16 || t == DType::bfloat16; }
  static void attach(NDArray& a, GradReq req) {
    if (req != GradReq::null || a.grad()) a.attach_grad(req);
  }
  static NDArray& find(Arrays& in, const std::string& name, const char* what) {
    auto it = in.find(name);
    if (it == in.end()) throw NameError(FLX_ERROR_NAME, std::string("[executor] there is no ") + what + " called `" + name + "`.");
    return it->second;
  }
  std::vector<NDArray> arrays() const {
    std::vector<NDArray> all;
    for (auto& n : arg_order_) all.push_back(args_.at(n));
    for (auto& n : aux_order_) all.push_back(aux_.at(n));
    return all;
  }
  Symbol symbol_;
  Graph graph_;
  size_t own_outputs_ = 0;
  Arrays args_, aux_;
  GradReqs reqs_;
  std::vector<std::string> arg_order_, aux_order_;
  std::vector<NDArray> outputs_;
};

}  // namespace flexor
#endif  // FLEXOR_EXECUTOR_HPP_
