# SPDX-License-Identifier: Apache-2.0
"""What runs when, and for how long.

    with profiler.profile("trace.json"):       # opens in Perfetto and chrome://tracing
        net(x).wait()
    print(profiler.summary())"""
import functools
import json
from typing import Any, Callable, Optional

from . import _core
from . import _flexor as f


def start(**options: Any) -> None:
    """Begins to record, and forgets what was recorded before. Options: operators, planned, passes, waits, copies, memory (True), api (False): what is recorded;
    capacity: bytes that records may take (64M); keep=True forgets nothing."""
    f.flx_profiler_start(_core.texts(**options))


def stop() -> None:
    """Ends the recording; what is recorded stays."""
    f.flx_profiler_stop()


def clear() -> None:
    """Forgets what is recorded."""
    f.flx_profiler_clear()


def running() -> bool:
    """Whether it records."""
    return bool(f.flx_profiler_running())


def save(path: Any) -> None:
    """Writes what is recorded to the file `path` as JSON for Perfetto and chrome://tracing."""
    f.flx_profiler_save(path)


def summary(sort: str = "share", columns: int = 0) -> str:
    """A table, added up by name, sorted by name, count, total, self, mean, min, max or share, in lines of at most `columns` characters (0: 100)."""
    return f.flx_profiler_summary(sort, columns)


def table() -> Any:
    """The table of summary as Python dicts; times in nanoseconds, shares of 1."""
    return json.loads(f.flx_profiler_table())


def counter(name: str, value: float) -> None:
    """Records that the counter `name` is `value` from now on."""
    f.flx_profiler_counter(name, float(value))


def mark(name: str) -> None:
    """Records this moment."""
    f.flx_profiler_mark(name)


class span:
    """A stretch of time called `name`, as a `with` block or as a decorator."""

    def __init__(self, name: str, category: Optional[str] = None) -> None:
        self.name, self.category = name, category
        self._open: list = []

    def __enter__(self) -> "span":
        self._open.append(f.flx_span_begin(self.name, self.category))
        return self

    def __exit__(self, *_: Any) -> None:
        f.flx_free(self._open.pop())

    def __call__(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def run(*args: Any, **options: Any) -> Any:
            with span(self.name, self.category):
                return function(*args, **options)
        return run


scope = span


class profile:
    """Records what runs in the `with` block, and writes it to the file `path` if there is one."""

    def __init__(self, path: Any = None, **options: Any) -> None:
        self.path, self.options = path, options

    def __enter__(self) -> "profile":
        start(**self.options)
        return self

    def __exit__(self, *_: Any) -> None:
        stop()
        if self.path is not None:
            save(self.path)
