# SPDX-License-Identifier: Apache-2.0
"""mx.kv: stores of arrays, in one process (`local`, `device`) or among the workers of a job (`dist_sync`, `dist_async`), which flexor-launch starts."""
import atexit
import sys

from ..store import Store
from . import optimizer as opt
from .base import f, text
from .ndarray import NDArray
from .ndarray.ndarray import own


class KVStore:
    """init, push (sums what is pushed under a key), pull. In a server's or scheduler's process making one serves the job and ends the process, as in MXNet."""

    def __init__(self, kind="local"):
        self.type, self._updater, self._sent = kind, None, None
        self._store, self._keys, self._weights = Store(kind), set(), {}
        self._job = self._store if "dist" in kind else None
        if self._job:
            atexit.register(_leave, self._job)

    @property
    def rank(self):
        return self._job.rank if self._job else 0

    @property
    def num_workers(self):
        return self._job.workers if self._job else 1

    @staticmethod
    def _pairs(key, value):
        return list(zip(key, value)) if isinstance(key, (list, tuple)) else [(key, value)]

    def init(self, key, value):
        """First values; among several workers those of rank 0."""
        pairs = self._pairs(key, value)
        if self._job:
            if self.rank == 0:
                self._job.init([str(k) for k, _ in pairs], [v for _, v in pairs])
            self._job.barrier()
            if self.rank != 0:
                self._job.init([str(k) for k, _ in pairs], [v for _, v in pairs])
            return
        keys = set(self._keys)
        for k, _ in pairs:
            if str(k) in keys:
                raise ValueError("key %r is there already" % (k,))
            keys.add(str(k))
        self._store.init([k for k, _ in pairs], [v for _, v in pairs])
        self._keys = keys

    def push(self, key, value, priority=0):
        if self._updater is None:
            self._store.push(key, value, priority=priority)
            return
        for k, v in self._pairs(key, value):
            arrays = [v] if isinstance(v, NDArray) else list(v)
            weight, total = self._weight(k, arrays[0]), arrays[0]
            try:
                if len(arrays) > 1 or total.device != weight.device:
                    self._store.push(k, arrays)  # for a moment the key's value is the sum
                    total = own(f.flx_ndarray_copy(weight, None))
                    self._store.pull(k, total)
                self._updater(k, total, weight)
            finally:
                self._store.push(k, weight)

    def _weight(self, key, like):
        """The array that the updater changes: on the CPU in a store `local`, else where the first of the key's arrays is."""
        if str(key) not in self._weights:
            weight = own(f.flx_ndarray_copy(like, "cpu" if self._store.kind == "local" else None))
            self._store.pull(key, weight)
            self._weights[str(key)] = weight
        return self._weights[str(key)]

    def pull(self, key, out=None, priority=0, ignore_sparse=True):
        self._store.pull(key, out, priority=priority)

    def pushpull(self, key, value, out=None, priority=0):
        if self._job or self._updater is not None:
            self.push(key, value, priority)
            self.pull(key, out if out is not None else value, priority)
        else:
            self._store.push_pull(key, value, out, priority=priority)

    def broadcast(self, key, value, out, priority=0):
        """init, and pull into `out`."""
        self.init(key, value)
        self.pull(key, out, priority)

    def set_optimizer(self, optimizer):
        """What is pushed is a gradient from now on. On servers only rules of the library run; a schedule is the workers' to follow (Trainer, Module)."""
        if not self._job:
            self.set_updater(opt.get_updater(optimizer))
            return
        if not opt.steps_all(optimizer) or optimizer.lr_scheduler is not None:
            raise NotImplementedError("kvstore %r: servers run the library's own optimizers without a Python schedule; give Trainer or Module the optimizer, and "
                                      "update_on_kvstore=False" % self.type)
        optimizer._send([*optimizer.idx2name, *optimizer.param_dict])
        f.flx_store_optimizer(self._job.handle, optimizer._handle)
        self._job.barrier()

    def set_updater(self, updater):
        if self._job:
            raise NotImplementedError("kvstore %r: servers run no Python; set_optimizer names a rule of the library" % self.type)
        self._updater, self._weights = updater, {}  # the values are the store's

    _set_updater = set_updater

    def _setting(self, name, value):
        """Changes a setting of the servers' optimizer where it is another than before; only rank 0's call counts."""
        if self._sent is None or self._sent.get(name) != value:
            self._sent = dict(self._sent or {}, **{name: value})
            self._job.set(name, text(value))

    def set_gradient_compression(self, compression_params):
        raise NotImplementedError("gradients are not compressed")

    def row_sparse_pull(self, key, out=None, priority=0, row_ids=None):
        raise NotImplementedError("there are no sparse arrays")

    def _states_here(self, doing):
        if self._job:
            raise NotImplementedError("kvstore %r: the servers hold the optimizer's states, which cannot be %s one file (nor can they in MXNet); the job's checkpoints have them: "
                                      "docs/distributed.md" % (self.type, doing))

    def save_optimizer_states(self, fname, dump_optimizer=False):
        self._states_here("saved to")
        if self._updater is None:
            raise ValueError("there is no optimizer in this process whose states could be saved")
        with open(fname, "wb") as out:
            out.write(self._updater.get_states(dump_optimizer))

    def load_optimizer_states(self, fname):
        self._states_here("loaded from")
        if self._updater is None:
            raise ValueError("there is no optimizer in this process whose states could be loaded; call set_optimizer first")
        with open(fname, "rb") as given:
            self._updater.set_states(given.read())

    def barrier(self):
        if self._job:
            self._job.barrier()

    _barrier = barrier


def _leave(job):
    """At the end of the process: the others go on without this worker, unless it fails."""
    if getattr(sys, "last_type", None) is None:
        job.finish()


class Gradients:
    """The gradients of named weights, summed over the workers of a job: what Trainer and Module do with a store of `dist_sync`; of `dist_async`, the servers update."""

    def __init__(self, store, weights, optimizer):
        self.store, self.asynchronous = store, "async" in store.type or "stale" in store.type
        keys = list(weights)
        store.init(keys, [weights[k] for k in keys])
        store.pull(keys, [weights[k] for k in keys])
        if self.asynchronous:
            store.set_optimizer(optimizer)

    def exchange(self, weights, grads, rescale):
        """True: the weights are updated already."""
        if self.asynchronous:
            self.store._setting("rescale_grad", rescale)
        for i, k in enumerate(weights):
            self.store.pushpull(k, grads[k], weights[k] if self.asynchronous else grads[k], priority=-i)
        return self.asynchronous


def create(name="local"):
    if isinstance(name, KVStore):
        return name
    if not isinstance(name, str):
        raise TypeError("a store's kind is a text, given %s" % type(name).__name__)
    if name in ("nccl", "p3", "horovod", "byteps"):
        raise NotImplementedError("kvstore %r is not there; dist_sync and dist_async train by several processes" % name)
    return KVStore(name)
