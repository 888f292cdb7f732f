# SPDX-License-Identifier: Apache-2.0
"""mx.kv: stores of arrays in one process. Those over several machines come with the parameter server."""
from . import optimizer as opt
from .ndarray import NDArray


class KVStore:
    """init, push (sums what is pushed under a key), pull."""

    def __init__(self, kind="local"):
        self.type, self.rank, self.num_workers, self._values, self._updater = kind, 0, 1, {}, None

    @staticmethod
    def _pairs(key, value):
        return list(zip(key, value)) if isinstance(key, (list, tuple)) else [(key, value)]

    def init(self, key, value):
        for k, v in self._pairs(key, value):
            if k in self._values:
                raise ValueError("key %r is there already" % (k,))
            self._values[k] = v.copy()

    def push(self, key, value, priority=0):
        for k, v in self._pairs(key, value):
            total = v
            if not isinstance(v, NDArray):
                total = v[0]
                for more in v[1:]:
                    total = total + more
            if self._updater is not None:
                self._updater(k, total, self._values[k])
            else:
                self._values[k][:] = total

    def pull(self, key, out=None, priority=0, ignore_sparse=True):
        for k, targets in self._pairs(key, out):
            for t in [targets] if isinstance(targets, NDArray) else targets:
                t[:] = self._values[k]

    def pushpull(self, key, value, out=None, priority=0):
        self.push(key, value)
        self.pull(key, out if out is not None else value)

    def set_optimizer(self, optimizer):
        self._updater = opt.get_updater(optimizer)

    def set_updater(self, updater):
        self._updater = updater

    _set_updater = set_updater

    def barrier(self):
        pass


def create(name="local"):
    if "dist" in name or name in ("nccl", "p3", "horovod", "byteps"):
        raise NotImplementedError("kvstore %r: training over several machines comes with the parameter server" % name)
    return KVStore(name)
