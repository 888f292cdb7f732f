# SPDX-License-Identifier: Apache-2.0
"""DataLoader: batches of a dataset, made here, by threads or by processes."""
import concurrent.futures
import multiprocessing
import sys
from collections import deque

import numpy as np

from ... import ndarray
from ...ndarray import NDArray, array
from .sampler import BatchSampler, RandomSampler, SequentialSampler


def default_batchify_fn(data):
    """Samples stacked: NDArrays, or what NumPy makes arrays of; tuples part by part."""
    if isinstance(data[0], NDArray):
        return ndarray.stack(*data)
    if isinstance(data[0], tuple):
        return [default_batchify_fn(part) for part in zip(*data)]
    data = np.asarray(data)
    return array(data, dtype=data.dtype)


default_mp_batchify_fn = default_batchify_fn
_worker = {}


def _begin(dataset, batchify):
    _worker.update(dataset=dataset, batchify=batchify)


def _plain(made):
    """Arrays as NumPy's, which other processes get by pickle."""
    if isinstance(made, NDArray):
        return _Array(made.asnumpy())
    return type(made)(_plain(m) for m in made) if isinstance(made, (list, tuple)) else made


def _arrays(made):
    if isinstance(made, _Array):
        return array(made.values, dtype=made.values.dtype)
    return type(made)(_arrays(m) for m in made) if isinstance(made, (list, tuple)) else made


class _Array:
    def __init__(self, values):
        self.values = values


def _make(indices):
    return _plain(_worker["batchify"]([_worker["dataset"][i] for i in indices]))


class DataLoader:
    """for batch in DataLoader(dataset, batch_size, shuffle=True): ... With num_workers > 0 processes make the batches (with thread_pool=True threads)."""

    def __init__(self, dataset, batch_size=None, shuffle=False, sampler=None, last_batch=None, batch_sampler=None, batchify_fn=None, num_workers=0,
                 pin_memory=False, pin_device_id=0, prefetch=None, thread_pool=False, timeout=120, auto_reload=False):
        if batch_sampler is None:
            if batch_size is None:
                raise ValueError("batch_size is needed where there is no batch_sampler")
            if sampler is None:
                sampler = RandomSampler(len(dataset)) if shuffle else SequentialSampler(len(dataset))
            elif shuffle:
                raise ValueError("shuffle and sampler both say the order; give one of them")
            batch_sampler = BatchSampler(sampler, batch_size, last_batch or "keep")
        elif batch_size is not None or shuffle or sampler is not None or last_batch is not None:
            raise ValueError("batch_sampler says what batch_size, shuffle, sampler and last_batch would say")
        self._dataset, self._batch_sampler, self._batchify = dataset, batch_sampler, batchify_fn or default_batchify_fn
        self._workers, self._timeout, self._threads = max(0, num_workers), timeout, thread_pool
        self._prefetch = max(1, int(prefetch) if prefetch is not None else 2 * self._workers)
        self._pool = None

    def _start(self):
        if self._pool is None:
            if self._threads:
                self._pool = concurrent.futures.ThreadPoolExecutor(self._workers)
            else:
                how = "fork" if sys.platform.startswith("linux") else "spawn"  # MXNet forks, so datasets need not be picklable; the library is safe at fork
                self._pool = concurrent.futures.ProcessPoolExecutor(self._workers, multiprocessing.get_context(how), _begin, (self._dataset, self._batchify))
        return self._pool

    def __iter__(self):
        if not self._workers:
            for indices in self._batch_sampler:
                yield self._batchify([self._dataset[i] for i in indices])
            return
        pool, waiting, order = self._start(), deque(), iter(self._batch_sampler)

        def more():
            indices = next(order, None)
            if indices is not None:
                waiting.append(pool.submit(self._here, indices) if self._threads else pool.submit(_make, indices))
        for _ in range(self._prefetch):
            more()
        while waiting:
            batch = waiting.popleft().result(self._timeout)
            more()
            yield batch if self._threads else _arrays(batch)

    def _here(self, indices):
        return self._batchify([self._dataset[i] for i in indices])

    def __len__(self):
        return len(self._batch_sampler)

    def __del__(self):
        if getattr(self, "_pool", None) is not None:
            self._pool.shutdown(wait=False)
