# SPDX-License-Identifier: Apache-2.0
"""mx.sym.contrib: operators called _contrib_X, as X, and loops and choices as nodes of a graph."""
from functools import partial as _partial

from . import __getattr__ as _by_name
from .. import _nested
from .. import name as _name
from ..base import f as _f
from ..base import op_names as _op_names
from .symbol import Group, Symbol, own, var

_flat, _like = _partial(_nested.flat, Symbol), _partial(_nested.like, Symbol)


def foreach(body, data, init_states, name="foreach"):
    name = _name.current().get(None, name)
    flat, states = _flat(data), _flat(init_states)
    holes = ["%s_data%d" % (name, i) for i in range(len(flat))] + ["%s_state%d" % (name, i) for i in range(len(states))]
    variables = [var(h) for h in holes]
    out, new_states = body(_like(data, variables[:len(flat)]), _like(init_states, variables[len(flat):]))
    outs, news = _flat(out), _flat(new_states)
    loop = own(_f.flx_symbol_foreach(name, Group(outs + news) if outs + news else None, len(outs), holes, flat + states))
    results = list(loop)
    return _like(out, results[:len(outs)]), _like(init_states, results[len(outs):])


def while_loop(cond, func, loop_vars, max_iterations=None, name="while_loop"):
    if max_iterations is None:
        raise ValueError("while_loop needs max_iterations")
    name = _name.current().get(None, name)
    flat = _flat(loop_vars)
    holes = ["%s_var%d" % (name, i) for i in range(len(flat))]
    variables = [var(h) for h in holes]
    given = _like(loop_vars, list(variables))
    given = [given] if isinstance(given, Symbol) else given
    test = cond(*given)
    out, new = func(*given)
    outs, news = _flat(out if out is not None else []), _flat(new)
    loop = own(_f.flx_symbol_while_loop(name, test, Group(outs + news), len(outs), int(max_iterations), holes, flat))
    results = list(loop)
    return _like(out, results[:len(outs)]) if out is not None else [], _like(loop_vars, results[len(outs):])


def cond(pred, then_func, else_func, name="cond"):
    """A choice: what the functions use from outside goes in by its variables."""
    name = _name.current().get(None, name)
    yes, no = then_func(), else_func()
    node = own(_f.flx_symbol_cond(name, pred, Group(_flat(yes)), Group(_flat(no)), [], []))
    return _like(yes, list(node))


def isnan(data):
    return data != data


__getattr__ = _nested.contrib(_by_name, _op_names)
