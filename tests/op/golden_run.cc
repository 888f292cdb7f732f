// SPDX-License-Identifier: Apache-2.0
// Runs one case. Kinds: op, oneof, stat, error.
#include <cmath>
#include <filesystem>
#include <memory>

#include "exec/autograd.h"
#include "exec/invoke.h"
#include "golden.h"

namespace flx::golden {
namespace {

struct Missing { std::string what; };  // thrown: a feature that is not there yet

// MXNet without NumPy shapes takes a size 0 in a shape attribute as "not said". Ours says -1; Reshape's codes and target_shape are its own.
std::string OldShape(const std::string& op, const std::string& key, const std::string& value) {
  if (op != "broadcast_to" || key != "shape") return value;
  std::string s;
  for (size_t i = 0; i < value.size(); ++i) {
    bool alone = value[i] == '0' && (i == 0 || !(value[i - 1] >= '0' && value[i - 1] <= '9')) && (i + 1 == value.size() || !(value[i + 1] >= '0' && value[i + 1] <= '9'));
    s += alone ? "-1" : std::string(1, value[i]);
  }
  return s;
}

}  // namespace

bool Difference::Covers(const Case& c) const {
  std::string_view p = prefix, id = c.id();
  return id == p || (id.substr(0, p.size()) == p && id.size() > p.size() && (id[p.size()] == '/' || id[p.size()] == '.'));
}
double AllowedDifference(const Case& c) {
  std::string note = c.note();
  return note.find("allow a difference of 1") != std::string::npos ? 1 : note.find("allow a difference of 3") != std::string::npos ? 3 : 0;
}
int ModeOf(const Case& c) {
  bool train = c.Find("mode")->get("train") == "1", writes = c.Find("writes") != nullptr;
  if (c.kind() == "stat" || c.kind() == "error") return train ? kTrain : kPlain;
  return (train ? kTrain : kPlain) | ((train && !writes) || c.Find("head") ? kRecord : kPlain);
}
Pairs AttributesOf(const Folder& folder, const Case& c) {
  std::string name = OperatorOf(c);
  bool old = c.Find("mode")->get("np_shape") == "0";
  Pairs attrs;
  int64_t inputs = 0;
  for (auto& l : c.lines) {
    inputs += l.word == "in";
    if (l.word != "attr") continue;
    auto& [key, value] = l.fields[0];
    std::string file = folder.path() + "/" + value;
    attrs.emplace_back(key, value.rfind("files/", 0) == 0 && std::filesystem::exists(file) ? file : old ? OldShape(name, key, value) : value);
  }
  const OpDef* d = FindOpOrNull(name);
  if (!d || !d->count_attr) return attrs;
  for (auto& kv : attrs) if (kv.first == d->count_attr) return attrs;
  attrs.emplace_back(d->count_attr, Text(inputs));  // as MXNet's bindings do
  return attrs;
}

namespace {

class Runner {
 public:
  Runner(Folder* folder, const Case& c) : folder_(*folder), c_(c), name_(OperatorOf(c)) {}

  Verdict Op(bool one_of) {
    Prepare();
    int bits = ModeOf(c_);
    auto outs = Call(bits, true);
    if (one_of) {
      std::string last;
      for (auto& l : c_.lines) {
        if (l.word != "out") continue;
        last = Check("out", l, *outs.at(Index(l)));
        if (last.empty()) return {};
      }
      return Judge("the result is none of those allowed; " + last);
    }
    std::string text;
    for (auto& l : c_.lines) {
      if (l.word != "out") continue;
      if (Index(l) >= outs.size()) text += Text("there is no output ", l.get("index"), ".\n");
      else text += Check("out " + l.get("index"), l, *outs[Index(l)]);
    }
    if (c_.Find("head")) {
      std::vector<NDArray> heads, grads;
      for (auto& l : c_.lines)
        if (l.word == "head") heads.push_back(outs.at(Index(l))), grads.push_back(Load(l));
      Backward(heads, grads, bits);
    }
    for (auto& l : c_.lines) {
      if (l.word == "grad") {
        NDArray g = GradOf(*Input(l.get("name")));
        text += g ? Check("grad " + l.get("name"), l, *g) : "no gradient reached " + l.get("name") + ".\n";
      } else if (l.word == "after") {
        text += Check("after " + l.get("name"), l, *Input(l.get("name")));
      }
    }
    return Judge(text);
  }

  Verdict Stat() {
    Prepare();
    auto outs = Call(ModeOf(c_), true);
    std::string text;
    for (auto& l : c_.lines)
      if (l.word == "shape") {
        Stored want;
        const Array& a = *outs.at(Index(l));
        DTypeFromName(l.get("dtype"), &want.dtype);
        if (a.dtype != want.dtype || Text(a.shape) != Text(ShapeOf(l.get("shape"))))
          text += Text("output ", l.get("index"), " is ", Describe(a), ", MXNet's is ", want.dtype, " ", ShapeOf(l.get("shape")), ".\n");
      }
    if (outs.empty()) return Judge("no outputs.\n");
    std::vector<double> v(size_t(outs[0]->size()));
    ReadArray(*outs[0], v.data(), int64_t(v.size() * 8), DType::kFloat64, false);
    for (auto& l : c_.lines) if (l.word == "expect") text += Expect(l, v);
    return Judge(text);
  }

  Verdict Error() {
    std::string message;
    try {
      Prepare();
      auto outs = Call(ModeOf(c_), false);
      for (auto& o : outs) WaitToRead(*o);
    } catch (const flx::Error& e) {
      message = e.message();
      // The message names who complains: the operator, by the name given or its first one.
      const OpDef* d = FindOpOrNull(name_);
      if (message.rfind("[" + name_ + "]", 0) == 0 || (d && message.rfind("[" + std::string(d->name) + "]", 0) == 0)) return {};
      return {Outcome::kFailed, Text("the message does not name ", name_, ": ", message, "\n")};
    }
    if (c_.Find("mxnet")->get("answer") == "accepts") return {};  // to take the call is MXNet's answer, to refuse is as good
    return Judge(Text("the call must fail (", c_.Find("wrong")->get("text"), "), and did not.\n"));
  }

 private:
  static size_t Index(const Line& l) {
    int64_t i = 0;
    ParseInt(l.get("index"), &i);
    return size_t(i);
  }
  static Shape ShapeOf(const std::string& text) {
    Shape s;
    int64_t v;
    if (text != "-") for (auto& p : Split(text, ',')) if (ParseInt(p, &v)) s.push_back(v);
    return s;
  }
  NDArray Load(const Line& l) {
    Stored s = folder_.Load(c_, l);
    return FromHost(s.bytes.data(), int64_t(s.bytes.size()), s.dtype, false, s.shape, s.dtype);
  }
  const NDArray& Input(const std::string& name) const {
    for (size_t i = 0; i < names_.size(); ++i) if (names_[i] == name) return in_[i];
    Fail(Status::kFormat, "golden", c_.id(), ": no input is called ", name);
  }

  void Prepare() {
    attrs_ = AttributesOf(folder_, c_);
    for (auto& l : c_.lines) {
      if (l.word == "in") {
        if (l.has("stype")) throw Missing{"sparse arrays"};
        names_.push_back(l.get("name"));
        in_.push_back(Load(l));
        if (l.has("grad") && l.get("grad") == "1") AttachGrad(in_.back(), GradReq::kWrite);
      } else if (l.word == "writes") {
        int64_t i = 0;
        ParseInt(l.get("input"), &i);
        targets_.push_back(in_.at(size_t(i)));
      }
    }
  }

  std::vector<NDArray> Call(int mode, bool wait) {
    Ref<flx::Call> call = flx::Call::New(name_, attrs_);
    std::vector<NDArray> outs;
    if (targets_.empty()) {
      outs = Invoke(*call, mode, in_);
    } else {
      std::vector<Array*> in, to;
      for (auto& a : in_) in.push_back(a.get());
      for (auto& a : targets_) to.push_back(a.get());
      InvokeInto(*call, mode, in.data(), int(in.size()), nullptr, 0, to.data(), int(to.size()));
      outs = targets_;
    }
    if (wait) for (auto& o : outs) WaitToRead(*o);
    return outs;
  }

  // "" when equal, or when the list of differences names this part.
  std::string Check(const std::string& what, const Line& l, const Array& got) {
    Stored want = folder_.Load(c_, l);
    if (double allowed = AllowedDifference(c_)) want.atol = allowed;
    std::string bytes(size_t(got.bytes()), '\0');
    ReadArray(got, bytes.data(), int64_t(bytes.size()), got.dtype, false);
    std::string text = Compare(what, want, got.dtype, got.shape, bytes.data());
    for (auto& d : Differences())
      if (*d.part && d.part == what && d.Covers(c_)) {
        if (text.empty()) return Text(what, " agrees with MXNet, but tests/op/differences.cc says that it differs. Remove the line.\n");
        by_design_ += Text(what, ": ", d.reason, " ");
        return "";
      }
    return text;
  }

  Verdict Judge(const std::string& text) {
    for (auto& d : Differences())
      if (!*d.part && d.Covers(c_)) {
        if (!text.empty()) return {Outcome::kDiffers, d.reason};
        return {Outcome::kFailed, "the case agrees with MXNet, but tests/op/differences.cc says that it differs. Remove the line.\n"};
      }
    if (!text.empty()) {
      // MXNet's own result is wrong there; being right may well differ.
      if (const Line* s = c_.Find("suspect")) return {Outcome::kDiffers, "MXNet's result is suspect: " + s->get("text")};
      return {Outcome::kFailed, text};
    }
    if (!by_design_.empty()) return {Outcome::kDiffers, by_design_};
    return {};
  }

  std::string Expect(const Line& l, const std::vector<double>& all) {
    auto real = [&](const char* key) {
      double v = 0;
      ParseDouble(l.get(key), &v);
      return v;
    };
    auto rows = size_t(real("rows")), row = size_t(real("row")), n = all.size() / rows;
    double sum = 0, squares = 0;
    std::string text;
    for (size_t i = row * n; i < (row + 1) * n; ++i) sum += all[i];
    double mean = sum / double(n);
    for (size_t i = row * n; i < (row + 1) * n; ++i) {
      double x = all[i];
      squares += (x - mean) * (x - mean);
      if (l.has("min") && x < real("min")) return Text("row ", row, ": ", x, " is below ", l.get("min"), ".\n");
      if (l.has("max") && x > real("max")) return Text("row ", row, ": ", x, " is above ", l.get("max"), ".\n");
      if (l.get("integer") == "1" && x != std::floor(x)) return Text("row ", row, ": ", x, " is no whole number.\n");
      if (!std::isfinite(x)) return Text("row ", row, ": ", x, " is not finite.\n");
    }
    double var = squares / double(n);
    if (l.has("mean_tol") && std::abs(mean - real("mean")) > real("mean_tol"))
      text += Text("row ", row, ": the mean of ", n, " is ", mean, ", ", l.get("mean"), " +- ", l.get("mean_tol"), " was expected.\n");
    if (l.has("var_tol") && std::abs(var - real("var")) > real("var_tol"))
      text += Text("row ", row, ": the variance of ", n, " is ", var, ", ", l.get("var"), " +- ", l.get("var_tol"), " was expected.\n");
    return text;
  }

  Folder& folder_;
  const Case& c_;
  std::string name_, by_design_;
  Pairs attrs_;
  std::vector<std::string> names_;
  std::vector<NDArray> in_, targets_;
};

}  // namespace

std::string OperatorOf(const Case& c) { return c.Find("op")->get("name"); }

Verdict Run(Folder* folder, const Case& c) {
  std::string name = OperatorOf(c);
  if (!FindOpOrNull(name) && name != "no_such_operator") return {Outcome::kMissing, "operator " + name};
  SeedRandom(1);
  Runner runner(folder, c);
  try {
    if (c.kind() == "op" || c.kind() == "oneof") return runner.Op(c.kind() == "oneof");
    if (c.kind() == "stat") return runner.Stat();
    if (c.kind() == "error") return runner.Error();
    return {Outcome::kFailed, "unknown kind " + c.kind()};
  } catch (const Missing& m) {
    return {Outcome::kMissing, m.what};
  } catch (const std::exception& e) {
    return {Outcome::kFailed, Text("error: ", e.what(), "\n")};
  }
}

}  // namespace flx::golden
