# SPDX-License-Identifier: Apache-2.0
"""mx.operator: operators of one's own in Python, for mx.nd.Custom. They run where they are called, on the calling thread."""
from .. import _core
from . import autograd
from .base import f, text
from .context import current_context
from .ndarray import NDArray, zeros
from .ndarray.ndarray import own

_props = {}


class CustomOp:
    """forward fills out_data from in_data, backward in_grad from out_grad, by self.assign(target, req, value)."""

    def forward(self, is_train, req, in_data, out_data, aux):
        raise NotImplementedError

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        raise NotImplementedError

    def assign(self, dst, req, src):
        if req in ("write", "inplace"):
            dst[:] = src
        elif req == "add":
            dst[:] += src


class CustomOpProp:
    """What an operator is: names and shapes of its inputs and outputs, and how it is made. Settings come to __init__ as texts."""

    def __init__(self, need_top_grad=True):
        self.need_top_grad_ = need_top_grad

    def infer_shape(self, in_shape):
        return in_shape, (in_shape[0],) * len(self.list_outputs()), ()

    def infer_type(self, in_type):
        return in_type, [in_type[0]] * len(self.list_outputs()), [in_type[0]] * len(self.list_auxiliary_states())

    def list_arguments(self):
        return ["data"]

    def list_outputs(self):
        return ["output"]

    def list_auxiliary_states(self):
        return []

    def declare_backward_dependency(self, out_grad, in_data, out_data):
        return [*(out_grad if self.need_top_grad_ else []), *in_data, *out_data]

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return CustomOp()


def register(reg_name):
    """@mx.operator.register("name") before a CustomOpProp."""
    def put(prop):
        if not issubclass(prop, CustomOpProp):
            raise TypeError("register takes a CustomOpProp, given %r" % (prop,))
        _props[reg_name] = prop
        return prop
    return put


def get_all_registered_operators():
    return sorted(_props)


def custom(*args, op_type=None, name=None, **kwargs):
    """mx.nd.Custom: runs a registered operator on arrays; what it does is recorded as one operation with its own gradient."""
    if op_type not in _props:
        raise ValueError("[Custom] no operator is registered as %r; there are: %s" % (op_type, ", ".join(get_all_registered_operators()) or "none"))
    arrays = {k: kwargs.pop(k) for k in list(kwargs) if isinstance(kwargs[k], NDArray)}
    prop = _props[op_type](**{k: text(v) for k, v in kwargs.items()})
    names = prop.list_arguments() + prop.list_auxiliary_states()
    given = dict(zip(names, args))
    given.update(arrays)
    if set(given) != set(names) or len(args) > len(names):
        raise TypeError("[%s] expected the arrays %s, given %d in order and %s" % (op_type, ", ".join(names), len(args), ", ".join(arrays) or "none by name"))
    inputs = [given[n] for n in prop.list_arguments()]
    states = [given[n] for n in prop.list_auxiliary_states()]
    _, out_shapes, _ = prop.infer_shape([list(a.shape) for a in inputs])
    _, out_types, _ = prop.infer_type([a.dtype for a in inputs])
    outs = [zeros(tuple(s), inputs[0].context, t) for s, t in zip(out_shapes, out_types)]
    op = prop.create_operator(current_context(), [list(a.shape) for a in inputs], [a.dtype for a in inputs])
    train = autograd.is_training()
    with autograd.pause(train_mode=train):
        op.forward(train, ["write"] * len(outs), inputs, outs, states)
    if autograd.is_recording():
        def gradient(stage, host):
            host = [own(a) for a in host]
            heads, kept, made = host[:len(outs)], host[len(outs):len(outs) + len(inputs)], host[len(outs) + len(inputs):]
            grads = [zeros(a.shape, a.context, a.dtype) for a in kept]
            op.backward(["write"] * len(kept), heads, kept, made, grads, states)
            return grads
        f.flx_autograd_record(_core.host_register(gradient), inputs, outs)
    return outs[0] if len(outs) == 1 else outs
