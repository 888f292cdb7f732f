# SPDX-License-Identifier: Apache-2.0
"""What a fit went through: a table of numbers by epoch, printed, plotted, kept."""
from __future__ import annotations

import math
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence


class History(Mapping):
    """The columns of a fit by name, one number an epoch: history["loss"], history["valid.accuracy"]. Prints as a table."""

    def __init__(self, columns: Optional[Mapping[str, Sequence[float]]] = None) -> None:
        self._columns: Dict[str, List[float]] = {k: [float(v) for v in values] for k, values in (columns or {}).items()}

    def append(self, row: Mapping[str, float]) -> None:
        """Adds an epoch."""
        for name, value in row.items():
            self._columns.setdefault(name, []).append(float(value))

    def __getitem__(self, name: str) -> List[float]:
        if name not in self._columns:
            raise KeyError(f"the history has no column `{name}`; it has {', '.join(self._columns) or 'none yet'}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def epochs(self) -> int:
        """How many epochs there were."""
        return len(next(iter(self._columns.values()), []))

    def best(self, column: Optional[str] = None) -> int:
        """The epoch, counted from 1, in which `column` was lowest (highest if it is an accuracy); by default the validation loss, or the loss."""
        name = column or ("valid.loss" if "valid.loss" in self else "loss")
        pick = max if "accuracy" in name else min
        values = [v for v in self[name] if not math.isnan(v)]
        if not values:
            raise ValueError(f"the history has no number in `{name}` yet")
        return self[name].index(pick(values)) + 1

    def __repr__(self) -> str:
        if not self._columns:
            return "History: no epoch yet"
        names = list(self._columns)
        rows = [[_text(self._columns[n][i], n) for n in names] for i in range(self.epochs)]
        widths = [max(len(n), *(len(r[i]) for r in rows)) if rows else len(n) for i, n in enumerate(names)]
        lines = ["  ".join(n.rjust(w) for n, w in zip(names, widths))] + ["  ".join(c.rjust(w) for c, w in zip(r, widths)) for r in rows]
        return "\n".join(lines)

    def panels(self) -> List[List[str]]:
        """What belongs into one plot: each measure with its validation column."""
        own = [n for n in self if n not in ("epoch", "seconds") and not n.startswith("valid.")]
        return [[n] + [v for v in [f"valid.{n}"] if v in self] for n in own]

    def plot(self, axes: Any = None) -> Any:
        """Draws the learning curve: with matplotlib where it is installed (returns its axes), else as text, which is printed (and returned)."""
        if not self.epochs:
            raise ValueError("the history has no epoch yet: fit first")
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            text = self.text_plot()
            print(text)
            return text
        panels = self.panels()
        if axes is None:
            _, axes = plt.subplots(1, len(panels), figsize=(4.5 * len(panels), 3.2), squeeze=False, constrained_layout=True)
        flat = list(getattr(axes, "flat", [axes]))
        epochs = range(1, self.epochs + 1)
        for axis, names in zip(flat, panels):
            for name in names:
                axis.plot(epochs, self[name], label=name, marker="." if self.epochs < 30 else None)
            axis.set_xlabel("epoch")
            axis.legend()
        return flat

    def text_plot(self, width: int = 60, height: int = 10) -> str:
        """The learning curve as text: one picture for each measure, `*` for training, `o` for validation."""
        return "\n\n".join(_picture({n: self[n] for n in names}, width, height) for names in self.panels())

    def __reduce__(self) -> Any:
        return History, (dict(self._columns),)


def _text(value: float, name: str = "") -> str:
    if name == "epoch":
        return str(int(value))
    return "nan" if math.isnan(value) else f"{value:.1f}" if name == "seconds" else f"{value:.4g}"


def _picture(columns: Mapping[str, Sequence[float]], width: int, height: int) -> str:
    finite = [v for values in columns.values() for v in values if math.isfinite(v)]
    if not finite:
        return f"{' / '.join(columns)}: no number to draw"
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    grid = [[" "] * width for _ in range(height)]
    for mark, values in reversed(list(zip("*o", columns.values()))):
        last = max(1, len(values) - 1)
        for i, v in enumerate(values):
            if math.isfinite(v):
                grid[round((high - v) / span * (height - 1))][round(i / last * (width - 1)) if len(values) > 1 else 0] = mark
    labels = [_text(high), *[""] * (height - 2), _text(low)]
    margin = max(map(len, labels))
    title = "   ".join(f"{mark} {name}" for mark, name in zip("*o", columns))
    lines = [f"{label.rjust(margin)} |{''.join(row).rstrip()}" for label, row in zip(labels, grid)]
    last_epoch = str(len(next(iter(columns.values()))))
    return "\n".join([" " * (margin + 2) + title, *lines, " " * margin + " +" + "-" * width, " " * (margin + 2) + "1" + last_epoch.rjust(width - 1)])
