# SPDX-License-Identifier: Apache-2.0
"""Arrays from what a Python program has: NumPy arrays keep their dtype, plain numbers and lists become float32, other dtypes only by `dtype=`."""
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from . import _dtypes
from . import _flexor as f
from .errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    from .ndarray import NDArray

ROW, COLUMN = f.FLX_ROW_MAJOR, f.FLX_COLUMN_MAJOR


def from_numpy(host: np.ndarray, number: Optional[int] = None, device: Optional[str] = None) -> "NDArray":
    """A new array with the elements of a NumPy array in any memory layout and byte order, in the dtype `number` (the ABI's; None: its own)."""
    own = _dtypes.OF_NUMPY.get(host.dtype)
    if own is None:
        own = _dtypes.NUMBERS.get(host.dtype.name)  # of another byte order, or ml_dtypes' bfloat16
    if own is None:
        hint = "Make it numeric first, as with .astype('float32')." if host.dtype.kind in "OUSV" else "Cast it first."
        raise DTypeError(f"[array] expected an array of numbers with a dtype of {', '.join(_dtypes.NUMBERS)}, given dtype {host.dtype}. {hint}")
    if own == f.FLX_BFLOAT16:  # of the package ml_dtypes: the same bits
        host = host.view(np.uint16)
    if not host.dtype.isnative:
        host = host.astype(host.dtype.newbyteorder("="))
    order = ROW
    if not host.flags.c_contiguous:
        if host.flags.f_contiguous:
            order = COLUMN
        else:
            host = np.ascontiguousarray(host)
    if own == f.FLX_BFLOAT16:
        order, host = ROW, np.ascontiguousarray(host).view(np.uint8)
        shape = host.shape[:-1] + (host.shape[-1] // 2,) if host.ndim else ()
    else:
        shape = host.shape
    return f.flx_ndarray_create_from(host, own, order, shape, own if number is None else number, device)


def is_on(array: f.Handle, device: Any) -> bool:
    """Whether `array` is on `device`, which may say its kind alone; the CPU has any number."""
    kind, _, number = str(device).partition("(")
    return f.flx_ndarray_device(array) == f"{kind}({number if number and kind != 'cpu' else '0)'}"


def place(*arrays: Any) -> Optional[str]:
    """Where a host's values go that meet these: where the first array among them is; None: on the CPU."""
    device = next((f.flx_ndarray_device(a) for a in arrays if isinstance(a, f.Handle)), "cpu")
    return None if device.startswith("cpu") else device


def beside(value: Any, array: f.Handle, dtype: Any = None) -> "NDArray":
    """`value` as an array: a host's value becomes one where `array` is; one that is an array stays where it is."""
    return as_array(value, dtype, None if isinstance(value, f.Handle) else place(array), copy=False)


def as_array(value: Any, dtype: Any = None, device: Optional[str] = None, copy: bool = True) -> "NDArray":
    """`value` as an array: an NDArray, NumPy array, number, nested list, buffer, or what speaks DLPack or NumPy's protocols."""
    number = None if dtype is None else _dtypes.number_of(dtype)
    if isinstance(value, f.Handle):
        if number is not None and f.flx_ndarray_describe(value)[0] != number:
            value, copy = f.flx_invoke("Cast", None, [value], {"dtype": _dtypes.DTYPES[number].name})[0], False
        return f.flx_ndarray_copy(value, device) if copy or device is not None and not is_on(value, device) else value  # type: ignore[return-value]
    if isinstance(value, (np.ndarray, np.generic)):
        return from_numpy(np.asarray(value), number, device)
    if isinstance(value, (bool, int, float, list, tuple, range)):
        return _from_numbers(value, number, device)
    if isinstance(value, (str, dict, set, type(None))) or callable(value):
        raise DTypeError(f"[array] expected numbers, an array or a (nested) list of numbers, given {type(value).__name__}")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        from ._interop import from_dlpack
        return as_array(from_dlpack(value), dtype, device)
    return from_numpy(np.asarray(value), number, device)


def _from_numbers(value: Any, number: Optional[int], device: Optional[str]) -> "NDArray":
    if isinstance(value, (list, tuple)) and value and any(isinstance(v, f.Handle) for v in value):
        dtype, near = None if number is None else _dtypes.DTYPES[number], place(*value)
        made = f.flx_invoke("stack", None, [as_array(v, dtype, None if isinstance(v, f.Handle) else near, copy=False) for v in value], {"axis": "0"})[0]
        return as_array(made, None, device, copy=False)
    if number is None:
        number = f.FLX_FLOAT32
    try:
        host = np.asarray(value)
        if host.dtype.kind in "iub" and _dtypes.DTYPES[number].kind in "iu":
            limits = np.iinfo(_dtypes.host_of(number))
            if host.size and not (limits.min <= host.min() and host.max() <= limits.max):
                raise OverflowError(f"{host.min() if host.min() < limits.min else host.max()} is out of the bounds of {limits.dtype}")
            host = host.astype(limits.dtype)
    except (ValueError, OverflowError) as e:
        raise ArgumentError(f"[array] {e}. Expected numbers, or lists of equal lengths of numbers that the dtype can hold.") from None
    if host.dtype.kind in "fc" and not host.size:
        host = host.astype(np.float32)
    if host.dtype.kind == "O" or (host.dtype.kind == "u" and number != f.FLX_UINT64 and host.dtype.itemsize == 8):
        raise DTypeError("[array] expected numbers that a 64-bit integer or a float can hold, given "
                         + ("Python objects or larger integers" if host.dtype.kind == "O" else "integers of 2**63 or more; give dtype='uint64', or floats"))
    return from_numpy(host, number, device)


def to_numpy(array: f.Handle, order: int = ROW) -> np.ndarray:
    """The elements of an array in a new NumPy array; waits for them."""
    number, shape = f.flx_ndarray_describe(array)
    dtype, code = _dtypes.HOSTS[number]
    out = np.empty(shape, dtype, "F" if order == COLUMN else "C")
    f.flx_ndarray_read(array, out, code, order, -1)
    return out
