# SPDX-License-Identifier: Apache-2.0
"""Memory shared with others: DLPack and memoryview."""
from typing import Any, Optional, Tuple

import numpy as np

from . import _convert, _dtypes
from . import _flexor as f
from .errors import UnsupportedError
from .ndarray import NDArray

_FORMATS = {"float32": "f", "float64": "d", "float16": "e", "uint8": "B", "int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q",
            "uint64": "Q", "bool": "?", "bfloat16": "H"}


def mapped(x: NDArray, writable: bool) -> memoryview:
    """NDArray.map"""
    number, shape = f.flx_ndarray_describe(x)
    name = _dtypes.DTYPES[number].name
    if 0 in shape:  # which memoryview.cast does not take
        return np.empty(shape, np.uint16 if name == "bfloat16" else name).data
    mapping = f.flx_ndarray_map(x, int(writable), -1)[1]
    address, nbytes = f.flx_mapping_address(mapping)
    with memoryview(f.memory(address, nbytes, not writable, mapping)) as flat:
        return flat.cast(_FORMATS[name], shape)  # type: ignore[call-overload, no-any-return]


def dlpack_device(x: NDArray) -> Tuple[int, int]:
    """NDArray.__dlpack_device__"""
    if not _convert.is_on(x, "cpu"):
        raise BufferError(f"the array is on {x.device}, whose memory is not shared; .to_device('cpu') copies it")
    return (1, 0)


def to_dlpack(x: NDArray, max_version: Optional[Tuple[int, int]], dl_device: Any, copy: Optional[bool]) -> Any:
    """NDArray.__dlpack__"""
    if tuple(dl_device or (1, 0)) != dlpack_device(x):
        raise BufferError(f"the array is on the CPU, device (1, 0), not on {tuple(dl_device)}")
    f.flx_dlpack_collect()
    if copy:
        x = x.copy()
    versioned = max_version is not None and max_version[0] >= 1
    try:
        address = (f.flx_ndarray_to_dlpack if versioned else f.flx_ndarray_to_dlpack_legacy)(x, -1)[1]
    except UnsupportedError as e:
        raise BufferError(str(e)) from None
    return f.capsule(address, versioned)


def _capsule(source: Any) -> Any:
    try:
        return source.__dlpack__(max_version=(1, 0))
    except TypeError:  # from before DLPack 1.0
        pass
    return source.__dlpack__()


def from_dlpack(source: Any) -> NDArray:
    """An array over the memory of `source`, whatever has __dlpack__ (NumPy, PyTorch, JAX ...), without a copy, or over a DLPack capsule. What is read-only there is
    copied."""
    f.flx_dlpack_collect()
    if isinstance(source, np.ndarray) and not source.flags.writeable:
        return _convert.from_numpy(source)  # NumPy before 2.1 cannot say so by DLPack
    if hasattr(source, "__dlpack__"):
        source = _capsule(source)
    address, versioned = f.capsule_address(source)
    out = (f.flx_ndarray_from_dlpack if versioned else f.flx_ndarray_from_dlpack_legacy)(address)
    f.capsule_used(source)
    return out
