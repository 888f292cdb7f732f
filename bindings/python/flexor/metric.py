# SPDX-License-Identifier: Apache-2.0
"""Quality measures: one class for each metric that is registered, and `Custom`, which makes one of a function.

    m = flexor.metric.Accuracy()
    m.update(scores, labels).value
    flexor.Classifier(net, metrics=["accuracy", flexor.metric.TopKAccuracy(top_k=3), my_function])
"""
from __future__ import annotations

import re
from typing import Any, Callable, List, Optional, Sequence, Union

import numpy as np

from . import _core
from ._generated import metrics as _made
from ._generated.metrics import *  # noqa: F401,F403
from ._settings import Metric, arrays, find, public

__all__ = [*_made.__all__, "Metric", "Custom", "get"]


class Custom:
    """A metric of a function of your own.

    Parameters
    ----------
    function : callable (y_true, y_pred) -> float
        Takes a batch's labels and predictions as NumPy arrays (lists of them if there are several) and gives its value. It runs on the thread that calls fit or update; what it
        raises comes out there.
    name : str, optional
        What histories call it; the function's name if it is not given.

    The value over several batches is the mean of the batches' values, weighted by their rows.
    """

    def __init__(self, function: Callable[[Any, Any], float], name: Optional[str] = None) -> None:
        if not callable(function):
            raise TypeError(f"metric: expected a function, given {type(function).__name__}")
        self.function = function
        self.name = str(name or getattr(function, "__name__", type(function).__name__))
        if not re.fullmatch(r"[^\s(),=.<>][^\s(),=<>]*", self.name):  # a lambda has none that a column could bear
            self.name = re.sub(r"[^\w.-]+", "_", self.name).strip("_.") or "metric"
        self.reset()

    def of_batch(self, predictions: Sequence[Any], labels: Sequence[Any]) -> float:
        """The function's value for arrays of one batch."""
        y = [np.asarray(a.asnumpy()) for a in labels]
        p = [np.asarray(a.asnumpy()) for a in predictions]
        return float(self.function(y[0] if len(y) == 1 else y, p[0] if len(p) == 1 else p))

    def update(self, predictions: Any, labels: Any = ()) -> "Custom":
        """Adds a batch."""
        p, y = arrays(predictions), arrays(labels)
        rows = p[0].shape[0] if p and p[0].shape else 1
        self._sum += self.of_batch(p, y) * rows
        self._rows += rows
        return self

    @property
    def value(self) -> float:
        """The mean over all that was added; nan if nothing was."""
        return self._sum / self._rows if self._rows else float("nan")

    def reset(self) -> None:
        """Forgets what was added."""
        self._sum, self._rows = 0.0, 0

    def __repr__(self) -> str:
        return f"Custom({self.name})"


def get(metric: Union[str, Metric, Custom, Callable[[Any, Any], float]]) -> Union[Metric, Custom]:
    """`metric` as a metric: a name ("accuracy"), an object of this module, or a function (y_true, y_pred) -> number."""
    found = find("metric", public(_made, _made.__all__), metric, "the metric")
    if isinstance(found, (Metric, Custom)):
        return found
    return Custom(found)


def task_text(metrics: Sequence[Any]) -> str:
    """`metrics` as the option of a fit or the names of an evaluation; functions become metrics of the host, asked for on the calling thread."""
    parts: List[str] = []
    for m in metrics:
        if isinstance(m, str):  # the core reads it, settings in parentheses and all
            parts.append(m)
            continue
        m = get(m)
        parts.append(m.text() if isinstance(m, Metric) else f"Host(token={_core.host_register(_host(m))}, name={m.name})")
    return ", ".join(parts)


def _host(metric: Custom) -> Callable[[str, Sequence[Any]], List[Any]]:
    def answer(stage: str, given: Sequence[Any]) -> List[Any]:
        from . import nd
        half = max(1, len(given) // 2)
        return [nd.array(np.asarray([metric.of_batch(given[:half], given[half:])], np.float32))]
    return answer
