// SPDX-License-Identifier: Apache-2.0
// From a call and its inputs to outputs: count, place, infer, make outputs, run, record.
#include "device/device.h"
#include "device/kernels.h"
#include "exec/core.h"
#include "exec/tape.h"
#include "op/control/host.h"

namespace flx {
namespace {

[[noreturn]] void FailCount(const Call& call, int nin) {
  std::vector<std::string> names;
  for (int i = 0; i < int(call.op.inputs.size()); ++i)
    if (call.present >> i & 1) names.emplace_back(call.op.inputs[size_t(i)].name);
  if (call.op.variadic) Fail(Status::kArgument, call.op.name, "expected at least ", call.op.list_min, " inputs, given ", nin, ".");
  Fail(Status::kArgument, call.op.name, "expected ", call.ninputs, call.ninputs == 1 ? " input" : " inputs", names.empty() ? "" : " (", Join(names, ", "),
       names.empty() ? "" : ")", ", given ", nin, ".");
}
void CheckCount(const Call& call, int nin) {
  if (call.op.subgraphs) Fail(Status::kUnsupported, call.op.name, "runs inside graphs only. Imperatively, write the loop or the condition in your own language.");
  if (call.ninputs < 0 ? nin < call.op.list_min : nin != call.ninputs) FailCount(call, nin);
}

// The commonest case needs no inference: an elementwise operator on arrays of one shape and dtype.
bool SameAll(const Call& call, Array* const* in, int nin) {
  if (!call.tile) return false;
  const Array& a = *in[0];
  for (int i = 1; i < nin; ++i)
    if (in[i]->dtype != a.dtype || in[i]->shape != a.shape) return false;
  return true;
}

const Device* CommonDevice(const Call& call, Array* const* in, int nin, const Device* device) {
  for (int i = 0; i < nin; ++i) {
    if (i == 0) device = in[0]->device();
    else if (in[i]->device() != device)
      Fail(Status::kDevice, call.op.name, "expected all inputs on one device; input 0 is on ", NameOf(device), ", given input ", i, " on ", NameOf(in[i]->device()),
           ". Copy one of them (flx_ndarray_copy).");
  }
  return device && device->cpu() ? nullptr : device;
}

// The operator as a view of its input, if it can be one and nobody gave a target.
NDArray TryView(const Call& call, const void* attrs, Array* const* in, const Shape& shape) {
  ViewSpec v;
  if (!call.op.run_view(call.op.view_fn, attrs, in[0]->shape, in[0]->Strides(), &v)) return nullptr;
  if (v.shape != shape) Fail(Status::kInternal, call.op.name, "the view's shape is ", v.shape, ", inferred was ", shape, ".");
  return Array::NewView(Ref<Array>(in[0]), v.shape, v.strides, in[0]->offset + v.offset * DTypeSize(in[0]->dtype));
}

void CheckTarget(const Call& call, const Array& target, const Shape& shape, DType t, int mode, int i) {
  if (target.shape != shape || target.dtype != t)
    Fail(target.shape != shape ? Status::kShape : Status::kType, call.op.name, "output ", i, " is ", t, " ", shape, ", the target given is ", Describe(target), ".");
  if (!(mode & kRecord)) return;
  if (target.grad && target.grad->req != GradReq::kNull)
    Fail(Status::kState, call.op.name, "the target has a gradient attached and must not be overwritten while recording. Write outside of recording, or detach it.");
  if (!target.whole()) Fail(Status::kState, call.op.name, "the target is a view; while recording only whole arrays may be overwritten.");
}
}  // namespace

bool HasKernel(const OpDef& op, const Device* device) {
  if (!op.kernel) return op.run_kernel != nullptr;
  const int kind = device ? kOnDevice : 0;
  if (op.run_kernel) return op.kernel->fn[kind] != nullptr;
  const TileLoops* loops = op.kernel->loops;
  return loops && (!device || device->Kernel(loops->name, DeviceSignature(loops->name, loops->inputs, loops->numbers)));
}
void FailNoKernel(const OpDef& op, const Device& device) {
  Fail(Status::kUnsupported, op.name, "has no kernel for ", device.name, ". Copy the inputs to the CPU (flx_ndarray_copy with device \"cpu\"), call it there, and copy the result back.");
}

void Inference::Run(const Call& call, const void* attrs, const Shape* given, const DType* types, int nin) {
  CheckCount(call, nin);
  const OpDef& op = call.op;
  int ports = op.variadic ? nin : int(op.inputs.size());
  xs.resize(ports), xt.resize(ports), ys.resize(call.noutputs), yt.resize(call.noutputs);
  for (int p = 0, i = 0; p < ports; ++p) {
    if (call.present >> (op.variadic ? 0 : p) & 1) xs[p] = given[i], xt[p] = types[i], ++i;
    else xs[p] = Shape::Unknown(), xt[p] = DType::kNone;
  }
  for (int i = 0; i < call.noutputs; ++i) ys[i] = Shape::Unknown(), yt[i] = DType::kNone;
  InferAll(op, attrs, xs.data(), xt.data(), ports, ys.data(), yt.data(), call.noutputs, call.present);
  for (int i = 0; i < call.noutputs; ++i)
    if (!ys[i].known() || yt[i] == DType::kNone)
      Fail(Status::kShape, op.name, "the ", ys[i].known() ? "dtype" : "shape", " of output ", i, " cannot be told from the inputs and attributes given (found: ", ys[i], ").");
}

void InvokeAll(const Call& call, int mode, Array* const* in, int nin, const double* scalars, int nscalars, NDArray* out, Array* const* targets, const Device* device) {
  const OpDef& op = call.op;
  CheckCount(call, nin);
  if (__builtin_expect(op.trait(kHost), 0)) FailHostHere(op);
  if (__builtin_expect(mode & kTrace, 0)) return InvokeTraced(call, in, nin, scalars, nscalars, out, targets, device);
  Attrs own;
  const Attrs& attrs = nscalars ? (own = op.schema.WithRuntime(op.name, call.attrs.get(), scalars, nscalars)) : call.attrs;
  if (call.tile && !targets) {
    uint64_t seen[3];
    bool tape = false;
    for (int i = 0; mode & kRecord && i < nin; ++i)
      tape |= HasHistory(*in[i]);
    for (int i = 0; tape && i < nin; ++i) seen[i] = in[i]->storage->var.version.load(std::memory_order_relaxed);
    if (RunSmallTile(call, attrs.get(), in, nin, out)) {
      if (tape) Record(call, attrs, mode, in, nin, seen, out, 1);
      return;
    }
  }
  device = CommonDevice(call, in, nin, device);
  for (int i = 0; targets && i < call.nvisible; ++i)
    if (targets[i]->device() != device)
      Fail(Status::kDevice, op.name, "expected target ", i, " on ", NameOf(device), ", as the inputs are, given one on ", NameOf(targets[i]->device()), ".");
  const bool kernel = HasKernel(op, device);
  if (!kernel && device && !op.compose_fn && !op.view_fn) FailNoKernel(op, *device);

  KernelRun run;
  run.call = &call, run.attrs = attrs.get(), run.training = (mode & kTrain) != 0, run.device = device;
  if (op.trait(kRandom)) run.ticket = NextTicket();
  int ports = op.variadic ? nin : int(op.inputs.size());
  run.in.resize(ports);
  for (int p = 0, i = 0; p < ports; ++p) run.in[p] = op.variadic || (call.present >> p & 1) ? in[i++] : nullptr;

  bool done = false;
  run.out.resize(call.noutputs);
  if (!targets && kernel && SameAll(call, in, nin)) {
    out[0] = Array::New(in[0]->shape, in[0]->dtype, device);
    run.out[0] = out[0].get(), run.fresh = 1;
  } else {
    Inference f;
    {
      SmallVector<Shape, 8> shapes;
      SmallVector<DType, 8> types;
      for (int i = 0; i < nin; ++i) shapes.emplace_back(in[i]->shape), types.emplace_back(in[i]->dtype);
      f.Run(call, attrs.get(), shapes.data(), types.data(), nin);
    }
    if (op.view_fn && !targets) {
      out[0] = TryView(call, attrs.get(), in, f.ys[0]);
      done = bool(out[0]);
    }
    if (!done && !kernel && !op.compose_fn && device) FailNoKernel(op, *device);
    if (!done && !kernel && op.compose_fn && (!targets || device)) {
      // No kernel: run what the operator stands for. With a gradient of its own the parts need not be recorded.
      EagerBuilder b(op.gradient_fn ? mode & ~kRecord : mode, device);
      std::vector<Val> x;
      for (int p = 0; p < ports; ++p) x.push_back(run.in[p] ? b.Add(Ref<Array>(run.in[p])) : Val{});
      auto y = op.run_compose(op.compose_fn, x, attrs.get());
      for (int i = 0; i < call.noutputs && i < int(y.size()); ++i) if (y[size_t(i)]) out[i] = b.array(y[size_t(i)]);
      for (int i = 0; targets && i < call.nvisible; ++i) {
        CheckTarget(call, *targets[i], f.ys[i], f.yt[i], mode, i);
        CopyInto(out[i], Ref<Array>(targets[i]));
        out[i] = Ref<Array>(targets[i]);
      }
      if (!op.gradient_fn) return;
      done = true;
    }
    for (int i = 0; i < call.noutputs && !done; ++i) {
      const Port& port = op.outputs[op.outputs_fn ? 0 : size_t(i)];
      if (targets && i < call.nvisible) {
        CheckTarget(call, *targets[i], f.ys[i], f.yt[i], mode, i);
        run.out[i] = targets[i], out[i] = Ref<Array>(targets[i]);
      } else if (port.updates >= 0) {
        // lands in the input's memory; in inference, when it changes in training only, there is nothing to write
        run.out[i] = port.when_training && !run.training ? nullptr : run.in[port.updates];
      } else {
        out[i] = Array::New(f.ys[i], f.yt[i], device);
        run.out[i] = out[i].get();
        if (i < 64) run.fresh |= 1ull << i;
      }
    }
  }

  SmallVector<uint64_t, 8> versions;
  bool record = false;
  if (mode & kRecord) {
    versions.resize(ports);
    for (int p = 0; p < ports; ++p)
      if (run.in[p]) versions[p] = run.in[p]->storage->var.version.load(std::memory_order_relaxed), record |= HasHistory(*run.in[p]);
  }
  if (!done) RunOrPush(run);
  if (record) Record(call, attrs, mode, run.in.data(), ports, versions.data(), out, call.noutputs);
  else if (targets)
    for (int i = 0; i < call.nvisible; ++i)
      if (targets[i]->node) DropNode(std::exchange(targets[i]->node, nullptr));  // its content is no longer what the history made
}

void Invoke(const Call& call, int mode, Array* const* in, int nin, const double* scalars, int nscalars, NDArray* out, int nout, const Device* device) {
  if (nout != call.nvisible) Fail(Status::kArgument, call.op.name, "makes ", call.nvisible, " outputs, room given for ", nout, ".");
  if (call.noutputs == nout) return InvokeAll(call, mode, in, nin, scalars, nscalars, out, nullptr, device);
  SmallVector<NDArray, 4> all(call.noutputs);
  InvokeAll(call, mode, in, nin, scalars, nscalars, all.data(), nullptr, device);
  for (int i = 0; i < nout; ++i) out[i] = std::move(all[i]);
}

void InvokeInto(const Call& call, int mode, Array* const* in, int nin, const double* scalars, int nscalars, Array* const* targets, int ntargets) {
  if (ntargets != call.nvisible) Fail(Status::kArgument, call.op.name, "makes ", call.nvisible, " outputs, targets given: ", ntargets, ".");
  SmallVector<NDArray, 4> all(call.noutputs);
  InvokeAll(call, mode, in, nin, scalars, nscalars, all.data(), targets, nin || !ntargets ? nullptr : targets[0]->device());
}

}  // namespace flx
