# SPDX-License-Identifier: Apache-2.0
"""DataLoader: batches of arrays by the core, or of any dataset, by worker processes where asked."""
from __future__ import annotations

import multiprocessing
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Callable, Iterator, Optional, Sequence, Tuple

import numpy as np

from .. import _core
from . import _worker
from .dataset import ArrayDataset
from .iters import ArrayIter


class DataLoader:
    """Batches, epoch after epoch: each `for` over it is the next epoch, and gives tuples of NDArrays (one NDArray if samples have one part).

    Parameters
    ----------
    *data : arrays of equal length, or one dataset
        Arrays are read by the core. A dataset is anything with `len` and `[i]`.
    batch_size : int
    shuffle : bool
        Whether each epoch takes the samples in an order of its own. The order follows from seed and epoch, whatever the data and the workers, and is the same in every language.
    seed : int
    last : {'keep', 'drop', 'pad'}
        What becomes of the last samples when they do not fill a batch: a smaller batch, nothing, or a batch filled up with the first samples.
    workers : int
        Processes that make batches of a dataset; 0: this one does. Batches come in the pinned order. An exception in a worker is raised here, with the worker's traceback.
    prefetch : int
        Batches that each worker makes ahead.
    collate : callable, optional
        Makes arrays of a list of samples; by default parts are stacked.
    context : {'forkserver', 'spawn', 'fork'}, optional
        How workers are started; forkserver where there is one. The dataset is sent to them by pickle (fork: by memory).

    Workers begin with the first epoch and end with the loader, with `close`, or at the end of a `with` block.
    """

    def __init__(self, *data: Any, batch_size: int = 32, shuffle: bool = False, seed: int = 0, last: str = "keep", workers: int = 0, prefetch: int = 2,
                 collate: Optional[Callable[[Sequence[Any]], Any]] = None, context: Optional[str] = None) -> None:
        if not data:
            raise ValueError("DataLoader: expected arrays or a dataset, given none")
        self.batch_size, self.shuffle, self.seed, self.last = int(batch_size), bool(shuffle), int(seed), last
        self.workers, self.prefetch, self.collate, self.epoch = int(workers), max(1, int(prefetch)), collate, 0
        if self.workers < 0:
            raise ValueError(f"DataLoader: workers must be 0 or more, given {workers}")
        self.context = context or ("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
        if self.context not in multiprocessing.get_all_start_methods():
            raise ValueError(f"DataLoader: context must be one of {', '.join(multiprocessing.get_all_start_methods())}, given {context!r}")
        self._arrays = len(data) > 1 or isinstance(data[0], (np.ndarray, _core.Handle)) and self.workers == 0
        if self._arrays and (workers or collate):
            self._arrays, data = False, (ArrayDataset(*data),)
        if type(data[0]) is ArrayDataset and not workers and not collate:
            self._arrays, data = True, data[0].arrays
        if self._arrays:
            self.dataset: Any = ArrayDataset(*data)
        else:
            self.dataset = data[0]
            if not hasattr(self.dataset, "__len__") or not hasattr(self.dataset, "__getitem__"):
                raise TypeError(f"DataLoader: expected arrays, or a dataset with `len` and `[i]`, given {type(self.dataset).__name__}")
        self._idle: Any = (self._order(), 0)  # a source that no epoch uses, and the epoch it stands in
        self._pool: Optional[ProcessPoolExecutor] = None

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        n = len(self.dataset)
        return n // self.batch_size if self.last == "drop" else -(-n // self.batch_size)

    def source(self) -> Optional[ArrayIter]:
        """A source of the core for the same batches, where there is one: of data and labels in arrays."""
        return self._order() if self._arrays and len(self.dataset.arrays) == 2 else None

    def __iter__(self) -> Iterator[Any]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self._epoch(epoch)

    def _epoch(self, epoch: int) -> Iterator[Any]:
        source, at = self._idle or (self._order(), 0)  # an epoch that is going on keeps its own
        self._idle = None
        for _ in range(at, epoch):
            source.next_event()  # an epoch that is not begun cannot be left
            source.reset()
        try:
            batches = _batches(source)
            for made in batches if self._arrays else self._made(batches, epoch):
                yield made[0] if len(made) == 1 else made
        finally:
            if self._idle is None or self._idle[1] < epoch:
                self._idle = source, epoch

    def _order(self) -> ArrayIter:
        """The core's order: of the arrays themselves, or of the indices of samples."""
        arrays = self.dataset.arrays if self._arrays else [np.arange(len(self.dataset), dtype=np.int64)]
        return ArrayIter(*arrays, batch_size=self.batch_size, shuffle=self.shuffle, seed=self.seed, last=self.last)

    def _made(self, orders: Iterator[Tuple[Any, ...]], epoch: int) -> Iterator[Tuple[Any, ...]]:
        from .. import nd
        if not self.workers:
            for (indices,) in orders:
                samples = [self.dataset[int(i)] for i in indices.asnumpy()]
                yield tuple(nd.array(a) for a in _worker.collate(samples, self.collate))
            return
        pool = self._start()
        waiting: Any = deque()
        number = 0
        try:
            more = True
            while more or waiting:
                while more and len(waiting) < self.workers * self.prefetch:
                    order = next(orders, None)
                    if order is None:
                        more = False
                        break
                    waiting.append(pool.submit(_worker.batch, order[0].asnumpy().tolist(), (self.seed, epoch, number)))
                    number += 1
                if waiting:
                    yield tuple(nd.array(a) for a in waiting.popleft().result())
        except BaseException:
            if getattr(pool, "_broken", False):
                self.close()
            raise
        finally:
            for future in waiting:
                future.cancel()

    def _start(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, multiprocessing.get_context(self.context), _worker.begin, (self.dataset, self.collate))
        return self._pool

    def close(self) -> None:
        """Ends the workers; the next epoch begins with new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=not sys.is_finalizing(), cancel_futures=True)

    def __enter__(self) -> "DataLoader":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        pool = getattr(self, "_pool", None)
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def __getstate__(self) -> Any:
        return {**self.__dict__, "_idle": None, "_pool": None}


def _batches(source: ArrayIter) -> Iterator[Tuple[Any, ...]]:
    """What the source's epoch has."""
    while source.next_event() == _core.f.FLX_BATCH:
        yield source.arrays()
