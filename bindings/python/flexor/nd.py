# SPDX-License-Identifier: Apache-2.0
"""Arrays and every operator on them. `nd.array([[1, 2], [3, 4]])`, `nd.zeros((2, 3))`, `nd.relu(x)`.

Functions that make arrays have NumPy's arguments, with float32 where no dtype is given; operators are made from the core's registry (help(nd.convolution)).
Operators also take Symbols: then the result is a Symbol."""
from typing import Any, Optional, Sequence, Tuple, Union

import numpy as np

from . import _convert, _core, _dtypes
from . import _flexor as f
from ._generated.op import *  # noqa: F401,F403
from ._dtypes import bfloat16 as bfloat16
from .ndarray import NDArray as NDArray

Shape = Union[int, Sequence[int]]


def _dims(shape: Shape) -> Tuple[int, ...]:
    return tuple(int(d) for d in shape) if hasattr(shape, "__iter__") else (int(shape),)  # type: ignore[union-attr, arg-type]


def array(source: Any, dtype: Any = None, device: Optional[str] = None, ctx: Any = None) -> NDArray:
    """A new array from a NumPy array (which keeps its dtype), numbers or nested lists (float32), or anything with NumPy's or DLPack's protocol; `dtype` converts.
    `device` is where it is made, as "gpu(0)"; None: on the CPU. (Other functions that make arrays have it, too; `ctx` is MXNet's word for it.)"""
    return _convert.as_array(source, dtype, device if ctx is None else str(ctx))


def asarray(source: Any, dtype: Any = None) -> NDArray:
    """`source` itself if it is an NDArray (of this dtype), else nd.array of it."""
    return _convert.as_array(source, dtype, copy=False)


def zeros(shape: Shape, dtype: Any = None, device: Optional[str] = None, ctx: Any = None) -> NDArray:
    """A new array of zeros; float32 unless `dtype` says otherwise."""
    return f.flx_ndarray_create(_dims(shape), _dtypes.number_of(dtype), device if ctx is None else str(ctx))


def ones(shape: Shape, dtype: Any = None, device: Optional[str] = None, ctx: Any = None) -> NDArray:
    """A new array of ones."""
    return f.flx_ndarray_create_full(_dims(shape), _dtypes.number_of(dtype), device if ctx is None else str(ctx), 1.0)


def full(shape: Shape, value: Any, dtype: Any = None, device: Optional[str] = None, ctx: Any = None) -> NDArray:
    """A new array filled with `value`."""
    number = _dtypes.number_of(dtype)
    if isinstance(value, (int, np.integer)) and not -2**53 <= value <= 2**53:
        return _core.invoke("broadcast_to", [array(value, _dtypes.DTYPES[number], device, ctx).reshape((1,) * len(_dims(shape)))], {"shape": _dims(shape)}).copy()
    return f.flx_ndarray_create_full(_dims(shape), number, device if ctx is None else str(ctx), float(value))


def empty(shape: Shape, dtype: Any = None, device: Optional[str] = None, ctx: Any = None) -> NDArray:
    """A new array whose elements nobody should rely on."""
    return zeros(shape, dtype, device, ctx)


def arange(start: float, stop: Optional[float] = None, step: float = 1, dtype: Any = None, device: Optional[str] = None, ctx: Any = None) -> NDArray:
    """Numbers from `start` (0 if only one is given) to `stop`, which is left out, by `step`."""
    start, stop = (0, start) if stop is None else (start, stop)
    host: Any = None if dtype is None else _dtypes.host_of(_dtypes.number_of(dtype))
    return _convert.as_array(np.arange(start, stop, step, host),  # type: ignore[call-overload]
                             dtype or "float32", device if ctx is None else str(ctx))


def linspace(start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None, device: Optional[str] = None) -> NDArray:
    """`num` numbers at equal distances from `start` to `stop`, which is the last one if `endpoint`."""
    return _convert.as_array(np.linspace(start, stop, num, endpoint), dtype or "float32", device)


def eye(n: int, m: Optional[int] = None, k: int = 0, dtype: Any = None, device: Optional[str] = None) -> NDArray:
    """A matrix of `n` rows and `m` columns with ones on diagonal `k`."""
    return _convert.as_array(np.eye(n, m, k, dtype=np.float32), dtype or "float32", device)


def from_numpy(source: np.ndarray) -> NDArray:
    """nd.array of a NumPy array."""
    return _convert.as_array(np.asarray(source))


def from_dlpack(source: Any) -> NDArray:
    """An array over the memory of whatever speaks DLPack (NumPy, PyTorch ...), without a copy."""
    from ._interop import from_dlpack as run
    return run(source)


def waitall() -> None:
    """Waits for everything that was begun so far, and raises what went wrong and nobody has seen yet."""
    f.flx_wait_all(-1)


def concatenate(arrays: Sequence[NDArray], axis: int = 0) -> NDArray:
    """The arrays one after the other along `axis`."""
    return _core.invoke("Concat", list(arrays), {"dim": axis})


def _extreme(name: str, a: Any, b: Any) -> NDArray:
    if isinstance(b, (bool, int, float)):
        return _core.invoke(f"_{name}_scalar", [asarray(a)], {"scalar": b})
    if isinstance(a, (bool, int, float)):
        return _extreme(name, b, a)
    from .ndarray import _meet
    near = _convert.place(a, b)
    x, y = (v if isinstance(v, NDArray) else _convert.as_array(v, None, near) for v in (a, b))
    return _meet(_core.call("broadcast_" + name), x, y, False)


def maximum(a: Any, b: Any) -> NDArray:
    """The greater of two, element by element: arrays, which broadcast, or an array and a number."""
    return _extreme("maximum", a, b)


def minimum(a: Any, b: Any) -> NDArray:
    """The smaller of two, element by element: arrays, which broadcast, or an array and a number."""
    return _extreme("minimum", a, b)


def matmul(a: Any, b: Any) -> NDArray:
    """a @ b, with NumPy's meaning."""
    from ._linear import matmul as run
    return run(a, b)


def invoke(name: str, /, *arrays: NDArray, out: Any = None, **settings: Any) -> Any:
    """Runs the operator called `name`, of the library or of a plugin (`flexor.device.load_plugin`): `flexor.nd.invoke("example_swish", x, beta=1.5)`. An array, or a tuple of
    several; `out` (an array or a sequence) takes the results instead."""
    return _core.invoke(name, arrays, settings, out)
