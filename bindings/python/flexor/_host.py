# SPDX-License-Identifier: Apache-2.0
"""Operations written in Python with a gradient of their own: `autograd.operator`, for NumPy arrays, and `autograd.Function`, for NDArrays.

They run on the thread that called: at once when called with NDArrays; in fits, predictions and graphs at the place where the core asks for them."""
import functools
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union, overload

import numpy as np

from . import _convert, _core, _dtypes
from . import _flexor as f
from .errors import ArgumentError, StateError
from .ndarray import NDArray


def _many(values: Any) -> Tuple[Any, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _like(value: Any, number: int, device: Optional[str]) -> NDArray:
    """What a function gave, as an array: NumPy likes to make float64 of float32, which would meet nothing else; such floats take the dtype `number`. It is
    made on `device`."""
    out = value if isinstance(value, NDArray) else _convert.as_array(np.asarray(value), None, device)
    dtype, wanted = out.dtype, _dtypes.DTYPES[number]
    return out.astype(wanted) if dtype != wanted and dtype.kind == "f" and wanted.kind == "f" else out


def run(forward: Callable[[Sequence[NDArray]], Sequence[NDArray]], backward: Optional[Callable[..., Sequence[Any]]], inputs: Sequence[NDArray]) -> Tuple[NDArray, ...]:
    """Runs `forward(inputs)` unrecorded; while recording, going backward calls `backward(dy of each output, inputs, outputs)` for one gradient (or None) per
    input."""
    if f.mode() & f.FLX_TRACE:
        raise StateError("[host] a function in Python cannot be traced; in fits and predictions it runs as it is")
    old = f.set_mode(f.mode() & ~f.FLX_RECORD)
    try:
        outputs = tuple(forward(inputs))
    finally:
        f.set_mode(old)
    if old & f.FLX_RECORD and backward is not None and any(f.flx_autograd_recorded(x) for x in inputs):
        outputs = tuple(f.flx_ndarray_detach(y) if any(y is x for x in inputs) else y for y in outputs)
        n = len(outputs)

        def answer(stage: str, arrays: Tuple[NDArray, ...]) -> List[Optional[NDArray]]:
            grads = _many(backward(arrays[:n], arrays[n:-n], arrays[-n:]))  # type: ignore[misc]
            if len(grads) != len(inputs_like):
                raise ArgumentError(f"[gradient] expected {len(inputs_like)} gradients, one for each input, given {len(grads)}")
            return [None if g is None else _like(g, *like) for g, like in zip(grads, inputs_like)]
        inputs_like = [(f.flx_ndarray_describe(x)[0], _convert.place(x)) for x in inputs]
        f.flx_autograd_record(_core.host_register(answer), list(inputs), list(outputs))
    return outputs


class HostOperator:
    """A function of NumPy arrays as an operator; see `operator`."""

    def __init__(self, function: Callable, outputs: int = 1, shapes: Optional[Callable] = None) -> None:
        self.function, self.outputs, self.shapes = function, outputs, shapes
        self._gradient: Optional[Callable] = None
        functools.update_wrapper(self, function)

    def gradient(self, function: Callable) -> Callable:
        """Sets the gradient: `function(dy, ..., x, ..., y, ...)` of the outputs' gradients, the inputs and the outputs gives one gradient (or None) per input."""
        self._gradient = function
        return function

    def _forward(self, inputs: Sequence[NDArray], options: dict) -> List[NDArray]:
        number = f.flx_ndarray_describe(inputs[0])[0] if inputs else f.FLX_FLOAT32
        near = _convert.place(*inputs)
        return [_like(y, number, near) for y in _many(self.function(*[x.asnumpy() for x in inputs], **options))]

    def _backward(self, dys: Sequence[NDArray], xs: Sequence[NDArray], ys: Sequence[NDArray]) -> Any:
        assert self._gradient is not None
        return self._gradient(*[a.asnumpy() for a in (*dys, *xs, *ys)])

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        from .symbol import Symbol
        if any(isinstance(x, Symbol) for x in inputs):
            return self._compose(inputs, options)
        near = _convert.place(*inputs)
        arrays = [x if isinstance(x, NDArray) else _convert.as_array(x, None, near) for x in inputs]
        out = run(lambda xs: self._forward(xs, options), self._backward if self._gradient else None, arrays)
        return out[0] if len(out) == 1 else out

    def _compose(self, inputs: Sequence[Any], options: dict) -> Any:
        """As a node of a graph, which asks for it when it runs. Its outputs have the first input's shape and dtype, unless `shapes` says others."""
        from .symbol import compose

        def answer(stage: str, arrays: Tuple[NDArray, ...]) -> Sequence[Any]:
            if stage == "forward":
                return self._forward(arrays, options)
            if self._gradient is None:
                return [None] * (len(arrays) - 2 * self.outputs)
            n = self.outputs
            return [None if g is None else _like(g, f.flx_ndarray_describe(x)[0], _convert.place(x))
                    for g, x in zip(_many(self._backward(arrays[:n], arrays[n:-n], arrays[-n:])), arrays[n:-n])]
        attrs = {"token": _core.host_register(answer), "outputs": self.outputs, "label": getattr(self, "__name__", "operator")}
        if self.shapes is not None:
            attrs["shapes"] = ", ".join(_core.text(tuple(s)) for s in self.shapes(*[x.shape for x in inputs]))
        out = compose("_host", inputs, attrs)
        return out if self.outputs == 1 else tuple(out)


@overload
def operator(function: Callable[..., Any]) -> HostOperator: ...


@overload
def operator(function: None = None, *, outputs: int = 1, shapes: Optional[Callable[..., Any]] = None) -> Callable[[Callable[..., Any]], HostOperator]: ...


def operator(function: Optional[Callable] = None, *, outputs: int = 1, shapes: Optional[Callable] = None) -> Any:
    """Makes a function of NumPy arrays an operator on NDArrays and Symbols:

        @autograd.operator
        def clip01(x):
            return x.clip(0, 1)

        @clip01.gradient
        def _(dy, x, y):
            return dy * ((x > 0) & (x < 1))

    Without a gradient the result is a constant. In graphs each of the `outputs` has the first input's shape and dtype, unless `shapes`, a function from the inputs'
    shapes to a list of the outputs' shapes, says others."""
    if function is None:
        return lambda g: HostOperator(g, outputs, shapes)
    return HostOperator(function, outputs, shapes)


class Function:
    """An operation on NDArrays with its own gradient, MXNet's way: a subclass has `forward(self, *inputs)` and `backward(self, *output_grads)`, and keeps what backward
    needs by save_for_backward. An object is for one call."""
    saved_tensors: Tuple[NDArray, ...] = ()

    def save_for_backward(self, *arrays: NDArray) -> None:
        """Keeps `arrays` as self.saved_tensors."""
        self.saved_tensors = arrays

    def forward(self, *inputs: NDArray) -> Union[NDArray, Sequence[NDArray]]:
        """The results."""
        raise NotImplementedError

    def backward(self, *output_grads: NDArray) -> Union[NDArray, Sequence[Optional[NDArray]]]:
        """One gradient for each input."""
        raise NotImplementedError

    def __call__(self, *inputs: NDArray) -> Any:
        many: List[bool] = []

        def forward(xs: Sequence[NDArray]) -> Tuple[NDArray, ...]:
            out = self.forward(*xs)
            many.append(isinstance(out, (tuple, list)))
            return _many(out)
        outputs = run(forward, lambda dys, xs, ys: _many(self.backward(*dys)), inputs)
        return outputs if many[-1] else outputs[0]
