# SPDX-License-Identifier: Apache-2.0
"""A worker of job_test.py's case `lost`: that of rank 1 kills itself."""
import os
import signal
import sys

import flexor as fx
from flexor import nn

x, y = fx.datasets.iris()
with fx.Store("dist_sync") as store:
    part = store.shard(len(y))
    clf = fx.Classifier(nn.Sequential(nn.Dense(8), nn.Dense(3)), epochs=30, batch_size=10, store=store, seed=1, shuffle=False)
    try:
        for event in clf.fit_iter(x[part], y[part]):
            if event.epoch == 5 and store.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
    except fx.NetworkError as e:
        print("told:", e, flush=True)
        sys.exit(0)
    print("went on to epoch", event.epoch, flush=True)
