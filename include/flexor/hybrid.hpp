// SPDX-License-Identifier: Apache-2.0
// flexor/hybrid.hpp: functions that are traced once for each signature and run as plans since.
//
//   auto wave = hybridize([](const NDArray& x, const NDArray& y) { return op::sin(x) * y + 1; });
//   NDArray z = wave(a, b);                                   // the first call traces; later ones of like shapes run one planned operation
//
// The function is called for each new signature (shapes and dtypes of its arrays), in inference mode. What it reads besides its arguments is kept. It may not read
// values: that is an UnsupportedError naming the operator, or with {{"fallback", true}} the function runs as it stands from then on.
#ifndef FLEXOR_HYBRID_HPP_
#define FLEXOR_HYBRID_HPP_
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "flexor/executor.hpp"

namespace flexor {

template <class F> class Hybridized {
 public:
  // options: see Graph; fallback.
  explicit Hybridized(F f, const Options& options = {}) : state_(std::make_shared<State>(std::move(f), options)) {}
  // Arrays in, an array or a list of arrays out, as the function has it. Any number of threads may call it.
  template <class... A> auto operator()(const A&... arrays) const {
    using Result = std::decay_t<std::invoke_result_t<const F&, const A&...>>;
    if (state_->imperative || autograd::is_tracing()) return Result(state_->f(arrays...));
    std::vector<NDArray> in = {arrays...};
    std::string key;
    for (auto& a : in) key += to_text(a.shape()) + dtype_name(a.dtype());
    Graph graph;
    {
      std::lock_guard<std::mutex> lock(state_->mutex);
      auto it = state_->graphs.find(key);
      if (it != state_->graphs.end()) graph = it->second;
    }
    if (!graph) {
      try {
        graph = Trace(in, state_->options, [&](const std::vector<NDArray>& x) { return Listed(Apply(x, std::index_sequence_for<A...>())); });
      } catch (const UnsupportedError&) {
        if (!state_->fallback) throw;
        state_->imperative = true;
        return Result(state_->f(arrays...));
      }
      std::lock_guard<std::mutex> lock(state_->mutex);
      if (state_->graphs.size() >= kMostSignatures) state_->graphs.clear();
      state_->graphs[key] = graph;
    }
    return Given<Result>(graph.run(in));
  }
  // Of a signature's graph, as Graph::text; empty while there is none.
  std::string text(const std::string& field) const {
    std::lock_guard<std::mutex> lock(state_->mutex);
    return state_->graphs.empty() ? std::string() : state_->graphs.begin()->second.text(field);
  }
  bool imperative() const { return state_->imperative; }

 private:
  static constexpr size_t kMostSignatures = 64;
  struct State {
    State(F function, const Options& given) : f(std::move(function)) {
      for (auto& o : given.pairs())
        if (o.first == "fallback") fallback = o.second == "True" || o.second == "true" || o.second == "1";
        else options.set(o.first, o.second);
    }
    const F f;
    Options options;
    bool fallback = false;
    std::atomic<bool> imperative{false};
    std::mutex mutex;
    std::map<std::string, Graph> graphs;
  };
  template <size_t... I> auto Apply(const std::vector<NDArray>& x, std::index_sequence<I...>) const { return state_->f(x[I]...); }
  static std::vector<NDArray> Listed(NDArray y) { return {std::move(y)}; }
  static std::vector<NDArray> Listed(std::vector<NDArray> y) { return y; }
  template <class R> static R Given(std::vector<NDArray> y) {
    if constexpr (std::is_same_v<R, NDArray>) return std::move(y.at(0));
    else return R(std::move(y));
  }
  template <class G> static Graph Trace(const std::vector<NDArray>& in, const Options& options, const G& g) {
    std::vector<NDArray> x;
    for (auto& a : in) x.push_back(a.detach());
    autograd::Scope scope(FLX_TRACE);
    return Graph::trace(x, g(x), options);
  }
  std::shared_ptr<State> state_;
};
template <class F> Hybridized<F> hybridize(F f, const Options& options = {}) { return Hybridized<F>(std::move(f), options); }

}  // namespace flexor
#endif  // FLEXOR_HYBRID_HPP_
