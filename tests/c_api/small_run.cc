// SPDX-License-Identifier: Apache-2.0
#include "small_run.h"

#include <cstdio>
#include <cstdlib>

void* Bag::Slot(What what) {
  places_.push_back({kPattern, what});
  return &places_.back().value;
}
void Bag::Check(flx_status s, const char* call) {
  if (s == FLX_OK) {
    settled_ = places_.size();
    return;
  }
  Failure f{s, call, flx_last_error()};
  for (size_t i = settled_; i < places_.size(); ++i)
    if (places_[i].value != kPattern) f.message += " (and an out-parameter was touched)", f.status = -1;
  throw f;
}
void Bag::Clear() {
  for (size_t i = 0; i < settled_; ++i) {
    auto* p = reinterpret_cast<void*>(places_[i].value);
    if (places_[i].value == kPattern) continue;
    if (places_[i].what == kHandle) flx_free(p);
    if (places_[i].what == kText) flx_text_free(static_cast<char*>(p));
  }
  places_.clear(), settled_ = 0;
}

namespace {
using Strings = std::vector<const char*>;
#define TRY(call) bag.Check((call), #call)

struct Program {
  Bag& bag;
  std::string folder, told;

  template <class T> T* out() { return bag.out<T>(); }
  void Tell(flx_ndarray a) {
    int64_t* nbytes = out<int64_t>();
    TRY(flx_ndarray_nbytes(a, nbytes));
    std::vector<float> v(size_t(*nbytes) / 4);
    int32_t* ready = out<int32_t>();
    TRY(flx_ndarray_read(a, v.data(), *nbytes, FLX_FLOAT32, FLX_ROW_MAJOR, -1, ready));
    told.append(reinterpret_cast<char*>(v.data()), size_t(*nbytes));
  }
  flx_ndarray Array(std::vector<int64_t> dims, double first, double step) {
    int64_t n = 1;
    for (auto d : dims) n *= d;
    std::vector<float> v;
    for (int64_t i = 0; i < n; ++i) v.push_back(float(first + step * double(i)));
    flx_ndarray* a = out<flx_ndarray>();
    TRY(flx_ndarray_create_from(v.data(), n * 4, FLX_FLOAT32, FLX_ROW_MAJOR, dims.data(), int32_t(dims.size()), FLX_FLOAT32, nullptr, a));
    return *a;
  }
  flx_ndarray Call(const char* op, std::vector<flx_ndarray> in, Strings keys = {}, Strings values = {}, int32_t mode = 0) {
    flx_ndarray* y = out<flx_ndarray>();
    int32_t* n = out<int32_t>();
    TRY(flx_invoke(op, mode, in.data(), int32_t(in.size()), keys.data(), values.data(), int32_t(keys.size()), y, 1, n));
    return *y;
  }
  flx_layer LayerOf(const char* kind, Strings keys = {}, Strings values = {}) {
    flx_layer* l = out<flx_layer>();
    TRY(flx_layer_create(kind, nullptr, keys.data(), values.data(), int32_t(keys.size()), l));
    return *l;
  }
  flx_optimizer OptimizerOf(const char* name, Strings keys = {}, Strings values = {}) {
    flx_optimizer* o = out<flx_optimizer>();
    TRY(flx_optimizer_create(name, keys.data(), values.data(), int32_t(keys.size()), o));
    return *o;
  }

  void Arrays() {
    flx_ndarray a = Array({3, 4}, -1, 0.25), b = Array({4}, 0.5, 1), *view = out<flx_ndarray>(), *copy = out<flx_ndarray>(), *flat = out<flx_ndarray>();
    flx_ndarray sum = Call("broadcast_add", {a, b});
    TRY(flx_ndarray_slice(sum, 1, 3, 0, view));
    TRY(flx_ndarray_copy(*view, nullptr, copy));
    const int64_t all[1] = {-1};
    TRY(flx_ndarray_reshape(*copy, all, 1, 0, flat));
    TRY(flx_invoke_into("relu", 0, view, 1, nullptr, nullptr, 0, copy, 1));
    Tell(*flat), Tell(sum), Tell(Call("dot", {a, Call("transpose", {a})})), Tell(Call("softmax", {a}));
    Tell(Call("_random_normal", {}, {"shape"}, {"(2, 3)"}));
    int32_t* ready = out<int32_t>();
    char** text = out<char*>();
    TRY(flx_ndarray_text(sum, -1, ready, text));
    told += *text;
    flx_call* call = out<flx_call>();
    TRY(flx_call_create("_plus_scalar", nullptr, nullptr, 0, call));
    flx_ndarray* plus = out<flx_ndarray>();
    TRY(flx_call_scalar(*call, 0, a, 2.5, plus));
    TRY(flx_ndarray_write(a, "0123456789abcdef0123456789abcdef0123456789abcdef", 48, FLX_FLOAT32, FLX_ROW_MAJOR));
    Tell(*plus), Tell(a);
  }
  void Gradients() {
    flx_ndarray x = Array({1, 2, 5, 5}, -1, 0.05), w = Array({2, 2, 3, 3}, 0.3, -0.02), *gx = out<flx_ndarray>(), *second = out<flx_ndarray>(), *got = out<flx_ndarray>();
    int32_t *n = out<int32_t>(), *m = out<int32_t>();
    TRY(flx_autograd_attach(x, "write", nullptr));
    TRY(flx_autograd_attach(w, "add", nullptr));
    flx_ndarray y = Call("Convolution", {x, w}, {"kernel", "num_filter", "no_bias"}, {"(3, 3)", "2", "True"}, FLX_RECORD | FLX_TRAIN);
    flx_ndarray z = Call("tanh", {y}, {}, {}, FLX_RECORD);
    TRY(flx_autograd_backward(&z, 1, nullptr, 0, FLX_RETAIN));
    TRY(flx_autograd_grad(w, gx));
    Tell(*gx);
    flx_ndarray s = Call("square", {x}, {}, {}, FLX_RECORD);
    TRY(flx_autograd_gradients(&s, 1, nullptr, 0, &x, 1, FLX_CREATE_GRAPH, got, 1, n));
    TRY(flx_autograd_gradients(got, 1, nullptr, 0, &x, 1, 0, second, 1, m));
    Tell(*second);
  }
  flx_layer Net() {
    flx_layer net = LayerOf("Sequential");
    TRY(flx_layer_add(net, LayerOf("Dense", {"units", "activation"}, {"3", "relu"})));
    TRY(flx_layer_add(net, LayerOf("BatchNorm")));
    TRY(flx_layer_add(net, LayerOf("Dense", {"units"}, {"2"})));
    return net;
  }
  void ByHand() {
    flx_layer net = Net(), loss = LayerOf("SoftmaxCrossEntropyLoss");
    flx_params* p = out<flx_params>();
    const char *const key = "data", *const shape = "(4, 3)";
    TRY(flx_params_init(net, &key, &shape, 1, nullptr, 3, p));
    TRY(flx_params_attach(*p, "write"));
    flx_ndarray x = Array({4, 3}, -1, 0.2), label = Array({4}, 0, 0.25), *y = out<flx_ndarray>(), *l = out<flx_ndarray>(), *mean = out<flx_ndarray>();
    int32_t *n = out<int32_t>(), *m = out<int32_t>();
    TRY(flx_layer_run(net, *p, FLX_RECORD | FLX_TRAIN, &x, 1, y, 1, n));
    const flx_ndarray pair[2] = {*y, label};
    TRY(flx_layer_run(loss, nullptr, FLX_RECORD | FLX_TRAIN, pair, 2, l, 1, m));
    TRY(flx_autograd_backward(l, 1, nullptr, 0, 0));
    flx_optimizer adam = OptimizerOf("Adam"), sgd = OptimizerOf("SGD", {"momentum"}, {"0.9"});
    TRY(flx_optimizer_step(adam, *p));
    TRY(flx_optimizer_update(sgd, "w", x, Array({4, 3}, 0, 0.01)));
    Tell(*l), Tell(x);
    TRY(flx_params_get(*p, "1.running_mean", mean));
    Tell(*mean);
    char** bytes = out<char*>();
    int64_t* nbytes = out<int64_t>();
    int32_t* ready = out<int32_t>();
    TRY(flx_optimizer_to_bytes(adam, -1, ready, bytes, nbytes));
    told.append(*bytes, size_t(*nbytes));
    flx_optimizer* again = out<flx_optimizer>();
    TRY(flx_optimizer_from_bytes(*bytes, *nbytes, again));
    char **table = out<char*>(), **json = out<char*>();
    TRY(flx_layer_summary(net, &key, &shape, 1, 80, table));
    TRY(flx_layer_to_json(net, json));
    flx_layer* read = out<flx_layer>();
    TRY(flx_layer_from_json(*json, read));
    told += *table, told += *json;
  }
  void Drive(flx_task task) {
    for (int32_t event = FLX_PENDING; event != FLX_DONE;) {
      int32_t* e = out<int32_t>();
      TRY(flx_task_next(task, -1, e));
      event = *e;
    }
  }
  void Fit() {
    const flx_ndarray data[2] = {Array({6, 3}, -1, 0.1), Array({6}, 0, 0.25)};
    const char *const names[2] = {"data", "label"}, *const keys[2] = {"batch_size", "shuffle"}, *const values[2] = {"2", "True"};
    flx_iter* batches = out<flx_iter>();
    TRY(flx_iter_from_arrays(data, 2, names, 2, keys, values, 2, batches));
    flx_model* m = out<flx_model>();
    TRY(flx_model_create(Net(), nullptr, m));
    flx_task *fit = out<flx_task>(), *measured = out<flx_task>(), *predicted = out<flx_task>();
    const char *const options[2] = {"epochs", "seed"}, *const given[2] = {"2", "5"}, *const metric = "accuracy";
    TRY(flx_fit_start(*m, LayerOf("SoftmaxCrossEntropyLoss"), OptimizerOf("SGD", {"learning_rate"}, {"0.1"}), *batches, nullptr, options, given, 2, fit));
    Drive(*fit);
    TRY(flx_evaluate_start(*m, *batches, &metric, 1, measured));
    Drive(*measured);
    double* accuracy = out<double>();
    TRY(flx_task_number(*measured, "accuracy", accuracy));
    told.append(reinterpret_cast<char*>(accuracy), 8);
    TRY(flx_predict_start(*m, *batches, predicted));
    Drive(*predicted);
    flx_ndarray* y = out<flx_ndarray>();
    int32_t *n = out<int32_t>(), *ready = out<int32_t>(), *saved = out<int32_t>();
    TRY(flx_task_arrays(*predicted, y, 1, n));
    Tell(*y);
    TRY(flx_model_meta_set(*m, "classes", "no, yes"));
    char** bytes = out<char*>();
    int64_t* nbytes = out<int64_t>();
    TRY(flx_model_to_bytes(*m, -1, ready, bytes, nbytes));
    told.append(*bytes, size_t(*nbytes));
    flx_model *again = out<flx_model>(), *loaded = out<flx_model>();
    TRY(flx_model_from_bytes(*bytes, *nbytes, nullptr, again));
    std::string path = folder + "/model.flx", params = folder + "/p.params";
    TRY(flx_model_save(*again, path.c_str(), -1, ready));
    TRY(flx_model_load(path.c_str(), nullptr, loaded));
    flx_params *p = out<flx_params>(), *q = out<flx_params>();
    TRY(flx_model_params(*loaded, p));
    TRY(flx_params_save(*p, params.c_str(), nullptr, -1, saved));
    TRY(flx_params_load(params.c_str(), nullptr, q));
    flx_ndarray* weight = out<flx_ndarray>();
    TRY(flx_params_get(*q, "0.weight", weight));
    Tell(*weight);
  }
  void Files() {
    std::string rec = folder + "/run.rec", csv = folder + "/run.csv";
    if (FILE* f = std::fopen(csv.c_str(), "w")) std::fputs("1,2\n3,4\n5,6\n", f), std::fclose(f);
    flx_record *w = out<flx_record>(), *r = out<flx_record>();
    int64_t *offset = out<int64_t>(), *n = out<int64_t>();
    TRY(flx_record_open(rec.c_str(), "write", w));
    TRY(flx_record_write(*w, "hello", 5, offset));
    flx_free(*w), *w = nullptr;
    TRY(flx_record_open(rec.c_str(), "read", r));
    char** bytes = out<char*>();
    TRY(flx_record_read(*r, bytes, n));
    told.append(*bytes, size_t(*n));
    const char *const keys[3] = {"data_csv", "data_shape", "batch_size"}, *const values[3] = {csv.c_str(), "(2,)", "2"};
    flx_iter* it = out<flx_iter>();
    TRY(flx_iter_create("CSVIter", keys, values, 3, it));
    int32_t *event = out<int32_t>(), *count = out<int32_t>();
    TRY(flx_iter_next(*it, -1, event));
    flx_ndarray* batch = out<flx_ndarray>();
    TRY(flx_iter_arrays(*it, batch, 2, count));
    Tell(*batch);
  }
  flx_symbol Compose(const char* op, const char* name, std::vector<flx_symbol> in, Strings keys = {}, Strings values = {}) {
    flx_symbol* s = out<flx_symbol>();
    TRY(flx_symbol_compose(op, name, in.data(), int32_t(in.size()), nullptr, 0, keys.data(), values.data(), int32_t(keys.size()), s));
    return *s;
  }
  flx_symbol Variable(const char* name, Strings keys = {}, Strings values = {}) {
    flx_symbol* s = out<flx_symbol>();
    TRY(flx_symbol_variable(name, keys.data(), values.data(), int32_t(keys.size()), s));
    return *s;
  }
  void Symbols() {
    flx_symbol x = Variable("x", {"shape"}, {"(2, 3)"}), fc = Compose("FullyConnected", "fc", {x}, {"num_hidden"}, {"2"}), y = Compose("tanh", "y", {fc});
    TRY(flx_symbol_attr_set(fc, "ctx_group", "left"));
    flx_symbol *known = out<flx_symbol>(), *gradient = out<flx_symbol>(), *read = out<flx_symbol>(), *loop = out<flx_symbol>(), *history = out<flx_symbol>();
    TRY(flx_symbol_infer(y, nullptr, nullptr, 0, 0, known));
    const char* const wanted = "fc_weight";
    TRY(flx_symbol_gradient(*known, &wanted, 1, gradient));
    char **json = out<char*>(), **table = out<char*>(), **svg = out<char*>();
    TRY(flx_symbol_to_json(*known, json));
    TRY(flx_symbol_from_json(*json, read));
    TRY(flx_symbol_summary(*known, 80, table));
    TRY(flx_symbol_draw(*known, "svg", svg));
    told += *json, told += *table, told += *svg;
    // a running sum, as a loop
    flx_symbol body = Compose("elemwise_add", "sum", {Variable("e"), Variable("s")});
    const char* const names[2] = {"e", "s"};
    const flx_symbol with[2] = {Variable("xs"), Variable("s0")};
    TRY(flx_symbol_foreach("loop", body, 0, names, 2, with, 2, loop));
    flx_graph *g = out<flx_graph>(), *sums = out<flx_graph>();
    TRY(flx_graph_create(y, nullptr, nullptr, 0, g));
    TRY(flx_graph_create(*loop, nullptr, nullptr, 0, sums));
    flx_ndarray data = Array({2, 3}, -1, 0.5), weight = Array({2, 3}, 0.3, -0.1), bias = Array({2}, 0, 1), *got = out<flx_ndarray>(), *total = out<flx_ndarray>(), *grad = out<flx_ndarray>();
    TRY(flx_autograd_attach(weight, "write", nullptr));
    const flx_ndarray in[3] = {data, weight, bias};
    int32_t *n = out<int32_t>(), *m = out<int32_t>();
    TRY(flx_graph_run(*g, FLX_RECORD | FLX_TRAIN, in, 3, got, 1, n));
    TRY(flx_autograd_symbol(*got, history));
    TRY(flx_autograd_backward(got, 1, nullptr, 0, 0));
    TRY(flx_autograd_grad(weight, grad));
    Tell(*got), Tell(*grad);
    flx_task* task = out<flx_task>();
    const flx_ndarray sums_in[2] = {Array({4, 1}, 1, 1), Array({1}, 0, 0)};
    TRY(flx_graph_start(*sums, 0, sums_in, 2, task));
    Drive(*task);
    TRY(flx_task_arrays(*task, total, 1, m));
    Tell(*total);
    std::string prefix = folder + "/check";
    flx_params *p = out<flx_params>(), *q = out<flx_params>();
    TRY(flx_params_create(p));
    TRY(flx_params_set(*p, "fc_weight", weight));
    int32_t* saved = out<int32_t>();
    TRY(flx_checkpoint_save(y, *p, prefix.c_str(), 1, -1, saved));
    flx_symbol* loaded = out<flx_symbol>();
    TRY(flx_checkpoint_load(prefix.c_str(), 1, loaded, q));
    const char* const input = "x";
    flx_layer* layer = out<flx_layer>();
    TRY(flx_layer_from_symbol(*loaded, nullptr, &input, 1, layer));
    TRY(flx_params_set(*q, "fc_bias", bias));
    flx_ndarray* again = out<flx_ndarray>();
    int32_t* k = out<int32_t>();
    TRY(flx_layer_run(*layer, *q, 0, &data, 1, again, 1, k));
    Tell(*again);
  }
  // Records are dropped where there is no memory; what is told must not depend on them.
  void Profiled() {
    const char *const keys[] = {"capacity", "api"}, *const values[] = {"64K", "True"};
    TRY(flx_profiler_start(keys, values, 2));
    flx_span *outer = out<flx_span>(), *inner = out<flx_span>();
    TRY(flx_span_begin("a span with a name that is longer than a short string", "of mine", outer));
    TRY(flx_span_begin("inner", nullptr, inner));
    Tell(Call("exp", {Array({3}, 0, 1)}));
    TRY(flx_profiler_counter("a counter with a name that is longer than a short string", 1));
    TRY(flx_profiler_mark("a mark"));
    char **text = out<char*>(), **json = out<char*>();
    TRY(flx_profiler_summary("total", 80, text));
    TRY(flx_profiler_table(json));
    TRY(flx_profiler_save((folder + "/trace.json").c_str()));
    TRY(flx_profiler_stop());
    TRY(flx_profiler_clear());
  }
  void Texts() {
    flx_entry* e = out<flx_entry>();
    TRY(flx_registry_find("operator", "Convolution", e));
    const char** doc = bag.borrowed();
    TRY(flx_entry_text(*e, "doc", doc));
    told += *doc;
    char** value = out<char*>();
    TRY(flx_config_get("FLEXOR_LOG_LEVEL", value));
    told += *value;
    char** state = out<char*>();
    int64_t* n = out<int64_t>();
    TRY(flx_random_save(state, n));
    told.append(*state, size_t(*n));
    TRY(flx_origin_set("small_run.cc:1, a line that is longer than a short string"));
    TRY(flx_origin_set(nullptr));
  }
};
}  // namespace

std::string SmallRun(Bag& bag, const std::string& folder) {
  Program p{bag, folder, {}};
  bag.Check(flx_random_seed(11, nullptr), "flx_random_seed");
  p.Arrays(), p.Gradients(), p.ByHand(), p.Fit(), p.Files(), p.Symbols(), p.Profiled(), p.Texts();
  return p.told;
}
