# SPDX-License-Identifier: Apache-2.0
"""dtypes: the ABI's numbers, NumPy's objects, and bfloat16, which NumPy lacks."""
from typing import Any, Dict, Union

import numpy as np

from . import _flexor as f
from .errors import DTypeError


class BFloat16:
    """The dtype of arrays of 16-bit brain floats: 8 bits of exponent, as float32 has, and 7 of mantissa. NumPy has no such dtype, so their NumPy form is float32."""
    name, itemsize, kind = "bfloat16", 2, "f"

    def __repr__(self) -> str:
        return "flexor.bfloat16"

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, BFloat16) or getattr(other, "name", other) == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> str:
        return "bfloat16"


bfloat16 = BFloat16()
DType = Union[np.dtype, BFloat16]

NUMBERS: Dict[str, int] = {name: getattr(f, "FLX_" + name.upper()) for name in (
    "float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32", "uint64", "bfloat16")}
DTYPES: Dict[int, DType] = {number: bfloat16 if name == "bfloat16" else np.dtype(name) for name, number in NUMBERS.items()}
_seen: Dict[Any, int] = {None: f.FLX_FLOAT32, float: f.FLX_FLOAT32, bfloat16: f.FLX_BFLOAT16, **NUMBERS}


def number_of(dtype: Any) -> int:
    """The ABI's number of a dtype given as NumPy's, as a name, or as a Python type (float: float32). None is float32."""
    try:
        return _seen[dtype]
    except (KeyError, TypeError):
        pass
    name = getattr(dtype, "name", None)
    if name not in NUMBERS:
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = str(dtype)
    if name not in NUMBERS:
        raise DTypeError(f"[dtype] expected one of {', '.join(NUMBERS)}, given {dtype!r}")
    return NUMBERS[name]


#: The ABI's number of each of NumPy's dtypes (their `name` costs a microsecond).
OF_NUMPY: Dict[Any, int] = {dtype: number for number, dtype in DTYPES.items() if dtype is not bfloat16}
#: number -> (NumPy's dtype in which its elements come out, and the ABI's number of that): float32 for bfloat16.
HOSTS: Dict[int, Any] = {number: (np.dtype("float32"), f.FLX_FLOAT32) if dtype is bfloat16 else (dtype, number) for number, dtype in DTYPES.items()}


def host_of(number: int) -> np.dtype:
    """NumPy's dtype in which arrays of the ABI's dtype `number` come out: float32 for bfloat16."""
    return HOSTS[number][0]


def promote(a: int, b: int) -> int:
    """The dtype in which arrays of dtypes `a` and `b` meet: floats win over integers, wider over narrower; integers as NumPy has them."""
    if a == b:
        return a
    x, y = DTYPES[a], DTYPES[b]
    if x.kind == "f" and y.kind == "f":
        return a if x.itemsize > y.itemsize else b if y.itemsize > x.itemsize else f.FLX_FLOAT32
    if x.kind == "f" or y.kind == "f":
        return a if x.kind == "f" else b
    both = np.result_type(x, y)  # type: ignore[arg-type]
    return f.FLX_FLOAT32 if both.kind == "f" else NUMBERS[both.name]
