# SPDX-License-Identifier: Apache-2.0
"""Parameters: what a layer of one's own asks for (`Param`), and the arrays that a network has (`Parameters`)."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from .. import _core
from .._core import f
from .._settings import setting_text


class Param:
    """A parameter that a layer of one's own declares in `parameters_for`.

    Parameters
    ----------
    shape : int or tuple of int
    init : str or flexor.init object
        How it begins: "zeros", "ones", "xavier", flexor.init.Normal(0.1) ... Empty: by the initializer given to the network.
    dtype : str
    trainable : bool
        False: no gradient is wanted and no optimizer changes it.
    """

    def __init__(self, shape: Union[int, Sequence[int]], init: Any = "", dtype: str = "float32", trainable: bool = True) -> None:
        self.shape: Tuple[int, ...] = (int(shape),) if isinstance(shape, int) else tuple(shape)
        if any(not isinstance(n, int) or n < 0 for n in map(_index, self.shape)):
            raise _core.errors.ShapeError(f"[Param] a parameter's shape must be known, given {self.shape}. In parameters_for(input_shape), input_shape[0] is the batch.")
        self.shape = tuple(_index(n) for n in self.shape)
        self.init, self.dtype, self.trainable = init, dtype, trainable

    def attrs(self) -> Dict[str, str]:
        """As attributes of a variable of a graph."""
        made = {"shape": _core.text(self.shape), "dtype": _core.text(self.dtype)}
        if self.init != "":
            made["init"] = setting_text(self.init)
        if not self.trainable:
            made["lr_mult"] = "0"
        return made

    def __repr__(self) -> str:
        return f"Param({self.shape}, {str(self.init)!r})"


def _index(n: Any) -> Any:
    return n.__index__() if hasattr(n, "__index__") else n


class Parameters(Mapping):
    """Arrays by name, in order: a network's parameters and states. The arrays are the network's own, not copies: `net.parameters()["0.weight"]`.

    Made from a dict as well: `Parameters({"w": w, "b": b})`."""
    __slots__ = ("_handle", "_whole", "_prefix")

    def __init__(self, arrays: Optional[Mapping[str, Any]] = None, handle: Any = None) -> None:
        self._handle = handle
        self._whole: Optional[Parameters] = None  # of which this is the part below `_prefix`
        self._prefix = ""
        if handle is None:
            self._handle = f.flx_params_create()
        for name, array in (arrays or {}).items():
            self[name] = array

    def below(self, prefix: str) -> "Parameters":
        """The part whose names begin with `prefix`, under the names that remain; the arrays are the same ones."""
        part = Parameters.__new__(Parameters)
        part._handle, part._whole, part._prefix = None, self, prefix
        return part

    @property
    def handle(self) -> Any:
        """The core's handle."""
        if self._handle is None:
            assert self._whole is not None
            self._handle = f.flx_params_create()
            for name, array in self._whole.items():
                if name.startswith(self._prefix):
                    f.flx_params_set(self._handle, name[len(self._prefix):], array)
        return self._handle

    def __len__(self) -> int:
        return f.flx_params_count(self.handle)

    def __iter__(self) -> Iterator[str]:
        return iter(_core.names(f.flx_params_count, f.flx_params_name, self.handle))

    def __getitem__(self, name: str) -> Any:
        array = f.flx_params_get(self.handle, name)
        if array is None:
            near = f" There are: {', '.join(self)}." if 0 < len(self) < 20 else ""
            raise _core.errors.UnknownNameError(f"[params] there is no parameter `{name}`.{near}")
        return array

    def __setitem__(self, name: str, array: Any) -> None:
        if not isinstance(array, _core.Handle):
            from .. import nd
            array = nd.array(array)
        f.flx_params_set(self.handle, name, array)

    def __contains__(self, name: Any) -> bool:
        return isinstance(name, str) and f.flx_params_get(self.handle, name) is not None

    def attach_grad(self, grad_req: str = "write") -> "Parameters":
        """Attaches a gradient to every array that training changes (parameters, not running means): `grad_req` is write, add or null."""
        f.flx_params_attach(self.handle, grad_req)
        return self

    def has_grad(self) -> bool:
        """Whether any array has a gradient attached."""
        return any(f.flx_autograd_grad(a) is not None for a in self.values())

    def copy_from(self, other: Mapping[str, Any], strict: bool = True) -> List[str]:
        """Overwrites arrays with those of the same name in `other`; returns the names. strict: both must have the same names."""
        names = [n for n in self if n in other]
        if strict and (len(names) != len(self) or len(names) != len(other)):
            missing, extra = [n for n in self if n not in other], [n for n in other if n not in self]
            raise _core.errors.StateError("[params] the names differ." + (f" Not given: {', '.join(missing[:5])}." if missing else "")
                                          + (f" Not known: {', '.join(extra[:5])}." if extra else "") + " strict=False copies what both have.")
        from .. import nd
        for n in names:
            source = other[n]
            f.flx_ndarray_copy_into(source if isinstance(source, _core.Handle) else nd.array(source), self[n])
        return names

    def save(self, path: str, format: Optional[str] = None) -> None:
        """Writes the arrays to a file: `format` is safetensors or mxnet; None: by its extension, .flx and .safetensors or .params."""
        f.flx_params_save(self.handle, str(path), format, -1)

    @staticmethod
    def load(path: str, device: Optional[str] = None) -> "Parameters":
        """The arrays of a file: safetensors, .flx, or MXNet's .params; on `device`, such as "gpu(0)" (None: the CPU)."""
        return Parameters(handle=f.flx_params_load(str(path), None if device is None else str(device)))

    def copy(self, device: Optional[str] = None) -> "Parameters":
        """A copy on `device` (None: where they are), without gradients."""
        return Parameters(handle=f.flx_params_copy(self.handle, None if device is None else str(device)))

    def to(self, device: str) -> "Parameters":
        """Moves the arrays to `device`, as "gpu(0)" or "cpu", in their places; attached gradients are attached there anew. Returns the parameters."""
        f.flx_params_move(self.handle, str(device))
        return self

    def __repr__(self) -> str:
        lines = [f"  {name}: {array.shape} {array.dtype}" for name, array in self.items()]
        return "Parameters(\n" + "\n".join(lines) + "\n)" if lines else "Parameters()"

    def __reduce__(self) -> Any:
        return Parameters, (dict(self.items()),)
