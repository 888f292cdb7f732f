# SPDX-License-Identifier: Apache-2.0
"""Stores: arrays by key, which those who push change and those who pull read; in one process, or in a job of several.

    with flexor.Store("dist_sync") as store:              # flexor-launch -n 4 -s 2 python train.py
        part = store.shard(len(y))
        clf = flexor.Classifier(net, store=store).fit(x[part], y[part])
"""
from __future__ import annotations

import json
import sys
from typing import Any, Dict, List, Sequence, Tuple, Union

from . import _core, optimizer as optimizers
from ._core import f
from .errors import ArgumentError
from .ndarray import NDArray

__all__ = ["Store"]

Keys = Union[str, int, Sequence[Union[str, int]]]


class Store:
    """Arrays by key. What is pushed to a key replaces its value; with an optimizer (`set_optimizer`) it is the gradient of the value. Pushes of the workers of a job are summed.

        store = flexor.Store("local")
        store.init("w", nd.zeros((2, 3)))
        store.push("w", [a, b])                           # a + b
        store.pull("w", out=c)

    Parameters
    ----------
    kind : str
        "local": the arrays of this process. "dist_sync", "dist_async", "dist_stale": those of a job of several processes, which the environment names
        (docs/distributed.md); this waits until all of them are there. In a process whose part in the job is to be a server or the scheduler, it does that part, and ends the process
        when the job is over.
    settings
        What the kind has: `aggregate="mean"`, `timeout=60` ...; they count before the environment.

    Nothing waits but the making of a store, `barrier`, `checkpoint`, `finish` and `save_states`; what went wrong in a push or pull is raised where the pulled array is read.
    """

    def __init__(self, kind: str = "local", **settings: Any) -> None:
        self._handle = f.flx_store_create(kind, _core.texts(**settings))
        try:
            if self.role != "worker":
                while f.flx_store_serve(self._handle, 1000) != f.FLX_DONE:
                    pass
                sys.exit(0)
            f.flx_store_join(self._handle, -1)
        except BaseException:
            self.close()
            raise

    # ---- who is there -------------------------------------------------------------------------------------------------------------------------
    @property
    def handle(self) -> Any:
        """The core's handle."""
        return self._handle

    @property
    def kind(self) -> str:
        """The kind by its first name: "local", "dist_sync" ..."""
        return f.flx_store_text(self._handle, "kind")

    @property
    def role(self) -> str:
        """What this process is: "worker", "server" or "scheduler"."""
        return f.flx_store_text(self._handle, "role")

    @property
    def rank(self) -> int:
        """Which of the workers this is, from 0."""
        return int(f.flx_store_number(self._handle, "rank"))

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return int(f.flx_store_number(self._handle, "workers"))

    @property
    def view(self) -> str:
        """For people: who belongs to the job, and who waits for whom."""
        return f.flx_store_text(self._handle, "view")

    def stats(self) -> Dict[str, float]:
        """All numbers: rank, workers, keys; of a job, too, bytes, messages, waits ..."""
        return json.loads(f.flx_store_stats(self._handle))

    def shard(self, samples: int) -> slice:
        """This worker's share of so many samples, every `workers`-th of them: a slice for their arrays."""
        return slice(self.rank, int(samples), self.workers)

    # ---- arrays -------------------------------------------------------------------------------------------------------------------------------
    def init(self, keys: Keys, values: Any) -> None:
        """Gives keys their first values. One that is there already keeps its own, so every worker may call it; the first one's counts."""
        f.flx_store_init(self._handle, *_pairs("init", keys, values, True))

    def push(self, keys: Keys, values: Any, samples: int = 1, priority: int = 0) -> None:
        """Pushes an array, or a list of arrays that are summed, for each key. `samples`: of the batch behind them, by which a mean weighs. Higher priorities are sent first."""
        f.flx_store_push(self._handle, *_pairs("push", keys, values), samples, priority)

    def pull(self, keys: Keys, out: Any, priority: int = 0) -> Any:
        """Overwrites `out`, an array (or a list of arrays) for each key, with the keys' values; returns it."""
        f.flx_store_pull(self._handle, *_pairs("pull", keys, out), priority)
        return out

    def push_pull(self, keys: Keys, values: Any, out: Any = None, samples: int = 1, priority: int = 0) -> Any:
        """Pushes `values` and pulls what that gave into `out` (None: into `values` themselves); returns it."""
        out = values if out is None else out
        names, arrays = _pairs("push_pull", keys, values)
        other, targets = _pairs("push_pull", keys, out)
        if names == other:
            f.flx_store_push_pull(self._handle, names, arrays, targets, samples, priority)
        else:  # several arrays of a key in, one out, or so
            f.flx_store_push(self._handle, names, arrays, samples, priority)
            f.flx_store_pull(self._handle, other, targets, priority)
        return out

    # ---- updates ------------------------------------------------------------------------------------------------------------------------------
    def set_optimizer(self, optimizer: Any) -> None:
        """Lets the store update its values by `optimizer` (a flexor.optimizer object or its name): what is pushed from now on is a gradient. In a job, every worker calls it, and then
        `barrier`."""
        f.flx_store_optimizer(self._handle, optimizers.get(optimizer).create())

    def set(self, setting: str, value: Any) -> None:
        """Changes a setting of that optimizer: "learning_rate", "<key>.lr_mult" ..."""
        f.flx_store_set(self._handle, setting, _core.text(value))

    def save_states(self, path: str) -> None:
        """Writes the optimizer with its states to a file; not of a job, whose servers hold them: `checkpoint`."""
        f.flx_store_save(self._handle, path, -1)

    def load_states(self, path: str) -> None:
        """Goes on from what `save_states` wrote."""
        f.flx_store_load(self._handle, path)

    # ---- together -----------------------------------------------------------------------------------------------------------------------------
    def barrier(self) -> None:
        """Waits until every worker has come here."""
        f.flx_store_barrier(self._handle, -1)

    def checkpoint(self) -> int:
        """Lets the servers of a job write what they hold to their disks, as of what this worker has pushed so far, and waits until they have; its round. FLEXOR_PS_CHECKPOINT says where,
        and FLEXOR_PS_POLICY=rollback lets the job go back to it. `stats()` has "checkpoint" (its number), "checkpoint_round", "returns" and "returned_to" on every worker."""
        f.flx_store_checkpoint(self._handle, -1)
        return int(f.flx_store_number(self._handle, "checkpoint_round"))

    def recover(self) -> int:
        """After a `RolledBackError`, which every call gives once the job went back to its checkpoint: calls count again, and what is pulled is the checkpoint's. Its round, that is how many
        updates the keys have had; -1 if the job did not go back."""
        return int(f.flx_store_recover(self._handle))

    def finish(self) -> None:
        """Leaves the job in good order: the others go on without this worker. A fit does it at its end."""
        f.flx_store_finish(self._handle, -1)

    def close(self) -> None:
        """Lets go of the store; one that leaves its job without `finish` is lost to the others."""
        _core.free(self._handle)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()

    def __copy__(self) -> "Store":
        return self

    def __deepcopy__(self, memo: Any) -> "Store":  # estimators that are copied share it
        return self

    def __getstate__(self) -> Any:
        raise TypeError("a Store belongs to its process and cannot be pickled")

    def __repr__(self) -> str:
        return f"Store({self.kind!r}, rank={self.rank}, workers={self.workers})"


def _pairs(what: str, keys: Any, values: Any, single: bool = False) -> Tuple[List[str], List[Any]]:
    """Names and arrays of equal number: a key's name stands once for each of its arrays."""
    if isinstance(keys, (str, int)):
        keys, values = [keys], [values]
    if not isinstance(values, (list, tuple)) or len(keys) != len(values):
        raise ArgumentError(f"[store] {what} of {len(keys)} keys needs a list of as many arrays, given {len(values) if isinstance(values, (list, tuple)) else type(values).__name__}")
    names, arrays = [], []
    for key, value in zip(keys, values):
        if not isinstance(key, (str, int)):
            raise TypeError(f"{what}: a key is a text or a whole number, given {type(key).__name__}")
        for a in [value] if single or not isinstance(value, (list, tuple)) else value:
            if not isinstance(a, NDArray):
                raise TypeError(f"{what} of key {key!r}: expected an NDArray, given {type(a).__name__}")
            names.append(str(key))
            arrays.append(a)
    return names, arrays
