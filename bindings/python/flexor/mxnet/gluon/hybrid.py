# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.HybridBlock: a block that is written once for arrays and symbols; hybridized it runs as one planned graph. SymbolBlock: a block from a symbol."""
from collections import OrderedDict

from .. import ndarray, symbol
from ..executor import Graph
from ..ndarray import NDArray
from ..symbol import Symbol
from .block import Block
from .parameter import DeferredInitializationError


def flatten(args, kind):
    """(flat list of arrays, form) of nested arguments; what is no array is part of the form."""
    if isinstance(args, kind):
        return [args], 0
    if isinstance(args, (list, tuple)):
        flat, forms = [], []
        for a in args:
            part, form = flatten(a, kind)
            flat += part
            forms.append(form)
        return flat, (type(args) is tuple, forms)
    return [], ("is", args)


def regroup(flat, form):
    """`flat` (a list that is used up) in its form."""
    if form == 0:
        return flat.pop(0)
    if form[0] == "is":
        return form[1]
    parts = [regroup(flat, part) for part in form[1]]
    return tuple(parts) if form[0] else parts


class HybridBlock(Block):
    """hybrid_forward(F, x, ..., weight=...) computes with F, which is mx.nd or mx.sym; parameters that are attributes come by name."""

    def __init__(self, prefix=None, params=None):
        super().__init__(prefix, params)
        self._active, self._graphs, self._traced = False, {}, {}

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if isinstance(value, (Block,)):
            self._clear()

    def _clear(self):
        self.__dict__["_graphs"], self.__dict__["_traced"] = {}, {}

    def register_child(self, block, name=None):
        if not isinstance(block, HybridBlock):
            raise ValueError("the children of a HybridBlock must be HybridBlocks, so that they can be traced; given %s of type %s" % (block.name, type(block).__name__))
        super().register_child(block, name)
        self._clear()

    def hybridize(self, active=True, static_alloc=False, static_shape=False, **kwargs):
        """From now on the block is traced and run as one graph, planned for each signature; static_alloc and static_shape are accepted, plans are always static."""
        self._active = active
        self._clear()
        super().hybridize(active, **kwargs)

    def cast(self, dtype):
        self._clear()
        super().cast(dtype)

    # ---- tracing
    def _trace(self, args):
        """(input variables' names, output symbol, form of the output) of the block on arguments like `args`; one for each form of arguments."""
        flat, form = flatten(list(args), NDArray)
        key = repr(form)
        if key not in self._traced:
            names = ["data"] if len(flat) == 1 else ["data%d" % i for i in range(len(flat))]
            inputs = regroup([symbol.var(n) for n in names], form)
            params = {k: p.var() for k, p in self._reg_params.items()}
            with self.name_scope():
                out = self.hybrid_forward(symbol, *inputs, **params)
            outs, out_form = flatten(out, Symbol)
            self._traced[key] = (names, symbol.Group(outs) if len(outs) != 1 else outs[0], out_form)
        return flat, key, self._traced[key]

    def infer_shape(self, *args):
        """Finds the shapes of all parameters from those of the inputs."""
        self._infer(args, "shape")

    def infer_type(self, *args):
        self._infer(args, "dtype")

    def _infer(self, args, what):
        flat, _, (names, out, _) = self._trace(args)
        params = {p.name: p for p in self.collect_params().values()}
        if what == "shape":
            found = out.infer_shape_partial(**{n: a.shape for n, a in zip(names, flat)})
        else:
            found = out.infer_type_partial(**{n: a.dtype for n, a in zip(names, flat)})
        for of, values in zip((out.list_arguments(), out.list_auxiliary_states()), (found[0], found[2])):
            for n, v in zip(of, values):
                if n in params and v:
                    if what == "shape":
                        params[n].shape = v
                    else:
                        params[n].cast(v)

    def _deferred_infer_shape(self, *args):
        self.infer_shape(*args)
        for p in self.collect_params().values():
            p._finish_deferred_init()
        self._clear()  # variables know their shapes from here on

    def _run_graph(self, args):
        flat, key, (names, out, out_form) = self._trace(args)
        if key not in self._graphs:
            params = {p.name: p for p in self.collect_params().values()}
            order = []
            for n in out.list_arguments() + out.list_auxiliary_states():
                if n not in names and n not in params:
                    raise ValueError("%s needs %s, which is neither an input nor a parameter" % (self.name, n))
                order.append(names.index(n) if n in names else params[n])
            self._graphs[key] = (Graph(out), order)
        graph, order = self._graphs[key]
        arrays = [flat[p] if isinstance(p, int) else p.data() for p in order]
        return regroup(graph(None, arrays), out_form)

    # ---- running
    def forward(self, x, *args):
        if isinstance(x, Symbol):
            params = {k: p.var() for k, p in self._reg_params.items()}
            with self.name_scope():
                return self.hybrid_forward(symbol, x, *args, **params)
        flat, _ = flatten([x] + list(args), NDArray)
        if not flat:
            raise TypeError("%s takes NDArrays or Symbols, given %s" % (self.name, type(x).__name__))
        for _ in range(2):
            try:
                if self._active:
                    return self._run_graph((x,) + args)
                params = {k: p.data() for k, p in self._reg_params.items()}
                break
            except DeferredInitializationError:
                self._deferred_infer_shape(x, *args)
        else:
            raise DeferredInitializationError("the shapes of the parameters of %s cannot be found from its inputs" % self.name)
        return self.hybrid_forward(ndarray, x, *args, **params)

    def hybrid_forward(self, F, x, *args, **kwargs):
        raise NotImplementedError("a HybridBlock must have hybrid_forward")

    def __call__(self, *args, **kwargs):
        return super().__call__(*args, **kwargs)

    def export(self, path, epoch=0, remove_amp_cast=True):
        """Writes path-symbol.json and path-0000.params, as Module and SymbolBlock.imports read them: (the names of the two files)."""
        if not self._graphs:
            raise RuntimeError("export comes after hybridize() and one run of the block")
        _, out, _ = self._traced[next(iter(self._graphs))]
        out.save("%s-symbol.json" % path)
        params, arrays = {p.name: p for p in self.collect_params().values()}, OrderedDict()
        for kind, names in (("arg", out.list_arguments()), ("aux", out.list_auxiliary_states())):
            for n in names:
                if n in params:
                    arrays["%s:%s" % (kind, n)] = params[n].data()
        ndarray.save("%s-%04d.params" % (path, epoch), arrays)
        return "%s-symbol.json" % path, "%s-%04d.params" % (path, epoch)

    def optimize_for(self, x, *args, backend=None, **kwargs):
        """MXNet's backends are the library's own passes here: hybridizes, and runs once."""
        self.hybridize(True)
        return self(x, *args)


class SymbolBlock(HybridBlock):
    """A block from a symbol: `inputs` are its input variables, all others parameters."""

    @staticmethod
    def imports(symbol_file, input_names, param_file=None, ctx=None, allow_missing=False, ignore_extra=False):
        out = symbol.load(symbol_file)
        names = [input_names] if isinstance(input_names, str) else input_names
        block = SymbolBlock(out, [symbol.var(n) for n in names])
        if param_file is not None:
            block.collect_params().load(param_file, ctx, allow_missing, ignore_extra, cast_dtype=True, dtype_source="saved")
        return block

    def __init__(self, outputs, inputs, params=None):
        super().__init__(prefix="", params=params)
        out = symbol.Group(outputs) if isinstance(outputs, (list, tuple)) else outputs
        self._single = len(out) == 1
        inputs = [inputs] if isinstance(inputs, Symbol) else list(inputs)
        names = [i.name for i in inputs]
        attrs = out.attr_dict()
        aux = set(out.list_auxiliary_states())
        for n in out.list_inputs():
            if n not in names:
                init = attrs.get(n, {}).get("__init__") or attrs.get(n, {}).get("init")
                p = self.params.get(n, allow_deferred_init=True, grad_req="null" if n in aux else "write", **({"init": init} if init else {}))
                self._reg_params[n] = p
        self._names, self._out = names, out

    def _trace(self, args):
        flat, _ = flatten(list(args), NDArray)
        return flat, "", (self._names, self._out, 0 if self._single else (False, [0] * len(self._out)))

    def forward(self, x, *args):
        if isinstance(x, Symbol):
            return self._out(**dict(zip(self._names, (x,) + args)))
        self._active = True
        return super().forward(x, *args)

    def hybrid_forward(self, F, x, *args, **kwargs):
        raise NotImplementedError("a SymbolBlock runs its symbol")
