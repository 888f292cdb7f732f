# SPDX-License-Identifier: Apache-2.0
"""mx.executor: a symbol with its arrays, run forwards and backwards."""
import numpy as np

from .._core import run_task
from .base import f, text
from .context import Context, current_context
from .ndarray import NDArray, array, zeros
from .ndarray.ndarray import own


def _by_name(names, given, what, default=None):
    """Arrays by name from a list in order or a dict."""
    if given is None:
        return {n: default for n in names}
    if isinstance(given, dict):
        return {n: given.get(n, default) for n in names}
    given = list(given)
    if len(given) != len(names):
        raise ValueError("expected %d %s (%s), given %d" % (len(names), what, ", ".join(names), len(given)))
    return dict(zip(names, given))


class Graph:
    """A symbol ready to run; one that has to wait for its conditions is driven as a task."""

    def __init__(self, symbol, options=None):
        self.handle = f.flx_graph_create(symbol, options or {})
        self._waits = f.flx_graph_text(self.handle, "waits") == "1"

    def __call__(self, mode, arrays):
        if not self._waits:
            return [own(o) for o in f.flx_graph_run(self.handle, mode, arrays)]
        task = f.flx_graph_start(self.handle, f.mode() if mode is None else mode, arrays)
        run_task(task)
        return [own(o) for o in f.flx_task_arrays(task)]


class Executor:
    """What Symbol.bind and simple_bind give: arg_dict, grad_dict, aux_dict, outputs; forward and backward."""

    def __init__(self, symbol, ctx, args, args_grad=None, grad_req="write", aux_states=None):
        self._symbol = symbol
        self._ctx = ctx if isinstance(ctx, Context) else current_context() if ctx is None else ctx[0]
        self._names, aux_names = symbol.list_arguments(), symbol.list_auxiliary_states()
        self.arg_dict = _by_name(self._names, args, "arguments")
        lacking = [n for n, a in self.arg_dict.items() if a is None]
        if lacking:
            raise ValueError("bind needs an array for every argument; there is none for %s" % ", ".join(lacking))
        self.aux_dict = _by_name(aux_names, aux_states, "auxiliary states")
        for n, a in self.aux_dict.items():
            if a is None:
                raise ValueError("bind needs an array for the auxiliary state %s" % n)
        if isinstance(grad_req, str):
            reqs = {n: grad_req for n in self._names}
        else:
            reqs = _by_name(self._names, grad_req, "grad_req", "null")
        grads = _by_name(self._names, args_grad, "gradients")
        self._grad_req = {n: "null" if args_grad is None or grads[n] is None else reqs[n] for n in self._names}
        self.grad_dict = {n: g if self._grad_req[n] != "null" else None for n, g in grads.items()}
        self._graph = Graph(symbol)
        # the arrays' memory, with the gradients of this executor alone: the caller's own arrays are left as they are
        self._inputs = {}
        self.outputs, self._monitor = [], None
        self._output_names = symbol.list_outputs()

    @property
    def arg_arrays(self):
        return [self.arg_dict[n] for n in self._names]

    @property
    def grad_arrays(self):
        return [self.grad_dict[n] for n in self._names]

    @property
    def aux_arrays(self):
        return list(self.aux_dict.values())

    @property
    def output_dict(self):
        return dict(zip(self._output_names, self.outputs))

    def _input(self, name):
        """The array that runs for an argument: another handle on its memory, with the gradient attached."""
        array_ = self.arg_dict[name]
        kept = self._inputs.get(name)
        if kept is None or kept[0] is not array_:
            inner = own(f.flx_ndarray_detach(array_))
            if self._grad_req[name] != "null":
                f.flx_autograd_attach(inner, self._grad_req[name], self.grad_dict[name])
            kept = self._inputs[name] = (array_, inner)
        return kept[1]

    def forward(self, is_train=False, **kwargs):
        """Runs the symbol; arrays given by name are copied into the arguments before."""
        for name, value in kwargs.items():
            if name not in self.arg_dict:
                raise TypeError("forward: there is no argument %r; there are %s" % (name, ", ".join(self._names)))
            value = value if isinstance(value, NDArray) else array(value)
            if value.shape != self.arg_dict[name].shape:
                raise ValueError("forward: argument %r has shape %s, given %s; reshape() the executor for another one" % (name, self.arg_dict[name].shape, value.shape))
            self.arg_dict[name][:] = value
        arrays = [self._input(n) for n in self._names] + self.aux_arrays
        mode = f.FLX_RECORD | f.FLX_TRAIN if is_train else 0
        self.outputs = []
        self.outputs = self._graph(mode, arrays)
        if self._monitor:
            self._show(arrays, mode)
        return self.outputs

    def backward(self, out_grads=None, is_train=True):
        """Fills the gradients; a loss needs no out_grads."""
        if out_grads is None:
            out_grads = []
        elif isinstance(out_grads, NDArray):
            out_grads = [out_grads]
        elif isinstance(out_grads, dict):
            out_grads = [out_grads.get(n) for n in self._output_names]
        if not self.outputs:
            raise RuntimeError("backward comes after forward(is_train=True)")
        if all(r == "null" for r in self._grad_req.values()):
            return
        f.flx_autograd_backward(self.outputs, list(out_grads), f.FLX_RETAIN)

    def set_monitor_callback(self, callback, monitor_all=False):
        """callback(name, array) sees every output of every node, and with monitor_all the inputs, at each forward run."""
        self._monitor = (callback, monitor_all)

    def _show(self, arrays, mode):
        callback, everything = self._monitor
        inner = self._symbol.get_internals()
        names, inputs = inner.list_outputs(), set(self._symbol.list_inputs())
        for name, value in zip(names, Graph(inner)(mode & ~f.FLX_RECORD & ~f.FLX_TRAIN, arrays)):
            if everything or name not in inputs:
                callback(name, value)

    def copy_params_from(self, arg_params, aux_params=None, allow_extra_params=False):
        for given, mine in ((arg_params, self.arg_dict), (aux_params or {}, self.aux_dict)):
            for name, value in given.items():
                if name in mine:
                    mine[name][:] = value.astype(mine[name].dtype) if value.dtype != mine[name].dtype else value
                elif not allow_extra_params:
                    raise ValueError("there is no argument called %r; there are %s" % (name, ", ".join(mine)))

    def reshape(self, partial_shaping=False, allow_up_sizing=False, **kwargs):
        """An executor of other input shapes with the same parameters."""
        known = {n: kwargs.get(n, self.arg_dict[n].shape if n not in kwargs else None) for n in kwargs}
        shapes, _, aux = self._symbol.infer_shape(**known)
        if shapes is None:
            raise ValueError("reshape: the shapes %s do not fit" % kwargs)
        args, grads = {}, {}
        for n, s in zip(self._names, shapes):
            old = self.arg_dict[n]
            same = old.shape == s
            if not same and n not in kwargs and not partial_shaping:
                raise ValueError("reshape: %r would change from %s to %s; partial_shaping=True allows it" % (n, old.shape, s))
            args[n] = old if same else zeros(s, self._ctx, old.dtype)
            g = self.grad_dict[n]
            grads[n] = g if same or g is None else zeros(s, self._ctx, g.dtype)
        return Executor(self._symbol, self._ctx, args, grads, self._grad_req, self.aux_dict)

    def debug_str(self):
        return f.flx_graph_text(self._graph.handle, "program")


def simple_bind(symbol, ctx, grad_req, type_dict, shapes):
    """An executor whose arrays are made here, zeros, of the shapes that follow from those given."""
    type_dict = type_dict or {}
    arg_shapes, _, aux_shapes = symbol.infer_shape(**shapes)
    if arg_shapes is None:
        known = symbol.infer_shape_partial(**shapes)[0]
        raise ValueError("simple_bind: the shapes of %s cannot be found from %s" % (
            ", ".join(n for n, s in zip(symbol.list_arguments(), known) if not s or 0 in s), text(tuple("%s=%s" % i for i in shapes.items()))))
    known_types = {k: np.dtype(v) for k, v in type_dict.items()}
    arg_types, _, aux_types = symbol.infer_type(**known_types)
    names = symbol.list_arguments()
    args = {n: zeros(s, ctx, t) for n, s, t in zip(names, arg_shapes, arg_types)}
    reqs = grad_req if not isinstance(grad_req, (list, tuple)) else dict(zip(names, grad_req))
    wanted = {n: reqs if isinstance(reqs, str) else reqs.get(n, "null") for n in names}
    grads = {n: zeros(s, ctx, t) if wanted[n] != "null" else None for n, s, t in zip(names, arg_shapes, arg_types)}
    aux = {n: zeros(s, ctx, t) for n, s, t in zip(symbol.list_auxiliary_states(), aux_shapes, aux_types)}
    return Executor(symbol, ctx, args, grads, wanted, aux)
