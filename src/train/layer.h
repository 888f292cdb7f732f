// SPDX-License-Identifier: Apache-2.0
// Layers: what a network is made of. A Layer is a kind, its settings and its children; it holds no parameter. One function per kind says what the
// layer computes, on Val: run on shapes it declares the parameters, run on arrays it computes, run on a tracer it gives a graph.
//   Rules:
//   - A parameter's name is its path: children are numbered from 0 by position, so "3.gamma" is the gamma of a Sequential's fourth child (Gluon's names).
//     Its order is the order in which a forward pass asks for it.
//   - Floats in, floats out: an integer input is an error that says what to do. Labels may be of any dtype.
//   - A loss is a layer of (prediction, label[, sample_weight]) that gives one value per sample, as Gluon's.
//   - Children are added before a layer is itself added to another, put into a model or run: from then on it is unchangeable.
#pragma once
#include <functional>
#include <map>
#include <utility>

#include "base/ref.h"
#include "base/registry.h"
#include "op/op.h"

namespace flx {

class Layer;
class HybridLayer;  // hybrid_layer.h

struct ParamDecl {
  std::string name;         // the whole path
  Shape shape;
  DType dtype = DType::kFloat32;
  std::string init;         // an initializer as text; empty: the one given for the network, by MXNet's rules of names
  bool aux = false;         // a state that forward changes and no gradient does (running means)
  bool trainable = true;
};
// Gives a parameter's value in the builder at work.
class ParamSource {
 public:
  virtual ~ParamSource() = default;
  virtual Val Get(const ParamDecl& d, Builder& b) = 0;
};

class LayerContext {
 public:
  // seen: told of each layer, before it runs (y null) and after, with its path and results; may be empty.
  using Seen = std::function<void(const std::string& path, const Layer& layer, const std::vector<Val>* y)>;
  LayerContext(Builder& b, ParamSource& source, Seen seen = nullptr) : builder(b), source_(source), seen_(std::move(seen)) {}
  Builder& builder;
  bool training() const { return builder.training(); }
  // For the layer at work. init: "" or an initializer as text. dtype: kNone takes that of the layer's first input.
  Val Param(const char* name, const Shape& shape, std::string_view init = "", bool trainable = true, DType dtype = DType::kNone);
  Val Aux(const char* name, const Shape& shape, std::string_view init, DType dtype = DType::kNone);
  std::vector<Val> Run(const Layer& layer, const std::vector<Val>& x);
  std::vector<Val> RunChild(const Layer& layer, int index, const std::vector<Val>& x);
  Val Op(const char* op, const std::vector<Val>& in, const flx::Options& options = {}) { return CallOp(op, in, options, &builder); }
  // While it lives, a parameter asked for again is the same value: for a layer that runs a child more than once.
  class Sharing {
   public:
    explicit Sharing(LayerContext* c) : context_(*c), outer_(std::exchange(c->shared_, c->shared_ ? c->shared_ : &values_)) {}
    ~Sharing() { context_.shared_ = outer_; }
    Sharing(const Sharing&) = delete;
    Sharing& operator=(const Sharing&) = delete;

   private:
    LayerContext& context_;
    std::map<std::string, Val> values_, *outer_;
  };

 private:
  Val Ask(const char* name, const Shape& shape, std::string_view init, bool aux, bool trainable, DType dtype);
  ParamSource& source_;
  Seen seen_;
  std::string path_;             // "" or "3." or "1.0."
  const Layer* layer_ = nullptr;
  DType dtype_ = DType::kFloat32;
  std::map<std::string, Val>* shared_ = nullptr;
};

struct LayerInput { const char *name, *doc; bool optional = false; };
struct LayerParam { const char *name, *doc; bool aux = false; };
struct OwnParam { std::string name; bool aux = false; };
struct LayerDef : Registered {
  LayerDef() { inputs.push_back({"data", "The input."}); }
  std::vector<LayerInput> inputs;
  std::vector<LayerParam> params;   // what forward may ask for
  bool container = false;           // takes children
  bool loss = false;
  bool any_dtype = false;           // takes integers too (indices)
  bool any_inputs = false;          // and how many inputs there are
  std::vector<Val> (*forward)(LayerContext& c, const Layer& layer, const std::vector<Val>& x) = nullptr;
  int (*outputs)(const Layer& layer, int ninputs) = nullptr;  // how many forward gives, known before it runs; null: one
  bool (*asks_host)(const Layer& layer) = nullptr;            // whether forward holds code of the host's, without children; null: it does not
  void (*check)(const void* settings) = nullptr;  // what single ranges cannot say
  std::vector<OwnParam> (*own)(const Layer& layer) = nullptr;  // where the settings decide what parameters there are; null: `params`
};
std::vector<OwnParam> OwnParams(const Layer& layer);  // without its children's
const Registry<LayerDef>& Layers();     // layers and losses
void AddBasicLayers(std::vector<LayerDef>* all);
void AddContainerLayers(std::vector<LayerDef>* all);
void AddAttentionLayer(std::vector<LayerDef>* all);
void AddConvLayers(std::vector<LayerDef>* all);
void AddNormLayers(std::vector<LayerDef>* all);
void AddRecurrentLayers(std::vector<LayerDef>* all);
void AddRecurrentCells(std::vector<LayerDef>* all);
void AddLosses(std::vector<LayerDef>* all);
void AddOperatorLayer(std::vector<LayerDef>* all);
void AddSymbolLayer(std::vector<LayerDef>* all);

class Layer final : public Object {
 public:
  ~Layer() override;
  static Ref<Layer> New(std::string_view kind, const Settings& settings = {}, std::string name = "");
  // kFormat for what is no layer. The text may come from anywhere.
  static Ref<Layer> FromJson(std::string_view text);
  // {"children":[...],"kind":"Dense","name":"...","settings":{"units":"10"}}: keys sorted, no spaces, what is empty or a default left out.
  std::string ToJson() const;
  void Add(Ref<Layer> child);
  const LayerDef& def;
  const Attrs settings;
  const std::string name;
  template <class A> const A& as() const { return *static_cast<const A*>(settings.get()); }
  std::vector<Ref<Layer>> children() const;
  void Freeze() const;
  // From now on runs that begin with this layer go through its cached graph (HybridizeLayer); null: imperatively again.
  void SetHybrid(Ref<HybridLayer> hybrid) const;
  Ref<HybridLayer> hybrid() const;
  Ref<Layer> Copy() const;  // the same, without a cached graph; children are shared
  // kind, name, or a setting as text; lives as long as the layer.
  const std::string& Text(std::string_view field) const;
  // The layer at this path of positions, "" being this one; null if there is none.
  Ref<Layer> At(std::string_view path) const;
  int OutputCount(int ninputs) const { return def.outputs ? def.outputs(*this, ninputs) : 1; }
  bool AsksHost() const;  // it or a layer below holds code of the host's, which only a task runs
  int height() const { return height_; }

 private:
  Layer(const LayerDef& d, Attrs s, std::string n);
  std::vector<Ref<Layer>> children_;
  std::vector<std::pair<std::string, std::string>> texts_;
  mutable bool frozen_ = false;
  mutable Ref<HybridLayer> hybrid_;
  int height_ = 1;
};

// The parameters a layer has for inputs of these shapes, in order. An unknown size (-1, as the batch's often is) does not matter for most layers.
std::vector<ParamDecl> DeclareParams(const Layer& layer, const std::vector<Shape>& inputs, DType dtype = DType::kFloat32);
std::vector<Shape> OutputShapes(const Layer& layer, const std::vector<Shape>& inputs, DType dtype = DType::kFloat32);
// A table of layers: output shapes, parameters with their bytes, multiply-adds (op/cost.h) with sizes that are not known taken as 1, and totals; at most
// `columns` wide (0: 80). A row counts what the layer itself has, not its children.
std::string Summary(const Layer& layer, const std::vector<Shape>& inputs, int columns, DType dtype = DType::kFloat32);
// The same as a JSON document: {"rows":[...],"totals":{...}}, keys sorted, null for sizes that follow an unknown one.
std::string LayerTable(const Layer& layer, const std::vector<Shape>& inputs, DType dtype = DType::kFloat32);

}  // namespace flx
