// SPDX-License-Identifier: Apache-2.0
// How an operator is defined: a plain value (OpDef), made by the builder Op<Attrs>, listed in all_ops.cc. src/op/README.md says how to add one.
//   Rules stated once for all operators:
//   - Inputs are indexed by port, in the order of the definition. An optional input that is absent has has(i) == false, a null view in kernels and
//     counts as a port all the same. A variadic operator has one port, `list`, and inputs 0..n-1.
//   - Kernels overwrite their outputs wholly; they never accumulate and never keep state. What an operator changes is a hidden output bound to an
//     input's memory (update): the kernel reads the input's view and writes the output's view, which may be the same memory.
//   - A kernel without the trait kStrided gets contiguous inputs and outputs. A kernel is not run when all its outputs have no elements
//     (an operator with updates or effects is).
//   - Unknown sizes are -1 in shape rules; kernels and gradients see known shapes only.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/small_vector.h"
#include "base/text.h"
#include "tensor/shape.h"
#include "tensor/view.h"

namespace flx {

struct OpDef;
constexpr int kMaxPorts = 16;     // inputs or outputs of an operator that is not variadic
constexpr int kDeviceKinds = 2, kOnDevice = 1;  // 0 is the CPU; all other devices are one kind: their modules differ, the functions that call them do not

// ---- kernels ----------------------------------------------------------------------------------------------------------------------
// What a kernel may use besides its arrays.
class KernelContext {
 public:
  bool training = false;
  Ticket random;                 // of this invocation; element i, draw d: see base/random.h
  const OpDef* op = nullptr;     // for messages
  KernelContext() = default;
  KernelContext(const KernelContext&) = delete;
  KernelContext& operator=(const KernelContext&) = delete;
  ~KernelContext();
  void* Scratch(int64_t bytes);  // 64-byte aligned, until the kernel returns
  template <class T> T* Scratch(int64_t n) { return static_cast<T*>(Scratch(n * int64_t(sizeof(T)))); }
 private:
  struct Block { Block* next; size_t bytes; };
  Block* blocks_ = nullptr;
};
// All inputs (of a variadic kernel), or all outputs.
struct Views {
  const TensorView* data = nullptr;
  int count = 0;
  const TensorView& operator[](int i) const { return data[i]; }
  int size() const { return count; }
  const TensorView* begin() const { return data; }
  const TensorView* end() const { return data + count; }
};
struct OutViews {
  TensorView* data = nullptr;
  int count = 0;
  TensorView& operator[](int i) const { return data[i]; }
  int size() const { return count; }
};
using AnyFn = void (*)();
// One loop of an elementwise formula over n contiguous elements, all of one type; out may be one of the inputs.
using TileFn = void (*)(const void* const* in, void* out, int64_t n, const double* scalars);
struct TileLoops {
  TileFn f32 = nullptr, f64 = nullptr, i32 = nullptr, i64 = nullptr, u64 = nullptr;  // u64: what int64 has no room for
  const char* name = nullptr;  // of the formula, and how many inputs and numbers it takes: what a device's module knows it by
  int inputs = 0, numbers = 0;
  AnyFn acc32[2] = {}, acc64[2] = {};  // of cheap formulas: a step of the machine of op/elementwise/chain_machine.h, whose registers are argument 0 or 1
};

// A device's kernel for a key: its name, a hash of its signature, and the function (or, for elementwise formulas, the loops).
// OnDevices: the function is made of what calls a device's kernels while an operation is being issued to one (tensor/device_work.h), and looks at no element
// itself; so it serves all stream devices too.
struct KernelEntry {
  const char* name;
  uint64_t hash;
  AnyFn fn;
  const TileLoops* loops;
  AnyFn device_fn = nullptr;
  KernelEntry OnDevices() const { return {name, hash, fn, loops, fn}; }
};
struct KernelSlot { std::string name; uint64_t hash = 0; AnyFn fn[kDeviceKinds] = {}; const TileLoops* loops = nullptr; };
// A key is a struct: struct SoftmaxKernel { using Signature = void(KernelContext&, const SoftmaxAttrs&, const TensorView& x, TensorView& y);
//                                           static constexpr const char* kName = "softmax"; };
// Parameters after the attributes: const TensorView& (an input port), TensorView& (an output port), Views, OutViews (all of them).
template <class S> constexpr uint64_t SignatureHash() { return HashBytes(__PRETTY_FUNCTION__); }
template <class K> KernelEntry Kernel(typename K::Signature* fn) { return {K::kName, SignatureHash<typename K::Signature>(), reinterpret_cast<AnyFn>(fn), nullptr}; }
inline KernelEntry TileKernel(const char* op_name, const TileLoops* loops) { return {op_name, 0, nullptr, loops}; }
using KernelList = std::vector<KernelEntry>;

// ---- shape and dtype rules ------------------------------------------------------------------------------------------------------------
// Every set merges knowledge, so that one rule works forwards, backwards and with unknowns. x: inputs, y: outputs.
class Infer {
 public:
  const OpDef& op;
  int nin, nout;
  bool has(int i) const { return i > 63 || (present >> i & 1); }
  const Shape& x(int i) const { return xs[i]; }
  const Shape& y(int i) const { return ys[i]; }
  bool ranked(int i) const { return xs[i].rank_known(); }
  bool y_ranked(int i) const { return ys[i].rank_known(); }
  bool known(int i) const { return xs[i].known(); }                 // all sizes of input i
  bool y_known(int i) const { return ys[i].known(); }
  void set_x(int i, const Shape& s) { if (has(i)) Merge(&xs[i], s, true, i); }
  void set_y(int i, const Shape& s) { Merge(&ys[i], s, false, i); }
  DType x_type(int i) const { return xt[i]; }
  DType y_type(int i) const { return yt[i]; }
  void set_x_type(int i, DType t) { if (has(i)) MergeType(&xt[i], t, true, i); }
  void set_y_type(int i, DType t) { MergeType(&yt[i], t, false, i); }
  // What is taken where nothing tells (a label's dtype, a condition's shape): never in place of what another place may still tell.
  void guess_x(int i, const Shape& s) { if (guess && has(i) && (!xs[i].rank_known() || xs[i].ndim() == s.ndim())) set_x(i, s); }
  void guess_x_type(int i, DType t) { if (guess && has(i) && xt[i] == DType::kNone) xt[i] = t; }
  int Axis(int64_t axis, int ndim) const;                           // normalised, or a shape error
  template <class... A> [[noreturn]] void Fail(const A&... a) const { FailShape(Text(a...)); }       // status kShape
  template <class... A> void Expect(bool ok, const A&... a) const { if (!ok) FailShape(Text(a...)); }
  template <class... A> [[noreturn]] void FailType(const A&... a) const { FailDType(Text(a...)); }   // status kType
  std::string InputName(int i) const;

  const bool guess;
  Infer(const OpDef& o, Shape* x, DType* xtypes, int n, Shape* y, DType* ytypes, int m, uint64_t present_bits, bool may_guess = true)
      : op(o), nin(n), nout(m), guess(may_guess), xs(x), ys(y), xt(xtypes), yt(ytypes), present(present_bits) {}
 private:
  void Merge(Shape* have, const Shape& found, bool input, int i) const;
  void MergeType(DType* have, DType found, bool input, int i) const;
  [[noreturn]] void FailShape(std::string text) const;
  [[noreturn]] void FailDType(std::string text) const;
  Shape *xs, *ys;
  DType *xt, *yt;
  uint64_t present;  // bit i: input i is given (all ones for variadic operators)
};

// ---- gradients and compositions: graphs of other operators ---------------------------------------------------------------------------------
class Builder;
struct Val {  // a value of whatever Builder is at work: eager, tracer, graph. Empty: no value (a gradient that is zero)
  Builder* b = nullptr;
  int32_t id = -1;
  explicit operator bool() const { return b != nullptr; }
};
class Builder {
 public:
  virtual ~Builder() = default;
  virtual void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) = 0;  // out: all outputs, hidden ones too
  virtual const Shape& shape(Val v) = 0;   // always known
  virtual DType dtype(Val v) = 0;
  virtual bool training() const = 0;
};
// A gradient rule's view of the node: reading x(i) or y(i) by value is what keeps it for backward; shapes and dtypes cost nothing.
class Grad {
 public:
  virtual ~Grad() = default;
  virtual Val x(int i) = 0;
  virtual Val y(int i) = 0;
  virtual Val dy(int i) = 0;                      // zeros if nobody asked for that output
  virtual bool has_dy(int i) = 0;
  virtual bool want(int i) = 0;                   // whether the gradient of input i is asked for; skipping others saves work
  virtual bool has(int i) = 0;                    // optional input given
  virtual const Shape& x_shape(int i) = 0;
  virtual const Shape& y_shape(int i) = 0;
  virtual DType x_type(int i) = 0;
  virtual DType y_type(int i) = 0;
  Builder* builder = nullptr;
  bool training = false;
  SmallVector<Val, 4> dx;                         // one per input, set by the rule; left empty: zero
  int nin() const { return dx.size(); }
};

// ---- the definition ------------------------------------------------------------------------------------------------------------------------
enum Trait : uint32_t {
  kElementwise = 1,    // output i depends on element i of its (broadcast) inputs
  kRandom = 2,         // takes a ticket
  kInplace = 4,        // output 0 may lie in input 0's memory (same dtype and shape)
  kEffect = 8,         // never dropped, merged or moved across another effect
  kDynamic = 16,       // shape known only after running
  kStrided = 32,       // the kernel takes any strides
  kLoss = 64,          // backward ignores the head gradient (SoftmaxOutput ...)
  kInternal = 128,     // not listed to users
  kNoSecond = 256,     // the gradient is right but not differentiable itself
  kInit = 512,         // no inputs: makes an array from attributes (zeros, arange ...)
  kExpands = 1024,     // the composition gives the kernel's bits, so that a pass may put it in the operator's place
  kHost = 2048,        // computed by the host, which a task asks (op/control/host.h)
};
struct Port {
  const char* name = "";
  const char* doc = "";
  bool hidden = false;
  int updates = -1;                      // an output that lands in this input's memory
  bool when_training = false;            // ... in training mode only; else it has no memory and the view is null
  const char* aux = nullptr;             // an auxiliary input: its initial value "zero", "one"; null: an argument
  bool (*when)(const void*) = nullptr;   // present only if so
};
struct ViewSpec { Shape shape, strides; int64_t offset = 0; };  // strides and offset in elements of the input

struct OpDef {
  const char* name = nullptr;
  std::vector<const char*> aliases;
  const char *family = "", *doc = "", *example = "", *since = "0.1.0";
  Schema schema;
  const void* attrs_tag = nullptr;       // identifies the attribute struct
  std::vector<Port> inputs, outputs;
  bool variadic = false;
  int list_min = 1;                      // fewest inputs of a variadic operator
  const char* count_attr = nullptr;      // the attribute that MXNet fills with the number of inputs (num_args)
  uint32_t traits = 0;
  int subgraphs = 0;                     // graphs that a node of it holds (control flow): run by exec, inferred by graph
  int nscalars = 0;                      // of an elementwise operator: runtime numbers its loops take
  AnyFn infer_fn = nullptr, types_fn = nullptr, gradient_fn = nullptr, compose_fn = nullptr, view_fn = nullptr, cost_fn = nullptr,
        outputs_fn = nullptr, visible_fn = nullptr, scalars_fn = nullptr;
  bool zero_gradient = false;            // differentiable, and zero everywhere
  void (*run_infer)(AnyFn, Infer&, const void*) = nullptr;
  void (*run_types)(AnyFn, Infer&, const void*) = nullptr;
  void (*run_gradient)(AnyFn, Grad&, const void*) = nullptr;
  std::vector<Val> (*run_compose)(AnyFn, const std::vector<Val>&, const void*) = nullptr;
  bool (*run_view)(AnyFn, const void*, const Shape&, const Shape&, ViewSpec*) = nullptr;
  double (*run_cost)(AnyFn, const void*, const Shape*, int) = nullptr;
  int (*run_count)(AnyFn, const void*) = nullptr;                                             // outputs_fn, visible_fn
  void (*run_scalars)(AnyFn, const void*, double*) = nullptr;
  void (*run_kernel)(AnyFn, KernelContext&, const void*, const TensorView* in, int nin, TensorView* out, int nout) = nullptr;
  std::string kernel_name;
  uint64_t kernel_hash = 0;
  KernelSlot* kernel = nullptr;          // filled by the registry
  int id = -1;                           // its number, for ever
  uint32_t writer = 0;                   // who wrote what it wrote: Storage::NoteWriter

  bool trait(Trait t) const { return (traits & t) != 0; }
  bool differentiable() const { return gradient_fn || compose_fn || zero_gradient; }
  int CountOutputs(const void* a) const { return outputs_fn ? run_count(outputs_fn, a) : int(outputs.size()); }
  int CountVisible(const void* a) const;
  bool Present(int port, const void* a) const { return !inputs[size_t(port)].when || inputs[size_t(port)].when(a); }
};

namespace op_detail {
template <class A> inline const char kTag = 0;
template <class P> constexpr bool kIsIn = std::is_same_v<P, const TensorView&>;
template <class P> constexpr bool kIsOut = std::is_same_v<P, TensorView&>;
template <class S> struct Unpack;
template <class A, class... P> struct Unpack<void(KernelContext&, const A&, P...)> {
  using Attrs_ = A;
  static constexpr int kIns = (0 + ... + int(kIsIn<P>)), kOuts = (0 + ... + int(kIsOut<P>));
  static constexpr bool kAllIn = (false || ... || std::is_same_v<P, Views>), kAllOut = (false || ... || std::is_same_v<P, OutViews>);
  template <size_t I> static constexpr int Rank(bool out) {  // how many inputs (outputs) stand before parameter I
    constexpr bool ins[] = {kIsIn<P>..., false}, outs[] = {kIsOut<P>..., false};
    int n = 0;
    for (size_t j = 0; j < I; ++j) n += out ? outs[j] : ins[j];
    return n;
  }
  template <class Q, size_t I> static decltype(auto) Bind(const TensorView* in, int nin, TensorView* out, int nout) {
    if constexpr (kIsOut<Q>) return static_cast<TensorView&>(out[Rank<I>(true)]);
    else if constexpr (std::is_same_v<Q, Views>) return Views{in, nin};
    else if constexpr (std::is_same_v<Q, OutViews>) return OutViews{out, nout};
    else return static_cast<const TensorView&>(in[Rank<I>(false)]);
    (void)in, (void)nin, (void)out, (void)nout;
  }
  template <size_t... I> static void Go(AnyFn f, KernelContext& c, const void* a, const TensorView* in, int nin, TensorView* out, int nout, std::index_sequence<I...>) {
    reinterpret_cast<void (*)(KernelContext&, const A&, P...)>(f)(c, *static_cast<const A*>(a), Bind<P, I>(in, nin, out, nout)...);
  }
  static void Call(AnyFn f, KernelContext& c, const void* a, const TensorView* in, int nin, TensorView* out, int nout) {
    Go(f, c, a, in, nin, out, nout, std::index_sequence_for<P...>{});
  }
};
void CheckPorts(const OpDef& d, int ins, int outs, bool all_in, bool all_out);
}  // namespace op_detail

// The builder: each member is a line, so that 300 operators stay small.
template <class A = NoAttrs> class Op {
  OpDef d_;
 public:
  explicit Op(const char* name) { d_.name = name; d_.schema = Schema::Of<A>(); d_.attrs_tag = &op_detail::kTag<A>; }
  Op& alias(const char* a) { d_.aliases.push_back(a); return *this; }
  Op& family(const char* f) { d_.family = f; return *this; }
  Op& doc(const char* s) { d_.doc = s; return *this; }
  Op& example(const char* s) { d_.example = s; return *this; }
  Op& traits(uint32_t t) { d_.traits |= t; return *this; }
  // Attributes. The default is the struct's own initializer. Follow with .range(...), .required(), .runtime(), .ignored() for the last one added.
  template <class B, class T> Op& attr(T B::*m, const char* name, const char* doc) {
    static_assert(std::is_base_of_v<B, A> || std::is_same_v<B, A>);
    d_.schema.Add(static_cast<T A::*>(m), name, doc);
    return *this;
  }
  Op& range(double low, double high) { auto& f = last(); f.low = low, f.high = high; return *this; }
  Op& range_open(double low, bool low_open, double high, bool high_open) {
    auto& f = last(); f.low = low, f.high = high, f.low_open = low_open, f.high_open = high_open; return *this;
  }
  Op& required() { last().required = true; return *this; }
  Op& runtime() { last().runtime = true; return *this; }
  Op& ignored() { last().ignored = true; return *this; }

  Op& input(const char* n, const char* doc) { d_.inputs.push_back(MakePort(n, doc)); return *this; }
  template <auto When> Op& input_when(const char* n, const char* doc) {  // When: a bool member of A, or a function bool(const A&)
    Port p = MakePort(n, doc);
    p.when = [](const void* a) -> bool { return bool(std::invoke(When, *static_cast<const A*>(a))); };
    d_.inputs.push_back(p);
    return *this;
  }
  Op& input_list(const char* n, const char* doc, const char* count_attr = nullptr, int at_least = 1) {
    d_.inputs.push_back(MakePort(n, doc)); d_.variadic = true, d_.count_attr = count_attr, d_.list_min = at_least; return *this;
  }
  Op& subgraphs(int n) { d_.subgraphs = n; return *this; }
  Op& aux(const char* n, const char* init, const char* doc) { Port p = MakePort(n, doc); p.aux = init; d_.inputs.push_back(p); return *this; }
  Op& output(const char* n, const char* doc = "") { d_.outputs.push_back(MakePort(n, doc)); return *this; }
  Op& hidden(const char* n, const char* doc = "") { Port p = MakePort(n, doc); p.hidden = true; d_.outputs.push_back(p); return *this; }
  Op& update(const char* n, int input, bool when_training = false) {
    Port p = MakePort(n, ""); p.hidden = true, p.updates = input, p.when_training = when_training; d_.outputs.push_back(p); return *this;
  }
  Op& outputs_count(int (*f)(const A&)) { d_.outputs_fn = Erase(f); d_.run_count = &Count; return *this; }  // port 0 stands for all of them
  Op& visible_count(int (*f)(const A&)) { d_.visible_fn = Erase(f); d_.run_count = &Count; return *this; }

  Op& infer(void (*f)(Infer&, const A&)) { d_.infer_fn = Erase(f); d_.run_infer = &RunInfer; return *this; }
  // dtypes; without it all inputs and outputs share one dtype
  Op& types(void (*f)(Infer&, const A&)) { d_.types_fn = Erase(f); d_.run_types = &RunInfer; return *this; }
  Op& gradient(void (*f)(Grad&, const A&)) {
    d_.gradient_fn = Erase(f);
    d_.run_gradient = [](AnyFn g, Grad& c, const void* a) { reinterpret_cast<void (*)(Grad&, const A&)>(g)(c, *static_cast<const A*>(a)); };
    return *this;
  }
  Op& zero_gradient() { d_.zero_gradient = true; return *this; }
  // What the operator stands for, made of others: run where a device has no kernel, differentiated where there is no gradient, the tests' reference.
  Op& compose(std::vector<Val> (*f)(const std::vector<Val>&, const A&)) {
    d_.compose_fn = Erase(f);
    d_.run_compose = [](AnyFn g, const std::vector<Val>& x, const void* a) {
      return reinterpret_cast<std::vector<Val> (*)(const std::vector<Val>&, const A&)>(g)(x, *static_cast<const A*>(a));
    };
    return *this;
  }
  // The result as a view of input 0 (shape and strides given): true and *out filled, or false, and the kernel copies.
  Op& view(bool (*f)(const A&, const Shape&, const Shape&, ViewSpec*)) {
    d_.view_fn = Erase(f);
    d_.run_view = [](AnyFn g, const void* a, const Shape& s, const Shape& st, ViewSpec* o) {
      return reinterpret_cast<bool (*)(const A&, const Shape&, const Shape&, ViewSpec*)>(g)(*static_cast<const A*>(a), s, st, o);
    };
    return *this;
  }
  // Arithmetic operations from input shapes, where bytes moved do not tell (matrix products, convolutions: two for each multiply-add; op/cost.h reads it).
  Op& cost(double (*f)(const A&, const Shape*, int)) {
    d_.cost_fn = Erase(f);
    d_.run_cost = [](AnyFn g, const void* a, const Shape* s, int n) { return reinterpret_cast<double (*)(const A&, const Shape*, int)>(g)(*static_cast<const A*>(a), s, n); };
    return *this;
  }
  template <class K> Op& kernel() {
    using U = op_detail::Unpack<typename K::Signature>;
    static_assert(std::is_same_v<typename U::Attrs_, A> || std::is_base_of_v<typename U::Attrs_, A>);
    op_detail::CheckPorts(d_, U::kIns, U::kOuts, U::kAllIn, U::kAllOut);
    d_.run_kernel = &U::Call, d_.kernel_name = K::kName, d_.kernel_hash = SignatureHash<typename K::Signature>();
    return *this;
  }
  // An elementwise formula: the device hands over loops under the operator's name, or under `kernel` (operators may share one).
  // `scalars` reads the runtime numbers the loops take.
  Op& tiles(int nscalars = 0, void (*scalars)(const A&, double*) = nullptr, const char* kernel = nullptr) {
    d_.traits |= kElementwise | kInplace | kStrided;
    d_.kernel_name = kernel ? kernel : d_.name, d_.kernel_hash = 0, d_.nscalars = nscalars;
    if (scalars) {
      d_.scalars_fn = Erase(scalars);
      d_.run_scalars = [](AnyFn g, const void* a, double* o) { reinterpret_cast<void (*)(const A&, double*)>(g)(*static_cast<const A*>(a), o); };
    }
    return *this;
  }
  operator OpDef() { return std::move(d_); }

 private:
  Field& last() { return const_cast<Field&>(d_.schema.fields().back()); }
  static Port MakePort(const char* n, const char* doc) { Port p; p.name = n, p.doc = doc; return p; }
  template <class F> static AnyFn Erase(F f) { return reinterpret_cast<AnyFn>(f); }
  static void RunInfer(AnyFn f, Infer& c, const void* a) { reinterpret_cast<void (*)(Infer&, const A&)>(f)(c, *static_cast<const A*>(a)); }
  static int Count(AnyFn f, const void* a) { return reinterpret_cast<int (*)(const A&)>(f)(*static_cast<const A*>(a)); }
};

// ---- the registry: made once from the explicit lists; native operators of the host's join it later, and none leaves -----------------------------------
const std::vector<OpDef*>& AllOps();                        // by name, internal ones too; a list of its own whenever one was added, all kept for ever
const OpDef& AddOp(OpDef def);                              // what it points to must live for ever; a name error if the name is taken
const OpDef* FindOpOrNull(std::string_view name_or_alias);
const OpDef& FindOp(std::string_view name_or_alias);        // or an error with the nearest name
void FillAllOps(std::vector<OpDef>* ops);                   // all_ops.cc
void FillAllCpuKernels(KernelList* kernels);                // all_cpu_kernels.cc

// Inference from whatever is known, dtypes and shapes, in both directions. Arrays have nin and nout entries, indexed by port.
// Who asks many operators in turn until nothing is learnt lets them guess only then (see Infer::guess_x): a guess made early may contradict what comes.
void InferAll(const OpDef& op, const void* attrs, Shape* xs, DType* xt, int nin, Shape* ys, DType* yt, int nout, uint64_t present, bool guess = true);

// ---- common rules -------------------------------------------------------------------------------------------------------------------------
template <class A> void SameShape(Infer& c, const A&) {  // all inputs and outputs share one shape
  for (int i = 0; i < c.nin; ++i) for (int j = 0; j < c.nin; ++j) if (c.has(i) && c.has(j) && i != j) c.set_x(j, c.x(i));
  for (int i = 0; i < c.nin; ++i) if (c.has(i)) { for (int j = 0; j < c.nout; ++j) c.set_y(j, c.x(i)); }
  for (int j = 0; j < c.nout; ++j) for (int i = 0; i < c.nin; ++i) c.set_x(i, c.y(j));
}
Shape BroadcastShapes(const Infer& c, const Shape& a, const Shape& b);  // NumPy's rule, or a shape error
// Inputs 0 and 1 broadcast to output 0, and what that tells of each: where the other has size 1, the result's size is its own.
void InferBroadcast(Infer& c);
// Sizes that may be unknown.
inline int64_t TimesSize(int64_t a, int64_t b) { return a == 0 || b == 0 ? 0 : a < 0 || b < 0 ? -1 : a * b; }
int64_t ProductOf(const Shape& s, int from, int to);                    // -1 if it is not known

// ---- calling operators from gradients and compositions ----------------------------------------------------------------------------------------
using Options = std::vector<std::pair<std::string_view, std::string>>;
std::vector<Val> Calls(const OpDef& op, const Attrs& attrs, const std::vector<Val>& in, Builder* b = nullptr);  // all outputs
Val CallOp(const char* op, const std::vector<Val>& in, const Options& attrs = {}, Builder* b = nullptr);        // output 0
template <class A> std::vector<Val> CallsWith(const char* op, const std::vector<Val>& in, const A& attrs, Builder* b = nullptr) {
  const OpDef& d = FindOp(op);
  if (d.attrs_tag != &op_detail::kTag<A>) Fail(Status::kInternal, op, "called with another operator's attributes.");
  return Calls(d, std::make_shared<A>(attrs), in, b);
}
template <class A> Val CallWith(const char* op, const std::vector<Val>& in, const A& attrs, Builder* b = nullptr) { return CallsWith(op, in, attrs, b)[0]; }
inline const Shape& ShapeOf(Val v) { return v.b->shape(v); }
inline DType TypeOf(Val v) { return v.b->dtype(v); }
// Broadcasting arithmetic (NumPy's rules); scalars keep the array's dtype.
Val operator+(Val a, Val b);
Val operator-(Val a, Val b);
Val operator*(Val a, Val b);
Val operator/(Val a, Val b);
Val operator-(Val a);
Val operator+(Val a, double k);
Val operator-(Val a, double k);
Val operator*(Val a, double k);
Val operator/(Val a, double k);
inline Val operator+(double k, Val a) { return a + k; }
inline Val operator*(double k, Val a) { return a * k; }
Val operator-(double k, Val a);
Val operator/(double k, Val a);
Val SumTo(Val v, const Shape& s);        // undoes broadcasting: sums v down to shape s (v itself if equal)
Val BroadcastTo(Val v, const Shape& s);  // NumPy's rule
Val ReshapeTo(Val v, const Shape& s);
Val CastTo(Val v, DType t);              // v itself if it has that dtype
Val ZerosLike(Val v);
Val OnesLike(Val v);
inline Val Add(Val a, Val b) { return !a ? b : !b ? a : a + b; }  // empty is zero

}  // namespace flx
