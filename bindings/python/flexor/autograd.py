# SPDX-License-Identifier: Apache-2.0
"""Gradients: record what is computed, then go backward.

    x.attach_grad()
    with autograd.record():
        y = (x * x).sum()
    y.backward()
    x.grad                      # 2 x

Recording and training mode belong to the thread that set them."""
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

from . import _core
from . import _flexor as f
from .ndarray import NDArray

if TYPE_CHECKING:
    from ._host import Function as Function, operator as operator

_change, _put_back = f.change_mode, f.set_mode
_RECORD_AND_TRAIN = f.FLX_RECORD | f.FLX_TRAIN
Arrays = Union[NDArray, Sequence[NDArray]]


class _Scope:
    """Sets bits of the thread's mode, and puts them back; may be entered again and again."""
    __slots__ = ("_set", "_clear", "_old")

    def __init__(self, to_set: int, to_clear: int) -> None:
        self._set = to_set
        self._clear = to_clear
        self._old: Any = None  # (the bits before, what stood here before)

    def __enter__(self) -> "_Scope":
        self._old = _change(self._set, self._clear), self._old
        return self

    def __exit__(self, *_: Any) -> None:
        old, self._old = self._old
        _put_back(old)

    def __call__(self, function: Any) -> Any:
        """As a decorator: the function runs in the scope."""
        import functools

        @functools.wraps(function)
        def run(*args: Any, **options: Any) -> Any:
            with _Scope(self._set, self._clear):
                return function(*args, **options)
        return run


def record(train_mode: bool = True) -> _Scope:
    """A scope in which calls are recorded for backward, in training mode unless `train_mode` is False."""
    return _Scope(_RECORD_AND_TRAIN, 0) if train_mode else _Scope(f.FLX_RECORD, f.FLX_TRAIN)


def pause(train_mode: bool = False) -> _Scope:
    """A scope in which nothing is recorded."""
    return _Scope(f.FLX_TRAIN, f.FLX_RECORD) if train_mode else _Scope(0, f.FLX_RECORD | f.FLX_TRAIN)


def train_mode() -> _Scope:
    """A scope in which layers behave as in training (dropout, batch statistics); recording stays as it is."""
    return _Scope(f.FLX_TRAIN, 0)


def predict_mode() -> _Scope:
    """A scope in which layers behave as in prediction; recording stays as it is."""
    return _Scope(0, f.FLX_TRAIN)


def is_recording() -> bool:
    """Whether calls of this thread are recorded."""
    return bool(f.mode() & f.FLX_RECORD)


def is_training() -> bool:
    """Whether layers behave as in training, in this thread."""
    return bool(f.mode() & f.FLX_TRAIN)


def set_recording(recording: bool) -> bool:
    """Switches recording on or off for this thread; what it was before."""
    return bool(f.set_mode(f.mode() & ~f.FLX_RECORD | (f.FLX_RECORD if recording else 0)) & f.FLX_RECORD)


def set_training(training: bool) -> bool:
    """Switches training mode on or off for this thread; what it was before."""
    return bool(f.set_mode(f.mode() & ~f.FLX_TRAIN | (f.FLX_TRAIN if training else 0)) & f.FLX_TRAIN)


def _listed(arrays: Any) -> list:
    return [arrays] if isinstance(arrays, NDArray) else list(arrays)


def _bits(retain_graph: Optional[bool], create_graph: bool, train: bool) -> int:
    retain = create_graph if retain_graph is None else retain_graph
    return (f.FLX_RETAIN if retain else 0) | (f.FLX_CREATE_GRAPH if create_graph else 0) | (f.FLX_TRAIN if train else 0)


def backward(heads: Arrays, head_grads: Any = None, retain_graph: Optional[bool] = False, train_mode: bool = True, create_graph: bool = False) -> None:
    """Goes backward from `heads` (head gradients `head_grads`: of their shapes; None: ones) and stores the gradients of all arrays that have one attached.

    The history is let go, unless `retain_graph`; `create_graph` records the way back itself, for higher derivatives."""
    arrays = _listed(heads)
    grads = [] if head_grads is None else _listed(head_grads)
    bits = _bits(retain_graph, create_graph, train_mode)
    if _core.hosts_exist():
        _core.run_task(f.flx_autograd_start(arrays, grads, [], bits))
    else:
        f.flx_autograd_backward(arrays, grads, bits)


def grad(heads: Arrays, variables: Arrays, head_grads: Any = None, retain_graph: Optional[bool] = None, create_graph: bool = False,
         train_mode: bool = True) -> Any:
    """The gradients of `heads` with respect to `variables`, which are returned (an array for an array, a list for a list) and not stored. As for backward else."""
    arrays, targets = _listed(heads), _listed(variables)
    grads = [] if head_grads is None else _listed(head_grads)
    bits = _bits(retain_graph, create_graph, train_mode)
    if _core.hosts_exist():
        task = f.flx_autograd_start(arrays, grads, targets, bits)
        _core.run_task(task)
        found = f.flx_task_arrays(task)
    else:
        found = f.flx_autograd_gradients(arrays, grads, targets, bits)
    return found[0] if isinstance(variables, NDArray) else list(found)


def mark_variables(variables: Arrays, gradients: Arrays, grad_reqs: Union[str, Sequence[str]] = "write") -> None:
    """Attaches `gradients`, arrays of the same shapes, to `variables`."""
    arrays, into = _listed(variables), _listed(gradients)
    reqs = [grad_reqs] * len(arrays) if isinstance(grad_reqs, str) else list(grad_reqs)
    for array, target, req in zip(arrays, into, reqs):
        f.flx_autograd_attach(array, req, target)


def get_symbol(array: NDArray) -> Any:
    """What `array` was computed by while recording, as a Symbol; what it began with are variables x0, x1 ..."""
    from . import sym  # noqa: F401
    return f.flx_autograd_symbol(array)


def __getattr__(name: str) -> Any:
    if name in ("operator", "Function"):
        from . import _host
        return getattr(_host, name)
    raise AttributeError(f"module 'flexor.autograd' has no attribute '{name}'")
