# SPDX-License-Identifier: Apache-2.0
"""Symbols and every operator on them.

    x = sym.var("data", shape=(None, 784))
    y = sym.fully_connected(x, num_hidden=10, name="fc")     # fc_weight and fc_bias are variables made for it
    y.infer_shape(data=(64, 784))
    y.graph()(data=a, fc_weight=w, fc_bias=b)"""
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from . import _core
from . import _flexor as f
from ._generated.symbols import *  # noqa: F401,F403
from .symbol import Drawing as Drawing, Graph as Graph, NameScope as NameScope, Symbol as Symbol, compose as compose, group as group, loads as loads

Symbols = Union[Symbol, Sequence[Symbol]]


def var(name: str, shape: Optional[Sequence[Optional[int]]] = None, dtype: Any = None, init: Any = None, lr_mult: Optional[float] = None, wd_mult: Optional[float] = None,
        **attributes: Any) -> Symbol:
    """A variable. `shape`: its sizes, None for unknown ones; `init`: the initializer's name or document; lr_mult, wd_mult: factors for the optimizer."""
    given = {"shape": None if shape is None else tuple(shape), "dtype": dtype, "init": init, "lr_mult": lr_mult, "wd_mult": wd_mult, **attributes}
    return f.flx_symbol_variable(name, {k: _core.text(v) for k, v in given.items() if v is not None})


Variable = variable = var
Group = group
fromjson = load_json = loads


def load(path: Any) -> Symbol:
    """The symbol in the file `path` (MXNet's -symbol.json)."""
    return f.flx_symbol_load(path)


def trace(function: Callable[..., Any], *inputs: Any, **options: Any) -> Graph:
    """A graph of what `function` does with NDArrays like `inputs`; it runs on others in their place. Arrays that it uses besides are its own. Reading values in the
    function is an error that names the operator."""
    old = f.set_mode((f.mode() | f.FLX_TRACE) & ~f.FLX_RECORD)
    try:
        results = function(*inputs)
    finally:
        f.set_mode(old)
    return f.flx_graph_trace(list(inputs), [results] if isinstance(results, f.Handle) else list(results), _core.texts(**options))


# ---- control flow: bodies are Python functions of symbols -------------------------------------------------------------------------------------

def _listed(symbols: Any) -> List[Symbol]:
    return [] if symbols is None else [symbols] if isinstance(symbols, Symbol) else list(symbols)


def _placeholders(prefix: str, like: Sequence[Any]) -> Tuple[List[str], List[Symbol]]:
    names = [f"{prefix}_{i}" for i in range(len(like))]
    return names, [f.flx_symbol_variable(n, {}) for n in names]


def _same(given: Any, values: Sequence[Symbol]) -> Any:
    """As the user has them: one for one, a list for a list."""
    return values[0] if isinstance(given, Symbol) else list(values)


def foreach(body: Callable[[Any, Any], Tuple[Any, Any]], data: Symbols, init_states: Symbols, name: Optional[str] = None) -> Tuple[Any, Any]:
    """A loop over axis 0 of `data`: `body(element, states) -> (outputs, new states)`. What the outputs were is stacked; (outputs, last states)."""
    from .symbol import _names
    name = _names.make(name, "foreach")
    datas, states = _listed(data), _listed(init_states)
    names, holders = _placeholders(name, datas + states)
    outputs, after = body(_same(data, holders[:len(datas)]), _same(init_states, holders[len(datas):]))
    made, last = _listed(outputs), _listed(after)
    whole = f.flx_symbol_foreach(name, group(made + last), len(made), names, datas + states)
    parts = list(whole)
    return _same(outputs, parts[:len(made)]) if made else [], _same(after, parts[len(made):]) if last else []


def while_loop(condition: Callable[..., Symbol], body: Callable[..., Tuple[Any, Any]], variables: Symbols, max_iterations: int, name: Optional[str] = None) -> Tuple[Any, Any]:
    """While `condition(*variables)` (one number) is not 0, at most `max_iterations` times: `body(*variables) -> (outputs, new variables)`. Outputs are stacked, zeros
    where it ended before; (outputs, last variables)."""
    from .symbol import _names
    name = _names.make(name, "while_loop")
    first = _listed(variables)
    names, holders = _placeholders(name, first)
    outputs, after = body(*holders)
    made, last = _listed(outputs), _listed(after)
    whole = f.flx_symbol_while_loop(name, condition(*holders), group(made + last), len(made), max_iterations, names, first)
    parts = list(whole)
    return _same(outputs, parts[:len(made)]) if made else [], _same(after, parts[len(made):])


def cond(condition: Symbol, yes: Callable[[], Any], no: Callable[[], Any], inputs: Optional[Sequence[Symbol]] = None, name: Optional[str] = None) -> Any:
    """`yes()` if `condition` (one number) is not 0, else `no()`, of equally many outputs. Given `inputs`, the functions take placeholders for them, and only what
    depends on those is left to the choice; without, all is computed before, and one of the results is taken."""
    from .symbol import _names
    name = _names.make(name, "cond")
    given = _listed(inputs)
    if not given:  # what the branches read goes in by itself
        left, right = yes(), no()
        given = _listed(left) + _listed(right)
        names, holders = _placeholders(name, given + [condition])
        n = len(_listed(left))
        whole = f.flx_symbol_cond(name, holders[-1], group(holders[:n]), group(holders[n:-1]), names, given + [condition])
        return _same(left, list(whole))
    names, holders = _placeholders(name, given + [condition])
    left, right = yes(*holders[:-1]), no(*holders[:-1])
    whole = f.flx_symbol_cond(name, holders[-1], group(_listed(left)), group(_listed(right)), names, given + [condition])
    return _same(left, list(whole))
