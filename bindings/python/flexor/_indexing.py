# SPDX-License-Identifier: Apache-2.0
"""x[key] and x[key] = value with NumPy's meaning. Integers, slices, None and Ellipsis give views, as NumPy does, but a negative step gives a copy; integer arrays
and boolean masks give copies."""
import operator
from typing import Any, List, Optional, Tuple

import numpy as np

from . import _flexor as f
from ._convert import beside, from_numpy, place, to_numpy
from .errors import OutOfRangeError, ShapeError

Key = Any


def _is_mask(key: Any) -> bool:
    if isinstance(key, f.Handle):
        return f.flx_ndarray_describe(key)[0] == f.FLX_BOOL
    return isinstance(key, np.ndarray) and key.dtype == bool


def _plain(key: Key) -> tuple:
    """The key as a tuple whose lists are NumPy arrays and whose masks are the integer arrays they stand for."""
    out: List[Any] = []
    for part in key if type(key) is tuple else (key,):
        if isinstance(part, (list, range)) or (isinstance(part, tuple)):
            part = np.asarray(part)
            if not part.size:
                part = part.astype(np.int64)
        if isinstance(part, (bool, np.bool_)):
            raise OutOfRangeError("[index] expected integers, slices, None, ... or arrays, given a single truth value. Use x[None] for a new axis.")
        if _is_mask(part):
            mask = to_numpy(part) if isinstance(part, f.Handle) else part
            if mask.ndim == 0:
                raise OutOfRangeError("[index] expected a mask with at least one axis, given one without axes")
            out.append(mask)
        elif part is None or part is Ellipsis or isinstance(part, slice):
            out.append(part)
        elif isinstance(part, f.Handle) or (isinstance(part, np.ndarray) and part.ndim):
            out.append(part)
        else:
            try:
                out.append(operator.index(part))
            except TypeError:
                raise OutOfRangeError(f"[index] expected integers, slices, None, ..., integer arrays or masks, given {type(part).__name__}"
                                      + (f" of {part.dtype}" if hasattr(part, "dtype") else "")) from None
    return tuple(out)


def _axes_of(part: Any) -> int:
    return 0 if part is None else part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1


def _expanded(key: tuple, ndim: int) -> tuple:
    """The key with ... replaced, and `:` for the axes that it does not name."""
    dots = [i for i, part in enumerate(key) if part is Ellipsis]
    if len(dots) > 1:
        raise OutOfRangeError("[index] expected at most one `...`")
    named = sum(_axes_of(part) for part in key if part is not Ellipsis)
    if named > ndim:
        raise OutOfRangeError(f"[index] expected at most {ndim} indices for an array of {ndim} axes, given {named}")
    rest = (slice(None),) * (ndim - named)
    return key[:dots[0]] + rest + key[dots[0] + 1:] if dots else key + rest


def _parse(shape: Tuple[int, ...], key: tuple) -> tuple:
    """(begin, end, step, shape of the slice, shape without integer axes and with new ones, [(axis of that, index array)])."""
    begin: List[int] = []
    end: List[Optional[int]] = []
    step: List[int] = []
    cut: List[int] = []
    final: List[int] = []
    arrays: List[tuple] = []
    advanced = any(isinstance(p, (np.ndarray, f.Handle)) for p in key)
    axis = 0
    for part in key:
        if part is None:
            final.append(1)
            continue
        if isinstance(part, np.ndarray) and part.dtype == bool:
            if part.shape != tuple(shape[axis:axis + part.ndim]):
                raise OutOfRangeError(f"[index] expected a mask of shape {tuple(shape[axis:axis + part.ndim])}, given {part.shape}")
            parts: tuple = part.nonzero()
        else:
            parts = (part,)
        for p in parts:
            size = shape[axis]
            if isinstance(p, slice):
                b, e, s = p.indices(size)
                n = len(range(b, e, s))
                begin.append(b)
                end.append(None if s < 0 and e < 0 else e if n else b)
                step.append(s)
                cut.append(n)
                final.append(n)
            elif isinstance(p, int) and not advanced:
                if not -size <= p < size:
                    raise OutOfRangeError(f"[index] expected an index in [{-size}, {size}) for axis {axis}, given {p}")
                p %= size
                begin.append(p)
                end.append(p + 1)
                step.append(1)
                cut.append(1)
            else:
                if isinstance(p, np.ndarray) and p.dtype.kind not in "iu":
                    raise OutOfRangeError(f"[index] expected integers or a mask, given an array of {p.dtype}")
                if not isinstance(p, f.Handle):
                    p = np.asarray(p)
                    if p.size and not (-size <= p.min() and p.max() < size):
                        raise OutOfRangeError(f"[index] expected indices in [{-size}, {size}) for axis {axis}, given one of {p.min()} to {p.max()}")
                arrays.append((len(final), p))
                begin.append(0)
                end.append(size)
                step.append(1)
                cut.append(size)
                final.append(size)
            axis += 1
    return begin, end, step, cut, final, arrays


def _options(begin: list, end: list, step: list) -> dict:
    def texts(values: list) -> str:
        return "(" + "".join(f"{v}," for v in values) + ")"
    return {"begin": texts(begin), "end": texts(end), "step": texts(step)}


def _basic(x: f.Handle, shape: tuple, parsed: tuple) -> f.Handle:
    begin, end, step, cut, final, _ = parsed
    if cut != list(shape) or any(s != 1 for s in step):
        if 0 in cut:
            return f.flx_ndarray_create(final, f.flx_ndarray_describe(x)[0], place(x))
        x = f.flx_invoke("slice", None, [x], _options(begin, end, step))[0]
    return x if final == cut else _reshape(x, final)


def _reshape(x: f.Handle, shape: Any) -> f.Handle:
    return f.flx_ndarray_reshape(x, tuple(shape), None) if 0 not in shape else f.flx_ndarray_create(shape, f.flx_ndarray_describe(x)[0], place(x))


def _transpose(x: f.Handle, axes: List[int]) -> f.Handle:
    if axes == list(range(len(axes))):
        return x
    return f.flx_invoke("transpose", None, [x], {"axes": str(tuple(axes)) if len(axes) > 1 else f"({axes[0]},)"})[0]


def _together(x: f.Handle, arrays: List[tuple]) -> Tuple[f.Handle, tuple]:
    """The arrays that index `x` as one of shape (how many, *their common shape), where `x` is, and that shape."""
    if len(arrays) == 1 and isinstance(arrays[0][1], f.Handle):
        p = arrays[0][1]
        shape = f.flx_ndarray_describe(p)[1]
        return f.flx_ndarray_reshape(p, (1, *shape), 0), shape
    try:
        hosts = np.broadcast_arrays(*[to_numpy(p) if isinstance(p, f.Handle) else p for _, p in arrays])
    except ValueError:
        raise OutOfRangeError("[index] expected index arrays whose shapes fit each other, given "
                              + ", ".join(str(tuple(p.shape)) for _, p in arrays)) from None
    return from_numpy(np.stack(hosts).astype(np.int64, copy=False), None, place(x)), hosts[0].shape


def _order(arrays: List[tuple], key: tuple, ndim: int) -> Tuple[List[int], int]:
    """The axes with the indexed ones in front, and where their result stands: at the first of them if they stand side by side, else in front."""
    axes = [axis for axis, _ in arrays]
    kinds = [isinstance(p, (np.ndarray, f.Handle, int)) for p in key]
    side_by_side = kinds[kinds.index(True):len(kinds) - kinds[::-1].index(True)].count(False) == 0
    return axes + [a for a in range(ndim) if a not in axes], axes[0] if side_by_side else 0


def get(x: f.Handle, key: Key) -> f.Handle:
    """x[key]"""
    number, shape = f.flx_ndarray_describe(x)
    key = _expanded(_plain(key), len(shape))
    parsed = _parse(shape, key)
    y, arrays = _basic(x, shape, parsed), parsed[5]
    if not arrays:
        return f.flx_ndarray_alias(x) if y is x else y
    final = parsed[4]
    index, common = _together(x, arrays)
    order, at = _order(arrays, key, len(final))
    rest = [final[a] for a in order[len(arrays):]]
    if 0 in common or 0 in rest:
        return f.flx_ndarray_create([*rest[:at], *common, *rest[at:]], number, place(x))
    out = f.flx_invoke("gather_nd", None, [_transpose(y, order), index], {})[0]
    n = len(common)
    return _transpose(out, [*range(n, n + at), *range(n), *range(n + at, n + len(rest))]) if at else out


def put(x: f.Handle, key: Key, value: Any) -> None:
    """x[key] = value"""
    number, shape = f.flx_ndarray_describe(x)
    key = _expanded(_plain(key), len(shape))
    parsed = _parse(shape, key)
    begin, end, step, cut, final, arrays = parsed
    if arrays and any(s < 0 for s in step):  # a view is needed to write into, and steps back have none
        return _put_anywhere(x, shape, number, key, value)
    if not arrays:
        if 0 in cut:
            return None
        if isinstance(value, (int, float)) and abs(value) <= 2**53 and shape:
            f.flx_invoke_into("_slice_assign_scalar", None, [x], {**_options(begin, end, step), "scalar": repr(float(value))}, [x])
            return None
        part = _reshape(_fitted(x, value, tuple(final), number), cut)
        if shape:
            f.flx_invoke_into("_slice_assign", None, [x, part], _options(begin, end, step), [x])
        else:
            f.flx_ndarray_copy_into(part, x)
        return None
    view = _basic(x, shape, parsed)
    index, common = _together(x, arrays)
    order, at = _order(arrays, key, len(final))
    rest = [final[a] for a in order[len(arrays):]]
    if 0 in common or 0 in rest:
        return None
    part = _fitted(x, value, (*rest[:at], *common, *rest[at:]), number)
    n = len(common)
    if at:
        part = _transpose(part, [*range(at, at + n), *range(at), *range(at + n, n + len(rest))])
    view = _transpose(view, order)
    dims = f.flx_ndarray_describe(view)[1]
    f.flx_invoke_into("_scatter_set_nd", None, [view, part, index], {"shape": str(tuple(dims))}, [view])
    return None


def _put_anywhere(x: f.Handle, shape: tuple, number: int, key: tuple, value: Any) -> None:
    places = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)[tuple(to_numpy(p) if isinstance(p, f.Handle) else p for p in key)]
    if places.size:
        part = _reshape(_fitted(x, value, places.shape, number), (places.size,))
        index = from_numpy(np.stack(np.unravel_index(places.ravel(), shape)), None, place(x))
        f.flx_invoke_into("_scatter_set_nd", None, [x, part, index], {"shape": str(tuple(shape))}, [x])


def _fitted(x: f.Handle, value: Any, shape: tuple, number: int) -> f.Handle:
    """`value` as an array of this dtype, broadcast to this shape; a host's value where `x` is."""
    from ._dtypes import DTYPES
    part: f.Handle = beside(value, x, DTYPES[number])
    given = f.flx_ndarray_describe(part)[1]
    if given == tuple(shape):
        return part
    wanted = given
    while len(wanted) > len(shape) and wanted[0] == 1:
        wanted = wanted[1:]
    if len(wanted) > len(shape) or any(a not in (1, b) for a, b in zip(wanted[::-1], tuple(shape)[::-1])):
        raise ShapeError(f"[index] expected a value that broadcasts to {tuple(shape)}, given {given}")
    wanted = (1,) * (len(shape) - len(wanted)) + tuple(wanted)
    part = _reshape(part, wanted) if wanted != given else part
    return part if wanted == tuple(shape) else f.flx_invoke("broadcast_to", None, [part], {"shape": str(tuple(shape))})[0]
