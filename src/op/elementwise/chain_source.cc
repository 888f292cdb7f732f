// SPDX-License-Identifier: Apache-2.0
#include "op/elementwise/chain_source.h"

#include <map>

#include "base/text.h"
#include "op/elementwise/driver.h"
#include "op/elementwise/formula_types.h"

namespace flx {

extern const char kChainPrelude[];  // made by cmake/EmbedText.cmake

namespace chain_formulas {
#include "op/elementwise/unary_formulas.h"
#include "op/elementwise/binary_formulas.h"
#include "op/elementwise/activation_formulas.h"
}  // namespace chain_formulas

namespace {
// As the compiler spells it, without the namespace it stands in here.
template <class F> std::string TypeName() {
  const std::string_view all = __PRETTY_FUNCTION__;
  const size_t from = all.find("F = ") + 4, to = all.find_first_of(";]", from);
  std::string name(all.substr(from, to - from));
  for (std::string_view inside : {"flx::", "chain_formulas::"})
    for (size_t at; (at = name.find(inside)) != std::string::npos;) name.erase(at, inside.size());
  return name;
}
struct Names {
  std::map<std::string, std::string, std::less<>> of;
  template <class F, int kIn = 1, int kNumbers = 0> void Add(const char* name) { of.emplace(name, TypeName<F>()); }
};
const char* CName(DType t) {
  switch (t) {
    case DType::kFloat32: return "float";
    case DType::kFloat64: return "double";
    case DType::kFloat16: return "Half";
    case DType::kBfloat16: return "Bfloat16";
    case DType::kInt8: return "int8_t";
    case DType::kUint8: return "uint8_t";
    case DType::kInt16: return "int16_t";
    case DType::kUint16: return "uint16_t";
    case DType::kInt32: return "int32_t";
    case DType::kUint32: return "uint32_t";
    case DType::kInt64: return "int64_t";
    case DType::kUint64: return "uint64_t";
    default: return "bool";
  }
}
const char* LoopName(DType t) { return t == DType::kUint64 ? "uint64_t" : CName(LoopType(t)); }

class Writer {
 public:
  Writer(const Chain& c, const ChainForm& f) : chain(c), form(f), nin(c.ninputs()), nout(int(c.outputs().size())) {}

  std::string Write(const std::string& name) {
    const std::string call = Text("flx::cuda::ChainCall<", nin + nout, ", ", int(form.axes), ", ", std::max(1, ChainNumbers(chain)), ">");
    for (int k = 0; k < nin + nout; ++k) placed |= form.place[k] == ChainForm::kRows || form.place[k] == ChainForm::kColumns || form.place[k] == ChainForm::kStrided;
    s = Text("namespace flx::cuda {\nnamespace ", name, "_chain {\nusing T = ", CName(form.dtype), ";\nusing L = ", LoopName(form.dtype), ";\nusing I = ", form.wide ? "int64_t" : "uint32_t",
             ";\nusing V = ValueOf<L>::Type;\n// ", chain.Print(), "\ntemplate <int W> __device__ void Run(const ", call, "& p, I from, I to) {\n");
    for (int k = 0; k < ChainNumbers(chain); ++k) s += Text("  const V n", k, " = NumberOf<L>(p.number[", k, "]);\n");
    for (int k = 0; k < nin; ++k)
      if (form.place[k] == ChainForm::kOne) s += Text("  const V x", k, " = ChainUp<L, T>(*static_cast<const T*>(p.data[", k, "]));\n");
    s += "  for (I i = from + ChainIndex<I>(); i < to; i += ChainStep<I>()) {\n    const I e = i * W;\n";
    if (placed) s += Text("    I at[", int(form.axes), "];\n    ChainPlace(p, e, at);\n");
    Body();
    s += Text("  }\n}\n}  // namespace ", name, "_chain\n}  // namespace flx::cuda\nextern \"C\" __global__ void ", name, "(const __grid_constant__ ", call, " p) {\n  using namespace flx::cuda::", name,
              "_chain;\n");
    const int width = ChainVectorLength(form.dtype);
    if (form.vectors() && width > 1) s += Text("  Run<", width, ">(p, 0, I(p.vectors));\n  Run<1>(p, I(p.vectors * ", width, "), I(p.size));\n}\n");
    else s += "  Run<1>(p, 0, I(p.size));\n}\n";
    return s + Text("FLX_CHAIN_LAUNCHER(", name, ", ", call, ")\n");
  }

 private:
  std::string Place(int k) const {  // of element e of array k
    return form.place[k] == ChainForm::kContiguous ? "int64_t(e)" : form.place[k] == ChainForm::kOne ? "0" : Text("ChainOffset(p.stride[", k, "], at)");
  }
  static std::string Value(int in) { return in >= 0 ? Text("x", in) : Text("t", ~in); }

  // Elements [e, e + W) of one turn.
  void Body() {
    for (int k = 0; k < nin; ++k) {
      const std::string from = Text("static_cast<const T*>(p.data[", k, "])");
      if (form.place[k] == ChainForm::kOne) continue;
      if (form.place[k] == ChainForm::kColumns) s += Text("    const V x", k, " = ChainUp<L, T>(", from, "[", Place(k), "]);\n");
      else s += Text("    const auto r", k, " = ChainRead<W>(", from, " + ", Place(k), ");\n");
    }
    for (int o = 0; o < nout; ++o)
      if (form.place[nin + o] != ChainForm::kNone) s += Text("    ChainVector<T, W> w", o, ";\n");
    s += "    FLX_UNROLL for (int j = 0; j < W; ++j) {\n";
    for (int k = 0; k < nin; ++k)
      if (form.place[k] != ChainForm::kOne && form.place[k] != ChainForm::kColumns) s += Text("      const V x", k, " = ChainUp<L, T>(r", k, ".v[j]);\n");
    int number = 0;
    for (size_t i = 0; i < chain.steps().size(); ++i) {
      const ChainStep& step = chain.steps()[i];
      const TileLoops& loops = *step.op->kernel->loops;
      std::vector<std::string> with;
      for (int in : step.in) with.push_back(Value(in));
      for (int k = 0; k < loops.numbers; ++k) with.push_back(Text("n", number++));
      s += Text("      const V t", i, " = ChainRounded<L, T>(", ChainFormula(loops.name), "()(", Join(with, ", "), "));\n");
    }
    for (int o = 0; o < nout; ++o)
      if (form.place[nin + o] != ChainForm::kNone) s += Text("      w", o, ".v[j] = ChainDown<L, T>(t", chain.outputs()[size_t(o)], ");\n");
    s += "    }\n";
    for (int o = 0; o < nout; ++o)  // last: an output may lie in an input's memory
      if (form.place[nin + o] != ChainForm::kNone) s += Text("    ChainWrite<W>(static_cast<T*>(p.data[", nin + o, "]) + ", Place(nin + o), ", w", o, ");\n");
  }
  const Chain& chain;
  const ChainForm& form;
  const int nin, nout;
  bool placed = false;  // some array is found by coordinates
  std::string s;
};
}  // namespace

int ChainVectorLength(DType t) { return std::min(8, 16 / DTypeSize(t)); }
int ChainNumbers(const Chain& c) {
  int n = 0;
  for (auto& s : c.steps()) n += s.op->kernel->loops->numbers;
  return n;
}
const char* ChainPrelude() { return kChainPrelude; }
const std::string& ChainFormula(const char* kernel) {
  static const Names* names = [] {
    auto* n = new Names;
    chain_formulas::ListUnary(*n), chain_formulas::ListBinary(*n), chain_formulas::ListActivation(*n);
    n->of.emplace("", "");
    return n;
  }();
  auto it = names->of.find(kernel);
  return it == names->of.end() ? names->of.at("") : it->second;
}
std::string ChainKernelText(const Chain& c, const ChainForm& form, const std::string& name) { return Writer(c, form).Write(name); }

}  // namespace flx
