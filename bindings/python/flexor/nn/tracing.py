# SPDX-License-Identifier: Apache-2.0
"""Layers on Symbols: how a layer of one's own becomes a layer of the core.

`forward` is called with Symbols of known shapes; the graph that comes out, with the inputs as its free variables and everything else as parameters under their structural names,
is a layer of the core (Symbol). It is traced with two sizes of what is unknown, and both graphs must be equal, so that no size of a batch is built in unnoticed."""
from __future__ import annotations

import re
import threading
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from .. import _core
from .._core import f
from ..errors import ArgumentError, Error, StateError, UnsupportedError
from ..symbol import NameScope, Symbol, compose

Shape = Tuple[Optional[int], ...]
_PROBES = (2, 3)  # sizes that stand for an unknown one


class _Trace(threading.local):
    """The trace at work in this thread."""

    def __init__(self) -> None:
        self.paths: Optional[Dict[int, str]] = None  # of the layers inside: id -> prefix of its parameters
        self.variables: Dict[str, Any] = {}          # parameters asked for
        self.applied: Set[str] = set()
        self.shapes: Dict[int, List[Shape]] = {}     # of the inputs of layers that are not the core's: id -> shapes


_trace = _Trace()


def _outputs(symbol: Any) -> List[Any]:
    count = f.flx_symbol_count(symbol, f.FLX_OUTPUT)
    return [symbol] if count == 1 else [f.flx_symbol_at(symbol, f.FLX_OUTPUT, i) for i in range(count)]


def _inferred(symbol: Any) -> Any:
    return f.flx_symbol_infer(symbol, {}, 1)


def shape_of(symbol: Any) -> Shape:
    """The shape of a Symbol's first output, as far as its variables tell."""
    _, known, dims = f.flx_symbol_shape(_inferred(symbol), f.FLX_OUTPUT, 0)
    if known == 0:
        raise StateError("[layer] the shape of the symbol is not known. Give its variables a shape.")
    return tuple(None if n < 0 else n for n in dims)


def apply(layer: Any, symbols: Sequence[Any]) -> Any:
    """`layer` on Symbols: inside a trace with the names it has there, else with names of its own."""
    if _trace.paths is None:
        with _Tracing(layer):
            return apply(layer, symbols)
    path = _trace.paths.get(id(layer))
    if path is None:
        raise StateError(f"[{layer._label()}] was called by a layer that does not have it as a child, so its parameters have no name. Assign it to an attribute (not to a list or "
                         "dict of your own; nn.Sequential keeps several).")
    symbols = [_inferred(s) for s in symbols]
    if layer._is_core():
        made = f.flx_layer_apply(layer._core(), path, symbols)
        if path in _trace.applied:  # a second time: the parameters of the first
            shared = [n for n in _core.names(lambda s: f.flx_symbol_count(s, f.FLX_INPUT), lambda s, i: f.flx_symbol_name(s, f.FLX_INPUT, i), made) if n in _trace.variables]
            if shared:
                made = f.flx_symbol_substitute(made, [_trace.variables[n] for n in shared], shared)
        else:
            _trace.applied.add(path)
            for i in range(f.flx_symbol_count(made, f.FLX_INPUT)):
                name = f.flx_symbol_name(made, f.FLX_INPUT, i)
                if name.startswith(path):
                    _trace.variables.setdefault(name, f.flx_symbol_at(made, f.FLX_INPUT, i))
        outputs = _outputs(made)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)
    own: Dict[str, Any] = {}
    _trace.shapes[id(layer)] = [shape_of(s) for s in symbols]
    from .layer import Layer
    if type(layer).forward is not Layer.forward:
        declared = layer._declared(_trace.shapes[id(layer)])
        layer.__dict__["_own"] = tuple(declared)
        for name, p in declared.items():
            full = path + name
            if full not in _trace.variables:
                _trace.variables[full] = _inferred(f.flx_symbol_variable(full, p.attrs()))
            own[name] = _trace.variables[full]
    return layer.forward(*symbols, **own)


class _Tracing:
    """While it lives, layers inside `layer` are called by its names."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __enter__(self) -> None:
        self.before = _trace.paths, _trace.variables, _trace.applied, _trace.shapes
        _trace.paths = {id(inner): prefix for prefix, inner in self.layer._walk()}
        _trace.variables, _trace.applied, _trace.shapes = {}, set(), {}

    def __exit__(self, *_: Any) -> None:
        _trace.paths, _trace.variables, _trace.applied, _trace.shapes = self.before


def chain(layer: Any, inputs: Sequence[Any]) -> Any:
    """What the containers of the core compute, in Python, for those that hold a layer of one's own."""
    children = list(layer._layers.values())
    if layer.kind == "Concurrent":
        parts = [child(*inputs) for child in children]
        how = layer._texts.get("combine", "concat")
        if how == "concat":
            return _operator("Concat", parts, {"num_args": len(parts), "dim": layer._texts.get("axis", "-1")})
        total = parts[0]
        for part in parts[1:]:
            total = total + part if how == "add" else total * part
        return total
    if layer.kind not in ("Sequential", "Residual"):
        raise UnsupportedError(f"[{layer.kind}] takes layers of the core only, and holds one of your own ({', '.join(type(c).__name__ for c in children if not c._is_core())}).")
    x: Any = tuple(inputs)
    for child in children:
        x = child(*(x if isinstance(x, tuple) else (x,)))
    return inputs[0] + x if layer.kind == "Residual" else x[0] if isinstance(x, tuple) and len(x) == 1 else x


def _operator(name: str, parts: Sequence[Any], options: Dict[str, Any]) -> Any:
    if isinstance(parts[0], Symbol):
        return compose(name, parts, options)
    return _core.invoke(name, list(parts), options)


def _graph(layer: Any, shapes: Sequence[Shape], probe: int) -> Tuple[Any, List[str], Dict[int, List[Shape]]]:
    """The graph of a layer with `probe` for each unknown size, the names of its inputs, and what shapes the layers inside met."""
    names = ["data" if i == 0 else f"data{i}" for i in range(len(shapes))]
    known = [tuple(probe if n is None else n for n in s) for s in shapes]
    data = [_inferred(f.flx_symbol_variable(n, {"shape": _core.text(s), "dtype": "float32"})) for n, s in zip(names, known)]
    with _Tracing(layer), NameScope(""):  # names of nodes are counted from 0, so that equal layers give equal graphs
        result, met = apply(layer, data), _trace.shapes
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    if not results or not all(isinstance(r, Symbol) for r in results):
        raise UnsupportedError(f"[{layer._label()}] forward must give what it computed from its inputs; it gave {', '.join(type(r).__name__ for r in results) or 'nothing'} when it was "
                               "called with Symbols. A NumPy function becomes an operation by flexor.autograd.operator.")
    graph = results[0] if len(results) == 1 else f.flx_symbol_group(results)
    free = [f.flx_symbol_variable(n, {}) for n in names]
    return f.flx_symbol_substitute(graph, free, names), names, met


def build(layer: Any, shapes: Sequence[Shape]) -> Any:
    """A layer of the core for a layer that is none, or holds one that is none, for inputs of these shapes."""
    from .layer import Layer
    if layer.kind is not None and type(layer).forward is Layer.forward and layer.kind in ("Sequential", "Residual", "Concurrent"):
        handle = f.flx_layer_create(layer.kind, layer._name, layer._texts)
        now = list(shapes)
        for child in layer._layers.values():
            made = child._core(now)
            f.flx_layer_add(handle, made)
            if layer.kind != "Concurrent":
                now = out_shapes(made, now)
        return handle
    try:
        graphs = [_graph(layer, shapes, probe) for probe in (_PROBES if any(None in s for s in shapes) else _PROBES[:1])]
    except Error as e:
        if layer._label() not in str(e):
            e.args = (f"{e} [while tracing {layer._label()}]", *e.args[1:])
        raise
    for _, inner in layer._walk():  # so that each can be copied or saved alone
        if id(inner) in graphs[0][2]:
            inner.__dict__["_inputs"] = _common([g[2][id(inner)] for g in graphs])
    if len({_shape_of_graph(g[0]) for g in graphs}) > 1:
        raise ArgumentError(f"[{layer._label()}] forward builds the size of the batch into what it computes, so it would be right for that size alone. In a reshape write 0 for a size that stays "
                            "and -1 for one that follows; do not use x.shape[0] as a number.")
    graph, names, _ = graphs[0]
    return f.flx_layer_from_symbol(graph, layer._name or type(layer).__name__, names)


def _shape_of_graph(graph: Any) -> str:
    """A graph as text, without the tokens of functions in Python, which are new in every trace."""
    return re.sub(r'"token": "\d+"', "", f.flx_symbol_to_json(graph))


def out_shapes(handle: Any, shapes: Sequence[Shape]) -> List[Shape]:
    """The output shapes of a layer of the core; None where the input's size is."""
    found = []
    unknown = any(None in s for s in shapes)
    for probe in _PROBES if unknown else _PROBES[:1]:
        data = [_inferred(f.flx_symbol_variable(f"data{i}", {"shape": _core.text(tuple(probe if n is None else n for n in s))})) for i, s in enumerate(shapes)]
        symbol = _inferred(f.flx_layer_apply(handle, "", data))
        found.append([f.flx_symbol_shape(symbol, f.FLX_OUTPUT, i)[-1] for i in range(f.flx_symbol_count(symbol, f.FLX_OUTPUT))])
    return _common(found)


def _common(probed: Sequence[Sequence[Shape]]) -> List[Shape]:
    """Shapes as they are for any size: None where two probes differ."""
    if len(probed) == 1:
        return [tuple(s) for s in probed[0]]
    return [tuple(a if a == b else None for a, b in zip(*pair)) for pair in zip(*probed)]
