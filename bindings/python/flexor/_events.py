# SPDX-License-Identifier: Apache-2.0
"""Fits as a sequence of events, progress on a terminal, and batches that Python makes."""
from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import numpy as np

from . import _core
from ._core import f
from .errors import ArgumentError
from .history import History


class Values:
    """Numbers by name: as attributes and by index."""

    def __init__(self, numbers: Dict[str, float]) -> None:
        self._numbers = numbers

    def __getattr__(self, name: str) -> float:
        numbers = object.__getattribute__(self, "__dict__").get("_numbers", {})
        if name in numbers:
            return numbers[name]
        raise AttributeError(f"there is no number `{name}`" + (f"; there are {', '.join(numbers)}" if numbers else ". Is there validation data?"))

    def __getitem__(self, name: str) -> float:
        return self._numbers[name]

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def __repr__(self) -> str:
        return "  ".join(f"{k} {v:.4g}" for k, v in self._numbers.items())


class Event(Values):
    """What a fit reports after some batches (`kind` "batch") or an epoch ("epoch"): epoch, epochs, batch, batches, loss, the metrics by name, seconds; `valid.<name>` on
    validation data. Prints as a line of progress. `stop()` ends the fit after this batch."""

    def __init__(self, task: Any, kind: str, columns: Sequence[str]) -> None:
        def number(name: str) -> float:
            return f.flx_task_number(task, name)
        self.kind = kind
        self.epoch, self.epochs, self.batch = (int(number(n)) for n in ("epoch", "epochs", "batch"))
        batches = number("batches")
        self.batches: Optional[int] = None if np.isnan(batches) else int(batches)
        shown = [c for c in columns if c != "epoch"] if kind == "epoch" else ["loss", "seconds"]
        self.row = {"epoch": float(self.epoch), **{c: number(c) for c in shown}}
        self.valid = Values({c[len("valid."):]: v for c, v in self.row.items() if c.startswith("valid.")})
        self._text, self._task = f.flx_task_text(task, "progress"), task
        super().__init__({c: v for c, v in self.row.items() if not c.startswith("valid.") and c != "epoch"})

    def stop(self) -> None:
        """Ends the fit after this batch; the model stays as it is then."""
        f.flx_task_stop(self._task)

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def events(task: Any, history: History) -> Iterator[Event]:
    """Drives a fit, adding its epochs to `history`. However it is left (Ctrl-C, an exception of a host function, `break`), the task ends its batch and the model stays usable."""
    columns = _core.names(f.flx_task_column_count, f.flx_task_column_name, task)
    done = False
    try:
        while True:
            event = _core.next_event(task)
            if event == f.FLX_DONE:
                done = True
                return
            made = Event(task, "batch" if event == f.FLX_BATCH else "epoch", columns)
            if made.kind == "epoch":
                history.append(made.row)
            yield made
    finally:
        if not done:
            _core.stop_task(task)


class Progress:
    """Shows a fit: a bar where tqdm is installed and there is a terminal, else a line an epoch."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.tqdm = None
        if sys.stderr is not None and sys.stderr.isatty():
            try:
                from tqdm.auto import tqdm
                self.tqdm = tqdm
            except ImportError:
                pass

    def __call__(self, event: Event) -> None:
        if self.tqdm is None:
            if event.kind == "epoch":
                print(event, flush=True)
            return
        if self.bar is None:
            self.bar = self.tqdm(total=event.batches, unit=" batches", leave=False)
        self.bar.set_description(f"epoch {event.epoch}/{event.epochs}", refresh=False)
        self.bar.set_postfix_str(f"loss {event.loss:.4g}", refresh=False)
        self.bar.update((event.batch if event.kind == "batch" else event.batches or event.batch) - self.bar.n)
        if event.kind == "epoch":
            self.close()
            self.tqdm.write(str(event), file=sys.stderr)

    def close(self) -> None:
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def is_source(x: Any) -> bool:
    """Whether `x` is a source of batches, not an array: something to iterate over that NumPy would not read as numbers."""
    if isinstance(x, (np.ndarray, _core.Handle, list, tuple, str, bytes, dict)) or hasattr(x, "__array__") or hasattr(x, "__array_interface__") or hasattr(x, "toarray"):
        return False
    return hasattr(x, "__iter__") or hasattr(x, "__next__")


class HostSource:
    """Batches that any Python iterable gives, as (data, label) or (data, more data, label), for a fit of the core. Every epoch begins a new iteration; a generator has one only.

    The iterable runs on the thread that fits, one batch when the core needs it; what it raises comes out of the fit."""

    def __init__(self, batches: Any, convert: Callable[[Sequence[Any]], List[Any]]) -> None:
        self.batches, self.convert = batches, convert
        self.now: Optional[Iterator[Any]] = iter(batches)
        self.once = self.now is batches
        self.epoch = 0
        try:
            self.first = self._arrays(next(self.now))
        except StopIteration:
            raise ArgumentError("[fit] the source of batches gave no batch.") from None
        self.ahead: Optional[List[Any]] = self.first
        self.names = ["data"] + [f"data{i}" for i in range(1, len(self.first) - 1)] + ["label"]

    def _arrays(self, batch: Any) -> List[Any]:
        return self.convert(list(batch) if isinstance(batch, (tuple, list)) else [batch])

    def answer(self, stage: str, _: Any) -> List[Any]:
        """The next batch; nothing at the end of an epoch."""
        if self.ahead is not None:
            made, self.ahead = self.ahead, None
            return made
        if self.now is None:
            if self.once:
                raise ArgumentError("[fit] the source of batches is an iterator, which gives one epoch only, and another was wanted. Give a list, or an object whose `iter` begins anew.")
            self.now = iter(self.batches)
        batch = next(self.now, None)
        if batch is None:
            self.now = None
            self.epoch += 1
            return []
        return self._arrays(batch)

    def handle(self) -> Any:
        """A source of the core that asks this one."""
        return f.flx_iter_from_host(_core.host_register(self.answer), list(self.names), {})
