# SPDX-License-Identifier: Apache-2.0
"""What the other modules share: the glue (`f`), texts of options, the thread's mode, calls of operators, tasks and the functions of the host that they ask for.
Private to the package."""
import itertools
import operator
import os
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from . import _flexor, errors as errors  # which fills _flexor.errors

f = _flexor  # the glue
Handle = f.Handle
Texts = Dict[str, str]

mode = f.mode          #: mode() -> the bits (FLX_RECORD, FLX_TRAIN ...) of the calling thread
set_mode = f.set_mode  #: set_mode(bits) -> the bits before


def follow_options() -> None:
    """Does what the options say that the package itself follows: with FLEXOR_ORIGIN calls tell the library the user's line."""
    f.origins(os.path.join(os.path.dirname(__file__), "") if f.flx_config_get("FLEXOR_ORIGIN") == "1" else None)


follow_options()


def text(value: Any) -> str:
    """`value` in the form in which options cross to the core: MXNet's, as "(2, 2)", "True", "None", "float32", "0.001"."""
    kind = type(value)
    if kind is str:
        return value
    if value is None or kind is bool or kind is int:
        return str(value)
    if kind is float:
        return repr(value)
    if isinstance(value, (tuple, list)):
        parts = [text(v) for v in value]
        return f"({parts[0]},)" if len(parts) == 1 else "(" + ", ".join(parts) + ")"
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, type):
        return "bool" if value is bool else "int64" if value is int else "float32" if value is float else np.dtype(value).name
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, np.floating):
        return repr(float(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, np.ndarray):
        return text(value.tolist())
    if hasattr(value, "__index__"):
        return str(operator.index(value))
    if hasattr(value, "__float__"):
        return repr(float(value))
    return str(value)


def texts(**options: Any) -> Texts:
    """All `options` as texts; see `text`."""
    return {k: text(v) for k, v in options.items()}


_calls: Dict[tuple, Handle] = {}


def call(name: str, options: Optional[Dict[str, Any]] = None) -> Handle:
    """Operator `name` with attributes `options`, prepared; the same object for the same attributes."""
    pairs = {k: text(v) for k, v in options.items()} if options else {}
    key = (name, *sorted(pairs.items()))
    found = _calls.get(key)
    if found is None:
        if len(_calls) > 4096:
            _calls.clear()
        found = _calls[key] = f.flx_call_create(name, pairs)
    return found


def run(prepared: Handle, arrays: Sequence[Handle], scalars: Sequence[float] = (), out: Any = None) -> Any:
    """Runs a prepared call: one array, or a tuple of several; `out` (an array or a sequence) takes the results instead and is returned."""
    if out is not None:
        f.flx_call_run_into(prepared, None, arrays, scalars, out if isinstance(out, (tuple, list)) else (out,))
        return out
    results = f.flx_call_run(prepared, None, arrays, scalars)
    return results[0] if len(results) == 1 else results


def invoke(name: str, arrays: Sequence[Handle], options: Optional[Dict[str, Any]] = None, out: Any = None) -> Any:
    """Runs operator `name` on NDArrays with attributes `options`, as `run` does; the mode is the calling thread's."""
    return run(call(name, options), arrays, (), out)


def free(handle: Handle) -> None:
    """Lets go of what `handle` stands for now. Using it afterwards is a HandleError."""
    f.flx_free(handle)


# ---- functions of the host: tokens, and the tasks that ask for them -------------------------------------------------------------------------

_hosts: Dict[int, Callable] = {}
_tokens = itertools.count()


def host_register(function: Callable[[str, Tuple[Any, ...]], Sequence[Any]]) -> int:
    """A token for `function(stage, arrays) -> arrays`, which a task may ask for; stage is forward, backward, batch or metric. It is forgotten when no tape,
    iterator or model needs it any more."""
    host_forget()
    token = next(_tokens)
    _hosts[token] = function
    return token


def host_forget() -> None:
    """Forgets the functions whose tokens the core needs no more."""
    token = f.flx_token_next() if _hosts else -1
    while token >= 0:
        _hosts.pop(token, None)
        token = f.flx_token_next()


def hosts_exist() -> bool:
    """Whether any host function may be on a tape, so that going backward has to be a task."""
    if _hosts:
        host_forget()
    return bool(_hosts)


def _answer(task: Handle) -> Optional[BaseException]:
    """Runs the host function that `task` asks for, and replies; what it raised, if it failed."""
    token = f.flx_task_token(task)
    old = set_mode(0)
    try:
        stage = _stage(task)
        function = _hosts.get(token)
        if function is None:
            raise errors.StateError(f"[host] no function of this process has the token {token}")
        f.flx_task_reply(task, list(function(stage, f.flx_task_arrays(task)) or ()))
    except BaseException as e:
        f.flx_task_fail(task, f"{type(e).__name__}: {e}")
        return e
    finally:
        set_mode(old)
    return None


def _stage(task: Handle) -> str:
    try:
        return f.flx_task_text(task, "host")
    except errors.UnknownNameError:  # a task that only goes backward
        return "backward"


def next_event(task: Handle) -> int:
    """Goes on with `task` until there is news that is not for a host function; those are run here, on the calling thread, and what they raise comes out as it is."""
    failed = None
    while True:
        try:
            event = f.flx_task_next(task, -1)
        except errors.Error:
            if failed is None:
                raise
            event = -1
        if failed is not None and event == -1:
            raise failed  # the user's own exception, with its own traceback
        if event != f.FLX_HOST:
            return event
        failed = _answer(task)
        if failed is not None and not isinstance(failed, Exception):  # Ctrl-C in the host function: at once
            raise failed


def run_task(task: Handle, on_event: Optional[Callable[[int], Any]] = None) -> None:
    """Drives `task` to its end; `on_event(event)` sees FLX_BATCH and FLX_EPOCH. What goes wrong on the way (Ctrl-C, too) stops the task in good order."""
    try:
        while True:
            event = next_event(task)
            if event == f.FLX_DONE:
                return
            if on_event is not None:
                on_event(event)
    except BaseException:
        stop_task(task)
        raise


def stop_task(task: Handle) -> None:
    """Lets `task` finish its batch and be done, whatever state it is in."""
    try:
        f.flx_task_stop(task)
        for _ in range(10000):
            event = f.flx_task_next(task, 100)
            if event == f.FLX_HOST:
                f.flx_task_fail(task, "stopped")
            elif event == f.FLX_DONE:
                return
    except errors.Error:
        pass


def names(count: Callable[..., int], name: Callable[..., str], *handles: Any) -> List[str]:
    """The names that a pair of functions of the ABI lists: names(f.flx_params_count, f.flx_params_name, params)."""
    return [name(*handles, i) for i in range(count(*handles))]


def flat(arrays: Any) -> Iterable[Handle]:
    """An array, or a (nested) sequence of arrays, as one flat list."""
    if isinstance(arrays, Handle):
        return [arrays]
    return [x for part in arrays for x in flat(part)]
