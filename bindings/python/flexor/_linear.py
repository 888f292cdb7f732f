# SPDX-License-Identifier: Apache-2.0
"""Matrix products with NumPy's meaning, out of the core's dot and batch_dot."""
from typing import Any

from . import _convert, _core, _dtypes
from . import _flexor as f
from .errors import ShapeError
from .ndarray import NDArray, _cast, _number


def matmul(a: Any, b: Any) -> NDArray:
    """a @ b: the last two axes are matrices, the others broadcast; arrays of one axis are a row on the left, a column on the right."""
    near = _convert.place(a, b)
    a, b = (x if isinstance(x, NDArray) else _convert.as_array(x, None, near) for x in (a, b))
    if not a.shape or not b.shape:
        raise ShapeError("[matmul] expected arrays with axes, given a number. Use * for that.")
    both = _dtypes.promote(_number(a), _number(b))
    a, b = _cast(a, both), _cast(b, both)
    if a.ndim <= 2 and b.ndim <= 2:
        out = _core.invoke("dot", [a, b])
        return out.reshape(()) if a.ndim == b.ndim == 1 else out
    row, column = a.ndim == 1, b.ndim == 1
    a = a.reshape(1, -1) if row else a
    b = b.reshape(-1, 1) if column else b
    (*left, n, k), (*right, k2, m) = a.shape, b.shape
    if k != k2:
        raise ShapeError(f"[matmul] the inner lengths must agree: x is {a.shape} and y is {b.shape}, so {k} meets {k2}. Transpose one of them?")
    outer = _outer(left, right, a, b)
    count = 1
    for d in outer:
        count *= d
    if not count or not n or not m or not k:
        out = f.flx_ndarray_create((*outer, n, m), both, _convert.place(a))
    else:
        def batch(x: NDArray, dims: tuple) -> NDArray:
            x = x if x.shape == (*outer, *dims) else _core.invoke("broadcast_to", [x.reshape((1,) * (len(outer) - x.ndim + 2) + x.shape)], {"shape": (*outer, *dims)})
            return x.reshape(count, *dims)
        out = _core.invoke("batch_dot", [batch(a, (n, k)), batch(b, (k, m))]).reshape(*outer, n, m)
    shape = tuple(outer) + (() if row else (n,)) + (() if column else (m,))
    return out if out.shape == shape else out.reshape(shape)


def _outer(left: list, right: list, a: NDArray, b: NDArray) -> list:
    n = max(len(left), len(right))
    left, right = [1] * (n - len(left)) + left, [1] * (n - len(right)) + right
    if any(x != y and 1 not in (x, y) for x, y in zip(left, right)):
        raise ShapeError(f"[matmul] expected outer axes that broadcast, given {a.shape} and {b.shape}")
    return [y if x == 1 else x for x, y in zip(left, right)]
