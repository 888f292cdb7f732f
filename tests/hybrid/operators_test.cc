// SPDX-License-Identifier: Apache-2.0
// Every registered operator gives the same results, gradients, random numbers and states imperatively and planned: with no pass, with each pass alone, with
// the defaults; on its inputs as they are given, and on values that lie in the arena. The same on a device, where what has no kernel is refused both ways.
#include "../device/under_test.h"
#include "base/config.h"
#include "compare.h"
#include "setup.h"

namespace flx::cases {
namespace {

struct Trial {
  Case c;
  Ref<Call> call;
  TraceFunction Function(bool inside) const {
    return [call = call, inside](Builder& b, const std::vector<Val>& given) {
      const OpDef& op = call->op;
      auto copy = [&](Val v) { return CallOp("_copy", {v}, {}, &b); };
      std::vector<Val> in;
      size_t at = 0, ports = op.variadic ? given.size() : op.inputs.size();
      for (size_t p = 0; p < ports; ++p) in.push_back(op.variadic || (call->present >> p & 1) ? inside ? copy(given[at++]) : given[at++] : Val{});
      auto y = Calls(op, call->attrs, in, &b);
      y.resize(size_t(call->nvisible));
      if (inside)
        for (Val& v : y) v = copy(v);
      return y;
    };
  }
  bool updates() const {
    for (auto& o : call->op.outputs) if (o.updates >= 0) return true;
    return false;
  }
};
std::vector<NDArray> Inputs(const Trial& t, DType type, bool strided, bool gradient, const Device* device) {
  Setup s(t.c);
  auto in = s.Inputs(Start(t.c), type, strided);
  for (auto& a : in) if (device) a = CopyOf(a, device);
  for (size_t i = 0; i < in.size(); ++i)
    if (gradient && s.Differentiable(i)) AttachGrad(in[i], GradReq::kWrite);
  return in;
}
std::string Title(const Trial& t) {
  std::string s = Text(t.call->op.name, " ", t.c.what, " (");
  for (auto& kv : t.c.attrs) s += Text(kv.first, "=", kv.second, " ");
  return s + ")";
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr DType kTypes[] = {DType::kFloat32};  // the others take the same ways, and a sanitizer's minute
constexpr int kDeviceStride = 16;               // of the cases on a device
#else
constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16};
constexpr int kDeviceStride = 1;
#endif

void Check(const Trial& t, const HybridOptions& options, double tolerance, const Device* device) {
  bool gradient = t.call->op.differentiable() && !t.c.no_gradient;
  for (DType type : kTypes) {
    if (device && type != DType::kFloat32) continue;  // device_operators_test has the others
    for (bool inside : {false, true})
      for (bool strided : {false, true}) {
        if ((strided && device) || (inside && t.updates()) || (strided && (inside || t.c.no_strides || t.updates()))) continue;
        for (int mode : {kPlain | 0, kRecord | (t.c.train ? kTrain : kPlain)}) {
          if (mode & kRecord && !gradient) mode &= ~kRecord;
          SCOPED_TRACE(Text(Title(t), " ", type, inside ? ", inside" : "", strided ? ", strided" : "", ", mode ", mode, ", passes `", options.passes, "`"));
          auto f = t.Function(inside);
          Outcome want;
          std::string refused;
          try {
            want = RunImperatively(f, mode, Inputs(t, type, strided, gradient, device));
          } catch (const Error& e) {
            refused = e.message();
          }
          std::vector<bool> fixed(t.c.inputs.size(), !(mode & kRecord));  // also what is computed once
          auto g = Make<CachedGraph>("test", f, t.updates() ? std::vector<bool>() : fixed, options);
          try {
            Outcome got = RunPlanned(*g, mode, Inputs(t, type, strided, gradient, device));
            if (!refused.empty()) {
              ADD_FAILURE() << "imperatively refused: " << refused;
              continue;
            }
            if (t.c.only_runs) continue;
            EXPECT_EQ(Difference(got, want, type == DType::kFloat16 ? tolerance * 100 : tolerance), "");
          } catch (const Error& e) {
            EXPECT_NE(refused, "") << e.message();
          }
        }
      }
  }
}
void CheckAll(const HybridOptions& options, double tolerance, const Device* device = nullptr) {
  int at = 0;
  for (auto& c : AllCases()) {
    if (device && at++ % kDeviceStride) continue;
    Trial t{c, Call::New(c.op, c.attrs)};
    if (t.call->op.subgraphs || t.call->op.trait(kDynamic) || t.call->op.trait(kHost) || (device && c.inputs.empty())) continue;
    Check(t, options, tolerance, device);
  }
}

TEST(Operators, WithoutPasses) {
  HybridOptions o;
  o.passes = "none";
  CheckAll(o, 0);
}
TEST(Operators, EachValueInAPlaceOfItsOwn) {
  HybridOptions o;
  o.passes = "none", o.memory = false;
  CheckAll(o, 0);
}
TEST(Operators, WithEachPassAlone) {
  for (auto& p : Passes().all()) {
    HybridOptions o;
    o.passes = p.name;
    CheckAll(o, p.exact ? 0 : 1e-5);
  }
}
TEST(Operators, WithTheDefaults) { CheckAll({}, 1e-5); }
TEST(Operators, OnADevice) {
  PrepareDevice();
  HybridOptions o;
  o.passes = "none";
  CheckAll(o, 0, DeviceUnderTest());
}
TEST(Operators, OnADeviceWithTheDefaults) {
  PrepareDevice();
  CheckAll({}, 1e-5, DeviceUnderTest());
}

}  // namespace
}  // namespace flx::cases
