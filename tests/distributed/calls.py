# SPDX-License-Identifier: Apache-2.0
"""A worker of job_test.py's case `store`: the calls of a store among three."""
import os
import sys

import numpy as np

import flexor as fx
from flexor import nd

kind = sys.argv[1]
with fx.Store(kind) as store:
    assert store.kind == kind and store.workers == 3 and store.role == "worker" and store.stats()["workers"] == 3
    rank = store.rank
    big = np.arange(400_000, dtype=np.float32)
    store.init(["w", "big", "step"], [nd.array([1.0, 2.0]), nd.array(big), nd.array([10.0])])
    store.barrier()
    out, got = nd.zeros(2), nd.zeros(400_000)
    if kind == "dist_sync":
        for step in range(1, 4):
            store.push("w", [nd.array([rank, 1.0]), nd.array([step, 0.0])])
            store.push_pull("big", nd.array(big * (rank + 1)), out=got, priority=-1)
            store.pull("w", out=out)
            assert out.asnumpy().tolist() == [3 + 3 * step, 3], out
            assert (got.asnumpy() == big * 6).all()
    store.barrier()
    store.set_optimizer(fx.SGD(1.0))
    store.barrier()
    for _ in range(5):
        store.push("step", nd.array([0.25]))
    store.barrier()  # all of them have been applied
    one = store.pull("step", out=nd.zeros(1))
    assert one.item() == 10 - 3 * 5 * 0.25, one
    try:
        store.push("stepp", one)
    except fx.StateError as e:
        assert "Did you mean `step`" in str(e)
    else:
        raise AssertionError("a key that is not there")
    child = os.fork()
    if child == 0:
        try:
            store.barrier()
        except fx.StateError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    print("all is well", flush=True)
