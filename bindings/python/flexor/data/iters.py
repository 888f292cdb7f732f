# SPDX-License-Identifier: Apache-2.0
"""Sources of batches of the core: their order of rows for a seed is the same in every language."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from .. import _core
from .._core import f
from .._settings import arrays as as_arrays


class BatchIter:
    """A source of batches. Iterating goes through one epoch, giving a tuple of NDArrays for each batch; the next `for` begins the next epoch. Estimators take it as data."""
    kind = ""

    def __init__(self, settings: Dict[str, Any]) -> None:
        self._settings = {k: _core.text(v) for k, v in settings.items()}
        self._handle = self._create()
        self._begun = False

    def _create(self) -> Any:
        # MXNet's word for "no file" is a default that need not be given
        return f.flx_iter_create(self.kind, {k: v for k, v in self._settings.items() if v != "NULL"})

    @property
    def handle(self) -> Any:
        """The core's handle."""
        return self._handle

    def __iter__(self) -> Iterator[Tuple[Any, ...]]:
        if self._begun:
            self.reset()
        self._begun = True
        while self.next_event() == f.FLX_BATCH:
            yield self.arrays()

    def next_event(self) -> int:
        """Goes on to the next batch: FLX_BATCH, or FLX_DONE at the end of the epoch."""
        return f.flx_iter_next(self._handle, -1)

    def arrays(self) -> Tuple[Any, ...]:
        """The arrays of the batch."""
        return tuple(f.flx_iter_arrays(self._handle))

    @property
    def names(self) -> List[str]:
        """The names of the arrays of a batch, known from the first batch on."""
        return [f.flx_iter_name(self._handle, i) for i in range(len(self.arrays()))]

    @property
    def pad(self) -> int:
        """The rows at the end of the batch that are only filling."""
        return f.flx_iter_pad(self._handle)

    @property
    def size(self) -> Optional[int]:
        """The samples of an epoch; None if unknown."""
        n = f.flx_iter_size(self._handle)
        return None if n < 0 else n

    def reset(self) -> None:
        """Begins the next epoch."""
        f.flx_iter_reset(self._handle)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self._settings.items())})"


class ArrayIter(BatchIter):
    """Batches of arrays in memory of equal first size: each batch has the same rows of every array.

    Parameters
    ----------
    *arrays : NDArray or array-like
    batch_size : int
    shuffle : bool
        Whether each epoch takes the rows in an order of its own, which the seed and the epoch's number give.
    seed : int
    last : {'keep', 'drop', 'pad'}
        What becomes of the last rows when they do not fill a batch.
    part, parts : int
        Give only one of `parts` parts of the order, for training on several machines.
    names : sequence of str, optional
    """
    kind = "ArrayIter"

    def __init__(self, *arrays: Any, batch_size: int = 32, shuffle: bool = False, seed: int = 0, last: str = "keep", part: int = 0, parts: int = 1,
                 names: Optional[Sequence[str]] = None) -> None:
        self._arrays = as_arrays(list(arrays))
        self._names = list(names) if names is not None else (["data", "label"] + [f"label{i}" for i in range(1, len(arrays))])[:len(arrays)]
        super().__init__(dict(batch_size=batch_size, shuffle=shuffle, seed=seed, last=last, part=part, parts=parts))

    def _create(self) -> Any:
        return f.flx_iter_from_arrays(self._arrays, self._names, self._settings)
