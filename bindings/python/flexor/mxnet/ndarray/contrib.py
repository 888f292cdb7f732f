# SPDX-License-Identifier: Apache-2.0
"""mx.nd.contrib: operators called _contrib_X, as X, and loops and choices, which on arrays are Python's own."""
from functools import partial as _partial

import numpy as np

from . import __getattr__ as _by_name
from . import op as _op
from .. import _nested
from ..base import op_names as _op_names
from .ndarray import NDArray, array

_flat, _like = _partial(_nested.flat, NDArray), _partial(_nested.like, NDArray)


def foreach(body, data, init_states):
    """body(element, states) -> (output, states) for each element of axis 0 of data: (outputs stacked, last states)."""
    flat, states, outputs, form = _flat(data), init_states, [], None
    for i in range(flat[0].shape[0]):
        out, states = body(_like(data, [d[i] for d in flat]), states)
        form = out
        outputs.append(_flat(out))
    stacked = [_op.stack(*column, axis=0) for column in zip(*outputs)]
    return _like(form, stacked), states


def while_loop(cond, func, loop_vars, max_iterations=None):
    """func(*vars) -> (output, vars) while cond(*vars): (outputs stacked and filled up with zeros to max_iterations, last vars)."""
    if max_iterations is None:
        raise ValueError("while_loop needs max_iterations")
    single = isinstance(loop_vars, NDArray)
    loop_vars, outputs, form, steps = [loop_vars] if single else list(loop_vars), [], None, 0
    while steps < max_iterations and cond(*loop_vars):
        out, loop_vars = func(*loop_vars)
        loop_vars = [loop_vars] if isinstance(loop_vars, NDArray) else list(loop_vars)
        form = out if out is not None else []
        outputs.append(_flat(form))
        steps += 1
    stacked = []
    for column in zip(*outputs):
        rows = list(column) + [_op.zeros_like(column[0])] * (max_iterations - steps)
        stacked.append(_op.stack(*rows, axis=0))
    return _like(form, stacked) if form is not None else [], loop_vars[0] if single else loop_vars


def cond(pred, then_func, else_func):
    return then_func() if pred else else_func()


def isfinite(data):
    return array(np.isfinite(data.asnumpy()), dtype=data.dtype)


def isinf(data):
    return array(np.isinf(data.asnumpy()), dtype=data.dtype)


def isnan(data):
    return data != data


__getattr__ = _nested.contrib(_by_name, _op_names)
