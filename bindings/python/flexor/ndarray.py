# SPDX-License-Identifier: Apache-2.0
"""NDArray: NumPy's array, with gradients, computed by the core. `flexor.nd` makes them."""
from typing import Any, Callable, Iterator, Optional, Sequence, Tuple, Union

import numpy as np

from . import _convert, _core, _dtypes, _indexing
from . import _flexor as f
from ._dtypes import DType, bfloat16 as bfloat16
from .errors import ArgumentError, DTypeError, ShapeError

_CAST = {number: f.flx_call_create("Cast", {"dtype": name}) for name, number in _dtypes.NUMBERS.items()}
_binary, _unary, _with_scalar = f.flx_call_binary, f.flx_call_unary, f.flx_call_scalar
_FLOATS = (f.FLX_FLOAT32, f.FLX_FLOAT64, f.FLX_FLOAT16, f.FLX_BFLOAT16)


_number = f.dtype


def _cast(x: f.Handle, number: int) -> "NDArray":
    return x if _number(x) == number else _unary(_CAST[number], None, x)  # type: ignore[return-value]


def _meet(call: f.Handle, x: f.Handle, y: f.Handle, floats: bool) -> "NDArray":
    """Runs `call` on two arrays in the dtype where they meet."""
    a, b = _number(x), _number(y)
    both = _dtypes.promote(a, b)
    if floats and both not in _FLOATS:
        both = f.FLX_FLOAT32
    return _binary(call, None, _cast(x, both), _cast(y, both))


def _array_method(name: str, scalar: str, reflected: Optional[str] = None, floats: bool = False, truth: bool = False, doc: str = "") -> Tuple[Callable, Callable]:
    """`x op y` and `y op x` for two arrays, an array and a number, and what can be made an array. `floats`: integers become float32 first; `truth`: the result is
    bool."""
    call, with_scalar = f.flx_call_create(name, {}), f.flx_call_create(scalar, {"scalar": "1"})
    backwards = f.flx_call_create(reflected, {"scalar": "1"}) if reflected else with_scalar

    def number_with(prepared: f.Handle, x: "NDArray", value: Any, swapped: bool) -> Any:
        """An array of integers or truths and a Python number; the number takes the array's dtype, if that can hold its kind."""
        number = _number(x)
        if number not in _FLOATS:
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if floats or not (whole or isinstance(value, (bool, np.bool_))):
                x = _cast(x, f.FLX_FLOAT32)
            elif whole and number == f.FLX_BOOL:
                x = _cast(x, f.FLX_INT64)
            elif whole and not -2**53 <= value <= 2**53:
                y = _convert.beside(int(value), x, _dtypes.DTYPES[number])
                return _binary(call, None, y, x) if swapped else _binary(call, None, x, y)
        return _with_scalar(prepared, None, x, value)

    def other_with(x: "NDArray", y: Any, swapped: bool) -> Any:
        if isinstance(y, (bool, int, float, np.number, np.bool_)):
            out = number_with(backwards if swapped else with_scalar, x, y, swapped)
        else:
            if not isinstance(y, NDArray):
                if not isinstance(y, (np.ndarray, list, tuple)) and not hasattr(y, "__array__"):
                    return NotImplemented
                y = _convert.beside(y, x, None if hasattr(y, "dtype") else _dtypes.DTYPES[_number(x)])
            out = _meet(call, y, x, floats) if swapped else _meet(call, x, y, floats)
        return _unary(_CAST[f.FLX_BOOL], None, out) if truth else out

    def forward(self: "NDArray", other: Any) -> Any:
        kind, out = type(other), None  # type: Any, Any
        if kind is NDArray:
            if floats and _number(self) not in _FLOATS:
                return _meet(call, self, other, True)
            try:
                out = _binary(call, None, self, other)
            except DTypeError:
                out = _meet(call, self, other, floats)
        elif kind is float and _number(self) in _FLOATS:
            out = _with_scalar(with_scalar, None, self, other)
        else:
            return other_with(self, other, False)
        return _unary(_CAST[f.FLX_BOOL], None, out) if truth else out

    def backward(self: "NDArray", other: Any) -> Any:
        return other_with(self, other, True)
    forward.__doc__ = backward.__doc__ = doc
    return forward, backward


def _in_place(method: Callable) -> Callable:
    def run(self: "NDArray", other: Any) -> Any:
        out = method(self, other)
        if out is NotImplemented:
            return out
        number, shape = f.flx_ndarray_describe(self)
        given, dims = f.flx_ndarray_describe(out)
        if dims != shape:
            raise ShapeError(f"[in place] expected a result of the array's shape {shape}, given {dims}")
        if given != number:
            if given in _FLOATS and number not in _FLOATS:
                raise DTypeError(f"[in place] expected a result that {_dtypes.DTYPES[number]} can hold, given {_dtypes.DTYPES[given]}. Cast the array first.")
            out = _unary(_CAST[number], None, out)
        f.flx_call_run_into(_COPY, None, (out,), (), (self,))
        return self
    run.__doc__ = "Changes the array itself, as NumPy does; its dtype stays."
    return run


_COPY, _NEGATIVE, _ABS = (f.flx_call_create(name, {}) for name in ("_copy", "negative", "abs"))


def _reduction(name: str, doc: str) -> Callable:
    kept: dict = {}

    def method(self: "NDArray", axis: Any = None, keepdims: bool = False) -> "NDArray":
        if axis is None or type(axis) is int:
            call = kept.get((axis, keepdims))
            if call is None:
                call = kept[axis, keepdims] = _core.call(name, {"axis": axis, "keepdims": keepdims})
        else:
            call = _core.call(name, {"axis": axis, "keepdims": keepdims})
        return _unary(call, None, self)
    method.__name__ = method.__qualname__ = name[4:]
    method.__doc__ = doc + " over `axis` (an int, a tuple; None: all); `keepdims` leaves the axes with size 1. Shape () without axes that are left."
    return method


class NDArray(f.ArrayHandle):
    """An array of numbers: NumPy's indexing, broadcasting and operators, on a device, with gradients. Made by flexor.nd (array, zeros ...) and by operators.

    Results may still be computed when a call returns; whatever reads them (asnumpy, item, print) waits, and raises what went wrong. A Python number takes the
    array's dtype; two arrays of different dtypes meet in the wider, floats before integers."""
    __slots__ = ()
    __array_priority__ = 1000.0

    # ---- what it is ----
    @property
    def shape(self) -> Tuple[int, ...]:
        """The sizes of the axes."""
        return f.flx_ndarray_describe(self)[1]

    @property
    def dtype(self) -> DType:
        """The elements' dtype: NumPy's, or flexor.bfloat16."""
        return _dtypes.DTYPES[f.flx_ndarray_describe(self)[0]]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(f.flx_ndarray_describe(self)[1])

    @property
    def size(self) -> int:
        """The number of elements."""
        n = 1
        for d in f.flx_ndarray_describe(self)[1]:
            n *= d
        return n

    @property
    def nbytes(self) -> int:
        """The elements' bytes."""
        return f.flx_ndarray_nbytes(self)

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return self.dtype.itemsize

    @property
    def device(self) -> str:
        """Where it is: "cpu(0)"."""
        return f.flx_ndarray_device(self)

    @property
    def T(self) -> "NDArray":
        """A view with the axes in reverse order."""
        return self.transpose()

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError("len() of an array without axes")
        return shape[0]

    def __iter__(self) -> Iterator["NDArray"]:
        if not self.shape:
            raise TypeError("iteration over an array without axes")
        return (f.flx_ndarray_at(self, i, None) for i in range(len(self)))

    def __repr__(self) -> str:
        if not f.flx_handle_kind(self):
            return "<NDArray: freed>"
        return f.flx_ndarray_text(self, -1)[1]

    __str__ = __repr__
    __hash__ = object.__hash__

    # ---- out to Python and NumPy ----
    def asnumpy(self, order: str = "C") -> np.ndarray:
        """A new NumPy array with the elements (bfloat16: float32, exactly), in `order` C or F. Waits for them."""
        if order not in ("C", "F"):
            raise ArgumentError(f"[asnumpy] expected order C or F, given {order!r}")
        return _convert.to_numpy(self, f.FLX_COLUMN_MAJOR if order == "F" else f.FLX_ROW_MAJOR)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        if copy is False:
            raise ValueError("an NDArray is copied to NumPy; numpy.from_dlpack gives a view")
        out = self.asnumpy()
        return out if dtype is None else out.astype(dtype, copy=False)

    def _buffer(self) -> np.ndarray:
        """What memoryview(x), hashlib, files, sockets and struct read: a copy that cannot be written, so that no view keeps the array from being changed."""
        if _number(self) == f.FLX_BFLOAT16:
            raise BufferError("[memoryview] buffers have no format for bfloat16; .astype('float32') has one, .map() gives the bits")
        out = self.asnumpy()
        out.flags.writeable = False
        return out

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy arrays on the left: operators give NDArrays, as they do on the right; all other functions of NumPy give NumPy arrays."""
        if method == "__call__" and not options and len(inputs) == 2 and ufunc.__name__ in _REFLECTED and not isinstance(inputs[0], NDArray):
            return getattr(inputs[1], _REFLECTED[ufunc.__name__])(inputs[0])
        if any(isinstance(out, NDArray) for out in options.get("out", ())):
            return NotImplemented
        return getattr(ufunc, method)(*[x.asnumpy() if isinstance(x, NDArray) else x for x in inputs], **options)

    def item(self, *index: Any) -> Union[int, float, bool]:
        """The element at `index`, or the only one, as a Python number. Waits for it."""
        x: Any = _indexing.get(self, index) if index else self
        number = _number(x)
        if number in _FLOATS or x.size != 1:  # (that is an error with the core's words)
            return f.flx_ndarray_item(x, -1)[1]
        return _convert.to_numpy(x).item()

    def asscalar(self) -> Union[int, float, bool]:
        """The only element as a Python number."""
        return self.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.asnumpy().tolist()

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of an array of shape {self.shape} is ambiguous. Use .any() or .all(), or compare shapes")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.size != 1:
            raise TypeError(f"only one integer can be an index, not {self.dtype} of shape {self.shape}")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else format(str(self), spec)

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    # ---- memory ----
    def wait(self) -> "NDArray":
        """Waits until all that computes it is done, and raises what went wrong there."""
        f.flx_ndarray_wait(self, -1)
        return self

    wait_to_read = wait

    def free(self) -> None:
        """Lets go of the memory now. Any later use is a HandleError; nothing has to be freed by hand, though."""
        f.flx_free(self)

    def map(self, writable: bool = False) -> memoryview:
        """Its memory without a copy, as a memoryview (bfloat16: format H, the bits), until that is released: `with x.map() as m: np.asarray(m)`. Meanwhile what would
        overwrite the array, and with `writable` what uses it at all, is a StateError. `memoryview(x)`, NumPy's functions and `asnumpy` copy instead, so that nothing
        is held without anybody asking for it."""
        from . import _interop
        return _interop.mapped(self, writable)

    def __dlpack__(self, *, stream: Any = None, max_version: Optional[Tuple[int, int]] = None, dl_device: Any = None, copy: Optional[bool] = None) -> Any:
        """A DLPack capsule, for numpy.from_dlpack, torch.from_dlpack and the like: no copy."""
        from . import _interop
        return _interop.to_dlpack(self, max_version, dl_device, copy)

    def __dlpack_device__(self) -> Tuple[int, int]:
        """(1, 0): the CPU. Memory of other devices is not shared."""
        from . import _interop
        return _interop.dlpack_device(self)

    def copy(self) -> "NDArray":
        """A new array with the same elements."""
        return _unary(_COPY, None, self)

    def copyto(self, other: "NDArray") -> "NDArray":
        """Copies the elements into `other`, of the same shape, and casts them."""
        f.flx_ndarray_copy_into(self, other)
        return other

    def as_in_context(self, device: Any) -> "NDArray":
        """The array on `device` ("cpu", "gpu(0)"): itself if it is there, else a copy, through which no gradient goes."""
        return self if _convert.is_on(self, device) else f.flx_ndarray_copy(self, str(device))

    to_device = as_in_device = as_in_context

    def __copy__(self) -> "NDArray":
        return self.copy()

    def __deepcopy__(self, memo: dict) -> "NDArray":
        out = f.flx_ndarray_copy(self, None)
        if f.flx_autograd_grad(self) is not None:
            f.flx_autograd_attach(out, "write", None)
        return out

    def __reduce__(self) -> tuple:
        return _restored, (self.asnumpy(), str(self.dtype), f.flx_autograd_grad(self) is not None)

    # ---- gradients ----
    def attach_grad(self, grad_req: str = "write", grad: Optional["NDArray"] = None) -> None:
        """Makes it a leaf: backward stores its gradient in `.grad`; `grad_req` is write, add or null."""
        f.flx_autograd_attach(self, grad_req, grad)

    @property
    def grad(self) -> Optional["NDArray"]:
        """The gradient that backward stored, zeros before; None if none is attached."""
        return f.flx_autograd_grad(self)

    def backward(self, out_grad: Optional["NDArray"] = None, retain_graph: bool = False, train_mode: bool = True, create_graph: bool = False) -> None:
        """Goes backward from here; `out_grad` is the head gradient (ones), of this shape. See autograd.backward."""
        if retain_graph or create_graph or not train_mode or _core.hosts_exist():
            from . import autograd
            autograd.backward(self, out_grad, retain_graph=retain_graph, create_graph=create_graph, train_mode=train_mode)
        else:
            f.flx_autograd_backward((self,), () if out_grad is None else (out_grad,), f.FLX_TRAIN)

    def detach(self) -> "NDArray":
        """The same memory without history and gradient."""
        return f.flx_ndarray_detach(self)

    def zero_grad(self) -> None:
        """Sets the attached gradient to zero."""
        grad = self.grad
        if grad is not None:
            grad[...] = 0

    # ---- elements ----
    def __getitem__(self, key: Any) -> "NDArray":
        return f.flx_ndarray_at(self, key, None) if type(key) is int else _indexing.get(self, key)  # type: ignore[return-value]

    def __setitem__(self, key: Any, value: Any) -> None:
        _indexing.put(self, key, value)

    def astype(self, dtype: Any, copy: bool = True) -> "NDArray":
        """The elements cast to `dtype`: floats to integers by truncation, saturated. A copy, or, with copy=False, itself if it has this dtype."""
        number = _dtypes.number_of(dtype)
        if _number(self) == number:
            return self.copy() if copy else self
        return _unary(_CAST[number], None, self)

    def reshape(self, *shape: Any) -> "NDArray":
        """A view with another shape; one size may be -1: what is left."""
        if len(shape) == 1 and not isinstance(shape[0], int):
            shape = tuple(shape[0]) if hasattr(shape[0], "__iter__") else shape
        shape = tuple(int(d) for d in shape)
        if 0 in shape or 0 in self.shape:  # in the core 0 is a code, "as it was"
            probe = np.broadcast_to(np.int8(0), self.shape)
            try:
                shape = probe.reshape(shape).shape
            except ValueError as e:
                raise ShapeError(f"[reshape] {e}") from None
            return f.flx_ndarray_create(shape, _number(self), None)
        if any(d < -1 for d in shape):
            raise ShapeError(f"[reshape] expected sizes, of which one may be -1, given {shape}")
        return f.flx_ndarray_reshape(self, shape, None)

    def transpose(self, *axes: Any) -> "NDArray":
        """A view with the axes in the order `axes`; none: reversed."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = tuple(axes[0]) if axes[0] is not None else ()
        axes = tuple(a + self.ndim if isinstance(a, int) and a < 0 else a for a in axes)
        return _core.invoke("transpose", [self], {"axes": axes})

    def flatten(self) -> "NDArray":
        """A view with one axis (NumPy's meaning; nd.flatten is MXNet's, which keeps the first axis)."""
        return self.reshape(-1) if self.size else f.flx_ndarray_create((0,), _number(self), None)

    ravel = flatten

    def swapaxes(self, a: int, b: int) -> "NDArray":
        """A view with axes `a` and `b` swapped."""
        axes = list(range(self.ndim))
        axes[a], axes[b] = axes[b], axes[a]
        return self.transpose(*axes)

    sum = _reduction("_np_sum", "The sum")
    mean = _reduction("_np_mean", "The mean")
    max = _reduction("_np_max", "The maximum")
    min = _reduction("_np_min", "The minimum")
    prod = _reduction("_np_prod", "The product")

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> "NDArray":
        """The variance over `axis` (divisor: the count - `ddof`)."""
        away = self - self.mean(axis, True)
        squares = (away * away).sum(axis, keepdims)
        return squares / (self.size / _builtin_max(squares.size, 1) - ddof)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> "NDArray":
        """The standard deviation over `axis` (divisor: the count - `ddof`)."""
        return _core.invoke("sqrt", [self.var(axis, ddof, keepdims)])

    def argmax(self, axis: Optional[int] = None, keepdims: bool = False) -> "NDArray":
        """Where the maximum is along `axis` (None: in the array as one row), int64; the first if there are several."""
        return self._arg("argmax", axis, keepdims)

    def argmin(self, axis: Optional[int] = None, keepdims: bool = False) -> "NDArray":
        """Where the minimum is along `axis` (None: in the array as one row), int64; the first if there are several."""
        return self._arg("argmin", axis, keepdims)

    def _arg(self, name: str, axis: Optional[int], keepdims: bool) -> "NDArray":
        shape, flat = self.shape, self if axis is not None else self.reshape(-1)
        if axis is not None and not -len(shape) <= axis < len(shape):
            raise ShapeError(f"[{name}] expected an axis in [{-len(shape)}, {len(shape)}), given {axis}")
        out = _core.invoke(name, [flat], {"axis": 0 if axis is None else axis, "keepdims": keepdims})
        if axis is None:
            wanted: Tuple[int, ...] = (1,) * len(shape) if keepdims else ()
        else:
            axis %= len(shape)
            wanted = shape[:axis] + ((1,) if keepdims else ()) + shape[axis + 1:]
        out = out.astype("int64")
        return out if out.shape == wanted else out.reshape(wanted)

    def any(self, axis: Any = None, keepdims: bool = False) -> "NDArray":
        """Whether an element is not 0, over `axis`."""
        return (self != 0).astype("int32").max(axis, keepdims).astype("bool") if self.size else (self != 0).sum(axis, keepdims).astype("bool")

    def all(self, axis: Any = None, keepdims: bool = False) -> "NDArray":
        """Whether no element is 0, over `axis`."""
        return (self == 0).any(axis, keepdims) == 0

    # ---- operators ----
    __add__, __radd__ = _array_method("broadcast_add", "_plus_scalar")
    __sub__, __rsub__ = _array_method("broadcast_sub", "_minus_scalar", "_rminus_scalar")
    __mul__, __rmul__ = _array_method("broadcast_mul", "_mul_scalar")
    __truediv__, __rtruediv__ = _array_method("broadcast_div", "_div_scalar", "_rdiv_scalar", floats=True, doc="x / y; integers give float32.")
    __mod__, __rmod__ = _array_method("broadcast_mod", "_mod_scalar", "_rmod_scalar", doc="x % y, with the sign of y.")
    __pow__, __rpow__ = _array_method("broadcast_power", "_power_scalar", "_rpower_scalar")
    __eq__ = _array_method("broadcast_equal", "_equal_scalar", truth=True)[0]  # type: ignore[assignment]
    __ne__ = _array_method("broadcast_not_equal", "_not_equal_scalar", truth=True)[0]  # type: ignore[assignment]
    __lt__ = _array_method("broadcast_lesser", "_lesser_scalar", truth=True)[0]
    __le__ = _array_method("broadcast_lesser_equal", "_lesser_equal_scalar", truth=True)[0]
    __gt__ = _array_method("broadcast_greater", "_greater_scalar", truth=True)[0]
    __ge__ = _array_method("broadcast_greater_equal", "_greater_equal_scalar", truth=True)[0]
    __iadd__, __isub__, __imul__ = _in_place(__add__), _in_place(__sub__), _in_place(__mul__)
    __itruediv__, __imod__, __ipow__ = _in_place(__truediv__), _in_place(__mod__), _in_place(__pow__)

    def __floordiv__(self, other: Any) -> Any:
        """x // y: the largest whole number not above x / y."""
        rest = self % other
        return rest if rest is NotImplemented else _whole((self - rest), other)

    def __rfloordiv__(self, other: Any) -> Any:
        rest = other % self
        return rest if rest is NotImplemented else _whole((other - rest), self)

    __ifloordiv__ = _in_place(__floordiv__)

    def __divmod__(self, other: Any) -> tuple:
        return self // other, self % other

    def __matmul__(self, other: Any) -> "NDArray":
        """Matrix product, with NumPy's meaning: of the last two axes, the others broadcast."""
        from . import _linear
        return _linear.matmul(self, other)

    def __rmatmul__(self, other: Any) -> "NDArray":
        from . import _linear
        return _linear.matmul(other, self)

    def dot(self, other: Any) -> "NDArray":
        """NumPy's dot for up to two axes: the inner product, or the matrix product."""
        from . import _linear
        return _linear.matmul(self, other) if self.shape and getattr(other, "shape", (0,)) else self * other

    def __neg__(self) -> "NDArray":
        return _unary(_NEGATIVE, None, self)

    def __pos__(self) -> "NDArray":
        return self

    def __abs__(self) -> "NDArray":
        return _unary(_ABS, None, self)

    def __invert__(self) -> "NDArray":
        if _number(self) != f.FLX_BOOL:
            raise DTypeError(f"[~] expected bool, given {self.dtype}")
        return self == 0

    def __and__(self, other: Any) -> Any:
        return _logic("broadcast_logical_and", self, other)

    def __or__(self, other: Any) -> Any:
        return _logic("broadcast_logical_or", self, other)

    def __xor__(self, other: Any) -> Any:
        return _logic("broadcast_logical_xor", self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __round__(self, digits: int = 0) -> "NDArray":
        return _core.invoke("rint", [self]) if not digits else _core.invoke("rint", [self * 10.0**digits]) / 10.0**digits

    # ---- operators of the registry as methods ----
    def __getattr__(self, name: str) -> Any:
        from ._generated import op
        function = op.METHODS.get(name)
        if function is None:
            raise AttributeError(f"'NDArray' object has no attribute '{name}'")
        setattr(NDArray, name, function)
        return getattr(self, name)


_builtin_max = max
_REFLECTED = {"add": "__radd__", "subtract": "__rsub__", "multiply": "__rmul__", "divide": "__rtruediv__", "true_divide": "__rtruediv__", "remainder": "__rmod__",
              "power": "__rpow__", "floor_divide": "__rfloordiv__", "matmul": "__rmatmul__", "equal": "__eq__", "not_equal": "__ne__", "less": "__gt__",
              "less_equal": "__ge__", "greater": "__lt__", "greater_equal": "__le__", "bitwise_and": "__and__", "bitwise_or": "__or__", "bitwise_xor": "__xor__"}


def _whole(x: Any, y: Any) -> Any:
    """The whole number x / y, where x is a multiple of y."""
    if _number(x) in _FLOATS or (isinstance(y, NDArray) and _number(y) in _FLOATS):
        return _core.invoke("rint", [x / y])
    if not isinstance(y, NDArray):
        y = NDArray(_convert.beside(y, x, x.dtype))
    return _meet(_core.call("broadcast_div"), x, y, False)


def _logic(name: str, x: NDArray, y: Any) -> Any:
    if isinstance(y, (bool, np.bool_, np.ndarray, list)):
        y = NDArray(_convert.beside(np.asarray(y), x))
    if not isinstance(y, NDArray):
        return NotImplemented
    if _number(x) != f.FLX_BOOL or _number(y) != f.FLX_BOOL:
        raise DTypeError(f"[logical] expected bool arrays, given {x.dtype} and {y.dtype}. Compare first, as x != 0.")
    return _binary(_core.call(name), None, x, y)


def _restored(host: np.ndarray, dtype: str, attached: bool) -> NDArray:
    """What pickle calls."""
    out = _convert.from_numpy(host, _dtypes.NUMBERS[dtype])
    if attached:
        f.flx_autograd_attach(out, "write", None)
    return out


def stacked(arrays: Sequence[NDArray], axis: int = 0) -> NDArray:
    """Arrays of one shape along a new axis."""
    return _core.invoke("stack", list(arrays), {"axis": axis})


f.classes["ndarray"] = NDArray
