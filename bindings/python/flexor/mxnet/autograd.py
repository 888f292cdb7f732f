# SPDX-License-Identifier: Apache-2.0
"""mx.autograd: scopes that record, backward, gradients, functions with a gradient of their own."""
from .. import _core
from .base import f
from .ndarray import NDArray
from .ndarray.ndarray import own


class _Scope:
    """Sets some bits of this thread's mode and puts back what was there."""

    def __init__(self, **bits):
        self._bits, self._before = bits, []

    def __enter__(self):
        mode = before = f.mode()
        for bit, value in self._bits.items():
            if value is not None:
                flag = getattr(f, "FLX_" + bit.upper())
                mode = mode | flag if value else mode & ~flag
        self._before.append(before)
        f.set_mode(mode)
        return self

    def __exit__(self, *error):
        f.set_mode(self._before.pop())


def record(train_mode=True):
    """with autograd.record(): what is computed here can be gone backward through."""
    return _Scope(record=True, train=train_mode)


def pause(train_mode=False):
    return _Scope(record=False, train=train_mode)


def train_mode():
    return _Scope(train=True)


def predict_mode():
    return _Scope(train=False)


def is_recording():
    return bool(f.mode() & f.FLX_RECORD)


def is_training():
    return bool(f.mode() & f.FLX_TRAIN)


def _set(flag, on):
    before = f.mode()
    f.set_mode(before | flag if on else before & ~flag)
    return bool(before & flag)


def set_recording(is_record):
    return _set(f.FLX_RECORD, is_record)


def set_training(train_mode):
    return _set(f.FLX_TRAIN, train_mode)


def mark_variables(variables, gradients, grad_reqs="write"):
    """Makes arrays leaves whose gradients go into `gradients`."""
    if isinstance(variables, NDArray):
        variables, gradients = [variables], [gradients]
    reqs = [grad_reqs] * len(variables) if isinstance(grad_reqs, str) else grad_reqs
    for v, g, r in zip(variables, gradients, reqs):
        f.flx_autograd_attach(v, r, g)


def _heads(heads, head_grads):
    heads = [heads] if isinstance(heads, NDArray) else list(heads)
    if head_grads is None:
        return heads, []
    head_grads = [head_grads] if isinstance(head_grads, NDArray) else list(head_grads)
    if len(head_grads) != len(heads):
        raise ValueError("expected a head gradient for each of %d heads, given %d" % (len(heads), len(head_grads)))
    return heads, head_grads


def backward(heads, head_grads=None, retain_graph=False, train_mode=True):
    """Stores the gradients of `heads` where they are attached."""
    heads, head_grads = _heads(heads, head_grads)
    mode = f.FLX_RETAIN if retain_graph else 0
    if _core.hosts_exist():
        _core.run_task(f.flx_autograd_start(heads, head_grads, [], mode))
    else:
        f.flx_autograd_backward(heads, head_grads, mode)


def grad(heads, variables, head_grads=None, retain_graph=None, create_graph=False, train_mode=True):
    """The gradients of `heads` with respect to `variables`, which must have been attached or recorded."""
    heads, head_grads = _heads(heads, head_grads)
    single = isinstance(variables, NDArray)
    variables = [variables] if single else list(variables)
    retain_graph = create_graph if retain_graph is None else retain_graph
    mode = (f.FLX_RETAIN if retain_graph else 0) | (f.FLX_CREATE_GRAPH if create_graph else 0)
    if _core.hosts_exist():
        task = f.flx_autograd_start(heads, head_grads, variables, mode)
        _core.run_task(task)
        found = f.flx_task_arrays(task)
    else:
        found = f.flx_autograd_gradients(heads, head_grads, variables, mode)
    found = [own(g) for g in found]
    return found[0] if single else found


def get_symbol(x):
    """What `x` was computed by, as a symbol."""
    from .symbol.symbol import own as own_symbol
    return own_symbol(f.flx_autograd_symbol(x))


class Function:
    """A function with a gradient of its own: forward(*arrays) and backward(*output_gradients) are written by the user, on arrays that are not recorded."""

    def __init__(self):
        self._used, self.saved_tensors = False, ()

    def save_for_backward(self, *args):
        self.saved_tensors = args

    def forward(self, *inputs):
        raise NotImplementedError

    def backward(self, *output_grads):
        raise NotImplementedError

    def __call__(self, *inputs):
        if self._used:
            raise RuntimeError("a Function is called once; make another one")
        self._used = True
        with pause(train_mode=is_training()):
            outputs = self.forward(*inputs)
        single = isinstance(outputs, NDArray)
        outs = [outputs] if single else list(outputs)
        if not is_recording():
            return outputs
        count = len(outs)

        def gradient(stage, arrays):
            grads = self.backward(*[own(a) for a in arrays[:count]])
            return [grads] if isinstance(grads, NDArray) else list(grads)
        # An output that is an input, or was kept, is given out as another array over the same memory, so that no array is its own maker.
        outs = [own(f.flx_ndarray_detach(o)) for o in outs]
        f.flx_autograd_record(_core.host_register(gradient), list(inputs), outs)
        return outs[0] if single else outs
