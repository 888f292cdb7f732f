// SPDX-License-Identifier: Apache-2.0
#include "op/control/host.h"

#include "base/registry.h"
#include "op/families.h"

namespace flx {
namespace {

// Every node and every call asks this once: the place where a label comes to be known.
int Outputs(const HostAttrs& a) {
  if (a.token.get() >= 0 && !a.label.empty()) NoteHostLabel(a.token.get(), a.label);
  return a.outputs;
}
// "(None, 10)", or "[(None, 10), (3,)]" with as many as there are outputs.
std::vector<Shape> ShapesOf(const HostAttrs& a) {
  std::string_view text = Trim(a.shapes);
  auto refuse = [&](const std::string& why) {
    Fail(Status::kArgument, "_host", "`shapes` reads a shape for each output, as \"(None, 10)\" or \"[(None, 10), (3,)]\", None in front being the size of the first input's first axis: ",
         why, ", given `", a.shapes, "`.");
  };
  bool list = text.size() > 1 && (text[0] == '[' || (text[0] == '(' && Trim(text.substr(1)).substr(0, 1) == "("));
  auto items = SplitNamed(list ? text.substr(1, text.size() - 2) : text);
  if (int(items.size()) != a.outputs) refuse(Text("there are ", a.outputs, " outputs"));
  std::vector<Shape> shapes;
  for (auto& item : items) {
    shapes.push_back(ParseShape("_host", item));
    for (int i = 1; i < shapes.back().ndim(); ++i)
      if (shapes.back()[i] < 0) refuse("only the first size may be unknown");
  }
  return shapes;
}
void InferHost(Infer& c, const HostAttrs& a) {
  if (Trim(a.shapes).empty()) {
    for (int i = 0; i < c.nout; ++i) c.set_y(i, c.x(0)), c.set_x(0, c.y(i));
    return;
  }
  auto shapes = ShapesOf(a);
  for (int i = 0; i < c.nout; ++i) {
    Shape s = shapes[size_t(i)];
    if (s.ndim() > 0 && s[0] < 0 && c.ranked(0)) {
      if (c.x(0).ndim() == 0) c.Fail("`shapes` takes the size of the first input's first axis, and the input has none.");
      s[0] = c.x(0)[0];
    }
    c.set_y(i, s);
  }
}
void HostTypes(Infer& c, const HostAttrs&) {
  for (int i = 0; i < c.nout; ++i) c.set_y_type(i, c.x_type(0)), c.set_x_type(0, c.y_type(i));
}
}  // namespace

int64_t TokenOf(const HostAttrs& a) {
  if (a.token.get() >= 0) return a.token.get();
  if (a.label.empty()) Fail(Status::kArgument, "_host", "needs a `token`, or the `label` of a host operation that this process has.");
  int64_t token = TokenOfLabel(a.label);
  if (token < 0)
    Fail(Status::kState, "_host", "host operation `", a.label, "` must be registered: this process has no function for it. A file holds its label, not its code; make the operation, with the same "
         "label, before the model runs.");
  return token;
}
void FailHostHere(const OpDef& op) {
  Fail(Status::kUnsupported, op.name, "is the host's own code, which only a task asks for. Run it by flx_fit_start, flx_evaluate_start, flx_predict_start or flx_graph_start.");
}

void AddHostOp(std::vector<OpDef>* ops) {
  using A = HostAttrs;
  ops->push_back(Op<A>("_host").family("control")
      .doc("Outputs that a function of the host computes. Only a task runs it (flx_fit_start, flx_evaluate_start, flx_predict_start, flx_graph_start): it stops with FLX_HOST, and who drives it answers. "
           "All outputs have the first input's dtype.")
      .traits(kHost | kEffect)
      .input_list("data", "What the function reads.", "num_args").output("output", "What it gives.")
      .outputs_count(&Outputs).infer(&InferHost).types(&HostTypes)
      .attr(&A::token, "token", "The function, by the number that the host gave it, in this process alone: files hold the label. -1: the one that the label names.").range(-1, 9e15)
      .attr(&A::outputs, "outputs", "How many arrays it gives.").range(1, 65536)
      .attr(&A::shapes, "shapes", "A shape for each output, as (None, 10) or [(None, 10), (3,)]; None in front is the size of the first input's first axis. Empty: each is like the first input.")
      .attr(&A::label, "label", "Its name in messages and files."));
}

}  // namespace flx
