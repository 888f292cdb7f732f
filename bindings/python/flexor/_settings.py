# SPDX-License-Identifier: Apache-2.0
"""Bases of what is registered by name with settings: optimizers, schedules, initializers, metrics. An object is a description (its name and settings), made into a handle of
the core when one is wanted; so it is compared, printed, copied and pickled like any value. The classes themselves are generated from the registry."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from . import _core
from ._core import f


class Settings:
    """A registered thing by its name and settings."""
    kind = ""       # the registry's name
    _registry = ""
    _create: Callable[..., Any]

    def __init__(self, settings: Dict[str, Any]) -> None:
        self._texts = {k: setting_text(v) for k, v in settings.items()}
        self._create_handle()  # a wrong value is told here, at the user's line

    def _create_handle(self) -> Any:
        return type(self)._create(self.kind, self._texts)

    def settings(self) -> Dict[str, str]:
        """The settings, as texts, by name."""
        return dict(self._texts)

    def _given(self) -> List[str]:
        """`name=value` of each setting that is not the default."""
        entry = f.flx_registry_find(self._registry, self.kind)
        defaults = {f.flx_entry_attr_text(entry, i, "name"): f.flx_entry_attr_text(entry, i, "default") for i in range(f.flx_entry_attr_count(entry))}
        return [f"{k}={v}" for k, v in self._texts.items() if not _same(defaults.get(k), v)]

    def text(self) -> str:
        """The form in which options name it: "Xavier(magnitude=2)"."""
        given = self._given()
        return f"{self.kind}({', '.join(given)})" if given else self.kind

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(self._given())})"

    def __str__(self) -> str:
        return self.text()

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and self._state() == other._state()

    def __hash__(self) -> int:
        return hash((self.kind, tuple(sorted(self._texts.items()))))

    def _state(self) -> Any:
        return self._texts


def _same(default: Optional[str], value: str) -> bool:
    if default == value:
        return True
    try:
        return float(default or "x") == float(value)
    except ValueError:
        return False


def setting_text(value: Any) -> str:
    """A setting as text; objects of this module become their names with settings."""
    return value.text() if isinstance(value, Settings) else _core.text(value)


class Schedule(Settings):
    """The learning rate by step, that is by the number of updates so far."""
    _registry = "schedule"
    _create = staticmethod(lambda name, settings: f.flx_schedule_create(name, settings))

    def value(self, step: int) -> float:
        """The learning rate at `step`; of a schedule without a base of its own, only an optimizer knows it."""
        return f.flx_schedule_value(self._create_handle(), step)

    __call__ = value


class Initializer(Settings):
    """First values of parameters. A value depends on the seed, the parameter's name and its shape only, and is the same in every language."""
    _registry = "initializer"
    _create = staticmethod(lambda name, settings: f.flx_initializer_create(name, settings))

    def fill(self, array: Any, name: str = "weight", seed: int = 0) -> Any:
        """Overwrites NDArray `array` with the first values that a parameter called `name` has; returns it."""
        f.flx_initializer_fill(self._create_handle(), name, seed, array)
        return array

    __call__ = fill


class Optimizer(Settings):
    """An update rule. The object says which, with which settings; a Trainer, an estimator, or `update` makes the state that goes with it.

    `schedule` gives the learning rate by step. Settings may be changed on a Trainer while it trains."""
    _registry = "optimizer"
    _create = staticmethod(lambda name, settings: f.flx_optimizer_create(name, settings))

    def __init__(self, settings: Dict[str, Any], schedule: Optional[Schedule] = None) -> None:
        if schedule is not None and not isinstance(schedule, Schedule):
            raise TypeError(f"schedule: expected a flexor.schedule object, given {type(schedule).__name__}")
        self.schedule = schedule
        super().__init__(settings)
        self._own: Any = None

    def create(self) -> Any:
        """A new handle of the core with these settings and no state yet."""
        handle = self._create_handle()
        if self.schedule is not None:
            f.flx_optimizer_schedule(handle, self.schedule._create_handle())
        return handle

    @property
    def handle(self) -> Any:
        """The handle that `update` uses, made at its first use."""
        if self._own is None:
            self._own = self.create()
        return self._own

    def update(self, name: str, weight: Any, grad: Any) -> None:
        """Updates NDArray `weight` in place from `grad`; the state is kept under `name`."""
        f.flx_optimizer_update(self.handle, name, weight, grad)

    def _state(self) -> Any:
        return self._texts, self.schedule

    __hash__ = Settings.__hash__

    def __repr__(self) -> str:
        given = self._given() + ([f"schedule={self.schedule!r}"] if self.schedule is not None else [])
        return f"{self.kind}({', '.join(given)})"

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_own": None}  # a copy begins without state


class Metric(Settings):
    """A quality measure, accumulated over batches: update, then value. `name` is what histories call it."""
    _registry = "metric"
    _create = staticmethod(lambda name, settings: f.flx_metric_create(name, settings))

    def __init__(self, settings: Dict[str, Any]) -> None:
        super().__init__(settings)
        self._own: Any = None

    @property
    def _handle(self) -> Any:
        if self._own is None:
            self._own = self._create_handle()
        return self._own

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_own": None}

    @property
    def names(self) -> List[str]:
        """The names of its values; one, but for Composite."""
        return _core.names(f.flx_metric_count, f.flx_metric_name, self._handle)

    @property
    def name(self) -> str:
        """The name of its (first) value."""
        return self.names[0]

    def update(self, predictions: Any, labels: Any = ()) -> "Metric":
        """Adds a batch: predictions, and the labels they are for; arrays, or lists of equally many."""
        f.flx_metric_update(self._handle, arrays(predictions), arrays(labels))
        return self

    @property
    def values(self) -> List[float]:
        """All values over what was added; waits for it."""
        return [f.flx_metric_value(self._handle, i, -1)[-1] for i in range(f.flx_metric_count(self._handle))]

    @property
    def value(self) -> float:
        """The (first) value over all that was added; nan if nothing was."""
        return self.values[0]

    def reset(self) -> None:
        """Forgets what was added."""
        f.flx_metric_reset(self._handle)

    def __call__(self, predictions: Any, labels: Any = ()) -> float:
        """The value of one batch, forgetting what was there."""
        self.reset()
        return self.update(predictions, labels).value


def arrays(given: Any) -> List[Any]:
    """One array, or a sequence of arrays, as a list of NDArrays."""
    from . import nd
    if isinstance(given, (_core.Handle, np.ndarray)):
        given = [given]
    return [a if isinstance(a, _core.Handle) else nd.array(a) for a in given]


def find(registry: str, classes: Dict[str, Any], given: Any, what: str) -> Any:
    """`given` as an object: one already, or the name of one (any alias, any case), looked up in `registry`."""
    if not isinstance(given, str):
        return given
    fits = [n for n in classes if n.lower() == given.lower()]  # whatever its case
    name = fits[0] if fits else f.flx_entry_text(f.flx_registry_find(registry, given), "name")
    try:
        return classes[name]()
    except TypeError as e:
        raise _core.errors.ArgumentError(f"[{name}] {what} needs settings: {e}") from None


def public(module: Any, names: Sequence[str]) -> Dict[str, Any]:
    """The classes of a generated module by name."""
    return {n: getattr(module, n) for n in names}
