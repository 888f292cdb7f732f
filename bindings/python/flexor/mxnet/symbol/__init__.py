# SPDX-License-Identifier: Apache-2.0
"""mx.sym: every operator by MXNet's name as a function of symbols, made from the registry when it is asked for, and what MXNet wrote in Python."""
import numpy as np

from ..base import missing as _missing
from ..base import op_names as _op_names
from ..ndarray.ndarray import BINARY as _BINARY
from .symbol import Group, Symbol, Variable, load, load_json, var
from .symbol import binary as _binary
from .symbol import function as _function


def _shape(shape):
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


def zeros(shape, dtype=None, **kwargs):
    return _function("_zeros")(shape=_shape(shape), dtype=np.dtype(dtype or "float32").name, **kwargs)


def ones(shape, dtype=None, **kwargs):
    return _function("_ones")(shape=_shape(shape), dtype=np.dtype(dtype or "float32").name, **kwargs)


def full(shape, val, dtype=None, **kwargs):
    return _function("_full")(shape=_shape(shape), value=float(val), dtype=np.dtype(dtype or "float32").name, **kwargs)


def arange(start, stop=None, step=1.0, repeat=1, infer_range=False, name=None, dtype="float32"):
    if stop is None and not infer_range:
        start, stop = 0, start
    return _function("_arange")(start=start, stop=stop, step=step, repeat=repeat, infer_range=infer_range, name=name, dtype=np.dtype(dtype).name)


def linspace(start, stop, num, endpoint=True, name=None, dtype="float32"):
    step = (stop - start) / (num - 1 if endpoint else num) if num > 1 else 1.0
    return _function("_arange")(start=start, stop=start + step * (num - 0.5), step=step, name=name, dtype=np.dtype(dtype).name)


def eye(N, M=0, k=0, dtype="float32", **kwargs):
    return _function("_eye")(N=N, M=M, k=k, dtype=np.dtype(dtype).name, **kwargs)


def split_v2(ary, indices_or_sections, axis=0, squeeze_axis=False):
    if isinstance(indices_or_sections, int):
        return _function("_split_v2")(ary, indices=(), axis=axis, squeeze_axis=squeeze_axis, sections=indices_or_sections)
    return _function("_split_v2")(ary, indices=(0,) + tuple(indices_or_sections), axis=axis, squeeze_axis=squeeze_axis, sections=0)


def concatenate(arrays, axis=0):
    return _function("Concat")(*arrays, dim=axis)


def _make_binary(kind):
    def run(lhs, rhs):
        if not isinstance(lhs, Symbol) and not isinstance(rhs, Symbol):  # of two numbers, as in Python
            return {"power": lambda a, b: a ** b, "maximum": max, "minimum": min, "hypot": lambda a, b: float(np.hypot(a, b))}[kind](lhs, rhs)
        return _binary(kind, lhs, rhs)
    run.__name__ = run.__qualname__ = kind
    run.__doc__ = "%s(lhs, rhs): element by element, of symbols of equal shapes, or a symbol and a number." % kind
    return run


for _kind in _BINARY:
    globals()[_kind] = _make_binary(_kind)
pow = power  # noqa: F821, A001  made above


def __getattr__(name):
    if name in ("random", "contrib", "linalg", "image", "op", "_internal"):
        import importlib
        return importlib.import_module("%s.%s" % (__name__, name))
    if name.startswith("__") or name not in _op_names():
        raise _missing("sym", name)
    globals()[name] = made = _function(name)
    return made


def __dir__():
    return sorted(set(globals()) | {n for n in _op_names() if not n.startswith("_")})
